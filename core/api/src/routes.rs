//! All routes, resource by resource.

use crate::{Routes, approvals, artifacts, bundles, health, logs, openapi, resources, runs, secrets};

/// The table.
pub fn routes() -> Routes {
    let all = [
        health::routes(),
        openapi::routes(),
        runs::routes(),
        logs::routes(),
        artifacts::routes(),
        approvals::routes(),
        resources::routes(),
        bundles::routes(),
        secrets::routes(),
    ];
    Routes::new(all.into_iter().flatten().collect())
}
