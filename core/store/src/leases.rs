//! The narrow table that every journal write goes through: who works on a run, and its next event's number. In SQLite that number
//! stands there of runs that nobody holds; of the others it follows from their events.

use std::collections::HashMap;

use diesel::prelude::*;
use windlass_model::{Code, NodeId, Problem, RunId, command::Lease};

use crate::{
    apply::Cx,
    batch::Held,
    connection::AnyConnection,
    dialect::both,
    error::{Applied, Fault},
    failpoint, hot, journal_log,
    schema::leases,
};

/// Checks the epoch, takes the row, and sets `count` event numbers aside, before anything else of the command; the
/// first of them.
pub(crate) fn allocate(cx: &mut Cx, lease: &Lease, count: i64) -> Applied<i64> {
    if let AnyConnection::Sqlite(c) = cx.conn {
        let first = match cx.recent.next_seq_under(&lease.run, lease.epoch) {
            Some(first) => first,
            None => {
                let row = row(c, lease.run.as_str())?.filter(|row| row.is_held && row.epoch == lease.epoch);
                let next_seq = row.ok_or_else(|| lease_lost(lease))?.next_seq;
                cx.recent.see(&lease.run, next_seq);
                cx.recent.set_held(&lease.run, Some(lease.epoch));
                next_seq
            }
        };
        cx.recent.moved(&lease.run, first + count);
        return Ok(first);
    }
    if let AnyConnection::Postgres(c) = cx.conn
        && cx.batch.is_open()
    {
        let valid =
            |held: &&mut Held| failpoint::is_broken("epoch") || held.epoch == lease.epoch && held.node.is_some();
        let held = cx.batch.held(c, &lease.run)?.filter(valid).ok_or_else(|| lease_lost(lease))?;
        let first = held.allocate(count);
        cx.recent.see(&lease.run, first);
        cx.recent.moved(&lease.run, first + count);
        return Ok(first);
    }
    let next: Option<i64> = match cx.conn {
        // Above.
        AnyConnection::Sqlite(_) => None,
        AnyConnection::Postgres(c) if failpoint::is_broken("epoch") => {
            diesel::update(leases::table.find(lease.run.as_str()))
                .set(leases::next_seq.eq(leases::next_seq + count))
                .returning(leases::next_seq)
                .get_result(c)
                .optional()?
        }
        AnyConnection::Postgres(c) => diesel::update(leases::table.find(lease.run.as_str()))
            .filter(leases::epoch.eq(lease.epoch))
            .filter(leases::node.is_not_null())
            .set(leases::next_seq.eq(leases::next_seq + count))
            .returning(leases::next_seq)
            .get_result(c)
            .optional()?,
    };
    let next = next.ok_or_else(|| lease_lost(lease))?;
    cx.recent.see(&lease.run, next - count);
    cx.recent.moved(&lease.run, next);
    Ok(next - count)
}

/// Gives back a number that was set aside a moment ago in this transaction.
pub(crate) fn give_back(cx: &mut Cx, run: &RunId, count: i64) -> Applied<()> {
    if let Some(held) = kept(cx, run)? {
        held.allocate(-count);
    } else if !cx.recent.is_held(run) {
        diesel::update(leases::table.find(run.as_str()))
            .set(leases::next_seq.eq(leases::next_seq - count))
            .execute(cx.conn)?;
    }
    if let Some(next) = cx.recent.next_seq(run) {
        cx.recent.moved(run, next - count);
    }
    Ok(())
}

/// The lease as it is kept for the transaction's end, where it is.
pub(crate) fn kept<'b>(cx: &'b mut Cx, run: &RunId) -> Applied<Option<&'b mut Held>> {
    match cx.conn {
        AnyConnection::Postgres(c) if cx.batch.is_open() => Ok(cx.batch.held(c, run)?),
        _ => Ok(None),
    }
}

pub(crate) fn lease_lost(lease: &Lease) -> Fault {
    Problem::new(
        Code::LeaseLost,
        format!(
            "the claim on run `{}` with epoch {} is no longer valid: another worker has it",
            lease.run, lease.epoch
        ),
    )
    .into()
}

