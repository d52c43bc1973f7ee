//! Launch: one transaction makes the run, its lease row, its first events, and perhaps its first claim.

use std::borrow::Cow;

use diesel::prelude::*;
use serde_json::json;
use windlass_model::{
    Code, EventKind, NodeId, Problem, Restored, RunId, RunState,
    command::{Claimed, Lease, NewRun, Reply},
    workflow::OnConflict,
};

use super::{Cx, people};
use crate::{
    bundles, dialect,
    error::{Applied, refuse},
    leases,
    log::Log,
    rates,
    runs::{self, RunRow, rollback_text},
    schema, terms,
};

/// What a tag begins with that says how many launches led to a run, each by the end of the one before.
const DEPTH_TAG: &str = "depth:";

/// Creates a run, or answers with the one that the same idempotency key made.
pub(crate) fn launch(
    cx: &mut Cx,
    run: &NewRun,
    claim: Option<&(NodeId, i64)>,
    continues: Option<&RunId>,
) -> Applied<Reply> {
    if let Some(existing) = existing(cx, run)? {
        return Ok(Reply::Launched { run: existing, existing: true, claimed: None });
    }
    let run = &with_depth(cx, run, continues)?;
    let input: serde_json::Value = serde_json::from_str(&run.input)?;
    bundles::require(cx, &run.bundle)?;
    let rate_at_ms = run.rate.as_ref().map(|rate| rates::reserve(cx, run, rate)).transpose()?;
    let begins_at_ms = rate_at_ms.unwrap_or(cx.now_ms).max(cx.now_ms);
    let has_room = make_room(cx, run)?;

    let claim = claim.filter(|_| has_room && begins_at_ms <= cx.now_ms);
    let mut row = row(cx, run, continues);
    row.rate_at_ms = rate_at_ms;
    row.restored_at_ms = restored(cx, run, continues)?;
    if claim.is_some() {
        row.state = RunState::Queued.apply(windlass_model::RunCommand::Claim)?.as_str().to_owned();
        row.started_at_ms = Some(cx.now_ms);
    } else if has_room {
        row.due_at_ms = Some(begins_at_ms);
        cx.told.due(begins_at_ms, cx.now_ms);
    }
    if !runs::create(cx, &row)? {
        return refuse(Code::Conflict, format!("there is a run `{}` already", run.id));
    }
    let terms = terms::of_launch(run, &input);
    let mut log = Log::at(&run.id, 1);
    log.run(
        EventKind::RunLaunched,
        json!({
            "workflow": run.workflow,
            "input": input,
            "bundle": run.bundle,
            "launched_by": run.launched_by,
        }),
    );
    if let Some((node, _)) = claim {
        log.run(EventKind::RunStarted, json!({ "node": node, "epoch": 1, "recovery": false }));
    }
    let lease = leases::create(cx, &run.id, claim, log.next_seq())?;
    log.put(cx)?;
    terms::add(cx, &run.id, &terms)?;
    let claimed = claim.map(|_| Box::new(claimed(&row, lease, true)));
    Ok(Reply::Launched { run: run.id.clone(), existing: false, claimed })
}

/// The claim, as the worker gets it.
pub(crate) fn claimed(row: &RunRow, lease: Lease, fresh: bool) -> Claimed {
    Claimed {
        lease,
        state: row.run_state(),
        bundle: row.bundle.as_str().into(),
        input: row.input.as_str().into(),
        rollback: row.rolls_back(),
        deadline_at_ms: row.deadline_at_ms,
        restored: Restored::of(row.restored_at_ms, row.launched_at_ms),
        fresh,
    }
}

fn existing(cx: &mut Cx, run: &NewRun) -> Applied<Option<RunId>> {
    let Some(key) = &run.idempotency_key else { return Ok(None) };
    if cx.batch.launches(&run.organisation, &run.workflow, key) {
        cx.settle()?;
    }
    let found: Option<(String, String)> = schema::runs::table
        .filter(schema::runs::organisation.eq(&run.organisation))
        .filter(schema::runs::workflow.eq(&run.workflow))
        .filter(schema::runs::idempotency_key.eq(key))
        .select((schema::runs::id, schema::runs::input))
        .first(cx.conn)
        .optional()?;
    let Some((id, input)) = found else { return Ok(None) };
    if same_json(&input, &run.input) {
        return Ok(Some(id.into()));
    }
    let message = format!("the idempotency key `{key}` was used for run `{id}` with another input");
    let problem = Problem::new(Code::IdempotencyConflict, message);
    Err(problem.help("use a new key for a new launch, or the same input for the same one").into())
}

fn same_json(one: &str, other: &str) -> bool {
    use serde_json::{Value, from_str};
    one == other || matches!((from_str::<Value>(one), from_str::<Value>(other)), (Ok(one), Ok(other)) if one == other)
}

