//! What the web application's errors mean: `{message, translatableMessage, statusCode, expected, type}`.

use http::StatusCode;
use serde_json::{Value, json};
use windlass_model::{Code, Problem};

/// Longest text of the server's that is repeated.
const TEXT: usize = 300;

/// The error that an answer is.
pub(super) fn problem(status: StatusCode, body: &Value) -> Problem {
    let said: String =
        body["message"].as_str().unwrap_or_default().chars().filter(|char| !char.is_control()).take(TEXT).collect();
    let kind = body["type"].as_str().unwrap_or_default();
    let data = json!({ "reason": "guacamole", "status": status.as_u16(), "type": kind });
    let with = |code: Code, what: &str| {
        let said = if said.is_empty() { format!("status {status}") } else { said.clone() };
        Problem::new(code, format!("Guacamole {what}: {said}")).data(data.clone())
    };
    match status.as_u16() {
        400 if said.contains("already exists") => with(Code::Conflict, "has one of this name").no_effect(),
        400 | 413 => with(Code::InvalidArgument, "can't use this").no_effect(),
        401 | 403 => with(Code::PermissionDenied, "refuses this")
            .help("the user of [hosts.guacamole] has to be an administrator, or may create what runs create")
            .no_effect(),
        404 => with(Code::NotFound, "has no such thing").no_effect(),
        409 => with(Code::Conflict, "refuses this").no_effect(),
        429 => with(Code::Unavailable, "asks for patience").no_effect().retryable(),
        502..=504 => with(Code::Unavailable, "can't be reached behind its proxy").retryable(),
        _ => with(Code::Unavailable, "failed"),
    }
}

/// What is wrong with the user or the password.
pub(super) fn of_login(status: StatusCode, body: &Value, user: &str) -> Problem {
    match (status.as_u16(), body["type"].as_str().unwrap_or_default()) {
        (401 | 403, "INVALID_CREDENTIALS") => credentials(user),
        (401 | 403, "INSUFFICIENT_CREDENTIALS") => {
            Problem::new(Code::PermissionDenied, format!("Guacamole asks `{user}` for more than a password"))
                .help("give Windlass a user without a second factor, which may log in from this machine's address only")
                .data(json!({ "reason": "second_factor" }))
                .no_effect()
        }
        _ => problem(status, body).no_effect(),
    }
}

/// The password is wrong.
pub(super) fn credentials(user: &str) -> Problem {
    Problem::new(Code::PermissionDenied, format!("Guacamole doesn't accept the user `{user}` or the password"))
        .help("`user` and `secret` of [hosts.guacamole] are what it is asked with; it isn't asked with the same again for a minute")
        .data(json!({ "reason": "credentials" }))
        .no_effect()
}

/// The server still has the administrator that it was delivered with.
pub(super) fn default_password() -> Problem {
    Problem::new(Code::PermissionDenied, "this Guacamole still accepts `guacadmin` with the password `guacadmin`")
        .help("anybody who reaches it can use every console: change that password, or disable the user, then run this again")
        .data(json!({ "reason": "default_password" }))
        .no_effect()
}
