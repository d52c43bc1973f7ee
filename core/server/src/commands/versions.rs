//! `windlass workflows history|source|activate|restore|save|rm`: versions of workflows, here or at a server.

use serde_json::json;
use windlass_model::{Code, Problem};
use windlass_script::is_valid_name;

use super::input;
use crate::{
    context::Context,
    desk::{
        Desk,
        archive::{Activated, Kept, Saved},
    },
    exit::Exit,
    render,
    versions::Author,
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the versions of a workflow: who made each, when, and why
    History {
        /// The workflow: area/name
        workflow: String,
    },
    /// Print a workflow's source
    Source {
        /// The workflow: area/name
        workflow: String,
        /// Number of the version [default: the one in use]
        #[arg(value_name = "VERSION")]
        number: Option<i64>,
    },
    /// Put a version in use that was made before; the file stays as it is
    Activate {
        /// The workflow: area/name
        workflow: String,
        /// Number of the version
        #[arg(value_name = "VERSION")]
        number: i64,
        /// Only say what would happen to open runs, and which grants are new
        #[arg(long)]
        dry_run: bool,
        /// Why, for the history
        #[arg(long, short, default_value = "")]
        message: String,
    },
    /// Make a new version of an earlier one's source, and write it to the file
    Restore {
        /// The workflow: area/name
        workflow: String,
        /// Number of the version
        #[arg(value_name = "VERSION")]
        number: i64,
        /// Even if the file isn't what is in use
        #[arg(long)]
        force: bool,
        /// Why, for the history
        #[arg(long, short, default_value = "")]
        message: String,
    },
    /// Check a source, write it to the workflow's file, and put it in use
    Save {
        /// The workflow: area/name
        workflow: String,
        /// File with the source; `-` for standard input
        file: String,
        /// Even if the file isn't what is in use
        #[arg(long)]
        force: bool,
        /// Why, for the history
        #[arg(long, short, default_value = "")]
        message: String,
    },
    /// Remove a workflow's file; its versions are kept
    Rm {
        /// The workflow: area/name
        workflow: String,
        /// Even if the file isn't what is in use
        #[arg(long)]
        force: bool,
    },
}

/// Whoever acts, as the author of a version.
pub fn author(context: &Context, why: &str) -> Author {
    Author { by: context.who(), source: "cli".into(), why: why.to_owned(), ..Author::file() }
}

impl Command {
    fn workflow(&self) -> &str {
        match self {
            Self::History { workflow }
            | Self::Source { workflow, .. }
            | Self::Activate { workflow, .. }
            | Self::Restore { workflow, .. }
            | Self::Save { workflow, .. }
            | Self::Rm { workflow, .. } => workflow,
        }
    }
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    // A server would read `..` as a part of its own paths.
    let name = command.workflow();
    if !is_valid_name(name) {
        return Err(Problem::new(Code::WorkflowNotFound, format!("`{name}` isn't a workflow's name"))
            .help("Names look like `lab/two-routers`: letters, digits, `-` and `_`, parts separated by `/`."));
    }
    if context.global.server.is_none() {
        context.require_workflows()?;
    }
    context.at_desk(|desk| {
        match command {
            Command::History { workflow } => history(desk, workflow, context)?,
            Command::Source { workflow, number } => {
                let source = desk.source(workflow, *number)?;
                let json = json!({ "name": workflow, "version": number, "source": source });
                context.print(&json, || source.trim_end().to_owned());
            }
            Command::Activate { workflow, number, dry_run, message } => {
                let activated = desk.activate(workflow, *number, *dry_run, &author(context, message))?;
                context.print(&activated, || told(workflow, &activated));
                if !dry_run && !context.global.json && !desk.knows_roles() {
                    context.hint("servers of this data folder use it; `windlass run` here runs what the files say");
                }
            }
            Command::Restore { workflow, number, force, message } => {
                let author = author(context, message);
                let saved =
                    replacing(desk, workflow, *force, |digest| desk.restore(workflow, *number, digest, &author))?;
                print_saved(&saved, context);
            }
            Command::Save { workflow, file, force, message } => {
                let source = match file.as_str() {
                    "-" => input::read_stdin()?,
                    file => std::fs::read_to_string(file)
                        .map_err(|error| Problem::new(Code::Usage, format!("`{file}` can't be read: {error}")))?,
                };
                let author = author(context, message);
                let saved = replacing(desk, workflow, *force, |digest| desk.save(workflow, &source, digest, &author))?;
                print_saved(&saved, context);
            }
            Command::Rm { workflow, force } => {
                let none = || Problem::new(Code::WorkflowNotFound, format!("there is no workflow `{workflow}`"));
                let author = author(context, "");
                replacing(desk, workflow, *force, |digest| desk.remove(workflow, digest.ok_or_else(none)?, &author))?;
                let json = json!({ "name": workflow, "done": "removed" });
                context.print(&json, || format!("{workflow} is removed; `windlass workflows restore` brings it back"));
            }
        }
        Ok(Exit::Success)
    })
}

