//! `windlass sovereigns …`: other Sovereigns whose signed vouchers are redeemed at a server, what stands open with them, and
//! what was paid.

use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use crate::{
    context::Context,
    desk::{Remote, encoded},
    exit::Exit,
    render,
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the Sovereigns that are trusted
    Ls,
    /// Show the public key that this Sovereign's vouchers are signed with: others trust it
    Key,
    /// Trust a Sovereign, or change how
    Trust {
        /// How it is called here
        name: String,
        /// Its public key, as `windlass sovereigns key` shows it there
        #[arg(long, value_name = "KEY")]
        public_key: String,
        /// What it may owe at a time in each currency, in the smallest unit; 0: it may ask, and nothing of its is redeemed
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
        limit: i64,
        /// Where its API is: https://sovereign.example.net [default: nothing is asked of it]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// The organisation here that redeems its vouchers [default: the platform]
        #[arg(long, value_name = "NAME")]
        organisation: Option<String>,
    },
    /// Trust a Sovereign no more; what it owes stays booked
    Rm {
        /// Which one
        name: String,
    },
    /// List claims between this Sovereign and another one
    Claims {
        /// Which one
        name: String,
    },
    /// Book what was paid to or by a Sovereign: the money itself goes outside Windlass
    Pay {
        /// Which one
        name: String,
        /// `received`: it paid; `made`: it was paid
        #[arg(value_parser = ["received", "made"])]
        direction: String,
        /// How much, in the currency's smallest unit
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        amount: i64,
        /// ISO 4217: EUR
        currency: String,
        /// What the bank calls it: the same is booked once
        reference: String,
        /// The organisation here that it is booked for [default: the one that redeems its vouchers]
        #[arg(long, value_name = "NAME")]
        organisation: Option<String>,
    },
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    let Some(remote) = context.remote()? else {
        return Err(Problem::new(Code::Usage, "Sovereigns are trusted and paid at a server")
            .help("name it with --server or WINDLASS_SERVER; `windlass dev` says its address"));
    };
    match command {
        Command::Ls => {
            let all: Vec<Value> = remote.get("/sovereigns")?;
            context.print(&all, || table(&all));
        }
        Command::Key => {
            let key: Value = remote.get("/vouchers/key")?;
            context.print(&key, || text(&key, "public_key").to_owned());
        }
        Command::Trust { name, public_key, limit, url, organisation } => {
            let mut body = json!({ "public_key": public_key, "limit": limit });
            let given = [("url", url), ("organisation", organisation)];
            given.into_iter().for_each(|(key, value)| {
                if let Some(value) = value {
                    body[key] = value.as_str().into();
                }
            });
            let now: Value = remote.put(&of(name), &body)?;
            context.print(&now, || table(std::slice::from_ref(&now)));
        }
        Command::Rm { name } => {
            remote.delete(&of(name))?;
            context.print(&json!({ "name": name, "trusted": false }), || format!("`{name}` isn't trusted any more"));
        }
        Command::Claims { name } => claims(&remote.get::<Vec<Value>>(&format!("{}/claims", of(name)))?, context),
        Command::Pay { name, direction, amount, currency, reference, organisation } => {
            pay(&remote, name, (direction, *amount, currency, reference, organisation.as_deref()), context)?;
        }
    }
    Ok(Exit::Success)
}

/// Which way, how much, in what, under which name at the bank, and whose.
type Paid<'a> = (&'a str, i64, &'a str, &'a str, Option<&'a str>);

fn pay(remote: &Remote, name: &str, paid: Paid<'_>, context: &Context) -> Result<(), Problem> {
    let (direction, amount, currency, reference, organisation) = paid;
    let mut body = json!({ "direction": direction, "amount": amount, "currency": currency, "reference": reference });
    if let Some(organisation) = organisation {
        body["organisation"] = organisation.into();
    }
    let booked: Value = remote.post(&format!("{}/payments", of(name)), &body)?;
    context.print(&booked, || format!("booked as {}", text(&booked, "transaction")));
    Ok(())
}

fn of(name: &str) -> String {
    format!("/sovereigns/{}", encoded(name))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn table(all: &[Value]) -> String {
    let rows = all.iter().map(|one| {
        let cells = ["name", "organisation", "key", "url"].map(|key| text(one, key).to_owned());
        cells.into_iter().chain([one["limit"].to_string()]).collect()
    });
    match all.is_empty() {
        true => "no Sovereign is trusted".to_owned(),
        false => render::table(&["name", "organisation", "key", "API", "limit (smallest unit)"], rows.collect()),
    }
}

fn claims(all: &[Value], context: &Context) {
    context.print(&all, || {
        let rows = all.iter().map(|one| {
            let amount = render::money(&one["amount"], &one["currency"]);
            let cells = ["id", "direction", "voucher", "state", "reason"].map(|key| text(one, key).to_owned());
            cells.into_iter().chain([amount]).collect()
        });
        match all.is_empty() {
            true => "there are no claims".to_owned(),
            false => render::table(&["id", "direction", "voucher", "state", "reason", "amount"], rows.collect()),
        }
    });
}
