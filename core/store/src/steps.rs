//! Steps: the journal's rows.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use diesel::prelude::*;
use windlass_model::{
    CallSite, Code, Digest, EffectClass, EventKind, Outcome, Problem, RunId, StepCall, StepPath, StepState,
    query::StepFilter, step::StepRecord,
};

use crate::{
    apply::Cx,
    batch::may_have,
    connection::AnyConnection,
    dialect::OnlyIf as _,
    error::Applied,
    finished::{data_unlike, outcome_text},
    hot,
    journal_log::{self, LogRow, NewRow, NewStep},
    schema::steps,
    step_order::in_order,
};

/// A step: an open one, or a finished one from the log.
#[derive(Clone, Debug)]
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

/// The columns of an open step, but for its run.
type OpenRow = (String, String, String, String, String, Vec<u8>, String, i64, i64);

/// Those columns, to be selected.
macro_rules! open_columns {
    () => {
        (
            steps::path,
            steps::op,
            steps::class,
            steps::state,
            steps::args,
            steps::digest,
            steps::site,
            steps::attempts,
            steps::started_at_ms,
        )
    };
}

impl StepRow {
    fn open(row: OpenRow) -> Self {
        let (path, op, class, state, args, digest, site, attempts, started_at_ms) = row;
        let (outcome, finished_at_ms) = (None, None);
        Self { path, op, class, state, args, digest, site, outcome, attempts, started_at_ms, finished_at_ms }
    }

    /// The step with its outcome.
    pub(crate) fn with_outcome(self, outcome: &Outcome) -> Applied<Self> {
        let (state, text) = outcome_text(outcome)?;
        Ok(Self { state: state.as_str().to_owned(), outcome: Some(text.to_string()), ..self })
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.step_state() == StepState::Failed
    }

