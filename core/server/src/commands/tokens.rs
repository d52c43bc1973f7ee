//! `windlass tokens …`: API tokens, at a server, or straight on the database.

use serde_json::{Value, json};
use windlass_api::auth::{
    binding::Binding,
    kept::{PLATFORM, Token, User, now_ms},
    tokens::{self, NewToken},
};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, document::DocumentFilter, time::parse_duration_ms};

use super::users;
use crate::{
    context::Context,
    desk::{Remote, encoded},
    exit::Exit,
    render,
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Issue a token; it is printed once
    Issue {
        /// What people call it
        name: String,
        /// Whose it is: it can never do more than they can. At a server: you
        #[arg(long)]
        user: Option<String>,
        /// What it may do at most: ROLE, or ROLE@ORGANISATION/FOLDER (may be given several times) [default: all that the user may]
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// When it ends: `90d`, or `never`; at a server after a year at most
        #[arg(long, value_name = "TIME", default_value = "90d")]
        expires: String,
    },
    /// List tokens, without what makes them one
    Ls {
        /// Of this user only
        #[arg(long)]
        user: Option<String>,
    },
    /// End a token
    Revoke {
        /// Its id
        id: String,
    },
}

/// Where tokens are kept.
enum Place<'a> {
    Here(&'a Engine, &'a Context),
    There(&'a Remote),
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    context.at(
        |remote| at(&Place::There(remote), command, context),
        |session| at(&Place::Here(session.engine(), context), command, context),
    )
}

fn at(place: &Place<'_>, command: &Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Issue { name, user, roles, expires } => {
            let expires_at_ms = end(expires)?;
            let issued = place.issue(name, user.as_deref(), roles, expires_at_ms)?;
            context.print(&issued, || issued["token"].as_str().unwrap_or_default().to_owned());
        }
        Command::Ls { user } => {
            let mut all = place.all()?;
            all.retain(|token| user.as_ref().is_none_or(|user| token["user"] == user.as_str()));
            list(all, context);
        }
        Command::Revoke { id } => {
            place.revoke(id)?;
            context.print(&json!({ "id": id, "done": "revoked" }), || format!("{id} is revoked"));
        }
    }
    Ok(Exit::Success)
}

/// When a token ends that is issued now.
fn end(expires: &str) -> Result<Option<i64>, Problem> {
    if expires == "never" {
        return Ok(None);
    }
    let length = parse_duration_ms(expires)
        .map_err(|error| Problem::new(Code::Usage, format!("`--expires {expires}`: {error}")))?;
    Ok(Some(now_ms() + length))
}

impl Place<'_> {
    fn issue(
        &self,
        name: &str,
        user: Option<&str>,
        roles: &[String],
        expires_at_ms: Option<i64>,
    ) -> Result<Value, Problem> {
        match self {
            Self::Here(engine, context) => {
                let user = user.ok_or_else(|| {
                    Problem::new(Code::Usage, "whose token is it to be?").help("name the user with --user")
                })?;
                let bindings = bindings(roles, || Ok(User::require(engine, user)?.organisation))?;
                let new = NewToken { name: name.to_owned(), user: user.to_owned(), bindings, expires_at_ms };
                let issued = tokens::issue_by(engine, &users::by(context), new)?;
                Ok(json!({ "id": issued.id, "token": issued.token, "expires_at_ms": expires_at_ms }))
            }
            Self::There(remote) => {
                let own: Value = remote.get("/session")?;
                let own = own["user"].as_str().unwrap_or_default();
                if let Some(other) = user.filter(|user| *user != own) {
                    let message = format!("a server issues tokens for whoever asks: that is {own}, not {other}");
                    return Err(Problem::new(Code::Usage, message)
                        .help("ask with a token of theirs, or on the machine with the database, without --server"));
                }
                let Some(expires_at_ms) = expires_at_ms else {
                    let message = "a token that a server issues ends after a year at most";
                    return Err(Problem::new(Code::Usage, message)
                        .help("`--expires 365d`; `never` is for the machine with the database, without --server"));
                };
                let bindings = bindings(roles, || organisation(remote, own))?;
                let body = json!({ "name": name, "bindings": bindings, "expires_at_ms": expires_at_ms });
                let issued: Value = remote.post("/tokens", &body)?;
                Ok(json!({ "id": issued["id"], "token": issued["token"], "expires_at_ms": issued["expires_at_ms"] }))
            }
        }
    }

    fn all(&self) -> Result<Vec<Value>, Problem> {
        match self {
            Self::Here(engine, _) => {
                let all = Token::all(engine, &DocumentFilter::default(), |_| true)?;
                let shown = all.iter().map(|token| {
                    let mut shown = tokens::view(token);
                    shown["created_at_ms"] = token.created_at_ms.into();
                    shown["used_at_ms"] = token.body.used_at_ms.into();
                    shown
                });
                Ok(shown.collect())
            }
            Self::There(remote) => remote.list("/tokens", &[("all", "true".into())], usize::MAX),
        }
    }

    fn revoke(&self, id: &str) -> Result<(), Problem> {
        let none = || {
            Problem::new(Code::NotFound, format!("there is no token `{id}`")).help("`windlass tokens ls` lists them")
        };
        match self {
            Self::Here(engine, context) => {
                tokens::revoke(engine, &users::by(context), &Token::find(engine, id)?.ok_or_else(none)?)
            }
            Self::There(remote) => match remote.delete(&format!("/tokens/{}", encoded(id))) {
                Err(problem) if problem.code == Code::NotFound => Err(none()),
                other => other,
            },
        }
    }
}

/// What a token is to be allowed; a role without a place holds in this organisation.
fn bindings(roles: &[String], organisation: impl FnOnce() -> Result<String, Problem>) -> Result<Vec<Binding>, Problem> {
    let placeless = roles.iter().any(|role| !role.contains('@'));
    let organisation = if placeless { organisation()? } else { String::new() };
    roles.iter().map(|role| users::binding(role, &organisation)).collect()
}

/// The organisation of whoever asks, as far as they may know it.
fn organisation(remote: &Remote, own: &str) -> Result<String, Problem> {
    match remote.get::<Value>(&format!("/users/{}", encoded(own))) {
        Ok(user) => Ok(user["organisation"].as_str().unwrap_or(PLATFORM).to_owned()),
        Err(problem) if matches!(problem.code, Code::NotFound | Code::PermissionDenied) => {
            Err(Problem::new(Code::Usage, "the server doesn't tell you your organisation")
                .help("say where the role holds: ROLE@ORGANISATION"))
        }
        Err(problem) => Err(problem),
    }
}

fn list(all: Vec<Value>, context: &Context) {
    context.print(&all, || {
        if all.is_empty() {
            return "no tokens".to_owned();
        }
        let rows = all.iter().map(|token| {
            let text = |key: &str| token[key].as_str().unwrap_or_default().to_owned();
            let time = |key: &str| token[key].as_i64().map_or_else(|| "never".to_owned(), render::clock);
            let (used, ends) = (time("used_at_ms"), time("expires_at_ms"));
            vec![text("id"), text("name"), text("user"), users::roles(token), used, ends]
        });
        render::table(&["id", "name", "user", "roles at most", "used", "ends"], rows.collect())
    });
}
