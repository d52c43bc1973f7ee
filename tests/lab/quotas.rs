//! Quotas hold for deployments at the same time and for what nobody has counted, and the limits of containers are the kernel's.

use std::{fs, path::Path};

use serde_json::{Value, json};
use windlass_tests::{ApiServer, Docker, can_make_namespaces, docker::IMAGE, skip};

use super::{
    Place, containers,
    owners::{outcome, sources},
};

fn namespaces(name: &str, count: u64) -> Value {
    json!({ "name": name, "nodes": [{ "name": "n{n}", "count": count }] })
}

#[test]
fn two_deployments_at_once_are_counted_together() {
    if let Err(reason) = can_make_namespaces() {
        return skip(&reason);
    }
    let sources = sources();
    let sources: Vec<(&str, &str)> = sources.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let server = ApiServer::start_with(&sources, &[], "[hosts.lab.quotas.acme]\nnodes = 5\n");
    server.post("/api/v1/organisations", &json!({ "name": "acme", "title": "acme" })).expect(201);
    for round in 0..3 {
        let names = [format!("race-a{round}"), format!("race-b{round}")];
        // Each of them fits, both don't.
        let runs = std::thread::scope(|scope| {
            let threads = names.each_ref().map(|name| {
                let server = &server;
                scope.spawn(move || outcome(server, "acme", "lab/deploy", &namespaces(name, 3)))
            });
            threads.map(|thread| thread.join().unwrap())
        });
        let states = runs.each_ref().map(|run| (run["state"].as_str().unwrap(), run["problem"]["code"].as_str()));
        let refused = ("rolled_back", Some("limit_exceeded"));
        assert!(states.contains(&refused), "{round}: {states:?}");
        assert!(states.contains(&("succeeded", None)), "{round}: {states:?}");
        for name in &names {
            outcome(&server, "acme", "lab/destroy", &json!({ "lab": name }));
        }
    }
}

#[test]
fn what_is_there_counts_whether_its_document_is_known_or_not() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut forgotten) = Place::with_docker(&docker, "") else { return };
    let boxes = |count: u64| {
        json!({ "name": "box{n}", "count": count, "image": IMAGE, "command": ["sleep", "1000000"], "cpus": 0.5,
            "memory_mb": 64 })
    };
    forgotten.deploy(&json!({ "name": "t-lostq", "nodes": [{ "name": "n{n}", "count": 2 }, boxes(2)] }));
    // Another data folder of the same machine knows nothing of it.
    let quotas = "[hosts.lab.quotas.platform]\nnodes = 6\nmemory_mb = 200\ncpus = 1.6\n";
    let Some(mut place) = Place::with_docker(&docker, quotas) else { return };
    place.instance = Some(forgotten.instance_id());
    for (quota, document) in [
        ("nodes", namespaces("t-more", 3)),
        (
            "memory_mb",
            json!({ "name": "t-more", "nodes": [{ "name": "c", "image": IMAGE, "cpus": 0.1, "memory_mb": 73 }] }),
        ),
        ("cpus", json!({ "name": "t-more", "nodes": [{ "name": "c", "image": IMAGE, "cpus": 0.7, "memory_mb": 8 }] })),
    ] {
        let run = place.run("lab/deploy", &document);
        assert_eq!(run["problem"]["code"], "limit_exceeded", "{quota}: {run:#}");
        assert_eq!(run["problem"]["data"]["quota"], quota, "{run:#}");
        assert!(containers(&docker, "t-more").is_empty() && place.kernel("t-more").is_empty());
    }
    place.deploy(&namespaces("t-more", 2));
    // A container of a lab that is known counts once, as its namespace does.
    let mut known = json!({ "name": "t-lostq", "nodes": [{ "name": "n{n}", "count": 2 }, boxes(2)] });
    assert_eq!(place.deploy(&known)["summary"], "nothing differs");
    known["nodes"].as_array_mut().unwrap().push(json!({ "name": "extra" }));
    assert_eq!(place.run("lab/deploy", &known)["problem"]["data"]["quota"], "nodes");
    // It was refused, and counts as what it is.
    place.run("lab/destroy", &json!({ "lab": "t-more" }));
    place.deploy(&known);
}

/// What the kernel has for a process: its control group's file in this controller, of version 1 or 2.
fn control(pid: &str, controller: &str, v1: &str, v2: &str) -> String {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let root = Path::new("/sys/fs/cgroup");
    let of = |line: &str| -> Option<std::path::PathBuf> {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?.trim_start_matches('/'));
        match controllers {
            "" => Some(root.join(path).join(v2)),
            found if found.split(',').any(|one| one == controller) => Some(root.join(found).join(path).join(v1)),
            _ => None,
        }
    };
    let files: Vec<_> = groups.lines().filter_map(of).collect();
    let read = files.iter().find_map(|path| fs::read_to_string(path).ok());
    read.unwrap_or_else(|| panic!("none of {files:?} can be read")).trim().to_owned()
}

#[test]
fn limits_of_containers_are_the_kernels() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let node = |name: &str, more: Value| {
        let mut node = json!({ "name": name, "image": IMAGE, "command": ["sleep", "1000000"] });
        node.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        node
    };
    let told = node("told", json!({ "cpus": 0.5, "memory_mb": 48, "pids": 33 }));
    place.deploy(&json!({ "name": "t-limits", "nodes": [told, node("silent", json!({}))] }));
    for (name, quota_us, memory_mb, pids) in [("told", 50_000, 48, "33"), ("silent", 100_000, 512, "512")] {
        let is_it = |one: &String| one.contains(&format!("-{name}-")) && !one.ends_with("-pause");
        let container = containers(&docker, "t-limits").into_iter().find(is_it).unwrap();
        let pid = docker.docker(&["inspect", "--format", "{{.State.Pid}}", &container]);
        let cpus = control(&pid, "cpu", "cpu.cfs_quota_us", "cpu.max");
        assert_eq!(cpus.split(' ').next(), Some(quota_us.to_string().as_str()), "{name}");
        let memory = control(&pid, "memory", "memory.limit_in_bytes", "memory.max");
        assert_eq!(memory, (memory_mb << 20).to_string(), "{name}");
        assert_eq!(control(&pid, "pids", "pids.max", "pids.max"), pids, "{name}");
    }
}
