//! Many labs on one machine: those that share a hash, and those that share a name.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Value, json};
use windlass_model::{Problem, RunId};

use super::super::{module, rehearsal};
use super::own;
use crate::{lab_names::LabNames, owner::Organisations, testing::Bench};

#[test]
fn labs_whose_hashes_collide_live_beside_each_other() {
    let (one, other) = colliding_labs();
    let stack = rehearsal();
    let mut bench = Bench::new(own(stack), &[]);
    let hash = |bench: &Bench, lab: &str| bench.call("names", json!([lab])).unwrap()["hash"].clone();
    bench.call("create_bridge", json!([one, "lan1"])).unwrap();
    bench.call("create_namespace", json!([other, "r1"])).unwrap();
    bench.call("create_bridge", json!([other, "lan1"])).unwrap();
    let (first, second) = (hash(&bench, &one), hash(&bench, &other));
    assert_ne!(first, second);
    assert_eq!(second, LabNames::candidate("test-instance", &other, 1).hash());
    // Gone and there again: it is found where it was, whatever has become free.
    bench.call("destroy", json!([one])).unwrap();
    bench.cx.key = "02other/1".into();
    bench.call("create_bridge", json!([other, "lan2"])).unwrap();
    assert_eq!(hash(&bench, &other), second);
    // A lab of which only a namespace is left, too.
    bench.call("delete_bridges", json!([other, ["lan1", "lan2"]])).unwrap();
    assert_eq!(hash(&bench, &other), second);
    bench.call("create_bridge", json!([one, "lan1"])).unwrap();
    assert_eq!(hash(&bench, &one), first);
    assert_eq!(bench.call("destroy", json!([other])).unwrap(), json!({ "links": 0, "namespaces": 1, "devices": 0 }));
    assert_eq!(bench.call("links", json!([one])).unwrap().as_array().unwrap().len(), 1);
}

/// Two labs with the same four digits, found by trying names.
fn colliding_labs() -> (String, String) {
    let mut seen = std::collections::HashMap::new();
    for number in 0.. {
        let name = format!("lab{number}");
        let hash = LabNames::new("test-instance", &name).hash().to_owned();
        if let Some(one) = seen.insert(hash, name.clone()) {
            return (one, name);
        }
    }
    unreachable!("two of 65,537 names share one of 65,536 hashes")
}

#[test]
fn three_hundred_labs_of_ten_nodes_have_names_of_their_own() {
    let stack = rehearsal();
    let bench = Bench::new(own(stack.clone()), &[]);
    let nodes: Vec<String> = (0..10).map(|node| format!("n{node}")).collect();
    let links: Vec<Value> = nodes.iter().map(|node| json!({ "a": format!("{node}:eth0"), "b": "lan" })).collect();
    let plan = json!({ "namespaces": nodes, "bridges": ["lan"], "links": links });
    let mut hashes = HashSet::new();
    let (mut plain, mut moved) = (HashSet::new(), 0);
    for number in 0..300 {
        let lab = format!("l{number}");
        moved += usize::from(!plain.insert(LabNames::new("test-instance", &lab).hash().to_owned()));
        bench.call("build", json!([lab, plan])).unwrap_or_else(|problem| panic!("{lab}: {problem:?}"));
        let names = bench.call("names", json!([lab])).unwrap();
        assert!(hashes.insert(names["hash"].clone()), "{lab}: {names}");
    }
    // These names are such that some have to move; else the test proves nothing.
    assert!(moved > 0);
    for number in 0..300 {
        let gone = bench.call("destroy", json!([format!("l{number}")])).unwrap();
        assert_eq!(gone, json!({ "links": 11, "namespaces": 10, "devices": 0 }), "l{number}");
    }
    assert!(stack.namespaces().unwrap().is_empty());
}

/// Runs are of the organisation that stands in front of a hyphen in their names.
struct ByRun;

impl Organisations for ByRun {
    fn of(&self, run: &RunId) -> Result<String, Problem> {
        Ok(run.as_str().split('-').next().unwrap_or_default().to_owned())
    }
}

#[test]
fn labs_of_two_organisations_may_have_one_name() {
    let mut bench = Bench::new(module(rehearsal(), Arc::new(ByRun)), &[]);
    let of = |bench: &mut Bench, organisation: &str| bench.cx.run = format!("{organisation}-1").as_str().into();
    for organisation in ["platform", "acme"] {
        of(&mut bench, organisation);
        bench.call("create_namespace", json!(["demo", "r1"])).unwrap();
        bench.call("create_bridge", json!(["demo", "lan1"])).unwrap();
        let lab = bench.call("describe", json!(["demo"])).unwrap();
        assert_eq!((&lab["lab"], lab["namespaces"].as_array().unwrap().len()), (&json!("demo"), 1));
    }
    assert_eq!(bench.call("destroy", json!(["demo"])).unwrap(), json!({ "links": 1, "namespaces": 1, "devices": 0 }));
    of(&mut bench, "platform");
    assert_eq!(bench.call("links", json!(["demo"])).unwrap().as_array().unwrap().len(), 1);
}
