//! Suspend: the run becomes rows, due at its earliest timer, or at once if something has happened meanwhile.

use diesel::prelude::*;
use serde_json::json;
use windlass_model::{Code, EventKind, RunCommand, WaitReason, command::Lease};

use super::{Cx, settle};
use crate::{
    error::{Applied, refuse},
    leases,
    log::Log,
    runs, schema, steps, timers,
};

pub(crate) fn suspend(cx: &mut Cx, lease: &Lease) -> Applied<()> {
    let run = &lease.run;
    let mut log = Log::held(cx, lease)?;
    let row = runs::get(cx, run)?;
    let next = row.run_state().apply(RunCommand::Suspend)?;
    let waits = timers::of_run(cx, run)?;
    let mut words: Vec<&str> = waits.iter().map(|wait| wait.reason.as_str()).collect();
    if steps::any_in_doubt(cx, run)? {
        words.push(WaitReason::InDoubt.as_str());
    }
    let reasons: Vec<WaitReason> =
        WaitReason::ALL.iter().copied().filter(|reason| words.contains(&reason.as_str())).collect();
    if reasons.is_empty() {
        // What it waited for may have come in this very moment: an operator has resolved the step that was in doubt.
        return refuse(Code::Conflict, format!("run `{run}` can't wait: none of its steps does"));
    }
    // A child may have ended in this very batch.
    if !waits.is_empty() {
        cx.settle()?;
    }
    let mut due_at_ms = row.deadline_at_ms;
    for wait in &waits {
        let at = match settle::over(cx, run, wait, None)? {
            Some(_) => Some(cx.now_ms),
            None => wait.due_at_ms,
        };
        due_at_ms = [due_at_ms, at].into_iter().flatten().min();
    }
    let text = reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(",");
    diesel::update(schema::runs::table.find(run.as_str()))
        .set((
            schema::runs::state.eq(next.as_str()),
            schema::runs::waiting_on.eq(text),
            schema::runs::due_at_ms.eq(due_at_ms),
        ))
        .execute(cx.conn)?;
    leases::free(cx, run)?;
    if let Some(due_at_ms) = due_at_ms {
        cx.told.due(due_at_ms, cx.now_ms);
    }
    log.run(EventKind::RunWaiting, json!({ "waiting_on": reasons, "due_at_ms": due_at_ms }));
    log.write(cx)
}
