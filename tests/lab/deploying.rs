//! A lab is made, and made again: what differs is put right, and nothing else is touched.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::wait_until;

use super::{Place, ip};

/// Two hosts on a bridge, a router behind.
pub(super) fn small(name: &str) -> Value {
    json!({
        "name": name,
        "networks": [{ "name": "lan" }],
        "nodes": [
            { "name": "h1", "routes": [{ "to": "10.9.0.0/24", "via": "10.0.0.1" }] },
            { "name": "r1", "forwarding": true },
            { "name": "h2", "routes": [{ "to": "default", "via": "10.9.0.1" }] },
        ],
        "links": [
            { "endpoints": [{ "at": "h1:eth0", "addresses": ["10.0.0.10/24"] }, "lan"] },
            { "endpoints": [{ "at": "r1:eth0", "addresses": ["10.0.0.1/24", "fd00::1/64"] }, "lan"] },
            { "endpoints": [{ "at": "r1:eth1", "addresses": ["10.9.0.1/24"] }, { "at": "h2:eth0", "addresses": ["10.9.0.2/24"] }] },
        ],
        "checks": [{ "from": "h1", "ping": "h2", "within": "10s" }],
    })
}

#[test]
fn a_lab_that_is_there_is_left_alone() {
    let Some(mut place) = Place::new() else { return };
    let lab = small("t-same");
    let first = place.deploy(&lab);
    assert_eq!((&first["changed"], &first["counts"]["add"]), (&json!(true), &json!(7)));
    let index = ip(&["-n", &place.namespace("t-same", "h2"), "-o", "link"]);
    let second = place.deploy(&lab);
    assert_eq!(second["summary"], "nothing differs");
    assert_eq!(ip(&["-n", &place.namespace("t-same", "h2"), "-o", "link"]), index);
    assert_eq!(second["checks"][0]["holds"], true);
}

#[test]
fn what_was_removed_by_hand_comes_back() {
    let Some(mut place) = Place::new() else { return };
    // Without its checks, which would be waited for in vain: what is seen is what differs.
    let mut lab = small("t-hand");
    lab.as_object_mut().unwrap().remove("checks");
    place.deploy(&lab);
    let expected = place.kernel("t-hand");
    let (h1, r1) = (place.namespace("t-hand", "h1"), place.namespace("t-hand", "r1"));
    for damage in [
        vec!["-n", &h1, "link", "del", "eth0"],
        vec!["-n", &r1, "link", "del", "eth1"],
        vec!["-n", &r1, "address", "flush", "dev", "eth0"],
        vec!["-n", &r1, "link", "set", "eth1", "down"],
        vec!["-n", &h1, "route", "flush", "10.9.0.0/24"],
        vec!["netns", "del", &r1],
    ] {
        ip(&damage);
        let verified = place.run("lab/verify", &json!({ "lab": "t-hand" }));
        assert_eq!(verified["state"], "failed", "{damage:?} isn't seen");
        let again = place.deploy(&lab);
        assert_eq!(again["changed"], true, "{damage:?}");
        assert_eq!(place.kernel("t-hand"), expected, "{damage:?}");
        place.reaches("t-hand", "h1", "10.9.0.2");
        assert_eq!(place.deploy(&lab)["summary"], "nothing differs", "{damage:?}");
    }
}

#[test]
fn after_a_reboot_everything_is_made_again() {
    let Some(mut place) = Place::new() else { return };
    let lab = small("t-boot");
    place.deploy(&lab);
    let expected = place.kernel("t-boot");
    // What a reboot takes: everything that is in the kernel. What is on disk stays.
    for node in ["h1", "r1", "h2"] {
        ip(&["netns", "del", &place.namespace("t-boot", node)]);
    }
    let names = place.names("t-boot");
    for link in ip(&["-o", "link"]).split([' ', ':', '@']).filter(|word| word.starts_with(&names.bridge_prefix())) {
        ip(&["link", "del", link]);
    }
    // What hung on a namespace goes a moment after it.
    wait_until("an empty kernel", Duration::from_secs(60), || place.kernel("t-boot").is_empty());
    let again = place.deploy(&lab);
    assert_eq!(again["counts"]["add"], 7);
    assert_eq!(place.kernel("t-boot"), expected);
}

