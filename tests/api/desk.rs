//! What an editor asks: the file as it stands, the header of a draft, scenarios run and saved, who else is at it.

use serde_json::{Value, json};
use windlass_tests::ApiServer;

use super::people;

const MODULE: &str = "//! Words.\n\nfn greeting(who) { \"hello \" + who }\n";
const PASSES: &str = "fn test_it_greets() {\n    assert_eq(scenario(\"lab/x\").run().output, \"hello you\");\n}\n";
const X: &str = "/api/v1/workflows/lab/x";

fn source(title: &str, body: &str) -> String {
    format!(
        "import \"lib/words\" as words;\n\nconst WORKFLOW = #{{ name: \"lab/x\", title: \"{title}\", permissions: [] }};\n\n\
         fn run(input) {{\n    {body}\n}}\n"
    )
}

fn greets() -> String {
    source("X", "words::greeting(\"you\")")
}

fn server() -> ApiServer {
    ApiServer::start(&[("lab/x", &greets()), ("lib/words", MODULE)])
}

/// Somebody with this role in the platform.
fn somebody(server: &ApiServer, name: &str, role: &str) -> String {
    people::user(server, name, "platform", &format!("{role}@platform"));
    people::token(server, name)
}

fn file(server: &ApiServer) -> Value {
    server.get(&format!("{X}/file")).expect(200).json()
}

fn run(server: &ApiServer, body: &Value) -> Value {
    server.post(&format!("{X}/scenarios"), body).expect(200).json()
}

