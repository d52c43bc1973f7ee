//! A store with a clock that tests set, and short words for commands.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::{
    CallSite, Code, Digest, EffectClass, EventKind, NodeId, Outcome, Problem, ResourceChange, ResourceRef, RetryPolicy,
    RunId, RunState, StepCall, StepPath, WaitSpec,
    command::{Claimed, Command, Lease, NewRun, Reply},
    time::Clock,
    undo::UndoSpec,
    workflow::{Priority, Rollback},
};
use windlass_store::{Committed, Store, StoreError, StoreOptions};

pub struct TestClock(pub AtomicI64);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

pub const START_MS: i64 = 1_000_000;
pub const BUNDLE: &str = "b1";

pub struct World {
    pub store: Store,
    pub url: String,
    pub clock: Arc<TestClock>,
    pub told: Arc<Mutex<Vec<Committed>>>,
    folder: Option<tempfile::TempDir>,
}

impl World {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/windlass.db", folder.path().display());
        Self { folder: Some(folder), ..Self::at(url) }
    }

    pub fn postgres() -> Option<Self> {
        let url = windlass_tests::postgres::database();
        if url.is_none() {
            windlass_tests::skip("no PostgreSQL is installed under /usr/lib/postgresql");
        }
        url.map(Self::at)
    }

    fn at(url: String) -> Self {
        Store::migrate(&url).unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(START_MS)));
        let told = Arc::new(Mutex::new(Vec::new()));
        let store = Store::open(&url, Self::options(&clock, &told)).unwrap();
        let world = Self { store, url, clock, told, folder: None };
        world.ok(Command::PutBundle { digest: BUNDLE.into(), body: "{\"entry\":\"lab/x\"}".into() });
        world
    }

    fn options(clock: &Arc<TestClock>, told: &Arc<Mutex<Vec<Committed>>>) -> StoreOptions {
        let mut options = StoreOptions::new(clock.clone());
        let told = told.clone();
        options.listener = Arc::new(move |committed| told.lock().push(committed.clone()));
        options.lazy_flush_ms = 10_000;
        options
    }

    /// Another store on the same database, as another process would have it.
    pub fn second(&self) -> Store {
        Store::open(&self.url, Self::options(&self.clock, &self.told)).unwrap()
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Runs SQL on the file as a program other than ours would; false, after saying so, where there is no such program.
    pub fn sqlite_shell(&self, sql: &str) -> bool {
        let file = self.folder().join("windlass.db");
        let status = std::process::Command::new("sqlite3").arg(file).arg(sql).status();
        let done = status.is_ok_and(|status| status.success());
        if !done {
            windlass_tests::skip("there is no `sqlite3` program");
        }
        done
    }

    /// Runs SQL on the database as a program other than ours would; whether it was taken.
    pub fn sql(&self, sql: &str) -> bool {
        let Some(folder) = &self.folder else { return windlass_tests::postgres::takes(&self.url, sql) };
        let file = folder.path().join("windlass.db");
        let mut command = std::process::Command::new("sqlite3");
        // What begins with a comment would be taken for an option.
        command.args(["-bail", "-cmd", "PRAGMA foreign_keys = ON"]).arg(file).arg(format!("\n{sql}"));
        command.output().expect("sqlite3 starts").status.success()
    }

    pub fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    pub fn pass(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub fn ok(&self, command: Command) -> Reply {
        self.store.commit(command).unwrap()
    }

    /// The code with which the command is refused.
    pub fn refused(&self, command: Command) -> Code {
        match self.store.commit(command) {
            Err(StoreError::Refused(problem)) => problem.code,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Launches a run for a worker to find.
    pub fn launch(&self, id: &str) -> RunId {
        self.ok(Command::Launch { run: Box::new(new_run(id)), claim: None });
        id.into()
    }

    /// Launches a run that this test works on.
    pub fn launch_claimed(&self, id: &str) -> Lease {
        self.launch_as(new_run(id)).unwrap()
    }

    pub fn launch_as(&self, run: NewRun) -> Option<Lease> {
        let claim = Some((node("n1"), self.now() + 60_000));
        match self.ok(Command::Launch { run: Box::new(run), claim }) {
            Reply::Launched { claimed, .. } => claimed.map(|claimed| claimed.lease),
            other => panic!("{other:?}"),
        }
    }

    pub fn claim_all(&self, name: &str) -> Vec<Claimed> {
        let expires_at_ms = self.now() + 60_000;
        match self.ok(Command::Claim { node: node(name), limit: 100, expires_at_ms, max_recoveries: 3 }) {
            Reply::Claimed(claimed) => claimed,
            other => panic!("{other:?}"),
        }
    }

    /// Claims exactly this run.
    pub fn claim(&self, run: &RunId) -> Lease {
        self.try_claim(run).unwrap()
    }

    pub fn try_claim(&self, run: &RunId) -> Option<Lease> {
        let expires_at_ms = self.now() + 60_000;
        match self.ok(Command::ClaimRun { run: run.clone(), node: node("n1"), expires_at_ms }) {
            Reply::Claimed(mut claimed) => claimed.pop().map(|claimed| claimed.lease),
            other => panic!("{other:?}"),
        }
    }

    pub fn finish(&self, lease: &Lease, call: &StepCall, outcome: Outcome) -> Reply {
        self.ok(finish(lease, call, outcome, self.now()))
    }

    pub fn wait(&self, lease: &Lease, path: &str, wait: WaitSpec) -> Reply {
        self.ok(wait_command(lease, path, wait))
    }

    /// Waits, and lets the run become rows.
    pub fn park(&self, lease: &Lease, path: &str, wait: WaitSpec) {
        assert_eq!(self.wait(lease, path, wait), Reply::Waiting);
        self.ok(Command::Suspend { lease: lease.clone() });
    }

    /// What the listener heard of the last commits that changed something, newest last.
    pub fn heard(&self) -> Vec<Committed> {
        // The listener is called after the answers, so one more commit makes sure that it was.
        self.ok(Command::DeleteSecret { name: "none".into() });
        // What each commit took differs from test to test.
        let told = self.told.lock().clone().into_iter();
        let told = told.map(|told| Committed { commands: 0, took: std::time::Duration::ZERO, ..told });
        told.filter(|told| *told != Committed::default()).collect()
    }

    pub fn state(&self, run: &RunId) -> RunState {
        self.store.run(run).unwrap().unwrap().state
    }

    pub fn due(&self, run: &RunId) -> Option<i64> {
        self.store.run(run).unwrap().unwrap().due_at_ms
    }

    /// The run's events, checked to be numbered from 1 without a gap.
    pub fn events(&self, run: &RunId) -> Vec<EventKind> {
        let events = self.store.events(run, 0, 10_000).unwrap();
        let numbers: Vec<i64> = events.iter().map(|event| event.seq).collect();
        assert_eq!(numbers, (1..=events.len() as i64).collect::<Vec<_>>(), "events have no gaps");
        events.into_iter().map(|event| event.kind).collect()
    }

    pub fn last_event(&self, run: &RunId) -> (EventKind, Value) {
        let event = self.store.events(run, 0, 10_000).unwrap().pop().unwrap();
        (event.kind, event.data)
    }
}

pub fn node(name: &str) -> NodeId {
    name.into()
}

pub fn new_run(id: &str) -> NewRun {
    NewRun {
        id: id.into(),
        workflow: "lab/x".into(),
        bundle: BUNDLE.into(),
        input: r#"{"lab":"a"}"#.into(),
        launched_by: "ann".into(),
        organisation: "platform".into(),
        idempotency_key: None,
        rollback: Rollback::Auto,
        deadline_at_ms: None,
        retention_ms: None,
        parent: None,
        concurrency: None,
        rate: None,
        priority: Priority::Normal,
        tags: vec!["lab".into()],
        unindexed: Vec::new(),
    }
}

pub fn path(text: &str) -> StepPath {
    text.parse().unwrap()
}

pub fn call(at: &str, op: &str, class: EffectClass) -> StepCall {
    StepCall {
        path: path(at),
        op: op.into(),
        class,
        args: r#"["a",1]"#.into(),
        digest: Digest([at.len() as u8; 16]),
        site: CallSite { file: "lab/x".into(), line: 3, column: 5 },
        undo: None,
        resources: Vec::new(),
        retry: RetryPolicy::NEVER,
    }
}

pub fn namespace(id: &str) -> ResourceRef {
    ResourceRef { provider: "net".into(), kind: "namespace".into(), id: id.into() }
}

/// A keyed step that makes a namespace, and whose undo removes it.
pub fn creates(at: &str, id: &str) -> StepCall {
    StepCall {
        undo: Some(UndoSpec::Op { op: "net::delete_namespace".into(), args: json!([id]).to_string().into() }),
        resources: vec![ResourceChange::Creates(namespace(id))],
        ..call(at, "net::create_namespace", EffectClass::Keyed)
    }
}

pub fn destroys(at: &str, id: &str) -> StepCall {
    StepCall {
        resources: vec![ResourceChange::Destroys(namespace(id))],
        ..call(at, "net::delete_namespace", EffectClass::Idempotent)
    }
}

pub fn finish(lease: &Lease, call: &StepCall, outcome: Outcome, started_at_ms: i64) -> Command {
    Command::Finish { lease: lease.clone(), call: Arc::new(call.clone()), outcome, attempts: 1, started_at_ms }
}

pub fn begin(lease: &Lease, call: &StepCall) -> Command {
    Command::Begin { lease: lease.clone(), call: Arc::new(call.clone()) }
}

pub fn wait_command(lease: &Lease, at: &str, wait: WaitSpec) -> Command {
    Command::Wait { lease: lease.clone(), call: Arc::new(call(at, "wait", EffectClass::Wait)), wait }
}

pub fn signal(run: &RunId, name: &str, payload: Value) -> Command {
    Command::Signal { run: run.clone(), name: name.into(), payload, by: "bob".into(), id: None }
}

pub fn cancel(run: &RunId) -> Command {
    Command::Cancel { run: run.clone(), by: "bob".into(), reason: Some("enough".into()) }
}

pub fn value(value: Value) -> Outcome {
    Outcome::Value(value.to_string().into())
}

pub fn error(problem: Problem) -> Outcome {
    Outcome::Error(Arc::new(problem))
}

pub fn problem() -> Problem {
    Problem::new(Code::CommandFailed, "it went wrong")
}

/// What an outcome holds, as JSON; an error as its code.
pub fn seen(reply: &Reply) -> Value {
    match reply {
        Reply::Outcome(Outcome::Value(text)) => serde_json::from_str(text).unwrap(),
        Reply::Outcome(Outcome::Error(problem)) => json!({ "error": problem.code }),
        other => panic!("no outcome: {other:?}"),
    }
}
