//! Rules: which events are told to which targets, when, and in which words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    time::{format_duration_ms, parse_duration_ms},
};

use super::{
    kept::{NotifyRule, RuleBody, Severity, Target, key},
    matching,
    quiet::Quiet,
};
use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        self,
        kept::{By, Kept, PLATFORM},
    },
    page::Page,
    services::Courier,
    triggers::{
        kept::About,
        rules::{self, AboutChange, RulesQuery},
        template, wrong,
    },
};

/// Kinds, workflows, organisations or targets of one rule, at most.
const MOST: usize = 50;
/// Bytes of a title or a text of its own.
const WORDS_BYTES: usize = 8 << 10;

/// What a rule says.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    /// Kinds of events, with `*`: `run.failed`, `run.*`, `approval.requested`, `lab.*`.
    pub on: Vec<String>,
    /// Only what matters so much, or more.
    pub severity: Severity,
    /// Of these organisations, or `*`: only for rules of the platform, by whoever administers all of them. None: of its own.
    pub organisations: Vec<String>,
    /// Of runs of these workflows or folders; none: of all.
    pub workflows: Vec<String>,
    /// Names of targets: its organisation's, or the configuration's.
    pub targets: Vec<String>,
    /// When people aren't to be disturbed: what happens then is told afterwards.
    pub quiet: Option<Quiet>,
    /// Over how long messages are collected into one: `15m`, up to `24h`. None: each is told at once.
    pub digest: Option<String>,
    /// A title instead of the usual one; `${/workflow}`, `${/run}`, `${/kind}`, `${/data/…}` and `${/link}` are filled in.
    pub title: Option<String>,
    /// A text instead of the usual one.
    pub text: Option<String>,
}

/// A rule.
#[derive(Serialize, JsonSchema)]
pub struct RuleView {
    /// Its id.
    pub id: String,
    /// How people call it; unique in its organisation.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The organisation that it belongs to.
    pub organisation: String,
    /// Whether it is at rest.
    pub paused: bool,
    /// What it says.
    #[serde(flatten)]
    pub settings: RuleSettings,
    /// When it was made: it isn't about what happened before.
    pub created_at_ms: i64,
    /// Rises with every change; `ETag` and `If-Match`.
    pub version: i64,
}

/// A rule to be.
#[derive(Deserialize, JsonSchema)]
pub struct NewRule {
    /// How people will call it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The organisation; if none is named, yours.
    #[serde(default)]
    pub organisation: Option<String>,
    /// What it says.
    #[serde(flatten)]
    pub settings: RuleSettings,
}

/// What is to change: what it says as a whole, or whether it is at rest.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuleChange {
    /// What it is for.
    pub description: Option<String>,
    /// At rest, or not any more.
    pub paused: Option<bool>,
    /// What it says from now on.
    pub settings: Option<RuleSettings>,
}

pub(super) fn routes() -> Vec<Route> {
    const IF_MATCH: &[(&str, &str)] = &[("If-Match", "The version that the change is meant for, as in `ETag`")];
    let edit = Access::Can(Permission::Edit);
    vec![
        Route::get("/api/v1/notifications/rules", "notifications", "List rules of notifications")
            .access(Access::Can(Permission::Read))
            .query::<RulesQuery>()
            .answers::<Page<RuleView>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::post("/api/v1/notifications/rules", "notifications", "Make a rule")
            .describe("From now on: what happened before it was there isn't told.")
            .access(edit)
            .body::<NewRule>()
            .answers::<RuleView>(201)
            .problems(&[Code::InvalidInput, Code::Conflict, Code::LimitExceeded, Code::NotFound])
            .handle(post),
        Route::get("/api/v1/notifications/rules/{id}", "notifications", "Show a rule")
            .access(Access::Can(Permission::Read))
            .answers::<RuleView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::patch("/api/v1/notifications/rules/{id}", "notifications", "Change, pause or resume a rule")
            .access(edit)
            .headers(IF_MATCH)
            .body::<RuleChange>()
            .answers::<RuleView>(200)
            .problems(&[Code::InvalidInput, Code::NotFound, Code::Conflict, Code::PreconditionFailed])
            .handle(patch),
        Route::delete("/api/v1/notifications/rules/{id}", "notifications", "Remove a rule")
            .describe("What it had written down already is told all the same.")
            .access(edit)
            .headers(IF_MATCH)
            .answers_nothing()
            .problems(&[Code::NotFound, Code::PreconditionFailed])
            .handle(delete),
    ]
}

