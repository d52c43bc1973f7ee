//! A node is killed: its runs go on elsewhere as soon as its claims are over.

use std::time::{Duration, Instant};

use serde_json::json;
use windlass_tests::{nodes::Nodes, wait_until};

use super::{Gate, server, started_on, workflow};

const SOON: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_millis(1_500);
const RUNS: usize = 8;

#[test]
fn runs_of_a_node_that_was_killed_go_on_within_a_lease_and_two_seconds() {
    let Some(server) = server() else { return };
    let gate = Gate::new();
    let workflows = [gate.workflow("nodes/hold"), workflow("nodes/quick", None, "", "fn run(input) { 1 }")];
    let engine = json!({ "workers": RUNS, "lease_ms": LEASE.as_millis() as u64 });
    let mut nodes = Nodes::start(&server.url("windlass"), &workflows, &[engine.clone(), engine]);
    let runs: Vec<String> =
        (0..RUNS).map(|n| nodes.launch(0, "nodes/hold", &json!({ "name": n.to_string() }))).collect();
    wait_until("all runs to hold", SOON, || gate.count() == RUNS);
    let (first, second) = (nodes.name(0), nodes.name(1));
    // Longer than a claim: it is extended while its node lives.
    std::thread::sleep(2 * LEASE);
    assert_eq!(gate.count(), RUNS);
    nodes.kill(0);
    let killed = Instant::now();
    wait_until("the other node to go on", SOON, || gate.count() == 2 * RUNS);
    let took = killed.elapsed();
    eprintln!("{RUNS} runs of a killed node went on after {took:?}; its claims held for {LEASE:?}");
    assert!(took < LEASE + Duration::from_secs(2), "{took:?}");
    gate.open();
    for run in &runs {
        let record = nodes.wait_for_state(1, run, "succeeded");
        assert_eq!(record["recoveries"], 1, "{record}");
        assert_eq!(started_on(&nodes, 1, run), [first.clone(), second.clone()]);
    }
}
