//! `windlass workflows export|import`: versions as commits of a Git repository, and commits as versions.

use std::path::PathBuf;

use windlass_model::Problem;

use super::versions;
use crate::{context::Context, exit::Exit, git};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Add every version that was in use to a Git repository, one commit each; a later export adds what is new
    Export {
        /// Folder of the repository; a new or an empty one becomes one
        #[arg(long, value_name = "DIR")]
        git: PathBuf,
    },
    /// Take the workflows of a commit as new versions: all of them, or none if one has mistakes
    Import {
        /// Folder of the repository
        #[arg(long, value_name = "DIR")]
        git: PathBuf,
        /// Branch, tag or commit
        #[arg(long = "ref", value_name = "REF", default_value = "HEAD")]
        reference: String,
        /// Folder of the workflows in the repository [default: its root]
        #[arg(long, value_name = "PATH")]
        under: Option<String>,
    },
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    if context.global.server.is_none() {
        context.require_workflows()?;
    }
    context.at_desk(|desk| {
        match command {
            Command::Export { git: folder } => {
                let exported = git::export(desk, folder)?;
                context.print(&exported, || match exported.commits.len() {
                    0 => format!("nothing new: {} has all that was in use", folder.display()),
                    count => {
                        let lines = exported.commits.iter().map(|subject| format!("  {subject}\n"));
                        let commits = if count == 1 { "commit" } else { "commits" };
                        format!(
                            "{}{count} {commits} on {} in {}",
                            lines.collect::<String>(),
                            exported.branch,
                            folder.display()
                        )
                    }
                });
            }
            Command::Import { git: folder, reference, under } => {
                let author = versions::author(context, "");
                let imported = git::import(desk, folder, reference, under.as_deref(), author)?;
                context.print(&imported, || {
                    let mut lines: Vec<String> = imported.changed.iter().map(versions::line).collect();
                    let commit = &imported.commit[..imported.commit.len().min(12)];
                    lines.push(format!(
                        "{} of commit {commit} changed, {} were there already",
                        imported.changed.len(),
                        imported.unchanged.len()
                    ));
                    if !imported.others.is_empty() {
                        lines.push(format!("not in the commit, and left as they are: {}", imported.others.join(", ")));
                    }
                    lines.join("\n")
                });
            }
        }
        Ok(Exit::Success)
    })
}
