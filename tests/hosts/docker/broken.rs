//! Steps that were cut off between two of their effects: repeated, they are finished; undone, nothing is left.

use serde_json::json;
use windlass_model::Code;

use super::{Lab, node};

/// What a crash may have left of `r1`, once it was made whole.
fn cut(lab: &Lab, how: &str) {
    let container = lab.container("r1");
    let pause = format!("{container}-pause");
    let namespace = lab.status("r1")["namespace"].as_str().unwrap().to_owned();
    let unpin =
        || assert!(std::process::Command::new("ip").args(["netns", "del", &namespace]).status().unwrap().success());
    match how {
        "a pause container that wasn't started" => {
            lab.docker.docker(&["rm", "-f", &container]);
            lab.docker.docker(&["stop", "-t", "0", &pause]);
            unpin();
        }
        "a pause container without a pin" => {
            lab.docker.docker(&["rm", "-f", &container]);
            unpin();
        }
        "a pause container without a node" => drop(lab.docker.docker(&["rm", "-f", &container])),
        "a node without a pin" => unpin(),
        "a node without its pause container" => drop(lab.docker.docker(&["rm", "-f", &pause])),
        _ => {}
    }
}

const HOW: &[&str] = &[
    "a pause container that wasn't started",
    "a pause container without a pin",
    "a pause container without a node",
    "a node without a pin",
    "a node without its pause container",
    "everything",
];

#[test]
fn a_step_that_was_cut_off_is_finished_by_its_repetition() {
    for how in HOW {
        let Some(lab) = Lab::new() else { return };
        lab.create(&["r1"]);
        cut(&lab, how);
        if lab.containers().len() == 1 && how.starts_with("a pause") {
            assert_eq!(lab.status("r1")["status"], "missing", "{how}");
        }
        let again = lab.call("create_node", json!([node("r1")])).unwrap_or_else(|problem| panic!("{how}: {problem:?}"));
        assert_eq!((&again["status"], &again["number"]), (&json!("running"), &json!(1)), "{how}");
        assert_eq!(lab.containers().len(), 2, "{how}");
        assert_eq!(lab.ok("exec", json!(["r1", ["echo", "here"]]))["stdout"], "here\n", "{how}");
        assert_eq!(lab.ok("net::list_namespaces", json!([])).as_array().unwrap().len(), 1, "{how}");
    }
}

#[test]
fn a_step_that_was_cut_off_is_undone_whole() {
    for how in HOW {
        let Some(lab) = Lab::new() else { return };
        lab.create(&["r1"]);
        cut(&lab, how);
        lab.undo("create_node", &json!([node("r1")]));
        lab.undo("create_node", &json!([node("r1")]));
        assert!(lab.containers().is_empty(), "{how}: {:?}", lab.containers());
        assert_eq!(lab.ok("net::list_namespaces", json!([])), json!([]), "{how}");
    }
}

#[test]
fn nodes_are_made_all_or_none_and_what_is_refused_is_named() {
    let Some(lab) = Lab::new() else { return };
    lab.create(&["r0"]);
    let mut bad = node("r3");
    bad["command"] = json!(["no-such-program"]);
    let problem = lab.call("create_nodes", json!([[node("r1"), node("r2"), bad, node("r4"), node("r5")]])).unwrap_err();
    assert_eq!((problem.code, &problem.data["refused"]), (Code::InvalidArgument, &json!(["r3"])), "{problem:?}");
    assert!(problem.message.contains("r3") && problem.no_effect, "{problem:?}");
    let names: Vec<_> = lab.ok("nodes", json!([])).as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["r0"], "what was there stays, what was begun is gone");
    assert_eq!(lab.ok("net::list_namespaces", json!([])).as_array().unwrap().len(), 1);

    let mut missing = node("r1");
    missing["image"] = json!("no-such-image:7");
    let problem = lab.call("create_node", json!([missing])).unwrap_err();
    assert_eq!((problem.code, problem.no_effect), (Code::NotFound, true), "{problem:?}");
    assert!(problem.help.unwrap().contains("docker::pull(\"no-such-image:7\")"));
}
