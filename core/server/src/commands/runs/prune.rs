//! `windlass runs prune`

use windlass_model::Problem;

use crate::{context::Context, desk::Desk, exit::Exit};

/// Runs the command.
pub fn run(context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let removed = desk.prune(&context.who())?;
    context.print(&serde_json::json!({ "removed": removed }), || format!("{removed} runs removed"));
    Ok(Exit::Success)
}
