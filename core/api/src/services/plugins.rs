//! What the API needs of those who keep plugins' files.

use std::collections::BTreeMap;

use serde_json::Value;
use windlass_model::Problem;

use super::Author;

/// Texts by their paths in a plugin's folder: `plugin.toml`, `main.rhai`, `fixtures/….json`.
pub type PluginFiles = BTreeMap<String, String>;

/// A plugin out of an archive.
pub struct PluginUnpacked {
    /// `kind/name`, as its manifest says it.
    pub name: String,
    /// Texts by their paths in its folder.
    pub files: PluginFiles,
    /// What else was in the archive, and isn't taken.
    pub left_out: Vec<String>,
}

/// What is to be said of a plugin's files.
pub struct PluginChecked {
    /// Mistakes, as of a workflow's source; none: it is sound.
    pub diagnostics: Vec<Value>,
    /// Its manifest, if that can be read.
    pub manifest: Option<Value>,
    /// What it asks to reach, as grants.
    pub permissions: Vec<String>,
    /// Digest that an approval is for, if it is sound.
    pub digest: Option<String>,
}

/// The desk on which plugins are installed and written. Nothing that is saved is used before somebody approves it.
pub trait PluginDesk: Send + Sync {
    /// What is in a `.tar.gz` or a `.zip`. Nothing is written.
    fn unpack(&self, archive: &[u8]) -> Result<PluginUnpacked, Problem>;

    /// Files of a plugin that passes the conformance kit, for a registrar that nobody has.
    fn starter(&self, name: &str, author: &str) -> Result<PluginFiles, Problem>;

    /// What is in a plugin's folder, with its digest as `save` expects it.
    fn files(&self, name: &str) -> Result<Option<(PluginFiles, String)>, Problem>;

    /// The files that were approved for an organisation.
    fn approved(&self, organisation: &str, name: &str) -> Result<Option<PluginFiles>, Problem>;

    /// Checks files that aren't saved.
    fn check(&self, name: &str, files: &PluginFiles) -> Result<PluginChecked, Problem>;

    /// Runs the conformance kit with what was recorded: each check with `name`, `passed`, `found`.
    fn conform(&self, name: &str, files: &PluginFiles) -> Result<Vec<Value>, Problem>;

    /// Writes a plugin's files: these and no others of the kinds that it is made of. `expected` is the digest of those that are
    /// there (`None`: there must be none). Files with mistakes are refused, and nothing changes. The digest of what is there then.
    fn save(&self, name: &str, files: &PluginFiles, expected: Option<&str>, author: &Author)
    -> Result<String, Problem>;
}
