//! Fields of an input that the schema calls secret. They take the name of a secret and never its value: what a run was
//! launched with stands in the database, in answers, in events and in exports, and its script can do with it what it likes.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{Code, Problem};

/// Says whether a secret of this name is kept.
pub type KnownSecret = Arc<dyn Fn(&str) -> Result<bool, Problem> + Send + Sync>;

/// How deep schemas are followed.
const DEPTH: usize = 32;
/// Places that are looked at.
const STEPS: usize = 100_000;
/// Longest name of a secret.
const NAME_BYTES: usize = 128;

/// Top-level fields in which the schema calls anything secret.
pub fn names(schema: &Value) -> Vec<String> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.filter(|(_, property)| calls_secret(property)).map(|(name, _)| name.clone()).collect()
}

/// Refuses what stands in a secret field and isn't the name of a secret. The refusal doesn't repeat it.
pub(crate) fn refuse_values(schema: &Value, input: &Value, known: Option<&KnownSecret>) -> Result<(), Problem> {
    if !calls_secret(schema) {
        return Ok(());
    }
    let mut found = Vec::new();
    let mut walk = Walk { root: schema, found: &mut found, steps: 0 };
    walk.go(schema, input, String::new(), 0);
    if walk.steps > STEPS {
        let message =
            format!("the input has so many parts, or its schema, that {STEPS} looks don't find every secret field");
        return Err(Problem::new(Code::LimitExceeded, message).help("name secret fields directly below `properties`"));
    }
    for (pointer, value) in found {
        let name = value.as_str().filter(|name| is_name(name));
        let is_known = match (name, known) {
            (Some(name), Some(known)) => known(name)?,
            (name, _) => name.is_some(),
        };
        if !is_known {
            let message = format!("{pointer}: takes the name of a secret, and there is none of this name");
            return Err(Problem::new(Code::InvalidInput, message.clone())
                .help("keep the value first (`windlass secrets set NAME`, or PUT /api/v1/secrets/NAME), and give its name")
                .data(json!({ "pointer": pointer, "faults": [{ "pointer": pointer, "message": message }] })));
        }
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    !text.is_empty() && text.len() <= NAME_BYTES && text.bytes().all(known)
}

fn is_secret(schema: &Value) -> bool {
    let is_set = |key: &str| !matches!(schema[key], Value::Null | Value::Bool(false));
    is_set("x-secret") || is_set("writeOnly") || schema["format"] == "password"
}

fn calls_secret(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => is_secret(schema) || map.values().any(calls_secret),
        Value::Array(items) => items.iter().any(calls_secret),
        _ => false,
    }
}

/// Goes through a schema and a value together.
struct Walk<'a, 'b> {
    root: &'a Value,
    found: &'b mut Vec<(String, &'a Value)>,
    steps: usize,
}

impl<'a> Walk<'a, '_> {
    fn go(&mut self, schema: &'a Value, value: &'a Value, pointer: String, depth: usize) {
        if depth > DEPTH || value.is_null() || !schema.is_object() {
            return;
        }
        self.steps += 1;
        if self.steps > STEPS {
            return;
        }
        if is_secret(schema) {
            self.found.push((pointer, value));
            return;
        }
        if let Some(target) = schema["$ref"].as_str().and_then(|text| self.root.pointer(text.strip_prefix('#')?)) {
            self.go(target, value, pointer.clone(), depth + 1);
        }
        for key in ["if", "then", "else"] {
            self.go(&schema[key], value, pointer.clone(), depth + 1);
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            for part in schema[key].as_array().into_iter().flatten() {
                self.go(part, value, pointer.clone(), depth + 1);
            }
        }
        for part in schema["dependentSchemas"].as_object().into_iter().flatten().map(|(_, part)| part) {
            self.go(part, value, pointer.clone(), depth + 1);
        }
        for (name, inner) in value.as_object().into_iter().flatten() {
            let below = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
            // Whichever pattern a name fits: what one of them calls secret is none of the others' business.
            let patterns = schema["patternProperties"].as_object().into_iter().flatten().map(|(_, part)| part);
            let parts =
                [&schema["properties"][name], &schema["additionalProperties"], &schema["unevaluatedProperties"]];
            for part in parts.into_iter().chain(patterns) {
                self.go(part, inner, below.clone(), depth + 1);
            }
        }
        for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
            let parts =
                [&schema["prefixItems"][index], &schema["items"], &schema["contains"], &schema["unevaluatedItems"]];
            for part in parts {
                self.go(part, inner, format!("{pointer}/{index}"), depth + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_anything_secret_in_them_are_known() {
        let schema = json!({ "properties": {
            "plain": { "type": "string", "x-secret": false },
            "key": { "type": "string", "x-secret": true },
            "login": { "type": "object", "properties": { "word": { "type": "string", "format": "password" } } },
            "keys": { "type": "array", "items": { "anyOf": [{ "writeOnly": true }, {}] } } } });
        assert_eq!(names(&schema), ["key", "keys", "login"]);
    }

    #[test]
    fn a_secret_field_takes_a_name_wherever_it_stands() {
        let secret = json!({ "type": "string", "x-secret": true });
        let schema = json!({ "$defs": { "login": { "properties": { "word": secret.clone() } } }, "properties": {
            "plain": { "type": "string" }, "key": secret.clone(), "login": { "$ref": "#/$defs/login" },
            "keys": { "items": { "anyOf": [secret.clone(), { "type": "null" }] } },
            "more": { "additionalProperties": secret } } });
        let known: KnownSecret = Arc::new(|name| Ok(name == "acme/dns.key"));
        let refused = |input: Value| refuse_values(&schema, &input, Some(&known)).err();
        let name = "acme/dns.key";
        let fits = json!({ "plain": "hunter2-hunter2", "key": name, "login": { "word": name, "user": "hunter2" },
                           "keys": [name, null], "more": { "a": name } });
        assert!(refused(fits).is_none());
        for (pointer, input) in [
            ("/key", json!({ "key": "hunter2-hunter2" })),
            ("/key", json!({ "key": 42 })),
            ("/key", json!({ "key": { "$secret": "hunter2-hunter2" } })),
            ("/login/word", json!({ "login": { "word": "hunter2-hunter2" } })),
            ("/keys/1", json!({ "keys": [name, "hunter2-hunter2"] })),
            ("/more/a~1b", json!({ "more": { "a/b": "hunter2-hunter2" } })),
        ] {
            let problem = refused(input.clone()).unwrap_or_else(|| panic!("{input} was taken"));
            assert_eq!((problem.code, &problem.data["pointer"]), (Code::InvalidInput, &json!(pointer)));
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
        // A schema that comes back to itself comes to an end.
        let endless = json!({ "x-secret": false, "allOf": [{ "$ref": "#" }, { "$ref": "#" }], "properties": {
            "key": { "x-secret": true } } });
        assert_eq!(refuse_values(&endless, &json!({}), None).unwrap_err().code, Code::LimitExceeded);
        // Where nobody knows the secrets (a rehearsal), what can't be a name is refused all the same.
        assert!(refuse_values(&schema, &json!({ "key": "other" }), None).is_ok());
        assert!(refuse_values(&schema, &json!({ "key": "two words" }), None).is_err());
    }
}
