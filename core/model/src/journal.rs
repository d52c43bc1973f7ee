//! The seam between the two arms of the house: the sandbox asks a `Journal` for every step; the engine implements it.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    Bundle, BundleDigest, CallSite, Digest, EventKind, LockName, Outcome, Problem, RunId, StepCall, StepPath, WaitSpec,
    lock::HeldLock, step::StepRecord, undo::UndoRecord,
};

/// What an evaluation of a script works on.
#[derive(Clone, Debug)]
pub struct Job {
    /// The run.
    pub run: RunId,
    /// Digest of its bundle.
    pub digest: BundleDigest,
    /// Its sources.
    pub bundle: Arc<Bundle>,
    /// Its input, JSON text.
    pub input: Arc<str>,
    /// Entries of the undo list that are still to be worked off, last registered first. Empty while the run goes forward.
    pub undo: Vec<UndoRecord>,
}

/// How an evaluation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// `run(input)` returned; JSON text.
    Returned(String),
    /// The script failed with an error that nobody caught.
    Failed(Box<Problem>),
    /// It was stopped on the way, for this reason.
    Stopped(Stop),
}

/// Evaluates scripts. Implemented where the sandbox and the engine meet.
pub trait Runner: Send + Sync {
    /// Evaluates `run(input)` on this thread; every effect goes through `journal`.
    fn evaluate(&self, job: &Job, journal: Arc<dyn Journal>) -> Ending;

    /// Works off `job.undo`: replays the script silently to find its closures again (only if an entry needs one), then
    /// performs entry by entry between `Journal::undo_begin` and `Journal::undo_finish`.
    fn roll_back(&self, job: &Job, journal: Arc<dyn Journal>) -> Ending;
}

/// Why an evaluation goes no further. No script can catch it.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// Every branch waits for something.
    Suspended,
    /// Another branch has decided the outcome (`race`, `fail_fast`).
    Superseded,
    /// The journal's end was reached in an evaluation that may not perform anything.
    ReplayEnd,
    /// The script goes on in a fresh journal, with this input (JSON text).
    ContinueAsNew(String),
    /// A step is in doubt: an operator decides.
    InDoubt,
    /// Somebody asked for the run's end.
    Cancelled,
    /// The run's time is up.
    Deadline,
    /// The script calls something else than what is recorded.
    Diverged(Box<Divergence>),
    /// A bound was exceeded, or the sandbox stopped the script.
    Limit(Box<Problem>),
    /// The process ends; the run goes on elsewhere or later.
    ShuttingDown,
    /// Another worker has the run.
    LeaseLost,
    /// The journal can't be written.
    Storage(Box<Problem>),
}

impl Stop {
    /// Which of several branches' reasons stands for the whole run: the highest.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Superseded => 0,
            Self::Suspended => 1,
            Self::ReplayEnd => 2,
            Self::ContinueAsNew(_) => 3,
            Self::InDoubt => 4,
            Self::Cancelled => 5,
            Self::Deadline => 6,
            Self::Diverged(_) => 7,
            Self::Limit(_) => 8,
            Self::ShuttingDown => 9,
            Self::LeaseLost => 10,
            Self::Storage(_) => 11,
        }
    }
}

/// A recorded call and the call that came in its place.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Divergence {
    /// The step.
    pub path: StepPath,
    /// What the journal holds.
    pub recorded: CallSummary,
    /// What the script calls now; `None` when it ended without calling anything.
    pub current: Option<CallSummary>,
}

/// A call, as a person wants to see it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CallSummary {
    /// The function.
    pub op: Arc<str>,
    /// Canonical JSON of its arguments.
    pub args: Arc<str>,
    /// Where in the script.
    pub site: CallSite,
}

/// What is recorded of a step.
#[derive(Clone, Debug)]
pub enum Replay {
    /// Nothing, or nothing final: perform it.
    Fresh,
    /// Its outcome.
    Recorded(Outcome),
    /// Another call stands there: report it with `Journal::diverged`.
    Diverged(Box<StepRecord>),
}

/// How to go about a step that isn't recorded.
#[derive(Clone, Debug)]
pub enum Begin {
    /// Perform the effect.
    Perform,
    /// Its intent was recorded before a crash: look the key up, adopt what is there, else perform.
    Recover,
    /// It has an outcome after all (an operator resolved it).
    Recorded(Outcome),
    /// Go no further.
    Stop(Stop),
}

/// What became of a wait or a recorded outcome.
#[derive(Clone, Debug)]
pub enum Settled {
    /// It is on disk: this is what the script sees.
    Done(Outcome),
    /// Go no further.
    Stop(Stop),
}

/// An effect inside the store itself: it commits together with its step, so it happens exactly once.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum LocalEffect {
    /// The current time. Result: milliseconds since 1970.
    Now,
    /// A random number in [0, 1).
    Random,
    /// A random UUID (version 4).
    Uuid,
    /// A value of the key-value store, or null. Keys are those of the run's organisation: `area/key`.
    KvGet {
        /// The key.
        key: String,
    },
    /// Sets a value. Result: null.
    KvSet {
        /// The key.
        key: String,
        /// The value.
        value: Value,
    },
    /// Removes a value. Result: whether it was there.
    KvDelete {
        /// The key.
        key: String,
    },
    /// Keys with a prefix. Result: an array of strings, at most 1,000.
    KvList {
        /// The prefix.
        prefix: String,
    },
    /// Releases a lock that this run holds. Result: whether it held it.
    Unlock {
        /// The lock.
        lock: LockName,
    },
    /// Launches a child run. Result: its id.
    LaunchChild {
        /// The workflow.
        workflow: String,
        /// Its input.
        input: Value,
    },
    /// Resources in the inventory that are `creating`, `live` or `destroying`, with this provider and id prefix.
    /// Result: an array of `{provider, kind, id, run, state}`.
    Inventory {
        /// The provider.
        provider: String,
        /// Prefix of the id.
        prefix: String,
    },
    /// Keeps bytes under a name. Result: `{name, bytes, digest}`.
    Artifact {
        /// Name, unique in the run.
        name: String,
        /// What it is: `text/plain`.
        media_type: String,
        /// The content, at most 16 MiB.
        #[serde(skip)]
        content: Vec<u8>,
    },
}

