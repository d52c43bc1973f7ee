//! How a store is opened, and what it tells about each commit.

use std::sync::Arc;

use windlass_model::{EventKind, RunId, event::EventKinds, time::Clock};

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// An answer means: on disk.
    Full,
    /// An answer means: written. For rehearsals, which nobody needs after a power failure.
    Off,
}

/// How a store is opened.
#[derive(Clone)]
pub struct StoreOptions {
    /// Where times come from.
    pub clock: Arc<dyn Clock>,
    /// Whether a commit waits for the disk.
    pub durability: Durability,
    /// Connections for reads.
    pub readers: usize,
    /// Commands that share one commit, at most.
    pub batch: usize,
    /// How long a lazy command waits for a commit to ride on, in milliseconds.
    pub lazy_flush_ms: u64,
    /// Called on a thread of the store after each commit, one after the other; must be quick.
    pub listener: Arc<dyn Fn(&Committed) + Send + Sync>,
}

impl StoreOptions {
    /// Durable, with 4 readers, batches of 512, lazy commands flushed after 50 ms, and nobody who listens.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            durability: Durability::Full,
            readers: 4,
            batch: 512,
            lazy_flush_ms: 50,
            listener: Arc::new(|_| ()),
        }
    }
}

/// What one commit changed, for whoever waits for changes. A run stands in each list at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Runs with new events.
    pub runs: Vec<RunId>,
    /// The kinds of those events.
    pub kinds: EventKinds,
    /// Runs that ended.
    pub ended: Vec<RunId>,
    /// Runs whose end was asked for.
    pub cancelled: Vec<RunId>,
    /// Runs whose undo an operator has stopped.
    pub stopped: Vec<RunId>,
    /// Whether a run became due.
    pub due_now: bool,
    /// The earliest time at which a run becomes due, of those that this commit set.
    pub earliest_due_ms: Option<i64>,
    /// Commands that were answered.
    pub commands: u64,
    /// How long that took, from the first to the sync.
    pub took: std::time::Duration,
}

impl Committed {
    pub(crate) fn wrote(&mut self, run: &RunId, kind: EventKind) {
        push_once(&mut self.runs, run);
        self.kinds.insert(kind);
    }

    pub(crate) fn run_ended(&mut self, run: &RunId) {
        push_once(&mut self.ended, run);
    }

    pub(crate) fn run_cancelled(&mut self, run: &RunId) {
        push_once(&mut self.cancelled, run);
    }

    pub(crate) fn run_stopped(&mut self, run: &RunId) {
        push_once(&mut self.stopped, run);
    }

    pub(crate) fn due(&mut self, due_at_ms: i64, now_ms: i64) {
        self.due_now |= due_at_ms <= now_ms;
        self.earliest_due_ms = Some(self.earliest_due_ms.map_or(due_at_ms, |known| known.min(due_at_ms)));
    }

    pub(crate) fn add(&mut self, other: Self) {
        other.runs.iter().for_each(|run| push_once(&mut self.runs, run));
        self.kinds.extend(other.kinds);
        other.ended.iter().for_each(|run| self.run_ended(run));
        other.cancelled.iter().for_each(|run| self.run_cancelled(run));
        other.stopped.iter().for_each(|run| self.run_stopped(run));
        self.due_now |= other.due_now;
        self.commands += other.commands;
        self.took += other.took;
        if let Some(due_at_ms) = other.earliest_due_ms {
            self.earliest_due_ms = Some(self.earliest_due_ms.map_or(due_at_ms, |known| known.min(due_at_ms)));
        }
    }
}

// A batch has few runs, and the last one is the likeliest to come again.
fn push_once(list: &mut Vec<RunId>, run: &RunId) {
    if !list.iter().rev().any(|known| known == run) {
        list.push(run.clone());
    }
}
