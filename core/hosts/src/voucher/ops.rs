//! What scripts see of `voucher`.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{
    EffectClass, Problem, RetryPolicy,
    voucher::{Closed, RedemptionRecord, VoucherRecord},
};
use windlass_script::host::{Args, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{Issue, Redeem, Step, Vouchers};
use crate::support::{self, invalid};

const YEARS_MS: i64 = 20 * 366 * 86_400_000;

const ISSUER: Param = Param::required("issuer", Kind::String, "The organisation that answers for the vouchers.");
const VOUCHER: Param = Param::required(
    "voucher",
    Kind::String,
    "Its id (`v_…`), or its code. The id is better: arguments stand in the run's journal.",
);
const ISSUE: Param = Param::required(
    "options",
    Kind::Map,
    "`name` of the batch; `count` (1); `credit` of each, in the currency's smallest unit; `currency`: ISO 4217; `description`; \
     `max_redemptions` (1; 0: without limit); `products`: greatest numbers of redemptions by product (0: no limit), empty for \
     anything; `open`: how long they can be redeemed (`\"90d\"`); `signed` (false): whether other Sovereigns may redeem them.",
);
const REDEEM: Param = Param::required(
    "options",
    Kind::Map,
    "`customer`: the organisation that gets the credit; `email`: who asks; `product`: what it is for, if the voucher names products.",
);

type Work = fn(&dyn Vouchers, &OpCx, &Args) -> Result<Value, Problem>;

fn issuer_scope(args: &Args) -> Vec<String> {
    vec![args.str("issuer").to_owned()]
}

fn everything(_: &Args) -> Vec<String> {
    vec!["*".into()]
}

fn organisation_scope(args: &Args) -> Vec<String> {
    vec![args.str("organisation").to_owned()]
}

fn customer_scope(args: &Args) -> Vec<String> {
    let customer = args.get("options")["customer"].as_str();
    vec![customer.or_else(|| args.get("customer").as_str()).unwrap_or_default().to_owned()]
}

fn sovereign_scope(args: &Args) -> Vec<String> {
    vec![args.str("sovereign").to_owned()]
}

/// What every op has that only looks.
fn look(vouchers: &Arc<dyn Vouchers>, name: &'static str, work: Work) -> Op {
    let vouchers = vouchers.clone();
    Op {
        name,
        doc: "",
        params: &[ISSUER],
        returns: "",
        permission: Permission::Needs {
            verb: "voucher.read",
            scope: issuer_scope,
            words: "look at vouchers and accounts of",
        },
        class: EffectClass::Read,
        undo: Undo::None("nothing was changed"),
        resources: no_resources,
        timeout_ms: 60_000,
        retry: RetryPolicy::NETWORK,
        rehearse: Rehearse::Backend,
        example: "",
        run: Box::new(move |cx, args| work(&*vouchers, cx, args)),
        lookup: None,
    }
}

fn change(vouchers: &Arc<dyn Vouchers>, name: &'static str, permission: Permission, work: Work) -> Op {
    Op { permission, class: EffectClass::Idempotent, ..look(vouchers, name, work) }
}

const ISSUES: Permission = Permission::Needs { verb: "voucher.issue", scope: issuer_scope, words: "issue vouchers of" };
const REVOKES: Permission =
    Permission::Needs { verb: "voucher.revoke", scope: issuer_scope, words: "take back vouchers of" };
const REDEEMS: Permission =
    Permission::Needs { verb: "voucher.redeem", scope: customer_scope, words: "redeem vouchers for" };
const WRITES_OFF: Permission = Permission::Needs {
    verb: "voucher.write_off",
    scope: customer_scope,
    words: "take back what is left of the credit of",
};
const SETTLES: Permission =
    Permission::Needs { verb: "voucher.settle", scope: sovereign_scope, words: "settle vouchers with the Sovereign" };

pub(super) fn module(vouchers: Arc<dyn Vouchers>) -> HostModule {
    HostModule {
        name: "voucher",
        doc: "Credit that is given away by codes. What is redeemed is booked in a double-entry ledger, in one transaction under a lock: \
              never more often than a voucher allows, and once a customer. Amounts are whole numbers of the currency's smallest unit. \
              A run acts for its own organisation; one of the platform for any.\n\nErrors of all ops: `permission_denied` (the run \
              is of another organisation), `not_found`, `invalid_input`.",
        ops: [issuing(&vouchers), redeeming(&vouchers), looking(&vouchers)].into_iter().flatten().collect(),
    }
}

fn issuing(vouchers: &Arc<dyn Vouchers>) -> Vec<Op> {
    vec![
        Op {
            doc: "Issues a batch. The codes aren't told here, so that they stand in no journal: whoever looks after the issuer exports \
                  them (`windlass vouchers export`). The undo takes back what wasn't redeemed.",
            params: const { &[ISSUER, ISSUE] },
            returns: "#{ batch: string, issuer: string, count: int, credit: int, currency: string, worth: int, signed: bool }",
            undo: Undo::Op { name: "unissue", args: |args| vec![args.get("issuer").clone()] },
            example: r#"voucher::issue("acme", #{ name: "spring", count: 10, credit: 5000, currency: "EUR", open: "90d" }).batch"#,
            ..change(vouchers, "issue", ISSUES, issue)
        },
        Op {
            doc: "Takes back a voucher, or all of a batch, by its id; how many could be redeemed before. What was redeemed stays.",
            params: const { &[ISSUER, Param::required("what", Kind::String, "A voucher's id, or a batch's (`b_…`).")] },
            returns: "int",
            undo: Undo::None("a voucher that was taken back isn't given again: issue another one"),
            example: r#"voucher::revoke("acme", "b_01jz")"#,
            ..change(vouchers, "revoke", REVOKES, |vouchers, cx, args| {
                let (step, what) = (Step { run: &cx.run, key: &cx.key }, args.str("what"));
                if !what.starts_with("v_") && !what.starts_with("b_") {
                    return Err(invalid(format!("`{what}` is neither a voucher's id (`v_…`) nor a batch's (`b_…`)")));
                }
                vouchers.revoke(&step, args.str("issuer"), what).map(Value::from)
            })
        },
        Op {
            doc: "Takes back what a step of this run has issued: the undo of `voucher::issue`. Does nothing when called by hand.",
            returns: "int",
            undo: Undo::None("it is an undo itself"),
            example: r#"voucher::unissue("acme")"#,
            ..change(vouchers, "unissue", REVOKES_UNDO, |vouchers, cx, args| {
                let Some(key) = &cx.undoes else { return Ok(0.into()) };
                vouchers.revoke(&Step { run: &cx.run, key: &cx.key }, args.str("issuer"), key).map(Value::from)
            })
        },
    ]
}

/// The undo of what was granted needs no other grant.
const REVOKES_UNDO: Permission = ISSUES;

fn redeeming(vouchers: &Arc<dyn Vouchers>) -> Vec<Op> {
    vec![
        Op {
            doc: "Redeems a voucher: its credit is the customer's. The undo books the opposite, and the voucher can be redeemed again. \
                  Errors: `gone` (used up, expired, taken back: `data.reason`), `conflict` (this customer, or this address, has redeemed it), \
                  `not_found`.",
            params: const { &[VOUCHER, REDEEM] },
            returns: "#{ redemption: string, voucher: string, customer: string, amount: int, currency: string, transaction: string }",
            undo: Undo::Op { name: "unredeem", args: |args| vec![args.get("options")["customer"].clone()] },
            example: r#"voucher::redeem("v_01jz", #{ customer: "bob", email: "bob@bob.test" }).amount"#,
            ..change(vouchers, "redeem", REDEEMS, redeem)
        },
        Op {
            doc: "Takes the redemption of a step of this run back: the undo of `voucher::redeem`. It is a transaction of its own; nothing is \
                  removed. Does nothing when called by hand. Errors: `conflict` (another Sovereign has answered for it).",
            params: const { &[Param::required("customer", Kind::String, "The organisation that got the credit.")] },
            returns: "bool",
            undo: Undo::None("it is an undo itself"),
            example: r#"voucher::unredeem("bob")"#,
            ..change(vouchers, "unredeem", REDEEMS, |vouchers, cx, _| match &cx.undoes {
                None => Ok(false.into()),
                Some(key) => Ok(vouchers.reverse(&cx.run, key)?.is_some().into()),
            })
        },
        Op {
            doc: "Takes what is left of a customer's credit back to the issuer, as when the customer goes; how many accounts. For the \
                  organisation that the customer is under, and the platform.",
            params: const { &[Param::required("customer", Kind::String, "The organisation that has the credit."), ISSUER] },
            returns: "int",
            undo: Undo::None("who takes credit back has had it approved: a new voucher gives it again"),
            example: r#"voucher::write_off("bob", "acme")"#,
            ..change(vouchers, "write_off", WRITES_OFF, |vouchers, cx, args| {
                let step = Step { run: &cx.run, key: &cx.key };
                vouchers.write_off(&step, args.str("customer"), args.str("issuer")).map(Value::from)
            })
        },
        Op {
            doc: "Asks another Sovereign for what was redeemed here of its vouchers, and books what it answers: agreed, or disputed, which is \
                  a loss here. Asked again, it answers the same. `pending` are those that are left (500 are asked at a time). Errors: \
                  `unavailable` (it is away: nothing is lost).",
            params: const { &[Param::required("sovereign", Kind::String, "As it is called here.")] },
            returns: "#{ asked: int, accepted: int, disputed: array, pending: int }",
            undo: Undo::None("what two Sovereigns have agreed on isn't taken back by one"),
            example: r#"voucher::settle("omantel").accepted"#,
            ..change(vouchers, "settle", SETTLES, |vouchers, cx, args| {
                cx.block_on(vouchers.settle(&cx.run, args.str("sovereign")))
            })
        },
    ]
}

fn looking(vouchers: &Arc<dyn Vouchers>) -> Vec<Op> {
    let of_any =
        Permission::Needs { verb: "voucher.preview", scope: everything, words: "look what a voucher is worth," };
    let of_organisation = Permission::Needs {
        verb: "voucher.read",
        scope: organisation_scope,
        words: "look at vouchers and accounts of",
    };
    vec![
        Op {
            doc: "What a voucher is worth, and whether it can be redeemed: `open`, and else `closed` says why (`revoked`, `expired`, `used_up`).",
            params: const { &[VOUCHER] },
            returns: "#{ voucher: string, issuer: string, credit: int, currency: string, description: string, open: bool, closed: \
                      string or (), products: map, max_redemptions: int, times_redeemed: int, origin: string or () }",
            permission: of_any,
            example: r#"voucher::preview("v_01jz").credit"#,
            ..look(vouchers, "preview", |vouchers, cx, args| {
                let (voucher, closed) = vouchers.preview(&cx.run, args.str("voucher"))?;
                Ok(shown(&voucher, closed))
            })
        },
        Op {
            doc: "Sums of an organisation's accounts: debits less credits, so that what is owed to others is negative.",
            params: const { &[Param::required("organisation", Kind::String, "Whose accounts.")] },
            returns: "[#{ account: string, name: string, kind: string, currency: string, amount: int }]",
            permission: of_organisation,
            example: r#"voucher::balance("bob")"#,
            ..look(vouchers, "balance", |vouchers, cx, args| {
                let balances = vouchers.balance(&cx.run, args.str("organisation"))?;
                let shown = balances.into_iter().map(|one| {
                    json!({ "account": one.account, "name": one.name, "kind": one.kind, "currency": one.currency,
                            "amount": one.amount })
                });
                Ok(shown.collect::<Vec<_>>().into())
            })
        },
        Op {
            doc: "What an issuer's vouchers could cost, have cost and can still cost, by currency. `*` is all issuers, for the platform.",
            returns: "[#{ issuer: string, currency: string, vouchers: int, issued: int, redeemed: int, outstanding: int, \
                      unlimited: int }]",
            example: r#"voucher::totals("acme")"#,
            ..look(vouchers, "totals", |vouchers, cx, args| Ok(json!(vouchers.totals(&cx.run, args.str("issuer"))?)))
        },
    ]
}

fn issue(vouchers: &dyn Vouchers, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        name: String,
        #[serde(default = "one")]
        count: usize,
        credit: i64,
        currency: String,
        #[serde(default)]
        description: String,
        #[serde(default = "once")]
        max_redemptions: i64,
        #[serde(default)]
        products: BTreeMap<String, i64>,
        #[serde(default)]
        open: Value,
        #[serde(default)]
        signed: bool,
    }
    fn one() -> usize {
        1
    }
    fn once() -> i64 {
        1
    }
    let options: Options = args.read("options")?;
    let open_ms = match &options.open {
        Value::Null => None,
        open => Some(i64::try_from(support::duration(open, "open")?.as_millis()).unwrap_or(i64::MAX)),
    };
    if open_ms.is_some_and(|open_ms| open_ms > YEARS_MS) {
        return Err(invalid("`open` is at most 20 years"));
    }
    let issue = Issue {
        issuer: args.str("issuer").to_owned(),
        name: options.name,
        count: options.count,
        credit: options.credit,
        currency: options.currency,
        description: options.description,
        max_redemptions: options.max_redemptions,
        products: options.products,
        open_ms,
        signed: options.signed,
    };
    let batch = vouchers.issue(&Step { run: &cx.run, key: &cx.key }, &issue)?;
    let worth = batch.credit.saturating_mul(batch.count).saturating_mul(issue.max_redemptions);
    Ok(json!({
        "batch": batch.id, "issuer": batch.issuer, "count": batch.count, "credit": batch.credit, "currency": batch.currency,
        "worth": worth, "signed": batch.signed,
    }))
}

