//! Targets: where messages go. Addresses and secrets can be set, and are never shown again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, document::DocumentFilter};

use super::{
    compose,
    kept::{self, Cause, NotifyRule, RuleBody, Sealed, Severity, Target, TargetBody, Way},
    queue,
    sender::{self, PER_MINUTE},
};
use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        self,
        kept::{By, Kept, PLATFORM, now_ms},
    },
    page::Page,
    services::{Courier, NotifyTarget, Secrets, ToTarget, Told},
    triggers::{
        kept::About,
        rules::{self, AboutChange, RulesQuery},
        wrong,
    },
};

/// A target.
#[derive(Serialize, JsonSchema)]
pub struct TargetView {
    /// Its id.
    pub id: String,
    /// How people and rules call it; unique in its organisation.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The organisation that it belongs to.
    pub organisation: String,
    /// The way.
    pub way: Way,
    /// Where it leads; what somebody could write there with is left out.
    pub url: String,
    /// Whether it has a token or a key.
    pub has_secret: bool,
    /// Who gets the mail.
    pub to: Vec<String>,
    /// Messages in a minute, at most; more wait.
    pub per_minute: u32,
    /// Whether it is at rest.
    pub paused: bool,
    /// When it was made.
    pub created_at_ms: i64,
    /// Rises with every change; `ETag` and `If-Match`.
    pub version: i64,
}

/// A target to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTarget {
    /// 1 to 100 letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The organisation; if none is named, yours.
    #[serde(default)]
    pub organisation: Option<String>,
    /// The way.
    pub way: Way,
    /// The address: of the webhook, or of the ntfy server with the topic at its end. Not for mail.
    #[serde(default)]
    pub url: String,
    /// The access token (ntfy), or the key (webhook: `whsec_` and base64).
    #[serde(default)]
    pub secret: String,
    /// Who gets the mail, up to 100 addresses.
    #[serde(default)]
    pub to: Vec<String>,
    /// Messages in a minute, 1 to 1000; 30 if nothing is said.
    #[serde(default)]
    pub per_minute: Option<u32>,
}

/// What is to change. What isn't named stays.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TargetChange {
    /// What it is for.
    pub description: Option<String>,
    /// The address.
    pub url: Option<String>,
    /// The token or the key.
    pub secret: Option<String>,
    /// Who gets the mail.
    pub to: Option<Vec<String>>,
    /// Messages in a minute.
    pub per_minute: Option<u32>,
    /// At rest, or not any more: what is to be told waits.
    pub paused: Option<bool>,
}

/// What a test came to.
#[derive(Serialize, JsonSchema)]
pub struct Tested {
    /// Whether the other side has taken the message.
    pub delivered: bool,
    /// Why not, or what the other side said besides.
    pub reason: String,
}

/// What the messages of a target are sealed for.
pub fn context(id: &str) -> String {
    format!("notify-target/{id}")
}

pub(super) fn routes() -> Vec<Route> {
    const IF_MATCH: &[(&str, &str)] = &[("If-Match", "The version that the change is meant for, as in `ETag`")];
    let edit = Access::Can(Permission::Edit);
    vec![
        Route::get("/api/v1/notifications/targets", "notifications", "List targets of notifications")
            .access(Access::Can(Permission::Read))
            .query::<RulesQuery>()
            .answers::<Page<TargetView>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::post("/api/v1/notifications/targets", "notifications", "Make a target")
            .describe("Address and secret are sealed, and never shown again.")
            .access(edit)
            .body::<NewTarget>()
            .answers::<TargetView>(201)
            .problems(&[Code::InvalidInput, Code::Conflict, Code::LimitExceeded, Code::NotFound, Code::Unsupported])
            .handle(post),
        Route::get("/api/v1/notifications/targets/{id}", "notifications", "Show a target")
            .access(Access::Can(Permission::Read))
            .answers::<TargetView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::patch("/api/v1/notifications/targets/{id}", "notifications", "Change, pause or resume a target")
            .access(edit)
            .headers(IF_MATCH)
            .body::<TargetChange>()
            .answers::<TargetView>(200)
            .problems(&[
                Code::InvalidInput,
                Code::NotFound,
                Code::Conflict,
                Code::PreconditionFailed,
                Code::Unsupported,
            ])
            .handle(patch),
        Route::delete("/api/v1/notifications/targets/{id}", "notifications", "Remove a target")
            .describe("What is still to be told there is given up.")
            .access(edit)
            .headers(IF_MATCH)
            .answers_nothing()
            .problems(&[Code::NotFound, Code::PreconditionFailed, Code::Conflict])
            .handle(delete),
        Route::post("/api/v1/notifications/targets/{id}/test", "notifications", "Send a test message to a target")
            .describe("At once, ten seconds at most, and once: whatever becomes of it is the answer. It counts as one of the target's \
                       messages in this minute.")
            .access(edit)
            .answers::<Tested>(200)
            .problems(&[Code::NotFound, Code::Unsupported, Code::TooManyRequests, Code::Conflict])
            .handle(test),
    ]
}

