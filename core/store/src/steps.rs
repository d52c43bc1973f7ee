//! Steps: the journal's rows.

use std::sync::Arc;

use diesel::prelude::*;
use windlass_model::{
    CallSite, Code, Digest, EffectClass, Outcome, Problem, RunId, StepCall, StepPath, StepState, step::StepRecord,
};

use crate::{apply::Cx, connection::AnyConnection, dialect::OnlyIf as _, error::Applied, hot, schema::steps};

/// A step as it stands in its row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = steps)]
pub(crate) struct StepRow {
    pub path: String,
    pub op: String,
    pub class: String,
    pub state: String,
    pub args: String,
    pub digest: Vec<u8>,
    pub site: String,
    pub outcome: Option<String>,
    pub attempts: i64,
    pub started_at_ms: i64,
    pub finished_at_ms: Option<i64>,
}

impl StepRow {
    // The table's CHECK admits no other words than those of the model.
    pub(crate) fn step_state(&self) -> StepState {
        StepState::parse(&self.state).unwrap_or(StepState::InDoubt)
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let text = self.outcome.as_deref()?;
        Some(match self.step_state() {
            StepState::Failed => Outcome::Error(Arc::new(problem(text))),
            _ => Outcome::Value(text.into()),
        })
    }

    pub(crate) fn record(self) -> StepRecord {
        let mut digest = [0; 16];
        if self.digest.len() == digest.len() {
            digest.copy_from_slice(&self.digest);
        }
        StepRecord {
            state: self.step_state(),
            outcome: self.outcome(),
            path: path(&self.path),
            op: self.op.into(),
            class: EffectClass::parse(&self.class).unwrap_or(EffectClass::AtMostOnce),
            args: self.args.into(),
            digest: Digest(digest),
            site: parse_site(&self.site),
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            started_at_ms: self.started_at_ms,
            finished_at_ms: self.finished_at_ms,
        }
    }
}

/// A problem as it was written; one that can't be read keeps its text.
pub(crate) fn problem(text: &str) -> Problem {
    serde_json::from_str(text).unwrap_or_else(|_| Problem::new(Code::Internal, text))
}

/// Paths are written only by this crate, from `StepPath`s.
pub(crate) fn path(text: &str) -> StepPath {
    text.parse().unwrap_or_else(|_| StepPath::new("", 0))
}

/// `file:line:column`, as it stands in rows.
pub(crate) fn site_text(site: &CallSite) -> String {
    format!("{}:{}:{}", site.file, site.line, site.column)
}

pub(crate) fn parse_site(text: &str) -> CallSite {
    let mut parts = text.rsplitn(3, ':');
    let column = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    let line = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    CallSite { file: parts.next().unwrap_or_default().into(), line, column }
}

pub(crate) fn find(conn: &mut AnyConnection, run: &RunId, path: &StepPath) -> QueryResult<Option<StepRow>> {
    steps::table.find((run.as_str(), path.to_string())).select(StepRow::as_select()).first(conn).optional()
}

/// All steps of a run: a step stands before those of its branches, and 2 before 10.
pub(crate) fn of_run(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<StepRecord>> {
    let rows: Vec<StepRow> =
        steps::table.filter(steps::run_id.eq(run.as_str())).select(StepRow::as_select()).load(conn)?;
    let mut records: Vec<StepRecord> = rows.into_iter().map(StepRow::record).collect();
    records.sort_by_cached_key(|record| natural(&record.path.to_string()));
    Ok(records)
}

/// A path's parts as letter and number, which compare as people count.
fn natural(path: &str) -> Vec<(u8, u64)> {
    path.split('/')
        .map(|part| {
            let digits = part.trim_start_matches(|letter: char| !letter.is_ascii_digit());
            let letter = if digits.len() == part.len() { 0 } else { part.as_bytes()[0] };
            (letter, digits.parse().unwrap_or(u64::MAX))
        })
        .collect()
}

/// Records a step's intent; a second intent counts an attempt. False if the step has gone beyond that.
pub(crate) fn put_started(cx: &mut Cx, run: &RunId, call: &StepCall) -> Applied<bool> {
    let path = call.path.to_string();
    let site = site_text(&call.site);
    let rows = match cx.conn {
        AnyConnection::Sqlite(c) => hot::Start {
            run: run.as_str(),
            path: &path,
            op: &call.op,
            class: call.class.as_str(),
            args: &call.args,
            digest: &call.digest.0,
            site: &site,
            started_at_ms: &cx.now_ms,
        }
        .execute(c)?,
        AnyConnection::Postgres(c) => diesel::insert_into(steps::table)
            .values((
                steps::run_id.eq(run.as_str()),
                steps::path.eq(&path),
                steps::op.eq(&*call.op),
                steps::class.eq(call.class.as_str()),
                steps::state.eq(StepState::Started.as_str()),
                steps::args.eq(&*call.args),
                steps::digest.eq(&call.digest.0[..]),
                steps::site.eq(&site),
                steps::attempts.eq(1_i64),
                steps::started_at_ms.eq(cx.now_ms),
            ))
            .on_conflict((steps::run_id, steps::path))
            .do_update()
            .set(steps::attempts.eq(steps::attempts + 1))
            .only_if(steps::state.eq(StepState::Started.as_str()))
            .execute(c)?,
    };
    Ok(rows > 0)
}

/// Records that a step waits.
pub(crate) fn put_waiting(cx: &mut Cx, run: &RunId, call: &StepCall) -> Applied<()> {
    diesel::insert_into(steps::table)
        .values((
            steps::run_id.eq(run.as_str()),
            steps::path.eq(call.path.to_string()),
            steps::op.eq(&*call.op),
            steps::class.eq(call.class.as_str()),
            steps::state.eq(StepState::Waiting.as_str()),
            steps::args.eq(&*call.args),
            steps::digest.eq(&call.digest.0[..]),
            steps::site.eq(site_text(&call.site)),
            steps::attempts.eq(1_i64),
            steps::started_at_ms.eq(cx.now_ms),
        ))
        .execute(cx.conn)?;
    Ok(())
}

/// What a step came to, ready to be written.
pub(crate) struct Finished<'a> {
    pub outcome: &'a Outcome,
    pub attempts: u32,
    pub started_at_ms: i64,
}

