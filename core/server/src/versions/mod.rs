//! Versions of workflows. What a launch pins is the active version, which is in the database; files only propose new ones.
//! A file that has mistakes, or is half written, changes nothing: the last good version stays in use.

mod kept;
mod save;
mod together;
mod watch;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use parking_lot::{Mutex, RwLock};
use serde_json::json;
use windlass_engine::Engine;
use windlass_model::{
    Bundle, Code, EventKind, Problem, Workflow,
    audit::NewAudit,
    document::Change,
    journal::{Pinned, Workflows},
};
use windlass_script::{Library, permission};

use self::kept::{Active, Version};

pub use kept::{Kept, history, source};
pub use save::digest;
pub use watch::Watching;

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
}

impl Author {
    /// Somebody with an editor.
    pub fn file() -> Self {
        Self { by: "file".into(), source: "file".into(), why: String::new(), made_by: None }
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

/// The active versions of a folder of workflows.
pub struct Versions {
    library: Arc<Library>,
    /// Whether a version that widens permissions waits for an admin.
    review: bool,
    engine: OnceLock<Engine>,
    active: RwLock<BTreeMap<String, (Active, Pinned)>>,
    rejected: RwLock<BTreeMap<String, Rejected>>,
    /// Held while files are read and versions made: one change at a time.
    changing: Mutex<()>,
}

impl Versions {
    /// Of this library.
    pub fn new(library: Arc<Library>, review: bool) -> Self {
        let (active, rejected) = (RwLock::default(), RwLock::default());
        Self { library, review, engine: OnceLock::new(), active, rejected, changing: Mutex::default() }
    }

    /// From now on versions are kept through this engine: loads what is in use, and looks at the files.
    pub fn attach(&self, engine: Engine) -> Result<(), Problem> {
        for active in kept::active(&engine)? {
            let digest = active.digest.as_str().into();
            let Some(bundle) = engine.bundle(&digest)? else {
                tracing::warn!(
                    "version {} of `{}` is in use, but its sources are gone",
                    active.version,
                    active.workflow
                );
                continue;
            };
            let workflow = self.library.header(&bundle)?;
            self.active.write().insert(active.workflow.clone(), (active, Pinned { workflow, bundle, digest }));
        }
        // Attached once, at the start.
        let _ = self.engine.set(engine);
        self.rescan(&Author::file())
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

    /// Looks at all files. What is new and sound is in use from now on.
    pub fn rescan(&self, author: &Author) -> Result<(), Problem> {
        let _changing = self.changing.lock();
        if !self.library.is_there() {
            // Unmounted, or about to be replaced: that isn't somebody who removes all workflows.
            tracing::warn!("the folder of workflows is gone; what is in use stays in use");
            return Ok(());
        }
        let names = self.library.list();
        for name in &names {
            self.look(name, author)?;
        }
        let gone: Vec<String> = self.active.read().keys().filter(|name| !names.contains(name)).cloned().collect();
        for name in gone {
            self.forget(&name, author)?;
        }
        self.rejected.write().retain(|name, _| names.contains(name));
        Ok(())
    }

    /// Looks at one file. The caller holds `changing`.
    fn look(&self, name: &str, author: &Author) -> Result<(), Problem> {
        match self.library.pin(name) {
            Ok(pinned) => {
                let in_use = self.active.read().get(name).map(|(active, _)| active.clone());
                if in_use.as_ref().is_some_and(|active| active.seen == pinned.digest.as_str()) {
                    self.rejected.write().remove(name);
                    return Ok(());
                }
                self.propose(name, pinned, in_use, author)
            }
            Err(problem) => self.reject(name, problem),
        }
    }

    fn propose(&self, name: &str, pinned: Pinned, in_use: Option<Active>, author: &Author) -> Result<(), Problem> {
        let engine = self.engine()?;
        let seen = pinned.digest.to_string();
        if self.rejected.read().get(name).is_some_and(|rejected| rejected.seen == seen) {
            return Ok(());
        }
        engine.keep_bundle(&pinned)?;
        let version = Version {
            workflow: name.to_owned(),
            version: kept::latest(engine, name)? + 1,
            digest: seen.clone(),
            source: pinned.bundle.files.get(name).cloned().unwrap_or_default(),
            permissions: pinned.workflow.permissions.clone(),
            by: author.told(),
            why: author.why.clone(),
            at_ms: engine.now_ms(),
        };
        let added = self.widens(name, &pinned.workflow);
        if self.review && in_use.is_some() && !added.is_empty() {
            let message =
                format!("version {} asks for more than the one in use: {}", version.version, added.join(", "));
            let problem = Problem::new(Code::PermissionDenied, message)
                .help(format!(
                    "an admin can activate it: POST /api/v1/workflows/{name}/activate with version {}",
                    version.version
                ))
                .data(json!({ "version": version.version, "added": added }));
            engine.change(vec![version.put()?])?;
            self.rejected.write().insert(name.to_owned(), Rejected { seen, problem });
            return Ok(());
        }
        self.put_in_use(version.put()?, &version, pinned, seen, author)
    }

    /// Grants that a version asks for and the one in use doesn't.
    fn widens(&self, name: &str, workflow: &Workflow) -> Vec<String> {
        let active = self.active.read();
        let held = active.get(name).map(|(_, pinned)| pinned.workflow.permissions.clone()).unwrap_or_default();
        permission::difference(&held, &workflow.permissions).0
    }

    fn put_in_use(
        &self,
        kept: Change,
        version: &Version,
        pinned: Pinned,
        seen: String,
        author: &Author,
    ) -> Result<(), Problem> {
        let engine = self.engine()?;
        let name = &version.workflow;
        let before = self.active.read().get(name).map(|(active, _)| active.clone());
        let active = Active { workflow: name.clone(), version: version.version, digest: version.digest.clone(), seen };
        let entry = NewAudit {
            actor: author.by.clone(),
            organisation: "platform".into(),
            action: "workflow.activate".into(),
            target: name.clone(),
            source: author.source.clone(),
            before: json!(before.map(|active| active.version)),
            after: json!({ "version": version.version, "digest": version.digest, "by": author.told(), "why": author.why }),
        };
        let data = json!({ "workflow": name, "version": version.version, "digest": version.digest, "by": author.by });
        let together = engine.audited(entry).announced(EventKind::WorkflowActivated, data);
        together.change(vec![kept, active.put()?])?;
        self.active.write().insert(name.clone(), (active, pinned));
        self.rejected.write().remove(name);
        Ok(())
    }

    fn reject(&self, name: &str, problem: Problem) -> Result<(), Problem> {
        // The same mistake is told once.
        let text = self.library.source(name).ok().flatten().unwrap_or_default();
        let seen = blake3::hash(format!("{text}\n{}", problem.message).as_bytes()).to_hex().to_string();
        if self.rejected.read().get(name).is_some_and(|rejected| rejected.seen == seen) {
            return Ok(());
        }
        let data = json!({ "workflow": name, "digest": seen, "error": problem });
        tracing::warn!(workflow = name, %problem, "a changed file has mistakes; the version before it stays in use");
        self.rejected.write().insert(name.to_owned(), Rejected { seen, problem });
        self.engine()?.announce(EventKind::WorkflowRejected, data)
    }

    fn forget(&self, name: &str, author: &Author) -> Result<(), Problem> {
        let engine = self.engine()?;
        let Some((active, _)) = self.active.read().get(name).cloned() else { return Ok(()) };
        let entry = NewAudit {
            actor: author.by.clone(),
            organisation: "platform".into(),
            action: "workflow.remove".into(),
            target: name.to_owned(),
            source: author.source.clone(),
            before: json!({ "version": active.version, "digest": active.digest }),
            ..NewAudit::default()
        };
        let together = engine.audited(entry).announced(EventKind::WorkflowRemoved, json!({ "workflow": name }));
        together.change(vec![active.delete()])?;
        self.active.write().remove(name);
        Ok(())
    }
}

impl Workflows for Versions {
    fn pin(&self, name: &str) -> Result<Pinned, Problem> {
        if let Some((_, pinned)) = self.active.read().get(name) {
            return Ok(pinned.clone());
        }
        if self.engine.get().is_none() {
            // A run that goes on at the very start: what is in use isn't loaded yet.
            return self.library.pin(name);
        }
        match self.problem(name) {
            Some(problem) => Err(problem),
            None => self.library.pin(name).and_then(|pinned| {
                // The file has come this moment, and nobody has looked at it yet.
                Err(Problem::new(Code::WorkflowNotFound, format!("`{}` isn't in use yet", pinned.workflow.name))
                    .help("try again in a moment")
                    .retryable())
            }),
        }
    }

    fn header(&self, bundle: &Bundle) -> Result<Arc<Workflow>, Problem> {
        self.library.header(bundle)
    }
}
