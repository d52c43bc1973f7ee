//! Inputs with places to fill in: `"${/body/ref}"` stands for a value of what arrived. Alone in its text it keeps its type;
//! with text around it, it becomes text. `${/body/ref?}` may be missing. `$${` is `${`.

use serde_json::{Map, Value, json};
use windlass_model::{Code, Problem};

/// Depth of a template, at most.
const DEEPEST: usize = 32;

enum Piece<'a> {
    Text(&'a str),
    Place { pointer: &'a str, optional: bool },
}

/// Refuses a template whose places can't be read.
pub fn check(template: &Value, at: &str) -> Result<(), Problem> {
    walk(template, at, 0, &mut |text, at| pieces(text, at).map(drop))
}

/// Whether anything is to be filled in.
pub fn has_places(template: &Value) -> bool {
    let mut found = false;
    let looked = walk(template, "", 0, &mut |text, at| {
        found |= pieces(text, at)?.iter().any(|piece| matches!(piece, Piece::Place { .. }));
        Ok(())
    });
    found || looked.is_err()
}

fn walk(
    value: &Value,
    at: &str,
    depth: usize,
    look: &mut impl FnMut(&str, &str) -> Result<(), Problem>,
) -> Result<(), Problem> {
    if depth > DEEPEST {
        return Err(wrong(at, format!("it is more than {DEEPEST} levels deep")));
    }
    match value {
        Value::String(text) => look(text, at),
        Value::Array(items) => {
            let mut all = items.iter().enumerate();
            all.try_for_each(|(index, item)| walk(item, &format!("{at}/{index}"), depth + 1, look))
        }
        Value::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            walk(field, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), depth + 1, look)
        }),
        _ => Ok(()),
    }
}

/// The template with its places filled in from `context`.
pub fn fill(template: &Value, context: &Value, at: &str) -> Result<Value, Problem> {
    Ok(filled(template, context, at, 0)?.unwrap_or(Value::Null))
}

/// `None`: an optional place that nothing was found for.
fn filled(template: &Value, context: &Value, at: &str, depth: usize) -> Result<Option<Value>, Problem> {
    if depth > DEEPEST {
        return Err(wrong(at, format!("it is more than {DEEPEST} levels deep")));
    }
    match template {
        Value::String(text) => text_filled(text, context, at),
        Value::Array(items) => {
            let all = items.iter().enumerate();
            let all = all.map(|(index, item)| filled(item, context, &format!("{at}/{index}"), depth + 1));
            let all: Result<Vec<_>, _> = all.collect();
            Ok(Some(Value::Array(all?.into_iter().flatten().collect())))
        }
        Value::Object(fields) => {
            let mut all = Map::new();
            for (name, field) in fields {
                if let Some(value) = filled(field, context, &format!("{at}/{name}"), depth + 1)? {
                    all.insert(name.clone(), value);
                }
            }
            Ok(Some(Value::Object(all)))
        }
        other => Ok(Some(other.clone())),
    }
}

fn text_filled(text: &str, context: &Value, at: &str) -> Result<Option<Value>, Problem> {
    let pieces = pieces(text, at)?;
    let found = |pointer: &str, optional: bool| match context.pointer(pointer) {
        Some(value) => Ok(Some(value)),
        None if optional => Ok(None),
        None => Err(wrong(at, format!("nothing stands at `{pointer}` of what arrived"))
            .help(format!("`${{{pointer}?}}` may be missing"))),
    };
    if let [Piece::Place { pointer, optional }] = pieces.as_slice() {
        return Ok(found(pointer, *optional)?.cloned());
    }
    let mut whole = String::new();
    for piece in &pieces {
        match piece {
            Piece::Text(text) => whole.push_str(text),
            Piece::Place { pointer, optional } => match found(pointer, *optional)? {
                Some(Value::String(text)) => whole.push_str(text),
                Some(other) => whole.push_str(&other.to_string()),
                None => {}
            },
        }
    }
    Ok(Some(Value::String(whole)))
}

fn pieces<'a>(text: &'a str, at: &str) -> Result<Vec<Piece<'a>>, Problem> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            // `$${`: the text before the second `$`, then `{`.
            all.push(Piece::Text(&rest[..start]));
            all.push(Piece::Text("{"));
            rest = &rest[start + 2..];
            continue;
        }
        if start > 0 {
            all.push(Piece::Text(&rest[..start]));
        }
        let inner = &rest[start + 2..];
        let end = inner.find('}').ok_or_else(|| wrong(at, format!("`{text}` has a `${{` without a `}}`")))?;
        let (pointer, optional) = match inner[..end].strip_suffix('?') {
            Some(pointer) => (pointer, true),
            None => (&inner[..end], false),
        };
        if !pointer.starts_with('/') {
            return Err(wrong(at, format!("`{pointer}` isn't a place"))
                .help("a place is a JSON pointer: `${/body/ref}`, `${/run/output/address}`"));
        }
        all.push(Piece::Place { pointer, optional });
        rest = &inner[end + 1..];
    }
    if !rest.is_empty() || all.is_empty() {
        all.push(Piece::Text(rest));
    }
    Ok(all)
}

fn wrong(at: &str, message: String) -> Problem {
    Problem::new(Code::InvalidInput, message).data(json!({ "pointer": at }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(template: Value) -> Value {
        let context = json!({ "body": { "n": 3, "ref": "main", "list": [1, { "a/b": true }], "none": null } });
        fill(&template, &context, "/input").unwrap()
    }

    #[test]
    fn places_alone_keep_their_type_and_others_become_text() {
        assert_eq!(of(json!({ "n": "${/body/n}", "all": "${/body}" }))["n"], 3);
        assert_eq!(of(json!(["refs/${/body/ref}-${/body/n}", 5, true])), json!(["refs/main-3", 5, true]));
        assert_eq!(of(json!("${/body/list/1/a~1b}")), json!(true));
        assert_eq!(of(json!("${/body/none}")), Value::Null);
    }

    #[test]
    fn what_may_be_missing_is_left_out() {
        assert_eq!(of(json!({ "a": "${/body/x?}", "b": "-${/body/x?}-" })), json!({ "b": "--" }));
        assert_eq!(of(json!(["${/body/x?}", 1])), json!([1]));
        assert_eq!(of(json!("${/body/x?}")), Value::Null);
    }

    #[test]
    fn a_doubled_dollar_is_no_place() {
        assert_eq!(of(json!("cost $5, $${/body/n}, ${/body/n}$")), json!("cost $5, ${/body/n}, 3$"));
        assert_eq!(of(json!("")), json!(""));
        assert!(!has_places(&json!({ "a": ["$${/x}", 1] })));
        assert!(has_places(&json!({ "a": ["${/x}", 1] })));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (template, pointer) in [
            (json!({ "a": "${/body/x}" }), "/input/a"),
            (json!({ "a": ["", "${body}"] }), "/input/a/1"),
            (json!("${/body"), "/input"),
        ] {
            let problem = fill(&template, &json!({}), "/input").unwrap_err();
            assert_eq!(problem.data["pointer"], pointer, "{template}");
        }
        assert!(check(&json!({ "a": "${/body/x}" }), "").is_ok());
        assert!(check(&json!({ "a": "${x}" }), "").is_err());
        let deep = (0..100).fold(json!("${/x}"), |inner, _| json!([inner]));
        assert!(check(&deep, "").is_err() && fill(&deep, &json!({}), "").is_err());
    }
}
