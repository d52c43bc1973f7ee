//! Schedules: a workflow that is launched whenever a cron pattern says so.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use windlass_engine::{Engine, Launch};
use windlass_model::{
    Code, Problem, RunId,
    document::{Change, Expected},
    time::parse_duration_ms,
};

use super::{
    cron::Cron,
    kept::{Failure, Launched, Missed, Overlap, Schedule, ScheduleBody, ScheduleState},
    rules::{self, AboutChange, RulesQuery},
    template,
};
use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        self,
        kept::{By, Kept, User, now_ms},
    },
    page::Page,
};

/// Instants that are shown.
const SHOWN: usize = 5;
const DAY_MS: i64 = 86_400_000;

/// A schedule.
#[derive(Serialize, JsonSchema)]
pub struct ScheduleView {
    /// Its id.
    pub id: String,
    /// How people call it; unique in its organisation.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The organisation that it and its runs belong to.
    pub organisation: String,
    /// What it launches.
    pub workflow: String,
    /// With which input.
    pub input: Value,
    /// With which tags, besides `schedule:<name>`.
    pub tags: Vec<String>,
    /// When.
    pub cron: String,
    /// When, in words.
    pub words: String,
    /// By whose clocks.
    pub time_zone: String,
    /// What happens to instants that passed while no server ran.
    pub missed: Missed,
    /// What happens while the run before is still open.
    pub overlap: Overlap,
    /// Each launch is up to so much later.
    pub jitter_ms: i64,
    /// No instant before this.
    pub starts_at_ms: Option<i64>,
    /// No instant from this on.
    pub ends_at_ms: Option<i64>,
    /// Whether it is at rest.
    pub paused: bool,
    /// The user for whom it launches: whoever changed it last.
    pub owner: String,
    /// The next instants; none while it is paused.
    pub next: Vec<Instant>,
    /// Instants whose launch is decided, but not done: they wait for the run before.
    pub pending: Vec<i64>,
    /// The last launch.
    pub last: Option<Launched>,
    /// Why the last launch that was refused was.
    pub error: Option<Failure>,
    /// Launches so far.
    pub launched: u64,
    /// Instants left out because the run before was still open.
    pub skipped: u64,
    /// Instants that passed while no server ran, and that nobody made up for.
    pub missed_instants: u64,
    /// Launches that were refused.
    pub failed: u64,
    /// When it was made.
    pub created_at_ms: i64,
    /// Rises with every change; `ETag` and `If-Match`.
    pub version: i64,
}

/// An instant.
#[derive(Serialize, JsonSchema)]
pub struct Instant {
    /// Milliseconds since 1970.
    at_ms: i64,
    /// As a wall clock in the schedule's time zone shows it.
    wall: String,
}

fn utc() -> String {
    "UTC".into()
}

fn nothing() -> Value {
    json!({})
}

/// A schedule to be.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSchedule {
    /// How people will call it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The organisation; if none is named, the one that you may edit this workflow in.
    #[serde(default)]
    pub organisation: Option<String>,
    /// What to launch: `area/name`.
    pub workflow: String,
    /// With which input. `${/schedule/at}` and `${/schedule/at_ms}` are filled in with the instant.
    #[serde(default = "nothing")]
    pub input: Value,
    /// With which tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// When: five fields (minute, hour, day of month, month, day of week), or six with seconds in front.
    pub cron: String,
    /// By whose clocks: a name of the IANA database.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// What to do about instants that passed while no server ran.
    #[serde(default)]
    pub missed: Missed,
    /// What to do while the run before is still open.
    #[serde(default)]
    pub overlap: Overlap,
    /// Launch up to so much later: `5m`. At most a day.
    #[serde(default)]
    pub jitter: Option<String>,
    /// No instant before this.
    #[serde(default)]
    pub starts_at_ms: Option<i64>,
    /// No instant from this on.
    #[serde(default)]
    pub ends_at_ms: Option<i64>,
    /// At rest from the beginning.
    #[serde(default)]
    pub paused: bool,
}

