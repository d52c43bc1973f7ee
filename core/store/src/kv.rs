//! The key-value store that scripts share.

use diesel::prelude::*;
use serde_json::Value;

use crate::{apply::Cx, connection::AnyConnection, dialect::both, error::Applied, schema::kv};

/// Keys that one listing gives, at most.
const LIST_LIMIT: i64 = 1_000;

pub(crate) fn get(cx: &mut Cx, key: &str) -> Applied<Option<String>> {
    Ok(kv::table.find(key).select(kv::value).get_result(cx.conn).optional()?)
}

pub(crate) fn set(cx: &mut Cx, key: &str, value: &str) -> Applied<()> {
    both!(cx.conn, c => diesel::insert_into(kv::table)
        .values((kv::key.eq(key), kv::value.eq(value), kv::updated_at_ms.eq(cx.now_ms)))
        .on_conflict(kv::key)
        .do_update()
        .set((kv::value.eq(value), kv::updated_at_ms.eq(cx.now_ms)))
        .execute(c))?;
    Ok(())
}

pub(crate) fn delete(cx: &mut Cx, key: &str) -> Applied<bool> {
    Ok(diesel::delete(kv::table.find(key)).execute(cx.conn)? == 1)
}

pub(crate) fn keys(cx: &mut Cx, prefix: &str) -> Applied<Vec<String>> {
    // LIKE ignores case in SQLite, so the exact comparison is made here.
    let found: Vec<String> = kv::table
        .filter(kv::key.ge(prefix))
        .filter(kv::key.like(format!("{}%", escape_like(prefix))).escape('!'))
        .order(kv::key)
        .select(kv::key)
        .load(cx.conn)?;
    Ok(found.into_iter().filter(|key| key.starts_with(prefix)).take(LIST_LIMIT as usize).collect())
}

/// Keys and values with a prefix, by key.
pub(crate) fn list(conn: &mut AnyConnection, prefix: &str) -> QueryResult<Vec<(String, Value)>> {
    let rows: Vec<(String, String)> = kv::table
        .filter(kv::key.ge(prefix))
        .filter(kv::key.like(format!("{}%", escape_like(prefix))).escape('!'))
        .order(kv::key)
        .select((kv::key, kv::value))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .filter(|(key, _)| key.starts_with(prefix))
        .map(|(key, value)| (key, serde_json::from_str(&value).unwrap_or_default()))
        .collect())
}

/// Text for LIKE in which nothing is a wildcard; the escape character is `!`.
fn escape_like(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}
