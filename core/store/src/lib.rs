//! The store: every command and every question of the model, over SQLite and PostgreSQL. The only crate that knows
//! Diesel. A command commits together with its events; many commands share one transaction and one sync.

mod apply;
mod approvals;
mod artifacts;
mod audit;
mod bundles;
mod connection;
mod dialect;
mod documents;
mod dump;
mod error;
mod events;
pub mod failpoint;
mod feed;
mod finished;
mod hot;
mod journal_log;
mod kv;
mod leases;
mod lists;
mod locks;
mod log;
mod migrate;
mod nodes;
mod options;
mod queue;
mod rates;
mod reads;
mod recent;
mod resources;
mod runs;
mod schema;
mod secrets;
mod signals;
mod steps;
mod store;
mod terms;
mod timers;
mod turns;
mod undo;
mod walk;
mod writer;

pub use error::StoreError;
pub use options::{Committed, Durability, StoreOptions};
pub use reads::Journal;
pub use store::Store;
