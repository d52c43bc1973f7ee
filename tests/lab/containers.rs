//! Labs with containers, on a Docker daemon of the tests' own.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{
    docker::{Docker, IMAGE},
    wait_until,
};

use super::{Place, containers, ip};

/// Two containers and a namespace on a bridge.
pub(super) fn small(name: &str) -> Value {
    json!({
        "name": name,
        "groups": [{ "name": "boxes", "node": { "image": IMAGE, "command": ["sleep", "1000000"] } }],
        "networks": [{ "name": "lan" }],
        "nodes": [{ "name": "a", "group": "boxes" }, { "name": "b", "group": "boxes" }, { "name": "n" }],
        "links": [
            { "endpoints": [{ "at": "a:eth0", "addresses": ["10.0.0.1/24"] }, "lan"] },
            { "endpoints": [{ "at": "n:eth0", "addresses": ["10.0.0.3/24"] }, "lan"] },
            { "endpoints": [{ "at": "a:eth1", "addresses": ["10.1.0.1/24"] }, { "at": "b:eth0", "addresses": ["10.1.0.2/24"] }] },
        ],
        "checks": [{ "from": "n", "ping": "a" }, { "from": "a", "ping": "10.1.0.2" }],
    })
}

#[test]
fn containers_are_deployed_changed_brought_back_and_destroyed() {
    let Some(docker) = Docker::start() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let lab = small("t-boxes");
    assert_eq!(place.deploy(&lab)["counts"]["add"], 7);
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");

    // Another command: the container is made anew, and its links with it.
    let mut edited = lab.clone();
    edited["nodes"][1] = json!({ "name": "b", "image": IMAGE, "command": ["sleep", "2000000"] });
    let changed = place.deploy(&edited);
    assert_eq!(
        (&changed["counts"]["replace"], &changed["checks"][1]["holds"]),
        (&json!(2), &json!(true)),
        "{changed:#}"
    );
    assert_eq!(place.deploy(&edited)["summary"], "nothing differs");

    // A restart keeps the links.
    let index = ip(&["-n", &place.namespace("t-boxes", "a"), "-o", "link", "show", "eth0"]);
    let restarted = place.run("lab/restart-node", &json!({ "lab": "t-boxes", "node": "a" }));
    assert_eq!(restarted["output"]["summary"], "nothing differs", "{restarted:#}");
    assert_eq!(ip(&["-n", &place.namespace("t-boxes", "a"), "-o", "link", "show", "eth0"]), index);

    // A reboot: the daemon ends, its containers end, the kernel is empty.
    docker.stop();
    for name in place.kernel("t-boxes") {
        let name = name.replacen("HASH", place.names("t-boxes").hash(), 1);
        if name.contains('-') {
            ip(&["netns", "del", &name])
        } else {
            ip(&["link", "del", &name])
        };
    }
    wait_until("an empty kernel", Duration::from_secs(60), || place.kernel("t-boxes").is_empty());
    let away = place.run("lab/deploy", &edited);
    assert_eq!(
        (&away["state"], &away["problem"]["code"]),
        (&json!("rolled_back"), &json!("unavailable")),
        "{:#}",
        away["problem"]
    );
    docker.resume();
    let back = place.deploy(&edited);
    assert_eq!((&back["counts"]["start"], &back["checks"][1]["holds"]), (&json!(2), &json!(true)), "{back:#}");
    assert_eq!(place.deploy(&edited)["summary"], "nothing differs");

    let gone = place.run("lab/destroy", &json!({ "lab": "t-boxes" }));
    assert_eq!((&gone["state"], &gone["output"]["containers"]), (&json!("succeeded"), &json!(2)), "{gone:#}");
    assert_eq!(containers(&docker, "t-boxes").len(), 0);
    assert!(place.kernel("t-boxes").is_empty(), "{:?}", place.kernel("t-boxes"));
}

