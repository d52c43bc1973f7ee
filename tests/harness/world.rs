//! A small world of its own for each test: a folder, workflows, a witness, and an engine with the real sandbox.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::Value;
use windlass_engine::{Engine, EngineConfig, Launch, Time, VirtualClock};
use windlass_model::{
    Bounds, Bundle, Problem, RunId, RunState,
    journal::{Ending, Job, Runner},
    query::{RunFilter, RunRecord},
    time::parse_duration_ms,
};
use windlass_script::{Library, NoSecrets, Policy, STACK_BYTES, Sandbox, SandboxConfig};

use crate::{
    probe::{self, Witness},
    process::{wait_for, wait_until},
};

/// Longest time that a test waits for something that should take moments.
const PATIENCE: Duration = Duration::from_secs(60);

type Configure = Arc<dyn Fn(&mut EngineConfig) + Send + Sync>;

/// A folder, workflows, a witness and an engine.
pub struct World {
    folder: PathBuf,
    // Removed with everything in it at the end.
    _temporary: Option<tempfile::TempDir>,
    /// What happened in the world.
    pub witness: Witness,
    engine: Mutex<Option<Engine>>,
    configure: Configure,
    clock: Option<Arc<VirtualClock>>,
    held: Arc<AtomicBool>,
    tampered: Arc<Mutex<Option<(String, String)>>>,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// A world with real time.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// A world whose engine is configured otherwise.
    pub fn with(configure: impl Fn(&mut EngineConfig) + Send + Sync + 'static) -> Self {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let mut world = Self::open(temporary.path(), Arc::new(configure));
        world._temporary = Some(temporary);
        world
    }

    /// A world in which waiting takes no time.
    pub fn virtual_time() -> Self {
        let clock: Arc<VirtualClock> = Arc::default();
        let held = Arc::new(AtomicBool::new(false));
        let (used, holding) = (clock.clone(), held.clone());
        clock.on_idle(Arc::new(move |_| {
            let held = holding.load(Ordering::Acquire);
            if held {
                std::thread::sleep(Duration::from_millis(2));
            }
            held
        }));
        let mut world = Self::with(move |config| config.time = Time::Virtual(used.clone()));
        (world.clock, world.held) = (Some(clock), held);
        world
    }

    /// The world in this folder, as a process that was killed has left it.
    pub fn open(folder: &Path, configure: Configure) -> Self {
        std::fs::create_dir_all(folder.join("workflows")).expect("the folder can be written");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self {
            folder: folder.to_owned(),
            _temporary: None,
            witness: Witness::new(folder),
            engine: Mutex::default(),
            configure,
            clock: None,
            held: Arc::default(),
            tampered: Arc::default(),
            runtime: runtime.expect("a runtime"),
        }
    }

    /// The engine, started if it isn't running.
    pub fn engine(&self) -> Engine {
        self.engine.lock().get_or_insert_with(|| self.start()).clone()
    }

    fn start(&self) -> Engine {
        self.try_start().expect("the engine starts")
    }

    /// An engine on this folder, or why there can't be one.
    pub fn try_start(&self) -> Result<Engine, Problem> {
        let mut config = self.config(&Bounds::default());
        windlass_engine::migrate(&config.url)?;
        config.stack_bytes = STACK_BYTES;
        config.workers = 16;
        config.poll_ms = 20;
        (self.configure)(&mut config);
        // The sandbox keeps the bounds that were configured.
        let runner = self.config(&config.bounds).runner;
        Engine::start(EngineConfig { runner, ..config })
    }

    /// What an engine on another database is started with that executes nothing.
    pub fn looking_at(&self, url: &str) -> EngineConfig {
        let mut config = self.config(&Bounds::default());
        url.clone_into(&mut config.url);
        config.workers = 0;
        config.exclusive = false;
        config
    }

    /// Ends the engine; the path of its database, for a test that damages it.
    pub fn stop_for_surgery(&mut self) -> PathBuf {
        self.stop();
        self.database()
    }

