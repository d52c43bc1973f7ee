//! The engine's side of the seam: every call of a script comes here, is answered from the record or performed, and
//! is on disk before the script goes on.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use windlass_model::{
    Bounds, Code, Digest, EffectClass, EventKind, Journal, LockName, Outcome, Problem, Restored, RunState, StepCall,
    StepPath, StepState, WaitSpec,
    command::{Command, Given, Lease, Reply},
    event::NewEvent,
    journal::{Begin, Divergence, LocalEffect, Output, Replay, Settled, Stop},
    lock::HeldLock,
    time::Clock,
    undo::UndoRecord,
};
use windlass_store::{Store, StoreError, failpoint};

use crate::{Time, control::Control, launch::ChildLauncher, lease_clock::LeaseClock, recorded::Recorded, stats::Stats};

/// Which calls may be performed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All that aren't recorded.
    Forward,
    /// Only those of undo lanes; the rest is replayed to find closures again.
    Rollback,
}

/// The journal of one claimed run.
pub(crate) struct LiveJournal {
    pub(crate) store: Store,
    pub(crate) lease: Lease,
    /// Whether this process may still believe in it.
    pub(crate) holds: Arc<LeaseClock>,
    pub(crate) mode: Mode,
    pub(crate) recorded: Recorded,
    pub(crate) control: Arc<Control>,
    pub(crate) time: Time,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) deadline_at_ms: Option<i64>,
    pub(crate) restored: Restored,
    pub(crate) bounds: Bounds,
    pub(crate) children: ChildLauncher,
    pub(crate) progress: Progress,
    pub(crate) stats: Arc<Stats>,
    /// The run's, that its steps belong to: they may run on other threads.
    pub(crate) span: tracing::Span,
}

/// What has been performed in this evaluation.
#[derive(Default)]
pub(crate) struct Progress {
    steps: AtomicUsize,
    output_bytes: AtomicU64,
    /// With what was recorded before.
    journal_bytes: AtomicU64,
    /// The undo that is under way.
    undo: Mutex<Option<Undoing>>,
    under_way: Mutex<HashMap<StepPath, UnderWay>>,
}

/// An undo that has begun.
struct Undoing {
    path: StepPath,
    since_ms: i64,
    steps: usize,
}

/// A step that has begun.
struct UnderWay {
    started_at_ms: i64,
    attempts: u32,
    /// Ends with the step.
    _span: tracing::Span,
}

impl Progress {
    pub(crate) fn new(output_bytes: u64, journal_bytes: u64) -> Self {
        let (output_bytes, journal_bytes) = (AtomicU64::new(output_bytes), AtomicU64::new(journal_bytes));
        Self { output_bytes, journal_bytes, ..Self::default() }
    }

    fn done(&self, bytes: u64) {
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.journal_bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(undo) = &mut *self.undo.lock() {
            undo.steps += 1;
        }
    }
}

/// What a step counts against `journal_bytes`.
pub(crate) fn step_bytes(args: &str, outcome: Option<&Outcome>) -> u64 {
    let outcome = match outcome {
        None => 0,
        Some(Outcome::Value(text)) => text.len(),
        Some(Outcome::Error(problem)) => problem.message.len() + problem.data.to_string().len(),
    };
    (args.len() + outcome) as u64
}

impl LiveJournal {
    /// Calls outside the undo lanes are only replayed while the run is undone.
    fn may_perform(&self, path: &StepPath) -> Result<(), Stop> {
        if self.mode == Mode::Rollback && !path.is_undo() {
            return Err(Stop::ReplayEnd);
        }
        if let Some(stop) = self.stop() {
            return Err(stop);
        }
        let steps = self.recorded.count() + self.progress.steps.load(Ordering::Relaxed);
        // A run whose journal is full can still be undone: the undo list bounds that.
        if steps >= self.bounds.steps_per_run && !path.is_undo() {
            return Err(Stop::Limit(Box::new(steps_exceeded(self.bounds.steps_per_run))));
        }
        let limit = self.bounds.journal_bytes;
        if self.progress.journal_bytes.load(Ordering::Relaxed) >= limit as u64 && !path.is_undo() {
            return Err(Stop::Limit(Box::new(journal_exceeded(limit))));
        }
        if let Some(undo) = &*self.progress.undo.lock()
            && undo.steps >= self.bounds.undo_steps
        {
            return Err(Stop::Limit(Box::new(undo_exceeded(
                &undo.path,
                "steps",
                "undo_steps",
                self.bounds.undo_steps,
            ))));
        }
        Ok(())
    }

