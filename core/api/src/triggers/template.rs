//! Inputs with places to fill in: `"${/body/ref}"` stands for a value of what arrived. Alone in its text it keeps its type;
//! with text around it, it becomes text. `${/body/ref?}` may be missing. `$${` is `${`.

use std::io::{self, Write};

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

/// The template with its places filled in from `context`: at most `limit` bytes, as JSON. A small template can name a large
/// value many times: what would be too much is refused before it is made.
pub fn fill(template: &Value, context: &Value, at: &str, limit: usize) -> Result<Value, Problem> {
    let mut filler = Filler { context, room: Room(limit), limit };
    Ok(filler.filled(template, at, 0)?.unwrap_or(Value::Null))
}

/// Bytes that may still be written; they are only counted.
struct Room(usize);

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Filler<'a> {
    context: &'a Value,
    room: Room,
    limit: usize,
}

impl<'a> Filler<'a> {
    /// `None`: an optional place that nothing was found for.
    fn filled(&mut self, template: &Value, at: &str, depth: usize) -> Result<Option<Value>, Problem> {
        if depth > DEEPEST {
            return Err(wrong(at, format!("it is more than {DEEPEST} levels deep")));
        }
        match template {
            Value::String(text) => self.text_filled(text, at),
            Value::Array(items) => {
                let mut all = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    self.take(1, at)?;
                    all.extend(self.filled(item, &format!("{at}/{index}"), depth + 1)?);
                }
                Ok(Some(Value::Array(all)))
            }
            Value::Object(fields) => {
                let mut all = Map::new();
                for (name, field) in fields {
                    self.take(name.len() + 4, at)?;
                    if let Some(value) = self.filled(field, &format!("{at}/{name}"), depth + 1)? {
                        all.insert(name.clone(), value);
                    }
                }
                Ok(Some(Value::Object(all)))
            }
            other => self.copied(other, at).map(Some),
        }
    }

    fn text_filled(&mut self, text: &str, at: &str) -> Result<Option<Value>, Problem> {
        let pieces = pieces(text, at)?;
        if let [Piece::Place { pointer, optional }] = pieces.as_slice() {
            return self.found(pointer, *optional, at)?.map(|value| self.copied(value, at)).transpose();
        }
        let mut whole = String::new();
        for piece in &pieces {
            let text = match piece {
                Piece::Text(text) => text,
                Piece::Place { pointer, optional } => match self.found(pointer, *optional, at)? {
                    Some(Value::String(text)) => text.as_str(),
                    Some(other) => {
                        self.measured(other, at)?;
                        whole.push_str(&other.to_string());
                        continue;
                    }
                    None => continue,
                },
            };
            self.take(text.len(), at)?;
            whole.push_str(text);
        }
        Ok(Some(Value::String(whole)))
    }

    fn found(&self, pointer: &str, optional: bool, at: &str) -> Result<Option<&'a Value>, Problem> {
        match self.context.pointer(pointer) {
            Some(value) => Ok(Some(value)),
            None if optional => Ok(None),
            None => Err(wrong(at, format!("nothing stands at `{pointer}` of what arrived"))
                .help(format!("`${{{pointer}?}}` may be missing"))),
        }
    }

    fn copied(&mut self, value: &Value, at: &str) -> Result<Value, Problem> {
        self.measured(value, at)?;
        Ok(value.clone())
    }

    fn measured(&mut self, value: &Value, at: &str) -> Result<(), Problem> {
        serde_json::to_writer(&mut self.room, value).map_err(|_| too_large(at, self.limit))
    }

    fn take(&mut self, bytes: usize, at: &str) -> Result<(), Problem> {
        self.room.0 = self.room.0.checked_sub(bytes).ok_or_else(|| too_large(at, self.limit))?;
        Ok(())
    }
}

fn too_large(at: &str, limit: usize) -> Problem {
    Problem::new(Code::LimitExceeded, format!("filled in, it has more than {limit} bytes"))
        .help("take less of what arrived, or each part only once; the bound of inputs is `bounds.input_bytes`")
        .data(json!({ "pointer": at }))
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
        fill(&template, &context, "/input", 10_000).unwrap()
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
            let problem = fill(&template, &json!({}), "/input", 10_000).unwrap_err();
            assert_eq!(problem.data["pointer"], pointer, "{template}");
        }
        assert!(check(&json!({ "a": "${/body/x}" }), "").is_ok());
        assert!(check(&json!({ "a": "${x}" }), "").is_err());
        let deep = (0..100).fold(json!("${/x}"), |inner, _| json!([inner]));
        assert!(check(&deep, "").is_err() && fill(&deep, &json!({}), "", 10_000).is_err());
    }

    #[test]
    fn what_would_be_too_large_is_not_made() {
        let context = json!({ "body": "x".repeat(100), "list": ["x".repeat(96)] });
        let fill = |template: Value| fill(&template, &context, "/input", 1_000).map_err(|problem| problem.code);
        for place in ["${/body}", "${/list}", "-${/body}", "-${/list}"] {
            assert!(fill(json!(vec![place; 9])).is_ok(), "{place}");
            assert_eq!(fill(json!(vec![place; 10])), Err(Code::LimitExceeded), "{place}");
            let fields: Map<_, _> = (0..10).map(|n| (n.to_string(), place.into())).collect();
            assert_eq!(fill(fields.into()), Err(Code::LimitExceeded), "{place}");
            assert_eq!(fill(place.repeat(11).into()), Err(Code::LimitExceeded), "{place}");
        }
        assert_eq!(fill(json!({ "x".repeat(1_000): 1 })), Err(Code::LimitExceeded));
        assert_eq!(fill(json!(vec![0; 1_000])), Err(Code::LimitExceeded));
        assert!(fill(json!({ "none": vec!["${/none?}"; 400] })).is_ok());
    }
}
