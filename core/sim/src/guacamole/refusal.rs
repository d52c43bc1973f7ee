//! Errors, in the web application's words.

use serde_json::{Value, json};

use crate::Response;

/// `{message, translatableMessage, statusCode, expected, type}`.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) expected: Value,
}

impl Refusal {
    fn new(status: u16, kind: &str, message: impl Into<String>) -> Self {
        Self { status, kind: kind.into(), message: message.into(), expected: Value::Null }
    }

    /// Wrong user or password.
    pub(super) fn credentials() -> Self {
        let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
        let expected = json!([field("username", "USERNAME"), field("password", "PASSWORD")]);
        Self { expected, ..Self::new(403, "INVALID_CREDENTIALS", "Invalid login") }
    }

    /// Nobody is logged in with this token, or isn't allowed this: they look the same.
    pub(super) fn denied() -> Self {
        Self::new(403, "PERMISSION_DENIED", "Permission Denied.")
    }

    pub(super) fn not_found(message: &str) -> Self {
        Self::new(404, "NOT_FOUND", message)
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "BAD_REQUEST", message)
    }

    pub(super) fn internal() -> Self {
        Self::new(500, "INTERNAL_ERROR", "Unexpected internal error")
    }

    pub(super) fn unsupported(message: &str) -> Self {
        Self::new(501, "INTERNAL_ERROR", message)
    }

    pub(super) fn response(self) -> Response {
        let body = json!({
            "message": self.message,
            "translatableMessage": { "key": self.message, "variables": null },
            "statusCode": null,
            "expected": self.expected,
            "patches": null,
            "type": self.kind,
        });
        Response::json(self.status, &body)
    }
}
