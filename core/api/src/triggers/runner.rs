//! The thread that launches what is due: instants of schedules, and ends of runs that triggers wait for. What is to be
//! launched is decided and written down first, then launched by a key of its own: a crash in between, or a second node that
//! does the same, launches nothing twice.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex};
use serde_json::json;
use windlass_engine::Engine;
use windlass_model::{
    Code, EventKind, Problem, RunId,
    document::{DocumentFilter, Expected},
    query::{FeedEvent, FeedFilter, RunRecord, Scope},
};

use super::{
    act::{Actor, failure, is_passing},
    cron::Cron,
    due,
    kept::{CursorBody, Launched, OutcomeBody, Overlap, Schedule, ScheduleState, Trigger, TriggerBody},
    template,
};
use crate::{
    Permission,
    auth::kept::{Kept, PLATFORM, now_ms},
};

/// How often to look whether schedules have changed in another process.
const LOOK_EVERY_MS: i64 = 1_000;
/// How often to look for runs that have ended, while anybody waits for that.
const FOLLOW_EVERY_MS: i64 = 250;
/// Events of one look.
const PAGE: u32 = 500;
/// Pages of one look: schedules have to get their turn.
const PAGES: usize = 20;
/// Runs that launch runs that launch runs, at most.
const DEEPEST: u32 = 8;
/// How often the place in the feed is written down when nothing happened.
const NOTE_EVERY_MS: i64 = 10_000;

/// Ends, and wakes, the thread.
#[derive(Default)]
pub struct Bell {
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Bell {
    /// Something was changed: look at once.
    pub fn ring(&self) {
        self.state.lock().0 = true;
        self.changed.notify_all();
    }

    pub(crate) fn end(&self) {
        self.state.lock().1 = true;
        self.changed.notify_all();
    }

    /// Waits; whether to go on.
    pub(crate) fn wait(&self, ms: i64) -> bool {
        let timeout = Duration::from_millis(u64::try_from(ms).unwrap_or(0).max(1));
        let mut state = self.state.lock();
        if !state.0 && !state.1 {
            self.changed.wait_for(&mut state, timeout);
        }
        state.0 = false;
        !state.1
    }
}

/// The thread, until this is dropped.
pub struct Runner {
    bell: Arc<Bell>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Runner {
    /// Begins to launch what is due, in a process that executes runs.
    pub fn start(engine: Engine, bell: Arc<Bell>) -> Result<Self, Problem> {
        let (listened, mut work) = (bell.clone(), Work::new(engine));
        let thread = std::thread::Builder::new().name("triggers".into()).spawn(move || {
            let mut wait_ms = 0;
            while listened.wait(wait_ms) {
                wait_ms = work.look();
            }
        });
        let thread = thread
            .map_err(|error| Problem::new(Code::System, format!("the thread of triggers can't be started: {error}")))?;
        Ok(Self { bell, thread: Some(thread) })
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.bell.end();
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing left to wait for.
            let _ = thread.join();
        }
    }
}

struct Work {
    engine: Engine,
    /// Patterns, by schedule and version: reading one costs more than asking it.
    crons: HashMap<String, (i64, Option<Cron>)>,
    states: HashMap<String, Kept<ScheduleState>>,
    /// The last run of a schedule, if it is known to have ended for good.
    ended: HashMap<String, String>,
    cursor: Option<Kept<CursorBody>>,
    noted_ms: i64,
}

impl Work {
    fn new(engine: Engine) -> Self {
        Self { engine, crons: HashMap::new(), states: HashMap::new(), ended: HashMap::new(), cursor: None, noted_ms: 0 }
    }

    /// Does what is due; how long there is nothing to do.
    fn look(&mut self) -> i64 {
        let now_ms = self.engine.now_ms();
        let schedules = self.schedules(now_ms);
        let triggers = self.triggers(now_ms);
        let wait = |outcome: Result<i64, Problem>| {
            outcome.unwrap_or_else(|problem| {
                tracing::error!(%problem, "schedules and triggers can't be looked at");
                LOOK_EVERY_MS
            })
        };
        wait(schedules).min(wait(triggers))
    }

