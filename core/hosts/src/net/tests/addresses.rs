//! Addresses that a lab gives to this machine itself: of bridges, and of ends of links on the host.

use serde_json::{Value, json};
use windlass_model::Code;

use super::{
    super::{rehearsal, types::*},
    own, two_nodes,
};
use crate::testing::Bench;

fn of(bench: &Bench, at: &str) -> Value {
    let links = bench.call("links", json!(["t"])).unwrap();
    links.as_array().unwrap().iter().find(|link| link["at"] == at).unwrap()["addresses"].clone()
}

#[test]
fn a_bridge_has_addresses() {
    let bench = Bench::new(own(rehearsal()), &[]);
    two_nodes(&bench);
    for _ in 0..2 {
        bench.call("add_address", json!(["t", "lan1", "10.77.0.254/24"])).unwrap();
        assert_eq!(of(&bench, "lan1"), json!(["10.77.0.254/24"]));
    }
    bench.call("remove_address", json!(["t", "lan1", "10.77.0.254/24"])).unwrap();
    let plan = json!({ "bridges": ["lan2"], "addresses": [{ "at": "lan2", "address": "10.78.0.254/24" }] });
    bench.call("build", json!(["t", plan])).unwrap();
    assert_eq!((of(&bench, "lan1"), of(&bench, "lan2")), (json!([]), json!(["10.78.0.254/24"])));
    bench.call("unbuild", json!(["t", plan])).unwrap();
    for (at, code) in [("nolan", Code::NotFound), ("lan1/x", Code::InvalidArgument)] {
        let problem = bench.call("add_address", json!(["t", at, "10.77.0.254/24"])).unwrap_err();
        assert_eq!((problem.code, problem.no_effect), (code, true), "{problem:?}");
    }
}

#[test]
fn this_machine_gets_addresses_of_allowed_networks_only() {
    let stack = rehearsal();
    let bench = Bench::new(own(stack.clone()), &[]);
    two_nodes(&bench);
    let host = |change: Change| {
        stack.apply(&[Batch { place: Place::Host, changes: vec![change] }]).pop().unwrap().pop().unwrap().unwrap();
    };
    let calls = |address: &str| {
        [
            ("add_address", json!(["t", "lan1", address])),
            ("add_address", json!(["t", "r1:eth0@host", address])),
            ("connect", json!(["t", "r1:eth9", { "addresses": [address] }])),
        ]
    };
    let refused = |address: &str, code: Code| {
        let before = bench.call("describe", json!(["t"])).unwrap();
        for (name, args) in calls(address) {
            let problem = bench.call(name, args.clone()).unwrap_err();
            assert_eq!((problem.code, problem.no_effect), (code, true), "{name} {args}: {problem:?}");
        }
        assert_eq!(bench.call("describe", json!(["t"])).unwrap(), before);
    };
    for address in ["8.8.8.8/24", "10.0.0.1/7", "0.0.0.0/0", "2001:db8::1/64", "fe80::1/64", "169.254.169.254/32"] {
        refused(address, Code::PermissionDenied);
    }
    let up0 = |prefix: &str| Address { link: "up0".into(), prefix: prefix.parse().unwrap() };
    host(Change::AddAddress(up0("10.50.0.2/16")));
    host(Change::SetLink { name: "up0".into(), set: LinkSettings { up: Some(true), ..LinkSettings::default() } });
    let route = |to: &str| Route {
        to: to.parse().unwrap(),
        via: Some("10.50.0.1".parse().unwrap()),
        dev: Some("up0".into()),
        metric: 0,
    };
    // Everything is within a default route.
    host(Change::AddRoute(route("0.0.0.0/0")));
    host(Change::AddRoute(route("192.168.4.0/22")));
    for address in ["10.50.7.1/24", "10.1.1.1/8", "192.168.5.1/24", "192.168.0.1/16"] {
        refused(address, Code::Conflict);
    }
    for (name, args) in calls("10.60.0.1/24") {
        bench.call(name, args.clone()).unwrap_or_else(|problem| panic!("{name} {args}: {problem:?}"));
    }
    // What a node has is nobody's business.
    bench.call("add_address", json!(["t", "r1:eth0", "8.8.8.8/24"])).unwrap();
}

#[test]
fn what_is_on_the_host_has_an_mtu_that_keeps_it_from_ipv6() {
    let bench = Bench::new(own(rehearsal()), &[]);
    two_nodes(&bench);
    for (name, args) in [
        ("connect", json!(["t", "r1:eth1", "lan1", { "mtu": 1279 }])),
        ("create_bridge", json!(["t", "lan2", { "mtu": 1000 }])),
        ("create_tap", json!(["t", "vm1:eth0", { "mtu": 1000 }])),
        ("set_link", json!(["t", "lan1", { "mtu": 1000 }])),
        ("set_link", json!(["t", "r1:eth0", { "mtu": 1000, "both_ends": true }])),
        ("create_vxlan", json!(["t", "wan", { "id": 7, "remote": "192.0.2.9", "mtu": 1000 }])),
    ] {
        let problem = bench.call(name, args.clone()).unwrap_err();
        assert_eq!((problem.code, problem.no_effect), (Code::InvalidArgument, true), "{name} {args}: {problem:?}");
    }
    bench.call("connect", json!(["t", "r1:p0", "r2:p0", { "mtu": 1000 }])).unwrap();
}
