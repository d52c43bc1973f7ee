//! Who may put which version in use: wider grants take an admin, whichever way they come. What becomes of open runs. What is told
//! of a workflow.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{ApiServer, wait_for, wait_until};

use super::people;

const SOON: Duration = Duration::from_secs(60);
const X: &str = "/api/v1/workflows/lab/x";
const REVIEW: &str = "workflow_review = true\n";
const POLICY: &str = "[policy]\n\"lab/*\" = [\"kv.*:*\", \"exec.*:*\"]\n";

fn source(grants: &[&str], body: &str) -> String {
    let grants = json!(grants);
    format!(
        "const WORKFLOW = #{{ name: \"lab/x\", title: \"X\", permissions: {grants} }};\n\nfn run(input) {{\n    {body}\n}}\n"
    )
}

/// A server whose workflow reads, and an operator who may edit and isn't an admin.
fn server(settings: &str) -> (ApiServer, String) {
    let server = ApiServer::start_with(&[("lab/x", &source(&["kv.read:*"], "1"))], &[], &format!("{settings}{POLICY}"));
    people::user(&server, "olga", "platform", "operator@platform");
    let token = people::token(&server, "olga");
    (server, token)
}

fn shown(server: &ApiServer) -> Value {
    server.get(X).expect(200).json()
}

fn output(server: &ApiServer) -> Value {
    let run = server.launch("lab/x", &json!({}));
    server.ended(&run)["output"].clone()
}

/// Versions, newest first: number, whether it is in use, whether it waits.
fn versions(server: &ApiServer) -> Vec<(i64, bool, bool)> {
    let history = server.get(&format!("{X}/history")).expect(200).json();
    let versions = history["items"].as_array().unwrap().iter();
    versions.map(|one| (one["version"].as_i64().unwrap(), one["active"] == true, one["waits"] == true)).collect()
}

/// What is there now, as a change expects it.
fn expected(server: &ApiServer) -> Value {
    let file = std::fs::read(server.workflows().join("lab/x.rhai"));
    file.map_or(Value::Null, |bytes| blake3::hash(&bytes).to_hex().to_string().into())
}

fn put(server: &ApiServer, token: &str, source: &str) -> Value {
    let body = json!({ "source": source, "expected": expected(server) });
    server.send_as(token, "PUT", X, Some(&body)).expect(200).json()
}

fn restore(server: &ApiServer, token: &str, version: i64) -> Value {
    let body = json!({ "version": version, "expected": expected(server) });
    server.send_as(token, "POST", &format!("{X}/restore"), Some(&body)).expect(200).json()
}

