//! Who comes first when there is more to do than workers, on two nodes: organisations take turns, priorities count, and
//! rates hold.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{nodes::Nodes, wait_until};

use super::{Gate, server, workflow};

const SOON: Duration = Duration::from_secs(60);

fn launch(nodes: &Nodes, node: usize, more: &Value) -> String {
    let mut body = json!({ "input": {} });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    nodes.good(node, "POST", "runs", Some(&body))["id"].as_str().unwrap().to_owned()
}

/// When runs began, in order.
fn started(nodes: &Nodes, runs: &[String]) -> Vec<i64> {
    let mut all: Vec<i64> = runs
        .iter()
        .map(|run| nodes.wait_for_state(0, run, "succeeded")["started_at_ms"].as_i64().expect("it began"))
        .collect();
    all.sort_unstable();
    all
}

/// Two nodes with one worker each, both busy until the gate opens.
fn busy(gate: &Gate, url: &str, more: &[(&'static str, String)]) -> Nodes {
    let mut workflows = vec![gate.workflow("nodes/hold")];
    workflows.extend_from_slice(more);
    let engine = json!({ "workers": 1 });
    let nodes = Nodes::start(url, &workflows, &[engine.clone(), engine]);
    for node in [0, 1] {
        nodes.launch(node, "nodes/hold", &json!({ "name": node.to_string() }));
    }
    wait_until("both nodes to be busy", SOON, || gate.count() == 2);
    nodes
}

#[test]
fn a_small_organisation_doesnt_wait_for_a_large_one() {
    let Some(server) = server() else { return };
    let gate = Gate::new();
    let nodes = busy(&gate, &server.url("windlass"), &[workflow("nodes/quick", None, "", "fn run(input) { uuid() }")]);
    for name in ["acme", "zeta"] {
        nodes.good(0, "POST", "organisations", Some(&json!({ "name": name })));
    }
    let of = |organisation: &str, count: usize| -> Vec<String> {
        let body = json!({ "workflow": "nodes/quick", "organisation": organisation });
        (0..count).map(|n| launch(&nodes, n % 2, &body)).collect()
    };
    let (many, few) = (of("acme", 200), of("zeta", 5));
    gate.open();
    let (many, few) = (started(&nodes, &many), started(&nodes, &few));
    let last = few[few.len() - 1];
    let before = many.iter().filter(|at| **at < last).count();
    eprintln!("{before} of 200 began before the last of the 5 that were launched after them");
    assert!(before <= 20, "{before}");
}

#[test]
fn what_is_urgent_begins_first() {
    let Some(server) = server() else { return };
    let gate = Gate::new();
    let urgent = workflow("nodes/urgent", None, "priority: \"high\",", "fn run(input) { uuid() }");
    let quick = workflow("nodes/quick", None, "", "fn run(input) { uuid() }");
    let nodes = busy(&gate, &server.url("windlass"), &[urgent, quick]);
    let of = |workflow: &str, priority: Option<&str>| -> Vec<String> {
        let body = match priority {
            Some(priority) => json!({ "workflow": workflow, "priority": priority }),
            None => json!({ "workflow": workflow }),
        };
        (0..6).map(|n| launch(&nodes, n % 2, &body)).collect()
    };
    let (low, normal) = (of("nodes/quick", Some("low")), of("nodes/quick", None));
    let (high, own) = (of("nodes/quick", Some("high")), of("nodes/urgent", None));
    gate.open();
    let [low, normal, high, own] = [low, normal, high, own].map(|runs| started(&nodes, &runs));
    let (first, last) = (|times: &[i64]| times[0], |times: &[i64]| times[times.len() - 1]);
    assert!(last(&high).max(last(&own)) <= first(&normal), "{high:?} {own:?} {normal:?}");
    assert!(last(&normal) <= first(&low), "{normal:?} {low:?}");
    let (status, _) =
        nodes.ask(0, "POST", "runs", Some(&json!({ "workflow": "nodes/quick", "priority": "x" }))).unwrap();
    assert_eq!(status, 400);
}

#[test]
fn a_rate_holds_over_all_nodes() {
    const LIMIT: usize = 5;
    const PER_MS: i64 = 2_000;
    let Some(server) = server() else { return };
    let header = "rate: #{ key: \"api\", limit: 5, per: \"2s\" },";
    let rated = workflow("nodes/rated", None, header, "fn run(input) { uuid() }");
    let engine = json!({ "workers": 8 });
    let nodes = Nodes::start(&server.url("windlass"), &[rated], &[engine.clone(), engine]);
    let runs: Vec<String> = (0..23).map(|n| nodes.launch(n % 2, "nodes/rated", &json!({}))).collect();
    let times = started(&nodes, &runs);
    let first = times[0];
    eprintln!("began at {:?} ms", times.iter().map(|at| at - first).collect::<Vec<_>>());
    for window in times.windows(LIMIT + 1) {
        assert!(window[LIMIT] - window[0] >= PER_MS, "{window:?}");
    }
}
