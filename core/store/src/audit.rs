//! The audit log: appended in the transaction of what it tells of, each entry chained to the one before it.

use diesel::prelude::*;
use windlass_model::audit::{AuditFilter, AuditRecord, NewAudit};

use crate::{connection::AnyConnection, dialect, hot, schema::audit};

/// Entries that one listing gives if nobody says otherwise.
const LIST_LIMIT: u32 = 100;
/// Entries of one statement on PostgreSQL, which takes 65,535 values.
const INSERT: usize = 1_000;

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

/// Appends what a transaction did, and when, just before it commits: one look at the chain's head however many entries there are,
/// and on PostgreSQL other nodes wait for the commit only, and never the other way round.
pub(crate) fn append(conn: &mut AnyConnection, entries: Vec<(i64, NewAudit)>) -> QueryResult<()> {
    if entries.is_empty() {
        return Ok(());
    }
    dialect::exclude_others(conn, "audit")?;
    let last: Option<(i64, String)> = match conn {
        // SQLite prepares a statement with a LIMIT anew for each value of it.
        AnyConnection::Sqlite(c) => {
            let seq: Option<i64> = audit::table.select(diesel::dsl::max(audit::seq)).get_result(c)?;
            let entry = |seq| audit::table.find(seq).select((audit::seq, audit::hash)).get_result(c);
            seq.map(entry).transpose()?
        }
        AnyConnection::Postgres(c) => {
            audit::table.order(audit::seq.desc()).select((audit::seq, audit::hash)).first(c).optional()?
        }
    };
    let (mut seq, mut previous) = last.unwrap_or_else(|| (0, "0".repeat(64)));
    let mut rows = Vec::with_capacity(entries.len());
    for (at_ms, entry) in entries {
        seq += 1;
        let row = AuditRow::new(entry, seq, previous, at_ms);
        previous = row.hash.clone();
        rows.push(row);
    }
    match conn {
        AnyConnection::Sqlite(c) => rows.iter().try_for_each(|row| row.insert(c)),
        AnyConnection::Postgres(c) => {
            rows.chunks(INSERT).try_for_each(|rows| diesel::insert_into(audit::table).values(rows).execute(c).map(drop))
        }
    }
}

impl AuditRow {
    fn new(entry: NewAudit, seq: i64, previous: String, at_ms: i64) -> Self {
        let mut record = AuditRecord {
            seq,
            at_ms,
            actor: text(entry.actor),
            organisation: text(entry.organisation),
            action: text(entry.action),
            target: text(entry.target),
            source: text(entry.source),
            before: entry.before,
            after: entry.after,
            previous,
            hash: String::new(),
        };
        record.hash = hash(&record);
        Self {
            seq,
            at_ms,
            actor: record.actor,
            organisation: record.organisation,
            action: record.action,
            target: record.target,
            source: record.source,
            before: record.before.to_string(),
            after: record.after.to_string(),
            previous: record.previous,
            hash: record.hash,
        }
    }

    fn insert(&self, conn: &mut SqliteConnection) -> QueryResult<()> {
        let row = hot::Audit {
            seq: &self.seq,
            at_ms: &self.at_ms,
            actor: &self.actor,
            organisation: &self.organisation,
            action: &self.action,
            target: &self.target,
            source: &self.source,
            before: &self.before,
            after: &self.after,
            previous: &self.previous,
            hash: &self.hash,
        };
        row.execute(conn).map(drop)
    }
}

/// PostgreSQL keeps no NUL in texts, and what was done has to be noted whatever it was done to.
fn text(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
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
        // What somebody's tokens did is theirs; `0` is the next character after `/`.
        let own = audit::actor.ge(format!("token:{actor}/")).and(audit::actor.lt(format!("token:{actor}0")));
        query = query.filter(audit::actor.eq(actor).or(own));
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

/// The entry as it is hashed.
pub(crate) fn of_entry(entry: crate::tables::Entry) -> AuditRecord {
    let crate::tables::Entry { seq, at_ms, actor, organisation, action, target, source, before, after, previous, hash } =
        entry;
    record(AuditRow { seq, at_ms, actor, organisation, action, target, source, before, after, previous, hash })
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
