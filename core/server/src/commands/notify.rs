//! `windlass notify …`: whom to tell of what, in this data folder or at a server.

use serde_json::{Value, json};
use windlass_api::{
    auth::kept::PLATFORM,
    notifications::{
        self,
        kept::{Notice, NotifyRule, Target},
        rules::{self, RuleSettings},
        targets::{self, NewTarget},
    },
    triggers::kept::About,
};
use windlass_model::{Code, Problem, document::DocumentFilter};

use super::users;
use crate::{
    context::Context,
    desk::{Remote, encoded},
    exit::Exit,
    render,
    services::Secrets,
    session::Session,
    telling::Post,
};

/// Deliveries that are listed.
const DELIVERIES: usize = 100;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Where messages go
    #[command(subcommand)]
    Targets(Targets),
    /// Which events are told to which targets
    #[command(subcommand)]
    Rules(Rules),
    /// What was told, and what is still to be
    #[command(subcommand)]
    Deliveries(Deliveries),
    /// Send a test message to a target
    Test {
        /// Its name or id
        target: String,
    },
}

/// Of targets.
#[derive(Debug, clap::Subcommand)]
pub enum Targets {
    /// List targets, without their addresses and secrets
    Ls,
    /// Make a target: `windlass notify targets add ops slack < url`
    Add {
        /// How rules and scripts call it
        name: String,
        /// The way
        #[arg(value_parser = ["email", "ntfy", "discord", "slack", "mattermost", "webhook"])]
        way: String,
        /// The address: `env:NAME` or `file:/path`; one that is no secret may stand here itself
        #[arg(long, value_name = "WHERE")]
        url: Option<String>,
        /// The token (ntfy) or the key (webhook): `env:NAME` or `file:/path`
        #[arg(long, value_name = "WHERE")]
        secret: Option<String>,
        /// Who gets the mail (may be given several times)
        #[arg(long = "to", value_name = "ADDRESS")]
        to: Vec<String>,
        /// The organisation that it belongs to [default: platform, or yours]
        #[arg(long, value_name = "ORGANISATION")]
        organisation: Option<String>,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
    },
    /// Remove a target that no rule names
    Rm {
        /// Its name or id
        target: String,
    },
}

/// Of rules.
#[derive(Debug, clap::Subcommand)]
pub enum Rules {
    /// List rules
    Ls,
    /// Make a rule
    Add {
        /// How people will call it
        name: String,
        /// What it says, as JSON (the API's `RuleSettings`): a text, or `@file`
        settings: String,
        /// The organisation that it belongs to [default: platform, or yours]
        #[arg(long, value_name = "ORGANISATION")]
        organisation: Option<String>,
    },
    /// Remove a rule
    Rm {
        /// Its name or id
        rule: String,
    },
}

/// Of deliveries.
#[derive(Debug, clap::Subcommand)]
pub enum Deliveries {
    /// List the newest
    Ls {
        /// In this state
        #[arg(long, value_parser = ["pending", "delivered", "dead", "digested"])]
        state: Option<String>,
    },
    /// Tell a message that was given up
    Retry {
        /// Its id
        id: String,
    },
}

/// Where they are kept.
enum Place<'a> {
    Here(&'a Session, &'a Context),
    There(&'a Remote),
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    context.at(
        |remote| at(&Place::There(remote), command, context),
        |session| at(&Place::Here(session, context), command, context),
    )
}

