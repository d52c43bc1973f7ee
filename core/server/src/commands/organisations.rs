//! `windlass organisations …`: who is under whom, in this data folder or at a server.

use serde_json::{Value, json};
use windlass_api::{
    auth::kept::{Organisation, OrganisationKind},
    organisations::{
        quota::Quota,
        rules::{self, NewOrganisation},
        tree,
    },
    vouchers::revoke_all,
};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, document::DocumentFilter};

use super::users::by;
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
    /// List organisations
    Ls {
        /// Only those under this one
        #[arg(long, value_name = "NAME")]
        parent: Option<String>,
    },
    /// Make an organisation
    Create {
        /// Its name, which never changes
        name: String,
        /// How people call it
        #[arg(long, default_value = "")]
        title: String,
        /// What it is
        #[arg(long, value_parser = ["franchisee", "customer"], default_value = "customer")]
        kind: String,
        /// The organisation that it is under [default: the platform; at a server, the one that you manage]
        #[arg(long, value_name = "NAME")]
        parent: Option<String>,
    },
    /// Show an organisation
    Show {
        /// Its name
        name: String,
    },
    /// Keep an organisation's members from acting, and those of the ones under it
    Suspend {
        /// Its name
        name: String,
        /// Why: its members are told
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let an organisation's members act again
    Resume {
        /// Its name
        name: String,
    },
    /// Remove an organisation: an empty one, or one that is suspended with all that is its own
    Remove {
        /// Its name
        name: String,
        /// With its members, tokens, secrets, schedules and plugins; it has to be suspended
        #[arg(long)]
        offboard: bool,
    },
    /// How much an organisation has, and how much it may have
    Usage {
        /// Its name
        name: String,
    },
}

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
        Command::Ls { parent } => list(&place.all(parent.as_deref())?, context),
        Command::Create { name, title, kind, parent } => {
            let made = place.create(name, title, kind, parent.as_deref())?;
            context.print(&made, || {
                format!("{} is there; `windlass invitations create` invites who manages it", text(&made, "name"))
            });
        }
        Command::Show { name } => show(&place.find(name)?, context),
        Command::Suspend { name, reason } => show(&place.suspend(name, Some(reason))?, context),
        Command::Resume { name } => show(&place.suspend(name, None)?, context),
        Command::Remove { name, offboard } => {
            place.remove(name, *offboard)?;
            context.print(&json!({ "name": name, "removed": true }), || format!("{name} is gone"));
        }
        Command::Usage { name } => usage(&place.usage(name)?, context),
    }
    Ok(Exit::Success)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn view(organisation: &Organisation) -> Value {
    let body = &organisation.body;
    let mut view = json!({ "name": organisation.id, "title": body.title, "kind": tree::kind(organisation),
                           "suspended": body.suspended, "quotas": body.quotas,
                           "created_at_ms": organisation.created_at_ms, "version": organisation.version });
    if let Some(parent) = tree::parent(organisation) {
        view["parent"] = parent.into();
    }
    if !body.reason.is_empty() {
        view["reason"] = body.reason.as_str().into();
    }
    view
}

fn path(name: &str) -> String {
    format!("/organisations/{}", encoded(name))
}

fn kept(engine: &Engine, name: &str) -> Result<Organisation, Problem> {
    Organisation::find(engine, &name.to_ascii_lowercase())?.ok_or_else(|| {
        Problem::new(Code::NotFound, format!("there is no organisation `{name}`"))
            .help("`windlass organisations ls` lists them")
    })
}

