//! Steps: calls of effectful host functions, as the journal knows them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ResourceChange, StepPath, error::Problem, state::text_enum, undo::UndoSpec};

text_enum!(
    /// What a crash between an effect and its record means for an op. Every op declares one.
    EffectClass {
        /// Nothing changes: read again.
        Read = "read",
        /// Doing it twice is the same as doing it once: repeat.
        Idempotent = "idempotent",
        /// The object carries the key `run/step`: look it up, adopt what is there, else perform.
        Keyed = "keyed",
        /// Neither repeatable nor recognisable: an operator decides.
        AtMostOnce = "at_most_once",
        /// A durable wait: rows, no thread.
        Wait = "wait",
        /// A structure of the script (parallel, race, wait_until): its result is kept, its branches are steps.
        Scope = "scope",
    }
);

impl EffectClass {
    /// Whether the intent has to be on disk before the effect.
    pub const fn needs_intent(self) -> bool {
        matches!(self, Self::Keyed | Self::AtMostOnce)
    }
}

text_enum!(
    /// The state of a step.
    StepState {
        /// Intended, and perhaps performed.
        Started = "started",
        /// A durable wait that isn't over.
        Waiting = "waiting",
        /// Its outcome is a value.
        Succeeded = "succeeded",
        /// Its outcome is an error, which the script saw.
        Failed = "failed",
        /// Nobody knows whether it happened: an operator decides.
        InDoubt = "in_doubt",
    }
);

/// 16 bytes of blake3 over a function's name and its canonical arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 16]);

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::str::FromStr for Digest {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes()))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where in the sources a call stands. Lines and columns count from 1; 0 means unknown.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CallSite {
    /// Module name, as in the bundle: `lab/two-routers`.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl std::fmt::Display for CallSite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.rhai:{}:{}", self.file, self.line, self.column)
    }
}

/// What a step came to: JSON text of its result, or the error that the script sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The result, as JSON text.
    Value(Arc<str>),
    /// The error.
    Error(Arc<Problem>),
}

/// When a failed attempt is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// Wait before the second attempt.
    pub first_delay_ms: u64,
    /// Longest wait between two attempts. Waits double and are jittered by up to a quarter.
    pub max_delay_ms: u64,
}

impl RetryPolicy {
    /// One attempt.
    pub const NEVER: Self = Self { attempts: 1, first_delay_ms: 0, max_delay_ms: 0 };
    /// Five attempts over about fifteen seconds, for calls over a network.
    pub const NETWORK: Self = Self { attempts: 5, first_delay_ms: 500, max_delay_ms: 8_000 };

    /// The wait after `attempt` (from 1) failed, without jitter.
    pub fn delay_ms(&self, attempt: u32) -> u64 {
        let doubled = self.first_delay_ms.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        doubled.min(self.max_delay_ms)
    }
}

/// One call of an effectful host function, ready to be journaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepCall {
    /// Where it stands in the run.
    pub path: StepPath,
    /// The function: `net::create_namespace`, `sleep`.
    pub op: Arc<str>,
    /// What a crash means for it.
    pub class: EffectClass,
    /// Canonical JSON of the arguments, an array; a secret stands as `{"$secret":"name"}`.
    pub args: Arc<str>,
    /// Digest of `op` and `args`.
    pub digest: Digest,
    /// Where in the script.
    pub site: CallSite,
    /// How it is taken back; journaled before the effect.
    pub undo: Option<UndoSpec>,
    /// What it makes or removes.
    pub resources: Vec<ResourceChange>,
    /// When a failed attempt is tried again.
    pub retry: RetryPolicy,
}

impl StepCall {
    /// Whether the intent has to be on disk before the effect.
    pub fn needs_intent(&self) -> bool {
        self.class.needs_intent() || self.undo.is_some()
    }
}

/// A step as the journal holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Where it stands in the run.
    pub path: StepPath,
    /// The function.
    pub op: Arc<str>,
    /// What a crash means for it.
    pub class: EffectClass,
    /// Its state.
    pub state: StepState,
    /// Canonical JSON of the arguments.
    pub args: Arc<str>,
    /// Digest of `op` and `args`.
    pub digest: Digest,
    /// Where in the script.
    pub site: CallSite,
    /// Its outcome, once there is one.
    pub outcome: Option<Outcome>,
    /// Attempts so far.
    pub attempts: u32,
    /// When the first attempt began.
    pub started_at_ms: i64,
    /// When the outcome was recorded.
    pub finished_at_ms: Option<i64>,
}
