//! `windlass hosts`: the reference of everything that scripts can call, generated from what the ops declare.

use std::path::{Path, PathBuf};

use serde_json::Value;
use windlass_model::{Code, Problem};
use windlass_script::definitions;

use super::workflows;
use crate::{context::Context, exit::Exit, render};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the page of this module (`core` for the built-in functions)
    module: Option<String>,
    /// Write one Markdown page a module into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "module")]
    markdown: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Problem> {
    let (scripts, _runtime) = workflows::scripts(context)?;
    let catalog = scripts.sandbox.catalog();
    if let Some(folder) = &args.markdown {
        for (name, text) in definitions::pages(catalog) {
            write(folder, &format!("{name}.md"), &text)?;
        }
        return Ok(Exit::Success);
    }
    let all = definitions::json(catalog);
    match &args.module {
        None => context.print(&all, || overview(&all)),
        Some(module) => {
            let page = definitions::pages(catalog).into_iter().find(|(name, _)| name == module);
            let (_, text) = page.ok_or_else(|| {
                Problem::new(Code::NotFound, format!("there is no module `{module}`"))
                    .help("`windlass hosts` lists the modules")
            })?;
            context.print(&text, || text.clone());
        }
    }
    Ok(Exit::Success)
}

/// Writes a generated file; the folder is made if it isn't there.
pub fn write(folder: &Path, name: &str, text: &str) -> Result<(), Problem> {
    let path = folder.join(name);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
    written.map_err(|error| Problem::new(Code::System, format!("{} can't be written: {error}", path.display())))
}

fn overview(all: &Value) -> String {
    let mut rows = Vec::new();
    for module in all["modules"].as_array().into_iter().flatten() {
        for function in module["functions"].as_array().into_iter().flatten() {
            let text = |key: &str| function[key].as_str().unwrap_or_default().to_owned();
            let doc = text("doc");
            let first = doc.split_inclusive(". ").next().unwrap_or_default().lines().next().unwrap_or_default();
            let verb = function["permission"]["verb"].as_str().unwrap_or_default();
            rows.push(vec![text("signature"), verb.to_owned(), first.trim().to_owned()]);
        }
    }
    render::table(&["function", "needs", "what it does"], rows)
}
