//! `windlass runs export`

use windlass_model::Problem;

use crate::{context::Context, exit::Exit, session::Session};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run, or the beginning of its id
    run: String,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context, session: &Session) -> Result<Exit, Problem> {
    let run = session.engine().find(&args.run)?.id;
    context.print_json(&session.engine().export(&run)?);
    Ok(Exit::Success)
}
