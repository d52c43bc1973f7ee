//! Writes a value as YAML that people read: block style, text as plain as it may be.

use serde_json::Value;

use super::text;

/// YAML of a value, with a newline at its end.
pub fn yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(value, 0, &mut out),
        Value::Array(items) if !items.is_empty() => block(value, 0, &mut out),
        other => {
            out += &inline(other);
            out.push('\n');
        }
    }
    out
}

/// Keys that come first where they are: what a thing is called, and what it is.
const FIRST: &[&str] = &["name", "title", "description", "kind", "at", "network", "networks", "nodes", "links", "from"];

fn block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) => {
            let rank = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| rank(key));
            for (key, value) in entries {
                *out += &pad;
                *out += &plain(key);
                out.push(':');
                below(value, indent, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                *out += &pad;
                out.push('-');
                match item {
                    Value::Object(map) if !map.is_empty() && !is_short(item) => {
                        // The first key stands beside the hyphen.
                        let mut inner = String::new();
                        block(item, indent + 2, &mut inner);
                        out.push(' ');
                        *out += inner.trim_start();
                    }
                    _ => below(item, indent, out),
                }
            }
        }
        _ => {}
    }
}

fn below(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::String(text) if is_block_text(text) => {
            let pad = " ".repeat(indent + 2);
            *out += if text.ends_with('\n') { " |\n" } else { " |-\n" };
            for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                if !line.is_empty() {
                    *out += &pad;
                    *out += line;
                }
                out.push('\n');
            }
        }
        Value::Object(map) if !map.is_empty() && !is_short(value) => {
            out.push('\n');
            block(value, indent + 2, out);
        }
        Value::Array(items) if !items.is_empty() && !is_short(value) => {
            out.push('\n');
            block(value, indent + 2, out);
        }
        other => {
            out.push(' ');
            *out += &inline(other);
            out.push('\n');
        }
    }
}

/// Lists of scalars and small maps of them stay on their line.
fn is_short(value: &Value) -> bool {
    let is_scalar = |value: &Value| match value {
        Value::Array(_) | Value::Object(_) => false,
        Value::String(text) => !text.contains('\n'),
        _ => true,
    };
    match value {
        Value::Array(items) => items.iter().all(is_scalar) && inline(value).len() <= 90,
        Value::Object(map) => map.len() <= 2 && map.values().all(is_scalar) && inline(value).len() <= 60,
        _ => true,
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if map.is_empty() => "{}".into(),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", plain(key), inline(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Text without quotes where it means itself, else as JSON has it.
fn plain(text: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-:+@ =()".contains(&byte);
    let begins =
        text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'/' || first == b'.');
    let colons = text.contains(": ") || text.ends_with(':') || text.contains(" #");
    let means_itself = begins
        && !colons
        && !text.ends_with(' ')
        && text.bytes().all(safe)
        && text::read("", text).is_ok_and(|read| read.value == text);
    if means_itself { text.to_owned() } else { Value::from(text).to_string() }
}

/// Several lines that a block can hold as they are.
fn is_block_text(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let fine = |line: &str| line.chars().all(|one| one == '\t' || !one.is_control());
    // A block tells its indentation by its first line, and how it ends by one newline or none.
    body.contains('\n')
        && body.split('\n').all(fine)
        && !body.starts_with([' ', '\t', '\n'])
        && !body.ends_with('\n')
        && !body.split('\n').any(|line| line.trim().is_empty() && !line.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn comes_back(value: &Value) -> String {
        let text = yaml(value);
        let read = text::read("t", &text).unwrap_or_else(|problem| panic!("{}\n{text}", problem.message));
        assert_eq!(read.value, *value, "{text}");
        text
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = comes_back(&json!({
            "links": [{ "endpoints": [{ "at": "r1:eth0", "addresses": ["10.0.0.1/24"] }, { "network": "lan1" }], "state": "up" }],
            "name": "demo", "nodes": [{ "name": "r1", "files": [{ "path": "/etc/a", "content": "a\n  b\n\nc\n" }] }],
        }));
        assert!(text.starts_with("name: demo\nnodes:\n  - name: r1\n"), "{text}");
        for value in [
            "yes",
            "true",
            "1",
            "1.5",
            "~",
            "",
            " a",
            "a ",
            "a: b",
            "a #b",
            "- a",
            "{n}",
            "a\nb",
            "a\nb\n",
            "a\n\n",
            "\na\nb",
            "é",
            "'",
            "\"",
            "a\tb",
            "0x10",
            "null",
            "02:00:00:00:00:01",
            "1:30",
            "*a",
            "&a",
            "!a",
            "%",
            "@",
            "a\r\nb",
            "  a\nb",
            "a\n \nb",
            "---",
            "...",
            "<<",
        ] {
            comes_back(&json!({ "k": value, value: [value, { "m": value, "n": [value] }] }));
        }
        comes_back(&json!({ "a": {}, "b": [], "c": [[], [1, [2]]], "d": { "e": { "f": { "g": null } } } }));
        comes_back(&json!([1, 2]));
    }
}
