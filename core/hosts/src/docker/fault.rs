//! What a container engine answers when it refuses, and how people are told.

use serde_json::json;
use windlass_model::{Code, Problem};

const START: &str = "start Docker (`systemctl start docker`), or say where its socket is with `socket` under [hosts.docker]; \
                     `windlass doctor` looks at it";

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of refusal.
    pub kind: Kind,
    /// The engine's own words.
    pub message: String,
}

/// Kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It isn't there.
    Missing,
    /// Something is in its way, or it isn't in a state for this.
    Conflict,
    /// The request makes no sense to the engine.
    Invalid,
    /// The engine can't be reached, or went away.
    Away,
    /// There is no engine here: it never answered this process, and its socket isn't there. Waiting helps nobody.
    Absent,
    /// The engine's disk is full.
    Full,
    /// The engine, or a part of it, is too old or can't do this.
    Unsupported,
    /// A bound of ours was reached.
    TooLarge,
    /// Anything else that the engine couldn't do.
    Failed,
}

impl Fault {
    /// A refusal.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        let full = message.contains("no space left on device") || message.contains("disk quota exceeded");
        Self { kind: if full { Kind::Full } else { kind }, message }
    }

    /// Whether it isn't there.
    pub fn missing(&self) -> bool {
        self.kind == Kind::Missing
    }

    /// For people: `what` says what was tried.
    pub fn problem(&self, what: impl std::fmt::Display) -> Problem {
        let said = self.message.trim().trim_end_matches('.');
        let problem = |code: Code| Problem::new(code, format!("{what}: {said}"));
        match self.kind {
            Kind::Missing => problem(Code::NotFound),
            Kind::Conflict => problem(Code::Conflict),
            Kind::Invalid => problem(Code::InvalidArgument),
            Kind::Unsupported => problem(Code::Unsupported),
            Kind::TooLarge => problem(Code::LimitExceeded),
            Kind::Failed => problem(Code::System),
            Kind::Full => problem(Code::Unavailable)
                .help("Docker's disk is full: make room there (`docker system df` says what takes it), then try again"),
            Kind::Away => problem(Code::Unavailable).help(START).retryable(),
            Kind::Absent => problem(Code::Unavailable).help(START).data(json!({ "absent": true })).no_effect(),
        }
    }
}
