//! `windlass lab`: documents of labs, looked at without a database.

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::{Component, Path, PathBuf},
};

use serde_json::{Value, json};
use windlass_hosts::lab;
use windlass_model::{Code, Problem};

use super::input::read_stdin;
use crate::{context::Context, exit::Exit};

/// Most bytes of a file that a topology names.
const FILE_BYTES: u64 = 256 << 10;
/// Most files that it names.
const FILES: usize = 1_000;

/// `windlass lab`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Check a lab's document, and say what it asks for
    Check {
        /// YAML or JSON; `-` for standard input
        file: String,
    },
    /// Make a lab's document of another tool's topology: containerlab, EVE-NG (.unl) or nova-ve
    Import {
        /// The topology; `-` for standard input
        file: String,
        /// Write the document into this file [default: to standard output]
        #[arg(long, short = 'o', value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Print the schema of a lab's document (JSON Schema)
    Schema,
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Problem> {
    match command {
        Command::Check { file } => check(file, context),
        Command::Import { file, output } => import(file, output.as_deref(), context),
        Command::Schema => {
            context.print_json(&lab::schema());
            Ok(Exit::Success)
        }
    }
}

fn text_of(file: &str) -> Result<String, Problem> {
    match file {
        "-" => read_stdin(),
        path => std::fs::read_to_string(path)
            .map_err(|error| Problem::new(Code::Usage, format!("`{path}` can't be read: {error}"))),
    }
}

fn check(file: &str, context: &Context) -> Result<Exit, Problem> {
    let read = lab::text::read(file, &text_of(file)?)?;
    let document = lab::normalise(file, &read.value, Some(&read))?;
    let size = lab::size(&document);
    let told = json!({ "document": document, "size": size, "digests": lab::digests(&document) });
    context.print(&told, || {
        format!(
            "{}: {} nodes, {} networks, {} links, {} checks",
            document.name,
            document.nodes.len(),
            document.networks.len(),
            document.links.len(),
            document.checks.len()
        )
    });
    Ok(Exit::Success)
}

fn import(file: &str, output: Option<&Path>, context: &Context) -> Result<Exit, Problem> {
    let topology = text_of(file)?;
    let folder = Path::new(file).parent().filter(|_| file != "-");
    let files = folder.map(|folder| named_files(&topology, folder)).unwrap_or_default();
    let imported = lab::import_topology(file, &topology, &files)?;
    let document = serde_json::to_value(&imported.document)
        .map_err(|error| Problem::new(Code::Internal, format!("the document can't be told: {error}")))?;
    let yaml = lab::yaml(&document);
    match output {
        Some(path) => {
            std::fs::write(path, &yaml)
                .map_err(|error| Problem::new(Code::System, format!("{} can't be written: {error}", path.display())))?;
            let told = json!({ "format": imported.format, "file": path, "not_taken": imported.not_taken });
            context.print(&told, || format!("{} is a lab's document now, from {}", path.display(), imported.format));
        }
        None if context.global.json => {
            context.print_json(
                &json!({ "format": imported.format, "document": document, "not_taken": imported.not_taken }),
            );
        }
        None => context.line(yaml.trim_end()),
    }
    for left in imported.not_taken.iter().filter(|_| !context.global.json) {
        context.hint(&format!("not taken: {}: {}: {}", left.place, left.what, left.why));
    }
    Ok(Exit::Success)
}

/// Contents of the files that a topology binds into nodes, as far as they stand in its own folder or below.
fn named_files(topology: &str, folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let Ok(read) = lab::text::read("", topology) else { return found };
    let mut names = Vec::new();
    binds(&read.value["topology"], &mut names);
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for name in names.into_iter().take(FILES) {
        let path = Path::new(&name);
        let stays = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let inside = || {
            let (whole, root) = (folder.join(path).canonicalize().ok()?, folder.canonicalize().ok()?);
            // A link may lead out of the folder.
            let file = std::fs::File::open(&whole).ok().filter(|_| whole.starts_with(root))?;
            file.metadata().ok().filter(|data| data.is_file() && data.len() <= FILE_BYTES)?;
            let mut text = String::new();
            file.take(FILE_BYTES).read_to_string(&mut text).ok()?;
            Some(text)
        };
        if let Some(text) = stays.then(inside).flatten() {
            found.insert(name, text);
        }
    }
    found
}

fn binds(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key == "binds" {
                    let all = value.as_array().into_iter().flatten().filter_map(Value::as_str);
                    names.extend(all.filter_map(|bind| Some(bind.split_once(':')?.0.to_owned())));
                } else {
                    binds(value, names);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| binds(item, names)),
        _ => {}
    }
}