/// Records a step's outcome, over its intent or its wait if there is one. False if it has an
/// outcome already, or if a call of another class stands there.
pub(crate) fn put_finished(cx: &mut Cx, run: &RunId, call: &StepCall, finished: &Finished) -> Applied<bool> {
    let path = call.path.to_string();
    let site = site_text(&call.site);
    let (state, outcome) = outcome_text(finished.outcome)?;
    let attempts = i64::from(finished.attempts);
    let rows = match cx.conn {
        AnyConnection::Sqlite(c) => hot::Finish {
            run: run.as_str(),
            path: &path,
            op: &call.op,
            class: call.class.as_str(),
            state: state.as_str(),
            args: &call.args,
            digest: &call.digest.0,
            site: &site,
            outcome: &outcome,
            attempts: &attempts,
            started_at_ms: &finished.started_at_ms,
            finished_at_ms: &cx.now_ms,
        }
        .execute(c)?,
        AnyConnection::Postgres(c) => diesel::insert_into(steps::table)
            .values((
                steps::run_id.eq(run.as_str()),
                steps::path.eq(&path),
                steps::op.eq(&*call.op),
                steps::class.eq(call.class.as_str()),
                steps::state.eq(state.as_str()),
                steps::args.eq(&*call.args),
                steps::digest.eq(&call.digest.0[..]),
                steps::site.eq(&site),
                steps::outcome.eq(&*outcome),
                steps::attempts.eq(attempts),
                steps::started_at_ms.eq(finished.started_at_ms),
                steps::finished_at_ms.eq(cx.now_ms),
            ))
            .on_conflict((steps::run_id, steps::path))
            .do_update()
            .set((
                steps::state.eq(state.as_str()),
                steps::outcome.eq(&*outcome),
                steps::attempts.eq(attempts),
                steps::finished_at_ms.eq(cx.now_ms),
            ))
            .only_if(steps::finished_at_ms.is_null().and(steps::class.eq(call.class.as_str())))
            .execute(c)?,
    };
    Ok(rows > 0)
}

/// The state and the text that an outcome is written as.
pub(crate) fn outcome_text(outcome: &Outcome) -> Applied<(StepState, Arc<str>)> {
    Ok(match outcome {
        Outcome::Value(text) => (StepState::Succeeded, text.clone()),
        Outcome::Error(problem) => (StepState::Failed, serde_json::to_string(&**problem)?.into()),
    })
}

/// Records the outcome of a step whose row is there.
pub(crate) fn settle(cx: &mut Cx, run: &RunId, path: &str, outcome: &Outcome) -> Applied<()> {
    let (state, text) = outcome_text(outcome)?;
    diesel::update(steps::table.find((run.as_str(), path)))
        .set((steps::state.eq(state.as_str()), steps::outcome.eq(&*text), steps::finished_at_ms.eq(cx.now_ms)))
        .execute(cx.conn)?;
    Ok(())
}

pub(crate) fn set_state(cx: &mut Cx, run: &RunId, path: &StepPath, state: StepState) -> Applied<()> {
    diesel::update(steps::table.find((run.as_str(), path.to_string())))
        .set(steps::state.eq(state.as_str()))
        .execute(cx.conn)?;
    Ok(())
}

pub(crate) fn remove(cx: &mut Cx, run: &RunId, path: &StepPath) -> Applied<bool> {
    Ok(diesel::delete(steps::table.find((run.as_str(), path.to_string()))).execute(cx.conn)? == 1)
}

/// Whether a step of this run is in doubt.
pub(crate) fn any_in_doubt(cx: &mut Cx, run: &RunId) -> Applied<bool> {
    let count: i64 = steps::table
        .filter(steps::run_id.eq(run.as_str()))
        .filter(steps::state.eq(StepState::InDoubt.as_str()))
        .count()
        .get_result(cx.conn)?;
    Ok(count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_sort_as_people_count() {
        let mut paths = vec!["10", "2", "7/b1/3", "7", "7/b10/0", "7/b1/3/p0/1", "7/b2/0", "8", "7/p0/0"];
        paths.sort_by_key(|path| natural(path));
        assert_eq!(paths, ["2", "7", "7/b1/3", "7/b1/3/p0/1", "7/b2/0", "7/b10/0", "7/p0/0", "8", "10"]);
    }

    #[test]
    fn sites_survive_a_round_trip() {
        let site = CallSite { file: "lab/two:routers".into(), line: 3, column: 14 };
        assert_eq!(parse_site(&site_text(&site)), site);
    }
}
