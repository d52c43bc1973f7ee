//! `windlass users …`: at a server, or straight on the database, for the first admin and for the day when nobody can log in.

mod place;

use serde_json::{Value, json};
use windlass_api::{
    Role,
    auth::{
        binding::Binding,
        kept::{By, PLATFORM},
        made_password,
    },
};
use windlass_model::{Code, Problem};

use self::place::{NewUser, Place};
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
    context.at(
        |remote| at(&Place::There(remote), command, context),
        |session| at(&Place::Here(session.engine(), context), command, context),
    )
}

fn at(place: &Place<'_>, command: &Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Ls => list(&place.all()?, context),
        Command::Create { name, organisation, title, email, roles, password_stdin } => {
            let bindings = roles.iter().map(|role| binding(role, organisation)).collect::<Result<_, _>>()?;
            let (password, made) = password(*password_stdin)?;
            let user =
                place.create(NewUser { name, organisation, title, email: email.as_deref(), bindings }, &password)?;
            tell(context, user, made);
        }
        Command::ResetPassword { name, password_stdin, remove_totp } => {
            let user = place.find(name)?;
            let (password, made) = password(*password_stdin)?;
            tell(context, place.reset(&user, &password, *remove_totp)?, made);
        }
        Command::Grant { name, role } => change(place, context, name, "user.update", |user, bindings, _| {
            let binding = binding(role, text(user, "organisation"))?;
            bindings.retain(|held| *held != binding);
            bindings.push(binding);
            Ok(())
        })?,
        Command::Revoke { name, role } => change(place, context, name, "user.update", |user, bindings, _| {
            let binding = binding(role, text(user, "organisation"))?;
            if !bindings.contains(&binding) {
                let message = format!("{name} doesn't hold `{}`", written(&binding));
                return Err(Problem::new(Code::NotFound, message).help("`windlass users ls` shows what they hold"));
            }
            bindings.retain(|held| *held != binding);
            Ok(())
        })?,
        Command::Disable { name } => change(place, context, name, "user.disable", |_, _, disabled| {
            *disabled = true;
            Ok(())
        })?,
        Command::Enable { name } => change(place, context, name, "user.enable", |_, _, disabled| {
            *disabled = false;
            Ok(())
        })?,
    }
    Ok(Exit::Success)
}

fn tell(context: &Context, mut user: Value, made: Option<String>) {
    if let Some(password) = &made {
        user["password"] = json!(password);
    }
    context.print(&user, || match made {
        Some(password) => format!("{} can log in with the password {password}", text(&user, "name")),
        None => format!("{} can log in with that password", text(&user, "name")),
    });
}

fn change(
    place: &Place<'_>,
    context: &Context,
    name: &str,
    action: &str,
    change: impl FnOnce(&Value, &mut Vec<Binding>, &mut bool) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let user = place.find(name)?;
    let (mut bindings, mut disabled) = (bindings(&user), user["disabled"] == true);
    change(&user, &mut bindings, &mut disabled)?;
    let changed = place.change(&user, action, bindings, disabled)?;
    let roles = roles(&changed);
    context.print(&changed, || match disabled {
        true => format!("{name} is kept out"),
        false => format!("{name} holds {}", if roles.is_empty() { "nothing".into() } else { roles }),
    });
    Ok(())
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

fn text<'a>(user: &'a Value, key: &str) -> &'a str {
    user[key].as_str().unwrap_or_default()
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

fn bindings(user: &Value) -> Vec<Binding> {
    serde_json::from_value(user["bindings"].clone()).unwrap_or_default()
}

/// What a user or a token may do, as `binding` reads it.
pub fn roles(holder: &Value) -> String {
    bindings(holder).iter().map(written).collect::<Vec<_>>().join(" ")
}

fn list(all: &[Value], context: &Context) {
    context.print(&all, || {
        let rows = all.iter().map(|user| {
            let state = match user["disabled"] == true {
                true => "disabled",
                false if user["totp"] == true => "password and code",
                false if user["password"] == true => "password",
                false => "no password",
            };
            let own = |key| text(user, key).to_owned();
            vec![own("name"), own("organisation"), roles(user), state.to_owned(), own("email")]
        });
        if all.is_empty() {
            return "no users: `windlass users create NAME --role 'admin@*'` makes the first".to_owned();
        }
        render::table(&["name", "organisation", "roles", "logs in with", "e-mail"], rows.collect())
    });
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
