//! An operator's word: on a step in doubt, a stuck undo, a parked run, a failed one, one on old sources.

use diesel::prelude::*;
use serde_json::json;
use windlass_model::{
    BundleDigest, Code, EventKind, LockName, Outcome, Problem, ResourceState, RunCommand, RunId, RunState, StepPath,
    StepState, WaitReason,
    undo::{StuckAction, UndoState},
    wait::Resolution,
};

use super::{Cx, set_due};
use crate::{
    approvals, bundles, dialect,
    error::{Applied, refuse},
    events, journal_log, leases, locks,
    log::Log,
    resources,
    runs::{self, RunRow},
    schema, steps, undo,
};

pub(crate) fn resolve(cx: &mut Cx, run: &RunId, path: &StepPath, resolution: &Resolution, by: &str) -> Applied<()> {
    let mut log = Log::open(cx, run)?;
    let Some(step) = steps::find(cx, run, path)? else {
        return refuse(Code::NotFound, format!("run `{run}` has no step {path}"));
    };
    if step.step_state() != StepState::InDoubt {
        return refuse(
            Code::IllegalTransition,
            format!("step {path} of run `{run}` is {}: there is no doubt about it", step.state),
        );
    }
    let text = path.to_string();
    let data = json!({ "by": by, "resolution": resolution });
    // Of a restored run what isn't recorded is in doubt: the step stands for what was said about it.
    match *resolution == Resolution::Perform && runs::get(cx, run)?.restored_at_ms.is_some() {
        true => steps::set_unperformed(cx, run, path)?,
        false => drop(steps::remove_open(cx, run, &text)?),
    }
    match resolution {
        Resolution::Happened { result } => {
            log.resolved(step.with_outcome(&Outcome::Value(result.to_string().into()))?, data);
            resources::set_intended_live(cx, run, &text)?;
        }
        Resolution::Perform => log.step(EventKind::StepResolved, path, data),
        Resolution::Fail => {
            let message = format!("{by} failed step {path} (`{}`), about which there was doubt", step.op);
            let problem = Problem::new(Code::FailedByOperator, message).at(steps::parse_site(&step.site));
            log.resolved(step.with_outcome(&Outcome::Error(problem.into()))?, data);
        }
    }
    log.write(cx)?;
    runs::wake(cx, run.as_str())
}

pub(crate) fn unstick(cx: &mut Cx, run: &RunId, action: StuckAction, by: &str) -> Applied<()> {
    let mut log = Log::open(cx, run)?;
    let row = runs::get(cx, run)?;
    let next = row.run_state().apply(RunCommand::RetryRollback)?;
    take_place_again(cx, &row)?;
    let failed = undo::failed(cx, run)?;
    match (action, failed) {
        (StuckAction::Retry, Some(entry)) => undo::set_state(cx, run, entry.seq, UndoState::Registered, None)?,
        // Held for its recoveries, not for a failed entry.
        (StuckAction::Retry, None) => {}
        (StuckAction::Skip | StuckAction::Adopt, Some(entry)) => {
            let state = if action == StuckAction::Adopt { ResourceState::Adopted } else { ResourceState::Live };
            undo::set_state(cx, run, entry.seq, UndoState::Skipped, None)?;
            resources::set_of_step(cx, run, &entry.origin, &entry.path, state)?;
            log.step(EventKind::UndoSkipped, &entry.path, json!({ "seq": entry.seq, "by": by, "action": action }));
        }
        (StuckAction::Skip | StuckAction::Adopt, None) => {
            return refuse(Code::Conflict, format!("no undo of run `{run}` has failed: there is nothing to skip"));
        }
    }
    let entries = undo::registered(cx, run)?;
    log.run(EventKind::RunRollingBack, json!({ "entries": entries }));
    log.write(cx)?;
    diesel::update(schema::runs::table.find(run.as_str()))
        .set((schema::runs::state.eq(next.as_str()), schema::runs::recoveries.eq(0_i64)))
        .execute(cx.conn)?;
    set_due(cx, run, cx.now_ms)
}

/// What kept others out gets its place again, unless another run stands there: an undo must not go on beside what is built anew.
pub(super) fn take_place_again(cx: &mut Cx, row: &RunRow) -> Applied<()> {
    let run = row.run_id();
    let lost = locks::lost(cx, &run)?;
    if let Some((name, Some(holder))) = lost.iter().find(|(_, holder)| holder.is_some()) {
        let how = match row.run_state() {
            RunState::Failed => format!("which run `{run}` gave back when it failed"),
            _ => format!("which was taken from run `{run}` when its undo was stuck"),
        };
        let name = LockName::shown(name);
        return in_use(format!("run `{holder}` has the lock `{name}`, {how}"), &format!("run `{holder}`"));
    }
    if let (Some(key), Some(limit)) = (&row.concurrency_key, row.concurrency_limit) {
        dialect::exclude_others(cx.conn, key)?;
        cx.settle()?;
        if runs::active_with_key(cx, key)? >= limit {
            let others = runs::some_active_with_key(cx, key)?.join("`, `");
            let message = format!("the concurrency key of run `{run}` is in use by `{others}`");
            return in_use(message, &format!("one of `{others}`"));
        }
    }
    lost.iter().try_for_each(|(name, _)| locks::give_back(cx, name, &run))
}

