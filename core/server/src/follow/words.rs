//! Events in words: what a call, a wait, a result, an error looks like in a line.

use serde_json::Value;
use windlass_model::{Event, time::format_duration_ms};

use super::picture::object;

const CALL_CHARS: usize = 100;
const RESULT_CHARS: usize = 72;

/// A JSON value as people write it: strings without quotes.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// On one line, at most `limit` characters.
pub(super) fn short(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(limit) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

/// `net::create_link("left", "right")`
pub(super) fn call(data: &Value) -> String {
    let op = text(&data["op"]);
    if data["args"].is_null() {
        return op;
    }
    let args = text(&data["args"]);
    let inner = args.strip_prefix('[').unwrap_or(&args);
    let inner = inner.strip_suffix(']').unwrap_or(inner);
    // Optional arguments that were left out say nothing.
    let mut inner = inner;
    while let Some(shorter) = inner.strip_suffix("null") {
        inner = shorter.trim_end_matches([',', ' ']);
    }
    short(&format!("{op}({inner})"), CALL_CHARS)
}

/// A step's result, where it says more than "done".
pub(super) fn result(result: &Value) -> String {
    match result {
        Value::Null => String::new(),
        Value::String(text) if text == "null" => String::new(),
        other => short(&text(other), RESULT_CHARS),
    }
}

/// An error in a line.
pub(super) fn problem(error: &Value) -> String {
    let (code, message) = (text(&error["code"]), text(&error["message"]));
    short(&if code.is_empty() { message } else { format!("{code}: {message}") }, 200)
}

/// What a step waits for.
pub(super) fn wait(wait: &Value) -> String {
    match wait["wait"].as_str().unwrap_or_default() {
        "timer" => "until its time has come".to_owned(),
        "signal" => format!("for the signal `{}`", text(&wait["name"])),
        "approval" => format!("for a decision: {}", text(&wait["title"])),
        "lock" => format!("for the lock `{}`", text(&wait["name"])),
        "child" => format!("for run {}", text(&wait["run"])),
        other => other.to_owned(),
    }
}

/// A person's decision.
pub(super) fn decision(decision: &Value) -> String {
    let verb = if decision["approved"] == true { "approved" } else { "denied" };
    let comment = text(&decision["comment"]);
    let tail = if comment.is_empty() { String::new() } else { format!(": {comment}") };
    format!("{verb} by {}{tail}", text(&decision["by"]))
}

/// A logged line with its fields.
pub(super) fn log(data: &Value) -> String {
    let mut line = text(&data["message"]);
    for (name, value) in object(&data["fields"]) {
        line.push_str(&format!("  {name}={}", text(value)));
    }
    let level = text(&data["level"]);
    if level.is_empty() || level == "info" { line } else { format!("{level}: {line}") }
}

/// An entry of the undo list.
pub(super) fn undo(event: &Event) -> String {
    let label = text(&event.data["label"]);
    if label.is_empty() { call(&event.data) } else { label }
}

/// How long something took, if that is worth a word.
pub(super) fn took(elapsed_ms: Option<i64>) -> String {
    elapsed_ms.filter(|&ms| ms >= 1).map(format_duration_ms).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_read_like_the_script() {
        let shown = |args: &str| call(&json!({ "op": "net::link", "args": args }));
        assert_eq!(shown(r#"["a",{"mtu":1400},null,null]"#), r#"net::link("a",{"mtu":1400})"#);
        assert_eq!(shown("[null]"), "net::link()");
        assert_eq!(shown("[]"), "net::link()");
        assert!(shown(&format!("[\"{}", "é".repeat(2_000))).chars().count() <= CALL_CHARS + 1);
    }

    #[test]
    fn several_lines_become_one() {
        assert_eq!(short("a\n  b\tc", 80), "a b c");
        assert_eq!(short("äöü", 2), "äö…");
    }
}
