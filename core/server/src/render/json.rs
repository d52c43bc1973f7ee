//! JSON for people: what fits on a line stands on a line.

use serde_json::Value;

/// How long a line may become.
const COLUMNS: usize = 100;

/// The value, indented only where it wouldn't fit otherwise.
pub fn json(value: &Value) -> String {
    laid_out(value, 0, 0)
}

/// `taken`: columns of the line that are taken already.
fn laid_out(value: &Value, indent: usize, taken: usize) -> String {
    let flat = inline(value);
    if indent + taken + flat.chars().count() <= COLUMNS {
        return flat;
    }
    let inner = indent + 2;
    let (open, close, lines): (_, _, Vec<String>) = match value {
        Value::Array(items) => ('[', ']', items.iter().map(|item| laid_out(item, inner, 1)).collect()),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| {
                let key = format!("{}: ", Value::from(key.as_str()));
                let value = laid_out(value, inner, key.chars().count() + 1);
                key + value.as_str()
            };
            ('{', '}', map.iter().map(entry).collect())
        }
        _ => return flat,
    };
    let pad = " ".repeat(inner);
    let body = lines.iter().map(|line| format!("{pad}{line}")).collect::<Vec<_>>().join(",\n");
    format!("{open}\n{body}\n{}{close}", " ".repeat(indent))
}

fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if !map.is_empty() => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), inline(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_stands_on_a_line() {
        assert_eq!(json(&json!({ "links": 9, "all": [1, {}, []] })), r#"{ "all": [1, {}, []], "links": 9 }"#);
        let nodes: Vec<Value> =
            (0..3).map(|n| json!({ "name": format!("node-number-{n}"), "address": "10.0.0.1" })).collect();
        let shown = json(&json!({ "lab": "demo", "nodes": nodes }));
        assert_eq!(shown.lines().count(), 8, "{shown}");
        assert!(shown.contains("\n    { \"address\": \"10.0.0.1\", \"name\": \"node-number-1\" },\n"), "{shown}");
    }

    #[test]
    fn it_stays_json() {
        let value = json!({ "a\"b": ["x".repeat(200), { "c": ["y".repeat(90), null, -1.5] }], "d": {} });
        assert_eq!(serde_json::from_str::<Value>(&json(&value)).unwrap(), value);
    }
}
