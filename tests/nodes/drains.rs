//! A node is drained by the command line here and at a server, and by the API: it hands over what it evaluates and claims
//! nothing, until it is resumed or begins anew.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{nodes::Nodes, wait_until};

use super::{Gate, server, started_on, workflow};

const SOON: Duration = Duration::from_secs(60);

fn state(nodes: &Nodes, at: usize, name: &str) -> Value {
    let all = nodes.good(at, "GET", "nodes", None);
    all.as_array().unwrap().iter().find(|node| node["id"] == *name).map_or(Value::Null, |node| node["state"].clone())
}

#[test]
fn a_drained_node_hands_over_what_it_evaluates_and_claims_nothing() {
    let Some(server) = server() else { return };
    let gate = Gate::new();
    let workflows = [gate.workflow("nodes/hold"), workflow("nodes/quick", None, "", "fn run(input) { uuid() }")];
    let engine = json!({ "workers": 4 });
    let mut nodes = Nodes::start(&server.url("windlass"), &workflows, &[engine.clone(), engine]);
    let (first, second) = (nodes.name(0), nodes.name(1));
    let held = nodes.launch(0, "nodes/hold", &json!({ "name": "a" }));
    wait_until("the run to hold", SOON, || gate.count() == 1);

    // Asked for at the other node; the step that is under way ends first.
    let drain = |node: usize, name: &str, draining: bool| {
        nodes.good(node, "PUT", &format!("nodes/{name}/drain"), Some(&json!({ "draining": draining })))
    };
    assert_eq!(drain(1, &first, true)["state"], "draining");
    wait_until("the node to know", SOON, || nodes.log(0).contains("whether this node claims runs has changed"));
    assert_eq!(state(&nodes, 1, &first), "draining");
    gate.open();
    let record = nodes.wait_for_state(1, &held, "succeeded");
    assert_eq!(record["recoveries"], 0, "handed over, not lost: {record}");
    assert_eq!(started_on(&nodes, 1, &held), [first.clone(), second.clone()]);
    wait_until("the node to be drained", SOON, || state(&nodes, 1, &first) == "drained");

    let quick = |node: usize| {
        let run = nodes.launch(node, "nodes/quick", &json!({}));
        nodes.wait_for_state(node, &run, "succeeded");
        started_on(&nodes, node, &run).pop()
    };
    for _ in 0..5 {
        assert_eq!(quick(0).as_ref(), Some(&second));
    }
    drain(0, &first, false);
    wait_until("the node to claim again", SOON, || quick(0).as_ref() == Some(&first));

    // By the command line: here, on the database, and at a server.
    let url = format!("http://{}", nodes.address(1));
    let remote = |what: &[&str]| nodes.told(0, &[&["--server", &url, "--token", &nodes.token, "nodes"], what].concat());
    assert!(nodes.told(0, &["nodes", "drain", &first]).contains("drained"));
    assert!(remote(&["ls"]).contains("drained"));
    assert!(remote(&["resume", &first]).contains("active"));
    assert!(remote(&["drain", &second]).contains("drained"));
    assert!(nodes.told(0, &["nodes", "ls"]).contains("drained"));
    let none = nodes.cli(0, &["nodes", "drain", "nobody"]);
    assert!(!none.status.success() && String::from_utf8_lossy(&none.stderr).contains("there is no node `nobody`"));

    // A node that begins anew isn't drained any more.
    nodes.terminate(1);
    assert_eq!(state(&nodes, 0, &second), Value::Null, "who goes in good order is forgotten");
    nodes.revive(1);
    let anew = nodes.name(1);
    assert_eq!(state(&nodes, 0, &anew), "active");

    let page = nodes.good(0, "GET", "audit?action=node.drain&limit=50", None);
    let entries: Vec<Value> = page["items"].as_array().unwrap().clone();
    let of = |name: &str| entries.iter().filter(|entry| entry["target"] == *name).count();
    assert_eq!((of(&first), of(&second)), (4, 1), "{page}");
}

#[test]
fn only_admins_of_the_platform_see_nodes_and_drain_them() {
    let Some(server) = server() else { return };
    let workflows = [workflow("nodes/quick", None, "", "fn run(input) { uuid() }")];
    let nodes = Nodes::start(&server.url("windlass"), &workflows, &[json!({ "workers": 1 })]);
    let name = nodes.name(0);
    nodes.good(0, "POST", "organisations", Some(&json!({ "name": "acme" })));
    for (user, role) in [("olga", "operator@*"), ("boss", "admin@acme"), ("vic", "viewer@*")] {
        nodes.told(0, &["users", "create", user, "--role", role]);
        let issued = nodes.told(0, &["--json", "tokens", "issue", "--user", user, user]);
        let issued: Value = serde_json::from_str(&issued).unwrap();
        let token = issued["token"].as_str().unwrap();
        let (status, answer) = nodes.ask_as(token, 0, "GET", "nodes", None).unwrap();
        assert_eq!(status, 403, "{user}: {answer}");
        let body = json!({ "draining": true });
        let (status, _) = nodes.ask_as(token, 0, "PUT", &format!("nodes/{name}/drain"), Some(&body)).unwrap();
        assert_eq!(status, 403, "{user}");
    }
    assert_eq!(state(&nodes, 0, &name), "active");
    let page = nodes.good(0, "GET", "audit?action=node.drain&limit=50", None);
    assert_eq!(page["items"], json!([]), "what is refused leaves no entry");
}
