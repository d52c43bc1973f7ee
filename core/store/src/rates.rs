//! How often runs of a key may begin. A launch reserves its time, so that runs that have to wait become due one after the
//! other; a claim counts those that really began, so that no window of time ever holds more than the limit, on however
//! many nodes.

use diesel::prelude::*;
use windlass_model::{
    Code, Problem, RunId, RunState,
    command::{NewRun, Rate},
};

use crate::{apply::Cx, dialect, error::Applied, runs::RunRow, schema::runs};

/// What a rate is counted under: each organisation has keys of its own.
pub(crate) fn key(organisation: &str, key: &str) -> String {
    // A separator that names don't have.
    format!("{organisation}\u{1f}{key}")
}

/// When a run that is launched now may begin.
pub(crate) fn reserve(cx: &mut Cx, run: &NewRun, rate: &Rate) -> Applied<i64> {
    let key = key(&run.organisation, &rate.key);
    exclude_others(cx, &key)?;
    let limit = i64::from(rate.limit).max(1);
    // Those that ended before they began have given their time back.
    let before: Option<Option<i64>> = runs::table
        .filter(runs::rate_key.eq(&key))
        .filter(runs::started_at_ms.is_not_null().or(runs::ended_at_ms.is_null()))
        .order(runs::rate_at_ms.desc())
        .select(runs::rate_at_ms)
        .offset(limit - 1)
        .first(cx.conn)
        .optional()?;
    let at_ms = before.flatten().map_or(cx.now_ms, |at| at.saturating_add(rate.per_ms)).max(cx.now_ms);
    if at_ms > cx.now_ms && rate.reject {
        let seconds = (at_ms - cx.now_ms + 999) / 1_000;
        let message = format!("`{}` begins at most {limit} times in {} s", rate.key, rate.per_ms as f64 / 1e3);
        let help = format!("launch it again in {seconds} s");
        return Err(Problem::new(Code::TooManyRequests, message).help(help).retryable().into());
    }
    Ok(at_ms)
}

/// Writes down that a run begins now; if it mustn't yet, the time at which it may.
pub(crate) fn begin(cx: &mut Cx, row: &RunRow) -> Applied<Option<i64>> {
    let (Some(key), Some(limit), Some(per_ms)) = (&row.rate_key, row.rate_limit, row.rate_per_ms) else {
        return Ok(None);
    };
    if row.run_state() != RunState::Queued {
        // It was cancelled before it began: what it reserved is free for others.
        set(cx, &row.run_id(), 0)?;
        return Ok(None);
    }
    exclude_others(cx, key)?;
    let first_that_counts: Option<Option<i64>> = runs::table
        .filter(runs::rate_key.eq(key))
        .filter(runs::started_at_ms.is_not_null())
        .filter(runs::rate_at_ms.gt(cx.now_ms - per_ms))
        .order(runs::rate_at_ms.desc())
        .select(runs::rate_at_ms)
        .offset(limit - 1)
        .first(cx.conn)
        .optional()?;
    let (at_ms, later) = match first_that_counts.flatten() {
        None => (cx.now_ms, None),
        Some(began_at_ms) => (began_at_ms + per_ms, Some(began_at_ms + per_ms)),
    };
    set(cx, &row.run_id(), at_ms)?;
    Ok(later)
}

fn set(cx: &mut Cx, run: &RunId, at_ms: i64) -> Applied<()> {
    diesel::update(runs::table.find(run.as_str())).set(runs::rate_at_ms.eq(at_ms)).execute(cx.conn)?;
    Ok(())
}

fn exclude_others(cx: &mut Cx, key: &str) -> Applied<()> {
    Ok(dialect::exclude_others(cx.conn, &format!("rate\u{1f}{key}"))?)
}
