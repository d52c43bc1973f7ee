//! A journal that performs nothing: what becomes of a recorded run on other scripts.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use windlass_model::{
    Digest, Journal, Outcome, Problem, StepCall, StepPath, WaitSpec,
    journal::{Begin, Divergence, LocalEffect, Output, Replay, Settled, Stop},
    undo::UndoRecord,
};

use crate::recorded::Recorded;

/// Answers from the record; the first call that isn't recorded ends the evaluation.
pub(crate) struct ReplayingJournal {
    pub(crate) recorded: Recorded,
    replayed: AtomicUsize,
    divergence: Mutex<Option<Divergence>>,
    next: Mutex<Option<StepCall>>,
}

impl ReplayingJournal {
    pub(crate) fn new(recorded: Recorded) -> Self {
        Self { recorded, replayed: AtomicUsize::new(0), divergence: Mutex::default(), next: Mutex::default() }
    }

    /// Steps that were answered from the record.
    pub(crate) fn replayed(&self) -> usize {
        self.replayed.load(Ordering::Relaxed)
    }

    /// The first call that differs from its record.
    pub(crate) fn divergence(&self) -> Option<Divergence> {
        self.divergence.lock().clone()
    }

    /// A call that would be performed next.
    pub(crate) fn next(&self) -> Option<StepCall> {
        self.next.lock().clone()
    }

    fn end(&self, call: &StepCall) -> Stop {
        self.next.lock().get_or_insert_with(|| call.clone());
        Stop::ReplayEnd
    }
}

impl Journal for ReplayingJournal {
    fn replay(&self, path: &StepPath, op: &str, digest: &Digest) -> Replay {
        let replay = self.recorded.replay(path, op, digest);
        if matches!(replay, Replay::Recorded(_)) {
            self.replayed.fetch_add(1, Ordering::Relaxed);
        }
        replay
    }

    fn diverged(&self, divergence: Divergence) -> Stop {
        self.divergence.lock().get_or_insert(divergence.clone());
        Stop::Diverged(Box::new(divergence))
    }

    fn begin(&self, call: &StepCall) -> Begin {
        Begin::Stop(self.end(call))
    }

    fn finish(&self, call: &StepCall, _: Outcome) -> Settled {
        Settled::Stop(self.end(call))
    }

    fn retry(&self, call: &StepCall, _: u32, _: u64, _: &Problem) -> Result<(), Stop> {
        Err(self.end(call))
    }

    fn local(&self, call: &StepCall, _: LocalEffect) -> Settled {
        Settled::Stop(self.end(call))
    }

    fn wait(&self, call: &StepCall, _: &WaitSpec) -> Settled {
        Settled::Stop(self.end(call))
    }

    fn next_poll(&self, scope: &StepPath, round: usize) -> usize {
        self.recorded.next_poll(scope, round)
    }

    fn emit(&self, _: Output) {}

    fn stop(&self) -> Option<Stop> {
        None
    }

    fn stopped(&self, _: u64) -> bool {
        false
    }

    fn now_ms(&self) -> i64 {
        0
    }

    fn undo_begin(&self, _: &UndoRecord) -> Result<(), Stop> {
        Err(Stop::ReplayEnd)
    }

    fn undo_finish(&self, _: &UndoRecord, _: Result<(), Problem>) -> Result<(), Stop> {
        Err(Stop::ReplayEnd)
    }
}
