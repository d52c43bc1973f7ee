//! What retention would remove, counted; and artifacts, which may go before their runs.

use diesel::{
    dsl::{count_star, exists, not},
    prelude::*,
};
use windlass_model::{ResourceState, query::RetentionCounts};

use crate::{
    apply::{
        Cx,
        upkeep::{children, free, heirs, own, parents, unneeded},
    },
    connection::AnyConnection,
    error::Applied,
    schema::{artifacts, documents, resources, runs},
};

/// Artifacts of ended runs that are looked at when there are too many bytes of them.
const LOOKED_AT: i64 = 100_000;

type Key = (String, String);

/// Removes artifacts of runs that ended before this, and the oldest of ended runs while there are more bytes than these; at
/// most so many.
pub(crate) fn prune_artifacts(
    cx: &mut Cx,
    ended_before_ms: Option<i64>,
    most_bytes: Option<i64>,
    limit: u32,
) -> Applied<u64> {
    let mut over = match ended_before_ms {
        Some(before_ms) => before(cx.conn, before_ms, i64::from(limit))?,
        None => Vec::new(),
    };
    if let (Some(most), true) = (most_bytes, over.is_empty()) {
        over = too_many(cx.conn, most, limit as usize)?.0;
    }
    for (run, name) in &over {
        diesel::delete(artifacts::table.find((run, name))).execute(cx.conn)?;
    }
    Ok(over.len() as u64)
}

fn before(conn: &mut AnyConnection, before_ms: i64, limit: i64) -> QueryResult<Vec<Key>> {
    artifacts::table
        .inner_join(runs::table.on(runs::id.eq(artifacts::run_id)))
        .filter(runs::ended_at_ms.le(before_ms))
        .select((artifacts::run_id, artifacts::name))
        .limit(limit)
        .load(conn)
}

/// The oldest artifacts of ended runs beyond so many bytes, and their bytes.
fn too_many(conn: &mut AnyConnection, most: i64, limit: usize) -> QueryResult<(Vec<Key>, i64)> {
    let all: Vec<(String, String, i64)> = artifacts::table
        .inner_join(runs::table.on(runs::id.eq(artifacts::run_id)))
        .filter(runs::ended_at_ms.is_not_null())
        .order(artifacts::created_at_ms.desc())
        .select((artifacts::run_id, artifacts::name, artifacts::bytes))
        .limit(LOOKED_AT)
        .load(conn)?;
    let (mut sum, mut bytes, mut over) = (0_i64, 0, Vec::new());
    for (run, name, size) in all {
        sum = sum.saturating_add(size);
        if sum > most {
            bytes += size;
            over.push((run, name));
        }
    }
    over.reverse();
    over.truncate(limit);
    Ok((over, bytes))
}

/// What would go now.
pub(crate) fn count(
    conn: &mut AnyConnection,
    now_ms: i64,
    default_retention_ms: i64,
    artifacts_before_ms: Option<i64>,
    artifacts_bytes: Option<i64>,
) -> QueryResult<RetentionCounts> {
    let before_ms = now_ms.saturating_sub(default_retention_ms);
    let ended = || runs::table.filter(runs::ended_at_ms.is_not_null()).select(count_star());
    let over = || ended().filter(runs::retention_ms.is_null()).filter(runs::ended_at_ms.le(before_ms));
    let kept = || ended().filter(runs::retention_ms.is_not_null()).filter(own().le(now_ms));
    let all = over().get_result::<i64>(conn)? + kept().get_result::<i64>(conn)?;
    let free = free!(over()).get_result::<i64>(conn)? + unneeded!(free!(kept()), before_ms).get_result::<i64>(conn)?;
    let (mut artifacts, mut artifact_bytes) = (0, 0);
    if let Some(before_ms) = artifacts_before_ms {
        let old = || {
            artifacts::table
                .inner_join(runs::table.on(runs::id.eq(artifacts::run_id)))
                .filter(runs::ended_at_ms.le(before_ms))
        };
        artifacts = old().select(count_star()).get_result(conn)?;
        let sizes: Vec<i64> = old().select(artifacts::bytes).load(conn)?;
        artifact_bytes = sizes.into_iter().sum();
    }
    if let (Some(most), 0) = (artifacts_bytes, artifacts) {
        let (over, bytes) = too_many(conn, most, usize::MAX)?;
        (artifacts, artifact_bytes) = (over.len() as i64, bytes);
    }
    let documents =
        documents::table.filter(documents::expires_at_ms.le(now_ms)).select(count_star()).get_result(conn)?;
    Ok(RetentionCounts { runs: free, runs_needed: all - free, artifacts, artifact_bytes, documents })
}
