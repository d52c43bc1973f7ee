//! `windlass migrate`: brings the database to this program's schema. Safe to run again.

use serde_json::json;
use windlass_model::{Code, Problem};

use crate::{
    context::Context,
    data::DataFolder,
    exit::Exit,
    lock::{self, Lock},
    wiring,
};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only list what is pending, and what only a newer program knows; exit code 1 if there is either
    #[arg(long)]
    status: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let folder = DataFolder::open(&context.loaded.config.data)?;
    let url = wiring::database_url(&context.loaded.config, &folder);
    if args.status {
        let (pending, unknown) =
            (windlass_engine::pending_migrations(&url)?, windlass_engine::unknown_migrations(&url)?);
        let listed = |title: &str, names: &[String]| format!("{title}:\n  {}", names.join("\n  "));
        context.print(&json!({ "pending": pending, "unknown": unknown }), || match (&*pending, &*unknown) {
            ([], []) => "the schema is this program's".to_owned(),
            (pending, []) => listed("pending", pending),
            (_, unknown) => listed("of a newer program, which this one can't work with", unknown),
        });
        return Ok(if pending.is_empty() && unknown.is_empty() { Exit::Success } else { Exit::Failure });
    }
    let _building = Lock::take(&wiring::setup_lock(&url, &folder))?;
    let _idle = idle(&url, &folder)?;
    let applied = windlass_engine::migrate(&url)?;
    context.print(&json!({ "applied": applied }), || match applied.is_empty() {
        true => "nothing to do: the schema is this program's".to_owned(),
        false => format!("applied: {}", applied.join(", ")),
    });
    Ok(Exit::Success)
}

/// Keeps others from executing runs while the schema changes under them; `None` if it doesn't change, or leases decide.
fn idle(url: &str, folder: &DataFolder) -> Result<Option<Lock>, Problem> {
    let Some(file) = wiring::database_file(url) else { return Ok(None) };
    if !file.exists() || windlass_engine::pending_migrations(url)?.is_empty() {
        return Ok(None);
    }
    let path = wiring::execution_lock(url, folder);
    if let Some(lock) = Lock::try_take(&path)? {
        return Ok(Some(lock));
    }
    let holder = lock::holder(&path).map(|id| format!("process {id}")).unwrap_or_else(|| "another process".into());
    Err(Problem::new(
        Code::DataFolderBusy,
        format!("{holder} executes runs of this database, on the schema that it has"),
    )
    .help("end it first; its runs stay open and go on afterwards"))
}
