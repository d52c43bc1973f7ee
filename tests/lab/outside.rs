//! What leads out of a lab: ports, the network for management, folders. It is for those who are trusted with it, and two of them don't
//! meet there.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};
use windlass_tests::{ApiServer, Docker, docker::IMAGE, free_port, wait_until};

use super::{
    Place, containers,
    owners::{outcome, sources},
};

fn web(name: &str, more: &Value) -> Value {
    let mut node = json!({ "name": name, "image": IMAGE, "command": ["busybox", "httpd", "-f", "-p", "80", "-h", "/srv"],
        "files": [{ "path": "/srv/index.html", "content": format!("this is {name}\n") }] });
    node.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    node
}

/// What a web server on loopback answers.
fn fetch(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.contains("200 OK").then_some(answer)
}

fn exec(place: &Place, lab: &str, node: &str, argv: &[&str]) -> Value {
    let run = place.run("lab/exec", &json!({ "lab": lab, "node": node, "argv": argv }));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    run["output"].clone()
}

#[test]
fn ports_answer_on_loopback_and_folders_are_the_labs_own() {
    let Some(docker) = Docker::start() else { return };
    let shared = tempfile::tempdir().unwrap();
    let own = shared.path().join("platform/t-web");
    fs::create_dir_all(&own).unwrap();
    fs::create_dir_all(shared.path().join("platform/t-other")).unwrap();
    fs::write(own.join("page"), "of this lab").unwrap();
    fs::write(shared.path().join("platform/t-other/page"), "of another").unwrap();
    let port = free_port();
    let at = shared.path().display();
    let config = format!(
        "ports = \"1024-65535\"\nmounts = {{ pages = \"{at}\", results = {{ path = \"{at}\", writable = true }} }}\n"
    );
    let Some(mut place) = Place::with_docker(&docker, &config) else { return };
    let mounts =
        json!([{ "folder": "pages", "path": "/pages" }, { "folder": "results", "path": "/results", "write": true }]);
    let lab = json!({ "name": "t-web", "nodes": [
        web("www", &json!({ "ports": [{ "host": port, "node": 80 }], "mounts": mounts })),
        web("inner", &json!({ "management": true })),
    ] });
    place.deploy(&lab);
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
    wait_until("the port's answer", Duration::from_secs(60), || fetch(port).is_some());
    assert!(fetch(port).unwrap().contains("this is www"));

    // The network for management is the organisation's own, and nodes of one organisation meet in it.
    let network = docker.docker(&["network", "ls", "--filter", "name=windlass-platform-", "--format", "{{.Name}}"]);
    assert_eq!(network.lines().count(), 1, "{network}");
    let address = exec(&place, "t-web", "inner", &["ip", "-o", "-4", "address", "show", "eth0"])["stdout"].clone();
    let address = address.as_str().unwrap().split_whitespace().nth(3).unwrap().split('/').next().unwrap().to_owned();
    assert_eq!(exec(&place, "t-web", "www", &["ping", "-c", "1", "-W", "2", &address])["code"], 0);

    // To read, unless it says that it writes; and nothing of another lab.
    assert_eq!(exec(&place, "t-web", "www", &["cat", "/pages/page"])["stdout"], "of this lab");
    assert_eq!(exec(&place, "t-web", "www", &["ls", "/pages"])["stdout"], "page\n");
    let written = exec(&place, "t-web", "www", &["touch", "/pages/new"]);
    assert!(written["code"] != 0 && written.to_string().contains("Read-only"), "{written:#}");
    assert_eq!(exec(&place, "t-web", "www", &["touch", "/results/new"])["code"], 0);
    assert!(own.join("new").exists());

    // A port that is taken is said, and nothing is left.
    let other = json!({ "name": "t-web2", "nodes": [web("www", &json!({ "ports": [{ "host": port, "node": 80 }] }))] });
    let run = place.run("lab/deploy", &other);
    assert_eq!((&run["state"], &run["problem"]["code"]), (&json!("rolled_back"), &json!("conflict")), "{run:#}");
    assert!(containers(&docker, "t-web2").is_empty());
    // A folder that isn't there, and one that is a link.
    std::os::unix::fs::symlink(shared.path().join("platform/t-other"), shared.path().join("platform/t-link")).unwrap();
    for (lab, code) in [("t-none", "not_found"), ("t-link", "permission_denied")] {
        let node = web("www", &json!({ "mounts": [{ "folder": "pages", "path": "/pages" }] }));
        let run = place.run("lab/deploy", &json!({ "name": lab, "nodes": [node] }));
        assert_eq!((&run["state"], &run["problem"]["code"]), (&json!("rolled_back"), &json!(code)), "{run:#}");
    }

    place.run("lab/destroy", &json!({ "lab": "t-web" }));
    assert!(fetch(port).is_none());
    let network = docker.docker(&["network", "ls", "--filter", "name=windlass-", "--format", "{{.Name}}"]);
    assert!(network.is_empty(), "it goes with the last node: {network}");
}