#[test]
fn more_grants_take_an_admin_at_every_door() {
    let (mut server, olga) = server("");
    let wide = source(&["kv.read:*", "exec.run:ls"], "2");
    // Saved by somebody who may edit: kept, not in use, and told.
    let saved = put(&server, &olga, &wide);
    assert_eq!(
        (&saved["version"], &saved["waiting"], &saved["added"]),
        (&json!(1), &json!(2), &json!(["exec.run:ls"]))
    );
    assert!(saved["waits"].as_str().unwrap().contains("exec.run:ls"), "{saved}");
    assert_eq!((output(&server), shown(&server)["problem"]["code"].clone()), (json!(1), json!("permission_denied")));
    assert_eq!(versions(&server), [(2, false, true), (1, true, false)]);
    // A rehearsal reads what its script may read: of a draft, that is no more than what is in use.
    let rehearse = |token: &str, source: &str| {
        server.send_as(token, "POST", &format!("{X}/rehearse"), Some(&json!({ "source": source })))
    };
    let refused = rehearse(&olga, &wide).expect(403).json();
    assert_eq!((&refused["code"], &refused["data"]["added"]), (&json!("permission_denied"), &json!(["exec.run:ls"])));
    let scenarios = json!({ "source": wide, "scenarios": "fn test_a() {}" });
    server.send_as(&olga, "POST", &format!("{X}/scenarios"), Some(&scenarios)).expect(403);
    rehearse(&olga, &source(&["kv.read:*"], "9")).expect(200);
    rehearse(&server.token, &wide).expect(200);
    // Neither a rescan, nor a restart, nor the same once more makes anything of it.
    server.write_workflow("lab/other", "const WORKFLOW =");
    wait_until("the folder to be looked at", SOON, || {
        server.get("/api/v1/workflows").json()["items"].as_array().unwrap().iter().any(|one| one["name"] == "lab/other")
    });
    server.kill_and_restart();
    put(&server, &olga, &wide);
    assert_eq!((output(&server), versions(&server)), (json!(1), vec![(2, false, true), (1, true, false)]));
    assert_eq!(shown(&server)["problem"]["data"]["version"], 2);
    // Activating it is refused as well; the answer to a trial says what is new.
    let activate = json!({ "version": 2, "dry_run": true });
    let tried = server.send_as(&olga, "POST", &format!("{X}/activate"), Some(&activate)).expect(200).json();
    assert_eq!(tried["added"], json!(["exec.run:ls"]));
    let activate = json!({ "version": 2, "message": "I have read it" });
    server.send_as(&olga, "POST", &format!("{X}/activate"), Some(&activate)).expect(403);
    assert_eq!(output(&server), 1);
    assert_eq!(server.post(&format!("{X}/activate"), &activate).expect(200).json()["added"], json!(["exec.run:ls"]));
    assert_eq!((output(&server), shown(&server)["problem"].clone()), (json!(2), Value::Null));
    assert_eq!(versions(&server), [(2, true, false), (1, false, false)]);
    // Less is everybody's to ask for; back to more isn't, by no way.
    put(&server, &olga, &source(&[], "3"));
    assert_eq!(output(&server), 3);
    assert_eq!(restore(&server, &olga, 2)["waiting"], 4);
    let several = json!({ "files": { "lab/x": source(&["kv.read:*"], "5"), "lib/y": "fn one() {\n    1\n}\n" } });
    let several = server.send_as(&olga, "POST", "/api/v1/workflows", Some(&several)).expect(200).json();
    assert_eq!(several["changed"][0]["added"], json!(["kv.read:*"]));
    assert_eq!(output(&server), 3);
    let new = json!({ "source": source(&["exec.run:ls"], "1").replace("lab/x", "lab/new") });
    let new = server.send_as(&olga, "PUT", "/api/v1/workflows/lab/new", Some(&new)).expect(200).json();
    assert_eq!((&new["version"], &new["waiting"]), (&Value::Null, &json!(1)), "{new}");
    // Nor by taking it away first.
    let digest = expected(&server).as_str().unwrap().to_owned();
    server.send_as(&olga, "DELETE", &format!("{X}?expected={digest}"), None).expect(204);
    let again = put(&server, &olga, &wide);
    assert_eq!((&again["version"], &again["added"]), (&Value::Null, &json!(["kv.read:*", "exec.run:ls"])));
    // An admin's word is in use at once, and who proposed what is in the audit log.
    let saved = put(&server, &server.token, &source(&["kv.read:*", "exec.run:*"], "6"));
    assert_eq!((&saved["waits"], &saved["added"]), (&Value::Null, &json!([])));
    assert_eq!(output(&server), 6);
    let proposed = server.get("/api/v1/audit?action=workflow.propose").expect(200).json();
    let entry = proposed["items"].as_array().unwrap().last().unwrap();
    assert!(entry["actor"].as_str().unwrap().contains("olga"), "{entry}");
    assert_eq!((&entry["target"], &entry["after"]["added"]), (&json!("lab/x"), &json!(["exec.run:ls"])));
}

#[test]
fn a_server_that_dies_over_a_save_has_nothing_in_use_that_waits() {
    let (mut server, olga) = server("");
    let narrow = source(&["kv.read:*"], "1");
    let mut waited = 0;
    for more in 1..=5 {
        server.kill_and_restart();
        let metrics = server.get("/metrics").expect(200).text;
        let commits = metrics.lines().find_map(|line| line.strip_prefix("windlass_commit_seconds_count ")).unwrap();
        let commits: usize = commits.parse().unwrap();
        server.kill();
        server.restart_to_crash(&format!("commit.before:{}", commits + more));
        let wide = source(&["kv.read:*", "exec.run:ls"], &format!("2 + {more}"));
        let body = json!({ "source": wide, "expected": expected(&server) });
        let request = reqwest::blocking::Client::new().put(format!("{}{X}", server.url)).bearer_auth(&olga);
        // It may be dead by now, or die over this.
        let _ = request.header("content-type", "application/json").body(body.to_string()).send();
        server.kill_and_restart();
        assert_eq!((output(&server), shown(&server)["version"].clone()), (json!(1), json!(1)), "commit {more}");
        waited += usize::from(std::fs::read_to_string(server.workflows().join("lab/x.rhai")).unwrap() == wide);
        server.write_workflow("lab/x", &narrow);
        wait_until("the file to be as before", SOON, || shown(&server)["problem"].is_null());
    }
    assert!(waited < 5, "the server died over none of the saves");
}

