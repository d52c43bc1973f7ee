//! One engine with the real sandbox, on a database of its own on the disk that is measured.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use serde_json::Value;
use windlass_engine::{Durability, Engine, EngineConfig, Launch};
use windlass_model::{
    Bounds, Journal, RunId,
    journal::{Ending, Job, Runner},
    query::RunRecord,
};
use windlass_script::{Library, NoSecrets, Policy, STACK_BYTES, Sandbox, SandboxConfig, host::HostModule};

use crate::ops::{self, Notes};

/// Longest time that a run may take here.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a case fails with, in words.
pub type Outcome<T> = Result<T, String>;

/// A folder, workflows, and what an engine needs.
pub struct World {
    folder: PathBuf,
    pub notes: Notes,
    pub gate: Arc<Gate>,
    // Ops' futures run on it.
    _runtime: tokio::runtime::Runtime,
    sandbox: Sandbox,
}

impl World {
    /// A world in a folder of its own below `parent`.
    pub fn new(parent: &Path, name: &str) -> Outcome<Self> {
        Self::with(parent, name, Vec::new())
    }

    /// A world with further host modules.
    pub fn with(parent: &Path, name: &str, mut modules: Vec<HostModule>) -> Outcome<Self> {
        let folder = parent.join(name);
        std::fs::create_dir_all(folder.join("workflows")).map_err(words)?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(words)?;
        let notes = Notes::default();
        modules.push(ops::module(&notes));
        let sandbox = Sandbox::new(SandboxConfig {
            bounds: Bounds::default(),
            modules,
            secrets: Arc::new(NoSecrets),
            policy: Policy::allow_all(),
            runtime: runtime.handle().clone(),
            instance: "bench".into(),
            rehearsal: false,
            interceptor: None,
        });
        Ok(Self { folder, notes, gate: Arc::default(), _runtime: runtime, sandbox })
    }

    /// The database's file.
    pub fn database(&self) -> PathBuf {
        self.folder.join("windlass.db")
    }

    /// Writes a workflow that may use everything.
    pub fn script(&self, name: &str, grants: &[&str], body: &str) -> Outcome<()> {
        let path = self.folder.join("workflows").join(format!("{name}.rhai"));
        std::fs::create_dir_all(path.parent().unwrap_or(&self.folder)).map_err(words)?;
        let grants = serde_json::to_string(grants).map_err(words)?;
        let header =
            format!("const WORKFLOW = #{{ name: \"{name}\", title: \"a benchmark\", permissions: {grants} }};");
        std::fs::write(path, format!("{header}\n{body}\n")).map_err(words)
    }

    /// Starts an engine on the world's database.
    pub fn start(&self, configure: impl FnOnce(&mut EngineConfig)) -> Outcome<Running> {
        let url = format!("sqlite:{}", self.database().display());
        windlass_engine::migrate(&url).map_err(words)?;
        let library = Library::new(vec![self.folder.join("workflows")], self.sandbox.clone());
        let runner = Gated { sandbox: self.sandbox.clone(), gate: self.gate.clone() };
        let mut config = EngineConfig::new(url, Arc::new(runner), Arc::new(library));
        config.stack_bytes = STACK_BYTES;
        config.durability = Durability::Full;
        configure(&mut config);
        Engine::start(config).map(Running).map_err(words)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Some cases leave hundreds of megabytes; the next one needs the room, and no old log.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Launches a workflow.
pub fn launch(engine: &Engine, workflow: &str, input: Value) -> Outcome<RunId> {
    let launch = Launch { workflow: workflow.into(), input, by: "bench".into(), ..Launch::default() };
    engine.launch(launch).map(|launched| launched.run).map_err(words)
}

/// The run's record once it has succeeded.
pub fn succeeded(engine: &Engine, run: &RunId) -> Outcome<RunRecord> {
    let record = engine.wait_ended(run, PATIENCE).map_err(words)?;
    match record.state {
        windlass_model::RunState::Succeeded => Ok(record),
        state => Err(format!("run {run} is {state}: {}", record.problem.map_or_else(String::new, words))),
    }
}

/// Waits until a condition holds.
pub fn wait_until(what: &str, within: Duration, mut condition: impl FnMut() -> bool) -> Outcome<()> {
    let started = Instant::now();
    while !condition() {
        if started.elapsed() > within {
            return Err(format!("waited {} s in vain for {what}", within.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// An error as text.
pub fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Holds evaluations back, so that a launch can be looked at without what comes after it.
#[derive(Default)]
pub struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub fn close(&self) {
        *self.closed.lock() = true;
    }

    pub fn open(&self) {
        *self.closed.lock() = false;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut closed = self.closed.lock();
        self.opened.wait_while(&mut closed, |closed| *closed);
    }
}

/// The real sandbox behind the gate.
struct Gated {
    sandbox: Sandbox,
    gate: Arc<Gate>,
}

impl Runner for Gated {
    fn evaluate(&self, job: &Job, journal: Arc<dyn Journal>) -> Ending {
        self.gate.pass();
        self.sandbox.evaluate(job, journal)
    }

    fn roll_back(&self, job: &Job, journal: Arc<dyn Journal>) -> Ending {
        self.sandbox.roll_back(job, journal)
    }
}

/// The engine of a case, shut down at its end whatever comes of it.
pub struct Running(pub Engine);

impl std::ops::Deref for Running {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.shutdown(Duration::from_secs(10));
    }
}
