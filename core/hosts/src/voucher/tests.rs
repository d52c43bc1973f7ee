//! Ops of `voucher` on the rehearsal's book: what they refuse, and what they ask for.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{Code, EffectClass};
use windlass_script::host::Permission;

use super::{module, rehearse::Nowhere};
use crate::testing::Bench;

fn bench() -> Bench {
    Bench::new(module(Arc::new(Nowhere::default())), &["voucher.*:*"])
}

fn batch(options: Value) -> Value {
    let mut all = json!({ "name": "spring", "count": 3, "credit": 500, "currency": "eur", "open": "90d" });
    for (key, value) in options.as_object().unwrap() {
        all[key] = value.clone();
    }
    all
}

#[test]
fn a_batch_is_told_without_its_codes_and_summed_up() {
    let bench = bench();
    let made = bench.call("issue", json!(["acme", batch(json!({ "max_redemptions": 2 }))])).unwrap();
    assert_eq!((&made["worth"], &made["currency"], &made["count"]), (&json!(3_000), &json!("EUR"), &json!(3)));
    assert!(made.get("codes").is_none() && !made.to_string().contains("code"));
    bench.call("issue", json!(["other", batch(json!({ "max_redemptions": 0 }))])).unwrap();
    let totals = bench.call("totals", json!(["*"])).unwrap();
    assert_eq!((&totals[0]["issued"], &totals[1]["unlimited"]), (&json!(3_000), &json!(3)));
    assert_eq!(bench.call("totals", json!(["other"])).unwrap().as_array().unwrap().len(), 1);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_happens() {
    let bench = bench();
    for wrong in [
        batch(json!({ "credit": 0 })),
        batch(json!({ "count": 0 })),
        batch(json!({ "currency": "euro" })),
        batch(json!({ "open": "21000d" })),
        batch(json!({ "codes": 1 })),
        json!({ "name": "x" }),
    ] {
        let problem = bench.call("issue", json!(["acme", wrong])).unwrap_err();
        assert!(matches!(problem.code, Code::InvalidArgument | Code::InvalidInput) && problem.no_effect, "{problem:?}");
    }
    for customer in ["", "Bob", "a b", "a/b", &"x".repeat(65)] {
        let redeem = json!(["v_1", { "customer": customer, "email": "b@b.test" }]);
        assert_eq!(bench.call("redeem", redeem).unwrap_err().code, Code::InvalidArgument, "{customer}");
    }
}

#[test]
fn a_customer_redeems_once_and_has_the_credit() {
    let bench = bench();
    let redeem = json!(["v_1", { "customer": "bob", "email": "b@b.test" }]);
    let made = bench.call("redeem", redeem.clone()).unwrap();
    // The same step finds its own.
    assert_eq!(bench.call("redeem", redeem).unwrap()["redemption"], made["redemption"]);
    let balance = bench.call("balance", json!(["bob"])).unwrap();
    assert_eq!(balance[0]["amount"], json!(-made["amount"].as_i64().unwrap()));
    assert_eq!(bench.call("unredeem", json!(["bob"])).unwrap(), json!(false), "by hand nothing is taken back");
    assert_eq!(bench.call("write_off", json!(["bob", "acme"])).unwrap(), json!(1));
}

#[test]
fn each_op_asks_for_a_grant_and_what_changes_is_no_read() {
    let module = module(Arc::new(Nowhere::default()));
    let scope = |name: &str, args: Value| {
        let op = module.ops.iter().find(|op| op.name == name).unwrap();
        let args = windlass_script::host::Args::new(op.params, args.as_array().unwrap().clone());
        match op.permission {
            Permission::Needs { verb, scope, .. } => format!("{verb}:{}", scope(&args).join(",")),
            Permission::Free => panic!("{name} is free"),
        }
    };
    assert_eq!(scope("issue", json!(["acme", {}])), "voucher.issue:acme");
    assert_eq!(scope("unissue", json!(["acme"])), "voucher.issue:acme");
    assert_eq!(scope("redeem", json!(["v_1", { "customer": "bob" }])), "voucher.redeem:bob");
    assert_eq!(scope("unredeem", json!(["bob"])), "voucher.redeem:bob");
    assert_eq!(scope("settle", json!(["omantel"])), "voucher.settle:omantel");
    assert_eq!(scope("write_off", json!(["bob", "acme"])), "voucher.write_off:bob");
    for op in &module.ops {
        let looks = ["preview", "balance", "totals"].contains(&op.name);
        assert_eq!(op.class == EffectClass::Read, looks, "{}", op.name);
    }
}
