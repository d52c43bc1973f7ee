//! Links stay when a node is restarted, ends or is killed; after a restart of the daemon they are laid again.

use serde_json::json;
use windlass_tests::{Docker, wait_until};

use super::Lab;

fn connected(lab: &Lab) {
    lab.create(&["r1", "r2"]);
    lab.ok("net::create_bridge", json!(["lan1"]));
    connect(lab);
}

fn connect(lab: &Lab) {
    lab.ok("net::connect", json!([{ "at": "r1:eth1", "addresses": ["10.77.0.1/24"] }, "lan1"]));
    lab.ok("net::connect", json!([{ "at": "r2:eth1", "addresses": ["10.77.0.2/24"] }, "lan1"]));
}

#[test]
fn links_stay_when_a_node_is_restarted_or_killed() {
    let Some(lab) = Lab::new() else { return };
    connected(&lab);
    assert!(lab.pings("r1", "10.77.0.2"));
    let before = lab.status("r1");
    assert_eq!((&before["status"], &before["network"]), (&json!("running"), &json!(true)));
    let after = lab.ok("restart_node", json!(["r1", { "timeout_s": 0 }]));
    assert_eq!((&after["new_namespace"], &after["number"]), (&json!(false), &before["number"]));
    assert!(lab.pings("r1", "10.77.0.2"), "after restart_node");

    lab.docker.docker(&["restart", "--time", "0", &lab.container("r1")]);
    assert!(lab.pings("r1", "10.77.0.2"), "after somebody else's restart");

    lab.docker.docker(&["kill", &lab.container("r1")]);
    wait_until("its end is known", std::time::Duration::from_secs(60), || lab.status("r1")["status"] == "exited");
    assert_eq!(lab.status("r1")["exit_code"], 137);
    let problem = lab.call("exec", json!(["r1", ["true"]])).unwrap_err();
    assert!(problem.message.contains("doesn't run"), "{problem:?}");
    assert_eq!(lab.ok("start_node", json!(["r1"]))["status"], "running");
    assert!(lab.pings("r1", "10.77.0.2"), "after a kill");

    // Stopped, it keeps its links; removed, it takes them along.
    lab.ok("stop_node", json!(["r1", { "timeout_s": 0 }]));
    lab.ok("stop_node", json!(["r1"]));
    let links = lab.ok("net::links", json!([]));
    assert!(links.as_array().unwrap().iter().any(|link| link["at"] == "r1:eth1"), "{links}");
    lab.ok("remove_node", json!(["r1"]));
    lab.ok("remove_node", json!(["r1"]));
    let links = lab.ok("net::links", json!([]));
    assert!(!links.as_array().unwrap().iter().any(|link| link["at"] == "r1:eth1"), "{links}");
    assert_eq!(lab.ok("destroy", json!([]))["nodes"], 1);
    assert!(lab.containers().is_empty());
    assert_eq!(lab.ok("net::list_namespaces", json!([])), json!([]));
}

#[test]
fn a_namespace_whose_holder_died_is_made_anew_and_said_so() {
    let Some(lab) = Lab::new() else { return };
    connected(&lab);
    let before = lab.status("r1");
    lab.docker.docker(&["kill", &format!("{}-pause", lab.container("r1"))]);
    wait_until("its end is known", std::time::Duration::from_secs(60), || lab.status("r1")["network"] == false);
    // The node is in it still: nothing is lost yet.
    assert!(lab.pings("r1", "10.77.0.2"));
    assert_eq!(lab.ok("start_node", json!(["r1"]))["new_namespace"], false);
    let after = lab.ok("restart_node", json!(["r1", { "timeout_s": 0 }]));
    assert_eq!((&after["new_namespace"], &after["namespace"]), (&json!(true), &before["namespace"]));
    lab.ok("net::connect", json!([{ "at": "r1:eth1", "addresses": ["10.77.0.1/24"] }, "lan1"]));
    assert!(lab.pings("r1", "10.77.0.2"));
    // The new pin is of the step that made the node: its undo takes it along.
    lab.undo("create_nodes", &json!([[super::node("r1"), super::node("r2")]]));
    assert_eq!(lab.ok("net::list_namespaces", json!([])), json!([]));
}

#[test]
fn nodes_come_back_after_a_restart_of_the_daemon() {
    let Some(docker) = Docker::start() else { return };
    let lab = Lab::on(std::sync::Arc::new(docker));
    connected(&lab);
    lab.docker.stop();
    let problem = lab.call("nodes", json!([])).unwrap_err();
    assert_eq!((problem.code, problem.retryable), (windlass_model::Code::Unavailable, true), "{problem:?}");
    assert!(problem.help.unwrap().contains("systemctl start docker"));
    lab.docker.resume();
    for name in ["r1", "r2"] {
        let found = lab.status(name);
        assert_eq!((&found["status"], &found["network"]), (&json!("exited"), &json!(false)), "{found}");
        assert_eq!(lab.ok("start_node", json!([name]))["new_namespace"], true);
    }
    connect(&lab);
    assert!(lab.pings("r1", "10.77.0.2"));
}
