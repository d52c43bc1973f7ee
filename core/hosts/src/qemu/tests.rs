//! `qemu` without QEMU: what is refused before anything is made, and the twin.

use serde_json::{Value, json};
use windlass_model::Code;

use super::{Config, pattern::Pattern, rehearsal, spec::MachineSpec};
use crate::testing::Bench;

fn bench() -> Bench {
    Bench::new(rehearsal(&Config::default()), &["qemu.run:*"])
}

fn check(more: Value) -> Option<Code> {
    let mut spec = json!({ "name": "r1", "disk": "a.qcow2" });
    more.as_object().unwrap().iter().for_each(|(key, value)| spec[key] = value.clone());
    let spec: MachineSpec = serde_json::from_value(spec).unwrap();
    spec.check(&Config::default()).err().map(|problem| problem.code)
}

#[test]
fn machines_are_checked_before_anything_is_made() {
    let tap = |interface: &str, mac: &str| json!({ "taps": [{ "interface": interface, "mac": mac }] });
    for fine in [
        json!({}),
        json!({ "cpus": 4, "memory_mb": 4096, "disk_gb": 64 }),
        json!({ "disk": "debian, twelve.qcow2" }),
        json!({ "kernel": "vmlinuz", "initrd": "i", "append": "a=b,c -x" }),
        tap("nve1a2bd1i0", "52:54:00:12:34:56"),
    ] {
        assert_eq!(check(fine.clone()), None, "{fine}");
    }
    for wrong in [
        json!({ "name": "a,b" }),
        json!({ "name": ".." }),
        json!({ "disk": null }),
        json!({ "disk": "../x" }),
        json!({ "disk": "a\nb" }),
        json!({ "initrd": "i" }),
        json!({ "kernel": "a,b" }),
        json!({ "kernel": "k", "append": "a\nb" }),
        json!({ "cpus": 0 }),
        json!({ "labels": { "a": "b\nc" } }),
        tap("eth0", "52:54:00:12:34:56"),
        tap("nve1a2bd1i0,script=x", "52:54:00:12:34:56"),
        tap("nve1a2bd1i0", "53:54:00:12:34:56"),
        tap("nve1a2bd1i0", "52:54:00:12:34"),
        tap("nve1a2bd1i0", "52:54:00:12:34:5,"),
        json!({ "taps": [{ "interface": "nve1a2bd1i0" }, { "interface": "nve1a2bd1i0" }] }),
    ] {
        assert_eq!(check(wrong.clone()), Some(Code::InvalidArgument), "{wrong}");
    }
    for much in [json!({ "cpus": 5 }), json!({ "memory_mb": 4097 }), json!({ "disk_gb": 65 })] {
        assert_eq!(check(much.clone()), Some(Code::LimitExceeded), "{much}");
    }
}

#[test]
fn patterns_are_bounded() {
    assert_eq!(Pattern::new("log(in|out):").unwrap().find(b"\xffx login: "), Some(("login:".into(), 9)));
    for wrong in ["", "(", "a{1000}{1000}{1000}", &"x".repeat(1_001)] {
        assert_eq!(Pattern::new(wrong).err().map(|problem| problem.code), Some(Code::InvalidArgument));
    }
}

#[test]
fn the_twin_knows_whose_a_machine_is() {
    let mut bench = bench();
    let spec = json!({ "name": "r1", "disk_gb": 1 });
    bench.call("create_machine", json!(["demo", spec])).unwrap();
    assert_eq!(bench.call("create_machine", json!(["demo", spec])).unwrap()["status"], "running");
    bench.call("snapshot", json!(["demo", "r1", "clean"])).unwrap();
    let own = bench.cx.key.clone();
    bench.cx.key = "01another/1".into();
    assert_eq!(bench.call("create_machine", json!(["demo", spec])).unwrap_err().code, Code::Conflict);
    bench.cx.undoes = Some("01another/1".into());
    bench.call("remove_machine", json!(["demo", "r1"])).unwrap();
    bench.call("delete_snapshot", json!(["demo", "r1", "clean"])).unwrap();
    bench.call("stop_machine", json!(["demo", "r1"])).unwrap();
    assert_eq!(bench.call("machines", json!(["demo"])).unwrap()[0]["status"], "running");
    assert_eq!(bench.call("snapshots", json!(["demo", "r1"])).unwrap()[0]["tag"], "clean");
    bench.cx.undoes = Some(own);
    bench.call("remove_machine", json!(["demo", "r1"])).unwrap();
    assert_eq!(bench.call("machines", json!(["demo"])).unwrap(), json!([]));
}

#[test]
fn an_image_needs_a_grant_of_its_own() {
    let bench = Bench::new(rehearsal(&Config::default()), &["qemu.run:image=debian-*"]);
    let create = |disk: &str| bench.call("create_machine", json!(["demo", { "name": "r1", "disk": disk }]));
    let problem = create("windows.qcow2").unwrap_err();
    assert_eq!(
        (problem.code, &problem.data["grant"]),
        (Code::PermissionDenied, &json!("qemu.run:image=windows.qcow2"))
    );
    create("debian-12.qcow2").unwrap();
}
