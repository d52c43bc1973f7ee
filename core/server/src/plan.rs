//! The plan: what a rehearsed run did, recorded on the way between the sandbox and the journal.

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;
use serde::Serialize;
use windlass_model::{
    Digest, EffectClass, Journal, LockName, Outcome, Problem, ResourceChange, StepCall, StepPath, WaitSpec,
    journal::{Begin, Divergence, Ending, Job, LocalEffect, Output, Replay, Runner, Settled, Stop},
    lock::HeldLock,
    undo::UndoRecord,
};
use windlass_script::Sandbox;

/// What a planned step does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Makes something.
    Create,
    /// Changes something.
    Change,
    /// Removes something.
    Remove,
    /// Waits.
    Wait,
}

/// One effect of the plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Planned {
    /// The run it belongs to: a child's effects stand in the plan as well.
    pub run: String,
    /// The step.
    pub path: String,
    /// The function.
    pub op: Arc<str>,
    /// Canonical JSON of its arguments.
    pub args: Arc<str>,
    /// What it does.
    pub sign: Sign,
    /// What it makes or removes.
    pub things: Vec<String>,
    /// What is assumed (approvals, signals), or what it waits for.
    pub note: Option<String>,
    /// Where in the script.
    pub site: String,
    /// Whether it is part of an undo.
    pub undo: bool,
}

/// What a rehearsal performed.
#[derive(Debug, Default)]
pub struct Plan {
    /// Its effects and waits, in order.
    pub steps: Vec<Planned>,
    /// Every function that was performed, those that only look as well.
    pub used: BTreeSet<Arc<str>>,
}

/// Records what a sandbox performs.
pub struct Recorder {
    sandbox: Sandbox,
    planned: Arc<Mutex<Plan>>,
}

impl Recorder {
    /// A runner that evaluates in this sandbox, and the list that it fills.
    pub fn new(sandbox: Sandbox) -> (Self, Arc<Mutex<Plan>>) {
        let planned: Arc<Mutex<Plan>> = Arc::default();
        (Self { sandbox, planned: planned.clone() }, planned)
    }

    fn around(&self, job: &Job, inner: Arc<dyn Journal>) -> Arc<dyn Journal> {
        Arc::new(Recording { run: job.run.to_string(), inner, planned: self.planned.clone() })
    }
}

impl Runner for Recorder {
    fn evaluate(&self, job: &Job, journal: Arc<dyn Journal>) -> Ending {
        self.sandbox.evaluate(job, self.around(job, journal))
    }

    fn roll_back(&self, job: &Job, journal: Arc<dyn Journal>) -> Ending {
        self.sandbox.roll_back(job, self.around(job, journal))
    }
}

struct Recording {
    run: String,
    inner: Arc<dyn Journal>,
    planned: Arc<Mutex<Plan>>,
}

impl Recording {
    fn note(&self, call: &StepCall, sign: Sign, note: Option<String>) {
        let path = call.path.to_string();
        let mut planned = self.planned.lock();
        // A wait is asked for again at every replay.
        if planned.steps.iter().any(|step| step.run == self.run && step.path == path) {
            return;
        }
        let things = call.resources.iter().map(|change| match change {
            ResourceChange::Creates(thing) | ResourceChange::Destroys(thing) => thing.to_string(),
        });
        planned.steps.push(Planned {
            run: self.run.clone(),
            path,
            op: call.op.clone(),
            args: call.args.clone(),
            sign,
            things: things.collect(),
            note,
            site: call.site.to_string(),
            undo: call.path.is_undo(),
        });
    }

    fn effect(&self, call: &StepCall) {
        self.planned.lock().used.insert(call.op.clone());
        let creates = call.resources.iter().any(|change| matches!(change, ResourceChange::Creates(_)));
        let sign = match (call.resources.is_empty(), creates) {
            (true, _) => Sign::Change,
            (false, true) => Sign::Create,
            (false, false) => Sign::Remove,
        };
        if !matches!(call.class, EffectClass::Read | EffectClass::Wait | EffectClass::Scope) {
            self.note(call, sign, None);
        }
    }
}

