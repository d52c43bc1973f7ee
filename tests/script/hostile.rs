//! Runs the corpus: each script on its own thread with the stack that scripts get, one after the other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use windlass_model::{
    Bounds,
    journal::{Ending, Runner, Stop},
};
use windlass_script::{
    NoSecrets, Policy, STACK_BYTES, Sandbox, SandboxConfig,
    testing::{self, MemoryJournal},
};

use super::{corpus, literals};

/// Small enough that the corpus takes seconds, large enough that every kind of limit is met.
fn bounds() -> Bounds {
    Bounds { script_operations: 500_000, script_cpu_ms: 1_000, script_memory_bytes: 48 << 20, ..Bounds::default() }
}

struct Rig {
    sandbox: Sandbox,
    _runtime: tokio::runtime::Runtime,
}

impl Rig {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sandbox = Sandbox::new(SandboxConfig {
            bounds: bounds(),
            modules: Vec::new(),
            secrets: Arc::new(NoSecrets),
            policy: Policy::allow_all(),
            runtime: runtime.handle().clone(),
            instance: "test".into(),
            rehearsal: false,
            interceptor: None,
        });
        Self { sandbox, _runtime: runtime }
    }

    fn run(&self, source: &str) -> (Ending, Duration) {
        let started = Instant::now();
        let work = || self.sandbox.evaluate(&testing::job(source), MemoryJournal::new());
        let ending = std::thread::scope(|scope| {
            std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).unwrap().join().unwrap()
        });
        (ending, started.elapsed())
    }
}

/// The clear error that a script ended with.
fn error_of(name: &str, ending: Ending) -> String {
    match ending {
        Ending::Failed(problem) => problem.message,
        Ending::Stopped(Stop::Limit(problem)) => problem.message,
        other => panic!("`{name}` didn't end in an error: {other:?}"),
    }
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn hostile_scripts_end_in_clear_errors() {
    let rig = Rig::new();
    let mut slowest = (Duration::ZERO, "");
    let before_kib = peak_kib();
    for (name, body) in corpus::BODIES {
        let body = body.replace("BIG", "big()").replace("ITEMS", "items()");
        let source = testing::source(&["*:*"], &body) + corpus::FUNCTIONS;
        let (ending, took) = rig.run(&source);
        let message = error_of(name, ending);
        assert!(!message.is_empty() && message.len() < 2_000_000, "{name}");
        assert!(took < Duration::from_secs(60), "`{name}` took {took:?}: {message}");
        slowest = slowest.max((took, name));
    }
    let peak_mib = peak_kib() / 1024;
    println!(
        "{} hostile scripts; peak memory {peak_mib} MiB (before: {} MiB); slowest {:?} ({})",
        corpus::BODIES.len(),
        before_kib / 1024,
        slowest.0,
        slowest.1
    );
    assert!(peak_mib < 1_024, "the process grew to {peak_mib} MiB");
}

#[test]
fn hostile_sources_end_in_clear_errors() {
    let rig = Rig::new();
    for (name, body) in literals::bodies() {
        let (ending, took) = rig.run(&testing::source(&[], &body));
        match ending {
            // Some are only long, and say something simple.
            Ending::Returned(_) => {}
            other => drop(error_of(name, other)),
        }
        assert!(took < Duration::from_secs(60), "`{name}` took {took:?}");
    }
}
