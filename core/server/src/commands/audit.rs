//! `windlass audit …`: the audit log, straight from the database.

use std::io::Write as _;

use serde_json::json;
use windlass_api::verify_audit;
use windlass_model::{
    Code, Problem,
    audit::{AuditFilter, AuditRecord},
};

use crate::{context::Context, exit::Exit, render};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Check that no entry was changed, taken out or put in
    Verify,
    /// List entries, newest first
    Ls {
        /// By this actor
        #[arg(long)]
        actor: Option<String>,
        /// Whose action begins so
        #[arg(long)]
        action: Option<String>,
        /// To this
        #[arg(long)]
        target: Option<String>,
        /// Of this organisation
        #[arg(long)]
        organisation: Option<String>,
        /// So many at most
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Print all entries, oldest first, one JSON document a line
    Export {
        /// After this number
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    context.with(|session| {
        let engine = session.engine();
        match command {
            Command::Verify => {
                let found = verify_audit(engine)?;
                context.print(&found, || match &found.fault {
                    None => {
                        format!("{} entries, all as they were written; the last hash is {}", found.entries, found.last)
                    }
                    Some(fault) => format!("BROKEN at entry {}: {}", fault.seq, fault.what),
                });
                return Ok(if found.fault.is_none() { Exit::Success } else { Exit::Failure });
            }
            Command::Ls { actor, action, target, organisation, limit } => {
                let filter = AuditFilter {
                    organisations: organisation.clone().map(|one| vec![one]),
                    actor: actor.clone(),
                    action: action.clone(),
                    target: target.clone(),
                    limit: *limit,
                    ..AuditFilter::default()
                };
                let entries = engine.audit_log(&filter)?;
                context.print(&entries, || table(&entries));
            }
            Command::Export { after } => {
                let mut after = *after;
                let mut out = std::io::stdout().lock();
                loop {
                    let entries = engine.audit_after(after, 500)?;
                    let Some(last) = entries.last() else { break };
                    after = last.seq;
                    for entry in &entries {
                        let written = writeln!(out, "{}", json!(entry));
                        written
                            .map_err(|error| Problem::new(Code::System, format!("the output broke off: {error}")))?;
                    }
                }
            }
        }
        Ok(Exit::Success)
    })
}

fn table(entries: &[AuditRecord]) -> String {
    if entries.is_empty() {
        return "no entries".to_owned();
    }
    let rows = entries.iter().map(|entry| {
        let (seq, time) = (entry.seq.to_string(), render::clock(entry.at_ms));
        let rest = [&entry.actor, &entry.action, &entry.target, &entry.organisation, &entry.source];
        [seq, time].into_iter().chain(rest.into_iter().cloned()).collect()
    });
    render::table(&["no.", "when", "who", "what", "to", "organisation", "from"], rows.collect())
}
