//! `windlass workflows test`: scenarios beside workflows.

use windlass_model::Problem;

use crate::{context::Context, exit::Exit};

/// Runs the command.
pub fn command(_: &[String], _: &Context) -> Result<Exit, Problem> {
    Ok(Exit::Success)
}
