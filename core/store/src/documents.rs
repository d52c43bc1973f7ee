//! Documents: JSON with a version that only rises, found by id or by unique keys.

use diesel::prelude::*;
use serde_json::Value;
use windlass_model::{
    Code, Problem, RunId,
    document::{Change, Document, DocumentFilter, Expected},
    resource::PLATFORM,
};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    dialect::both,
    error::{Applied, refuse},
    schema::{document_keys, documents},
};

/// The kind of the store's own counters.
const COUNTER: &str = "counter";

/// Documents that one listing gives if nobody says otherwise.
const LIST_LIMIT: u32 = 1_000;

#[derive(Queryable, Selectable)]
#[diesel(table_name = documents)]
struct DocumentRow {
    kind: String,
    id: String,
    organisation: String,
    version: i64,
    body: String,
    created_at_ms: i64,
    updated_at_ms: i64,
    expires_at_ms: Option<i64>,
}

impl DocumentRow {
    fn document(self) -> Document {
        Document {
            kind: self.kind,
            id: self.id,
            organisation: self.organisation,
            version: self.version,
            // The table's CHECK admits only JSON.
            body: serde_json::from_str(&self.body).unwrap_or_default(),
            created_at_ms: self.created_at_ms,
            updated_at_ms: self.updated_at_ms,
            expires_at_ms: self.expires_at_ms,
        }
    }
}

/// Applies changes in their order; the versions that they led to.
pub(crate) fn change(cx: &mut Cx, changes: &[Change]) -> Applied<Vec<i64>> {
    changes.iter().map(|change| one(cx, change)).collect()
}

/// Counts up the store's own counter of this name, and notes something with it; how often that was done.
pub(crate) fn count(cx: &mut Cx, name: &str, note: Value) -> Applied<i64> {
    let counter = Change::Put {
        kind: COUNTER.into(),
        id: name.into(),
        organisation: PLATFORM.into(),
        body: note,
        keys: Vec::new(),
        expires_at_ms: None,
        expected: Expected::Any,
    };
    one(cx, &counter)
}

/// What was noted with a counter last, as JSON text.
pub(crate) fn noted(conn: &mut SqliteConnection, name: &str) -> QueryResult<Option<String>> {
    documents::table.find((COUNTER, name)).select(documents::body).first(conn).optional()
}

/// Puts the run where the body says `"run": null`.
pub(crate) fn name_run(change: &mut Change, run: &RunId) {
    if let Change::Put { body, .. } = change
        && let Some(place @ Value::Null) = body.get_mut("run")
    {
        *place = run.as_str().into();
    }
}

fn one(cx: &mut Cx, change: &Change) -> Applied<i64> {
    let (Change::Put { kind, id, expected, .. } | Change::Delete { kind, id, expected }) = change;
    bury(cx, kind, id)?;
    let found = version(cx, kind, id)?;
    let fits = match expected {
        Expected::Any => true,
        Expected::Absent => found.is_none(),
        Expected::Present => found.is_some(),
        Expected::Version(version) => found == Some(*version),
    };
    if !fits {
        return Err(unexpected(kind, id, *expected, found).into());
    }
    match change {
        Change::Delete { .. } => {
            diesel::delete(documents::table.find((kind, id))).execute(cx.conn)?;
            Ok(0)
        }
        Change::Put { organisation, body, keys, expires_at_ms, .. } => {
            let version = found.unwrap_or(0) + 1;
            let body = body.to_string();
            both!(cx.conn, c => diesel::insert_into(documents::table)
                .values((
                    documents::kind.eq(kind),
                    documents::id.eq(id),
                    documents::organisation.eq(organisation),
                    documents::version.eq(version),
                    documents::body.eq(&body),
                    documents::created_at_ms.eq(cx.now_ms),
                    documents::updated_at_ms.eq(cx.now_ms),
                    documents::expires_at_ms.eq(expires_at_ms),
                ))
                .on_conflict((documents::kind, documents::id))
                .do_update()
                .set((
                    documents::organisation.eq(organisation),
                    documents::version.eq(version),
                    documents::body.eq(&body),
                    documents::updated_at_ms.eq(cx.now_ms),
                    documents::expires_at_ms.eq(expires_at_ms),
                ))
                .execute(c))?;
            set_keys(cx, kind, id, keys)?;
            Ok(version)
        }
    }
}

/// Removes the document if its time is over: it is as if it weren't there.
fn bury(cx: &mut Cx, kind: &str, id: &str) -> Applied<()> {
    let over = documents::expires_at_ms.le(cx.now_ms);
    diesel::delete(documents::table.find((kind, id))).filter(over).execute(cx.conn)?;
    Ok(())
}

