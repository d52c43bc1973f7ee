//! Claims: which runs a worker takes, what a lost worker costs, and giving a run back.

use diesel::prelude::*;
use serde_json::json;
use windlass_model::{
    Code, EventKind, NodeId, Problem, RunCommand, RunId, RunState, WaitReason,
    command::{Claimed, Lease, Reply},
};

use super::{Cx, launch::claimed, rollback, set_due};
use crate::{
    batch::Taken,
    connection::AnyConnection,
    dialect,
    error::Applied,
    events, hot, leases,
    log::Log,
    rates,
    runs::{self, RunRow},
    schema, timers, turns,
};

/// Who claims, and on what terms.
pub(crate) struct By<'a> {
    pub node: &'a NodeId,
    pub expires_at_ms: i64,
    pub max_recoveries: i64,
}

/// Takes runs whose worker is lost, then those that are due: all, or whose turn it is.
pub(crate) fn claim(cx: &mut Cx, by: &By, limit: u32) -> Applied<Reply> {
    let limit = limit as usize;
    let mut taken = Vec::new();
    cx.settle()?;
    for run in dialect::lapsed_runs(cx.conn, cx.now_ms, limit as i64)? {
        taken.extend(take(cx, &run.into(), by, true)?);
    }
    // A run that is held back by its concurrency key is due no more, so the next round finds others.
    while taken.len() < limit {
        let due = turns::due_runs(cx, limit - taken.len())?;
        if due.is_empty() {
            break;
        }
        if cx.batch.is_open() {
            cx.batch.look_at(cx.conn, &due)?;
        }
        for run in due {
            taken.extend(take(cx, &run.into(), by, false)?);
        }
        cx.settle()?;
    }
    Ok(Reply::Claimed(taken))
}

/// Takes one run, if it is due or its worker is lost.
pub(crate) fn claim_run(cx: &mut Cx, run: &RunId, by: &By) -> Applied<Reply> {
    let row = runs::get(cx, run)?;
    let lease = dialect::lease_row(cx.conn, run.as_str())?;
    let taken = match lease {
        Some((Some(_), _, expires_at_ms, _)) if expires_at_ms.is_some_and(|at| at <= cx.now_ms) => {
            take(cx, run, by, true)?
        }
        Some((None, ..)) if row.due_at_ms.is_some_and(|at| at <= cx.now_ms) => take(cx, run, by, false)?,
        _ => None,
    };
    Ok(Reply::Claimed(taken.into_iter().collect()))
}

fn take(cx: &mut Cx, run: &RunId, by: &By, recovery: bool) -> Applied<Option<Claimed>> {
    let mut log = Log::open(cx, run)?;
    let mut row = runs::get(cx, run)?;
    let state = row.run_state();
    let Ok(next) = state.apply(RunCommand::Claim) else {
        // It can't be: the state machine never leaves such a run due. It must not keep the others from being claimed.
        tracing::error!(%run, %state, "a run that can't be claimed was due; it is left alone");
        leases::free(cx, run)?;
        diesel::update(schema::runs::table.find(run.as_str()))
            .set(schema::runs::due_at_ms.eq(None::<i64>))
            .execute(cx.conn)?;
        return Ok(None);
    };
    let recoveries = match recovery {
        true if has_got_on(cx, run, log.next_seq())? => 1,
        _ => row.recoveries + i64::from(recovery),
    };
    if recovery && recoveries > by.max_recoveries {
        park(cx, &mut log, &row, recoveries)?;
        log.write(cx)?;
        return Ok(None);
    }
    if row.concurrency_key.is_some() || row.rate_key.is_some() {
        cx.settle()?;
    }
    if state == RunState::Queued && !has_room(cx, &row)? {
        diesel::update(schema::runs::table.find(run.as_str()))
            .set(schema::runs::due_at_ms.eq(None::<i64>))
            .execute(cx.conn)?;
        return Ok(None);
    }
    let fresh = row.started_at_ms.is_none();
    if fresh && let Some(begins_at_ms) = rates::begin(cx, &row)? {
        set_due(cx, run, begins_at_ms)?;
        return Ok(None);
    }
    let lease = leases::take(cx, run, by.node, by.expires_at_ms)?;
    row.state = next.as_str().to_owned();
    let started_at_ms = row.started_at_ms.unwrap_or(cx.now_ms);
    match cx.conn {
        AnyConnection::Sqlite(c) => {
            let (state, run) = (next.as_str(), run.as_str());
            hot::ClaimRun { state, started_at_ms: &started_at_ms, recoveries: &recoveries, run }.execute(c)?
        }
        AnyConnection::Postgres(_) if cx.batch.is_open() => {
            cx.batch.take(Taken { run: run.clone(), state: next.as_str(), started_at_ms, recoveries });
            1
        }
        AnyConnection::Postgres(c) => diesel::update(schema::runs::table.find(run.as_str()))
            .set((
                schema::runs::state.eq(next.as_str()),
                schema::runs::waiting_on.eq(None::<String>),
                schema::runs::due_at_ms.eq(None::<i64>),
                schema::runs::started_at_ms.eq(started_at_ms),
                schema::runs::recoveries.eq(recoveries),
            ))
            .execute(c)?,
    };
    log.run(EventKind::RunStarted, json!({ "node": by.node, "epoch": lease.epoch, "recovery": recovery }));
    log.write(cx)?;
    Ok(Some(claimed(&row, lease, fresh)))
}

