//! Runs: the row, how it reads, and the lists.

use diesel::prelude::*;
use serde_json::Value;
use windlass_model::{Problem, RunId, RunState, WaitReason, query::RunRecord, workflow::Rollback};

use crate::{
    apply::Cx, connection::AnyConnection, dialect::both, error::Applied, hot, log::run_not_found, schema::runs,
};

/// A run as it stands in its row.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = runs)]
pub(crate) struct RunRow {
    pub id: String,
    pub workflow: String,
    pub bundle: String,
    pub state: String,
    pub waiting_on: Option<String>,
    pub due_at_ms: Option<i64>,
    pub input: String,
    pub output: Option<String>,
    pub problem: Option<String>,
    pub launched_by: String,
    pub idempotency_key: Option<String>,
    pub rollback: String,
    pub parent_run: Option<String>,
    pub parent_path: Option<String>,
    pub continues: Option<String>,
    pub tags: String,
    pub recoveries: i64,
    pub launched_at_ms: i64,
    pub started_at_ms: Option<i64>,
    pub ended_at_ms: Option<i64>,
    pub deadline_at_ms: Option<i64>,
    pub retention_ms: Option<i64>,
    pub cancel_requested: bool,
    pub concurrency_key: Option<String>,
    pub concurrency_limit: Option<i64>,
    pub organisation: String,
    pub priority: i64,
    pub rate_key: Option<String>,
    pub rate_limit: Option<i64>,
    pub rate_per_ms: Option<i64>,
    pub rate_at_ms: Option<i64>,
    pub restored_at_ms: Option<i64>,
}

impl RunRow {
    pub(crate) fn run_id(&self) -> RunId {
        RunId::from(self.id.as_str())
    }

    // The table's CHECK admits no other words than those of the model.
    pub(crate) fn run_state(&self) -> RunState {
        RunState::parse(&self.state).unwrap_or(RunState::Failed)
    }

    pub(crate) fn rolls_back(&self) -> Rollback {
        if self.rollback == "none" { Rollback::None } else { Rollback::Auto }
    }

    pub(crate) fn is_parked(&self) -> bool {
        self.waiting_on.as_deref() == Some(WaitReason::Parked.as_str())
    }

    pub(crate) fn record(self) -> RunRecord {
        let json = |text: String| serde_json::from_str::<Value>(&text).unwrap_or(Value::String(text));
        let parent = self.parent_run.as_deref().zip(self.parent_path.as_deref());
        RunRecord {
            state: self.run_state(),
            waiting_on: reasons(self.waiting_on.as_deref()),
            rollback: self.rolls_back(),
            parent: parent.and_then(|(run, path)| Some((run.into(), path.parse().ok()?))),
            id: self.id.into(),
            workflow: self.workflow,
            bundle: self.bundle.into(),
            due_at_ms: self.due_at_ms,
            input: json(self.input),
            output: self.output.map(json),
            problem: self.problem.and_then(|text| serde_json::from_str::<Problem>(&text).ok()),
            launched_by: self.launched_by,
            organisation: self.organisation,
            idempotency_key: self.idempotency_key,
            continues: self.continues.map(RunId::from),
            tags: serde_json::from_str(&self.tags).unwrap_or_default(),
            recoveries: u32::try_from(self.recoveries).unwrap_or(u32::MAX),
            launched_at_ms: self.launched_at_ms,
            started_at_ms: self.started_at_ms,
            ended_at_ms: self.ended_at_ms,
            deadline_at_ms: self.deadline_at_ms,
        }
    }
}

pub(crate) fn rollback_text(rollback: Rollback) -> &'static str {
    match rollback {
        Rollback::Auto => "auto",
        Rollback::None => "none",
    }
}

fn reasons(text: Option<&str>) -> Vec<WaitReason> {
    text.unwrap_or_default().split(',').filter_map(WaitReason::parse).collect()
}

