//! Whether a wait is over, and what ends it. Deciding reads only; settling then takes what ended the wait.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{
    Code, LockName, Outcome, Problem, RunId, RunState, WaitSpec,
    lock::{self, SCOPED},
    query::ApprovalRecord,
    time::format_duration_ms,
    wait::{ApprovalRequest, Decision, OnExpiry},
};

use super::Cx;
use crate::{
    approvals, chains, dialect,
    error::Applied,
    locks::{self, OpenTo},
    runs, signals, steps,
    timers::{self, WaitRow},
};

/// What ended a wait.
pub(crate) enum Over {
    /// Nothing has to be taken: time, an expiry, a child's end.
    Plain(Outcome),
    /// A signal, which is taken.
    Signal { seq: i64, payload: String },
    /// A lock. `held`: the run has it already.
    Lock { kept: String, held: bool, scoped: bool },
    /// A decision, or an expiry that counts as one.
    Approval(Outcome),
}

/// Whether the wait is over by now. Whether a branch of the run is inside of a lock may have changed since the wait was recorded:
/// who asks for it says so in `asked`; else the steps tell.
pub(crate) fn over(cx: &mut Cx, run: &RunId, wait: &WaitRow, asked: Option<&WaitSpec>) -> Applied<Option<Over>> {
    let expired = wait.due_at_ms.is_some_and(|at| at <= cx.now_ms);
    let ended = match serde_json::from_str::<WaitSpec>(&wait.spec)? {
        WaitSpec::Timer { .. } => expired.then(|| Over::Plain(null())),
        WaitSpec::Signal { name, .. } => match signals::oldest(cx, run, &name)? {
            Some((seq, payload)) => Some(Over::Signal { seq, payload }),
            None => expired.then(|| Over::Plain(timed_out(cx, wait, &format!("no signal `{name}` came")))),
        },
        WaitSpec::Lock { lock, from_stuck, scoped, .. } => {
            let kept = locks::kept(cx, &lock, run)?;
            let wasnt_free = || format!("the lock `{}` wasn't free", lock.name);
            match free_for(cx, run, wait, &Wanted { lock: &lock, kept: &kept, from_stuck }, asked)? {
                Some(held) => Some(Over::Lock { kept, held, scoped }),
                None => expired.then(|| Over::Plain(timed_out(cx, wait, &wasnt_free()))),
            }
        }
        WaitSpec::Approval(_) => approval_over(cx, run, wait, expired)?,
        WaitSpec::Child { run: child } => child_outcome(cx, run, &child)?.map(Over::Plain),
    };
    Ok(ended)
}

/// Takes what ended the wait, and gives the step's outcome.
pub(crate) fn take(cx: &mut Cx, run: &RunId, path: &str, over: Over) -> Applied<Outcome> {
    match over {
        Over::Plain(outcome) => Ok(outcome),
        Over::Signal { seq, payload } => {
            signals::consume(cx, run, seq, path)?;
            Ok(Outcome::Value(payload.into()))
        }
        Over::Lock { kept, held, scoped } => {
            if !held {
                // What is taken from a run whose undo is stuck.
                locks::take_away(cx, &kept)?;
                locks::acquire(cx, &kept, run)?;
            }
            Ok(if scoped { Outcome::Value(SCOPED.into()) } else { null() })
        }
        Over::Approval(outcome) => {
            approvals::set_settled(cx, run, path)?;
            Ok(outcome)
        }
    }
}

fn null() -> Outcome {
    Outcome::Value("null".into())
}

fn timed_out(cx: &Cx, wait: &WaitRow, what: &str) -> Outcome {
    let waited = format_duration_ms(wait.due_at_ms.unwrap_or(cx.now_ms) - wait.since_ms);
    Outcome::Error(Arc::new(Problem::new(Code::WaitTimeout, format!("{what} within {waited}"))))
}

/// A lock that a step waits for.
struct Wanted<'a> {
    lock: &'a LockName,
    kept: &'a str,
    from_stuck: bool,
}

/// `Some(held)` if the run may go on with the lock: it has it and none of its branches is inside, or it is open to this step,
/// which is first of those whom it is open to.
fn free_for(
    cx: &mut Cx,
    run: &RunId,
    wait: &WaitRow,
    wanted: &Wanted,
    asked: Option<&WaitSpec>,
) -> Applied<Option<bool>> {
    let &Wanted { lock, kept: name, from_stuck } = wanted;
    dialect::exclude_others(cx.conn, name)?;
    if locks::holder(cx, name)?.is_some_and(|holder| holder == run.as_str()) {
        let beside = match asked {
            Some(asked) => matches!(asked, WaitSpec::Lock { beside: true, .. }),
            None => is_inside(cx, run, lock)?,
        };
        return Ok((!beside).then_some(true));
    }
    let open_to = locks::open_to(cx, name)?;
    let ours = match &open_to {
        OpenTo::Nobody => false,
        OpenTo::All => true,
        OpenTo::TakesFromStuck { organisation } => from_stuck && runs::organisation(cx, run)? == *organisation,
    };
    if !ours {
        return Ok(None);
    }
    let first = timers::first_for_lock(cx, name, &open_to)?;
    let ours = first.is_none_or(|(first_run, path)| first_run == wait.run_id && path == wait.path);
    Ok(ours.then_some(false))
}

