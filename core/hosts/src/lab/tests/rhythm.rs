//! Random documents: a plan for an empty machine asks for every node and link once, and planning never fails.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::lab::{document::Document, normalise, plan};

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn random(dice: &mut Dice) -> Value {
    let nodes = 1 + dice.below(8);
    let kind = |dice: &mut Dice, number: u64| match dice.below(3) {
        0 => json!({ "name": format!("n{number}") }),
        1 => json!({ "name": format!("n{number}"), "image": "i" }),
        _ => json!({ "name": format!("n{number}"), "disk": "d" }),
    };
    let list: Vec<Value> = (0..nodes).map(|number| kind(dice, number)).collect();
    let mut links = Vec::new();
    for number in 0..dice.below(12) {
        let (a, b) = (dice.below(nodes), dice.below(nodes));
        let near = json!({ "at": format!("n{a}:e{number}") });
        let far = if a == b { json!({ "network": "lan" }) } else { json!({ "at": format!("n{b}:f{number}") }) };
        let state = if dice.below(4) == 0 { "down" } else { "up" };
        links.push(json!({ "endpoints": [near, far], "state": state }));
    }
    json!({ "name": "r", "networks": [{ "name": "lan" }], "nodes": list, "links": links })
}

#[test]
fn random_labs_are_planned_whole() {
    let mut dice = Dice(7);
    for _ in 0..300 {
        let written = random(&mut dice);
        let document: Document =
            normalise("random", &written, None).unwrap_or_else(|problem| panic!("{}", problem.message));
        let planned = plan(&document, &json!({})).unwrap();
        let count = |pointer: &str| planned.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len);
        assert_eq!(count("/base/namespaces") + count("/containers") + count("/machines"), document.nodes.len());
        let mut ends = BTreeSet::new();
        for list in ["/base/links", "/wire/links", "/base/taps", "/wire/taps"] {
            for link in planned.pointer(list).and_then(Value::as_array).into_iter().flatten() {
                let at = [&link["at"], &link["a"]["at"], &link["b"]["at"]];
                for at in at.iter().filter_map(|at| at.as_str()) {
                    assert!(ends.insert(at.to_owned()), "{at} is made twice: {planned:#}");
                }
            }
        }
        let declared = document.links.iter().flat_map(|link| &link.endpoints).filter(|end| end.at.is_some()).count();
        assert_eq!(ends.len(), declared, "{planned:#}");
    }
}
