//! Labels: what may stand in them, and selectors such as `env=prod,!legacy,tier in (a,b)`.

use serde_json::{Map, Value};

use super::refusal::{Refusal, invalid};

/// Checks the labels of a body; left out, there are none.
pub(super) fn read(body: &Value) -> Result<Value, Refusal> {
    let labels = match &body["labels"] {
        Value::Null => return Ok(Value::Object(Map::new())),
        Value::Object(labels) => labels,
        _ => return Err(invalid("labels", "has to be an object")),
    };
    for (key, value) in labels {
        let value =
            value.as_str().ok_or_else(|| invalid("labels", format!("the value of '{key}' has to be a string")))?;
        let (prefix, name) = key.rsplit_once('/').unwrap_or(("", key));
        if prefix == "hetzner.cloud" || prefix.ends_with(".hetzner.cloud") {
            return Err(invalid("labels", format!("the prefix of '{key}' is reserved")));
        }
        if name.is_empty() || !is_word(name) || prefix.len() > 253 || (key.contains('/') && prefix.is_empty()) {
            return Err(invalid("labels", format!("'{key}' can't be a label's key")));
        }
        if !is_word(value) {
            return Err(invalid("labels", format!("'{value}' can't be a label's value")));
        }
    }
    Ok(Value::Object(labels.clone()))
}

/// At most 63 letters, digits, dots, dashes and underscores, of which the first and the last are letters or digits.
fn is_word(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63 && bytes.iter().all(|byte| inner(*byte)) && edge(bytes.first()) && edge(bytes.last())
}

/// Whether labels fit a selector. Fails for a selector that can't be read.
pub(super) fn fit(selector: &str, labels: &Value) -> Result<bool, Refusal> {
    let mut all = true;
    for term in terms(selector) {
        all &= fits(term.trim(), labels)?;
    }
    Ok(all)
}

/// Commas outside parentheses separate.
fn terms(selector: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_i32, 0, Vec::new());
    for (index, character) in selector.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&selector[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    found.push(&selector[start..]);
    found
}

fn fits(term: &str, labels: &Value) -> Result<bool, Refusal> {
    let of = |key: &str| labels[key.trim()].as_str();
    let known = |key: &str| {
        let key = key.trim();
        let good = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
        if good { Ok(()) } else { Err(invalid("label_selector", format!("'{term}' can't be read"))) }
    };
    for (operator, wanted) in [(" notin ", false), (" in ", true)] {
        if let Some((key, values)) = term.split_once(operator) {
            known(key)?;
            let values = values.trim().strip_prefix('(').and_then(|values| values.strip_suffix(')'));
            let values = values.ok_or_else(|| invalid("label_selector", format!("'{term}' can't be read")))?;
            let held = of(key).is_some_and(|value| values.split(',').any(|one| one.trim() == value));
            return Ok(held == wanted);
        }
    }
    for (operator, wanted) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((key, value)) = term.split_once(operator) {
            known(key)?;
            return Ok((of(key) == Some(value.trim())) == wanted);
        }
    }
    match term.strip_prefix('!') {
        Some(key) => known(key).map(|()| of(key).is_none()),
        None => known(term).map(|()| of(term).is_some()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_select() {
        let labels = json!({ "env": "prod", "tier": "b", "just-a-key": "", "example.com/my": "label" });
        for (selector, expected) in [
            ("env=prod", true),
            ("env==prod,tier=b", true),
            ("env!=prod", false),
            ("other!=x", true),
            ("env", true),
            ("!env", false),
            ("!legacy,just-a-key", true),
            ("tier in (a, b)", true),
            ("tier notin (a,b),env", false),
            ("example.com/my=label", true),
            ("tier in (a),env=prod", false),
        ] {
            assert_eq!(fit(selector, &labels).unwrap(), expected, "{selector}");
        }
        for bad in ["", "a b", "env in prod", "=x", "!"] {
            assert!(fit(bad, &labels).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels_have_rules() {
        let long = "x".repeat(64);
        for bad in [json!({ "k": long }), json!({ "hetzner.cloud/a": "b" }), json!({ "k": "-a" }), json!({ "": "a" })] {
            assert!(read(&json!({ "labels": bad })).is_err(), "{bad}");
        }
        assert!(read(&json!({ "labels": { "a.b/c-d": "X_1.2", "e": "" } })).is_ok());
    }
}
