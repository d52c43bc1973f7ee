//! A run to be, and what else the engine gives a local effect.

use std::sync::Arc;

use super::Rate;
use crate::{
    BundleDigest, RunId, StepPath,
    workflow::{OnConflict, Priority, Rollback},
};

/// A run to be.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// Its id, chosen by whoever launches.
    pub id: RunId,
    /// `area/name`.
    pub workflow: String,
    /// Its sources.
    pub bundle: BundleDigest,
    /// Its input, JSON text.
    pub input: String,
    /// Who launches it.
    pub launched_by: String,
    /// A second launch with the same key and workflow returns the first one's run.
    pub idempotency_key: Option<String>,
    /// Whether a failure undoes.
    pub rollback: Rollback,
    /// When its time is up.
    pub deadline_at_ms: Option<i64>,
    /// How long it is kept after its end.
    pub retention_ms: Option<i64>,
    /// The run that it is a child of, and the step.
    pub parent: Option<(RunId, StepPath)>,
    /// The organisation that it belongs to.
    pub organisation: String,
    /// Evaluated concurrency key, with the limit and what happens beyond it.
    pub concurrency: Option<(String, u32, OnConflict)>,
    /// How often runs of the same key may begin.
    pub rate: Option<Rate>,
    /// What comes first when there are more runs than workers.
    pub priority: Priority,
    /// Tags.
    pub tags: Vec<String>,
    /// Fields of the input by which the run can't be found: those that hold secrets.
    pub unindexed: Vec<String>,
}

/// What a local effect gets from the engine, because a transaction must not draw it itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// Nothing.
    Nothing,
    /// The result, as JSON text.
    Value(Arc<str>),
    /// The child to be.
    Child(Box<NewRun>),
    /// How many there may be.
    Most(u64),
}
