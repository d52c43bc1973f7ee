//! Triggers: when a run ends, another one is launched.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    document::{Change, Expected},
};

use super::{
    kept::{Failure, Launched, OutcomeBody, Owner, Trigger, TriggerBody},
    rules::{self, AboutChange, RulesQuery},
};
use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        self,
        kept::{By, Kept},
    },
    organisations::quota::{self, Quota},
    page::Page,
};

/// How runs end.
const STATES: [&str; 5] = ["succeeded", "failed", "rolled_back", "cancelled", "rollback_stuck"];

/// A trigger.
#[derive(Serialize, JsonSchema)]
pub struct TriggerView {
    /// Its id.
    pub id: String,
    /// How people call it; unique in its organisation.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The organisation that it, the runs that it waits for and those that it launches belong to.
    pub organisation: String,
    /// The runs that it waits for.
    pub on: On,
    /// What it launches.
    pub workflow: String,
    /// With which input.
    pub input: Value,
    /// With which tags, besides `trigger:<name>`.
    pub tags: Vec<String>,
    /// Whether it is at rest.
    pub paused: bool,
    /// The user for whom it launches: whoever changed it last.
    pub owner: String,
    /// Until when it acts: a token set it up, and it doesn't act for longer than that.
    pub acts_until_ms: Option<i64>,
    /// The last launch.
    pub last: Option<Launched>,
    /// Why the last launch that was refused was.
    pub error: Option<Failure>,
    /// When it was made.
    pub created_at_ms: i64,
    /// Rises with every change; `ETag` and `If-Match`.
    pub version: i64,
}

/// The runs that a trigger waits for.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct On {
    /// Of this workflow (`web/deploy`), of a folder of them (`web`), or of all (`*`).
    pub workflow: String,
    /// That end so: `succeeded`, `failed` (nothing was undone), `rolled_back`, `cancelled`, `rollback_stuck`.
    pub states: Vec<String>,
    /// Only those with this tag.
    #[serde(default)]
    pub tag: Option<String>,
}

fn nothing() -> Value {
    json!({})
}

/// A trigger to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTrigger {
    /// How people will call it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The organisation; if none is named, the one that you may edit this workflow in.
    #[serde(default)]
    pub organisation: Option<String>,
    /// The runs that it waits for.
    pub on: On,
    /// What to launch: `area/name`.
    pub workflow: String,
    /// With which input. `${/run/id}`, `${/run/output/…}`, `${/run/input/…}`, `${/run/error/message}` … are filled in.
    #[serde(default = "nothing")]
    pub input: Value,
    /// With which tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// At rest from the beginning.
    #[serde(default)]
    pub paused: bool,
}

/// What is to change. What isn't named stays.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TriggerChange {
    /// Its name.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// The runs that it waits for.
    on: Option<On>,
    /// What it launches.
    workflow: Option<String>,
    /// With which input.
    #[serde(deserialize_with = "given")]
    input: Option<Value>,
    /// With which tags.
    tags: Option<Vec<String>>,
    /// At rest, or not any more.
    paused: Option<bool>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

