//! Problems as scripts see them, and script errors as people see them.

use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, Map, Position};
use serde_json::Value;
use windlass_model::{CallSite, Code, Problem, journal::Stop};

use crate::branch;

/// What the body of a host function returns.
pub(crate) type Returned<T = Dynamic> = Result<T, Box<EvalAltResult>>;

/// Why a host function gives no value.
#[derive(Debug)]
pub(crate) enum Halt {
    /// An error that the script may catch.
    Problem(Box<Problem>),
    /// The branch goes no further, for this reason.
    Stop(Stop),
    /// The branch was stopped before.
    Stopped,
    /// An error of the script's own code, on its way out.
    Script(Box<EvalAltResult>),
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// The error that ends an evaluation; scripts can't catch it.
pub(crate) fn terminated() -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()
}

/// Turns the reason into what Rhai carries; a stop is kept with the branch.
pub(crate) fn raise(halt: Halt, position: Position) -> Box<EvalAltResult> {
    match halt {
        Halt::Problem(problem) => EvalAltResult::ErrorRuntime(problem_map(&problem), position).into(),
        Halt::Stop(stop) => {
            branch::set_stop(stop);
            terminated()
        }
        Halt::Stopped => terminated(),
        Halt::Script(error) => error,
    }
}

/// The problem as the map that `catch (error)` sees: `code, message, help, data, step, retryable`.
pub(crate) fn problem_map(problem: &Problem) -> Dynamic {
    let mut map = Map::new();
    map.insert("code".into(), problem.code.as_str().into());
    map.insert("message".into(), problem.message.as_str().into());
    if let Some(help) = &problem.help {
        map.insert("help".into(), help.as_str().into());
    }
    if !problem.data.is_null() {
        map.insert("data".into(), rhai::serde::to_dynamic(&problem.data).unwrap_or_default());
    }
    if let Some(step) = &problem.step {
        map.insert("step".into(), step.as_str().into());
    }
    map.insert("retryable".into(), problem.retryable.into());
    map.into()
}

/// The error that ended a script, for people: with its code, and where in which file.
pub(crate) fn problem_of(error: &EvalAltResult, entry: &Arc<str>) -> Problem {
    let file = innermost_file(error).map_or_else(|| entry.clone(), Arc::from);
    let inner = error.unwrap_inner();
    let position = if inner.position().is_none() { error.position() } else { inner.position() };
    let site =
        CallSite { file, line: position.line().unwrap_or(0) as u32, column: position.position().unwrap_or(0) as u32 };
    let problem = match inner {
        EvalAltResult::ErrorRuntime(value, _) => thrown(value),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            Problem::new(Code::ScriptError, format!("there is no function {}", signature_words(signature)))
                .help("`windlass workflows check` finds unknown functions and wrong arguments before a run does.")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => Problem::new(Code::LimitExceeded, format!("{what} is too large"))
            .help("Keep values small, or store them as an artifact. Sizes are bounded by `script_string_bytes`, `script_array_items` and `script_map_items`."),
        EvalAltResult::ErrorStackOverflow(_) => {
            Problem::new(Code::LimitExceeded, "functions call each other too deeply").help("The bound is `script_call_levels`.")
        }
        EvalAltResult::ErrorTooManyModules(_) | EvalAltResult::ErrorTooManyVariables(_) => {
            Problem::new(Code::LimitExceeded, bare_message(inner))
        }
        _ => Problem::new(Code::ScriptError, bare_message(inner)),
    };
    if site.line == 0 { problem } else { problem.at(site) }
}

fn bare_message(error: &EvalAltResult) -> String {
    let mut copy = error.to_string();
    if let Some(at) = copy.rfind(" (line ") {
        copy.truncate(at);
    }
    copy
}

fn signature_words(signature: &str) -> String {
    format!("`{signature}`")
}

fn innermost_file(error: &EvalAltResult) -> Option<&str> {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, source, inner, _) => {
            innermost_file(inner).or((!source.is_empty()).then_some(source.as_str()))
        }
        EvalAltResult::ErrorInModule(name, inner, _) => innermost_file(inner).or(Some(name)),
        _ => None,
    }
}

/// What a script has thrown: one of our own maps, a map of its own, or any value.
fn thrown(value: &Dynamic) -> Problem {
    let json = crate::canonical::lossy(value);
    let Some(map) = json.as_object() else {
        let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
        return Problem::new(Code::ScriptError, text);
    };
    let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
    let code = text("code").and_then(|code| Code::parse(&code));
    let message = text("message").unwrap_or_else(|| json.to_string());
    let mut problem = Problem::new(code.unwrap_or(Code::ScriptError), message);
    problem.help = text("help");
    problem.step = text("step");
    problem.retryable = map.get("retryable").and_then(Value::as_bool).unwrap_or(false);
    problem.data = match (code, map.get("data")) {
        (Some(_), data) => data.cloned().unwrap_or_default(),
        (None, _) => json.clone(),
    };
    problem
}

/// A panic while a script was evaluated. One kind is the script's own doing.
pub(crate) fn of_panic(panic: &(dyn std::any::Any + Send)) -> Problem {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    if text.contains("total order") {
        return Problem::new(Code::ScriptError, "the closure given to `sort` contradicts itself")
            .help("It has to give a negative number, 0 or a positive one, and the same for the same two items.");
    }
    tracing::error!(panic = text, "evaluating a script panicked");
    Problem::new(Code::Internal, format!("the script ended in a mistake of Windlass: {text}"))
        .help("Please report this with the workflow that shows it.")
}

/// The position as a place in the file that the caller stands in.
pub(crate) fn site(context: &rhai::NativeCallContext, entry: &Arc<str>) -> CallSite {
    let position = context.call_position();
    let file = context.call_source().map_or_else(|| entry.clone(), Arc::from);
    CallSite { file, line: position.line().unwrap_or(0) as u32, column: position.position().unwrap_or(0) as u32 }
}
