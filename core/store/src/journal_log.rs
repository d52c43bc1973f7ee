//! The log's rows: events, of which those that finish a step are its journal entry too. Rows stand in the order of
//! commits; in SQLite a run's rows are found by the blocks of ids that hold some of them.

use diesel::{connection::DefaultLoadingMode, prelude::*};
use windlass_model::{EffectClass, EventKind, RunId};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    documents,
    error::Applied,
    finished::{self, Shown},
    hot,
    schema::{log, log_blocks},
    steps::StepRow,
};

/// Ids in a block. Larger ones dirty fewer pages of the blocks' table; smaller ones have fewer rows of other runs in them.
const BLOCK: i64 = 1_024;

/// Blocks that are looked through in one go, at most: rows of a run that lived long stand far between those of others.
const BLOCKS: usize = 64;

/// A row that isn't written yet.
pub(crate) struct NewRow<'a> {
    pub kind: EventKind,
    pub path: Option<&'a str>,
    /// None where it follows from the step.
    pub data: Option<&'a str>,
    pub step: Option<NewStep<'a>>,
}

/// The finished step of a row.
pub(crate) struct NewStep<'a> {
    pub op: &'a str,
    pub class: &'a str,
    pub digest: &'a [u8],
    pub args: &'a str,
    pub site: &'a str,
    pub outcome: &'a str,
    pub failed: bool,
    pub attempts: i64,
    pub started_at_ms: i64,
}

/// A row as it stands.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = log)]
pub(crate) struct LogRow {
    pub run_id: String,
    pub seq: i64,
    pub at_ms: i64,
    pub kind: String,
    pub path: Option<String>,
    pub data: Option<String>,
    pub op: Option<String>,
    pub class: Option<String>,
    pub digest: Option<Vec<u8>>,
    pub args: Option<String>,
    pub site: Option<String>,
    pub outcome: Option<String>,
    pub failed: Option<bool>,
    pub attempts: Option<i64>,
    pub started_at_ms: Option<i64>,
}