/// Whether a branch of the run is inside of the lock, as the next evaluation will find it.
fn is_inside(cx: &mut Cx, run: &RunId, wanted: &LockName) -> Applied<bool> {
    cx.settle()?;
    let steps = steps::of_run(cx.conn, run)?;
    Ok(lock::held(steps.iter()).iter().any(|held| held.lock == *wanted))
}

fn approval_over(cx: &mut Cx, run: &RunId, wait: &WaitRow, expired: bool) -> Applied<Option<Over>> {
    let Some(approval) = approvals::find(cx.conn, run.as_str(), &wait.path)? else { return Ok(None) };
    if let Some(outcome) = decided(&approval) {
        return Ok(Some(Over::Approval(outcome)));
    }
    Ok(expired.then(|| Over::Approval(on_expiry(&approval.request))))
}

/// The outcome of an approval that was denied, or approved by as many people as it takes.
pub(crate) fn decided(approval: &ApprovalRecord) -> Option<Outcome> {
    let denied = approval.decisions.iter().find(|decision| !decision.approved);
    if let Some(decision) = denied {
        return Some(decision_outcome(false, std::slice::from_ref(decision)));
    }
    let quorum = approval.request.quorum.max(1) as usize;
    (approval.decisions.len() >= quorum).then(|| decision_outcome(true, &approval.decisions))
}

fn decision_outcome(approved: bool, decisions: &[Decision]) -> Outcome {
    let by: Vec<&str> = decisions.iter().map(|decision| decision.by.as_str()).collect();
    let last = decisions.last();
    let value = json!({
        "approved": approved,
        "by": by,
        "comment": last.and_then(|decision| decision.comment.as_deref()),
        "form": last.map_or(Value::Null, |decision| decision.form.clone()),
    });
    Outcome::Value(value.to_string().into())
}

fn on_expiry(request: &ApprovalRequest) -> Outcome {
    match request.on_expiry {
        OnExpiry::Fail => {
            let message = format!("nobody decided on \"{}\" in time", request.title);
            Outcome::Error(Arc::new(Problem::new(Code::ApprovalExpired, message)))
        }
        OnExpiry::Deny => decision_outcome(false, &[]),
        OnExpiry::Approve => decision_outcome(true, &[]),
    }
}

/// What a child that has ended came to: the last of the runs that it went on as. Another organisation's run is no child: what it gave
/// is none of this run's business, nor that it is there.
fn child_outcome(cx: &mut Cx, run: &RunId, child: &RunId) -> Applied<Option<Outcome>> {
    let root = chains::root(cx, child.as_str())?;
    timers::exclude_end_of(cx, &root)?;
    let last = chains::latest(cx, &root)?.unwrap_or_else(|| child.clone());
    let organisation = runs::organisation(cx, run)?;
    let found = runs::find(cx.conn, last.as_str())?;
    let Some(row) = found.filter(|row| row.organisation == organisation) else {
        let problem = Problem::new(Code::ChildFailed, format!("there is no child run `{child}`"));
        return Ok(Some(Outcome::Error(Arc::new(problem))));
    };
    let state = row.run_state();
    if !state.is_ended() {
        return Ok(None);
    }
    if let Some(next) = row.output.as_deref().and_then(gone_on)
        && state == RunState::Succeeded
        && runs::find(cx.conn, &next)?.is_none()
    {
        let message = format!("the child run `{child}` went on as `{next}`, which isn't kept any more");
        return Ok(Some(Outcome::Error(Arc::new(Problem::new(Code::ChildFailed, message)))));
    }
    if state == RunState::Succeeded {
        return Ok(Some(Outcome::Value(row.output.unwrap_or_else(|| "null".to_owned()).into())));
    }
    let reason = row.problem.as_deref().map(steps::problem);
    let message = match &reason {
        Some(reason) => format!("the child run `{}` is {state}: {reason}", row.id),
        None => format!("the child run `{}` is {state}", row.id),
    };
    let facts = json!({ "run": row.id, "state": state, "error": reason });
    Ok(Some(Outcome::Error(Arc::new(Problem::new(Code::ChildFailed, message).data(facts)))))
}

/// The run that a run went on as, by its output.
fn gone_on(output: &str) -> Option<String> {
    let output: Value = serde_json::from_str(output).ok()?;
    output.as_object().filter(|output| output.len() == 1)?.get("continued_as")?.as_str().map(str::to_owned)
}