    /// Why the undo that is under way has to end: nobody else can end it.
    fn undo_overdue(&self) -> Option<Stop> {
        let undo = self.progress.undo.lock();
        let undo = undo.as_ref().filter(|undo| self.clock.now_ms() - undo.since_ms >= self.bounds.undo_ms)?;
        Some(Stop::Limit(Box::new(undo_exceeded(&undo.path, "ms", "undo_ms", self.bounds.undo_ms))))
    }

    /// Whether the lease holds, as far as this process can tell without asking.
    fn believes(&self) -> bool {
        let holds = self.holds.holds();
        if !holds {
            self.control.stop(Stop::LeaseLost);
        }
        holds
    }

    fn commit(&self, command: Command) -> Result<Reply, Stop> {
        self.store.commit(command).map_err(|error| {
            let stop = match error {
                StoreError::Refused(problem) if problem.code == Code::LeaseLost => Stop::LeaseLost,
                StoreError::Refused(_) if self.is_cancelling() => Stop::Cancelled,
                // It would be refused again: the run fails with what the store says.
                StoreError::Refused(problem) => Stop::Limit(Box::new(problem)),
                StoreError::Failed(problem) => Stop::Storage(Box::new(problem)),
            };
            self.control.stop(stop.clone());
            stop
        })
    }

    /// The run's end was asked for, perhaps before this worker was told.
    fn is_cancelling(&self) -> bool {
        let record = self.store.run(&self.lease.run).ok().flatten();
        record.is_some_and(|record| record.state == RunState::Cancelling)
    }

    /// Records the intent, and that it may have happened before it was recorded.
    fn doubt(&self, call: &StepCall) -> Stop {
        let (lease, path) = (self.lease.clone(), call.path.clone());
        let intent = Command::Begin { lease: lease.clone(), call: Arc::new(call.clone()) };
        let marked = self.commit(intent).and_then(|_| self.commit(Command::InDoubt { lease, path }));
        marked.err().unwrap_or(Stop::InDoubt)
    }

    fn settle(&self, command: Command, args: &str) -> Settled {
        match self.commit(command) {
            Ok(Reply::Outcome(outcome)) => {
                self.progress.done(step_bytes(args, Some(&outcome)));
                Settled::Done(outcome)
            }
            Ok(Reply::Waiting) => Settled::Stop(Stop::Suspended),
            Ok(other) => Settled::Stop(Stop::Storage(Box::new(unexpected(&other)))),
            Err(stop) => Settled::Stop(stop),
        }
    }

    fn finished(&self, call: &StepCall, outcome: Outcome, given_back: &[(LockName, StepCall)]) -> Settled {
        failpoint::hit("effect.after");
        if self.mode == Mode::Rollback && !call.path.is_undo() {
            return Settled::Stop(Stop::ReplayEnd);
        }
        let (started_at_ms, attempts) = self.started(call);
        let outcome = self.recorded.of_all_attempts(&call.path, outcome);
        if !call.needs_intent() {
            self.store.withdraw_lazy(self.lazy_key(&call.path));
        }
        let elapsed_ms = u64::try_from(self.clock.now_ms() - started_at_ms).unwrap_or(0);
        let (op, bytes) = (call.op.clone(), step_bytes(&call.args, Some(&outcome)));
        let (lease, call, recorded) = (self.lease.clone(), Arc::new(call.clone()), outcome.clone());
        let command = match given_back {
            [] => Command::Finish { lease, call, outcome: recorded, attempts, started_at_ms },
            _ => {
                Command::FinishScope { lease, call, outcome: recorded, started_at_ms, given_back: given_back.to_vec() }
            }
        };
        match self.commit(command) {
            Ok(_) => {
                given_back.iter().for_each(|(_, unlock)| self.progress.done(step_bytes(&unlock.args, None)));
                self.progress.done(bytes);
                self.stats.step(&op, Duration::from_millis(elapsed_ms));
                Settled::Done(outcome)
            }
            Err(stop) => Settled::Stop(stop),
        }
    }