#[test]
fn two_organisations_share_neither_networks_nor_images() {
    let Some(docker) = Docker::start() else { return };
    if let Err(reason) = windlass_tests::can_make_namespaces() {
        return windlass_tests::skip(&reason);
    }
    let mut sources = sources();
    let images = "const WORKFLOW = #{ name: \"lab/images\", title: \"Images\", inputs: #{ type: \"object\" }, \
                  permissions: [\"docker.read:machine\"] };\n\
                  fn run(input) { let names = []; for image in docker::images() { names += image.names; } names }\n";
    sources.push(("lab/images".into(), images.into()));
    let sources: Vec<(&str, &str)> = sources.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let socket = docker.socket();
    let config = format!("[hosts.docker]\nsocket = \"{}\"\ntrusted = [\"acme\", \"rival\"]\n", socket.display());
    let server = ApiServer::start_with(&sources, &[], &config);
    for name in ["acme", "rival", "plain"] {
        server.post("/api/v1/organisations", &json!({ "name": name, "title": name })).expect(201);
    }
    let lab = json!({ "name": "demo", "nodes": [web("www", &json!({ "management": true }))] });
    for organisation in ["acme", "rival"] {
        let made = outcome(&server, organisation, "lab/deploy", &lab);
        assert_eq!(made["state"], "succeeded", "{organisation}: {made:#}");
    }
    let refused = outcome(&server, "plain", "lab/deploy", &lab);
    assert_eq!(refused["problem"]["code"], "permission_denied", "{refused:#}");

    let networks = docker.docker(&["network", "ls", "--filter", "name=windlass-", "--format", "{{.Name}}"]);
    assert_eq!(networks.lines().count(), 2, "{networks}");
    let mut seen = Vec::new();
    for network in networks.lines() {
        let inside =
            docker.docker(&["network", "inspect", "--format", "{{range .Containers}}{{.Name}} {{end}}", network]);
        assert_eq!(inside.split_whitespace().count(), 1, "{network}: {inside}");
        seen.push(inside);
    }
    assert_ne!(seen[0], seen[1]);

    // An image that one has made is seen and run by nobody else.
    let kept = outcome(&server, "acme", "lab/snapshot", &json!({ "lab": "demo", "tag": "mine" }));
    let image = kept["output"]["images"]["www"].as_str().unwrap_or_else(|| panic!("{kept:#}")).to_owned();
    for (organisation, sees) in [("acme", true), ("rival", false), ("plain", false)] {
        let names = outcome(&server, organisation, "lab/images", &json!({}))["output"].clone();
        let names: Vec<&str> = names.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(names.contains(&image.as_str()), sees, "{organisation}: {names:?}");
        assert!(names.contains(&IMAGE), "an administrator's image is everybody's: {names:?}");
        let run = outcome(
            &server,
            organisation,
            "lab/deploy",
            &json!({ "name": "copy", "nodes": [{ "name": "c", "image": image, "command": ["sleep", "1000000"] }] }),
        );
        let expected =
            if sees { (json!("succeeded"), json!(null)) } else { (json!("rolled_back"), json!("not_found")) };
        assert_eq!((run["state"].clone(), run["problem"]["code"].clone()), expected, "{organisation}: {run:#}");
    }
    // Names don't help: another's node isn't found, stopped or read.
    let theirs = outcome(&server, "plain", "lab/exec", &json!({ "lab": "demo", "node": "www", "argv": ["true"] }));
    assert_eq!(theirs["state"], "failed", "{theirs:#}");
    for organisation in ["acme", "rival"] {
        outcome(&server, organisation, "lab/destroy", &json!({ "lab": "demo" }));
        outcome(&server, organisation, "lab/destroy", &json!({ "lab": "copy" }));
    }
    assert!(containers(&docker, "demo").is_empty(), "{:?}", containers(&docker, "demo"));
    assert!(docker.docker(&["network", "ls", "--filter", "name=windlass-", "--quiet"]).is_empty());
}
