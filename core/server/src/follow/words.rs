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
pub fn short(text: &str, limit: usize) -> String {
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
    if let Some(branches) = branches(&op, &args) {
        return format!("{op} of {branches}");
    }
    let inner = args.strip_prefix('[').unwrap_or(&args);
    let inner = inner.strip_suffix(']').unwrap_or(inner);
    // Optional arguments that were left out say nothing.
    let mut inner = inner;
    while let Some(shorter) = inner.strip_suffix("null") {
        inner = shorter.trim_end_matches([',', ' ']);
    }
    short(&format!("{op}({inner})"), CALL_CHARS)
}

/// How many branches `parallel` and its like have.
fn branches(op: &str, args: &str) -> Option<i64> {
    let args = matches!(op, "parallel" | "race").then(|| serde_json::from_str::<Value>(args).ok()).flatten()?;
    args.get(0).unwrap_or(&args)["branches"].as_i64()
}

/// A step's result, where it says more than "done".
pub(super) fn result(result: &Value) -> String {
    match result {
        Value::Null => String::new(),
        Value::String(text) if text == "null" => String::new(),
        Value::Object(map) if map.contains_key("stdout") && map.contains_key("code") => {
            // A program's: how it ended, and the first thing that it said.
            let said =
                ["stdout", "stderr"].iter().filter_map(|name| map.get(*name)?.as_str().and_then(first_line)).next();
            let code = format!("code {}", map["code"]);
            short(&said.map_or(code.clone(), |line| format!("{code}: {line}")), RESULT_CHARS)
        }
        Value::Object(map) if map.values().all(|value| !value.is_object() && !value.is_array()) => {
            let entries: Vec<String> = map.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
            short(&entries.join(" "), RESULT_CHARS)
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            format!("{} items", items.len())
        }
        other => short(&text(other), RESULT_CHARS),
    }
}

fn first_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| !line.is_empty())
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
    fn results_say_what_matters() {
        let ping = json!({ "code": 1, "stdout": "\nPING 10.0.0.1\nmore", "stderr": "", "truncated": false });
        assert_eq!(result(&ping), "code 1: PING 10.0.0.1");
        assert_eq!(result(&json!({ "code": 0, "stdout": "", "stderr": "careful" })), "code 0: careful");
        assert_eq!(result(&json!({ "links": 9, "name": "left" })), "links=9 name=left");
        assert_eq!(result(&json!([{ "a": 1 }, {}])), "2 items");
        assert_eq!(result(&json!([true, true])), "[true,true]");
        for args in [r#"{"branches":2,"options":{}}"#, r#"[{"branches":2,"options":{}}]"#] {
            assert_eq!(call(&json!({ "op": "parallel", "args": args })), "parallel of 2");
        }
    }

    #[test]
    fn several_lines_become_one() {
        assert_eq!(short("a\n  b\tc", 80), "a b c");
        assert_eq!(short("äöü", 2), "äö…");
    }
}
