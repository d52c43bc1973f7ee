//! Files of workflows change while the server runs: what is sound is in use at once, what isn't changes nothing.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{ApiServer, wait_for, wait_until};

const SOON: Duration = Duration::from_secs(20);

fn source(title: &str, body: &str) -> String {
    format!("const WORKFLOW = #{{ name: \"lab/x\", title: \"{title}\" }};\n\nfn run(input) {{\n    {body}\n}}\n")
}

fn server() -> ApiServer {
    ApiServer::start(&[("lab/x", &source("First", "1"))])
}

fn shown(server: &ApiServer) -> Value {
    server.get("/api/v1/workflows/lab/x").expect(200).json()
}

fn title(server: &ApiServer) -> String {
    shown(server)["workflow"]["title"].as_str().unwrap_or_default().to_owned()
}

fn output(server: &ApiServer) -> Value {
    let run = server.launch("lab/x", &json!({}));
    server.ended(&run)["output"].clone()
}

#[test]
fn whatever_an_editor_does_the_last_good_version_is_in_use() {
    let server = server();
    assert_eq!(output(&server), 1);
    // Written beside, and renamed into place.
    let folder = server.workflows().join("lab");
    std::fs::write(folder.join("x.rhai~"), source("Second", "2")).unwrap();
    std::fs::rename(folder.join("x.rhai~"), folder.join("x.rhai")).unwrap();
    wait_until("the renamed file to be in use", SOON, || title(&server) == "Second");
    assert_eq!(output(&server), 2);
    // Half of a file, and later the rest.
    let whole = source("Third", "3");
    std::fs::write(folder.join("x.rhai"), &whole[..whole.len() / 2]).unwrap();
    wait_until("half a file to be refused", SOON, || !shown(&server)["problem"].is_null());
    let problem = shown(&server)["problem"].clone();
    assert_eq!(
        (&problem["code"], &problem["site"]["file"]),
        (&json!("workflow_invalid"), &json!("lab/x")),
        "{problem}"
    );
    assert_eq!((output(&server), title(&server).as_str()), (json!(2), "Second"));
    std::fs::write(folder.join("x.rhai"), &whole).unwrap();
    wait_until("the whole file to be in use", SOON, || {
        title(&server) == "Third" && shown(&server)["problem"].is_null()
    });
    // Two hundred writes: the last one counts.
    for count in 0..200 {
        std::fs::write(folder.join("x.rhai"), source(&format!("Burst {count}"), &count.to_string())).unwrap();
    }
    wait_until("the last of many writes to be in use", SOON, || title(&server) == "Burst 199");
    let versions = server.get("/api/v1/workflows/lab/x/history?limit=500").expect(200).json();
    assert!(versions["items"].as_array().unwrap().len() < 100, "a burst is one change, or a few");
    std::fs::remove_file(folder.join("x.rhai")).unwrap();
    wait_until("the removed file to be gone", SOON, || server.get("/api/v1/workflows/lab/x").status == 404);
    let launch = server.post("/api/v1/runs", &json!({ "workflow": "lab/x" }));
    assert_eq!(launch.expect(404).json()["code"], "workflow_not_found");
}

#[test]
fn a_changed_library_changes_what_imports_it() {
    let server = server();
    let using = "const WORKFLOW = #{ name: \"lab/y\", title: \"Y\" };\n\nimport \"lib/shared\" as common;\n\nfn run(input) {\n    common::answer()\n}\n";
    server.write_workflow("lib/shared", "fn answer() {\n    41\n}\n");
    server.write_workflow("lab/y", using);
    let version = || server.get("/api/v1/workflows/lab/y").json()["version"].as_i64();
    let first = wait_for("the new workflow to be in use", SOON, version);
    server.write_workflow("lib/shared", "fn answer() {\n    42\n}\n");
    wait_until("the library's change to be in use", SOON, || version().is_some_and(|version| version > first));
    let run = server.launch("lab/y", &json!({}));
    assert_eq!(server.ended(&run)["output"], 42);
}

#[test]
fn two_people_who_edit_the_same_workflow_are_told() {
    let mut server = server();
    let first = shown(&server)["source_digest"].clone();
    let save = |server: &ApiServer, body: &str, expected: &Value| {
        let body = json!({ "source": source("Saved", body), "message": "because", "expected": expected });
        server.put("/api/v1/workflows/lab/x", &body)
    };
    let saved = save(&server, "10", &first).expect(200).json();
    assert_eq!((output(&server), &saved["version"]), (json!(10), &json!(2)));
    let late = save(&server, "11", &first).expect(412).json();
    assert_eq!(late["data"]["digest"], saved["source_digest"]);
    // A mistake is refused with its place, and nothing changes.
    let broken =
        server.put("/api/v1/workflows/lab/x", &json!({ "source": "fn run(", "expected": saved["source_digest"] }));
    let broken = broken.expect(422).json();
    assert!(broken["data"]["diagnostics"][0]["line"].as_u64().is_some(), "{broken}");
    assert_eq!(output(&server), 10);
    let history = server.get("/api/v1/workflows/lab/x/history").expect(200).json();
    let newest = &history["items"][0];
    assert_eq!((&newest["why"], &newest["active"]), (&json!("because"), &json!(true)), "{history}");
    assert!(newest["by"].as_str().unwrap().contains("admin"), "{history}");
    // An earlier version again: in use without a change of the file, or as a new one.
    let tried = json!({ "version": 1, "dry_run": true });
    let tried = server.post("/api/v1/workflows/lab/x/activate", &tried).expect(200).json();
    assert_eq!((&tried["activated"], output(&server)), (&json!(false), json!(10)));
    server.post("/api/v1/workflows/lab/x/activate", &json!({ "version": 1 })).expect(200);
    assert_eq!(output(&server), 1);
    server.kill_and_restart();
    assert_eq!(
        (output(&server), shown(&server)["version"].clone()),
        (json!(1), json!(1)),
        "a restart keeps what is in use"
    );
    let restore = json!({ "version": 2, "expected": saved["source_digest"] });
    server.post("/api/v1/workflows/lab/x/restore", &restore).expect(200);
    let actions = server.get("/api/v1/audit?action=workflow.").expect(200).json();
    assert!(actions["items"].as_array().unwrap().len() >= 3, "{actions}");
}

#[test]
fn names_stay_inside_the_folder() {
    let server = server();
    let body = json!({ "source": source("X", "1") });
    for name in ["lab/../../evil", "lab/%2e%2e/evil", "..%2Fevil", "lab//x", "x", "lab/x%00", ".hidden/x", "lab/-x"] {
        let answer = server.put(&format!("/api/v1/workflows/{name}"), &body);
        assert!([400, 404, 405, 412].contains(&answer.status), "{name}: {answer:?}");
    }
    let outside = server.workflows().parent().unwrap().join("evil.rhai");
    assert!(!outside.exists());
    // A link in the folder leads nowhere either.
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), server.workflows().join("away")).unwrap();
    let answer =
        server.put("/api/v1/workflows/away/x", &json!({ "source": source("X", "1").replace("lab/x", "away/x") }));
    assert!(answer.status >= 400, "{answer:?}");
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}
