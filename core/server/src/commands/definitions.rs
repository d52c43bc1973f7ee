//! `windlass definitions`: what scripts can call, for editors: Rhai definitions, or JSON.

use std::path::PathBuf;

use windlass_model::Problem;
use windlass_script::definitions;

use super::{hosts, workflows};
use crate::{context::Context, exit::Exit};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write windlass.d.rhai and windlass.json into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let (scripts, _runtime) = workflows::scripts(context)?;
    let catalog = scripts.sandbox.catalog();
    let json = definitions::json(catalog);
    if let Some(folder) = &args.out {
        hosts::write(folder, "windlass.d.rhai", &definitions::rhai(catalog))?;
        hosts::write(folder, "windlass.json", &serde_json::to_string_pretty(&json).unwrap_or_default())?;
        return Ok(Exit::Success);
    }
    context.print(&json, || definitions::rhai(catalog));
    Ok(Exit::Success)
}
