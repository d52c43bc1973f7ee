//! Webhooks: what other systems send, signed, launches a workflow or signals a run that waits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    document::{Change, Expected},
    time::parse_duration_ms,
};

use super::{
    kept::{Action, Failure, Launched, OutcomeBody, Scheme, SealedKey, Webhook, WebhookBody},
    rules::{self, AboutChange, RulesQuery},
    signature,
};
use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        self,
        kept::{Kept, now_ms},
    },
    organisations::quota::{self, Quota},
    page::Page,
    services::Secrets,
};

/// How long the key before still holds after a new one was made.
const OVERLAP_MS: i64 = 24 * 3_600_000;

/// A webhook.
#[derive(Serialize, JsonSchema)]
pub struct WebhookView {
    /// Its id.
    pub id: String,
    /// How people call it; unique in its organisation.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The organisation that it and its runs belong to.
    pub organisation: String,
    /// Where deliveries are sent.
    pub url: String,
    /// How they are signed.
    pub scheme: Scheme,
    /// How far a delivery's time may be off, where one is signed.
    pub window_ms: i64,
    /// What a delivery does.
    pub action: Action,
    /// Whether it is at rest: deliveries are refused.
    pub paused: bool,
    /// The user for whom it acts: whoever changed it last.
    pub owner: String,
    /// Until when it acts: a token set it up, and it doesn't act for longer than that.
    pub acts_until_ms: Option<i64>,
    /// The last delivery that did something.
    pub last: Option<Launched>,
    /// The last delivery, rightly signed, that couldn't.
    pub error: Option<Failure>,
    /// When it was made.
    pub created_at_ms: i64,
    /// Rises with every change; `ETag` and `If-Match`.
    pub version: i64,
}

/// A webhook and its key, which is told only now.
#[derive(Serialize, JsonSchema)]
pub struct WebhookKeyed {
    /// The key for the sender: `whsec_…` for Standard Webhooks, else as it is.
    pub key: String,
    /// The rest.
    #[serde(flatten)]
    pub view: WebhookView,
}

/// A webhook to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// How people will call it.
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// The organisation; if none is named, the one that you may edit this workflow in.
    #[serde(default)]
    organisation: Option<String>,
    /// How deliveries are signed.
    #[serde(default)]
    scheme: Scheme,
    /// A key that the sender has already; without one, one is made.
    #[serde(default)]
    key: Option<String>,
    /// How far a delivery's time may be off: `5m`, if nothing is said. 10 seconds to an hour.
    #[serde(default)]
    window: Option<String>,
    /// What a delivery does.
    action: Action,
    /// At rest from the beginning.
    #[serde(default)]
    paused: bool,
}

/// What is to change. What isn't named stays.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookChange {
    /// Its name.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// How far a delivery's time may be off.
    window: Option<String>,
    /// What a delivery does.
    action: Option<Action>,
    /// At rest, or not any more.
    paused: Option<bool>,
}

/// A new key.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyBody {
    /// The key; without one, one is made.
    key: Option<String>,
    /// The one before ends at once, instead of after a day.
    revoke: bool,
}

pub(super) fn routes() -> Vec<Route> {
    const IF_MATCH: &[(&str, &str)] = &[("If-Match", "The version that the change is meant for, as in `ETag`")];
    let edit = Access::Can(Permission::Edit);
    vec![
        Route::get("/api/v1/webhooks", "webhooks", "List webhooks")
            .access(Access::Can(Permission::Read))
            .query::<RulesQuery>()
            .answers::<Page<WebhookView>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::post("/api/v1/webhooks", "webhooks", "Make a webhook")
            .describe("The key is told only now. It acts for whoever made or last changed it, and only while they may.")
            .access(edit)
            .body::<NewWebhook>()
            .answers::<WebhookKeyed>(201)
            .problems(&[
                Code::InvalidInput,
                Code::WorkflowNotFound,
                Code::WorkflowInvalid,
                Code::Conflict,
                Code::LimitExceeded,
                Code::NotFound,
            ])
            .handle(post),
        Route::get("/api/v1/webhooks/{id}", "webhooks", "Show a webhook")
            .access(Access::Can(Permission::Read))
            .answers::<WebhookView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::patch("/api/v1/webhooks/{id}", "webhooks", "Change, pause or resume a webhook")
            .access(edit)
            .headers(IF_MATCH)
            .body::<WebhookChange>()
            .answers::<WebhookView>(200)
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
        Route::delete("/api/v1/webhooks/{id}", "webhooks", "Remove a webhook")
            .access(edit)
            .headers(IF_MATCH)
            .answers_nothing()
            .problems(&[Code::NotFound, Code::PreconditionFailed, Code::Conflict])
            .handle(delete),
        Route::put("/api/v1/webhooks/{id}/key", "webhooks", "Give a webhook a new key")
            .describe("The one before holds for another day, so that the sender can be told in peace.")
            .access(edit)
            .body::<KeyBody>()
            .answers::<WebhookKeyed>(200)
            .problems(&[Code::NotFound, Code::InvalidInput, Code::Conflict])
            .handle(rotate),
    ]
}