#[test]
fn an_edited_document_changes_what_it_says_and_nothing_else() {
    let Some(mut place) = Place::new() else { return };
    let lab = small("t-edit");
    place.deploy(&lab);
    let h1 = ip(&["-n", &place.namespace("t-edit", "h1"), "-o", "link", "show", "eth0"]);
    let mut edited = lab.clone();
    edited["nodes"][2] = json!({ "name": "h3", "routes": [{ "to": "default", "via": "10.9.0.1" }] });
    edited["links"][2]["endpoints"][1]["at"] = "h3:eth0".into();
    edited["links"][1]["mtu"] = 1400.into();
    edited["nodes"][0] = json!({ "name": "h1", "routes": [{ "to": "default", "via": "10.0.0.1" }] });
    edited["checks"][0]["ping"] = "h3".into();
    let done = place.deploy(&edited);
    assert_eq!(done["checks"][0]["holds"], true, "{done:#}");
    assert_eq!(
        ip(&["-n", &place.namespace("t-edit", "h1"), "-o", "link", "show", "eth0"]),
        h1,
        "this one wasn't touched"
    );
    let kernel = place.kernel("t-edit");
    assert!(
        kernel.iter().any(|name| name.ends_with("-h3")) && !kernel.iter().any(|name| name.ends_with("-h2")),
        "{kernel:?}"
    );
    assert!(ip(&["-n", &place.namespace("t-edit", "r1"), "-o", "link", "show", "eth0"]).contains("mtu 1400"));
    let routes = ip(&["-n", &place.namespace("t-edit", "h1"), "route"]);
    assert!(routes.contains("default") && !routes.contains("10.9.0.0/24"), "{routes}");
    assert_eq!(place.deploy(&edited)["summary"], "nothing differs");
    // Back again: the packets are as long as they were.
    place.deploy(&lab);
    assert!(ip(&["-n", &place.namespace("t-edit", "r1"), "-o", "link", "show", "eth0"]).contains("mtu 1500"));
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}

#[test]
fn links_are_changed_live_and_the_document_knows() {
    let Some(mut place) = Place::new() else { return };
    let lab = small("t-live");
    place.deploy(&lab);
    let change = |place: &Place, workflow: &str, input: Value| {
        let run = place.run(workflow, &input);
        assert_eq!(run["state"], "succeeded", "{workflow}: {:#}", run["problem"]);
        run["output"].clone()
    };
    change(&place, "lab/set-link", json!({ "lab": "t-live", "at": "h2:eth0", "state": "down" }));
    let verified = place.run("lab/verify", &json!({ "lab": "t-live" }));
    assert!(verified["problem"]["message"].as_str().unwrap_or_default().contains("h1 pings h2"), "{verified:#}");
    change(
        &place,
        "lab/set-link",
        json!({ "lab": "t-live", "at": "h2:eth0", "state": "up", "impairment": { "rate_kbit": 8000 } }),
    );
    change(&place, "lab/verify", json!({ "lab": "t-live" }));
    change(
        &place,
        "lab/add-node",
        json!({ "lab": "t-live", "node": { "name": "h4" },
        "links": [{ "endpoints": [{ "at": "h4:eth0", "addresses": ["10.0.0.44/24"] }, "lan"] }] }),
    );
    let pinged = change(
        &place,
        "lab/exec",
        json!({ "lab": "t-live", "node": "h4", "argv": ["ping", "-c", "1", "-W", "2", "10.0.0.1"] }),
    );
    assert_eq!(pinged["code"], 0, "{pinged:#}");
    change(&place, "lab/add-link", json!({ "lab": "t-live", "endpoints": ["h4:eth1", "h2:eth1"] }));
    change(&place, "lab/remove-link", json!({ "lab": "t-live", "at": "h2:eth1" }));
    let saved = change(&place, "lab/save", json!({ "lab": "t-live" }));
    assert_eq!(saved["document"]["links"].as_array().unwrap().len(), 4);
    assert_eq!(place.deploy(&saved["document"])["summary"], "nothing differs", "what is saved is what is there");
}