fn history(desk: &dyn Desk, workflow: &str, context: &Context) -> Result<(), Problem> {
    let versions = desk.history(workflow)?;
    if versions.is_empty() {
        // A name that nobody has is told as such.
        desk.workflow(workflow)?;
    }
    context.print(&versions, || match versions.is_empty() {
        true => format!("no versions of {workflow} yet: a server makes them, or `windlass workflows save`"),
        false => table(&versions),
    });
    Ok(())
}

fn table(versions: &[Kept]) -> String {
    let rows = versions.iter().map(|kept| {
        let mark = if kept.active { "✓" } else { "" };
        let (number, when) = (kept.version.to_string(), render::clock(kept.at_ms));
        let why = kept.why.lines().next().unwrap_or_default().to_owned();
        vec![number, mark.to_owned(), when, kept.by.clone(), kept.digest[..kept.digest.len().min(12)].to_owned(), why]
    });
    render::table(&["version", "in use", "when", "who", "digest", "why"], rows.collect())
}

fn told(workflow: &str, activated: &Activated) -> String {
    let version = activated.version;
    let mut lines = vec![match activated.activated {
        true => format!("version {version} of {workflow} is in use"),
        false => format!("version {version} of {workflow} would be in use"),
    }];
    lines.extend(activated.added.iter().map(|grant| format!("  + {grant}")));
    let fit = activated.runs.iter().filter(|run| run.compatible).count();
    if !activated.runs.is_empty() {
        let all = activated.runs.len();
        lines.push(format!(
            "open runs stay on their sources; {fit} of {all} could go on with it: `windlass runs upgrade`"
        ));
    }
    lines.join("\n")
}

fn print_saved(saved: &Saved, context: &Context) {
    context.print(saved, || line(saved));
}

/// One line on something that was saved.
pub fn line(saved: &Saved) -> String {
    match (&saved.waits, saved.version) {
        (Some(waits), _) => format!("{} is saved, but not in use: {waits}", saved.name),
        (None, Some(version)) => format!("version {version} of {} is in use", saved.name),
        (None, None) => format!("{} is saved", saved.name),
    }
}

/// A change of what is in use now. If the file is something else, because it has mistakes or another version was activated,
/// only with `force`: what would be lost may be nowhere else.
fn replacing<T>(
    desk: &dyn Desk,
    workflow: &str,
    force: bool,
    change: impl Fn(Option<&str>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let digest = desk.digest(workflow)?;
    match change(digest.as_deref()) {
        Err(problem) if problem.code == Code::PreconditionFailed && force => change(problem.data["digest"].as_str()),
        Err(problem) if problem.code == Code::PreconditionFailed => {
            Err(Problem::new(problem.code, format!("the file of `{workflow}` isn't what is in use"))
                .help("look at it first; --force puts this in its place")
                .data(problem.data))
        }
        other => other,
    }
}