impl LogRow {
    /// The event's data as JSON text.
    pub(crate) fn data(&self) -> String {
        if let Some(data) = &self.data {
            return data.clone();
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let reads = self.class.as_deref() == Some(EffectClass::Read.as_str());
        finished::data(&Shown {
            op: &text(&self.op),
            args: self.args.as_deref().filter(|_| reads),
            site: &text(&self.site),
            outcome: &text(&self.outcome),
            failed: self.failed.unwrap_or_default(),
            elapsed_ms: self.at_ms - self.started_at_ms.unwrap_or(self.at_ms),
        })
    }

    /// The finished step, if the row has one.
    pub(crate) fn step(self) -> Option<StepRow> {
        let state = if self.failed? { "failed" } else { "succeeded" };
        Some(StepRow {
            path: self.path?,
            op: self.op?,
            class: self.class?,
            state: state.to_owned(),
            args: self.args?,
            digest: self.digest?,
            site: self.site?,
            outcome: self.outcome,
            attempts: self.attempts?,
            started_at_ms: self.started_at_ms?,
            finished_at_ms: Some(self.at_ms),
        })
    }
}

/// Appends a row. The caller has set its number aside.
pub(crate) fn append(cx: &mut Cx, run: &RunId, seq: i64, row: &NewRow) -> Applied<()> {
    match cx.conn {
        AnyConnection::Sqlite(c) => {
            let id = cx.recent.next_id(c)?;
            let block = id / BLOCK;
            // What belongs to no run is found through the feed only.
            if run.as_str() != crate::log::SYSTEM && cx.recent.enters(run, block) {
                hot::Block { run: run.as_str(), block: &block, first_seq: &seq }.execute(c)?;
            }
            let (run, kind, at_ms) = (run.as_str(), row.kind.as_str(), &cx.now_ms);
            match &row.step {
                Some(step) => hot::Finish {
                    id: &id,
                    run,
                    seq: &seq,
                    at_ms,
                    kind,
                    path: row.path.unwrap_or_default(),
                    data: &row.data,
                    op: step.op,
                    class: step.class,
                    digest: step.digest,
                    args: step.args,
                    site: step.site,
                    outcome: step.outcome,
                    failed: &step.failed,
                    attempts: &step.attempts,
                    started_at_ms: &step.started_at_ms,
                }
                .execute(c)?,
                None => {
                    hot::Tell { id: &id, run, seq: &seq, at_ms, kind, path: &row.path, data: &row.data }.execute(c)?
                }
            };
        }
        AnyConnection::Postgres(_) if cx.batch.is_open() => cx.batch.append(run, seq, row),
        AnyConnection::Postgres(c) => {
            let step = row.step.as_ref();
            diesel::insert_into(log::table)
                .values((
                    log::run_id.eq(run.as_str()),
                    log::seq.eq(seq),
                    log::at_ms.eq(cx.now_ms),
                    log::kind.eq(row.kind.as_str()),
                    log::path.eq(row.path),
                    log::data.eq(row.data),
                    log::op.eq(step.map(|step| step.op)),
                    log::class.eq(step.map(|step| step.class)),
                    log::digest.eq(step.map(|step| step.digest)),
                    log::args.eq(step.map(|step| step.args)),
                    log::site.eq(step.map(|step| step.site)),
                    log::outcome.eq(step.map(|step| step.outcome)),
                    log::failed.eq(step.map(|step| step.failed)),
                    log::attempts.eq(step.map(|step| step.attempts)),
                    log::started_at_ms.eq(step.map(|step| step.started_at_ms)),
                ))
                .execute(c)?;
        }
    }
    cx.told.wrote(run, row.kind);
    Ok(())
}

/// The number of the run's last row in SQLite; 0 if it has none.
pub(crate) fn last_seq(conn: &mut SqliteConnection, run: &str) -> QueryResult<i64> {
    let blocks = log_blocks::table.filter(log_blocks::run_id.eq(run));
    let Some(block) = blocks.select(diesel::dsl::max(log_blocks::block)).get_result::<Option<i64>>(conn)? else {
        return Ok(0);
    };
    let rows = log::table.filter(log::id.between(block * BLOCK, block * BLOCK + BLOCK - 1)).filter(log::run_id.eq(run));
    let last: Option<i64> = rows.select(diesel::dsl::max(log::seq)).get_result(conn)?;
    Ok(last.unwrap_or(0))
}

/// Ranges of ids that hold all of the run's rows with numbers above `after`, in order. Neighbours are one range.
fn ranges(conn: &mut SqliteConnection, run: &RunId, after: i64) -> QueryResult<Vec<(i64, i64)>> {
    let query = log_blocks::table
        .filter(log_blocks::run_id.eq(run.as_str()))
        .order(log_blocks::block.desc())
        .select((log_blocks::block, log_blocks::first_seq));
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for row in query.load_iter::<(i64, i64), DefaultLoadingMode>(conn)? {
        let (block, first_seq) = row?;
        let (from, to) = (block * BLOCK, block * BLOCK + BLOCK - 1);
        match ranges.last_mut() {
            Some(later) if later.0 == to + 1 => later.0 = from,
            _ => ranges.push((from, to)),
        }
        if first_seq <= after.saturating_add(1) {
            break;
        }
    }
    ranges.reverse();
    Ok(ranges)
}

/// Runs one query over a run's rows, in order: `$query` on PostgreSQL, and once for each range of ids on SQLite.
macro_rules! over_run {
    ($conn:expr, $run:expr, $after:expr, $found:ident: $row:ty, $full:expr, $query:expr) => {
        match $conn {
            AnyConnection::Sqlite(c) => {
                let mut $found: Vec<$row> = Vec::new();
                for (from, to) in ranges(c, $run, $after)? {
                    if $full {
                        break;
                    }
                    $found.extend($query.filter(log::id.between(from, to)).order(log::id).load::<$row>(c)?);
                }
                $found
            }
            AnyConnection::Postgres(c) => $query.order(log::seq).load::<$row>(c)?,
        }
    };
}

/// Rows with numbers above `after`, at most `limit`.
pub(crate) fn after(conn: &mut AnyConnection, run: &RunId, after: i64, limit: i64) -> QueryResult<Vec<LogRow>> {
    match conn {
        AnyConnection::Sqlite(c) => {
            let (limit, mut found) = (usize::try_from(limit).unwrap_or(usize::MAX), Vec::new());
            for (from, to) in ranges(c, run, after)? {
                // Without a LIMIT: with one, SQLite prepares a statement anew each time.
                let rows = log::table.filter(log::run_id.eq(run.as_str())).filter(log::seq.gt(after));
                let rows = rows.select(LogRow::as_select()).filter(log::id.between(from, to)).order(log::id);
                let rows = rows.load_iter::<LogRow, DefaultLoadingMode>(c)?.take(limit - found.len());
                found.extend(rows.collect::<QueryResult<Vec<_>>>()?);
                if found.len() >= limit {
                    break;
                }
            }
            Ok(found)
        }
        AnyConnection::Postgres(c) => log::table
            .filter(log::run_id.eq(run.as_str()))
            .filter(log::seq.gt(after))
            .order(log::seq)
            .limit(limit)
            .select(LogRow::as_select())
            .load(c),
    }
}

/// Rows that finish a step.
pub(crate) fn finished(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<LogRow>> {
    Ok(over_run!(conn, run, 0, found: LogRow, false, log::table
        .filter(log::run_id.eq(run.as_str()))
        .filter(log::op.is_not_null())
        .select(LogRow::as_select())))
}

/// Ids and paths of the rows that finish a step.
pub(crate) fn finished_paths(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<(i64, String)>> {
    Ok(over_run!(conn, run, 0, found: (i64, String), false, log::table
        .filter(log::run_id.eq(run.as_str()))
        .filter(log::op.is_not_null())
        .select((log::id, log::path.assume_not_null()))))
}

/// Number, path and whether it finishes a step, of every row, in the order in which rows stand.
pub(crate) fn marks(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<(i64, Option<String>, bool)>> {
    Ok(over_run!(conn, run, 0, found: (i64, Option<String>, bool), false, log::table
        .filter(log::run_id.eq(run.as_str()))
        .select((log::seq, log::path, log::op.is_not_null()))))
}

/// What tells a finished step from others.
#[derive(Queryable)]
pub(crate) struct Head {
    pub id: i64,
    pub path: String,
    pub op: String,
    pub failed: bool,
}

/// Of the rows that finish a step what tells them apart.
pub(crate) fn finished_heads(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<Head>> {
    Ok(over_run!(conn, run, 0, found: Head, false, log::table
    .filter(log::run_id.eq(run.as_str()))
    .filter(log::op.is_not_null())
    .select((
        log::id,
        log::path.assume_not_null(),
        log::op.assume_not_null(),
        log::failed.assume_not_null(),
    ))))
}

/// The row that finishes the step at `path`.
pub(crate) fn finished_at(conn: &mut AnyConnection, run: &RunId, path: &str) -> QueryResult<Option<LogRow>> {
    Ok(over_run!(conn, run, 0, found: LogRow, !found.is_empty(), log::table
        .filter(log::run_id.eq(run.as_str()))
        .filter(log::path.eq(path))
        .filter(log::op.is_not_null())
        .select(LogRow::as_select()))
    .pop())
}

/// An output, or a restart.
#[derive(Queryable)]
pub(crate) struct Uttered {
    pub seq: i64,
    pub kind: String,
    pub path: Option<String>,
    pub data: String,
}

/// A run's outputs, and the restarts among them.
pub(crate) fn outputs(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<Uttered>> {
    const KINDS: [&str; 4] = ["output.log", "output.progress", "output.annotation", "run.restarted"];
    Ok(over_run!(conn, run, 0, found: Uttered, false, log::table
        .filter(log::run_id.eq(run.as_str()))
        .filter(log::kind.eq(KINDS[0]).or(log::kind.eq(KINDS[1])).or(log::kind.eq(KINDS[2])).or(log::kind.eq(KINDS[3])))
        .select((log::seq, log::kind, log::path, log::data.assume_not_null()))))
}

/// When the run was restarted, each time.
pub(crate) fn restarts(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<i64>> {
    Ok(over_run!(conn, run, 0, found: i64, false, log::table
        .filter(log::run_id.eq(run.as_str()))
        .filter(log::kind.eq(EventKind::RunRestarted.as_str()))
        .select(log::at_ms)))
}

/// Takes the step out of a row; the event stays, as history.
pub(crate) fn forget_step(cx: &mut Cx, id: i64) -> Applied<()> {
    let row: LogRow = log::table.find(id).select(LogRow::as_select()).first(cx.conn)?;
    diesel::update(log::table.find(id))
        .set((
            log::data.eq(row.data()),
            log::op.eq(None::<String>),
            log::class.eq(None::<String>),
            log::digest.eq(None::<Vec<u8>>),
            log::args.eq(None::<String>),
            log::site.eq(None::<String>),
            log::outcome.eq(None::<String>),
            log::failed.eq(None::<bool>),
            log::attempts.eq(None::<i64>),
            log::started_at_ms.eq(None::<i64>),
        ))
        .execute(cx.conn)?;
    Ok(())
}

/// The name of the counter that notes the highest id that was given out, where its row has gone.
const IDS: &str = "log";

/// The highest id of SQLite's log.
pub(crate) fn newest(conn: &mut SqliteConnection) -> QueryResult<i64> {
    let newest: Option<i64> = log::table.select(diesel::dsl::max(log::id)).get_result(conn)?;
    Ok(newest.unwrap_or(0))
}

/// The highest id that was given out when the newest rows were last removed.
pub(crate) fn newest_removed(conn: &mut SqliteConnection) -> QueryResult<i64> {
    Ok(documents::noted(conn, IDS)?.and_then(|id| id.parse().ok()).unwrap_or(0))
}

/// Removes rows. Whoever reads the feed stands at an id: one that is given out again would be behind him, so what is to be removed
/// is noted if nothing newer stands there.
fn removing<T>(cx: &mut Cx, remove: impl FnOnce(&mut Cx) -> Applied<T>) -> Applied<T> {
    let before = match cx.conn {
        AnyConnection::Sqlite(c) => Some(newest(c)?),
        AnyConnection::Postgres(_) => None,
    };
    let removed = remove(cx)?;
    if let (Some(before), AnyConnection::Sqlite(c)) = (before, &mut *cx.conn)
        && newest(c)? < before
    {
        let before = before.max(newest_removed(c)?);
        documents::count(cx, IDS, before.into())?;
    }
    Ok(removed)
}

/// Removes all rows of a run. The blocks' entries go with the run.
pub(crate) fn remove(cx: &mut Cx, run: &RunId) -> Applied<()> {
    removing(cx, |cx| remove_all(cx, run))
}

fn remove_all(cx: &mut Cx, run: &RunId) -> Applied<()> {
    match cx.conn {
        AnyConnection::Sqlite(c) => {
            for (from, to) in ranges(c, run, 0)? {
                diesel::delete(log::table.filter(log::id.between(from, to)))
                    .filter(log::run_id.eq(run.as_str()))
                    .execute(c)?;
            }
        }
        AnyConnection::Postgres(c) => {
            diesel::delete(log::table.filter(log::run_id.eq(run.as_str()))).execute(c)?;
        }
    }
    cx.recent.forget(run);
    Ok(())
}

/// Removes the last rows of a run, about so many at most; how many there were.
pub(crate) fn remove_last(cx: &mut Cx, run: &RunId, most: i64) -> Applied<i64> {
    removing(cx, |cx| remove_some(cx, run, most))
}

fn remove_some(cx: &mut Cx, run: &RunId, most: i64) -> Applied<i64> {
    let mut removed = 0;
    match cx.conn {
        // Block by block, with their entries: the next slice needn't look where nothing is left.
        AnyConnection::Sqlite(c) => {
            let of_run = || log_blocks::table.filter(log_blocks::run_id.eq(run.as_str()));
            let blocks: Vec<i64> = of_run().order(log_blocks::block.desc()).select(log_blocks::block).load(c)?;
            for (looked_at, block) in blocks.into_iter().enumerate() {
                if removed > 0 && (removed + BLOCK > most || looked_at >= BLOCKS) {
                    break;
                }
                let rows = log::table.filter(log::id.between(block * BLOCK, block * BLOCK + BLOCK - 1));
                removed += diesel::delete(rows).filter(log::run_id.eq(run.as_str())).execute(c)? as i64;
                diesel::delete(of_run().filter(log_blocks::block.eq(block))).execute(c)?;
            }
        }
        AnyConnection::Postgres(c) => {
            let of_run = || log::table.filter(log::run_id.eq(run.as_str()));
            let last: Option<i64> = of_run().select(diesel::dsl::max(log::seq)).get_result(c)?;
            if let Some(last) = last {
                removed = diesel::delete(of_run().filter(log::seq.gt(last - most))).execute(c)? as i64;
            }
        }
    }
    cx.recent.forget(run);
    Ok(removed)
}

/// Rows by their ids, in any order.
pub(crate) fn by_ids(conn: &mut AnyConnection, ids: &[i64]) -> QueryResult<Vec<(i64, LogRow)>> {
    log::table.filter(log::id.eq_any(ids)).select((log::id, LogRow::as_select())).load(conn)
}

/// All rows of all runs, by run and number.
pub(crate) fn all(conn: &mut AnyConnection) -> QueryResult<Vec<LogRow>> {
    log::table.order((log::run_id, log::seq)).select(LogRow::as_select()).load(conn)
}
