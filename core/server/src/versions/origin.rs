//! Where new versions come from: a library of workflows, or a folder of plugins.

use std::sync::Arc;

use windlass_model::{
    Bundle, Code, Problem, Workflow,
    journal::{Pinned, Workflows as _},
};
use windlass_script::Library;

use crate::plugins::Plugins;

/// A folder, and what its files have to be.
pub(super) enum Origin {
    /// Workflows, and the modules that they import.
    Workflows(Arc<Library>),
    /// Plugins.
    Plugins(Plugins),
}

impl Origin {
    /// Whether the folder can be read.
    pub(super) fn is_there(&self) -> bool {
        match self {
            Self::Workflows(library) => library.is_there(),
            Self::Plugins(plugins) => plugins.is_there(),
        }
    }

    /// Names of what is there, sound or not.
    pub(super) fn list(&self) -> Vec<String> {
        match self {
            Self::Workflows(library) => library.list(),
            Self::Plugins(plugins) => plugins.list(),
        }
    }

    /// The text of the script.
    pub(super) fn source(&self, name: &str) -> Result<Option<String>, Problem> {
        match self {
            Self::Workflows(library) => library.source(name),
            Self::Plugins(plugins) => plugins.source(name),
        }
    }

    /// All of it, checked.
    pub(super) fn pin(&self, name: &str) -> Result<Pinned, Problem> {
        match self {
            Self::Workflows(library) => library.pin(name),
            Self::Plugins(plugins) => plugins.pin(name),
        }
    }

    /// What it says of itself.
    pub(super) fn header(&self, bundle: &Bundle) -> Result<Arc<Workflow>, Problem> {
        match self {
            Self::Workflows(library) => library.header(bundle),
            Self::Plugins(plugins) => plugins.header(bundle),
        }
    }

    /// The library, for changes from inside.
    pub(super) fn library(&self) -> Result<&Arc<Library>, Problem> {
        match self {
            Self::Workflows(library) => Ok(library),
            Self::Plugins(_) => Err(Problem::new(Code::Unsupported, "plugins are changed in their folder")),
        }
    }
}