    fn started(&self, call: &StepCall) -> (i64, u32) {
        let started = self.progress.under_way.lock().remove(&call.path);
        started.map_or_else(|| (self.clock.now_ms(), 1), |step| (step.started_at_ms, step.attempts))
    }

    fn step_span(&self, call: &StepCall) -> tracing::Span {
        tracing::info_span!(parent: &self.span, "step", op = %call.op, path = %call.path)
    }

    fn lazy_key(&self, path: &StepPath) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.lease.run, path).hash(&mut hasher);
        hasher.finish()
    }
}

impl Journal for LiveJournal {
    fn replay(&self, path: &StepPath, op: &str, digest: &Digest) -> Replay {
        self.recorded.replay(path, op, digest)
    }

    fn diverged(&self, divergence: Divergence) -> Stop {
        let stop = Stop::Diverged(Box::new(divergence));
        self.control.stop(stop.clone());
        stop
    }

    fn begin(&self, call: &StepCall) -> Begin {
        if let Err(stop) = self.may_perform(&call.path) {
            return Begin::Stop(stop);
        }
        let attempts = match self.recorded.get(&call.path) {
            Some(record) if record.state == StepState::InDoubt => return Begin::Stop(Stop::InDoubt),
            // An operator has said that it didn't happen.
            Some(record) if record.attempts == 0 => 1,
            Some(record) if record.class == EffectClass::AtMostOnce => {
                // The intent is on disk and the outcome isn't: only a person can tell whether it happened.
                let marked = self.commit(Command::InDoubt { lease: self.lease.clone(), path: call.path.clone() });
                return Begin::Stop(marked.err().unwrap_or(Stop::InDoubt));
            }
            Some(record) => record.attempts + 1,
            None if self.restored.doubts(call.class) => return Begin::Stop(self.doubt(call)),
            // What the backup doesn't know of is looked for.
            None if self.restored != Restored::No && call.class == EffectClass::Keyed => 2,
            None => 1,
        };
        let step = UnderWay { started_at_ms: self.clock.now_ms(), attempts, _span: self.step_span(call) };
        self.progress.under_way.lock().insert(call.path.clone(), step);
        if call.needs_intent() && !failpoint::is_broken("intent") {
            // An intent without its effect leaves somebody in doubt.
            if !self.believes() {
                return Begin::Stop(Stop::LeaseLost);
            }
            let call = Arc::new(call.clone());
            if let Err(stop) = self.commit(Command::Begin { lease: self.lease.clone(), call }) {
                return Begin::Stop(stop);
            }
        } else if call.class != EffectClass::Scope || !self.recorded.has_branches(&call.path) {
            // Nobody waits for this: it rides on the next commit, unless the outcome is there first.
            let event = NewEvent::step(EventKind::StepStarted, &call.path, started_data(call));
            let command = Command::Emit { lease: self.lease.clone(), events: vec![event] };
            self.store.submit_lazy_keyed(self.lazy_key(&call.path), command);
        }
        // The process may have been paused since, or the answer have come late: somebody else may have the run by now.
        if !self.believes() {
            return Begin::Stop(Stop::LeaseLost);
        }
        failpoint::hit("effect.before");
        match (attempts, call.class) {
            (2.., EffectClass::Keyed) => Begin::Recover,
            _ => Begin::Perform,
        }
    }

