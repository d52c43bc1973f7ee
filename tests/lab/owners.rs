//! Two organisations, each with a lab of the same name: neither sees, changes or removes the other's.

use serde_json::{Value, json};
use windlass_tests::{ApiServer, can_make_namespaces, skip};

use super::workflows;

/// The workflows of labs, and what they import.
pub(super) fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in ["lab", "lib"] {
        for file in std::fs::read_dir(workflows().join(folder)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if let Some(name) = name.strip_suffix(".rhai").filter(|name| !name.ends_with(".test")) {
                found.push((format!("{folder}/{name}"), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

fn outcome(server: &ApiServer, organisation: &str, workflow: &str, input: &Value) -> Value {
    let body = json!({ "workflow": workflow, "input": input, "organisation": organisation });
    let launched = server.post("/api/v1/runs", &body).expect(201).json();
    server.ended(launched["id"].as_str().unwrap())
}

#[test]
fn labs_of_one_name_live_beside_each_other() {
    if let Err(reason) = can_make_namespaces() {
        return skip(&reason);
    }
    let sources = sources();
    let sources: Vec<(&str, &str)> = sources.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let server = ApiServer::start_with(&sources, &[], "[hosts.lab.quotas.rival]\nlabs = 1\n");
    for name in ["acme", "rival"] {
        server.post("/api/v1/organisations", &json!({ "name": name, "title": name })).expect(201);
    }
    let lab = |nodes: u64| {
        json!({ "name": "demo", "nodes": [{ "name": "n{n}", "count": nodes }], "networks": [{ "name": "lan" }],
        "links": [{ "count": nodes, "endpoints": [{ "at": "n{n}:eth0", "addresses": ["10.0.0.{n}/24"] }, "lan"] }] })
    };
    let destroy = json!({ "lab": "demo" });
    for (organisation, nodes, add) in [("acme", 2, 5), ("rival", 3, 7)] {
        let made = outcome(&server, organisation, "lab/deploy", &lab(nodes));
        assert_eq!((&made["state"], &made["output"]["counts"]["add"]), (&json!("succeeded"), &json!(add)), "{made:#}");
    }
    let again = outcome(&server, "acme", "lab/deploy", &lab(2));
    assert_eq!(again["output"]["summary"], "nothing differs", "{again:#}");
    // The quota counts the organisation's own labs only.
    let other = outcome(&server, "rival", "lab/deploy", &json!({ "name": "second" }));
    assert_eq!(other["problem"]["code"], "limit_exceeded", "{other:#}");
    assert_eq!(outcome(&server, "acme", "lab/deploy", &json!({ "name": "second" }))["state"], "succeeded");

    let gone = outcome(&server, "rival", "lab/destroy", &destroy);
    assert_eq!(gone["output"]["namespaces"], 3, "{gone:#}");
    let still = outcome(&server, "acme", "lab/deploy", &lab(2));
    assert_eq!(still["output"]["summary"], "nothing differs", "{still:#}");
    let gone = outcome(&server, "acme", "lab/destroy", &destroy);
    assert_eq!(gone["output"]["namespaces"], 2, "{gone:#}");
}