/// The document's version. On PostgreSQL nobody else changes it until this transaction ends.
fn version(cx: &mut Cx, kind: &str, id: &str) -> Applied<Option<i64>> {
    crate::dialect::exclude_others(cx.conn, &format!("document/{kind}/{id}"))?;
    Ok(documents::table.find((kind, id)).select(documents::version).first(cx.conn).optional()?)
}

fn set_keys(cx: &mut Cx, kind: &str, id: &str, keys: &[String]) -> Applied<()> {
    diesel::delete(document_keys::table)
        .filter(document_keys::kind.eq(kind))
        .filter(document_keys::id.eq(id))
        .execute(cx.conn)?;
    for key in keys {
        crate::dialect::exclude_others(cx.conn, &format!("document-key/{kind}/{key}"))?;
        let holder = |cx: &mut Cx| {
            document_keys::table.find((kind, key)).select(document_keys::id).first::<String>(cx.conn).optional()
        };
        if let Some(other) = holder(cx)? {
            bury(cx, kind, &other)?;
        }
        if holder(cx)?.is_some() {
            return refuse(Code::Conflict, format!("another {kind} is called `{key}` already"));
        }
        diesel::insert_into(document_keys::table)
            .values((document_keys::kind.eq(kind), document_keys::key.eq(key), document_keys::id.eq(id)))
            .execute(cx.conn)?;
    }
    Ok(())
}

fn unexpected(kind: &str, id: &str, expected: Expected, found: Option<i64>) -> Problem {
    let what = format!("{} `{id}`", kind.replace('_', " "));
    match (expected, found) {
        (Expected::Absent, _) => Problem::new(Code::Conflict, format!("there is a {what} already")),
        (_, None) => Problem::new(Code::NotFound, format!("there is no {what}")),
        (_, Some(version)) => Problem::new(Code::Conflict, format!("the {what} was changed by somebody else"))
            .help("read it again, and make your change to what is there now")
            .data(serde_json::json!({ "version": version })),
    }
}

/// The document, unless its time is over.
pub(crate) fn find(conn: &mut AnyConnection, kind: &str, id: &str, now_ms: i64) -> QueryResult<Option<Document>> {
    let row: Option<DocumentRow> =
        documents::table.find((kind, id)).select(DocumentRow::as_select()).first(conn).optional()?;
    Ok(row.filter(|row| row.expires_at_ms.is_none_or(|at| at > now_ms)).map(DocumentRow::document))
}

pub(crate) fn find_by_key(
    conn: &mut AnyConnection,
    kind: &str,
    key: &str,
    now_ms: i64,
) -> QueryResult<Option<Document>> {
    let id: Option<String> = document_keys::table.find((kind, key)).select(document_keys::id).first(conn).optional()?;
    id.map_or(Ok(None), |id| find(conn, kind, &id, now_ms))
}

pub(crate) fn list(conn: &mut AnyConnection, filter: &DocumentFilter, now_ms: i64) -> QueryResult<Vec<Document>> {
    let mut query = documents::table
        .filter(documents::kind.eq(&filter.kind))
        .filter(documents::expires_at_ms.is_null().or(documents::expires_at_ms.gt(now_ms)))
        .select(DocumentRow::as_select())
        .into_boxed();
    if let Some(organisations) = &filter.organisations {
        query = query.filter(documents::organisation.eq_any(organisations));
    }
    if let Some(prefix) = &filter.id_prefix {
        query = query.filter(documents::id.ge(prefix)).filter(documents::id.lt(format!("{prefix}\u{10ffff}")));
    }
    query = match (&filter.after, filter.newest_first) {
        (Some(after), false) => query.filter(documents::id.gt(after)),
        (Some(after), true) => query.filter(documents::id.lt(after)),
        (None, _) => query,
    };
    query = if filter.newest_first { query.order(documents::id.desc()) } else { query.order(documents::id) };
    let limit = if filter.limit == 0 { LIST_LIMIT } else { filter.limit };
    let rows: Vec<DocumentRow> = query.limit(i64::from(limit)).load(conn)?;
    Ok(rows.into_iter().map(DocumentRow::document).collect())
}

/// Removes what has expired, at most so many.
pub(crate) fn expire(cx: &mut Cx, limit: u32) -> Applied<u64> {
    let over: Vec<(String, String)> = documents::table
        .filter(documents::expires_at_ms.le(cx.now_ms))
        .order((documents::expires_at_ms, documents::kind, documents::id))
        .select((documents::kind, documents::id))
        .limit(i64::from(limit))
        .load(cx.conn)?;
    for (kind, id) in &over {
        diesel::delete(documents::table.find((kind, id))).execute(cx.conn)?;
    }
    Ok(over.len() as u64)
}
