//! A bundle: a workflow and every module it imports, pinned by digest at launch.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The sources a run was launched with. Editing a file never changes a run in flight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The workflow's name, which is also its file without `.rhai`: `lab/two-routers`.
    pub entry: String,
    /// Sources by module name (`lab/two-routers`, `lib/lab`).
    pub files: BTreeMap<String, String>,
}

impl Bundle {
    /// The canonical form that is digested and stored.
    pub fn canonical(&self) -> String {
        // A struct of strings always serialises, and BTreeMap keeps its keys sorted.
        serde_json::to_string(self).unwrap_or_default()
    }
}
