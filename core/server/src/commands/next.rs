//! What to type next, after a run has come to rest.

use serde_json::Value;
use windlass_model::{
    Code, Problem, RunState,
    query::{ApprovalRecord, RunRecord},
    time::format_duration_ms,
};

use crate::{context::Context, desk::Desk, follow, render};

/// Tells how the run ended and what can be done now.
pub fn tell(context: &Context, desk: &dyn Desk, record: &RunRecord) -> Result<(), Problem> {
    let run = &record.id;
    let until_ms = record.ended_at_ms.unwrap_or_else(|| desk.now_ms());
    let took = format_duration_ms((until_ms - record.launched_at_ms).max(0));
    let state = match record.state {
        RunState::Waiting => "waits".to_owned(),
        state => state.as_str().replace('_', " "),
    };
    let mut lines = vec![format!("\nrun {run} {state} after {took}")];
    if let Some(output) = record.output.as_ref().filter(|output| !output.is_null()) {
        lines.push(format!("output: {}", render::json(output)));
    }
    if let Some(problem) = &record.problem {
        let sources = desk.sources(run).ok();
        lines.push(render::problem(problem, sources.as_deref()));
    }
    let live = desk.resources(Some(run), true)?;
    let mut next = vec![format!("windlass runs show {run}"), format!("windlass runs logs {run}")];
    match record.state {
        RunState::Succeeded if !live.is_empty() => {
            next.push(format!("windlass resources ls --run {run}    # {} things are there now", live.len()));
            next.extend(destroyers(desk, record));
        }
        RunState::Succeeded => {}
        RunState::RolledBack if is_in_the_way(record) => {
            next.extend(destroyers(desk, record));
            next.push(format!("windlass runs retry {run}"));
        }
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
    if !record.state.is_ended() {
        lines.extend(hints(record, &desk.approvals(run)?));
    }
    lines.push("next:".into());
    lines.extend(next.into_iter().map(|line| format!("  {line}")));
    for line in lines {
        context.hint(&line);
    }
    Ok(())
}

/// What a person can do about what the run waits for. What is asked may need a role and a form, which the run's state
/// alone doesn't tell.
pub fn hints(record: &RunRecord, approvals: &[ApprovalRecord]) -> Vec<String> {
    let others =
        follow::hints(record).into_iter().filter(|hint| approvals.is_empty() || !hint.contains(" runs approve "));
    approvals.iter().map(|approval| to_approve(approval, approvals.len() > 1)).chain(others).collect()
}

fn to_approve(approval: &ApprovalRecord, one_of_several: bool) -> String {
    let step = if one_of_several { format!(" --step {}", approval.path) } else { String::new() };
    let role = approval.request.role.as_deref().map(|role| format!(" --role {role}")).unwrap_or_default();
    let required = approval.request.form.as_ref().and_then(|form| form["required"].as_array()).into_iter().flatten();
    let settings: String = required.filter_map(Value::as_str).map(|field| format!(" --set {field}=…")).collect();
    format!("windlass runs approve {}{step}{role}{settings}", approval.run)
}

/// Whether it failed at something that is there already.
fn is_in_the_way(record: &RunRecord) -> bool {
    record.problem.as_ref().is_some_and(|problem| problem.code == Code::Conflict)
}

/// Workflows of the same folder that take things away again, with what they need to be told.
fn destroyers<'a>(desk: &'a dyn Desk, record: &'a RunRecord) -> impl Iterator<Item = String> + use<'a> {
    let area = record.workflow.split_once('/').map_or("", |(area, _)| area);
    // These are hints: where the names can't be told, there are none.
    let all = desk.workflow_names().unwrap_or_default().into_iter();
    let fitting =
        all.filter(move |name| name.split_once('/').is_some_and(|(of, rest)| of == area && rest.contains("destroy")));
    fitting.filter_map(|name| {
        let workflow = desk.workflow(&name).ok()?;
        let needed = workflow.inputs["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let settings = needed.map(|key| {
            let known = [Some(&record.input), record.output.as_ref()];
            let value = known.into_iter().flatten().map(|from| &from[key]).find(|value| !value.is_null());
            match value {
                Some(Value::String(text)) => format!(" --set {key}={text}"),
                Some(other) => format!(" --set {key}={other}"),
                None => format!(" --set {key}=…"),
            }
        });
        Some(format!("windlass run {name}{}", settings.collect::<String>()))
    })
}
