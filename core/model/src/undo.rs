//! The undo list: how each completed step is taken back, written before the step's effect.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{CallSite, RunId, StepPath, error::Problem, state::text_enum};

/// How a step is taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "undo")]
pub enum UndoSpec {
    /// By another op, whose arguments follow from the forward call's own.
    Op {
        /// The op: `net::delete_namespace`.
        op: Arc<str>,
        /// Canonical JSON of its arguments, an array.
        args: Arc<str>,
    },
    /// By the script's own closure, found again by replaying the script.
    Closure {
        /// What it does, in the script's words.
        label: String,
    },
}

text_enum!(
    /// The state of an entry of the undo list.
    UndoState {
        /// To be worked off if the run fails.
        Registered = "registered",
        /// The forward effect certainly didn't happen.
        Void = "void",
        /// Worked off.
        Done = "done",
        /// Tried, and failed.
        Failed = "failed",
        /// An operator decided to leave it.
        Skipped = "skipped",
    }
);

/// An entry of the undo list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UndoRecord {
    /// Order of registration in the run, from 1. Undone from the highest down.
    pub seq: i64,
    /// The run whose step it takes back: this one, or one that it continues.
    pub origin: RunId,
    /// The step that it takes back.
    pub path: StepPath,
    /// How.
    pub spec: UndoSpec,
    /// Where the forward call stands.
    pub site: CallSite,
    /// Its state.
    pub state: UndoState,
    /// Why the last attempt failed.
    pub error: Option<Problem>,
}

/// What an operator does about a stuck entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StuckAction {
    /// Try it again.
    Retry,
    /// Leave what it would have removed; it stays in the inventory as `live`.
    Skip,
    /// Leave it, and mark what it would have removed as `adopted`: somebody else's now.
    Adopt,
}
