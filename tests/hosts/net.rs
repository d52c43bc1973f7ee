//! The `net` module on the real kernel: every op, whose is whose, failures in the middle, and its twin beside it.

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
use windlass_model::{Code, Problem};
use windlass_script::host::{Args, HostModule, Undo, testing::TestCx};
use windlass_tests::{can_make_namespaces, skip};

/// A lab of this test's own, destroyed when the test ends.
pub(super) struct Lab {
    pub(super) name: String,
    pub(super) module: HostModule,
    pub(super) run: String,
    runtime: tokio::runtime::Runtime,
}

impl Lab {
    /// On the real kernel; `None`, said out loud, where that isn't allowed.
    pub(super) fn real() -> Option<Self> {
        if let Err(reason) = can_make_namespaces() {
            skip(&reason);
            return None;
        }
        Some(Self::over(net::module(net::kernel(), Arc::new(Always("platform")))))
    }

    pub(super) fn over(module: HostModule) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wt{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { name, module, run: "01testrun".into(), runtime }
    }

    /// Calls an op on this lab with the arguments after the first.
    pub(super) fn call(&self, name: &str, rest: Value) -> Result<Value, Problem> {
        self.call_as(name, rest, None)
    }

    /// As the undo of the step with this key.
    fn call_as(&self, name: &str, rest: Value, undoes: Option<String>) -> Result<Value, Problem> {
        let op = self.module.ops.iter().find(|op| op.name == name).unwrap();
        let mut args = vec![Value::from(self.name.clone())];
        args.extend(rest.as_array().unwrap().iter().cloned());
        let mut cx = TestCx::new(&[]);
        (cx.key, cx.undoes) = (format!("{}/1", self.run), undoes);
        (op.run)(&cx.on(&self.runtime), &Args::new(op.params, args))
    }

    pub(super) fn ok(&self, name: &str, rest: Value) -> Value {
        self.call(name, rest.clone()).unwrap_or_else(|problem| panic!("{name} {rest}: {problem:?}"))
    }

    fn undo(&self, name: &str, rest: &Value) {
        let op = self.module.ops.iter().find(|op| op.name == name).unwrap();
        let Undo::Op { name: undo, args } = &op.undo else { panic!("{name} has no undo") };
        let mut forward = vec![Value::from(self.name.clone())];
        forward.extend(rest.as_array().unwrap().iter().cloned());
        let rest = args(&Args::new(op.params, forward)).split_off(1);
        let rest = Value::from(rest);
        let answer = self.call_as(undo, rest.clone(), Some(format!("{}/1", self.run)));
        answer.unwrap_or_else(|problem| panic!("{undo} {rest}: {problem:?}"));
    }

    /// Two namespaces on a bridge, with addresses.
    pub(super) fn two_nodes(&self) {
        self.ok("create_namespaces", json!([["r1", "r2"]]));
        self.ok("create_bridge", json!(["lan1"]));
        self.ok("connect", json!([{ "at": "r1:eth0", "addresses": ["10.0.0.1/24"] }, "lan1"]));
        self.ok("connect", json!([{ "at": "r2:eth0", "addresses": ["10.0.0.2/24", "fd00::2/64"] }, "lan1"]));
    }

    pub(super) fn namespace(&self, node: &str) -> String {
        let all = self.ok("list_namespaces", json!([]));
        let found = all.as_array().unwrap().iter().find(|space| space["name"] == node).unwrap();
        found["namespace"].as_str().unwrap().to_owned()
    }

    pub(super) fn describe(&self) -> Value {
        let mut lab = self.ok("describe", json!([]));
        // Hardware addresses are drawn, and a link's state is known a moment after its birth.
        for namespace in lab["namespaces"].as_array_mut().unwrap() {
            namespace["interfaces"].as_array_mut().unwrap().iter_mut().for_each(|link| {
                link["mac"] = Value::Null;
                (link["operstate"], link["carrier"]) = (Value::Null, Value::Null);
            });
        }
        lab["links"].as_array_mut().unwrap().iter_mut().for_each(|link| {
            link["mac"] = Value::Null;
            (link["operstate"], link["carrier"]) = (Value::Null, Value::Null);
        });
        lab
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.call("destroy", json!([]));
    }
}

