//! Networks that lead out of a lab: a VXLAN and a device of the machine, from the document to the ping and back.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::wait_until;

use super::{Place, ip};
use crate::hosts::net_outside::Wire;

/// Two nodes: one reaches another machine by a VXLAN, the other one what is behind a device.
fn reaching_out(name: &str, (under, remote): (&Wire, &str), device: &Wire) -> Value {
    json!({
        "name": name,
        "networks": [
            { "name": "wan", "kind": "vxlan", "vxlan": { "id": 901, "remote": remote, "device": under.device, "port": 21_000 + under.subnet } },
            { "name": "up", "kind": "device", "device": device.device },
        ],
        "nodes": [{ "name": "h1" }, { "name": "h2" }],
        "links": [
            { "endpoints": [{ "at": "h1:eth0", "addresses": ["10.3.0.1/24"] }, "wan"], "mtu": 1450 },
            { "endpoints": [{ "at": "h2:eth0", "addresses": ["10.4.0.1/24"] }, "up"] },
        ],
        "checks": [{ "from": "h1", "ping": "10.3.0.9", "within": "10s" }, { "from": "h2", "ping": "10.4.0.9", "within": "10s" }],
    })
}

#[test]
fn networks_lead_out_as_far_as_they_may_and_are_taken_back() {
    let Some(place) = Place::new() else { return };
    let (under, device) = (Wire::new(), Wire::new());
    let (here, remote) = under.as_underlay();
    let port = (21_000 + under.subnet).to_string();
    let far_vxlan = |id: &str| {
        under.in_far(&["link", "del", "vx0"]);
        under.in_far(&[
            "link", "add", "vx0", "type", "vxlan", "id", id, "remote", &here, "dstport", &port, "dev", "eth0",
        ]);
        // Its neighbours know it by this address.
        under.in_far(&["link", "set", "vx0", "address", "02:00:00:00:09:01"]);
        under.in_far(&["address", "add", "10.3.0.9/24", "dev", "vx0"]);
        under.in_far(&["link", "set", "vx0", "up"]);
    };
    far_vxlan("901");
    device.in_far(&["address", "add", "10.4.0.9/24", "dev", "eth0"]);
    ip(&["link", "set", &device.device, "alias", "to the roof"]);
    let before = device.shown();
    let lab = reaching_out("t-out", (&under, &remote), &device);

    // Nobody has allowed it.
    let refused = place.run("lab/deploy", &lab);
    assert_eq!(
        (&refused["state"], &refused["problem"]["code"]),
        (&json!("rolled_back"), &json!("permission_denied")),
        "{refused:#}"
    );
    assert!(place.kernel("t-out").is_empty() && device.shown() == before);

    let list = format!(
        "[hosts.net]\ndevices = [\"{}\", \"{}\"]\nvxlan_remotes = [\"198.18.0.0/16\"]\nvxlan_ports = [{port}]\n",
        under.device, device.device
    );
    let mut place = place.configured(&list);
    let first = place.deploy(&lab);
    assert_eq!((&first["counts"]["add"], &first["checks"][1]["holds"]), (&json!(8), &json!(true)), "{first:#}");
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
    let kernel = place.kernel("t-out");

    // By hand: a VXLAN that is gone, a device that somebody has taken out, a bridge that is gone.
    let vxlan = format!("{}1", place.names("t-out").vxlan_prefix());
    let bridge = format!("{}1", place.names("t-out").bridge_prefix());
    for damage in [
        vec!["link", "del", &vxlan],
        vec!["link", "set", &vxlan, "nomaster"],
        vec!["link", "set", &device.device, "nomaster"],
        vec!["link", "set", &device.device, "down"],
        vec!["link", "del", &bridge],
    ] {
        ip(&damage);
        let verified = place.run("lab/verify", &json!({ "lab": "t-out" }));
        assert_eq!(verified["state"], "failed", "{damage:?} isn't seen");
        assert_eq!(place.deploy(&lab)["changed"], true, "{damage:?}");
        assert_eq!(place.kernel("t-out"), kernel, "{damage:?}");
        assert_eq!(place.deploy(&lab)["summary"], "nothing differs", "{damage:?}");
    }

    // A length of packets that is taken out of the document again.
    let shown = || ip(&["link", "show", &vxlan]);
    let mut short = lab.clone();
    short["networks"][0]["mtu"] = 1400.into();
    place.deploy(&short);
    assert!(shown().contains("mtu 1400"), "{}", shown());
    place.deploy(&lab);
    assert!(shown().contains("mtu 1450"), "{}", shown());
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");

    // Another network of the same way.
    let mut edited = lab.clone();
    edited["networks"][0]["vxlan"]["id"] = 902.into();
    far_vxlan("902");
    assert_eq!(place.deploy(&edited)["counts"]["replace"], 1);
    // A network that needs the device no more gives it back.
    edited["networks"][1] = json!({ "name": "up" });
    edited["checks"].as_array_mut().unwrap().pop();
    assert_eq!(place.deploy(&edited)["counts"]["remove"], 1);
    assert_eq!(device.shown(), before);
    place.deploy(&lab_with_id(&lab, 902));

    let gone = place.run("lab/destroy", &json!({ "lab": "t-out" }));
    assert_eq!((&gone["state"], &gone["output"]["devices"]), (&json!("succeeded"), &json!(1)), "{gone:#}");
    wait_until("an empty kernel", Duration::from_secs(60), || place.kernel("t-out").is_empty());
    assert_eq!(device.shown(), before, "the device is as it was");
}

