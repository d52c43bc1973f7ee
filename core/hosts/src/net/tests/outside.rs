//! What leads out of a lab: only as far as the configuration allows it, and devices are given back as they were.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::Code;

use super::{
    super::{module, rehearsal, types::*},
    own, two_nodes,
};
use crate::{
    owner::{Always, PLATFORM},
    testing::Bench,
};

#[test]
fn nothing_leads_out_unless_the_configuration_says_so() {
    let plain = Bench::new(module(rehearsal(), Arc::new(Always(PLATFORM))), &[]);
    let listed = Bench::new(own(rehearsal()), &[]);
    let vxlan = |options: Value| ("create_vxlan", json!(["t", "wan", options]));
    let calls = [
        vxlan(json!({ "id": 7, "remote": "192.0.2.9" })),
        ("attach_device", json!(["t", "up0", "lan1"])),
        ("create_macvlan", json!(["t", "r1:ext0", "up0"])),
        ("build", json!(["t", { "devices": [{ "device": "up0", "bridge": "lan1" }] }])),
        ("build", json!(["t", { "vxlans": [{ "name": "wan", "id": 7, "remote": "192.0.2.9" }] }])),
        ("build", json!(["t", { "macvlans": [{ "at": "r1:ext0", "device": "up0" }] }])),
    ];
    for bench in [&plain, &listed] {
        two_nodes(bench);
    }
    for (name, args) in &calls {
        let problem = plain.call(name, args.clone()).unwrap_err();
        assert_eq!((problem.code, problem.no_effect), (Code::PermissionDenied, true), "{name}: {problem}");
        assert!(problem.help.unwrap().contains("[hosts.net]"));
    }
    let others = [
        vxlan(json!({ "id": 7, "remote": "198.51.100.1" })),
        vxlan(json!({ "id": 7, "remote": "192.0.2.9", "device": "up1" })),
        vxlan(json!({ "id": 7, "remote": "192.0.2.9", "port": 8472 })),
        ("attach_device", json!(["t", "up1", "lan1"])),
        ("create_macvlan", json!(["t", "r1:ext0", "up1"])),
    ];
    for (name, args) in others {
        assert_eq!(listed.call(name, args.clone()).unwrap_err().code, Code::PermissionDenied, "{name} {args}");
    }
    let nonsense = [
        vxlan(json!({ "id": 0, "remote": "192.0.2.9" })),
        vxlan(json!({ "id": 1 << 24, "remote": "192.0.2.9" })),
        vxlan(json!({ "id": 7 })),
        vxlan(json!({ "id": 7, "remote": "239.1.1.1" })),
        vxlan(json!({ "id": 7, "remote": "192.0.2.9", "local": "fd00::1" })),
        vxlan(json!({ "id": 7, "remote": "192.0.2.9", "port": 0 })),
        vxlan(json!({ "id": 7, "remote": "192.0.2.9", "tos": 1 })),
        ("create_vxlan", json!(["t", "lan1", { "id": 7, "remote": "192.0.2.9" }])),
        ("create_macvlan", json!(["t", "r1:ext0", "up0", { "mode": "passthru" }])),
    ];
    for (name, args) in nonsense {
        let problem = listed.call(name, args.clone()).unwrap_err();
        assert!(matches!(problem.code, Code::InvalidArgument | Code::Conflict), "{name} {args}: {problem:?}");
        assert!(problem.no_effect, "{name} {args}: {problem:?}");
    }
}

