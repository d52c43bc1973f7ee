//! Reads an answer within its bounds and gives it the shape that scripts see.

use std::collections::BTreeMap;

use http::{HeaderMap, Method, header};
use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use super::{client, request::Request};
use crate::support;

/// As much text as a script's string can hold.
const TEXT_BYTES: usize = 1 << 20;
const EXCERPT_BYTES: usize = 2_000;
const LONGEST_PATIENCE_MS: u64 = 60_000;

/// The answer as `#{ status, headers, body, json }`, or the error that its status is for this request.
pub(crate) async fn read(request: &Request, mut response: reqwest::Response) -> Result<Value, Problem> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut bytes: Vec<u8> = Vec::new();
    // A compressed body counts by what it becomes, chunk by chunk: a small one can't grow beyond the limit in memory.
    while let Some(chunk) = response.chunk().await.map_err(|error| lost(error, request))? {
        if bytes.len() + chunk.len() > request.answer_bytes {
            let limit = request.answer_bytes;
            return Err(Problem::new(Code::LimitExceeded, format!("the answer's body is longer than {limit} bytes"))
                .help("ask for less, or raise `max_bytes` (4 MiB at most)"));
        }
        bytes.extend_from_slice(&chunk);
    }
    if let Some(problem) = refusal(request, status, &headers, &bytes) {
        return Err(problem);
    }
    let json = is_json(&headers).then(|| serde_json::from_slice::<Value>(&bytes).ok()).flatten();
    let body = match bytes.len() > TEXT_BYTES {
        true if json.is_none() => {
            return Err(Problem::new(Code::LimitExceeded, "the answer's body is longer than 1 MiB, and isn't JSON"));
        }
        true => String::new(),
        false => support::text(&bytes, TEXT_BYTES).0,
    };
    Ok(json!({ "status": status, "headers": shown(&headers), "body": body, "json": json }))
}

/// The body broke off. For a request that changes something the change may well have happened.
fn lost(error: reqwest::Error, request: &Request) -> Problem {
    let mut problem = client::failure(error, &request.url);
    problem.no_effect = false;
    problem
}

/// The error that a status is: one that the script didn't expect, or one that asks for patience.
fn refusal(request: &Request, status: u16, headers: &HeaderMap, bytes: &[u8]) -> Option<Problem> {
    let patience = matches!(status, 429 | 502 | 503 | 504);
    let wanted = request.expect.as_ref().map(|expect| expect.contains(&status));
    if wanted == Some(true) || (wanted.is_none() && !(patience && request.repeatable)) {
        return None;
    }
    let (excerpt, _) = support::text(bytes, EXCERPT_BYTES);
    let host = request.url.host_str().unwrap_or_default();
    let mut data = json!({ "status": status, "body": excerpt });
    if let Some(ms) = retry_after_ms(headers) {
        data["retry_after_ms"] = ms.into();
    }
    let problem =
        Problem::new(Code::Unavailable, format!("{host} answered {} with status {status}", request.method)).data(data);
    Some(if patience && request.repeatable { problem.retryable() } else { problem })
}

/// How long the server asks to wait. Dates are left alone: they would need the server's clock to be ours.
fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.saturating_mul(1_000).min(LONGEST_PATIENCE_MS))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

/// Headers by lower-case name; several of one name are joined with `, ` (cookies with a line break).
fn shown(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let mut shown: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let separator = if name == header::SET_COOKIE { "\n" } else { ", " };
        shown
            .entry(name.as_str())
            .and_modify(|all| *all = format!("{all}{separator}{value}"))
            .or_insert(value.into_owned());
    }
    shown
}

/// What a rehearsal assumes.
pub(crate) fn assumed(method: &Method) -> Value {
    let json = if *method == Method::HEAD { Value::Null } else { json!({}) };
    json!({ "status": 200, "headers": {}, "body": "", "json": json })
}
