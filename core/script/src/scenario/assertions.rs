//! `assert`, `assert_eq`, `assert_contains`.

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext};
use serde_json::Value;

use crate::{canonical, throw::Returned};

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("assert", |context: NativeCallContext, holds: bool| -> Returned<()> {
        verdict(&context, holds, "", || "the assertion doesn't hold".into())
    });
    engine.register_fn("assert", |context: NativeCallContext, holds: bool, message: &str| -> Returned<()> {
        verdict(&context, holds, message, || "the assertion doesn't hold".into())
    });
    engine.register_fn("assert_eq", |context: NativeCallContext, left: Dynamic, right: Dynamic| {
        equal(&context, &left, &right, "")
    });
    engine.register_fn("assert_eq", |context: NativeCallContext, left: Dynamic, right: Dynamic, message: &str| {
        equal(&context, &left, &right, message)
    });
    engine.register_fn("assert_contains", |context: NativeCallContext, whole: Dynamic, part: Dynamic| {
        contains(&context, &whole, &part, "")
    });
    engine.register_fn(
        "assert_contains",
        |context: NativeCallContext, whole: Dynamic, part: Dynamic, message: &str| {
            contains(&context, &whole, &part, message)
        },
    );
}

fn verdict(context: &NativeCallContext, holds: bool, message: &str, what: impl FnOnce() -> String) -> Returned<()> {
    if holds {
        return Ok(());
    }
    let text = if message.is_empty() { what() } else { format!("{message}: {}", what()) };
    Err(EvalAltResult::ErrorRuntime(text.into(), context.call_position()).into())
}

fn equal(context: &NativeCallContext, left: &Dynamic, right: &Dynamic, message: &str) -> Returned<()> {
    let (left, right) = (canonical::lossy(left), canonical::lossy(right));
    verdict(context, same(&left, &right), message, || format!("{left} isn't {right}"))
}

fn contains(context: &NativeCallContext, whole: &Dynamic, part: &Dynamic, message: &str) -> Returned<()> {
    let (whole, part) = (canonical::lossy(whole), canonical::lossy(part));
    let holds = match &whole {
        Value::String(text) => part.as_str().is_some_and(|part| text.contains(part)),
        Value::Array(items) => items.iter().any(|item| same(item, &part)),
        Value::Object(map) => part.as_str().is_some_and(|key| map.contains_key(key)),
        _ => false,
    };
    verdict(context, holds, message, || format!("{whole} doesn't contain {part}"))
}

/// JSON knows one kind of number; 1 and 1.0 are the same.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let matches = |(key, item): (&String, &Value)| right.get(key).is_some_and(|other| same(item, other));
            left.len() == right.len() && left.iter().all(matches)
        }
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}
