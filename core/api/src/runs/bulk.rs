//! One command for many runs: first a preview of which they are, then page by page, with an answer for each.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{
    Code, Problem, RunId,
    query::{RunFilter, RunRecord},
};

use super::{
    filter::Which,
    steer::noted,
    text,
    view::{ProblemShape, RunView},
};
use crate::{Access, Answer, Permission, Request, Route};

/// Runs that a preview counts, at most.
const COUNTED: u64 = 10_000;
/// Runs that a preview shows.
const SHOWN: u32 = 20;
/// Runs that one call works on, at most.
const WORKED_ON: u32 = 1_000;
/// Commands that are on their way at once: they share commits.
const AT_ONCE: usize = 16;

/// What to do to which runs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BulkBody {
    /// Which runs. At least one condition.
    filter: Which,
    /// What to do to each.
    action: Action,
    /// Only say which runs they are.
    #[serde(default = "yes")]
    preview: bool,
    /// How many there were in the preview; refused if there are more or fewer now.
    expected_count: Option<u64>,
    /// Why; runs that are cancelled say so.
    reason: Option<String>,
    /// `next` of the call before.
    cursor: Option<String>,
}

fn yes() -> bool {
    true
}

/// What can be done to many runs.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// Ask for their end.
    Cancel,
    /// Launch each one's workflow again, with its input.
    Retry,
    /// Restart failed runs from their failed step.
    Restart,
    /// Let parked runs go on.
    Unpark,
}

/// What a bulk command would do, or did.
#[derive(Serialize, JsonSchema)]
struct BulkView {
    /// Runs that the filter finds; only at the first call.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// Whether there are more than were counted.
    more: bool,
    /// The first of them, in a preview.
    items: Vec<RunView>,
    /// What became of each, unless it is a preview.
    results: Vec<BulkResult>,
    /// `cursor` for the next call, if runs are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What became of one run.
#[derive(Serialize, JsonSchema)]
struct BulkResult {
    /// The run.
    run: String,
    /// Whether it was done.
    done: bool,
    /// The run that was launched for it, by `retry`.
    #[serde(skip_serializing_if = "Option::is_none")]
    launched: Option<String>,
    /// Why it wasn't done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ProblemShape>")]
    problem: Option<Problem>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/runs/bulk", "runs", "Cancel, retry, restart or unpark many runs")
            .describe(
                "First with `preview` for the count, then with `preview: false` and that count. A call works on 1,000 runs at \
                 most; go on with `cursor` from `next`. Each run is its own command, with its own entry in the audit log.",
            )
            .access(Access::Can(Permission::Operate))
            .body::<BulkBody>()
            .answers::<BulkView>(200)
            .problems(&[Code::InvalidInput, Code::PreconditionFailed])
            .handle(bulk),
    ]
}

fn bulk(request: Request) -> Result<Answer, Problem> {
    let body: BulkBody = request.json()?;
    body.reason.as_deref().map(|reason| text("reason", reason)).transpose()?;
    if is_empty(&body.filter) {
        let message = "the filter has no condition: name at least one";
        return Err(Problem::new(Code::InvalidInput, message).data(json!({ "pointer": "/filter" })));
    }
    let Some(filter) = body.filter.within(&request.principal, Permission::Operate)? else {
        return Answer::json(&BulkView {
            count: Some(0),
            more: false,
            items: Vec::new(),
            results: Vec::new(),
            next: None,
        });
    };
    let mut view = BulkView { count: None, more: false, items: Vec::new(), results: Vec::new(), next: None };
    if body.cursor.is_none() {
        let engine = &request.api.engine;
        let count = engine.count_runs(&filter, COUNTED + 1)?;
        view.more = count > COUNTED;
        view.count = Some(count.min(COUNTED));
        if body.preview {
            let first = engine.runs(&RunFilter { limit: SHOWN, ..filter.clone() })?;
            view.items = first.into_iter().map(RunView::from).collect();
        } else if let Some(expected) = body.expected_count
            && view.count != Some(expected)
        {
            let found = view.count.unwrap_or_default();
            let message = format!("the filter finds {found} runs now, and not {expected}");
            return Err(Problem::new(Code::PreconditionFailed, message)
                .help("look at the preview again")
                .data(json!({ "count": found, "expected_count": expected })));
        }
    }
    if !body.preview {
        let before = body.cursor.as_deref().map(RunId::from);
        let runs = request.api.engine.runs(&RunFilter { before, limit: WORKED_ON + 1, ..filter })?;
        let here = &runs[..runs.len().min(WORKED_ON as usize)];
        if runs.len() > here.len() {
            view.next = here.last().map(|run| run.id.to_string());
        }
        view.results = each(here, |run| done(&request, &body, run));
    }
    Answer::json(&view)
}

fn is_empty(which: &Which) -> bool {
    let texts = [
        &which.state,
        &which.workflow,
        &which.tag,
        &which.since,
        &which.until,
        &which.text,
        &which.organisation,
        &which.parent,
        &which.id,
    ];
    which.input.is_empty() && texts.iter().all(|text| text.as_deref().is_none_or(|text| text.trim().is_empty()))
}

/// Does it to each, several at once; the answers stand in the order of the runs.
fn each(runs: &[RunRecord], work: impl Fn(&RunRecord) -> BulkResult + Sync) -> Vec<BulkResult> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, BulkResult)>> = Mutex::new(Vec::with_capacity(runs.len()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(runs.len()) {
            scope.spawn(|| {
                while let Some((index, run)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|index| Some((index, runs.get(index)?)))
                {
                    let result = work(run);
                    results.lock().push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn done(request: &Request, body: &BulkBody, run: &RunRecord) -> BulkResult {
    let (launched, problem) = match one(request, body, run) {
        Ok(launched) => (launched, None),
        Err(problem) => (None, Some(problem)),
    };
    BulkResult { run: run.id.to_string(), done: problem.is_none(), launched, problem }
}

fn one(request: &Request, body: &BulkBody, run: &RunRecord) -> Result<Option<String>, Problem> {
    // The filter has said so already; a mistake there must not reach others' runs.
    request.require(Permission::Operate, &run.organisation, &run.workflow)?;
    let by = request.principal.person();
    let after = || json!({ "reason": body.reason, "bulk": request.id });
    match body.action {
        Action::Cancel => noted(request, "cancel", run, after()).cancel(&run.id, by, body.reason.clone())?,
        Action::Unpark => noted(request, "unpark", run, after()).unpark(&run.id, by)?,
        Action::Restart => {
            let restarted = noted(request, "restart", run, after()).restart(&run.id, false, false, by)?;
            if !restarted.verdict.is_compatible() {
                return Err(
                    Problem::new(Code::Divergence, "its scripts and its journal differ").data(json!(restarted.verdict))
                );
            }
        }
        Action::Retry => {
            request.require(Permission::Launch, &run.organisation, &run.workflow)?;
            let after = json!({ "workflow": run.workflow, "again": run.id, "by": by, "bulk": request.id });
            let engine = request.audited("run.retry", &run.organisation, "", Value::Null, after);
            return Ok(Some(engine.retry(&run.id, by)?.run.to_string()));
        }
    }
    Ok(None)
}
