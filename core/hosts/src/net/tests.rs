//! The lab logic, called the way the dispatcher calls it, over the twin.

mod addresses;
mod interrupted;
mod kernel;
mod many;
mod near;
mod outside;

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::HostModule;

use super::{Config, NetBackend, configured, rehearsal};
use crate::{
    owner::{Always, PLATFORM},
    testing::Bench,
};

/// The module for runs of the platform, which may use the device `up0`.
fn own(backend: Arc<dyn NetBackend>) -> HostModule {
    let (devices, vxlan_remotes) = (vec!["up0".into()], vec!["192.0.2.0/24".parse().unwrap()]);
    let config = Config { devices, vxlan_remotes, ..Config::default() };
    configured(backend, Arc::new(Always(PLATFORM)), &config)
}

fn bench() -> Bench {
    Bench::new(own(rehearsal()), &["net.write:*"])
}

fn two_nodes(bench: &Bench) {
    bench.call("create_namespaces", json!(["t", ["r1", "r2"]])).unwrap();
    bench.call("create_bridge", json!(["t", "lan1"])).unwrap();
    bench.call("connect", json!(["t", { "at": "r1:eth0", "addresses": ["10.0.0.1/24"] }, "lan1"])).unwrap();
    bench.call("connect", json!(["t", "r2:eth0", "lan1"])).unwrap();
}

#[test]
fn a_lab_is_made_read_and_destroyed() {
    let bench = bench();
    two_nodes(&bench);
    bench.call("add_address", json!(["t", "r2:eth0", "10.0.0.2/24"])).unwrap();
    bench.call("add_route", json!(["t", "r2", { "to": "default", "via": "10.0.0.1" }])).unwrap();
    bench.call("enable_forwarding", json!(["t", "r1"])).unwrap();
    let lab = bench.call("describe", json!(["t"])).unwrap();
    assert_eq!(lab["namespaces"][0]["interfaces"][0]["addresses"], json!(["10.0.0.1/24"]));
    assert_eq!(lab["namespaces"][0]["forwarding"]["ipv4"], true);
    assert_eq!(lab["namespaces"][1]["routes"][0]["via"], "10.0.0.1");
    assert_eq!(lab["links"].as_array().unwrap().len(), 3);
    assert_eq!(bench.call("destroy", json!(["t"])).unwrap(), json!({ "links": 3, "namespaces": 2, "devices": 0 }));
    assert_eq!(bench.call("destroy", json!(["t"])).unwrap(), json!({ "links": 0, "namespaces": 0, "devices": 0 }));
}

#[test]
fn every_creation_can_be_repeated_and_undone() {
    let bench = bench();
    two_nodes(&bench);
    let calls = [
        ("create_namespace", json!(["t", "r3"])),
        ("create_namespaces", json!(["t", ["r4", "r5"]])),
        ("create_bridge", json!(["t", "lan2", { "stp": true }])),
        ("create_bridges", json!(["t", ["lan3", { "name": "lan4", "mtu": 9000 }]])),
        ("connect", json!(["t", "r1:eth1", "lan1", { "mtu": 1400 }])),
        ("connect", json!(["t", { "at": "r1:p0", "addresses": ["10.9.0.1/30"] }, "r2:p0"])),
        ("create_tap", json!(["t", "vm1:eth0", { "bridge": "lan1" }])),
        ("create_vxlan", json!(["t", "wan", { "id": 7, "remote": "192.0.2.9", "bridge": "lan1", "device": "up0" }])),
        ("create_macvlan", json!(["t", "r1:ext0", "up0", { "addresses": ["192.0.2.7/24"] }])),
        ("attach_device", json!(["t", "up0", "lan1"])),
        ("add_address", json!(["t", "r1:eth0", "10.0.7.1/24"])),
        ("add_route", json!(["t", "r1", { "to": "10.8.0.0/16", "via": "10.0.0.9" }])),
        ("enable_forwarding", json!(["t", "r1"])),
        ("impair", json!(["t", "r1:eth0", { "delay_ms": 10.0, "rate_kbit": 1000 }])),
        (
            "build",
            json!(["t", { "namespaces": ["x1"], "bridges": ["lanx"], "links": [{ "a": "x1:eth0", "b": "lanx" }] }]),
        ),
    ];
    for (name, args) in calls {
        let before = bench.call("describe", json!(["t"])).unwrap();
        let once = bench.call(name, args.clone()).unwrap();
        let made = bench.call("describe", json!(["t"])).unwrap();
        assert!(made != before || name == "impair", "{name} did nothing");
        assert_eq!(bench.call(name, args.clone()).unwrap(), once, "{name} twice");
        assert_eq!(bench.call("describe", json!(["t"])).unwrap(), made, "{name} twice");
        let op = bench.op(name);
        let windlass_script::host::Undo::Op { name: undo, args: undo_args } = &op.undo else {
            panic!("{name} has no undo")
        };
        let undo_args =
            Value::from(undo_args(&windlass_script::host::Args::new(op.params, args.as_array().unwrap().clone())));
        bench.call(undo, undo_args.clone()).unwrap();
        assert_eq!(bench.call("describe", json!(["t"])).unwrap(), before, "{undo} of {name}");
        bench.call(undo, undo_args).unwrap();
    }
}

