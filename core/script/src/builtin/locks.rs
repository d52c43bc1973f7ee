//! Locks by name, over all runs.

use rhai::Dynamic;
use serde_json::json;
use windlass_model::{EffectClass, WaitSpec, journal::LocalEffect};

use super::{Builtin, Call, waits::timeout};
use crate::{
    branch,
    host::{Kind, Param, Permission},
    throw::{Halt, Returned},
};

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: "with_lock",
            doc: "Takes a lock, calls the closure, and gives the lock back, also when the closure fails. Gives the closure's result. While the closure waits, the lock is kept.",
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
            doc: "Takes a lock; waits until it is free. With `timeout` it fails with `wait_timeout`. The end of the run gives all of its locks back.",
            params: const {
                &[
                    Param::required("name", Kind::String, "the lock's name, over all runs"),
                    Param::optional("options", Kind::Map, "`timeout`: a duration"),
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
    let name = call.text(0)?;
    let timeout_ms = timeout(call, 1)?;
    let run = branch::run()?;
    call.wait(&call.args_text(&run)?, |run| WaitSpec::Lock {
        name,
        expires_at_ms: timeout_ms.map(|ms| run.journal.now_ms().saturating_add(ms)),
    })
}

fn unlock(call: &Call) -> Result<Dynamic, Halt> {
    let name = call.text(0)?;
    call.local(EffectClass::Idempotent, &json!([name]).to_string(), || LocalEffect::Unlock { name: name.clone() })
}

fn with_lock(call: &Call) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    let name = call.text(0)?;
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
