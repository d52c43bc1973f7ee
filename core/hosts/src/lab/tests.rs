//! Documents as people write them: what becomes of them, and what is said about mistakes.

mod edits;
mod imports;
mod machines;
mod plans;
mod rhythm;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use super::{document::Document, normalise, text};
use crate::testing::Bench;

fn read(yaml: &str) -> Result<Document, Problem> {
    let read = text::read("lab.yaml", yaml)?;
    normalise("lab.yaml", &read.value, Some(&read))
}

fn document(yaml: &str) -> Document {
    read(yaml).unwrap_or_else(|problem| panic!("{}", problem.message))
}

fn value(document: &Document) -> Value {
    serde_json::to_value(document).unwrap()
}

const TRIANGLE: &str = "
name: triangle
groups:
  - name: routers
    node: { kind: namespace, forwarding: true, sysctls: { net.ipv4.conf.all.rp_filter: 0 } }
networks:
  - { name: lan, mtu: 1400, stp: true }
nodes:
  - { name: r2, group: routers }
  - { name: r10, group: routers, forwarding: false, sysctls: { net.ipv4.ip_default_ttl: 63 } }
  - { name: h1, routes: [{ to: default, via: 10.0.0.1 }] }
links:
  - endpoints: [lan, { at: 'h1:eth0', addresses: [10.0.0.2/24] }]
  - endpoints: [{ at: 'r10:eth0', mac: '02:00:00:00:00:0A' }, { at: 'r2:eth1', addresses: ['10.1.0.1/30', 'fd00:0:0::1/64'] }]
    impairment: { delay_ms: 10 }
    state: down
checks:
  - { from: h1, ping: r2 }
  - { from: h1, ping: 192.0.2.1, answers: false, within: 5s }
";

#[test]
fn the_normal_form_is_in_order_and_is_its_own_normal_form() {
    let document = document(TRIANGLE);
    let names: Vec<&str> = document.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["h1", "r2", "r10"], "as people count");
    let first = value(&document);
    assert_eq!(
        first["links"][0]["endpoints"],
        json!([{ "at": "h1:eth0", "addresses": ["10.0.0.2/24"] }, { "network": "lan" }])
    );
    assert_eq!(first["links"][1]["endpoints"][0]["at"], "r2:eth1");
    assert_eq!(first["links"][1]["endpoints"][0]["addresses"], json!(["10.1.0.1/30", "fd00::1/64"]));
    assert_eq!(first["links"][1]["endpoints"][1]["mac"], "02:00:00:00:00:0a");
    assert_eq!(first["nodes"][1]["forwarding"], true, "the group's default");
    assert_eq!(first["nodes"][2]["forwarding"], Value::Null, "the node's own goes before it");
    assert_eq!(
        first["nodes"][2]["sysctls"],
        json!({ "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.ip_default_ttl": 63 })
    );
    assert_eq!(first["checks"][0]["name"], "h1 pings r2");
    assert_eq!(first["checks"][1]["name"], "h1 can't ping 192.0.2.1");
    assert_eq!(normalise("again", &first, None).unwrap(), document);
    let written = super::yaml(&first);
    assert_eq!(self::document(&written), document, "{written}");
}

#[test]
fn copies_are_written_out() {
    let many = document(
        "name: x\nnetworks: [{ name: lan }]\nnodes: [{ name: 'n{n}', count: 12 }]\nlinks:\n  - count: 12\n    endpoints: [{ at: 'n{n}:eth0', addresses: ['10.0.0.{n}/24'] }, lan]\n  - count: 11\n    endpoints: ['n{n}:eth1', 'n{n+1}:eth2']\n",
    );
    assert_eq!((many.nodes.len(), many.links.len()), (12, 23));
    assert_eq!(many.nodes[11].name, "n12");
    let last: Vec<String> = many
        .links
        .iter()
        .rev()
        .take(2)
        .map(|link| {
            format!("{} – {}", link.name(), link.endpoints[1].at.as_ref().map_or("lan".into(), ToString::to_string))
        })
        .collect();
    assert_eq!(last, ["n12:eth0 – lan", "n11:eth1 – n12:eth2"]);
}

