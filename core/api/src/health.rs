//! Whether the server lives, whether it can serve, and what it is.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_model::Problem;

use crate::{Access, Answer, Request, Route};

/// What the server is.
#[derive(Serialize, JsonSchema)]
struct Version {
    /// The program's name.
    name: &'static str,
    /// Its version.
    version: String,
    /// Version of the API.
    api: &'static str,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/version", "operations", "What the server is")
            .access(Access::Public)
            .answers::<Version>(200)
            .handle(version),
    ]
}

fn version(request: Request) -> Result<Answer, Problem> {
    Answer::json(&Version { name: "windlass", version: request.api.config.version.clone(), api: "v1" })
}
