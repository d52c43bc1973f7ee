//! `windlass runs prune`

use windlass_model::Problem;

use crate::{context::Context, exit::Exit, session::Session};

/// Runs the command.
pub fn run(context: &Context, session: &Session) -> Result<Exit, Problem> {
    let removed = session.engine().prune()?;
    context.print(&serde_json::json!({ "removed": removed }), || format!("{removed} runs removed"));
    Ok(Exit::Success)
}