#[test]
fn a_missing_image_and_a_node_that_never_gets_healthy_leave_nothing_but_evidence() {
    let Some(docker) = Docker::shared() else { return };
    let Some(place) = Place::with_docker(&docker, "") else { return };
    let mut lab = small("t-ill");
    lab["nodes"][1] = json!({ "name": "b", "image": "windlass-test/is-not-here:1" });
    let run = place.run("lab/deploy", &lab);
    assert_eq!(run["state"], "rolled_back", "{run:#}");
    assert!(run["problem"]["message"].as_str().unwrap().contains("is-not-here"), "{}", run["problem"]);
    assert_eq!((containers(&docker, "t-ill").len(), place.kernel("t-ill").len()), (0, 0));

    let health = json!({ "command": ["false"], "interval_s": 1, "retries": 1 });
    lab["nodes"][1] = json!({ "name": "b", "image": IMAGE, "command": ["sleep", "1000000"], "health": health, "ready": { "within": "4s" } });
    let run = place.run("lab/deploy", &lab);
    assert_eq!(run["state"], "rolled_back", "{run:#}");
    let artifacts = place.windlass(None, &["runs", "show", run["id"].as_str().unwrap()]);
    let shown = String::from_utf8_lossy(&artifacts.stdout).into_owned();
    assert!(shown.contains("unhealthy-b.yaml"), "{shown}\n{:#}", run["problem"]);
    assert_eq!((containers(&docker, "t-ill").len(), place.kernel("t-ill").len()), (0, 0));
}

#[test]
fn containers_know_the_labs_nodes_by_name_those_that_come_later_too() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let lab = small("t-named");
    place.deploy(&lab);
    let exec = |place: &Place, node: &str, argv: Value| {
        place.run("lab/exec", &json!({ "lab": "t-named", "node": node, "argv": argv }))
    };
    let ping = |place: &Place, node: &str, to: &str| {
        exec(place, node, json!(["ping", "-c1", "-W2", to]))["output"]["code"] == 0
    };
    assert!(ping(&place, "a", "b") && ping(&place, "a", "n") && ping(&place, "a", "localhost"));
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");

    // What somebody has written there himself stays, also when another node comes, and after a restart.
    assert_eq!(exec(&place, "a", json!(["sh", "-c", "echo 10.0.0.3 mine >>/etc/hosts"]))["state"], "succeeded");
    let added = place.run(
        "lab/add-node",
        &json!({
            "lab": "t-named", "node": { "name": "far", "image": IMAGE, "command": ["sleep", "1000000"] },
            "links": [{ "endpoints": [{ "at": "far:eth0", "addresses": ["10.0.0.9/24"] }, "lan"] }],
        }),
    );
    assert_eq!(added["state"], "succeeded", "{added:#}");
    for to in ["far", "b", "mine"] {
        assert!(ping(&place, "a", to), "{to}: {}", exec(&place, "a", json!(["cat", "/etc/hosts"])));
    }
    assert!(ping(&place, "far", "a"), "{}", exec(&place, "far", json!(["cat", "/etc/hosts"])));
    place.run("lab/restart-node", &json!({ "lab": "t-named", "node": "a" }));
    assert!(ping(&place, "a", "far"));
    assert_eq!(place.run("lab/destroy", &json!({ "lab": "t-named" }))["state"], "succeeded");
}

#[test]
fn names_that_a_failed_deployment_has_told_are_taken_back() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let lab = small("t-unnamed");
    place.deploy(&lab);
    let hosts = |place: &Place| {
        let argv = json!(["cat", "/etc/hosts"]);
        let shown = place.run("lab/exec", &json!({ "lab": "t-unnamed", "node": "a", "argv": argv }));
        shown["output"]["stdout"].as_str().unwrap_or_else(|| panic!("{shown:#}")).to_owned()
    };
    let before = hosts(&place);
    assert!(before.contains("10.0.0.3\tn\n"), "{before}");

    // The node has another address, and then a check doesn't hold.
    let mut edited = lab.clone();
    edited["links"][1]["endpoints"][0]["addresses"] = json!(["10.0.0.33/24"]);
    edited["checks"] = json!([{ "from": "a", "exec": ["cat", "/etc/hosts"], "contains": "10.0.0.33\tn", "name": "it is told" },
        { "from": "n", "ping": "10.0.0.99", "within": "2s", "name": "nobody answers" }]);
    let run = place.run("lab/deploy", &edited);
    assert_eq!(run["state"], "rolled_back", "{run:#}");
    let message = run["problem"]["message"].as_str().unwrap();
    assert!(message.contains("nobody answers") && !message.contains("it is told"), "{message}");
    assert_eq!(hosts(&place), before);
    // What was removed isn't kept: the next deployment brings the address back.
    assert_eq!(place.run("lab/deploy", &lab)["state"], "succeeded");
    assert_eq!((place.deploy(&lab)["summary"].as_str(), hosts(&place)), (Some("nothing differs"), before.clone()));

    // A change that fails does the same: the new node never becomes well.
    let health = json!({ "command": ["false"], "interval_s": 1, "retries": 1 });
    let node = json!({ "name": "far", "image": IMAGE, "command": ["sleep", "1000000"], "health": health, "ready": { "within": "4s" } });
    let links = json!([{ "endpoints": [{ "at": "far:eth0", "addresses": ["10.0.0.9/24"] }, "lan"] }]);
    let run = place.run("lab/add-node", &json!({ "lab": "t-unnamed", "node": node, "links": links }));
    assert_eq!((&run["state"], hosts(&place)), (&json!("rolled_back"), before), "{run:#}");
    assert_eq!(place.run("lab/destroy", &json!({ "lab": "t-unnamed" }))["state"], "succeeded");
}