    fn finish(&self, call: &StepCall, outcome: Outcome) -> Settled {
        self.finished(call, outcome, &[])
    }

    fn finish_scope(&self, call: &StepCall, outcome: Outcome, given_back: &[(LockName, StepCall)]) -> Settled {
        self.finished(call, outcome, given_back)
    }

    fn next_poll(&self, scope: &StepPath, round: usize) -> usize {
        self.recorded.next_poll(scope, round)
    }

    fn forget_polls(&self, scope: &StepPath, round: usize) -> Result<(), Stop> {
        let paths = self.recorded.idle_polls(scope, round);
        match paths.is_empty() || self.mode == Mode::Rollback {
            true => Ok(()),
            false => self.commit(Command::ForgetSteps { lease: self.lease.clone(), paths }).map(drop),
        }
    }

    fn held_locks(&self) -> Vec<HeldLock> {
        self.recorded.held_locks()
    }

    fn holds(&self) -> bool {
        self.believes()
    }

    fn retry(&self, call: &StepCall, attempt: u32, delay_ms: u64, problem: &Problem) -> Result<(), Stop> {
        if let Some(step) = self.progress.under_way.lock().get_mut(&call.path) {
            step.attempts += 1;
        }
        let data = serde_json::json!({ "op": call.op, "attempt": attempt, "delay_ms": delay_ms, "error": problem });
        let events = vec![NewEvent::step(EventKind::StepRetrying, &call.path, data)];
        self.store.submit_lazy(Command::Emit { lease: self.lease.clone(), events });
        if let Time::Virtual(clock) = &self.time {
            clock.advance_by(i64::try_from(delay_ms).unwrap_or(i64::MAX));
        } else {
            self.stopped(delay_ms);
        }
        if !self.believes() {
            return Err(Stop::LeaseLost);
        }
        self.stop().map_or(Ok(()), Err)
    }

    fn local(&self, call: &StepCall, effect: LocalEffect) -> Settled {
        if let Err(stop) = self.may_perform(&call.path) {
            return Settled::Stop(stop);
        }
        let _span = self.step_span(call);
        let given = match &effect {
            LocalEffect::Now => Given::Value(self.clock.now_ms().to_string().into()),
            LocalEffect::Random => Given::Value(serde_json::json!(rand::random::<f64>()).to_string().into()),
            LocalEffect::Uuid => Given::Value(format!("\"{}\"", random_uuid()).into()),
            LocalEffect::LaunchChild { workflow, input } => {
                match self.children.prepare(&self.store, workflow, input, &self.lease.run, &call.path) {
                    Ok(run) => Given::Child(Box::new(run)),
                    Err(problem) => return self.finish(call, Outcome::Error(Arc::new(problem.no_effect()))),
                }
            }
            LocalEffect::KvSet { .. } => Given::Most(self.bounds.kv_keys),
            _ => Given::Nothing,
        };
        let (lease, call) = (self.lease.clone(), Arc::new(call.clone()));
        let args = call.args.clone();
        self.settle(Command::Local { lease, call, effect, given }, &args)
    }

    fn wait(&self, call: &StepCall, wait: &WaitSpec) -> Settled {
        if let Err(stop) = self.may_perform(&call.path) {
            return Settled::Stop(stop);
        }
        let _span = self.step_span(call);
        let (lease, call) = (self.lease.clone(), Arc::new(call.clone()));
        let args = call.args.clone();
        self.settle(Command::Wait { lease, call, wait: wait.clone() }, &args)
    }

    fn emit(&self, output: Output) {
        let undoing = output.lane.contains("/u");
        if output.ordinal < self.recorded.outputs(&output.lane) || (self.mode == Mode::Rollback && !undoing) {
            return;
        }
        let data = output.data.to_string();
        let bytes = self.progress.output_bytes.fetch_add(data.len() as u64, Ordering::Relaxed) + data.len() as u64;
        if bytes > self.bounds.output_bytes as u64 && undoing {
            return;
        }
        if bytes > self.bounds.output_bytes as u64 {
            self.control.stop(Stop::Limit(Box::new(output_exceeded(self.bounds.output_bytes))));
            return;
        }
        let path = Some(format!("{}#{}", output.lane, output.ordinal));
        let events = vec![NewEvent { kind: output.kind, path, data }];
        self.store.submit_lazy(Command::Emit { lease: self.lease.clone(), events });
    }

