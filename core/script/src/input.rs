//! Checks a run's input against its workflow's schema, and fills in what the schema gives by default.

use jsonschema::Validator;
use serde_json::{Value, json};
use windlass_model::{Code, Problem, Workflow};

/// The schema, compiled; what is wrong with it else. Only itself may be referred to.
pub(crate) fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::draft202012::options().build(schema).map_err(|error| {
        let at = error.instance_path().to_string();
        if at.is_empty() { error.to_string() } else { format!("at {at}: {error}") }
    })
}

/// `invalid_input` lists every offending field with its JSON pointer: data is an array of `{pointer, message}`.
pub fn validate_input(workflow: &Workflow, input: &Value) -> Result<(), Problem> {
    let validator = compile(&workflow.inputs).map_err(|error| Problem::new(Code::WorkflowInvalid, error))?;
    let faults: Vec<Value> = validator
        .iter_errors(input)
        .take(50)
        .map(|error| json!({ "pointer": error.instance_path().to_string(), "message": error.to_string() }))
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = faults
        .iter()
        .map(|fault| {
            let (pointer, message) = (fault["pointer"].as_str().unwrap_or(""), fault["message"].as_str().unwrap_or(""));
            if pointer.is_empty() { message.to_owned() } else { format!("{pointer}: {message}") }
        })
        .collect();
    Err(Problem::new(Code::InvalidInput, format!("the input doesn't fit `{}`: {}", workflow.name, lines.join("; ")))
        .help(format!("`windlass workflows show {}` lists the inputs.", workflow.name))
        .data(Value::Array(faults)))
}

/// The input with the schema's defaults where a property is missing, in nested objects and arrays as well.
pub fn apply_defaults(workflow: &Workflow, input: &Value) -> Value {
    let mut filled = input.clone();
    fill(&workflow.inputs, &mut filled, 0);
    filled
}

fn fill(schema: &Value, value: &mut Value, depth: usize) {
    if depth > 32 {
        return;
    }
    if let (Some(properties), Some(map)) = (schema.get("properties").and_then(Value::as_object), value.as_object_mut())
    {
        for (name, property) in properties {
            if let (false, Some(default)) = (map.contains_key(name), property.get("default")) {
                map.insert(name.clone(), default.clone());
            }
            if let Some(inner) = map.get_mut(name) {
                fill(property, inner, depth + 1);
            }
        }
    }
    if let (Some(items), Some(array)) = (schema.get("items"), value.as_array_mut()) {
        for item in array {
            fill(items, item, depth + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workflow(inputs: Value) -> Workflow {
        serde_json::from_value(json!({ "name": "lab/x", "title": "X", "inputs": inputs })).unwrap()
    }

    #[test]
    fn every_offending_field_is_named() {
        let workflow = workflow(json!({
            "type": "object",
            "required": ["lab"],
            "properties": {
                "count": { "type": "integer", "minimum": 1 },
                "lab": { "type": "string" },
                "hosts": { "type": "array", "items": { "type": "object", "properties": { "mtu": { "type": "integer", "default": 1500 } } } },
            },
        }));
        let problem = validate_input(&workflow, &json!({ "count": 0, "hosts": [{}, { "mtu": "x" }] })).unwrap_err();
        let pointers: Vec<&str> =
            problem.data.as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
        assert_eq!(problem.code, Code::InvalidInput);
        for pointer in ["/count", "", "/hosts/1/mtu"] {
            assert!(pointers.contains(&pointer), "{pointers:?}");
        }
        let filled = apply_defaults(&workflow, &json!({ "lab": "a", "hosts": [{}] }));
        assert_eq!(filled, json!({ "lab": "a", "hosts": [{ "mtu": 1500 }] }));
        assert!(validate_input(&workflow, &filled).is_ok());
    }

    #[test]
    fn a_schema_can_not_reach_outside() {
        assert!(compile(&json!({ "type": "object", "$ref": "https://example.com/schema.json" })).is_err());
        assert!(compile(&json!({ "type": "object", "properties": { "a": { "type": "nonsense" } } })).is_err());
    }
}