/// Events that are looked at for whether a run got on since it was last taken.
const LOOK_BACK: i64 = 64;

/// Whether the worker that was lost had finished anything since it took the run. A run that gets on, however often its
/// workers are lost, isn't what takes them down.
fn has_got_on(cx: &mut Cx, run: &RunId, next_seq: i64) -> Applied<bool> {
    use EventKind as Kind;
    let events = events::after(cx.conn, run, (next_seq - 1 - LOOK_BACK).max(0), LOOK_BACK as u32)?;
    let since = events.iter().rev().take_while(|event| event.kind != Kind::RunStarted);
    let finished = |kind| matches!(kind, Kind::StepSucceeded | Kind::StepFailed | Kind::UndoDone | Kind::UndoFailed);
    Ok(since.map(|event| event.kind).any(finished))
}

fn has_room(cx: &mut Cx, row: &RunRow) -> Applied<bool> {
    let (Some(key), Some(limit)) = (&row.concurrency_key, row.concurrency_limit) else { return Ok(true) };
    dialect::exclude_others(cx.conn, key)?;
    Ok(runs::active_with_key(cx, key)? < limit)
}

/// Holds a run that took its process down too often. One that was being undone can't wait as if it went forward: it is
/// stuck, and an operator has its undo tried again.
fn park(cx: &mut Cx, log: &mut Log, row: &RunRow, recoveries: i64) -> Applied<()> {
    let run = row.run_id();
    let state = row.run_state();
    leases::free(cx, &run)?;
    let (next, waiting_on) = match state {
        RunState::Running => (RunState::Waiting, Some(WaitReason::Parked.as_str())),
        _ => (RunState::RollbackStuck, None),
    };
    let problem = Problem::new(
        Code::LimitExceeded,
        format!("the run was lost with its worker {recoveries} times while it was undone"),
    );
    let problem = match next {
        RunState::RollbackStuck if row.problem.is_none() => Some(serde_json::to_string(&problem)?),
        _ => row.problem.clone(),
    };
    diesel::update(schema::runs::table.find(run.as_str()))
        .set((
            schema::runs::state.eq(next.as_str()),
            schema::runs::waiting_on.eq(waiting_on),
            schema::runs::due_at_ms.eq(None::<i64>),
            schema::runs::problem.eq(problem),
            schema::runs::recoveries.eq(recoveries),
        ))
        .execute(cx.conn)?;
    log.run(EventKind::RunParked, json!({ "recoveries": recoveries, "state": state }));
    // It stands in no lock's queue any more.
    timers::of_run(cx, &run)?.iter().try_for_each(|wait| timers::left_queue(cx, wait))?;
    if next == RunState::RollbackStuck {
        rollback::let_others_in(cx, &run, row.concurrency_key.as_deref())?;
    }
    Ok(())
}

/// Gives a run back unfinished.
pub(crate) fn release(cx: &mut Cx, lease: &Lease) -> Applied<()> {
    Log::held(cx, lease)?;
    leases::free(cx, &lease.run)?;
    set_due(cx, &lease.run, cx.now_ms)
}
