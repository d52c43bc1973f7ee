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
use windlass_hosts::{
    HostConfig, lab_names::LabNames, net::NetBackend, net::types::Place, owner::Always, services::Services,
};
use windlass_model::{Code, Problem, RunState, journal::Workflows, query::RunRecord, workflow::Rollback};
use windlass_script::{Interceptor, Library, NoSecrets, Policy, STACK_BYTES, Sandbox, SandboxConfig, host::HostModule};
use windlass_tests::{can_make_namespaces, skip};

const INSTANCE: &str = "6f1c2d3e-0000-4000-8000-0000000000ff";

/// Fails the nth op that is performed, whichever it is: instead of its effect, or after it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Instead(u32),
    After(u32),
}

struct FailNth {
    seen: AtomicU32,
    performed: AtomicU32,
    fault: Fault,
}

impl Interceptor for FailNth {
    fn intercept(&self, op: &str, _: &Value, _: u32) -> Option<Result<Value, Problem>> {
        let seen = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        let fails = self.fault == Fault::Instead(seen);
        fails.then(|| Err(Problem::new(Code::System, format!("{op} fails because the test says so"))))
    }
}

/// Lets every op happen, and fails the one whose turn it is after that.
fn failing_after(mut modules: Vec<HostModule>, failing: &Arc<FailNth>) -> Vec<HostModule> {
    for op in modules.iter_mut().flat_map(|module| &mut module.ops) {
        let failing = failing.clone();
        let run = std::mem::replace(&mut op.run, Box::new(|_, _| Ok(Value::Null)));
        op.run = Box::new(move |cx, args| {
            let nth = failing.performed.fetch_add(1, Ordering::Relaxed) + 1;
            let result = run(cx, args)?;
            match failing.fault == Fault::After(nth) {
                true => Err(Problem::new(Code::System, "it happened, and then something broke")),
                false => Ok(result),
            }
        });
    }
    modules
}

/// The modules that ship, with this network stack.
fn modules(backend: &Arc<dyn NetBackend>, rehearsal: bool) -> Vec<HostModule> {
    let mut config = HostConfig::default();
    config.exec.programs = vec!["ping".into()];
    let modules = match rehearsal {
        true => windlass_hosts::rehearsal_modules(&config),
        false => {
            let services = Services { organisations: Arc::new(Always("platform")), ..Services::default() };
            windlass_hosts::modules_in(&config, &services).expect("the defaults fit this machine")
        }
    };
    let others = modules.into_iter().filter(|module| module.name != "net");
    others.chain([windlass_hosts::net::module(backend.clone(), Arc::new(Always("platform")))]).collect()
}

/// Runs a workflow that ships with this fault; its record, and how many ops were performed.
fn run(name: &str, input: Value, backend: &Arc<dyn NetBackend>, rehearsal: bool, fault: Fault) -> (RunRecord, u32) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let failing = Arc::new(FailNth { seen: AtomicU32::new(0), performed: AtomicU32::new(0), fault });
    let sandbox = Sandbox::new(SandboxConfig {
        bounds: Default::default(),
        modules: failing_after(modules(backend, rehearsal), &failing),
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
        assert!(open.is_empty(), "{name}: the inventory still has {open:?}");
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
        "lab/tour" => json!({ "stops": 2 }),
        "lab/deploy" => {
            json!({ "name": "t-deploy", "nodes": [{ "name": "a" }, { "name": "b" }], "networks": [{ "name": "lan" }],
            "links": [{ "endpoints": ["a:eth0", "b:eth0"] }, { "endpoints": ["a:eth1", "lan"] }] })
        }
        other => panic!("give the test an input for {other}"),
    }
}

/// Names of the workflows that ship, and whether they are granted anything: without a grant there is no op that could fail.
fn all() -> Vec<(String, bool)> {
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
    let pinned = |name: String| {
        let pinned = library.pin(&name).unwrap_or_else(|problem| panic!("{name}: {problem:#?}"));
        (name, !pinned.workflow.permissions.is_empty())
    };
    library.list().into_iter().map(pinned).collect()
}

fn fail_every_op(name: &str, rehearsal: bool, backend: impl Fn() -> Arc<dyn NetBackend>) {
    let network = backend();
    let input = input(name);
    let lab = input["lab"].as_str().or(input["name"].as_str()).unwrap();
    // A test that failed earlier may have left it.
    let (record, _) = run("lab/destroy", json!({ "lab": lab }), &network, rehearsal, Fault::None);
    assert_eq!(record.state, RunState::Succeeded, "{:#?}", record.problem);
    assert_eq!(held(&network, lab), [""; 0], "lab/destroy leaves something of {lab}");
    let (record, ops) = run(name, input.clone(), &network, rehearsal, Fault::None);
    assert_eq!(record.state, RunState::Succeeded, "{name}: {:#?}", record.problem);
    assert!(ops >= 1, "{name} does nothing");
    let (record, _) = run("lab/destroy", json!({ "lab": lab }), &network, rehearsal, Fault::None);
    assert_eq!(record.state, RunState::Succeeded, "{:#?}", record.problem);
    assert_eq!(held(&network, lab), [""; 0], "lab/destroy leaves something of {name}");
    for (nth, after) in (1..=ops).flat_map(|nth| [(nth, false), (nth, true)]) {
        let network = backend();
        let fault = if after { Fault::After(nth) } else { Fault::Instead(nth) };
        let (record, _) = run(name, input.clone(), &network, rehearsal, fault);
        let when = format!("{name}, op {nth} failed {} its effect", if after { "after" } else { "instead of" });
        // In a rehearsal, programs and requests have assumed answers: they can't fail after their effect.
        let never = after && rehearsal && record.state == RunState::Succeeded;
        let ended = if record.rollback == Rollback::Auto { RunState::RolledBack } else { RunState::Failed };
        assert!(never || record.state == ended, "{when}: {} {:#?}", record.state, record.problem);
        if never {
            continue;
        }
        assert_eq!(held(&network, lab), [""; 0], "{when}: something is left");
    }
}

#[test]
fn every_op_of_every_workflow_fails_in_memory_and_leaves_no_trace() {
    let names = all();
    assert!(names.len() >= 3, "{names:?}");
    // Those that wait for the world have scenarios, and tests of their own beside its servers.
    let makes = |name: &str| {
        ["deploy", "destroy", "grid", "tour", "two-routers"].iter().any(|makes| name == format!("lab/{makes}"))
    };
    // The others change a lab that is there: they have tests of their own.
    for (name, acts) in names.into_iter().filter(|(name, _)| makes(name)) {
        if acts {
            fail_every_op(&name, true, windlass_hosts::net::rehearsal);
            continue;
        }
        let (record, ops) = run(&name, input(&name), &windlass_hosts::net::rehearsal(), true, Fault::None);
        assert_eq!((record.state, ops), (RunState::Succeeded, 0), "{name}: {:#?}", record.problem);
    }
}

#[test]
fn every_op_of_every_lab_fails_on_the_real_kernel_and_leaves_no_trace() {
    if let Err(reason) = can_make_namespaces() {
        return skip(&reason);
    }
    for name in ["lab/two-routers", "lab/grid"] {
        fail_every_op(name, false, windlass_hosts::net::kernel);
    }
}
