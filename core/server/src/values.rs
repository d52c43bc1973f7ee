//! `--set key=value`: text on the command line read as the type that the workflow's schema gives the key.

use serde_json::{Map, Value};
use windlass_model::{Code, Problem};

/// The input with all settings applied. Keys may be dotted (`node.mtu=1400`); a schema's own key with a dot in it wins.
/// `lacks` says whose keys these are: "the workflow has no input".
pub fn apply(input: &mut Value, settings: &[String], schema: &Value, lacks: &str) -> Result<(), Problem> {
    for setting in settings {
        let (key, text) = setting.split_once('=').ok_or_else(|| {
            Problem::new(Code::Usage, format!("`--set {setting}` has no value")).help("write `--set key=value`")
        })?;
        set(input, key, text, schema, lacks)?;
    }
    Ok(())
}

/// Puts a schema's defaults where a map lacks them, one level deep: enough for the forms of approvals.
pub fn fill_defaults(input: &mut Value, schema: &Value) {
    let defaults = schema["properties"].as_object().into_iter().flatten();
    for (name, default) in defaults.filter_map(|(name, property)| Some((name, property.get("default")?))) {
        if let Some(map) = input.as_object_mut() {
            map.entry(name.clone()).or_insert_with(|| default.clone());
        }
    }
}

/// Puts something that fits where a map lacks what its schema requires: what a person might have filled in.
pub fn fill_required(input: &mut Value, schema: &Value) {
    let Some(map) = input.as_object_mut() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        map.entry(name).or_insert_with(|| stand_in(&schema["properties"][name], 0));
    }
}

/// A value that most likely fits the schema.
fn stand_in(schema: &Value, depth: usize) -> Value {
    let first = |key: &str| schema[key].as_array().and_then(|all| all.first());
    let given = [schema.get("const"), schema.get("default"), first("examples"), first("enum")];
    if let Some(value) = given.into_iter().flatten().next() {
        return value.clone();
    }
    if let Some(choice) = first("oneOf").or(first("anyOf")).filter(|_| depth < 8) {
        return stand_in(choice, depth + 1);
    }
    let kind = schema["type"].as_str().or_else(|| first("type").and_then(Value::as_str));
    let number = |key: &str| schema[key].as_i64();
    match kind {
        Some("boolean") => Value::Bool(true),
        Some("integer" | "number") => number("minimum").or(number("maximum")).unwrap_or(1).into(),
        Some("object") if depth < 8 => {
            let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            names.map(|name| (name.to_owned(), stand_in(&schema["properties"][name], depth + 1))).collect()
        }
        Some("array") if depth < 8 => {
            let least = usize::try_from(number("minItems").unwrap_or(0).clamp(0, 16)).unwrap_or(0);
            vec![stand_in(&schema["items"], depth + 1); least].into()
        }
        Some("null") => Value::Null,
        _ => {
            let least = usize::try_from(number("minLength").unwrap_or(0).clamp(9, 1_000)).unwrap_or(9);
            format!("{:x<least$}", "rehearsal").into()
        }
    }
}

fn set(input: &mut Value, key: &str, text: &str, schema: &Value, lacks: &str) -> Result<(), Problem> {
    let whole = schema["properties"].get(key).is_some();
    let parts: Vec<&str> = if whole { vec![key] } else { key.split('.').collect() };
    if parts.iter().any(|part| part.is_empty()) {
        return Err(Problem::new(Code::Usage, format!("`{key}` isn't a key")));
    }
    let (mut place, mut schema) = (input, schema);
    for part in parts {
        refuse_unknown(schema, part, key, lacks)?;
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        schema = &schema["properties"][part];
        place = &mut place[part];
    }
    *place = typed(key, text, schema)?;
    Ok(())
}

