//! Disks that are full: Docker's, that of machines, and Windlass' own. It is said, nothing is left half made, and after room was made
//! the same command works.

use std::time::Duration;

use serde_json::json;
use windlass_tests::{
    Docker, Process,
    docker::fill,
    guest::{APPEND, Guest},
    skip, wait_until,
};

use super::{Place, containers, containers::small};

#[test]
fn dockers_disk() {
    let Some(docker) = Docker::start_on_small_disk(64) else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let mut lab = small("t-full");
    let content = "x".repeat(200_000);
    lab["nodes"][1]["files"] = json!([{ "path": "/etc/a", "content": content }]);
    // The image of what holds namespaces is there, then.
    place.deploy(&small("t-first"));
    // With no room at all nothing can be made; with some, files can't be put in.
    for room_kib in [0, 120] {
        let filler = fill(&docker.data(), room_kib);
        let run = place.run("lab/deploy", &lab);
        assert_eq!(run["state"], "rolled_back", "{room_kib}: {run:#}");
        let problem = &run["problem"];
        assert_eq!(problem["code"], "unavailable", "{room_kib}: {problem:#}");
        assert!(problem["help"].as_str().unwrap().contains("disk is full"), "{room_kib}: {problem:#}");
        assert_eq!((containers(&docker, "t-full").len(), place.kernel("t-full").len()), (0, 0), "{room_kib}");
        std::fs::remove_file(filler).unwrap();
    }
    place.deploy(&lab);
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}

#[test]
fn the_disk_of_machines() {
    let Some(place) = Place::new() else { return };
    let guest = match Guest::get() {
        Ok(guest) => guest,
        Err(reason) => return skip(&reason),
    };
    let folder = place.folder.path().join("machines");
    let config = format!(
        "[hosts.qemu]\naccelerator = \"tcg\"\nimages = [\"{}\"]\nfolder = \"{}\"\n",
        guest.folder.display(),
        folder.display()
    );
    let mut place = place.configured(&config);
    place.small_disk(&folder, 4);
    let lab = json!({ "name": "t-fullvm", "nodes": [{ "name": "vm", "kernel": "vmlinuz", "initrd": "initrd.gz", "append": APPEND,
        "memory_mb": 96, "disk_gb": 1, "ready": { "serial": "guest#", "within": "2m" } }, { "name": "n" }],
        "links": [{ "endpoints": ["vm:eth0", "n:eth0"] }] });
    let filler = fill(&folder, 64);
    let run = place.run("lab/deploy", &lab);
    assert_eq!(run["state"], "rolled_back", "{run:#}");
    let said = run["problem"].to_string();
    assert!(said.contains("No space left on device") || said.contains("full"), "{said}");
    let left = std::fs::read_dir(folder.join("labs")).map_or(0, |labs| labs.count());
    assert_eq!((left, place.kernel("t-fullvm").len()), (0, 0));
    std::fs::remove_file(filler).unwrap();
    place.deploy(&lab);
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}

#[test]
fn windlass_own_disk() {
    let Some(mut place) = Place::new() else { return };
    let data = place.data();
    place.small_disk(&data, 16);
    let lab = |name: &str| {
        json!({ "name": name, "networks": [{ "name": "lan" }], "nodes": [{ "name": "a" }],
        "links": [{ "endpoints": [{ "at": "a:eth0", "addresses": ["10.0.0.1/24"] }, "lan"] }] })
    };
    place.deploy(&lab("t-data"));
    place.labs.push("t-data2".into());
    let path = place.folder.path().join("input.json");
    // With little room the program says so and ends; with a bit more the disk gets full in the middle of the run, which pauses until it
    // can be written down.
    let mut paused = 0;
    for room_kib in [0, 48, 280, 320, 360] {
        std::fs::write(&path, lab("t-data2").to_string()).unwrap();
        let filler = fill(&data, room_kib);
        let deploy = ["run", "lab/deploy", "--input", &path.to_string_lossy()];
        let mut deploying = Process::start(&mut place.command(None, &deploy)).unwrap();
        let pauses = "pauses until its journal can be written";
        wait_until("it to end or to pause", Duration::from_secs(60), || {
            !deploying.is_running() || deploying.output().contains(pauses)
        });
        std::fs::remove_file(filler).unwrap();
        let status = deploying.wait(Duration::from_secs(120));
        let said = deploying.output();
        let is_said = ["full", "No space left", "free space"].iter().any(|word| said.contains(word));
        assert!(status.success() || is_said, "{room_kib}: {said}");
        paused += usize::from(status.success() && said.contains(pauses));
        if !status.success() {
            place.windlass(None, &["run", "--resume"]);
        }
        place.deploy(&lab("t-data2"));
        assert_eq!(place.deploy(&lab("t-data2"))["summary"], "nothing differs", "{room_kib}");
        assert_eq!(place.kernel("t-data2").len(), 3, "{room_kib}: {:?}", place.kernel("t-data2"));
        place.run("lab/destroy", &json!({ "lab": "t-data2" }));
        assert!(place.kernel("t-data2").is_empty(), "{room_kib}");
    }
    assert!(paused > 0, "the disk never was full in the middle of a run");
}