/// With the mark of how many launches led to it: what a run launches stands as deep as the run itself.
fn with_depth<'a>(cx: &mut Cx, run: &'a NewRun, continues: Option<&RunId>) -> Applied<Cow<'a, NewRun>> {
    let Some(above) = continues.or(run.parent.as_ref().map(|(parent, _)| parent)) else {
        return Ok(Cow::Borrowed(run));
    };
    let tags: String = schema::runs::table.find(above.as_str()).select(schema::runs::tags).first(cx.conn)?;
    if !tags.contains(DEPTH_TAG) {
        return Ok(Cow::Borrowed(run));
    }
    let tags: Vec<String> = serde_json::from_str(&tags)?;
    let handed_down = tags.into_iter().filter(|tag| tag.starts_with(DEPTH_TAG) && !run.tags.contains(tag));
    let tags = run.tags.iter().cloned().chain(handed_down).collect();
    Ok(Cow::Owned(NewRun { tags, ..run.clone() }))
}

/// When the run above this one came back from a backup: what this one does may have been done then, too.
fn restored(cx: &mut Cx, run: &NewRun, continues: Option<&RunId>) -> Applied<Option<i64>> {
    let Some(above) = continues.or(run.parent.as_ref().map(|(parent, _)| parent)) else { return Ok(None) };
    Ok(schema::runs::table.find(above.as_str()).select(schema::runs::restored_at_ms).first(cx.conn)?)
}

/// What a key is counted under: each organisation has keys of its own.
fn concurrency_key(run: &NewRun) -> Option<String> {
    // A separator that names don't have.
    run.concurrency.as_ref().map(|(key, ..)| format!("{}\u{1f}{key}", run.organisation))
}

/// Whether the run may begin now, as far as its concurrency key goes.
fn make_room(cx: &mut Cx, run: &NewRun) -> Applied<bool> {
    let Some((name, limit, on_conflict)) = &run.concurrency else { return Ok(true) };
    let key = &concurrency_key(run).unwrap_or_default();
    dialect::exclude_others(cx.conn, key)?;
    // Who queues needn't know of the others, who may be very many.
    let open: Vec<(String, String)> = match on_conflict {
        OnConflict::Queue => Vec::new(),
        OnConflict::Reject | OnConflict::CancelPrevious => schema::runs::table
            .filter(schema::runs::concurrency_key.eq(key))
            .filter(schema::runs::ended_at_ms.is_null())
            .filter(schema::runs::state.ne(RunState::RollbackStuck.as_str()))
            .order(schema::runs::id)
            .select((schema::runs::id, schema::runs::state))
            .load(cx.conn)?,
    };
    let limit = i64::from(*limit).max(1);
    match on_conflict {
        OnConflict::Reject if open.len() as i64 >= limit => {
            let others: Vec<&str> = open.iter().map(|(id, _)| id.as_str()).collect();
            let message = format!("`{name}` is in use by {}", others.join(", "));
            return Err(Problem::new(Code::Conflict, message).help("wait until it has ended, or cancel it").into());
        }
        OnConflict::CancelPrevious => {
            for (id, state) in &open {
                let cancellable = RunState::parse(state)
                    .is_some_and(|state| matches!(state, RunState::Queued | RunState::Running | RunState::Waiting));
                if cancellable {
                    let reason = format!("run `{}` takes its place", run.id);
                    people::cancel(cx, &id.as_str().into(), &run.launched_by, Some(&reason))?;
                }
            }
        }
        OnConflict::Queue | OnConflict::Reject => {}
    }
    Ok(runs::active_with_key(cx, key)? < limit)
}

fn row(cx: &Cx, run: &NewRun, continues: Option<&RunId>) -> RunRow {
    RunRow {
        id: run.id.to_string(),
        workflow: run.workflow.clone(),
        bundle: run.bundle.to_string(),
        state: RunState::Queued.as_str().to_owned(),
        waiting_on: None,
        due_at_ms: None,
        input: run.input.clone(),
        output: None,
        problem: None,
        launched_by: run.launched_by.clone(),
        idempotency_key: run.idempotency_key.clone(),
        rollback: rollback_text(run.rollback).to_owned(),
        parent_run: run.parent.as_ref().map(|(parent, _)| parent.to_string()),
        parent_path: run.parent.as_ref().map(|(_, path)| path.to_string()),
        continues: continues.map(ToString::to_string),
        tags: serde_json::Value::from(run.tags.clone()).to_string(),
        recoveries: 0,
        launched_at_ms: cx.now_ms,
        started_at_ms: None,
        ended_at_ms: None,
        deadline_at_ms: run.deadline_at_ms,
        retention_ms: run.retention_ms,
        cancel_requested: false,
        concurrency_key: concurrency_key(run),
        organisation: run.organisation.clone(),
        concurrency_limit: run.concurrency.as_ref().map(|(_, limit, _)| i64::from(*limit).max(1)),
        priority: run.priority.rank(),
        rate_key: run.rate.as_ref().map(|rate| rates::key(&run.organisation, &rate.key)),
        rate_limit: run.rate.as_ref().map(|rate| i64::from(rate.limit).max(1)),
        rate_per_ms: run.rate.as_ref().map(|rate| rate.per_ms.max(1)),
        rate_at_ms: None,
        restored_at_ms: None,
    }
}
