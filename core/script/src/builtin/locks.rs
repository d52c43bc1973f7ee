//! Locks by name, over all runs of an organisation, or over those of all.

use std::sync::Arc;

use rhai::Dynamic;
use serde_json::{Map, Value, json};
use windlass_model::{
    CallSite, Code, EffectClass, LockName, Outcome, Problem, StepCall, WaitSpec, journal::LocalEffect,
};

use super::{Builtin, Call, call::duration_ms};
use crate::{
    branch,
    context::RunContext,
    host::{Kind, Param, Permission},
    perform, permission,
    throw::{Halt, Returned},
};

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: "with_lock",
            doc: "Takes a lock, calls the closure, and gives the lock back, also when the closure fails. Gives the closure's result. While the closure waits, the lock is kept. A run takes a lock once: where it has it already, in this branch or another one, it fails with `invalid_argument`, so that no two branches are inside.",
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
            doc: "Takes a lock; waits until it is free. With `timeout` it fails with `wait_timeout`. The end of the run gives all of its locks back. A run takes a lock once: where it has it already, in this branch or another one that is at work, it fails with `invalid_argument`.",
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
            doc: "Gives a lock back. Gives whether this run held it.",
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
    let lane = branch::peek()?.lane;
    let site = call.site(&run);
    let step = match call.take(&run, EffectClass::Wait, &call.args_text(&run)?)? {
        Err(value) => {
            // What is recorded has happened, whichever branch comes first in a replay.
            let _ = run.locks.take(&lock, &lane, site);
            return Ok(value);
        }
        Ok(step) => step,
    };
    if let Err(taken_at) = run.locks.take(&lock, &lane, site) {
        return refuse(call, &run, step, &lock.name, &taken_at);
    }
    let expires_at_ms = timeout_ms.map(|ms| run.journal.now_ms().saturating_add(ms));
    let spec = WaitSpec::Lock { lock: lock.clone(), expires_at_ms, from_stuck };
    let result = perform::settled(&step, run.journal.wait(&step, &spec));
    if matches!(result, Err(Halt::Problem(_))) {
        run.locks.release(&lock);
    }
    result
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

/// The refusal is recorded: which of two branches came first isn't known in a replay.
fn refuse(call: &Call, run: &RunContext, mut step: StepCall, name: &str, taken_at: &CallSite) -> Result<Dynamic, Halt> {
    let message =
        format!("this run has the lock `{name}` already: it was taken at {}.rhai:{}", taken_at.file, taken_at.line);
    let problem = Problem::new(Code::InvalidArgument, message)
        .help("A lock keeps other runs out. What one run does twice at a time needs a name of its own, or `#{ limit: 1 }`; take the lock once, around all of it.")
        .no_effect();
    step.class = EffectClass::Idempotent;
    match call.begin(run, &step)? {
        Some(value) => Ok(value),
        None => call.finish(run, &step, Outcome::Error(Arc::new(problem.at(step.site.clone())))),
    }
}

fn unlock(call: &Call) -> Result<Dynamic, Halt> {
    let name = call.name(0)?;
    let options = call.options(1, &["across"])?;
    let args = if options.is_empty() { json!([name]) } else { json!([name, options]) }.to_string();
    let lock = named(call, name, &options)?;
    permit(call, &*call.start()?, &lock)?;
    let given_back = call.local(EffectClass::Idempotent, &args, || LocalEffect::Unlock { lock: lock.clone() })?;
    branch::run()?.locks.release(&lock);
    Ok(given_back)
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
    let _: Dynamic = lock(&Call { context: call.context, entry: &lock_entry, args: &[&mut argument] })?;
    let result: Returned = closure.call_raw(call.context, None, Vec::new());
    // A branch that was told to stop keeps its lock: it comes back here.
    branch::check_stop()?;
    let _: Dynamic = unlock(&Call { context: call.context, entry: &unlock_entry, args: &[&mut argument] })?;
    result.map_err(Halt::Script)
}