pub(crate) fn find(conn: &mut AnyConnection, run: &str) -> QueryResult<Option<RunRow>> {
    both!(conn, c => runs::table.find(run).select(RunRow::as_select()).get_result(c)).optional()
}

/// Puts a launched run in; false if there is one with its id.
pub(crate) fn create(cx: &mut Cx, row: &RunRow) -> Applied<bool> {
    let rows = match cx.conn {
        AnyConnection::Sqlite(c) => hot::Run {
            id: &row.id,
            workflow: &row.workflow,
            bundle: &row.bundle,
            state: &row.state,
            due_at_ms: &row.due_at_ms,
            input: &row.input,
            launched_by: &row.launched_by,
            idempotency_key: &row.idempotency_key,
            rollback: &row.rollback,
            parent_run: &row.parent_run,
            parent_path: &row.parent_path,
            continues: &row.continues,
            tags: &row.tags,
            recoveries: &row.recoveries,
            launched_at_ms: &row.launched_at_ms,
            started_at_ms: &row.started_at_ms,
            deadline_at_ms: &row.deadline_at_ms,
            retention_ms: &row.retention_ms,
            cancel_requested: &row.cancel_requested,
            concurrency_key: &row.concurrency_key,
            concurrency_limit: &row.concurrency_limit,
            organisation: &row.organisation,
            priority: &row.priority,
            rate_key: &row.rate_key,
            rate_limit: &row.rate_limit,
            rate_per_ms: &row.rate_per_ms,
            rate_at_ms: &row.rate_at_ms,
            restored_at_ms: &row.restored_at_ms,
        }
        .execute(c)?,
        AnyConnection::Postgres(_) if cx.batch.is_open() => {
            cx.batch.launch(row);
            1
        }
        AnyConnection::Postgres(c) => {
            diesel::insert_into(runs::table).values(row).on_conflict(runs::id).do_nothing().execute(c)?
        }
    };
    Ok(rows > 0)
}

/// The run; refuses the command if there is none.
pub(crate) fn get(cx: &mut Cx, run: &RunId) -> Applied<RunRow> {
    if let Some(row) = cx.batch.take_row(run.as_str()) {
        return Ok(row);
    }
    find(cx.conn, run.as_str())?.ok_or_else(|| run_not_found(run))
}

/// Whose run it is.
pub(crate) fn organisation(cx: &mut Cx, run: &RunId) -> Applied<String> {
    let query = runs::table.find(run.as_str()).select(runs::organisation);
    if let Some(organisation) = query.first(cx.conn).optional()? {
        return Ok(organisation);
    }
    // It may have been launched in this very batch.
    cx.settle()?;
    query.first(cx.conn).optional()?.ok_or_else(|| run_not_found(run))
}

/// Makes a waiting run due now, because something that it may wait for has happened. A parked run stays where it is,
/// and a running one looks for itself when it suspends.
pub(crate) fn wake(cx: &mut Cx, run: &str) -> Applied<()> {
    let now_ms = cx.now_ms;
    let woken = diesel::update(runs::table.find(run))
        .filter(runs::state.eq(RunState::Waiting.as_str()))
        .filter(runs::waiting_on.ne(WaitReason::Parked.as_str()))
        .filter(runs::due_at_ms.is_null().or(runs::due_at_ms.gt(now_ms)))
        .set(runs::due_at_ms.eq(now_ms))
        .execute(cx.conn)?;
    if woken > 0 {
        cx.told.due(now_ms, now_ms);
    }
    Ok(())
}

/// Runs by state, of some organisations or of all.
pub(crate) fn counts(conn: &mut AnyConnection, organisations: Option<&[&str]>) -> QueryResult<Vec<(RunState, u64)>> {
    let rows: Vec<(String, i64)> = match organisations {
        None => runs::table.group_by(runs::state).select((runs::state, diesel::dsl::count_star())).load(conn)?,
        Some(names) => runs::table
            .filter(runs::organisation.eq_any(names))
            .group_by(runs::state)
            .select((runs::state, diesel::dsl::count_star()))
            .load(conn)?,
    };
    let count = |state: RunState| rows.iter().find(|(word, _)| word == state.as_str()).map_or(0, |(_, n)| *n as u64);
    Ok(RunState::ALL.iter().map(|&state| (state, count(state))).filter(|(_, count)| *count > 0).collect())
}