/// The lease of a run that is made now, with its next event's number; held by a node until some time, or by nobody.
pub(crate) fn create(cx: &mut Cx, run: &RunId, holder: Option<&(NodeId, i64)>, next_seq: i64) -> Applied<Lease> {
    let epoch = i64::from(holder.is_some());
    let (node, expires_at_ms) = (holder.map(|(node, _)| node.as_str()), holder.map(|(_, until)| *until));
    match cx.conn {
        AnyConnection::Sqlite(c) => {
            let (run, node) = (run.as_str(), &node);
            hot::Lease { run, node, epoch: &epoch, expires_at_ms: &expires_at_ms, next_seq: &next_seq }.execute(c)?
        }
        AnyConnection::Postgres(_) if cx.batch.is_open() => {
            cx.batch.create_lease(run, node, epoch, expires_at_ms, next_seq);
            1
        }
        AnyConnection::Postgres(c) => diesel::insert_into(leases::table)
            .values((
                leases::run_id.eq(run.as_str()),
                leases::node.eq(node),
                leases::epoch.eq(epoch),
                leases::expires_at_ms.eq(expires_at_ms),
                leases::next_seq.eq(next_seq),
            ))
            .execute(c)?,
    };
    cx.recent.created(run, next_seq);
    remember(cx, run, holder.map(|_| epoch));
    Ok(Lease { run: run.clone(), epoch })
}

/// Gives the lease to a node; the new epoch.
pub(crate) fn take(cx: &mut Cx, run: &RunId, node: &NodeId, expires_at_ms: i64) -> Applied<Lease> {
    if let Some(held) = kept(cx, run)? {
        return Ok(Lease { run: run.clone(), epoch: held.give(node.as_str(), expires_at_ms) });
    }
    let epoch: i64 = match cx.conn {
        AnyConnection::Sqlite(c) => {
            let (node, run) = (node.as_str(), run.as_str());
            hot::TakeLease { node, expires_at_ms: &expires_at_ms, run }.execute(c)?;
            leases::table.find(run).select(leases::epoch).get_result(c)?
        }
        AnyConnection::Postgres(c) => diesel::update(leases::table.find(run.as_str()))
            .set((
                leases::node.eq(node.as_str()),
                leases::expires_at_ms.eq(expires_at_ms),
                leases::epoch.eq(leases::epoch + 1),
            ))
            .returning(leases::epoch)
            .get_result(c)?,
    };
    remember(cx, run, Some(epoch));
    Ok(Lease { run: run.clone(), epoch })
}

/// Whether there is a claim on the run by now.
fn remember(cx: &mut Cx, run: &RunId, epoch: Option<i64>) {
    if matches!(cx.conn, AnyConnection::Sqlite(_)) {
        cx.recent.set_held(run, epoch);
    }
}

/// A lease in SQLite.
pub(crate) struct Row {
    pub is_held: bool,
    epoch: i64,
    /// The number of the run's next event.
    pub next_seq: i64,
}

/// As it stands, but for the number of a run that is held: that follows from its last event, so that an event needn't change this
/// row as well. The row gets it when the run is let go.
pub(crate) fn row(conn: &mut SqliteConnection, run: &str) -> QueryResult<Option<Row>> {
    let columns = (leases::node.is_not_null(), leases::epoch, leases::next_seq);
    let found: Option<(bool, i64, i64)> = leases::table.find(run).select(columns).get_result(conn).optional()?;
    let Some((is_held, epoch, mut next_seq)) = found else { return Ok(None) };
    if is_held {
        next_seq = next_seq.max(journal_log::last_seq(conn, run)? + 1);
    }
    Ok(Some(Row { is_held, epoch, next_seq }))
}

/// Ends the lease: what comes with its epoch is refused from now on.
pub(crate) fn free(cx: &mut Cx, run: &RunId) -> Applied<()> {
    if let Some(held) = kept(cx, run)? {
        held.free();
        return Ok(());
    }
    match cx.conn {
        AnyConnection::Sqlite(c) => {
            let next_seq = match cx.recent.next_seq(run) {
                Some(next_seq) => next_seq,
                None => row(c, run.as_str())?.map_or(1, |row| row.next_seq),
            };
            cx.recent.set_held(run, None);
            hot::FreeLease { next_seq: &next_seq, run: run.as_str() }.execute(c)?
        }
        AnyConnection::Postgres(c) => diesel::update(leases::table.find(run.as_str()))
            .set((leases::node.eq(None::<String>), leases::expires_at_ms.eq(None::<i64>)))
            .execute(c)?,
    };
    Ok(())
}

/// The next event's number of an ended run that is being removed. Every other run has an event: that of its launch.
pub(crate) const GOING: i64 = 1;