    /// A finished step's columns in the log.
    pub(crate) fn for_log(&self) -> NewStep<'_> {
        NewStep {
            op: &self.op,
            class: &self.class,
            digest: &self.digest,
            args: &self.args,
            site: &self.site,
            outcome: self.outcome.as_deref().unwrap_or_default(),
            failed: self.is_failed(),
            attempts: self.attempts,
            started_at_ms: self.started_at_ms,
        }
    }

    // The tables' CHECKs admit no other words than those of the model.
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

    fn record(self, words: &mut Words) -> StepRecord {
        let mut digest = [0; 16];
        if self.digest.len() == digest.len() {
            digest.copy_from_slice(&self.digest);
        }
        StepRecord {
            state: self.step_state(),
            outcome: self.outcome(),
            path: path(&self.path),
            op: words.op.share(&self.op),
            class: EffectClass::parse(&self.class).unwrap_or(EffectClass::AtMostOnce),
            args: self.args.into(),
            digest: Digest(digest),
            site: words.site(&self.site),
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

/// Words that recur in a journal, kept once: a run calls few functions from few places.
#[derive(Default)]
struct Words {
    op: Word,
    last_site: Option<(String, CallSite)>,
}

#[derive(Default)]
struct Word(Option<Arc<str>>);

impl Word {
    fn share(&mut self, text: &str) -> Arc<str> {
        match &self.0 {
            Some(last) if **last == *text => last.clone(),
            _ => self.0.insert(text.into()).clone(),
        }
    }
}

impl Words {
    fn site(&mut self, text: &str) -> CallSite {
        match &self.last_site {
            Some((last, site)) if last == text => site.clone(),
            _ => self.last_site.insert((text.to_owned(), parse_site(text))).1.clone(),
        }
    }
}

/// The step at `path`, open or finished.
pub(crate) fn find(cx: &mut Cx, run: &RunId, path: &StepPath) -> Applied<Option<StepRow>> {
    let path = path.to_string();
    if !may_have(cx, run, &path)? {
        return Ok(None);
    }
    match find_open(cx, run, &path)? {
        Some(row) => Ok(Some(row)),
        None => Ok(journal_log::finished_at(cx.conn, run, &path)?.and_then(LogRow::step)),
    }
}

fn find_open(cx: &mut Cx, run: &RunId, path: &str) -> Applied<Option<StepRow>> {
    let row: Option<OpenRow> =
        steps::table.find((run.as_str(), path)).select(open_columns!()).get_result(cx.conn).optional()?;
    Ok(row.map(StepRow::open))
}

/// Open steps of all runs, with their runs.
pub(crate) fn all_open(conn: &mut AnyConnection) -> QueryResult<Vec<(String, StepRow)>> {
    let rows: Vec<(String, OpenRow)> = steps::table.select((steps::run_id, open_columns!())).load(conn)?;
    Ok(rows.into_iter().map(|(run, row)| (run, StepRow::open(row))).collect())
}

/// All steps of a run: a step stands before those of its branches, and 2 before 10.
pub(crate) fn of_run(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<StepRecord>> {
    let open: Vec<OpenRow> = steps::table.filter(steps::run_id.eq(run.as_str())).select(open_columns!()).load(conn)?;
    let finished = journal_log::finished(conn, run)?.into_iter().filter_map(LogRow::step);
    let mut words = Words::default();
    let rows = open.into_iter().map(StepRow::open).chain(finished);
    let mut records: Vec<StepRecord> = rows.map(|row| row.record(&mut words)).collect();
    records.sort_by(|one, other| in_order(&one.path, &other.path));
    Ok(records)
}

/// A page of a run's steps. Of the steps that aren't on it only the place is read.
pub(crate) fn page(conn: &mut AnyConnection, run: &RunId, filter: &StepFilter) -> QueryResult<Vec<StepRecord>> {
    let fits = |op: &str, state: &str| {
        filter.op.as_ref().is_none_or(|asked| asked == op)
            && filter.op_prefix.as_ref().is_none_or(|prefix| op.starts_with(prefix))
            && (filter.states.is_empty() || filter.states.iter().any(|asked| asked.as_str() == state))
    };
    let comes = |place: &StepPath| filter.after.as_ref().is_none_or(|after| in_order(after, place).is_lt());
    let open: Vec<OpenRow> = steps::table.filter(steps::run_id.eq(run.as_str())).select(open_columns!()).load(conn)?;
    let open = open.into_iter().map(StepRow::open).filter(|row| fits(&row.op, &row.state));
    let mut found: Vec<(StepPath, Place)> = open.map(|row| (path(&row.path), Place::Open(Box::new(row)))).collect();
    for head in journal_log::finished_heads(conn, run)? {
        let state = if head.failed { StepState::Failed } else { StepState::Succeeded };
        if fits(&head.op, state.as_str()) {
            found.push((path(&head.path), Place::Finished(head.id)));
        }
    }
    found.retain(|(place, _)| comes(place));
    let limit = usize::try_from(if filter.limit == 0 { 50 } else { filter.limit }).unwrap_or(usize::MAX);
    if found.len() > limit {
        found.select_nth_unstable_by(limit, |one, other| in_order(&one.0, &other.0));
        found.truncate(limit);
    }
    let ids: Vec<i64> = found.iter().filter_map(|(_, place)| place.id()).collect();
    let finished = journal_log::by_ids(conn, &ids)?.into_iter().filter_map(|(_, row)| row.step());
    let open = found.into_iter().filter_map(|(_, place)| place.row());
    let mut words = Words::default();
    let mut records: Vec<StepRecord> = open.chain(finished).map(|row| row.record(&mut words)).collect();
    records.sort_by(|one, other| in_order(&one.path, &other.path));
    Ok(records)
}

/// Those of these steps that there are, in no order.
pub(crate) fn at(conn: &mut AnyConnection, run: &RunId, paths: &[StepPath]) -> QueryResult<Vec<StepRecord>> {
    let asked: HashSet<String> = paths.iter().map(ToString::to_string).collect();
    let open: Vec<OpenRow> = steps::table.filter(steps::run_id.eq(run.as_str())).select(open_columns!()).load(conn)?;
    let mut rows: Vec<StepRow> = open.into_iter().map(StepRow::open).filter(|row| asked.contains(&row.path)).collect();
    let finished = journal_log::finished_paths(conn, run)?;
    let ids: Vec<i64> = finished.into_iter().filter(|(_, path)| asked.contains(path)).map(|(id, _)| id).collect();
    for piece in ids.chunks(PIECE) {
        rows.extend(journal_log::by_ids(conn, piece)?.into_iter().filter_map(|(_, row)| row.step()));
    }
    let mut words = Words::default();
    Ok(rows.into_iter().map(|row| row.record(&mut words)).collect())
}

/// Steps that are read at once.
const PIECE: usize = 500;

/// Where a step stands.
enum Place {
    Open(Box<StepRow>),
    /// In this row of the log.
    Finished(i64),
}

impl Place {
    fn id(&self) -> Option<i64> {
        if let Self::Finished(id) = self { Some(*id) } else { None }
    }

    fn row(self) -> Option<StepRow> {
        if let Self::Open(row) = self { Some(*row) } else { None }
    }
}

/// What became of a step's intent.
#[derive(PartialEq, Eq)]
pub(crate) enum Intent {
    /// It stands there now.
    New,
    /// It stood there: an attempt more is counted.
    Again,
    /// The step has gone beyond that.
    Late,
}

/// Records a step's intent.
pub(crate) fn put_started(cx: &mut Cx, run: &RunId, call: &StepCall) -> Applied<Intent> {
    let path = call.path.to_string();
    let site = site_text(&call.site);
    let mut intent = Intent::New;
    if may_have(cx, run, &path)? {
        if find_open(cx, run, &path)?.is_some() {
            intent = Intent::Again;
        } else if journal_log::finished_at(cx.conn, run, &path)?.is_some() {
            return Ok(Intent::Late);
        }
    }
    cx.recent.learn(run, &path);
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
    Ok(if rows > 0 { intent } else { Intent::Late })
}

/// An intent of a step that was performed before, and whose record is gone.
pub(crate) fn set_performed_before(cx: &mut Cx, run: &RunId, path: &StepPath) -> Applied<()> {
    diesel::update(steps::table.find((run.as_str(), path.to_string())))
        .set(steps::attempts.eq(2_i64))
        .execute(cx.conn)?;
    Ok(())
}

/// Records that a step waits.
pub(crate) fn put_waiting(cx: &mut Cx, run: &RunId, call: &StepCall) -> Applied<()> {
    cx.recent.learn(run, &call.path.to_string());
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

/// Records a step's outcome, in place of its intent or its wait if there is one, as the event with number `seq`; how often
/// it was begun. None if it has an outcome already, or if a call of another class stands there.
pub(crate) fn put_finished(
    cx: &mut Cx,
    run: &RunId,
    seq: i64,
    call: &StepCall,
    done: &Finished,
) -> Applied<Option<i64>> {
    let path = call.path.to_string();
    let site = site_text(&call.site);
    let (state, outcome) = outcome_text(done.outcome)?;
    let failed = state == StepState::Failed;
    let attempts = i64::from(done.attempts);
    let mut step = NewStep {
        op: &call.op,
        class: call.class.as_str(),
        digest: &call.digest.0,
        args: &call.args,
        site: &site,
        outcome: &outcome,
        failed,
        attempts,
        started_at_ms: done.started_at_ms,
    };
    let mut data = None;
    let mut intent = None;
    if may_have(cx, run, &path)? {
        intent = find_open(cx, run, &path)?;
        match &intent {
            Some(open) if open.class != call.class.as_str() => return Ok(None),
            Some(_) => drop(remove_open(cx, run, &path)?),
            None if journal_log::finished_at(cx.conn, run, &path)?.is_some() => return Ok(None),
            None => {}
        }
    }
    if let Some(open) = &intent {
        data = data_unlike(open, call, done.outcome, cx.now_ms - done.started_at_ms, cx.now_ms)?;
        step = NewStep { outcome: &outcome, failed, attempts, ..open.for_log() };
    }
    let kind = if failed { EventKind::StepFailed } else { EventKind::StepSucceeded };
    let row = NewRow { kind, path: Some(&path), data: data.as_deref(), step: Some(step) };
    journal_log::append(cx, run, seq, &row)?;
    cx.recent.learn(run, &path);
    Ok(Some(intent.map_or(1, |open| open.attempts)))
}

/// Takes an open step out, to be finished.
pub(crate) fn take_open(cx: &mut Cx, run: &RunId, path: &str) -> Applied<Option<StepRow>> {
    let row = find_open(cx, run, path)?;
    remove_open(cx, run, path)?;
    Ok(row)
}

pub(crate) fn set_state(cx: &mut Cx, run: &RunId, path: &StepPath, state: StepState) -> Applied<()> {
    diesel::update(steps::table.find((run.as_str(), path.to_string())))
        .set(steps::state.eq(state.as_str()))
        .execute(cx.conn)?;
    Ok(())
}

/// An intent of which a person has said that nothing came of it.
pub(crate) fn set_unperformed(cx: &mut Cx, run: &RunId, path: &StepPath) -> Applied<()> {
    diesel::update(steps::table.find((run.as_str(), path.to_string())))
        .set((steps::state.eq(StepState::Started.as_str()), steps::attempts.eq(0_i64)))
        .execute(cx.conn)?;
    Ok(())
}

/// Removes an open step; whether it was there.
pub(crate) fn remove_open(cx: &mut Cx, run: &RunId, path: &str) -> Applied<bool> {
    Ok(diesel::delete(steps::table.find((run.as_str(), path))).execute(cx.conn)? == 1)
}

/// Removes steps, open or finished; those that were there. Their events stay.
pub(crate) fn remove<'a>(cx: &mut Cx, run: &RunId, paths: &'a [StepPath]) -> Applied<Vec<&'a StepPath>> {
    let rows = journal_log::finished_paths(cx.conn, run)?;
    let mut ids: HashMap<String, i64> = rows.into_iter().map(|(id, path)| (path, id)).collect();
    let mut removed = Vec::new();
    for path in paths {
        let text = path.to_string();
        let mut found = remove_open(cx, run, &text)?;
        if let Some(id) = ids.remove(&text) {
            journal_log::forget_step(cx, id)?;
            found = true;
        }
        if found {
            removed.push(path);
        }
    }
    Ok(removed)
}

/// Forgets those of these steps that are finished; how many. Their events stay.
pub(crate) fn forget_finished(cx: &mut Cx, run: &RunId, paths: &[StepPath]) -> Applied<u64> {
    let asked: HashSet<String> = paths.iter().map(ToString::to_string).collect();
    let rows = journal_log::finished_paths(cx.conn, run)?;
    let ids: Vec<i64> = rows.into_iter().filter(|(_, path)| asked.contains(path)).map(|(id, _)| id).collect();
    ids.iter().try_for_each(|id| journal_log::forget_step(cx, *id))?;
    Ok(ids.len() as u64)
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
    fn sites_survive_a_round_trip() {
        let site = CallSite { file: "lab/two:routers".into(), line: 3, column: 14 };
        assert_eq!(parse_site(&site_text(&site)), site);
    }
}