/// Those of these runs that are in this state.
pub(crate) fn in_state(conn: &mut AnyConnection, among: &[RunId], state: RunState) -> QueryResult<Vec<RunId>> {
    let found: Vec<String> = runs::table
        .filter(runs::id.eq_any(among.iter().map(RunId::as_str)))
        .filter(runs::state.eq(state.as_str()))
        .select(runs::id)
        .load(conn)?;
    Ok(found.into_iter().map(RunId::from).collect())
}

/// When the first run becomes due.
pub(crate) fn earliest_due(conn: &mut AnyConnection) -> QueryResult<Option<i64>> {
    // The index holds only runs that have a time: without the filter, SQLite reads all of them.
    runs::table.filter(runs::due_at_ms.is_not_null()).select(diesel::dsl::min(runs::due_at_ms)).get_result(conn)
}

/// Runs of a concurrency key that have begun and haven't ended. The states by name: so those that are queued, perhaps very many,
/// aren't looked at. One whose undo is stuck does nothing, and may wait for an operator for ever: it keeps nobody out.
macro_rules! active {
    ($key:ident) => {
        runs::table.filter(runs::concurrency_key.eq($key)).filter(runs::ended_at_ms.is_null()).filter(
            runs::state.eq_any(
                RunState::ALL
                    .iter()
                    .filter(|state| !state.is_ended() && !matches!(state, RunState::Queued | RunState::RollbackStuck))
                    .map(|state| state.as_str()),
            ),
        )
    };
}

/// Runs of a concurrency key that have begun and haven't ended, a few of them.
pub(crate) fn some_active_with_key(cx: &mut Cx, key: &str) -> Applied<Vec<String>> {
    Ok(active!(key).order(runs::id).limit(QUEUED_AT_ONCE as i64).select(runs::id).load(cx.conn)?)
}

/// How many runs of a concurrency key have begun and haven't ended.
pub(crate) fn active_with_key(cx: &mut Cx, key: &str) -> Applied<i64> {
    Ok(active!(key).count().get_result(cx.conn)?)
}

/// Queued runs of a concurrency key that are looked at together.
const QUEUED_AT_ONCE: usize = 16;

/// Makes as many queued runs of a concurrency key due as there is room for, oldest first.
pub(crate) fn wake_key(cx: &mut Cx, key: &str) -> Applied<()> {
    crate::dialect::exclude_others(cx.conn, key)?;
    let mut active = active_with_key(cx, key)?;
    let mut last = String::new();
    loop {
        let queued: Vec<(String, Option<i64>, Option<i64>)> = runs::table
            .filter(runs::concurrency_key.eq(key))
            .filter(runs::ended_at_ms.is_null())
            .filter(runs::state.eq(RunState::Queued.as_str()))
            .filter(runs::id.gt(&last))
            .order(runs::id)
            .limit(QUEUED_AT_ONCE as i64)
            .select((runs::id, runs::concurrency_limit, runs::rate_at_ms))
            .load(cx.conn)?;
        let full = queued.len() == QUEUED_AT_ONCE;
        for (run, limit, rate_at_ms) in queued {
            if active >= limit.unwrap_or(1) {
                return Ok(());
            }
            active += 1;
            let due_at_ms = rate_at_ms.map_or(cx.now_ms, |at| at.max(cx.now_ms));
            diesel::update(runs::table.find(&run)).set(runs::due_at_ms.eq(due_at_ms)).execute(cx.conn)?;
            cx.told.due(due_at_ms, cx.now_ms);
            last = run;
        }
        if !full {
            return Ok(());
        }
    }
}
