//! Plugins' files change while the server runs: what is sound is in use at once, what isn't changes nothing and is told.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};
use windlass_tests::{ApiServer, sse::Follower, wait_for, wait_until};

use super::people;

const SOON: Duration = Duration::from_secs(60);
const EXAMPLE: &str = "/api/v1/plugins/registrars/example";
const MAIN: &str = "fn validate(request) {\n    http::get(\"https://api.example.net/v1/me\").status == 200\n}\n";

fn manifest(version: &str, methods: &[&str]) -> String {
    format!(
        "id = \"example\"\nversion = \"{version}\"\napi = 1\nauthor = \"Ann\"\ncapabilities = [\"validate\"]\n\n\
         [credentials.token]\nlabel = \"API token\"\nsecret = true\n\n\
         [[hosts]]\nhost = \"api.example.net\"\nmethods = {}\npaths = [\"/v1/*\"]\n",
        json!(methods)
    )
}

fn folder(server: &ApiServer) -> PathBuf {
    server.workflows().with_file_name("plugins").join("registrars/example")
}

fn write(server: &ApiServer, file: &str, text: &str) {
    std::fs::create_dir_all(folder(server)).unwrap();
    std::fs::write(folder(server).join(file), text).unwrap();
}

fn shown(server: &ApiServer) -> Value {
    server.get(EXAMPLE).expect(200).json()
}

/// Waits until this version is in use, and nothing is wrong.
fn in_use(server: &ApiServer, version: i64) -> Value {
    wait_for("the version to be in use", SOON, || {
        let answer = server.get(EXAMPLE);
        (answer.status == 200)
            .then(|| answer.json())
            .filter(|one| one["version"] == version && one["state"] == "in_use")
    })
}

