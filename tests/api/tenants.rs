//! What one organisation keeps changes nothing of what another's runs do, and tells them nothing.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};
use windlass_tests::ApiServer;

const KEEPS: &str = r##"const WORKFLOW = #{ name: "lab/keeps", title: "Keeps", permissions: ["kv.read:*", "kv.write:*"] };
fn run(input) {
    log("the namespace is hunter-of-" + "acme");
    kv_set("lab/told", #{ namespace: "namespace", word: "hunter-of-acme" });
    kv_get("lab/told")
}
"##;

const RESTORE: &str = r#"const WORKFLOW = #{ name: "lab/restore", title: "Restore", permissions: [] };
fn run(input) { 1 }
"#;

fn open() -> ApiServer {
    let workflows = [("lab/keeps", KEEPS), ("lab/restore", RESTORE)];
    let server = ApiServer::start_with(&workflows, &[], "[policy]\n\"lab/*\" = [\"kv.*:*\"]\n");
    for name in ["acme", "beta"] {
        server.post("/api/v1/organisations", &json!({ "name": name })).expect(201);
    }
    server
}

#[test]
fn a_secret_is_looked_for_in_its_own_organisations_runs_alone() {
    let server = open();
    let set = |name: &str, value: &str| {
        server.put(&format!("/api/v1/secrets/orgs/acme/{name}"), &json!({ "value": value, "to": ["exec:*"] }))
    };
    set("guess", "namespace").expect(204);
    set("key", "hunter-of-acme").expect(204);
    let told = |organisation: &str| {
        let body = json!({ "workflow": "lab/keeps", "organisation": organisation });
        let run = server.post("/api/v1/runs", &body).expect(201).json()["id"].as_str().unwrap().to_owned();
        let ended = server.ended(&run);
        let export = server.get(&format!("/api/v1/runs/{run}/export")).expect(200).text;
        (ended["output"].clone(), export.contains("the namespace is hunter-of-acme"))
    };
    let whole = json!({ "namespace": "namespace", "word": "hunter-of-acme" });
    for organisation in ["beta", "platform"] {
        let (output, logged) = told(organisation);
        assert_eq!((output, logged), (whole.clone(), true), "{organisation}");
    }
    let (output, logged) = told("acme");
    assert_eq!(output, json!({ "namespace": "[secret]", "word": "[secret]" }), "and no key");
    assert!(!logged);
}

#[test]
fn an_organisation_keeps_so_many_secrets_of_so_many_bytes_unless_more_is_said() {
    let server = open();
    let set = |name: &str, value: &str| {
        server.put(&format!("/api/v1/secrets/{name}"), &json!({ "value": value, "to": ["*"] }))
    };
    set("orgs/acme/long", &"x".repeat(64 << 10)).expect(204);
    let refused = set("orgs/acme/longer", &"x".repeat((64 << 10) + 1)).expect(400).json();
    assert_eq!(refused["code"], "invalid_input", "{refused}");
    set("longer", &"x".repeat((64 << 10) + 1)).expect(204);
    for number in 1..100 {
        set(&format!("orgs/acme/n{number}"), &format!("value {number}")).expect(204);
    }
    let refused = set("orgs/acme/more", "one more").expect(422).json();
    assert_eq!((&refused["code"], &refused["data"]["limit"]), (&json!("limit_exceeded"), &json!(100)), "{refused}");
    set("orgs/acme/n7", "another value").expect(204);
    set("orgs/beta/first", "of another").expect(204);
    server.put("/api/v1/organisations/acme/quotas", &json!({ "secrets": 101 })).expect(200);
    set("orgs/acme/more", "one more").expect(204);
}

#[test]
fn a_workflow_that_is_called_like_what_is_done_with_one_is_read_and_saved() {
    let server = open();
    server.get("/api/v1/workflows/lab/restore").expect(405);
    assert!(server.get("/api/v1/workflows/lab%2Frestore").expect(200).text.contains("lab/restore"));
    assert!(server.get("/api/v1/workflows/lab/restore/source").expect(200).text.contains("Restore"));
    server.post("/api/v1/workflows/lab/restore/check", &json!({})).expect(200);
    let save = |expected: &Value| {
        let source = RESTORE.replace("{ 1 }", "{ 2 }");
        server.put("/api/v1/workflows/lab%2Frestore", &json!({ "source": source, "expected": expected }))
    };
    let digest = save(&Value::Null).expect(412).json()["data"]["digest"].clone();
    save(&digest).expect(200);
    let run = server.launch("lab/restore", &json!({}));
    assert_eq!(server.ended(&run)["output"], 2);
    let source = KEEPS.replace("lab/keeps", "lab/source");
    server.put("/api/v1/workflows/lab/source", &json!({ "source": source })).expect(405);
    server.put("/api/v1/workflows/lab%2Fsource", &json!({ "source": source })).expect(200);
    assert!(server.get("/api/v1/workflows/lab%2Fsource").expect(200).text.contains("lab/source"));
}

#[test]
fn what_is_sent_to_no_webhook_is_not_read_and_no_name_has_a_zero_byte() {
    let server = open();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"POST /api/v1/hooks/nobody HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
    for path in ["runs/%00", "claims/%00/fetch", "labs/x%00", "secrets/orgs/%00", "workflows/lab/%00x"] {
        for method in ["GET", "POST"] {
            let body = (method == "POST").then(|| json!({}));
            let answer = server.send_as(&server.token, method, &format!("/api/v1/{path}"), body.as_ref());
            assert!([404, 405].contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text);
        }
    }
}