#[test]
fn a_module_brings_no_waiting_version_into_use() {
    let (server, olga) = server("");
    server.write_workflow("lib/y", "fn one() {\n    1\n}\n");
    let importing = source(&["exec.run:ls"], "y::one()").replace(";\n\nfn", ";\n\nimport \"lib/y\" as y;\n\nfn");
    assert_eq!(put(&server, &olga, &importing)["waiting"], 2);
    // Its bytes are others now, whoever changed the module, and at whichever place.
    let module = |value: i64| format!("fn one() {{\n    {value}\n}}\n");
    let files = json!({ "files": { "lib/y": module(2) } });
    server.post("/api/v1/workflows", &files).expect(200);
    assert_eq!((output(&server), versions(&server)[0]), (json!(1), (3, false, true)));
    server.write_workflow("lib/y", &module(3));
    wait_until("the module to be looked at", SOON, || versions(&server)[0] == (4, false, true));
    assert_eq!(output(&server), 1);
}

#[test]
fn files_wait_if_the_configuration_says_so() {
    let (mut server, olga) = server(REVIEW);
    // What an empty database begins with was installed with it.
    assert_eq!((output(&server), versions(&server)), (json!(1), vec![(1, true, false)]));
    server.write_workflow("lab/x", &source(&["kv.read:*", "exec.run:ls"], "2"));
    let problem = wait_for("the file to wait", SOON, || shown(&server)["problem"].as_object().cloned());
    assert_eq!((&problem["code"], &problem["data"]["added"]), (&json!("permission_denied"), &json!(["exec.run:ls"])));
    assert_eq!((output(&server), versions(&server)), (json!(1), vec![(2, false, true), (1, true, false)]));
    let listed = server.get("/api/v1/workflows?folder=lab").json()["items"][0].clone();
    assert_eq!((&listed["sound"], &listed["problem"]["code"]), (&json!(true), &json!("permission_denied")), "{listed}");
    server.kill_and_restart();
    assert_eq!(versions(&server).len(), 2, "a restart makes no further copy");
    assert_eq!(shown(&server)["problem"]["data"]["version"], 2);
    // Removed and made again it is still more than what was in use.
    let file = server.workflows().join("lab/x.rhai");
    std::fs::remove_file(&file).unwrap();
    wait_until("it to be gone", SOON, || server.get(X).status == 404);
    server.write_workflow("lab/x", &source(&["kv.read:*", "exec.run:ls"], "3"));
    wait_until("it to wait again", SOON, || versions(&server)[0] == (3, false, true));
    assert_eq!(server.post("/api/v1/runs", &json!({ "workflow": "lab/x" })).status, 403);
    // So is a workflow that nobody knows; one that asks for what was in use isn't.
    server.write_workflow("lab/new", &source(&["exec.run:ls"], "1").replace("lab/x", "lab/new"));
    wait_until("the new one to wait", SOON, || {
        let history = server.get("/api/v1/workflows/lab/new/history").json();
        history["items"][0]["waits"] == true
    });
    server.write_workflow("lab/x", &source(&["kv.read:*"], "4"));
    wait_until("what asks for as much to be in use", SOON, || server.get(X).json()["version"] == 4);
    assert_eq!(output(&server), 4);
    let activate = json!({ "version": 3 });
    server.send_as(&olga, "POST", &format!("{X}/activate"), Some(&activate)).expect(403);
    server.post(&format!("{X}/activate"), &activate).expect(200);
    assert_eq!(output(&server), 3);
}

