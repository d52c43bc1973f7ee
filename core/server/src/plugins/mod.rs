//! Plugins: a folder for each below a folder for each kind, `registrars/example`, with `plugin.toml`, `main.rhai` and recorded
//! exchanges in `fixtures`. They are read and checked here, as `versions` and approvals ask for it.

mod approvals;
mod archive;
mod conformance;
mod desk;
mod starter;

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use windlass_hosts::registrar::Source;
use windlass_model::{Bundle, BundleDigest, CallSite, Code, Problem, Workflow, journal::Pinned};
use windlass_script::{
    is_valid_name,
    plugin::{Program, manifest},
};

pub use approvals::Approvals;
pub use archive::unpack;
pub use conformance::conformance;
pub use desk::Desk;
pub use starter::starter;
pub use windlass_script::plugin::Manifest;

const MANIFEST: &str = "plugin.toml";
const SCRIPT: &str = "main.rhai";
const FIXTURES: &str = "fixtures";
/// Recorded exchanges of one plugin.
const FIXTURES_MOST: usize = 200;

/// A folder of plugins.
pub struct Plugins {
    root: PathBuf,
    file_bytes: usize,
}

fn invalid(file: &str, line: u32, column: u32, message: String) -> Problem {
    Problem::new(Code::WorkflowInvalid, message).at(CallSite { file: file.into(), line, column })
}

/// The manifest in the sources of a version.
pub fn manifest(bundle: &Bundle) -> Result<Manifest, Problem> {
    let name = &bundle.entry;
    let text = bundle.files.get(&format!("{name}/{MANIFEST}")).map(String::as_str).unwrap_or_default();
    Manifest::read(name, text)
}

/// A plugin's files as a version has them: the script by the plugin's name, the others by their whole paths.
fn bundled(name: &str, files: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let key = |file: String| if file == SCRIPT { name.to_owned() } else { format!("{name}/{file}") };
    files.into_iter().map(|(file, text)| (key(file), text)).collect()
}

/// The same the other way round.
fn unbundled(bundle: &Bundle) -> BTreeMap<String, String> {
    let prefix = format!("{}/", bundle.entry);
    let inside = |file: &String| file.strip_prefix(&prefix).map_or_else(|| SCRIPT.to_owned(), str::to_owned);
    bundle.files.iter().map(|(file, text)| (inside(file), text.clone())).collect()
}

/// The sources of a version, as the host module reads them.
pub fn source(bundle: &Bundle, digest: &str) -> Result<Source, Problem> {
    let name = &bundle.entry;
    let prefix = format!("{name}/{FIXTURES}/");
    let fixtures = bundle.files.iter().filter_map(|(file, text)| {
        let file = file.strip_prefix(&prefix)?;
        Some((file.to_owned(), text.clone()))
    });
    Ok(Source {
        name: name.clone(),
        digest: digest.to_owned(),
        manifest: manifest(bundle)?,
        script: bundle.files.get(name).cloned().unwrap_or_default(),
        fixtures: fixtures.collect(),
    })
}

impl Plugins {
    /// Those below this folder; no file is larger than this.
    pub fn new(root: &Path, file_bytes: usize) -> Self {
        Self { root: root.to_owned(), file_bytes }
    }

    /// The folder of a plugin.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Whether the folder can be read.
    pub fn is_there(&self) -> bool {
        fs::read_dir(&self.root).is_ok()
    }

    /// Names of the folders that have a manifest or a script.
    pub fn list(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (kind, _) in manifest::KINDS {
            let Ok(entries) = fs::read_dir(self.root.join(kind)) else { continue };
            for entry in entries.flatten() {
                let Ok(id) = entry.file_name().into_string() else { continue };
                let has = |file: &str| entry.path().join(file).exists();
                if is_valid_name(&id) && (has(MANIFEST) || has(SCRIPT)) {
                    names.push(format!("{kind}/{id}"));
                }
            }
        }
        names.sort();
        names
    }

