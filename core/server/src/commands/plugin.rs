//! `windlass plugin …`: make, check and test plugins here; approve them for an organisation, here or at a server.

mod files;

use std::io::IsTerminal as _;

use serde_json::{Value, json};
use windlass_model::{Code, Problem, audit::NewAudit};
use windlass_script::plugin::visible;

use crate::{context::Context, desk::Remote, exit::Exit, render, session::Session};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make the files of a new plugin, which passes the conformance kit as it is
    New {
        /// Its name: letters, digits and hyphens
        name: String,
        /// Who writes it [default: the user]
        #[arg(long)]
        author: Option<String>,
    },
    /// Check manifest and script; all plugins if none is named
    Check {
        /// The plugin
        name: Option<String>,
    },
    /// Run the conformance kit: recorded exchanges, what it has to refuse, and a simulator where there is one
    Test {
        /// The plugin
        name: String,
        /// Write what is exchanged with the simulator to fixtures/ instead
        #[arg(long)]
        record: bool,
    },
    /// Copy a plugin's folder to where the server looks for plugins; approving it comes after that
    Install {
        /// The folder
        folder: std::path::PathBuf,
    },
    /// List plugins, and how each stands for an organisation
    Ls {
        /// The organisation
        #[arg(long, value_name = "NAME", default_value = "platform")]
        org: String,
    },
    /// Show how a plugin stands, and what differs from what was approved
    Show {
        /// The plugin
        name: String,
        /// The organisation
        #[arg(long, value_name = "NAME", default_value = "platform")]
        org: String,
    },
    /// Approve a plugin's files as they are: shows what is new, and asks
    Approve {
        /// The plugin
        name: String,
        /// The organisation whose runs may use it
        #[arg(long, value_name = "NAME", default_value = "platform")]
        org: String,
        /// Don't ask
        #[arg(long, short)]
        yes: bool,
        /// Why, for the audit log
        #[arg(long, short, default_value = "")]
        message: String,
    },
    /// Take an approval back: no run of the organisation can use the plugin from now on
    Disable {
        /// The plugin
        name: String,
        /// The organisation
        #[arg(long, value_name = "NAME", default_value = "platform")]
        org: String,
        /// Why, for the audit log
        #[arg(long, short, default_value = "")]
        message: String,
    },
    /// Remove a plugin's folder; what was approved stays in use until it is disabled
    Rm {
        /// The plugin
        name: String,
    },
}

/// `registrars/namecheap`, however it was typed.
fn full(name: &str) -> Result<String, Problem> {
    let name = name.strip_prefix("registrars/").unwrap_or(name);
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > 40 || name.starts_with('-') || !name.bytes().all(known) {
        return Err(Problem::new(Code::Usage, format!("`{name}` can't be a plugin's name"))
            .help("up to 40 lower-case letters, digits and hyphens"));
    }
    Ok(format!("registrars/{name}"))
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    if let (
        Command::New { .. }
        | Command::Check { .. }
        | Command::Test { .. }
        | Command::Install { .. }
        | Command::Rm { .. },
        Some(server),
    ) = (command, &context.global.server)
    {
        let message = format!("this can't be done at a server ({server}): it is about files here");
        return Err(Problem::new(Code::Usage, message).help("do it where the files are, without --server"));
    }
    match command {
        Command::New { name, author } => files::new(&full(name)?, author.as_deref(), context),
        Command::Check { name } => files::check(name.as_deref().map(full).transpose()?.as_deref(), context),
        Command::Test { name, record } => files::test(&full(name)?, *record, context),
        Command::Install { folder } => files::install(folder, context),
        Command::Rm { name } => files::remove(&full(name)?, context),
        asking => context.at(
            |remote| at(&Place::There(remote), asking, context),
            |session| at(&Place::Here(session, context), asking, context),
        ),
    }
}

/// Where approvals are kept.
enum Place<'a> {
    Here(&'a Session, &'a Context),
    There(&'a Remote),
}

impl Place<'_> {
    fn all(&self, org: &str) -> Result<Vec<Value>, Problem> {
        let names: Vec<String> = match self {
            Self::Here(session, _) => session.approvals().plugins().list(),
            Self::There(remote) => {
                let all: Vec<Value> = remote.list("/plugins", &[], usize::MAX)?;
                all.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
            }
        };
        names.iter().map(|name| self.standing(name, org)).collect()
    }

    fn standing(&self, name: &str, org: &str) -> Result<Value, Problem> {
        match self {
            Self::Here(session, _) => Ok(json!(session.approvals().standing(org, name)?)),
            Self::There(remote) => remote.get(&place(name, org)),
        }
    }

    fn approve(&self, name: &str, org: &str, digest: &str, why: &str) -> Result<Value, Problem> {
        match self {
            Self::Here(session, context) => {
                let by = context.who();
                let through = |before, after| noted(session, &by, "plugin.approve", (org, name), before, after);
                Ok(json!(session.approvals().approve(through, (org, name, digest), (&by, why))?))
            }
            Self::There(remote) => remote.put(&place(name, org), &json!({ "digest": digest, "message": why })),
        }
    }

    fn disable(&self, name: &str, org: &str, why: &str) -> Result<Value, Problem> {
        match self {
            Self::Here(session, context) => {
                let by = context.who();
                let through = |before, after| noted(session, &by, "plugin.disable", (org, name), before, after);
                Ok(json!(session.approvals().disable(through, (org, name), (&by, why))?))
            }
            Self::There(remote) => {
                remote.delete(&format!("{}&message={}", place(name, org), crate::desk::encoded(why)))?;
                Ok(json!({ "plugin": name, "organisation": org, "disabled": true }))
            }
        }
    }
}

