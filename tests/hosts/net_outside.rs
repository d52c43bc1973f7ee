//! What leads out of a lab, on the real kernel: a VXLAN over a veth, an interface on a veth, a veth in a lab's bridge.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use windlass_hosts::{net, owner::Always};
use windlass_model::Code;
use windlass_tests::{can_make_namespaces, skip, wait_until};

use super::net::{Lab, ip};

/// A veth of this machine's, with its other end in a namespace that stands for another machine.
pub(crate) struct Wire {
    /// The end on the host, which is down and has no address.
    pub(crate) device: String,
    /// The namespace; the end in it is called `eth0`, and is up.
    pub(crate) far: String,
    /// The third number of addresses that nobody else here uses.
    pub(crate) subnet: u32,
}

impl Wire {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = std::process::id() % 10_000 * 10 + NEXT.fetch_add(1, Ordering::Relaxed);
        let wire = Self { device: format!("wtw{number}"), far: format!("wtfar{number}"), subnet: number % 250 };
        ip(&["netns", "add", &wire.far]);
        ip(&["link", "add", &wire.device, "type", "veth", "peer", "name", "eth0", "netns", &wire.far]);
        wire.in_far(&["link", "set", "eth0", "up"]);
        wire
    }

    /// `ip` in the other machine.
    pub(crate) fn in_far(&self, arguments: &[&str]) -> String {
        ip(&[&["-n", &self.far][..], arguments].concat())
    }

    /// Both ends of a way for packets: this machine is 198.18.x.1, the other one 198.18.x.2.
    pub(crate) fn as_underlay(&self) -> (String, String) {
        let (here, there) = (format!("198.18.{}.1", self.subnet), format!("198.18.{}.2", self.subnet));
        ip(&["address", "add", &format!("{here}/30"), "dev", &self.device]);
        ip(&["link", "set", &self.device, "up"]);
        self.in_far(&["address", "add", &format!("{there}/30"), "dev", "eth0"]);
        (here, there)
    }

    /// What the kernel says of the end on the host, without what follows from its being up.
    pub(crate) fn shown(&self) -> Value {
        let text = ip(&["-json", "link", "show", "dev", &self.device]);
        let all: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let mut one = all[0].clone();
        let flags: Vec<Value> =
            one["flags"].as_array().unwrap().iter().filter(|flag| **flag == "UP").cloned().collect();
        one["flags"] = flags.into();
        one.as_object_mut().unwrap().retain(|key, _| !["operstate", "qdisc", "linkmode"].contains(&key.as_str()));
        one
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        ip(&["link", "del", &self.device]);
        ip(&["netns", "del", &self.far]);
    }
}

/// A lab that may use a wire.
fn lab_with(wire: &Wire) -> Lab {
    let vxlan_remotes = vec![format!("198.18.{}.0/30", wire.subnet).parse().unwrap()];
    let (devices, vxlan_ports) = (vec![wire.device.clone()], vec![20_000 + u16::try_from(wire.subnet).unwrap()]);
    let config = net::Config { devices, vxlan_remotes, vxlan_ports, ..net::Config::default() };
    Lab::over(net::configured(net::kernel(), Arc::new(Always("platform")), &config))
}

fn pings(namespace: &str, address: &str) -> bool {
    let ping = ["netns", "exec", namespace, "ping", "-c", "1", "-W", "1", address];
    Command::new("ip").args(ping).output().unwrap().status.success()
}

/// What works here; said out loud where something doesn't.
fn works(lab: &Lab, what: &str) -> bool {
    let works = lab.ok("capabilities", json!([]))[what] == true;
    if !works {
        skip(&format!("this kernel has no {what}"));
    }
    works
}

#[test]
fn a_vxlan_makes_one_network_of_two_machines() {
    if let Err(reason) = can_make_namespaces() {
        return skip(&reason);
    }
    let wire = Wire::new();
    let lab = lab_with(&wire);
    if !works(&lab, "vxlan") {
        return;
    }
    let (here, there) = wire.as_underlay();
    let port = 20_000 + wire.subnet;
    lab.two_nodes();
    let options = json!({ "id": 77, "remote": there, "local": here, "device": wire.device, "port": port, "bridge": "lan1", "mtu": 1450 });
    let made = lab.ok("create_vxlan", json!(["wan", options]));
    assert_eq!(lab.ok("create_vxlan", json!(["wan", options])), made, "made twice");
    let mut other = options.clone();
    other["id"] = 78.into();
    assert_eq!(lab.call("create_vxlan", json!(["wan", other])).unwrap_err().code, Code::Conflict);
    // The same network can't be another VXLAN's on this machine.
    let problem = lab.call("create_vxlan", json!(["wan2", options])).unwrap_err();
    assert!(problem.code == Code::Conflict && problem.no_effect, "{problem:?}");
    let shown = lab.ok("links", json!([]));
    let shown = shown.as_array().unwrap().iter().find(|link| link["at"] == "wan").unwrap();
    let expected = json!({ "id": 77, "remote": there, "local": here, "device": wire.device, "port": port });
    assert_eq!(
        (&shown["vxlan"], &shown["bridge"], &shown["mtu"]),
        (&expected, &json!("lan1"), &json!(1450)),
        "{shown:#}"
    );
    // The other machine has one of its own.
    let (id, port) = ("77", port.to_string());
    wire.in_far(&["link", "add", "vx0", "type", "vxlan", "id", id, "remote", &here, "dstport", &port, "dev", "eth0"]);
    wire.in_far(&["address", "add", "10.0.0.9/24", "dev", "vx0"]);
    wire.in_far(&["link", "set", "vx0", "up"]);
    let r1 = lab.namespace("r1");
    wait_until("the other machine answers", Duration::from_secs(60), || pings(&r1, "10.0.0.9"));
    assert!(pings(&wire.far, "10.0.0.2"), "and hears the other node");
    let declared = json!([[{ "a": "r1:eth0", "b": "lan1" }, { "a": "r2:eth0", "b": "lan1" }]]);
    assert_eq!(lab.ok("discover", declared)["discovered"], json!([]));
    lab.ok("delete_vxlan", json!(["wan"]));
    lab.ok("delete_vxlan", json!(["wan"]));
    assert!(!pings(&r1, "10.0.0.9"));
    lab.ok("create_vxlan", json!(["wan", options]));
    lab.ok("destroy", json!([]));
    assert!(!ip(&["-br", "link"]).contains(made["interface"].as_str().unwrap()));
}

