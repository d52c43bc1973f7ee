//! The undo list: how each step is taken back, registered before its effect.

use diesel::prelude::*;
use windlass_model::{
    CallSite, Problem, RunId, StepPath,
    undo::{UndoRecord, UndoSpec, UndoState},
};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    dialect::{OnlyIf as _, both},
    error::{Applied, refuse},
    schema::undo,
    steps::{parse_site, path, site_text},
};

/// An entry as it stands in its row.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = undo)]
pub(crate) struct UndoRow {
    pub seq: i64,
    pub origin: String,
    pub path: String,
    pub spec: String,
    pub site: String,
    pub state: String,
    pub error: Option<String>,
    pub started_at_ms: Option<i64>,
}

impl UndoRow {
    pub(crate) fn spec(&self) -> Applied<UndoSpec> {
        Ok(serde_json::from_str(&self.spec)?)
    }

    fn record(self) -> QueryResult<UndoRecord> {
        let spec = serde_json::from_str(&self.spec)
            .map_err(|error| diesel::result::Error::DeserializationError(Box::new(error)))?;
        Ok(UndoRecord {
            seq: self.seq,
            origin: self.origin.into(),
            path: path(&self.path),
            spec,
            site: parse_site(&self.site),
            // The table's CHECK admits no other words than those of the model.
            state: UndoState::parse(&self.state).unwrap_or(UndoState::Failed),
            error: self.error.as_deref().map(crate::steps::problem),
        })
    }
}

/// Registers how a step is taken back; a second intent of the same call registers nothing more. A step that is
/// performed again with other arguments (a restart on other scripts) gets a second entry: what the first call may have
/// made is still to be taken back. Whether it is registered only now.
pub(crate) fn register(cx: &mut Cx, run: &RunId, path: &StepPath, spec: &UndoSpec, site: &CallSite) -> Applied<bool> {
    let last: Option<i64> =
        undo::table.filter(undo::run_id.eq(run.as_str())).select(diesel::dsl::max(undo::seq)).get_result(cx.conn)?;
    let path = path.to_string();
    let spec = serde_json::to_string(spec)?;
    let site = site_text(site);
    let rows = both!(cx.conn, c => diesel::insert_into(undo::table)
        .values((
            undo::run_id.eq(run.as_str()),
            undo::seq.eq(last.unwrap_or(0) + 1),
            undo::origin.eq(run.as_str()),
            undo::path.eq(&path),
            undo::spec.eq(&spec),
            undo::site.eq(&site),
            undo::state.eq(UndoState::Registered.as_str()),
        ))
        .on_conflict((undo::run_id, undo::origin, undo::path, undo::spec))
        .do_update()
        .set(undo::state.eq(UndoState::Registered.as_str()))
        .only_if(undo::state.eq(UndoState::Void.as_str()))
        .execute(c))?;
    Ok(rows == 1)
}

/// Makes the entry of a call void: its effect certainly didn't happen.
pub(crate) fn make_void(cx: &mut Cx, run: &RunId, path: &StepPath, spec: &UndoSpec) -> Applied<()> {
    diesel::update(undo::table)
        .filter(undo::spec.eq(serde_json::to_string(spec)?))
        .filter(undo::run_id.eq(run.as_str()))
        .filter(undo::origin.eq(run.as_str()))
        .filter(undo::path.eq(path.to_string()))
        .filter(undo::state.eq(UndoState::Registered.as_str()))
        .set(undo::state.eq(UndoState::Void.as_str()))
        .execute(cx.conn)?;
    Ok(())
}

/// Forgets a void entry of a step that is about to be performed again.
pub(crate) fn forget_void(cx: &mut Cx, run: &RunId, path: &StepPath) -> Applied<()> {
    diesel::delete(undo::table.filter(undo::run_id.eq(run.as_str())))
        .filter(undo::origin.eq(run.as_str()))
        .filter(undo::path.eq(path.to_string()))
        .filter(undo::state.eq(UndoState::Void.as_str()))
        .execute(cx.conn)?;
    Ok(())
}

/// The entry; refuses the command if there is none.
pub(crate) fn get(cx: &mut Cx, run: &RunId, seq: i64) -> Applied<UndoRow> {
    let row = undo::table.find((run.as_str(), seq)).select(UndoRow::as_select()).get_result(cx.conn).optional()?;
    match row {
        Some(row) => Ok(row),
        None => refuse(windlass_model::Code::NotFound, format!("run `{run}` has no undo entry {seq}")),
    }
}

/// The entry that failed, if one did.
pub(crate) fn failed(cx: &mut Cx, run: &RunId) -> Applied<Option<UndoRow>> {
    Ok(undo::table
        .filter(undo::run_id.eq(run.as_str()))
        .filter(undo::state.eq(UndoState::Failed.as_str()))
        .order(undo::seq.desc())
        .select(UndoRow::as_select())
        .first(cx.conn)
        .optional()?)
}

/// The entry that is to be worked off next.
pub(crate) fn last_registered(cx: &mut Cx, run: &RunId) -> Applied<Option<i64>> {
    Ok(undo::table
        .filter(undo::run_id.eq(run.as_str()))
        .filter(undo::state.eq(UndoState::Registered.as_str()))
        .select(diesel::dsl::max(undo::seq))
        .get_result(cx.conn)?)
}

/// Entries that are still to be worked off.
pub(crate) fn registered(cx: &mut Cx, run: &RunId) -> Applied<i64> {
    Ok(undo::table
        .filter(undo::run_id.eq(run.as_str()))
        .filter(undo::state.eq(UndoState::Registered.as_str()))
        .count()
        .get_result(cx.conn)?)
}

pub(crate) fn set_started(cx: &mut Cx, run: &RunId, seq: i64) -> Applied<()> {
    diesel::update(undo::table.find((run.as_str(), seq))).set(undo::started_at_ms.eq(cx.now_ms)).execute(cx.conn)?;
    Ok(())
}

pub(crate) fn set_state(
    cx: &mut Cx,
    run: &RunId,
    seq: i64,
    state: UndoState,
    problem: Option<&Problem>,
) -> Applied<()> {
    let error = problem.map(serde_json::to_string).transpose()?;
    diesel::update(undo::table.find((run.as_str(), seq)))
        .set((undo::state.eq(state.as_str()), undo::error.eq(error)))
        .execute(cx.conn)?;
    Ok(())
}

/// Gives a run's undo list to the run that continues it.
pub(crate) fn hand_over(cx: &mut Cx, from: &RunId, to: &RunId) -> Applied<()> {
    diesel::update(undo::table.filter(undo::run_id.eq(from.as_str())))
        .set(undo::run_id.eq(to.as_str()))
        .execute(cx.conn)?;
    Ok(())
}

pub(crate) fn rows(cx: &mut Cx, run: &RunId) -> Applied<Vec<UndoRow>> {
    Ok(undo::table.filter(undo::run_id.eq(run.as_str())).order(undo::seq).select(UndoRow::as_select()).load(cx.conn)?)
}

/// The undo list of a run, in the order of registration.
pub(crate) fn of_run(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<UndoRecord>> {
    let rows: Vec<UndoRow> =
        undo::table.filter(undo::run_id.eq(run.as_str())).order(undo::seq).select(UndoRow::as_select()).load(conn)?;
    rows.into_iter().map(UndoRow::record).collect()
}
