//! Secrets: ciphertext and where each may go. The key is never here.

use diesel::prelude::*;
use windlass_model::query::SecretRecord;

use crate::{apply::Cx, connection::AnyConnection, dialect::both, error::Applied, schema::secrets};

pub(crate) fn put(cx: &mut Cx, name: &str, sealed: &[u8], policy: &str) -> Applied<()> {
    both!(cx.conn, c => diesel::insert_into(secrets::table)
        .values((
            secrets::name.eq(name),
            secrets::sealed.eq(sealed),
            secrets::policy.eq(policy),
            secrets::created_at_ms.eq(cx.now_ms),
            secrets::updated_at_ms.eq(cx.now_ms),
        ))
        .on_conflict(secrets::name)
        .do_update()
        .set((secrets::sealed.eq(sealed), secrets::policy.eq(policy), secrets::updated_at_ms.eq(cx.now_ms)))
        .execute(c))?;
    Ok(())
}

pub(crate) fn delete(cx: &mut Cx, name: &str) -> Applied<u64> {
    Ok(diesel::delete(secrets::table.find(name)).execute(cx.conn)? as u64)
}

pub(crate) fn sealed(conn: &mut AnyConnection, name: &str) -> QueryResult<Option<(Vec<u8>, String)>> {
    secrets::table.find(name).select((secrets::sealed, secrets::policy)).get_result(conn).optional()
}

/// Secrets without their values, by name.
pub(crate) fn list(conn: &mut AnyConnection) -> QueryResult<Vec<SecretRecord>> {
    let rows: Vec<(String, String, i64, i64)> = secrets::table
        .order(secrets::name)
        .select((secrets::name, secrets::policy, secrets::created_at_ms, secrets::updated_at_ms))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(name, policy, created_at_ms, updated_at_ms)| SecretRecord {
            name,
            policy: serde_json::from_str(&policy).unwrap_or_default(),
            created_at_ms,
            updated_at_ms,
        })
        .collect())
}
