//! Batches and vouchers.

use diesel::prelude::*;
use windlass_model::{
    Code, Problem,
    voucher::{
        BatchRecord, NewBatch, SealedVoucher, Totals, VoucherCommand, VoucherFilter, VoucherRecord, VoucherReply,
    },
};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    dialect::{self, both},
    error::Applied,
    payments, redemptions,
    schema::{voucher_batches, vouchers},
    tables::{Voucher, VoucherBatch},
    voucher_claims,
};

/// Vouchers that one listing gives if nobody says otherwise.
const LIST_LIMIT: u32 = 100;
/// Rows of one insert: 17 columns each stay below the 32,766 values that SQLite takes.
const INSERT: usize = 500;

/// Applies a command.
pub(crate) fn apply(cx: &mut Cx, command: &VoucherCommand) -> Applied<VoucherReply> {
    match command {
        VoucherCommand::Issue(new) => issue(cx, new).map(VoucherReply::Batch),
        VoucherCommand::Accept(new) => accept(cx, new).map(|voucher| VoucherReply::Voucher(Box::new(voucher))),
        VoucherCommand::Revoke { voucher, batch, delete } => {
            revoke(cx, voucher.as_deref(), batch.as_deref(), *delete).map(VoucherReply::Count)
        }
        VoucherCommand::Redeem(new) => redemptions::redeem(cx, new).map(VoucherReply::Redemption),
        VoucherCommand::Reverse { key } => Ok(match redemptions::reverse(cx, key)? {
            None => VoucherReply::Nothing,
            Some(redemption) => VoucherReply::Redemption(redemption),
        }),
        VoucherCommand::WriteOff { customer, issuer, key } => {
            payments::write_off(cx, customer, issuer, key).map(VoucherReply::Count)
        }
        VoucherCommand::Judge { peer, claims } => voucher_claims::judge(cx, peer, claims).map(VoucherReply::Verdicts),
        VoucherCommand::Answered { peer, verdicts } => {
            voucher_claims::answered(cx, peer, verdicts).map(VoucherReply::Booked)
        }
        VoucherCommand::Ask { peer, limit } => voucher_claims::asked(cx, peer, *limit).map(VoucherReply::Claims),
        VoucherCommand::Pay(payment) => payments::pay(cx, payment).map(VoucherReply::Transaction),
    }
}

fn batch_record(row: VoucherBatch) -> BatchRecord {
    BatchRecord {
        id: row.id,
        issuer: row.issuer,
        name: row.name,
        count: row.count,
        credit: row.credit,
        currency: row.currency,
        signed: row.signed,
        created_by: row.created_by,
        created_at_ms: row.created_at_ms,
    }
}

pub(crate) fn record(row: Voucher) -> VoucherRecord {
    VoucherRecord {
        id: row.id,
        batch: row.batch,
        issuer: row.issuer,
        origin: row.origin,
        credit: row.credit,
        currency: row.currency,
        description: row.description,
        active: row.active,
        max_redemptions: row.max_redemptions,
        times_redeemed: row.times_redeemed,
        products: serde_json::from_str(&row.products).unwrap_or_default(),
        expires_at_ms: row.expires_at_ms,
        created_at_ms: row.created_at_ms,
        deleted_at_ms: row.deleted_at_ms,
    }
}

fn sealed(row: Voucher) -> SealedVoucher {
    let (lookup, sealed, nonce) = (row.lookup.clone(), row.sealed.clone(), row.nonce.clone());
    SealedVoucher { voucher: record(row), lookup, sealed, nonce }
}

