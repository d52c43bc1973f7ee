//! Launching: one commit makes the run and its entry in the audit log.

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::{Engine, Launch, Launched};
use windlass_model::{Code, Problem, Workflow, document::Change, journal::Pinned, workflow::Priority};

use crate::{
    Access, Answer, Permission, Principal, Request, Route,
    auth::{kept::PLATFORM, users::require_organisation},
    organisations::{quota, tree},
    plans::Agreed,
    route::Answering,
};

/// Characters of an idempotency key, at most.
const KEY_CHARS: usize = 255;
/// Tags of one launch, at most.
const TAGS: usize = 32;
/// Characters of a tag, at most.
const TAG_CHARS: usize = 128;
/// Bytes of a request that is checked where others are read, at most: a larger one gets a thread.
const SOON_BYTES: usize = 16 << 10;

/// What to launch.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LaunchBody {
    /// The workflow: `area/name`.
    workflow: String,
    /// Its input; missing fields get the defaults of the workflow's schema.
    #[serde(default = "nothing")]
    input: Value,
    /// Tags besides the workflow's own.
    #[serde(default)]
    tags: Vec<String>,
    /// The organisation that the run belongs to; if none is named, the one that you may launch this workflow in.
    organisation: Option<String>,
    /// Id of a plan: the launch is refused if the workflow or the input isn't what was planned.
    plan: Option<String>,
    /// Which of an organisation's runs begin first when there are more than workers: `low`, `normal` or `high`; if nothing
    /// is said, the workflow's own.
    #[schemars(with = "Option<String>")]
    priority: Option<Priority>,
}

fn nothing() -> Value {
    json!({})
}

/// A launched run.
#[derive(Serialize, JsonSchema)]
pub(super) struct LaunchedView {
    /// The run's id.
    pub(super) id: String,
    /// Whether it was there already: the idempotency key was used before, with the same input.
    pub(super) existing: bool,
}

impl From<Launched> for LaunchedView {
    fn from(launched: Launched) -> Self {
        Self { id: launched.run.to_string(), existing: launched.existing }
    }
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/runs", "runs", "Launch a workflow")
            .describe(
                "The run is on disk when this answers. With an `Idempotency-Key`, a second launch of the same workflow in the \
                 same organisation answers with the first one's run, and is refused if its input differs.",
            )
            .access(Access::Can(Permission::Launch))
            .headers(&[("Idempotency-Key", "A second launch with this key and the same input gives the same run")])
            .body::<LaunchBody>()
            .answers::<LaunchedView>(201)
            .answers::<LaunchedView>(200)
            .problems(&[
                Code::InvalidInput,
                Code::WorkflowNotFound,
                Code::WorkflowInvalid,
                Code::IdempotencyConflict,
                Code::LimitExceeded,
                Code::Conflict,
                Code::NotFound,
                Code::PreconditionFailed,
            ])
            .handle(launch)
            .soon(launch_soon),
    ]
}

/// A request for a launch, checked.
struct Asked {
    launch: Launch,
    plan: Option<Agreed>,
    /// Commits the launch together with its entry in the audit log.
    engine: Engine,
}

impl Asked {
    fn read(request: &Request, body: LaunchBody) -> Result<Self, Problem> {
        super::text("workflow", &body.workflow)?;
        let organisation = organisation_of_launch(request, body.organisation, &body.workflow)?;
        check_tags(&body.tags)?;
        let plan = body.plan.as_ref().map(|id| Agreed::find(request, id, &body.workflow, &organisation)).transpose()?;
        let idempotency_key = key(request)?;
        let mut after = json!({ "workflow": body.workflow, "tags": body.tags, "by": request.principal.person() });
        if let Some(plan) = body.plan {
            after["plan"] = plan.into();
        }
        // The store puts the new run's id in as the target.
        let engine = request.audited("run.launch", &organisation, "", Value::Null, after);
        let by = request.principal.person().to_owned();
        let (workflow, input, priority) = (body.workflow, body.input, body.priority);
        let tags = body.tags.into_iter().chain(plan.as_ref().map(Agreed::tag)).collect();
        let launch = Launch { workflow, input, by, idempotency_key, tags, organisation, priority };
        Ok(Self { launch, plan, engine })
    }
}

