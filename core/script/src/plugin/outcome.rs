//! How a plugin's function ends: with a value, with a refusal that it tells, or ended by the sandbox.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use rhai::{Dynamic, EvalAltResult, Map, Position};
use serde_json::Value;
use windlass_model::{CallSite, Code, Problem};

use super::Refusal;

pub(super) type Returned<T = Dynamic> = Result<T, Box<EvalAltResult>>;

/// Ends a call for good, whatever the script does about it: looked at by every tool, at every operation, and once more
/// when the script has returned.
#[derive(Default)]
pub(super) struct Fuse {
    blown: AtomicBool,
    why: Mutex<Option<Problem>>,
}

impl Fuse {
    pub fn is_blown(&self) -> bool {
        self.blown.load(Ordering::Relaxed)
    }

    /// The first reason stays.
    pub fn blow(&self, why: Problem) {
        self.why.lock().get_or_insert(why);
        self.blown.store(true, Ordering::Relaxed);
    }

    pub fn why(&self) -> Option<Problem> {
        self.why.lock().clone()
    }
}

pub(super) fn terminated() -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()
}

/// A mistake of the script: it may catch it.
pub(super) fn wrong(message: impl Into<String>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}

/// A refusal as scripts throw and catch it: `#{ kind, reason, retry_after }`.
pub(super) fn refused(kind: Refusal, reason: &str, data: &Value) -> Box<EvalAltResult> {
    let mut map = Map::new();
    map.insert("kind".into(), kind.as_str().into());
    map.insert("reason".into(), reason.into());
    if let Some(seconds) = data["retry_after"].as_i64() {
        map.insert("retry_after".into(), seconds.into());
    }
    EvalAltResult::ErrorRuntime(map.into(), Position::NONE).into()
}

/// What an error that reached the end of the script means.
pub(super) fn problem(plugin: &str, error: &EvalAltResult) -> Problem {
    if let EvalAltResult::ErrorRuntime(value, _) = error.unwrap_inner() {
        let json = crate::canonical::lossy(value);
        if let Some(kind) = json["kind"].as_str().and_then(Refusal::parse) {
            let reason: String = json["reason"].as_str().unwrap_or_default().chars().take(500).collect();
            return kind.problem(plugin, &reason, &json);
        }
    }
    let file: Arc<str> = format!("{plugin}/main.rhai").into();
    let mut problem = crate::throw::problem_of(error, &file);
    problem.code = if problem.code == Code::LimitExceeded { problem.code } else { Code::ScriptError };
    problem.message = format!("the plugin {plugin} has a mistake: {}", problem.message);
    problem.help = Some("Tell its author. `windlass plugin test` shows it, too.".into());
    problem.site = problem.site.map(|site| CallSite { file, ..site });
    problem
}
