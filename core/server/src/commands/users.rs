//! `windlass users …`: straight on the database, for the first admin and for the day when nobody can log in.

use serde_json::{Value, json};
use windlass_api::{
    Role,
    auth::{
        binding::Binding,
        kept::{By, PLATFORM, User, UserBody},
        made_password, users,
    },
};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, document::DocumentFilter};

use super::input;
use crate::{context::Context, exit::Exit, render};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a user; prints a password for them, or reads one from standard input
    Create {
        /// Their name
        name: String,
        /// The organisation that they belong to
        #[arg(long, value_name = "NAME", default_value = PLATFORM)]
        organisation: String,
        /// How people call them
        #[arg(long, default_value = "")]
        title: String,
        /// Where mail reaches them
        #[arg(long)]
        email: Option<String>,
        /// What they may do: ROLE, or ROLE@ORGANISATION/FOLDER (may be given several times)
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List users
    Ls,
    /// Give a user a new password; ends their sessions
    ResetPassword {
        /// Their name
        name: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
        /// Remove the second factor, too
        #[arg(long)]
        remove_totp: bool,
    },
    /// Give a user a role: ROLE, or ROLE@ORGANISATION/FOLDER; `admin@*` is everything
    Grant {
        /// Their name
        name: String,
        /// The role
        role: String,
    },
    /// Take a role from a user
    Revoke {
        /// Their name
        name: String,
        /// The role, as `windlass users ls` shows it
        role: String,
    },
    /// Keep a user out
    Disable {
        /// Their name
        name: String,
    },
    /// Let a user in again
    Enable {
        /// Their name
        name: String,
    },
}

/// Who acts from the command line, for the audit log.
pub fn by(context: &Context) -> By {
    By { actor: context.who(), source: "cli".into() }
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    context.with(|session| {
        let engine = session.engine();
        match command {
            Command::Ls => list(engine, context)?,
            Command::Create { name, organisation, title, email, roles, password_stdin } => {
                let bindings = roles.iter().map(|role| binding(role, organisation)).collect::<Result<_, _>>()?;
                let body = UserBody { title: title.clone(), email: email.clone(), bindings, ..UserBody::default() };
                create(engine, context, (name, organisation), body, *password_stdin)?;
            }
            Command::ResetPassword { name, password_stdin, remove_totp } => {
                reset(engine, context, name, *password_stdin, *remove_totp)?;
            }
            Command::Grant { name, role } => change(engine, context, name, "user.update", |user, body| {
                let binding = binding(role, &user.organisation)?;
                body.bindings.retain(|held| *held != binding);
                body.bindings.push(binding);
                Ok(())
            })?,
            Command::Revoke { name, role } => change(engine, context, name, "user.update", |user, body| {
                let binding = binding(role, &user.organisation)?;
                if !body.bindings.contains(&binding) {
                    let message = format!("{name} doesn't hold `{}`", written(&binding));
                    return Err(Problem::new(Code::NotFound, message).help("`windlass users ls` shows what they hold"));
                }
                body.bindings.retain(|held| *held != binding);
                Ok(())
            })?,
            Command::Disable { name } => change(engine, context, name, "user.disable", |_, body| {
                body.disabled = true;
                Ok(())
            })?,
            Command::Enable { name } => change(engine, context, name, "user.enable", |_, body| {
                body.disabled = false;
                Ok(())
            })?,
        }
        Ok(Exit::Success)
    })
}

fn create(
    engine: &Engine,
    context: &Context,
    (name, organisation): (&str, &str),
    mut body: UserBody,
    stdin: bool,
) -> Result<(), Problem> {
    let name = users::checked_name(name)?;
    let (password, made) = password(stdin)?;
    body.password = Some(users::hashed(&password, &name)?);
    let user = users::create(engine, &by(context), &name, organisation, body)?;
    tell(context, &user, made);
    Ok(())
}

fn reset(engine: &Engine, context: &Context, name: &str, stdin: bool, remove_totp: bool) -> Result<(), Problem> {
    let user = require(engine, name)?;
    let (password, made) = password(stdin)?;
    users::set_password(engine, &by(context), &user, &password, None)?;
    if remove_totp {
        let user = require(engine, name)?;
        let body = UserBody { totp: None, ..user.body.clone() };
        users::update(engine, &by(context), "user.totp_disable", &user, body)?;
    }
    tell(context, &require(engine, name)?, made);
    Ok(())
}

