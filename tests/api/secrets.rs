//! Secrets over HTTP: set, listed by name, removed; never answered, never in the audit log, and for platform admins only.

use serde_json::json;
use windlass_api::Role;
use windlass_model::audit::AuditFilter;
use windlass_tests::ApiServer;

use super::{house::House, people::windlass};

#[test]
fn a_value_goes_in_and_never_out() {
    let house = House::open();
    let put = |token: &str| {
        let body = json!({ "value": "hunter2-hunter2", "to": ["https://api.example.net*"] });
        house.ask("PUT", "/secrets/acme/dns.key", token, &[], Some(body))
    };
    assert_eq!(put(house.admin()).status, 204);
    assert_eq!(house.secrets.0.lock()[0].1, "hunter2-hunter2");
    let mut said = Vec::new();
    for path in ["/secrets", "/secrets/acme/dns.key"] {
        said.extend(house.get(path).body);
    }
    let text = String::from_utf8(said).unwrap();
    assert!(text.contains("acme/dns.key") && text.contains("api.example.net"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(put(house.admin()).status, 204);
    assert_eq!(house.ask("DELETE", "/secrets/acme/dns.key", house.admin(), &[], None).status, 204);
    assert_eq!(house.ask("DELETE", "/secrets/acme/dns.key", house.admin(), &[], None).code(404), "secret_not_found");
    let log = house.world.engine().audit_log(&AuditFilter { action: Some("secret.".into()), ..Default::default() });
    let log = log.unwrap();
    assert_eq!(log.len(), 3);
    assert!(!serde_json::to_string(&log).unwrap().contains("hunter2"));
    // What is wrong with a request must not be answered with the request.
    let wrong = house.ask("PUT", "/secrets/x", house.admin(), &[], Some(json!({ "value": 1, "hunter2": "a" })));
    assert_eq!(wrong.code(400), "invalid_input");

    for (name, role, organisation) in [("ann", Role::Operator, "acme"), ("far", Role::Admin, "acme")] {
        let token = house.person(name, role, organisation, "*");
        assert_eq!(put(&token).code(403), "permission_denied", "{name}");
    }
    let operator = house.person("bob", Role::Operator, "acme", "*");
    assert_eq!(house.get_as(&operator, "/secrets").code(403), "permission_denied");
    // Whoever manages an organisation sees its own, of which there are none.
    let admin = house.person("away", Role::Admin, "acme", "*");
    assert_eq!(house.get_as(&admin, "/secrets").json(200), json!([]));
}

#[test]
fn what_changes_a_secret_carries_its_entry() {
    let server = ApiServer::start(&[]);
    let body = json!({ "value": "hunter2-hunter2", "to": ["exec:*"] });
    server.put("/api/v1/secrets/dns", &body).expect(204);
    server.delete("/api/v1/secrets/dns").expect(204);
    server.delete("/api/v1/secrets/dns").expect(404);
    let log = server.get("/api/v1/audit?action=secret.").expect(200).json();
    let actions: Vec<_> = log["items"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["secret.delete", "secret.put"]);
}

#[test]
fn the_servers_own_secrets_are_nobodys() {
    let server = ApiServer::start(&[]);
    let body = json!({ "value": "00".repeat(32), "to": ["exec:*"] });
    for name in ["windlass.document-key", "windlass.anything"] {
        let path = format!("/api/v1/secrets/{name}");
        assert_eq!(server.put(&path, &body).expect(400).json()["code"], "usage");
        server.delete(&path).expect(404);
        server.get(&path).expect(404);
        let file = server.data().join("value");
        std::fs::write(&file, "0".repeat(64)).unwrap();
        let file = file.to_str().unwrap();
        for arguments in
            [&["secrets", "set", name, "--to", "exec:*", "--from-file", file][..], &["secrets", "rm", name]]
        {
            let (said, success) = windlass(&server, arguments);
            assert!(!success && said.to_string().contains("for the server itself"), "{said}");
        }
    }
}

const SHY: (&str, &str) = (
    "t/shy",
    r#"
const WORKFLOW = #{
    name: "t/shy", title: "takes a key", permissions: [],
    inputs: #{ type: "object", required: ["key"], properties: #{ key: #{ type: "string", "x-secret": true } } },
};
fn run(input) { input.key }
"#,
);

#[test]
fn a_secret_field_takes_a_name_and_its_value_is_nowhere() {
    let server = ApiServer::start(&[SHY]);
    let launch = |key: &str| server.post("/api/v1/runs", &json!({ "workflow": "t/shy", "input": { "key": key } }));
    let refused = launch("hunter2-hunter2").expect(400);
    assert!(!refused.text.contains("hunter2") && refused.text.contains("/key"), "{}", refused.text);
    launch("dns").expect(400);
    server.put("/api/v1/secrets/dns", &json!({ "value": "hunter2-hunter2", "to": ["exec:*"] })).expect(204);
    let run = launch("dns").expect(201).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(server.ended(&run)["input"], json!({ "key": "dns" }));
    let path = format!("/api/v1/runs/{run}");
    for path in ["/api/v1/runs", &path, &format!("{path}/history"), &format!("{path}/export"), "/api/v1/audit"] {
        let text = server.get(path).expect(200).text;
        assert!(!text.contains("hunter2"), "{path}: {text}");
    }
}
