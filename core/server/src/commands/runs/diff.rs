//! `windlass runs diff`

use windlass_model::{Problem, time::format_duration_ms};

use crate::{context::Context, desk::Desk, exit::Exit, follow};

/// What is shown of a step; `--json` gives all of it.
const SIDE_CHARS: usize = 160;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The first run
    first: String,
    /// The second run
    second: String,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let engine = desk;
    let (first, second) = (engine.find(&args.first)?.id, engine.find(&args.second)?.id);
    let diff = engine.diff(&first, &second)?;
    if context.global.json {
        context.print_json(&diff);
        return Ok(Exit::Success);
    }
    let took = |ms: Option<i64>| ms.map_or("open".to_owned(), format_duration_ms);
    context.line(&format!("--- {first}  {} {}", diff.states.0, took(diff.elapsed_ms.0)));
    context.line(&format!("+++ {second}  {} {}", diff.states.1, took(diff.elapsed_ms.1)));
    if let Some((one, other)) = &diff.workflow {
        context.line(&format!("workflow\n- {one}\n+ {other}"));
    }
    if let Some((one, other)) = &diff.input {
        context.line(&format!("input\n- {one}\n+ {other}"));
    }
    for (name, one, other) in &diff.sources {
        context.line(&format!("script {name}.rhai"));
        let (one, other) = (one.as_deref().unwrap_or(""), other.as_deref().unwrap_or(""));
        let changes = similar::TextDiff::from_lines(one, other);
        context.line(changes.unified_diff().context_radius(2).to_string().trim_end());
    }
    for step in &diff.steps {
        for (sign, side) in [('-', &step.first), ('+', &step.second)] {
            if let Some(side) = side {
                context.line(&format!("{sign} [{}] {}", step.path, follow::short(&side.to_string(), SIDE_CHARS)));
            }
        }
    }
    if let Some((one, other)) = &diff.output {
        let text = |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string).unwrap_or_default();
        context.line(&format!("output\n- {}\n+ {}", text(one), text(other)));
    }
    Ok(Exit::Success)
}
