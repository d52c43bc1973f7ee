//! Upkeep: what is old goes, but never what says that something is still there.

use diesel::prelude::*;

use super::Cx;
use crate::{error::Applied, journal_log, resources, schema::runs};

/// Removes ended runs whose retention is over, longest ended first.
pub(crate) fn prune(cx: &mut Cx, default_retention_ms: i64, limit: u32) -> Applied<u64> {
    let keeps = runs::retention_ms.is_null().and(runs::ended_at_ms.le(cx.now_ms.saturating_sub(default_retention_ms)));
    let own = (runs::ended_at_ms + runs::retention_ms).le(cx.now_ms);
    let over: Vec<String> = runs::table
        .filter(runs::ended_at_ms.is_not_null())
        .filter(keeps.or(own))
        .order((runs::ended_at_ms, runs::id))
        .limit(i64::from(limit))
        .select(runs::id)
        .load(cx.conn)?;
    for run in &over {
        resources::forget_gone(cx, run)?;
        journal_log::remove(cx, &run.as_str().into())?;
        diesel::delete(runs::table.find(run)).execute(cx.conn)?;
    }
    Ok(over.len() as u64)
}
