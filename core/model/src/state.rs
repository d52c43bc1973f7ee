//! A run's life: its states and the one table of what may follow what. The diagram in docs/ is generated from it.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value as it stands in the database and in JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The value written as `text`, if there is one.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use text_enum;

text_enum!(
    /// The state of a run.
    RunState {
        /// Launched, and not yet taken by a worker.
        Queued = "queued",
        /// A worker evaluates the script.
        Running = "running",
        /// Rows only: no thread, no memory. `WaitReason` says for what.
        Waiting = "waiting",
        /// Somebody asked for the run's end; what it did is about to be undone.
        Cancelling = "cancelling",
        /// The undo list is worked off, last entry first.
        RollingBack = "rolling_back",
        /// An undo failed: an operator retries, skips or adopts what is left.
        RollbackStuck = "rollback_stuck",
        /// The script returned.
        Succeeded = "succeeded",
        /// The script failed, and nothing was undone (`rollback: "none"`).
        Failed = "failed",
        /// The script failed, and what it did is undone.
        RolledBack = "rolled_back",
        /// Cancelled, and what it did is undone.
        Cancelled = "cancelled",
    }
);

text_enum!(
    /// What a waiting run waits for.
    WaitReason {
        /// A point in time.
        Timer = "timer",
        /// A signal with a given name.
        Signal = "signal",
        /// A person's decision.
        Approval = "approval",
        /// A lock that another run holds.
        Lock = "lock",
        /// The end of a child run.
        Child = "child",
        /// An operator's word on a step that may or may not have happened.
        InDoubt = "in_doubt",
        /// An operator: the run took its process down too often.
        Parked = "parked",
    }
);

impl RunState {
    /// The run is over. Only a failed one can be restarted, or cancelled to undo what it left.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::RolledBack | Self::Cancelled)
    }

    /// A worker may hold this run's lease.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Cancelling | Self::RollingBack)
    }
}

/// What can happen to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum RunCommand {
    /// A worker takes the run's lease.
    Claim,
    /// Every branch waits: the run becomes rows.
    Suspend,
    /// The script returned.
    Succeed,
    /// The script failed; `undo` says whether its steps are undone.
    Fail {
        /// Whether the undo list is worked off.
        undo: bool,
    },
    /// Somebody asks for the run's end.
    Cancel,
    /// The worker begins to undo a cancelled run.
    BeginRollback,
    /// The undo list is empty; `cancelled` says how the run came to be undone.
    FinishRollback {
        /// Undone because it was cancelled, not because it failed.
        cancelled: bool,
    },
    /// An undo failed and its retries are used up.
    StickRollback,
    /// An operator has the stuck undo tried again.
    RetryRollback,
    /// An operator restarts a failed run from its failed step.
    Restart,
}

/// A command that makes no sense in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {state} can't {}", verb(*command))]
pub struct IllegalTransition {
    /// The state the run is in.
    pub state: RunState,
    /// What was asked of it.
    pub command: RunCommand,
}

fn verb(command: RunCommand) -> &'static str {
    match command {
        RunCommand::Claim => "be claimed",
        RunCommand::Suspend => "wait",
        RunCommand::Succeed => "succeed",
        RunCommand::Fail { .. } => "fail",
        RunCommand::Cancel => "be cancelled",
        RunCommand::BeginRollback => "begin to be undone",
        RunCommand::FinishRollback { .. } => "be done with its undo",
        RunCommand::StickRollback => "be stuck in its undo",
        RunCommand::RetryRollback => "have its undo retried",
        RunCommand::Restart => "be restarted",
    }
}

impl RunState {
    /// The state that follows when `command` happens to a run in this state.
    pub fn apply(self, command: RunCommand) -> Result<Self, IllegalTransition> {
        use RunCommand as C;
        use RunState as S;
        Ok(match (self, command) {
            (S::Queued | S::Waiting | S::Running, C::Claim) => S::Running,
            (S::Cancelling, C::Claim) => S::Cancelling,
            (S::RollingBack, C::Claim) => S::RollingBack,
            (S::Running, C::Suspend) => S::Waiting,
            (S::Running, C::Succeed) => S::Succeeded,
            (S::Running, C::Fail { undo: true }) => S::RollingBack,
            (S::Running, C::Fail { undo: false }) => S::Failed,
            // A failed run that undid nothing can still be cancelled: that undoes what it left.
            (S::Queued | S::Running | S::Waiting | S::Failed, C::Cancel) => S::Cancelling,
            (S::Cancelling, C::BeginRollback) => S::RollingBack,
            (S::RollingBack, C::FinishRollback { cancelled: false }) => S::RolledBack,
            (S::RollingBack, C::FinishRollback { cancelled: true }) => S::Cancelled,
            (S::RollingBack, C::StickRollback) => S::RollbackStuck,
            (S::RollbackStuck, C::RetryRollback) => S::RollingBack,
            (S::Failed, C::Restart) => S::Queued,
            (state, command) => return Err(IllegalTransition { state, command }),
        })
    }
}

/// Every command, for tables and diagrams.
pub const ALL_COMMANDS: &[RunCommand] = &[
    RunCommand::Claim,
    RunCommand::Suspend,
    RunCommand::Succeed,
    RunCommand::Fail { undo: true },
    RunCommand::Fail { undo: false },
    RunCommand::Cancel,
    RunCommand::BeginRollback,
    RunCommand::FinishRollback { cancelled: false },
    RunCommand::FinishRollback { cancelled: true },
    RunCommand::StickRollback,
    RunCommand::RetryRollback,
    RunCommand::Restart,
];

/// The table as a Mermaid state diagram.
pub fn diagram() -> String {
    use fmt::Write as _;
    let mut text = String::from("stateDiagram-v2\n    [*] --> queued\n");
    for &state in RunState::ALL {
        for &command in ALL_COMMANDS {
            if let Ok(next) = state.apply(command)
                && next != state
            {
                // Writing into a String can't fail.
                let _ = writeln!(text, "    {state} --> {next} : {}", verb(command));
            }
        }
        if state.is_ended() {
            let _ = writeln!(text, "    {state} --> [*]");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_can_be_reached_and_open_states_can_end() {
        let mut reached = vec![RunState::Queued];
        let mut index = 0;
        while index < reached.len() {
            for &command in ALL_COMMANDS {
                if let Ok(next) = reached[index].apply(command)
                    && !reached.contains(&next)
                {
                    reached.push(next);
                }
            }
            index += 1;
        }
        assert_eq!(reached.len(), RunState::ALL.len());
    }

    #[test]
    fn an_ended_run_takes_nothing_unless_it_failed_and_left_things() {
        for &state in RunState::ALL.iter().filter(|state| state.is_ended()) {
            for &command in ALL_COMMANDS {
                let allowed = state == RunState::Failed && matches!(command, RunCommand::Restart | RunCommand::Cancel);
                assert_eq!(state.apply(command).is_ok(), allowed, "{state} {command:?}");
            }
        }
    }

    #[test]
    fn names_survive_a_round_trip() {
        for &state in RunState::ALL {
            assert_eq!(RunState::parse(state.as_str()), Some(state));
        }
        assert_eq!(RunState::parse("nonsense"), None);
    }
}