fn in_use(message: String, others: &str) -> Applied<()> {
    let help = format!("wait until {others} has ended, or cancel it; then try again");
    Err(Problem::new(Code::Conflict, message).help(help).into())
}

/// Locks that a restarted run would go on inside of, and that none of its steps takes again. Whatever else it lost it has no
/// more: it waits for that where its script does.
fn retake(cx: &mut Cx, run: &RunId, names: &[LockName]) -> Applied<()> {
    locks::forget_lost(cx, run)?;
    for lock in names {
        let kept = &locks::kept(cx, lock, run)?;
        dialect::exclude_others(cx.conn, kept)?;
        match locks::holder(cx, kept)? {
            None => locks::acquire(cx, kept, run)?,
            // Several of its steps may have taken it.
            Some(holder) if holder == run.as_str() => {}
            Some(holder) => {
                let message = format!(
                    "run `{holder}` has the lock `{}`, which run `{run}` gave back when it failed, and inside of which it would go on",
                    lock.name
                );
                in_use(message, &format!("run `{holder}`"))?;
            }
        }
    }
    Ok(())
}

pub(crate) fn unpark(cx: &mut Cx, run: &RunId) -> Applied<()> {
    Log::open(cx, run)?;
    let row = runs::get(cx, run)?;
    if !row.is_parked() {
        let message = format!("run `{run}` is {}, not {}", row.state, WaitReason::Parked);
        return refuse(Code::IllegalTransition, message);
    }
    diesel::update(schema::runs::table.find(run.as_str())).set(schema::runs::recoveries.eq(0_i64)).execute(cx.conn)?;
    set_due(cx, run, cx.now_ms)
}

/// How a failed run is restarted.
pub(crate) struct Anew<'a> {
    pub run: &'a RunId,
    pub bundle: &'a BundleDigest,
    pub drop: &'a [StepPath],
    pub retake: &'a [LockName],
    pub from: Option<&'a StepPath>,
    pub judged: i64,
    pub by: &'a str,
}

/// A failed run goes on from the steps that are left of its journal.
pub(crate) fn restart(cx: &mut Cx, anew: &Anew) -> Applied<()> {
    let &Anew { run, bundle, drop, from, judged, by, .. } = anew;
    let mut log = Log::open(cx, run)?;
    let row = runs::get(cx, run)?;
    let next = row.run_state().apply(RunCommand::Restart)?;
    stands(&log, run, judged)?;
    bundles::require(cx, bundle)?;
    retake(cx, run, anew.retake)?;
    let outputs = from.map(|from| events::outputs_before(cx.conn, run, from)).transpose()?;
    let dropped = steps::remove(cx, run, drop)?;
    cx.recent.forget(run);
    for path in drop {
        undo::forget_void(cx, run, path)?;
        approvals::remove(cx, run, &path.to_string())?;
    }
    // It gets as much time again as it had.
    let deadline_at_ms = match row.deadline_at_ms {
        Some(at) => {
            let began = journal_log::restarts(cx.conn, run)?.into_iter().last().unwrap_or(row.launched_at_ms);
            Some(cx.now_ms + (at - began))
        }
        None => None,
    };
    diesel::update(schema::runs::table.find(run.as_str()))
        .set((
            schema::runs::state.eq(next.as_str()),
            schema::runs::bundle.eq(bundle.as_str()),
            schema::runs::problem.eq(None::<String>),
            schema::runs::ended_at_ms.eq(None::<i64>),
            schema::runs::deadline_at_ms.eq(deadline_at_ms),
            schema::runs::recoveries.eq(0_i64),
        ))
        .execute(cx.conn)?;
    let mut data = json!({ "bundle": bundle, "dropped": dropped, "by": by });
    if let Some(from) = from {
        data["from"] = json!(from);
        data["outputs"] = json!(outputs);
    }
    log.run(EventKind::RunRestarted, data);
    log.write(cx)?;
    set_due(cx, run, cx.now_ms)
}

/// An open run that nobody holds, and that stands where it was judged, goes on with other sources.
pub(crate) fn upgrade(cx: &mut Cx, run: &RunId, bundle: &BundleDigest, judged: i64, by: &str) -> Applied<()> {
    let mut log = Log::open(cx, run)?;
    let row = runs::get(cx, run)?;
    let state = row.run_state();
    if !matches!(state, RunState::Queued | RunState::Waiting | RunState::Running) {
        return refuse(Code::IllegalTransition, format!("run `{run}` is {state}: its script won't go on"));
    }
    if leases::is_held(cx, run)? {
        let problem = Problem::new(Code::Conflict, format!("a worker has run `{run}` right now"));
        return Err(problem.help("try again when it waits").retryable().into());
    }
    stands(&log, run, judged).map_err(Problem::retryable)?;
    bundles::require(cx, bundle)?;
    diesel::update(schema::runs::table.find(run.as_str()))
        .set(schema::runs::bundle.eq(bundle.as_str()))
        .execute(cx.conn)?;
    log.run(EventKind::RunUpgraded, json!({ "from": row.bundle, "to": bundle, "by": by }));
    log.write(cx)
}

/// Refuses a run that has gone on since it was looked at.
fn stands(log: &Log, run: &RunId, judged: i64) -> Result<(), Problem> {
    if log.next_seq() == judged {
        return Ok(());
    }
    let problem = Problem::new(Code::Conflict, format!("run `{run}` has gone on since it was judged"));
    Err(problem.help("look at it, and try again").data(json!({ "judged": judged })))
}