    fn stop(&self) -> Option<Stop> {
        match self.control.reason() {
            // What led to the undo, or comes too late for the run, doesn't end the undo.
            Some(Stop::Cancelled | Stop::Deadline) if self.mode == Mode::Rollback => {}
            Some(stop) => return Some(stop),
            None => {}
        }
        if self.mode == Mode::Rollback {
            return self.undo_overdue();
        }
        self.deadline_at_ms.is_some_and(|at_ms| self.clock.now_ms() >= at_ms).then_some(Stop::Deadline)
    }

    fn cut_off(&self) -> bool {
        self.stop().is_some_and(|stop| self.control.is_urgent(&stop))
    }

    fn stopped(&self, timeout_ms: u64) -> bool {
        if self.mode == Mode::Rollback {
            self.control.turn_back();
        }
        match &self.time {
            Time::Virtual(clock) => {
                clock.advance_by(i64::try_from(timeout_ms).unwrap_or(i64::MAX));
                self.control.reason().is_some()
            }
            Time::Real(_) => self.control.wait(timeout_ms),
        }
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    fn undo_begin(&self, entry: &UndoRecord) -> Result<(), Stop> {
        if let Some(stop) = self.stop() {
            return Err(stop);
        }
        self.commit(Command::UndoBegin { lease: self.lease.clone(), seq: entry.seq })?;
        let undo = Undoing { path: entry.path.clone(), since_ms: self.clock.now_ms(), steps: 0 };
        *self.progress.undo.lock() = Some(undo);
        Ok(())
    }

    fn undo_finish(&self, entry: &UndoRecord, result: Result<(), Problem>) -> Result<(), Stop> {
        let (lease, seq) = (self.lease.clone(), entry.seq);
        *self.progress.undo.lock() = None;
        self.commit(Command::UndoFinish { lease, seq, problem: result.err() }).map(drop)
    }
}

fn started_data(call: &StepCall) -> serde_json::Value {
    // Arguments are shown shortened; the journal holds them whole.
    let args: String = call.args.chars().take(2_000).collect();
    serde_json::json!({ "op": call.op, "class": call.class, "site": call.site.to_string(), "args": args })
}

fn random_uuid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn steps_exceeded(limit: usize) -> Problem {
    Problem::new(Code::LimitExceeded, format!("the run has {limit} steps, which is the limit `steps_per_run`"))
        .help("let the workflow go on in a fresh journal with `continue_as_new(input)`")
}

fn journal_exceeded(limit: usize) -> Problem {
    let message = format!(
        "the arguments and results of the run's steps have more than {limit} bytes, which is the limit `journal_bytes`"
    );
    Problem::new(Code::LimitExceeded, message).help(
        "keep large values as artifacts, let the workflow go on in a fresh journal with `continue_as_new(input)`, or raise \
         `bounds.journal_bytes`",
    )
}

fn undo_exceeded(path: &StepPath, unit: &str, bound: &str, limit: impl std::fmt::Display) -> Problem {
    let message =
        format!("the undo of step {path} has taken {limit} {unit}, which is the limit `{bound}`, and was stopped");
    Problem::new(Code::LimitExceeded, message)
        .help("look at what it waits for; `windlass runs unstick` has it tried again, or skipped")
}

fn output_exceeded(limit: usize) -> Problem {
    Problem::new(Code::LimitExceeded, format!("the run has logged more than the limit `output_bytes` of {limit} bytes"))
        .help("keep long output as an artifact: `artifact(name, text)`")
}

fn unexpected(reply: &Reply) -> Problem {
    Problem::new(Code::Internal, format!("the store answered a step with {reply:?}"))
}
