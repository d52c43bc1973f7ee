//! `windlass runs bulk`: the same for many runs, each its own command with its own entry in the audit log.

use serde_json::json;
use windlass_model::{Code, Problem, query::RunFilter};

use super::{ls, which::Which};
use crate::{
    context::Context,
    desk::{Bulk, Desk, Done, Why},
    exit::Exit,
    render,
};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do to each
    #[arg(value_enum)]
    action: Bulk,
    #[command(flatten)]
    which: Which,
    /// Only say which runs they are
    #[arg(long)]
    preview: bool,
    /// How many there were in the preview; nothing is done if there are more or fewer now
    #[arg(long, value_name = "COUNT", conflicts_with = "preview")]
    expect: Option<u64>,
    /// Why; runs that are cancelled say so
    #[arg(long)]
    reason: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let filter = args.which.filter(desk.now_ms())?;
    if filter == RunFilter::default() {
        return Err(Problem::new(Code::Usage, "which runs? name at least one condition")
            .help("for example: --state failed --workflow 'lab/*' --preview"));
    }
    if args.preview {
        let preview = desk.preview(&filter, args.action)?;
        context.print(&preview, || {
            let (count, more) = (preview.count, if preview.more { " or more" } else { "" });
            let shown = match preview.items.len() as u64 {
                0 => String::new(),
                shown if shown < count => format!("\n… and {} more", count - shown),
                _ => String::new(),
            };
            format!(
                "{}{shown}\n{count}{more} runs; to do it: --expect {count}",
                ls::table(&preview.items, desk.now_ms())
            )
        });
        return Ok(Exit::Success);
    }
    let by = context.who();
    let done = desk.bulk(&filter, args.expect, args.action, Why { by: &by, reason: args.reason.as_deref() })?;
    let refused = done.iter().filter(|one| !one.done).count();
    context.print(&json!(done), || {
        let mut lines: Vec<String> = done.iter().map(line).collect();
        lines.push(format!("{} done, {refused} refused", done.len() - refused));
        lines.join("\n")
    });
    Ok(if refused == 0 { Exit::Success } else { Exit::Failure })
}

fn line(one: &Done) -> String {
    match (&one.problem, &one.launched) {
        (Some(problem), _) => format!("✗ {}: {}", one.run, render::as_called(&problem.message)),
        (None, Some(launched)) => format!("✓ {} as {launched}", one.run),
        (None, None) => format!("✓ {}", one.run),
    }
}
