//! What an engine is told when it starts.

use std::sync::Arc;

use windlass_model::{Bounds, NodeId, journal::Runner, journal::Workflows, time::Clock};
use windlass_store::Durability;

use crate::{KnownSecret, SystemClock, VirtualClock};

/// Where the time comes from.
#[derive(Clone)]
pub enum Time {
    /// The system's clock.
    Real(Arc<SystemClock>),
    /// Jumps to the next timer whenever nothing else can happen.
    Virtual(Arc<VirtualClock>),
}

impl Time {
    /// The system's clock.
    pub fn real() -> Self {
        Self::Real(Arc::default())
    }

    /// A virtual clock.
    pub fn virtual_time() -> Self {
        Self::Virtual(Arc::default())
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Self::Real(clock) => clock.clone(),
            Self::Virtual(clock) => clock.clone(),
        }
    }
}

/// What an engine is told when it starts.
pub struct EngineConfig {
    /// `sqlite:/path/to/file` or `postgres://…`.
    pub url: String,
    /// Whether commits are synced to disk.
    pub durability: Durability,
    /// This process.
    pub node: NodeId,
    /// Evaluates scripts.
    pub runner: Arc<dyn Runner>,
    /// Where workflows come from.
    pub workflows: Arc<dyn Workflows>,
    /// Which secrets are kept; none: whatever can be a name passes for one.
    pub known_secret: Option<KnownSecret>,
    /// Where the time comes from.
    pub time: Time,
    /// The limits.
    pub bounds: Bounds,
    /// Runs that are evaluated at once; 0: none, this process only launches and watches.
    pub workers: usize,
    /// Stack of a script thread.
    pub stack_bytes: usize,
    /// No other process executes runs on this database: leases need no renewal, and those of a process that died are
    /// void at once.
    pub exclusive: bool,
    /// How long a lease holds without renewal, when others may execute runs too.
    pub lease_ms: i64,
    /// How often to look for what other processes have written.
    pub poll_ms: u64,
    /// Retention of runs whose workflow names none.
    pub default_retention_ms: i64,
}

impl EngineConfig {
    /// The usual settings for one process on one database.
    pub fn new(url: impl Into<String>, runner: Arc<dyn Runner>, workflows: Arc<dyn Workflows>) -> Self {
        Self {
            url: url.into(),
            durability: Durability::Full,
            node: NodeId::from(format!("node-{}", std::process::id())),
            runner,
            workflows,
            known_secret: None,
            time: Time::real(),
            bounds: Bounds::default(),
            workers: 256,
            stack_bytes: 8 << 20,
            exclusive: true,
            lease_ms: 30_000,
            poll_ms: 200,
            default_retention_ms: 90 * 86_400_000,
        }
    }
}