/// What a tool of the system's own says; it is how we know that others see what we see.
pub(super) fn ip(args: &[&str]) -> String {
    let output = Command::new("ip").args(args).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_lab_carries_traffic_and_others_see_it() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    assert_eq!(lab.ok("wait_link", json!(["r1:eth0", "up", "60s"]))["state"], "up");
    assert!(ip(&["netns", "list"]).contains(&lab.namespace("r1")));
    // UDP from one node to the other: sent by a thread inside, counted by the kernel.
    let before = lab.ok("counters", json!(["r2:eth0"]));
    let handle = std::fs::File::open(format!("/run/netns/{}", lab.namespace("r1"))).unwrap();
    std::thread::spawn(move || {
        nix::sched::setns(handle, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let socket = std::net::UdpSocket::bind("10.0.0.1:0").unwrap();
        for _ in 0..50 {
            socket.send_to(&[7; 100], "10.0.0.2:9").unwrap();
        }
    })
    .join()
    .unwrap();
    let received = |counters: &Value| counters["rx_bytes"].as_u64().unwrap();
    windlass_tests::wait_until("traffic arrives", Duration::from_secs(60), || {
        received(&lab.ok("counters", json!(["r2:eth0"]))) >= received(&before) + 50 * 100
    });
    let lab_now = lab.ok("describe", json!([]));
    assert_eq!(lab_now["namespaces"][1]["interfaces"][0]["addresses"], json!(["10.0.0.2/24", "fd00::2/64"]));
    assert_eq!(lab.ok("destroy", json!([])), json!({ "links": 3, "namespaces": 2, "devices": 0 }));
    assert!(!ip(&["netns", "list"]).contains(lab.ok("names", json!([]))["node_prefix"].as_str().unwrap()));
    assert_eq!(lab.ok("destroy", json!([])), json!({ "links": 0, "namespaces": 0, "devices": 0 }));
}

#[test]
fn every_creation_can_be_repeated_and_undone() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    let tun = lab.ok("capabilities", json!([]))["tun"] == true;
    let calls = [
        ("create_namespace", json!(["r3"])),
        ("create_namespaces", json!([["r4", "r5"]])),
        ("create_bridge", json!(["lan2", { "stp": true, "ageing_time_s": 42, "group_fwd_mask": 0xfff8, "mtu": 9000 }])),
        ("create_bridges", json!([["lan3", { "name": "lan4", "mtu": 9000 }]])),
        ("connect", json!([{ "at": "r1:eth1", "mac": "02:00:00:00:00:11" }, "lan1", { "mtu": 1400 }])),
        ("connect", json!([{ "at": "r1:p0", "addresses": ["10.9.0.1/30"] }, "r2:p0", { "mtu": 9000 }])),
        ("create_tap", json!(["vm1:eth0", { "bridge": "lan1", "mtu": 1400 }])),
        ("add_address", json!(["r1:eth0", "10.0.7.1/24"])),
        ("add_address", json!(["r1:eth0", "fd00:7::1/64"])),
        ("add_route", json!(["r1", { "to": "10.8.0.0/16", "via": "10.0.0.9", "metric": 50 }])),
        ("add_route", json!(["r2", { "to": "default", "via": "fd00::9" }])),
        ("add_route", json!(["r2", { "to": "10.6.0.0/16", "dev": "eth0" }])),
        ("enable_forwarding", json!(["r1"])),
        ("build", json!([{ "namespaces": ["x1"], "bridges": ["lanx"], "links": [{ "a": "x1:eth0", "b": "lanx" }] }])),
    ];
    for (name, args) in calls {
        if name == "create_tap" && !tun {
            skip("there is no /dev/net/tun here");
            continue;
        }
        let before = lab.describe();
        let once = lab.ok(name, args.clone());
        let made = lab.describe();
        assert!(made != before, "{name} {args} did nothing");
        assert_eq!(lab.ok(name, args.clone()), once, "{name} twice");
        assert_eq!(lab.describe(), made, "{name} twice");
        lab.undo(name, &args);
        assert_eq!(lab.describe(), before, "undo of {name} {args}");
        lab.undo(name, &args);
    }
}

