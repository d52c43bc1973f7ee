//! `windlass secrets …`. A value comes from standard input or a file, never from the command line: others can read that.

use std::io::IsTerminal as _;

use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

use super::{input, users};
use crate::{
    context::Context,
    desk::{Remote, encoded_path},
    exit::Exit,
    render,
    session::Session,
    vault::check_name,
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Keep a secret; its value is read from standard input
    Set {
        /// Its name
        name: String,
        /// Read the value from this file instead
        #[arg(long, value_name = "FILE")]
        from_file: Option<String>,
        /// Where the value may go: https://api.example.net*, exec:*, file:/etc/app/* (may be given several times)
        #[arg(long = "to", value_name = "DESTINATION", required = true)]
        to: Vec<String>,
    },
    /// List secrets, without their values
    Ls,
    /// Remove a secret
    Rm {
        /// Its name
        name: String,
    },
    /// Encrypt everything with a new key
    Rotate,
}

/// Where secrets are kept.
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
        Command::Set { name, from_file, to } => {
            place.set(name, &value(from_file.as_deref())?, to)?;
            context.print(&json!({ "name": name, "done": "kept" }), || format!("{name} is kept"));
        }
        Command::Ls => {
            let secrets = place.all()?;
            context.print(&secrets, || table(&secrets));
        }
        Command::Rm { name } => {
            place.remove(name)?;
            context.print(&json!({ "name": name, "done": "removed" }), || format!("{name} is removed"));
        }
        Command::Rotate => {
            let count = place.rotate()?;
            context.print(&json!({ "rotated": count }), || format!("{count} secrets are encrypted with a new key"));
        }
    }
    Ok(Exit::Success)
}

impl Place<'_> {
    fn set(&self, name: &str, value: &str, to: &[String]) -> Result<(), Problem> {
        match self {
            Self::Here(session, context) => {
                let audited = noted(session, context, "secret.put", name, json!({ "to": to }))?;
                session.vault().set_through(&audited, name, value, to)
            }
            Self::There(remote) => {
                let _: Value = remote.put(&path(name)?, &json!({ "value": value, "to": to }))?;
                Ok(())
            }
        }
    }

    fn all(&self) -> Result<Vec<Value>, Problem> {
        match self {
            Self::Here(session, _) => session.vault().list(),
            Self::There(remote) => {
                let mut all: Vec<Value> = remote.get("/secrets")?;
                // What is kept elsewhere has no times.
                all.iter_mut().filter_map(Value::as_object_mut).for_each(|map| map.retain(|_, value| !value.is_null()));
                Ok(all)
            }
        }
    }

    fn remove(&self, name: &str) -> Result<(), Problem> {
        match self {
            Self::Here(session, context) => {
                let audited = noted(session, context, "secret.delete", name, Value::Null)?;
                session.vault().remove_through(&audited, name)
            }
            Self::There(remote) => match remote.delete(&path(name)?) {
                Err(problem) if problem.code == Code::SecretNotFound => Err(windlass_script::not_found(name)),
                other => other,
            },
        }
    }

    fn rotate(&self) -> Result<usize, Problem> {
        match self {
            Self::Here(session, context) => {
                session.vault().rotate(|name| noted(session, context, "secret.rotate", name, Value::Null))
            }
            Self::There(_) => Err(Problem::new(Code::Usage, "keys are rotated where they are: beside the database")
                .help("run it on the server's machine, without --server (or with WINDLASS_SERVER unset)")),
        }
    }
}

/// An engine whose next change is committed with an entry in the audit log. Secrets belong to the whole installation.
fn noted(session: &Session, context: &Context, action: &str, name: &str, after: Value) -> Result<Engine, Problem> {
    let before = session.vault().list()?.into_iter().find(|secret| secret["name"] == name);
    let before = before.map_or(Value::Null, |secret| json!({ "to": secret["to"] }));
    Ok(users::by(context).audited(session.engine(), action, ("*", name), before, after))
}

fn path(name: &str) -> Result<String, Problem> {
    check_name(name)?;
    // A server would read `..` as a part of its own paths.
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(Problem::new(Code::Usage, format!("`{name}` can't be asked for at a server")));
    }
    Ok(format!("/secrets/{}", encoded_path(name)))
}

fn value(file: Option<&str>) -> Result<Zeroizing<String>, Problem> {
    let text = Zeroizing::new(match file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Problem::new(Code::Usage, format!("`--from-file {path}`: {error}")))?,
        None if std::io::stdin().is_terminal() => {
            let term = console::Term::stderr();
            let failed =
                |error: std::io::Error| Problem::new(Code::System, format!("the terminal can't be read: {error}"));
            term.write_str("value (not shown): ").map_err(failed)?;
            term.read_secure_line().map_err(failed)?
        }
        None => input::read_stdin()?,
    });
    // `echo value | windlass secrets set …` means the value, not its newline.
    Ok(Zeroizing::new(text.strip_suffix('\n').map_or(text.as_str(), |line| line.trim_end_matches('\r')).to_owned()))
}

fn table(secrets: &[Value]) -> String {
    if secrets.is_empty() {
        return "no secrets".to_owned();
    }
    let rows = secrets.iter().map(|secret| {
        let text = |key: &str| secret[key].as_str().unwrap_or_default().to_owned();
        let to: Vec<&str> = secret["to"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let updated = secret["updated_at_ms"].as_i64().map(render::clock).unwrap_or_default();
        vec![text("name"), text("kept"), to.join(" "), updated]
    });
    render::table(&["name", "kept", "may go to", "updated"], rows.collect())
}
