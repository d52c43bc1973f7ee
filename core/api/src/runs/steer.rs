//! What people do to one run: each is one command, committed together with its entry in the audit log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::{Engine, Terms, Verdict};
use windlass_model::{
    Code, EffectClass, Problem, StepPath, journal::Pinned, query::RunRecord, undo::StuckAction, wait::Resolution,
};

use super::{
    launch::{self, LaunchedView},
    text,
    view::RunView,
};
use crate::{Access, Answer, Permission, Request, Route, organisations::quota};

/// Why a run is to end.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct CancelBody {
    /// Why.
    reason: Option<String>,
}

/// On what terms a run is restarted.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RestartBody {
    /// On the scripts as they are now, instead of those it was launched with.
    current: bool,
    /// Only say what would happen.
    dry_run: bool,
    /// From this step of the run's own lane instead of the failed one: it and all that came after it are performed again.
    from: Option<String>,
}

/// On what terms a run goes on with the current scripts.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct UpgradeBody {
    /// Only say what would happen.
    dry_run: bool,
}

/// A signal.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SignalBody {
    /// Its name.
    name: String,
    /// What the run gets.
    #[serde(default)]
    payload: Value,
    /// A second delivery with the same id is dropped.
    id: Option<String>,
}

/// What became of a step that is in doubt.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResolveBody {
    /// The step: `12`, `7/b1/3`.
    step: String,
    /// What became of it.
    resolution: Word,
    /// The step's result, if it happened.
    #[serde(default)]
    result: Value,
}

/// What became of a step.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// It happened, with `result`.
    Happened,
    /// It didn't happen: it is performed.
    Perform,
    /// It fails.
    Fail,
}

/// What to do about a stuck undo.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UnstickBody {
    /// What to do.
    action: Stuck,
}

/// What to do about a stuck undo.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Stuck {
    /// Try it again.
    Retry,
    /// Leave what it would have removed; it stays in the inventory.
    Skip,
    /// Leave it: it is somebody else's from now on.
    Adopt,
}

/// What becomes of a run on other scripts.
#[derive(Serialize, JsonSchema)]
#[allow(dead_code, reason = "describes the engine's type")]
struct VerdictView {
    /// `compatible`, `diverges` or `fails`.
    verdict: String,
    /// Steps that are answered from the record, if it is compatible.
    replayed: Option<u64>,
    /// What the run would do next: `op`, `args`, `site`.
    next: Option<Value>,
    /// The first call that differs: `path`, `recorded`, `current`.
    divergence: Option<Value>,
    /// How the scripts fail.
    problem: Option<Value>,
}

/// A step that had its effect and is performed again.
#[derive(Serialize, JsonSchema)]
struct AgainView {
    /// Which.
    path: String,
    /// The function.
    op: String,
    /// What doing it twice means: `idempotent` is the same as once, `at_most_once` isn't.
    #[schemars(schema_with = "super::view::effect_class")]
    class: EffectClass,
}

/// A run that was restarted, or would be.
#[derive(Serialize, JsonSchema)]
struct RestartedView {
    /// Steps that are forgotten, and performed again.
    dropped: Vec<String>,
    /// Those of them that had their effect: they have it a second time.
    again: Vec<AgainView>,
    /// What becomes of the rest. Unless it is `compatible`, nothing was done.
    #[schemars(with = "VerdictView")]
    verdict: Verdict,
}

const REFUSED: &[Code] = &[Code::RunNotFound, Code::IllegalTransition, Code::InvalidInput];