fn row(new: &SealedVoucher, now_ms: i64) -> Applied<Voucher> {
    let voucher = &new.voucher;
    Ok(Voucher {
        id: voucher.id.clone(),
        batch: voucher.batch.clone(),
        issuer: voucher.issuer.clone(),
        origin: voucher.origin.clone(),
        lookup: new.lookup.clone(),
        sealed: new.sealed.clone(),
        nonce: new.nonce.clone(),
        credit: voucher.credit,
        currency: voucher.currency.clone(),
        description: voucher.description.clone(),
        active: true,
        max_redemptions: voucher.max_redemptions,
        times_redeemed: 0,
        products: serde_json::to_string(&voucher.products)?,
        expires_at_ms: voucher.expires_at_ms,
        created_at_ms: now_ms,
        deleted_at_ms: None,
    })
}

fn issue(cx: &mut Cx, new: &NewBatch) -> Applied<BatchRecord> {
    // First of all: who asks with the same key elsewhere is waited for, and its batch found.
    dialect::exclude_others(cx.conn, "ledger")?;
    let known: Option<VoucherBatch> = voucher_batches::table
        .filter(voucher_batches::key.eq(&new.key))
        .select(VoucherBatch::as_select())
        .first(cx.conn)
        .optional()?;
    if let Some(known) = known {
        return same(cx, batch_record(known), new);
    }
    let batch = BatchRecord { created_at_ms: cx.now_ms, ..new.batch.clone() };
    let values = VoucherBatch {
        id: batch.id.clone(),
        issuer: batch.issuer.clone(),
        name: batch.name.clone(),
        key: new.key.clone(),
        count: batch.count,
        credit: batch.credit,
        currency: batch.currency.clone(),
        signed: batch.signed,
        created_by: batch.created_by.clone(),
        created_at_ms: batch.created_at_ms,
    };
    diesel::insert_into(voucher_batches::table).values(&values).execute(cx.conn)?;
    let rows: Vec<Voucher> = new.vouchers.iter().map(|one| row(one, cx.now_ms)).collect::<Applied<_>>()?;
    for rows in rows.chunks(INSERT) {
        both!(cx.conn, c => diesel::insert_into(vouchers::table).values(rows).execute(c))?;
    }
    Ok(batch)
}

/// The batch that was issued with this key, if it is what is asked for now. When it ends isn't compared: that is often counted from the asking.
fn same(cx: &mut Cx, known: BatchRecord, new: &NewBatch) -> Applied<BatchRecord> {
    type Terms = (String, i64, String);
    let of_batch = |one: &BatchRecord| {
        (one.issuer.clone(), one.name.clone(), one.count, one.credit, one.currency.clone(), one.signed)
    };
    let vouchers = vouchers::table.filter(vouchers::batch.eq(&known.id));
    let terms: Option<Terms> = vouchers
        .select((vouchers::description, vouchers::max_redemptions, vouchers::products))
        .first(cx.conn)
        .optional()?;
    let asked = new.vouchers.first().map(|one| &one.voucher);
    let is_same = of_batch(&known) == of_batch(&new.batch)
        && match (terms, asked) {
            (Some((description, most, products)), Some(asked)) => {
                description == asked.description
                    && most == asked.max_redemptions
                    && products == serde_json::to_string(&asked.products)?
            }
            _ => true,
        };
    if is_same {
        return Ok(known);
    }
    let message = format!("with this idempotency key other vouchers were issued: the batch `{}`", known.id);
    let help = "choose another key; the same key is for asking again for the same";
    Err(Problem::new(Code::IdempotencyConflict, message).help(help).into())
}

fn accept(cx: &mut Cx, new: &SealedVoucher) -> Applied<VoucherRecord> {
    let values = row(new, cx.now_ms)?;
    both!(cx.conn, c => diesel::insert_into(vouchers::table)
        .values(&values)
        .on_conflict(vouchers::lookup)
        .do_nothing()
        .execute(c))?;
    let found = by_lookup(cx.conn, &new.lookup)?;
    Ok(found.map(|found| found.voucher).ok_or_else(|| Problem::new(Code::Storage, "a voucher wasn't kept"))?)
}

