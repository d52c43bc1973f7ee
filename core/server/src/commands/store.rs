//! `windlass store …`: checks the database, or moves everything to another one.

use serde_json::json;
use windlass_engine::{Store, SystemClock, Verified};
use windlass_model::{Code, Problem, time::Clock as _};

use crate::{
    context::Context,
    data::DataFolder,
    exit::Exit,
    lock::{self, Lock},
    render, wiring,
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Check that everything fits together; only reads, and exit code 1 says that something doesn't
    Verify,
    /// Copy everything into an empty database (SQLite to PostgreSQL, or back), and compare both by digests
    Copy {
        /// Where to: postgres://user@host/database, or sqlite:/path/to/windlass.db
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    let folder = DataFolder::open(&context.loaded.config.data)?;
    let url = wiring::database_url(&context.loaded.config, &folder);
    match command {
        Command::Verify => {
            let verified = Store::verify(&url)?;
            print(&verified, context);
            Ok(if verified.findings.is_empty() { Exit::Success } else { Exit::Failure })
        }
        Command::Copy { to } => copy(&url, to, &folder, context),
    }
}

/// Says what a check has found.
pub fn print(verified: &Verified, context: &Context) {
    let findings: Vec<_> = verified
        .findings
        .iter()
        .map(|found| {
            json!({
                "check": found.check, "run": found.run, "message": found.message,
            })
        })
        .collect();
    let checked: serde_json::Map<_, _> =
        verified.checked.iter().map(|(what, count)| (what.replace(' ', "_"), json!(count))).collect();
    context.print(&json!({ "findings": findings, "checked": checked }), || {
        let counts: Vec<String> = verified.checked.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let counts = counts.join(", ");
        if verified.findings.is_empty() {
            return format!("everything fits together: {counts}");
        }
        let rows = verified.findings.iter();
        let rows = rows
            .map(|found| vec![found.check.to_owned(), found.run.clone().unwrap_or_default(), found.message.clone()]);
        let table = render::table(&["check", "run", "what is wrong"], rows.collect());
        format!("{table}\n{} findings; looked at {counts}", verified.findings.len())
    });
}

/// Keeps others from executing runs of a database, or says that somebody does.
pub fn idle(url: &str, folder: &DataFolder, context: &Context) -> Result<Option<Lock>, Problem> {
    let busy = |who: String| {
        Err(Problem::new(Code::DataFolderBusy, format!("{who} executes runs of this database"))
            .help("end it first; its runs stay open and go on afterwards"))
    };
    if let Some(file) = wiring::database_file(url) {
        if let Some(parent) = file.parent().filter(|parent| !parent.is_dir() && !parent.as_os_str().is_empty()) {
            return Err(Problem::new(Code::Storage, format!("there is no folder {}", parent.display())));
        }
        let path = wiring::execution_lock(url, folder);
        return match Lock::try_take(&path)? {
            Some(lock) => Ok(Some(lock)),
            None => busy(lock::holder(&path).map_or_else(|| "another process".into(), |id| format!("process {id}"))),
        };
    }
    // A node is heard of three times in the life of a lease, and says so when it goes.
    let since_ms = SystemClock::default().now_ms() - context.loaded.config.engine.lease_ms;
    match Store::nodes_since(url, since_ms)?.first() {
        Some(node) => busy(format!("node `{node}`")),
        None => Ok(None),
    }
}

fn copy(from: &str, to: &str, folder: &DataFolder, context: &Context) -> Result<Exit, Problem> {
    let _from = idle(from, folder, context)?;
    if from == to {
        return Err(Problem::new(Code::Usage, "this is the database that is copied").help("name another one with --to"));
    }
    if !Store::is_empty(to)? {
        return Err(Problem::new(Code::Conflict, "the database to copy to isn't empty").help("name a new, empty one"));
    }
    let _to = idle(to, folder, context)?;
    let copied = Store::copy(from, to, &mut |table| {
        if !context.global.json {
            context.hint(&format!("{}: {} rows", table.table, table.rows));
        }
    })?;
    let tables: Vec<_> = copied
        .iter()
        .map(|table| json!({ "table": table.table, "rows": table.rows, "digest": table.digest }))
        .collect();
    context.print(&json!({ "tables": tables }), || {
        let rows =
            copied.iter().map(|table| vec![table.table.to_owned(), table.rows.to_string(), table.digest.clone()]);
        render::table(&["table", "rows", "digest on both sides"], rows.collect())
    });
    context.hint(
        "name the new database in windlass.toml (`database = …`), keep the data folder's secrets.key, and start nothing on \
         the old one: both would go on with the same runs",
    );
    Ok(Exit::Success)
}
