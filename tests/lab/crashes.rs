//! The program is killed while it deploys or destroys a lab, at commits and between effects and their records; afterwards the run
//! ends as if nothing had happened. `LAB_CRASH_EVERYWHERE=all` tries every such point of a deployment, too, which takes minutes.

use std::{
    os::unix::process::ExitStatusExt,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use windlass_tests::{Docker, docker::IMAGE};

use super::{Place, containers};

/// Set to `all`, every point is tried.
const EVERY: &str = "LAB_CRASH_EVERYWHERE";

fn lab(name: &str) -> Value {
    json!({
        "name": name,
        "networks": [{ "name": "lan" }],
        "nodes": [{ "name": "a", "sysctls": { "net.ipv4.ip_default_ttl": "63" } }, { "name": "b" }, { "name": "c", "image": IMAGE,
            "command": ["sleep", "1000000"], "files": [{ "path": "/etc/kept", "content": "kept" }] }],
        "links": [
            { "endpoints": [{ "at": "a:eth0", "addresses": ["10.0.0.1/24"] }, "lan"], "impairment": { "rate_kbit": 9000 } },
            { "endpoints": [{ "at": "b:eth0", "addresses": ["10.0.0.2/24"] }, "lan"] },
            { "endpoints": [{ "at": "c:eth0", "addresses": ["10.0.0.3/24"] }, "lan"] },
        ],
        "checks": [{ "from": "a", "ping": "c" }, { "from": "c", "exec": ["cat", "/etc/kept"], "contains": "kept" }],
    })
}

/// Kills the program at this pass, lets it resume, and looks whether all is as it should be. Whether it came to the point.
fn killed_at(docker: &Docker, point: &str, n: usize, destroys: bool) -> bool {
    let Some(mut place) = Place::with_docker(docker, "") else { return false };
    let name = format!("c{n}-{}-{}", &point[point.len() - 5..], if destroys { "d" } else { "u" });
    let document = lab(&name);
    let (workflow, input) = match destroys {
        true => {
            place.deploy(&document);
            ("lab/destroy", json!({ "lab": name }))
        }
        false => ("lab/deploy", document.clone()),
    };
    let path = place.folder.path().join("input.json");
    std::fs::write(&path, input.to_string()).unwrap();
    let at = format!("{point}:{n}");
    let first = place.windlass(Some(&at), &["run", workflow, "--input", &path.to_string_lossy()]);
    let killed = first.status.signal() == Some(9);
    assert!(killed || first.status.success(), "{at}: {}", String::from_utf8_lossy(&first.stderr));
    if killed {
        place.windlass(None, &["run", "--resume"]);
        let newest = place.newest();
        // Killed before its launch was on disk, there is nothing to resume.
        if newest["workflow"] == workflow {
            assert_eq!(newest["state"], "succeeded", "{at}: {:#}", newest["problem"]);
        } else {
            place.run(workflow, &input);
        }
    }
    if destroys {
        assert!(place.kernel(&name).is_empty(), "{at}: {:?}", place.kernel(&name));
        assert!(containers(docker, &name).is_empty(), "{at}: {:?}", containers(docker, &name));
    } else {
        place.labs.push(name.clone());
        assert_eq!(place.deploy(&document)["summary"], "nothing differs", "{at}");
        assert_eq!(containers(docker, &name).len(), 2, "{at}");
        assert_eq!(place.kernel(&name).len(), 7, "{at}: {:?}", place.kernel(&name));
    }
    killed
}

fn at_every(point: &str, destroys: bool) {
    let Some(docker) = Docker::shared() else { return };
    // A deployment passes some ninety points, a removal some thirty. Steps take one commit or more, so that those left out are of all
    // kinds.
    let stride = if destroys || std::env::var(EVERY).is_ok_and(|value| value == "all") { 1 } else { 2 };
    let (ended, next) = (AtomicBool::new(false), AtomicUsize::new(1));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    if !killed_at(&docker, point, next.fetch_add(stride, Ordering::Relaxed), destroys) {
                        ended.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let passes = next.into_inner() / stride;
    eprintln!("{point}: {passes} passes");
    assert!(passes >= 3, "{point} was passed {passes} times only");
}

#[test]
fn killed_anywhere_a_lab_is_deployed_once() {
    at_every("commit.before", false);
    at_every("effect.after", false);
}

#[test]
fn killed_anywhere_a_lab_is_destroyed_whole() {
    at_every("commit.before", true);
    at_every("effect.after", true);
}
