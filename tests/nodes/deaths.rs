//! A node is killed: its runs go on elsewhere as soon as its claims are over.

use std::time::{Duration, Instant};

use serde_json::json;
use windlass_tests::{nodes::Nodes, wait_until};

use super::{Gate, server, started_on, workflow};

const SOON: Duration = Duration::from_secs(60);
/// Long enough for a node to extend its claims on a disk that others use.
const LEASE: Duration = Duration::from_secs(3);
const RUNS: usize = 8;

#[test]
fn runs_of_a_node_that_was_killed_go_on_within_a_lease_and_two_seconds() {
    // Where others use the machine meanwhile, another node is killed.
    let mut took = Vec::new();
    for _ in 0..5 {
        let Some(one) = killed() else { return };
        took.push(one);
        if one < LEASE + Duration::from_secs(2) {
            return;
        }
    }
    panic!("runs of killed nodes go on after {took:?}");
}

/// Kills a node with runs, which have to go on at the other one; how long they stood still.
fn killed() -> Option<Duration> {
    let server = server()?;
    let gate = Gate::new();
    let workflows = [gate.workflow("nodes/hold"), workflow("nodes/quick", None, "", "fn run(input) { 1 }")];
    let engine = json!({ "workers": RUNS, "lease_ms": LEASE.as_millis() as u64 });
    let mut nodes = Nodes::start(&server.url("windlass"), &workflows, &[engine.clone(), engine]);
    let runs: Vec<String> =
        (0..RUNS).map(|n| nodes.launch(0, "nodes/hold", &json!({ "name": n.to_string() }))).collect();
    wait_until("all runs to hold", SOON, || gate.count() == RUNS);
    let (first, second) = (nodes.name(0), nodes.name(1));
    // Longer than a claim: it is extended while its node lives.
    std::thread::sleep(LEASE * 3 / 2);
    if gate.count() > RUNS {
        // For longer than a lease it couldn't extend it.
        gate.open();
        return Some(Duration::MAX);
    }
    nodes.kill(0);
    let killed = Instant::now();
    wait_until("the other node to go on", SOON, || gate.count() >= 2 * RUNS);
    let took = killed.elapsed();
    eprintln!("{RUNS} runs of a killed node went on after {took:?}; its claims held for {LEASE:?}");
    gate.open();
    for run in &runs {
        let record = nodes.wait_for_state(1, run, "succeeded");
        if record["recoveries"] != 1 {
            return Some(Duration::MAX);
        }
        assert_eq!(started_on(&nodes, 1, run), [first.clone(), second.clone()]);
    }
    Some(took)
}
