//! Recordings that are kept: listed and downloaded.

use http::header;
use schemars::JsonSchema;
use serde::Serialize;
use windlass_model::{Code, Problem};

use super::{WhoseQuery, organisation, recordings::Kept};
use crate::{Access, Answer, Permission, Request, Route, artifacts::disposition, services::ConsoleKind};

/// Recordings on one page.
const MOST: usize = 500;

/// A recording, without what it shows.
#[derive(Serialize, JsonSchema)]
struct RecordingView {
    /// Its id.
    id: String,
    /// The node.
    node: String,
    /// Which of its consoles.
    kind: ConsoleKind,
    /// Who had it recorded.
    by: String,
    /// When it began, in milliseconds since 1970.
    began_at_ms: i64,
    /// Its size.
    bytes: u64,
    /// Whether it is still being made.
    open: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/api/v1/labs/{lab}/recordings",
            "labs",
            "Recordings of a lab's consoles on this machine, newest first",
        )
        .access(Access::Can(Permission::WatchConsoles))
        .query::<WhoseQuery>()
        .answers::<Vec<RecordingView>>(200)
        .problems(&[Code::NotFound, Code::InvalidInput])
        .handle(list),
        Route::get("/api/v1/labs/{lab}/recordings/{id}", "labs", "Download a recording: asciicast v2")
            .access(Access::Can(Permission::WatchConsoles))
            .query::<WhoseQuery>()
            .answers_raw(200, "application/x-asciicast")
            .problems(&[Code::NotFound, Code::InvalidInput])
            .handle(download),
    ]
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: WhoseQuery = request.query()?;
    let organisation = organisation(&request, query.organisation.as_deref())?;
    let found = match &request.api.consoles.recordings {
        Some(recordings) => recordings.list(&organisation, request.parameter("lab"))?,
        None => Vec::new(),
    };
    let view = |kept: Kept| RecordingView {
        id: kept.id,
        node: kept.about.node,
        kind: kept.about.kind,
        by: kept.about.by,
        began_at_ms: kept.began_at_ms,
        bytes: kept.bytes,
        open: kept.open,
    };
    Answer::json(&found.into_iter().take(MOST).map(view).collect::<Vec<_>>())
}

fn download(request: Request) -> Result<Answer, Problem> {
    let query: WhoseQuery = request.query()?;
    let organisation = organisation(&request, query.organisation.as_deref())?;
    let (lab, id) = (request.parameter("lab"), request.parameter("id"));
    let none = || Problem::new(Code::NotFound, format!("the lab `{lab}` has no recording `{id}` on this machine"));
    let recordings = request.api.consoles.recordings.as_ref().ok_or_else(none)?;
    let bytes = recordings.read(&organisation, lab, id)?.ok_or_else(none)?;
    Ok(Answer::bytes("application/x-asciicast", bytes)
        .header(header::CONTENT_DISPOSITION, &disposition(&format!("{id}.cast")))
        .header(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; frame-ancestors 'none'"))
}
