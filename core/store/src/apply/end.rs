//! Ends: success, failure, and going on as a new run. Whatever ends gives back what it held and wakes who waits for it.

use diesel::prelude::*;
use serde_json::{Value, json};
use windlass_model::{
    Code, EventKind, Problem, RunCommand, RunState,
    command::{Lease, NewRun, Reply},
    undo::{UndoSpec, UndoState},
    workflow::Priority,
};

use super::{Cx, launch::launch};
use crate::{
    batch::Ended,
    chains,
    connection::AnyConnection,
    error::{Applied, refuse},
    hot, leases, locks,
    log::Log,
    resources,
    runs::{self, RunRow},
    schema, signals, steps, terms, timers, undo,
};

pub(crate) fn succeed(cx: &mut Cx, lease: &Lease, output: &str) -> Applied<()> {
    let mut log = Log::held(cx, lease)?;
    let row = runs::get(cx, &lease.run)?;
    let next = row.run_state().apply(RunCommand::Succeed)?;
    log.run(EventKind::RunSucceeded, json!({ "output": serde_json::from_str::<Value>(output)? }));
    log.write(cx)?;
    end(cx, &row, next, Some(output), None)
}

/// Ends the run, or turns it round under the same lease.
pub(crate) fn fail(cx: &mut Cx, lease: &Lease, problem: &Problem, undo: bool) -> Applied<()> {
    let mut log = Log::held(cx, lease)?;
    let row = runs::get(cx, &lease.run)?;
    let next = row.run_state().apply(RunCommand::Fail { undo })?;
    log.run(EventKind::RunFailed, json!({ "error": problem, "undo": undo }));
    terms::add(cx, &lease.run, &terms::of_problem(problem))?;
    if !undo {
        log.write(cx)?;
        return end(cx, &row, next, None, Some(problem));
    }
    let entries = undo::registered(cx, &lease.run)?;
    log.run(EventKind::RunRollingBack, json!({ "entries": entries }));
    log.write(cx)?;
    timers::drop_waits(cx, &lease.run, None)?;
    diesel::update(schema::runs::table.find(lease.run.as_str()))
        .set((schema::runs::state.eq(next.as_str()), schema::runs::problem.eq(serde_json::to_string(problem)?)))
        .execute(cx.conn)?;
    Ok(())
}

/// What every end has in common. A problem that is there already stays.
pub(crate) fn end(
    cx: &mut Cx,
    row: &RunRow,
    state: RunState,
    output: Option<&str>,
    problem: Option<&Problem>,
) -> Applied<()> {
    let run = row.run_id();
    let problem = match problem {
        Some(problem) => Some(serde_json::to_string(problem)?),
        None => row.problem.clone(),
    };
    match cx.conn {
        AnyConnection::Sqlite(c) => {
            let (state, run) = (state.as_str(), run.as_str());
            hot::EndRun { state, output: &output, problem: &problem, ended_at_ms: &cx.now_ms, run }.execute(c)?
        }
        AnyConnection::Postgres(_) if cx.batch.is_open() => {
            let output = output.map(str::to_owned);
            cx.batch.end(Ended { run: run.clone(), state: state.as_str(), output, problem });
            1
        }
        AnyConnection::Postgres(c) => diesel::update(schema::runs::table.find(run.as_str()))
            .set((
                schema::runs::state.eq(state.as_str()),
                schema::runs::waiting_on.eq(None::<String>),
                schema::runs::due_at_ms.eq(None::<i64>),
                schema::runs::output.eq(output),
                schema::runs::problem.eq(problem),
                schema::runs::ended_at_ms.eq(cx.now_ms),
            ))
            .execute(c)?,
    };
    leases::free(cx, &run)?;
    if !cx.recent.is_quiet(&run) {
        timers::drop_waits(cx, &run, None)?;
        match state {
            // It may yet be undone, or go on: that is for them to keep others out of again.
            RunState::Failed => locks::give_up(cx, &run)?,
            _ => locks::release_all(cx, &run)?,
        }
    }
    wake_parents(cx, row)?;
    if let Some(key) = &row.concurrency_key {
        cx.settle()?;
        runs::wake_key(cx, key)?;
    }
    cx.told.run_ended(&run);
    Ok(())
}