fn at(place: &Place<'_>, command: &Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Targets(Targets::Ls) => {
            table(place.all("targets")?, &["name", "way", "url", "to", "organisation"], context)
        }
        Command::Targets(Targets::Add { name, way, url, secret, to, organisation, description }) => {
            let new = json!({
                "name": name, "way": way, "url": value(url.as_deref(), "--url")?, "to": to, "description": description,
                "secret": value(secret.as_deref(), "--secret")?, "organisation": organisation,
            });
            made(&place.add_target(new)?, context);
        }
        Command::Targets(Targets::Rm { target }) => removed(place, "targets", target, context)?,
        Command::Rules(Rules::Ls) => {
            table(place.all("rules")?, &["name", "on", "severity", "targets", "organisation"], context)
        }
        Command::Rules(Rules::Add { name, settings, organisation }) => {
            let mut new = object(settings)?;
            (new["name"], new["organisation"]) = (name.as_str().into(), json!(organisation));
            made(&place.add_rule(new)?, context);
        }
        Command::Rules(Rules::Rm { rule }) => removed(place, "rules", rule, context)?,
        Command::Deliveries(Deliveries::Ls { state }) => {
            let mut all = place.all("deliveries")?;
            all.retain(|one| state.as_ref().is_none_or(|state| one["state"] == state.as_str()));
            for one in &mut all {
                one["title"] = one["message"]["title"].clone();
            }
            table(all, &["id", "state", "target", "title", "attempts", "reason"], context);
        }
        Command::Deliveries(Deliveries::Retry { id }) => {
            let again = place.retry(id)?;
            context.print(&again, || format!("{id} is sent again"));
        }
        Command::Test { target } => {
            let tested = place.test(&place.find("targets", target)?)?;
            context.print(&tested, || match tested["delivered"] == true {
                true => "delivered".into(),
                false => format!("not delivered: {}", text(&tested["reason"])),
            });
            if tested["delivered"] != true {
                return Ok(Exit::Failure);
            }
        }
    }
    Ok(Exit::Success)
}

/// What stands where an option says.
fn value(given: Option<&str>, option: &str) -> Result<String, Problem> {
    let wrong = |why: String| Problem::new(Code::Usage, format!("`{option}`: {why}"));
    let Some(given) = given else { return Ok(String::new()) };
    let found = match (given.strip_prefix("env:"), given.strip_prefix("file:")) {
        (Some(name), _) => std::env::var(name).map_err(|_| wrong(format!("{name} isn't set")))?,
        (_, Some(path)) => std::fs::read_to_string(path).map_err(|error| wrong(format!("{path}: {error}")))?,
        _ => given.to_owned(),
    };
    Ok(found.trim().to_owned())
}

fn object(settings: &str) -> Result<Value, Problem> {
    let wrong = |why: String| Problem::new(Code::Usage, format!("the settings of the rule: {why}"));
    let text = match settings.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| wrong(format!("{path}: {error}")))?,
        None => settings.to_owned(),
    };
    let value: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if value.is_object() { Ok(value) } else { Err(wrong("that isn't a JSON object".into())) }
}

