//! `windlass runs export`

use windlass_model::Problem;

use crate::{context::Context, desk::Desk, exit::Exit};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run, or the beginning of its id
    run: String,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let run = desk.find(&args.run)?.id;
    context.print_json(&desk.export(&run)?);
    Ok(Exit::Success)
}
