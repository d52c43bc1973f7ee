//! Artifacts: what runs keep for people. A run decides on the content, so that a browser must never show it as ours.

use http::header;
use schemars::JsonSchema;
use serde::Serialize;
use windlass_model::{Code, Problem};

use crate::{Access, Answer, Permission, Request, Route, runs::filter::clean};

/// An artifact, without its content.
#[derive(Serialize, JsonSchema)]
struct ArtifactView {
    /// Its run.
    run: String,
    /// Its name.
    name: String,
    /// What it is: `text/plain`.
    media_type: String,
    /// Its size.
    bytes: i64,
    /// blake3 of its content, hex.
    digest: String,
    /// When it was kept.
    created_at_ms: i64,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/runs/{id}/artifacts", "runs", "What a run has kept for people")
            .access(Access::Can(Permission::Read))
            .answers::<Vec<ArtifactView>>(200)
            .problems(&[Code::RunNotFound])
            .handle(list),
        Route::get("/api/v1/runs/{id}/artifacts/{name*}", "runs", "Download an artifact")
            .describe("With the media type that the run gave it, always as a download.")
            .access(Access::Can(Permission::Read))
            .answers_raw(200, "*/*")
            .problems(&[Code::RunNotFound, Code::NotFound])
            .handle(download),
    ]
}

fn list(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?;
    let found = request.api.engine.artifacts(&run.id)?.into_iter().map(|artifact| ArtifactView {
        run: artifact.run.to_string(),
        name: artifact.name,
        media_type: artifact.media_type,
        bytes: artifact.bytes,
        digest: artifact.digest,
        created_at_ms: artifact.created_at_ms,
    });
    Answer::json(&found.collect::<Vec<_>>())
}

fn download(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?;
    let name = clean("name", request.parameter("name"))?;
    let none = || Problem::new(Code::NotFound, format!("run {} has no artifact `{name}`", run.id));
    let kept = request.api.engine.artifacts(&run.id)?.into_iter().find(|kept| kept.name == name).ok_or_else(none)?;
    let content = request.api.engine.artifact(&run.id, name)?.ok_or_else(none)?;
    let known = http::HeaderValue::from_str(&kept.media_type).is_ok() && kept.media_type.contains('/');
    let media_type = if known { kept.media_type.as_str() } else { "application/octet-stream" };
    Ok(Answer::bytes(media_type, content)
        .header(header::CONTENT_DISPOSITION, &disposition(name))
        .header(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; frame-ancestors 'none'")
        .header(header::ETAG, &format!("\"{}\"", kept.digest)))
}

/// A download under the last part of the name, whatever characters it has.
pub(crate) fn disposition(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let encoded = percent_encoding::utf8_percent_encode(file, percent_encoding::NON_ALPHANUMERIC);
    format!("attachment; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header_or_name_a_folder() {
        assert_eq!(disposition("a/../b\"\r\nx: y.txt"), "attachment; filename*=UTF-8''b%22%0D%0Ax%3A%20y%2Etxt");
    }
}