impl Place<'_> {
    fn all(&self, what: &str) -> Result<Vec<Value>, Problem> {
        let Self::Here(session, _) = self else {
            let Self::There(remote) = self else { return Ok(Vec::new()) };
            let most = if what == "deliveries" { DELIVERIES } else { usize::MAX };
            return remote.list(&format!("/notifications/{what}"), &[], most);
        };
        let (engine, filter) = (session.engine(), DocumentFilter::default());
        Ok(match what {
            "targets" => Target::all(engine, &filter, |_| true)?.iter().map(|one| json!(targets::view(one))).collect(),
            "rules" => NotifyRule::all(engine, &filter, |_| true)?.iter().map(|one| json!(rules::view(one))).collect(),
            _ => {
                let found = notifications::all_deliveries(engine, filter, DELIVERIES, |_| true)?;
                found.iter().map(|one| json!(notifications::delivery_view(one))).collect()
            }
        })
    }

    /// The one of this name or id.
    fn find(&self, what: &str, word: &str) -> Result<Value, Problem> {
        let mut found = self.all(what)?;
        found.retain(|one| one["id"] == word || one["name"] == word);
        match (found.pop(), found.is_empty()) {
            (Some(one), true) => Ok(one),
            (Some(_), false) => {
                Err(Problem::new(Code::Usage, format!("several organisations have `{word}`")).help("give its id"))
            }
            (None, _) => Err(Problem::new(Code::NotFound, format!("there is no `{word}`"))
                .help(format!("`ls` of the {what} lists them"))),
        }
    }

    fn about(&self, name: &str, organisation: Option<String>) -> Result<About, Problem> {
        let Self::Here(session, context) = self else { return Ok(About::default()) };
        let organisation = organisation.unwrap_or_else(|| PLATFORM.to_owned());
        windlass_api::auth::users::require_organisation(session.engine(), &organisation)?;
        Ok(About { name: name.to_owned(), organisation, owner: context.who(), ..About::default() })
    }

    fn add_target(&self, new: Value) -> Result<Value, Problem> {
        match self {
            Self::There(remote) => remote.post("/notifications/targets", &new),
            Self::Here(session, context) => {
                let mut new: NewTarget = read(new)?;
                let about = About {
                    description: std::mem::take(&mut new.description),
                    ..self.about(&new.name, new.organisation.take())?
                };
                let (secrets, post) = (secrets(session), post(session)?);
                let made = targets::create(session.engine(), &users::by(context), about, (&secrets, &post), new)?;
                Ok(json!(targets::view(&made)))
            }
        }
    }

    fn add_rule(&self, mut new: Value) -> Result<Value, Problem> {
        match self {
            Self::There(remote) => remote.post("/notifications/rules", &new),
            Self::Here(session, context) => {
                let organisation = new["organisation"].as_str().map(str::to_owned);
                let about = self.about(new["name"].as_str().unwrap_or_default(), organisation)?;
                if let Some(fields) = new.as_object_mut() {
                    fields.retain(|key, _| key != "name" && key != "organisation");
                }
                let post = post(session)?;
                let settings: RuleSettings = read(new)?;
                let made = rules::create(session.engine(), &users::by(context), about, Some(&post), settings)?;
                Ok(json!(rules::view(&made)))
            }
        }
    }

    fn remove(&self, what: &str, found: &Value) -> Result<(), Problem> {
        let id = text(&found["id"]);
        match self {
            Self::There(remote) => remote.delete(&format!("/notifications/{what}/{id}")),
            Self::Here(session, context) if what == "targets" => {
                let target = Target::require(session.engine(), &id)?;
                targets::remove(session.engine(), &users::by(context), &target)
            }
            Self::Here(session, context) => {
                rules::remove(session.engine(), &users::by(context), &NotifyRule::require(session.engine(), &id)?)
            }
        }
    }

    fn retry(&self, id: &str) -> Result<Value, Problem> {
        match self {
            Self::There(remote) => remote.post(&format!("/notifications/deliveries/{}/retry", encoded(id)), &json!({})),
            Self::Here(session, context) => {
                let notice = Notice::require(session.engine(), id)?;
                let again = notifications::again(session.engine(), &users::by(context), &notice)?;
                Ok(json!(notifications::delivery_view(&again)))
            }
        }
    }

    fn test(&self, target: &Value) -> Result<Value, Problem> {
        let id = text(&target["id"]);
        match self {
            Self::There(remote) => remote.post(&format!("/notifications/targets/{id}/test"), &json!({})),
            Self::Here(session, context) => {
                let target = Target::require(session.engine(), &id)?;
                Ok(json!(targets::tell(&secrets(session), &post(session)?, &target, &context.who())?))
            }
        }
    }
}

fn secrets(session: &Session) -> Secrets {
    Secrets::new(session.shared_vault(), session.scripts().sandbox.clone())
}

fn post(session: &Session) -> Result<Post, Problem> {
    Post::new(&session.config().hosts, session.shared_vault(), session.runtime().clone())
}

fn removed(place: &Place<'_>, what: &str, word: &str, context: &Context) -> Result<(), Problem> {
    let found = place.find(what, word)?;
    place.remove(what, &found)?;
    context.print(&json!({ "id": found["id"], "done": "removed" }), || format!("{} is removed", text(&found["name"])));
    Ok(())
}

fn made(made: &Value, context: &Context) {
    context.print(made, || format!("{}  {}", text(&made["name"]), text(&made["id"])));
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value)
        .map_err(|error| Problem::new(Code::InvalidInput, format!("it can't be read: {error}")))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn table(all: Vec<Value>, columns: &[&str], context: &Context) {
    context.print(&all, || {
        if all.is_empty() {
            return "none".into();
        }
        let row = |one: &Value| columns.iter().map(|column| text(&one[*column])).collect();
        render::table(columns, all.iter().map(row).collect())
    });
}
