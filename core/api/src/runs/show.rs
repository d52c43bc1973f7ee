//! One run: what it is, what it did, what it made, and how it differs from another.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::RunDiff;
use windlass_model::{
    Code, Event, EventKind, Problem, StepState,
    query::{ApprovalRecord, RunRecord, StepFilter},
    undo::UndoState,
};

use super::{
    filter::clean,
    things::{self, ResourceView},
    view::{ApprovalView, RunView, StepView, UndoView},
    visible,
};
use crate::{
    Access, Answer, Permission, Request, Route,
    approvals::lone,
    page::{self, Page},
};

/// A run with everything that its page shows first.
#[derive(Serialize, JsonSchema)]
struct RunShown {
    #[serde(flatten)]
    run: RunView,
    /// What is asked and not yet decided.
    approvals: Vec<ApprovalView>,
    /// Its undo list in numbers.
    undo: UndoSummary,
    /// Things that it made and that are there now.
    live_resources: u64,
    /// Number of its last event: where to follow it from.
    last_event: i64,
    /// What the script last said about its progress, if it did so lately.
    progress: Option<Progress>,
    /// Id of the plan that it was launched with, if it was: what was rehearsed. Plans go after 30 days.
    plan: Option<String>,
    /// Where to look further.
    links: BTreeMap<&'static str, String>,
}

/// An undo list in numbers.
#[derive(Default, Serialize, JsonSchema)]
struct UndoSummary {
    /// To be worked off if the run fails.
    registered: u64,
    /// Worked off.
    done: u64,
    /// Tried, and failed.
    failed: u64,
    /// Left by an operator.
    skipped: u64,
    /// Without effect, so that there is nothing to undo.
    void: u64,
}

/// How far a run says that it is.
#[derive(Serialize, JsonSchema)]
struct Progress {
    /// Percent, if it said so.
    percent: Option<f64>,
    /// In its words.
    message: Option<String>,
}

/// An event of a run.
#[derive(Serialize, JsonSchema)]
struct HistoryEvent {
    /// The run.
    run: String,
    /// Its number in the run, from 1, without a gap.
    seq: i64,
    /// When it was committed.
    at_ms: i64,
    /// What happened.
    #[schemars(schema_with = "kinds")]
    kind: EventKind,
    /// The step, or for outputs the lane and the output's ordinal in it.
    path: Option<String>,
    /// The rest, by kind.
    data: Value,
}

fn kinds(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    json_schema!({ "type": "string", "enum": words })
}

impl From<Event> for HistoryEvent {
    fn from(event: Event) -> Self {
        Self {
            run: event.run.to_string(),
            seq: event.seq,
            at_ms: event.at_ms,
            kind: event.kind,
            path: event.path,
            data: event.data,
        }
    }
}

/// A page of events.
#[derive(Serialize, JsonSchema)]
struct History {
    /// The events, oldest first.
    items: Vec<HistoryEvent>,
    /// `?after=` of the next page; absent if these were the last ones by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

/// Which events.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    /// Only those with higher numbers.
    after: Option<i64>,
    /// At most so many: 1 to 1000, 200 if nothing is said.
    limit: Option<u32>,
}

/// Which steps.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StepsQuery {
    /// In one of these states: a comma list.
    state: Option<String>,
    /// Calls of this function, or of a module (`net::*`).
    op: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many on a page: 1 to 500, 50 if nothing is said.
    limit: Option<u32>,
}

/// With what to compare.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DiffQuery {
    /// The other run.
    with: String,
}

/// Which things.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResourcesQuery {
    /// Also what is gone or adopted.
    all: Option<bool>,
}

/// What differs between two runs; what doesn't differ is null or left out.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "describes the engine's type")]
struct DiffView {
    /// Workflow names.
    workflow: Option<(String, String)>,
    /// Inputs.
    input: Option<(Value, Value)>,
    /// Sources: module name, text in the first, text in the second.
    sources: Vec<(String, Option<String>, Option<String>)>,
    /// Steps, in order of paths: `path`, `first`, `second`, `elapsed_ms`.
    steps: Vec<Value>,
    /// Their states.
    states: (String, String),
    /// From launch to end, where ended.
    elapsed_ms: (Option<i64>, Option<i64>),
    /// Outputs.
    output: Option<(Value, Value)>,
}

/// Sources that a run is pinned to.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "describes the model's type")]
pub(crate) struct BundleView {
    /// The workflow's name.
    entry: String,
    /// Sources by module name.
    files: BTreeMap<String, String>,
}

fn look(path: &'static str, summary: &'static str) -> Route {
    Route::get(path, "runs", summary)
        .access(Access::Can(Permission::Read))
        .problems(&[Code::RunNotFound, Code::InvalidInput])
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        look("/api/v1/runs/{id}", "Show a run").answers::<RunShown>(200).handle(show),
        look("/api/v1/runs/{id}/steps", "A run's journal, in order of paths")
            .query::<StepsQuery>()
            .answers::<Page<StepView>>(200)
            .handle(steps),
        look("/api/v1/runs/{id}/history", "A run's events, page by page")
            .describe("For following a run as it goes, `/api/v1/runs/{id}/events` streams them.")
            .query::<HistoryQuery>()
            .answers::<History>(200)
            .handle(history),
        look("/api/v1/runs/{id}/undo", "A run's undo list").answers::<Vec<UndoView>>(200).handle(undo),
        look("/api/v1/runs/{id}/resources", "What a run has made")
            .query::<ResourcesQuery>()
            .answers::<Vec<ResourceView>>(200)
            .handle(resources),
        look("/api/v1/runs/{id}/approvals", "What a run asks or asked")
            .answers::<Vec<ApprovalView>>(200)
            .handle(approvals),
        look("/api/v1/runs/{id}/sources", "The sources that a run is pinned to")
            .answers::<BundleView>(200)
            .handle(sources),
        look("/api/v1/runs/{id}/diff", "What differs between two runs")
            .query::<DiffQuery>()
            .answers::<DiffView>(200)
            .handle(diff),
        look("/api/v1/runs/{id}/export", "Everything about a run, as one document")
            .answers::<Value>(200)
            .handle(export),
    ]
}