/// What is to change. What isn't named stays.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleChange {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it launches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// With which input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// With which tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// By whose clocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What to do about instants that passed while no server ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<Missed>,
    /// What to do while the run before is still open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// Launch up to so much later: `5m`; `0s`: on time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<String>,
    /// No instant before this; null: no beginning.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "Option<i64>")]
    pub starts_at_ms: Option<Option<i64>>,
    /// No instant from this on; null: no end.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "Option<i64>")]
    pub ends_at_ms: Option<Option<i64>>,
    /// At rest, or not any more. Instants that pass while it rests are not made up for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// A null that was written is something else than nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::<i64>::deserialize(deserializer).map(Some)
}

/// A pattern to look at.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PreviewQuery {
    /// The pattern.
    cron: String,
    /// By whose clocks; UTC if nothing is said.
    time_zone: Option<String>,
    /// How many instants, 1 to 100; 5 if nothing is said.
    count: Option<usize>,
}

/// When a pattern happens.
#[derive(Serialize, JsonSchema)]
struct PreviewView {
    /// The pattern in words.
    words: String,
    /// The next instants.
    next: Vec<Instant>,
}

/// A launch out of turn.
#[derive(Serialize, JsonSchema)]
struct FiredView {
    /// The run.
    id: String,
}

pub(super) fn routes() -> Vec<Route> {
    const IF_MATCH: &[(&str, &str)] = &[("If-Match", "The version that the change is meant for, as in `ETag`")];
    vec![
        Route::get("/api/v1/schedules", "schedules", "List schedules")
            .access(Access::Can(Permission::Read))
            .query::<RulesQuery>()
            .answers::<Page<ScheduleView>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::post("/api/v1/schedules", "schedules", "Make a schedule")
            .describe(
                "Its runs are launched for whoever made or last changed it, and only while they may launch the workflow. An \
                 instant is launched once, whatever crashes and however many servers run.",
            )
            .access(Access::Can(Permission::Edit))
            .body::<NewSchedule>()
            .answers::<ScheduleView>(201)
            .problems(&[
                Code::InvalidInput,
                Code::WorkflowNotFound,
                Code::WorkflowInvalid,
                Code::Conflict,
                Code::LimitExceeded,
                Code::NotFound,
            ])
            .handle(post),
        Route::get("/api/v1/schedules/preview", "schedules", "When a cron pattern happens")
            .access(Access::Known)
            .query::<PreviewQuery>()
            .answers::<PreviewView>(200)
            .problems(&[Code::InvalidInput])
            .handle(preview),
        Route::get("/api/v1/schedules/{id}", "schedules", "Show a schedule")
            .access(Access::Can(Permission::Read))
            .answers::<ScheduleView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::patch("/api/v1/schedules/{id}", "schedules", "Change, pause or resume a schedule")
            .access(Access::Can(Permission::Edit))
            .headers(IF_MATCH)
            .body::<ScheduleChange>()
            .answers::<ScheduleView>(200)
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
        Route::delete("/api/v1/schedules/{id}", "schedules", "Remove a schedule")
            .describe("Runs that it has launched go on.")
            .access(Access::Can(Permission::Edit))
            .headers(IF_MATCH)
            .answers_nothing()
            .problems(&[Code::NotFound, Code::PreconditionFailed, Code::Conflict])
            .handle(delete),
        Route::post("/api/v1/schedules/{id}/run", "schedules", "Launch a schedule's workflow now")
            .describe("Besides the schedule, which goes on as before. The run is whoever asks for it's.")
            .access(Access::Can(Permission::Launch))
            .answers::<FiredView>(201)
            .problems(&[
                Code::NotFound,
                Code::InvalidInput,
                Code::WorkflowNotFound,
                Code::WorkflowInvalid,
                Code::Conflict,
                Code::LimitExceeded,
            ])
            .handle(fire_now),
    ]
}

