//! What runs hold together: branches that each keep a little less than a whole run may, over host calls, and many runs at once.
//!
//! Each case runs in a process of its own, whose peak the kernel keeps; other tests don't confuse it.

use std::{
    process::Command,
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

/// Says to a child which case it is.
const CASE: &str = "WINDLASS_MEMORY_CASE";

/// Grows by about 50 MiB in small pieces, with a host call after each. Closures keep what no limit on one value sees.
const GROW: &str = "|n| { let kept = []; for i in 0..100 { let text = \"x\"; for k in 0..19 { text += text } \
                    kept.push(|| text.len()); now(); } kept.len() }";

fn sandbox(bounds: Bounds, runtime: &tokio::runtime::Runtime) -> Sandbox {
    Sandbox::new(SandboxConfig {
        bounds,
        modules: Vec::new(),
        secrets: Arc::new(NoSecrets),
        policy: Policy::allow_all(),
        runtime: runtime.handle().clone(),
        instance: "test".into(),
        rehearsal: false,
        interceptor: None,
    })
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Evaluates as many runs at once; the messages of those that were stopped at a limit.
fn stopped(bounds: Bounds, bodies: &[String]) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let sandbox = sandbox(bounds, &runtime);
    let work = |body: &String| sandbox.evaluate(&testing::job(&testing::source(&["*:*"], body)), MemoryJournal::new());
    let endings: Vec<Ending> = std::thread::scope(|scope| {
        let spawn = |body| std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, move || work(body));
        let threads: Vec<_> = bodies.iter().map(spawn).collect();
        threads.into_iter().map(|thread| thread.unwrap().join().unwrap()).collect()
    });
    let message = |ending| match ending {
        Ending::Stopped(Stop::Limit(problem)) => Some(problem.message),
        Ending::Returned(_) => None,
        other => panic!("{other:?}"),
    };
    endings.into_iter().filter_map(message).collect()
}

/// Runs the test of this name again, alone, in a child; `work` is what the child does. Gives what it said, in the parent.
fn in_child(name: &str, work: impl FnOnce() -> String) -> Option<(String, u64)> {
    if std::env::var(CASE).is_ok_and(|case| case == name) {
        let said = work();
        println!("\nSAID {} {said}", peak_kib() / 1024);
        return None;
    }
    let started = Instant::now();
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child
        .args([&format!("script::memory::{name}"), "--exact", "--nocapture", "--test-threads=1"])
        .env(CASE, name)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text.lines().find_map(|line| line.strip_prefix("SAID ")).and_then(|line| line.split_once(' '));
    let errors = String::from_utf8_lossy(&output.stderr);
    let (peak, said) = said.unwrap_or_else(|| panic!("{}: {text}\n{errors}", output.status));
    let peak_mib = peak.parse().unwrap();
    eprintln!("{name}: peak {peak_mib} MiB, {:?}: {said}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(60), "{name} took {:?}", started.elapsed());
    Some((said.to_owned(), peak_mib))
}

fn parallel(branches: usize) -> String {
    format!("let items = []; for i in 0..{branches} {{ items.push(i) }} parallel_map(items, {GROW})")
}

#[test]
fn branches_that_grow_over_host_calls_share_one_bound() {
    let Some((said, peak_mib)) = in_child("branches_that_grow_over_host_calls_share_one_bound", || {
        stopped(Bounds::default(), &[parallel(200)]).join("; ")
    }) else {
        return;
    };
    assert!(said.contains("64 MiB") && said.contains("branches"), "peak {peak_mib} MiB, but it ended so: {said}");
    assert!(peak_mib < 400, "200 branches took {peak_mib} MiB");
}

#[test]
fn runs_of_one_process_share_one_bound() {
    let Some((said, peak_mib)) = in_child("runs_of_one_process_share_one_bound", || {
        // Each keeps less than a run may until all are there; together it is more than 16 times that.
        let body = "let kept = []; for i in 0..10 { let text = \"x\"; for k in 0..19 { text += text } kept.push(|| text.len()); now(); } \
                     let turn = 0; while turn < 100000 { turn += 1; if turn % 10000 == 0 { now(); } } kept.len()";
        let bounds = Bounds { script_memory_bytes: 8 << 20, ..Bounds::default() };
        let mut messages = stopped(bounds, &vec![body.to_owned(); 40]);
        let count = messages.len();
        messages.sort();
        messages.dedup();
        format!("{count} stopped: {}", messages.join("; "))
    }) else {
        return;
    };
    assert!(said.contains("128 MiB") && said.contains("process"), "peak {peak_mib} MiB, but it ended so: {said}");
    assert!(peak_mib < 300, "40 runs took {peak_mib} MiB");
}

#[test]
fn what_branches_give_back_counts_until_it_is_taken() {
    let Some((said, peak_mib)) = in_child("what_branches_give_back_counts_until_it_is_taken", || {
        // Half a megabyte in a script, six times as much as JSON.
        let body = "let items = []; for i in 0..200 { items.push(i) } parallel_map(items, |n| { \
                    let text = \"\\x01\"; for k in 0..19 { text += text } text })";
        stopped(Bounds::default(), &[body.to_owned()]).join("; ")
    }) else {
        return;
    };
    assert!(said.contains("64 MiB"), "peak {peak_mib} MiB, but it ended so: {said}");
    assert!(peak_mib < 400, "200 results took {peak_mib} MiB");
}

#[test]
fn what_is_freed_and_what_is_journaled_does_not_count() {
    let Some((said, _)) = in_child("what_is_freed_and_what_is_journaled_does_not_count", || {
        // 80 MB go through the branches' hands and back, and another 80 MB into the store; never much at once.
        let body = "parallel_map([1, 2, 3, 4], |n| { for i in 0..40 { let text = \"x\"; for k in 0..19 { text += text } \
                    kv_set(`area/${n}-${i}`, text); } n }); \
                    for round in 0..80 { parallel_map([1, 2, 3, 4], |n| { let text = \"x\"; for k in 0..18 { text += text } text }); } 1";
        format!("[{}]", stopped(Bounds::default(), &[body.to_owned()]).join("; "))
    }) else {
        return;
    };
    assert_eq!(said, "[]");
}
