//! Making, changing, removing and showing schedules, for the API and for the command line on a data folder. Whether
//! somebody may is for the caller to know.

use serde_json::{Value, json};
use windlass_engine::{Engine, Launch};
use windlass_model::{
    Code, Problem, RunId,
    document::{Change, Expected},
    time::parse_duration_ms,
};

use super::shapes::{Instant, NewSchedule, ScheduleChange, ScheduleView};
use crate::{
    auth::kept::{By, Kept, now_ms},
    organisations::quota::{self, Quota},
    runs::launch::with,
    triggers::{
        cron::Cron,
        kept::{Owner, Schedule, ScheduleBody, ScheduleState},
        rules::{self, AboutChange},
        template,
    },
};

/// Instants that are shown.
pub(super) const SHOWN: usize = 5;
const DAY_MS: i64 = 86_400_000;

pub(super) fn instants(cron: &Cron, all: impl IntoIterator<Item = i64>) -> Vec<Instant> {
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
        acts_until_ms: body.about.acts_until_ms(),
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
    let input = filled(engine, body, &cron, now_ms())?;
    engine.check_input(&body.workflow, input).map_err(|problem| crate::runs::below("/input", problem))?;
    Ok(cron)
}

fn filled(engine: &Engine, body: &ScheduleBody, cron: &Cron, at_ms: i64) -> Result<Value, Problem> {
    let context = json!({ "schedule": { "name": body.about.name, "at": cron.wall(at_ms), "at_ms": at_ms } });
    template::fill(&body.input, &context, "/input", engine.input_bytes())
}

/// Makes a schedule that launches for `owner`. Whether they may is for the caller to know.
pub fn create(
    engine: &Engine,
    by: &By,
    owner: &Owner,
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
    quota::within(engine, &[(organisation, Quota::Schedules)], |mut changes| {
        changes.extend([schedule.put()?, fresh(&schedule)?]);
        audited.change(changes)
    })?;
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
    owner: &Owner,
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
    let input = filled(engine, body, &cron, now_ms())?;
    let mut tags = body.tags.clone();
    tags.push(format!("schedule:{}", body.about.name));
    let after = json!({ "workflow": body.workflow, "tags": tags, "by": person, "schedule": schedule.id });
    let launch = Launch {
        priority: None,
        workflow: body.workflow.clone(),
        input,
        by: person.to_owned(),
        idempotency_key: None,
        tags,
        organisation: schedule.organisation.clone(),
    };
    let place = (schedule.organisation.as_str(), "");
    let through = by.audited(engine, "run.launch", place, Value::Null, after);
    quota::launching(engine, &schedule.organisation, |guards| Ok(with(&through, guards).launch(launch.clone())?.run))
}