fn instants(cron: &Cron, all: impl IntoIterator<Item = i64>) -> Vec<Instant> {
    all.into_iter().map(|at_ms| Instant { at_ms, wall: cron.wall(at_ms) }).collect()
}

/// A schedule as people see it.
pub fn view(engine: &Engine, schedule: &Schedule) -> Result<ScheduleView, Problem> {
    let body = &schedule.body;
    let state = Kept::<ScheduleState>::find(engine, &schedule.id)?.map(|kept| kept.body).unwrap_or_default();
    let cron = Cron::new(&body.cron, &body.time_zone).ok();
    let next = |cron: &Cron| {
        let from = now_ms().max(state.to_ms).max(body.starts_at_ms.map_or(i64::MIN, |start| start - 1));
        let within = |at: &i64| body.ends_at_ms.is_none_or(|end| *at < end);
        instants(cron, cron.upcoming(from, SHOWN).into_iter().take_while(within))
    };
    Ok(ScheduleView {
        id: schedule.id.clone(),
        name: body.about.name.clone(),
        description: body.about.description.clone(),
        organisation: schedule.organisation.clone(),
        workflow: body.workflow.clone(),
        input: body.input.clone(),
        tags: body.tags.clone(),
        cron: body.cron.clone(),
        words: cron.as_ref().map(Cron::words).unwrap_or_default(),
        time_zone: body.time_zone.clone(),
        missed: body.missed,
        overlap: body.overlap,
        jitter_ms: body.jitter_ms,
        starts_at_ms: body.starts_at_ms,
        ends_at_ms: body.ends_at_ms,
        paused: body.about.paused,
        owner: body.about.owner.clone(),
        next: cron.as_ref().filter(|_| !body.about.paused).map(next).unwrap_or_default(),
        pending: state.pending,
        last: state.last,
        error: state.error,
        launched: state.fired,
        skipped: state.skipped,
        missed_instants: state.missed,
        failed: state.failed,
        created_at_ms: schedule.created_at_ms,
        version: schedule.version,
    })
}

fn jitter_ms(text: Option<&str>) -> Result<i64, Problem> {
    let wrong = |message: String| Problem::new(Code::InvalidInput, message).data(json!({ "pointer": "/jitter" }));
    let jitter_ms = text.map_or(Ok(0), parse_duration_ms).map_err(|error| wrong(error.to_string()))?;
    if jitter_ms > DAY_MS { Err(wrong("a launch is at most a day later".into())) } else { Ok(jitter_ms) }
}

/// Whether a schedule could launch what it says, as things are.
fn check(engine: &Engine, body: &ScheduleBody) -> Result<Cron, Problem> {
    let cron = Cron::new(&body.cron, &body.time_zone)?;
    rules::checked_tags(&body.tags, "/tags")?;
    rules::checked_template(&body.input, "/input")?;
    if let (Some(start), Some(end)) = (body.starts_at_ms, body.ends_at_ms)
        && start >= end
    {
        return Err(
            Problem::new(Code::InvalidInput, "it would end before it begins").data(json!({ "pointer": "/ends_at_ms" }))
        );
    }
    let input = filled(body, &cron, now_ms())?;
    engine.check_input(&body.workflow, input).map_err(|problem| crate::runs::below("/input", problem))?;
    Ok(cron)
}

fn filled(body: &ScheduleBody, cron: &Cron, at_ms: i64) -> Result<Value, Problem> {
    let context = json!({ "schedule": { "name": body.about.name, "at": cron.wall(at_ms), "at_ms": at_ms } });
    template::fill(&body.input, &context, "/input")
}

