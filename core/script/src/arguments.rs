//! Checks a call's arguments against the declared parameters.

use serde_json::Value;
use windlass_model::{Code, Problem, time::parse_duration_ms};

use crate::{
    host::{Args, Kind, Param},
    secret,
};

/// The arguments (canonical JSON, an array) as the op reads them; `invalid_argument` names the parameter else.
pub(crate) fn check(op: &str, params: &'static [Param], text: &str) -> Result<Args, Problem> {
    let values: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| Problem::new(Code::InvalidArgument, format!("`{op}`: {error}")).no_effect())?;
    check_values(op, params, values)
}

pub(crate) fn check_values(op: &str, params: &'static [Param], values: Vec<Value>) -> Result<Args, Problem> {
    if values.len() > params.len() {
        let count = params.len();
        return Err(invalid(op, params, format!("takes at most {count} arguments, not {}", values.len())));
    }
    for (index, param) in params.iter().enumerate() {
        match values.get(index) {
            None | Some(Value::Null) if param.optional => {}
            None => return Err(invalid(op, params, format!("needs the argument `{}`", param.name))),
            Some(value) if fits(param.kind, value) => {}
            Some(value) if secret::is_reference(value) => {
                let message = format!("`{op}` doesn't take a secret for `{}`", param.name);
                return Err(Problem::new(Code::SecretMisuse, message)
                    .help("Parameters of the kind `Secret` take secrets; the reference lists them.")
                    .no_effect());
            }
            Some(value) => {
                let message =
                    format!("needs {} for `{}`, not {}", kind_words(param.kind), param.name, value_words(value));
                return Err(invalid(op, params, message));
            }
        }
    }
    Ok(Args::new(params, values))
}

/// How a function is called: `net::add_address(namespace, link, address, [options])`.
pub(crate) fn signature(name: &str, params: &[Param]) -> String {
    let names = params.iter().map(|param| match param.optional {
        true => format!("[{}]", param.name),
        false => param.name.to_owned(),
    });
    format!("{name}({})", names.collect::<Vec<_>>().join(", "))
}

fn invalid(op: &str, params: &[Param], what: String) -> Problem {
    Problem::new(Code::InvalidArgument, format!("`{op}` {what}"))
        .help(format!("It is called as `{}`.", signature(op, params)))
        .no_effect()
}

fn fits(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::String => value.is_string(),
        Kind::Int => value.is_i64(),
        Kind::Float => value.is_number(),
        Kind::Bool => value.is_boolean(),
        Kind::Duration => match value {
            Value::String(text) => parse_duration_ms(text).is_ok(),
            other => other.as_i64().is_some_and(|ms| ms >= 0),
        },
        Kind::Map => value.is_object() && !secret::is_reference(value),
        Kind::Array => value.is_array(),
        Kind::Secret => value.is_string() || secret::is_reference(value),
        Kind::Any => !secret::is_reference(value),
        Kind::Closure => false,
    }
}

/// The kind in words, with its article.
pub(crate) fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "text",
        Kind::Int => "a whole number",
        Kind::Float => "a number",
        Kind::Bool => "true or false",
        Kind::Duration => "a duration such as \"30s\", or milliseconds",
        Kind::Map => "a map",
        Kind::Array => "an array",
        Kind::Secret => "a secret or text",
        Kind::Any => "a value",
        Kind::Closure => "a closure",
    }
}

fn value_words(value: &Value) -> String {
    match value {
        Value::Null => "()".into(),
        Value::Bool(_) => "a truth value".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.len() <= 40 => format!("\"{text}\""),
        Value::String(_) => "a text".into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "a map".into(),
    }
}
