//! What a lab's machines keep: their cables after a reboot, their disks when they are changed, their names for nodes of other kinds.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{Docker, docker::IMAGE, guest::APPEND, wait_until};

use super::{
    Place, ip,
    machines::{config, place},
};

fn guest(name: &str, address: &str, more: &Value) -> Value {
    let mut node = json!({ "name": name, "kernel": "vmlinuz", "initrd": "initrd.gz", "append": format!("{APPEND} address={address}"),
        "memory_mb": 96, "ready": { "serial": "guest#", "within": "3m" } });
    for (key, value) in more.as_object().into_iter().flatten() {
        node[key] = value.clone();
    }
    node
}

impl Place {
    fn machines() -> Option<Self> {
        let config = config()?;
        Some(Self::new()?.configured(&config))
    }

    /// What a reboot of this machine leaves of a lab: files.
    fn reboots(&self, lab: &str) {
        let folder = self.data().join("qemu/labs").join(lab);
        for machine in std::fs::read_dir(folder).unwrap().flatten() {
            let pid = std::fs::read_to_string(machine.path().join("pid")).unwrap();
            let process = nix::unistd::Pid::from_raw(pid.trim().parse().unwrap());
            _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL);
            let gone = || std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default().is_empty();
            wait_until("its end", Duration::from_secs(60), gone);
        }
        let names = self.names(lab);
        let spaces = ip(&["netns", "list"]);
        for space in spaces.lines().filter_map(|line| line.split(' ').next()) {
            if space.starts_with(&names.node_prefix()) {
                ip(&["netns", "del", space]);
            }
        }
        let links = ip(&["-o", "link"]);
        for link in links.lines().filter_map(|line| line.split([':', '@']).nth(1).map(str::trim)) {
            if link.starts_with(&names.node_prefix()) || link.starts_with(&names.bridge_prefix()) {
                ip(&["link", "del", link]);
            }
        }
        wait_until("the kernel has nothing", Duration::from_secs(60), || self.kernel(lab).is_empty());
    }

    fn record(&self, lab: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.machine(lab).join("machine.json")).unwrap()).unwrap()
    }

    /// As an earlier version wrote them down.
    fn forgets_names_of_taps(&self, lab: &str, machine: &str) {
        let path = self.data().join(format!("qemu/labs/{lab}/{machine}/machine.json"));
        let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for tap in record["spec"]["taps"].as_array_mut().unwrap() {
            assert!(tap.as_object_mut().unwrap().remove("at").is_some(), "{tap}");
        }
        std::fs::write(path, record.to_string()).unwrap();
    }
}

#[test]
fn an_edited_lab_comes_back_after_a_reboot() {
    let Some(mut place) = Place::machines() else { return };
    let mut lab = json!({ "name": "t-boot", "networks": [{ "name": "lan" }],
        "nodes": [{ "name": "h1" }, { "name": "h2" }, guest("vm", "10.0.0.2/24", &json!({}))],
        "links": [{ "endpoints": [{ "at": "h2:eth0", "addresses": ["10.0.0.1/24"] }, "lan"] }, { "endpoints": ["vm:eth0", "lan"] }],
        "checks": [{ "from": "h2", "ping": "10.0.0.2", "within": "1m" }] });
    place.deploy(&lab);
    lab["nodes"].as_array_mut().unwrap().remove(0);
    place.deploy(&lab);
    let before = place.record("t-boot")["spec"]["taps"][0]["interface"].clone();
    place.reboots("t-boot");
    // Numbers are given out anew: there is no device of the old name.
    let again = place.deploy(&lab);
    assert_eq!(again["checks"][0]["holds"], true, "{again:#}");
    assert_ne!(place.record("t-boot")["spec"]["taps"][0]["interface"], before);
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}

