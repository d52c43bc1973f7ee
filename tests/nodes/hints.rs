//! Nodes tell one another of news: what only polling would find, every minute, is found at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use windlass_tests::{nodes::Nodes, sse::Follower, wait_until};

use super::{Gate, server, workflow};

/// Less than nodes that only poll would take, also on a machine that others use: those look every 45 s at the soonest.
const AT_ONCE: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_secs(60);

const WAITS: &str = "fn run(input) {\n    let first = wait_signal(\"go\");\n    first.n + wait_signal(\"go\").n\n}";

#[test]
fn other_nodes_hear_of_what_is_due_of_events_and_of_cancellations_at_once() {
    let Some(server) = server() else { return };
    let gate = Gate::new();
    let workflows = [
        gate.workflow("nodes/hold"),
        workflow("nodes/quick", None, "", "fn run(input) { uuid() }"),
        workflow("nodes/waits", None, "", WAITS),
    ];
    let engine = json!({ "workers": 1, "poll_ms": 60_000, "lease_ms": 60_000 });
    let nodes = Nodes::start(&server.url("windlass"), &workflows, &[engine.clone(), engine]);
    for node in [0, 1] {
        wait_until("hints to arrive", SOON, || nodes.log(node).contains("hints of other nodes arrive"));
    }
    let timed = |what: &str, began: Instant| {
        let took = began.elapsed();
        eprintln!("{what}: {} ms", took.as_millis());
        assert!(took < AT_ONCE, "{what} took {took:?}");
    };

    // The first node is full: what is launched there, the other one does.
    let held = nodes.launch(0, "nodes/hold", &json!({ "name": "a" }));
    wait_until("the first node to be full", SOON, || gate.count() == 1);
    for _ in 0..3 {
        let began = Instant::now();
        let quick = nodes.launch(0, "nodes/quick", &json!({}));
        nodes.wait_for_state(0, &quick, "succeeded");
        timed("launched at a full node, done by the other", began);
    }

    // A signal at the full node.
    let waits = nodes.launch(0, "nodes/waits", &json!({}));
    nodes.wait_for_state(0, &waits, "waiting");
    let signal = json!({ "name": "go", "payload": { "n": 1 } });
    let follow = |node: usize| {
        Follower::open(nodes.address(node), &format!("/api/v1/runs/{waits}/events"), &nodes.token, None).unwrap()
    };
    let mut watcher = follow(0);
    let began = Instant::now();
    nodes.good(0, "POST", &format!("runs/{waits}/signal"), Some(&signal));
    seen(&mut watcher, "signal");
    // It waits again, executed by the other node.
    wait_until("the second wait", SOON, || {
        let steps = nodes.good(1, "GET", &format!("runs/{waits}/steps"), None);
        steps["items"].as_array().is_some_and(|steps| steps.len() == 2)
    });
    timed("a signal at a full node wakes a run that the other takes", began);

    // Everything happens at the other node, somebody watches at this one.
    let began = Instant::now();
    nodes.good(1, "POST", &format!("runs/{waits}/signal"), Some(&signal));
    seen(&mut watcher, "run.succeeded");
    timed("a watcher sees what another node does", began);

    // A cancellation at the node that doesn't execute the run.
    let began = Instant::now();
    nodes.good(1, "POST", &format!("runs/{held}/cancel"), Some(&json!({})));
    nodes.wait_for_state(1, &held, "cancelled");
    timed("cancelled at a node, stopped at the other", began);
}

/// Reads on until this kind of event comes.
fn seen(watcher: &mut Follower, kind: &str) -> Value {
    loop {
        let frame = watcher.next_event().unwrap().expect("the stream goes on");
        eprintln!("  {} {}", frame.event, frame.data);
        if frame.event.contains(kind) || frame.data.contains(kind) {
            return serde_json::from_str(&frame.data).unwrap_or_default();
        }
    }
}
