//! Exit codes: what a script that calls `windlass` can rely on.

use std::process::ExitCode;

use windlass_model::{Code, Problem, RunState, query::RunRecord};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It succeeded.
    Success,
    /// It failed (and what it did is undone, or stands, as the message says).
    Failure,
    /// The command line or the input makes no sense.
    Usage,
    /// The run waits for a person or a timer, and nobody waits with it.
    Waits,
    /// An undo is stuck.
    Stuck,
    /// A permission is missing.
    Denied,
    /// The user let go of the run with Ctrl-C; the run stays open.
    Interrupted,
    /// As `Interrupted`, by SIGTERM.
    Terminated,
    /// What ran in a console ended with this code.
    Program(u8),
}

impl Exit {
    /// The number that the shell sees.
    pub const fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Waits => 3,
            Self::Stuck => 4,
            Self::Denied => 5,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::Program(code) => code,
        }
    }

    /// What an error means for the exit code.
    pub fn of_problem(problem: &Problem) -> Self {
        match problem.code {
            Code::InvalidInput
            | Code::Usage
            | Code::WorkflowNotFound
            | Code::WorkflowInvalid
            | Code::RunNotFound
            | Code::IdempotencyConflict
            | Code::Configuration => Self::Usage,
            Code::PermissionDenied => Self::Denied,
            _ => Self::Failure,
        }
    }

    /// What a run's state means for the exit code of whoever followed it.
    pub fn of_run(run: &RunRecord) -> Self {
        match run.state {
            RunState::Succeeded => Self::Success,
            RunState::RollbackStuck => Self::Stuck,
            RunState::Failed | RunState::RolledBack
                if run.problem.as_ref().is_some_and(|problem| problem.code == Code::PermissionDenied) =>
            {
                Self::Denied
            }
            state if state.is_ended() => Self::Failure,
            _ => Self::Waits,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