fn redeem(vouchers: &dyn Vouchers, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        customer: String,
        email: String,
        #[serde(default)]
        product: Option<String>,
    }
    let Options { customer, email, product } = args.read("options")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if customer.is_empty() || customer.len() > 64 || !customer.bytes().all(plain) {
        return Err(invalid(format!("`{customer}` can't be a customer: up to 64 small letters, digits and `._-`")));
    }
    let redeem = Redeem { voucher: args.str("voucher").to_owned(), customer, email, product };
    let RedemptionRecord { id, voucher, customer, amount, currency, transaction, .. } =
        vouchers.redeem(&Step { run: &cx.run, key: &cx.key }, &redeem)?;
    Ok(json!({
        "redemption": id, "voucher": voucher, "customer": customer, "amount": amount, "currency": currency,
        "transaction": transaction,
    }))
}

fn shown(voucher: &VoucherRecord, closed: Option<Closed>) -> Value {
    json!({
        "voucher": voucher.id, "issuer": voucher.issuer, "credit": voucher.credit, "currency": voucher.currency,
        "description": voucher.description, "open": closed.is_none(), "closed": closed, "products": voucher.products,
        "max_redemptions": voucher.max_redemptions, "times_redeemed": voucher.times_redeemed, "origin": voucher.origin,
    })
}