    fn schedules(&mut self, now_ms: i64) -> Result<i64, Problem> {
        let all = Schedule::all(&self.engine, &DocumentFilter::default(), |_| true)?;
        self.crons.retain(|id, _| all.iter().any(|schedule| schedule.id == *id));
        self.states.retain(|id, _| all.iter().any(|schedule| schedule.id == *id));
        self.ended.retain(|id, _| all.iter().any(|schedule| schedule.id == *id));
        let mut wait_ms = LOOK_EVERY_MS;
        for schedule in &all {
            let next = self.schedule(schedule, now_ms).unwrap_or_else(|problem| {
                // Another node was faster, or the database is away: what it says then counts.
                tracing::debug!(schedule = schedule.id, %problem, "looked at again in a moment");
                self.states.remove(&schedule.id);
                Some(now_ms + 200)
            });
            wait_ms = wait_ms.min(next.map_or(LOOK_EVERY_MS, |at| (at - now_ms).max(1)));
        }
        Ok(wait_ms)
    }

    fn cron(&mut self, schedule: &Schedule) -> Option<Cron> {
        if let Some((version, cron)) = self.crons.get(&schedule.id)
            && *version == schedule.version
        {
            return cron.clone();
        }
        let cron = Cron::new(&schedule.body.cron, &schedule.body.time_zone);
        let cron =
            cron.inspect_err(|problem| tracing::error!(schedule = schedule.id, %problem, "it can't be read")).ok();
        self.crons.insert(schedule.id.clone(), (schedule.version, cron.clone()));
        // Whoever changed it may have changed its state, too.
        self.states.remove(&schedule.id);
        cron
    }

    /// Launches what is due; when it is to be looked at again.
    fn schedule(&mut self, schedule: &Schedule, now_ms: i64) -> Result<Option<i64>, Problem> {
        let Some(cron) = self.cron(schedule) else { return Ok(None) };
        let mut state = match self.states.get(&schedule.id) {
            Some(state) => state.clone(),
            None => Kept::<ScheduleState>::require(&self.engine, &schedule.id)?,
        };
        if due::admit(&schedule.body, &cron, &schedule.id, &mut state.body, now_ms) {
            self.keep(&mut state)?;
        }
        let mut again_ms = None;
        if schedule.body.overlap != Overlap::Allow && self.may_be_open(&state) {
            // Also while nothing is due: of a chain of runs, those that have ended may be removed meanwhile.
            self.open(&mut state)?;
        }
        while let (Some(at_ms), false) = (state.body.pending.first().copied(), schedule.body.about.paused) {
            let open = self.open(&mut state)?;
            match (schedule.body.overlap, &open) {
                (Overlap::Queue, Some(_)) => {
                    again_ms = Some(now_ms + FOLLOW_EVERY_MS);
                    break;
                }
                (Overlap::Skip, Some(_)) => state.body.skipped += 1,
                _ => match self.fire(schedule, &cron, at_ms, open) {
                    Ok(run) => {
                        let run = run.map(|run| run.to_string());
                        state.body.last = Some(Launched { at_ms, launched_at_ms: now_ms, run });
                        state.body.goes_on_as = None;
                        state.body.fired += 1;
                    }
                    Err(problem) if is_passing(&problem) => return Err(problem),
                    Err(problem) => {
                        tracing::warn!(schedule = schedule.body.about.name, %problem, "it couldn't launch");
                        state.body.error = Some(failure(&problem));
                        state.body.failed += 1;
                    }
                },
            }
            state.body.pending.remove(0);
            self.keep(&mut state)?;
        }
        let due_ms = due::next_due(&schedule.body, &cron, &schedule.id, &state.body);
        self.states.insert(schedule.id.clone(), state);
        Ok(again_ms.into_iter().chain(due_ms).min())
    }

    fn keep(&mut self, state: &mut Kept<ScheduleState>) -> Result<(), Problem> {
        let versions = self.engine.change(vec![state.put()?])?;
        state.version = versions.first().copied().unwrap_or(state.version + 1);
        self.states.insert(state.id.clone(), state.clone());
        Ok(())
    }

    /// Whether the last run may still be open, as far as is known without looking.
    fn may_be_open(&self, state: &Kept<ScheduleState>) -> bool {
        let last = state.body.last.as_ref().and_then(|last| last.run.as_ref());
        last.is_some_and(|run| self.ended.get(&state.id) != Some(run))
    }

    /// The last run, or the one that goes on with its work, if that hasn't ended.
    fn open(&mut self, state: &mut Kept<ScheduleState>) -> Result<Option<RunRecord>, Problem> {
        let Some(last) = state.body.last.as_ref().and_then(|last| last.run.clone()) else { return Ok(None) };
        let from = state.body.goes_on_as.clone().unwrap_or_else(|| last.clone());
        let mut found = self.engine.run(&RunId::from(from.as_str()))?;
        while let Some(run) = found.take_if(|run| run.state.is_ended()) {
            found = self.continuation(&run)?;
            if found.is_none() {
                break;
            }
        }
        match &found {
            None => drop(self.ended.insert(state.id.clone(), last)),
            Some(run) if run.id.as_str() != from => {
                state.body.goes_on_as = Some(run.id.to_string());
                self.keep(state)?;
            }
            Some(_) => {}
        }
        Ok(found)
    }

