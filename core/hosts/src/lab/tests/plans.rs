//! What differs between a document and what is there.

use serde_json::{Value, json};

use super::{document, value};
use crate::lab::plan;

pub(super) const LAB: &str = "
name: demo
networks: [{ name: lan }]
nodes:
  - { name: a, routes: [{ to: 10.9.0.0/16, via: 10.1.0.2 }] }
  - { name: b, forwarding: true }
links:
  - { endpoints: [{ at: 'a:eth0', addresses: [10.0.0.1/24] }, lan] }
  - { endpoints: [{ at: 'a:eth1', addresses: [10.1.0.1/24] }, { at: 'b:eth0', addresses: [10.1.0.2/24] }] }
";

/// What the kernel tells of `LAB`.
pub(super) fn there() -> Value {
    let interface = |name: &str, address: &str, peer: &str| {
        json!({ "interface": name, "kind": "veth", "up": true, "operstate": "up", "mtu": 1500, "mac": "02:00:00:00:00:01",
            "addresses": [address, "fe80::1/64"], "peer": peer })
    };
    json!({ "net": {
        "namespaces": [
            { "name": "a", "namespace": "nve1d1-a", "node": 1, "forwarding": { "ipv4": false, "ipv6": false },
              "interfaces": [interface("eth0", "10.0.0.1/24", "a:eth0@host"), interface("eth1", "10.1.0.1/24", "b:eth0")],
              "routes": [{ "to": "10.0.0.0/24", "via": null, "dev": "eth0", "metric": 0 },
                         { "to": "10.9.0.0/16", "via": "10.1.0.2", "dev": "eth1", "metric": 0 }] },
            { "name": "b", "namespace": "nve1d2-b", "node": 2, "forwarding": { "ipv4": true, "ipv6": true },
              "interfaces": [interface("eth0", "10.1.0.2/24", "a:eth1")], "routes": [] },
        ],
        "links": [
            { "at": "lan", "interface": "nove1n1", "kind": "bridge", "up": true, "mtu": 1500, "settings": { "stp": false } },
            { "at": "a:eth0@host", "interface": "nve1d1i0", "kind": "veth", "up": true, "mtu": 1500, "bridge": "lan" },
        ],
    } })
}

pub(super) fn compared(yaml: &str, actual: &Value) -> Value {
    plan(&document(yaml), actual).unwrap_or_else(|problem| panic!("{}", problem.message))
}

pub(super) fn differences(plan: &Value) -> Vec<String> {
    let all = plan["differences"].as_array().unwrap();
    all.iter().map(|one| format!("{} {} {}", one["action"], one["kind"], one["name"]).replace('"', "")).collect()
}

#[test]
fn nothing_is_done_where_nothing_differs() {
    let plan = compared(LAB, &there());
    assert_eq!(differences(&plan), Vec::<String>::new());
    assert_eq!((&plan["same"], &plan["base"], &plan["remove"]), (&json!(true), &Value::Null, &Value::Null));
    assert_eq!(plan["settle"], json!([]));
}

#[test]
fn everything_is_made_where_nothing_is() {
    let plan = compared(LAB, &json!({ "net": { "namespaces": [], "links": [] } }));
    assert_eq!(plan["counts"], json!({ "add": 5, "change": 0, "replace": 0, "start": 0, "remove": 0 }));
    assert_eq!(plan["base"]["namespaces"], json!(["a", "b"]));
    assert_eq!(plan["base"]["links"].as_array().unwrap().len(), 2);
    assert_eq!(plan["base"]["routes"], json!([{ "namespace": "a", "to": "10.9.0.0/16", "via": "10.1.0.2" }]));
    assert_eq!(plan["base"]["forwarding"], json!(["b"]));
}

/// Changes what is there, and says what has to follow.
fn after(change: impl Fn(&mut Value)) -> (Vec<String>, Value) {
    let mut actual = there();
    change(&mut actual);
    let plan = compared(LAB, &actual);
    (differences(&plan), plan)
}