/// A rule as people see it.
pub fn view(rule: &NotifyRule) -> RuleView {
    let body = &rule.body;
    RuleView {
        id: rule.id.clone(),
        name: body.about.name.clone(),
        description: body.about.description.clone(),
        organisation: rule.organisation.clone(),
        paused: body.about.paused,
        settings: RuleSettings {
            on: body.on.clone(),
            severity: body.severity,
            organisations: body.organisations.clone(),
            workflows: body.workflows.clone(),
            targets: body.targets.clone(),
            quiet: body.quiet.clone(),
            digest: body.digest_ms.map(format_duration_ms),
            title: body.title.clone(),
            text: body.text.clone(),
        },
        created_at_ms: rule.created_at_ms,
        version: rule.version,
    }
}

/// Puts settings into a rule, if they can be meant.
fn apply(
    engine: &Engine,
    courier: Option<&dyn Courier>,
    organisation: &str,
    body: &mut RuleBody,
    settings: RuleSettings,
) -> Result<(), Problem> {
    for (pointer, list, required) in [
        ("/on", &settings.on, true),
        ("/targets", &settings.targets, true),
        ("/organisations", &settings.organisations, false),
        ("/workflows", &settings.workflows, false),
    ] {
        let fits = |text: &String| (1..=200).contains(&text.len()) && !text.chars().any(char::is_control);
        if list.len() > MOST || (required && list.is_empty()) || !list.iter().all(fits) {
            return Err(wrong(pointer, format!("1 to {MOST} of them, each of 1 to 200 bytes")));
        }
    }
    if let Some(index) = settings.on.iter().position(|pattern| !matching::is_of_any(pattern)) {
        let message = format!("no kind of event is called `{}`", settings.on[index]);
        return Err(wrong(&format!("/on/{index}"), message)
            .help("events are listed with the API; `*` stands for any part of a name"));
    }
    if !settings.organisations.is_empty() && organisation != PLATFORM {
        return Err(wrong("/organisations", "only a rule of the platform is about other organisations"));
    }
    let configured = courier.map(|courier| courier.configured(organisation)).unwrap_or_default();
    for (index, name) in settings.targets.iter().enumerate() {
        let own = Target::find_by_key(engine, &key(organisation, name))?;
        if own.is_none() && !configured.iter().any(|(known, _)| known == name) {
            return Err(wrong(&format!("/targets/{index}"), format!("`{organisation}` has no target `{name}`")));
        }
    }
    if let Some(quiet) = &settings.quiet {
        quiet.check()?;
    }
    let digest_ms = settings.digest.as_deref().map(parse_duration_ms).transpose();
    let digest_ms = digest_ms.map_err(|error| wrong("/digest", error.to_string()))?;
    if digest_ms.is_some_and(|ms| !(1_000..=86_400_000).contains(&ms)) {
        return Err(wrong("/digest", "a digest collects over a second to 24 hours"));
    }
    for (pointer, words) in [("/title", &settings.title), ("/text", &settings.text)] {
        let Some(words) = words else { continue };
        if words.len() > WORDS_BYTES || words.contains('\0') {
            return Err(wrong(pointer, format!("it has more than {WORDS_BYTES} bytes")));
        }
        template::check(&words.as_str().into(), pointer)?;
    }
    let RuleSettings { on, severity, organisations, workflows, mut targets, quiet, title, text, .. } = settings;
    targets.sort_unstable();
    targets.dedup();
    let about = std::mem::take(&mut body.about);
    *body = RuleBody { about, on, severity, organisations, workflows, targets, quiet, digest_ms, title, text };
    Ok(())
}

/// Makes a rule.
pub fn create(
    engine: &Engine,
    by: &By,
    about: About,
    courier: Option<&dyn Courier>,
    settings: RuleSettings,
) -> Result<NotifyRule, Problem> {
    rules::require_room::<RuleBody>(engine, &about.organisation)?;
    let organisation = about.organisation.clone();
    let mut body = RuleBody { about, ..RuleBody::default() };
    apply(engine, courier, &organisation, &mut body, settings)?;
    let id = ulid::Ulid::new().to_string().to_lowercase();
    let rule: NotifyRule = Kept::new(&id, &organisation, body);
    let audited = rules::audited(engine, by, "create", &rule, Value::Null, json!(rule.body));
    audited.change(vec![rule.put()?])?;
    NotifyRule::require(engine, &id)
}