#[test]
fn machines_come_back_on_their_own_cables() {
    let Some(mut place) = Place::machines() else { return };
    let end = |at: &str, address: &str| json!({ "at": at, "addresses": [address] });
    let document = |machines: &[u8]| {
        let mut lab = json!({ "name": "t-swap", "networks": [{ "name": "lan1" }, { "name": "lan2" }], "nodes": [{ "name": "h" }],
            "links": [{ "endpoints": [end("h:eth1", "10.0.1.1/24"), "lan1"] }, { "endpoints": [end("h:eth2", "10.0.2.1/24"), "lan2"] }],
            "checks": [] });
        for n in machines {
            let push = |lab: &mut Value, list: &str, one: Value| lab[list].as_array_mut().unwrap().push(one);
            push(&mut lab, "nodes", guest(&format!("vm{n}"), &format!("10.0.{n}.2/24"), &json!({})));
            push(&mut lab, "links", json!({ "endpoints": [format!("vm{n}:eth0"), format!("lan{n}")] }));
            push(&mut lab, "checks", json!({ "from": "h", "ping": format!("10.0.{n}.2"), "within": "1m" }));
        }
        lab
    };
    place.deploy(&document(&[2]));
    let both = document(&[1, 2]);
    place.deploy(&both);
    place.reboots("t-swap");
    let again = place.deploy(&both);
    assert!(again["checks"].as_array().unwrap().iter().all(|check| check["holds"] == true), "{again:#}");
    // Those that an earlier version has made are told which are theirs: one that stands still, and one that has lost its cable.
    for machine in ["vm1", "vm2"] {
        place.forgets_names_of_taps("t-swap", machine);
    }
    place.reboots("t-swap");
    let again = place.deploy(&document(&[2, 1]));
    assert!(again["checks"].as_array().unwrap().iter().all(|check| check["holds"] == true), "{again:#}");
    assert_eq!(place.deploy(&document(&[2, 1]))["summary"], "nothing differs");
}

#[test]
fn a_machine_that_is_changed_keeps_its_disk_and_its_snapshots() {
    let Some(mut place) = Place::machines() else { return };
    let mut lab = json!({ "name": "t-keep", "networks": [{ "name": "lan" }, { "name": "far" }],
        "nodes": [guest("vm", "10.0.0.2/24", &json!({ "disk_gb": 1 }))], "links": [{ "endpoints": ["vm:eth0", "lan"] }] });
    place.deploy(&lab);
    place.types(
        "t-keep",
        "printf 'written first\\n' | dd of=/dev/vda conv=notrunc,fsync; echo kept-it | sed s/-/:/",
        "kept:it",
        1,
    );
    let disk = place.machine("t-keep").join("run/disk.qcow2");
    let snapshots = || {
        let output = std::process::Command::new("qemu-img").args(["snapshot", "-U", "-l"]).arg(&disk).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let kept = place.run("lab/snapshot", &json!({ "lab": "t-keep", "tag": "one" }));
    assert_eq!(kept["state"], "succeeded", "{:#}", kept["problem"]);
    assert!(snapshots().contains("one"), "{}", snapshots());

    // Another cable: the guest is started anew, and finds its disk.
    let pid = place.pid("t-keep");
    let added = place.run("lab/add-link", &json!({ "lab": "t-keep", "endpoints": ["vm:eth1", "far"] }));
    assert_eq!(added["state"], "succeeded", "{:#}", added["problem"]);
    assert_ne!(place.pid("t-keep"), pid);
    place.types("t-keep", "head -n 1 /dev/vda; ls /sys/class/net | grep eth | wc -l | sed s/^/cards:/", "cards:2", 1);
    place.types("t-keep", "head -n 1 /dev/vda | sed s/^/is:/", "is:written first", 1);
    assert!(snapshots().contains("one"), "{}", snapshots());
    lab["links"].as_array_mut().unwrap().push(json!({ "endpoints": ["vm:eth1", "far"] }));
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");

    // A label changes nothing for the guest.
    let pid = place.pid("t-keep");
    lab["nodes"][0]["labels"] = json!({ "team": "blue" });
    let labelled = place.deploy(&lab);
    assert_eq!((&labelled["counts"]["change"], place.pid("t-keep")), (&json!(1), pid), "{labelled:#}");
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");

    // A deployment that fails makes it what it was, and it runs.
    let mut wrong = lab.clone();
    wrong["nodes"][0]["memory_mb"] = 128.into();
    wrong["nodes"].as_array_mut().unwrap().push(json!({ "name": "h" }));
    wrong["checks"] = json!([{ "from": "h", "exec": ["false"], "within": "1s" }]);
    let log = place.machine("t-keep").join("run/serial.log");
    let prompts = || String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).matches("guest#").count();
    let before = prompts();
    let failed = place.run("lab/deploy", &wrong);
    assert_eq!(failed["state"], "rolled_back", "{:#}", failed["problem"]);
    assert_eq!(place.record("t-keep")["spec"]["memory_mb"], 96);
    // Its prompt comes once as what it was to be, and once as what it was.
    wait_until("it runs", Duration::from_secs(90), || prompts() >= before + 2);
    place.types("t-keep", "head -n 1 /dev/vda | sed s/^/still:/", "still:written first", 1);
    assert!(snapshots().contains("one"), "{}", snapshots());
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");

    // Another size is another disk.
    lab["nodes"][0]["disk_gb"] = 2.into();
    let replaced = place.deploy(&lab);
    assert_eq!((&replaced["counts"]["replace"], snapshots().contains("one")), (&json!(1), false), "{replaced:#}");
}

