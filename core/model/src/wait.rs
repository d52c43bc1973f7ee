//! Durable waits: what a run can wait for as rows, without a thread.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{LockName, RunId, state::WaitReason};

/// What a step waits for. The step's outcome once the wait is over is given with each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "wait")]
pub enum WaitSpec {
    /// A point in time. Outcome: `null`.
    Timer {
        /// When it is due.
        due_at_ms: i64,
    },
    /// A signal by name. Outcome: the signal's payload; on expiry the error `wait_timeout`.
    Signal {
        /// The signal's name.
        name: String,
        /// When the wait gives up.
        expires_at_ms: Option<i64>,
    },
    /// A person's decision. Outcome: `{approved, by, comment, form}`; on expiry as `on_expiry` says.
    Approval(Box<ApprovalRequest>),
    /// A lock by name, over all runs of an organisation. Outcome: `null`; on expiry the error `wait_timeout`.
    Lock {
        /// The lock.
        #[serde(flatten)]
        lock: LockName,
        /// When the wait gives up.
        expires_at_ms: Option<i64>,
        /// Whether it is taken from a run whose undo is stuck, which may wait for an operator for ever.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        from_stuck: bool,
        /// Whether it is for a closure, after which it is given back. Outcome then: `"with_lock"`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        scoped: bool,
        /// Whether another branch of this run is inside: that the run has the lock doesn't end the wait.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        beside: bool,
    },
    /// The end of a child run. Outcome: the child's output, or the error `child_failed`.
    Child {
        /// The child.
        run: RunId,
    },
}

impl WaitSpec {
    /// What the run's state says it waits for.
    pub fn reason(&self) -> WaitReason {
        match self {
            Self::Timer { .. } => WaitReason::Timer,
            Self::Signal { .. } => WaitReason::Signal,
            Self::Approval(_) => WaitReason::Approval,
            Self::Lock { .. } => WaitReason::Lock,
            Self::Child { .. } => WaitReason::Child,
        }
    }

    /// When the wait is over at the latest.
    pub fn due_at_ms(&self) -> Option<i64> {
        match self {
            Self::Timer { due_at_ms } => Some(*due_at_ms),
            Self::Signal { expires_at_ms, .. } | Self::Lock { expires_at_ms, .. } => *expires_at_ms,
            Self::Approval(request) => request.expires_at_ms,
            Self::Child { .. } => None,
        }
    }
}

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// The question, in one line.
    pub title: String,
    /// What is shown to decide on.
    pub details: Value,
    /// JSON Schema of a form that is filled in with the decision.
    pub form: Option<Value>,
    /// Who may decide: a role's name.
    pub role: Option<String>,
    /// Different people who have to approve.
    pub quorum: u32,
    /// When it expires.
    pub expires_at_ms: Option<i64>,
    /// What expiry means.
    pub on_expiry: OnExpiry,
    /// Whether whoever launched the run may decide.
    pub allow_self: bool,
    /// And that only where nobody else may: the API looks who there is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_alone: bool,
    /// Digest of what is shown (title, details, form): a decision names it, and is void for another.
    pub digest: String,
}

/// What the expiry of an approval means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExpiry {
    /// The step fails with `approval_expired`.
    #[default]
    Fail,
    /// As if denied.
    Deny,
    /// As if approved.
    Approve,
}

/// One person's decision on an approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Who decides.
    pub by: String,
    /// Approved, or denied.
    pub approved: bool,
    /// Why.
    pub comment: Option<String>,
    /// What was filled in.
    pub form: Value,
    /// Digest of what was shown.
    pub digest: String,
}

/// An operator's word on a step that is in doubt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "resolution")]
pub enum Resolution {
    /// It happened, with this result.
    Happened {
        /// The step's result.
        result: Value,
    },
    /// It didn't happen: perform it.
    Perform,
    /// Fail the step.
    Fail,
}
