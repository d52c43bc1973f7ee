//! What the provider promises, asked without a network; the official client asks with one in the integration tests.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use super::*;
use crate::http::pairs;

struct Desk {
    sim: Arc<Hetzner>,
    clock: Clock,
}

impl Desk {
    fn new(config: Config) -> Self {
        let clock = Clock::fixed(1_760_000_000_000);
        Self { sim: Arc::new(Hetzner::new(config, clock.clone())), clock }
    }

    fn as_token(&self, token: &str, method: Method, path: &str, body: &Value) -> (u16, Value, Response) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request =
            Request { method, path: format!("/v1{path}"), query: pairs(query), raw_query: query.into(), headers, body };
        let response = self.sim.answer(&request, None);
        let body = serde_json::from_slice(&response.body).unwrap_or_default();
        (response.status, body, response)
    }

    fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let (status, body, _) = self.as_token(TOKEN, method, path, &body);
        (status, body)
    }

    fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, Value::Null).1
    }

    fn make(&self, kind: &str, body: Value) -> Value {
        let (status, made) = self.ask(Method::POST, &format!("/{kind}"), body);
        assert_eq!(status, 201, "{made}");
        made
    }

    /// Status and code of a refusal.
    fn refused(&self, method: Method, path: &str, body: Value) -> (u16, String) {
        let (status, body) = self.ask(method, path, body);
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    fn server(&self, name: &str, more: Value) -> i64 {
        let mut body = json!({ "name": name, "server_type": "cx23", "image": "debian-13", "location": "fsn1" });
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key.as_str()] = value.clone();
        }
        self.make("servers", body)["server"]["id"].as_i64().unwrap()
    }
}

#[test]
fn a_server_takes_its_time() {
    let desk = Desk::new(Config::default());
    let network = desk.make(
        "networks",
        json!({ "name": "n", "ip_range": "10.0.0.0/16",
        "subnets": [{ "type": "cloud", "network_zone": "eu-central" }] }),
    );
    let network = network["network"]["id"].as_i64().unwrap();
    let id = desk.server("a", json!({ "networks": [network], "labels": { "env": "prod" } }));
    let server = &desk.get(&format!("/servers/{id}"))["server"];
    assert_eq!((&server["status"], &server["locked"]), (&json!("initializing"), &json!(true)));
    assert_eq!(server["private_net"][0]["ip"], "10.0.0.2");
    assert_eq!(
        desk.refused(Method::POST, &format!("/servers/{id}/actions/poweroff"), json!({})),
        (423, "locked".into())
    );
    let running = desk.get(&format!("/servers/{id}/actions"));
    let ids: Vec<String> =
        running["actions"].as_array().unwrap().iter().map(|one| format!("id={}", one["id"])).collect();
    assert_eq!(ids.len(), 3);
    desk.clock.advance(8_000);
    assert_eq!(desk.get(&format!("/servers/{id}"))["server"]["status"], "off");
    desk.clock.advance(2_000);
    let ended = desk.get(&format!("/actions?{}", ids.join("&")));
    assert!(ended["actions"].as_array().unwrap().iter().all(|one| one["status"] == "success"), "{ended}");
    assert_eq!(desk.get("/servers?label_selector=env%3Dprod")["servers"][0]["status"], "running");
    assert_eq!(
        desk.refused(Method::POST, "/servers", json!({ "name": "a", "server_type": "cx23", "image": "debian-13" })),
        (409, "uniqueness_error".into())
    );
    desk.ask(Method::DELETE, &format!("/servers/{id}"), Value::Null);
    desk.clock.advance(3_000);
    assert_eq!(desk.refused(Method::GET, &format!("/servers/{id}"), Value::Null), (404, "not_found".into()));
    assert_eq!(desk.get("/primary_ips")["primary_ips"], json!([]), "its addresses went with it");
    assert_eq!(desk.get(&format!("/networks/{network}"))["network"]["servers"], json!([]));
}

