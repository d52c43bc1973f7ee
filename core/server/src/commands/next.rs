//! What to type next, after a run has come to rest.

use windlass_model::{Problem, RunState, query::RunRecord, time::format_duration_ms};

use crate::{context::Context, follow, render, session::Session};

/// Tells how the run ended and what can be done now.
pub fn tell(context: &Context, session: &Session, record: &RunRecord) -> Result<(), Problem> {
    let run = &record.id;
    let until_ms = record.ended_at_ms.unwrap_or_else(|| session.engine().now_ms());
    let took = format_duration_ms((until_ms - record.launched_at_ms).max(0));
    let mut lines = vec![format!("\nrun {run} {} after {took}", record.state.as_str().replace('_', " "))];
    if let Some(output) = record.output.as_ref().filter(|output| !output.is_null()) {
        lines.push(format!("output: {}", serde_json::to_string_pretty(output).unwrap_or_default()));
    }
    if let Some(problem) = &record.problem {
        let sources = session.engine().sources(run).ok();
        lines.push(render::problem(problem, sources.as_deref()));
    }
    let live = session.engine().resources(Some(run), true)?;
    let mut next = vec![format!("windlass runs show {run}"), format!("windlass runs logs {run}")];
    match record.state {
        RunState::Succeeded if !live.is_empty() => {
            next.push(format!("windlass resources ls --run {run}    # {} things are there now", live.len()));
            next.extend(destroyers(session, &record.workflow).map(|name| format!("windlass run {name}")));
        }
        RunState::Succeeded => {}
        RunState::RolledBack | RunState::Cancelled => next.push(format!("windlass runs retry {run}")),
        RunState::Failed => {
            next.push(format!("windlass runs restart {run}    # from the failed step"));
            next.push(format!("windlass runs cancel {run}     # undo what it did"));
        }
        RunState::RollbackStuck => next.push(format!("windlass runs unstick {run} --retry|--skip|--adopt")),
        _ => {
            next.push(format!("windlass run --resume {run}"));
            next.push(format!("windlass runs cancel {run}"));
        }
    }
    lines.extend(follow::hints(record).into_iter().filter(|_| !record.state.is_ended()));
    lines.push("next:".into());
    lines.extend(next.into_iter().map(|line| format!("  {line}")));
    for line in lines {
        context.hint(&line);
    }
    Ok(())
}

/// Workflows of the same folder that take things away again.
fn destroyers<'a>(session: &Session, workflow: &'a str) -> impl Iterator<Item = String> + use<'a> {
    let area = workflow.split_once('/').map_or("", |(area, _)| area).to_owned();
    let all = session.scripts().library.list().into_iter();
    all.filter(move |name| name.split_once('/').is_some_and(|(of, rest)| of == area && rest.contains("destroy")))
}
