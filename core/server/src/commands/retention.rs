//! `windlass retention …`: what isn't kept any more, in this data folder.

use serde_json::{Value, json};
use windlass_api::auth::kept::PLATFORM;
use windlass_model::Problem;

use super::users;
use crate::{context::Context, exit::Exit, janitor::Policy};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show what would be removed now, and remove nothing
    Plan,
    /// Remove it now
    Run,
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    context.with(|session| {
        let policy = Policy::read(&session.config().retention, session.folder().recordings())?;
        match command {
            Command::Plan => {
                let plan = policy.plan(session.engine())?;
                context.print(&plan, || words(&plan));
            }
            Command::Run => {
                let by = users::by(context);
                let engine = session.engine();
                let mut removed = policy.clean(engine, &mut |_| true)?;
                removed.recordings = policy.clean_recordings();
                let after = json!(removed);
                by.audited(engine, "retention.run", (PLATFORM, ""), Value::Null, after.clone()).change(Vec::new())?;
                context.print(&after, || words(&after));
            }
        }
        Ok(Exit::Success)
    })
}

fn words(counts: &Value) -> String {
    let line = |key: &str, what: &str| counts[key].as_i64().map(|count| format!("{count:>8}  {what}"));
    let lines = [
        line("runs", "runs with all that is theirs"),
        line("runs_needed", "runs whose time is over, but which others still need"),
        line("artifacts", "artifacts of runs that are kept"),
        line("artifact_bytes", "bytes of these"),
        line("documents", "documents that have expired"),
        line("recordings", "recordings of consoles"),
        line("recording_bytes", "bytes of these"),
    ];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}
