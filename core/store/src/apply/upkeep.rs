//! Upkeep: what is old goes, but never what says that something is still there.

use diesel::prelude::*;

use super::Cx;
use crate::{documents, error::Applied, journal_log, resources, schema::runs, terms};

/// Expired documents that go for each run that may: sessions are many, and small.
const EXPIRED: u32 = 4;

/// Removes ended runs whose retention is over, longest ended first, those with a retention of their own last; and documents
/// that have expired.
pub(crate) fn prune(cx: &mut Cx, default_retention_ms: i64, limit: u32) -> Applied<u64> {
    documents::expire(cx, limit.saturating_mul(EXPIRED))?;
    // Two questions, each with an index that has what is over at its front.
    let ended = || runs::table.filter(runs::ended_at_ms.is_not_null()).select((runs::id, runs::parent_run));
    let mut over: Vec<(String, Option<String>)> = ended()
        .filter(runs::retention_ms.is_null())
        .filter(runs::ended_at_ms.le(cx.now_ms.saturating_sub(default_retention_ms)))
        .order((runs::ended_at_ms, runs::id))
        .limit(i64::from(limit))
        .load(cx.conn)?;
    let own = || runs::ended_at_ms + runs::retention_ms;
    let kept = ended().filter(runs::retention_ms.is_not_null()).filter(own().le(cx.now_ms)).order((own(), runs::id));
    over.extend(kept.limit(i64::from(limit) - over.len() as i64).load::<(String, Option<String>)>(cx.conn)?);
    let mut gone = 0;
    for (run, parent) in &over {
        // A parent that is still open may yet ask what its child came to.
        if let Some(parent) = parent
            && crate::runs::find(cx.conn, parent)?.is_some_and(|row| !row.run_state().is_ended())
        {
            continue;
        }
        resources::forget_gone(cx, run)?;
        journal_log::remove(cx, &run.as_str().into())?;
        terms::remove(cx, run)?;
        diesel::delete(runs::table.find(run)).execute(cx.conn)?;
        gone += 1;
    }
    Ok(gone)
}
