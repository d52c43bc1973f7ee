//! The key-value store over all runs of an organisation, and the inventory of what runs have made.

use rhai::Dynamic;
use windlass_model::{EffectClass, Problem, journal::LocalEffect};

use super::{Builtin, Call};
use crate::{
    branch,
    host::{Args, Kind, Param, Permission},
    throw::Halt,
};

const KEY: Param = Param::required("key", Kind::String, "`area/key`, at most 200 characters");
const PREFIX: Param = Param::required("prefix", Kind::String, "what the keys begin with");

const READ: fn() -> Permission =
    || Permission::Needs { verb: "kv.read", scope: first_scope, words: "read stored values under" };
const WRITE: fn() -> Permission =
    || Permission::Needs { verb: "kv.write", scope: first_scope, words: "change stored values under" };

fn first_scope(args: &Args) -> Vec<String> {
    args.values().first().and_then(|value| value.as_str()).map(|text| vec![text.to_owned()]).unwrap_or_default()
}

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: "kv_get",
            doc: "A stored value, or `()`. Values are shared by all runs of the organisation. Needs `kv.read:KEY`.",
            params: const { &[KEY] },
            returns: "the value, or ()",
            permission: READ(),
            example: "let last = kv_get(\"examples/last\"); if last == () { log(\"nothing was stored yet\") }",
            run: kv_get,
        },
        Builtin {
            name: "kv_set",
            doc: "Stores a value under a key. Needs `kv.write:KEY`.",
            params: const { &[KEY, Param::required("value", Kind::Any, "anything but a secret or a closure")] },
            returns: "()",
            permission: WRITE(),
            example: "kv_set(\"examples/last\", #{ at: now() });",
            run: kv_set,
        },
        Builtin {
            name: "kv_delete",
            doc: "Removes a value; gives whether it was there. Needs `kv.write:KEY`.",
            params: const { &[KEY] },
            returns: "bool",
            permission: WRITE(),
            example: "kv_delete(\"examples/last\");",
            run: kv_delete,
        },
        Builtin {
            name: "kv_list",
            doc: "Keys with a prefix, sorted, at most 1,000. Needs `kv.read:PREFIX`.",
            params: const { &[PREFIX] },
            returns: "array of string",
            permission: READ(),
            example: "for key in kv_list(\"examples/\") { log(key) }",
            run: kv_list,
        },
        Builtin {
            name: "inventory",
            doc: "What runs have made and not removed: an array of `#{ provider, kind, id, run, state }`, with this provider and id prefix. Needs `inventory.read:PROVIDER`.",
            params: const {
                &[
                    Param::required("provider", Kind::String, "who keeps it: `net`"),
                    Param::required("prefix", Kind::String, "what the ids begin with"),
                ]
            },
            returns: "array of #{ provider: string, kind: string, id: string, run: string, state: string }",
            permission: Permission::Needs {
                verb: "inventory.read",
                scope: first_scope,
                words: "see what runs have made with",
            },
            example: "let mine = inventory(\"net\", \"lab-\"); log(`${mine.len()} things`);",
            run: inventory,
        },
    ]
}

fn args(call: &Call) -> Result<String, Halt> {
    let run = branch::run()?;
    Ok(call.args_text(&run)?)
}

fn key(call: &Call) -> Result<String, Problem> {
    call.name(0)
}

fn kv_get(call: &Call) -> Result<Dynamic, Halt> {
    let key = key(call)?;
    call.local(EffectClass::Read, &args(call)?, || LocalEffect::KvGet { key })
}

fn kv_set(call: &Call) -> Result<Dynamic, Halt> {
    let key = key(call)?;
    let value = call.json(call.args.get(1).ok_or_else(|| call.wrong(1, "a value"))?)?;
    let run = branch::run()?;
    let value = run.scrubber.value(value);
    call.local(EffectClass::Idempotent, &args(call)?, || LocalEffect::KvSet { key, value })
}

fn kv_delete(call: &Call) -> Result<Dynamic, Halt> {
    let key = key(call)?;
    call.local(EffectClass::Idempotent, &args(call)?, || LocalEffect::KvDelete { key })
}

fn kv_list(call: &Call) -> Result<Dynamic, Halt> {
    let prefix = call.prefix(0)?;
    call.local(EffectClass::Read, &args(call)?, || LocalEffect::KvList { prefix })
}

fn inventory(call: &Call) -> Result<Dynamic, Halt> {
    let (provider, prefix) = (call.prefix(0)?, call.prefix(1)?);
    call.local(EffectClass::Read, &args(call)?, || LocalEffect::Inventory { provider, prefix })
}