impl Place<'_> {
    fn all(&self, parent: Option<&str>) -> Result<Vec<Value>, Problem> {
        match self {
            Self::Here(session, _) => {
                let fits = |one: &Organisation| parent.is_none_or(|asked| tree::parent(one) == Some(asked));
                Ok(Organisation::all(session.engine(), &DocumentFilter::default(), fits)?.iter().map(view).collect())
            }
            Self::There(remote) => {
                let query: Vec<(&str, String)> = parent.iter().map(|parent| ("parent", (*parent).to_owned())).collect();
                remote.list("/organisations", &query, usize::MAX)
            }
        }
    }

    fn create(&self, name: &str, title: &str, kind: &str, parent: Option<&str>) -> Result<Value, Problem> {
        match self {
            Self::Here(session, context) => {
                let kind = if kind == "franchisee" { OrganisationKind::Franchisee } else { OrganisationKind::Customer };
                let new = NewOrganisation {
                    name: name.to_owned(),
                    title: title.to_owned(),
                    kind,
                    parent: parent.map(str::to_owned),
                    ..NewOrganisation::default()
                };
                let uids = session.config().hosts.exec.uid_count;
                rules::create(session.engine(), &by(context), &new, uids).map(|made| view(&made))
            }
            Self::There(remote) => {
                remote.post("/organisations", &json!({ "name": name, "title": title, "kind": kind, "parent": parent }))
            }
        }
    }

    fn find(&self, name: &str) -> Result<Value, Problem> {
        match self {
            Self::Here(session, _) => kept(session.engine(), name).map(|found| view(&found)),
            Self::There(remote) => remote.get(&path(name)),
        }
    }

    fn suspend(&self, name: &str, reason: Option<&str>) -> Result<Value, Problem> {
        match self {
            Self::Here(session, context) => {
                let (engine, name) = (session.engine(), kept(session.engine(), name)?.id);
                let changed = match reason {
                    Some(reason) => rules::suspend(engine, &by(context), &name, reason),
                    None => rules::resume(engine, &by(context), &name),
                };
                changed.map(|changed| view(&changed))
            }
            Self::There(remote) => match reason {
                Some(reason) => remote.post(&format!("{}/suspend", path(name)), &json!({ "reason": reason })),
                None => remote.post(&format!("{}/resume", path(name)), &json!({})),
            },
        }
    }

    fn remove(&self, name: &str, offboard: bool) -> Result<(), Problem> {
        match self {
            Self::Here(session, context) => {
                let found = kept(session.engine(), name)?;
                let removing = |work: &mut dyn FnMut() -> Result<(), Problem>| session.vault().removing(work);
                let by = by(context);
                rules::remove(session.engine(), &by, &found, offboard, &removing)?;
                revoke_all(session.engine(), name, (&by.actor, &by.source)).map(drop)
            }
            Self::There(remote) => remote.delete(&format!("{}?offboard={offboard}", path(name))),
        }
    }

    fn usage(&self, name: &str) -> Result<Value, Problem> {
        match self {
            Self::Here(session, _) => {
                let (engine, found) = (session.engine(), kept(session.engine(), name)?);
                let mut items = Vec::new();
                for quota in Quota::ALL {
                    let together = quota.used_with_below(engine, &found.id)?;
                    items.push(json!({ "quota": quota, "limit": quota.of(&found.body.quotas),
                                       "used": quota.used(engine, &found.id)?, "together": together }));
                }
                Ok(json!({ "organisation": found.id, "items": items }))
            }
            Self::There(remote) => remote.get(&format!("{}/usage", path(name))),
        }
    }
}

fn state(organisation: &Value) -> &'static str {
    if organisation["suspended"] == true { "suspended" } else { "active" }
}

fn list(all: &[Value], context: &Context) {
    context.print(&all, || {
        let own = |one: &Value, key| text(one, key).to_owned();
        let rows = all.iter().map(|one| {
            vec![own(one, "name"), own(one, "title"), own(one, "kind"), own(one, "parent"), state(one).to_owned()]
        });
        render::table(&["name", "title", "kind", "under", "state"], rows.collect())
    });
}

fn show(organisation: &Value, context: &Context) {
    context.print(organisation, || {
        let reason = text(organisation, "reason");
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let under = match text(organisation, "parent") {
            "" => String::new(),
            parent => format!(" under {parent}"),
        };
        let (name, kind) = (text(organisation, "name"), text(organisation, "kind"));
        format!("{name} ({}): a {kind}{under}, {}{why}", text(organisation, "title"), state(organisation))
    });
}

fn usage(usage: &Value, context: &Context) {
    context.print(usage, || {
        let number = |value: &Value| value.as_u64().map_or("-".to_owned(), |number| number.to_string());
        let rows = usage["items"].as_array().into_iter().flatten().map(|item| {
            vec![
                text(item, "quota").to_owned(),
                number(&item["used"]),
                number(&item["together"]),
                number(&item["limit"]),
            ]
        });
        render::table(&["of", "used", "with those under it", "limit"], rows.collect())
    });
}