fn names(value: &Value, key: &str) -> Vec<String> {
    value.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_file_is_shown_as_it_stands() {
    let server = server();
    let shown = file(&server);
    assert_eq!((&shown["source"], &shown["version"], &shown["in_use"]), (&json!(greets()), &json!(1), &json!(true)));
    assert_eq!(shown["source_digest"], blake3::hash(greets().as_bytes()).to_hex().as_str());
    assert_eq!((&shown["module"], &shown["modules"]), (&json!(false), &json!(["lib/words"])));
    assert_eq!((&shown["scenarios"], &shown["scenarios_digest"]), (&Value::Null, &Value::Null));

    let module = server.get("/api/v1/workflows/lib/words/file").expect(200).json();
    assert_eq!(
        (&module["source"], &module["module"], &module["version"]),
        (&json!(MODULE), &json!(true), &Value::Null)
    );

    // With mistakes, too: what it was before stays in use.
    server.write_workflow("lab/x", "const WORKFLOW = ");
    let broken = file(&server);
    assert_eq!((&broken["source"], &broken["in_use"]), (&json!("const WORKFLOW = "), &json!(false)));
    assert_eq!(broken["version"], 1);

    // Gone: what is in use.
    std::fs::remove_file(server.workflows().join("lab/x.rhai")).unwrap();
    assert_eq!(file(&server)["source"], greets());
    server.get("/api/v1/workflows/lab/none/file").expect(404);
    server.get("/api/v1/workflows/lab/%2e%2e/%2e%2e/windlass/file").expect(404);
}

#[test]
fn a_check_tells_the_header_of_the_source_that_was_sent() {
    let server = server();
    let check = |source: &str| server.post(&format!("{X}/check"), &json!({ "source": source })).expect(200).json();
    let draft =
        check(&source("Another", "1").replace("permissions: []", "permissions: [\"exec.run:ping\", \"net.write:*\"]"));
    assert_eq!((&draft["workflow"]["title"], &draft["workflow"]["name"]), (&json!("Another"), &json!("lab/x")));
    assert_eq!(names(&draft["grants"], "grant"), ["exec.run:ping", "net.write:*"]);
    assert!(draft["grants"][1]["words"].as_str().unwrap().contains("network devices"), "{draft}");
    // A mistake elsewhere takes nothing away; a header that can't be read does.
    let mistaken = check(&source("Another", "lgo(1)"));
    assert_eq!((&mistaken["sound"], &mistaken["workflow"]["title"]), (&json!(false), &json!("Another")));
    let unreadable = check("const WORKFLOW = #{");
    assert_eq!((&unreadable["workflow"], &unreadable["grants"]), (&Value::Null, &json!([])));
    let refused = check(&source("X", "1").replace("permissions: []", "permissions: [\"kv.write:*\"]"));
    assert_eq!(refused["refused_by_policy"], json!(["kv.write:*"]));
}

#[test]
fn scenarios_run_on_what_is_saved_and_on_drafts() {
    let server = server();
    let none = server.post(&format!("{X}/scenarios"), &json!({}));
    assert_eq!(none.expect(404).json()["code"], "not_found");
    server.write_workflow("lab/x.test", PASSES);
    assert_eq!(file(&server)["scenarios"], PASSES);

    let saved = run(&server, &json!({}));
    assert_eq!((&saved["passed"], &saved["scenarios"][0]["name"]), (&json!(true), &json!("test_it_greets")));
    let draft = run(&server, &json!({ "source": source("X", "words::greeting(\"nobody\")") }));
    assert_eq!(draft["passed"], false);
    assert_eq!(draft["scenarios"][0]["site"]["line"], 2);
    let other = PASSES.replace("hello you", "hello nobody");
    assert_eq!(run(&server, &json!({ "scenarios": other }))["passed"], false);
    let both = json!({ "source": source("X", "words::greeting(\"nobody\")"), "scenarios": other });
    assert_eq!(run(&server, &both)["passed"], true);

    // Nothing of that was saved.
    let shown = file(&server);
    assert_eq!(
        (&shown["source"], &shown["scenarios"], &shown["version"]),
        (&json!(greets()), &json!(PASSES), &json!(1))
    );
    assert_eq!(server.get("/api/v1/runs").expect(200).json()["items"], json!([]));
    let mistaken = server.post(&format!("{X}/scenarios"), &json!({ "scenarios": "fn test_a( {}" }));
    assert_eq!(mistaken.expect(422).json()["code"], "workflow_invalid");
}

#[test]
fn scenarios_are_saved_once_and_over_nobodys() {
    let server = server();
    let path = format!("{X}/scenarios");
    let put = |text: &str, expected: &Value| {
        let mut body = json!({ "scenarios": text });
        if !expected.is_null() {
            body["expected"] = expected.clone();
        }
        server.put(&path, &body)
    };
    let first = put(PASSES, &Value::Null).expect(200).json()["scenarios_digest"].clone();
    assert_eq!(std::fs::read_to_string(server.workflows().join("lab/x.test.rhai")).unwrap(), PASSES);
    assert_eq!(file(&server)["scenarios_digest"], first);
    assert_eq!(run(&server, &json!({}))["passed"], true);

    // Who knows of none, or of older ones, is refused.
    let second = format!("{PASSES}\nfn test_more() {{}}\n");
    assert_eq!(put(&second, &Value::Null).expect(412).json()["code"], "precondition_failed");
    let newer = put(&second, &first).expect(200).json()["scenarios_digest"].clone();
    let refused = put(PASSES, &first).expect(412).json();
    assert_eq!(refused["data"]["digest"], newer);
    assert_eq!(file(&server)["scenarios"], second);

    // With mistakes they aren't saved; their place is told.
    let mistaken = put("fn test_a( {}", &newer).expect(422).json();
    assert_eq!((&mistaken["code"], &mistaken["site"]["file"]), (&json!("workflow_invalid"), &json!("lab/x.test")));
    assert_eq!(put("fn other() {}", &newer).expect(422).json()["code"], "workflow_invalid");
    assert_eq!(file(&server)["scenarios"], second);

    // None at all: the file is gone.
    assert_eq!(put(" ", &newer).expect(200).json()["scenarios_digest"], Value::Null);
    assert!(!server.workflows().join("lab/x.test.rhai").exists());
    assert_eq!(put("", &newer).expect(412).json()["code"], "precondition_failed");

    let log = server.get("/api/v1/audit?action=workflow.scenarios").expect(200).json();
    let entries = log["items"].as_array().unwrap();
    assert_eq!(entries.len(), 3, "{log}");
    assert_eq!((&entries[1]["target"], &entries[1]["before"], &entries[1]["after"]), (&json!("lab/x"), &first, &newer));
}

#[test]
fn scenarios_are_read_within_the_bound_of_scripts() {
    let server = server();
    let path = server.workflows().join("lab/x.test.rhai");
    std::fs::write(&path, "// one line more\n".repeat(20_000)).unwrap();
    let refused = [server.get(&format!("{X}/file")), server.post(&format!("{X}/scenarios"), &json!({}))];
    for answer in refused {
        assert_eq!(answer.json()["code"], "limit_exceeded", "{answer:?}");
        assert!(answer.text.contains("source_bytes"), "{answer:?}");
    }
    std::fs::write(&path, PASSES).unwrap();
    assert_eq!(file(&server)["scenarios"], PASSES);
}

#[test]
fn scenarios_are_written_beside_their_workflow_and_nowhere_else() {
    let server = server();
    let body = json!({ "scenarios": PASSES });
    server.put("/api/v1/workflows/lab/none/scenarios", &body).expect(404);
    assert!(!server.workflows().join("lab/none.test.rhai").exists());
    for odd in ["lab/x.test", "lab/x%2e", "lab/%2e%2e/x", "x"] {
        let answer = server.put(&format!("/api/v1/workflows/{odd}/scenarios"), &body);
        assert!([400, 404].contains(&answer.status), "{odd}: {}", answer.status);
    }
    // A link isn't followed out of the folder.
    let outside = server.data().join("outside.rhai");
    std::fs::write(&outside, "theirs").unwrap();
    std::os::unix::fs::symlink(&outside, server.workflows().join("lab/x.test.rhai")).unwrap();
    server.put(&format!("{X}/scenarios"), &body).expect(400);
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "theirs");
    assert_eq!(file(&server)["scenarios"], Value::Null);
}

