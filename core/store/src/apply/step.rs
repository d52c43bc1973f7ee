//! Steps: intent, outcome, events without a change of state, and doubt.

use std::collections::HashSet;

use serde_json::{Value, json};
use windlass_model::{
    Code, EffectClass, EventKind, LockName, Outcome, RunCommand, StepCall, StepPath, StepState, WaitReason,
    command::{Given, Lease, Reply},
    event::NewEvent,
    journal::LocalEffect,
};

use super::{Cx, local};
use crate::{
    error::{Applied, refuse},
    events, leases,
    log::Log,
    resources::{self, Effect},
    runs,
    steps::{self, Finished, Intent},
    timers, undo,
};

/// Intent. If the step has an outcome after all, that is the answer.
pub(crate) fn begin(cx: &mut Cx, lease: &Lease, call: &StepCall) -> Applied<Reply> {
    let first = leases::allocate(cx, lease, 1)?;
    let intent = steps::put_started(cx, &lease.run, call)?;
    if intent == Intent::Late {
        leases::give_back(cx, &lease.run, 1)?;
        return recorded(cx, lease, &call.path);
    }
    let mut left = resources::are_begun(cx, &lease.run, &call.path, &call.resources)?;
    if let Some(spec) = &call.undo {
        left |= !undo::register(cx, &lease.run, &call.path, spec, &call.site)?;
    }
    if left && intent == Intent::New {
        steps::set_performed_before(cx, &lease.run, &call.path)?;
    }
    resources::change(cx, &lease.run, &call.path, &call.resources, Effect::Intended)?;
    events::insert(cx, &lease.run, first, &[started_event(call)?])?;
    Ok(Reply::Done)
}

/// Outcome. A step that has one already keeps it.
pub(crate) fn finish(cx: &mut Cx, lease: &Lease, call: &StepCall, finished: &Finished) -> Applied<Reply> {
    let run = &lease.run;
    let first = leases::allocate(cx, lease, 1)?;
    let Some(begun) = steps::put_finished(cx, run, first, call, finished)? else {
        leases::give_back(cx, run, 1)?;
        return recorded(cx, lease, &call.path);
    };
    let effect = match finished.outcome {
        Outcome::Value(_) => Some(Effect::Happened),
        // It speaks of the last time that the step was performed.
        Outcome::Error(problem) if problem.no_effect && begun <= 1 => Some(Effect::Void),
        // It may have happened: the undo list will tell.
        Outcome::Error(_) => None,
    };
    if let Some(effect) = effect {
        resources::change(cx, run, &call.path, &call.resources, effect)?;
        if let (Effect::Void, Some(spec)) = (effect, &call.undo) {
            undo::make_void(cx, run, &call.path, spec)?;
        }
    }
    match call.class {
        EffectClass::Scope => timers::drop_waits(cx, run, Some(&format!("{}/", call.path)))?,
        EffectClass::Wait => {
            if let Some(wait) = timers::find(cx, run, &call.path)? {
                timers::remove(cx, run, &wait.path)?;
                timers::left_queue(cx, &wait)?;
            }
        }
        _ => {}
    }
    Ok(Reply::Outcome(finished.outcome.clone()))
}

/// Gives back the locks that stopped branches of a scope were inside of. A child that one of them waits for goes on: then they stay
/// the run's, until it ends.
pub(crate) fn give_back(cx: &mut Cx, lease: &Lease, scope: &StepPath, locks: &[(LockName, StepCall)]) -> Applied<()> {
    let below = format!("{scope}/");
    let is_child = |wait: &timers::WaitRow| wait.reason == WaitReason::Child.as_str() && wait.path.starts_with(&below);
    if timers::of_run(cx, &lease.run)?.iter().any(is_child) {
        return Ok(());
    }
    for (lock, unlock) in locks {
        let effect = LocalEffect::Unlock { lock: lock.clone() };
        local::local(cx, lease, unlock, &effect, &Given::Nothing)?;
    }
    Ok(())
}

fn recorded(cx: &mut Cx, lease: &Lease, path: &StepPath) -> Applied<Reply> {
    let row = steps::find(cx, &lease.run, path)?;
    match row.as_ref().and_then(steps::StepRow::outcome) {
        Some(outcome) => Ok(Reply::Outcome(outcome)),
        None => {
            let state = row.map_or(StepState::Started, |row| row.step_state());
            refuse(Code::IllegalTransition, format!("step {path} of run `{}` is {state}", lease.run))
        }
    }
}

/// The event that a step's intent commits with.
pub(crate) fn started_event(call: &StepCall) -> Applied<NewEvent> {
    let data = format!(
        r#"{{"op":{},"class":"{}","site":{},"args":{}}}"#,
        serde_json::to_string(&call.op)?,
        call.class,
        serde_json::to_string(&steps::site_text(&call.site))?,
        call.args,
    );
    Ok(NewEvent { kind: EventKind::StepStarted, path: Some(call.path.to_string()), data })
}

/// Forgets steps that are over, but for those that are on the undo list; how many.
pub(crate) fn forget(cx: &mut Cx, lease: &Lease, paths: &[StepPath]) -> Applied<u64> {
    let _log = Log::held(cx, lease)?;
    let undone: HashSet<String> = undo::rows(cx, &lease.run)?.into_iter().map(|entry| entry.path).collect();
    let over = paths.iter().filter(|path| !undone.contains(&path.to_string())).cloned().collect::<Vec<_>>();
    let forgotten = steps::forget_finished(cx, &lease.run, &over)?;
    cx.recent.forget(&lease.run);
    Ok(forgotten)
}

/// Events without a change of state.
pub(crate) fn emit(cx: &mut Cx, lease: &Lease, new: &[NewEvent]) -> Applied<()> {
    if new.is_empty() {
        return Ok(());
    }
    let first = leases::allocate(cx, lease, new.len() as i64)?;
    events::insert(cx, &lease.run, first, new)
}

/// Marks a step whose effect may or may not have happened.
pub(crate) fn in_doubt(cx: &mut Cx, lease: &Lease, path: &StepPath) -> Applied<()> {
    let mut log = Log::held(cx, lease)?;
    // Only a run that can wait for an operator can be in doubt, or one whose undo can be stuck.
    let run = runs::get(cx, &lease.run)?;
    let state = run.run_state();
    state.apply(RunCommand::Suspend).or_else(|refused| state.apply(RunCommand::StickRollback).map_err(|_| refused))?;
    let Some(row) = steps::find(cx, &lease.run, path)? else {
        return refuse(Code::NotFound, format!("run `{}` has no step {path}", lease.run));
    };
    match row.step_state() {
        StepState::InDoubt => return Ok(()),
        StepState::Started => {}
        state => {
            return refuse(Code::IllegalTransition, format!("step {path} is {state}: there is no doubt about it"));
        }
    }
    steps::set_state(cx, &lease.run, path, StepState::InDoubt)?;
    let args: Value = serde_json::from_str(&row.args)?;
    let mut data = json!({ "op": row.op, "args": args, "site": row.site });
    if run.restored_at_ms.is_some() {
        data["restored_at_ms"] = json!(run.restored_at_ms);
    }
    log.step(EventKind::StepInDoubt, path, data);
    log.write(cx)
}
