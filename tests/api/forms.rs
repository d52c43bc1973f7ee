//! What forms ask of the server: whether an input fits, before anything is launched; what its machine can do; and a
//! rehearsal that comes to an end where somebody would have to fill in a form.

use serde_json::{Value, json};
use windlass_tests::ApiServer;

use super::people;

const SITE: &str = r#"const WORKFLOW = #{ name: "lab/site", title: "A site", inputs: #{ type: "object", required: ["name"],
    additionalProperties: false, properties: #{ name: #{ type: "string", minLength: 2 }, count: #{ type: "integer", "default": 3 },
    key: #{ type: "string", "x-secret": true }, nodes: #{ type: "array", items: #{ type: "object", required: ["address"] } } } } };
fn run(input) { 1 }
"#;

const ASKS: &str = r#"const WORKFLOW = #{ name: "lab/asks", title: "Asks" };
fn run(input) {
    let said = approve(#{ title: "Go on?", form: #{ type: "object", required: ["window", "count", "who", "note"], properties: #{
        window: #{ "enum": ["tonight"] }, count: #{ type: "integer", minimum: 4 }, note: #{ type: "string", minLength: 30 },
        who: #{ type: "object", required: ["name"], properties: #{ name: #{ type: "string" } } } } } });
    said.form.count
}
"#;

const STRICT: &str = r#"const WORKFLOW = #{ name: "lab/strict", title: "Asks for what nobody guesses" };
fn run(input) {
    approve(#{ title: "Which ticket?", form: #{ type: "object", required: ["ticket"], properties: #{ ticket: #{ type: "string", pattern: "^CH-[0-9]+$" } } } })
}
"#;

fn checked(server: &ApiServer, input: Value) -> Value {
    server.post("/api/v1/workflows/lab/site/input", &json!({ "input": input })).expect(200).json()
}

fn places(checked: &Value) -> Vec<&str> {
    let faults = checked["faults"].as_array().unwrap().iter();
    let mut places: Vec<&str> = faults.map(|fault| fault["pointer"].as_str().unwrap()).collect();
    places.sort_unstable();
    places
}

#[test]
fn an_input_is_checked_as_a_launch_would_and_nothing_is_launched() {
    let server = ApiServer::start_with(&[("lab/site", SITE)], &[], "");
    let fits = checked(&server, json!({ "name": "berlin" }));
    assert_eq!(fits, json!({ "fits": true, "faults": [] }));
    let wrong = checked(&server, json!({ "name": "b", "count": "many", "more": 1, "nodes": [{ "address": 1 }, {}] }));
    assert_eq!((&wrong["fits"], places(&wrong)), (&json!(false), vec!["/count", "/more", "/name", "/nodes/1/address"]));
    // A secret is named, and what isn't a name is not repeated.
    let value = checked(&server, json!({ "name": "berlin", "key": "hunter2-hunter2" }));
    assert_eq!(places(&value), ["/key"]);
    assert!(!value.to_string().contains("hunter2"), "{value}");
    server.put("/api/v1/secrets/acme/key", &json!({ "value": "hunter2-hunter2", "to": ["exec:*"] })).expect(204);
    assert_eq!(checked(&server, json!({ "name": "berlin", "key": "acme/key" }))["fits"], true);
    assert_eq!(server.get("/api/v1/runs").expect(200).json()["items"], json!([]));
    server.post("/api/v1/workflows/lab/none/input", &json!({ "input": {} })).expect(404);
    server.post("/api/v1/workflows/lab/site/input", &json!({})).expect(400);
    // Whoever may not launch it learns nothing of secrets' names by asking.
    people::user(&server, "vera", "platform", "viewer@platform");
    let (token, body) = (people::token(&server, "vera"), json!({ "input": {} }));
    server.send_as(&token, "POST", "/api/v1/workflows/lab/site/input", Some(&body)).expect(403);
}

#[test]
fn the_machine_is_looked_at_for_admins() {
    let server = ApiServer::start_with(&[("lab/site", SITE)], &[], "");
    let told = server.get("/api/v1/doctor").expect(200).json();
    let findings = told["findings"].as_array().unwrap();
    for name in ["user", "network namespaces", "database", "workflows", "data folder", "disk sync"] {
        let found = findings.iter().find(|finding| finding["name"] == name).unwrap_or_else(|| panic!("{name}: {told}"));
        assert!(["fine", "missing", "broken"].contains(&found["standing"].as_str().unwrap()), "{found}");
        assert!(!found["found"].as_str().unwrap().is_empty(), "{found}");
    }
    // The server that answers executes the runs of this folder itself: that isn't a fault.
    assert!(findings.iter().any(|finding| finding["name"] == "data folder" && finding["standing"] == "fine"), "{told}");
    // Asked again at once, it doesn't look again.
    assert_eq!(server.get("/api/v1/doctor").expect(200).json(), told);
}

#[test]
fn a_rehearsal_fills_in_what_a_decision_has_to_and_else_goes_on_denied() {
    let server = ApiServer::start_with(&[("lab/asks", ASKS), ("lab/strict", STRICT)], &[], "");
    let rehearsed = |name: &str| {
        server.post(&format!("/api/v1/workflows/{name}/rehearse"), &json!({ "input": {} })).expect(200).json()
    };
    let plan = rehearsed("lab/asks");
    assert_eq!((&plan["state"], &plan["output"]), (&json!("succeeded"), &json!(4)), "{plan}");
    let plan = rehearsed("lab/strict");
    let said = &plan["output"];
    assert_eq!((&plan["state"], &said["approved"]), (&json!("succeeded"), &json!(false)), "{plan}");
    assert!(said["comment"].as_str().unwrap().contains("can't fill in this form"), "{plan}");
}