/// Makes a schedule that launches for `owner`. Whether they may is for the caller to know.
pub fn create(
    engine: &Engine,
    by: &By,
    owner: &User,
    organisation: &str,
    new: NewSchedule,
) -> Result<Schedule, Problem> {
    rules::require_room::<ScheduleBody>(engine, organisation)?;
    let (name, description) = (rules::checked_name(&new.name)?, rules::checked_description(new.description)?);
    let body = ScheduleBody {
        about: rules::about(name, description, organisation, owner, new.paused),
        workflow: new.workflow,
        input: new.input,
        tags: new.tags,
        cron: new.cron,
        time_zone: new.time_zone,
        missed: new.missed,
        overlap: new.overlap,
        jitter_ms: jitter_ms(new.jitter.as_deref())?,
        starts_at_ms: new.starts_at_ms,
        ends_at_ms: new.ends_at_ms,
    };
    check(engine, &body)?;
    let schedule: Schedule = Kept::new(&ulid::Ulid::new().to_string().to_lowercase(), organisation, body);
    let audited = rules::audited(engine, by, "create", &schedule, Value::Null, json!(schedule.body));
    audited.change(vec![schedule.put()?, fresh(&schedule)?])?;
    Schedule::require(engine, &schedule.id)
}

/// The state of a schedule for which nothing before now counts.
fn fresh(schedule: &Schedule) -> Result<Change, Problem> {
    let state = ScheduleState { to_ms: now_ms(), ..ScheduleState::default() };
    Kept::new(&schedule.id, &schedule.organisation, state).put_expecting(Expected::Any)
}

/// Changes a schedule, which launches for `owner` from then on.
pub fn change(
    engine: &Engine,
    by: &By,
    owner: &User,
    before: &Schedule,
    change: ScheduleChange,
) -> Result<Schedule, Problem> {
    let mut after = before.clone();
    let body = &mut after.body;
    let about = AboutChange { name: change.name, description: change.description, paused: change.paused };
    rules::change_about(&mut body.about, about, owner)?;
    body.workflow = change.workflow.unwrap_or_else(|| before.body.workflow.clone());
    body.input = change.input.unwrap_or_else(|| before.body.input.clone());
    body.tags = change.tags.unwrap_or_else(|| before.body.tags.clone());
    body.cron = change.cron.unwrap_or_else(|| before.body.cron.clone());
    body.time_zone = change.time_zone.unwrap_or_else(|| before.body.time_zone.clone());
    body.missed = change.missed.unwrap_or(before.body.missed);
    body.overlap = change.overlap.unwrap_or(before.body.overlap);
    if change.jitter.is_some() {
        body.jitter_ms = jitter_ms(change.jitter.as_deref())?;
    }
    body.starts_at_ms = change.starts_at_ms.unwrap_or(before.body.starts_at_ms);
    body.ends_at_ms = change.ends_at_ms.unwrap_or(before.body.ends_at_ms);
    // To rest, a schedule needn't be able to run.
    let rests = body.about.paused && body.workflow == before.body.workflow && body.input == before.body.input;
    if !rests {
        check(engine, body)?;
    }
    let when = |body: &ScheduleBody| (body.cron.clone(), body.time_zone.clone(), body.starts_at_ms, body.about.paused);
    let mut changes = vec![after.put()?];
    if when(&after.body) != when(&before.body) {
        // Instants of the old pattern, or of the time at rest, are nobody's.
        let kept = Kept::<ScheduleState>::find(engine, &before.id)?.map(|kept| kept.body).unwrap_or_default();
        let state = ScheduleState { to_ms: now_ms(), pending: Vec::new(), ..kept };
        changes.push(Kept::new(&before.id, &before.organisation, state).put_expecting(Expected::Any)?);
    }
    rules::audited(engine, by, "update", before, json!(before.body), json!(after.body)).change(changes)?;
    Schedule::require(engine, &before.id)
}

/// Removes a schedule. Its runs go on.
pub fn remove(engine: &Engine, by: &By, schedule: &Schedule) -> Result<(), Problem> {
    let state = Change::Delete { kind: "schedule_state".into(), id: schedule.id.clone(), expected: Expected::Any };
    let audited = rules::audited(engine, by, "delete", schedule, json!(schedule.body), Value::Null);
    audited.change(vec![schedule.delete(), state])?;
    Ok(())
}

