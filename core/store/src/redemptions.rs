//! Redemptions: each is one transaction of the ledger, made under the lock of the voucher's row.

use diesel::prelude::*;
use serde_json::json;
use windlass_model::{
    Code, EventKind, Problem,
    ledger::{Account, AccountKind, CLEARING, CREDIT, GRANTED, TransactionKind},
    voucher::{Closed, NewRedemption, RedemptionRecord, VoucherRecord},
};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    dialect,
    error::{Applied, refuse},
    ledger::{self, Posting},
    log, payments,
    schema::voucher_redemptions::{self as redemptions, table},
    tables::VoucherRedemption,
    voucher_claims, vouchers,
};

pub(crate) fn record(row: VoucherRedemption) -> RedemptionRecord {
    RedemptionRecord {
        id: row.id,
        voucher: row.voucher,
        customer: row.customer,
        product: row.product,
        amount: row.amount,
        currency: row.currency,
        transaction: row.transaction_id,
        redeemed_at_ms: row.redeemed_at_ms,
        reversed_by: row.reversed_by,
        reversed_at_ms: row.reversed_at_ms,
    }
}

/// Redeems for a customer.
pub(crate) fn redeem(cx: &mut Cx, new: &NewRedemption) -> Applied<RedemptionRecord> {
    // First of all: who redeems with the same key elsewhere is waited for, and its redemption found.
    dialect::exclude_others(cx.conn, "ledger")?;
    if let Some(known) = by_key(cx.conn, &new.key)? {
        return Ok(known);
    }
    let voucher = open(cx, &new.voucher)?;
    if let Some(peer) = &voucher.origin {
        payments::require_room(cx, (&voucher.issuer, peer), new.limit, (voucher.credit, &voucher.currency))?;
    }
    check_customer(cx, new)?;
    check_product(cx, &voucher, new.product.as_deref())?;
    let debit = match &voucher.origin {
        None => Account::new(&voucher.issuer, GRANTED, AccountKind::Expense),
        Some(peer) => Account::with(&voucher.issuer, CLEARING, peer, AccountKind::Asset),
    };
    let credit = Account::new(&new.customer, CREDIT, AccountKind::Liability);
    let description = format!("voucher {} for {}", voucher.id, new.customer);
    let transaction = book(cx, &voucher, new, &description, [(debit, voucher.credit), (credit, -voucher.credit)])?;
    if let Some(peer) = &voucher.origin {
        voucher_claims::ask(cx, peer, &voucher, &new.id, &transaction)?;
    }
    keep(cx, &voucher, new, transaction)
}

/// The voucher under its lock, if it can be redeemed.
pub(crate) fn open(cx: &mut Cx, id: &str) -> Applied<VoucherRecord> {
    let Some(voucher) = vouchers::locked(cx, id)? else {
        return refuse(Code::NotFound, format!("there is no voucher `{id}`"));
    };
    match voucher.closed(cx.now_ms) {
        None => Ok(voucher),
        Some(closed) => Err(gone(closed).into()),
    }
}

/// Why a voucher can't be redeemed, in words.
fn gone(closed: Closed) -> Problem {
    let message = match closed {
        Closed::Revoked => "the voucher was taken back by whoever issued it",
        Closed::Expired => "the voucher's time is over",
        Closed::UsedUp => "the voucher was redeemed as often as it may be",
    };
    Problem::new(Code::Gone, message)
        .help("ask whoever gave it to you for another one")
        .data(serde_json::json!({ "reason": closed }))
}

fn check_customer(cx: &mut Cx, new: &NewRedemption) -> Applied<()> {
    let same = redemptions::customer.eq(&new.customer).or(redemptions::holder.eq(&new.holder));
    let before: i64 = table
        .filter(redemptions::voucher.eq(&new.voucher))
        .filter(redemptions::reversed_by.is_null())
        .filter(same)
        .count()
        .get_result(cx.conn)?;
    match before {
        0 => Ok(()),
        _ => Err(Problem::new(Code::Conflict, "this customer has redeemed the voucher already")
            .help("a voucher is redeemed once a customer")
            .data(serde_json::json!({ "reason": "once_a_customer" }))
            .into()),
    }
}

