//! Ops of `org` on a rehearsal's organisations.

use serde_json::{Value, json};
use windlass_model::Code;

use super::rehearsal;
use crate::testing::Bench;

fn bench() -> Bench {
    Bench::new(rehearsal(), &["org.*:*"])
}

#[test]
fn what_a_rehearsal_makes_it_finds_again_and_what_it_removes_is_gone() {
    let bench = bench();
    let made = bench
        .call("create", json!(["acme", { "title": "Acme", "kind": "franchisee", "owner_email": "a@b.test" }]))
        .unwrap();
    assert_eq!((&made["kind"], &made["invitation"]["email"]), (&json!("franchisee"), &json!("a@b.test")));
    assert_eq!(bench.call("get", json!(["acme"])).unwrap()["title"], "Acme");
    assert_eq!(bench.call("suspend", json!(["acme", "unpaid"])).unwrap()["suspended"], true);
    assert_eq!(bench.call("get", json!(["acme"])).unwrap()["suspended"], true);
    assert_eq!(bench.call("resume", json!(["acme"])).unwrap()["suspended"], false);
    assert_eq!(bench.call("remove", json!(["acme"])).unwrap(), true);
    assert_eq!(bench.call("remove", json!(["acme"])).unwrap(), false);
    assert_eq!(bench.call("get", json!(["acme"])).unwrap(), Value::Null);
}

#[test]
fn what_can_not_be_meant_is_refused_before_anything_happens() {
    let bench = bench();
    for (op, args) in [
        ("create", json!(["Acme", {}])),
        ("create", json!(["", {}])),
        ("create", json!(["a/b", {}])),
        ("create", json!(["acme", { "kind": "platform" }])),
        ("create", json!(["acme", { "owner_email": "nobody" }])),
        ("create", json!(["acme", { "owner_email": "a@b.test\r\nBcc: c@d.test" }])),
        ("create", json!(["acme", { "colour": "red" }])),
        ("invite", json!(["acme", "a@b.test", "admin"])),
        ("invite", json!(["acme", "a b@c.test", "viewer"])),
        ("environment", json!(["acme", "Production", {}])),
        ("environment", json!(["acme", "production", { "token": { "$secret": "x" } }])),
    ] {
        let problem = bench.call(op, args.clone()).unwrap_err();
        assert_eq!((problem.code, problem.no_effect), (Code::InvalidArgument, true), "{op} {args}");
    }
}

#[test]
fn every_change_has_an_undo_or_says_why_not_and_needs_its_grant() {
    for op in &rehearsal().ops {
        let windlass_script::host::Permission::Needs { verb, .. } = &op.permission else { panic!("{}", op.name) };
        let expected = if op.name == "get" { "org.read" } else { "org.write" };
        assert_eq!(*verb, expected, "{}", op.name);
    }
}
