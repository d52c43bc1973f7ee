//! `windlass secrets …`. A value comes from standard input or a file, never from the command line: others can read that.

use std::io::IsTerminal as _;

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

use super::input;
use crate::{context::Context, exit::Exit, render};

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

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    context.with(|session| {
        let vault = session.vault();
        match command {
            Command::Set { name, from_file, to } => {
                vault.set(name, &value(from_file.as_deref())?, to)?;
                context.print(&json!({ "name": name, "done": "kept" }), || format!("{name} is kept"));
            }
            Command::Ls => {
                let secrets = vault.list()?;
                context.print(&secrets, || table(&secrets));
            }
            Command::Rm { name } => {
                vault.remove(name)?;
                context.print(&json!({ "name": name, "done": "removed" }), || format!("{name} is removed"));
            }
            Command::Rotate => {
                let count = vault.rotate()?;
                context.print(&json!({ "rotated": count }), || format!("{count} secrets are encrypted with a new key"));
            }
        }
        Ok(Exit::Success)
    })
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
