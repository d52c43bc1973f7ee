//! Plans: what was rehearsed is what is launched, or nothing is.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{ApiServer, wait_until};

use super::people;

const SOON: Duration = Duration::from_secs(60);

fn source(title: &str) -> String {
    format!(
        "const WORKFLOW = #{{ name: \"lab/x\", title: \"{title}\", inputs: #{{ type: \"object\", properties: #{{\n    \
         count: #{{ type: \"integer\", \"default\": 3 }}, key: #{{ type: \"string\", \"x-secret\": true }} }} }} }};\n\n\
         fn run(input) {{\n    log(\"with \" + input.key);\n    kv_set(\"lab/n\", input.count);\n    input.count\n}}\n"
    )
    .replace("title: ", "permissions: [\"kv.*:lab/*\"], title: ")
}

/// A server with the secrets whose names are launched with.
fn server() -> ApiServer {
    let server = ApiServer::start(&[("lab/x", &source("First"))]);
    for name in ["very-secret-word", "another-word", "k"] {
        let kept = server.put(&format!("/api/v1/secrets/{name}"), &json!({ "value": "kept well", "to": ["exec:*"] }));
        assert!((200..300).contains(&kept.status), "{kept:?}");
    }
    server
}

fn planned(server: &ApiServer, input: &Value) -> Value {
    server.post("/api/v1/plans", &json!({ "workflow": "lab/x", "input": input })).expect(201).json()
}

fn runs(server: &ApiServer) -> usize {
    server.get("/api/v1/runs").expect(200).json()["items"].as_array().unwrap().len()
}

#[test]
fn a_launch_that_names_a_plan_is_what_was_planned_or_refused() {
    let server = server();
    let input = json!({ "key": "very-secret-word" });
    let plan = planned(&server, &input);
    let id = plan["id"].as_str().unwrap();
    assert_eq!((&plan["input"], &plan["removed"]), (&json!({ "count": 3 }), &json!(["key"])));
    assert_eq!((&plan["state"], &plan["current"], &plan["version"]), (&json!("succeeded"), &json!(true), &json!(1)));
    assert!(plan["plan"]["plan"].as_array().is_some_and(|steps| steps.len() == 1), "{plan}");
    let shown = server.get(&format!("/api/v1/plans/{id}")).expect(200);
    assert_eq!(shown.json(), plan);
    assert!(!shown.text.contains("very-secret"), "{}", shown.text);
    let days = (plan["expires_at_ms"].as_i64().unwrap() - plan["at_ms"].as_i64().unwrap()) / 86_400_000;
    assert!((29..=30).contains(&days), "{days}");

    let launch = |body: Value| server.post("/api/v1/runs", &body);
    // The same input, with the default written out: it is the same to the script.
    let same = json!({ "workflow": "lab/x", "input": { "key": "very-secret-word", "count": 3 }, "plan": id });
    let run = launch(same.clone()).expect(201).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(server.ended(&run)["output"], 3);
    // The run tells which plan it was launched with, and is found by it; a later launch of the same isn't.
    let shown = |run: &str| server.get(&format!("/api/v1/runs/{run}")).expect(200).json();
    assert_eq!((&shown(&run)["plan"], &shown(&run)["tags"]), (&json!(id), &json!([format!("plan:{id}")])));
    let found = server.get(&format!("/api/v1/runs?tag=plan:{id}")).expect(200).json()["items"].clone();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["id"]), (1, &json!(run)));
    let again = server.post(&format!("/api/v1/runs/{run}/retry"), &json!({})).expect(201).json();
    let again = again["id"].as_str().unwrap();
    server.ended(again);
    assert_eq!(shown(again)["plan"], Value::Null);
    let forged = json!({ "workflow": "lab/x", "input": input, "tags": [format!("plan:{id}")] });
    assert_eq!(launch(forged).expect(400).json()["data"]["pointer"], "/tags/0");
    for other in [json!({ "key": "another-word" }), json!({ "key": "very-secret-word", "count": 4 })] {
        let refused = launch(json!({ "workflow": "lab/x", "input": other, "plan": id })).expect(412).json();
        assert_eq!(refused["data"]["pointer"], "/input", "{refused}");
    }
    let none = launch(json!({ "workflow": "lab/x", "input": input, "plan": "nothing" })).expect(404).json();
    assert_eq!(none["data"]["pointer"], "/plan");
    // Another version is in use: what was looked at isn't what would happen.
    server.write_workflow("lab/x", &source("Second"));
    let current = || server.get(&format!("/api/v1/plans/{id}")).expect(200).json()["current"] == true;
    wait_until("the plan to be out of date", SOON, || !current());
    let refused = launch(same.clone()).expect(412).json();
    assert_eq!((&refused["code"], &refused["data"]["pointer"]), (&json!("precondition_failed"), &json!("/plan")));
    assert_eq!(runs(&server), 2);
    server.post("/api/v1/workflows/lab/x/activate", &json!({ "version": 1 })).expect(200);
    launch(same).expect(201);
    let audit = server.get("/api/v1/audit?action=run.launch").expect(200).json();
    assert_eq!(audit["items"][0]["after"]["plan"], id);
}