    /// The file of its database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("windlass.db")
    }

    fn sandbox(&self, bounds: &Bounds) -> Sandbox {
        Sandbox::new(SandboxConfig {
            bounds: bounds.clone(),
            modules: vec![probe::module(&self.witness)],
            secrets: Arc::new(NoSecrets),
            policy: Policy::allow_all(),
            runtime: self.runtime.handle().clone(),
            instance: "test".into(),
            rehearsal: false,
            interceptor: None,
        })
    }

    /// An engine's configuration on this folder, before `configure` has its say.
    fn config(&self, bounds: &Bounds) -> EngineConfig {
        let url = format!("sqlite:{}", self.folder.join("windlass.db").display());
        let sandbox = self.sandbox(bounds);
        let library = Arc::new(Library::new(vec![self.folder.join("workflows")], sandbox.clone()));
        EngineConfig::new(url, Arc::new(Tampering { sandbox, tampered: self.tampered.clone() }), library)
    }

    /// Writes a workflow that may use all of `probe`; `header` are further entries of its header.
    pub fn script(&self, name: &str, header: &str, body: &str) {
        self.write(name, &["probe.use:*", "kv.read:*", "kv.write:*", "run.launch:*"], header, body);
    }

    /// Writes a workflow with these grants only.
    pub fn script_granted(&self, name: &str, grants: &[&str], body: &str) {
        self.write(name, grants, "", body);
    }

    fn write(&self, name: &str, grants: &[&str], header: &str, body: &str) {
        let path = self.folder.join("workflows").join(format!("{name}.rhai"));
        std::fs::create_dir_all(path.parent().expect("a name has an area")).expect("the folder can be written");
        let comma = if header.is_empty() { "" } else { ", " };
        let grants = serde_json::to_string(grants).expect("grants are text");
        let source = format!(
            "const WORKFLOW = #{{ name: \"{name}\", title: \"a test\", permissions: {grants}{comma}{header} }};\n{body}\n"
        );
        std::fs::write(path, source).expect("the file can be written");
    }

    /// Lines that `script` puts before the body.
    pub fn header_lines(&self) -> u32 {
        1
    }

    /// From now on, runs are evaluated with a source in which `from` reads `to`, under the old digest.
    pub fn tamper(&self, _run: &RunId, from: &str, to: &str) {
        *self.tampered.lock() = Some((from.to_owned(), to.to_owned()));
    }

    /// Launches a workflow.
    pub fn launch(&self, workflow: &str, input: Value) -> RunId {
        let launch = Launch { workflow: workflow.into(), input, by: "test".into(), ..Launch::default() };
        self.engine().launch(launch).expect("the workflow can be launched").run
    }

    /// The run's record at its end.
    pub fn end(&self, run: &RunId) -> RunRecord {
        let record = self.engine().wait_ended(run, PATIENCE).expect("the run can be read");
        assert!(record.state.is_ended(), "the run doesn't end: {record:#?}\n{}", self.story(run));
        record
    }

    /// The run's record once it is in this state.
    pub fn ended_as(&self, run: &RunId, state: RunState) -> RunRecord {
        wait_for(&format!("{run} to be {state}\n"), PATIENCE, || {
            let record = self.engine().require(run).expect("the run can be read");
            (record.state == state).then_some(record)
        })
    }

    /// The run's record once it waits.
    pub fn waits(&self, run: &RunId) -> RunRecord {
        let engine = self.engine();
        let until = Instant::now() + PATIENCE;
        loop {
            let record = engine.require(run).expect("the run can be read");
            if record.state == RunState::Waiting && record.due_at_ms.is_none_or(|due| due > engine.now_ms()) {
                return record;
            }
            assert!(Instant::now() < until, "the run doesn't wait: {record:#?}\n{}", self.story(run));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the run waits for a signal of this name.
    pub fn waits_on_signal(&self, run: &RunId, name: &str) {
        wait_until(&format!("a wait for `{name}`"), PATIENCE, || {
            let steps = self.engine().steps(run).expect("the run can be read");
            steps.iter().any(|step| step.outcome.is_none() && step.args.contains(&format!("\"{name}\"")))
        });
    }

    /// Waits until the run has made something.
    pub fn has_made(&self, run: &RunId) {
        wait_until("something to be made", PATIENCE, || {
            !self.engine().resources(Some(run), true).expect("the run can be read").is_empty()
        });
    }

    /// The run that goes on for this one, once there is one.
    pub fn continued(&self, run: &RunId) -> RunId {
        wait_for("a run that goes on", PATIENCE, || {
            let runs = self.engine().runs(&RunFilter::default()).expect("runs can be listed");
            runs.into_iter().find(|record| record.continues.as_ref() == Some(run)).map(|record| record.id)
        })
    }

    /// The only run that isn't a child.
    pub fn top_run(&self) -> RunId {
        let runs = self.engine().runs(&RunFilter::default()).expect("runs can be listed");
        let mut tops = runs.into_iter().filter(|record| record.parent.is_none());
        let top = tops.next().expect("there is a run");
        assert!(tops.next().is_none(), "the run was launched twice");
        top.id
    }

    /// What the run did, for messages.
    pub fn story(&self, run: &RunId) -> String {
        let events = self.engine().events(run, 0, 1_000).unwrap_or_default();
        let line =
            |event: &windlass_model::Event| format!("{} {} {:?} {}", event.seq, event.kind, event.path, event.data);
        events.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Ends the engine as a process that is asked to end would; the next use starts it again.
    pub fn restart(&mut self) {
        self.stop();
        self.engine();
    }

    fn stop(&self) {
        if let Some(engine) = self.engine.lock().take() {
            engine.shutdown(Duration::from_secs(10));
        }
    }

    /// Launches a workflow in a child process that kills itself at this point (`effect.after:1`); the run it leaves.
    pub fn crash(&mut self, workflow: &str, point: &str) -> RunId {
        let killed = self.child(Some(workflow), Some(point));
        assert!(killed, "the child came to its end without passing {point}");
        self.newest()
    }

    /// Lets a child process go on with what is there until it kills itself.
    pub fn crash_again(&mut self, point: &str) {
        self.child(None, Some(point));
    }

    /// Runs a child process in this world; whether it was killed.
    pub fn child(&mut self, workflow: Option<&str>, crash_at: Option<&str>) -> bool {
        use std::os::unix::process::ExitStatusExt;
        self.stop();
        let test = std::env::current_exe().expect("this test has a file");
        let folder = test.parent().and_then(Path::parent).expect("cargo puts tests into target/<profile>/deps");
        let mut command = Command::new(folder.join("windlass-test-child"));
        command.arg(&self.folder).args(workflow).env_remove("WINDLASS_CRASH_AT");
        if let Some(point) = crash_at {
            command.env("WINDLASS_CRASH_AT", point);
        }
        let status = command.status().expect("the child program is built with the tests");
        assert!(status.success() || status.signal() == Some(9), "the child failed: {status}");
        !status.success()
    }

    /// The run that was launched last.
    pub fn newest(&self) -> RunId {
        let mut config = self.config(&Bounds::default());
        config.workers = 0;
        let reader = Engine::start(config).expect("the engine starts");
        let newest = reader.runs(&RunFilter { limit: 1, ..RunFilter::default() }).expect("runs can be listed").pop();
        reader.shutdown(Duration::from_secs(1));
        newest.expect("there is a run").id
    }

    /// Virtual time stands still while nothing runs.
    pub fn hold_time(&self) {
        self.held.store(true, Ordering::Release);
    }

    /// Virtual time jumps again.
    pub fn release_time(&self) {
        self.held.store(false, Ordering::Release);
    }

    /// Moves virtual time.
    pub fn advance(&self, duration: &str) {
        let clock = self.clock.as_ref().expect("this world's time is virtual");
        clock.advance_by(parse_duration_ms(duration).expect("a duration"));
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Evaluates with another source than the one that is pinned, if a test asks for it.
struct Tampering {
    sandbox: Sandbox,
    tampered: Arc<Mutex<Option<(String, String)>>>,
}

impl Runner for Tampering {
    fn evaluate(&self, job: &Job, journal: Arc<dyn windlass_model::Journal>) -> Ending {
        let Some((from, to)) = self.tampered.lock().clone() else { return self.sandbox.evaluate(job, journal) };
        let files = job.bundle.files.iter().map(|(name, source)| (name.clone(), source.replace(&from, &to)));
        let bundle = Bundle { entry: job.bundle.entry.clone(), files: files.collect() };
        let digest = format!("{}-tampered", job.digest).into();
        self.sandbox.evaluate(&Job { bundle: Arc::new(bundle), digest, ..job.clone() }, journal)
    }

    fn roll_back(&self, job: &Job, journal: Arc<dyn windlass_model::Journal>) -> Ending {
        self.sandbox.roll_back(job, journal)
    }
}
