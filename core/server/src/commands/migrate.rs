//! `windlass migrate`: brings the database to this program's schema. Safe to run again.

use serde_json::json;
use windlass_model::Problem;

use crate::{context::Context, data::DataFolder, exit::Exit, wiring};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only list what is pending; exit code 1 if something is
    #[arg(long)]
    status: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let folder = DataFolder::open(&context.loaded.config.data)?;
    let url = wiring::database_url(&context.loaded.config, &folder);
    if args.status {
        let pending = windlass_engine::pending_migrations(&url)?;
        context.print(&json!({ "pending": pending }), || match pending.is_empty() {
            true => "the schema is this program's".to_owned(),
            false => format!("pending:\n  {}", pending.join("\n  ")),
        });
        return Ok(if pending.is_empty() { Exit::Success } else { Exit::Failure });
    }
    let _building = folder.building()?;
    let applied = windlass_engine::migrate(&url)?;
    context.print(&json!({ "applied": applied }), || match applied.is_empty() {
        true => "nothing to do: the schema is this program's".to_owned(),
        false => format!("applied: {}", applied.join(", ")),
    });
    Ok(Exit::Success)
}
