//! Undoing: entry by entry from the last, to the end or to the first that can't be undone.

use diesel::prelude::*;
use serde_json::{Value, json};
use windlass_model::{
    Code, EventKind, Problem, ResourceState, RunCommand, RunId, RunState,
    command::Lease,
    undo::{UndoSpec, UndoState},
};

use super::{Cx, end::end};
use crate::{
    error::{Applied, refuse},
    leases, locks,
    log::Log,
    resources,
    runs::{self, RunRow},
    schema, timers,
    undo::{self, UndoRow},
};

/// A cancelled run begins to be undone.
pub(crate) fn begin(cx: &mut Cx, lease: &Lease) -> Applied<()> {
    let mut log = Log::held(cx, lease)?;
    let next = runs::get(cx, &lease.run)?.run_state().apply(RunCommand::BeginRollback)?;
    let entries = undo::registered(cx, &lease.run)?;
    log.run(EventKind::RunRollingBack, json!({ "entries": entries }));
    log.write(cx)?;
    timers::drop_waits(cx, &lease.run, None)?;
    diesel::update(schema::runs::table.find(lease.run.as_str()))
        .set(schema::runs::state.eq(next.as_str()))
        .execute(cx.conn)?;
    Ok(())
}

/// What an entry's events say of it.
fn facts(entry: &UndoRow) -> Applied<Value> {
    Ok(match entry.spec()? {
        UndoSpec::Op { op, .. } => json!({ "seq": entry.seq, "op": op }),
        UndoSpec::Closure { label } => json!({ "seq": entry.seq, "label": label }),
    })
}

fn open_entry(cx: &mut Cx, lease: &Lease, seq: i64) -> Applied<UndoRow> {
    let state = runs::get(cx, &lease.run)?.run_state();
    if state != RunState::RollingBack {
        return refuse(Code::IllegalTransition, format!("run `{}` is {state}: nothing of it is undone now", lease.run));
    }
    let entry = undo::get(cx, &lease.run, seq)?;
    if entry.state != UndoState::Registered.as_str() {
        return refuse(Code::IllegalTransition, format!("undo entry {seq} of run `{}` is {}", lease.run, entry.state));
    }
    Ok(entry)
}

pub(crate) fn undo_begin(cx: &mut Cx, lease: &Lease, seq: i64) -> Applied<()> {
    let mut log = Log::held(cx, lease)?;
    let entry = open_entry(cx, lease, seq)?;
    undo::set_started(cx, &lease.run, seq)?;
    log.step(EventKind::UndoStarted, &entry.path, facts(&entry)?);
    log.write(cx)
}

pub(crate) fn undo_finish(cx: &mut Cx, lease: &Lease, seq: i64, problem: Option<&Problem>) -> Applied<()> {
    let mut log = Log::held(cx, lease)?;
    let entry = open_entry(cx, lease, seq)?;
    let mut data = facts(&entry)?;
    match problem {
        None => {
            undo::set_state(cx, &lease.run, seq, UndoState::Done, None)?;
            resources::set_of_step(cx, &lease.run, &entry.origin, &entry.path, ResourceState::Gone)?;
            data["elapsed_ms"] = (cx.now_ms - entry.started_at_ms.unwrap_or(cx.now_ms)).into();
            log.step(EventKind::UndoDone, &entry.path, data);
        }
        Some(problem) => {
            undo::set_state(cx, &lease.run, seq, UndoState::Failed, Some(problem))?;
            data["error"] = serde_json::to_value(problem)?;
            log.step(EventKind::UndoFailed, &entry.path, data);
        }
    }
    log.write(cx)
}

