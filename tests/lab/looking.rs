//! Labs over the API: what there is of them, what differs, and documents that are checked, compared and imported.

use std::process::Command;

use serde_json::{Value, json};
use windlass_tests::{ApiServer, can_make_namespaces, skip};

use super::owners::{outcome, sources};
use crate::api::people;

fn pair() -> Value {
    json!({ "name": "pair", "nodes": [{ "name": "a" }, { "name": "b" }],
        "links": [{ "endpoints": [{ "at": "a:eth0", "addresses": ["10.0.0.1/24"] }, { "at": "b:eth0", "addresses": ["10.0.0.2/24"] }] }] })
}

/// A deployment that fails leaves longer packets behind: a lab is no other lab for it, but differs until it is deployed again.
fn what_failed_is_told(server: &ApiServer, listed: &Value) {
    let mut more = pair();
    more["links"][0]["mtu"] = 9000.into();
    more["checks"] = json!([{ "from": "a", "ping": "192.0.2.1", "within": "1s" }]);
    assert_eq!(outcome(server, "acme", "lab/deploy", &more)["state"], "rolled_back");
    assert_eq!(server.get("/api/v1/labs").expect(200).json(), *listed);
    let body = json!({ "organisation": "acme", "document": pair() });
    let differs = || {
        let shown = server.get("/api/v1/labs/pair?organisation=acme").expect(200).json();
        let planned = server.post("/api/v1/lab-documents/plan", &body).expect(200).json();
        assert_eq!(shown["plan"]["same"], planned["same"]);
        planned["same"] == false
    };
    assert!(differs());
    assert_eq!(outcome(server, "acme", "lab/deploy", &pair())["state"], "succeeded");
    assert!(!differs());
}

#[test]
fn a_lab_is_seen_as_it_stands_and_what_differs_is_told() {
    if let Err(reason) = can_make_namespaces() {
        return skip(&reason);
    }
    let sources = sources();
    let sources: Vec<(&str, &str)> = sources.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let server = ApiServer::start_with(&sources, &[], "");
    for name in ["acme", "rival"] {
        server.post("/api/v1/organisations", &json!({ "name": name, "title": name })).expect(201);
    }
    let made = outcome(&server, "acme", "lab/deploy", &pair());
    assert_eq!(made["state"], "succeeded", "{made:#}");

    let listed = server.get("/api/v1/labs").expect(200).json();
    assert_eq!(listed, json!([{ "organisation": "acme", "lab": "pair", "nodes": 2, "networks": 0, "links": 1 }]));
    let shown = server.get("/api/v1/labs/pair?organisation=acme").expect(200).json();
    assert_eq!(shown["plan"]["same"], true, "{shown:#}");
    assert_eq!(shown["document"]["nodes"].as_array().unwrap().len(), 2);
    let spaces = shown["actual"]["net"]["namespaces"].as_array().unwrap();
    assert_eq!(spaces.len(), 2);
    let link = &spaces[0]["interfaces"][0];
    assert_eq!(
        (&link["at"], &link["peer"], &link["up"]),
        (&json!("a:eth0"), &json!("b:eth0"), &json!(true)),
        "{link:#}"
    );

    // The platform has no lab of this name, and neighbours don't learn of it.
    server.get("/api/v1/labs/pair").expect(404);
    people::user(&server, "nell", "rival", "operator");
    let nell = people::token(&server, "nell");
    assert_eq!(server.send_as(&nell, "GET", "/api/v1/labs", None).expect(200).json(), json!([]));
    let refused = server.send_as(&nell, "GET", "/api/v1/labs/pair?organisation=acme", None).expect(404).json();
    let unknown = server.send_as(&nell, "GET", "/api/v1/labs/pair?organisation=nobody", None).expect(404).json();
    assert_eq!(refused["detail"], unknown["detail"]);
    let body = json!({ "organisation": "acme", "document": pair() });
    server.send_as(&nell, "POST", "/api/v1/lab-documents/plan", Some(&body)).expect(404);

    what_failed_is_told(&server, &listed);

    // Somebody pulls the cable by hand.
    let space = spaces[0]["namespace"].as_str().unwrap();
    let done = Command::new("ip").args(["-n", space, "link", "set", "eth0", "down"]).status().unwrap();
    assert!(done.success());
    let shown = server.get("/api/v1/labs/pair?organisation=acme").expect(200).json();
    assert_eq!(shown["plan"]["same"], false, "{shown:#}");
    assert_eq!(shown["actual"]["net"]["namespaces"][0]["interfaces"][0]["up"], false);

    // A document that says more, before it is deployed.
    let mut wider = pair();
    wider["nodes"] = json!([{ "name": "a" }, { "name": "b" }, { "name": "c" }]);
    let plan = server
        .post("/api/v1/lab-documents/plan", &json!({ "organisation": "acme", "document": wider }))
        .expect(200)
        .json();
    let adds = plan["differences"].as_array().unwrap().iter().any(|one| one["action"] == "add" && one["name"] == "c");
    assert!(adds, "{plan:#}");

    let gone = outcome(&server, "acme", "lab/destroy", &json!({ "lab": "pair" }));
    assert_eq!(gone["state"], "succeeded", "{gone:#}");
    server.get("/api/v1/labs/pair?organisation=acme").expect(404);
    assert_eq!(server.get("/api/v1/labs").expect(200).json(), json!([]));
}

#[test]
fn documents_are_checked_and_imported_over_the_api() {
    let server = ApiServer::start(&[]);
    let send = |path: &str, body: &Value| server.post(&format!("/api/v1/lab-documents/{path}"), body);
    let right =
        send("check", &json!({ "text": "name: demo\nnodes:\n  - name: n{n}\n    count: 3\n" })).expect(200).json();
    assert_eq!(right["size"]["nodes"], 3);
    let again = send("check", &json!({ "text": right["yaml"] })).expect(200).json();
    assert_eq!(again["document"], right["document"]);
    let wrong =
        send("check", &json!({ "text": "name: demo\nnodes:\n  - name: a\n    colour: red\n" })).expect(400).json();
    let fault = &wrong["data"]["faults"][0];
    assert_eq!((&fault["code"], &fault["line"]), (&json!("unknown_key"), &json!(4)), "{wrong:#}");
    send("check", &json!({})).expect(400);
    send("check", &json!({ "text": "name: a", "document": {} })).expect(400);
    let topology = "name: demo\ntopology:\n  nodes:\n    r1: { kind: linux, image: alpine, license: key }\n";
    let imported = send("import", &json!({ "text": topology })).expect(200).json();
    assert_eq!(
        (&imported["format"], &imported["document"]["nodes"][0]["image"]),
        (&json!("containerlab"), &json!("alpine"))
    );
    assert!(imported["not_taken"][0]["place"].as_str().unwrap().contains("license"), "{imported:#}");
    let schema = server.get("/api/v1/lab-documents/schema").expect(200).json();
    assert_eq!(schema["properties"]["nodes"]["type"], "array");
}
