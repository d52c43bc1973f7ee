//! Waits: recorded the first time, settled when they are over.

use serde_json::json;
use windlass_model::{
    EffectClass, EventKind, RunCommand, StepCall, WaitSpec,
    command::{Lease, Reply},
};

use super::{Cx, settle};
use crate::{
    approvals,
    error::{Applied, refuse},
    finished::data_unlike,
    log::Log,
    runs, steps, timers,
};

/// Waits. A wait that is over at once is recorded as such, without having waited.
pub(crate) fn wait(cx: &mut Cx, lease: &Lease, call: &StepCall, spec: &WaitSpec) -> Applied<Reply> {
    let run = &lease.run;
    let mut log = Log::held(cx, lease)?;
    let step = steps::find(cx, run, &call.path)?;
    if let Some(outcome) = step.as_ref().and_then(steps::StepRow::outcome) {
        return Ok(Reply::Outcome(outcome));
    }
    let row = match timers::find(cx, run, &call.path)? {
        // What was asked for the first time counts: a time that is computed anew would never come.
        Some(row) => row,
        None if step.is_some() => {
            let message = format!("another call stands at step {} of run `{run}`", call.path);
            return refuse(windlass_model::Code::IllegalTransition, message);
        }
        None => {
            runs::get(cx, run)?.run_state().apply(RunCommand::Suspend)?;
            record(cx, &mut log, lease, call, spec)?
        }
    };
    let reply = match settle::over(cx, run, &row, Some(spec))? {
        None => Reply::Waiting,
        Some(over) => {
            let outcome = settle::take(cx, run, &row.path, over)?;
            timers::remove(cx, run, &row.path)?;
            timers::left_queue(cx, &row)?;
            let Some(open) = steps::take_open(cx, run, &row.path)? else {
                return refuse(windlass_model::Code::Internal, format!("the wait {} has no step", row.path));
            };
            let data = data_unlike(&open, call, &outcome, cx.now_ms - row.since_ms, cx.now_ms)?;
            log.finished(open.with_outcome(&outcome)?, data);
            Reply::Outcome(outcome)
        }
    };
    log.write(cx)?;
    Ok(reply)
}

fn record(cx: &mut Cx, log: &mut Log, lease: &Lease, call: &StepCall, spec: &WaitSpec) -> Applied<timers::WaitRow> {
    let run = &lease.run;
    if call.class != EffectClass::Wait {
        return refuse(windlass_model::Code::Internal, format!("`{}` isn't a wait", call.op));
    }
    steps::put_waiting(cx, run, call)?;
    timers::insert(cx, run, &call.path, spec)?;
    if let WaitSpec::Approval(request) = spec {
        approvals::ask(cx, run, &call.path, request)?;
    }
    let site = steps::site_text(&call.site);
    log.step(EventKind::StepWaiting, &call.path, json!({ "op": call.op, "wait": spec, "site": site }));
    match timers::find(cx, run, &call.path)? {
        Some(row) => Ok(row),
        None => refuse(windlass_model::Code::Internal, "a wait that was just written can't be read"),
    }
}