fn show(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?;
    let engine = &request.api.engine;
    let mut undo = UndoSummary::default();
    for entry in engine.undo_list(&run.id)? {
        *match entry.state {
            UndoState::Registered => &mut undo.registered,
            UndoState::Done => &mut undo.done,
            UndoState::Failed => &mut undo.failed,
            UndoState::Skipped => &mut undo.skipped,
            UndoState::Void => &mut undo.void,
        } += 1;
    }
    let approvals = shown_approvals(&request, &run, engine.approvals(Some(&run.id), true)?)?;
    let live_resources = engine.resources(Some(&run.id), true)?.len() as u64;
    let last_event = crate::logs::last_event(engine, &run.id)?;
    let progress = progress(&request, &run.id, last_event)?;
    let parts =
        ["events", "history", "logs", "steps", "artifacts", "undo", "resources", "sources", "approvals", "export"];
    let own = format!("/api/v1/runs/{}", run.id);
    let links = parts.into_iter().map(|part| (part, format!("{own}/{part}")));
    let links = links.chain([("self", own.clone()), ("bundle", format!("/api/v1/bundles/{}", run.bundle))]).collect();
    let plan = crate::plans::of_run(&run.tags).map(str::to_owned);
    Answer::json(&RunShown { approvals, undo, live_resources, last_event, progress, plan, links, run: run.into() })
}

/// Events from the end in which progress is looked for: a run that says nothing for so long says nothing.
const LATELY: i64 = 500;

fn progress(request: &Request, run: &windlass_model::RunId, last_event: i64) -> Result<Option<Progress>, Problem> {
    let lately = request.api.engine.events(run, (last_event - LATELY).max(0), LATELY as u32)?;
    let last = lately.into_iter().rev().find(|event| event.kind == EventKind::Progress);
    Ok(last.map(|event| Progress {
        percent: event.data["percent"].as_f64(),
        message: event.data["message"].as_str().map(str::to_owned),
    }))
}

fn steps(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?;
    let query: StepsQuery = request.query()?;
    let states = step_states(query.state.as_deref())?;
    let (folder, op) = match query.op.as_deref() {
        Some(op) => (op.strip_suffix('*'), Some(op)),
        None => (None, None),
    };
    let limit = page::limit(query.limit);
    let filter = StepFilter {
        states,
        op: op.filter(|_| folder.is_none()).map(str::to_owned),
        op_prefix: folder.map(str::to_owned),
        after: query.cursor.as_deref().map(|cursor| super::steer::step("/cursor", cursor)).transpose()?,
        limit: limit + 1,
    };
    let page = Page::of(request.api.engine.steps_where(&run.id, &filter)?, limit, |step| step.path.to_string());
    Answer::json(&Page { items: page.items.into_iter().map(StepView::from).collect(), next: page.next })
}

fn step_states(list: Option<&str>) -> Result<Vec<StepState>, Problem> {
    let words = list.into_iter().flat_map(|list| list.split(',')).map(str::trim).filter(|word| !word.is_empty());
    let parsed = words.map(|word| {
        StepState::parse(word).ok_or_else(|| {
            let all: Vec<&str> = StepState::ALL.iter().map(|state| state.as_str()).collect();
            Problem::new(Code::InvalidInput, format!("`{word}` isn't a step's state"))
                .help(format!("states: {}", all.join(", ")))
                .data(json!({ "parameter": "state" }))
        })
    });
    parsed.collect()
}

fn history(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?;
    let query: HistoryQuery = request.query()?;
    let limit = query.limit.unwrap_or(200).clamp(1, 1_000);
    let events = request.api.engine.events(&run.id, query.after.unwrap_or(0).max(0), limit)?;
    let next = events.last().map(|event| event.seq).filter(|_| events.len() == limit as usize);
    Answer::json(&History { items: events.into_iter().map(HistoryEvent::from).collect(), next })
}

fn undo(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?;
    let entries = request.api.engine.undo_list(&run.id)?;
    Answer::json(&entries.into_iter().map(UndoView::from).collect::<Vec<_>>())
}

fn resources(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?;
    let query: ResourcesQuery = request.query()?;
    let rows = request.api.engine.resources(Some(&run.id), !query.all.unwrap_or(false))?;
    Answer::json(&things::shown(&request, rows)?)
}

fn approvals(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?;
    let rows = request.api.engine.approvals(Some(&run.id), false)?;
    Answer::json(&shown_approvals(&request, &run, rows)?)
}

fn shown_approvals(
    request: &Request,
    run: &RunRecord,
    rows: Vec<ApprovalRecord>,
) -> Result<Vec<ApprovalView>, Problem> {
    let shown = rows.into_iter().map(|row| {
        let asked = row.request.clone();
        ApprovalView::of(row, || lone::is_alone(&request.api.engine, run, &asked))
    });
    shown.collect()
}

fn sources(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?;
    Answer::json(&*request.api.engine.sources(&run.id)?)
}

fn diff(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?;
    let query: DiffQuery = request.query()?;
    let other = visible(&request, clean("with", &query.with)?)?;
    let diff: RunDiff = request.api.engine.diff(&run.id, &other.id)?;
    Answer::json(&diff)
}

fn export(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Read)?;
    Answer::json(&request.api.engine.export(&run.id)?)
}