    /// The run that goes on with the work of one that has ended.
    fn continuation(&self, run: &RunRecord) -> Result<Option<RunRecord>, Problem> {
        let next = run.output.as_ref().and_then(|output| output.get("continued_as")?.as_str());
        let Some(next) = next.filter(|next| !next.contains('\0')) else { return Ok(None) };
        // Anybody's output can say so; the run itself knows.
        Ok(self.engine.run(&RunId::from(next))?.filter(|next| next.continues.as_ref() == Some(&run.id)))
    }

    fn fire(
        &self,
        schedule: &Schedule,
        cron: &Cron,
        at_ms: i64,
        open: Option<RunRecord>,
    ) -> Result<Option<RunId>, Problem> {
        let body = &schedule.body;
        let actor = Actor::of(&self.engine, schedule)?;
        if let (Overlap::CancelPrevious, Some(run)) = (body.overlap, open) {
            actor.cancel(&run)?;
        }
        let context = json!({ "schedule": { "name": body.about.name, "at": cron.wall(at_ms), "at_ms": at_ms } });
        let input = template::fill(&body.input, &context, "/input", self.engine.input_bytes())?;
        let launched = actor.launch(&at_ms.to_string(), &body.workflow, input, body.tags.clone())?;
        Ok(launched.map(|launched| launched.run))
    }

    fn triggers(&mut self, now_ms: i64) -> Result<i64, Problem> {
        let triggers = Trigger::all(&self.engine, &DocumentFilter::default(), |_| true)?;
        let mut cursor = self.place()?;
        if triggers.is_empty() {
            // Nobody waits: what has ended so far is nobody's business.
            if now_ms - self.noted_ms >= NOTE_EVERY_MS {
                let end = self.engine.feed_end()?;
                self.note(&mut cursor, end, now_ms)?;
            }
            return Ok(LOOK_EVERY_MS);
        }
        let kinds = ["run.succeeded", "run.failed", "run.rolled_back", "run.cancelled", "run.rollback_stuck"];
        let filter = FeedFilter { kinds: kinds.map(str::to_owned).to_vec(), ..FeedFilter::default() };
        for _ in 0..PAGES {
            let page = self.engine.feed(Some(&cursor.body.cursor), &filter, PAGE)?;
            let mut acted = false;
            let mut broken = None;
            let mut next = cursor.body.cursor.clone();
            for told in &page.events {
                match self.ended(&triggers, told) {
                    Ok(any) => acted |= any,
                    Err(problem) => {
                        broken = Some(problem);
                        break;
                    }
                }
                next.clone_from(&told.cursor);
            }
            if let Some(problem) = broken {
                self.note(&mut cursor, next, now_ms)?;
                return Err(problem);
            }
            if acted || (page.next != cursor.body.cursor && now_ms - self.noted_ms >= NOTE_EVERY_MS) {
                self.note(&mut cursor, page.next, now_ms)?;
            } else {
                cursor.body.cursor = page.next;
                self.cursor = Some(cursor.clone());
            }
            if !page.more {
                return Ok(FOLLOW_EVERY_MS);
            }
        }
        Ok(1)
    }

    fn place(&mut self) -> Result<Kept<CursorBody>, Problem> {
        if let Some(cursor) = &self.cursor {
            return Ok(cursor.clone());
        }
        let found = Kept::<CursorBody>::find(&self.engine, "runs")?;
        let mut cursor = found.unwrap_or_else(|| Kept::new("runs", PLATFORM, CursorBody::default()));
        if cursor.body.cursor.is_empty() {
            let end = self.engine.feed_end()?;
            self.note(&mut cursor, end, self.engine.now_ms())?;
        }
        self.cursor = Some(cursor.clone());
        Ok(cursor)
    }

    /// Writes down how far the feed was looked through. Nodes that share it may put it back: keys keep launches single.
    fn note(&mut self, cursor: &mut Kept<CursorBody>, to: String, now_ms: i64) -> Result<(), Problem> {
        if cursor.body.cursor != to {
            cursor.body.cursor = to;
            self.engine.change(vec![cursor.put_expecting(Expected::Any)?])?;
        }
        self.noted_ms = now_ms;
        self.cursor = Some(cursor.clone());
        Ok(())
    }

