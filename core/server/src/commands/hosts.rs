//! `windlass hosts`: the reference of host modules, generated from what their ops declare.

use std::path::PathBuf;

use windlass_model::Problem;

use crate::{context::Context, exit::Exit};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this module
    module: Option<String>,
    /// Write one Markdown page a module into this folder
    #[arg(long, value_name = "DIR")]
    markdown: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let _ = (args, context);
    Ok(Exit::Success)
}
