//! `windlass resources ls`: the inventory of what runs have made.

use windlass_model::Problem;

use crate::{context::Context, exit::Exit, render};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List what is there
    Ls {
        /// Only what this run has made
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// Also what is gone
        #[arg(long)]
        all: bool,
    },
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    let Command::Ls { run, all } = command;
    context.at_desk(|engine| {
        let run = run.as_deref().map(|part| engine.find(part)).transpose()?.map(|record| record.id);
        let resources = engine.resources(run.as_ref(), !all)?;
        let now_ms = engine.now_ms();
        context.print(&resources, || match resources.is_empty() {
            true => "nothing is there".to_owned(),
            false => {
                let rows = resources.iter().map(|row| {
                    let thing = &row.resource;
                    let since = render::ago(row.updated_at_ms, now_ms);
                    let made_by = format!("{} step {}", row.run, row.path);
                    vec![
                        thing.provider.to_string(),
                        thing.kind.to_string(),
                        thing.id.to_string(),
                        row.state.to_string(),
                        since,
                        made_by,
                    ]
                });
                render::table(&["provider", "kind", "id", "state", "since", "made by"], rows.collect())
            }
        });
        Ok(Exit::Success)
    })
}