#[test]
fn a_mistyped_image_costs_no_node() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let lab = small("t-typo");
    place.deploy(&lab);
    let ids = || docker.docker(&["ps", "--no-trunc", "--filter", "name=windlass-t-typo-", "--format", "{{.ID}}"]);
    let before = ids();
    let mut edited = lab.clone();
    edited["nodes"][1] = json!({ "name": "b", "image": "windlass-test/bsybox:1" });
    edited["links"][2]["mtu"] = 1400.into();
    let failed = place.run("lab/deploy", &edited);
    assert_eq!(
        (&failed["state"], &failed["problem"]["code"]),
        (&json!("rolled_back"), &json!("not_found")),
        "{failed:#}"
    );
    assert_eq!(ids(), before);
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}

#[test]
fn a_container_gets_its_name_again_that_somebody_has_deleted() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let lab = small("t-nameless");
    place.deploy(&lab);
    for node in ["a", "b", "n"] {
        let name = place.namespace("t-nameless", node);
        ip(&["netns", "delete", &name]);
        let again = place.deploy(&lab);
        assert_eq!(
            (&again["changed"], &again["checks"][1]["holds"]),
            (&json!(true), &json!(true)),
            "{node}: {again:#}"
        );
        assert_eq!(place.deploy(&lab)["summary"], "nothing differs", "{node}");
    }
}

#[test]
fn a_container_that_a_failed_deployment_has_only_started_is_stopped_again() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let mut lab = small("t-woken");
    lab["nodes"][0]["startup"] = json!([["sh", "-c", "echo up >>/ran"]]);
    place.deploy(&lab);
    let is_node = |name: &String| name.starts_with("windlass-t-woken-a-") && !name.ends_with("-pause");
    let container = containers(&docker, "t-woken").into_iter().find(is_node).unwrap();
    let runs = || docker.docker(&["inspect", "--format", "{{.State.Running}}", &container]) == "true";
    let ran = || docker.docker(&["cp", &format!("{container}:/ran"), "-"]).matches("up\n").count();
    assert_eq!((runs(), ran()), (true, 1));
    docker.docker(&["kill", &container]);
    assert!(!runs());

    // It is started for its links, and then the commands of the node before it fail.
    let mut more = lab.clone();
    let first = json!({ "name": "A", "startup": [["false"]] });
    more["nodes"].as_array_mut().unwrap().insert(0, first);
    let failed = place.run("lab/deploy", &more);
    assert_eq!(failed["state"], "rolled_back", "{failed:#}");
    assert!(failed["problem"]["message"].as_str().unwrap().contains("A: "), "{failed:#}");
    assert_eq!((runs(), ran()), (false, 1));
    let back = place.deploy(&lab);
    assert_eq!((&back["counts"]["start"], runs(), ran()), (&json!(1), true, 2), "{back:#}");
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");

    // Nor does a restart start one that doesn't run without them.
    docker.docker(&["kill", &container]);
    let restarted = place.run("lab/restart-node", &json!({ "lab": "t-woken", "node": "a" }));
    assert_eq!((&restarted["state"], runs(), ran()), (&json!("succeeded"), true, 3), "{restarted:#}");
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
    // One that runs is restarted as before.
    let restarted = place.run("lab/restart-node", &json!({ "lab": "t-woken", "node": "a" }));
    assert_eq!((&restarted["output"]["summary"], runs()), (&json!("nothing differs"), true), "{restarted:#}");
}