fn tell(context: &Context, user: &User, made: Option<String>) {
    let mut shown = users::view(user);
    if let Some(password) = &made {
        shown["password"] = json!(password);
    }
    context.print(&shown, || match made {
        Some(password) => format!("{} can log in with the password {password}", user.id),
        None => format!("{} can log in with that password", user.id),
    });
}

fn change(
    engine: &Engine,
    context: &Context,
    name: &str,
    action: &str,
    change: impl FnOnce(&User, &mut UserBody) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let user = require(engine, name)?;
    let mut body = user.body.clone();
    change(&user, &mut body)?;
    let changed = users::update(engine, &by(context), action, &user, body)?;
    let roles = roles(&changed);
    context.print(&users::view(&changed), || match changed.body.disabled {
        true => format!("{name} is kept out"),
        false => format!("{name} holds {}", if roles.is_empty() { "nothing".into() } else { roles }),
    });
    Ok(())
}

fn require(engine: &Engine, name: &str) -> Result<User, Problem> {
    User::find(engine, &name.to_ascii_lowercase())?.ok_or_else(|| {
        Problem::new(Code::NotFound, format!("there is no user `{name}`")).help("`windlass users ls` lists them")
    })
}

/// The password, and the same if it was made up here.
fn password(stdin: bool) -> Result<(String, Option<String>), Problem> {
    if stdin {
        let text = input::read_stdin()?;
        return Ok((text.trim_end_matches(['\n', '\r']).to_owned(), None));
    }
    let made = made_password();
    Ok((made.clone(), Some(made)))
}

/// `operator@acme/lab`: the role, the organisation, the folder. `operator` alone holds in the user's organisation.
pub fn binding(text: &str, organisation: &str) -> Result<Binding, Problem> {
    let (role, place) = text.split_once('@').unwrap_or((text, organisation));
    let (organisation, folder) = place.split_once('/').unwrap_or((place, "*"));
    let role: Role = serde_json::from_value(Value::from(role)).map_err(|_| {
        Problem::new(Code::Usage, format!("there is no role `{role}`"))
            .help("roles are viewer, operator, franchisee and admin; `operator@acme/lab` holds for a folder only")
    })?;
    Ok(Binding { folder: folder.to_owned(), ..Binding::new(role, organisation) })
}

/// As `binding` reads it.
pub fn written(binding: &Binding) -> String {
    let role = serde_json::to_value(binding.role).unwrap_or_default();
    let folder = if binding.folder == "*" { String::new() } else { format!("/{}", binding.folder) };
    format!("{}@{}{folder}", role.as_str().unwrap_or_default(), binding.organisation)
}

fn roles(user: &User) -> String {
    user.body.bindings.iter().map(written).collect::<Vec<_>>().join(" ")
}

fn list(engine: &Engine, context: &Context) -> Result<(), Problem> {
    let all = User::all(engine, &DocumentFilter::default(), |_| true)?;
    context.print(&all.iter().map(users::view).collect::<Vec<_>>(), || {
        let rows = all.iter().map(|user| {
            let state = match user.body.disabled {
                true => "disabled",
                false if users::has_totp(user) => "password and code",
                false if user.body.password.is_some() => "password",
                false => "no password",
            };
            let email = user.body.email.clone().unwrap_or_default();
            vec![user.id.clone(), user.organisation.clone(), roles(user), state.to_owned(), email]
        });
        if all.is_empty() {
            return "no users: `windlass users create NAME --role 'admin@*'` makes the first".to_owned();
        }
        render::table(&["name", "organisation", "roles", "logs in with", "e-mail"], rows.collect())
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_they_are_written() {
        for text in ["admin@*", "operator@acme/lab", "viewer@acme/lab/grid", "franchisee@acme"] {
            assert_eq!(written(&binding(text, "platform").unwrap()), text);
        }
        assert_eq!(written(&binding("viewer", "acme").unwrap()), "viewer@acme");
        assert_eq!(binding("owner@*", "acme").unwrap_err().code, Code::Usage);
    }
}
