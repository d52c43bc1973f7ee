//! Crashes on purpose: after a given number of commits the process is as good as dead. No call reaches the journal any
//! more, leases stay where they are, and what was under way is never recorded.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use windlass_model::{
    Digest, Journal, LockName, Outcome, Problem, StepCall, StepPath, WaitSpec,
    journal::{Begin, Divergence, Ending, Job, LocalEffect, Output, Replay, Runner, Settled, Stop},
    lock::HeldLock,
    undo::UndoRecord,
};
use windlass_script::Sandbox;

/// A runner whose process dies as planned.
pub struct CrashingRunner {
    sandbox: Sandbox,
    fate: Arc<Fate>,
}

/// When the process dies, and whether it has.
struct Fate {
    crashes: Vec<u32>,
    commits: AtomicU32,
    dead: AtomicBool,
}

impl CrashingRunner {
    /// A runner that dies after each of these numbers of commits, counted from the launch.
    pub fn new(sandbox: Sandbox, crashes: Vec<u32>) -> Self {
        let fate = Fate { crashes, commits: AtomicU32::new(0), dead: AtomicBool::new(false) };
        Self { sandbox, fate: Arc::new(fate) }
    }

    /// Whether the process is dead.
    pub fn is_dead(&self) -> bool {
        self.fate.dead.load(Ordering::Acquire)
    }

    /// The process comes back.
    pub fn revive(&self) {
        self.fate.dead.store(false, Ordering::Release);
    }

    fn around(&self, inner: Arc<dyn Journal>) -> Arc<dyn Journal> {
        Arc::new(MortalJournal { inner, fate: self.fate.clone() })
    }
}

impl Fate {
    /// A commit was made; whether it was the last one of this life.
    fn committed(&self) -> bool {
        let commits = self.commits.fetch_add(1, Ordering::AcqRel) + 1;
        let dies = self.crashes.contains(&commits);
        if dies {
            self.dead.store(true, Ordering::Release);
        }
        dies
    }

    fn alive(&self) -> Result<(), Stop> {
        // Losing the lease is what a worker does nothing about: just so a dead process.
        if self.dead.load(Ordering::Acquire) { Err(Stop::LeaseLost) } else { Ok(()) }
    }
}

impl Runner for CrashingRunner {
    fn evaluate(&self, job: &Job, journal: Arc<dyn Journal>) -> Ending {
        let ending = self.sandbox.evaluate(job, self.around(journal));
        if self.is_dead() { Ending::Stopped(Stop::LeaseLost) } else { ending }
    }

    fn roll_back(&self, job: &Job, journal: Arc<dyn Journal>) -> Ending {
        let ending = self.sandbox.roll_back(job, self.around(journal));
        if self.is_dead() { Ending::Stopped(Stop::LeaseLost) } else { ending }
    }
}

struct MortalJournal {
    inner: Arc<dyn Journal>,
    fate: Arc<Fate>,
}

impl MortalJournal {
    fn settle(&self, commit: impl FnOnce() -> Settled) -> Settled {
        if let Err(stop) = self.fate.alive() {
            return Settled::Stop(stop);
        }
        let settled = commit();
        let committed = matches!(settled, Settled::Done(_) | Settled::Stop(Stop::Suspended));
        if committed && self.fate.committed() { Settled::Stop(Stop::LeaseLost) } else { settled }
    }

    fn attempt(&self, commit: impl FnOnce() -> Result<(), Stop>) -> Result<(), Stop> {
        self.fate.alive()?;
        commit()?;
        if self.fate.committed() { Err(Stop::LeaseLost) } else { Ok(()) }
    }
}

impl Journal for MortalJournal {
    fn replay(&self, path: &StepPath, op: &str, digest: &Digest) -> Replay {
        self.inner.replay(path, op, digest)
    }

    fn diverged(&self, divergence: Divergence) -> Stop {
        self.inner.diverged(divergence)
    }

    fn begin(&self, call: &StepCall) -> Begin {
        if let Err(stop) = self.fate.alive() {
            return Begin::Stop(stop);
        }
        let begin = self.inner.begin(call);
        match begin {
            Begin::Perform if call.needs_intent() && self.fate.committed() => Begin::Stop(Stop::LeaseLost),
            other => other,
        }
    }

    fn finish(&self, call: &StepCall, outcome: Outcome) -> Settled {
        self.settle(|| self.inner.finish(call, outcome))
    }

    fn finish_scope(&self, call: &StepCall, outcome: Outcome, given_back: &[(LockName, StepCall)]) -> Settled {
        self.settle(|| self.inner.finish_scope(call, outcome, given_back))
    }

    fn next_poll(&self, scope: &StepPath, round: usize) -> usize {
        self.inner.next_poll(scope, round)
    }

    fn forget_polls(&self, scope: &StepPath, round: usize) -> Result<(), Stop> {
        self.attempt(|| self.inner.forget_polls(scope, round))
    }

    fn held_locks(&self) -> Vec<HeldLock> {
        self.inner.held_locks()
    }

    fn retry(&self, call: &StepCall, attempt: u32, delay_ms: u64, problem: &Problem) -> Result<(), Stop> {
        self.fate.alive()?;
        self.inner.retry(call, attempt, delay_ms, problem)
    }

    fn local(&self, call: &StepCall, effect: LocalEffect) -> Settled {
        self.settle(|| self.inner.local(call, effect))
    }

    fn wait(&self, call: &StepCall, wait: &WaitSpec) -> Settled {
        self.settle(|| self.inner.wait(call, wait))
    }

    fn emit(&self, output: Output) {
        if self.fate.alive().is_ok() {
            self.inner.emit(output);
        }
    }

    fn stop(&self) -> Option<Stop> {
        self.fate.alive().err().or_else(|| self.inner.stop())
    }

    fn stopped(&self, timeout_ms: u64) -> bool {
        self.fate.alive().is_err() || self.inner.stopped(timeout_ms)
    }

    fn now_ms(&self) -> i64 {
        self.inner.now_ms()
    }

    fn undo_begin(&self, entry: &UndoRecord) -> Result<(), Stop> {
        self.attempt(|| self.inner.undo_begin(entry))
    }

    fn undo_finish(&self, entry: &UndoRecord, result: Result<(), Problem>) -> Result<(), Stop> {
        self.attempt(|| self.inner.undo_finish(entry, result))
    }
}