#[test]
fn a_device_is_given_back_as_it_was() {
    let stack = rehearsal();
    let mut bench = Bench::new(own(stack.clone()), &[]);
    two_nodes(&bench);
    let device = || stack.link(&Place::Host, "up0").unwrap().unwrap();
    let set = |set: LinkSettings| {
        let changes = vec![Change::SetLink { name: "up0".into(), set }];
        stack.apply(&[Batch { place: Place::Host, changes }]).pop().unwrap().pop().unwrap().unwrap();
    };
    for (up, alias) in [(false, ""), (true, "the uplink: office 2"), (false, "up and away")] {
        set(LinkSettings { up: Some(up), alias: Some(alias.into()), ..LinkSettings::default() });
        let before = device();
        for give_back in ["detach_device", "unbuild", "destroy"] {
            bench.call("attach_device", json!(["t", "up0", "lan1"])).unwrap();
            let lab = bench.call("describe", json!(["t"])).unwrap();
            let shown = lab["links"].as_array().unwrap().iter().find(|link| link["device"] == "up0").unwrap();
            assert_eq!((&shown["at"], &shown["bridge"]), (&json!("device/up0"), &json!("lan1")), "{shown}");
            assert!(device().up && device().controller.is_some());
            // It isn't a thing that the lab has made.
            for (name, args) in [
                ("set_link", json!(["t", "device/up0", { "mtu": 1400 }])),
                ("set_link", json!(["t", "up0", { "mtu": 1400 }])),
            ] {
                assert_eq!(bench.call(name, args).unwrap_err().code, Code::NotFound);
            }
            bench.call("delete_bridge", json!(["t", "up0"])).unwrap();
            let rest = match give_back {
                "detach_device" => json!(["t", "up0"]),
                "unbuild" => json!(["t", { "devices": [{ "device": "up0", "bridge": "lan1" }] }]),
                _ => json!(["t"]),
            };
            bench.call(give_back, rest).unwrap();
            assert_eq!(device(), before, "{give_back} with {alias:?}");
            if give_back == "destroy" {
                two_nodes(&bench);
            }
        }
    }
    // Another run's undo leaves it alone, another lab can't have it, and another bridge of the lab neither.
    bench.call("attach_device", json!(["t", "up0", "lan1"])).unwrap();
    bench.cx.undoes = Some("02other/1".into());
    bench.call("detach_device", json!(["t", "up0"])).unwrap();
    bench.cx.undoes = None;
    assert!(device().controller.is_some());
    bench.call("create_bridge", json!(["t", "lan2"])).unwrap();
    bench.call("create_bridge", json!(["u", "lan1"])).unwrap();
    for (lab, bridge) in [("t", "lan2"), ("u", "lan1")] {
        let problem = bench.call("attach_device", json!([lab, "up0", bridge])).unwrap_err();
        assert_eq!((problem.code, problem.no_effect), (Code::Conflict, true), "{problem:?}");
    }
    assert_eq!(bench.call("destroy", json!(["u"])).unwrap()["devices"], 0);
    assert_eq!(bench.call("destroy", json!(["t"])).unwrap()["devices"], 1);
}

#[test]
fn a_device_that_carries_this_machine_is_not_taken() {
    let stack = rehearsal();
    let bench = Bench::new(own(stack.clone()), &[]);
    two_nodes(&bench);
    let address = Address { link: "up0".into(), prefix: "198.51.100.2/24".parse().unwrap() };
    let changes = vec![Change::AddAddress(address)];
    stack.apply(&[Batch { place: Place::Host, changes }]).pop().unwrap().pop().unwrap().unwrap();
    let problem = bench.call("attach_device", json!(["t", "up0", "lan1"])).unwrap_err();
    assert!(problem.code == Code::Conflict && problem.message.contains("198.51.100.2/24"), "{problem:?}");
}

#[test]
fn what_is_made_anew_has_the_address_that_it_had() {
    let bench = Bench::new(own(rehearsal()), &[]);
    let macs = || {
        let found = bench.call("links", json!(["t"])).unwrap();
        let of = |link: &Value| (link["at"].to_string(), link["mac"].to_string());
        found.as_array().unwrap().iter().map(of).collect::<std::collections::BTreeMap<_, _>>()
    };
    let make = || {
        two_nodes(&bench);
        bench.call("connect", json!(["t", "r1:p0", { "at": "r2:p0", "mac": "02:00:00:00:00:42" }])).unwrap();
        bench.call("create_tap", json!(["t", "vm1:eth0", { "bridge": "lan1" }])).unwrap();
        bench.call("create_vxlan", json!(["t", "wan", { "id": 7, "remote": "192.0.2.9", "bridge": "lan1" }])).unwrap();
        bench.call("create_macvlan", json!(["t", "r1:ext0", "up0"])).unwrap();
    };
    make();
    let first = macs();
    let different: std::collections::BTreeSet<&String> = first.values().collect();
    assert_eq!((first.len(), different.len()), (10, 10), "{first:#?}");
    assert!(first.values().all(|mac| matches!(mac.as_bytes()[2], b'2' | b'6' | b'a' | b'e')), "{first:#?}");
    assert_eq!(first["\"r2:p0\""], "\"02:00:00:00:00:42\"");
    bench.call("destroy", json!(["t"])).unwrap();
    // In another order, so that numbers differ.
    bench.call("create_bridge", json!(["t", "first"])).unwrap();
    make();
    bench.call("delete_bridge", json!(["t", "first"])).unwrap();
    assert_eq!(macs(), first);
}
