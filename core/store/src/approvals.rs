//! Approvals: what people are asked, and what they decided.

use diesel::{BoxableExpression, dsl::exists, prelude::*, sql_types::Bool};
use windlass_model::{
    RunId, StepPath,
    query::{ApprovalFilter, ApprovalRecord, Scope},
    wait::{ApprovalRequest, Decision},
};

use crate::{
    apply::Cx,
    connection::{AnyConnection, Multi},
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

/// Approvals that a filter finds, oldest first.
pub(crate) fn list_where(conn: &mut AnyConnection, filter: &ApprovalFilter) -> QueryResult<Vec<ApprovalRecord>> {
    let mut query = approvals::table
        .select(ApprovalRow::as_select())
        .order((approvals::asked_at_ms, approvals::run_id, approvals::path))
        .into_boxed();
    if filter.open_only {
        query = query.filter(approvals::settled.eq(false));
    }
    if let Some((asked_ms, run, path)) = &filter.after {
        let (run, path) = (run.to_string(), path.to_string());
        let next_path = approvals::run_id.eq(run.clone()).and(approvals::path.gt(path));
        let next = approvals::asked_at_ms.gt(*asked_ms).or(approvals::run_id.gt(run).or(next_path));
        query = query.filter(approvals::asked_at_ms.ge(*asked_ms)).filter(next);
    }
    if let Some(organisation) = &filter.organisation {
        let of_run = runs::table.filter(runs::id.eq(approvals::run_id)).filter(runs::organisation.eq(organisation));
        query = query.filter(exists(of_run));
    }
    if let Some(scopes) = &filter.scopes {
        query = query.filter(within(scopes));
    }
    let limit = if filter.limit == 0 { 50 } else { filter.limit };
    let rows: Vec<ApprovalRow> = query.limit(i64::from(limit)).load(conn)?;
    rows.into_iter().map(|row| record(conn, row)).collect()
}

type Condition = Box<dyn BoxableExpression<approvals::table, Multi, SqlType = Bool>>;

/// Whether one of the scopes covers an approval's run.
fn within(scopes: &[Scope]) -> Condition {
    let nothing: Condition = Box::new(false.into_sql::<Bool>());
    scopes.iter().fold(nothing, |others, scope| {
        let of_run = runs::table.filter(runs::id.eq(approvals::run_id));
        let everything = (scope.organisation == "*", scope.folder == "*");
        let (organisation, folder) = (scope.organisation.clone(), scope.folder.clone());
        let below = runs::workflow.ge(format!("{folder}/")).and(runs::workflow.lt(format!("{folder}0")));
        let inside = runs::workflow.eq(folder).or(below);
        let covered: Condition = match everything {
            (true, true) => Box::new(true.into_sql::<Bool>()),
            (false, true) => Box::new(exists(of_run.filter(runs::organisation.eq(organisation)))),
            (true, false) => Box::new(exists(of_run.filter(inside))),
            (false, false) => Box::new(exists(of_run.filter(runs::organisation.eq(organisation)).filter(inside))),
        };
        Box::new(others.or(covered))
    })
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
