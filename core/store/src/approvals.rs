//! Approvals: what people are asked, and what they decided.

use diesel::prelude::*;
use windlass_model::{
    RunId, StepPath,
    query::{ApprovalRecord, Scope},
    wait::{ApprovalRequest, Decision},
};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    dialect::both,
    error::Applied,
    schema::{approvals, decisions, runs},
    steps,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = approvals)]
struct ApprovalRow {
    run_id: String,
    path: String,
    request: String,
    settled: bool,
    asked_at_ms: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = decisions)]
struct DecisionRow {
    decided_by: String,
    approved: bool,
    comment: Option<String>,
    form: String,
    digest: String,
}

/// Asks. Whatever was decided at this step before (the run was restarted since) counts no more.
pub(crate) fn ask(cx: &mut Cx, run: &RunId, path: &StepPath, request: &ApprovalRequest) -> Applied<()> {
    let path = path.to_string();
    let text = serde_json::to_string(request)?;
    diesel::delete(decisions::table.filter(decisions::run_id.eq(run.as_str())).filter(decisions::path.eq(&path)))
        .execute(cx.conn)?;
    both!(cx.conn, c => diesel::insert_into(approvals::table)
        .values((
            approvals::run_id.eq(run.as_str()),
            approvals::path.eq(&path),
            approvals::request.eq(&text),
            approvals::settled.eq(false),
            approvals::asked_at_ms.eq(cx.now_ms),
        ))
        .on_conflict((approvals::run_id, approvals::path))
        .do_update()
        .set((approvals::request.eq(&text), approvals::settled.eq(false), approvals::asked_at_ms.eq(cx.now_ms)))
        .execute(c))?;
    Ok(())
}

pub(crate) fn remove_open(cx: &mut Cx, run: &RunId, path: &str) -> Applied<()> {
    diesel::delete(approvals::table.find((run.as_str(), path)))
        .filter(approvals::settled.eq(false))
        .execute(cx.conn)?;
    Ok(())
}

pub(crate) fn remove(cx: &mut Cx, run: &RunId, path: &str) -> Applied<()> {
    diesel::delete(approvals::table.find((run.as_str(), path))).execute(cx.conn)?;
    Ok(())
}

pub(crate) fn set_settled(cx: &mut Cx, run: &RunId, path: &str) -> Applied<()> {
    diesel::update(approvals::table.find((run.as_str(), path))).set(approvals::settled.eq(true)).execute(cx.conn)?;
    Ok(())
}

pub(crate) fn find(conn: &mut AnyConnection, run: &str, path: &str) -> QueryResult<Option<ApprovalRecord>> {
    let row = approvals::table.find((run, path)).select(ApprovalRow::as_select()).get_result(conn).optional()?;
    row.map(|row| record(conn, row)).transpose()
}

/// A decision; its number keeps the order in which people decided.
pub(crate) fn decide(cx: &mut Cx, run: &RunId, path: &str, seq: i64, decision: &Decision) -> Applied<()> {
    diesel::insert_into(decisions::table)
        .values((
            decisions::run_id.eq(run.as_str()),
            decisions::path.eq(path),
            decisions::decided_by.eq(&decision.by),
            decisions::seq.eq(seq),
            decisions::approved.eq(decision.approved),
            decisions::comment.eq(decision.comment.as_deref()),
            decisions::form.eq(decision.form.to_string()),
            decisions::digest.eq(&decision.digest),
            decisions::decided_at_ms.eq(cx.now_ms),
        ))
        .execute(cx.conn)?;
    Ok(())
}

/// Approvals of a run, or of all; oldest first.
pub(crate) fn list(conn: &mut AnyConnection, run: Option<&RunId>, open_only: bool) -> QueryResult<Vec<ApprovalRecord>> {
    let mut query = approvals::table
        .select(ApprovalRow::as_select())
        .order((approvals::asked_at_ms, approvals::run_id, approvals::path))
        .into_boxed();
    if let Some(run) = run {
        query = query.filter(approvals::run_id.eq(run.as_str()));
    }
    if open_only {
        query = query.filter(approvals::settled.eq(false));
    }
    let rows: Vec<ApprovalRow> = query.load(conn)?;
    rows.into_iter().map(|row| record(conn, row)).collect()
}

/// Approvals of runs within some scopes, oldest first.
pub(crate) fn list_within(
    conn: &mut AnyConnection,
    scopes: Option<&[Scope]>,
    open_only: bool,
) -> QueryResult<Vec<ApprovalRecord>> {
    let Some(scopes) = scopes else { return list(conn, None, open_only) };
    let mut query = approvals::table
        .inner_join(runs::table.on(runs::id.eq(approvals::run_id)))
        .select((ApprovalRow::as_select(), runs::organisation, runs::workflow))
        .order((approvals::asked_at_ms, approvals::run_id, approvals::path))
        .into_boxed();
    if open_only {
        query = query.filter(approvals::settled.eq(false));
    }
    let rows: Vec<(ApprovalRow, String, String)> = query.load(conn)?;
    let covered = |organisation: &str, workflow: &str| scopes.iter().any(|scope| scope.covers(organisation, workflow));
    let rows = rows.into_iter().filter(|(_, organisation, workflow)| covered(organisation, workflow));
    rows.map(|(row, ..)| record(conn, row)).collect()
}

fn record(conn: &mut AnyConnection, row: ApprovalRow) -> QueryResult<ApprovalRecord> {
    let made: Vec<DecisionRow> = decisions::table
        .filter(decisions::run_id.eq(&row.run_id))
        .filter(decisions::path.eq(&row.path))
        .order(decisions::seq)
        .select(DecisionRow::as_select())
        .load(conn)?;
    let request = serde_json::from_str(&row.request)
        .map_err(|error| diesel::result::Error::DeserializationError(Box::new(error)))?;
    Ok(ApprovalRecord {
        run: row.run_id.into(),
        path: steps::path(&row.path),
        request,
        decisions: made
            .into_iter()
            .map(|row| Decision {
                by: row.decided_by,
                approved: row.approved,
                comment: row.comment,
                form: serde_json::from_str(&row.form).unwrap_or_default(),
                digest: row.digest,
            })
            .collect(),
        settled: row.settled,
        asked_at_ms: row.asked_at_ms,
    })
}
