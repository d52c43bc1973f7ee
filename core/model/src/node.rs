//! What nodes that share a database tell one another and hold to: that they are there, and how often runs may begin.

use crate::{NodeId, command::Lease};

/// How often runs of a key may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What they share.
    pub key: String,
    /// How many may begin within the time.
    pub limit: u32,
    /// The time.
    pub per_ms: i64,
    /// Whether a launch beyond it is refused instead of beginning later.
    pub reject: bool,
}

/// What a node tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Which node.
    pub node: NodeId,
    /// When it began: a node that begins anew isn't drained any more.
    pub started_at_ms: i64,
    /// Its program's version.
    pub version: String,
    /// Runs that it evaluates at once, at most.
    pub workers: u32,
    /// Runs that it evaluates now. Only their leases are extended: of a claim whose commit was lost on the way back the
    /// node knows nothing.
    pub runs: Vec<Lease>,
}