fn lab_with_id(lab: &Value, id: u32) -> Value {
    let mut lab = lab.clone();
    lab["networks"][0]["vxlan"]["id"] = id.into();
    lab
}

#[test]
fn a_network_has_addresses_of_this_machine() {
    let Some(mut place) = Place::new() else { return };
    let lab = |addresses: Value| {
        json!({
            "name": "t-gate",
            "networks": [{ "name": "lan", "addresses": addresses }],
            "nodes": [{ "name": "h1" }],
            "links": [{ "endpoints": [{ "at": "h1:eth0", "addresses": ["10.77.91.1/24", "fd77:91::1/64"] }, "lan"] }],
        })
    };
    let both = json!(["10.77.91.254/24", "fd77:91::fe/64"]);
    place.deploy(&lab(both.clone()));
    assert_eq!(place.deploy(&lab(both))["summary"], "nothing differs");
    let shown = || ip(&["-o", "address", "show", "dev", &format!("{}1", place.names("t-gate").bridge_prefix())]);
    let first = shown();
    assert!(
        first.contains("10.77.91.254/24") && first.contains("fd77:91::fe/64") && !first.contains("fe80"),
        "{first}"
    );
    let ping = ["netns", "exec", &place.namespace("t-gate", "h1"), "ping", "-c1", "-W2", "fd77:91::fe"];
    assert!(ip(&ping).contains(" 0% packet loss"));
    let changed = lab(json!(["10.77.91.253/24"]));
    let run = place.run("lab/deploy", &changed);
    assert_eq!((&run["state"], &run["output"]["counts"]["remove"]), (&json!("succeeded"), &json!(2)), "{run:#}");
    let second = shown();
    assert!(second.contains("10.77.91.253/24") && !second.contains(".254") && !second.contains("fd77"), "{second}");
    // An address of somebody else's.
    let refused = place.run("lab/deploy", &lab(json!(["10.77.91.253/24", "192.0.2.1/24"])));
    assert_eq!(refused["problem"]["code"], "permission_denied", "{refused:#}");
    assert_eq!(place.run("lab/destroy", &json!({ "lab": "t-gate" }))["state"], "succeeded");
    assert!(place.kernel("t-gate").is_empty());
}
