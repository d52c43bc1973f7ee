//! Time and chance, journaled: a replay sees the same values.

use rhai::Dynamic;
use windlass_model::{EffectClass, journal::LocalEffect};

use super::{Builtin, Call};
use crate::{host::Permission, throw::Halt};

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: "now",
            doc: "The current time in milliseconds since 1970, UTC.",
            params: &[],
            returns: "int",
            permission: Permission::Free,
            example: "let later = now() + 60_000; ensure(later > 60_000, \"a time\");",
            run: now,
        },
        Builtin {
            name: "random",
            doc: "A random number from 0 up to, but not including, 1.",
            params: &[],
            returns: "float",
            permission: Permission::Free,
            example: "let chance = random(); ensure(chance >= 0.0 && chance < 1.0, \"in range\");",
            run: random,
        },
        Builtin {
            name: "uuid",
            doc: "A random UUID (version 4) as text.",
            params: &[],
            returns: "string",
            permission: Permission::Free,
            example: "let id = uuid(); ensure(id.len() == 36, \"a UUID\");",
            run: uuid,
        },
    ]
}

fn now(call: &Call) -> Result<Dynamic, Halt> {
    call.local(EffectClass::Read, "[]", || LocalEffect::Now)
}

fn random(call: &Call) -> Result<Dynamic, Halt> {
    call.local(EffectClass::Read, "[]", || LocalEffect::Random)
}

fn uuid(call: &Call) -> Result<Dynamic, Halt> {
    call.local(EffectClass::Read, "[]", || LocalEffect::Uuid)
}
