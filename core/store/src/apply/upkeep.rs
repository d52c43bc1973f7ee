//! Upkeep: what is old goes, but never what says that something is still there.

use diesel::{
    dsl::{exists, not},
    prelude::*,
};
use windlass_model::{ResourceState, RunId, command::Reply};

use super::Cx;
use crate::{
    dialect, documents,
    error::Applied,
    journal_log, leases,
    resources::forget_gone,
    schema::{resources, runs},
    terms,
};

diesel::alias!(runs as parents: Parents, runs as heirs: Heirs, runs as children: Children);

#[diesel::dsl::auto_type]
fn ended() -> _ {
    runs::table.filter(runs::ended_at_ms.is_not_null()).select((runs::id, runs::parent_run))
}

/// When a run goes that has a retention of its own.
#[diesel::dsl::auto_type]
pub(crate) fn own() -> _ {
    runs::ended_at_ms + runs::retention_ms
}

/// Without those whose parent is still open: it may yet ask what its child came to, which of a child that went on is what the last
/// one came to. And without those whose children are open: they say by it who launched them.
macro_rules! free {
    ($query:expr) => {
        $query
            .filter(
                not(exists(
                    parents
                        .filter(parents.field(runs::id).nullable().eq(runs::parent_run))
                        .filter(parents.field(runs::ended_at_ms).is_null()),
                ))
                .or(runs::continues
                    .is_not_null()
                    .and(exists(heirs.filter(heirs.field(runs::continues).eq(runs::id.nullable()))))),
            )
            .filter(not(exists(
                children
                    .filter(children.field(runs::parent_run).eq(runs::id.nullable()))
                    .filter(children.field(runs::ended_at_ms).is_null()),
            )))
    };
}
pub(crate) use free;

/// Without those younger than the default allows that have left something behind, or whose work went on as another run: what
/// stands carries their names, and a young run that nobody knows would be taken for one that is open elsewhere.
macro_rules! unneeded {
    ($query:expr, $before_ms:expr) => {
        $query.filter(
            runs::launched_at_ms.lt($before_ms).or(not(exists(
                resources::table
                    .filter(resources::run_id.eq(runs::id))
                    .filter(resources::state.ne(ResourceState::Gone.as_str())),
            ))
            .and(not(exists(heirs.filter(heirs.field(runs::continues).eq(runs::id.nullable())))))),
        )
    };
}
pub(crate) use unneeded;

/// Expired documents that go for each run that may: sessions are many, and small.
const EXPIRED: u32 = 4;

/// Rows of the log that go in one transaction, about: whoever commits meanwhile waits for it.
const ROWS: i64 = 5_000;

// A run that is larger goes in slices of its log, each in a transaction of its own, and its row goes last: by that the next command
// finds again what was begun, whoever began it, without a list of what is left. From the first slice on its lease says that it is
// going, so that nobody restarts it or writes to it; that is one mark on both databases, where no query looks at what most runs
// don't have. Its last events go first: readers find the others numbered from 1 without a gap, as of a run that is young.

/// Removes ended runs whose retention is over, longest ended first, those with a retention of their own last; and documents
/// that have expired. How many runs; one that goes in several transactions is counted in its first.
pub(crate) fn prune(cx: &mut Cx, default_retention_ms: i64, limit: u32) -> Applied<Reply> {
    documents::expire(cx, limit.saturating_mul(EXPIRED))?;
    // Two questions, each with an index that has what is over at its front.
    let before_ms = cx.now_ms.saturating_sub(default_retention_ms);
    let mut over: Vec<(String, Option<String>)> = free!(ended())
        .filter(runs::retention_ms.is_null())
        .filter(runs::ended_at_ms.le(before_ms))
        .order((runs::ended_at_ms, runs::id))
        .limit(i64::from(limit))
        .load(cx.conn)?;
    let kept = unneeded!(free!(ended()), before_ms)
        .filter(runs::retention_ms.is_not_null())
        .filter(own().le(cx.now_ms))
        .order((own(), runs::id));
    over.extend(kept.limit(i64::from(limit) - over.len() as i64).load::<(String, Option<String>)>(cx.conn)?);
    let (mut gone, mut rows) = (0, 0);
    for (run, parent) in &over {
        // One that is larger than that goes alone, and not at once.
        let size = leases::events(cx, run)?;
        let is_going = size == leases::GOING;
        if gone > 0 && (is_going || rows + size > ROWS) {
            break;
        }
        rows += size;
        // It may have been restarted since.
        if parent.is_some() && free!(ended()).filter(runs::id.eq(run)).count().get_result::<i64>(cx.conn)? == 0 {
            continue;
        }
        let id = RunId::from(run.as_str());
        // It takes the lease's row: who restarts the run has done it by now, or will find it going. Another node may be at it.
        if (is_going || size > ROWS) && dialect::lease_row(cx.conn, run)?.is_none_or(|(.., next_seq)| next_seq != size)
        {
            continue;
        }
        if is_going {
            if journal_log::remove_last(cx, &id, ROWS)? == 0 {
                remove(cx, &id)?;
            }
            return Ok(Reply::Partly);
        }
        if size > ROWS {
            // It may have been restarted before its lease was taken.
            if ended().filter(runs::id.eq(run)).count().get_result::<i64>(cx.conn)? == 0 {
                continue;
            }
            leases::set_going(cx, &id)?;
            journal_log::remove_last(cx, &id, ROWS)?;
            return Ok(Reply::Count(1));
        }
        remove(cx, &id)?;
        gone += 1;
    }
    Ok(Reply::Count(gone))
}

fn remove(cx: &mut Cx, run: &RunId) -> Applied<()> {
    forget_gone(cx, run.as_str())?;
    journal_log::remove(cx, run)?;
    terms::remove(cx, run.as_str())?;
    diesel::delete(runs::table.find(run.as_str())).execute(cx.conn)?;
    Ok(())
}
