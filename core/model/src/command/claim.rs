//! A worker's claim on a run, and the run as it takes it.

use std::sync::Arc;

use crate::{BundleDigest, Restored, RunId, RunState, workflow::Rollback};

/// A worker's claim on a run. Every journal write names it and is refused when the epoch has moved on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// Rises with every claim.
    pub epoch: i64,
}

/// A run that a worker has just taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The claim.
    pub lease: Lease,
    /// Its state after the claim.
    pub state: RunState,
    /// Its sources.
    pub bundle: BundleDigest,
    /// Its input, JSON text.
    pub input: Arc<str>,
    /// Whether a failure undoes.
    pub rollback: Rollback,
    /// When its time is up.
    pub deadline_at_ms: Option<i64>,
    /// Whether it came back from a backup.
    pub restored: Restored,
    /// Whether it ever wrote a step or an output: if not, there is no journal to load.
    pub fresh: bool,
}
