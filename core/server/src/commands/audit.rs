//! `windlass audit …`: the audit log of a server, or straight from the database.

use std::io::Write;

use serde_json::{Value, json};
use windlass_api::verify_audit;
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    audit::{AuditFilter, AuditRecord},
};

use crate::{context::Context, desk::Remote, exit::Exit, render};

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
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Print all entries, oldest first, one JSON document a line
    Export {
        /// After this number
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
}

/// Where the log is.
enum Place<'a> {
    Here(&'a Engine),
    There(&'a Remote),
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    context.at(
        |remote| at(&Place::There(remote), command, context),
        |session| at(&Place::Here(session.engine()), command, context),
    )
}

fn at(place: &Place<'_>, command: &Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Verify => {
            let found = place.verify()?;
            let fault = &found["fault"];
            let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            context.print(&found, || match fault.is_null() {
                true => format!(
                    "{} entries, all as they were written; the last hash is {}",
                    found["entries"],
                    words(&found["last"])
                ),
                false => format!("BROKEN at entry {}: {}", fault["seq"], words(&fault["what"])),
            });
            return Ok(if fault.is_null() { Exit::Success } else { Exit::Failure });
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
            let entries = place.list(filter)?;
            context.print(&entries, || table(&entries));
        }
        Command::Export { after } => place.export(*after, &mut std::io::stdout().lock())?,
    }
    Ok(Exit::Success)
}

impl Place<'_> {
    fn verify(&self) -> Result<Value, Problem> {
        match self {
            Self::Here(engine) => Ok(json!(verify_audit(engine)?)),
            Self::There(remote) => remote.get("/audit/verify"),
        }
    }

    fn list(&self, filter: AuditFilter) -> Result<Vec<AuditRecord>, Problem> {
        match self {
            Self::Here(engine) => engine.audit_log(&filter),
            Self::There(remote) => {
                let organisation = filter.organisations.and_then(|mut all| all.pop());
                let named = [
                    ("actor", filter.actor),
                    ("action", filter.action),
                    ("target", filter.target),
                    ("organisation", organisation),
                ];
                let query: Vec<_> = named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                remote.list("/audit", &query, filter.limit as usize)
            }
        }
    }

    /// Entry by entry: the whole log is never in memory.
    fn export(&self, mut after: i64, out: &mut impl Write) -> Result<(), Problem> {
        let engine = match self {
            Self::Here(engine) => engine,
            Self::There(remote) => return remote.copy(&format!("/audit/export?after={after}"), out),
        };
        loop {
            let entries = engine.audit_after(after, 500)?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = last.seq;
            for entry in &entries {
                writeln!(out, "{}", json!(entry))
                    .map_err(|error| Problem::new(Code::System, format!("the output broke off: {error}")))?;
            }
        }
    }
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