/// What people may see of a target.
pub fn view(target: &Target) -> TargetView {
    let body = &target.body;
    TargetView {
        id: target.id.clone(),
        name: body.about.name.clone(),
        description: body.about.description.clone(),
        organisation: target.organisation.clone(),
        way: body.way,
        url: body.shown.clone(),
        has_secret: body.has_secret,
        to: body.to.clone(),
        per_minute: body.per_minute,
        paused: body.about.paused,
        created_at_ms: target.created_at_ms,
        version: target.version,
    }
}

/// What the audit log keeps: everything but what is sealed.
fn noted(target: &Target) -> Value {
    let mut value = json!(target.body);
    value["sealed"] = json!(!target.body.sealed.is_empty());
    value
}

fn courier(request: &Request) -> Result<&dyn Courier, Problem> {
    let none = || Problem::new(Code::Unsupported, "this server sends no messages");
    request.api.courier.as_deref().ok_or_else(none)
}

/// An address without what somebody could write there with.
fn shown(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(url) => format!("{}/…", url.origin().ascii_serialization()),
        Err(_) => String::new(),
    }
}

/// Puts together what is kept of a target, if it can be meant.
fn filled(
    secrets: &dyn Secrets,
    courier: &dyn Courier,
    id: &str,
    body: &mut TargetBody,
    sealed: Sealed,
) -> Result<(), Problem> {
    let Sealed { url, secret } = &sealed;
    let texts = [url, secret].into_iter().chain(&body.to);
    if texts.into_iter().any(|text| text.len() > 4_096 || text.contains('\0')) {
        return Err(wrong("/url", "an address or a secret has at most 4,096 bytes"));
    }
    let (name, way, to) = (body.about.name.clone(), body.way, body.to.clone());
    let target = NotifyTarget { name, way, url: url.clone(), secret: secret.clone(), to };
    courier.check(&target).map_err(|why| wrong(if way == Way::Email { "/to" } else { "/url" }, why))?;
    if !(1..=1_000).contains(&body.per_minute) {
        return Err(wrong("/per_minute", "1 to 1000 messages in a minute"));
    }
    (body.shown, body.has_secret) = (shown(url), !secret.is_empty());
    body.sealed = match (url.as_str(), secret.as_str()) {
        ("", "") => String::new(),
        _ => secrets.seal(&context(id), &json!(sealed).to_string())?,
    };
    Ok(())
}

/// Makes a target.
pub fn create(
    engine: &Engine,
    by: &By,
    about: About,
    parts: (&dyn Secrets, &dyn Courier),
    new: NewTarget,
) -> Result<Target, Problem> {
    rules::require_room::<TargetBody>(engine, &about.organisation)?;
    let fits = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    if !(1..=100).contains(&about.name.len()) || !about.name.chars().all(fits) {
        return Err(wrong("/name", "a target's name has 1 to 100 letters, digits, `-`, `_` and `.`"));
    }
    let id = ulid::Ulid::new().to_string().to_lowercase();
    let organisation = about.organisation.clone();
    let per_minute = new.per_minute.unwrap_or(PER_MINUTE);
    let mut body = TargetBody { about, way: new.way, to: new.to, per_minute, ..TargetBody::default() };
    filled(parts.0, parts.1, &id, &mut body, Sealed { url: new.url, secret: new.secret })?;
    let target: Target = Kept::new(&id, &organisation, body);
    let audited = rules::audited(engine, by, "create", &target, Value::Null, noted(&target));
    audited.change(vec![target.put()?])?;
    Target::require(engine, &id)
}

/// Removes a target, unless a rule names it.
pub fn remove(engine: &Engine, by: &By, target: &Target) -> Result<(), Problem> {
    let filter = DocumentFilter { organisations: Some(vec![target.organisation.clone()]), ..DocumentFilter::default() };
    let name = &target.body.about.name;
    let using = Kept::<RuleBody>::all(engine, &filter, |rule| rule.body.targets.contains(name))?;
    if let Some(rule) = using.first() {
        let message = format!("the rule `{}` tells the target `{name}`", rule.body.about.name);
        return Err(Problem::new(Code::Conflict, message).help("change or remove the rule first"));
    }
    let audited = rules::audited(engine, by, "delete", target, noted(target), Value::Null);
    audited.change(vec![target.delete()]).map(drop)
}

