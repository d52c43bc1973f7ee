//! `windlass definitions`: what scripts can call, for editors.

use std::path::PathBuf;

use windlass_model::Problem;

use crate::{context::Context, exit::Exit};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write the definitions into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let _ = (args, context);
    Ok(Exit::Success)
}
