//! Files of workflows change while the server runs: what is sound is in use at once, what isn't changes nothing.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{ApiServer, sse::Follower, wait_for, wait_until};

const SOON: Duration = Duration::from_secs(60);

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
fn a_broken_library_leaves_what_imports_it_as_it_was() {
    let server = server();
    let using = |name: &str| {
        format!(
            "const WORKFLOW = #{{ name: \"{name}\", title: \"Y\" }};\n\nimport \"lib/shared\" as common;\n\nfn run(input) {{\n    common::answer()\n}}\n"
        )
    };
    let names = ["lab/y", "lab/z"];
    server.write_workflow("lib/shared", "fn answer() {\n    41\n}\n");
    names.iter().for_each(|name| server.write_workflow(name, &using(name)));
    let shown = |name: &str| server.get(&format!("/api/v1/workflows/{name}")).json();
    for name in names {
        wait_until("the workflow to be in use", SOON, || shown(name)["version"] == 1);
    }
    // By a mistake in it, by what it no longer has, by going away: each time it says so, and the last good one is in use.
    let broken: [&dyn Fn(); 3] = [
        &|| server.write_workflow("lib/shared", "fn answer() {\n    41 +\n}\n"),
        &|| server.write_workflow("lib/shared", "fn other() {\n    41\n}\n"),
        &|| std::fs::remove_file(server.workflows().join("lib/shared.rhai")).unwrap(),
    ];
    for (times, break_it) in broken.iter().enumerate() {
        break_it();
        for name in names {
            wait_until("the library to be refused", SOON, || !shown(name)["problem"].is_null());
            let problem = shown(name)["problem"].clone();
            assert_eq!(problem["code"], "workflow_invalid", "{problem}");
            assert!(problem["site"]["line"].as_u64().is_some(), "{problem}");
            assert_eq!(shown(name)["version"], times as i64 + 1);
            let run = server.launch(name, &json!({}));
            assert_eq!(server.ended(&run)["output"], 41 + times);
        }
        server.write_workflow("lib/shared", &format!("fn answer() {{\n    {}\n}}\n", 42 + times));
        for name in names {
            wait_until("the library to be in use again", SOON, || shown(name)["version"] == times as i64 + 2);
            assert!(shown(name)["problem"].is_null());
        }
    }
    // Told as events, once for each that imports it.
    let path = "/api/v1/events?after=first&kinds=workflow.rejected";
    let mut events = Follower::open(server.address(), path, &server.token, None).unwrap();
    for _ in 0..6 {
        let frame = events.next_event().unwrap().unwrap();
        let event: Value = serde_json::from_str(&frame.data).unwrap();
        assert!(names.contains(&event["data"]["workflow"].as_str().unwrap()), "{event}");
        assert_eq!(event["data"]["error"]["code"], "workflow_invalid", "{event}");
    }
}

#[test]
fn a_folder_that_goes_away_takes_nothing_with_it() {
    let mut server = server();
    assert_eq!(output(&server), 1);
    let (folder, aside) = (server.workflows(), server.workflows().with_extension("aside"));
    std::fs::rename(&folder, &aside).unwrap();
    wait_until("the folder to be missed", SOON, || server.process().output().contains("folder of workflows is gone"));
    assert_eq!((output(&server), shown(&server)["version"].clone()), (json!(1), json!(1)));
    // What stands there afterwards counts, also if it is another folder.
    std::fs::create_dir_all(folder.join("lab")).unwrap();
    std::fs::write(folder.join("lab/x.rhai"), source("Other", "2")).unwrap();
    wait_until("the other folder to be in use", SOON, || title(&server) == "Other");
    assert_eq!(output(&server), 2);
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
