//! What is refused, in the provider's words, and how bodies are read.

use serde_json::{Value, json};

use crate::{Request, Response};

/// A request that isn't done.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    code: String,
    message: String,
    details: Value,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), details: json!({}) }
    }

    pub(super) fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    pub(super) fn response(&self) -> Response {
        let error = json!({ "code": self.code, "message": self.message, "details": self.details });
        Response::json(self.status, &json!({ "error": error }))
    }
}

/// Something is wrong with a field.
pub(super) fn invalid(field: &str, message: impl Into<String>) -> Refusal {
    let message = message.into();
    Refusal::new(422, "invalid_input", format!("invalid input in field '{field}': {message}"))
        .details(json!({ "fields": [{ "name": field, "messages": [message] }] }))
}

/// There is no such thing.
pub(super) fn not_found(kind: &str, id: impl std::fmt::Display) -> Refusal {
    Refusal::new(404, "not_found", format!("{} with ID '{id}' not found", kind.replace('_', " ")))
}

/// The name (or what else has to be unique) is taken.
pub(super) fn taken(field: &str, what: &str) -> Refusal {
    Refusal::new(409, "uniqueness_error", format!("{what} is already used"))
        .details(json!({ "fields": [{ "name": field, "messages": ["is already used"] }] }))
}

/// Not now: something is being done with it.
pub(super) fn locked(kind: &str) -> Refusal {
    Refusal::new(423, "locked", format!("the {} is locked by an action that is running", kind.replace('_', " ")))
}

/// Changed by somebody else in this moment.
pub(super) fn conflict(message: impl Into<String>) -> Refusal {
    Refusal::new(409, "conflict", message)
}

/// 422 with a code of the operation's own.
pub(super) fn unprocessable(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(422, code, message)
}

/// The body: an object, or nothing.
pub(super) fn body(request: &Request) -> Result<Value, Refusal> {
    let malformed = |why: String| Refusal::new(400, "json_error", why);
    match request.json() {
        Ok(Value::Null) => Ok(json!({})),
        Ok(body @ Value::Object(_)) => Ok(body),
        Ok(_) => Err(malformed("the body has to be an object".into())),
        Err(error) => Err(malformed(format!("invalid JSON: {error}"))),
    }
}

/// Text that has to be there.
pub(super) fn text<'a>(body: &'a Value, field: &str) -> Result<&'a str, Refusal> {
    optional_text(body, field)?.filter(|text| !text.is_empty()).ok_or_else(|| invalid(field, "is missing"))
}

/// Text that may be left out.
pub(super) fn optional_text<'a>(body: &'a Value, field: &str) -> Result<Option<&'a str>, Refusal> {
    match &body[field] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(invalid(field, "has to be a string")),
    }
}

/// A number that has to be there.
pub(super) fn int(body: &Value, field: &str) -> Result<i64, Refusal> {
    optional_int(body, field)?.ok_or_else(|| invalid(field, "is missing"))
}

/// A number that may be left out.
pub(super) fn optional_int(body: &Value, field: &str) -> Result<Option<i64>, Refusal> {
    match &body[field] {
        Value::Null => Ok(None),
        value => value.as_i64().map(Some).ok_or_else(|| invalid(field, "has to be an integer")),
    }
}

/// True or false.
pub(super) fn flag(body: &Value, field: &str, default: bool) -> Result<bool, Refusal> {
    match &body[field] {
        Value::Null => Ok(default),
        value => value.as_bool().ok_or_else(|| invalid(field, "has to be a boolean")),
    }
}

/// A list; left out, it is empty.
pub(super) fn list(body: &Value, field: &str) -> Result<Vec<Value>, Refusal> {
    match &body[field] {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => Ok(items.clone()),
        _ => Err(invalid(field, "has to be an array")),
    }
}

/// Numbers; left out, there are none.
pub(super) fn ints(body: &Value, field: &str) -> Result<Vec<i64>, Refusal> {
    let number = |item: &Value| item.as_i64().ok_or_else(|| invalid(field, "has to hold integers"));
    list(body, field)?.iter().map(number).collect()
}

/// One of a few words.
pub(super) fn one_of<'a>(body: &'a Value, field: &str, words: &[&str]) -> Result<&'a str, Refusal> {
    let word = text(body, field)?;
    if words.contains(&word) { Ok(word) } else { Err(invalid(field, format!("has to be one of {}", words.join(", ")))) }
}
