//! What changes organisations is begun again, or gone on with, by nobody who may not begin it.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{ApiServer, wait_for};

use super::people;

const FAILS: &str = r##"const WORKFLOW = #{ name: "franchise/fails", title: "Fails", permissions: ["org.write:*"], rollback: "none" };
fn run(input) {
    org::suspend(input.name, "unpaid");
    random();
    throw "no"
}
"##;

const SUSPENDS: &str = r#"org::suspend(input.name, "unpaid")"#;

fn waiting(grants: &str, then: &str) -> String {
    format!(
        r##"const WORKFLOW = #{{ name: "franchise/waits", title: "Waits", permissions: [{grants}], rollback: "none" }};
fn run(input) {{ wait_signal("go"); {then} }}
"##
    )
}

fn open() -> ApiServer {
    let waits = waiting("", "throw \"no\"");
    let workflows = [("franchise/fails", FAILS), ("franchise/waits", waits.as_str())];
    let server = ApiServer::start_with(&workflows, &[], "[policy]\n\"franchise/*\" = [\"org.*:*\"]\n");
    server.post("/api/v1/organisations", &json!({ "name": "north", "kind": "franchisee" })).expect(201);
    for name in ["acme", "beta"] {
        server.post("/api/v1/organisations", &json!({ "name": name, "parent": "north" })).expect(201);
    }
    server
}

fn launched(server: &ApiServer, workflow: &str, name: &str) -> String {
    let body = json!({ "workflow": workflow, "input": { "name": name }, "organisation": "north" });
    server.post("/api/v1/runs", &body).expect(201).json()["id"].as_str().unwrap().to_owned()
}

#[test]
fn who_may_only_operate_manages_nothing_by_a_restart_or_an_upgrade() {
    let server = open();
    people::user(&server, "olga", "north", "operator@north");
    people::user(&server, "boss", "north", "franchisee@north");
    let (olga, boss) = (people::token(&server, "olga"), people::token(&server, "boss"));
    let ask = |token: &str, path: &str, body: Value| server.send_as(token, "POST", path, Some(&body));
    let organisation = |name: &str| format!("/api/v1/organisations/{name}");
    let suspended = |name: &str| server.get(&organisation(name)).expect(200).json()["suspended"] == true;
    ask(&olga, "/api/v1/organisations/acme/suspend", json!({})).expect(403);
    // It suspends, and fails then: what it did stands, and could be done again.
    let id = launched(&server, "franchise/fails", "acme");
    let failed = server.ended(&id);
    assert_eq!((&failed["state"], suspended("acme")), (&json!("failed"), true), "{failed:#}");
    server.post("/api/v1/organisations/acme/resume", &json!({})).expect(200);
    for body in [json!({ "from": "0" }), json!({ "from": "0", "current": true }), json!({})] {
        let refused = ask(&olga, &format!("/api/v1/runs/{id}/restart"), body.clone()).expect(403).json();
        assert_eq!(refused["code"], "permission_denied", "{body}: {refused:#}");
    }
    let bulk = json!({ "filter": { "id": id }, "action": "restart", "preview": false, "expected_count": 1 });
    let refused = ask(&olga, "/api/v1/runs/bulk", bulk).expect(200).json();
    assert_eq!(refused["results"][0]["problem"]["code"], "permission_denied", "{refused:#}");
    assert!(!suspended("acme"));
    // One that manages nothing may be upgraded and restarted; not to a version that does.
    let waits = launched(&server, "franchise/waits", "beta");
    wait_for("the run to wait", Duration::from_secs(60), || {
        (server.get(&format!("/api/v1/runs/{waits}")).json()["state"] == "waiting").then_some(())
    });
    ask(&olga, &format!("/api/v1/runs/{waits}/upgrade"), json!({})).expect(200);
    // An admin puts it in use.
    let path = "/api/v1/workflows/franchise/waits";
    let save = |expected: &Value| {
        let source = waiting(r#""org.write:*""#, SUSPENDS);
        server.put(path, &json!({ "source": source, "expected": expected }))
    };
    let digest = save(&Value::Null).expect(412).json()["data"]["digest"].clone();
    save(&digest).expect(200);
    let refused = ask(&olga, &format!("/api/v1/runs/{waits}/upgrade"), json!({})).expect(403).json();
    assert_eq!(refused["code"], "permission_denied", "{refused:#}");
    ask(&olga, &format!("/api/v1/runs/{waits}/signal"), json!({ "name": "go" })).expect(200);
    assert_eq!(server.ended(&waits)["state"], "failed", "with the grants that it was launched with");
    ask(&olga, &format!("/api/v1/runs/{waits}/restart"), json!({ "current": true })).expect(403);
    ask(&olga, &format!("/api/v1/runs/{waits}/restart"), json!({})).expect(200);
    assert_eq!(server.ended(&waits)["state"], "failed");
    assert!(!suspended("beta"));
    // Whoever manages the organisation does all of it.
    ask(&boss, &format!("/api/v1/runs/{waits}/restart"), json!({ "current": true })).expect(200);
    assert_eq!(server.ended(&waits)["state"], "succeeded");
    ask(&boss, &format!("/api/v1/runs/{id}/restart"), json!({ "from": "0" })).expect(200);
    server.ended(&id);
    assert!(suspended("acme") && suspended("beta"));
}
