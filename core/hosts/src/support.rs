//! What several modules need to read their arguments and to word their errors.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass_model::{Code, Problem, time::parse_duration_ms};
use windlass_script::host::Args;

/// An argument that the op can't use. Nothing has happened yet.
pub(crate) fn invalid(message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidArgument, message).no_effect()
}

/// The operating system refused something.
pub(crate) fn system(what: impl std::fmt::Display, error: &std::io::Error) -> Problem {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => Code::NotFound,
        _ => Code::System,
    };
    Problem::new(code, format!("{what}: {error}"))
}

/// An optional map argument, read into the op's own type; left out, it is the type's default.
pub(crate) fn options<T: DeserializeOwned + Default>(args: &Args, name: &str) -> Result<T, Problem> {
    if args.get(name).is_null() { Ok(T::default()) } else { args.read(name) }
}

/// A duration such as `"30s"`, or milliseconds; at least one millisecond.
pub(crate) fn duration(value: &Value, name: &str) -> Result<Duration, Problem> {
    let ms = match value {
        Value::String(text) => parse_duration_ms(text).map_err(|error| invalid(format!("`{name}`: {error}")))?,
        other => other.as_i64().ok_or_else(|| invalid(format!("`{name}` has to be a duration such as \"30s\"")))?,
    };
    match u64::try_from(ms) {
        Ok(ms) if ms > 0 => Ok(Duration::from_millis(ms)),
        _ => Err(invalid(format!("`{name}` has to be longer than nothing"))),
    }
}

/// Bytes as text of at most `limit` bytes, cut at a character; the second value says whether anything was cut.
pub(crate) fn text(bytes: &[u8], limit: usize) -> (String, bool) {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if text.len() <= limit {
        return (text, false);
    }
    let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    (text, true)
}