#[test]
fn a_plugin_is_checked_when_it_changes_and_the_last_good_one_stays() {
    let mut server = ApiServer::start(&[]);
    assert_eq!(server.get("/api/v1/plugins").expect(200).json()["items"], json!([]));
    server.get(EXAMPLE).expect(404);
    // A manifest without its script is nothing to use, and is told.
    write(&server, "plugin.toml", &manifest("1.0.0", &["GET"]));
    let listed = wait_for("half a plugin to be told", SOON, || {
        server.get("/api/v1/plugins").json()["items"].as_array().unwrap().first().cloned()
    });
    assert_eq!((&listed["name"], &listed["state"]), (&json!("registrars/example"), &json!("unusable")));
    assert_eq!(listed["problem"]["site"]["file"], "registrars/example/main.rhai");
    write(&server, "main.rhai", MAIN);
    let first = in_use(&server, 1);
    assert_eq!(first["permissions"], json!(["http:GET https://api.example.net/v1/*"]));
    assert_eq!((&first["manifest"]["version"], first["digest"].as_str().map(str::len)), (&json!("1.0.0"), Some(64)));
    assert_eq!(first["manifest"]["credentials"]["token"]["secret"], true);
    // Whatever is wrong, and at whichever place: what was in use stays so.
    let wrong = [
        ("main.rhai", "fn validate(request) {\n    nope(1)\n}\n", "registrars/example/main.rhai", 2),
        ("main.rhai", "fn validate() {\n    1\n}\n", "registrars/example/main.rhai", 1),
        (
            "main.rhai",
            "import \"lib/lab\" as lab;\n\nfn validate(request) {\n    1\n}\n",
            "registrars/example/main.rhai",
            1,
        ),
        ("plugin.toml", "id = \"example\"\nversion = 1\n", "registrars/example/plugin.toml", 2),
    ];
    for (file, text, at, line) in wrong {
        write(&server, file, text);
        let told = wait_for("the mistake to be told", SOON, || {
            let told = shown(&server);
            (told["problem"]["site"]["file"] == at && told["problem"]["site"]["line"] == line).then_some(told)
        });
        assert_eq!(
            (&told["state"], &told["version"], &told["digest"]),
            (&json!("behind"), &json!(1), &first["digest"])
        );
        assert_eq!(told["problem"]["code"], "workflow_invalid");
        write(&server, "main.rhai", MAIN);
        write(&server, "plugin.toml", &manifest("1.0.0", &["GET"]));
        in_use(&server, 1);
    }
    write(&server, "plugin.toml", &manifest("1.1.0", &["GET", "PUT"]));
    let second = in_use(&server, 2);
    assert_eq!(second["manifest"]["version"], "1.1.0");
    // What is in use is so after a restart, also when the file is broken by then.
    server.kill();
    write(&server, "main.rhai", "fn validate(");
    server.restart();
    wait_until("the mistake to be told", SOON, || shown(&server)["state"] == "behind");
    assert_eq!((&shown(&server)["version"], &shown(&server)["digest"]), (&json!(2), &second["digest"]));
    std::fs::remove_dir_all(folder(&server)).unwrap();
    wait_until("the plugin to be gone", SOON, || server.get(EXAMPLE).status == 404);
    // All of it is in the log of events, and who did it in that of changes.
    let path = "/api/v1/events?after=first&kinds=plugin.*";
    let mut events = Follower::open(server.address(), path, &server.token, None).unwrap();
    let mut kinds = Vec::new();
    while kinds.last().map(String::as_str) != Some("plugin.removed") {
        let event: Value = serde_json::from_str(&events.next_event().unwrap().unwrap().data).unwrap();
        assert_eq!(event["data"]["plugin"], "registrars/example", "{event}");
        kinds.push(event["kind"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds.iter().filter(|kind| *kind == "plugin.activated").count(), 2, "{kinds:?}");
    assert!(kinds.iter().filter(|kind| *kind == "plugin.rejected").count() >= 5, "{kinds:?}");
    let audit = server.get("/api/v1/audit?action=plugin.").expect(200).json();
    assert_eq!(audit["items"][0]["action"], "plugin.remove");
    assert!(audit["items"].as_array().unwrap().iter().all(|entry| entry["actor"] == "file"), "{audit}");
}

#[test]
fn a_plugin_that_may_reach_more_waits_for_an_admin() {
    let server = ApiServer::start_with(&[], &[], "workflow_review = true\n");
    people::user(&server, "olga", "platform", "operator@platform");
    let olga = people::token(&server, "olga");
    write(&server, "main.rhai", MAIN);
    write(&server, "plugin.toml", &manifest("1.0.0", &["GET"]));
    let waits = wait_for("the plugin to wait", SOON, || {
        let listed = server.get("/api/v1/plugins").json()["items"][0].clone();
        (listed["problem"]["code"] == "permission_denied").then_some(listed)
    });
    assert_eq!(waits["problem"]["data"]["added"], json!(["http:GET https://api.example.net/v1/*"]));
    let activate =
        |token: &str| server.send_as(token, "POST", &format!("{EXAMPLE}/activate"), Some(&json!({ "version": 1 })));
    activate(&olga).expect(403);
    assert_eq!(shown(&server)["state"], "unusable");
    assert_eq!(activate(&server.token).expect(200).json()["added"], waits["problem"]["data"]["added"]);
    assert_eq!(in_use(&server, 1)["permissions"], waits["problem"]["data"]["added"]);
    // Another text that reaches no further is in use at once.
    write(&server, "main.rhai", &format!("// Shorter.\n{MAIN}"));
    in_use(&server, 2);
}

#[test]
fn a_plugin_stays_in_its_folder() {
    let server = ApiServer::start(&[]);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("plugin.toml"), manifest("1.0.0", &["GET"])).unwrap();
    std::fs::write(outside.path().join("main.rhai"), MAIN).unwrap();
    std::fs::create_dir_all(folder(&server).parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(outside.path(), folder(&server)).unwrap();
    let told = wait_for("the link to be told", SOON, || {
        server.get("/api/v1/plugins").json()["items"].as_array().unwrap().first().cloned()
    });
    assert_eq!(told["state"], "unusable");
    assert!(told["problem"]["message"].as_str().unwrap().contains("leads out of"), "{told}");
    for name in ["registrars/..%2Fx", "x", "registrars/%00", "../evil"] {
        let status = server.get(&format!("/api/v1/plugins/{name}")).status;
        assert!([400, 404].contains(&status), "{name}: {status}");
    }
}
