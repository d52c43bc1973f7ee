//! Locks by name, over all runs of an organisation, or over those of all. Here a name is as it is kept: the organisation stands
//! in it.

use std::collections::BTreeSet;

use diesel::prelude::*;
use windlass_model::{LockName, RunId, RunState, query::LockRecord};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    dialect::exclude_others,
    error::Applied,
    runs,
    schema::{locks, lost_locks},
    timers,
};

/// How a lock that this run names is kept.
pub(crate) fn kept(cx: &mut Cx, lock: &LockName, run: &RunId) -> Applied<String> {
    Ok(lock.kept(&runs::organisation(cx, run)?))
}

/// Who holds the lock.
pub(crate) fn holder(cx: &mut Cx, name: &str) -> Applied<Option<String>> {
    Ok(locks::table.find(name).select(locks::run_id).get_result(cx.conn).optional()?)
}

/// Who may have a lock now.
pub(crate) enum OpenTo {
    /// Nobody: a run has it that will give it back.
    Nobody,
    /// Whoever is first: nobody has it.
    All,
    /// Who takes it from a run whose undo is stuck, and is of that run's organisation.
    TakesFromStuck { organisation: String },
}

/// Who may have the lock now. The caller keeps other nodes from deciding about it.
pub(crate) fn open_to(cx: &mut Cx, name: &str) -> Applied<OpenTo> {
    let Some(holder) = holder(cx, name)? else { return Ok(OpenTo::All) };
    Ok(match runs::find(cx.conn, &holder)? {
        Some(row) if row.run_state() == RunState::RollbackStuck => {
            OpenTo::TakesFromStuck { organisation: row.organisation }
        }
        _ => OpenTo::Nobody,
    })
}

pub(crate) fn acquire(cx: &mut Cx, name: &str, run: &RunId) -> Applied<()> {
    cx.recent.waits(run);
    diesel::insert_into(locks::table)
        .values((locks::name.eq(name), locks::run_id.eq(run.as_str()), locks::acquired_at_ms.eq(cx.now_ms)))
        .execute(cx.conn)?;
    Ok(())
}

/// Releases a lock that this run holds, and wakes whoever is next; whether it held it.
pub(crate) fn release(cx: &mut Cx, name: &str, run: &RunId) -> Applied<bool> {
    let released =
        diesel::delete(locks::table.find(name)).filter(locks::run_id.eq(run.as_str())).execute(cx.conn)? == 1;
    if released {
        timers::wake_lock(cx, name)?;
    }
    Ok(released)
}

/// Takes a lock from the stuck run that has it, if there is one: the caller has seen that it may. It is noted that the run had it.
pub(crate) fn take_away(cx: &mut Cx, name: &str) -> Applied<()> {
    let Some(holder) = holder(cx, name)? else { return Ok(()) };
    diesel::delete(locks::table.find(name)).execute(cx.conn)?;
    note_lost(cx, name, &holder)
}

fn note_lost(cx: &mut Cx, name: &str, run: &str) -> Applied<()> {
    diesel::insert_into(lost_locks::table)
        .values((lost_locks::run_id.eq(run), lost_locks::name.eq(name)))
        .execute(cx.conn)?;
    Ok(())
}

/// Locks that were taken from a run, or that it gave up when it failed, each with the run that has it now, if one has. Other
/// nodes are kept from deciding about them, and about those that it has still: one that is being taken right now is among those
/// that were.
pub(crate) fn lost(cx: &mut Cx, run: &RunId) -> Applied<Vec<(String, Option<String>)>> {
    let of_run = || lost_locks::table.filter(lost_locks::run_id.eq(run.as_str())).select(lost_locks::name);
    let held = held(cx, run)?;
    let known: Vec<String> = of_run().load(cx.conn)?;
    let names: BTreeSet<String> = held.into_iter().chain(known).collect();
    names.iter().try_for_each(|name| exclude_others(cx.conn, name))?;
    let lost: Vec<String> = of_run().order(lost_locks::name).load(cx.conn)?;
    let with_holder = |name: String| {
        let holder = holder(cx, &name)?;
        Ok((name, holder))
    };
    lost.into_iter().map(with_holder).collect()
}

/// Gives a run a lock back that it has lost, and that nobody has.
pub(crate) fn give_back(cx: &mut Cx, name: &str, run: &RunId) -> Applied<()> {
    diesel::delete(lost_locks::table.find((run.as_str(), name))).execute(cx.conn)?;
    acquire(cx, name, run)
}

/// A run goes on without what it has lost.
pub(crate) fn forget_lost(cx: &mut Cx, run: &RunId) -> Applied<()> {
    diesel::delete(lost_locks::table.filter(lost_locks::run_id.eq(run.as_str()))).execute(cx.conn)?;
    Ok(())
}

/// A run's undo is stuck: who takes its locks from such a run looks again.
pub(crate) fn stuck(cx: &mut Cx, run: &RunId) -> Applied<()> {
    held(cx, run)?.iter().try_for_each(|name| timers::wake_lock(cx, name))
}

/// Releases everything that a run holds.
pub(crate) fn release_all(cx: &mut Cx, run: &RunId) -> Applied<()> {
    held(cx, run)?.iter().try_for_each(|name| release(cx, name, run).map(drop))
}

/// The same, noting that the run had it: before it goes on, it has to have it again.
pub(crate) fn give_up(cx: &mut Cx, run: &RunId) -> Applied<()> {
    held(cx, run)?.iter().try_for_each(|name| match release(cx, name, run)? {
        true => note_lost(cx, name, run.as_str()),
        false => Ok(()),
    })
}

fn held(cx: &mut Cx, run: &RunId) -> Applied<Vec<String>> {
    Ok(locks::table.filter(locks::run_id.eq(run.as_str())).order(locks::name).select(locks::name).load(cx.conn)?)
}

/// Gives a run's locks to the run that continues it.
pub(crate) fn hand_over(cx: &mut Cx, from: &RunId, to: &RunId) -> Applied<()> {
    cx.recent.waits(to);
    diesel::update(locks::table.filter(locks::run_id.eq(from.as_str())))
        .set(locks::run_id.eq(to.as_str()))
        .execute(cx.conn)?;
    Ok(())
}

/// Locks that are held, by name.
pub(crate) fn list(conn: &mut AnyConnection) -> QueryResult<Vec<LockRecord>> {
    let rows: Vec<(String, String, i64)> = locks::table.order(locks::name).load(conn)?;
    let record = |(name, run, acquired_at_ms): (String, String, i64)| LockRecord {
        name: LockName::shown(&name).to_owned(),
        run: run.into(),
        acquired_at_ms,
    };
    let mut records: Vec<LockRecord> = rows.into_iter().map(record).collect();
    records.sort_by(|a, b| (&a.name, &a.run).cmp(&(&b.name, &b.run)));
    Ok(records)
}
