//! Time and chance, journaled: a replay sees the same values; and how amounts of money are written.

use rhai::Dynamic;
use windlass_model::{EffectClass, facts::Money, journal::LocalEffect};

use super::{Builtin, Call};
use crate::{
    host::{Kind, Param, Permission},
    throw::Halt,
};

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
        Builtin {
            name: "money",
            doc: "An amount of money as people read it, for titles and letters: `50.00 EUR`, `5.000 OMR`.",
            params: const {
                &[
                    Param::required("amount", Kind::Int, "in the currency's smallest unit"),
                    Param::required("currency", Kind::String, "its three letters (ISO 4217)"),
                ]
            },
            returns: "string",
            permission: Permission::Free,
            example: "ensure(money(123450, \"EUR\") == \"1,234.50 EUR\", \"an amount\");",
            run: money,
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

fn money(call: &Call) -> Result<Dynamic, Halt> {
    call.start()?;
    let amount = call.arg(0).and_then(|amount| amount.as_int().ok()).ok_or_else(|| call.wrong(0, "a whole number"))?;
    Ok(Money { amount, currency: call.text(1)? }.to_string().into())
}
