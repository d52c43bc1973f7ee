//! Workflows on disk: lists them, and pins one with everything it imports.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use windlass_model::{
    Bundle, BundleDigest, Code, Problem, Workflow,
    journal::{Pinned, Workflows},
};

use crate::{
    header,
    resolver::{MAX_IMPORT_DEPTH, is_valid_name},
    sandbox::Sandbox,
};

/// The workflows of one or more folders; the first that has a file wins.
pub struct Library {
    roots: Vec<PathBuf>,
    pub(crate) sandbox: Sandbox,
    /// Headers of bundles that were checked already: a launch of the same one isn't checked again.
    checked: Mutex<HashMap<BundleDigest, Arc<Workflow>>>,
}

/// Checked bundles that are kept.
const CHECKED_KEPT: usize = 256;

impl Library {
    /// A library over these folders; sources are checked against what the sandbox offers.
    pub fn new(roots: Vec<PathBuf>, sandbox: Sandbox) -> Self {
        Self { roots, sandbox, checked: Mutex::default() }
    }

    /// What sources are checked against.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Whether its folders can be read: one that is gone has no workflows, and hasn't lost them either.
    pub fn is_there(&self) -> bool {
        self.roots.iter().all(|root| std::fs::read_dir(root).is_ok())
    }

    /// Names of all workflows: files with a header, without `.rhai`, sorted. Scenarios and `lib/` aren't workflows.
    pub fn list(&self) -> Vec<String> {
        let mut names = Vec::new();
        for root in &self.roots {
            walk(root, "", 0, &mut names);
        }
        names.retain(|name| !name.starts_with("lib/"));
        names.sort();
        names.dedup();
        names
    }

    /// Names of all modules, sorted: what stands in `lib/`.
    pub fn modules(&self) -> Vec<String> {
        let mut names = Vec::new();
        for root in &self.roots {
            walk(&root.join("lib"), "lib/", 1, &mut names);
        }
        names.sort();
        names.dedup();
        names
    }

    /// The same files, with those of another folder in front of them.
    pub fn over(&self, folder: PathBuf) -> Self {
        let roots = std::iter::once(folder).chain(self.roots.iter().cloned()).collect();
        Self::new(roots, self.sandbox.clone())
    }

    /// The text of a file by its name; `None` if no root has it.
    pub fn source(&self, name: &str) -> Result<Option<String>, Problem> {
        if !is_valid_name(name) {
            return Err(Problem::new(Code::WorkflowNotFound, format!("`{name}` isn't a workflow's name"))
                .help("Names look like `lab/two-routers`: letters, digits, `-` and `_`, parts separated by `/`."));
        }
        for root in &self.roots {
            if let Some(text) = self.read(root, name)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    fn read(&self, root: &Path, name: &str) -> Result<Option<String>, Problem> {
        let path = root.join(format!("{name}.rhai"));
        let unreadable =
            |error: std::io::Error| Problem::new(Code::System, format!("`{name}.rhai` can't be read: {error}"));
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        if !real.starts_with(root.canonicalize().map_err(unreadable)?) {
            return Err(Problem::new(
                Code::WorkflowInvalid,
                format!("`{name}.rhai` is a link that leads out of the workflows"),
            ));
        }
        let limit = self.sandbox.bounds().source_bytes;
        let size = real.metadata().map_err(unreadable)?.len();
        if size > limit as u64 {
            return Err(Problem::new(
                Code::LimitExceeded,
                format!("`{name}.rhai` has {size} bytes; at most {limit} are read"),
            )
            .help("The bound is `source_bytes`. Move functions into `lib/`."));
        }
        std::fs::read_to_string(&real).map(Some).map_err(unreadable)
    }

    /// The file and everything it imports.
    pub fn bundle(&self, name: &str) -> Result<Bundle, Problem> {
        let source = self.source(name)?.ok_or_else(|| self.not_found(name))?;
        let mut files = BTreeMap::new();
        self.collect(name, source, &mut files, &mut Vec::new())?;
        Ok(Bundle { entry: name.to_owned(), files })
    }

    fn collect(
        &self,
        name: &str,
        source: String,
        files: &mut BTreeMap<String, String>,
        chain: &mut Vec<String>,
    ) -> Result<(), Problem> {
        if chain.iter().any(|other| other == name) {
            let circle = format!("{} → {name}", chain.join(" → "));
            return Err(Problem::new(
                Code::WorkflowInvalid,
                format!("modules import each other in a circle: {circle}"),
            ));
        }
        if chain.len() > MAX_IMPORT_DEPTH {
            return Err(Problem::new(
                Code::LimitExceeded,
                format!("imports are nested deeper than {MAX_IMPORT_DEPTH}"),
            ));
        }
        chain.push(name.to_owned());
        for import in crate::imports::of_source(&self.sandbox, name, &source)? {
            if !files.contains_key(&import.module) || chain.contains(&import.module) {
                let may = windlass_model::workflow::may_import(name, &import.module);
                let text = self.source(&import.module).ok().flatten().filter(|_| may).ok_or_else(|| {
                    let message = format!("there is no module `{}`", import.module);
                    Problem::new(Code::WorkflowInvalid, message).at(import.site.clone())
                })?;
                self.collect(&import.module, text, files, chain)?;
            }
        }
        chain.pop();
        files.insert(name.to_owned(), source);
        Ok(())
    }

    fn not_found(&self, name: &str) -> Problem {
        let problem = Problem::new(Code::WorkflowNotFound, format!("there is no workflow `{name}`"));
        match crate::nearest::nearest(name, self.list().iter().map(String::as_str)) {
            Some(near) => problem.help(format!("Did you mean `{near}`?")),
            None => problem.help("`windlass workflows ls` shows all of them."),
        }
    }
}

fn walk(folder: &Path, prefix: &str, depth: usize, names: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(file_name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        if path.is_dir() && depth < 8 && is_valid_name(&file_name) {
            walk(&path, &format!("{prefix}{file_name}/"), depth + 1, names);
        } else if let Some(stem) = file_name.strip_suffix(".rhai").filter(|stem| is_valid_name(stem)) {
            names.push(format!("{prefix}{stem}"));
        }
    }
}

impl Workflows for Library {
    fn pin(&self, name: &str) -> Result<Pinned, Problem> {
        let bundle = Arc::new(self.bundle(name)?);
        let digest = BundleDigest(blake3::hash(bundle.canonical().as_bytes()).to_hex().to_string().into());
        let known = self.checked.lock().get(&digest).cloned();
        if let Some(workflow) = known {
            return Ok(Pinned { workflow, bundle, digest });
        }
        let workflow = Arc::new(header::read(&bundle)?);
        crate::check::refuse_errors(&self.sandbox, &bundle)?;
        let mut checked = self.checked.lock();
        if checked.len() >= CHECKED_KEPT {
            checked.clear();
        }
        checked.insert(digest.clone(), workflow.clone());
        Ok(Pinned { workflow, bundle, digest })
    }

    fn header(&self, bundle: &Bundle) -> Result<Arc<Workflow>, Problem> {
        header::read(bundle).map(Arc::new)
    }
}