    /// Launches what waits for the end of this run; whether anything does.
    fn ended(&self, triggers: &[Trigger], told: &FeedEvent) -> Result<bool, Problem> {
        let (Some(organisation), Some(workflow)) = (&told.organisation, &told.workflow) else { return Ok(false) };
        let Some(state) = end_state(told) else { return Ok(false) };
        let waits = |trigger: &&Trigger| {
            let body = &trigger.body;
            !body.about.paused
                && body.about.organisation == *organisation
                && trigger.created_at_ms <= told.event.at_ms
                && body.on_states.iter().any(|wanted| wanted == state)
                && covers(body, workflow)
        };
        let mut acted = false;
        let mut run = None;
        for trigger in triggers.iter().filter(waits) {
            if run.is_none() {
                run = self.engine.run(&told.event.run)?;
            }
            let Some(run) = &run else { return Ok(acted) };
            if trigger.body.on_tag.as_ref().is_some_and(|tag| !run.tags.contains(tag)) {
                continue;
            }
            acted = true;
            let mut outcome: Kept<OutcomeBody> = Kept::find(&self.engine, &trigger.id)?
                .unwrap_or_else(|| Kept::new(&trigger.id, organisation, OutcomeBody::default()));
            match self.follow(trigger, run, state, told) {
                Ok(launched) => {
                    let launched = launched.map(|run| run.to_string());
                    let (at_ms, launched_at_ms) = (told.event.at_ms, now_ms());
                    outcome.body.last = Some(Launched { at_ms, launched_at_ms, run: launched });
                }
                Err(problem) if is_passing(&problem) => return Err(problem),
                Err(problem) => {
                    tracing::warn!(trigger = trigger.body.about.name, %problem, "it couldn't launch");
                    outcome.body.error = Some(failure(&problem));
                }
            }
            self.engine.change(vec![outcome.put_expecting(Expected::Any)?])?;
        }
        Ok(acted)
    }

    fn follow(
        &self,
        trigger: &Trigger,
        run: &RunRecord,
        state: &str,
        told: &FeedEvent,
    ) -> Result<Option<RunId>, Problem> {
        let body = &trigger.body;
        let actor = Actor::of(&self.engine, trigger)?;
        actor.require(Permission::Read, &run.workflow)?;
        let depth = run.tags.iter().filter_map(|tag| tag.strip_prefix("depth:")?.parse::<u32>().ok()).max();
        let depth = depth.unwrap_or(0) + 1;
        if depth > DEEPEST {
            let message = format!("run {} is the {DEEPEST}th of a chain of triggers: it launches no more", run.id);
            return Err(Problem::new(Code::LimitExceeded, message).help("do triggers launch each other in a circle?"));
        }
        let context = json!({ "run": {
            "id": run.id,
            "workflow": run.workflow,
            "state": state,
            "input": run.input,
            "output": run.output,
            "error": run.problem.as_ref().map(|problem| json!({ "code": problem.code, "message": problem.message })),
            "tags": run.tags,
            "launched_by": run.launched_by,
            "ended_at_ms": told.event.at_ms,
        } });
        let input = template::fill(&body.input, &context, "/input", self.engine.input_bytes())?;
        let mut tags = body.tags.clone();
        tags.push(format!("depth:{depth}"));
        // A run that was restarted ends again.
        let occasion = format!("{}:{}", run.id, told.event.seq);
        Ok(actor.launch(&occasion, &body.workflow, input, tags)?.map(|launched| launched.run))
    }
}

/// How the run ended, if this event is its end.
fn end_state(told: &FeedEvent) -> Option<&'static str> {
    match told.event.kind {
        // The work goes on as another run: the end comes then.
        EventKind::RunSucceeded => told.event.data["continued_as"].is_null().then_some("succeeded"),
        // Undone afterwards: the end comes then.
        EventKind::RunFailed => (told.event.data["undo"] != true).then_some("failed"),
        EventKind::RunRolledBack => Some("rolled_back"),
        EventKind::RunCancelled => Some("cancelled"),
        EventKind::RunRollbackStuck => Some("rollback_stuck"),
        _ => None,
    }
}

fn covers(trigger: &TriggerBody, workflow: &str) -> bool {
    let scope = Scope { organisation: "*".into(), folder: trigger.on_workflow.clone() };
    scope.covers("*", workflow)
}
