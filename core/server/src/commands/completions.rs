//! `windlass completions`

use clap::CommandFactory as _;
use windlass_model::Problem;

use crate::{cli::Cli, exit::Exit};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Exit, Problem> {
    clap_complete::generate(args.shell, &mut Cli::command(), "windlass", &mut std::io::stdout());
    Ok(Exit::Success)
}