#[test]
fn what_another_run_or_lab_made_is_not_touched() {
    let stack = rehearsal();
    let mut bench = Bench::new(own(stack), &[]);
    two_nodes(&bench);
    bench.cx.key = "02otherrun/1".into();
    for (name, args) in [
        ("create_namespace", json!(["t", "r1"])),
        ("create_bridge", json!(["t", "lan1"])),
        ("connect", json!(["t", "r1:eth0", "lan1"])),
    ] {
        let problem = bench.call(name, args).unwrap_err();
        assert_eq!(problem.code, Code::Conflict, "{name}: {problem}");
        assert!(problem.no_effect && problem.message.contains("01testrun"), "{problem:?}");
    }
    // Another run of the same lab may add to it, and take it down.
    bench.call("create_namespace", json!(["t", "r9"])).unwrap();
    bench.call("connect", json!(["t", "r9:eth0", "lan1"])).unwrap();
    assert_eq!(bench.call("destroy", json!(["other"])).unwrap()["links"], 0);
    assert_eq!(bench.call("destroy", json!(["t"])).unwrap()["namespaces"], 3);
}

#[test]
fn an_undo_takes_back_its_own_step_only() {
    let mut bench = bench();
    let step = |bench: &mut Bench, number: u32| bench.cx.key = format!("01run/{number}");
    let undo = |bench: &mut Bench, of: &str, op: &str, args: Value| {
        bench.cx.undoes = Some(of.to_owned());
        let result = bench.call(op, args);
        bench.cx.undoes = None;
        result.unwrap_or_else(|problem| panic!("{op}: {problem:?}"));
    };
    let names = |bench: &Bench| {
        let links = bench.call("links", json!(["t"])).unwrap();
        links.as_array().unwrap().iter().map(|link| link["at"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    step(&mut bench, 1);
    bench.call("create_bridge", json!(["t", "lan1"])).unwrap();
    // Asked for once more by a later step: it stays what the first one has made, with its note.
    bench.call("set_link", json!(["t", "lan1", { "note": "to the roof" }])).unwrap();
    step(&mut bench, 2);
    bench.call("create_bridge", json!(["t", "lan1"])).unwrap();
    bench.call("create_tap", json!(["t", "vm1:eth0", { "bridge": "lan1" }])).unwrap();
    undo(&mut bench, "01run/2", "delete_bridge", json!(["t", "lan1"]));
    undo(&mut bench, "02run/2", "delete_tap", json!(["t", "vm1:eth0"]));
    assert_eq!(names(&bench), ["lan1", "vm1:eth0"]);
    undo(&mut bench, "01run/2", "delete_tap", json!(["t", "vm1:eth0"]));
    undo(&mut bench, "01run/1", "delete_bridge", json!(["t", "lan1"]));
    assert_eq!(names(&bench), [""; 0]);
    // An impairment has no mark: on another run's link, nothing says whose it is.
    two_nodes(&bench);
    bench.call("impair", json!(["t", "r1:eth0", { "delay_ms": 10.0 }])).unwrap();
    let shown = |bench: &Bench| bench.call("qdisc_show", json!(["t", "r1:eth0"])).unwrap().to_string();
    let impaired = shown(&bench);
    undo(&mut bench, "02run/7", "clear_impairment", json!(["t", "r1:eth0"]));
    assert_eq!(shown(&bench), impaired);
    undo(&mut bench, "01run/7", "clear_impairment", json!(["t", "r1:eth0"]));
    assert_ne!(shown(&bench), impaired);
    // A call of a script's own needs the lab's mark only.
    bench.cx.key = "02run/1".into();
    bench.call("delete_bridge", json!(["t", "lan1"])).unwrap();
    assert!(!names(&bench).contains(&"lan1".to_owned()));
}

#[test]
fn a_build_that_is_refused_in_part_leaves_nothing() {
    let bench = bench();
    two_nodes(&bench);
    let before = bench.call("describe", json!(["t"])).unwrap();
    let plan = json!({
        "namespaces": ["n1", "n2"], "bridges": ["lanb"],
        "links": [{ "a": { "at": "n1:eth0", "addresses": ["10.1.0.1/24"] }, "b": "lanb" }, { "a": "r1:eth7", "b": "n2:eth0" }],
        "addresses": [{ "at": "r1:eth0", "address": "10.77.0.1/24" }],
        "routes": [{ "namespace": "n1", "to": "default", "via": "10.2.0.1" }],
    });
    let problem = bench.call("build", json!(["t", plan])).unwrap_err();
    assert!(problem.no_effect && problem.message.contains("the route to default in n1"), "{problem:?}");
    assert_eq!(bench.call("describe", json!(["t"])).unwrap(), before);
}

#[test]
fn nonsense_is_refused_before_anything_happens() {
    let bench = bench();
    two_nodes(&bench);
    let refused: &[(&str, Value, Code)] = &[
        ("create_namespace", json!(["t", "a/b"]), Code::InvalidArgument),
        ("create_namespace", json!(["../etc", "r1"]), Code::InvalidArgument),
        ("create_namespaces", json!(["t", ["a", "a"]]), Code::InvalidArgument),
        ("create_bridge", json!(["t", "lan9", { "sttp": true }]), Code::InvalidArgument),
        ("connect", json!(["t", "lan1", "lan1"]), Code::InvalidArgument),
        ("connect", json!(["t", "r1:eth9", "nolan"]), Code::NotFound),
        ("connect", json!(["t", "r7:eth0", "lan1"]), Code::NotFound),
        ("connect", json!(["t", "r1:eth9", "r1:eth9"]), Code::InvalidArgument),
        ("connect", json!(["t", "r1:eth9", "lan1", { "mtu": 3 }]), Code::InvalidArgument),
        ("connect", json!(["t", "r1:waytoolongfortheinterface", "lan1"]), Code::InvalidArgument),
        ("add_address", json!(["t", "r1:eth0", "10.0.0.300/24"]), Code::InvalidArgument),
        ("add_address", json!(["t", "r1:eth5", "10.0.0.3/24"]), Code::NotFound),
        ("add_route", json!(["t", "r1", { "to": "10.0.0.1/8", "via": "10.0.0.2" }]), Code::InvalidArgument),
        ("add_route", json!(["t", "r1", { "to": "default", "via": "10.5.0.2" }]), Code::InvalidArgument),
        ("add_route", json!(["t", "r1", { "to": "default" }]), Code::InvalidArgument),
        ("create_tap", json!(["t", "r1:tap0"]), Code::InvalidArgument),
        ("set_link", json!(["t", "r1:eth0", { "bridge": "lan1" }]), Code::InvalidArgument),
        ("impair", json!(["t", "r1:eth0", { "loss_percent": 101.0 }]), Code::InvalidArgument),
        ("impair", json!(["t", "r1:eth0", {}]), Code::InvalidArgument),
        ("wait_link", json!(["t", "r1:eth0", "sideways"]), Code::InvalidArgument),
    ];
    for (name, args, code) in refused {
        let problem: Problem = bench.call(name, args.clone()).unwrap_err();
        assert_eq!(problem.code, *code, "{name} {args}: {problem}");
        assert!(problem.no_effect || problem.code != Code::InvalidArgument, "{name} {args}: {problem:?}");
    }
}

#[test]
fn links_are_watched_and_set() {
    let bench = bench();
    two_nodes(&bench);
    assert_eq!(bench.call("wait_link", json!(["t", "r1:eth0", "up", "1s"])).unwrap()["state"], "up");
    bench.call("set_link", json!(["t", "r1:eth0@host", { "up": false }])).unwrap();
    let problem = bench.call("wait_link", json!(["t", "r1:eth0", "up", 20])).unwrap_err();
    assert_eq!((problem.code, &problem.data["state"]), (Code::WaitTimeout, &json!("down")));
    bench.call("disconnect", json!(["t", "r1:eth0"])).unwrap();
    assert_eq!(bench.call("wait_link", json!(["t", "r1:eth0", "gone"])).unwrap()["state"], "gone");
    bench.call("set_link", json!(["t", "lan1", { "note": "to the roof", "stp": true }])).unwrap();
    let links = bench.call("links", json!(["t"])).unwrap();
    let bridge = links.as_array().unwrap().iter().find(|link| link["at"] == "lan1").unwrap();
    assert_eq!(bridge["settings"]["stp"], true);
}

#[test]
fn backends_can_be_shared_between_threads() {
    let stack: Arc<dyn NetBackend> = rehearsal();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let stack = stack.clone();
            scope.spawn(move || {
                let bench = Bench::new(own(stack), &[]);
                bench.call("create_namespace", json!(["t", format!("n{number}")])).unwrap();
            });
        }
    });
    let bench = Bench::new(own(stack), &[]);
    let nodes = bench.call("list_namespaces", json!(["t"])).unwrap();
    let mut numbers: Vec<i64> = nodes.as_array().unwrap().iter().map(|node| node["node"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
}
