//! `windlass tokens …`: API tokens, straight on the database.

use serde_json::json;
use windlass_api::auth::{
    kept::{Token, now_ms},
    tokens::{self, NewToken},
};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, document::DocumentFilter, time::parse_duration_ms};

use super::users;
use crate::{context::Context, exit::Exit, render};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Issue a token; it is printed once
    Issue {
        /// What people call it
        name: String,
        /// Whose it is: it can never do more than they can
        #[arg(long)]
        user: String,
        /// What it may do at most: ROLE, or ROLE@ORGANISATION/FOLDER (may be given several times) [default: all that the user may]
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// When it ends: `90d`, or `never`
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

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    context.with(|session| {
        let engine = session.engine();
        match command {
            Command::Issue { name, user, roles, expires } => issue(engine, context, name, user, roles, expires)?,
            Command::Ls { user } => list(engine, context, user.as_deref())?,
            Command::Revoke { id } => {
                let token = Token::find(engine, id)?.ok_or_else(|| {
                    Problem::new(Code::NotFound, format!("there is no token `{id}`"))
                        .help("`windlass tokens ls` lists them")
                })?;
                tokens::revoke(engine, &users::by(context), &token)?;
                context.print(&json!({ "id": id, "done": "revoked" }), || format!("{id} is revoked"));
            }
        }
        Ok(Exit::Success)
    })
}

fn issue(
    engine: &Engine,
    context: &Context,
    name: &str,
    user: &str,
    roles: &[String],
    expires: &str,
) -> Result<(), Problem> {
    let expires_at_ms = match expires {
        "never" => None,
        time => {
            let length = parse_duration_ms(time)
                .map_err(|error| Problem::new(Code::Usage, format!("`--expires {time}`: {error}")))?;
            Some(now_ms() + length)
        }
    };
    let organisation = windlass_api::auth::kept::User::require(engine, user)?.organisation;
    let bindings = roles.iter().map(|role| users::binding(role, &organisation)).collect::<Result<_, _>>()?;
    let new = NewToken { name: name.to_owned(), user: user.to_owned(), bindings, expires_at_ms };
    let issued = tokens::issue_by(engine, &users::by(context), new)?;
    let json = json!({ "id": issued.id, "token": issued.token, "expires_at_ms": expires_at_ms });
    context.print(&json, || issued.token.clone());
    Ok(())
}

fn list(engine: &Engine, context: &Context, user: Option<&str>) -> Result<(), Problem> {
    let fits = |token: &Token| user.is_none_or(|user| token.body.user == user);
    let all = Token::all(engine, &DocumentFilter::default(), fits)?;
    context.print(&all.iter().map(tokens::view).collect::<Vec<_>>(), || {
        if all.is_empty() {
            return "no tokens".to_owned();
        }
        let time = |at: Option<i64>, none: &str| at.map_or_else(|| none.to_owned(), render::clock);
        let rows = all.iter().map(|token| {
            let roles = token.body.bindings.iter().map(users::written).collect::<Vec<_>>().join(" ");
            let (used, ends) = (time(token.body.used_at_ms, "never"), time(token.expires_at_ms, "never"));
            vec![token.id.clone(), token.body.name.clone(), token.body.user.clone(), roles, used, ends]
        });
        render::table(&["id", "name", "user", "roles at most", "used", "ends"], rows.collect())
    });
    Ok(())
}