#[test]
fn activating_says_what_becomes_of_open_runs() {
    let waits =
        |more: &str| source(&[], &format!("log(\"before\");\n    {more}approve(#{{ title: \"On?\" }});\n    2"));
    let (server, _) = server("");
    let saved = put(&server, &server.token, &waits(""));
    assert_eq!(saved["version"], 2);
    let run = server.launch("lab/x", &json!({}));
    let path = format!("/api/v1/runs/{run}");
    wait_until("the run to wait", SOON, || server.get(&path).json()["state"] == "waiting");
    // One that goes on as it began, and one that begins otherwise.
    let fits = put(&server, &server.token, &waits("").replace("    2\n", "    3\n"))["version"].clone();
    let differs = put(&server, &server.token, &waits("sleep(\"1ms\");\n    "))["version"].clone();
    let verdict = |version: &Value| {
        let tried = json!({ "version": version, "dry_run": true });
        let tried = server.post(&format!("{X}/activate"), &tried).expect(200).json();
        let runs = tried["runs"].as_array().unwrap().clone();
        assert_eq!((runs.len(), &runs[0]["run"]), (1, &json!(run)), "{tried}");
        runs[0].clone()
    };
    assert_eq!(verdict(&fits)["compatible"], true);
    let diverges = verdict(&differs);
    assert_eq!(diverges["compatible"], false, "{diverges}");
    assert!(diverges["verdict"].to_string().contains("sleep"), "{diverges}");
    let activated = server.post(&format!("{X}/activate"), &json!({ "version": fits })).expect(200).json();
    assert_eq!((&activated["activated"], &activated["runs"][0]["compatible"]), (&json!(true), &json!(true)));
    // Restoring makes a new version of an earlier source.
    let restored = restore(&server, &server.token, 1);
    assert_eq!((&restored["version"], output(&server)), (&json!(5), json!(1)));
    let text = |query: &str| server.get(&format!("{X}/source{query}")).expect(200).text;
    assert_eq!((text(""), text("?version=5")), (source(&["kv.read:*"], "1"), text("?version=1")));
    assert_eq!(restored["source_digest"], expected(&server));
}

#[test]
fn what_is_told_of_a_workflow_is_what_a_form_needs() {
    let header = r#"#{ name: "lab/x", title: "X", wizard: [#{ title: "Lab", help: "which" }, #{ title: "Size" }],
        inputs: #{ type: "object", required: ["lab"], properties: #{ lab: #{ type: "string", "x-step": "Lab" } } },
        permissions: ["kv.read:*", "exec.run:ls"], concurrency: #{ key: "lab/{lab}", limit: 2 } }"#;
    let text = format!("const WORKFLOW = {header};\n\nfn run(input) {{\n    1\n}}\n");
    let mut server = ApiServer::start_with(&[("lab/x", &text)], &[], POLICY);
    assert_eq!(shown(&server)["refused_by_policy"], json!([]));
    // The policy is narrower from now on: what is in use stays so, and gets no more than that.
    let settings = server.workflows().with_file_name("windlass.toml");
    std::fs::write(settings, POLICY.replace(", \"exec.*:*\"", "")).unwrap();
    server.kill_and_restart();
    let workflow = shown(&server);
    assert_eq!(workflow["workflow"]["wizard"], json!([{ "title": "Lab", "help": "which" }, { "title": "Size" }]));
    assert_eq!(workflow["workflow"]["inputs"]["properties"]["lab"]["x-step"], "Lab");
    assert_eq!(workflow["workflow"]["concurrency"], json!({ "key": "lab/{lab}", "limit": 2, "on_conflict": "queue" }));
    assert_eq!(workflow["refused_by_policy"], json!(["exec.run:ls"]));
    // The description of the API knows these fields.
    let api = server.get("/api/openapi.json").expect(200).json();
    let schemas = &api["components"]["schemas"];
    let header = &schemas["WorkflowHeader"]["properties"];
    for field in ["name", "title", "inputs", "wizard", "permissions", "rollback", "concurrency", "tags"] {
        assert!(header[field]["description"].is_string(), "{field}: {header}");
    }
    assert_eq!(header["wizard"]["type"], "array", "{header}");
    // A file with mistakes is told as such in the list, with all that is known of it, though the version before is in use.
    server.write_workflow("lab/x", &text.replace("    1\n", "    nope(\n"));
    let listed = wait_for("the broken file to be told", SOON, || {
        let listed = server.get("/api/v1/workflows").json()["items"][0].clone();
        // Not what the policy had against it.
        listed["problem"]["site"]["line"].as_i64().is_some_and(|line| line > 3).then_some(listed)
    });
    assert_eq!((&listed["sound"], &listed["version"], &listed["title"]), (&json!(true), &json!(1), &json!("X")));
    assert_eq!(listed["problem"]["code"], "workflow_invalid");
}
