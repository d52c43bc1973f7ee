//! One command for many runs: first a preview of which they are, then page by page, with an answer for each.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::{Launch, Terms};
use windlass_model::{
    Code, Problem, RunId,
    journal::Pinned,
    query::{RunFilter, RunRecord},
};

use super::{
    filter::Which,
    launch,
    steer::noted,
    text,
    view::{ProblemShape, RunView},
};
use crate::{Access, Answer, Permission, Request, Route, organisations::quota};

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
    /// How many there were in the preview; refused if there are more or fewer now, or more than are counted (10,000).
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
                 most, and no longer than half the time that a request may take; go on with `cursor` from `next`. Each run is \
                 its own command, with its own entry in the audit log. `retry` needs an `Idempotency-Key`: sent again with the \
                 same one, because the answer was lost, it launches nothing twice.",
            )
            .access(Access::Can(Permission::Operate))
            .headers(&[("Idempotency-Key", "For `retry`: each run is launched again once for each key")])
            .body::<BulkBody>()
            .answers::<BulkView>(200)
            .problems(&[Code::InvalidInput, Code::PreconditionFailed])
            .handle(bulk),
    ]
}

fn bulk(request: Request) -> Result<Answer, Problem> {
    // Who gets no answer sends it again: what is worked on has to end before that.
    let until = Instant::now() + Duration::from_millis(request.api.config.request_ms / 2);
    let body: BulkBody = request.json()?;
    let key = launch::key(&request)?;
    if body.action == Action::Retry && !body.preview && key.is_none() {
        let message = "`retry` needs an `Idempotency-Key`: the same one if this is sent again, another one otherwise";
        return Err(Problem::new(Code::InvalidInput, message).data(json!({ "parameter": "Idempotency-Key" })));
    }
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
        } else if let Some(expected) = body.expected_count {
            as_expected(count, expected)?;
        }
    }
    if !body.preview {
        let before = body.cursor.as_deref().map(RunId::from);
        let runs = request.api.engine.runs(&RunFilter { before, limit: WORKED_ON + 1, ..filter })?;
        let here = &runs[..runs.len().min(WORKED_ON as usize)];
        view.results = each(here, until, |run| done(&request, &body, key.as_deref(), run));
        if view.results.len() < runs.len() {
            view.next = view.results.last().map(|last| last.run.clone());
        }
    }
    Answer::json(&view)
}

/// Refuses if there aren't as many runs as in the preview. So many that they weren't all counted are never as many.
fn as_expected(count: u64, expected: u64) -> Result<(), Problem> {
    if count == expected && count <= COUNTED {
        return Ok(());
    }
    let (found, help) = match count > COUNTED {
        true => (format!("more than {COUNTED}"), "name fewer of them, or leave out `expected_count`"),
        false => (count.to_string(), "look at the preview again"),
    };
    Err(Problem::new(Code::PreconditionFailed, format!("the filter finds {found} runs now, and not {expected}"))
        .help(help)
        .data(json!({ "count": count.min(COUNTED), "more": count > COUNTED, "expected_count": expected })))
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

/// Does it to each, several at once; the answers stand in the order of the runs. When the time is over no more are begun:
/// then there are answers for the first ones, and for one at least.
fn each<T: Sync, R: Send>(runs: &[T], until: Instant, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(runs.len()));
    let some = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(run) = runs.get(index) else { return };
            let result = work(run);
            results.lock().push((index, result));
            if Instant::now() >= until {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(runs.len()) {
            scope.spawn(some);
        }
    });
    let mut results = results.into_inner();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn done(request: &Request, body: &BulkBody, key: Option<&str>, run: &RunRecord) -> BulkResult {
    let (launched, problem) = match one(request, body, key, run) {
        Ok(launched) => (launched, None),
        Err(problem) => (None, Some(problem)),
    };
    BulkResult { run: run.id.to_string(), done: problem.is_none(), launched, problem }
}

fn one(request: &Request, body: &BulkBody, key: Option<&str>, run: &RunRecord) -> Result<Option<String>, Problem> {
    // The filter has said so already; a mistake there must not reach others' runs.
    request.require(Permission::Operate, &run.organisation, &run.workflow)?;
    let by = request.principal.person();
    let after = || json!({ "reason": body.reason, "bulk": request.id });
    match body.action {
        Action::Cancel => noted(request, "cancel", run, after()).cancel(&run.id, by, body.reason.clone())?,
        Action::Unpark => noted(request, "unpark", run, after()).unpark(&run.id, by)?,
        Action::Restart => {
            let fits =
                |pinned: &Pinned| launch::require_managing(&request.principal, &run.organisation, &pinned.workflow);
            let engine = noted(request, "restart", run, after());
            let restarted = quota::restarting(&request.api.engine, &run.organisation, |guards| {
                launch::with(&engine, guards).restart_if(&run.id, Terms::default(), by, fits)
            })?;
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
            let again = Launch {
                priority: None,
                workflow: run.workflow.clone(),
                input: run.input.clone(),
                by: by.to_owned(),
                idempotency_key: key.map(|key| again_key(key, &run.id)),
                tags: Vec::new(),
                organisation: run.organisation.clone(),
            };
            let launched = quota::launching(&request.api.engine, &run.organisation, |guards| {
                launch::with(&engine, guards).launch_if(again.clone(), |pinned, _| {
                    launch::require_managing(&request.principal, &run.organisation, &pinned.workflow)
                })
            })?;
            return Ok(Some(launched.run.to_string()));
        }
    }
    Ok(None)
}

/// The key of one launch of many.
fn again_key(key: &str, run: &RunId) -> String {
    format!("bulk:{}:{run}", blake3::hash(key.as_bytes()).to_hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_the_time_is_over_the_first_ones_are_done_and_no_more_begun() {
        let runs: Vec<usize> = (0..500).collect();
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(600));
        assert_eq!(each(&runs, later, |run| *run), runs);
        let begun = AtomicUsize::new(0);
        let done = each(&runs, now, |run| {
            begun.fetch_add(1, Ordering::Relaxed);
            *run
        });
        assert!((1..=AT_ONCE).contains(&done.len()), "{done:?}");
        assert_eq!((done.as_slice(), begun.into_inner()), (&runs[..done.len()], done.len()));
        assert_eq!(each(&[7], now, |run| *run), [7]);
        assert!(each(&[], now, |run: &usize| *run).is_empty());
    }

    #[test]
    fn more_than_are_counted_are_never_as_many_as_expected() {
        assert!(as_expected(COUNTED, COUNTED).is_ok() && as_expected(0, 0).is_ok());
        for (count, expected) in [(COUNTED + 1, COUNTED), (COUNTED + 1, COUNTED + 1), (5, 4), (4, 5)] {
            let problem = as_expected(count, expected).unwrap_err();
            assert_eq!(problem.code, Code::PreconditionFailed, "{count} {expected}");
        }
    }
}