/// A line, progress or annotation of the script. Emitted at most once, silent while replaying.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// `EventKind::Log`, `Progress` or `Annotation`.
    pub kind: EventKind,
    /// The lane it comes from.
    pub lane: Arc<str>,
    /// The output's ordinal in its lane, from 0.
    pub ordinal: u32,
    /// The rest, as `EventKind` says.
    pub data: Value,
}

/// What the sandbox needs of the engine. All calls block until the answer is durable.
pub trait Journal: Send + Sync {
    /// What is recorded of the step at `path`. Fast: this is all that replay costs.
    fn replay(&self, path: &StepPath, op: &str, digest: &Digest) -> Replay;

    /// Tells of a call that differs from the recorded one; the answer is the reason to stop with.
    fn diverged(&self, divergence: Divergence) -> Stop;

    /// Registers the call: its undo, its resources, and its intent where the class asks for it.
    fn begin(&self, call: &StepCall) -> Begin;

    /// Records the outcome.
    fn finish(&self, call: &StepCall, outcome: Outcome) -> Settled;

    /// Records the outcome of a scope together with the steps by which its stopped branches give locks back.
    fn finish_scope(&self, call: &StepCall, outcome: Outcome, given_back: &[(LockName, StepCall)]) -> Settled {
        for (lock, unlock) in given_back {
            let settled = self.local(unlock, LocalEffect::Unlock { lock: lock.clone() });
            if let Settled::Stop(_) = settled {
                return settled;
            }
        }
        self.finish(call, outcome)
    }

    /// The round of the poll at `scope` that comes after this one: earlier ones may have been forgotten meanwhile.
    fn next_poll(&self, scope: &StepPath, round: usize) -> usize {
        let _ = scope;
        round + 1
    }

    /// The poll at `scope` rests in this round: earlier ones, of which nothing has to be known any more, may be forgotten.
    fn forget_polls(&self, scope: &StepPath, round: usize) -> Result<(), Stop> {
        let _ = (scope, round);
        Ok(())
    }

    /// Locks that branches were inside of when this evaluation began.
    fn held_locks(&self) -> Vec<HeldLock> {
        Vec::new()
    }

    /// Tells of a failed attempt that is tried again after `delay_ms`, and waits that long. `Err` ends the waiting.
    fn retry(&self, call: &StepCall, attempt: u32, delay_ms: u64, problem: &Problem) -> Result<(), Stop>;

    /// Performs an effect inside the store together with its record.
    fn local(&self, call: &StepCall, effect: LocalEffect) -> Settled;

    /// Waits durably: done, or the branch stops with `Stop::Suspended`.
    fn wait(&self, call: &StepCall, wait: &WaitSpec) -> Settled;

    /// Emits a line, progress or annotation, unless it was emitted before. Doesn't block.
    fn emit(&self, output: Output);

    /// A reason for the whole run to go no further, if there is one. Cheap: it is asked often.
    fn stop(&self) -> Option<Stop>;

    /// Whether an op that is under way has to stop, too. When the process ends it gets some time first: an effect that was
    /// cut off may or may not have happened.
    fn cut_off(&self) -> bool {
        self.stop().is_some()
    }

    /// Whether the run is still this process's to work on, as far as it can tell: asked right before an effect reaches the
    /// world, and false early enough that what was begun before is over when another process may go on.
    fn holds(&self) -> bool {
        true
    }

    /// Resolves when `stop` has become `Some`, or after `timeout_ms`: what an op that blocks waits on beside its own work.
    fn stopped(&self, timeout_ms: u64) -> bool;

    /// The engine's clock, for deadlines inside ops. Never shown to a script.
    fn now_ms(&self) -> i64;

    /// An undo entry is about to be worked off.
    fn undo_begin(&self, entry: &UndoRecord) -> Result<(), Stop>;

    /// An undo entry was worked off, or failed for good.
    fn undo_finish(&self, entry: &UndoRecord, result: Result<(), Problem>) -> Result<(), Stop>;
}

/// A workflow as it stands on disk now: what a launch pins.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// Its header.
    pub workflow: Arc<crate::Workflow>,
    /// Its sources.
    pub bundle: Arc<Bundle>,
    /// Their digest.
    pub digest: BundleDigest,
}

/// Where workflows come from. Implemented by the sandbox's library.
pub trait Workflows: Send + Sync {
    /// The workflow as it stands now, checked; `WorkflowNotFound` or `WorkflowInvalid` else.
    fn pin(&self, name: &str) -> Result<Pinned, Problem>;

    /// The header of a bundle that was pinned before.
    fn header(&self, bundle: &Bundle) -> Result<Arc<crate::Workflow>, Problem>;
}