    /// The text of the script.
    pub fn source(&self, name: &str) -> Result<Option<String>, Problem> {
        self.read(name, SCRIPT)
    }

    fn read(&self, name: &str, file: &str) -> Result<Option<String>, Problem> {
        let shown = format!("{name}/{file}");
        if !is_valid_name(name) {
            return Err(Problem::new(Code::NotFound, format!("`{name}` isn't a plugin's name")));
        }
        let unreadable = |error: std::io::Error| Problem::new(Code::System, format!("{shown} can't be read: {error}"));
        let real = match self.root.join(&shown).canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        if !real.starts_with(self.root.canonicalize().map_err(unreadable)?) {
            return Err(invalid(&shown, 1, 1, format!("{shown} is a link that leads out of the plugins")));
        }
        let limit = self.file_bytes;
        if real.metadata().map_err(unreadable)?.len() > limit as u64 {
            return Err(Problem::new(Code::LimitExceeded, format!("{shown} has more than {limit} bytes"))
                .help("The bound is `source_bytes`."));
        }
        fs::read_to_string(&real).map(Some).map_err(unreadable)
    }

    /// A plugin as it is in its folder, checked.
    pub fn pin(&self, name: &str) -> Result<Pinned, Problem> {
        self.pin_files(name, self.files(name)?)
    }

    /// What is in a plugin's folder: texts by their paths in it. What isn't there is left out.
    pub fn files(&self, name: &str) -> Result<BTreeMap<String, String>, Problem> {
        let mut files = BTreeMap::new();
        for file in [MANIFEST, SCRIPT] {
            files.extend(self.read(name, file)?.map(|text| (file.to_owned(), text)));
        }
        for file in self.fixtures(name)? {
            let file = format!("{FIXTURES}/{file}");
            files.extend(self.read(name, &file)?.map(|text| (file, text)));
        }
        Ok(files)
    }

    /// These files as a plugin, checked.
    pub fn pin_files(&self, name: &str, files: BTreeMap<String, String>) -> Result<Pinned, Problem> {
        let text = |file: &str| {
            let shown = format!("{name}/{file}");
            files.get(file).cloned().ok_or_else(|| invalid(&shown, 1, 1, format!("there is no {shown}")))
        };
        let manifest = Manifest::read(name, &text(MANIFEST)?)?;
        Program::new(name, &text(SCRIPT)?, &manifest.capabilities)?;
        let bundle = Arc::new(Bundle { entry: name.to_owned(), files: bundled(name, files) });
        let digest = BundleDigest(blake3::hash(bundle.canonical().as_bytes()).to_hex().to_string().into());
        Ok(Pinned { workflow: self.header(&bundle)?, bundle, digest })
    }

    /// Names of its recorded exchanges.
    fn fixtures(&self, name: &str) -> Result<Vec<String>, Problem> {
        let Ok(entries) = fs::read_dir(self.root.join(name).join(FIXTURES)) else { return Ok(Vec::new()) };
        let files = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut files: Vec<String> = files.filter(|file| file.ends_with(".json") && !file.starts_with('.')).collect();
        if files.len() > FIXTURES_MOST {
            let message = format!("{name}/{FIXTURES} has more than {FIXTURES_MOST} files");
            return Err(Problem::new(Code::LimitExceeded, message));
        }
        files.sort();
        Ok(files)
    }

    /// What it says of itself, in the words that versions know.
    pub fn header(&self, bundle: &Bundle) -> Result<Arc<Workflow>, Problem> {
        let manifest = manifest(bundle)?;
        let title = if manifest.title.is_empty() { manifest.id.clone() } else { manifest.title.clone() };
        let header = json!({ "name": bundle.entry, "title": title, "permissions": manifest.grants() });
        let unfit = |error: serde_json::Error| Problem::new(Code::Internal, format!("a plugin's header: {error}"));
        serde_json::from_value(header).map(Arc::new).map_err(unfit)
    }
}
