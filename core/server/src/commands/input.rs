//! A run's input from the command line: a file or standard input, with `--set` over it.

use std::io::Read as _;

use serde_json::{Value, json};
use windlass_model::{Code, Problem, Workflow};

use crate::values;

/// The arguments that give an input.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct InputArgs {
    /// Set one input: key=value, read as the type that the workflow gives it; dotted keys go into maps
    #[arg(long = "set", short = 's', value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// JSON file with the input; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub input: Option<String>,
}

impl InputArgs {
    /// The input as given; the schema's defaults aren't filled in yet.
    pub fn read(&self, workflow: &Workflow) -> Result<Value, Problem> {
        let mut input = from_file(self.input.as_deref())?;
        values::apply(&mut input, &self.set, &workflow.inputs, "the workflow has no input")?;
        Ok(input)
    }
}

/// JSON from a file, or from standard input (`-`); an empty map if neither is named.
pub fn from_file(file: Option<&str>) -> Result<Value, Problem> {
    match file {
        None => Ok(json!({})),
        Some("-") => parse("standard input", &read_stdin()?),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Problem::new(Code::Usage, format!("`{path}` can't be read: {error}")))?;
            parse(path, &text)
        }
    }
}

/// All of standard input, as text.
pub fn read_stdin() -> Result<String, Problem> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Problem::new(Code::Usage, format!("standard input can't be read: {error}")))?;
    Ok(text)
}

/// JSON text from the command line, with an error that says where it is wrong.
pub fn parse(what: &str, text: &str) -> Result<Value, Problem> {
    serde_json::from_str(text).map_err(|error| Problem::new(Code::InvalidInput, format!("{what} isn't JSON: {error}")))
}
