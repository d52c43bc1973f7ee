//! What a plan does about machines: it keeps disks, and tells what it can't keep.

use serde_json::{Value, json};

use super::{document, value};
use crate::lab::plan;

const LAB: &str = "
name: demo
networks: [{ name: lan }]
nodes:
  - { name: vm, disk: debian.qcow2, disk_gb: 8, memory_mb: 512 }
links:
  - { endpoints: ['vm:eth0', lan] }
";

fn compared(yaml: &str, actual: &Value) -> Value {
    plan(&document(yaml), actual).unwrap_or_else(|problem| panic!("{}", problem.message))
}

/// `LAB` as it is there.
fn there() -> Value {
    let made = &compared(LAB, &json!({}))["machines"][0];
    let lan = json!({ "at": "lan", "interface": "nove1n1", "kind": "bridge", "up": true, "mtu": 1500, "settings": { "stp": false } });
    let tap =
        json!({ "at": "vm:eth0", "interface": "nve1d1i0", "kind": "tun", "up": true, "mtu": 1500, "bridge": "lan" });
    json!({
        "net": { "namespaces": [], "links": [lan, tap] },
        "qemu": [{ "name": "vm", "status": "running", "digest": made["digest"], "disk": "debian.qcow2", "disk_gb": 8,
            "taps": [{ "at": "vm:eth0", "interface": "nve1d1i0" }] }],
        "kept": value(&document(LAB)),
    })
}

fn said(plan: &Value) -> Vec<String> {
    let all = plan["differences"].as_array().unwrap();
    all.iter()
        .map(|one| format!("{} {} {}: {}", one["action"], one["kind"], one["name"], one["why"]).replace('"', ""))
        .collect()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap_or_else(|| one.as_str().unwrap())).collect()
}

#[test]
fn a_machine_keeps_its_disk_whatever_else_is_changed() {
    assert_eq!(said(&compared(LAB, &there())), Vec::<String>::new());
    for (from, to) in [
        ("memory_mb: 512", "memory_mb: 768"),
        ("memory_mb: 512", "memory_mb: 512, vnc: true, cpus: 2"),
        ("memory_mb: 512", "memory_mb: 512, seed: { user_data: x }"),
        ("['vm:eth0', lan]", "[{ at: 'vm:eth0', mac: '52:54:00:12:34:56' }, lan]"),
    ] {
        let plan = compared(&LAB.replace(from, to), &there());
        let why = "what it is made from differs: it is started anew on its disk";
        assert_eq!(said(&plan), [format!("change machine vm: {why}")], "{to}");
        assert_eq!((names(&plan["change_machines"]), &plan["remove_machines"]), (vec!["vm"], &json!([])), "{to}");
        assert_eq!((&plan["machines"], &plan["summary"]), (&json!([]), &json!("1 to change")), "{to}");
    }
    // A further link: it is started anew once.
    let plan = compared(&LAB.replace("links:", "links:\n  - { endpoints: ['vm:eth1', lan] }"), &there());
    assert_eq!(said(&plan).len(), 2, "{plan:#}");
    assert_eq!((names(&plan["change_machines"]), &plan["restart_machines"]), (vec!["vm"], &json!([])));
    assert_eq!(plan["wire"]["taps"][0]["at"], "vm:eth1");
    // Nothing is waited for where the guest goes on.
    let labelled = LAB.replace("memory_mb: 512", "memory_mb: 512, labels: { team: blue }, ready: { serial: x }");
    let plan = compared(&labelled, &there());
    assert_eq!(said(&plan), ["change machine vm: its labels differ"]);
    assert_eq!(plan["ready"], json!([]));
    // If it has lost its cable, too, it is started anew after all.
    let mut actual = there();
    actual["net"]["links"].as_array_mut().unwrap().pop();
    let plan = compared(&labelled, &actual);
    assert_eq!((names(&plan["change_machines"]), names(&plan["restart_machines"])), (vec!["vm"], vec!["vm"]));
    // One that stands still is started by the change.
    let mut actual = there();
    actual["qemu"][0]["status"] = "stopped".into();
    let plan = compared(&labelled, &actual);
    assert_eq!((names(&plan["change_machines"]), &plan["start_machines"]), (vec!["vm"], &json!([])));
    assert_eq!(plan["ready"][0]["node"], "vm");
}

#[test]
fn a_disk_that_is_made_anew_is_told() {
    for (from, to, what) in [
        ("disk_gb: 8", "disk_gb: 9", "its disk's size"),
        (", disk_gb: 8", "", "its disk's size"),
        ("debian.qcow2", "alpine.qcow2", "the image of its disk"),
    ] {
        let plan = compared(&LAB.replace(from, to), &there());
        let why = format!("{what} differs: its disk is made anew, and its snapshots go with the old one");
        assert_eq!(said(&plan), [format!("replace machine vm: {why}")]);
        assert_eq!((&plan["remove_machines"], &plan["change_machines"]), (&json!(["vm"]), &json!([])));
        assert_eq!(names(&plan["machines"]), ["vm"]);
    }
}

