//! What can be asked of the store, and what it answers. Reads only.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    BundleDigest, NodeId, Problem, ResourceRef, ResourceState, RunId, RunState, StepPath, StepState, WaitReason,
    wait::ApprovalRequest, wait::Decision, workflow::Rollback,
};

/// A run, as lists and pages show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// `area/name`.
    pub workflow: String,
    /// Its sources.
    pub bundle: BundleDigest,
    /// Its state.
    pub state: RunState,
    /// What it waits for, while it waits; several branches may wait for several things.
    pub waiting_on: Vec<WaitReason>,
    /// When it becomes due, if a time is set.
    pub due_at_ms: Option<i64>,
    /// Its input.
    pub input: Value,
    /// What it returned.
    pub output: Option<Value>,
    /// Why it failed.
    pub problem: Option<Problem>,
    /// Who launched it.
    pub launched_by: String,
    /// Its idempotency key.
    pub idempotency_key: Option<String>,
    /// Whether a failure undoes.
    pub rollback: Rollback,
    /// The organisation that it belongs to.
    pub organisation: String,
    /// The run that it is a child of, and the step.
    pub parent: Option<(RunId, StepPath)>,
    /// The run that it continues (`continue_as_new`).
    pub continues: Option<RunId>,
    /// Tags.
    pub tags: Vec<String>,
    /// Times that a worker was lost while it had the run.
    pub recoveries: u32,
    /// When it was launched.
    pub launched_at_ms: i64,
    /// When a worker first took it.
    pub started_at_ms: Option<i64>,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
    /// When its time is up.
    pub deadline_at_ms: Option<i64>,
}

/// A part of the house: an organisation, and a folder of workflows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// An organisation's name, or `*`.
    pub organisation: String,
    /// A folder of workflows (`lab`), one workflow (`lab/grid`), or `*`.
    pub folder: String,
}

impl Scope {
    /// Whether it covers a workflow of an organisation.
    pub fn covers(&self, organisation: &str, workflow: &str) -> bool {
        let folder =
            || workflow.strip_prefix(self.folder.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        (self.organisation == "*" || self.organisation == organisation) && (self.folder == "*" || folder())
    }
}

/// Which events of all. Empty fields don't filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeedFilter {
    /// Only those of runs that one of these scopes covers, and events of no run about workflows that one covers; `None`: all.
    pub scopes: Option<Vec<Scope>>,
    /// Of these kinds: `run.failed`, or a family: `run.*`.
    pub kinds: Vec<String>,
    /// Of this run.
    pub run: Option<RunId>,
    /// Of runs of this workflow, or of a folder: `lab/*`.
    pub workflow: Option<String>,
    /// Of runs of this organisation.
    pub organisation: Option<String>,
}

/// A page of the feed of all events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeedPage {
    /// The events that were asked for, in the order of their commits.
    pub events: Vec<FeedEvent>,
    /// Where to go on from, also when no event was found: those that were looked at are behind it.
    pub next: String,
    /// Whether there may be more right now.
    pub more: bool,
}

/// An event with its place in the feed of all events.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedEvent {
    /// Where to go on from: later events stand after it, however many nodes write.
    pub cursor: String,
    /// The run's organisation; `None` for events of no run.
    pub organisation: Option<String>,
    /// The run's workflow; `None` for events of no run.
    pub workflow: Option<String>,
    /// The event.
    pub event: crate::Event,
}

/// Which runs. Empty fields don't filter. Newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunFilter {
    /// In one of these states.
    pub states: Vec<RunState>,
    /// Waiting for one of these, perhaps among others.
    pub waiting_on: Vec<WaitReason>,
    /// Of this workflow.
    pub workflow: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// With this parent.
    pub parent: Option<RunId>,
    /// Only those that one of these scopes covers; `None`: all.
    pub scopes: Option<Vec<Scope>>,
    /// Of this organisation.
    pub organisation: Option<String>,
    /// Whose input has these values: a field's name (top level only) and its value as text.
    pub inputs: Vec<(String, String)>,
    /// In which all of these words occur: id, workflow, tags, who launched it, texts of the input, the error's message.
    pub text: Option<String>,
    /// Launched at or after this time.
    pub since_ms: Option<i64>,
    /// Launched before this time.
    pub until_ms: Option<i64>,
    /// Whose id begins so.
    pub id_prefix: Option<String>,
    /// Launched before this run (cursor).
    pub before: Option<RunId>,
    /// Entries of indices that a page looks through, at most (0: as many as it takes to fill it).
    pub look_through: u32,
    /// At most so many (0: 50).
    pub limit: u32,
}

