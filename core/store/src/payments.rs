//! Money between Sovereigns and what is left of credit: who owes, who paid, what nobody will use.

use std::collections::BTreeMap;

use diesel::prelude::*;
use windlass_model::{
    Code, Problem,
    ledger::{
        Account, AccountKind, BANK, Balance, CLEARING, CREDIT, GRANTED, PAYABLE, RECEIVABLE, TransactionKind, UNUSED,
    },
    voucher::Payment,
};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    dialect,
    error::Applied,
    ledger::{self, Posting},
    schema::{ledger_entries, ledger_transactions, voucher_redemptions, vouchers},
};

/// What another Sovereign owes an organisation: what was asked of it or will be, and what it has agreed to.
pub(crate) fn owed(conn: &mut AnyConnection, organisation: &str, peer: &str, currency: &str) -> QueryResult<i64> {
    let account = |name| Account::with(organisation, name, peer, AccountKind::Asset).id(currency);
    Ok(ledger::sum(conn, &account(CLEARING))?.saturating_add(ledger::sum(conn, &account(RECEIVABLE))?))
}

/// Refuses a redemption beyond what another Sovereign may owe. Whoever books holds the ledger's lock.
pub(crate) fn require_room(
    cx: &mut Cx,
    (organisation, peer): (&str, &str),
    limit: Option<i64>,
    (credit, currency): (i64, &str),
) -> Applied<()> {
    let Some(limit) = limit else {
        return Err(Problem::new(Code::Gone, "vouchers of this issuer aren't redeemed here any more")
            .help("its Sovereign isn't trusted: PUT /api/v1/sovereigns/{name}")
            .data(serde_json::json!({ "reason": "untrusted" }))
            .into());
    };
    match owed(cx.conn, organisation, peer, currency)?.saturating_add(credit) <= limit {
        true => Ok(()),
        false => Err(Problem::new(Code::Gone, "vouchers of this issuer can't be redeemed here at the moment")
            .help("what its Sovereign may owe here is used up; settle with it, book what it paid, or raise its limit")
            .data(serde_json::json!({ "reason": "limit" }))
            .into()),
    }
}

/// Books what was paid outside, at most what is owed; the transaction.
pub(crate) fn pay(cx: &mut Cx, payment: &Payment) -> Applied<String> {
    dialect::exclude_others(cx.conn, "ledger")?;
    let Payment { peer, organisation, received, amount, currency, reference } = payment;
    let bank = Account::new(organisation, BANK, AccountKind::Asset);
    let (open, entries, what) = if *received {
        let receivable = Account::with(organisation, RECEIVABLE, peer, AccountKind::Asset);
        let open = ledger::sum(cx.conn, &receivable.id(currency))?;
        (open, [(bank, *amount), (receivable, -amount)], "owes")
    } else {
        let payable = Account::with(organisation, PAYABLE, peer, AccountKind::Liability);
        let open = ledger::sum(cx.conn, &payable.id(currency))?.saturating_neg();
        (open, [(payable, *amount), (bank, -amount)], "is owed")
    };
    let reference = format!("{peer}/{reference}");
    if let Some(known) = ledger::booked(cx.conn, TransactionKind::Pay, &reference)? {
        let of_it = ledger_entries::table.filter(ledger_entries::transaction_id.eq(&known.id));
        let booked: Vec<(String, i64)> =
            of_it.order(ledger_entries::seq).select((ledger_entries::account, ledger_entries::amount)).load(cx.conn)?;
        if booked == entries.map(|(account, amount)| (account.id(currency), amount)) {
            return Ok(known.id);
        }
        let message = format!("another payment with the reference `{reference}` is booked already");
        return Err(Problem::new(Code::Conflict, message).help("each payment has a reference of its own").into());
    }
    if *amount > open {
        let message = format!("{peer} {what} {open} {currency} with `{organisation}`, and not {amount}");
        return Err(Problem::new(Code::Conflict, message)
            .help("settle first; what is asked for and not agreed to isn't owed yet")
            .data(serde_json::json!({ "open": open }))
            .into());
    }
    let (kind, description) = (TransactionKind::Pay, format!("payment {reference}"));
    ledger::post(cx, &Posting { kind, reference: &reference, description: &description, currency, entries: &entries })
}

/// Takes what is left of a customer's credit back, to whoever has granted it; how many accounts that were. What another
/// Sovereign pays for is nobody's expense here, so what isn't used of it is income.
pub(crate) fn write_off(cx: &mut Cx, customer: &str, issuer: &str, key: &str) -> Applied<u64> {
    dialect::exclude_others(cx.conn, "ledger")?;
    let kind = TransactionKind::WriteOff;
    let booked: i64 = ledger_transactions::table
        .filter(ledger_transactions::kind.eq(kind.as_str()))
        .filter(ledger_transactions::reference.ge(format!("{key}/")))
        .filter(ledger_transactions::reference.lt(format!("{key}0")))
        .count()
        .get_result(cx.conn)?;
    if booked > 0 {
        return Ok(u64::try_from(booked).unwrap_or(0));
    }
    let left = ledger::balances(cx.conn, Some(customer))?;
    let left: Vec<Balance> = left.into_iter().filter(|one| one.name == CREDIT && one.amount < 0).collect();
    for balance in &left {
        let amount = balance.amount.checked_neg().ok_or_else(|| Problem::new(Code::Storage, "a balance overflows"))?;
        let mut entries = vec![(Account::new(customer, CREDIT, AccountKind::Liability), amount)];
        entries.extend(sources(cx, customer, issuer, &balance.currency, amount)?);
        let posting = Posting {
            kind,
            reference: &format!("{key}/{}", balance.currency),
            description: &format!("what {customer} had left"),
            currency: &balance.currency,
            entries: &entries,
        };
        ledger::post(cx, &posting)?;
    }
    Ok(left.len() as u64)
}

/// Where so much of a customer's credit came from, the newest first: what is older was used first.
fn sources(cx: &mut Cx, customer: &str, issuer: &str, currency: &str, amount: i64) -> Applied<Vec<(Account, i64)>> {
    use voucher_redemptions as redemptions;
    let granted: Vec<(String, Option<String>, i64)> = redemptions::table
        .inner_join(vouchers::table.on(vouchers::id.eq(redemptions::voucher)))
        .filter(redemptions::customer.eq(customer))
        .filter(redemptions::currency.eq(currency))
        .filter(redemptions::reversed_by.is_null())
        .order((redemptions::redeemed_at_ms.desc(), redemptions::id.desc()))
        .select((vouchers::issuer, vouchers::origin, redemptions::amount))
        .load(cx.conn)?;
    let (mut open, mut parts) = (amount, BTreeMap::<(String, bool), i64>::new());
    for (organisation, origin, amount) in granted {
        let part = amount.min(open);
        if part == 0 {
            break;
        }
        *parts.entry((organisation, origin.is_some())).or_default() += part;
        open -= part;
    }
    if open > 0 {
        *parts.entry((issuer.to_owned(), false)).or_default() += open;
    }
    let entry = |((organisation, foreign), part): ((String, bool), i64)| {
        let account = match foreign {
            true => Account::new(&organisation, UNUSED, AccountKind::Income),
            false => Account::new(&organisation, GRANTED, AccountKind::Expense),
        };
        (account, -part)
    };
    Ok(parts.into_iter().map(entry).collect())
}
