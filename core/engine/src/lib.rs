//! Durable execution: launch, claim, journal (replay or perform), waits, undo, recovery, and the event feed.

mod clock;
mod config;
mod control;
mod diff;
mod documents;
mod engine;
mod failed;
mod feed;
mod input;
mod journal;
mod launch;
mod lease_clock;
mod operate;
mod pool;
mod read;
mod recorded;
mod repeated;
mod replaying;
mod restart;
mod scheduler;
mod secret_fields;
pub mod stats;
mod vouchers;
mod worker;

pub use clock::{SystemClock, VirtualClock};
pub use config::{EngineConfig, Time};
pub use diff::{RunDiff, StepDifference};
pub use engine::Engine;
pub use feed::Watcher;
pub use input::prepare_input;
pub use launch::{Launch, Launched, Launching};
pub use restart::{Again, Restarted, Terms, Verdict};
pub use secret_fields::{KnownSecret, names as secret_fields};
pub use windlass_store::{Copied, DROP_SQL, Durability, Finding, Store, StoreError, Verified, failpoint, restored_sql};

/// Brings the database at `url` to this program's schema; the answer names the migrations that were applied.
pub fn migrate(url: &str) -> Result<Vec<String>, windlass_model::Problem> {
    windlass_store::Store::migrate(url).map_err(Into::into)
}

/// Migrations that the database at `url` lacks.
pub fn pending_migrations(url: &str) -> Result<Vec<String>, windlass_model::Problem> {
    windlass_store::Store::pending_migrations(url).map_err(Into::into)
}

/// Migrations of the database at `url` that a newer program has run.
pub fn unknown_migrations(url: &str) -> Result<Vec<String>, windlass_model::Problem> {
    windlass_store::Store::unknown_migrations(url).map_err(Into::into)
}
