//! All routes, resource by resource.

use crate::{Routes, health};

/// The table.
pub fn routes() -> Routes {
    Routes::new([health::routes()].into_iter().flatten().collect())
}
