//! Bundles: the sources that runs are pinned to.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use windlass_model::{Code, Problem};

use crate::{Access, Answer, Permission, Request, Route, runs};

/// Whose bundle.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BundleQuery {
    /// A run that is pinned to it and that you may see; whoever may see everything needn't name one.
    run: Option<String>,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/bundles/{digest}", "runs", "Sources by their digest")
            .access(Access::Can(Permission::Read))
            .query::<BundleQuery>()
            .answers::<runs::BundleView>(200)
            .problems(&[Code::NotFound, Code::InvalidInput])
            .handle(show),
    ]
}

fn show(request: Request) -> Result<Answer, Problem> {
    let query: BundleQuery = request.query()?;
    let digest = request.parameter("digest");
    if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let problem = Problem::new(Code::InvalidInput, "a bundle's digest is 64 hex digits");
        return Err(problem.data(json!({ "parameter": "digest" })));
    }
    let none = || Problem::new(Code::NotFound, format!("there is no bundle {digest} that you may see"));
    let seen = match &query.run {
        Some(run) => runs::visible(&request, run)?.bundle.as_str() == digest,
        None => request.principal.scopes(Permission::Read).is_none(),
    };
    let bundle = if seen { request.api.engine.bundle(&digest.into())? } else { None };
    Answer::json(&*bundle.ok_or_else(none)?)
}
