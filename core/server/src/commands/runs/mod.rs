//! `windlass runs …`: lists, shows and steers runs.

mod bulk;
mod decide;
mod diff;
mod export;
mod logs;
mod ls;
mod prune;
mod restart;
mod show;
mod steer;
mod which;

use windlass_model::{Problem, RunId};

use crate::{context::Context, desk::Desk, exit::Exit};

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
    /// Cancel, retry, restart or unpark many runs
    Bulk(bulk::Args),
    /// Remove ended runs whose retention is over, in the data folder; a server does it by itself
    Prune,
    /// Stop an undo that comes to no end: the run is stuck at it
    Stick(steer::CancelArgs),
    /// Say what to do about an undo that is stuck
    Unstick(steer::UnstickArgs),
    /// Let a run go on that was parked
    Unpark(steer::RunArgs),
}

/// Runs the command.
pub fn run(command: Command, context: &Context) -> Result<Exit, Problem> {
    context.at_desk(|desk| match &command {
        Command::Ls(args) => ls::run(args, context, desk),
        Command::Show(args) => show::run(args, context, desk),
        Command::Logs(args) => logs::logs(args, context, desk),
        Command::Events(args) => logs::events(args, context, desk),
        Command::Cancel(args) => steer::cancel(args, context, desk),
        Command::Signal(args) => steer::signal(args, context, desk),
        Command::Approve(args) => decide::run(args, true, context, desk),
        Command::Deny(args) => decide::run(args, false, context, desk),
        Command::Resolve(args) => steer::resolve(args, context, desk),
        Command::Retry(args) => steer::retry(args, context, desk),
        Command::Restart(args) => restart::restart(args, context, desk),
        Command::Upgrade(args) => restart::upgrade(args, context, desk),
        Command::Diff(args) => diff::run(args, context, desk),
        Command::Export(args) => export::run(args, context, desk),
        Command::Bulk(args) => bulk::run(args, context, desk),
        Command::Prune => prune::run(context, desk),
        Command::Stick(args) => steer::stick(args, context, desk),
        Command::Unstick(args) => steer::unstick(args, context, desk),
        Command::Unpark(args) => steer::unpark(args, context, desk),
    })
}

/// Says that a command is written down, and who will see it.
fn written(context: &Context, desk: &dyn Desk, run: &RunId, what: &str) -> Result<Exit, Problem> {
    let executed = desk.is_executed()?;
    context.print(&serde_json::json!({ "run": run, "done": what, "executed": executed }), || format!("{run}: {what}"));
    if !executed {
        context.hint(&format!("nobody executes runs of this data folder now: windlass run --resume {run}"));
    }
    Ok(Exit::Success)
}
