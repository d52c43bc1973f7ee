//! What the provider refuses, in people's words.

use http::StatusCode;
use serde_json::{Value, json};
use windlass_model::{Code, Problem};

/// A refusal as an error: what failed and why; what to do; whether to try again, as the official client does. `secret` is the
/// command that keeps another token.
pub(super) fn problem(status: StatusCode, body: &Value, project: &str, secret: &str) -> Problem {
    let error = &body["error"];
    let code = error["code"].as_str().unwrap_or_default();
    let said = error["message"].as_str().unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given"));
    let (kind, reason, words, help) = words(status.as_u16(), code, project, secret);
    let mut message = match words.is_empty() {
        true => format!("Hetzner Cloud: {said}"),
        false => format!("{words} (Hetzner Cloud: {said})"),
    };
    let fields = error["details"]["fields"].as_array().into_iter().flatten();
    let fields = fields.filter_map(|field| {
        let messages = field["messages"].as_array()?.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
        Some(format!("{} {messages}", field["name"].as_str()?))
    });
    let fields: Vec<String> = fields.take(5).collect();
    if code == "invalid_input" && !fields.is_empty() {
        message = format!("{message}: {}", fields.join("; "));
    }
    let mut problem = Problem::new(kind, message)
        .data(json!({ "status": status.as_u16(), "provider_code": code, "reason": reason, "project": project }));
    if !help.is_empty() {
        problem = problem.help(help);
    }
    // What was refused wasn't done; what broke may have been.
    if status.is_client_error() {
        problem = problem.no_effect();
    }
    let again = ["conflict", "rate_limit_exceeded", "bad_gateway", "timeout"].contains(&code)
        || [429, 502, 504].contains(&status.as_u16());
    if again { problem.retryable() } else { problem }
}

/// Our code, the reason as a word, what failed, what to do.
fn words(status: u16, code: &str, project: &str, secret: &str) -> (Code, &'static str, String, String) {
    let of = |kind, reason, words: &str, help: &str| (kind, reason, words.to_owned(), help.to_owned());
    match (status, code) {
        (_, "token_readonly") => (
            Code::PermissionDenied,
            "insufficient_rights",
            format!("the token of project `{project}` may only read"),
            format!("make a token with read and write rights in the provider's console, and keep that one: `{secret}`"),
        ),
        (401, _) => (
            Code::PermissionDenied,
            "invalid_credentials",
            format!("the token of project `{project}` is wrong, or was revoked"),
            format!("make a new token in the provider's console, and keep it: `{secret}`"),
        ),
        (_, "resource_limit_exceeded") => (
            Code::LimitExceeded,
            "quota",
            format!("the quota of project `{project}` is used up"),
            "remove what isn't needed, or ask the provider for a higher limit".into(),
        ),
        (_, "maintenance") | (503, _) => {
            of(Code::Unavailable, "maintenance", "the provider is busy with itself", "try again later")
        }
        (403, _) => of(Code::PermissionDenied, "forbidden", "the provider doesn't allow this project to do that", ""),
        (_, "resource_unavailable") => of(
            Code::Unavailable,
            "out_of_stock",
            "that isn't to be had there at the moment",
            "take another size or location; `hetzner::server_types` says what is offered where",
        ),
        (_, "placement_error") => of(
            Code::Unavailable,
            "no_place",
            "no place was found apart from the group's other servers",
            "a group keeps at most ten servers apart; use another group",
        ),
        (429, _) | (_, "rate_limit_exceeded") => of(
            Code::Unavailable,
            "rate_limited",
            "the project's requests for this hour are used up",
            "one comes back each second",
        ),
        (404, _) => of(Code::NotFound, "not_found", "", ""),
        (_, "uniqueness_error") => of(Code::Conflict, "taken", "that is there already", ""),
        (_, "protected") => of(
            Code::Conflict,
            "protected",
            "that is protected",
            "take the protection away first, if that is meant: `hetzner::protect_…(…, false)`",
        ),
        (_, "locked") => of(Code::Conflict, "locked", "something else is being done with that", ""),
        (409, _) => of(Code::Conflict, "conflict", "", ""),
        (422 | 400 | 412, _) => of(Code::InvalidArgument, "refused", "", ""),
        _ => of(Code::Unavailable, "provider", "the provider failed", ""),
    }
}

/// The provider's own code behind an error.
pub(super) fn provider_code(problem: &Problem) -> &str {
    problem.data["provider_code"].as_str().unwrap_or_default()
}

/// An action that ended in an error. What it was about may be there, half made.
pub(super) fn action_failed(action: &Value) -> Problem {
    let error = &action["error"];
    let code = error["code"].as_str().unwrap_or_default();
    let message = format!(
        "the provider began `{}` and failed: {}",
        action["command"].as_str().unwrap_or("an action"),
        error["message"].as_str().unwrap_or("no reason given"),
    );
    let kind = if ["resource_unavailable", "placement_error"].contains(&code) {
        Code::Unavailable
    } else {
        Code::CommandFailed
    };
    Problem::new(kind, message)
        .help("what was half made is removed when the run is undone")
        .data(json!({ "provider_code": code, "reason": "action_failed", "action": action["id"] }))
}