/// Removes a rule.
pub fn remove(engine: &Engine, by: &By, rule: &NotifyRule) -> Result<(), Problem> {
    let audited = rules::audited(engine, by, "delete", rule, json!(rule.body), Value::Null);
    audited.change(vec![rule.delete()]).map(drop)
}

fn is_of_others(organisations: &[String]) -> bool {
    organisations.iter().any(|one| one != PLATFORM)
}

/// Whether a rule tells others' events to the target of this name.
pub(super) fn tells_of_others(rule: &NotifyRule, target: &str) -> bool {
    is_of_others(&rule.body.organisations) && rule.body.targets.iter().any(|one| one == target)
}

/// Whoever wants to be told of others' events has to administer all of them.
fn admit(request: &Request, settings: &RuleSettings) -> Result<(), Problem> {
    match is_of_others(&settings.organisations) {
        true => request.require_in(Permission::Administer, "*"),
        false => Ok(()),
    }
}

fn list(request: Request) -> Result<Answer, Problem> {
    Answer::json(&rules::page(&request, |rule: &NotifyRule| Ok(view(rule)), |view: &RuleView| view.id.clone())?)
}

/// A part that nobody knows is a mistake: flattened, it would be passed over.
fn new_rule(mut fields: serde_json::Map<String, Value>) -> Result<NewRule, Problem> {
    let mut text = |key: &str| match fields.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(&format!("/{key}"), "a text belongs here")),
    };
    let (name, description, organisation) = (text("name")?, text("description")?, text("organisation")?);
    let settings = serde_json::from_value(fields.into()).map_err(|error| wrong("", error.to_string()))?;
    let name = name.ok_or_else(|| wrong("/name", "a rule has a name"))?;
    Ok(NewRule { name, description: description.unwrap_or_default(), organisation, settings })
}

fn post(request: Request) -> Result<Answer, Problem> {
    let new = new_rule(request.json()?)?;
    let organisation = rules::organisation(&request, new.organisation, "*")?;
    admit(&request, &new.settings)?;
    let (name, description) = (rules::checked_name(&new.name)?, rules::checked_description(new.description)?);
    let about = rules::about(name, description, &organisation, &rules::owner(&request)?, false);
    let courier = request.api.courier.as_deref();
    let rule = create(&request.api.engine, &auth::by(&request), about, courier, new.settings)?;
    let location = format!("/api/v1/notifications/rules/{}", rule.id);
    Ok(Answer::created(&location, &view(&rule))?.version(rule.version))
}

fn show(request: Request) -> Result<Answer, Problem> {
    let rule: NotifyRule = rules::found(&request, Permission::Read)?;
    Ok(Answer::json(&view(&rule))?.version(rule.version))
}

fn patch(request: Request) -> Result<Answer, Problem> {
    let before: NotifyRule = rules::found(&request, Permission::Edit)?;
    auth::if_match(&request, before.version)?;
    let change: RuleChange = request.json()?;
    let mut after = before.clone();
    let about = AboutChange { name: None, description: change.description, paused: change.paused };
    rules::change_about(&mut after.body.about, about, &rules::owner(&request)?)?;
    if let Some(settings) = change.settings {
        admit(&request, &settings)?;
        let courier = request.api.courier.as_deref();
        apply(&request.api.engine, courier, &before.organisation, &mut after.body, settings)?;
    }
    let by = auth::by(&request);
    let audited = rules::audited(&request.api.engine, &by, "update", &before, json!(before.body), json!(after.body));
    audited.change(vec![after.put()?])?;
    let rule = NotifyRule::require(&request.api.engine, &before.id)?;
    Ok(Answer::json(&view(&rule))?.version(rule.version))
}

fn delete(request: Request) -> Result<Answer, Problem> {
    let rule: NotifyRule = rules::found(&request, Permission::Edit)?;
    auth::if_match(&request, rule.version)?;
    remove(&request.api.engine, &auth::by(&request), &rule)?;
    Ok(Answer::nothing())
}