#[test]
fn a_token_is_wrong_or_may_only_read() {
    let desk = Desk::new(Config::default());
    let code = |token: &str, method: Method| {
        let (status, body, _) = desk.as_token(token, method, "/servers", &json!({}));
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(code("wrong", Method::GET), (401, "unauthorized".into()));
    assert_eq!(code(READ_ONLY_TOKEN, Method::GET).0, 200);
    assert_eq!(code(READ_ONLY_TOKEN, Method::POST), (401, "token_readonly".into()));
}

#[test]
fn the_bucket_runs_dry_and_fills_again() {
    let desk = Desk::new(Config { requests: 3, ..Config::default() });
    for left in [2, 1, 0] {
        let (status, _, response) = desk.as_token(TOKEN, Method::GET, "/locations", &Value::Null);
        let told = response.headers.iter().find(|(name, _)| name == "RateLimit-Remaining").unwrap();
        assert_eq!((status, told.1.as_str()), (200, left.to_string().as_str()));
    }
    assert_eq!(desk.refused(Method::GET, "/locations", Value::Null), (429, "rate_limit_exceeded".into()));
    desk.clock.advance(1_000);
    assert_eq!(desk.ask(Method::GET, "/locations", Value::Null).0, 200);
}

#[test]
fn what_cannot_be_done_is_refused_in_the_providers_words() {
    let mut config = Config { sold_out: vec![("cx33".into(), "fsn1".into())], ..Config::default() };
    config.limits.insert("servers".into(), 1);
    let desk = Desk::new(config);
    let id = desk.server("a", json!({}));
    let server = |more: Value| {
        let mut body = json!({ "name": "b", "server_type": "cx23", "image": "debian-13", "location": "fsn1" });
        more.as_object().unwrap().iter().for_each(|(key, value)| body[key.as_str()] = value.clone());
        desk.refused(Method::POST, "/servers", body)
    };
    for (more, status, code) in [
        (json!({}), 403, "resource_limit_exceeded"),
        (json!({ "server_type": "cx33" }), 412, "resource_unavailable"),
        (json!({ "server_type": "cx22" }), 422, "invalid_input"),
        (json!({ "name": "not a name" }), 422, "invalid_input"),
        (json!({ "labels": { "k": "x".repeat(64) } }), 422, "invalid_input"),
        (json!({ "networks": [1] }), 404, "not_found"),
        (json!({ "location": "ash" }), 422, "unsupported_error"),
        (json!({ "server_type": "cax11", "image": 45_557_056 }), 422, "invalid_input"),
        (json!({ "datacenter": "fsn1-dc14" }), 422, "invalid_input"),
        (json!({ "user_data": "x".repeat(40_000) }), 422, "invalid_input"),
    ] {
        assert_eq!(server(more.clone()), (status, code.to_owned()), "{more}");
    }
    desk.clock.advance(20_000);
    desk.ask(
        Method::POST,
        &format!("/servers/{id}/actions/change_protection"),
        json!({ "delete": true, "rebuild": true }),
    );
    desk.clock.advance(20_000);
    assert_eq!(desk.refused(Method::DELETE, &format!("/servers/{id}"), Value::Null), (423, "protected".into()));
    assert_eq!(desk.refused(Method::GET, "/datacenters", Value::Null), (404, "not_found".into()));
    assert_eq!(desk.refused(Method::GET, "/servers?sort=colour", Value::Null), (422, "invalid_input".into()));
    assert_eq!(desk.refused(Method::GET, "/servers?page=0", Value::Null), (422, "invalid_input".into()));
}

#[test]
fn an_action_can_fail_later_and_the_server_stays() {
    let desk = Desk::new(Config::default());
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {TOKEN}")).unwrap());
    let body = json!({ "name": "a", "server_type": "cx23", "image": "debian-13" });
    let request = Request {
        method: Method::POST,
        path: "/v1/servers".into(),
        query: Vec::new(),
        raw_query: String::new(),
        headers,
        body: Bytes::from(body.to_string()),
    };
    let failure = Failure { status: 0, code: "resource_unavailable".into(), message: Some("no host left".into()) };
    assert_eq!(desk.sim.answer(&request, Some(&failure)).status, 201);
    desk.clock.advance(60_000);
    let server = &desk.get("/servers")["servers"][0];
    let actions = desk.get(&format!("/servers/{}/actions", server["id"]));
    let ends: Vec<&Value> = actions["actions"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(ends, [&json!("error"), &json!("error")]);
    assert_eq!(actions["actions"][0]["error"]["code"], "resource_unavailable");
    assert_eq!(server["status"], "initializing");
}

#[test]
fn a_balancer_in_the_way_keeps_its_network() {
    let desk = Desk::new(Config::default());
    let network = desk.make(
        "networks",
        json!({ "name": "n", "ip_range": "10.0.0.0/16",
        "subnets": [{ "type": "cloud", "network_zone": "eu-central", "ip_range": "10.0.1.0/24" }] }),
    );
    let network = network["network"]["id"].as_i64().unwrap();
    let balancer = desk.make("load_balancers", json!({ "name": "lb", "load_balancer_type": "lb11", "location": "nbg1",
        "network": network, "services": [{ "protocol": "tcp", "listen_port": 6443, "destination_port": 6443 }],
        "targets": [{ "type": "label_selector", "label_selector": { "selector": "role=cp" }, "use_private_ip": true }] }));
    let id = &balancer["load_balancer"]["id"];
    let path = format!("/networks/{network}");
    assert_eq!(desk.refused(Method::DELETE, &path, Value::Null), (409, "conflict".into()));
    let service = json!({ "protocol": "tcp", "listen_port": 6443, "destination_port": 1 });
    let add = format!("/load_balancers/{id}/actions/add_service");
    assert_eq!(desk.refused(Method::POST, &add, service), (422, "source_port_already_used".into()));
    let server = desk.server("cp", json!({ "labels": { "role": "cp" }, "networks": [network] }));
    desk.clock.advance(20_000);
    let shown = desk.get(&format!("/load_balancers/{id}"));
    let target = &shown["load_balancer"]["targets"][0]["targets"][0];
    assert_eq!((&target["server"]["id"], &target["health_status"][0]["status"]), (&json!(server), &json!("healthy")));
    assert_eq!(desk.ask(Method::DELETE, &format!("/load_balancers/{id}"), Value::Null).0, 200);
    desk.clock.advance(2_000);
    assert_eq!(desk.ask(Method::DELETE, &path, Value::Null).0, 204);
}

#[test]
fn a_network_lies_in_one_network_zone() {
    let desk = Desk::new(Config::default());
    let subnet =
        |zone: &str, n: u8| json!({ "type": "cloud", "network_zone": zone, "ip_range": format!("10.0.{n}.0/24") });
    let wanted =
        |zone| json!({ "name": "n", "ip_range": "10.0.0.0/16", "subnets": [subnet("eu-central", 1), subnet(zone, 2)] });
    assert_eq!(desk.refused(Method::POST, "/networks", wanted("us-east")), (422, "invalid_input".into()));
    let made = desk.make("networks", wanted("eu-central"));
    let add = format!("/networks/{}/actions/add_subnet", made["network"]["id"]);
    assert_eq!(desk.refused(Method::POST, &add, subnet("us-east", 3)), (422, "invalid_input".into()));
    assert_eq!(desk.ask(Method::POST, &add, subnet("eu-central", 3)).0, 201);
}

#[test]
fn zones_stand_directly_under_a_public_suffix() {
    let desk = Desk::new(Config::default());
    let zone = |name: &str| desk.refused(Method::POST, "/zones", json!({ "name": name, "mode": "primary" }));
    assert_eq!(zone("a.example.com"), (422, "invalid_input".into()));
    assert_eq!(zone("co.uk"), (422, "invalid_input".into()));
    assert_eq!(zone("example.co.uk").0, 201);
    desk.make("zones", json!({ "name": "example.com", "mode": "primary" }));
    let records = json!({ "records": [{ "value": "192.0.2.1" }], "ttl": 300 });
    let path = "/zones/example.com/rrsets/www/A/actions/add_records";
    assert_eq!(desk.ask(Method::POST, path, records.clone()).0, 201);
    assert_eq!(desk.refused(Method::POST, path, records.clone()), (409, "uniqueness_error".into()));
    let bad = json!({ "records": [{ "value": "nonsense" }] });
    assert_eq!(desk.refused(Method::POST, path, bad), (422, "invalid_input".into()));
    let file = desk.get("/zones/example.com/zonefile");
    assert!(file["zonefile"].as_str().unwrap().contains("www 300 IN A 192.0.2.1"), "{file}");
    desk.ask(Method::POST, "/zones/example.com/rrsets/www/A/actions/remove_records", records);
    assert_eq!(desk.get("/zones/example.com/rrsets?name=www")["rrsets"], json!([]));
}

#[test]
fn lists_come_in_pages_and_orders() {
    let desk = Desk::new(Config::default());
    for number in 0..50 {
        desk.make("placement_groups", json!({ "name": format!("g{number:02}"), "type": "spread" }));
    }
    let first = desk.get("/placement_groups?sort=name:desc&per_page=20");
    assert_eq!(first["placement_groups"][0]["name"], "g49");
    let meta = &first["meta"]["pagination"];
    assert_eq!((&meta["last_page"], &meta["next_page"], &meta["total_entries"]), (&json!(3), &json!(2), &json!(50)));
    let last = desk.get("/placement_groups?sort=name:desc&per_page=20&page=3");
    assert_eq!(last["placement_groups"].as_array().map(Vec::len), Some(10));
    assert_eq!(last["meta"]["pagination"]["next_page"], Value::Null);
    let one_too_many = json!({ "name": "more", "type": "spread" });
    assert_eq!(desk.refused(Method::POST, "/placement_groups", one_too_many), (403, "resource_limit_exceeded".into()));
}
