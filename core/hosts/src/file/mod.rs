//! `file`: files and links inside declared folders; every change is atomic and can be taken back.

mod backup;
mod disk;
mod ops;
mod place;
mod rehearse;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_model::{Code, Problem};
use windlass_script::host::{HostModule, OpCx};

use place::Place;

/// `[hosts.file]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folders in which scripts may be granted to read and write. Absolute paths.
    pub folders: Vec<PathBuf>,
    /// How long backups of overwritten files are kept.
    pub backup_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { folders: Vec::new(), backup_days: 30 }
    }
}

impl Config {
    /// The declared folder that holds a path, the innermost if there are several.
    fn folder_of<'a>(&'a self, path: &std::path::Path) -> Option<&'a PathBuf> {
        self.folders.iter().filter(|folder| path.starts_with(folder)).max_by_key(|folder| folder.components().count())
    }
}

/// The module. Fails when a folder isn't an absolute path.
pub fn module(config: &Config) -> Result<HostModule, Problem> {
    if let Some(folder) = config.folders.iter().find(|folder| !folder.is_absolute()) {
        let message = format!("hosts.file.folders: {} isn't an absolute path", folder.display());
        return Err(Problem::new(Code::Configuration, message));
    }
    Ok(ops::module(config.clone(), Arc::new(disk::Disk { backup_days: config.backup_days })))
}

/// The module for rehearsals: reads what is there, and keeps what a run writes in memory.
pub fn rehearsal(config: &Config) -> HostModule {
    ops::module(config.clone(), Arc::new(rehearse::Overlay::default()))
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq)]
enum Entry {
    File { bytes: Vec<u8>, mode: u32 },
    Link { target: String },
}

/// What an op is about to put at a path.
struct New {
    entry: Entry,
    /// `user` or `user:group`.
    owner: Option<String>,
    /// Whether `mode` was asked for; else an existing file's mode is kept.
    mode_is_given: bool,
}

/// Where files are. All paths have passed `Place::new`.
trait Backend: Send + Sync {
    /// A file's content; `not_found`, or `invalid_argument` for anything that isn't a regular file.
    fn read(&self, cx: &OpCx, place: &Place) -> Result<Vec<u8>, Problem>;
    /// `#{ exists, kind, bytes, mode, target }`.
    fn stat(&self, cx: &OpCx, place: &Place) -> Result<Value, Problem>;
    /// `#{ name, kind }` by name.
    fn list(&self, cx: &OpCx, place: &Place) -> Result<Vec<(String, &'static str)>, Problem>;
    /// Puts a file or a link there in one step, and keeps what it replaces.
    fn put(&self, cx: &OpCx, place: &Place, new: New) -> Result<(), Problem>;
    /// Removes a file or a link, and keeps it. Whether there was one.
    fn remove(&self, cx: &OpCx, place: &Place) -> Result<bool, Problem>;
    /// Takes back what the step that is being undone did to the path. Whether there was anything to take back.
    fn restore(&self, cx: &OpCx, place: &Place) -> Result<bool, Problem>;
    /// Drops what this run has kept of the path. How many copies.
    fn discard(&self, cx: &OpCx, place: &Place) -> Result<usize, Problem>;
}
