//! Through PgBouncer in transaction mode, where nothing that a session was told holds: no LISTEN, no prepared statement.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{
    has_program,
    nodes::Nodes,
    servers::{Pooler, Server, Stop},
    skip, wait_until,
};

use super::{Gate, server, workflow};

const SOON: Duration = Duration::from_secs(60);

const ALL: &str = r#"
fn run(input) {
    on_rollback("nothing", || uuid());
    let parts = parallel_map([1, 2, 3], |n| { sleep("50ms"); n });
    let told = wait_signal("go");
    let child = child("nodes/quick", #{});
    #{ sum: parts.reduce(|sum, n| sum + n, 0) + told.n, child: child }
}
"#;

fn pooled() -> Option<(Server, Pooler)> {
    if !has_program("pgbouncer") {
        skip("PgBouncer isn't installed");
        return None;
    }
    let server = server()?;
    let pooler = Pooler::start(&server);
    Some((server, pooler))
}

fn start(url: &str, gate: &Gate) -> Nodes {
    let workflows = [
        gate.workflow("nodes/hold"),
        workflow("nodes/quick", None, "", "fn run(input) { uuid() }"),
        workflow("nodes/all", None, "", ALL),
    ];
    let engine = json!({ "workers": 8, "lease_ms": 2_000 });
    Nodes::start(url, &workflows, &[engine.clone(), engine])
}

fn launched_at_both(nodes: &Nodes, count: usize) -> Vec<String> {
    (0..count).map(|n| nodes.launch(n % 2, "nodes/all", &json!({}))).collect()
}

fn all_end(nodes: &Nodes, runs: &[String]) {
    let signal = json!({ "name": "go", "payload": { "n": 4 } });
    for (n, run) in runs.iter().enumerate() {
        nodes.good(n % 2, "POST", &format!("runs/{run}/signal"), Some(&signal));
    }
    for run in runs {
        let record = nodes.wait_for_state(0, run, "succeeded");
        assert_eq!(record["output"]["sum"], 10, "{record}");
    }
}

#[test]
fn through_a_pooler_nothing_is_heard_and_everything_works() {
    let Some((_server, pooler)) = pooled() else { return };
    let gate = Gate::new();
    let mut nodes = start(&pooler.url(), &gate);
    for node in [0, 1] {
        wait_until("the node to notice the pooler", SOON, || {
            nodes.log(node).contains("hints of other nodes don't arrive")
        });
        assert!(!nodes.log(node).contains("hints of other nodes arrive"), "{}", nodes.log(node));
    }
    let runs = launched_at_both(&nodes, 20);
    all_end(&nodes, &runs);

    // A run is cancelled at the node that doesn't execute it.
    let held = nodes.launch(0, "nodes/hold", &json!({ "name": "held" }));
    wait_until("the run to hold", SOON, || gate.count() == 1);
    nodes.good(1, "POST", &format!("runs/{held}/cancel"), Some(&json!({})));
    nodes.wait_for_state(1, &held, "cancelled");

    // A node is drained: the other one does everything.
    let name = nodes.name(1);
    nodes.told(0, &["nodes", "drain", &name]);
    let drained = nodes.good(0, "GET", "nodes", None);
    let state = |all: &Value| all.as_array().unwrap().iter().find(|node| node["id"] == *name).unwrap()["state"].clone();
    assert_eq!(state(&drained), "drained");
    let runs = launched_at_both(&nodes, 6);
    all_end(&nodes, &runs);
    nodes.told(0, &["nodes", "resume", &name]);

    (0..2).for_each(|node| nodes.terminate(node));
    whole(&nodes, &pooler);
}

#[test]
fn a_server_behind_a_pooler_may_be_restarted() {
    let Some((mut server, pooler)) = pooled() else { return };
    let gate = Gate::new();
    gate.open();
    let mut nodes = start(&pooler.url(), &gate);
    let runs = launched_at_both(&nodes, 20);
    server.stop(Stop::Immediate);
    std::thread::sleep(Duration::from_secs(2));
    server.run();
    wait_until("the nodes to answer", SOON, || {
        (0..2).all(|node| nodes.ask(node, "GET", "runs?limit=1", None).is_some_and(|(status, _)| status == 200))
    });
    let more: Vec<String> =
        (0..6).map(|n| nodes.launch_once(n, "nodes/all", &json!({}), &format!("after {n}"))).collect();
    all_end(&nodes, &[runs, more].concat());
    (0..2).for_each(|node| nodes.terminate(node));
    for node in [0, 1] {
        assert!(!nodes.log(node).contains("prepared statement"), "{}", nodes.log(node));
    }
}

/// No complaint of a session's state, neither here nor there.
fn whole(nodes: &Nodes, pooler: &Pooler) {
    for node in [0, 1] {
        let log = nodes.log(node);
        let bad =
            |line: &&str| line.contains("ERROR") || line.contains("prepared statement") || line.contains(" refused");
        let bad: Vec<&str> = log.lines().filter(bad).collect();
        assert!(bad.is_empty(), "node {node}: {bad:#?}");
    }
    let log = pooler.log();
    let bad = |line: &&str| line.contains("ERROR") || line.contains("WARNING") || line.contains("error");
    let bad: Vec<&str> = log.lines().filter(bad).filter(|line| !line.contains("client unexpected eof")).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}
