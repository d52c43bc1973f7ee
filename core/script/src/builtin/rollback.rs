//! `on_rollback`: the script's own undo. And `with_retry`: how often the calls in a closure are tried.

use std::sync::{Arc, atomic::Ordering};

use rhai::Dynamic;
use serde_json::json;
use windlass_model::{
    EffectClass, Outcome, Problem, RetryPolicy,
    journal::{Replay, Stop},
    undo::UndoSpec,
};

use super::{Builtin, Call, call::duration_ms};
use crate::{
    branch,
    budget::Charge,
    canonical,
    context::{Mode, RunContext, StoredClosure},
    dispatch,
    host::{Kind, Param, Permission},
    memory,
    throw::Halt,
};

/// Longest time between two tries: a worker waits meanwhile.
const MAX_DELAY_MS: u64 = 60_000;

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: "on_rollback",
            doc: "Registers a closure that undoes what the script did, if the run fails or is cancelled later. Undone last registered first, between the ops' own undos. The closure sees the values as they were here. Inside it, waits are refused (but for `sleep` up to 60 s).",
            params: const {
                &[
                    Param::required("label", Kind::String, "what it does, for people"),
                    Param::required("closure", Kind::Closure, "`|| …`"),
                ]
            },
            returns: "()",
            permission: Permission::Free,
            example: "let name = \"a\"; on_rollback(\"forget a\", || log(`forgetting ${name}`));",
            run: on_rollback,
        },
        Builtin {
            name: "with_retry",
            doc: "Calls the closure; operations in it are tried as often as said here, instead of by their own policy. Only errors that say that trying again may help are tried again. Gives the closure's result.",
            params: const {
                &[
                    Param::required(
                        "policy",
                        Kind::Map,
                        "`attempts` (in all, from 1 to 100), `delay` (before the second, default `\"1s\"`; doubles), `max_delay` (default `\"30s\"`); a worker waits meanwhile, and never for more than 1 min",
                    ),
                    Param::required("closure", Kind::Closure, "`|| …`"),
                ]
            },
            returns: "what the closure gives",
            permission: Permission::Free,
            example: "let n = with_retry(#{ attempts: 3, delay: \"10ms\" }, || 5); ensure(n == 5, \"the closure's result\");",
            run: with_retry,
        },
    ]
}

fn on_rollback(call: &Call) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    if branch::with(|branch| branch.undoing)? {
        return Err(call.invalid("can't be used while the run is being undone").into());
    }
    let label = call.text(0)?;
    let closure = call.closure(1)?;
    let args = json!([label]).to_string();
    if run.mode == Mode::Collect {
        return collect(call, &run, &args, &closure);
    }
    run.rollback_closures.fetch_add(1, Ordering::Relaxed);
    let mut step = match call.take(&run, EffectClass::Idempotent, &args)? {
        Err(value) => return Ok(value),
        Ok(step) => step,
    };
    // Said now rather than when it is needed.
    canonical::isolate_closure(&closure)?;
    step.undo = Some(UndoSpec::Closure { label });
    if let Some(value) = call.begin(&run, &step)? {
        return Ok(value);
    }
    call.finish(&run, &step, Outcome::Value("null".into()))
}

fn collect(call: &Call, run: &Arc<RunContext>, args: &str, closure: &rhai::FnPtr) -> Result<Dynamic, Halt> {
    let path = branch::peek()?;
    let digest = dispatch::digest(&call.entry.name, args);
    // An intent without an outcome counts: its undo was registered with it, and the journal says `Fresh` then.
    if matches!(run.journal.replay(&path, &call.entry.name, &digest), Replay::Diverged(_)) {
        return Err(Stop::ReplayEnd.into());
    }
    branch::advance();
    let mut charge = Charge::new(run.budget.clone());
    let before_bytes = memory::thread_net_bytes();
    let closure = canonical::isolate_closure(closure)?;
    let global = call.context.global_runtime_state().clone();
    let kept_bytes = memory::hand_over(before_bytes);
    charge.hold(kept_bytes, &run.shell.config.bounds).map_err(|problem| Stop::Limit(Box::new(problem)))?;
    let stored = StoredClosure { closure, global, _charge: charge };
    run.closures.lock().insert(path, stored);
    Ok(Dynamic::UNIT)
}

fn with_retry(call: &Call) -> Result<Dynamic, Halt> {
    call.start()?;
    let options = call.options(0, &["attempts", "delay", "max_delay"])?;
    let closure = call.closure(1)?;
    let attempts = options.get("attempts").and_then(|value| value.as_u64()).filter(|count| (1..=100).contains(count));
    let attempts = attempts.ok_or_else(|| call.invalid("needs `attempts` from 1 to 100"))? as u32;
    let delay = |key: &str, default: i64| -> Result<u64, Problem> {
        let ms = options.get(key).map(duration_ms).transpose()?.unwrap_or(default).unsigned_abs();
        // Not refused: a run that is under way may have passed here.
        Ok(ms.min(MAX_DELAY_MS))
    };
    let policy =
        RetryPolicy { attempts, first_delay_ms: delay("delay", 1_000)?, max_delay_ms: delay("max_delay", 30_000)? };
    let outer = branch::with(|branch| branch.retry.replace(policy))?;
    let result = closure.call_raw(call.context, None, Vec::new());
    branch::with(|branch| branch.retry = outer)?;
    result.map_err(Halt::Script)
}
