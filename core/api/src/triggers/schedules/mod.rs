//! Schedules: a workflow that is launched whenever a cron pattern says so.

mod change;
mod shapes;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem};

use self::change::{SHOWN, instants};
use super::{
    cron::Cron,
    kept::Schedule,
    rules::{self, RulesQuery},
};
use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{self, kept::now_ms},
    page::Page,
    runs,
};

pub use change::{change, create, fire, remove, view};
pub use shapes::{Instant, NewSchedule, ScheduleChange, ScheduleView};

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
    /// The next changes of the clocks, two at most, where the pattern happens so near that they concern it.
    clock_changes: Vec<ClockChangeView>,
}

/// The clocks are put forward or back.
#[derive(Serialize, JsonSchema)]
struct ClockChangeView {
    /// When, milliseconds since 1970.
    at_ms: i64,
    /// By how many minutes; less than nothing is back.
    by_minutes: i64,
    /// When the pattern happens around it.
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
    let clock_changes = cron.clock_changes(now_ms()).into_iter().map(|change| ClockChangeView {
        at_ms: change.at_ms,
        by_minutes: change.by_minutes,
        next: instants(&cron, change.instants),
    });
    Answer::json(&PreviewView { words: cron.words(), next, clock_changes: clock_changes.collect() })
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
    let header = request.api.scripts.header(&schedule.body.workflow)?;
    runs::require_managing(&request.principal, &schedule.organisation, &header)?;
    let run = fire(&request.api.engine, &auth::by(&request), request.principal.person(), &schedule)?;
    Answer::created(&format!("/api/v1/runs/{run}"), &FiredView { id: run.to_string() })
}
