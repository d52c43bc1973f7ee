//! `windlass config show`

use serde_json::Value;
use windlass_model::Problem;

use crate::{config, context::Context, exit::Exit, render};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Every value in effect, and where it comes from
    Show {
        /// Instead, print a windlass.toml with every key, its meaning and its default
        #[arg(long)]
        docs: bool,
    },
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    let Command::Show { docs } = command;
    if *docs {
        context.line(config::document().trim_end());
        return Ok(Exit::Success);
    }
    let shown = config::show(&context.loaded);
    context.print(&shown, || {
        let rows = shown.as_object().into_iter().flatten().map(|(key, entry)| {
            let value = match &entry["value"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            vec![key.clone(), entry["origin"].as_str().unwrap_or_default().to_owned(), value]
        });
        render::table(&["key", "from", "value"], rows.collect())
    });
    Ok(Exit::Success)
}
