//! Ops on the keys that sign a zone.

use serde_json::Value;
use windlass_model::{EffectClass, RetryPolicy};
use windlass_script::host::{Kind, Op, Param, Undo};

use super::ops::{Here, SERVER_OPTS, ZONE, json, only};

const ID: Param = Param::required("id", Kind::Int, "The key's number at the name server, from `dns::keys`.");
const ACTIVE: Param = Param::required("active", Kind::Bool, "Whether it signs.");

pub(super) fn ops(here: &Here) -> Vec<Op> {
    vec![
        Op {
            doc: "Signs a zone, if it isn't yet. Contents of the DS records for its parent.",
            returns: "[string]",
            undo: Undo::None(
                "a zone whose DS stands in the parent can't just stop being signed: `dns::unsign` when that is gone",
            ),
            example: r#"dns::create_zone("a.example.net", #{ dnssec: false }); dns::sign("a.example.net").len()"#,
            ..here.change("sign", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                let hand = here.hand(cx, &zone, only(args)?.force)?;
                json(&cx.block_on(server.sign(&zone, &hand))?)
            })
        },
        Op {
            doc: "Stops signing a zone, and forgets its keys. Only when its DS has gone from the parent, and from everybody's memory.",
            returns: "()",
            undo: Undo::None("the keys are forgotten; a zone that is signed again has others"),
            example: r#"dns::create_zone("a.example.net"); dns::unsign("a.example.net")"#,
            ..here.change("unsign", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                let hand = here.hand(cx, &zone, only(args)?.force)?;
                cx.block_on(server.unsign(&zone, &hand)).map(|()| Value::Null)
            })
        },
        Op {
            doc: "Makes a key beside those that are there, published and not signing: the first step of exchanging one. Never \
                  repeated: keys carry no mark by which an earlier attempt would be known.",
            returns: "#{ id: int, type: string, active: bool, published: bool, dnskey: string, ds: [string] }",
            class: EffectClass::AtMostOnce,
            retry: RetryPolicy::NEVER,
            undo: Undo::None(
                "which key it was is known only afterwards: register `dns::delete_key` with `on_rollback`",
            ),
            example: r#"dns::create_zone("a.example.net"); dns::add_key("a.example.net").active"#,
            ..here.change("add_key", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                let hand = here.hand(cx, &zone, only(args)?.force)?;
                json(&cx.block_on(server.add_key(&zone, &hand))?)
            })
        },
        Op {
            doc: "Lets a key sign, or stop signing.",
            params: &[ZONE, ID, ACTIVE, SERVER_OPTS],
            returns: "()",
            undo: Undo::Op {
                name: "set_key",
                args: |args| {
                    let mut back = args.values().to_vec();
                    back[2] = Value::Bool(!args.bool("active", true));
                    back
                },
            },
            example: r#"dns::create_zone("a.example.net"); dns::set_key("a.example.net", 1, true)"#,
            ..here.change("set_key", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                let hand = here.hand(cx, &zone, only(args)?.force)?;
                let (id, active) = (args.int("id").unwrap_or(0), args.bool("active", true));
                cx.block_on(server.set_key(&zone, id, active, &hand)).map(|()| Value::Null)
            })
        },
        Op {
            doc: "Forgets a key. Whether it was there.",
            params: &[ZONE, ID, SERVER_OPTS],
            returns: "bool",
            undo: Undo::None("a key that is forgotten can't be made again"),
            example: r#"dns::create_zone("a.example.net"); let key = dns::add_key("a.example.net"); dns::delete_key("a.example.net", key.id)"#,
            ..here.change("delete_key", |here, cx, args| {
                let (zone, server) = here.place(args)?;
                let hand = here.hand(cx, &zone, only(args)?.force)?;
                cx.block_on(server.remove_key(&zone, args.int("id").unwrap_or(0), &hand)).map(Value::Bool)
            })
        },
    ]
}
