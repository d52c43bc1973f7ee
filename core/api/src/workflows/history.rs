//! The versions of a workflow: who made each, when and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem, document::DocumentFilter};

use super::named;
use crate::{
    Access, Answer, Permission, Request, Route,
    page::{self, Page},
};

/// A page of the history.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many on a page: 1 to 500, 50 if nothing is said.
    limit: Option<u32>,
}

/// Which source.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SourceQuery {
    /// Number of a version; if none is named, the one in use.
    version: Option<i64>,
}

/// A version, as it is kept.
#[derive(Serialize, Deserialize, JsonSchema)]
struct VersionView {
    /// From 1.
    version: i64,
    /// Digest of the sources as a whole.
    digest: String,
    /// What it asks for.
    permissions: Vec<String>,
    /// Who made it; `file`: somebody with an editor.
    by: String,
    /// Why.
    why: String,
    /// When, milliseconds since 1970.
    at_ms: i64,
    /// Whether it is in use.
    #[serde(default)]
    active: bool,
    /// Whether it waits for an admin: it asked for more than what was in use.
    #[serde(default)]
    waits: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/workflows/{name*}/history", "workflows", "Versions of a workflow, newest first")
            .access(Access::Can(Permission::Read))
            .query::<HistoryQuery>()
            .answers::<Page<VersionView>>(200)
            .problems(&[Code::WorkflowNotFound])
            .handle(history),
        Route::get("/api/v1/workflows/{name*}/source", "workflows", "A workflow's source as text")
            .access(Access::Can(Permission::Read))
            .query::<SourceQuery>()
            .answers_raw(200, "text/plain; charset=utf-8")
            .problems(&[Code::WorkflowNotFound, Code::WorkflowInvalid, Code::NotFound])
            .handle(source),
    ]
}

fn history(request: Request) -> Result<Answer, Problem> {
    let name = named(&request, Permission::Read)?;
    let query: HistoryQuery = request.query()?;
    let limit = page::limit(query.limit);
    let prefix = format!("{name}@");
    let after = query.cursor.filter(|cursor| cursor.starts_with(&prefix) && !cursor.contains('\0'));
    let filter = DocumentFilter {
        kind: "workflow_version".into(),
        id_prefix: Some(prefix),
        after,
        newest_first: true,
        limit: limit + 1,
        ..DocumentFilter::default()
    };
    let active = request.api.scripts.version(&name);
    let documents = request.api.engine.documents(&filter)?;
    let page = Page::of(documents, limit, |document| document.id.clone());
    let items: Result<Vec<VersionView>, _> =
        page.items.into_iter().map(|document| serde_json::from_value::<VersionView>(document.body)).collect();
    let mut items = items.map_err(|error| Problem::new(Code::Storage, format!("a version can't be read: {error}")))?;
    for version in &mut items {
        version.active = Some(version.version) == active;
        version.waits &= active.is_none_or(|active| version.version > active);
    }
    Answer::json(&Page { items, next: page.next })
}

fn source(request: Request) -> Result<Answer, Problem> {
    let name = named(&request, Permission::Read)?;
    let query: SourceQuery = request.query()?;
    let scripts = &request.api.scripts;
    let text = match query.version {
        Some(version) => scripts.source_of(&name, version)?,
        None => scripts.bundle(&name)?.files.remove(&name).unwrap_or_default(),
    };
    let digest = scripts.source_digest(&text);
    Ok(Answer::bytes("text/plain; charset=utf-8", text).header(http::header::ETAG, &format!("\"{digest}\"")))
}
