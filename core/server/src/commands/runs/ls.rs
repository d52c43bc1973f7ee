//! `windlass runs ls`

use windlass_model::{
    Code, Problem, RunState,
    query::{RunFilter, RunRecord},
    time::format_duration_ms,
};

use crate::{context::Context, desk::Desk, exit::Exit, render};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only runs in this state (may be given several times)
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<String>,
    /// Only runs of this workflow
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Option<String>,
    /// Only runs with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let states: Result<Vec<RunState>, Problem> = args.states.iter().map(|name| state(name)).collect();
    let runs = desk.runs(&RunFilter {
        states: states?,
        workflow: args.workflow.clone(),
        tag: args.tag.clone(),
        limit: args.limit,
        ..RunFilter::default()
    })?;
    let now_ms = desk.now_ms();
    context.print(&runs, || match runs.is_empty() {
        true => "no runs".to_owned(),
        false => render::table(
            &["run", "workflow", "state", "launched", "took", "by"],
            runs.iter().map(|run| row(run, now_ms)).collect(),
        ),
    });
    Ok(Exit::Success)
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

fn state(name: &str) -> Result<RunState, Problem> {
    RunState::parse(name).ok_or_else(|| {
        let all: Vec<&str> = RunState::ALL.iter().map(|state| state.as_str()).collect();
        Problem::new(Code::Usage, format!("`{name}` isn't a state")).help(format!("states: {}", all.join(", ")))
    })
}