#[test]
fn links_of_the_host_are_found_by_the_run_and_step_that_made_them() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    if lab.ok("capabilities", json!([]))["tun"] == true {
        lab.ok("create_tap", json!(["vm1:eth0"]));
    }
    let hash = lab.ok("names", json!([]))["hash"].as_str().unwrap().to_owned();
    for link in lab.ok("links", json!([])).as_array().unwrap() {
        let interface = link["interface"].as_str().unwrap();
        if !link["namespace"].is_null() {
            assert!(link["altname"].is_null(), "{link}");
            continue;
        }
        let altname = link["altname"].as_str().unwrap();
        assert!(altname.starts_with(&format!("windlass-{hash}-01testrun-1-")), "{altname}");
        // Others find the link by it.
        assert!(ip(&["-br", "link", "show", "dev", altname]).starts_with(interface), "{altname}");
    }
}

#[test]
fn what_isnt_the_labs_is_never_touched() {
    let Some(mut lab) = Lab::real() else { return };
    let Some(other) = Lab::real() else { return };
    lab.two_nodes();
    other.two_nodes();
    let others = other.describe();
    let names = lab.ok("names", json!([]));
    let stranger = format!("{}77", names["bridge_prefix"].as_str().unwrap());
    ip(&["link", "add", &stranger, "group", &names["group"].to_string(), "alias", "somebody's", "type", "bridge"]);
    ip(&["link", "set", &stranger, "alias", "somebody's"]);
    // Another run of the same lab can't make what is there.
    lab.run = "02other".into();
    for (name, args) in [
        ("create_namespace", json!(["r1"])),
        ("create_bridge", json!(["lan1"])),
        ("connect", json!(["r1:eth0", "lan1"])),
        ("connect", json!(["r1:eth0", "r2:eth7"])),
    ] {
        let problem = lab.call(name, args.clone()).unwrap_err();
        assert!(problem.code == Code::Conflict && problem.no_effect, "{name} {args}: {problem:?}");
    }
    assert_eq!(lab.ok("destroy", json!([]))["namespaces"], 2);
    let there = ip(&["-br", "link", "show", "dev", &stranger]);
    ip(&["link", "del", &stranger]);
    assert!(there.contains(&stranger), "the stranger in the lab's group was removed: {there}");
    assert_eq!(other.describe(), others);
}

#[test]
fn an_undo_leaves_what_another_run_has_made_since() {
    let Some(mut lab) = Lab::real() else { return };
    let plan = json!({ "namespaces": ["r3", "r4"], "bridges": ["lan3"],
        "links": [{ "a": { "at": "r3:eth0", "addresses": ["10.3.0.1/24"] }, "b": "lan3" }, { "a": "r3:p0", "b": "r4:p0" }],
        "routes": [{ "namespace": "r4", "to": "10.8.0.0/16", "dev": "p0" }] });
    let calls = [
        ("create_namespace", json!(["r5"])),
        ("create_bridge", json!(["lan2"])),
        ("connect", json!(["r1:eth1", "lan1"])),
        ("connect", json!(["r1:p0", "r2:p0"])),
        ("add_address", json!(["r1:eth0", "10.0.7.1/24"])),
        ("add_route", json!(["r1", { "to": "10.8.0.0/16", "via": "10.0.0.9" }])),
        ("enable_forwarding", json!(["r1"])),
        ("build", json!([plan])),
    ];
    let make = |lab: &Lab| {
        lab.two_nodes();
        calls.iter().for_each(|(name, args)| drop(lab.ok(name, args.clone())));
    };
    make(&lab);
    lab.ok("destroy", json!([]));
    lab.run = "02another".into();
    make(&lab);
    let before = lab.describe();
    // A third run's step did nothing before it was stopped; the first one's things are gone.
    for run in ["01testrun", "03third"] {
        lab.run = run.into();
        for (name, args) in calls.iter().rev() {
            lab.undo(name, args);
            assert_eq!(lab.describe(), before, "the undo of {name} {args} of {run}");
        }
    }
    lab.run = "02another".into();
    calls.iter().rev().for_each(|(name, args)| lab.undo(name, args));
    let left = lab.describe();
    assert_eq!((left["namespaces"].as_array().unwrap().len(), left["links"].as_array().unwrap().len()), (2, 3));
}

