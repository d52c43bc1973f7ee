//! All routes, resource by resource.

use crate::{
    Routes, approvals, artifacts, audit, bundles, health, logs, openapi, organisations, resources, roles, runs,
    secrets, session, tokens, users,
};

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
        session::routes(),
        users::routes(),
        roles::routes(),
        tokens::routes(),
        organisations::routes(),
        audit::routes(),
    ];
    Routes::new(all.into_iter().flatten().collect())
}