fn view(request: &Request, webhook: &Webhook) -> Result<WebhookView, Problem> {
    let body = &webhook.body;
    let outcome =
        Kept::<OutcomeBody>::find(&request.api.engine, &webhook.id)?.map(|kept| kept.body).unwrap_or_default();
    Ok(WebhookView {
        id: webhook.id.clone(),
        name: body.about.name.clone(),
        description: body.about.description.clone(),
        organisation: webhook.organisation.clone(),
        url: format!("{}/api/v1/hooks/{}", request.api.config.public_url, webhook.id),
        scheme: body.scheme,
        window_ms: body.window_ms,
        action: body.action.clone(),
        paused: body.about.paused,
        owner: body.about.owner.clone(),
        acts_until_ms: body.about.acts_until_ms(),
        last: outcome.last,
        error: outcome.error,
        created_at_ms: webhook.created_at_ms,
        version: webhook.version,
    })
}

/// What the audit log keeps: everything but the keys.
fn noted(webhook: &Webhook) -> Value {
    let mut value = json!(webhook.body);
    value["keys"] = json!(webhook.body.keys.len());
    value
}

/// That a part of what was sent can't be.
pub(super) fn wrong(pointer: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidInput, message).data(json!({ "pointer": pointer }))
}

fn window_ms(text: Option<&str>) -> Result<i64, Problem> {
    let window_ms = text.map_or(Ok(300_000), parse_duration_ms).map_err(|error| wrong("/window", error.to_string()))?;
    match (10_000..=3_600_000).contains(&window_ms) {
        true => Ok(window_ms),
        false => Err(wrong("/window", "a window is 10 seconds to an hour long")),
    }
}

fn check(engine: &Engine, action: &Action) -> Result<(), Problem> {
    match action {
        Action::Launch { workflow, input, tags } => {
            if tags.len() > 16 {
                return Err(wrong("/action/tags", "at most 16 tags"));
            }
            rules::checked_template(&json!(tags), "/action/tags")?;
            rules::checked_template(input, "/action/input")?;
            rules::check_workflow(engine, workflow, input, "/action/input")
        }
        Action::Signal { workflow, run, tag, signal, payload } => {
            if run.is_some() == tag.is_some() {
                return Err(wrong("/action/run", "either `run` or `tag` says which run is signalled"));
            }
            if signal.is_empty() || signal.len() > 200 || signal.contains('\0') {
                return Err(wrong("/action/signal", "a signal's name has 1 to 200 bytes"));
            }
            rules::checked_template(&json!(run), "/action/run")?;
            rules::checked_template(&json!(tag), "/action/tag")?;
            rules::checked_template(payload, "/action/payload")?;
            engine.check_workflow(workflow)
        }
    }
}

/// A key, sealed for this webhook: given, or made.
fn sealed(
    secrets: &dyn Secrets,
    id: &str,
    scheme: Scheme,
    given: Option<String>,
) -> Result<(String, SealedKey), Problem> {
    let key = given.unwrap_or_else(|| signature::made(scheme));
    if signature::bytes(scheme, &key).is_none() {
        return Err(wrong("/key", "a key has 16 to 256 bytes; one of Standard Webhooks is `whsec_` and base64"));
    }
    let sealed = secrets.seal(&context(id), &key)?;
    Ok((key, SealedKey { sealed, until_ms: None }))
}

/// What a sealed key is bound to.
pub(super) fn context(id: &str) -> String {
    format!("webhook/{id}")
}

fn permission(action: &Action) -> Permission {
    match action {
        Action::Launch { .. } => Permission::Launch,
        Action::Signal { .. } => Permission::Operate,
    }
}

fn require(request: &Request, organisation: &str, action: &Action) -> Result<(), Problem> {
    request.require(Permission::Edit, organisation, action.workflow())?;
    request.require(permission(action), organisation, action.workflow())
}

fn list(request: Request) -> Result<Answer, Problem> {
    Answer::json(&rules::page(&request, |webhook| view(&request, webhook), |view: &WebhookView| view.id.clone())?)
}

