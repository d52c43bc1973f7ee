//! `windlass runs show`

use serde_json::json;
use windlass_model::{Problem, RunId, query::RunRecord, undo::UndoState};

use crate::{commands::next, context::Context, desk::Desk, exit::Exit, follow, follow::Picture, render};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run, or the beginning of its id
    run: String,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let engine = desk;
    let record = engine.find(&args.run)?;
    let (run, now_ms) = (&record.id, engine.now_ms());
    let resources = engine.resources(Some(run), false)?;
    let approvals = engine.approvals(run)?;
    let undo = engine.undo_list(run)?;
    if context.global.json {
        context.print_json(&json!({ "run": record, "resources": resources, "approvals": approvals, "undo": undo }));
        return Ok(Exit::Success);
    }
    context.line(&head(&record, now_ms));
    let picture = picture(desk, run)?;
    let tree = follow::render(&picture, now_ms, console::colors_enabled());
    if !tree.trim().is_empty() {
        context.line(tree.trim_end());
    }
    for (key, value) in &picture.annotations {
        context.line(&format!("{key} = {value}"));
    }
    if !resources.is_empty() {
        let rows =
            resources.iter().map(|row| vec![row.resource.to_string(), row.state.to_string(), row.path.to_string()]);
        context.line(&format!("\n{}", render::table(&["resource", "state", "step"], rows.collect())));
    }
    for approval in &approvals {
        let role = approval.request.role.as_deref().map(|role| format!(" by {role}")).unwrap_or_default();
        context.line(&format!("\nasked at step {}{role}: {}", approval.path, approval.request.title));
        if !approval.request.details.is_null() {
            context.line(&render::json(&approval.request.details));
        }
        let until = approval.request.expires_at_ms.map(|at_ms| format!("until {} · ", render::clock(at_ms)));
        context.line(&format!("{}digest {}", until.unwrap_or_default(), approval.request.digest));
    }
    for entry in undo.iter().filter(|entry| entry.state == UndoState::Failed) {
        let why = entry.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
        context.line(&format!("\nundo of step {} failed: {why}", entry.path));
    }
    if let Some(output) = record.output.as_ref().filter(|output| !output.is_null()) {
        context.line(&format!("\noutput: {}", render::json(output)));
    }
    if let Some(problem) = &record.problem {
        let sources = engine.sources(run).ok();
        context.line(&format!("\n{}", render::problem(problem, sources.as_deref())));
    }
    next::hints(&record, &approvals).iter().for_each(|hint| context.hint(hint));
    Ok(Exit::Success)
}

fn head(record: &RunRecord, now_ms: i64) -> String {
    let waits: Vec<&str> = record.waiting_on.iter().map(|reason| reason.as_str()).collect();
    let due = record.due_at_ms.filter(|_| !record.state.is_ended());
    let mut text = format!("{} · {} · {}", record.id, record.workflow, record.state);
    if !waits.is_empty() {
        text.push_str(&format!(" for {}", waits.join(", ")));
    }
    if let Some(due_ms) = due.filter(|due_ms| *due_ms > now_ms && *due_ms < i64::MAX) {
        text.push_str(&format!(" until {}", render::clock(due_ms)));
    }
    text.push_str(&format!("\nlaunched {} by {}", render::clock(record.launched_at_ms), record.launched_by));
    if record.recoveries > 0 {
        text.push_str(&format!(" · {} recoveries", record.recoveries));
    }
    text.push_str(&format!("\ninput: {}\n", render::json(&record.input)));
    text
}

fn picture(desk: &dyn Desk, run: &RunId) -> Result<Picture, Problem> {
    let mut picture = Picture::default();
    loop {
        let events = desk.events(run, picture.seq, 1_000)?;
        if events.is_empty() {
            // The events of steps that were quickly over don't repeat their arguments; the journal has them.
            desk.steps(run)?.iter().for_each(|step| picture.name(&step.path, &step.op, &step.args));
            return Ok(picture);
        }
        events.iter().for_each(|event| picture.add(event));
    }
}