#[test]
fn a_node_has_an_interface_on_a_device() {
    if let Err(reason) = can_make_namespaces() {
        return skip(&reason);
    }
    let wire = Wire::new();
    let lab = lab_with(&wire);
    if !works(&lab, "macvlan") {
        return;
    }
    ip(&["link", "set", &wire.device, "up"]);
    wire.in_far(&["address", "add", "10.7.0.9/24", "dev", "eth0"]);
    lab.ok("create_namespaces", json!([["r1", "r2"]]));
    let options = json!({ "addresses": ["10.7.0.1/24"] });
    let made = lab.ok("create_macvlan", json!(["r1:ext0", wire.device, options]));
    assert_eq!(lab.ok("create_macvlan", json!(["r1:ext0", wire.device, options])), made, "made twice");
    lab.ok("create_macvlan", json!(["r2:ext0", wire.device, { "addresses": ["10.7.0.2/24"], "mtu": 1400 }]));
    let r1 = lab.namespace("r1");
    wait_until("what is behind the device answers", Duration::from_secs(60), || pings(&r1, "10.7.0.9"));
    assert!(pings(&r1, "10.7.0.2"), "so does the other node on it");
    let lab_now = lab.ok("describe", json!([]));
    let ext0 = lab_now["namespaces"][0]["interfaces"][0].clone();
    assert_eq!(
        (&ext0["kind"], &ext0["device"], &ext0["run"]),
        (&json!("macvlan"), &json!(wire.device), &json!("01testrun"))
    );
    let before = wire.shown();
    assert_eq!(lab.call("create_macvlan", json!(["r1:ext1", "lo"])).unwrap_err().code, Code::PermissionDenied);
    lab.ok("delete_macvlan", json!(["r1:ext0"]));
    lab.ok("delete_macvlan", json!(["r1:ext0"]));
    assert!(!pings(&r1, "10.7.0.9"));
    lab.ok("create_macvlan", json!(["r1:ext0", wire.device, options]));
    let again = lab.ok("describe", json!([]))["namespaces"][0]["interfaces"][0].clone();
    assert_eq!(again["mac"], ext0["mac"], "made anew, it is who it was");
    lab.ok("destroy", json!([]));
    assert_eq!(wire.shown(), before, "the device itself wasn't changed");
}

#[test]
fn a_device_in_a_bridge_is_given_back_as_it_was() {
    if let Err(reason) = can_make_namespaces() {
        return skip(&reason);
    }
    let wire = Wire::new();
    let lab = lab_with(&wire);
    lab.two_nodes();
    wire.in_far(&["address", "add", "10.0.0.9/24", "dev", "eth0"]);
    let r1 = lab.namespace("r1");
    for (up, alias) in [("down", ""), ("up", "to the roof"), ("down", "to the roof")] {
        ip(&["link", "set", &wire.device, "alias", alias]);
        ip(&["link", "set", &wire.device, up]);
        let before = wire.shown();
        for give_back in ["detach_device", "destroy"] {
            lab.ok("attach_device", json!([wire.device, "lan1"]));
            lab.ok("attach_device", json!([wire.device, "lan1"]));
            wait_until("what is behind the device answers", Duration::from_secs(60), || {
                pings(&lab.namespace("r1"), "10.0.0.9")
            });
            assert_ne!(wire.shown(), before);
            if give_back == "destroy" {
                assert_eq!(lab.ok("destroy", json!([]))["devices"], 1);
                assert_eq!(wire.shown(), before, "{give_back}");
                lab.two_nodes();
            } else {
                lab.ok("detach_device", json!([wire.device]));
                assert_eq!(wire.shown(), before, "{give_back}");
            }
        }
    }
    assert!(!pings(&r1, "10.0.0.9"));
    // One with addresses carries this machine's own traffic, and one in another bridge somebody else's.
    ip(&["address", "add", "198.18.255.1/30", "dev", &wire.device]);
    assert_eq!(lab.call("attach_device", json!([wire.device, "lan1"])).unwrap_err().code, Code::Conflict);
    ip(&["address", "flush", "dev", &wire.device]);
    let bridge = format!("{}b", wire.device);
    ip(&["link", "add", &bridge, "type", "bridge"]);
    ip(&["link", "set", &wire.device, "master", &bridge]);
    let refused = lab.call("attach_device", json!([wire.device, "lan1"]));
    ip(&["link", "del", &bridge]);
    assert_eq!(refused.unwrap_err().code, Code::Conflict);
    // Deleted by hand under the lab: nothing is in the way of giving the rest back.
    lab.ok("attach_device", json!([wire.device, "lan1"]));
    ip(&["link", "del", &wire.device]);
    assert_eq!(lab.ok("destroy", json!([]))["devices"], 0);
}
