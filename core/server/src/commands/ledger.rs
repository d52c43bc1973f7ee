//! `windlass ledger …`: balances and entries, and whether all of it is as it has to be.

use serde_json::{Value, json};
use windlass_model::{Code, Problem, ledger::EntryFilter};

use crate::{
    context::Context,
    desk::{Remote, encoded},
    exit::Exit,
    render,
    session::Session,
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List accounts with their sums: debits less credits
    Balances {
        /// Only this organisation's
        #[arg(long)]
        organisation: Option<String>,
    },
    /// List entries, newest first
    Entries {
        /// Only this organisation's
        #[arg(long)]
        organisation: Option<String>,
        /// So many at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Check that everything balances, and that what was redeemed is what was booked
    Verify,
}

enum Place<'a> {
    Here(&'a Session),
    There(&'a Remote),
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    context
        .at(|remote| at(&Place::There(remote), command, context), |session| at(&Place::Here(session), command, context))
}

fn at(place: &Place<'_>, command: &Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Balances { organisation } => balances(&place.balances(organisation.as_deref())?, context),
        Command::Entries { organisation, limit } => {
            entries(&place.entries(organisation.as_deref(), *limit)?, context);
        }
        Command::Verify => {
            let found = place.verify()?;
            let faults: Vec<&str> =
                found["faults"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if !faults.is_empty() {
                return Err(Problem::new(
                    Code::Storage,
                    format!("the ledger isn't as it has to be: {}", faults.join("; ")),
                )
                .help("somebody has changed the database by hand: put a backup back, or book what is missing")
                .data(found.clone()));
            }
            context.print(&found, || {
                format!("{} transactions with {} entries balance", found["transactions"], found["entries"])
            });
        }
    }
    Ok(Exit::Success)
}

impl Place<'_> {
    fn balances(&self, organisation: Option<&str>) -> Result<Vec<Value>, Problem> {
        match self {
            Self::There(remote) => {
                let query = organisation.map(|name| format!("?organisation={}", encoded(name))).unwrap_or_default();
                remote.get(&format!("/ledger/balances{query}"))
            }
            Self::Here(session) => {
                let found = session.engine().ledger_balances(organisation)?;
                Ok(found.into_iter().map(|one| json!(one)).collect())
            }
        }
    }

    fn entries(&self, organisation: Option<&str>, limit: u32) -> Result<Vec<Value>, Problem> {
        match self {
            Self::There(remote) => {
                let query: Vec<_> = organisation.map(|name| ("organisation", name.to_owned())).into_iter().collect();
                remote.list("/ledger/entries", &query, limit as usize)
            }
            Self::Here(session) => {
                let organisations = organisation.map(|name| vec![name.to_owned()]);
                let found = session.engine().ledger_entries(&EntryFilter { organisations, before: None, limit })?;
                Ok(found.into_iter().map(|one| json!(one)).collect())
            }
        }
    }

    fn verify(&self) -> Result<Value, Problem> {
        match self {
            Self::There(remote) => remote.get("/ledger/verify"),
            Self::Here(session) => Ok(json!(session.engine().ledger_check()?)),
        }
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn balances(all: &[Value], context: &Context) {
    context.print(&all, || {
        let rows = all.iter().map(|one| {
            let amount = render::money(&one["amount"], &one["currency"]);
            vec![text(one, "organisation"), text(one, "name"), text(one, "kind"), amount, one["entries"].to_string()]
        });
        match all.is_empty() {
            true => "no accounts".to_owned(),
            false => render::table(&["organisation", "account", "kind", "sum", "entries"], rows.collect()),
        }
    });
}

fn entries(all: &[Value], context: &Context) {
    context.print(&all, || {
        let rows = all.iter().map(|one| {
            let at = one["at_ms"].as_i64().map_or_else(String::new, render::clock);
            let amount = render::money(&one["amount"], &one["currency"]);
            vec![at, text(one, "kind"), text(one, "account"), amount, text(one, "description")]
        });
        match all.is_empty() {
            true => "nothing was booked".to_owned(),
            false => render::table(&["at", "kind", "account", "amount", "what"], rows.collect()),
        }
    });
}
