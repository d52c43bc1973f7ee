//! Locks by name, over all runs of an organisation, or over those of all.

use std::sync::Arc;

use rhai::Dynamic;
use serde_json::{Map, Value, json};
use windlass_model::{
    CallSite, Code, EffectClass, LockName, Outcome, Problem, StepCall, StepPath, WaitSpec,
    journal::{LocalEffect, Settled, Stop},
    lock::{LEAVE, NOT_GIVEN},
};

use super::{Builtin, Call, call::duration_ms};
use crate::{
    branch,
    context::{Mode, RunContext},
    dispatch,
    host::{Kind, Param, Permission},
    locks::Entry,
    meter, perform, permission,
    throw::{Halt, Returned},
};

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: "with_lock",
            doc: "Takes a lock, calls the closure, and gives the lock back, also when the closure fails. Gives the closure's result. While the closure waits, the lock is kept. A branch of `race` or `parallel` that is stopped because another one has decided gives it back when it has stopped. Branches of one run have a lock one after the other; inside of it, taking it again fails with `invalid_argument`, as do branches that wait for each other's locks.",
            params: const {
                &[
                    Param::required("name", Kind::String, "the lock's name, over all runs of the organisation"),
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
                    Param::required("name", Kind::String, "the lock's name, over all runs of the organisation"),
                    Param::optional(
                        "options",
                        Kind::Map,
                        "`timeout`: a duration; `from_stuck`: a lock of a run whose undo is stuck is taken from that (false); `across`: a verb such as `dns.write`, for what all organisations share: the lock is one over all of them, and needs the grant `dns.write:NAME`",
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
            doc: "Gives a lock back. Gives whether it did: not if this run doesn't hold it, nor while a sibling branch is inside of it.",
            params: const {
                &[
                    Param::required("name", Kind::String, "the lock's name"),
                    Param::optional("options", Kind::Map, "`across`, as it was taken"),
                ]
            },
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
    let options = call.options(1, &["timeout", "from_stuck", "across"])?;
    let lock = named(call, name, &options)?;
    let timeout_ms = options.get("timeout").map(duration_ms).transpose()?;
    let from_stuck = match options.get("from_stuck") {
        None => false,
        Some(Value::Bool(from_stuck)) => *from_stuck,
        Some(_) => return Err(call.invalid("needs true or false for `from_stuck`").into()),
    };
    let run = call.start()?;
    permit(call, &run, &lock)?;
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
    let (beside, _gate) = match run.locks.enter(&lock, &step.path, &go_on)? {
        Entry::Free(gate) => (false, gate),
        Entry::Beside(gate) => (true, gate),
        Entry::Inside(taken_at) => {
            let message =
                format!("this run has the lock `{}` already: it was taken at {}", lock.name, place(&taken_at));
            return refuse(call, &run, &step, message);
        }
        Entry::Circular(taken_at) => {
            let message = format!(
                "two branches would wait for each other: the one that took the lock `{}` at {} waits for a lock of this one",
                lock.name,
                place(&taken_at)
            );
            return refuse(call, &run, &step, message);
        }
    };
    let spec = WaitSpec::Lock { lock: lock.clone(), expires_at_ms, from_stuck, scoped, beside };
    let settled = run.journal.wait(&step, &spec);
    // One that rests as a row waits on.
    if matches!(settled, Settled::Done(Outcome::Error(_))) {
        run.locks.refused(&lock, &step.path);
    }
    let result = perform::settled(&step, settled)?;
    run.locks.taken(&lock, &step.path, step.site, scoped);
    Ok(result)
}

fn place(site: &CallSite) -> String {
    format!("{}.rhai:{}", site.file, site.line)
}

/// The lock that a call is about.
fn named(call: &Call, name: String, options: &Map<String, Value>) -> Result<LockName, Problem> {
    let across = match options.get("across") {
        None => None,
        Some(Value::String(verb)) if permission::is_well_formed(&format!("{verb}:*")) && !verb.contains(['*', ':']) => {
            Some(verb.clone())
        }
        Some(_) => return Err(call.invalid("needs a verb such as `dns.write` for `across`")),
    };
    Ok(LockName::new(name, across))
}

/// A lock over all organisations is for those who may do something with what it is called after.
fn permit(call: &Call, run: &RunContext, lock: &LockName) -> Result<(), Problem> {
    match &lock.across {
        Some(verb) if !run.program.covers(verb, &lock.name) => {
            Err(permission::denied(&call.entry.name, verb, Some(&lock.name)))
        }
        _ => Ok(()),
    }
}

/// The refusal is recorded: which of two branches came first isn't known in a replay. The step may wait already.
fn refuse(call: &Call, run: &RunContext, step: &StepCall, message: String) -> Result<Dynamic, Halt> {
    let problem = Problem::new(Code::InvalidArgument, message)
        .help("Take the lock once, around all that needs it; take several locks in the same order everywhere.")
        .no_effect();
    call.finish(run, step, Outcome::Error(Arc::new(problem.at(step.site.clone()))))
}

fn unlock(call: &Call) -> Result<Dynamic, Halt> {
    let name = call.name(0)?;
    let options = call.options(1, &["across"])?;
    let args = if options.is_empty() { json!([name]) } else { json!([name, options]) }.to_string();
    let lock = named(call, name, &options)?;
    let run = call.start()?;
    permit(call, &run, &lock)?;
    meter::weigh_call()?;
    let step = match call.take(&run, EffectClass::Idempotent, &args)? {
        Err(value) => return Ok(value),
        Ok(step) => step,
    };
    let _gate = run.locks.gate();
    if run.locks.is_siblings(&lock, &step.path.lane) {
        return call.finish(&run, &step, Outcome::Value(NOT_GIVEN.into()));
    }
    let given_back = perform::settled(&step, run.journal.local(&step, LocalEffect::Unlock { lock: lock.clone() }))?;
    run.locks.release(&lock);
    Ok(given_back)
}

/// The step by which a branch that was stopped inside of a lock gives it back: below the one that took it.
pub(super) fn given_back(lock: &LockName, taken: &StepPath, site: CallSite) -> StepCall {
    below(lock, taken, "unlock", EffectClass::Idempotent, site)
}

/// A branch or a poll is over. Which locks it didn't give back is recorded, for nobody is inside of them any more: a sibling that
/// waits as a row, or asks in a later replay before that has come to this branch's end, would wait until the scope is over else.
pub(super) fn leave(run: &RunContext, lane: &str) -> Result<(), Stop> {
    let is_inside = run.mode == Mode::Forward && !run.locks.inside_below(lane).is_empty();
    let _gate = is_inside.then(|| run.locks.gate());
    let left = if is_inside { run.locks.inside_below(lane) } else { Vec::new() };
    for (lock, taken, site) in left {
        let step = below(&lock, &taken, LEAVE, EffectClass::Read, site);
        if let Settled::Stop(stop) = run.journal.finish(&step, Outcome::Value("null".into())) {
            return Err(stop);
        }
    }
    run.locks.is_over(lane);
    Ok(())
}

/// A step below the one that took the lock, which no call of the script stands at.
fn below(lock: &LockName, taken: &StepPath, op: &str, class: EffectClass, site: CallSite) -> StepCall {
    let args = match &lock.across {
        None => json!([lock.name]),
        Some(verb) => json!([lock.name, { "across": verb }]),
    }
    .to_string();
    let path = StepPath::new(taken.branch_lane(0), 0);
    dispatch::plain_call(path, &op.into(), class, &args, dispatch::digest(op, &args), site)
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
