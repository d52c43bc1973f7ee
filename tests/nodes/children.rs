//! Children end on one node in the moment in which their parents begin to wait on another.

use serde_json::json;
use windlass_tests::nodes::Nodes;

use super::{server, workflow};

const PARENT: &str = r#"
fn run(input) {
    for n in 0..3 {
        child("nodes/quick", #{});
    }
    "done"
}
"#;

#[test]
fn no_parent_waits_for_a_child_that_has_ended_on_another_node() {
    let Some(server) = server() else { return };
    let workflows =
        [workflow("nodes/quick", None, "", "fn run(input) { 1 }"), workflow("nodes/parent", None, "", PARENT)];
    let engine = json!({ "workers": 3 });
    let nodes = Nodes::start(&server.url("windlass"), &workflows, &[engine.clone(), engine]);
    let runs: Vec<String> = (0..120).map(|n| nodes.launch(n % 2, "nodes/parent", &json!({}))).collect();
    for run in &runs {
        nodes.wait_for_state(0, run, "succeeded");
    }
}