#[test]
fn a_rehearsal_is_of_what_is_in_use_and_not_of_a_file_with_mistakes() {
    let server = server();
    server.write_workflow("lab/x", "const WORKFLOW = #{ name: \"lab/x\", ti");
    let problem = || !server.get("/api/v1/workflows/lab/x").expect(200).json()["problem"].is_null();
    wait_until("half a file to be refused", SOON, problem);
    assert_eq!(planned(&server, &json!({ "key": "k" }))["state"], "succeeded");
    let wrong = server.post("/api/v1/plans", &json!({ "workflow": "lab/x", "input": { "count": "many" } }));
    assert_eq!(wrong.expect(400).json()["data"]["pointer"], "/input/count");
}

#[test]
fn plans_are_listed_for_those_who_may_see_them() {
    let server = server();
    for name in ["acme", "zeta"] {
        server.post("/api/v1/organisations", &json!({ "name": name })).expect(201);
    }
    people::user(&server, "ann", "acme", "operator@acme");
    people::user(&server, "zoe", "zeta", "operator@zeta");
    let (ann, zoe) = (people::token(&server, "ann"), people::token(&server, "zoe"));
    let body = json!({ "workflow": "lab/x", "input": { "key": "k" } });
    let id = |token: &str| {
        let made = server.send_as(token, "POST", "/api/v1/plans", Some(&body)).expect(201).json();
        made["id"].as_str().unwrap().to_owned()
    };
    let (first, second, foreign) = (id(&ann), id(&ann), id(&zoe));
    let list = |token: &str, query: &str| {
        server.send_as(token, "GET", &format!("/api/v1/plans{query}"), None).expect(200).json()
    };
    let ids = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&list(&ann, "")), [second.as_str(), first.as_str()]);
    let page = list(&ann, "?limit=1");
    assert_eq!(ids(&page), [second.as_str()]);
    let rest = list(&ann, &format!("?limit=1&cursor={}", page["next"].as_str().unwrap()));
    assert_eq!((ids(&rest), &rest["next"]), (vec![first], &Value::Null));
    assert_eq!(ids(&list(&server.token, "?organisation=zeta")), [foreign.as_str()]);
    assert!(ids(&list(&ann, "?organisation=zeta")).is_empty());
    // Another organisation's plan is as if it weren't there, for a launch as well.
    server.send_as(&ann, "GET", &format!("/api/v1/plans/{foreign}"), None).expect(404);
    let launch = json!({ "workflow": "lab/x", "input": { "key": "k" }, "plan": foreign });
    server.send_as(&ann, "POST", "/api/v1/runs", Some(&launch)).expect(404);
}
