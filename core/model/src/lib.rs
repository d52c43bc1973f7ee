//! The words everything else is written in: ids, states, commands, events, errors. No I/O, no async, no database.

pub mod audit;
pub mod bounds;
pub mod bundle;
pub mod command;
pub mod document;
pub mod error;
pub mod event;
pub mod facts;
pub mod id;
pub mod journal;
pub mod ledger;
pub mod lock;
pub mod node;
pub mod query;
pub mod resource;
pub mod restored;
pub mod state;
pub mod step;
pub mod time;
pub mod undo;
pub mod voucher;
pub mod wait;
pub mod workflow;

pub use bounds::Bounds;
pub use bundle::Bundle;
pub use error::{Code, Problem};
pub use event::{Event, EventKind};
pub use facts::Facts;
pub use id::{BundleDigest, NodeId, RunId, StepPath};
pub use journal::Journal;
pub use resource::{ResourceChange, ResourceRef, ResourceState};
pub use restored::Restored;
pub use state::{RunCommand, RunState, WaitReason};
pub use step::{CallSite, Digest, EffectClass, Outcome, RetryPolicy, StepCall, StepState};
pub use wait::WaitSpec;
pub use workflow::Workflow;
