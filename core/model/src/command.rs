//! Everything that changes the store, as data. The store applies a command in one transaction with its events; the
//! same list, generated at random, is fed to both databases by the differential test.

mod claim;
mod later;
mod launch;
mod reply;

use std::sync::Arc;

use serde_json::Value;

pub use crate::node::{Beat, Rate};
pub use claim::{Claimed, Lease};
pub use launch::{Given, NewRun};
pub use reply::Reply;

use crate::{
    BundleDigest, LockName, NodeId, Outcome, Problem, RunId, StepCall, StepPath, WaitSpec,
    audit::NewAudit,
    document::Change,
    event::{EventKind, NewEvent},
    journal::LocalEffect,
    undo::StuckAction,
    voucher::VoucherCommand,
    wait::{Decision, Resolution},
};

/// A change to the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Keeps a bundle; does nothing if it is there.
    PutBundle {
        /// Its digest.
        digest: BundleDigest,
        /// Its canonical form.
        body: Arc<str>,
    },
    /// Creates a run. With `claim`, this node takes it in the same transaction. Answer: `Launched`.
    Launch {
        /// The run.
        run: Box<NewRun>,
        /// The node that takes it at once, and until when its lease holds.
        claim: Option<(NodeId, i64)>,
    },
    /// Takes up to `limit` runs that are due or whose lease is over. Answer: `Claimed`.
    Claim {
        /// Who takes them.
        node: NodeId,
        /// How many at most.
        limit: u32,
        /// Until when the leases hold.
        expires_at_ms: i64,
        /// Recoveries after which a run is parked instead.
        max_recoveries: u32,
    },
    /// Takes one run, if it is due or its lease is over. Answer: `Claimed` with one or none.
    ClaimRun {
        /// The run.
        run: RunId,
        /// Who takes it.
        node: NodeId,
        /// Until when the lease holds.
        expires_at_ms: i64,
    },
    /// A node is there; its leases are extended. Answer: `Beat`.
    Beat {
        /// What it tells.
        beat: Beat,
        /// Until when its leases hold.
        expires_at_ms: i64,
    },
    /// A node goes in good order, and is listed no more.
    Leave {
        /// Which one.
        node: NodeId,
    },
    /// A node should claim nothing more, and hand over what it evaluates; or go on.
    Drain {
        /// Which one.
        node: NodeId,
        /// Whether it should.
        draining: bool,
    },
    /// Ends all leases of a node that is known to be gone (SQLite: the process that had the data folder before).
    /// Their runs are due at once, and count one recovery each. Answer: `Count`.
    ExpireLeases {
        /// Whose; `None` for every node's.
        node: Option<NodeId>,
    },
    /// Gives a run back unfinished (the process ends): due at once, no recovery is counted.
    Release(Lease),
    /// Intent: the step as `started`, its undo entry, its resources as `creating` or `destroying`.
    Begin {
        /// The claim.
        lease: Lease,
        /// The call.
        call: Arc<StepCall>,
    },
    /// Outcome: the step as `succeeded` or `failed`, its resources as `live` or `gone`; with `Problem::no_effect` its
    /// undo entry is void. For a `Scope` step, the waits of steps below its path are dropped. Answer: `Outcome`.
    Finish {
        /// The claim.
        lease: Lease,
        /// The call.
        call: Arc<StepCall>,
        /// Its outcome.
        outcome: Outcome,
        /// Attempts it took.
        attempts: u32,
        /// When it began.
        started_at_ms: i64,
    },
    /// The outcome of a scope, in whose stopped branches locks are given back: each by the step that says so. Answer: `Outcome`.
    FinishScope {
        /// The claim.
        lease: Lease,
        /// The call.
        call: Arc<StepCall>,
        /// Its outcome.
        outcome: Outcome,
        /// When it began.
        started_at_ms: i64,
        /// Locks, with the steps.
        given_back: Vec<(LockName, StepCall)>,
    },
    /// Forgets steps that are over and that nothing has to be taken back of: earlier rounds of a poll. Their events stay. Answer:
    /// `Count`.
    ForgetSteps {
        /// The claim.
        lease: Lease,
        /// The steps.
        paths: Vec<StepPath>,
    },
    /// A local effect together with its record. Answer: `Outcome`.
    Local {
        /// The claim.
        lease: Lease,
        /// The call.
        call: Arc<StepCall>,
        /// The effect.
        effect: LocalEffect,
        /// What only the engine can know: the value of `Now`, `Random`, `Uuid`; for `LaunchChild` the child to be.
        given: Given,
    },
    /// A wait: recorded the first time, settled when it is over. Answer: `Waiting` or `Outcome`.
    Wait {
        /// The claim.
        lease: Lease,
        /// The call.
        call: Arc<StepCall>,
        /// What for.
        wait: WaitSpec,
    },
    /// Events without a change of state: outputs, retries, starts of idempotent steps.
    Emit {
        /// The claim.
        lease: Lease,
        /// The events.
        events: Vec<NewEvent>,
    },
    /// Marks a step as in doubt; the run waits for an operator.
    InDoubt {
        /// The claim.
        lease: Lease,
        /// The step.
        path: StepPath,
    },
    /// All branches wait. The lease ends; the run is due at its earliest timer, or at once if a wait is over by now.
    Suspend {
        /// The claim.
        lease: Lease,
    },
    /// The script returned. Locks are released, the lease ends, a waiting parent becomes due.
    Succeed {
        /// The claim.
        lease: Lease,
        /// What it returned, JSON text.
        output: String,
    },
    /// The script failed, or its time is up. With `undo` the run is rolling back under the same lease; else it ends.
    Fail {
        /// The claim.
        lease: Lease,
        /// Why.
        problem: Problem,
        /// Whether its steps are undone.
        undo: bool,
    },
    /// The journal is full: the run ends as succeeded, and its inventory, undo list, locks and signals go to the new run.
    /// Refused when an undo entry is a closure. Answer: `Launched`.
    ContinueAsNew {
        /// The claim.
        lease: Lease,
        /// The run that goes on.
        run: Box<NewRun>,
    },
    /// A cancelled run begins to be undone. Waits of all kinds are dropped.
    BeginRollback {
        /// The claim.
        lease: Lease,
    },
    /// An undo entry is about to be worked off.
    UndoBegin {
        /// The claim.
        lease: Lease,
        /// The entry.
        seq: i64,
    },
    /// An undo entry was worked off, or failed for good.
    UndoFinish {
        /// The claim.
        lease: Lease,
        /// The entry.
        seq: i64,
        /// Why it failed, if it did.
        problem: Option<Problem>,
    },
    /// Everything is undone: the run ends as `rolled_back` or `cancelled`.
    FinishRollback {
        /// The claim.
        lease: Lease,
    },
    /// An undo failed for good: the run is stuck, its lease ends.
    StickRollback {
        /// The claim.
        lease: Lease,
        /// Why.
        problem: Problem,
    },
    /// Asks for a run's end.
    Cancel {
        /// The run.
        run: RunId,
        /// Who asks.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// Delivers a signal; it is kept until a wait takes it.
    Signal {
        /// The run.
        run: RunId,
        /// Its name.
        name: String,
        /// Its payload.
        payload: Value,
        /// Who sends it.
        by: String,
        /// A second delivery with the same id is dropped.
        id: Option<String>,
    },
    /// A person's decision on an approval. Refused if the digest isn't that of what is asked, if the approval is settled, if
    /// the person decided already, or if they launched the run and it isn't allowed.
    Decide {
        /// The run.
        run: RunId,
        /// The approval's step.
        path: StepPath,
        /// The decision.
        decision: Decision,
    },
    /// An operator's word on a step in doubt; the run becomes due.
    Resolve {
        /// The run.
        run: RunId,
        /// The step.
        path: StepPath,
        /// The word.
        resolution: Resolution,
        /// Whose.
        by: String,
    },
    /// An operator stops an undo that comes to no end: the run is stuck at the entry that is worked off.
    Stick {
        /// The run.
        run: RunId,
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// An operator's word on a stuck undo; the run becomes due, and is rolling back.
    Unstick {
        /// The run.
        run: RunId,
        /// About the entry that failed.
        action: StuckAction,
        /// Whose.
        by: String,
    },
    /// An operator lets a parked run go on: its recoveries count from 0, it is due.
    Unpark {
        /// The run.
        run: RunId,
        /// Who.
        by: String,
    },
    /// Restarts a failed run.
    Restart {
        /// The run.
        run: RunId,
        /// The bundle it goes on with.
        bundle: BundleDigest,
        /// Records that the failure left and that are performed again.
        drop: Vec<StepPath>,
        /// Locks that it gave back and that no step waits for again: it has them at once.
        retake: Vec<LockName>,
        /// An earlier step than the failed one, from which on all are among them.
        from: Option<StepPath>,
        /// The run's next event when that was decided: a run that has gone on since may have done what would be done again.
        judged: i64,
        /// Who.
        by: String,
    },
    /// An open run that nobody has claimed goes on with another bundle.
    Upgrade {
        /// The run.
        run: RunId,
        /// The bundle it goes on with.
        bundle: BundleDigest,
        /// The run's next event when its journal was judged: a run that has gone on since is judged anew.
        judged: i64,
        /// Who.
        by: String,
    },
    /// Keeps a secret's ciphertext.
    PutSecret {
        /// Its name.
        name: String,
        /// Nonce and ciphertext.
        sealed: Vec<u8>,
        /// Where it may go, JSON text.
        policy: String,
    },
    /// Removes a secret. Answer: `Count`.
    DeleteSecret {
        /// Its name.
        name: String,
    },
    /// Makes, replaces and removes documents, all or none. Answer: `Versions`, one for each change (0: removed).
    Change(Vec<Change>),
    /// Several commands in one transaction: all or none. Answer: the first one's.
    Together(Vec<Command>),
    /// Another command together with changes of documents: both or neither. Where the body of one says `"run": null`, the
    /// run stands that the command launched. Answer: the command's.
    With {
        /// The command.
        command: Box<Command>,
        /// The changes.
        changes: Vec<Change>,
    },
    /// Another command together with its entry in the audit log, in one transaction. A refused command leaves no entry.
    Audited {
        /// The command.
        command: Box<Command>,
        /// The entry.
        entry: Box<NewAudit>,
    },
    /// What becomes of vouchers, and of the ledger. Answer: `Voucher`.
    Voucher(Box<VoucherCommand>),
    /// An entry in the audit log by itself.
    Audit(Box<NewAudit>),
    /// An event that belongs to no run. It appears in the feed of all events only. Its run is `system`.
    Announce {
        /// What happened.
        kind: EventKind,
        /// The rest.
        data: Value,
    },
    /// Another command together with an event that belongs to no run, in one transaction.
    Announced {
        /// The command.
        command: Box<Command>,
        /// What happened.
        kind: EventKind,
        /// The rest.
        data: Value,
    },
    /// Removes up to `limit` ended runs whose retention is over, all but live resources; and expired documents. Answer: `Count` of
    /// runs, or `Partly` after a further slice of a large one.
    Prune {
        /// Retention of runs that name none.
        default_retention_ms: i64,
        /// How many at most.
        limit: u32,
    },
    /// Removes up to `limit` artifacts of ended runs: first those whose runs ended before this, then the oldest while there are
    /// more bytes than these. Answer: `Count`.
    PruneArtifacts {
        /// Runs that ended by then.
        ended_before_ms: Option<i64>,
        /// Bytes of all artifacts of ended runs, at most.
        most_bytes: Option<i64>,
        /// How many at most.
        limit: u32,
    },
    /// Removes up to `limit` documents that have expired. Answer: `Count`.
    PruneDocuments {
        /// How many at most.
        limit: u32,
    },
}