pub(super) fn routes() -> Vec<Route> {
    const IF_MATCH: &[(&str, &str)] = &[("If-Match", "The version that the change is meant for, as in `ETag`")];
    vec![
        Route::get("/api/v1/triggers", "triggers", "List triggers")
            .access(Access::Can(Permission::Read))
            .query::<RulesQuery>()
            .answers::<Page<TriggerView>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::post("/api/v1/triggers", "triggers", "Launch a workflow when runs end")
            .describe(
                "For runs of the same organisation that end from now on. Each end launches once, for whoever made or last \
                 changed the trigger, and only while they may. A chain of triggers ends after eight runs.",
            )
            .access(Access::Can(Permission::Edit))
            .body::<NewTrigger>()
            .answers::<TriggerView>(201)
            .problems(&[
                Code::InvalidInput,
                Code::WorkflowNotFound,
                Code::WorkflowInvalid,
                Code::Conflict,
                Code::LimitExceeded,
                Code::NotFound,
            ])
            .handle(post),
        Route::get("/api/v1/triggers/{id}", "triggers", "Show a trigger")
            .access(Access::Can(Permission::Read))
            .answers::<TriggerView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::patch("/api/v1/triggers/{id}", "triggers", "Change, pause or resume a trigger")
            .access(Access::Can(Permission::Edit))
            .headers(IF_MATCH)
            .body::<TriggerChange>()
            .answers::<TriggerView>(200)
            .problems(&[
                Code::InvalidInput,
                Code::NotFound,
                Code::WorkflowNotFound,
                Code::WorkflowInvalid,
                Code::Conflict,
                Code::LimitExceeded,
                Code::PreconditionFailed,
            ])
            .handle(patch),
        Route::delete("/api/v1/triggers/{id}", "triggers", "Remove a trigger")
            .access(Access::Can(Permission::Edit))
            .headers(IF_MATCH)
            .answers_nothing()
            .problems(&[Code::NotFound, Code::PreconditionFailed, Code::Conflict])
            .handle(delete),
    ]
}

fn view(engine: &Engine, trigger: &Trigger) -> Result<TriggerView, Problem> {
    let body = &trigger.body;
    let outcome = Kept::<OutcomeBody>::find(engine, &trigger.id)?.map(|kept| kept.body).unwrap_or_default();
    Ok(TriggerView {
        id: trigger.id.clone(),
        name: body.about.name.clone(),
        description: body.about.description.clone(),
        organisation: trigger.organisation.clone(),
        on: On { workflow: body.on_workflow.clone(), states: body.on_states.clone(), tag: body.on_tag.clone() },
        workflow: body.workflow.clone(),
        input: body.input.clone(),
        tags: body.tags.clone(),
        paused: body.about.paused,
        owner: body.about.owner.clone(),
        acts_until_ms: body.about.acts_until_ms(),
        last: outcome.last,
        error: outcome.error,
        created_at_ms: trigger.created_at_ms,
        version: trigger.version,
    })
}

fn check(engine: &Engine, body: &TriggerBody) -> Result<(), Problem> {
    let wrong = |pointer: &str, message: &str| {
        Err(Problem::new(Code::InvalidInput, message).data(json!({ "pointer": pointer })))
    };
    if body.on_workflow.is_empty() || body.on_workflow.len() > 200 || body.on_workflow.contains('\0') {
        return wrong("/on/workflow", "a workflow, a folder of them, or `*`");
    }
    if body.on_states.is_empty() || body.on_states.iter().any(|state| !STATES.contains(&state.as_str())) {
        return wrong("/on/states", &format!("at least one of {}", STATES.join(", ")));
    }
    if body.on_tag.as_ref().is_some_and(|tag| tag.is_empty() || tag.len() > 512) {
        return wrong("/on/tag", "a tag has 1 to 512 bytes");
    }
    rules::checked_tags(&body.tags, "/tags")?;
    rules::checked_template(&body.input, "/input")?;
    rules::check_workflow(engine, &body.workflow, &body.input, "/input")
}

fn put(
    engine: &Engine,
    by: &By,
    owner: &Owner,
    before: Option<&Trigger>,
    trigger: &Trigger,
) -> Result<Trigger, Problem> {
    check(engine, &trigger.body)?;
    let (verb, old) = before.map_or(("create", Value::Null), |before| ("update", json!(before.body)));
    debug_assert_eq!(trigger.body.about.owner, owner.user.id);
    let one_more = [(trigger.organisation.as_str(), Quota::Schedules)];
    quota::within(engine, if before.is_none() { &one_more } else { &[] }, |mut changes| {
        changes.push(trigger.put()?);
        rules::audited(engine, by, verb, trigger, old.clone(), json!(trigger.body)).change(changes)
    })?;
    Trigger::require(engine, &trigger.id)
}