/// Whoever waits for a run waits by the name of its chain's first, however many continuations ago that was.
fn wake_parents(cx: &mut Cx, row: &RunRow) -> Applied<()> {
    let awaited = match row.continues {
        None if !cx.batch.is_awaited(&row.id) => return Ok(()),
        None => row.id.clone(),
        Some(_) => chains::root(cx, &row.id)?,
    };
    timers::exclude_end_of(cx, &awaited)?;
    timers::wake_parents(cx, &awaited)
}

/// Ends this run, and launches the one that goes on with everything that it made and holds.
pub(crate) fn continue_as_new(cx: &mut Cx, lease: &Lease, new: &NewRun) -> Applied<Reply> {
    let mut log = Log::held(cx, lease)?;
    let row = runs::get(cx, &lease.run)?;
    let next = row.run_state().apply(RunCommand::Succeed)?;
    for entry in undo::rows(cx, &lease.run)? {
        let open = entry.state == UndoState::Registered.as_str();
        if open && let UndoSpec::Closure { label } = entry.spec()? {
            let message = format!(
                "the run can't be continued as a new one: the undo of step {} (\"{label}\") is a closure of this run",
                entry.path
            );
            let help = "closures given to `on_rollback` live as long as the run; continue where there are none";
            return Err(Problem::new(Code::InvalidArgument, message).help(help).into());
        }
    }
    let output = json!({ "continued_as": new.id });
    log.run(EventKind::RunSucceeded, json!({ "output": output, "continued_as": new.id }));
    log.write(cx)?;
    // Whoever looks meanwhile what the chain came to sees all of this, or nothing.
    let root = chains::root(cx, &row.id)?;
    timers::exclude_end_of(cx, &root)?;
    let new = continuation(&row, new)?;
    // First the old one ends, so that its concurrency key is free for the new one; its locks stay held throughout.
    end_before_continuation(cx, &row, next, &output.to_string())?;
    let Reply::Launched { run, existing: false, .. } = launch(cx, &new, None, Some(&lease.run))? else {
        return refuse(Code::Conflict, format!("run `{}` is there already, and can't continue another one", new.id));
    };
    locks::hand_over(cx, &lease.run, &run)?;
    resources::hand_over(cx, &lease.run, &run)?;
    undo::hand_over(cx, &lease.run, &run)?;
    chains::link(cx, &lease.run, &run)?;
    let mut log = Log::open(cx, &run)?;
    signals::hand_over(cx, &lease.run, &run, &mut log)?;
    log.write(cx)?;
    Ok(Reply::Launched { run, existing: false, claimed: None })
}

/// It is the same procedure: whoever launched that has launched this, in the same place and on the same terms.
fn continuation(row: &RunRow, new: &NewRun) -> Applied<NewRun> {
    let mut tags = new.tags.clone();
    let launched: Vec<String> = serde_json::from_str(&row.tags)?;
    tags.extend(launched.into_iter().filter(|tag| !new.tags.contains(tag)));
    let parent = row.parent_run.as_deref().zip(row.parent_path.as_deref());
    Ok(NewRun {
        organisation: row.organisation.clone(),
        launched_by: row.launched_by.clone(),
        parent: parent.map(|(run, path)| (run.into(), steps::path(path))),
        priority: Priority::of_rank(row.priority),
        tags,
        ..new.clone()
    })
}

/// As `end`, but nothing is released and nobody woken: the work goes on.
fn end_before_continuation(cx: &mut Cx, row: &RunRow, state: RunState, output: &str) -> Applied<()> {
    let run = row.run_id();
    diesel::update(schema::runs::table.find(run.as_str()))
        .set((
            schema::runs::state.eq(state.as_str()),
            schema::runs::output.eq(output),
            schema::runs::ended_at_ms.eq(cx.now_ms),
        ))
        .execute(cx.conn)?;
    leases::free(cx, &run)?;
    timers::drop_waits(cx, &run, None)?;
    cx.told.run_ended(&run);
    Ok(())
}
