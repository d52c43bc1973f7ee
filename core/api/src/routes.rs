//! All routes, resource by resource.

use crate::{Routes, health, openapi};

/// The table.
pub fn routes() -> Routes {
    Routes::new([health::routes(), openapi::routes()].into_iter().flatten().collect())
}
