//! A run's input: bounded, completed with the schema's defaults, and checked against it.

use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value;
use windlass_model::{Code, Problem, Workflow, wait::ApprovalRequest};

use crate::secret_fields::{self, KnownSecret};

/// The input as the script will see it, or every field that doesn't fit.
pub fn prepare_input(workflow: &Workflow, input: Value, limit_bytes: usize) -> Result<Value, Problem> {
    prepare_with(workflow, &*compiled(workflow)?, input, limit_bytes, None)
}

/// A workflow's input schema, ready to check inputs.
pub(crate) fn compiled(workflow: &Workflow) -> Result<Arc<Validator>, Problem> {
    jsonschema::draft202012::new(&workflow.inputs).map(Arc::new).map_err(|error| {
        Problem::new(Code::WorkflowInvalid, format!("the input schema of `{}` is broken: {error}", workflow.name))
    })
}

/// As `prepare_input`, with the schema as it was compiled before: compiling takes longer than the check.
pub(crate) fn prepare_with(
    workflow: &Workflow,
    schema: &Validator,
    mut input: Value,
    limit_bytes: usize,
    known: Option<&KnownSecret>,
) -> Result<Value, Problem> {
    fill_defaults(&workflow.inputs, &mut input, 0);
    let bytes = input.to_string().len();
    if bytes > limit_bytes {
        let message = format!("the input has {bytes} bytes; the limit `input_bytes` is {limit_bytes}");
        return Err(Problem::new(Code::LimitExceeded, message).help("put large content into a file or an artifact"));
    }
    // First of all: what a field gets that doesn't fit is told with the mistake.
    secret_fields::refuse_values(&workflow.inputs, &input, known)?;
    let faults = faults(schema, &input);
    if faults.is_empty() {
        return Ok(input);
    }
    Err(misfit(&format!("the input doesn't fit `{}`", workflow.name), faults)
        .help(format!("`windlass workflows show {}` prints what it takes", workflow.name)))
}

/// Whether what a person filled in fits the form of what is asked.
pub(crate) fn check_form(request: &ApprovalRequest, form: &Value, known: Option<&KnownSecret>) -> Result<(), Problem> {
    let Some(schema) = &request.form else { return Ok(()) };
    secret_fields::refuse_values(schema, form, known)?;
    let schema = jsonschema::draft202012::new(schema).map_err(|error| {
        Problem::new(Code::WorkflowInvalid, format!("the form of \"{}\" is no schema: {error}", request.title))
    })?;
    let faults = faults(&schema, form);
    match faults.is_empty() {
        true => Ok(()),
        false => Err(misfit(&format!("the form of \"{}\" isn't filled in as asked", request.title), faults)
            .help("fill it in with `--set FIELD=VALUE`, or with `--form FILE`")),
    }
}

/// At most 20 places where the value doesn't fit the schema.
fn faults(schema: &Validator, value: &Value) -> Vec<Value> {
    schema.iter_errors(value).take(20).map(|error| fault(&error)).collect()
}

/// Where the value doesn't fit and why. What is missing or too much is pointed at itself, and not the map around it.
fn fault(error: &jsonschema::ValidationError<'_>) -> Value {
    use jsonschema::error::ValidationErrorKind as Kind;
    let child = match error.kind() {
        Kind::Required { property } => property.as_str(),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            unexpected.first().map(String::as_str)
        }
        _ => None,
    };
    let child = child.map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).unwrap_or_default();
    serde_json::json!({ "pointer": format!("{}{child}", error.instance_path()), "message": error.to_string() })
}

fn misfit(what: &str, faults: Vec<Value>) -> Problem {
    let text: Vec<String> = faults.iter().map(describe).collect();
    let pointer = faults.first().map_or(Value::Null, |fault| fault["pointer"].clone());
    Problem::new(Code::InvalidInput, format!("{what}: {}", text.join("; ")))
        .data(serde_json::json!({ "pointer": pointer, "faults": faults }))
}

fn describe(fault: &Value) -> String {
    let (pointer, message) = (fault["pointer"].as_str().unwrap_or(""), fault["message"].as_str().unwrap_or(""));
    match pointer {
        "" => message.to_owned(),
        _ => format!("{pointer}: {message}"),
    }
}

/// Puts a schema's `default` where an object lacks the property. Schemas nested too deeply are left to the validator.
fn fill_defaults(schema: &Value, value: &mut Value, depth: usize) {
    if depth > 32 {
        return;
    }
    if let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object_mut()) {
        for (name, property) in properties {
            if let Some(default) = property.get("default") {
                object.entry(name.clone()).or_insert_with(|| default.clone());
            }
            if let Some(inner) = object.get_mut(name) {
                fill_defaults(property, inner, depth + 1);
            }
        }
    }
    if let (Some(items), Some(array)) = (schema.get("items"), value.as_array_mut()) {
        array.iter_mut().for_each(|item| fill_defaults(items, item, depth + 1));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workflow() -> Workflow {
        let inputs = json!({ "type": "object", "required": ["name"], "additionalProperties": false, "properties": {
            "name": { "type": "string" }, "count": { "type": "integer", "default": 3 },
            "node": { "type": "object", "properties": { "mtu": { "type": "integer", "default": 1500 } } } } });
        serde_json::from_value(json!({ "name": "a/b", "title": "t", "inputs": inputs })).unwrap()
    }

    #[test]
    fn defaults_are_filled_in_at_every_depth() {
        let input = prepare_input(&workflow(), json!({ "name": "x", "node": {} }), 1000).unwrap();
        assert_eq!(input, json!({ "name": "x", "count": 3, "node": { "mtu": 1500 } }));
    }

    #[test]
    fn every_misfit_is_named() {
        let problem = prepare_input(&workflow(), json!({ "count": "many", "extra": 1 }), 1000).unwrap_err();
        assert_eq!(problem.code, Code::InvalidInput);
        let mut pointers: Vec<&str> =
            problem.data["faults"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/count", "/extra", "/name"]);
        assert!(problem.message.contains("/count"), "{}", problem.message);
    }

    #[test]
    fn a_form_is_filled_in_as_asked() {
        let form =
            json!({ "type": "object", "required": ["ticket"], "properties": { "ticket": { "type": "integer" } } });
        let request = ApprovalRequest {
            title: "May I?".into(),
            details: Value::Null,
            form: Some(form),
            role: None,
            quorum: 1,
            expires_at_ms: None,
            on_expiry: windlass_model::wait::OnExpiry::Fail,
            allow_self: false,
            only_alone: false,
            digest: String::new(),
        };
        check_form(&request, &json!({ "ticket": 7 }), None).unwrap();
        for form in [json!({}), json!({ "ticket": "seven" }), Value::Null] {
            assert_eq!(check_form(&request, &form, None).unwrap_err().code, Code::InvalidInput, "{form}");
        }
        check_form(&ApprovalRequest { form: None, ..request }, &Value::Null, None).unwrap();
    }

    #[test]
    fn a_large_input_is_refused_by_its_limit() {
        let problem = prepare_input(&workflow(), json!({ "name": "x".repeat(2000) }), 1000).unwrap_err();
        assert_eq!(problem.code, Code::LimitExceeded);
        assert!(problem.message.contains("input_bytes"));
    }
}
