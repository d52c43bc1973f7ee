//! How fast a recorded run is replayed on one thread: `cargo run --release -p windlass-script --example replay`.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark prints, and may end at a mistake"
)]

use std::{sync::Arc, time::Instant};

use serde_json::json;
use windlass_model::{
    Bounds, EffectClass, Outcome, RetryPolicy, StepPath,
    journal::{Ending, Job, Runner},
};
use windlass_script::{
    CountingAllocator, NoSecrets, Policy, STACK_BYTES, Sandbox, SandboxConfig,
    host::{HostModule, Kind, Op, Param, Permission, Rehearse, Undo, no_resources},
    testing::{self, MemoryJournal},
};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const STEPS: u32 = 100_000;
const PARAMS: &[Param] = &[Param::required("url", Kind::String, "an address")];

fn module() -> HostModule {
    let get = Op {
        name: "get",
        doc: "",
        params: PARAMS,
        returns: "map",
        permission: Permission::Needs {
            verb: "bench.read",
            scope: |args| vec![args.str("url").to_owned()],
            words: "read",
        },
        class: EffectClass::Read,
        undo: Undo::None("it reads"),
        resources: no_resources,
        timeout_ms: 1_000,
        retry: RetryPolicy::NEVER,
        rehearse: Rehearse::Backend,
        example: "",
        run: Box::new(|_, _| Ok(json!({ "status": 200, "ok": true, "body": "hello" }))),
        lookup: None,
    };
    HostModule { name: "bench", doc: "", ops: vec![get] }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let sandbox = Sandbox::new(SandboxConfig {
        bounds: Bounds::default(),
        modules: vec![module()],
        secrets: Arc::new(NoSecrets),
        policy: Policy::allow_all(),
        runtime: runtime.handle().clone(),
        instance: "bench".into(),
        rehearsal: false,
        interceptor: None,
    });
    for (label, call, result) in [
        ("true", "if bench::get(\"http://x\") { n += 1 }", "true"),
        ("3-key map", "if bench::get(\"http://x\").ok { n += 1 }", "{\"body\":\"hello\",\"ok\":true,\"status\":200}"),
    ] {
        let journal = MemoryJournal::new();
        for ordinal in 0..STEPS {
            journal.record(StepPath::new("", ordinal), "bench::get", "[\"http://x\"]", Outcome::Value(result.into()));
        }
        let source =
            testing::source(&["bench.read:http://*"], &format!("let n = 0; for i in 0..{STEPS} {{ {call} }} n"));
        let job = testing::job(&source);
        let best = std::thread::scope(|scope| {
            let work = || best_of(5, &sandbox, &job, &journal);
            std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).unwrap().join().unwrap()
        });
        let (rate, each_us) = (f64::from(STEPS) / best, best * 1e6 / f64::from(STEPS));
        println!("replay of {STEPS} steps, result {label}: {rate:.0} steps/s ({each_us:.2} µs each)");
    }
}

fn best_of(times: usize, sandbox: &Sandbox, job: &Job, journal: &Arc<MemoryJournal>) -> f64 {
    let once = |_| {
        let start = Instant::now();
        let ending = sandbox.evaluate(job, journal.clone());
        assert_eq!(ending, Ending::Returned(STEPS.to_string()));
        start.elapsed().as_secs_f64()
    };
    (0..times).map(once).fold(f64::MAX, f64::min)
}
