//! What a lab leaves in Docker: snapshots until somebody forgets them, and nothing else, also where Docker doesn't answer for a while.

use std::os::unix::net::UnixListener;

use serde_json::{Value, json};
use windlass_tests::Docker;

use super::{Place, containers, containers::small};

fn images(docker: &Docker, lab: &str) -> usize {
    let names = docker.docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    names.lines().filter(|name| name.starts_with(&format!("windlass-snapshot/{lab}/"))).count()
}

fn done(place: &Place, workflow: &str, input: &Value) -> Value {
    let run = place.run(workflow, input);
    assert_eq!(run["state"], "succeeded", "{workflow}: {:#}", run["problem"]);
    run["output"].clone()
}

#[test]
fn snapshots_stay_until_they_are_forgotten() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let lab = json!({ "lab": "t-forget" });
    place.deploy(&small("t-forget"));
    for tag in ["one", "two"] {
        done(&place, "lab/snapshot", &json!({ "lab": "t-forget", "tag": tag }));
    }
    assert_eq!(images(&docker, "t-forget"), 4);
    assert_eq!(done(&place, "lab/destroy", &lab)["snapshots"], 2);
    assert_eq!(images(&docker, "t-forget"), 4, "somebody may make the lab again, and restore them");
    let wrong = place.run("lab/forget-snapshot", &json!({ "lab": "t-forget", "tag": "three" }));
    assert!(wrong["problem"]["message"].as_str().unwrap_or_default().contains("no snapshot three"), "{wrong:#}");
    done(&place, "lab/forget-snapshot", &json!({ "lab": "t-forget", "tag": "one" }));
    assert_eq!(images(&docker, "t-forget"), 2);

    place.deploy(&small("t-forget"));
    done(&place, "lab/restore", &json!({ "lab": "t-forget", "tag": "two" }));
    let mut asked = lab.clone();
    asked["snapshots"] = true.into();
    assert_eq!(done(&place, "lab/destroy", &asked)["snapshots"], 0);
    assert_eq!((images(&docker, "t-forget"), containers(&docker, "t-forget").len()), (0, 0));
    assert_eq!(done(&place, "lab/forget-snapshot", &lab)["forgotten"], json!([]));
}

#[test]
fn a_snapshot_that_fails_keeps_nothing() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    place.deploy(&small("t-half"));
    let b = containers(&docker, "t-half").into_iter().find(|name| name.starts_with("windlass-t-half-b-")).unwrap();
    docker.docker(&["rm", "--force", b.trim_end_matches("-pause")]);
    let failed = place.run("lab/snapshot", &json!({ "lab": "t-half", "tag": "one" }));
    assert_eq!(failed["state"], "rolled_back", "{failed:#}");
    assert_eq!(images(&docker, "t-half"), 0);
}

#[test]
fn a_lab_whose_document_is_lost_is_not_destroyed_by_halves() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    place.deploy(&small("t-away"));
    // Another data folder knows nothing of it, and nobody answers at its socket.
    let Some(mut other) = Place::new() else { return };
    other.instance = Some(place.instance_id());
    let socket = other.folder.path().join("docker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let other = other.configured(&format!("[hosts.docker]\nsocket = \"{}\"\n", socket.display()));
    let lab = json!({ "lab": "t-away" });
    let kernel = place.kernel("t-away");
    let refused = other.run("lab/destroy", &lab);
    assert_eq!(
        (&refused["state"], &refused["problem"]["code"]),
        (&json!("failed"), &json!("unavailable")),
        "{refused:#}"
    );
    assert!(refused["problem"]["help"].as_str().unwrap_or_default().contains("start Docker"), "{refused:#}");
    assert_eq!(place.kernel("t-away"), kernel, "nothing was begun");
    // Where there is no Docker, and nobody knows of a container, there is nothing to wait for.
    std::fs::remove_file(&socket).unwrap();
    assert_eq!(done(&other, "lab/destroy", &lab)["containers"], 0);
    assert!(!containers(&docker, "t-away").is_empty());
    assert!(done(&place, "lab/destroy", &lab)["containers"] != 0 && containers(&docker, "t-away").is_empty());
}

#[test]
fn a_lab_with_containers_waits_for_docker_unless_it_has_gone_for_good() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    place.deploy(&small("t-gone"));
    let config = place.config.clone().unwrap();
    let with_docker = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, "[hosts.docker]\nsocket = \"/nowhere/docker.sock\"\n").unwrap();
    // A lab that nobody knows may have had some, as another one of the organisation's has.
    for lab in ["t-gone", "t-unknown"] {
        let refused = place.run("lab/destroy", &json!({ "lab": lab }));
        assert_eq!(refused["problem"]["code"], "unavailable", "{lab}: {refused:#}");
    }
    done(&place, "lab/destroy", &json!({ "lab": "t-gone", "without_docker": true }));
    done(&place, "lab/destroy", &json!({ "lab": "t-unknown" }));
    std::fs::write(&config, with_docker).unwrap();
    done(&place, "lab/destroy", &json!({ "lab": "t-gone" }));
    assert!(containers(&docker, "t-gone").is_empty());
}