/// Sends a test message.
pub fn tell(secrets: &dyn Secrets, courier: &dyn Courier, target: &Target, by: &str) -> Result<Tested, Problem> {
    let to = ToTarget::This(sender::opened(secrets, target)?);
    let text = format!("{by} asked for this. Whoever gets it will be told of what rules say.");
    let message = compose::message("A test of notifications", text, None, Severity::Info);
    let cause = Cause { run: "system".into(), kind: "notification.test".into(), at_ms: now_ms(), ..Cause::default() };
    let told = Told { message: &message, severity: Severity::Info, cause: &cause, data: &Value::Null, only: &[] };
    let id = format!("wl_test_{:032x}", rand::random::<u128>());
    Ok(match courier.send(&target.organisation, &to, &told, &id) {
        Ok(reason) => Tested { delivered: true, reason },
        Err(failed) => Tested { delivered: false, reason: failed.reason },
    })
}

/// Where others' events are told, only who administers all organisations may say where that is. An own target comes before a
/// configured one of the same name: making one is a change, too.
fn admit(request: &Request, organisation: &str, name: &str) -> Result<(), Problem> {
    if organisation != PLATFORM {
        return Ok(());
    }
    let filter = DocumentFilter { organisations: Some(vec![PLATFORM.to_owned()]), ..DocumentFilter::default() };
    let telling = NotifyRule::all(&request.api.engine, &filter, |rule| super::rules::tells_of_others(rule, name))?;
    match telling.is_empty() {
        true => Ok(()),
        false => request.require_in(Permission::Administer, "*"),
    }
}

fn list(request: Request) -> Result<Answer, Problem> {
    Answer::json(&rules::page(&request, |target: &Target| Ok(view(target)), |view: &TargetView| view.id.clone())?)
}

fn post(request: Request) -> Result<Answer, Problem> {
    let mut new: NewTarget = request.json()?;
    let organisation = rules::organisation(&request, new.organisation.take(), "*")?;
    admit(&request, &organisation, &new.name)?;
    let (name, description) = (new.name.clone(), rules::checked_description(std::mem::take(&mut new.description))?);
    let about = rules::about(name, description, &organisation, &rules::owner(&request)?, false);
    let parts = (&*request.api.secrets, courier(&request)?);
    let target = create(&request.api.engine, &auth::by(&request), about, parts, new)?;
    let location = format!("/api/v1/notifications/targets/{}", target.id);
    Ok(Answer::created(&location, &view(&target))?.version(target.version))
}

fn show(request: Request) -> Result<Answer, Problem> {
    let target: Target = rules::found(&request, Permission::Read)?;
    Ok(Answer::json(&view(&target))?.version(target.version))
}

fn patch(request: Request) -> Result<Answer, Problem> {
    let before: Target = rules::found(&request, Permission::Edit)?;
    admit(&request, &before.organisation, &before.body.about.name)?;
    auth::if_match(&request, before.version)?;
    let change: TargetChange = request.json()?;
    let mut after = before.clone();
    let about = AboutChange { name: None, description: change.description, paused: change.paused };
    rules::change_about(&mut after.body.about, about, &rules::owner(&request)?)?;
    let opened = sender::opened(&*request.api.secrets, &before)?;
    after.body.to = change.to.unwrap_or(after.body.to);
    after.body.per_minute = change.per_minute.unwrap_or(after.body.per_minute);
    // A secret is for the address that it was given with: somebody else's doesn't get it.
    let moved = change.url.as_ref().is_some_and(|url| shown(url) != after.body.shown);
    if moved && change.secret.is_none() && !opened.secret.is_empty() {
        return Err(wrong("/secret", "another server needs a secret of its own: give it with the address"));
    }
    let sealed = Sealed { url: change.url.unwrap_or(opened.url), secret: change.secret.unwrap_or(opened.secret) };
    filled(&*request.api.secrets, courier(&request)?, &before.id, &mut after.body, sealed)?;
    let by = auth::by(&request);
    let audited = rules::audited(&request.api.engine, &by, "update", &before, noted(&before), noted(&after));
    audited.change(vec![after.put()?])?;
    let target = Target::require(&request.api.engine, &before.id)?;
    Ok(Answer::json(&view(&target))?.version(target.version))
}

fn delete(request: Request) -> Result<Answer, Problem> {
    let target: Target = rules::found(&request, Permission::Edit)?;
    auth::if_match(&request, target.version)?;
    remove(&request.api.engine, &auth::by(&request), &target)?;
    Ok(Answer::nothing())
}

fn test(request: Request) -> Result<Answer, Problem> {
    let target: Target = rules::found(&request, Permission::Edit)?;
    let (courier, by) = (courier(&request)?, auth::by(&request));
    let key = kept::key(&target.organisation, &target.body.about.name);
    let Some(pace) = queue::paced(&request.api.engine, &key, target.body.per_minute)? else {
        let message = format!("`{}` had {} messages in this minute", target.body.about.name, target.body.per_minute);
        return Err(Problem::new(Code::TooManyRequests, message).help("wait for the next minute"));
    };
    rules::audited(&request.api.engine, &by, "test", &target, Value::Null, Value::Null).change(vec![pace])?;
    Answer::json(&tell(&*request.api.secrets, courier, &target, &by.actor)?)
}
