//! A run's input from the command line: a file or standard input, with `--set` over it.

use std::{io::Read as _, path::Path};

use serde_json::{Value, json};
use windlass_model::{Code, Problem, Workflow};

use crate::values;

/// The arguments that give an input.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct InputArgs {
    /// Set one input: key=value, read as the type that the workflow gives it; dotted keys go into maps
    #[arg(long = "set", short = 's', value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// YAML or JSON file with the input; `-` for standard input; `examples/…/NAME` that isn't here is one of the workflow's examples
    #[arg(long, value_name = "FILE")]
    pub input: Option<String>,
}

impl InputArgs {
    /// The input as given; the schema's defaults aren't filled in yet.
    pub fn read(&self, workflow: &Workflow, workflows: &Path) -> Result<Value, Problem> {
        let example = self.input.as_deref().and_then(|file| example(file, workflow, workflows));
        let mut input = from_file(example.as_deref().or(self.input.as_deref()))?;
        values::apply(&mut input, &self.set, &workflow.inputs, "the workflow has no input")?;
        Ok(input)
    }
}

/// YAML or JSON from a file, or from standard input (`-`); an empty map if neither is named.
pub fn from_file(file: Option<&str>) -> Result<Value, Problem> {
    match file {
        None => Ok(json!({})),
        Some("-") => yaml("standard input", &read_stdin()?),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Problem::new(Code::Usage, format!("`{path}` can't be read: {error}")))?;
            yaml(path, &text)
        }
    }
}

/// What `examples/labs/three-routers.yaml` means where there is no such file: that one of the examples beside the workflow, in
/// `workflows/lab/examples`.
fn example(file: &str, workflow: &Workflow, workflows: &Path) -> Option<String> {
    let path = Path::new(file);
    let (area, _) = workflow.name.rsplit_once('/')?;
    if path.exists() || !path.starts_with("examples") {
        return None;
    }
    let found = workflows.join(area).join("examples").join(path.file_name()?);
    found.is_file().then(|| found.to_string_lossy().into_owned())
}

/// All of standard input, as text.
pub fn read_stdin() -> Result<String, Problem> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Problem::new(Code::Usage, format!("standard input can't be read: {error}")))?;
    Ok(text)
}

/// YAML, or JSON, which it includes: but for numbers of more digits than YAML's readers keep.
fn yaml(what: &str, text: &str) -> Result<Value, Problem> {
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(_) if !what.ends_with(".json") => Ok(windlass_hosts::lab::text::read(what, text)?.value),
        Err(error) => Err(not_json(what, &error)),
    }
}

/// JSON text from the command line, with an error that says where it is wrong.
pub fn parse(what: &str, text: &str) -> Result<Value, Problem> {
    serde_json::from_str(text).map_err(|error| not_json(what, &error))
}

fn not_json(what: &str, error: &serde_json::Error) -> Problem {
    Problem::new(Code::InvalidInput, format!("{what} isn't JSON: {error}"))
}