#[test]
fn what_somebody_did_by_hand_is_put_right() {
    // `ip link del` of a cable between two nodes.
    let (said, plan) = after(|actual| {
        actual["net"]["namespaces"][0]["interfaces"].as_array_mut().unwrap().pop();
        actual["net"]["namespaces"][0]["routes"].as_array_mut().unwrap().pop();
        actual["net"]["namespaces"][1]["interfaces"] = json!([]);
    });
    assert_eq!(said, ["add link a:eth1 – b:eth0", "add route a to 10.9.0.0/16"]);
    assert_eq!(plan["base"]["links"].as_array().unwrap().len(), 1);
    assert_eq!(plan["settle"][0]["op"], "add_route", "the node is there: its routes come when its links are");
    // One of a network.
    let (said, plan) = after(|actual| {
        actual["net"]["namespaces"][0]["interfaces"].as_array_mut().unwrap().remove(0);
        actual["net"]["links"].as_array_mut().unwrap().pop();
    });
    assert_eq!(said, ["add link a:eth0 – lan"]);
    assert_eq!(plan["remove"], Value::Null);
    // A cable pulled, an address taken away, another one given.
    let (said, plan) = after(|actual| {
        actual["net"]["links"][1]["up"] = false.into();
        actual["net"]["namespaces"][1]["interfaces"][0]["addresses"] = json!(["10.7.0.1/24"]);
    });
    assert_eq!(
        said,
        ["change link a:eth0 – lan", "add address b:eth0 10.1.0.2/24", "remove address b:eth0 10.7.0.1/24"]
    );
    assert_eq!(plan["loosen"], json!([{ "op": "remove_address", "at": "b:eth0", "address": "10.7.0.1/24" }]));
    assert_eq!(plan["settle"][0], json!({ "op": "set_link", "at": "a:eth0@host", "changes": { "up": true } }));
    // Taken out of its bridge; forwarding switched off.
    let (said, _) = after(|actual| {
        actual["net"]["links"][1]["bridge"] = Value::Null;
        actual["net"]["namespaces"][1]["forwarding"]["ipv4"] = false.into();
    });
    assert_eq!(said, ["change link a:eth0@host", "change node b"]);
    // A cable that leads elsewhere is laid anew.
    let (said, plan) = after(|actual| {
        actual["net"]["namespaces"][0]["interfaces"][1]["peer"] = "c:eth0".into();
    });
    assert_eq!(said[0], "replace link a:eth1 – b:eth0");
    assert_eq!(plan["remove"]["links"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_left_over_goes() {
    let (said, plan) = after(|actual| {
        let more = json!({ "interface": "eth7", "kind": "veth", "up": true, "mtu": 1500, "addresses": [], "peer": "a:eth7@host" });
        actual["net"]["namespaces"][0]["interfaces"].as_array_mut().unwrap().push(more);
        let links = actual["net"]["links"].as_array_mut().unwrap();
        links.push(json!({ "at": "a:eth7@host", "kind": "veth", "up": true, "mtu": 1500, "bridge": "old" }));
        links.push(json!({ "at": "old", "kind": "bridge", "up": true, "mtu": 1500 }));
        links.push(json!({ "at": "vm:eth0", "kind": "tun", "up": true, "mtu": 1500 }));
        actual["net"]["namespaces"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "name": "c", "interfaces": [], "routes": [] }));
        actual["docker"] = json!([{ "name": "d", "status": "running" }]);
        actual["qemu"] = json!([{ "name": "vm", "status": "running" }]);
    });
    assert_eq!(
        said,
        ["remove container d", "remove machine vm", "remove namespace c", "remove link a:eth7", "remove network old"]
    );
    assert_eq!(plan["remove"]["namespaces"], json!(["c"]));
    assert_eq!(plan["remove"]["taps"], json!([{ "at": "vm:eth0" }]));
    assert_eq!((&plan["remove_containers"], &plan["remove_machines"]), (&json!(["d"]), &json!(["vm"])));
}

#[test]
fn what_the_document_says_no_more_is_taken_back_and_nothing_else() {
    let edited = LAB
        .replace("{ name: a, routes: [{ to: 10.9.0.0/16, via: 10.1.0.2 }] }", "{ name: a }")
        .replace(", forwarding: true", "");
    let mut actual = there();
    let plan = compared(&edited, &actual);
    assert_eq!(differences(&plan), Vec::<String>::new(), "a daemon may have added the route");
    actual["kept"] = value(&document(LAB));
    let plan = compared(&edited, &actual);
    assert_eq!(differences(&plan), ["remove route a to 10.9.0.0/16", "change node b"]);
    // A document of another time that can't be read any more is no obstacle.
    actual["kept"] = json!({ "labs": 7 });
    assert_eq!(compared(&edited, &actual)["same"], true);
}

#[test]
fn changes_to_links_are_live() {
    let edited = LAB.replace(
        "{ endpoints: [{ at: 'a:eth1'",
        "{ state: down, mtu: 9000, impairment: { delay_ms: 5 }, endpoints: [{ at: 'a:eth1'",
    );
    let plan = compared(&edited, &there());
    assert_eq!(plan["base"], Value::Null);
    let calls: Vec<String> = plan["settle"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| format!("{} {} {}", call["op"], call["at"], call["changes"]))
        .collect();
    assert_eq!(calls.len(), 5, "{calls:?}");
    assert!(calls.contains(&"\"set_link\" \"a:eth1\" {\"up\":false}".to_owned()), "{calls:?}");
    let mut actual = there();
    for (node, index) in [(0, 1), (1, 0)] {
        let interface = &mut actual["net"]["namespaces"][node]["interfaces"][index];
        interface["mtu"] = 9000.into();
        interface["up"] = (node == 1).into();
        interface["impairment"] = json!({ "delay_ms": 5.0004, "rate_kbit": 0 });
    }
    // The route over the cable that is pulled can't be there.
    actual["net"]["namespaces"][0]["routes"].as_array_mut().unwrap().pop();
    assert_eq!(differences(&compared(&edited, &actual)), Vec::<String>::new());
    let back = compared(LAB, &actual);
    assert!(differences(&back).contains(&"add route a to 10.9.0.0/16".to_owned()));
    assert_eq!(back["settle"].as_array().unwrap().last().unwrap()["op"], "add_route", "after the cable is in");
}

const MIXED: &str = "
name: mixed
networks: [{ name: lan }]
nodes:
  - { name: c, image: frr, health: { command: ['true'] } }
  - { name: vm, disk: d }
  - { name: n }
links:
  - { endpoints: ['c:eth0', lan] }
  - { endpoints: ['vm:eth0', lan] }
  - { endpoints: ['c:eth1', 'vm:eth1'] }
  - { endpoints: ['c:eth2', 'n:eth0'] }
";

#[test]
fn containers_come_before_their_links_and_start_after_them() {
    let plan = compared(MIXED, &json!({}));
    assert_eq!(plan["base"]["namespaces"], json!(["n"]));
    assert_eq!(plan["base"]["links"], json!([]));
    assert_eq!(plan["containers"][0]["start"], false);
    assert_eq!(plan["start_containers"], json!(["c"]));
    assert_eq!(plan["wire"]["links"].as_array().unwrap().len(), 3);
    assert_eq!(plan["wire"]["taps"].as_array().unwrap().len(), 2);
    let implied = plan["base"]["bridges"].as_array().unwrap().iter().find(|bridge| bridge["name"] != "lan").unwrap();
    assert_eq!(
        plan["wire"]["taps"].as_array().unwrap().iter().filter(|tap| tap["bridge"] == implied["name"]).count(),
        1
    );
    assert_eq!(plan["ready"].as_array().unwrap().len(), 1);
    let taps = &plan["machines"][0]["taps"];
    assert_eq!(*taps, json!([{ "at": "vm:eth0" }, { "at": "vm:eth1" }]));
}

#[test]
fn what_docker_gave_a_container_is_no_cable() {
    let mut actual = json!({ "docker": [{ "name": "c", "status": "running", "digest": compared(MIXED, &json!({}))["containers"][0]["digest"] }] });
    let own = |name: &str| json!({ "interface": name, "kind": "veth", "up": true, "mtu": 1500, "addresses": ["172.17.0.2/16"], "peer": null });
    actual["net"] = json!({ "namespaces": [{ "name": "c", "interfaces": [own("eth9")] }] });
    let plan = compared(MIXED, &actual);
    assert!(!differences(&plan).iter().any(|one| one.contains("eth9")), "{plan:#}");
    actual["net"]["namespaces"][0]["interfaces"][0] = own("eth0");
    let problem = crate::lab::plan(&document(MIXED), &actual).unwrap_err();
    assert!(problem.message.contains("c:eth0 is there already"), "{}", problem.message);
}

#[test]
fn a_machine_that_lost_its_tap_is_started_again() {
    let digest = compared(MIXED, &json!({}))["machines"][0]["digest"].clone();
    let tap = |at: &str| json!({ "at": at, "kind": "tun", "up": true, "mtu": 1500, "bridge": "lan" });
    let machine = |taps: Value| json!({ "qemu": [{ "name": "vm", "status": "running", "digest": digest }], "net": { "links": taps } });
    let plan = compared(MIXED, &machine(json!([tap("vm:eth0")])));
    assert_eq!(plan["restart_machines"], json!(["vm"]));
    assert!(differences(&plan).contains(&"start machine vm".to_owned()));
    let plan = compared(MIXED, &machine(json!([tap("vm:eth0"), tap("vm:eth1")])));
    assert_eq!(plan["restart_machines"], json!([]));
}

#[test]
fn another_image_makes_a_container_anew_and_its_links_with_it() {
    let wanted = compared(MIXED, &json!({}));
    let container =
        |digest: &Value, status: &str| json!({ "docker": [{ "name": "c", "status": status, "digest": digest }] });
    let digest = &wanted["containers"][0]["digest"];
    let plan = compared(MIXED, &container(&json!("another"), "running"));
    assert!(differences(&plan).contains(&"replace container c".to_owned()));
    assert_eq!(plan["remove_containers"], json!(["c"]));
    assert_eq!(plan["containers"].as_array().unwrap().len(), 1);
    let plan = compared(MIXED, &container(digest, "exited"));
    assert!(differences(&plan).contains(&"start container c".to_owned()));
    assert_eq!((&plan["containers"], &plan["revive"]), (&json!([]), &json!(["c"])));
    assert_eq!(plan["stopped"], json!(["c"]), "it is stopped again if all fails");
    let plan = compared(MIXED, &container(digest, "created"));
    assert_eq!((&plan["revive"], &plan["start_containers"]), (&json!([]), &json!(["c"])), "its links come first");
    assert_eq!(plan["stopped"], json!(["c"]));
    assert_eq!(compared(MIXED, &container(digest, "paused"))["stopped"], json!([]));
    let mut running = container(digest, "running");
    running["net"] = json!({ "namespaces": [{ "name": "c" }] });
    let plan = compared(MIXED, &running);
    assert!(!differences(&plan).iter().any(|one| one.contains("container")));
}

/// `LAB` with a VXLAN and a device of the machine, and what the kernel tells of those.
fn outside() -> (String, Value) {
    let lab = LAB.replace(
        "networks: [{ name: lan }]",
        "networks: [{ name: lan, kind: vxlan, vxlan: { id: 7, remote: 'fd00::0:9' } }, { name: up, kind: device, device: veth9 }]",
    );
    let mut actual = there();
    let links = actual["net"]["links"].as_array_mut().unwrap();
    links.extend([
        json!({ "at": "up", "interface": "nove1n2", "kind": "bridge", "up": true, "mtu": 1500, "settings": { "stp": false } }),
        json!({ "at": "lan.vxlan", "kind": "vxlan", "up": true, "mtu": 1430, "bridge": "lan",
            "vxlan": { "id": 7, "remote": "fd00::9", "local": null, "device": null, "port": 4789 } }),
        json!({ "at": "device/veth9", "kind": "veth", "device": "veth9", "up": true, "mtu": 1500, "bridge": "up" }),
    ]);
    (lab, actual)
}

#[test]
fn what_leads_out_is_made_compared_and_given_back() {
    let (lab, actual) = outside();
    assert_eq!(differences(&compared(&lab, &actual)), Vec::<String>::new());
    let nothing = compared(&lab, &json!({ "net": { "namespaces": [], "links": [] } }));
    assert_eq!(nothing["base"]["devices"], json!([{ "device": "veth9", "bridge": "up" }]));
    assert_eq!(
        (&nothing["base"]["vxlans"][0]["name"], &nothing["base"]["vxlans"][0]["bridge"]),
        (&json!("lan.vxlan"), &json!("lan"))
    );
    let gone = compared(LAB, &actual);
    assert_eq!(differences(&gone), ["remove vxlan lan.vxlan", "remove device veth9", "remove network up"]);
    assert_eq!(gone["remove"]["vxlans"], json!([{ "name": "lan.vxlan", "id": 7, "remote": "fd00::9" }]));
    assert_eq!(gone["remove"]["devices"], json!([{ "device": "veth9", "bridge": "up" }]));
    let after = |index: usize, field: &str, to: Value| {
        let mut actual = actual.clone();
        *actual["net"]["links"][index].pointer_mut(field).unwrap() = to;
        let plan = compared(&lab, &actual);
        (differences(&plan), plan)
    };
    for (field, to) in
        [("/vxlan/id", json!(8)), ("/vxlan/port", json!(8472)), ("/bridge", Value::Null), ("/up", json!(false))]
    {
        let (said, plan) = after(3, field, to);
        assert_eq!(said, ["replace vxlan lan.vxlan"], "{field}");
        assert_eq!(
            plan["remove"]["vxlans"].as_array().unwrap().len() + plan["base"]["vxlans"].as_array().unwrap().len(),
            2
        );
    }
    for (field, to) in [("/bridge", json!("lan")), ("/up", json!(false))] {
        assert_eq!(after(4, field, to).0, ["replace device veth9"], "{field}");
    }
}

const NAMED: &str = "
name: named
nodes:
  - { name: c, image: frr }
  - { name: d, image: frr, management: true }
  - { name: e, image: frr, files: [{ path: /etc/hosts, content: '' }] }
  - { name: far }
links:
  - { endpoints: [{ at: 'c:eth10', addresses: [10.9.0.1/24] }, 'd:eth1'] }
  - { endpoints: [{ at: 'c:eth2', addresses: [10.0.0.1/24, 10.0.0.9/24, 'fd00::1/64'] }, { at: 'far:eth0', addresses: [10.0.0.2/24] }] }
";

#[test]
fn containers_are_told_the_names_of_all_nodes() {
    let plan = compared(NAMED, &json!({}));
    // The first address of the first interface, as people count; those without one aren't there.
    assert_eq!(plan["hosts"], json!({ "c": ["10.0.0.1", "fd00::1"], "far": ["10.0.0.2"] }));
    assert_eq!(plan["tell"], json!([]), "they are told when they are made");

    let there = |yaml: &str, kept: &str| {
        let made = compared(yaml, &json!({}));
        let docker: Vec<Value> = made["containers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| json!({ "name": one["name"], "status": "running", "digest": one["digest"] }))
            .collect();
        let kept = serde_json::to_value(document(kept)).unwrap();
        compared(yaml, &json!({ "docker": docker, "kept": kept }))
    };
    // Docker writes the names of `d`, and `e` brings its own.
    let named = NAMED.replace("10.0.0.2/24", "10.0.0.3/24");
    let plan = there(&named, NAMED);
    assert_eq!((&plan["tell"], &plan["hosts"]["far"]), (&json!(["c"]), &json!(["10.0.0.3"])));
    // A run that fails tells them what they knew.
    assert_eq!(plan["hosts_before"], json!({ "c": ["10.0.0.1", "fd00::1"], "far": ["10.0.0.2"] }));
    assert_eq!(there(NAMED, NAMED)["tell"], json!([]));
    assert_eq!(compared(NAMED, &json!({}))["hosts_before"], Value::Null, "nobody knows what they knew");
    // Nobody reads names where nothing but namespaces is.
    assert_eq!(compared(LAB, &there_is_nothing())["hosts"], json!({}));
}

fn there_is_nothing() -> Value {
    json!({ "net": { "namespaces": [], "links": [] } })
}

#[test]
fn another_order_of_addresses_is_told_though_the_kernel_has_the_same() {
    let before = "name: t\nnodes: [{ name: c, image: frr }]\nlinks: []\nnetworks: [{ name: lan }]\n";
    let wanted = compared(before, &json!({}));
    let lan = json!({ "at": "lan", "interface": "n1", "kind": "bridge", "up": true, "mtu": 1500, "settings": { "stp": false } });
    let mut actual = json!({
        "docker": [{ "name": "c", "status": "running", "digest": wanted["containers"][0]["digest"] }],
        "net": { "namespaces": [{ "name": "c", "namespace": "x", "interfaces": [] }], "links": [lan] },
        "kept": serde_json::to_value(document(before)).unwrap(),
    });
    assert_eq!(differences(&compared(before, &actual)), Vec::<String>::new());
    actual["kept"] = serde_json::to_value(document(NAMED)).unwrap();
    actual["kept"]["name"] = json!("t");
    let plan = compared(before, &actual);
    assert_eq!(differences(&plan), ["change container c"], "{plan:#}");
    assert_eq!(plan["same"], false);
}

#[test]
fn a_container_whose_namespace_has_lost_its_name_is_given_it_again() {
    let lab = "name: demo\nnodes: [{ name: c, image: x }]\n";
    let digest = crate::lab::spec::node(&document(lab), &document(lab).nodes[0]).unwrap()["digest"].clone();
    let docker = json!([{ "name": "c", "status": "running", "digest": digest }]);
    let space = json!({ "name": "c", "namespace": "nve1d1-c", "interfaces": [], "routes": [] });
    let there =
        json!({ "net": { "namespaces": [space], "links": [] }, "docker": docker, "kept": value(&document(lab)) });
    assert_eq!(differences(&compared(lab, &there)), Vec::<String>::new());
    let unnamed = json!({ "net": { "namespaces": [], "links": [] }, "docker": docker, "kept": value(&document(lab)) });
    let plan = compared(lab, &unnamed);
    assert_eq!((differences(&plan), &plan["revive"]), (vec!["change container c".to_owned()], &json!(["c"])));
    assert_eq!(plan["stopped"], json!([]));
    // It goes on as it runs.
    assert_eq!((&plan["remove_containers"], &plan["startup"]), (&json!([]), &json!([])));
}
