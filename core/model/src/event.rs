//! Events: what watchers see. Each commits with the change that it tells of.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{RunId, state::text_enum};

text_enum!(
    /// What happened.
    EventKind {
        /// The run was launched. Data: workflow, input, bundle, launched_by.
        RunLaunched = "run.launched",
        /// A worker took it. Data: node, epoch, recovery.
        RunStarted = "run.started",
        /// It became rows. Data: waiting_on, due_at_ms.
        RunWaiting = "run.waiting",
        /// The script returned. Data: output.
        RunSucceeded = "run.succeeded",
        /// The script failed. Data: error, undo.
        RunFailed = "run.failed",
        /// Its end was asked for. Data: by, reason.
        RunCancelling = "run.cancelling",
        /// It begins to be undone. Data: entries.
        RunRollingBack = "run.rolling_back",
        /// Everything is undone after a failure.
        RunRolledBack = "run.rolled_back",
        /// Everything is undone after a cancellation.
        RunCancelled = "run.cancelled",
        /// An undo failed for good. Data: entry, error, left_over.
        RunRollbackStuck = "run.rollback_stuck",
        /// An operator restarts it. Data: bundle, dropped.
        RunRestarted = "run.restarted",
        /// It goes on with another bundle. Data: from, to.
        RunUpgraded = "run.upgraded",
        /// It took its process down too often and is held. Data: recoveries.
        RunParked = "run.parked",
        /// A step begins. Data: op, class, site, args.
        StepStarted = "step.started",
        /// A step's attempt failed and is tried again. Data: op, attempt, delay_ms, error.
        StepRetrying = "step.retrying",
        /// A step has a result. Data: op, result (shortened), elapsed_ms, site; for reads also args.
        StepSucceeded = "step.succeeded",
        /// A step failed, and the script saw it. Data: op, error, elapsed_ms, site; for reads also args.
        StepFailed = "step.failed",
        /// A step waits. Data: op, wait, site.
        StepWaiting = "step.waiting",
        /// Nobody knows whether a step happened. Data: op, args, site.
        StepInDoubt = "step.in_doubt",
        /// An operator resolved it. Data: by, resolution.
        StepResolved = "step.resolved",
        /// An undo begins. Data: op or label.
        UndoStarted = "undo.started",
        /// An undo is done. Data: op or label, elapsed_ms.
        UndoDone = "undo.done",
        /// An undo failed. Data: op or label, error.
        UndoFailed = "undo.failed",
        /// An operator skipped an undo, or adopted what it would have removed. Data: by, action.
        UndoSkipped = "undo.skipped",
        /// A signal arrived. Data: name, payload, by.
        SignalReceived = "signal.received",
        /// A person decided. Data: decision.
        ApprovalDecided = "approval.decided",
        /// A version of a workflow is in use from now on. Data: workflow, version, digest, by. Of no run.
        WorkflowActivated = "workflow.activated",
        /// A changed file has mistakes, or waits for an admin; the version before it stays in use. Data: workflow, digest, error.
        /// Of no run.
        WorkflowRejected = "workflow.rejected",
        /// A workflow's file is gone. Data: workflow. Of no run.
        WorkflowRemoved = "workflow.removed",
        /// A version of a plugin is in use from now on. Data: plugin, version, digest, by. Of no run.
        PluginActivated = "plugin.activated",
        /// A changed plugin has mistakes, or waits for an admin; the version before it stays in use. Data: plugin, digest, error.
        /// Of no run.
        PluginRejected = "plugin.rejected",
        /// A plugin's folder is gone. Data: plugin. Of no run.
        PluginRemoved = "plugin.removed",
        /// Somebody else made a link in a lab, or made one a port of it. Data: lab, organisation, at, link. Of no run.
        LabLinkDiscovered = "lab.discovered_link",
        /// Somebody else removed a link of a lab. Data: lab, organisation, at, link. Of no run.
        LabLinkMissing = "lab.missing_link",
        /// Somebody else changed a link of a lab. Data: lab, organisation, at, link, changes. Of no run.
        LabLinkChanged = "lab.changed_link",
        /// An organisation was made. Data: name, kind, title, and as `organisation` its parent, whose members hear it. Of no run.
        OrganisationCreated = "organisation.created",
        /// An organisation was suspended, and with it those under it. Data: name, kind, title, reason, organisation. Of no run.
        OrganisationSuspended = "organisation.suspended",
        /// An organisation may act again. Data: name, kind, title, organisation. Of no run.
        OrganisationResumed = "organisation.resumed",
        /// An organisation was removed. Data: name, kind, title, organisation. Of no run.
        OrganisationRemoved = "organisation.removed",
        /// A voucher was redeemed. Data: voucher, customer, product, amount, currency, and as `organisation` its issuer. Of no run.
        VoucherRedeemed = "voucher.redeemed",
        /// The script logged a line. Data: level, message, fields, site.
        Log = "output.log",
        /// The script reports progress. Data: percent, message.
        Progress = "output.progress",
        /// The script attaches facts to the run. Data: key, value.
        Annotation = "output.annotation",
    }
);

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventKinds(u64);

// Each kind has a bit.
const _: () = assert!(EventKind::ALL.len() <= u64::BITS as usize);

impl EventKinds {
    /// All of them.
    pub const ALL: Self = Self(u64::MAX);

    /// Adds one.
    pub fn insert(&mut self, kind: EventKind) {
        self.0 |= 1 << kind as u32;
    }

    /// Adds all of the others.
    pub fn extend(&mut self, others: Self) {
        self.0 |= others.0;
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one stands in both.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl FromIterator<EventKind> for EventKinds {
    fn from_iter<I: IntoIterator<Item = EventKind>>(kinds: I) -> Self {
        let mut set = Self::default();
        kinds.into_iter().for_each(|kind| set.insert(kind));
        set
    }
}

impl EventKind {
    /// Emitted by the script itself, at most once, counted by lane.
    pub const fn is_output(self) -> bool {
        matches!(self, Self::Log | Self::Progress | Self::Annotation)
    }
}

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The run.
    pub run: RunId,
    /// Its number in the run, from 1, without a gap.
    pub seq: i64,
    /// When it was committed.
    pub at_ms: i64,
    /// What happened.
    pub kind: EventKind,
    /// The step, or for outputs the lane and the output's ordinal in it: `7/b1/#3`.
    pub path: Option<String>,
    /// The rest, by kind.
    pub data: Value,
}

/// An event before it has a number.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// The step, or the output's place.
    pub path: Option<String>,
    /// The rest, as JSON text.
    pub data: String,
}

impl NewEvent {
    /// An event about the run as a whole.
    pub fn run(kind: EventKind, data: Value) -> Self {
        Self { kind, path: None, data: data.to_string() }
    }

    /// An event about a step.
    pub fn step(kind: EventKind, path: impl ToString, data: Value) -> Self {
        Self { kind, path: Some(path.to_string()), data: data.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_meets_others_by_what_both_have() {
        let ends: EventKinds = [EventKind::RunSucceeded, EventKind::Annotation].into_iter().collect();
        for kind in EventKind::ALL {
            let alone: EventKinds = [*kind].into_iter().collect();
            assert_eq!(alone.meets(ends), matches!(kind, EventKind::RunSucceeded | EventKind::Annotation), "{kind}");
            assert!(alone.meets(EventKinds::ALL) && !alone.meets(EventKinds::default()));
        }
    }
}