fn command(path: &'static str, summary: &'static str) -> Route {
    Route::post(path, "runs", summary).access(Access::Can(Permission::Operate)).problems(REFUSED)
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        command("/api/v1/runs/{id}/cancel", "Ask for a run's end: what it did is undone")
            .body::<CancelBody>()
            .answers::<RunView>(200)
            .handle(cancel),
        command("/api/v1/runs/{id}/retry", "Launch the same workflow again, with the same input")
            .answers::<LaunchedView>(201)
            .problems(&[
                Code::RunNotFound,
                Code::WorkflowNotFound,
                Code::WorkflowInvalid,
                Code::InvalidInput,
                Code::Conflict,
            ])
            .handle(retry),
        command("/api/v1/runs/{id}/restart", "Restart a failed run from its failed step, or an earlier one")
            .body::<RestartBody>()
            .answers::<RestartedView>(200)
            .problems(&[
                Code::RunNotFound,
                Code::IllegalTransition,
                Code::WorkflowNotFound,
                Code::WorkflowInvalid,
                Code::InvalidInput,
                Code::Conflict,
                Code::LimitExceeded,
            ])
            .handle(restart),
        command("/api/v1/runs/{id}/upgrade", "Let an open run go on with the current scripts")
            .body::<UpgradeBody>()
            .answers::<VerdictView>(200)
            .problems(&[Code::RunNotFound, Code::IllegalTransition, Code::WorkflowNotFound, Code::WorkflowInvalid])
            .handle(upgrade),
        command("/api/v1/runs/{id}/signal", "Send a signal to a run")
            .body::<SignalBody>()
            .answers::<RunView>(200)
            .handle(signal),
        command("/api/v1/runs/{id}/resolve", "Say what became of a step that is in doubt")
            .body::<ResolveBody>()
            .answers::<RunView>(200)
            .handle(resolve),
        command("/api/v1/runs/{id}/stick", "Stop an undo that comes to no end: the run is stuck at it")
            .body::<CancelBody>()
            .answers::<RunView>(200)
            .handle(stick),
        command("/api/v1/runs/{id}/unstick", "Say what to do about an undo that is stuck")
            .body::<UnstickBody>()
            .answers::<RunView>(200)
            .handle(unstick),
        command("/api/v1/runs/{id}/unpark", "Let a run go on that was parked").answers::<RunView>(200).handle(unpark),
    ]
}

/// An engine whose command is committed with an entry that says how the run was before.
pub(super) fn noted(request: &Request, action: &str, run: &RunRecord, after: Value) -> Engine {
    let before = json!({ "state": run.state, "waiting_on": run.waiting_on });
    request.audited(&format!("run.{action}"), &run.organisation, run.id.as_str(), before, after)
}

/// The run as it is now.
fn now(request: &Request, run: &RunRecord) -> Result<Answer, Problem> {
    Answer::json(&RunView::from(request.api.engine.require(&run.id)?))
}

fn cancel(request: Request) -> Result<Answer, Problem> {
    let (run, reason) = with_reason(&request)?;
    let engine = noted(&request, "cancel", &run, json!({ "reason": reason }));
    engine.cancel(&run.id, request.principal.person(), reason)?;
    now(&request, &run)
}

/// A run that the person may operate, and why it is stopped.
fn with_reason(request: &Request) -> Result<(RunRecord, Option<String>), Problem> {
    let run = request.run(Permission::Operate)?;
    let body: CancelBody = request.json_or_default()?;
    body.reason.as_deref().map(|reason| text("reason", reason)).transpose()?;
    Ok((run, body.reason))
}

fn retry(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Operate)?;
    request.require(Permission::Launch, &run.organisation, &run.workflow)?;
    let after = json!({ "workflow": run.workflow, "again": run.id, "by": request.principal.person() });
    let engine = request.audited("run.retry", &run.organisation, "", Value::Null, after);
    let launched = quota::launching(&request.api.engine, &run.organisation, |guards| {
        launch::with(&engine, guards).retry_if(&run.id, request.principal.person(), |pinned, _| {
            launch::require_managing(&request.principal, &run.organisation, &pinned.workflow)
        })
    })?;
    launch::answer(&launched.into())
}