fn launch(request: Request) -> Result<Answer, Problem> {
    let Asked { launch, plan, engine } = Asked::read(&request, request.json()?)?;
    let fits = |pinned: &Pinned, input: &Value| {
        require_managing(&request.principal, &launch.organisation, &pinned.workflow)?;
        plan.as_ref().map_or(Ok(()), |plan| plan.require(pinned, input))
    };
    let launched = quota::launching(&request.api.engine, &launch.organisation, |guards| {
        with(&engine, guards).launch_if(launch.clone(), fits)
    });
    let launched = launched.map_err(|problem| below("/input", problem))?;
    answer(&launched.into())
}

/// The engine that commits these together with a launch.
pub(crate) fn with(engine: &Engine, changes: Vec<Change>) -> Engine {
    if changes.is_empty() { engine.clone() } else { engine.with(changes) }
}

/// The same without a thread, where all that is asked of the database is the commit.
fn launch_soon(request: &Request) -> Option<Answering> {
    if request.body.len() > SOON_BYTES {
        return None;
    }
    // What is wrong is told by `launch`.
    let body: LaunchBody = request.json().ok()?;
    let asks = body.plan.is_some() || body.organisation.as_ref().is_some_and(|name| name != PLATFORM);
    if asks || !request.may(Permission::Launch, PLATFORM, &body.workflow) {
        return None;
    }
    let Asked { launch, engine, .. } = Asked::read(request, body).ok()?;
    // Only the platform has no quotas: what stands in an organisation's own folder runs in that one, whoever launches it.
    if launch.organisation != PLATFORM || refers_to_secrets(&launch.input) {
        return None;
    }
    let organisation = launch.organisation.clone();
    let fits = |pinned: &Pinned, _: &Value| require_managing(&request.principal, &organisation, &pinned.workflow);
    let launching = engine.submit_launch(launch, fits).ok()??;
    Some(Box::pin(async move {
        let launched = launching.done().await.map_err(|problem| below("/input", problem))?;
        answer(&launched.into())
    }))
}

/// Whether secrets have to be looked for.
fn refers_to_secrets(input: &Value) -> bool {
    match input {
        Value::Object(fields) => fields.contains_key("$secret") || fields.values().any(refers_to_secrets),
        Value::Array(items) => items.iter().any(refers_to_secrets),
        _ => false,
    }
}

/// The answer to a launch.
pub(super) fn answer(launched: &LaunchedView) -> Result<Answer, Problem> {
    match launched.existing {
        true => Answer::with_json(StatusCode::OK, launched),
        false => Answer::created(&format!("/api/v1/runs/{}", launched.id), launched),
    }
}

/// The organisation that a launch is for, where whoever asks may launch this workflow.
pub(crate) fn organisation_of_launch(
    request: &Request,
    named: Option<String>,
    workflow: &str,
) -> Result<String, Problem> {
    let organisation = named.unwrap_or_else(|| organisation(request, workflow));
    request.require(Permission::Launch, &organisation, workflow)?;
    super::text("organisation", &organisation)?;
    super::text("workflow", workflow)?;
    if !windlass_model::workflow::is_of(workflow, &organisation) {
        return Err(Problem::new(Code::WorkflowNotFound, format!("there is no workflow `{workflow}`")));
    }
    if organisation != PLATFORM {
        // Who may do this everywhere can come this far with a name that nobody has.
        require_organisation(&request.api.engine, &organisation)
            .map_err(|problem| problem.data(json!({ "pointer": "/organisation" })))?;
        tree::require_active(&request.api.engine, &organisation)?;
    }
    Ok(organisation)
}