#[test]
fn all_mistakes_are_told_with_their_places() {
    let problem =
        read("name: demo\nnodes:\n  - { name: r1, imgae: x }\n  - name: 7\nlinks:\n  - endpoints: ['r1:eth0']\n")
            .unwrap_err();
    assert_eq!(problem.code, Code::InvalidInput);
    let faults = problem.data["faults"].as_array().unwrap();
    let told: Vec<String> = faults
        .iter()
        .map(|fault| format!("{}:{} {}", fault["line"], fault["column"], fault["code"].as_str().unwrap()))
        .collect();
    assert!(told.contains(&"3:24 unknown_key".to_owned()), "{told:?}");
    assert!(told.iter().any(|one| one.starts_with("4:11")), "{told:?}");
    assert!(told.iter().any(|one| one.starts_with("6:")), "{told:?}");
    assert!(problem.message.contains("lab.yaml:3:"), "{}", problem.message);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_stable_code() {
    let base = "name: demo\nnetworks: [{ name: lan }]\nnodes: [{ name: a }, { name: b }, { name: vm, disk: d }]\n";
    for (more, code) in [
        ("links: [{ endpoints: ['a:eth0', 'x:eth0'] }]", "unknown_node"),
        ("links: [{ endpoints: ['a:eth0', wan] }]", "unknown_network"),
        ("links: [{ endpoints: ['a:eth0', b] }]", "unknown_network"),
        ("links: [{ endpoints: ['a:eth0', lan] }, { endpoints: ['a:eth0', 'b:eth0'] }]", "duplicate_interface"),
        ("links: [{ endpoints: [lan, lan] }]", "no_node"),
        ("links: [{ endpoints: ['a:eth0', 'a:eth1'] }]", "same_node"),
        ("links: [{ endpoints: ['a:an-interface-too-long', lan] }]", "bad_name"),
        ("links: [{ endpoints: ['a:lo', lan] }]", "bad_name"),
        (
            "links: [{ endpoints: [{ at: 'a:e', addresses: [10.0.0.1/24] }, lan] }, { endpoints: [{ at: 'b:e', addresses: [10.0.0.1/24] }, lan] }]",
            "duplicate_address",
        ),
        (
            "links: [{ endpoints: [{ at: 'a:e', addresses: [10.0.0.1/24] }, lan] }, { endpoints: [{ at: 'a:f', addresses: [10.0.0.9/25] }, lan] }]",
            "overlapping_addresses",
        ),
        ("links: [{ endpoints: [{ at: 'a:e', addresses: [10.0.0.0/24] }, lan] }]", "bad_address"),
        ("links: [{ endpoints: [{ at: 'a:e', addresses: [10.0.0/24] }, lan] }]", "unreadable"),
        ("links: [{ endpoints: [{ at: 'vm:e', addresses: [10.0.0.1/24] }, lan] }]", "kind_mismatch"),
        ("links: [{ endpoints: ['a:e', { network: lan, mac: '02:00:00:00:00:01' }] }]", "kind_mismatch"),
        ("checks: [{ from: x, ping: 10.0.0.1 }]", "unknown_node"),
        ("checks: [{ from: a, ping: b }]", "unknown_node"),
        ("checks: [{ from: vm, ping: 10.0.0.1 }]", "kind_mismatch"),
        ("checks: [{ from: a }]", "schema"),
        ("drills: [{ at: 'a:eth9', from: a, ping: 10.0.0.1 }]", "unknown_interface"),
        (
            "links: [{ endpoints: ['a:eth0', lan] }]\ndrills: [{ at: 'a:eth0', from: x, ping: 10.0.0.1 }]",
            "unknown_node",
        ),
        ("drills: [{ at: 'a:eth0', from: a }]", "missing_key"),
        ("groups: [{ name: g, node: { cpuz: 1 } }]", "unknown_key"),
        ("groups: [{ name: g }, { name: g }]", "duplicate_name"),
    ] {
        let problem = read(&format!("{base}{more}\n")).unwrap_err();
        let codes: Vec<_> =
            problem.data["faults"].as_array().unwrap().iter().map(|fault| fault["code"].clone()).collect();
        assert!(codes.contains(&json!(code)), "{more}: {codes:?} {}", problem.message);
        assert!(problem.no_effect);
    }
    for (networks, code) in [
        ("[{ name: a, kind: vxlan, vxlan: { id: 1 } }]", "no_remote"),
        ("[{ name: a, kind: vxlan, vxlan: { id: 1, remote: x } }]", "bad_address"),
        ("[{ name: 'a{n}', count: 2, kind: vxlan, vxlan: { id: 1, remote: 192.0.2.1 } }]", "duplicate_vxlan"),
        ("[{ name: 'a{n}', count: 2, kind: device, device: eth1 }]", "duplicate_device"),
        ("[{ name: a, kind: vxlan, vxlan: { id: 1, remote: 192.0.2.1 } }, { name: a.vxlan }]", "bad_name"),
        ("[{ name: a, device: eth1 }]", "kind_mismatch"),
    ] {
        let problem = read(&format!("name: demo\nnetworks: {networks}\n")).unwrap_err();
        let codes: Vec<_> =
            problem.data["faults"].as_array().unwrap().iter().map(|fault| fault["code"].clone()).collect();
        assert!(codes.contains(&json!(code)), "{networks}: {codes:?} {}", problem.message);
    }
    for (nodes, code) in [
        ("[{ name: a }, { name: a }]", "duplicate_name"),
        ("[{ name: -a }]", "bad_name"),
        ("[{ name: a, group: g }]", "unknown_group"),
        ("[{ name: a, kind: container }]", "kind_mismatch"),
        ("[{ name: a, cpus: 1 }]", "kind_mismatch"),
        ("[{ name: a, disk: d, cpus: 1.5 }]", "kind_mismatch"),
        ("[{ name: a, disk: d, routes: [{ to: default, via: 10.0.0.1 }] }]", "kind_mismatch"),
        ("[{ name: a, routes: [{ to: default, via: 10.0.0.1 }] }]", "unreachable_gateway"),
        ("[{ name: a, routes: [{ to: 10.0.0.1/8, via: 10.0.0.1 }] }]", "bad_address"),
        ("[{ name: a, routes: [{ to: default }] }]", "bad_route"),
        ("[{ name: a, routes: [{ to: default, dev: eth7 }] }]", "unknown_interface"),
        ("[{ name: a, image: i, ready: { within: 1m } }]", "kind_mismatch"),
        (
            "[{ name: a, image: i, ports: [{ host: 80, node: 80 }] }, { name: b, image: i, ports: [{ host: 80, node: 8080 }] }]",
            "duplicate_port",
        ),
        ("[{ name: 'n{n}', count: 600 }, { name: 'm{n}', count: 600 }]", "too_many"),
    ] {
        let problem = read(&format!("name: demo\nnodes: {nodes}\n")).unwrap_err();
        let codes: Vec<_> =
            problem.data["faults"].as_array().unwrap().iter().map(|fault| fault["code"].clone()).collect();
        assert!(codes.contains(&json!(code)), "{nodes}: {codes:?} {}", problem.message);
    }
}

#[test]
fn digests_change_with_what_they_are_of_and_with_nothing_else() {
    let base = "name: d\nnetworks: [{ name: lan }]\nnodes: [{ name: c, image: i, env: { A: '1', B: '2' } }]\nlinks: [{ endpoints: ['c:eth0', lan] }]\n";
    let digests = |text: &str| super::digests(&document(text));
    let first = digests(base);
    assert_eq!(first, digests(base));
    for (edit, changed) in [
        (base.replace("A: '1', B: '2'", "B: '2', A: '1'"), vec![]),
        (base.replace("image: i", "image: i, position: { x: 1, y: 2 }"), vec!["document"]),
        (base.replace("image: i", "image: j"), vec!["document", "nodes/c"]),
        (base.replace("name: lan }]\nn", "name: lan, mtu: 9000 }]\nn"), vec!["document", "networks/lan"]),
        (base.replace("'c:eth0', lan]", "'c:eth0', lan], mtu: 9000"), vec!["document", "links/c:eth0"]),
    ] {
        let now = digests(&edit);
        for pointer in ["document", "nodes/c", "networks/lan", "links/c:eth0"] {
            let (was, is) = (first.pointer(&format!("/{pointer}")), now.pointer(&format!("/{pointer}")));
            assert_eq!(was != is, changed.contains(&pointer), "{edit}: {pointer}");
        }
    }
}

#[test]
fn an_organisations_quotas_hold_for_its_labs_together() {
    let quota = super::Quota { labs: Some(2), nodes: Some(10), cpus: Some(4.0), memory_mb: Some(1024) };
    let config = super::Config {
        quotas: BTreeMap::from([
            ("acme".to_owned(), quota.clone()),
            ("*".to_owned(), super::Quota { labs: Some(1), ..Default::default() }),
        ]),
    };
    let size = |nodes: u64, cpus: f64, memory_mb: u64| json!({ "nodes": nodes, "cpus": cpus, "memory_mb": memory_mb });
    let admit = |organisation: &'static str, size: Value, others: Value| {
        let module = super::module(&config, std::sync::Arc::new(crate::owner::Always(organisation)));
        Bench::new(module, &[])
            .call("admit", json!(["demo", size, others]))
            .map_err(|problem| problem.data["quota"].clone())
    };
    let small = || size(2, 1.0, 256);
    assert!(admit("acme", size(8, 3.0, 768), json!({ "other": small() })).is_ok());
    // The lab itself isn't counted twice.
    assert!(admit("acme", size(10, 4.0, 1024), json!({ "demo": small() })).is_ok());
    assert_eq!(admit("acme", size(9, 0.0, 0), json!({ "other": small() })), Err(json!("nodes")));
    assert_eq!(admit("acme", size(1, 3.5, 0), json!({ "other": small() })), Err(json!("cpus")));
    assert_eq!(admit("acme", size(1, 0.0, 769), json!({ "other": small() })), Err(json!("memory_mb")));
    assert_eq!(admit("acme", small(), json!({ "a": small(), "b": small() })), Err(json!("labs")));
    assert_eq!(
        admit("other", small(), json!({ "a": small() })),
        Err(json!("labs")),
        "`*` is for those that aren't named"
    );
    assert!(admit("platform", small(), json!({ "a": small(), "b": small() })).is_ok(), "and never for the platform");
}

#[test]
fn labs_of_two_organisations_have_keys_of_their_own() {
    let key = |organisation: &'static str| {
        let module = super::module(&super::Config::default(), std::sync::Arc::new(crate::owner::Always(organisation)));
        Bench::new(module, &[]).call("check", json!([{ "name": "demo" }])).unwrap()["key"].clone()
    };
    assert_eq!((key("platform"), key("acme")), (json!("demo"), json!("acme/demo")));
}