fn restart(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Operate)?;
    let body: RestartBody = request.json_or_default()?;
    let from = body.from.as_deref().map(|from| step("/from", from)).transpose()?;
    let after = json!({ "current": body.current, "bundle_before": run.bundle, "from": from });
    let engine = noted(&request, "restart", &run, after);
    let person = request.principal.person();
    let fits = |pinned: &Pinned| launch::require_managing(&request.principal, &run.organisation, &pinned.workflow);
    let terms = Terms { from: from.as_ref(), current: body.current, dry_run: body.dry_run };
    let restart = |guards| launch::with(&engine, guards).restart_if(&run.id, terms, person, fits);
    let restarted = match body.dry_run {
        true => restart(Vec::new())?,
        false => quota::restarting(&request.api.engine, &run.organisation, restart)?,
    };
    let dropped = restarted.dropped.iter().map(ToString::to_string).collect();
    let again = restarted.again.into_iter();
    let again = again.map(|one| AgainView { path: one.path.to_string(), op: one.op.to_string(), class: one.class });
    Answer::json(&RestartedView { dropped, again: again.collect(), verdict: restarted.verdict })
}

fn upgrade(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Operate)?;
    let body: UpgradeBody = request.json_or_default()?;
    let verdict = match body.dry_run {
        true => request.api.engine.verdict(&run.id)?,
        false => {
            let engine = noted(&request, "upgrade", &run, json!({ "bundle_before": run.bundle }));
            engine.upgrade_if(&run.id, request.principal.person(), |pinned| {
                launch::require_managing(&request.principal, &run.organisation, &pinned.workflow)
            })?
        }
    };
    Answer::json(&verdict)
}

fn signal(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Operate)?;
    let body: SignalBody = request.json()?;
    text("name", &body.name)?;
    body.id.as_deref().map(|id| text("id", id)).transpose()?;
    let engine = noted(&request, "signal", &run, json!({ "name": body.name, "id": body.id }));
    engine.signal(&run.id, &body.name, body.payload, request.principal.person(), body.id)?;
    now(&request, &run)
}

fn resolve(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Operate)?;
    let body: ResolveBody = request.json()?;
    let path = step("/step", &body.step)?;
    if body.resolution != Word::Happened && !body.result.is_null() {
        let message = "only a step that happened has a result";
        return Err(Problem::new(Code::InvalidInput, message).data(json!({ "pointer": "/result" })));
    }
    let (word, resolution) = match body.resolution {
        Word::Happened => ("happened", Resolution::Happened { result: body.result }),
        Word::Perform => ("perform", Resolution::Perform),
        Word::Fail => ("fail", Resolution::Fail),
    };
    let engine = noted(&request, "resolve", &run, json!({ "step": path, "resolution": word }));
    engine.resolve(&run.id, &path, resolution, request.principal.person())?;
    now(&request, &run)
}

fn stick(request: Request) -> Result<Answer, Problem> {
    let (run, reason) = with_reason(&request)?;
    let engine = noted(&request, "stick", &run, json!({ "reason": reason }));
    engine.stick(&run.id, request.principal.person(), reason)?;
    now(&request, &run)
}

fn unstick(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Operate)?;
    let body: UnstickBody = request.json()?;
    let action = match body.action {
        Stuck::Retry => StuckAction::Retry,
        Stuck::Skip => StuckAction::Skip,
        Stuck::Adopt => StuckAction::Adopt,
    };
    let engine = noted(&request, "unstick", &run, json!({ "action": action }));
    engine.unstick(&run.id, action, request.principal.person())?;
    now(&request, &run)
}

fn unpark(request: Request) -> Result<Answer, Problem> {
    let run = request.run(Permission::Operate)?;
    noted(&request, "unpark", &run, Value::Null).unpark(&run.id, request.principal.person())?;
    now(&request, &run)
}

/// A step's path from a request.
pub(crate) fn step(pointer: &str, text: &str) -> Result<StepPath, Problem> {
    text.parse().map_err(|error: windlass_model::id::BadStepPath| {
        Problem::new(Code::InvalidInput, error.to_string()).data(json!({ "pointer": pointer }))
    })
}
