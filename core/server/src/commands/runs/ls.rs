//! `windlass runs ls`

use windlass_model::{
    Problem, RunState,
    query::{RunFilter, RunRecord},
    time::format_duration_ms,
};

use super::which::Which;
use crate::{context::Context, desk::Desk, exit::Exit, render};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let now_ms = desk.now_ms();
    let runs = desk.runs(&RunFilter { limit: args.limit, ..args.which.filter(now_ms)? })?;
    context.print(&runs, || table(&runs, now_ms));
    Ok(Exit::Success)
}

/// Runs as a table.
pub fn table(runs: &[RunRecord], now_ms: i64) -> String {
    if runs.is_empty() {
        return "no runs".to_owned();
    }
    let heads = ["run", "workflow", "state", "launched", "took", "by"];
    render::table(&heads, runs.iter().map(|run| row(run, now_ms)).collect())
}

fn row(run: &RunRecord, now_ms: i64) -> Vec<String> {
    let waits: Vec<&str> = run.waiting_on.iter().map(|reason| reason.as_str()).collect();
    let state = match (run.state, waits.is_empty()) {
        (RunState::Waiting, false) => format!("waiting ({})", waits.join(", ")),
        (state, _) => state.to_string(),
    };
    let took = format_duration_ms((run.ended_at_ms.unwrap_or(now_ms) - run.launched_at_ms).max(0));
    let launched = render::ago(run.launched_at_ms, now_ms);
    vec![run.id.to_string(), run.workflow.clone(), state, launched, took, run.launched_by.clone()]
}
