//! What others do to a lab's containers and links is seen by `lab/verify` and put right by `lab/deploy`; what isn't the lab's is left
//! alone; a daemon that is started anew in the middle of things leaves nothing half made.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{Docker, docker::IMAGE, wait_until};

use super::{Place, containers, containers::small, ip};

impl Place {
    /// Whether `lab/verify` finds the lab as it should be; what it says else.
    pub(super) fn verified(&self, lab: &str) -> Result<(), String> {
        let run = self.run("lab/verify", &json!({ "lab": lab }));
        match run["state"] == "succeeded" {
            true => Ok(()),
            false => Err(run["problem"]["message"].as_str().unwrap_or_default().to_owned()),
        }
    }
}

fn container(docker: &Docker, lab: &str, node: &str) -> String {
    let is_it = |name: &String| name.starts_with(&format!("windlass-{lab}-{node}-")) && !name.ends_with("-pause");
    containers(docker, lab).into_iter().find(is_it).unwrap_or_else(|| panic!("{node} isn't there"))
}

fn state(docker: &Docker, container: &str) -> String {
    docker.docker(&["inspect", "--format", "{{.State.Status}}", container])
}

#[test]
fn what_is_killed_or_removed_from_outside_is_seen_and_put_right() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    // Without its checks, which would be waited for in vain: what is seen is what differs.
    let mut lab = small("t-out");
    lab.as_object_mut().unwrap().remove("checks");
    place.deploy(&lab);
    let expected = place.kernel("t-out");
    let of = |node: &str| container(&docker, "t-out", node);
    let kill = |name: String| {
        docker.docker(&["kill", &name]);
        wait_until("its end", Duration::from_secs(60), || state(&docker, &name) == "exited");
    };
    for damage in
        ["killed", "removed", "stopped, and what holds its links removed", "both removed", "unplugged", "alone"]
    {
        match damage {
            "killed" => kill(of("a")),
            "removed" => drop(docker.docker(&["rm", "--force", &of("a")])),
            "stopped, and what holds its links removed" => {
                kill(of("b"));
                docker.docker(&["rm", "--force", &format!("{}-pause", of("b"))]);
            }
            "both removed" => drop(docker.docker(&["rm", "--force", &of("b"), &format!("{}-pause", of("b"))])),
            "unplugged" => drop(ip(&["-n", &place.namespace("t-out", "a"), "link", "del", "eth0"])),
            _ => drop(ip(&["-n", &place.namespace("t-out", "b"), "address", "flush", "dev", "eth0"])),
        }
        let said = place.verified("t-out").expect_err(damage);
        assert!(said.contains("differs"), "{damage}: {said}");
        // Who knows the hardware address of a node that is made anew asks for the new one after some ten seconds.
        ip(&["-n", &place.namespace("t-out", "n"), "neigh", "flush", "all"]);
        let again = place.deploy(&lab);
        assert_eq!(again["changed"], true, "{damage}");
        assert_eq!(place.deploy(&lab)["summary"], "nothing differs", "{damage}");
        assert_eq!(place.kernel("t-out"), expected, "{damage}");
        assert_eq!(containers(&docker, "t-out").len(), 4, "{damage}");
        place.reaches("t-out", "n", "10.0.0.1");
        place.reaches("t-out", "a", "10.1.0.2");
        place.verified("t-out").unwrap_or_else(|said| panic!("{damage}: {said}"));
    }
}

#[test]
fn a_daemon_that_is_started_anew_under_a_lab_is_no_loss() {
    let Some(docker) = Docker::start() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let lab = small("t-anew");
    place.deploy(&lab);
    docker.stop();
    docker.resume();
    let said = place.verified("t-anew").expect_err("both containers have ended");
    assert!(said.contains("differs"), "{said}");
    let back = place.deploy(&lab);
    assert_eq!((&back["counts"]["start"], &back["checks"][1]["holds"]), (&json!(2), &json!(true)), "{back:#}");
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
    place.verified("t-anew").expect("it is as it was");
}

#[test]
fn a_daemon_that_is_started_anew_in_the_middle_of_a_deployment_leaves_nothing_half_made() {
    let Some(docker) = Docker::start() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let mut lab = small("t-mid");
    for number in 0..8 {
        lab["nodes"].as_array_mut().unwrap().push(json!({ "name": format!("x{number}"), "group": "boxes" }));
    }
    place.labs.push("t-mid".into());
    let run = std::thread::scope(|scope| {
        let deploying = scope.spawn(|| place.run("lab/deploy", &lab));
        wait_until("the first containers", Duration::from_secs(60), || containers(&docker, "t-mid").len() >= 4);
        docker.stop();
        docker.resume();
        deploying.join().unwrap()
    });
    if run["state"] != "succeeded" {
        assert_eq!(run["state"], "rolled_back", "{:#}", run["problem"]);
        assert_eq!((containers(&docker, "t-mid").len(), place.kernel("t-mid").len()), (0, 0), "{:#}", run["problem"]);
    }
    let again = place.deploy(&lab);
    assert!(again["checks"].as_array().unwrap().iter().all(|check| check["holds"] == true), "{again:#}");
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
    place.verified("t-mid").expect("it is there whole");
}

#[test]
fn a_foreign_container_of_a_nodes_name_is_refused_and_left_alone() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let lab = small("t-alien");
    place.deploy(&lab);
    let name = container(&docker, "t-alien", "b");
    place.run("lab/destroy", &json!({ "lab": "t-alien" }));
    assert_eq!((containers(&docker, "t-alien").len(), place.kernel("t-alien").len()), (0, 0));
    for name in [name.clone(), format!("{name}-pause")] {
        docker.docker(&["run", "--detach", "--network", "none", "--name", &name, IMAGE, "sleep", "1000"]);
        let id = docker.docker(&["inspect", "--format", "{{.Id}}", &name]);
        let run = place.run("lab/deploy", &lab);
        assert_eq!((&run["state"], &run["problem"]["code"]), (&json!("rolled_back"), &json!("conflict")), "{run:#}");
        assert!(run["problem"]["message"].as_str().unwrap().contains(&name), "{}", run["problem"]);
        assert_eq!(containers(&docker, "t-alien"), std::slice::from_ref(&name), "nothing else is left");
        assert!(place.kernel("t-alien").is_empty(), "{:?}", place.kernel("t-alien"));
        place.run("lab/destroy", &json!({ "lab": "t-alien" }));
        let there: Value = docker.docker(&["inspect", "--format", "{{.Id}} {{.State.Status}}", &name]).into();
        assert_eq!(there, format!("{id} running"));
        docker.docker(&["rm", "--force", &name]);
    }
    place.deploy(&lab);
}