/// Everything is undone. Whether the run was cancelled or had failed decides how it ends.
pub(crate) fn finish(cx: &mut Cx, lease: &Lease) -> Applied<()> {
    let mut log = Log::held(cx, lease)?;
    let row = runs::get(cx, &lease.run)?;
    let cancelled = row.cancel_requested;
    let next = row.run_state().apply(RunCommand::FinishRollback { cancelled })?;
    let left = undo::registered(cx, &lease.run)?;
    if left > 0 || undo::failed(cx, &lease.run)?.is_some() {
        return refuse(Code::IllegalTransition, format!("the undo list of run `{}` isn't worked off", lease.run));
    }
    let kind = if cancelled { EventKind::RunCancelled } else { EventKind::RunRolledBack };
    log.run(kind, json!({}));
    log.write(cx)?;
    end(cx, &row, next, None, None)
}

/// An undo failed for good: the run keeps its locks, and waits for an operator.
pub(crate) fn stick(cx: &mut Cx, lease: &Lease, problem: &Problem) -> Applied<()> {
    let log = Log::held(cx, lease)?;
    let row = runs::get(cx, &lease.run)?;
    let next = row.run_state().apply(RunCommand::StickRollback)?;
    let failed = undo::failed(cx, &lease.run)?.map(|entry| entry.seq);
    let entry = match failed {
        Some(failed) => Some(failed),
        None => undo::last_registered(cx, &lease.run)?,
    };
    stuck(cx, log, &row, next, &Stuck { entry, problem })
}

/// An operator stops the undo that is under way, whoever works on it: what that one writes from now on is refused.
pub(crate) fn stop(cx: &mut Cx, run: &RunId, by: &str, reason: Option<&str>) -> Applied<()> {
    let log = Log::open(cx, run)?;
    let row = runs::get(cx, run)?;
    let next = row.run_state().apply(RunCommand::StickRollback)?;
    let failed = undo::failed(cx, run)?.map(|entry| entry.seq);
    let Some(entry) = failed.or(undo::last_registered(cx, run)?) else {
        return refuse(Code::Conflict, format!("everything of run `{run}` is undone: it is about to end"));
    };
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let problem = Problem::new(Code::FailedByOperator, format!("{by} stopped the undo{why}"))
        .help("look at what it was doing; `windlass runs unstick` has it tried again, or skipped");
    cx.told.run_stopped(run);
    stuck(cx, log, &row, next, &Stuck { entry: Some(entry), problem: &problem })
}

/// What an undo is stuck at.
struct Stuck<'a> {
    /// The entry that an operator has to decide about.
    entry: Option<i64>,
    problem: &'a Problem,
}

fn stuck(cx: &mut Cx, mut log: Log, row: &RunRow, next: RunState, at: &Stuck) -> Applied<()> {
    let (run, &Stuck { entry, problem }) = (row.run_id(), at);
    if let Some(entry) = entry
        && undo::get(cx, &run, entry)?.state == UndoState::Registered.as_str()
    {
        undo::set_state(cx, &run, entry, UndoState::Failed, Some(problem))?;
    }
    let left_over = resources::list(cx.conn, Some(&run), true)?;
    log.run(EventKind::RunRollbackStuck, json!({ "entry": entry, "error": problem, "left_over": left_over }));
    log.write(cx)?;
    let text = match &row.problem {
        Some(first) => first.clone(),
        None => serde_json::to_string(problem)?,
    };
    diesel::update(schema::runs::table.find(run.as_str()))
        .set((
            schema::runs::state.eq(next.as_str()),
            schema::runs::problem.eq(text),
            schema::runs::due_at_ms.eq(None::<i64>),
        ))
        .execute(cx.conn)?;
    leases::free(cx, &run)?;
    let_others_in(cx, &run, row.concurrency_key.as_deref())
}

/// A run whose undo is stuck keeps nobody out by its concurrency key, and its locks from those only who don't take them from
/// such a run.
pub(crate) fn let_others_in(cx: &mut Cx, run: &RunId, key: Option<&str>) -> Applied<()> {
    locks::stuck(cx, run)?;
    let Some(key) = key else { return Ok(()) };
    cx.settle()?;
    runs::wake_key(cx, key)
}
