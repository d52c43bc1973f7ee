//! The fault harness in short: each number of nodes holds, and what is taken away is noticed. `make soak` takes longer.

use std::process::{Command, Output};

use windlass_tests::windlass_binary;

fn soak(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass-soak"));
    command.args(arguments).env("WINDLASS_BIN", windlass_binary());
    command.output().expect("windlass-soak starts")
}

/// False, after saying so, where the harness can't work.
fn can_be_done(nodes: usize) -> bool {
    let missing = windlass_tests::faults::missing(nodes);
    missing.as_ref().inspect(|missing| windlass_tests::skip(missing));
    missing.is_none()
}

fn holds(seed: &str, nodes: &str) {
    if !can_be_done(nodes.parse().unwrap()) {
        return;
    }
    let output = soak(&["--seed", seed, "--nodes", nodes, "--seconds", "6"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("holds") && !said.contains(" 0 runs"), "{said}");
}

/// A promise that is taken away is noticed: what happens in a run depends on the machine too, so there are more seeds than are needed.
fn is_noticed(promise: &str, faults: &[&str]) {
    if !can_be_done(3) {
        return;
    }
    let noticed = (5..25).any(|seed: u32| {
        let seed = seed.to_string();
        let arguments = ["--seed", &seed, "--nodes", "3", "--seconds", "8", "--break", promise];
        let output = soak(&[&arguments, faults].concat());
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("nodes:"), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said.contains("VIOLATIONS")
    });
    assert!(noticed, "without the {promise} nothing was noticed");
}

#[test]
fn one_node_holds() {
    holds("11", "1");
}

#[test]
fn three_nodes_hold() {
    holds("12", "3");
}

#[test]
fn a_missing_epoch_is_noticed() {
    // Who stood still in the middle of an effect is who writes too late: most else is kept from it by its lease's clock.
    is_noticed("epoch", &["--faults", "pause,slow-witness"]);
}

#[test]
fn a_missing_intent_is_noticed() {
    is_noticed("intent", &[]);
}

#[test]
fn a_missing_lease_is_noticed() {
    is_noticed("lease", &[]);
}