/// Says so of a run. No number may be given out any more: those of its events that have gone would be given out again.
pub(crate) fn set_going(cx: &mut Cx, run: &RunId) -> Applied<()> {
    diesel::update(leases::table.find(run.as_str())).set(leases::next_seq.eq(GOING)).execute(cx.conn)?;
    cx.recent.forget(run);
    Ok(())
}

/// How many events the run has, about; `GOING` if it is being removed.
pub(crate) fn events(cx: &mut Cx, run: &str) -> Applied<i64> {
    let next: Option<i64> = leases::table.find(run).select(leases::next_seq).get_result(cx.conn).optional()?;
    Ok(next.unwrap_or(0))
}

/// Whether a node holds the run.
pub(crate) fn is_held(cx: &mut Cx, run: &RunId) -> Applied<bool> {
    let expires: Option<Option<i64>> =
        leases::table.find(run.as_str()).select(leases::expires_at_ms).get_result(cx.conn).optional()?;
    Ok(expires.flatten().is_some_and(|at| at > cx.now_ms))
}

/// Runs whose leases are extended by one statement.
const RENEWED_AT_ONCE: usize = 500;

/// Extends a node's claims on these runs, but for those that were declared over; the claims that it still has.
pub(crate) fn renew(cx: &mut Cx, node: &NodeId, claims: &[Lease], expires_at_ms: i64) -> Applied<Vec<Lease>> {
    let mut held = Vec::with_capacity(claims.len());
    for some in claims.chunks(RENEWED_AT_ONCE) {
        let epochs = renew_some(cx, node, some, expires_at_ms)?;
        held.extend(some.iter().filter(|claim| epochs.get(claim.run.as_str()) == Some(&claim.epoch)).cloned());
    }
    Ok(held)
}

/// The epochs of those that were extended.
fn renew_some(cx: &mut Cx, node: &NodeId, claims: &[Lease], expires_at_ms: i64) -> QueryResult<HashMap<String, i64>> {
    let runs: Vec<&str> = claims.iter().map(|claim| claim.run.as_str()).collect();
    let extended: Vec<(String, i64)> = both!(cx.conn, c => diesel::update(leases::table.filter(leases::run_id.eq_any(&runs)))
        .filter(leases::node.eq(node.as_str()))
        .filter(leases::expires_at_ms.gt(0))
        .set(leases::expires_at_ms.eq(expires_at_ms))
        .returning((leases::run_id, leases::epoch))
        .get_results(c))?;
    Ok(extended.into_iter().collect())
}

/// Declares leases over: time 0 is always past. The next claim takes the runs, and counts a recovery each.
pub(crate) fn expire(cx: &mut Cx, node: Option<&NodeId>) -> Applied<u64> {
    let count = match node {
        Some(node) => diesel::update(leases::table.filter(leases::node.eq(node.as_str())))
            .filter(leases::expires_at_ms.gt(0))
            .set(leases::expires_at_ms.eq(0))
            .execute(cx.conn)?,
        None => diesel::update(leases::table.filter(leases::expires_at_ms.gt(0)))
            .set(leases::expires_at_ms.eq(0))
            .execute(cx.conn)?,
    };
    if count > 0 {
        cx.told.due(cx.now_ms, cx.now_ms);
    }
    Ok(count as u64)
}

/// The epoch of the claim on a run, if a node holds it.
pub(crate) fn held_epoch(conn: &mut crate::connection::AnyConnection, run: &str) -> QueryResult<Option<i64>> {
    leases::table.find(run).filter(leases::node.is_not_null()).select(leases::epoch).get_result(conn).optional()
}

/// The number that the run's next event will have; 0 if there is no such run.
pub(crate) fn next_event(conn: &mut AnyConnection, run: &str) -> QueryResult<i64> {
    let found = match conn {
        AnyConnection::Sqlite(c) => row(c, run)?.map(|row| row.next_seq),
        AnyConnection::Postgres(c) => leases::table.find(run).select(leases::next_seq).get_result(c).optional()?,
    };
    Ok(found.unwrap_or(0))
}

/// When the first lease ends.
pub(crate) fn earliest_expiry(conn: &mut crate::connection::AnyConnection) -> QueryResult<Option<i64>> {
    leases::table
        .filter(leases::expires_at_ms.is_not_null())
        .select(diesel::dsl::min(leases::expires_at_ms))
        .get_result(conn)
}
