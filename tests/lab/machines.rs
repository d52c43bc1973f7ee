//! Machines of labs: kept and brought back by workflows, killed from outside and started again.

use std::{io::Write as _, os::unix::net::UnixStream, time::Duration};

use serde_json::{Value, json};
use windlass_tests::{
    Docker,
    docker::IMAGE,
    guest::{APPEND, Guest},
    skip, wait_until,
};

use super::{Place, containers};

pub(super) fn place(docker: &Docker) -> Option<Place> {
    Place::with_docker(docker, &config()?)
}

/// What machines need; `None`, said out loud, where there can't be any.
pub(super) fn config() -> Option<String> {
    match Guest::get() {
        Ok(guest) => Some(format!("[hosts.qemu]\naccelerator = \"tcg\"\nimages = [\"{}\"]\n", guest.folder.display())),
        Err(reason) => {
            skip(&reason);
            None
        }
    }
}

fn machine(disk: bool) -> Value {
    let mut node = json!({ "name": "vm", "kernel": "vmlinuz", "initrd": "initrd.gz", "append": format!("{APPEND} address=10.0.0.2/24"),
        "memory_mb": 96, "ready": { "serial": "guest#", "within": "3m" } });
    if disk {
        node["disk_gb"] = 1.into();
    }
    node
}

/// A machine and a container on a bridge.
fn lab(name: &str, disk: bool) -> Value {
    json!({ "name": name, "networks": [{ "name": "lan" }],
        "nodes": [machine(disk), { "name": "box", "image": IMAGE, "command": ["sleep", "1000000"] }],
        "links": [{ "endpoints": ["vm:eth0", "lan"] }, { "endpoints": [{ "at": "box:eth0", "addresses": ["10.0.0.1/24"] }, "lan"] }],
        "checks": [{ "from": "box", "ping": "10.0.0.2", "within": "1m" }] })
}

impl Place {
    pub(super) fn machine(&self, lab: &str) -> std::path::PathBuf {
        self.data().join(format!("qemu/labs/{lab}/vm"))
    }

    /// Types a line on the machine's serial line, and waits for what is said then, that often all in all.
    pub(super) fn types(&self, lab: &str, line: &str, answer: &str, times: usize) {
        let folder = self.machine(lab).join("run");
        let mut serial = UnixStream::connect(folder.join("serial")).unwrap();
        serial.write_all(format!("{line}\n").as_bytes()).unwrap();
        wait_until(answer, Duration::from_secs(60), || {
            let log = std::fs::read(folder.join("serial.log")).unwrap_or_default();
            String::from_utf8_lossy(&log).lines().filter(|said| said.trim() == answer).count() >= times
        });
    }

    pub(super) fn pid(&self, lab: &str) -> i32 {
        std::fs::read_to_string(self.machine(lab).join("pid")).unwrap().trim().parse().unwrap()
    }
}

#[test]
fn a_lab_with_a_machine_and_a_container_goes_back_to_its_snapshot() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = place(&docker) else { return };
    let document = lab("t-snap", true);
    place.deploy(&document);
    let run = |place: &Place, workflow: &str, input: Value| {
        let run = place.run(workflow, &input);
        assert_eq!(run["state"], "succeeded", "{workflow}: {:#}", run["problem"]);
        run["output"].clone()
    };
    let write = |place: &Place, word: &str| {
        let argv = json!(["sh", "-c", format!("echo {word} > /kept")]);
        run(place, "lab/exec", json!({ "lab": "t-snap", "node": "box", "argv": argv }));
        place.types(
            "t-snap",
            &format!("echo {word} > /tmp/kept; echo wrote-{word} | sed s/-/:/"),
            &format!("wrote:{word}"),
            1,
        );
    };
    write(&place, "first");
    let kept = run(&place, "lab/snapshot", json!({ "lab": "t-snap", "tag": "one" }));
    assert_eq!(kept["machines"], json!(["vm"]), "{kept:#}");
    write(&place, "second");
    run(&place, "lab/restore", json!({ "lab": "t-snap", "tag": "one" }));
    place.types("t-snap", "sed s/^/is:/ /tmp/kept", "is:first", 1);
    let argv = json!(["cat", "/kept"]);
    let read = run(&place, "lab/exec", json!({ "lab": "t-snap", "node": "box", "argv": argv }));
    assert_eq!(read["stdout"], "first\n", "{read:#}");
    place.verified("t-snap").expect("links and addresses are there");
    // The machine's disk and state go with the lab, the images stay for whoever has the document.
    run(&place, "lab/destroy", json!({ "lab": "t-snap" }));
    assert!(!place.machine("t-snap").exists() && containers(&docker, "t-snap").is_empty());
}

#[test]
fn a_machine_that_is_killed_from_outside_is_seen_and_started_again() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = place(&docker) else { return };
    let document = lab("t-vmkill", false);
    place.deploy(&document);
    let expected = place.kernel("t-vmkill");
    let pid = place.pid("t-vmkill");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_until("its end", Duration::from_secs(60), || !std::path::Path::new(&format!("/proc/{pid}/cmdline")).exists());
    place.verified("t-vmkill").expect_err("it has ended");
    let again = place.deploy(&document);
    assert_eq!((&again["counts"]["start"], &again["checks"][0]["holds"]), (&json!(1), &json!(true)), "{again:#}");
    assert_ne!(place.pid("t-vmkill"), pid);
    assert_eq!(place.kernel("t-vmkill"), expected);
    assert_eq!(place.deploy(&document)["summary"], "nothing differs");
    place.verified("t-vmkill").expect("it is as it was");
}

#[test]
fn a_mistyped_image_costs_no_disk() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = place(&docker) else { return };
    let mut lab = lab("t-typo-vm", true);
    // Nobody waits for what the guest says.
    lab["nodes"][0].as_object_mut().unwrap().remove("ready");
    lab["checks"] = json!([]);
    place.deploy(&lab);
    let pid = place.pid("t-typo-vm");
    let mut edited = lab.clone();
    edited["nodes"][0]["disk_gb"] = 2.into();
    edited["nodes"][0]["kernel"] = "vmlinux".into();
    let failed = place.run("lab/deploy", &edited);
    assert_eq!(
        (&failed["state"], &failed["problem"]["code"]),
        (&json!("rolled_back"), &json!("not_found")),
        "{failed:#}"
    );
    assert_eq!(place.pid("t-typo-vm"), pid, "its disk would be gone");
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}
