//! Locks by name, over all runs.

use std::sync::Arc;

use rhai::Dynamic;
use serde_json::{Value, json};
use windlass_model::{
    CallSite, Code, EffectClass, Outcome, Problem, StepCall, StepPath, WaitSpec, journal::LocalEffect,
};

use super::{Builtin, Call, call::duration_ms};
use crate::{
    branch,
    context::RunContext,
    dispatch,
    host::{Kind, Param, Permission},
    locks::Entry,
    meter, perform,
    throw::{Halt, Returned},
};

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: "with_lock",
            doc: "Takes a lock, calls the closure, and gives the lock back, also when the closure fails. Gives the closure's result. While the closure waits, the lock is kept. A branch of `race` or `parallel` that is stopped because another one has decided gives it back when it has stopped. Branches of one run have a lock one after the other; inside of it, taking it again fails with `invalid_argument`, as do branches that wait for each other's locks.",
            params: const {
                &[
                    Param::required("name", Kind::String, "the lock's name, over all runs"),
                    Param::required("closure", Kind::Closure, "`|| …`"),
                ]
            },
            returns: "what the closure gives",
            permission: Permission::Free,
            example: "let n = with_lock(\"lab\", || 5); ensure(n == 5, \"the closure's result\");",
            run: with_lock,
        },
        Builtin {
            name: "lock",
            doc: "Takes a lock; waits until it is free. With `timeout` it fails with `wait_timeout`. The end of the run gives all of its locks back. Branches of one run have a lock one after the other: a branch that is at work keeps the others out until it gives the lock back, or is over. Inside of it, taking it again fails with `invalid_argument`.",
            params: const {
                &[
                    Param::required("name", Kind::String, "the lock's name, over all runs"),
                    Param::optional(
                        "options",
                        Kind::Map,
                        "`timeout`: a duration; `from_stuck`: a lock of a run whose undo is stuck is taken from that (false)",
                    ),
                ]
            },
            returns: "()",
            permission: Permission::Free,
            example: "lock(\"lab\", #{ timeout: \"1m\" }); unlock(\"lab\");",
            run: lock,
        },
        Builtin {
            name: "unlock",
            doc: "Gives a lock back. Gives whether this run held it.",
            params: const { &[Param::required("name", Kind::String, "the lock's name")] },
            returns: "bool",
            permission: Permission::Free,
            example: "lock(\"lab\"); ensure(unlock(\"lab\"), \"it was held\");",
            run: unlock,
        },
    ]
}

fn lock(call: &Call) -> Result<Dynamic, Halt> {
    take(call, false)
}

/// Takes a lock. `scoped`: for a closure, after which it is given back.
fn take(call: &Call, scoped: bool) -> Result<Dynamic, Halt> {
    let name = call.name(0)?;
    let options = call.options(1, &["timeout", "from_stuck"])?;
    let timeout_ms = options.get("timeout").map(duration_ms).transpose()?;
    let from_stuck = match options.get("from_stuck") {
        None => false,
        Some(Value::Bool(from_stuck)) => *from_stuck,
        Some(_) => return Err(call.invalid("needs true or false for `from_stuck`").into()),
    };
    let run = call.start()?;
    call.refuse_in_undo()?;
    let step = match call.take(&run, EffectClass::Wait, &call.args_text(&run)?)? {
        // Which branch is inside by what is recorded was told when the evaluation began.
        Err(value) => return Ok(value),
        Ok(step) => step,
    };
    let expires_at_ms = timeout_ms.map(|ms| run.journal.now_ms().saturating_add(ms));
    let go_on = || {
        branch::look_for_stop()?;
        Ok(expires_at_ms.is_none_or(|at_ms| run.journal.now_ms() < at_ms))
    };
    let (beside, _gate) = match run.locks.enter(&name, &step.path, &go_on)? {
        Entry::Free(gate) => (false, gate),
        Entry::Beside(gate) => (true, gate),
        Entry::Inside(taken_at) => {
            let message = format!("this run has the lock `{name}` already: it was taken at {}", place(&taken_at));
            return refuse(call, &run, step, message);
        }
        Entry::Circular(taken_at) => {
            let message = format!(
                "two branches would wait for each other: the one that took the lock `{name}` at {} waits for a lock of this one",
                place(&taken_at)
            );
            return refuse(call, &run, step, message);
        }
    };
    let spec = WaitSpec::Lock { name: name.clone(), expires_at_ms, from_stuck, scoped, beside };
    let result = perform::settled(&step, run.journal.wait(&step, &spec))?;
    run.locks.taken(&name, &step.path, step.site, scoped);
    Ok(result)
}

fn place(site: &CallSite) -> String {
    format!("{}.rhai:{}", site.file, site.line)
}

/// The refusal is recorded: which of two branches came first isn't known in a replay.
fn refuse(call: &Call, run: &RunContext, mut step: StepCall, message: String) -> Result<Dynamic, Halt> {
    let problem = Problem::new(Code::InvalidArgument, message)
        .help("Take the lock once, around all that needs it; take several locks in the same order everywhere.")
        .no_effect();
    step.class = EffectClass::Idempotent;
    match call.begin(run, &step)? {
        Some(value) => Ok(value),
        None => call.finish(run, &step, Outcome::Error(Arc::new(problem.at(step.site.clone())))),
    }
}

fn unlock(call: &Call) -> Result<Dynamic, Halt> {
    let name = call.name(0)?;
    let run = call.start()?;
    meter::weigh_call()?;
    let step = match call.take(&run, EffectClass::Idempotent, &unlock_args(&name))? {
        Err(value) => return Ok(value),
        Ok(step) => step,
    };
    let _gate = run.locks.gate();
    let given_back = perform::settled(&step, run.journal.local(&step, LocalEffect::Unlock { name: name.clone() }))?;
    run.locks.release(&name);
    Ok(given_back)
}

fn unlock_args(name: &str) -> String {
    json!([name]).to_string()
}

/// The step by which a branch that was stopped inside of a lock gives it back: below the one that took it.
pub(super) fn given_back(name: &str, taken: &StepPath, site: CallSite) -> StepCall {
    let (op, args) = (Arc::from("unlock"), unlock_args(name));
    let path = StepPath::new(taken.branch_lane(0), 0);
    dispatch::plain_call(path, &op, EffectClass::Idempotent, &args, dispatch::digest(&op, &args), site)
}

fn with_lock(call: &Call) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    let name = call.name(0)?;
    let closure = call.closure(1)?;
    let inner = |function: &str| run.shell.catalog.builtins_named(function).next().cloned();
    let (Some(lock_entry), Some(unlock_entry)) = (inner("lock"), inner("unlock")) else {
        return Err(call.invalid("isn't complete").into());
    };
    let mut argument = Dynamic::from(name);
    let _: Dynamic = take(&Call { context: call.context, entry: &lock_entry, args: &[&mut argument] }, true)?;
    let result: Returned = closure.call_raw(call.context, None, Vec::new());
    // A branch that was told to stop keeps its lock: it comes back here, or the scope that it is in gives it back.
    branch::check_stop()?;
    let _: Dynamic = unlock(&Call { context: call.context, entry: &unlock_entry, args: &[&mut argument] })?;
    result.map_err(Halt::Script)
}
