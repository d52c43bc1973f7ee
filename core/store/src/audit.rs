//! The audit log: appended in the transaction of what it tells of, each entry chained to the one before it.

use diesel::prelude::*;
use windlass_model::audit::{AuditFilter, AuditRecord, NewAudit};

use crate::{apply::Cx, connection::AnyConnection, error::Applied, schema::audit};

/// Entries that one listing gives if nobody says otherwise.
const LIST_LIMIT: u32 = 100;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit)]
struct AuditRow {
    seq: i64,
    at_ms: i64,
    actor: String,
    organisation: String,
    action: String,
    target: String,
    source: String,
    before: String,
    after: String,
    previous: String,
    hash: String,
}

/// Appends an entry.
pub(crate) fn append(cx: &mut Cx, entry: &NewAudit) -> Applied<()> {
    crate::dialect::exclude_others(cx.conn, "audit")?;
    let last: Option<(i64, String)> =
        audit::table.order(audit::seq.desc()).select((audit::seq, audit::hash)).first(cx.conn).optional()?;
    let (seq, previous) = last.map_or_else(|| (1, "0".repeat(64)), |(seq, hash)| (seq + 1, hash));
    let mut record = AuditRecord {
        seq,
        at_ms: cx.now_ms,
        actor: entry.actor.clone(),
        organisation: entry.organisation.clone(),
        action: entry.action.clone(),
        target: entry.target.clone(),
        source: entry.source.clone(),
        before: entry.before.clone(),
        after: entry.after.clone(),
        previous,
        hash: String::new(),
    };
    record.hash = hash(&record);
    let row = AuditRow {
        seq: record.seq,
        at_ms: record.at_ms,
        actor: record.actor,
        organisation: record.organisation,
        action: record.action,
        target: record.target,
        source: record.source,
        before: record.before.to_string(),
        after: record.after.to_string(),
        previous: record.previous,
        hash: record.hash,
    };
    diesel::insert_into(audit::table).values(&row).execute(cx.conn)?;
    Ok(())
}

/// What an entry's hash has to be.
pub(crate) fn hash(record: &AuditRecord) -> String {
    blake3::hash(record.canonical().as_bytes()).to_hex().to_string()
}

pub(crate) fn list(conn: &mut AnyConnection, filter: &AuditFilter) -> QueryResult<Vec<AuditRecord>> {
    let mut query = audit::table.select(AuditRow::as_select()).order(audit::seq.desc()).into_boxed();
    if let Some(organisations) = &filter.organisations {
        query = query.filter(audit::organisation.eq_any(organisations));
    }
    if let Some(actor) = &filter.actor {
        query = query.filter(audit::actor.eq(actor));
    }
    if let Some(action) = &filter.action {
        query = query.filter(audit::action.ge(action)).filter(audit::action.lt(format!("{action}\u{10ffff}")));
    }
    if let Some(target) = &filter.target {
        query = query.filter(audit::target.eq(target));
    }
    if let Some(since_ms) = filter.since_ms {
        query = query.filter(audit::at_ms.ge(since_ms));
    }
    if let Some(until_ms) = filter.until_ms {
        query = query.filter(audit::at_ms.lt(until_ms));
    }
    if let Some(before) = filter.before {
        query = query.filter(audit::seq.lt(before));
    }
    let limit = if filter.limit == 0 { LIST_LIMIT } else { filter.limit };
    let rows: Vec<AuditRow> = query.limit(i64::from(limit)).load(conn)?;
    Ok(rows.into_iter().map(record).collect())
}

/// Entries with numbers above `after_seq`, oldest first.
pub(crate) fn after(conn: &mut AnyConnection, after_seq: i64, limit: u32) -> QueryResult<Vec<AuditRecord>> {
    let query = audit::table.filter(audit::seq.gt(after_seq)).order(audit::seq).select(AuditRow::as_select());
    let rows: Vec<AuditRow> = query.limit(i64::from(limit)).load(conn)?;
    Ok(rows.into_iter().map(record).collect())
}

fn record(row: AuditRow) -> AuditRecord {
    AuditRecord {
        seq: row.seq,
        at_ms: row.at_ms,
        actor: row.actor,
        organisation: row.organisation,
        action: row.action,
        target: row.target,
        source: row.source,
        // A damaged text must not read as another entry: it is told as it is, and its hash won't fit.
        before: serde_json::from_str(&row.before).unwrap_or(serde_json::Value::String(row.before)),
        after: serde_json::from_str(&row.after).unwrap_or(serde_json::Value::String(row.after)),
        previous: row.previous,
        hash: row.hash,
    }
}