#[test]
fn a_lab_whose_document_is_lost_is_destroyed_all_the_same() {
    let Some(mut place) = Place::new() else { return };
    place.deploy(&small("t-lost"));
    // Another data folder knows nothing of it; the machine is the same.
    let Some(mut other) = Place::new() else { return };
    other.instance = Some(place.instance_id());
    let gone = other.run("lab/destroy", &json!({ "lab": "t-lost" }));
    assert_eq!((&gone["state"], &gone["output"]["namespaces"]), (&json!("succeeded"), &json!(3)), "{gone:#}");
    assert!(place.kernel("t-lost").is_empty());
    let again = other.run("lab/destroy", &json!({ "lab": "t-lost" }));
    assert_eq!((&again["state"], &again["output"]["links"]), (&json!("succeeded"), &json!(0)));
}

#[test]
fn what_fails_leaves_nothing_and_says_why() {
    let Some(place) = Place::new() else { return };
    let mut lab = small("t-fail");
    lab["checks"][0] = json!({ "from": "h1", "ping": "192.0.2.1", "within": "1s" });
    let run = place.run("lab/deploy", &lab);
    assert_eq!(run["state"], "rolled_back", "{run:#}");
    assert!(run["problem"]["message"].as_str().unwrap().contains("checks.yaml"), "{}", run["problem"]);
    assert!(place.kernel("t-fail").is_empty(), "{:?}", place.kernel("t-fail"));
    let known = place.run("lab/verify", &json!({ "lab": "t-fail" }));
    assert!(known["problem"]["message"].as_str().unwrap().contains("isn't known"), "{}", known["problem"]);
    let wrong =
        place.run("lab/deploy", &json!({ "name": "t-fail", "nodes": [{ "name": "a", "disk": "d", "image": "i" }] }));
    assert_eq!(wrong["problem"]["code"], "invalid_input");
}

#[test]
fn a_foreign_device_is_never_taken() {
    let Some(mut place) = Place::new() else { return };
    place.deploy(&json!({ "name": "t-foreign" }));
    // A bridge with the name that the lab's first network would have.
    let name = place.names("t-foreign").bridge(1).unwrap();
    ip(&["link", "add", &name, "type", "bridge"]);
    let run = place.run("lab/deploy", &json!({ "name": "t-foreign", "networks": [{ "name": "lan" }] }));
    let there = ip(&["-o", "link", "show", &name]);
    ip(&["link", "del", &name]);
    assert!(there.contains(&name), "it was removed");
    // Either the lab takes another number, or it says who is in the way.
    assert!(run["state"] == "succeeded" || run["problem"]["code"] == "conflict", "{run:#}");
}

#[test]
fn quotas_are_checked_before_anything_is_made() {
    let Some(place) = Place::new() else { return };
    let mut place = place.configured("[hosts.lab.quotas.platform]\nlabs = 2\nnodes = 4\n");
    place.deploy(&json!({ "name": "t-quota-a", "nodes": [{ "name": "n{n}", "count": 3 }] }));
    let run = place.run("lab/deploy", &json!({ "name": "t-quota-b", "nodes": [{ "name": "n{n}", "count": 2 }] }));
    assert_eq!((&run["state"], &run["problem"]["code"]), (&json!("rolled_back"), &json!("limit_exceeded")), "{run:#}");
    assert_eq!(run["problem"]["data"]["quota"], "nodes");
    assert!(place.kernel("t-quota-b").is_empty());
    place.deploy(&json!({ "name": "t-quota-b", "nodes": [{ "name": "n1" }] }));
    let run = place.run("lab/deploy", &json!({ "name": "t-quota-c" }));
    assert_eq!(run["problem"]["data"]["quota"], "labs", "{run:#}");
    place.run("lab/destroy", &json!({ "lab": "t-quota-a" }));
    place.deploy(&json!({ "name": "t-quota-c" }));
}

#[test]
fn a_hundred_nodes_come_from_one_document() {
    let Some(mut place) = Place::new() else { return };
    place.labs.push("hundred-nodes".into());
    let begun = std::time::Instant::now();
    let output = place.windlass(None, &["run", "lab/deploy", "--input", "examples/labs/hundred-nodes.yaml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    eprintln!("a hundred nodes: {:?}", begun.elapsed());
    assert_eq!(place.kernel("hundred-nodes").iter().filter(|name| name.contains('-')).count(), 100);
    let output = place.windlass(None, &["run", "lab/deploy", "--input", "examples/labs/hundred-nodes.yaml"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing differs"));
}
