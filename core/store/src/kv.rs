//! The key-value store that an organisation's scripts share. The platform's keys stand there as they are; another organisation's
//! behind its name, between separators that no key of a script has: a name in a script has no control characters.

use diesel::prelude::*;
use serde_json::{Value, json};
use windlass_model::{Code, Problem, resource::PLATFORM};

use crate::{apply::Cx, connection::AnyConnection, dialect::both, error::Applied, schema::kv};

/// Keys that one listing gives, at most.
const LIST_LIMIT: i64 = 1_000;

const SEPARATOR: char = '\u{1f}';

/// What the keys of an organisation begin with.
fn space(organisation: &str) -> String {
    match organisation {
        PLATFORM => String::new(),
        _ => format!("{SEPARATOR}{organisation}{SEPARATOR}"),
    }
}

pub(crate) fn get(cx: &mut Cx, organisation: &str, key: &str) -> Applied<Option<String>> {
    let key = space(organisation) + key;
    Ok(kv::table.find(key).select(kv::value).get_result(cx.conn).optional()?)
}

pub(crate) fn set(cx: &mut Cx, organisation: &str, key: &str, value: &str) -> Applied<()> {
    let key = &(space(organisation) + key);
    both!(cx.conn, c => diesel::insert_into(kv::table)
        .values((kv::key.eq(key), kv::value.eq(value), kv::updated_at_ms.eq(cx.now_ms)))
        .on_conflict(kv::key)
        .do_update()
        .set((kv::value.eq(value), kv::updated_at_ms.eq(cx.now_ms)))
        .execute(c))?;
    Ok(())
}

/// Refuses a key that is new where the organisation has as many as it may have.
pub(crate) fn require_room(cx: &mut Cx, organisation: &str, key: &str, most: u64) -> Applied<()> {
    let space = space(organisation);
    if get(cx, organisation, key)?.is_some() {
        return Ok(());
    }
    // The platform's keys stand behind those of all others: only those begin with a control character.
    let first = if space.is_empty() { " " } else { &space };
    let own = kv::table.filter(kv::key.ge(first)).filter(kv::key.lt(format!("{space}\u{10ffff}")));
    let used: i64 = own.count().get_result(cx.conn)?;
    if used.unsigned_abs() < most {
        return Ok(());
    }
    let message = format!("the organisation `{organisation}` keeps {used} keys in `kv`; at most {most} are kept");
    Err(Problem::new(Code::LimitExceeded, message)
        .help("`kv_delete` what isn't needed any more, or have `bounds.kv_keys` raised")
        .data(json!({ "limit": most, "used": used }))
        .no_effect()
        .into())
}

pub(crate) fn delete(cx: &mut Cx, organisation: &str, key: &str) -> Applied<bool> {
    let key = space(organisation) + key;
    Ok(diesel::delete(kv::table.find(key)).execute(cx.conn)? == 1)
}

pub(crate) fn keys(cx: &mut Cx, organisation: &str, prefix: &str) -> Applied<Vec<String>> {
    let space = &space(organisation);
    let prefix = space.clone() + prefix;
    // The platform's keys stand behind those of all others: only those begin with a control character.
    let first = if prefix.is_empty() { " " } else { &prefix };
    let found: Vec<String> = kv::table
        .filter(kv::key.ge(first))
        .filter(kv::key.lt(format!("{prefix}\u{10ffff}")))
        .order(kv::key)
        .select(kv::key)
        .limit(LIST_LIMIT)
        .load(cx.conn)?;
    Ok(found.iter().filter_map(|key| own_name(key, space, &prefix)).map(str::to_owned).collect())
}

/// An organisation's keys and values with a prefix, by key.
pub(crate) fn list(conn: &mut AnyConnection, organisation: &str, prefix: &str) -> QueryResult<Vec<(String, Value)>> {
    let space = &space(organisation);
    let prefix = space.clone() + prefix;
    let rows: Vec<(String, String)> = kv::table
        .filter(kv::key.ge(&prefix))
        .filter(kv::key.like(format!("{}%", escape_like(&prefix))).escape('!'))
        .order(kv::key)
        .select((kv::key, kv::value))
        .load(conn)?;
    let own = rows.iter().filter_map(|(key, value)| Some((own_name(key, space, &prefix)?, value)));
    Ok(own.map(|(key, value)| (key.to_owned(), serde_json::from_str(value).unwrap_or_default())).collect())
}

/// Keys and values with a prefix of all organisations: whose, key, value.
pub(crate) fn everywhere(conn: &mut AnyConnection, prefix: &str) -> QueryResult<Vec<(String, String, Value)>> {
    let mut found: Vec<(String, String, Value)> =
        list(conn, PLATFORM, prefix)?.into_iter().map(|(key, value)| (PLATFORM.to_owned(), key, value)).collect();
    let rows: Vec<(String, String)> = kv::table
        .filter(kv::key.like(format!("{SEPARATOR}%{SEPARATOR}{}%", escape_like(prefix))).escape('!'))
        .order(kv::key)
        .select((kv::key, kv::value))
        .load(conn)?;
    for (name, value) in rows {
        let parts = name.strip_prefix(SEPARATOR).and_then(|rest| rest.split_once(SEPARATOR));
        if let Some((organisation, key)) = parts.filter(|(_, key)| key.starts_with(prefix)) {
            found.push((organisation.to_owned(), key.to_owned(), serde_json::from_str(&value).unwrap_or_default()));
        }
    }
    Ok(found)
}

/// What the organisation calls a key that was found: LIKE ignores case in SQLite, and the platform's keys stand among all others.
fn own_name<'a>(key: &'a str, space: &str, prefix: &str) -> Option<&'a str> {
    if !key.starts_with(prefix) {
        return None;
    }
    key.strip_prefix(space).filter(|name| !name.starts_with(SEPARATOR))
}

/// Text for LIKE in which nothing is a wildcard; the escape character is `!`.
fn escape_like(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}