fn revoke(cx: &mut Cx, voucher: Option<&str>, batch: Option<&str>, delete: bool) -> Applied<u64> {
    dialect::exclude_others(cx.conn, "ledger")?;
    let mut ids = vouchers::table.filter(vouchers::deleted_at_ms.is_null()).select(vouchers::id).into_boxed();
    if let Some(voucher) = voucher {
        ids = ids.filter(vouchers::id.eq(voucher));
    }
    if let Some(batch) = batch {
        let named = voucher_batches::table
            .filter(voucher_batches::id.eq(batch).or(voucher_batches::key.eq(batch)))
            .select(voucher_batches::id);
        let batch: Option<String> = named.first(cx.conn).optional()?;
        let Some(batch) = batch else { return Ok(0) };
        ids = ids.filter(vouchers::batch.eq(batch));
    }
    if voucher.is_none() && batch.is_none() {
        return Err(Problem::new(Code::Usage, "neither a voucher nor a batch is named").into());
    }
    if !delete {
        ids = ids.filter(vouchers::active.eq(true));
    }
    let ids: Vec<String> = ids.load(cx.conn)?;
    for some in ids.chunks(INSERT) {
        let those = vouchers::table.filter(vouchers::id.eq_any(some));
        let deleted_at_ms = delete.then_some(cx.now_ms);
        diesel::update(those)
            .set((vouchers::active.eq(false), vouchers::deleted_at_ms.eq(deleted_at_ms)))
            .execute(cx.conn)?;
    }
    Ok(ids.len() as u64)
}

/// A voucher, whose row nobody else changes before this transaction ends.
pub(crate) fn locked(cx: &mut Cx, id: &str) -> Applied<Option<VoucherRecord>> {
    // Whoever books holds this first, on every machine: no two of them wait for each other's rows.
    dialect::exclude_others(cx.conn, "ledger")?;
    Ok(dialect::voucher_row(cx.conn, id)?.map(record))
}

/// Counts a redemption, or one that was taken back.
pub(crate) fn count(cx: &mut Cx, id: &str, times_redeemed: i64) -> Applied<()> {
    diesel::update(vouchers::table.find(id)).set(vouchers::times_redeemed.eq(times_redeemed)).execute(cx.conn)?;
    Ok(())
}

pub(crate) fn find(conn: &mut AnyConnection, id: &str) -> QueryResult<Option<SealedVoucher>> {
    let row: Option<Voucher> = vouchers::table.find(id).select(Voucher::as_select()).first(conn).optional()?;
    Ok(row.map(sealed))
}

pub(crate) fn by_lookup(conn: &mut AnyConnection, lookup: &str) -> QueryResult<Option<SealedVoucher>> {
    let query = vouchers::table.filter(vouchers::lookup.eq(lookup)).select(Voucher::as_select());
    let row: Option<Voucher> = query.first(conn).optional()?;
    Ok(row.map(sealed))
}

pub(crate) fn list(conn: &mut AnyConnection, filter: &VoucherFilter) -> QueryResult<Vec<SealedVoucher>> {
    let mut query = vouchers::table.select(Voucher::as_select()).order(vouchers::id).into_boxed();
    if let Some(issuers) = &filter.issuers {
        query = query.filter(vouchers::issuer.eq_any(issuers));
    }
    if let Some(batch) = &filter.batch {
        query = query.filter(vouchers::batch.eq(batch));
    }
    if !filter.deleted {
        query = query.filter(vouchers::deleted_at_ms.is_null());
    }
    if let Some(after) = &filter.after {
        query = query.filter(vouchers::id.gt(after));
    }
    let limit = if filter.limit == 0 { LIST_LIMIT } else { filter.limit };
    let rows: Vec<Voucher> = query.limit(i64::from(limit)).load(conn)?;
    Ok(rows.into_iter().map(sealed).collect())
}

pub(crate) fn batch(conn: &mut AnyConnection, id: &str) -> QueryResult<Option<BatchRecord>> {
    let query = voucher_batches::table.find(id).select(VoucherBatch::as_select());
    Ok(query.first(conn).optional()?.map(batch_record))
}

