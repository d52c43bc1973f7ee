//! Scenarios that are written from inside: beside their workflow, whole or not at all.

use std::{fs, io::ErrorKind, path::Path};

use serde_json::json;
use windlass_model::{Code, Problem};
use windlass_script::scenario::check_scenarios;

use super::source;
use crate::{config::Config, versions};

/// Writes a workflow's scenarios. `expected` is the digest of those that are there; `None`: there must be none. An empty text
/// removes the file. What was there before.
pub fn save(config: &Config, name: &str, text: &str, expected: Option<&str>) -> Result<Option<String>, Problem> {
    let workflow = versions::place(&config.workflows, name)?;
    let before = source(config, name)?;
    let present = before.as_deref().map(versions::digest);
    if present.as_deref() != expected {
        let message = match &present {
            Some(_) if expected.is_none() => format!("`{name}` has scenarios already"),
            Some(_) => format!("the scenarios of `{name}` were changed by somebody else"),
            None => format!("`{name}` has no scenarios any more"),
        };
        return Err(Problem::new(Code::PreconditionFailed, message)
            .help("read them again, and make your change to what is there now")
            .data(json!({ "digest": present })));
    }
    let path = workflow.with_extension("test.rhai");
    if path.symlink_metadata().is_ok_and(|file| !file.is_file()) {
        return Err(Problem::new(Code::InvalidInput, format!("the scenarios of `{name}` aren't a file of their own")));
    }
    if text.trim().is_empty() {
        remove(&path)?;
    } else {
        check_scenarios(&format!("{name}.test"), text)?;
        versions::write(&path, text)?;
    }
    Ok(before)
}

fn remove(path: &Path) -> Result<(), Problem> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Problem::new(Code::System, format!("{} can't be removed: {error}", path.display())))
        }
        _ => Ok(()),
    }
}
