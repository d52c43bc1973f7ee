//! The workflows that ship: each succeeds, and each step of each is failed in turn; its undo leaves no trace. In memory
//! for all of them, and on the real kernel for the labs.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use windlass_engine::{Durability, Engine, EngineConfig, Launch, Time};
use windlass_hosts::{HostConfig, lab_names::LabNames, net::NetBackend, net::types::Place};
use windlass_model::{Code, Problem, RunState, journal::Workflows, query::RunRecord, workflow::Rollback};
use windlass_script::{Interceptor, Library, NoSecrets, Policy, STACK_BYTES, Sandbox, SandboxConfig, host::HostModule};
use windlass_tests::{can_make_namespaces, skip};

const INSTANCE: &str = "6f1c2d3e-0000-4000-8000-0000000000ff";

/// Fails the nth op that is performed, whichever it is.
struct FailNth {
    seen: AtomicU32,
    nth: u32,
}

impl Interceptor for FailNth {
    fn intercept(&self, op: &str, _: &Value, _: u32) -> Option<Result<Value, Problem>> {
        let seen = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        (seen == self.nth).then(|| Err(Problem::new(Code::System, format!("{op} fails because the test says so"))))
    }
}

/// The modules that ship, with this network stack.
fn modules(backend: &Arc<dyn NetBackend>, rehearsal: bool) -> Vec<HostModule> {
    let mut config = HostConfig::default();
    config.exec.programs = vec!["ping".into()];
    let modules = match rehearsal {
        true => windlass_hosts::rehearsal_modules(&config),
        false => windlass_hosts::modules(&config).expect("the defaults fit this machine"),
    };
    let others = modules.into_iter().filter(|module| module.name != "net");
    others.chain([windlass_hosts::net::module(backend.clone())]).collect()
}

/// Runs a workflow that ships, with its `nth` op failing (0: none); its record, and how many ops were performed.
fn run(name: &str, input: Value, backend: &Arc<dyn NetBackend>, rehearsal: bool, nth: u32) -> (RunRecord, u32) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let failing = Arc::new(FailNth { seen: AtomicU32::new(0), nth });
    let sandbox = Sandbox::new(SandboxConfig {
        bounds: Default::default(),
        modules: modules(backend, rehearsal),
        secrets: Arc::new(NoSecrets),
        policy: Policy::allow_all(),
        runtime: runtime.handle().clone(),
        instance: INSTANCE.into(),
        rehearsal,
        interceptor: Some(failing.clone()),
    });
    let url = format!("sqlite:{}", folder.path().join("windlass.db").display());
    windlass_engine::migrate(&url).unwrap();
    let library = Arc::new(Library::new(vec![workflows()], sandbox.clone()));
    let mut config = EngineConfig::new(url, Arc::new(sandbox), library);
    config.stack_bytes = STACK_BYTES;
    config.durability = Durability::Off;
    if rehearsal {
        config.time = Time::virtual_time();
    }
    let engine = Engine::start(config).unwrap();
    let launch = Launch { workflow: name.into(), input, by: "test".into(), ..Launch::default() };
    let id = engine.launch(launch).unwrap().run;
    let record = engine.wait_ended(&id, Duration::from_secs(60)).unwrap();
    let open = engine.resources(Some(&id), true).unwrap();
    if record.state == RunState::RolledBack {
        assert!(open.is_empty(), "{name}, op {nth} failed: the inventory still has {open:?}");
    }
    engine.shutdown(Duration::from_secs(5));
    (record, failing.seen.load(Ordering::Relaxed))
}

fn workflows() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows")
}

/// What a network stack holds of a lab: namespaces, and the host's links. Other tests have labs of their own.
fn held(backend: &Arc<dyn NetBackend>, lab: &str) -> Vec<String> {
    let names = LabNames::new(INSTANCE, lab);
    let links = backend.links(&[Place::Host]).pop().unwrap().unwrap();
    let all = backend.namespaces().unwrap().into_iter().chain(links.into_iter().map(|link| link.name));
    all.filter(|name| name.starts_with(&names.bridge_prefix()) || name.starts_with(&names.node_prefix())).collect()
}

/// Inputs for workflows that don't run with their defaults, and small ones where the defaults are large.
fn input(name: &str) -> Value {
    match name {
        "lab/two-routers" => json!({ "lab": "t-routers" }),
        "lab/grid" => json!({ "lab": "t-grid", "rows": 2, "columns": 2 }),
        "lab/destroy" => json!({ "lab": "t-none" }),
        other => panic!("give the test an input for {other}"),
    }
}

fn all() -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let sandbox = Sandbox::new(SandboxConfig {
        bounds: Default::default(),
        modules: windlass_hosts::rehearsal_modules(&HostConfig::default()),
        secrets: Arc::new(NoSecrets),
        policy: Policy::allow_all(),
        runtime: runtime.handle().clone(),
        instance: "test".into(),
        rehearsal: true,
        interceptor: None,
    });
    let library = Library::new(vec![workflows()], sandbox);
    let names = library.list();
    for name in &names {
        library.pin(name).unwrap_or_else(|problem| panic!("{name}: {problem:#?}"));
    }
    names
}

fn fail_every_op(name: &str, rehearsal: bool, backend: impl Fn() -> Arc<dyn NetBackend>) {
    let network = backend();
    let input = input(name);
    let lab = input["lab"].as_str().unwrap();
    assert_eq!(held(&network, lab), [""; 0], "an earlier test has left {lab}");
    let (record, ops) = run(name, input.clone(), &network, rehearsal, 0);
    assert_eq!(record.state, RunState::Succeeded, "{name}: {:#?}", record.problem);
    assert!(ops >= 1, "{name} does nothing");
    let (record, _) = run("lab/destroy", json!({ "lab": lab }), &network, rehearsal, 0);
    assert_eq!(record.state, RunState::Succeeded, "{:#?}", record.problem);
    assert_eq!(held(&network, lab), [""; 0], "lab/destroy leaves something of {name}");
    for nth in 1..=ops {
        let network = backend();
        let (record, _) = run(name, input.clone(), &network, rehearsal, nth);
        let ended = if record.rollback == Rollback::Auto { RunState::RolledBack } else { RunState::Failed };
        assert_eq!(record.state, ended, "{name}, op {nth}: {:#?}", record.problem);
        assert_eq!(held(&network, lab), [""; 0], "{name}, op {nth} failed: something is left");
    }
}

#[test]
fn every_op_of_every_workflow_fails_in_memory_and_leaves_no_trace() {
    let names = all();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        fail_every_op(&name, true, windlass_hosts::net::rehearsal);
    }
}

#[test]
fn every_op_of_two_routers_fails_on_the_real_kernel_and_leaves_no_trace() {
    if let Err(reason) = can_make_namespaces() {
        return skip(&reason);
    }
    fail_every_op("lab/two-routers", false, windlass_hosts::net::kernel);
}