/// Refuses a launch of what only those who manage the organisation may do, by whoever may launch and doesn't. A run of the platform
/// acts for any organisation: that is for its admins.
pub(crate) fn require_managing(principal: &Principal, organisation: &str, workflow: &Workflow) -> Result<(), Problem> {
    if !workflow.is_managing() {
        return Ok(());
    }
    let organisation = if organisation.is_empty() { PLATFORM } else { organisation };
    let needed = if organisation == PLATFORM { Permission::Administer } else { Permission::Manage };
    match principal.may(needed, organisation, "*") {
        true => Ok(()),
        false => Err(principal.denied(needed, organisation, "*").help(format!(
            "`{}` changes organisations or vouchers: whoever manages the organisation launches it, and an admin in the platform",
            workflow.name
        ))),
    }
}

/// Where somebody who says nothing launches: in the default organisation if they may, else in the first of theirs.
fn organisation(request: &Request, workflow: &str) -> String {
    if let Some(owner) = windlass_model::workflow::owner(workflow) {
        return owner.to_owned();
    }
    if request.may(Permission::Launch, PLATFORM, workflow) {
        return PLATFORM.to_owned();
    }
    let scopes = request.principal.scopes(Permission::Launch).unwrap_or_default();
    let own = scopes.into_iter().find(|scope| scope.covers(&scope.organisation, workflow));
    own.map_or(PLATFORM.to_owned(), |scope| scope.organisation)
}

/// The key with which the request is sent, if it has one.
pub(super) fn key(request: &Request) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().ok().map(str::trim).filter(|text| (1..=KEY_CHARS).contains(&text.len()));
    let text = text.ok_or_else(|| {
        Problem::new(Code::InvalidInput, format!("`Idempotency-Key` has to be 1 to {KEY_CHARS} ASCII characters"))
            .data(json!({ "parameter": "Idempotency-Key" }))
    })?;
    if crate::triggers::is_reserved(text) {
        return Err(Problem::new(
            Code::InvalidInput,
            "`Idempotency-Key` begins like the keys of schedules and webhooks",
        )
        .data(json!({ "parameter": "Idempotency-Key" })));
    }
    Ok(Some(text.to_owned()))
}

fn check_tags(tags: &[String]) -> Result<(), Problem> {
    let wrong = |pointer: String, message: String| {
        Problem::new(Code::InvalidInput, message).data(json!({ "pointer": pointer }))
    };
    if tags.len() > TAGS {
        return Err(wrong("/tags".into(), format!("at most {TAGS} tags")));
    }
    let fits = |tag: &String| (1..=TAG_CHARS).contains(&tag.chars().count()) && !tag.contains('\0');
    if let Some(index) = tags.iter().position(|tag| crate::triggers::is_reserved(tag)) {
        return Err(wrong(
            format!("/tags/{index}"),
            format!("`{}` is a tag that only schedules, triggers and plans give", tags[index]),
        ));
    }
    match tags.iter().position(|tag| !fits(tag)) {
        Some(index) => Err(wrong(format!("/tags/{index}"), format!("a tag has 1 to {TAG_CHARS} characters"))),
        None => Ok(()),
    }
}

/// Pointers into a part of the body become pointers into the body.
pub(crate) fn below(prefix: &str, mut problem: Problem) -> Problem {
    let deepen = |pointer: &mut Value| {
        if let Some(text) = pointer.as_str() {
            *pointer = format!("{prefix}{text}").into();
        }
    };
    if problem.code == Code::InvalidInput {
        problem.data.get_mut("pointer").into_iter().for_each(deepen);
        let faults = problem.data.get_mut("faults").and_then(Value::as_array_mut).into_iter().flatten();
        faults.filter_map(|fault| fault.get_mut("pointer")).for_each(deepen);
    }
    problem
}