#[test]
fn a_name_may_become_a_node_of_another_kind() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = place(&docker) else { return };
    let machine = json!({ "name": "x", "kernel": "vmlinuz", "initrd": "initrd.gz", "append": APPEND, "memory_mb": 96 });
    let container = json!({ "name": "x", "image": IMAGE, "command": ["sleep", "1000000"] });
    let namespace = json!({ "name": "x" });
    for (step, node) in [&machine, &container, &machine, &namespace, &machine].into_iter().enumerate() {
        let lab = json!({ "name": "t-kinds", "networks": [{ "name": "lan" }], "nodes": [node, { "name": "y" }],
            "links": [{ "endpoints": ["x:eth0", "lan"] }, { "endpoints": ["x:eth1", "y:eth0"] }] });
        let run = place.run("lab/deploy", &lab);
        place.labs = vec!["t-kinds".into()];
        assert_eq!(run["state"], "succeeded", "step {step}: {:#}", run["problem"]);
        assert_eq!(place.deploy(&lab)["summary"], "nothing differs", "step {step}");
    }
}

#[test]
fn what_machines_send_each_other_is_impaired_where_it_arrives() {
    let Some(mut place) = Place::machines() else { return };
    let machine = |name: &str, address: &str| guest(name, address, &json!({}));
    let mut lab = json!({ "name": "t-slow", "nodes": [machine("vm1", "10.0.0.1/24"), machine("vm2", "10.0.0.2/24"), { "name": "h" }],
        "links": [{ "endpoints": [{ "at": "vm1:eth0", "impairment": { "rate_kbit": 700 } }, "vm2:eth0"], "impairment": { "rate_kbit": 300 } },
                  { "endpoints": [{ "at": "vm1:eth1", "impairment": { "rate_kbit": 500 } }, "h:eth0"] }] });
    for node in 0..2 {
        lab["nodes"][node].as_object_mut().unwrap().remove("ready");
    }
    place.deploy(&lab);
    let links = std::process::Command::new("ip").args(["-j", "link"]).output().unwrap();
    let links: Vec<Value> = serde_json::from_slice(&links.stdout).unwrap();
    let rate = |at: &str| {
        let marked =
            |link: &&Value| link["ifalias"].as_str().is_some_and(|alias| alias.contains(&format!(":t-slow:{at}:")));
        let name = links.iter().find(marked).unwrap()["ifname"].as_str().unwrap().to_owned();
        let shown = std::process::Command::new("tc").args(["qdisc", "show", "dev", &name]).output().unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        shown.split("rate ").nth(1).map(|rest| rest.split_whitespace().next().unwrap().to_owned())
    };
    assert_eq!(rate("vm2:eth0").as_deref(), Some("700Kbit"), "what the first sends");
    assert_eq!(rate("vm1:eth0").as_deref(), Some("300Kbit"), "what the second sends");
    assert_eq!((rate("h:eth0").as_deref(), rate("vm1:eth1")), (Some("500Kbit"), None));
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}

#[test]
fn a_document_that_an_earlier_version_took_is_read_as_it_came_true() {
    let Some(mut place) = Place::machines() else { return };
    let mut machine = guest("vm", "10.0.0.1/24", &json!({}));
    machine.as_object_mut().unwrap().remove("ready");
    let mut lab = json!({ "name": "t-before", "networks": [{ "name": "lan" }], "nodes": [machine],
        "links": [{ "endpoints": ["vm:eth0", "lan"] }] });
    place.deploy(&lab);
    // What the machine sends into the network can't be impaired, and was said to be.
    lab["links"][0]["impairment"] = json!({ "rate_kbit": 300 });
    let refused = place.run("lab/deploy", &lab);
    assert_eq!(refused["problem"]["code"], "invalid_input", "{:#}", refused["problem"]);
    let before = "UPDATE kv SET value = json_set(value, '$.links[0].impairment', json('{\"rate_kbit\": 300}')) \
                  WHERE json_valid(value) AND json_extract(value, '$.name') = 't-before'; SELECT changes()";
    let set = std::process::Command::new("sqlite3").arg(place.data().join("windlass.db")).arg(before).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&set.stdout).trim(), "1", "{set:?}");
    let changed = place.run("lab/set-link", &json!({ "lab": "t-before", "at": "vm:eth0", "state": "down" }));
    assert_eq!(changed["state"], "succeeded", "{:#}", changed["problem"]);
    let saved = place.run("lab/save", &json!({ "lab": "t-before" }));
    assert_eq!(saved["state"], "succeeded", "{:#}", saved["problem"]);
    place.run("lab/destroy", &json!({ "lab": "t-before" }));
}
