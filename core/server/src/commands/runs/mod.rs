//! `windlass runs …`: lists, shows and steers runs.

mod decide;
mod diff;
mod export;
mod logs;
mod ls;
mod prune;
mod restart;
mod show;
mod steer;

use windlass_model::{Problem, RunId};

use crate::{context::Context, exit::Exit, session::Session};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List runs, newest first
    Ls(ls::Args),
    /// Show a run: its steps, what it waits for, what it has made
    Show(show::Args),
    /// Print what a run logged
    Logs(logs::LogArgs),
    /// Print a run's events
    Events(logs::EventArgs),
    /// Ask for a run's end: what it did is undone
    Cancel(steer::CancelArgs),
    /// Send a signal to a run
    Signal(steer::SignalArgs),
    /// Approve what a run asks
    Approve(decide::Args),
    /// Deny what a run asks
    Deny(decide::Args),
    /// Say what became of a step that is in doubt
    Resolve(steer::ResolveArgs),
    /// Launch the same workflow again, with the same input
    Retry(steer::RunArgs),
    /// Restart a failed run from its failed step
    Restart(restart::RestartArgs),
    /// Let an open run go on with the current scripts
    Upgrade(restart::UpgradeArgs),
    /// Show what differs between two runs
    Diff(diff::Args),
    /// Print everything about a run as one JSON document
    Export(export::Args),
    /// Remove ended runs whose retention is over
    Prune,
    /// Say what to do about an undo that is stuck
    Unstick(steer::UnstickArgs),
    /// Let a run go on that was parked
    Unpark(steer::RunArgs),
}

/// Runs the command.
pub fn run(command: Command, context: &Context) -> Result<Exit, Problem> {
    context.with(|session| match &command {
        Command::Ls(args) => ls::run(args, context, session),
        Command::Show(args) => show::run(args, context, session),
        Command::Logs(args) => logs::logs(args, context, session),
        Command::Events(args) => logs::events(args, context, session),
        Command::Cancel(args) => steer::cancel(args, context, session),
        Command::Signal(args) => steer::signal(args, context, session),
        Command::Approve(args) => decide::run(args, true, context, session),
        Command::Deny(args) => decide::run(args, false, context, session),
        Command::Resolve(args) => steer::resolve(args, context, session),
        Command::Retry(args) => steer::retry(args, context, session),
        Command::Restart(args) => restart::restart(args, context, session),
        Command::Upgrade(args) => restart::upgrade(args, context, session),
        Command::Diff(args) => diff::run(args, context, session),
        Command::Export(args) => export::run(args, context, session),
        Command::Prune => prune::run(context, session),
        Command::Unstick(args) => steer::unstick(args, context, session),
        Command::Unpark(args) => steer::unpark(args, context, session),
    })
}

/// Says that a command is written down, and who will see it.
fn written(context: &Context, session: &Session, run: &RunId, what: &str) -> Result<Exit, Problem> {
    let executed = session.is_executed()?;
    context.print(&serde_json::json!({ "run": run, "done": what, "executed": executed }), || format!("{run}: {what}"));
    if !executed {
        context.hint(&format!("nobody executes runs of this data folder now: windlass run --resume {run}"));
    }
    Ok(Exit::Success)
}
