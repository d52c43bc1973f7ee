//! Versions of workflows and of plugins. What a launch pins is the active version, which is in the database; files only propose new ones.
//! A file that has mistakes, or is half written, changes nothing: the last good version stays in use.

mod kept;
mod look;
mod origin;
mod save;
mod seen;
mod together;
mod watch;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use windlass_engine::Engine;
use windlass_model::{
    Bundle, Code, Problem, Workflow,
    journal::{Pinned, Workflows},
};
use windlass_script::Library;

use self::{
    kept::{Active, Kind},
    origin::Origin,
};
use crate::plugins::Plugins;

pub use kept::{Kept, history, source};
pub use save::{beside, digest, place, write};
pub use seen::Seen;
pub use watch::Watching;

/// Whose version may ask for more than the one in use.
#[derive(Clone, Debug)]
pub enum Widening {
    /// A file's: the configuration says whether it waits for an admin.
    AsConfigured,
    /// Those of these workflows; the others' wait.
    Of(Vec<String>),
}

/// Who proposes a version, and why.
#[derive(Clone, Debug)]
pub struct Author {
    /// The person, or `file`.
    pub by: String,
    /// Where from: an address, `file`.
    pub source: String,
    /// Why.
    pub why: String,
    /// Who wrote it, if that is somebody else: the author of a commit.
    pub made_by: Option<String>,
    /// What they may widen.
    pub widening: Widening,
}

impl Author {
    /// Somebody with an editor.
    pub fn file() -> Self {
        let widening = Widening::AsConfigured;
        Self { by: "file".into(), source: "file".into(), why: String::new(), made_by: None, widening }
    }

    /// The same, who may widen what these workflows do: an admin of theirs, or whoever has the machine.
    pub fn widening(&self, names: impl IntoIterator<Item = String>) -> Self {
        Self { widening: Widening::Of(names.into_iter().collect()), ..self.clone() }
    }

    /// As a version tells it.
    fn told(&self) -> String {
        self.made_by.as_ref().map_or_else(|| self.by.clone(), |made_by| format!("{made_by} via {}", self.by))
    }
}

/// What is known of one workflow's file that differs from what is in use.
#[derive(Clone, Debug)]
struct Rejected {
    /// What was read.
    seen: String,
    /// Why it isn't in use.
    problem: Problem,
}

/// The active versions of a folder of workflows, or of plugins.
pub struct Versions {
    kind: &'static Kind,
    origin: Origin,
    /// Whether a file that widens permissions waits for an admin.
    review: bool,
    /// Whether these are the files that an empty database begins with: they were installed with it.
    beginning: AtomicBool,
    seen: Seen,
    engine: OnceLock<Engine>,
    active: RwLock<BTreeMap<String, (Active, Pinned)>>,
    rejected: RwLock<BTreeMap<String, Rejected>>,
    /// Held while files are read and versions made: one change at a time.
    changing: Mutex<()>,
}

impl Versions {
    /// Of this library's workflows.
    pub fn new(library: Arc<Library>, review: bool, seen: Seen) -> Self {
        Self::of(&kept::WORKFLOW, Origin::Workflows(library), review, seen)
    }

    /// Of the plugins in a folder.
    pub fn of_plugins(plugins: Plugins, review: bool, seen: Seen) -> Self {
        Self::of(&kept::PLUGIN, Origin::Plugins(plugins), review, seen)
    }

    fn of(kind: &'static Kind, origin: Origin, review: bool, seen: Seen) -> Self {
        let (active, rejected, changing) = (RwLock::default(), RwLock::default(), Mutex::default());
        let (engine, beginning) = (OnceLock::new(), AtomicBool::new(false));
        Self { kind, origin, review, beginning, seen, engine, active, rejected, changing }
    }

    /// From now on versions are kept through this engine: loads what is in use, and looks at the files.
    pub fn attach(&self, engine: Engine) -> Result<(), Problem> {
        self.beginning.store(kept::is_empty(self.kind, &engine)?, Ordering::Relaxed);
        // Attached once, at the start.
        let _ = self.engine.set(engine);
        let looked = self.rescan(&Author::file());
        self.beginning.store(false, Ordering::Relaxed);
        looked
    }

    /// Takes over what other processes have put in use or removed.
    pub fn refresh(&self) -> Result<(), Problem> {
        let _changing = self.changing.lock();
        self.reload()
    }

    /// The same; the caller holds `changing`.
    fn reload(&self) -> Result<(), Problem> {
        let kept: BTreeMap<String, Active> = kept::active(self.kind, self.engine()?)?
            .into_iter()
            .map(|active| (active.workflow.clone(), active))
            .collect();
        for (name, active) in &kept {
            if self.active.read().get(name).is_some_and(|(known, _)| known == active) {
                continue;
            }
            match self.load(active) {
                Ok(pinned) => {
                    self.active.write().insert(name.clone(), (active.clone(), pinned));
                    let mut rejected = self.rejected.write();
                    if rejected.get(name).is_some_and(|rejected| rejected.seen == active.digest) {
                        rejected.remove(name);
                    }
                }
                // The others are of use all the same.
                Err(problem) => {
                    tracing::warn!("version {} of `{name}` is in use, but can't be read: {problem}", active.version);
                }
            }
        }
        self.active.write().retain(|name, _| kept.contains_key(name));
        Ok(())
    }

    fn load(&self, active: &Active) -> Result<Pinned, Problem> {
        let digest = active.digest.as_str().into();
        let gone = || Problem::new(Code::NotFound, "its sources are gone");
        let bundle = self.engine()?.bundle(&digest)?.ok_or_else(gone)?;
        Ok(Pinned { workflow: self.origin.header(&bundle)?, bundle, digest })
    }

    fn in_use(&self, name: &str) -> Option<Active> {
        self.active.read().get(name).map(|(active, _)| active.clone())
    }

    fn engine(&self) -> Result<&Engine, Problem> {
        self.engine.get().ok_or_else(|| Problem::new(Code::Storage, "the database isn't open yet").retryable())
    }

    /// Names of the workflows that can be launched, and of those that could if they had no mistakes.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.active.read().keys().cloned().collect();
        names.extend(self.rejected.read().keys().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// Number of the version in use.
    pub fn version(&self, name: &str) -> Option<i64> {
        self.active.read().get(name).map(|(active, _)| active.version)
    }

    /// Why the file isn't what is in use.
    pub fn problem(&self, name: &str) -> Option<Problem> {
        self.rejected.read().get(name).map(|rejected| rejected.problem.clone())
    }
}

impl Workflows for Versions {
    fn pin(&self, name: &str) -> Result<Pinned, Problem> {
        if let Some((_, pinned)) = self.active.read().get(name) {
            return Ok(pinned.clone());
        }
        if self.engine.get().is_none() {
            // A run that goes on at the very start: what is in use isn't loaded yet.
            return self.origin.pin(name);
        }
        match self.problem(name) {
            Some(problem) => Err(problem),
            None if self.seen.get(name).is_some() => {
                Err(Problem::new(Code::WorkflowNotFound, format!("`{name}` was removed; its file here is what it was"))
                    .help("a change of the file, or restoring a version, puts it in use again"))
            }
            None => self.origin.pin(name).and_then(|pinned| {
                // The file has come this moment, and nobody has looked at it yet.
                Err(Problem::new(Code::WorkflowNotFound, format!("`{}` isn't in use yet", pinned.workflow.name))
                    .help("try again in a moment")
                    .retryable())
            }),
        }
    }

    fn header(&self, bundle: &Bundle) -> Result<Arc<Workflow>, Problem> {
        self.origin.header(bundle)
    }
}