/// Batches of these issuers (none: of all) before one of them, newest first.
pub(crate) fn batches(
    conn: &mut AnyConnection,
    issuers: Option<&[String]>,
    before: Option<&str>,
) -> QueryResult<Vec<BatchRecord>> {
    let mut query =
        voucher_batches::table.select(VoucherBatch::as_select()).order(voucher_batches::id.desc()).into_boxed();
    if let Some(issuers) = issuers {
        query = query.filter(voucher_batches::issuer.eq_any(issuers));
    }
    if let Some(before) = before {
        query = query.filter(voucher_batches::id.lt(before));
    }
    let rows: Vec<VoucherBatch> = query.limit(1_000).load(conn)?;
    Ok(rows.into_iter().map(batch_record).collect())
}

/// Sums are made of two: each credit's millions, and what is over. Neither leaves 64 bits.
const MILLION: i64 = 1_000_000;

#[derive(QueryableByName)]
struct TotalsRow {
    #[diesel(sql_type = diesel::sql_types::Text)]
    issuer: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    currency: String,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    vouchers: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    issued_high: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    issued_low: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    redeemed_high: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    redeemed_low: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    outstanding_high: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    outstanding_low: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    unlimited: i64,
}

/// Sums by issuer and currency, of vouchers of this Sovereign's own.
pub(crate) fn totals(conn: &mut AnyConnection, issuers: Option<&[String]>, now_ms: i64) -> QueryResult<Vec<Totals>> {
    use diesel::sql_types::Text;
    let open = format!("active AND (expires_at_ms IS NULL OR expires_at_ms > {now_ms})");
    let sums = |name: &str, times: &str| {
        format!(
            "CAST(sum((credit / {MILLION}) * {times}) AS BIGINT) AS {name}_high, \
             CAST(sum((credit % {MILLION}) * {times}) AS BIGINT) AS {name}_low"
        )
    };
    let left = format!("(CASE WHEN max_redemptions > 0 AND {open} THEN max_redemptions - times_redeemed ELSE 0 END)");
    let (issued, redeemed) = (sums("issued", "max_redemptions"), sums("redeemed", "times_redeemed"));
    let outstanding = sums("outstanding", &left);
    let postgres = matches!(conn, AnyConnection::Postgres(_));
    let place = |number: usize| if postgres { format!("${number}") } else { "?".to_owned() };
    let which = match issuers {
        None => String::new(),
        Some([]) => return Ok(Vec::new()),
        Some(names) => format!("AND issuer IN ({})", (1..=names.len()).map(place).collect::<Vec<_>>().join(", ")),
    };
    let text = format!(
        "SELECT issuer, currency, CAST(count(*) AS BIGINT) AS vouchers, {issued}, {redeemed}, {outstanding}, \
         CAST(sum(CASE WHEN max_redemptions = 0 AND {open} THEN 1 ELSE 0 END) AS BIGINT) AS unlimited \
         FROM vouchers WHERE origin IS NULL {which} GROUP BY issuer, currency ORDER BY issuer, currency"
    );
    let rows: Vec<TotalsRow> = both!(conn, c => {
        let mut query = diesel::sql_query(&text).into_boxed();
        for name in issuers.unwrap_or_default() {
            query = query.bind::<Text, _>(name);
        }
        query.load(c)
    })?;
    let whole = |high: i64, low: i64| {
        i64::try_from(i128::from(high) * i128::from(MILLION) + i128::from(low)).unwrap_or(i64::MAX)
    };
    let totals = |row: TotalsRow| Totals {
        issuer: row.issuer,
        currency: row.currency,
        vouchers: row.vouchers,
        issued: whole(row.issued_high, row.issued_low),
        redeemed: whole(row.redeemed_high, row.redeemed_low),
        outstanding: whole(row.outstanding_high, row.outstanding_low),
        unlimited: row.unlimited,
    };
    Ok(rows.into_iter().map(totals).collect())
}