/// Launches its workflow out of turn, for `person`.
pub fn fire(engine: &Engine, by: &By, person: &str, schedule: &Schedule) -> Result<RunId, Problem> {
    let body = &schedule.body;
    let cron = Cron::new(&body.cron, &body.time_zone)?;
    let input = filled(body, &cron, now_ms())?;
    let mut tags = body.tags.clone();
    tags.push(format!("schedule:{}", body.about.name));
    let after = json!({ "workflow": body.workflow, "tags": tags, "by": person, "schedule": schedule.id });
    let launch = Launch {
        workflow: body.workflow.clone(),
        input,
        by: person.to_owned(),
        idempotency_key: None,
        tags,
        organisation: schedule.organisation.clone(),
    };
    let place = (schedule.organisation.as_str(), "");
    Ok(by.audited(engine, "run.launch", place, Value::Null, after).launch(launch)?.run)
}

fn list(request: Request) -> Result<Answer, Problem> {
    let shown = |schedule: &Schedule| view(&request.api.engine, schedule);
    Answer::json(&rules::page(&request, shown, |view: &ScheduleView| view.id.clone())?)
}

fn post(request: Request) -> Result<Answer, Problem> {
    let mut new: NewSchedule = request.json()?;
    let organisation = rules::organisation(&request, new.organisation.take(), &new.workflow)?;
    request.require(Permission::Launch, &organisation, &new.workflow)?;
    let (engine, owner) = (&request.api.engine, rules::owner(&request)?);
    let schedule = create(engine, &auth::by(&request), &owner, &organisation, new)?;
    request.api.triggers.ring();
    let location = format!("/api/v1/schedules/{}", schedule.id);
    Ok(Answer::created(&location, &view(engine, &schedule)?)?.version(schedule.version))
}

fn preview(request: Request) -> Result<Answer, Problem> {
    let query: PreviewQuery = request.query()?;
    let cron = Cron::new(&query.cron, query.time_zone.as_deref().unwrap_or("UTC"))?;
    let next = instants(&cron, cron.upcoming(now_ms(), query.count.unwrap_or(SHOWN).clamp(1, 100)));
    Answer::json(&PreviewView { words: cron.words(), next })
}

fn show(request: Request) -> Result<Answer, Problem> {
    let schedule: Schedule = rules::found(&request, Permission::Read)?;
    Ok(Answer::json(&view(&request.api.engine, &schedule)?)?.version(schedule.version))
}

fn patch(request: Request) -> Result<Answer, Problem> {
    let before: Schedule = rules::found(&request, Permission::Edit)?;
    auth::if_match(&request, before.version)?;
    let changed: ScheduleChange = request.json()?;
    let workflow = changed.workflow.as_deref().unwrap_or(&before.body.workflow);
    request.require(Permission::Edit, &before.organisation, workflow)?;
    request.require(Permission::Launch, &before.organisation, workflow)?;
    let (engine, owner) = (&request.api.engine, rules::owner(&request)?);
    let schedule = change(engine, &auth::by(&request), &owner, &before, changed)?;
    request.api.triggers.ring();
    Ok(Answer::json(&view(engine, &schedule)?)?.version(schedule.version))
}

fn delete(request: Request) -> Result<Answer, Problem> {
    let schedule: Schedule = rules::found(&request, Permission::Edit)?;
    auth::if_match(&request, schedule.version)?;
    remove(&request.api.engine, &auth::by(&request), &schedule)?;
    Ok(Answer::nothing())
}

fn fire_now(request: Request) -> Result<Answer, Problem> {
    let schedule: Schedule = rules::found(&request, Permission::Launch)?;
    let run = fire(&request.api.engine, &auth::by(&request), request.principal.person(), &schedule)?;
    Answer::created(&format!("/api/v1/runs/{run}"), &FiredView { id: run.to_string() })
}