#[test]
fn a_build_that_is_refused_in_part_leaves_nothing() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    let before = lab.describe();
    let good = json!({ "namespaces": ["n1", "n2"], "bridges": ["lanb"],
        "links": [{ "a": { "at": "n1:eth0", "addresses": ["10.1.0.1/24"] }, "b": "lanb" }, { "a": "r1:eth7", "b": "n2:eth0" },
            { "a": "r2:eth7", "b": "lan1" }],
        "addresses": [{ "at": "r1:eth0", "address": "10.77.0.1/24" }] });
    let with = |key: &str, value: Value| {
        let mut plan = good.clone();
        plan[key] = value;
        plan
    };
    let bad = [
        (
            "the route to default in n1",
            with("routes", json!([{ "namespace": "n1", "to": "default", "via": "10.2.0.1" }])),
        ),
        ("10.1.0.9/24", with("addresses", json!([{ "at": "n1:eth5", "address": "10.1.0.9/24" }]))),
        ("n1:eth0", with("links", json!([{ "a": "n1:eth0", "b": "lanb", "mtu": 3 }]))),
        ("lanb", with("bridges", json!([{ "name": "lanb", "mtu": 1 }]))),
    ];
    for (named, plan) in bad {
        let problem = lab.call("build", json!([plan])).unwrap_err();
        assert!(problem.message.contains(named) && problem.no_effect, "{named}: {problem:?}");
        assert_eq!(lab.describe(), before, "{named}");
    }
    let made = lab.ok("build", json!([good.clone()]));
    assert_eq!(lab.ok("build", json!([good.clone()])), made, "twice");
    lab.undo("build", &json!([good]));
    assert_eq!(lab.describe(), before);
}

#[test]
fn bridges_do_what_they_are_told_or_it_is_said() {
    let Some(lab) = Lab::real() else { return };
    let filters = lab.ok("capabilities", json!([]))["vlan_filtering"] == true;
    match lab.call("create_bridge", json!(["lan1", { "vlan_filtering": true }])) {
        Ok(_) => assert!(filters),
        Err(problem) => {
            assert!(problem.code == Code::Unsupported && problem.message.contains("vlan_filtering"), "{problem:?}");
            assert_eq!(lab.ok("links", json!([])), json!([]), "the bridge was left behind");
        }
    }
    lab.ok("create_bridge", json!(["lan2", { "stp": true, "ageing_time_s": 42, "group_fwd_mask": 0xfff8 }]));
    lab.ok("set_link", json!(["lan2", { "ageing_time_s": 7, "stp": false, "mtu": 1400, "note": "to the roof" }]));
    let links = lab.ok("links", json!([]));
    let bridge = links.as_array().unwrap().iter().find(|link| link["at"] == "lan2").unwrap();
    assert_eq!(bridge["settings"]["ageing_time_s"], 7);
    assert_eq!((&bridge["settings"]["stp"], &bridge["mtu"]), (&json!(false), &json!(1400)));
    assert_eq!(bridge["settings"]["group_fwd_mask"], 0xfff8);
}

