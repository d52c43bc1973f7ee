//! Plugins: a folder for each below a folder for each kind, `registrars/example`, with `plugin.toml` and `main.rhai`. They are
//! read and checked here, as `versions` asks for it. Nothing calls them yet.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use windlass_model::{Bundle, BundleDigest, CallSite, Code, Problem, Workflow, journal::Pinned};
use windlass_script::{
    Sandbox, check,
    check::{Diagnostic, Severity},
    is_valid_name,
    plugin::manifest,
};

pub use windlass_script::plugin::Manifest;

const MANIFEST: &str = "plugin.toml";
const SCRIPT: &str = "main.rhai";

/// A folder of plugins.
pub struct Plugins {
    root: PathBuf,
    sandbox: Sandbox,
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

impl Plugins {
    /// Those below this folder; scripts are checked against what the sandbox offers.
    pub fn new(root: &Path, sandbox: Sandbox) -> Self {
        Self { root: root.to_owned(), sandbox }
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
        let limit = self.sandbox.bounds().source_bytes;
        if real.metadata().map_err(unreadable)?.len() > limit as u64 {
            return Err(Problem::new(Code::LimitExceeded, format!("{shown} has more than {limit} bytes"))
                .help("The bound is `source_bytes`."));
        }
        fs::read_to_string(&real).map(Some).map_err(unreadable)
    }

    /// A plugin as it is in its folder, checked.
    pub fn pin(&self, name: &str) -> Result<Pinned, Problem> {
        let missing = |file: &str| {
            let file = format!("{name}/{file}");
            invalid(&file, 1, 1, format!("there is no {file}"))
        };
        let text = self.read(name, MANIFEST)?.ok_or_else(|| missing(MANIFEST))?;
        let manifest = Manifest::read(name, &text)?;
        let script = self.read(name, SCRIPT)?.ok_or_else(|| missing(SCRIPT))?;
        self.check(name, &manifest, &script)?;
        let files = BTreeMap::from([(format!("{name}/{MANIFEST}"), text), (name.to_owned(), script)]);
        let bundle = Arc::new(Bundle { entry: name.to_owned(), files });
        let digest = BundleDigest(blake3::hash(bundle.canonical().as_bytes()).to_hex().to_string().into());
        Ok(Pinned { workflow: self.header(&bundle)?, bundle, digest })
    }

    /// What it says of itself, in the words that versions know.
    pub fn header(&self, bundle: &Bundle) -> Result<Arc<Workflow>, Problem> {
        let manifest = manifest(bundle)?;
        let title = if manifest.title.is_empty() { manifest.id.clone() } else { manifest.title.clone() };
        let header = json!({ "name": bundle.entry, "title": title, "permissions": manifest.grants() });
        let unfit = |error: serde_json::Error| Problem::new(Code::Internal, format!("a plugin's header: {error}"));
        serde_json::from_value(header).map(Arc::new).map_err(unfit)
    }

    /// A script is a module without imports, and has a function for each capability.
    fn check(&self, name: &str, manifest: &Manifest, script: &str) -> Result<(), Problem> {
        let file = format!("{name}/{SCRIPT}");
        let module = "lib/plugin";
        let checked = check::source(&self.sandbox, module, script, &|_| None);
        if let Some(import) = checked.imports.first() {
            return Err(invalid(&file, 1, 1, format!("{file} imports `{import}`; a plugin is whole by itself")));
        }
        let error = |found: &[Diagnostic]| found.iter().find(|one| one.severity == Severity::Error).cloned();
        if let Some(first) = error(&checked.diagnostics) {
            let message = format!("{file}:{}:{}: {}", first.line, first.column, first.message);
            return Err(invalid(&file, first.line, first.column, message)
                .help(first.help.unwrap_or_default())
                .data(json!({ "diagnostics": checked.diagnostics })));
        }
        for capability in &manifest.capabilities {
            // Asked of the checker as a call of it would be.
            let call = format!(
                "import \"{module}\" as plugin;\n\nfn asked(request) {{\n    plugin::{capability}(request)\n}}\n"
            );
            let find = |asked: &str| (asked == module).then(|| script.to_owned());
            if error(&check::source(&self.sandbox, "lib/asked", &call, &find).diagnostics).is_some() {
                let message = format!("{file} says that it can `{capability}`, and has no `fn {capability}(request)`");
                return Err(invalid(&file, 1, 1, message));
            }
        }
        Ok(())
    }
}