#[test]
fn a_machine_that_knows_no_taps_is_told_them_before_it_is_started() {
    for status in ["stopped", "running"] {
        let mut actual = there();
        actual["qemu"][0]["status"] = status.into();
        actual["qemu"][0]["taps"][0]["at"] = Value::Null;
        if status == "running" {
            assert_eq!(said(&compared(LAB, &actual)), Vec::<String>::new(), "it runs, and may");
            actual["net"]["links"].as_array_mut().unwrap().pop();
        }
        let plan = compared(LAB, &actual);
        assert_eq!(names(&plan["change_machines"]), ["vm"], "{plan:#}");
        assert_eq!(plan["change_machines"][0]["taps"], json!([{ "at": "vm:eth0" }]));
        assert_eq!((&plan["start_machines"], &plan["restart_machines"]), (&json!([]), &json!([])));
        // It is listed once, whatever else differs.
        let plan = compared(&LAB.replace("memory_mb: 512", "memory_mb: 512, labels: { a: b }"), &actual);
        assert_eq!(names(&plan["change_machines"]), ["vm"], "{plan:#}");
    }
}

#[test]
fn a_tap_goes_with_its_machine_though_another_node_has_its_name() {
    for node in ["{ name: vm, image: nginx }", "{ name: vm }"] {
        let edited = LAB.replace("{ name: vm, disk: debian.qcow2, disk_gb: 8, memory_mb: 512 }", node);
        let plan = compared(&edited, &there());
        assert_eq!(plan["remove_machines"], json!(["vm"]), "{node}");
        assert_eq!(plan["remove"]["taps"], json!([{ "at": "vm:eth0" }]), "{node}");
    }
    // The other way, the cable's end on this machine is in the tap's way, unless its namespace takes it along.
    let outer = json!({ "at": "vm:eth0@host", "interface": "nve1d1i0", "kind": "veth", "up": true, "mtu": 1500, "bridge": "lan" });
    let inner = json!({ "interface": "eth0", "kind": "veth", "up": true, "mtu": 1500, "addresses": [], "peer": "vm:eth0@host" });
    let mut actual = there();
    actual["qemu"] = json!([]);
    actual["net"]["links"][1] = outer;
    actual["net"]["namespaces"] = json!([{ "name": "vm", "interfaces": [inner], "routes": [] }]);
    let plan = compared(LAB, &actual);
    assert_eq!((&plan["remove"]["namespaces"], &plan["wire"]["taps"][0]["at"]), (&json!(["vm"]), &json!("vm:eth0")));
}

#[test]
fn what_a_machine_sends_is_impaired_where_it_arrives() {
    let lab = |link: &str, node: &str| {
        format!(
            "name: demo\nnetworks: [{{ name: lan }}]\nnodes: [{{ name: vm, disk: d }}, {node}]\nlinks:\n  - {link}\n"
        )
    };
    let impaired = |plan: &Value| {
        let all = plan["settle"].as_array().unwrap().iter().filter(|one| one["op"] == "impair");
        all.map(|one| format!("{} {}", one["at"].as_str().unwrap(), one["impairment"])).collect::<Vec<_>>()
    };
    let ends = "[{ at: 'vm:eth0', impairment: { delay_ms: 5 } }, { at: 'x:eth0', impairment: { rate_kbit: 100 } }]";
    let link = format!("{{ endpoints: {ends} }}");
    let between = compared(&lab(&link, "{ name: x, disk: d }"), &json!({}));
    assert_eq!(impaired(&between), ["vm:eth0 {\"rate_kbit\":100}", "x:eth0 {\"delay_ms\":5.0}"]);
    assert!(said(&between).iter().all(|one| !one.contains("impairment")), "a new link is one difference: {between:#}");
    let space = compared(&lab(&link, "{ name: x }"), &json!({}));
    assert_eq!(impaired(&space), ["x:eth0 {\"rate_kbit\":100}", "x:eth0@host {\"delay_ms\":5.0}"]);
    let received = "{ endpoints: ['vm:eth0', { network: lan, impairment: { delay_ms: 5 } }] }";
    assert_eq!(impaired(&compared(&lab(received, "{ name: x }"), &json!({}))), ["vm:eth0 {\"delay_ms\":5.0}"]);
    for sent in [
        "{ endpoints: ['vm:eth0', lan], impairment: { delay_ms: 5 } }",
        "{ endpoints: [lan, { at: 'vm:eth0', impairment: { delay_ms: 5 } }] }",
    ] {
        let problem = super::read(&lab(sent, "{ name: x }")).unwrap_err();
        assert_eq!(problem.data["faults"][0]["code"], "machine_impairment", "{problem:#?}");
        assert!(problem.message.contains("network: lan"), "{}", problem.message);
    }
}
