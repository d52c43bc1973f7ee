//! Artifacts: bytes that a run keeps under a name.

use diesel::prelude::*;
use windlass_model::{RunId, query::ArtifactRecord};

use crate::{apply::Cx, connection::AnyConnection, dialect::both, error::Applied, schema::artifacts};

/// Keeps bytes; the same name again replaces them. Their digest, blake3 in hex.
pub(crate) fn put(cx: &mut Cx, run: &RunId, name: &str, media_type: &str, content: &[u8]) -> Applied<String> {
    let digest = blake3::hash(content).to_hex().to_string();
    let bytes = content.len() as i64;
    both!(cx.conn, c => diesel::insert_into(artifacts::table)
        .values((
            artifacts::run_id.eq(run.as_str()),
            artifacts::name.eq(name),
            artifacts::media_type.eq(media_type),
            artifacts::bytes.eq(bytes),
            artifacts::digest.eq(&digest),
            artifacts::content.eq(content),
            artifacts::created_at_ms.eq(cx.now_ms),
        ))
        .on_conflict((artifacts::run_id, artifacts::name))
        .do_update()
        .set((
            artifacts::media_type.eq(media_type),
            artifacts::bytes.eq(bytes),
            artifacts::digest.eq(&digest),
            artifacts::content.eq(content),
            artifacts::created_at_ms.eq(cx.now_ms),
        ))
        .execute(c))?;
    Ok(digest)
}

pub(crate) fn content(conn: &mut AnyConnection, run: &RunId, name: &str) -> QueryResult<Option<Vec<u8>>> {
    artifacts::table.find((run.as_str(), name)).select(artifacts::content).get_result(conn).optional()
}

type Row = (String, String, i64, String, i64);

/// Artifacts of a run without their content, by name.
pub(crate) fn list(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<ArtifactRecord>> {
    let rows: Vec<Row> = artifacts::table
        .filter(artifacts::run_id.eq(run.as_str()))
        .order(artifacts::name)
        .select((artifacts::name, artifacts::media_type, artifacts::bytes, artifacts::digest, artifacts::created_at_ms))
        .load(conn)?;
    let record = |(name, media_type, bytes, digest, created_at_ms): Row| ArtifactRecord {
        run: run.clone(),
        name,
        media_type,
        bytes,
        digest,
        created_at_ms,
    };
    Ok(rows.into_iter().map(record).collect())
}