fn post(request: Request) -> Result<Answer, Problem> {
    let new: NewWebhook = request.json()?;
    let organisation = rules::organisation(&request, new.organisation, new.action.workflow())?;
    require(&request, &organisation, &new.action)?;
    let (engine, owner) = (&request.api.engine, rules::owner(&request)?);
    rules::require_room::<WebhookBody>(engine, &organisation)?;
    check(engine, &new.action)?;
    let (name, description) = (rules::checked_name(&new.name)?, rules::checked_description(new.description)?);
    let id = ulid::Ulid::new().to_string().to_lowercase();
    let (key, kept) = sealed(&*request.api.secrets, &id, new.scheme, new.key)?;
    let body = WebhookBody {
        about: rules::about(name, description, &organisation, &owner, new.paused),
        scheme: new.scheme,
        keys: vec![kept],
        window_ms: window_ms(new.window.as_deref())?,
        action: new.action,
    };
    let webhook: Webhook = Kept::new(&id, &organisation, body);
    let audited = rules::audited(engine, &auth::by(&request), "create", &webhook, Value::Null, noted(&webhook));
    quota::within(engine, &[(organisation.as_str(), Quota::Schedules)], |mut changes| {
        changes.push(webhook.put()?);
        audited.change(changes)
    })?;
    let webhook = Webhook::require(engine, &id)?;
    let answer = WebhookKeyed { key, view: view(&request, &webhook)? };
    Ok(Answer::created(&format!("/api/v1/webhooks/{id}"), &answer)?.version(webhook.version))
}

fn show(request: Request) -> Result<Answer, Problem> {
    let webhook: Webhook = rules::found(&request, Permission::Read)?;
    Ok(Answer::json(&view(&request, &webhook)?)?.version(webhook.version))
}

fn patch(request: Request) -> Result<Answer, Problem> {
    let before: Webhook = rules::found(&request, Permission::Edit)?;
    auth::if_match(&request, before.version)?;
    let change: WebhookChange = request.json()?;
    let (engine, owner) = (&request.api.engine, rules::owner(&request)?);
    let mut after = before.clone();
    let body = &mut after.body;
    let about = AboutChange { name: change.name, description: change.description, paused: change.paused };
    rules::change_about(&mut body.about, about, &owner)?;
    if change.window.is_some() {
        body.window_ms = window_ms(change.window.as_deref())?;
    }
    if let Some(action) = change.action {
        check(engine, &action)?;
        body.action = action;
    }
    require(&request, &before.organisation, &body.action)?;
    let by = auth::by(&request);
    let audited = rules::audited(engine, &by, "update", &before, noted(&before), noted(&after));
    audited.change(vec![after.put()?])?;
    let webhook = Webhook::require(engine, &before.id)?;
    Ok(Answer::json(&view(&request, &webhook)?)?.version(webhook.version))
}

fn delete(request: Request) -> Result<Answer, Problem> {
    let webhook: Webhook = rules::found(&request, Permission::Edit)?;
    auth::if_match(&request, webhook.version)?;
    let outcome = Change::Delete { kind: "outcome".into(), id: webhook.id.clone(), expected: Expected::Any };
    let by = auth::by(&request);
    let audited = rules::audited(&request.api.engine, &by, "delete", &webhook, noted(&webhook), Value::Null);
    audited.change(vec![webhook.delete(), outcome])?;
    Ok(Answer::nothing())
}

fn rotate(request: Request) -> Result<Answer, Problem> {
    let before: Webhook = rules::found(&request, Permission::Edit)?;
    require(&request, &before.organisation, &before.body.action)?;
    let body: KeyBody = request.json_or_default()?;
    let mut after = before.clone();
    // Whoever has its key can let it act: from now on for whoever asked for the key.
    rules::change_about(&mut after.body.about, AboutChange::default(), &rules::owner(&request)?)?;
    let (key, kept) = sealed(&*request.api.secrets, &before.id, before.body.scheme, body.key)?;
    let now = now_ms();
    after.body.keys.retain(|old| !body.revoke && old.until_ms.is_none_or(|until| until > now));
    for old in &mut after.body.keys {
        old.until_ms = old.until_ms.or(Some(now + OVERLAP_MS));
    }
    after.body.keys.insert(0, kept);
    after.body.keys.truncate(4);
    let by = auth::by(&request);
    let audited = rules::audited(&request.api.engine, &by, "key", &before, noted(&before), noted(&after));
    audited.change(vec![after.put()?])?;
    let webhook = Webhook::require(&request.api.engine, &before.id)?;
    let answer = WebhookKeyed { key, view: view(&request, &webhook)? };
    Ok(Answer::json(&answer)?.version(webhook.version))
}
