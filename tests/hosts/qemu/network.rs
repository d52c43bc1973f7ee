//! Machines on networks of their lab.

use serde_json::{Value, json};
use windlass_model::Code;
use windlass_tests::guest::{APPEND, PROMPT};

use super::Lab;

/// A namespace and a TAP on one bridge; the TAP's name in the kernel.
fn network(lab: &Lab) -> Value {
    lab.ok("net::create_bridge", json!(["lan1"]));
    lab.ok("net::create_namespace", json!(["r1"]));
    lab.ok("net::connect", json!([{ "at": "r1:eth0", "addresses": ["10.93.0.1/24"] }, "lan1"]));
    lab.ok("net::create_tap", json!(["vm1:eth0", { "bridge": "lan1" }]))["interface"].take()
}

#[test]
fn a_machine_reaches_a_namespace_of_its_lab_also_after_a_restart() {
    let Some(lab) = Lab::with_networks() else { return };
    let tap = network(&lab);
    let append = format!("{APPEND} address=10.93.0.2/24");
    let taps = json!([{ "interface": tap, "mac": "52:54:00:aa:bb:01" }]);
    lab.ok("create_machine", json!([lab.guest_with("vm1", json!({ "append": append, "taps": taps }))]));
    lab.says("vm1", PROMPT);
    lab.told("vm1", "ping -c 3 -W 5 10.93.0.1", "[123] packets received");
    lab.told("vm1", "cat /sys/class/net/eth0/address", "52:54:00:aa:bb:01");
    lab.ok("restart_machine", json!(["vm1", { "timeout_s": 30 }]));
    lab.says("vm1", PROMPT);
    lab.told("vm1", "ping -c 3 -W 5 10.93.0.1", "[123] packets received");
    // One TAP, one machine: QEMU's own words tell why.
    let problem = lab.call("create_machine", json!([lab.guest_with("vm2", json!({ "taps": taps }))])).unwrap_err();
    assert!(problem.code == Code::CommandFailed && problem.message.contains("busy"), "{problem:#?}");
    assert_eq!((lab.status("vm2"), lab.status("vm1")), ("absent".into(), "running".into()), "{problem:#?}");
}

#[test]
fn interfaces_that_are_not_the_labs_are_refused() {
    let Some(lab) = Lab::with_networks() else { return };
    let Some(other) = Lab::with_networks() else { return };
    let foreign = network(&other);
    let create = |interface: &Value| {
        lab.call("create_machine", json!([lab.guest_with("vm1", json!({ "taps": [{ "interface": interface }] }))]))
    };
    assert_eq!(create(&foreign).unwrap_err().code, Code::Conflict);
    assert_eq!(create(&json!("nve0000d1i0")).unwrap_err().code, Code::NotFound);
    // A veth of the lab's own is no TAP.
    network(&lab);
    let links = lab.ok("net::links", json!([]));
    let veth = links.as_array().unwrap().iter().find(|link| link["at"] == "r1:eth0@host").unwrap();
    assert_eq!(create(&veth["interface"]).unwrap_err().code, Code::InvalidArgument);
    for name in ["eth0", "lo", "../lo", "nve0000d1i0,script=/bin/sh", ""] {
        assert_eq!(create(&json!(name)).unwrap_err().code, Code::InvalidArgument, "{name}");
    }
    assert_eq!(lab.ok("machines", json!([])), json!([]));
}