fn list(request: Request) -> Result<Answer, Problem> {
    let shown = |trigger: &Trigger| view(&request.api.engine, trigger);
    Answer::json(&rules::page(&request, shown, |view: &TriggerView| view.id.clone())?)
}

/// Whoever lets runs launch others has to be able to see the ones, and to launch the others.
fn require(request: &Request, organisation: &str, body: &TriggerBody) -> Result<(), Problem> {
    request.require(Permission::Edit, organisation, &body.workflow)?;
    request.require(Permission::Launch, organisation, &body.workflow)?;
    request.require(Permission::Read, organisation, &body.on_workflow)
}

fn post(request: Request) -> Result<Answer, Problem> {
    let new: NewTrigger = request.json()?;
    let organisation = rules::organisation(&request, new.organisation, &new.workflow)?;
    let (engine, owner) = (&request.api.engine, rules::owner(&request)?);
    rules::require_room::<TriggerBody>(engine, &organisation)?;
    let (name, description) = (rules::checked_name(&new.name)?, rules::checked_description(new.description)?);
    let body = TriggerBody {
        about: rules::about(name, description, &organisation, &owner, new.paused),
        on_workflow: new.on.workflow,
        on_states: new.on.states,
        on_tag: new.on.tag,
        workflow: new.workflow,
        input: new.input,
        tags: new.tags,
    };
    require(&request, &organisation, &body)?;
    let trigger: Trigger = Kept::new(&ulid::Ulid::new().to_string().to_lowercase(), &organisation, body);
    let trigger = put(engine, &auth::by(&request), &owner, None, &trigger)?;
    request.api.triggers.ring();
    let location = format!("/api/v1/triggers/{}", trigger.id);
    Ok(Answer::created(&location, &view(engine, &trigger)?)?.version(trigger.version))
}

fn show(request: Request) -> Result<Answer, Problem> {
    let trigger: Trigger = rules::found(&request, Permission::Read)?;
    Ok(Answer::json(&view(&request.api.engine, &trigger)?)?.version(trigger.version))
}

fn patch(request: Request) -> Result<Answer, Problem> {
    let before: Trigger = rules::found(&request, Permission::Edit)?;
    auth::if_match(&request, before.version)?;
    let change: TriggerChange = request.json()?;
    let (engine, owner) = (&request.api.engine, rules::owner(&request)?);
    let mut after = before.clone();
    let body = &mut after.body;
    let about = AboutChange { name: change.name, description: change.description, paused: change.paused };
    rules::change_about(&mut body.about, about, &owner)?;
    if let Some(on) = change.on {
        (body.on_workflow, body.on_states, body.on_tag) = (on.workflow, on.states, on.tag);
    }
    body.workflow = change.workflow.unwrap_or_else(|| before.body.workflow.clone());
    body.input = change.input.unwrap_or_else(|| before.body.input.clone());
    body.tags = change.tags.unwrap_or_else(|| before.body.tags.clone());
    require(&request, &before.organisation, body)?;
    let trigger = put(engine, &auth::by(&request), &owner, Some(&before), &after)?;
    request.api.triggers.ring();
    Ok(Answer::json(&view(engine, &trigger)?)?.version(trigger.version))
}

fn delete(request: Request) -> Result<Answer, Problem> {
    let trigger: Trigger = rules::found(&request, Permission::Edit)?;
    auth::if_match(&request, trigger.version)?;
    let outcome = Change::Delete { kind: "outcome".into(), id: trigger.id.clone(), expected: Expected::Any };
    let by = auth::by(&request);
    let audited = rules::audited(&request.api.engine, &by, "delete", &trigger, json!(trigger.body), Value::Null);
    audited.change(vec![trigger.delete(), outcome])?;
    Ok(Answer::nothing())
}