/// A page of runs, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunsPage {
    /// The runs; fewer than asked for if enough was looked through.
    pub runs: Vec<RunRecord>,
    /// `before` of the next page; none: there are no more.
    pub next: Option<RunId>,
}

/// What retention would remove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionCounts {
    /// Runs, with all that is theirs.
    pub runs: i64,
    /// Runs whose time is over, but which others still need: an open parent, or something that stands and carries their name.
    pub runs_needed: i64,
    /// Artifacts that go before their runs.
    pub artifacts: i64,
    /// Their bytes.
    pub artifact_bytes: i64,
    /// Documents that have expired: sessions, deliveries, notes of what came once.
    pub documents: i64,
}

/// Which resources. Empty fields don't filter. In the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceFilter {
    /// Of this run.
    pub run: Option<RunId>,
    /// Leave out what is gone, or adopted by somebody else.
    pub open_only: bool,
    /// In one of these states.
    pub states: Vec<ResourceState>,
    /// Only those that one of these scopes covers; `None`: all. What a removed run has left belongs to its organisation,
    /// but to no folder.
    pub scopes: Option<Vec<Scope>>,
    /// Of this organisation.
    pub organisation: Option<String>,
    /// Of this provider.
    pub provider: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Whose id begins so.
    pub id_prefix: Option<String>,
    /// After this one (cursor): when it was made, its run, and what it is.
    pub after: Option<(i64, RunId, ResourceRef)>,
    /// At most so many (0: 50).
    pub limit: u32,
}

/// Which steps of a run. Empty fields don't filter. In order of paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepFilter {
    /// In one of these states.
    pub states: Vec<StepState>,
    /// Calls of this function.
    pub op: Option<String>,
    /// Calls of functions whose name begins so.
    pub op_prefix: Option<String>,
    /// After this one (cursor).
    pub after: Option<StepPath>,
    /// At most so many (0: 50).
    pub limit: u32,
}

/// Which approvals. Empty fields don't filter. Oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApprovalFilter {
    /// Leave out what is settled.
    pub open_only: bool,
    /// Only those of runs that one of these scopes covers; `None`: all.
    pub scopes: Option<Vec<Scope>>,
    /// Of runs of this organisation.
    pub organisation: Option<String>,
    /// After this one (cursor): when it was asked, its run and its step.
    pub after: Option<(i64, RunId, StepPath)>,
    /// At most so many (0: 50).
    pub limit: u32,
}

/// An approval, asked for and perhaps decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalRecord {
    /// The run.
    pub run: RunId,
    /// The step.
    pub path: StepPath,
    /// What is asked.
    pub request: ApprovalRequest,
    /// Decisions so far.
    pub decisions: Vec<Decision>,
    /// Whether it is settled.
    pub settled: bool,
    /// When it was asked.
    pub asked_at_ms: i64,
}

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockRecord {
    /// Its name.
    pub name: String,
    /// Who holds it.
    pub run: RunId,
    /// Since when.
    pub acquired_at_ms: i64,
}

/// A node, as it last told of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Its name.
    pub id: NodeId,
    /// Since when it is there.
    pub started_at_ms: i64,
    /// When it was last heard of.
    pub seen_at_ms: i64,
    /// Its program's version.
    pub version: String,
    /// Runs that it evaluates at once, at most.
    pub workers: u32,
    /// Runs that it evaluates: claims that it holds.
    pub running: u32,
    /// It claims nothing more.
    pub draining: bool,
}

/// A secret, without its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecretRecord {
    /// Its name.
    pub name: String,
    /// Where it may go.
    pub policy: Value,
    /// When it was first set.
    pub created_at_ms: i64,
    /// When its value last changed.
    pub updated_at_ms: i64,
}

/// An artifact, without its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArtifactRecord {
    /// Its run.
    pub run: RunId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub media_type: String,
    /// Its size.
    pub bytes: i64,
    /// blake3, hex.
    pub digest: String,
    /// When it was kept.
    pub created_at_ms: i64,
}

/// A signal that no wait has taken yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalRecord {
    /// Its run.
    pub run: RunId,
    /// The number of the event that tells of it: signals are taken in this order.
    pub seq: i64,
    /// Its name.
    pub name: String,
    /// Its payload.
    pub payload: Value,
    /// Who sent it.
    pub by: String,
    /// The sender's id for this delivery.
    pub id: Option<String>,
    /// When it arrived.
    pub received_at_ms: i64,
}

/// A waiting step whose wait ends at a point in time, at the latest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimerRecord {
    /// Its run.
    pub run: RunId,
    /// The step.
    pub path: StepPath,
    /// What the step waits for.
    pub reason: WaitReason,
    /// When it is over.
    pub due_at_ms: i64,
}
