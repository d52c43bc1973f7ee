//! Ending with an error that people understand.

use rhai::{Dynamic, Map};
use windlass_model::{Code, Problem};

use super::{Builtin, Call};
use crate::{
    canonical,
    host::{Kind, Param, Permission},
    throw::Halt,
};

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: "fail",
            doc: "Throws an error. Uncaught, it fails the run. A map may have `message`, `help`, `code` (your own word) and `data`.",
            params: const { &[Param::required("reason", Kind::Any, "text, or a map")] },
            returns: "never",
            permission: Permission::Free,
            example: "try { fail(#{ message: \"no host is free\", help: \"add one\" }) } catch (error) { ensure(error.help == \"add one\", \"as given\") }",
            run: fail,
        },
        Builtin {
            name: "ensure",
            doc: "Throws an error with this message unless the condition holds.",
            params: const {
                &[
                    Param::required("condition", Kind::Bool, "what has to hold"),
                    Param::optional("message", Kind::String, "what is wrong if it doesn't"),
                ]
            },
            returns: "()",
            permission: Permission::Free,
            example: "ensure(1 + 1 == 2, \"arithmetic is broken\");",
            run: ensure,
        },
        Builtin {
            name: "check",
            doc: "The same as `ensure`.",
            params: const {
                &[
                    Param::required("condition", Kind::Bool, "what has to hold"),
                    Param::optional("message", Kind::String, "what is wrong if it doesn't"),
                ]
            },
            returns: "()",
            permission: Permission::Free,
            example: "check([1, 2].len() == 2, \"two items\");",
            run: ensure,
        },
    ]
}

fn fail(call: &Call) -> Result<Dynamic, Halt> {
    call.start()?;
    let reason = call.args.first().ok_or_else(|| call.wrong(0, "text or a map"))?;
    let Ok(given) = reason.as_map_ref() else {
        let value = canonical::lossy(reason);
        let message = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return Err(Problem::new(Code::ScriptError, message).into());
    };
    let mut map: Map = given.clone();
    map.entry("code".into()).or_insert_with(|| Code::ScriptError.as_str().into());
    map.entry("message".into()).or_insert_with(|| "the script gave no reason".into());
    Err(Halt::Script(rhai::EvalAltResult::ErrorRuntime(map.into(), call.context.call_position()).into()))
}

fn ensure(call: &Call) -> Result<Dynamic, Halt> {
    call.start()?;
    let holds = call.arg(0).and_then(|condition| condition.as_bool().ok());
    match holds.ok_or_else(|| call.wrong(0, "true or false"))? {
        true => Ok(Dynamic::UNIT),
        false => {
            let message = if call.arg(1).is_some() { call.text(1)? } else { "a condition doesn't hold".to_owned() };
            Err(Problem::new(Code::ScriptError, message).into())
        }
    }
}