/// A plugin's approval, at a server.
fn place(name: &str, org: &str) -> String {
    format!("/plugins/{name}/approval?organisation={}", crate::desk::encoded(org))
}

fn noted(
    session: &Session,
    by: &str,
    action: &str,
    (organisation, target): (&str, &str),
    before: Value,
    after: Value,
) -> windlass_engine::Engine {
    session.engine().audited(NewAudit {
        actor: by.to_owned(),
        organisation: organisation.to_owned(),
        action: action.to_owned(),
        target: target.to_owned(),
        source: "cli".into(),
        before,
        after,
    })
}

fn at(place: &Place<'_>, command: &Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Ls { org } => {
            let all = place.all(org)?;
            context.print(&all, || table(&all));
        }
        Command::Show { name, org } => {
            let standing = place.standing(&full(name)?, org)?;
            context.print(&standing, || told(&standing));
        }
        Command::Approve { name, org, yes, message } => {
            let name = full(name)?;
            let standing = place.standing(&name, org)?;
            if standing["state"] == "approved" {
                context.print(&standing, || format!("{name} is approved for {org} as it is"));
                return Ok(Exit::Success);
            }
            let Some(digest) = standing["digest"].as_str() else {
                return Err(serde_json::from_value(standing["problem"].clone())
                    .unwrap_or_else(|_| Problem::new(Code::WorkflowInvalid, format!("{name} has mistakes"))));
            };
            if !yes {
                ask(&standing, context)?;
            }
            let approval = place.approve(&name, org, digest, message)?;
            context.print(&approval, || format!("{name} is approved for {org}: {}", &digest[..digest.len().min(12)]));
        }
        Command::Disable { name, org, message } => {
            let name = full(name)?;
            let approval = place.disable(&name, org, message)?;
            context.print(&approval, || format!("no run of {org} can use {name} any more"));
        }
        _ => {}
    }
    Ok(Exit::Success)
}

/// Shows what would be approved, and asks a person.
fn ask(standing: &Value, context: &Context) -> Result<(), Problem> {
    let term = console::Term::stderr();
    if !std::io::stdin().is_terminal() || !term.is_term() {
        return Err(Problem::new(Code::Usage, "nobody is here to look at what is new")
            .help("look at it with `windlass plugin show`, then approve it with --yes"));
    }
    let failed = |error: std::io::Error| Problem::new(Code::System, format!("the terminal can't be read: {error}"));
    context.hint(&told(standing));
    term.write_str("Approve this? [y/N] ").map_err(failed)?;
    match term.read_line().map_err(failed)?.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Problem::new(Code::Cancelled, "nothing was approved")),
    }
}

fn table(all: &[Value]) -> String {
    if all.is_empty() {
        return "no plugins".to_owned();
    }
    let rows = all.iter().map(|one| {
        let text = |value: &Value| visible(value.as_str().unwrap_or_default(), false);
        let mut digest = text(&one["approval"]["digest"]);
        digest.truncate(12);
        let approved = one["approval"]["at_ms"].as_i64().map(render::clock).unwrap_or_default();
        let wrong = text(&one["problem"]["message"]);
        vec![text(&one["plugin"]), text(&one["state"]), digest, text(&one["approval"]["by"]), approved, wrong]
    });
    render::table(&["plugin", "state", "approved", "by", "when", "what is wrong"], rows.collect())
}

/// Wherever it comes from: files of others stand in it, and a server may not have looked at them.
fn told(standing: &Value) -> String {
    let text = |value: &Value| visible(value.as_str().unwrap_or_default(), false);
    let (name, org) = (text(&standing["plugin"]), text(&standing["organisation"]));
    let mut lines = vec![match standing["state"].as_str() {
        Some("approved") => format!("{name} is approved for {org}, and its files are what was approved"),
        Some("modified") => {
            format!(
                "{name} is modified: its files aren't what was approved for {org}, and are refused; what was approved stays in use"
            )
        }
        Some("disabled") => format!("the approval of {name} for {org} was taken back"),
        _ => format!("{name} isn't approved for {org}"),
    }];
    if let Some(message) = standing["problem"]["message"].as_str() {
        lines.push(format!("its files have mistakes: {}", visible(message, true)));
    }
    let list = |key: &str| standing["difference"][key].as_array().cloned().unwrap_or_default();
    lines.extend(list("added").iter().map(|grant| format!("  + may reach {}", text(grant))));
    lines.extend(list("removed").iter().map(|grant| format!("  - {}", text(grant))));
    let code = visible(standing["difference"]["text"].as_str().unwrap_or_default(), true);
    if !code.is_empty() {
        lines.push(code.trim_end().to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_foreign_files_steers_no_terminal() {
        let standing = json!({
            "plugin": "registrars/x", "organisation": "acme", "state": "new",
            "problem": { "message": "odd \u{1b}[2J" },
            "difference": { "added": ["http:GET https://a.example/\u{202e}*"], "removed": [],
                            "text": "+fn validate(r) {\n+    // \u{1b}[1A\u{2066}harmless\r\n" },
        });
        let shown = told(&standing);
        assert!(
            shown.contains("\\u{1b}[2J") && shown.contains("\\u{202e}*") && shown.contains("\\u{2066}harmless"),
            "{shown}"
        );
        assert!(!shown.contains(|letter: char| letter.is_control() && letter != '\n'), "{shown:?}");
        assert!(shown.contains("+fn validate(r) {\n+    //"), "lines stay lines: {shown}");
        assert!(!table(&[json!({ "plugin": "a\u{1b}[1m" })]).contains("a\u{1b}[1m"));
    }
}