#[test]
fn a_link_that_changes_wakes_who_waits_for_it() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    lab.ok("wait_link", json!(["r1:eth0", "up"]));
    let problem = lab.call("wait_link", json!(["r1:eth0", "down", 50])).unwrap_err();
    assert_eq!((problem.code, &problem.data["state"]), (Code::WaitTimeout, &json!("up")));
    let (name, run) = (lab.name.clone(), lab.run.clone());
    let helper = std::thread::spawn(move || {
        let mut lab = Lab::over(net::module(net::kernel(), Arc::new(Always("platform"))));
        (lab.name, lab.run) = (name, run);
        std::thread::sleep(Duration::from_millis(150));
        lab.ok("set_link", json!(["r1:eth0@host", { "up": false }]));
        std::mem::forget(lab);
    });
    let waited = lab.ok("wait_link", json!(["r1:eth0", "down", "60s"]));
    helper.join().unwrap();
    assert!(waited["waited_ms"].as_u64().unwrap() < 30_000, "{waited}");
    lab.ok("disconnect", json!(["r1:eth0"]));
    assert_eq!(lab.ok("wait_link", json!(["r1:eth0", "gone"]))["state"], "gone");
}

#[test]
fn impairments_work_or_say_what_is_missing() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    let can = lab.ok("capabilities", json!([]));
    let answer = lab.call("impair", json!(["r1:eth0", { "delay_ms": 25.0, "loss_percent": 1.0 }]));
    match answer {
        Ok(answer) => {
            assert!(can["netem"] == true && answer["kind"] == "netem");
            let shown = lab.ok("qdisc_show", json!(["r1:eth0"]));
            assert_eq!((&shown[0]["delay_ms"], &shown[0]["loss_percent"]), (&json!(25.0), &json!(1.0)));
        }
        Err(problem) => {
            assert!(can["netem"] == false && problem.code == Code::Unsupported, "{problem:?}");
            assert!(problem.message.contains("netem") && problem.no_effect, "{problem:?}");
        }
    }
    if can["netem"] == true || can["tbf"] == true {
        lab.ok("impair", json!(["r1:eth0", { "rate_kbit": 2000 }]));
        lab.ok("impair", json!(["r1:eth0", { "rate_kbit": 512 }]));
        assert_eq!(lab.ok("qdisc_show", json!(["r1:eth0"]))[0]["rate_kbit"], 512);
    }
    lab.ok("clear_impairment", json!(["r1:eth0"]));
    lab.ok("clear_impairment", json!(["r1:eth0"]));
    assert_eq!(lab.ok("qdisc_show", json!(["r1:eth0"]))[0]["rate_kbit"], 0);
}

#[test]
fn removing_what_isnt_there_is_fine() {
    let Some(lab) = Lab::real() else { return };
    lab.ok("create_namespace", json!(["r1"]));
    for (name, args) in [
        ("delete_namespace", json!(["r9"])),
        ("delete_namespaces", json!([["r8", "r9"]])),
        ("delete_bridge", json!(["lan9"])),
        ("delete_bridges", json!([["lan8", "lan9"]])),
        ("disconnect", json!(["r1:eth9"])),
        ("disconnect", json!(["r9:eth9"])),
        ("delete_tap", json!(["vm9:eth0"])),
        ("remove_address", json!(["r1:eth9", "10.0.0.1/24"])),
        ("remove_address", json!(["r9:eth9", "10.0.0.1/24"])),
        ("remove_route", json!(["r1", { "to": "10.9.0.0/16", "via": "10.0.0.1" }])),
        ("remove_route", json!(["r9", { "to": "default", "via": "10.0.0.1" }])),
        ("disable_forwarding", json!(["r9"])),
        ("clear_impairment", json!(["r9:eth0"])),
        ("unbuild", json!([{ "namespaces": ["r9"], "bridges": ["lan9"] }])),
    ] {
        lab.ok(name, args);
    }
}