#[test]
fn who_may_not_edit_reads_and_no_more() {
    let server = server();
    server.write_workflow("lab/x.test", PASSES);
    let viewer = somebody(&server, "vera", "viewer");
    let ask = |method: &str, end: &str, body: Option<Value>| {
        server.send_as(&viewer, method, &format!("{X}/{end}"), body.as_ref())
    };
    assert_eq!(ask("GET", "file", None).expect(200).json()["source"], greets());
    ask("POST", "scenarios", Some(json!({}))).expect(403);
    ask("PUT", "scenarios", Some(json!({ "scenarios": "" }))).expect(403);
    ask("POST", "editors", Some(json!({ "seat": "1" }))).expect(403);
    assert_eq!(file(&server)["scenarios"], PASSES);
    // Who has nothing to do with it isn't told that it is there.
    people::user(&server, "nora", "platform", "viewer@platform/other");
    let stranger = people::token(&server, "nora");
    server.send_as(&stranger, "GET", &format!("{X}/file"), None).expect(404);
}

#[test]
fn editors_hear_of_one_another_until_they_leave() {
    let server = server();
    let olga = somebody(&server, "olga", "operator");
    let say = |token: Option<&str>, body: Value| {
        let path = format!("{X}/editors");
        let answer = match token {
            Some(token) => server.send_as(token, "POST", &path, Some(&body)),
            None => server.post(&path, &body),
        };
        answer.expect(200).json()["others"].clone()
    };
    assert_eq!(say(None, json!({ "seat": "a" })), json!([]));
    assert_eq!(names(&say(Some(&olga), json!({ "seat": "a", "changed": true })), "by"), ["admin"]);
    let others = say(None, json!({ "seat": "a" }));
    assert_eq!((&others[0]["by"], &others[0]["changed"]), (&json!("olga"), &json!(true)));
    // Another page of one's own is told, too.
    assert_eq!(names(&say(None, json!({ "seat": "b" })), "by"), ["admin", "olga"]);
    assert_eq!(say(Some(&olga), json!({ "seat": "a", "leaving": true })), json!([]));
    assert_eq!(names(&say(None, json!({ "seat": "b" })), "by"), ["admin"]);

    for seat in ["", &"x".repeat(65)] {
        let refused = server.post(&format!("{X}/editors"), &json!({ "seat": seat })).expect(400).json();
        assert_eq!(refused["code"], "invalid_input");
    }
}