fn check_product(cx: &mut Cx, voucher: &VoucherRecord, product: Option<&str>) -> Applied<()> {
    if voucher.products.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = voucher.products.keys().map(String::as_str).collect();
    let Some((product, limit)) = product.and_then(|name| voucher.products.get_key_value(name)) else {
        let message = format!("the voucher is for {}", names.join(", "));
        return Err(Problem::new(Code::InvalidInput, message).help("name one of these as the product").into());
    };
    let used: i64 = table
        .filter(redemptions::voucher.eq(&voucher.id))
        .filter(redemptions::product.eq(product))
        .filter(redemptions::reversed_by.is_null())
        .count()
        .get_result(cx.conn)?;
    if *limit > 0 && used >= *limit {
        let message = format!("the voucher was redeemed for {product} as often as it may be");
        return Err(Problem::new(Code::Gone, message).data(serde_json::json!({ "reason": Closed::UsedUp })).into());
    }
    Ok(())
}

/// Books a redemption.
pub(crate) fn book(
    cx: &mut Cx,
    voucher: &VoucherRecord,
    new: &NewRedemption,
    description: &str,
    entries: [(Account, i64); 2],
) -> Applied<String> {
    let kind = TransactionKind::Redeem;
    let posting = Posting { kind, reference: &new.id, description, currency: &voucher.currency, entries: &entries };
    ledger::post(cx, &posting)
}

/// Writes a redemption down, and counts it.
pub(crate) fn keep(
    cx: &mut Cx,
    voucher: &VoucherRecord,
    new: &NewRedemption,
    transaction: String,
) -> Applied<RedemptionRecord> {
    let row = VoucherRedemption {
        id: new.id.clone(),
        voucher: voucher.id.clone(),
        key: new.key.clone(),
        customer: new.customer.clone(),
        holder: new.holder.clone(),
        product: new.product.clone(),
        amount: voucher.credit,
        currency: voucher.currency.clone(),
        transaction_id: transaction,
        redeemed_at_ms: cx.now_ms,
        reversed_by: None,
        reversed_at_ms: None,
    };
    diesel::insert_into(table).values(&row).execute(cx.conn)?;
    vouchers::count(cx, &voucher.id, voucher.times_redeemed + 1)?;
    let told = json!({
        "voucher": voucher.id, "customer": new.customer, "product": new.product, "amount": voucher.credit,
        "currency": voucher.currency, "organisation": voucher.issuer,
    });
    log::announce(cx, EventKind::VoucherRedeemed, &told)?;
    Ok(record(row))
}

/// Takes the redemption of a key back; none if there is none.
pub(crate) fn reverse(cx: &mut Cx, key: &str) -> Applied<Option<RedemptionRecord>> {
    dialect::exclude_others(cx.conn, "ledger")?;
    let Some(found) = by_key(cx.conn, key)?.filter(|found| found.reversed_by.is_none()) else {
        return Ok(by_key(cx.conn, key)?);
    };
    let Some(voucher) = vouchers::locked(cx, &found.voucher)? else {
        return refuse(Code::Storage, format!("the voucher of the redemption `{}` is missing", found.id));
    };
    if let Some(peer) = &voucher.origin {
        voucher_claims::withdraw(cx, peer, &found.id)?;
    }
    let description = format!("voucher {} for {}, taken back", voucher.id, found.customer);
    let transaction = ledger::reverse(cx, &found.transaction, &description)?;
    diesel::update(table.find(&found.id))
        .set((redemptions::reversed_by.eq(&transaction), redemptions::reversed_at_ms.eq(cx.now_ms)))
        .execute(cx.conn)?;
    vouchers::count(cx, &voucher.id, voucher.times_redeemed - 1)?;
    let (reversed_by, reversed_at_ms) = (Some(transaction), Some(cx.now_ms));
    Ok(Some(RedemptionRecord { reversed_by, reversed_at_ms, ..found }))
}

pub(crate) fn by_key(conn: &mut AnyConnection, key: &str) -> QueryResult<Option<RedemptionRecord>> {
    let query = table.filter(redemptions::key.eq(key)).select(VoucherRedemption::as_select());
    Ok(query.first(conn).optional()?.map(record))
}

/// Redemptions of a voucher, or of a customer, newest first.
pub(crate) fn list(
    conn: &mut AnyConnection,
    voucher: Option<&str>,
    customer: Option<&str>,
    limit: u32,
) -> QueryResult<Vec<RedemptionRecord>> {
    let mut query = table.select(VoucherRedemption::as_select()).order(redemptions::id.desc()).into_boxed();
    if let Some(voucher) = voucher {
        query = query.filter(redemptions::voucher.eq(voucher));
    }
    if let Some(customer) = customer {
        query = query.filter(redemptions::customer.eq(customer));
    }
    let rows: Vec<VoucherRedemption> = query.limit(i64::from(limit)).load(conn)?;
    Ok(rows.into_iter().map(record).collect())
}
