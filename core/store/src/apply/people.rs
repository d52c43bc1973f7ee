//! What people and other programs do to a run from outside: cancel it, signal it, decide for it.

use diesel::prelude::*;
use serde_json::{Value, json};
use windlass_model::{Code, EventKind, Problem, RunCommand, RunId, RunState, StepPath, wait::Decision};

use super::{Cx, operator, set_due, settle};
use crate::{
    approvals, chains, dialect,
    error::{Applied, refuse},
    log::Log,
    runs, schema,
    signals::{self, NewSignal},
    timers,
};

/// Asks for a run's end. A running one keeps its lease, and its worker is told.
pub(crate) fn cancel(cx: &mut Cx, run: &RunId, by: &str, reason: Option<&str>) -> Applied<()> {
    let mut log = Log::open(cx, run)?;
    let row = runs::get(cx, run)?;
    let state = row.run_state();
    let next = state.apply(RunCommand::Cancel)?;
    if state == RunState::Failed {
        operator::take_place_again(cx, &row)?;
    }
    let message = match reason {
        Some(reason) => format!("cancelled by {by}: {reason}"),
        None => format!("cancelled by {by}"),
    };
    // Why a failed run had failed says more than that what it left is undone now.
    let problem = match row.problem {
        Some(first) => first,
        None => serde_json::to_string(&Problem::new(Code::Cancelled, message))?,
    };
    diesel::update(schema::runs::table.find(run.as_str()))
        .set((
            schema::runs::state.eq(next.as_str()),
            schema::runs::waiting_on.eq(None::<String>),
            schema::runs::ended_at_ms.eq(None::<i64>),
            schema::runs::cancel_requested.eq(true),
            schema::runs::problem.eq(problem),
        ))
        .execute(cx.conn)?;
    let held = dialect::lease_row(cx.conn, run.as_str())?.is_some_and(|(node, ..)| node.is_some());
    if !held {
        set_due(cx, run, cx.now_ms)?;
    }
    if state == RunState::Waiting {
        // It stands in no lock's queue any more.
        timers::of_run(cx, run)?.iter().try_for_each(|wait| timers::left_queue(cx, wait))?;
    }
    cx.told.run_cancelled(run);
    log.run(EventKind::RunCancelling, json!({ "by": by, "reason": reason }));
    log.write(cx)
}

/// A signal on its way to a run.
pub(crate) struct Delivery<'a> {
    pub run: &'a RunId,
    pub name: &'a str,
    pub payload: &'a Value,
    pub by: &'a str,
    pub id: Option<&'a str>,
}

pub(crate) fn signal(cx: &mut Cx, delivery: &Delivery) -> Applied<()> {
    let &Delivery { run, name, payload, by, id } = delivery;
    let (run, state, mut log) = addressee(cx, run)?;
    let run = &run;
    if state.is_ended() {
        return refuse(Code::IllegalTransition, format!("run `{run}` is {state}: no signal reaches it any more"));
    }
    if let Some(id) = id
        && signals::seen(cx, run, id)?
    {
        return Ok(());
    }
    let seq = log.next_seq();
    signals::insert(cx, &NewSignal { run, seq, name, payload: payload.to_string(), by, id })?;
    log.run(EventKind::SignalReceived, json!({ "name": name, "payload": payload, "by": by }));
    log.write(cx)?;
    runs::wake(cx, run.as_str())
}

/// The run that a signal reaches: the one that it is sent to, or the last of those that this went on as.
fn addressee(cx: &mut Cx, run: &RunId) -> Applied<(RunId, RunState, Log)> {
    let mut to = run.clone();
    loop {
        let log = Log::open(cx, &to)?;
        let state = runs::get(cx, &to)?.run_state();
        if state == RunState::Succeeded {
            let root = chains::root(cx, to.as_str())?;
            // It may have gone on again while its row was waited for.
            if let Some(latest) = chains::latest(cx, &root)?
                && latest != to
            {
                to = latest;
                continue;
            }
        }
        return Ok((to, state, log));
    }
}

/// Generations of children that are looked at, at most.
const GENERATIONS: usize = 256;

/// Whether they launched the run, or one that it is a child of, as far as that is known: who may decide where it isn't is for
/// whoever asks to look at, who knows what they may do.
fn launched_by(cx: &mut Cx, row: &runs::RunRow, who: &str) -> Applied<bool> {
    let mut by = row.launched_by.clone();
    for _ in 0..GENERATIONS {
        if by == who {
            return Ok(true);
        }
        let Some(above) = by.strip_prefix("run:") else { return Ok(false) };
        let Some(row) = runs::find(cx.conn, above)? else { return Ok(false) };
        by = row.launched_by;
    }
    Ok(false)
}

pub(crate) fn decide(cx: &mut Cx, run: &RunId, path: &StepPath, decision: &Decision) -> Applied<()> {
    let mut log = Log::open(cx, run)?;
    let row = runs::get(cx, run)?;
    let Some(mut approval) = approvals::find(cx.conn, run.as_str(), &path.to_string())? else {
        return refuse(Code::NotFound, format!("step {path} of run `{run}` asks for no approval"));
    };
    let request = &approval.request;
    if approval.settled || !matches!(row.run_state(), RunState::Running | RunState::Waiting) {
        return refuse(Code::IllegalTransition, format!("the approval \"{}\" is settled", request.title));
    }
    if decision.digest != request.digest {
        let message = format!("what \"{}\" asks has changed since it was shown", request.title);
        return Err(Problem::new(Code::ApprovalStale, message).help("look at it again, then decide").into());
    }
    if request.expires_at_ms.is_some_and(|at| at <= cx.now_ms) {
        return refuse(Code::ApprovalExpired, format!("the time to decide on \"{}\" is over", request.title));
    }
    if !request.allow_self && launched_by(cx, &row, &decision.by)? {
        let message = format!("{} launched run `{run}`, and can't decide on its approval", decision.by);
        return Err(Problem::new(Code::PermissionDenied, message).help("ask somebody else to decide").into());
    }
    if approval.decisions.iter().any(|earlier| earlier.by == decision.by) {
        return refuse(Code::Conflict, format!("{} has decided on \"{}\" already", decision.by, request.title));
    }
    let path = path.to_string();
    approvals::decide(cx, run, &path, log.next_seq(), decision)?;
    log.step(EventKind::ApprovalDecided, &path, json!({ "decision": decision }));
    log.write(cx)?;
    approval.decisions.push(decision.clone());
    if settle::decided(&approval).is_some() {
        approvals::set_settled(cx, run, &path)?;
        runs::wake(cx, run.as_str())?;
    }
    Ok(())
}
