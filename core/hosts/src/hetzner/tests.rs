//! The module against a simulator of the provider that keeps to its published contract.

mod adopts;
mod owners;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_sim::{
    Clock, Control, Server,
    hetzner::{Config as Provider, Hetzner, READ_ONLY_TOKEN, TOKEN},
    serve,
};

use super::{Config, ProjectConfig, marks, module};
use crate::{
    owner::{Always, PLATFORM},
    testing::Bench,
};

/// A project at the provider, and the module on it.
struct World {
    bench: Bench,
    sim: Arc<Hetzner>,
    control: Control,
    server: Server,
}

impl World {
    fn new() -> Self {
        Self::with(Provider { pace: 0.01, requests: 100_000, ..Provider::default() })
    }

    fn with(provider: Provider) -> Self {
        let control = Control::new(Clock::system());
        let sim = Arc::new(Hetzner::new(provider, control.clock.clone()));
        let server = serve(([127, 0, 0, 1], 0).into(), sim.clone(), &control).unwrap();
        let project = |secret: &str| ProjectConfig { secret: secret.into(), organisations: Vec::new() };
        let config = Config {
            base_url: format!("{}/v1", server.url()),
            poll_ms: 5,
            projects: [
                ("acme".into(), project("good")),
                ("reader".into(), project("read")),
                ("wrong".into(), project("bad")),
            ]
            .into(),
            ..Config::default()
        };
        let mut bench = Bench::new(
            module(&config, &crate::web::Config::default(), Arc::new(Always(PLATFORM))).unwrap(),
            &["hetzner.*:*"],
        );
        for (name, value) in [("good", TOKEN), ("read", READ_ONLY_TOKEN), ("bad", "nonsense")] {
            bench.cx.secrets.insert(name.into(), value.into());
        }
        Self { bench, sim, control, server }
    }

    /// As the dispatcher calls it in step `step` of the run.
    fn step(&mut self, step: u32, op: &str, args: Value) -> Result<Value, Problem> {
        self.bench.cx.key = key(step);
        self.bench.call(op, args)
    }

    fn ask(&mut self, step: u32, op: &str, args: Value) -> Value {
        self.step(step, op, args).unwrap_or_else(|problem| panic!("{op}: {problem} {:?}", problem.data))
    }

    fn lookup(&mut self, step: u32, op: &str, args: Value) -> Result<Option<Value>, Problem> {
        self.bench.cx.key = key(step);
        self.bench.look_up(op, args)
    }

    /// As the engine calls it to take step `step` back.
    fn undo(&mut self, step: u32, op: &str, args: Value) -> Result<Value, Problem> {
        self.bench.cx.undoes = Some(key(step));
        let result = self.step(1_000 + step, op, args);
        self.bench.cx.undoes = None;
        result
    }

