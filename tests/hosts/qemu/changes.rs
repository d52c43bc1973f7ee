//! Machines that are changed: their disks stay, an undo takes all else back, and cables are found again by their marks.

use std::fs;

use serde_json::{Value, json};
use windlass_model::Code;
use windlass_tests::guest::{APPEND, PROMPT};

use super::Lab;

fn record(lab: &Lab, name: &str) -> Value {
    serde_json::from_slice(&fs::read(lab.machine(name).join("machine.json")).unwrap()).unwrap()
}

fn pid(lab: &Lab) -> Value {
    lab.ok("machines", json!([]))[0]["pid"].clone()
}

/// A namespace that pings what the guest has for an address on this network, and a TAP.
fn network(lab: &Lab, n: u8) {
    let (lan, space, tap) = (format!("lan{n}"), format!("h{n}"), format!("vm{n}:eth0"));
    lab.ok("net::create_bridge", json!([lan]));
    lab.ok("net::create_namespace", json!([space]));
    lab.ok("net::connect", json!([{ "at": format!("{space}:eth0"), "addresses": [format!("10.9{n}.0.1/24")] }, lan]));
    lab.ok("net::create_tap", json!([tap, { "bridge": lan }]));
}

#[test]
fn a_tap_is_told_by_its_mark_whatever_the_kernel_calls_it() {
    let Some(lab) = Lab::with_networks() else { return };
    network(&lab, 1);
    network(&lab, 2);
    let links = || lab.ok("net::links", json!([]));
    let called = |at: &str| {
        links().as_array().unwrap().iter().find(|link| link["at"] == at).map(|link| link["interface"].clone()).unwrap()
    };
    let spec = |n: u8, tap: Value| {
        lab.guest_with(
            &format!("vm{n}"),
            json!({ "append": format!("{APPEND} address=10.9{n}.0.2/24"), "taps": [tap] }),
        )
    };
    // One is given by the kernel's name, one by the lab's: both are known by the lab's.
    let (first, second) = (called("vm1:eth0"), called("vm2:eth0"));
    lab.ok("create_machines", json!([[spec(1, json!({ "interface": first })), spec(2, json!({ "at": "vm2:eth0" }))]]));
    assert_eq!(record(&lab, "vm1")["spec"]["taps"][0]["at"], "vm1:eth0");
    assert_eq!(record(&lab, "vm2")["spec"]["taps"][0]["interface"], second);
    for name in ["vm1", "vm2"] {
        lab.ok("stop_machine", json!([name, { "timeout_s": 0 }]));
        lab.ok("net::delete_tap", json!([format!("{name}:eth0")]));
    }
    let problem = lab.call("start_machine", json!(["vm1"])).unwrap_err();
    assert!(problem.code == Code::NotFound && problem.message.contains("vm1:eth0"), "{problem:#?}");
    // The other way round: the kernel's names are swapped.
    lab.ok("net::create_tap", json!(["vm2:eth0", { "bridge": "lan2" }]));
    lab.ok("net::create_tap", json!(["vm1:eth0", { "bridge": "lan1" }]));
    assert_eq!((called("vm1:eth0"), called("vm2:eth0")), (second, first));
    for n in [1_usize, 2] {
        let name = format!("vm{n}");
        lab.ok("start_machine", json!([name]));
        lab.says(&name, PROMPT);
        lab.told(&name, &format!("ping -c 3 -W 5 10.9{n}.0.1"), "[123] packets received");
        let now = called(&format!("{name}:eth0"));
        assert_eq!(
            lab.ok("machines", json!([]))[n - 1]["taps"],
            json!([{ "at": format!("{name}:eth0"), "interface": now }])
        );
    }
    // What an earlier version has made knows no other name.
    let mut old = record(&lab, "vm1");
    old["spec"]["taps"][0].as_object_mut().unwrap().remove("at");
    fs::write(lab.machine("vm1").join("machine.json"), old.to_string()).unwrap();
    lab.ok("restart_machine", json!(["vm1", { "timeout_s": 0 }]));
    assert_eq!(lab.ok("machines", json!([]))[0]["taps"][0]["at"], Value::Null, "a guess isn't written down");
    for wrong in ["vm1", "a/b:eth0", "vm1:", ":eth0"] {
        let problem = lab.call("create_machine", json!([spec(3, json!({ "at": wrong }))])).unwrap_err();
        assert_eq!(problem.code, Code::InvalidArgument, "{wrong}: {problem:#?}");
    }
    let twice = json!([spec(3, json!({ "at": "vm1:eth0" })), spec(4, json!({ "at": "vm1:eth0" }))]);
    assert_eq!(lab.call("create_machines", json!([twice])).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn a_change_leaves_the_disk_and_an_undo_takes_it_back() {
    let Some(mut lab) = Lab::real() else { return };
    let seed = |text: &str| json!({ "user_data": text });
    let before = lab.guest_with("r1", json!({ "disk_gb": 1, "seed": seed("before") }));
    lab.ok("create_machine", json!([before]));
    lab.says("r1", PROMPT);
    lab.told("r1", "printf 'on the disk\\n' | dd of=/dev/vda conv=notrunc,fsync; echo done-$((1+1))", "done-2");
    lab.ok("snapshot", json!(["r1", "clean"]));
    let first = pid(&lab);

    // Another run changes it.
    lab.run = "01another".into();
    lab.reopen();
    let wanted = lab.guest_with("r1", json!({ "disk_gb": 1, "memory_mb": 128, "vnc": true, "seed": seed("after") }));
    let changed = lab.ok("change_machines", json!([[wanted], { "timeout_s": 30 }]));
    assert_eq!((&changed[0]["status"], changed[0]["vnc"].is_string()), (&json!("running"), true));
    let second = pid(&lab);
    assert_ne!(second, first);
    assert_eq!(lab.ok("change_machines", json!([[wanted]]))[0]["pid"], second, "once is enough");
    lab.says("r1", PROMPT);
    lab.told("r1", "head -n 1 /dev/vda", "on the disk");
    lab.told("r1", "mount -o ro -t vfat /dev/vdb /mnt && cat /mnt/user-data; echo", "after");
    assert_eq!(lab.ok("snapshots", json!(["r1"]))[0]["tag"], "clean");

    // Labels are for people: the guest goes on.
    let mut labelled = wanted.clone();
    labelled["labels"] = json!({ "team": "blue" });
    lab.run = "01another/2".into();
    lab.ok("change_machines", json!([[labelled]]));
    assert_eq!((pid(&lab), &lab.ok("machines", json!([]))[0]["labels"]["team"]), (second, &json!("blue")));

    // What a step of another run did isn't taken back by an undo of this one; its own is, by a process that knows nothing of it.
    lab.call_as("revert_machines", json!([["r1"]]), Some("01testrun/1".into())).unwrap();
    assert_eq!(record(&lab, "r1")["spec"]["vnc"], true);
    lab.reopen();
    let third = pid(&lab);
    lab.undo("change_machines", &json!([[labelled]]));
    assert_eq!((pid(&lab), &record(&lab, "r1")["spec"]["labels"]), (third, &Value::Null));
    lab.run = "01another".into();
    lab.undo("change_machines", &json!([[wanted]]));
    lab.undo("change_machines", &json!([[wanted]]));
    let now = record(&lab, "r1");
    assert_eq!(
        (&now["spec"]["memory_mb"], &now["spec"]["vnc"], &now["before"]),
        (&json!(96), &Value::Null, &Value::Null)
    );
    lab.says("r1", PROMPT);
    lab.told("r1", "mount -o ro -t vfat /dev/vdb /mnt && cat /mnt/user-data; echo", "before");
    lab.told("r1", "head -n 1 /dev/vda", "on the disk");
    assert_eq!(lab.ok("snapshots", json!(["r1"]))[0]["tag"], "clean");
}

#[test]
fn a_change_that_fails_changes_nothing() {
    let Some(lab) = Lab::with_networks() else { return };
    network(&lab, 1);
    let taken = lab.guest_with("vm1", json!({ "taps": [{ "at": "vm1:eth0" }] }));
    let (r1, r2) =
        (lab.guest_with("r1", json!({ "disk_gb": 1 })), lab.guest_with("r2", json!({ "disk_gb": 1, "start": false })));
    lab.ok("create_machines", json!([[taken, r1, r2]]));
    let change = |more: [Value; 2]| {
        let specs: Vec<Value> =
            ["r1", "r2"].into_iter().zip(more).map(|(name, more)| lab.guest_with(name, more)).collect();
        lab.call("change_machines", json!([specs, { "timeout_s": 0 }])).unwrap_err()
    };
    let larger = json!({ "disk_gb": 1, "memory_mb": 128 });
    // Before anything is touched.
    let other_disk = change([larger.clone(), json!({ "disk_gb": 2 })]);
    assert!(other_disk.code == Code::Conflict && other_disk.no_effect, "{other_disk:#?}");
    assert_eq!(change([larger.clone(), json!({ "disk_gb": 1, "kernel": "none" })]).code, Code::NotFound);
    assert_eq!(change([larger.clone(), json!({ "disk_gb": 1, "taps": [{ "at": "r2:eth0" }] })]).code, Code::NotFound);
    let absent = lab.call("change_machines", json!([[lab.guest("r3")]])).unwrap_err();
    assert_eq!(absent.code, Code::NotFound);
    let untouched = record(&lab, "r1");
    assert_eq!((&untouched["spec"]["memory_mb"], &untouched["before"]), (&json!(96), &Value::Null));
    // In the middle: QEMU can't have the TAP, which another machine has.
    let problem = change([larger, json!({ "disk_gb": 1, "taps": [{ "at": "vm1:eth0" }] })]);
    assert!(problem.code == Code::CommandFailed && problem.no_effect, "{problem:#?}");
    for (name, status) in [("r1", "running"), ("r2", "stopped"), ("vm1", "running")] {
        assert_eq!(lab.status(name), status, "{name}");
        assert_eq!(record(&lab, name)["before"], Value::Null);
    }
    assert_eq!(
        (&record(&lab, "r1")["spec"]["memory_mb"], &record(&lab, "r2")["spec"]["taps"]),
        (&json!(96), &Value::Null)
    );
}