impl Journal for Recording {
    fn replay(&self, path: &StepPath, op: &str, digest: &Digest) -> Replay {
        self.inner.replay(path, op, digest)
    }

    fn diverged(&self, divergence: Divergence) -> Stop {
        self.inner.diverged(divergence)
    }

    fn begin(&self, call: &StepCall) -> Begin {
        self.effect(call);
        self.inner.begin(call)
    }

    fn finish(&self, call: &StepCall, outcome: Outcome) -> Settled {
        self.effect(call);
        self.inner.finish(call, outcome)
    }

    fn finish_scope(&self, call: &StepCall, outcome: Outcome, given_back: &[(LockName, StepCall)]) -> Settled {
        self.effect(call);
        self.inner.finish_scope(call, outcome, given_back)
    }

    fn next_poll(&self, scope: &StepPath, round: usize) -> usize {
        self.inner.next_poll(scope, round)
    }

    fn forget_polls(&self, scope: &StepPath, round: usize) -> Result<(), Stop> {
        self.inner.forget_polls(scope, round)
    }

    fn held_locks(&self) -> Vec<HeldLock> {
        self.inner.held_locks()
    }

    fn retry(&self, call: &StepCall, attempt: u32, delay_ms: u64, problem: &Problem) -> Result<(), Stop> {
        self.inner.retry(call, attempt, delay_ms, problem)
    }

    fn local(&self, call: &StepCall, effect: LocalEffect) -> Settled {
        let changes = matches!(
            effect,
            LocalEffect::KvSet { .. }
                | LocalEffect::KvDelete { .. }
                | LocalEffect::LaunchChild { .. }
                | LocalEffect::Artifact { .. }
        );
        self.planned.lock().used.insert(call.op.clone());
        if changes {
            self.note(call, Sign::Change, None);
        }
        self.inner.local(call, effect)
    }

    fn wait(&self, call: &StepCall, wait: &WaitSpec) -> Settled {
        let note = match wait {
            WaitSpec::Timer { due_at_ms } => {
                let ms = due_at_ms - self.inner.now_ms();
                format!("for {}", windlass_model::time::format_duration_ms(ms.max(0)))
            }
            WaitSpec::Signal { name, .. } => format!("for the signal `{name}` (assumed: it comes, empty)"),
            WaitSpec::Approval(request) => format!("for a decision: {} (assumed: approved)", request.title),
            WaitSpec::Lock { lock, .. } => format!("for the lock `{}`", lock.name),
            WaitSpec::Child { run } => format!("for the child run {run}"),
        };
        self.note(call, Sign::Wait, Some(note));
        self.inner.wait(call, wait)
    }

    fn emit(&self, output: Output) {
        self.inner.emit(output);
    }

    fn stop(&self) -> Option<Stop> {
        self.inner.stop()
    }

    fn stopped(&self, timeout_ms: u64) -> bool {
        self.inner.stopped(timeout_ms)
    }

    fn now_ms(&self) -> i64 {
        self.inner.now_ms()
    }

    fn undo_begin(&self, entry: &UndoRecord) -> Result<(), Stop> {
        self.inner.undo_begin(entry)
    }

    fn undo_finish(&self, entry: &UndoRecord, result: Result<(), Problem>) -> Result<(), Stop> {
        self.inner.undo_finish(entry, result)
    }
}

/// Digest of a plan: the same script with the same input and the same answers gives the same one.
pub fn digest(bundle: &str, input: &serde_json::Value, planned: &[Planned]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    part(bundle);
    part(&input.to_string());
    let mut lines: Vec<String> = planned
        .iter()
        .filter(|step| step.sign != Sign::Wait)
        .map(|step| format!("{}{}{} {:?}", step.path, step.op, step.args, step.sign))
        .collect();
    // Branches come in any order.
    lines.sort();
    lines.iter().for_each(|line| part(line));
    hasher.finalize().to_hex()[..32].to_owned()
}