    fn names(&self, kind: &'static str) -> Vec<String> {
        self.sim.objects(kind).iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

fn key(step: u32) -> String {
    format!("01testrun00000000000000000/{step}")
}

fn small(name: &str) -> Value {
    json!(["acme", name, { "server_type": "cx23", "image": "debian-13", "location": "fsn1" }])
}

#[test]
fn a_platform_is_made_and_taken_away() {
    let mut world = World::new();
    let network = world.ask(
        1,
        "create_network",
        json!(["acme", "net", { "ip_range": "10.0.0.0/16",
        "subnets": [{ "type": "cloud", "network_zone": "eu-central", "ip_range": "10.0.1.0/24" }] }]),
    );
    world.ask(
        2,
        "create_firewall",
        json!(["acme", "wall", { "rules": [{ "direction": "in", "protocol": "tcp", "port": "443",
        "source_ips": ["0.0.0.0/0", "::/0"] }] }]),
    );
    world.ask(3, "create_placement_group", json!(["acme", "apart"]));
    let public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE4PazCGsCqMoAVGpGzCWDPyuQyCDHy4uuhdFIrZ6p5E";
    world.ask(4, "create_ssh_key", json!(["acme", "key", { "public_key": public_key }]));
    // Names, ids and objects all name things.
    let server = world.ask(5, "create_server", json!(["acme", "cp-1", { "server_type": "cx33", "image": "debian-13",
        "location": "fsn1", "networks": [network], "firewalls": ["wall"], "placement_group": "apart", "ssh_keys": ["key"],
        "user_data": "#cloud-config\n", "labels": { "role": "cp" } }]));
    assert_eq!(
        (&server["status"], &server["server_type"], &server["location"]),
        (&json!("running"), &json!("cx33"), &json!("fsn1"))
    );
    assert_eq!(server["private_ips"], json!([{ "network": network["id"], "ip": "10.0.1.1" }]));
    assert!(server["ipv4"].is_string() && server["labels"]["role"] == "cp", "{server}");
    let balancer = world.ask(6, "create_load_balancer", json!(["acme", "lb", { "load_balancer_type": "lb11", "location": "fsn1",
        "network": "net", "services": [{ "protocol": "tcp", "listen_port": 443, "destination_port": 443 }],
        "targets": [{ "type": "label_selector", "label_selector": { "selector": "role=cp" }, "use_private_ip": true }] }]));
    assert_eq!(balancer["targets"][0]["targets"][0]["server"]["id"], server["id"]);
    // Where it stands, not where it is cheapest.
    let there = world.ask(60, "server_types", json!(["acme", { "location": "fsn1" }]));
    let price = there.as_array().unwrap().iter().find(|one| one["name"] == "cx33").unwrap()["price_monthly"].clone();
    assert!(price.as_f64().is_some_and(|price| price > 1.0), "{there}");
    assert_eq!((&server["price_monthly"], &server["currency"]), (&price, &json!("EUR")));
    assert_eq!((&balancer["price_monthly"], &balancer["currency"]), (&json!(5.39), &json!("EUR")));
    let balancer = world.ask(
        7,
        "add_service",
        json!(["acme", "lb", { "protocol": "tcp", "listen_port": 6443, "destination_port": 6443 }]),
    );
    assert_eq!(balancer["services"].as_array().map(Vec::len), Some(2));
    let volume = world.ask(8, "create_volume", json!(["acme", "data", { "size": 10, "server": "cp-1" }]));
    assert_eq!(volume["server"], server["id"]);
    world.ask(9, "create_primary_ip", json!(["acme", "ip", { "type": "ipv4", "location": "fsn1" }]));
    world.ask(10, "create_zone", json!(["acme", "example.com"]));
    world.ask(11, "create_rrset", json!(["acme", "example.com", "www", "A", ["192.0.2.1"], { "ttl": 300 }]));
    let image = world.ask(12, "create_image", json!(["acme", "before", { "server": "cp-1" }]));
    assert_eq!((&image["status"], &image["description"]), (&json!("available"), &json!("before")));
    let copy = world.ask(
        14,
        "create_server",
        json!(["acme", "copy", { "server_type": "cx33", "image": image, "location": "fsn1" }]),
    );
    assert_eq!(copy["image"], image["id"], "a snapshot has no name");
    world.undo(14, "delete_server", json!(["acme", "copy"])).unwrap();
    let mine = world.ask(13, "list_servers", json!(["acme", { "mine": true, "labels": { "role": "cp" } }]));
    assert_eq!(mine.as_array().map(Vec::len), Some(1));

    let undone = [
        (12, "delete_image", json!(["acme", "before"])),
        (11, "delete_rrset", json!(["acme", "example.com", "www", "A"])),
        (10, "delete_zone", json!(["acme", "example.com"])),
        (9, "delete_primary_ip", json!(["acme", "ip"])),
        (8, "delete_volume", json!(["acme", "data"])),
        (
            7,
            "delete_service",
            json!(["acme", "lb", { "protocol": "tcp", "listen_port": 6443, "destination_port": 6443 }]),
        ),
        (6, "delete_load_balancer", json!(["acme", "lb"])),
        (5, "delete_server", json!(["acme", "cp-1"])),
        (4, "delete_ssh_key", json!(["acme", "key"])),
        (3, "delete_placement_group", json!(["acme", "apart"])),
        (2, "delete_firewall", json!(["acme", "wall"])),
        (1, "delete_network", json!(["acme", "net"])),
    ];
    for (step, op, args) in undone.clone() {
        world.undo(step, op, args).unwrap_or_else(|problem| panic!("{op}: {problem}"));
    }
    assert_eq!(world.sim.count(), 0);
    for (step, op, args) in undone.into_iter().filter(|(_, op, _)| *op != "delete_service") {
        assert_eq!(world.undo(step, op, args).unwrap()["deleted"], false, "{op} twice");
    }
}

#[test]
fn a_lost_answer_is_adopted_and_not_doubled() {
    let mut world = World::new();
    world.control.faults.lose("servers.create");
    let problem = world.step(1, "create_server", small("web")).unwrap_err();
    assert!(problem.retryable && !problem.no_effect, "{problem:?}");
    // The dispatcher tries again, and looks first.
    let found = world.lookup(1, "create_server", small("web")).unwrap().expect("it is there");
    assert_eq!(found["status"], "running", "it was waited for");
    // Without a look, the name leads to it.
    let again = world.ask(1, "create_server", small("web"));
    assert_eq!(again["id"], found["id"]);
    assert_eq!(world.names("servers"), ["web"]);
    // Another step that wants the name doesn't get it.
    let other = world.step(2, "create_server", small("web")).unwrap_err();
    assert_eq!((other.code, other.no_effect), (Code::Conflict, true), "{other}");
    assert!(other.message.contains("01testrun"), "{other}");
    assert_eq!(world.lookup(2, "create_server", small("web")).unwrap(), None);
}

#[test]
fn an_answer_that_is_a_gateways_failure_is_looked_after() {
    let mut world = World::new();
    let failure = windlass_sim::Failure { status: 504, code: "timeout".into(), message: None };
    world.control.faults.add([windlass_sim::Fault::FailAfter {
        operation: "volumes.create".into(),
        times: 1,
        failure,
    }]);
    let args = json!(["acme", "data", { "size": 10, "location": "fsn1" }]);
    let problem = world.step(1, "create_volume", args.clone()).unwrap_err();
    assert!(problem.retryable && !problem.no_effect, "{problem:?}");
    assert!(world.lookup(1, "create_volume", args).unwrap().is_some());
    assert_eq!(world.names("volumes").len(), 1);
}

#[test]
fn what_dies_between_intent_and_outcome_is_found_running() {
    let mut world = World::new();
    // The request reached the provider; whoever sent it is gone, and the action still runs.
    let body = json!({ "name": "web", "server_type": "cx23", "image": "debian-13",
                       "labels": { marks::KEY: marks::digest(&key(1)), marks::RUN: "01testrun00000000000000000" } });
    let url = format!("{}/v1/servers", world.server.url());
    let sent = world.bench.block_on(async {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let request = reqwest::Client::new().post(url).bearer_auth(TOKEN).body(body.to_string());
        request.send().await.unwrap().status()
    });
    assert_eq!(sent, 201);
    assert_eq!(world.sim.objects("servers")[0]["status"], "initializing");
    let found = world.lookup(1, "create_server", small("web")).unwrap().expect("its label leads to it");
    assert_eq!(found["status"], "running");
}

#[test]
fn an_action_that_fails_leaves_something_to_undo() {
    let mut world = World::new();
    let failure =
        windlass_sim::Failure { status: 0, code: "resource_unavailable".into(), message: Some("no host".into()) };
    world.control.faults.add([windlass_sim::Fault::FailLater {
        operation: "servers.create".into(),
        times: 1,
        failure,
    }]);
    let problem = world.step(1, "create_server", small("web")).unwrap_err();
    assert_eq!((problem.code, problem.no_effect, problem.retryable), (Code::Unavailable, false, false), "{problem}");
    assert_eq!(world.names("servers"), ["web"], "the server exists although its creation failed");
    let looked = world.lookup(1, "create_server", small("web")).unwrap_err();
    assert!(looked.message.contains("no host"), "half a server isn't adopted: {looked}");
    assert_eq!(world.undo(1, "delete_server", json!(["acme", "web"])).unwrap()["deleted"], true);
    assert_eq!(world.sim.count(), 0);
}

#[test]
fn refusals_come_in_peoples_words() {
    let mut provider = Provider { pace: 0.0, sold_out: vec![("cx33".into(), "fsn1".into())], ..Provider::default() };
    provider.limits.insert("servers".into(), 1);
    let mut world = World::with(provider);
    let reason = |problem: &Problem| (problem.code, problem.data["reason"].as_str().unwrap_or_default().to_owned());
    let wrong = world.step(1, "list_servers", json!(["wrong"])).unwrap_err();
    assert_eq!(reason(&wrong), (Code::PermissionDenied, "invalid_credentials".into()), "{wrong}");
    let reader = world.step(1, "create_placement_group", json!(["reader", "g"])).unwrap_err();
    assert_eq!(reason(&reader), (Code::PermissionDenied, "insufficient_rights".into()), "{reader}");
    assert_eq!(world.ask(1, "check_token", json!(["wrong"]))["reason"], "invalid_credentials");
    assert_eq!(
        world.ask(1, "check_token", json!(["acme"])),
        json!({ "valid": true, "writes": true, "reason": "", "message": "" })
    );
    let reader = world.ask(1, "check_token", json!(["reader"]));
    assert_eq!((&reader["valid"], &reader["reason"]), (&json!(true), &json!("insufficient_rights")), "{reader}");
    let sold_out = json!(["acme", "a", { "server_type": "cx33", "image": "debian-13", "location": "fsn1" }]);
    let sold_out = world.step(1, "create_server", sold_out).unwrap_err();
    assert_eq!(reason(&sold_out), (Code::Unavailable, "out_of_stock".into()), "{sold_out}");
    assert!(!sold_out.retryable && sold_out.no_effect && sold_out.help.is_some());
    world.ask(1, "create_server", small("a"));
    let quota = world.step(2, "create_server", small("b")).unwrap_err();
    assert_eq!(reason(&quota), (Code::LimitExceeded, "quota".into()), "{quota}");
    let field = json!(["acme", "a b", { "server_type": "cx23", "image": "debian-13" }]);
    let field = world.step(3, "create_server", field).unwrap_err();
    assert_eq!(field.code, Code::InvalidArgument);
    assert!(field.message.contains("name has to be a valid hostname"), "{field}");
    world.ask(4, "protect_server", json!(["acme", "a", true]));
    let protected = world.step(5, "delete_server", json!(["acme", "a"])).unwrap_err();
    assert_eq!(reason(&protected), (Code::Conflict, "protected".into()), "{protected}");
    let unknown = world.step(6, "get_server", json!(["acme", "none"])).unwrap_err();
    assert_eq!((unknown.code, unknown.message.as_str()), (Code::NotFound, "project `acme` has no server `none`"));
    let stranger = world.step(7, "list_servers", json!(["other"])).unwrap_err();
    assert_eq!(stranger.code, Code::Configuration, "{stranger}");
}

#[test]
fn only_what_is_ours_is_deleted() {
    let mut world = World::new();
    let url = format!("{}/v1/networks", world.server.url());
    let body = json!({ "name": "theirs", "ip_range": "10.0.0.0/16", "labels": { "windlass": "yes" } });
    world.bench.block_on(async {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::new().post(url).bearer_auth(TOKEN).body(body.to_string()).send().await.unwrap()
    });
    let problem = world.step(1, "delete_network", json!(["acme", "theirs"])).unwrap_err();
    assert_eq!((problem.code, &problem.data["reason"]), (Code::Conflict, &json!("not_ours")), "{problem}");
    let taken = world.step(2, "create_network", json!(["acme", "theirs", { "ip_range": "10.0.0.0/16" }])).unwrap_err();
    assert!(taken.message.contains("wasn't made by Windlass"), "{taken}");
    assert_eq!(world.undo(2, "delete_network", json!(["acme", "theirs"])).unwrap()["deleted"], false);
    assert_eq!(world.names("networks"), ["theirs"]);
    // Another run's may be deleted by name, but not by an undo.
    world.ask(3, "create_network", json!(["acme", "ours", { "ip_range": "10.0.0.0/16" }]));
    assert_eq!(world.undo(4, "delete_network", json!(["acme", "ours"])).unwrap()["deleted"], false);
    let relabelled = world.ask(5, "update_network", json!(["acme", "ours", { "labels": { "env": "prod" } }]));
    assert!(relabelled["labels"][marks::KEY].is_string(), "a change of labels leaves ours: {relabelled}");
    assert_eq!(world.ask(6, "delete_network", json!(["acme", "ours"]))["deleted"], true);
    let stolen = json!(["acme", "g", { "labels": { "windlass-key": "x" } }]);
    assert_eq!(world.step(7, "create_placement_group", stolen).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn a_balancer_in_the_way_is_named() {
    let mut world = World::new();
    world.ask(
        1,
        "create_network",
        json!(["acme", "net", { "ip_range": "10.0.0.0/16",
        "subnets": [{ "type": "cloud", "network_zone": "eu-central", "ip_range": "10.0.1.0/24" }] }]),
    );
    world.ask(
        2,
        "create_load_balancer",
        json!(["acme", "lb", { "load_balancer_type": "lb11", "location": "fsn1", "network": "net" }]),
    );
    let problem = world.undo(1, "delete_network", json!(["acme", "net"])).unwrap_err();
    assert!(
        problem.retryable && problem.message.contains("1 load balancers are still in the network `net`"),
        "{problem}"
    );
    world.ask(3, "detach_balancer", json!(["acme", "lb", "net"]));
    assert_eq!(world.undo(1, "delete_network", json!(["acme", "net"])).unwrap()["deleted"], true);
}

#[test]
fn too_many_requests_are_told_and_come_back() {
    let mut world = World::new();
    world.control.faults.limit("servers.list", 2);
    let started = std::time::Instant::now();
    let problem = world.step(1, "list_servers", json!(["acme"])).unwrap_err();
    assert!(problem.retryable && problem.data["reason"] == "rate_limited", "{problem:?}");
    while world.step(1, "list_servers", json!(["acme"])).is_err() {
        assert!(started.elapsed() < Duration::from_secs(60));
    }
    assert!(started.elapsed() >= Duration::from_millis(900), "the budget was empty: requests waited");
    let asked = world.control.count("servers.list");
    assert!(asked <= 5, "one a second at most, not {asked}");
}

#[test]
fn a_projects_budget_is_shared_and_kept() {
    // Three requests, and one comes back every 50 ms: all are done, and none is refused.
    let provider = Provider { pace: 0.0, requests: 72_000, requests_per_second: 20.0, ..Provider::default() };
    let mut world = World::with(provider);
    for _ in 0..5 {
        world.ask(1, "locations", json!(["acme"]));
    }
    assert!(world.control.seen().iter().all(|seen| seen.status != 429));
}

#[test]
fn actions_are_asked_for_together() {
    let mut world = World::with(Provider { pace: 0.05, requests: 100_000, ..Provider::default() });
    let url = format!("{}/v1/volumes", world.server.url());
    let actions: Vec<i64> = world.bench.block_on(async {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::new();
        let mut ids = Vec::new();
        for number in 0..40 {
            let body = json!({ "name": format!("v{number}"), "size": 10, "location": "fsn1" });
            let sent = client.post(&url).bearer_auth(TOKEN).body(body.to_string()).send().await.unwrap();
            let answer: Value = serde_json::from_slice(&sent.bytes().await.unwrap()).unwrap();
            ids.push(answer["action"]["id"].as_i64().unwrap());
        }
        ids
    });
    assert_eq!(world.ask(1, "wait_for", json!(["acme", actions])), Value::Null);
    let asked: Vec<_> = world.control.seen().into_iter().filter(|seen| seen.operation == "actions.list").collect();
    assert!(!asked.is_empty() && asked.len() < 80, "40 actions in pairs of questions, not {}", asked.len());
    assert_eq!(world.control.count("actions.get"), 0);
    let unknown = world.step(2, "wait_for", json!(["acme", [1]])).unwrap_err();
    assert_eq!(unknown.code, Code::NotFound, "{unknown}");
}

#[test]
fn a_stumble_while_waiting_loses_nothing_and_a_revoked_token_is_told() {
    let mut world = World::new();
    let fails = |times: u32, status: u16, code: &str| windlass_sim::Fault::Fail {
        operation: "actions.list".into(),
        times,
        failure: windlass_sim::Failure { status, code: code.into(), message: None },
    };
    world.control.faults.add([fails(3, 500, "server_error"), fails(1, 502, "bad_gateway")]);
    assert_eq!(world.ask(1, "create_server", small("web"))["status"], "running");
    world.control.faults.add([fails(1, 401, "unauthorized")]);
    let problem = world.step(2, "create_server", small("other")).unwrap_err();
    assert_eq!((problem.code, problem.no_effect), (Code::PermissionDenied, false), "the server is there: {problem}");
    assert_eq!(world.undo(2, "delete_server", json!(["acme", "other"])).unwrap()["deleted"], true);
    assert_eq!(world.names("servers"), ["web"]);
}

#[test]
fn lists_come_whole() {
    let mut world = World::with(Provider { pace: 0.0, requests: 100_000, ..Provider::default() });
    let provider = world.ask(1, "list_images", json!(["acme", { "type": "system", "architecture": "arm" }]));
    assert!(
        provider
            .as_array()
            .is_some_and(|images| images.len() >= 9 && images.iter().all(|one| one["architecture"] == "arm"))
    );
    for number in 0..50 {
        world.ask(100 + number, "create_placement_group", json!(["acme", format!("g{number}")]));
    }
    let all = world.ask(1, "list_placement_groups", json!(["acme"]));
    assert_eq!(all.as_array().map(Vec::len), Some(50));
    let sizes = world.ask(2, "server_types", json!(["acme", { "location": "fsn1" }]));
    let cx23 = sizes.as_array().unwrap().iter().find(|size| size["name"] == "cx23").unwrap();
    assert_eq!((&cx23["price_monthly"], &cx23["currency"], &cx23["cores"]), (&json!(3.49), &json!("EUR"), &json!(2)));
    assert!(
        sizes.as_array().unwrap().iter().all(|size| size["locations"].as_array().unwrap().contains(&json!("fsn1")))
    );
}

#[test]
fn secrets_stay_where_they_are() {
    let mut world = World::new();
    world.bench.cx.secrets.insert("kubeconfig".into(), "top".into());
    let leak = json!(["acme", "a", { "server_type": "cx23", "image": "debian-13", "labels": { "k": { "$secret": "kubeconfig" } } }]);
    assert_eq!(world.step(1, "create_server", leak).unwrap_err().code, Code::SecretMisuse);
    // Its own policy has to name the place; the sandbox asks for that.
    let word =
        json!(["acme", "a", { "server_type": "cx23", "image": "debian-13", "user_data": { "$secret": "kubeconfig" } }]);
    let server = world.ask(1, "create_server", word);
    assert_eq!(world.sim.user_data(server["id"].as_i64().unwrap()).as_deref(), Some("top"));
    assert!(!server.to_string().contains("top"));
    let plain = json!([{ "name": "acme", "token": TOKEN }]);
    assert_eq!(world.step(1, "list_servers", plain).unwrap_err().code, Code::SecretMisuse);
    let own = json!([{ "name": "theirs", "token": { "$secret": "good" } }]);
    assert_eq!(world.step(1, "list_servers", own).unwrap().as_array().map(Vec::len), Some(1));
    for bad in ["http://api.example.net/v1", "nonsense"] {
        let config = Config { base_url: bad.into(), ..Config::default() };
        assert!(module(&config, &crate::web::Config::default(), Arc::new(Always(PLATFORM))).is_err(), "{bad}");
    }
    let misspelt = json!(["acme", "a", { "server_typ": "cx23" }]);
    let misspelt = world.step(1, "create_server", misspelt).unwrap_err();
    assert!(misspelt.message.contains("there is no option `server_typ`"), "{misspelt}");
}

#[test]
fn what_is_so_already_is_not_done_again() {
    let mut world = World::with(Provider { pace: 0.0, requests: 100_000, ..Provider::default() });
    world.ask(
        1,
        "create_network",
        json!(["acme", "net", { "ip_range": "10.0.0.0/16",
        "subnets": [{ "type": "cloud", "network_zone": "eu-central", "ip_range": "10.0.1.0/24" }] }]),
    );
    world.ask(2, "create_server", small("web"));
    for _ in 0..2 {
        let server = world.ask(3, "attach_to_network", json!(["acme", "web", "net", "10.0.1.9"]));
        assert_eq!(server["private_ips"][0]["ip"], "10.0.1.9");
        world.ask(4, "power_off", json!(["acme", "web"]));
        world.ask(
            5,
            "add_subnet",
            json!(["acme", "net", { "type": "cloud", "network_zone": "eu-central", "ip_range": "10.0.2.0/24" }]),
        );
    }
    for operation in ["servers.attach_to_network", "servers.poweroff", "networks.add_subnet"] {
        assert_eq!(world.control.count(operation), 1, "{operation}");
    }
    // The undo of a change to something that is gone is done.
    world.ask(6, "delete_server", json!(["acme", "web"]));
    assert_eq!(world.undo(3, "detach_from_network", json!(["acme", "web", "net"])).unwrap(), Value::Null);
}