fn refuse_unknown(schema: &Value, part: &str, key: &str, lacks: &str) -> Result<(), Problem> {
    let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
    if properties.contains_key(part) || schema["additionalProperties"] != false {
        return Ok(());
    }
    let known: Vec<&str> = properties.keys().map(String::as_str).collect();
    let help = if known.is_empty() { "it takes none".to_owned() } else { format!("it takes: {}", known.join(", ")) };
    Err(Problem::new(Code::InvalidInput, format!("{lacks} `{key}`")).help(help))
}

/// The text as the schema's type; without a type, as JSON if it is JSON, else as text.
fn typed(key: &str, text: &str, schema: &Value) -> Result<Value, Problem> {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if types.is_empty() {
        return Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into()));
    }
    let found = types.iter().filter(|name| **name != "string").find_map(|name| read(name, text));
    match found {
        Some(value) => Ok(value),
        None if types.contains(&"string") => Ok(text.into()),
        None => Err(Problem::new(Code::InvalidInput, format!("`--set {key}={text}`: this isn't {}", words(&types)))
            .help(example(&types, key))),
    }
}

fn read(name: &str, text: &str) -> Option<Value> {
    match name {
        "integer" => text.parse::<i64>().ok().map(Value::from),
        "number" => text
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(|number| text.parse::<i64>().map_or_else(|_| Value::from(number), Value::from)),
        "boolean" => text.parse::<bool>().ok().map(Value::from),
        "null" => (text == "null").then_some(Value::Null),
        "array" => match serde_json::from_str(text) {
            Ok(value @ Value::Array(_)) => Some(value),
            _ => None,
        },
        "object" => match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => Some(value),
            _ => None,
        },
        _ => None,
    }
}

fn words(types: &[&str]) -> String {
    let word = |name: &&str| match *name {
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => "a JSON array".to_owned(),
        "object" => "a JSON object".to_owned(),
        other => other.to_owned(),
    };
    types.iter().map(word).collect::<Vec<_>>().join(" or ")
}

fn example(types: &[&str], key: &str) -> String {
    let value = match types.first().copied() {
        Some("integer") => "3",
        Some("number") => "0.5",
        Some("boolean") => "true",
        Some("array") => "'[\"a\", \"b\"]'",
        _ => "'{\"a\": 1}'",
    };
    format!("for example `--set {key}={value}`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": false, "properties": {
            "name": { "type": "string" }, "count": { "type": "integer" }, "loss": { "type": "number" },
            "fast": { "type": "boolean" }, "tags": { "type": "array" }, "limit": { "type": ["integer", "null"] },
            "a.b": { "type": "integer" }, "any": {},
            "node": { "type": "object", "properties": { "mtu": { "type": "integer" } } } } })
    }

    fn applied(settings: &[&str]) -> Result<Value, Problem> {
        let mut input = json!({});
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        apply(&mut input, &settings, &schema(), "the workflow has no input").map(|()| input)
    }

    #[test]
    fn values_get_the_schemas_type() {
        let settings =
            ["name=7", "count=-3", "loss=0.5", "fast=true", "tags=[1]", "limit=null", "a.b=1", "any=x", "node.mtu=9"];
        assert_eq!(
            applied(&settings).unwrap(),
            json!({ "name": "7", "count": -3, "loss": 0.5, "fast": true, "tags": [1], "limit": null, "a.b": 1, "any": "x",
                    "node": { "mtu": 9 } })
        );
        assert_eq!(applied(&["name=a=b"]).unwrap(), json!({ "name": "a=b" }));
        assert_eq!(applied(&["name="]).unwrap(), json!({ "name": "" }));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (setting, code) in [
            ("count=many", Code::InvalidInput),
            ("count=1.5", Code::InvalidInput),
            ("fast=yes", Code::InvalidInput),
            ("tags={}", Code::InvalidInput),
            ("cuont=1", Code::InvalidInput),
            ("count", Code::Usage),
            ("node..mtu=1", Code::Usage),
        ] {
            assert_eq!(applied(&[setting]).unwrap_err().code, code, "{setting}");
        }
    }
}
