//! Waiting steps: what would end each wait, and when its time is up.

use diesel::prelude::*;
use windlass_model::{RunId, RunState, StepPath, StepState, WaitReason, WaitSpec, query::TimerRecord};

use crate::{
    apply::Cx,
    approvals, chains,
    connection::AnyConnection,
    dialect::{both, exclude_others},
    error::Applied,
    locks::{self, OpenTo},
    runs::wake,
    schema::{runs, steps, waits},
    steps::path,
};

/// A waiting step.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = waits)]
pub(crate) struct WaitRow {
    pub run_id: String,
    pub path: String,
    pub reason: String,
    pub name: Option<String>,
    pub due_at_ms: Option<i64>,
    pub spec: String,
    pub since_ms: i64,
}

/// What the wait is for, where that has a name that others look it up by.
fn name(cx: &mut Cx, run: &RunId, spec: &WaitSpec) -> Applied<Option<String>> {
    Ok(match spec {
        WaitSpec::Signal { name, .. } => Some(name.clone()),
        WaitSpec::Lock { lock, .. } => Some(locks::kept(cx, lock, run)?),
        WaitSpec::Child { run } => Some(chains::root(cx, run.as_str())?),
        WaitSpec::Timer { .. } | WaitSpec::Approval(_) => None,
    })
}

pub(crate) fn insert(cx: &mut Cx, run: &RunId, path: &StepPath, spec: &WaitSpec) -> Applied<()> {
    cx.recent.waits(run);
    let name = name(cx, run, spec)?;
    diesel::insert_into(waits::table)
        .values((
            waits::run_id.eq(run.as_str()),
            waits::path.eq(path.to_string()),
            waits::reason.eq(spec.reason().as_str()),
            waits::name.eq(name),
            waits::due_at_ms.eq(spec.due_at_ms()),
            waits::spec.eq(serde_json::to_string(spec)?),
            waits::since_ms.eq(cx.now_ms),
        ))
        .execute(cx.conn)?;
    Ok(())
}

pub(crate) fn find(cx: &mut Cx, run: &RunId, path: &StepPath) -> Applied<Option<WaitRow>> {
    let query = waits::table.find((run.as_str(), path.to_string())).select(WaitRow::as_select());
    Ok(query.get_result(cx.conn).optional()?)
}

pub(crate) fn of_run(cx: &mut Cx, run: &RunId) -> Applied<Vec<WaitRow>> {
    Ok(waits::table
        .filter(waits::run_id.eq(run.as_str()))
        .order(waits::path)
        .select(WaitRow::as_select())
        .load(cx.conn)?)
}

pub(crate) fn remove(cx: &mut Cx, run: &RunId, path: &str) -> Applied<()> {
    diesel::delete(waits::table.find((run.as_str(), path))).execute(cx.conn)?;
    Ok(())
}

/// Drops the waits of a run, or only those below `lane` (which ends in `/`), with their steps and open questions. Whoever
/// stood behind one of them in a lock's queue may have come to its front.
pub(crate) fn drop_waits(cx: &mut Cx, run: &RunId, lane: Option<&str>) -> Applied<()> {
    let dropped: Vec<WaitRow> =
        of_run(cx, run)?.into_iter().filter(|wait| lane.is_none_or(|lane| wait.path.starts_with(lane))).collect();
    for wait in &dropped {
        approvals::remove_open(cx, run, &wait.path)?;
        // The wait's row goes with its step's.
        diesel::delete(steps::table.find((run.as_str(), &wait.path)))
            .filter(steps::state.eq(StepState::Waiting.as_str()))
            .execute(cx.conn)?;
    }
    dropped.iter().try_for_each(|wait| left_queue(cx, wait))
}

/// Who is first in a lock's queue, among those whom it is open to: the step that has waited longest, of runs that can go on.
pub(crate) fn first_for_lock(cx: &mut Cx, lock: &str, open_to: &OpenTo) -> Applied<Option<(String, String)>> {
    let live = runs::state
        .eq(RunState::Running.as_str())
        .or(runs::state.eq(RunState::Waiting.as_str()).and(runs::waiting_on.ne(WaitReason::Parked.as_str())));
    // In SQL a NULL in `and` with false is false, so a running run's missing reason does no harm.
    let mut query = waits::table
        .inner_join(runs::table.on(runs::id.eq(waits::run_id)))
        .filter(waits::reason.eq(WaitReason::Lock.as_str()))
        .filter(waits::name.eq(lock))
        .filter(live)
        .order((waits::since_ms, waits::run_id, waits::path))
        .select((waits::run_id, waits::path))
        .into_boxed();
    match open_to {
        OpenTo::Nobody => return Ok(None),
        OpenTo::All => {}
        OpenTo::TakesFromStuck { organisation } => {
            // As it stands in the wait's JSON, where a quotation mark within a name has a backslash before it.
            query = query
                .filter(runs::organisation.eq(organisation))
                .filter(waits::spec.like("%\"from!_stuck\":true%").escape('!'));
        }
    }
    Ok(query.first(cx.conn).optional()?)
}

/// Wakes the run that is first in a lock's queue of those who may have it now.
pub(crate) fn wake_lock(cx: &mut Cx, lock: &str) -> Applied<()> {
    exclude_others(cx.conn, lock)?;
    let open_to = locks::open_to(cx, lock)?;
    if let Some((run, _)) = first_for_lock(cx, lock, &open_to)? {
        wake(cx, &run)?;
    }
    Ok(())
}

/// A wait is over that may have stood in a lock's queue, and the lock isn't its run's: whoever is next may be let in.
pub(crate) fn left_queue(cx: &mut Cx, wait: &WaitRow) -> Applied<()> {
    match &wait.name {
        Some(name) if wait.reason == WaitReason::Lock.as_str() => wake_lock(cx, name),
        _ => Ok(()),
    }
}

/// Keeps a child from ending on another node while it is decided whether its parent waits: else neither would see the
/// other, and the parent would wait for ever.
pub(crate) fn exclude_end_of(cx: &mut Cx, child: &str) -> Applied<()> {
    Ok(exclude_others(cx.conn, &end_of(child))?)
}

/// What is excluded then.
pub(crate) fn end_of(child: &str) -> String {
    format!("child\u{1f}{child}")
}

/// Wakes every run that waits for this child.
pub(crate) fn wake_parents(cx: &mut Cx, child: &str) -> Applied<()> {
    let waiting = waits::table.filter(waits::reason.eq(WaitReason::Child.as_str())).filter(waits::name.eq(child));
    let waiting = waiting.order(waits::run_id).select(waits::run_id);
    let parents: Vec<String> = both!(cx.conn, c => waiting.load(c))?;
    parents.iter().try_for_each(|parent| wake(cx, parent))
}

/// Waits of a run that end at a point in time, at the latest.
pub(crate) fn timers(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<TimerRecord>> {
    let rows: Vec<WaitRow> = waits::table
        .filter(waits::run_id.eq(run.as_str()))
        .filter(waits::due_at_ms.is_not_null())
        .order((waits::due_at_ms, waits::path))
        .select(WaitRow::as_select())
        .load(conn)?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let reason = WaitReason::parse(&row.reason)?;
            Some(TimerRecord { run: row.run_id.into(), path: path(&row.path), reason, due_at_ms: row.due_at_ms? })
        })
        .collect())
}
