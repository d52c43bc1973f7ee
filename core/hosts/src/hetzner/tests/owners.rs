//! Organisations that share a project: each changes, uses and lists what is its own.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{Code, Problem, RunId};
use windlass_sim::{
    Clock, Control, Server,
    hetzner::{Config as Provider, Hetzner, TOKEN},
    serve,
};

use crate::{
    hetzner::{Config, ProjectConfig, module},
    owner::Organisations,
    testing::Bench,
};

/// A run is called after its organisation.
struct ByName;

impl Organisations for ByName {
    fn of(&self, run: &RunId) -> Result<String, Problem> {
        Ok(run.as_str().split('-').next().unwrap_or_default().to_owned())
    }
}

struct World {
    bench: Bench,
    sim: Arc<Hetzner>,
    step: u32,
    server: Server,
}

impl World {
    fn new() -> Self {
        let control = Control::new(Clock::system());
        let provider = Provider { pace: 0.01, requests: 100_000, ..Provider::default() };
        let sim = Arc::new(Hetzner::new(provider, control.clock.clone()));
        let server = serve(([127, 0, 0, 1], 0).into(), sim.clone(), &control).unwrap();
        let project = |organisations: &[&str]| ProjectConfig {
            secret: "good".into(),
            organisations: organisations.iter().map(|one| (*one).to_owned()).collect(),
        };
        let config = Config {
            base_url: format!("{}/v1", server.url()),
            poll_ms: 5,
            projects: [("shared".into(), project(&["acme", "other"])), ("house".into(), project(&[]))].into(),
            ..Config::default()
        };
        let module = module(&config, &crate::web::Config::default(), Arc::new(ByName)).unwrap();
        let mut bench = Bench::new(module, &["hetzner.*:*"]);
        bench.cx.secrets.insert("good".into(), TOKEN.into());
        Self { bench, sim, step: 0, server }
    }

    fn call(&mut self, organisation: &str, op: &str, args: Value) -> Result<Value, Problem> {
        self.step += 1;
        self.bench.cx.run = format!("{organisation}-run").as_str().into();
        self.bench.cx.key = format!("{organisation}-run/{}", self.step);
        self.bench.call(op, args)
    }

    fn ask(&mut self, organisation: &str, op: &str, args: Value) -> Value {
        self.call(organisation, op, args).unwrap_or_else(|problem| panic!("{op}: {problem} {:?}", problem.data))
    }

    fn denied(&mut self, organisation: &str, op: &str, args: Value) {
        match self.call(organisation, op, args.clone()) {
            Err(problem) => assert!(
                problem.code == Code::PermissionDenied && problem.data["reason"] == "organisation" && problem.no_effect,
                "{op} {args}: {problem}"
            ),
            Ok(value) => panic!("{op} {args} went well: {value}"),
        }
    }
}

fn server(name: &str) -> Value {
    json!(["shared", name, { "server_type": "cx23", "image": "debian-13", "location": "fsn1" }])
}

#[test]
fn what_another_organisation_has_made_is_left_alone() {
    let mut world = World::new();
    let made = world.ask("acme", "create_server", server("cp-1"));
    assert_eq!(made["labels"]["windlass-org"], "acme");
    let net = world.ask("acme", "create_network", json!(["shared", "net", { "ip_range": "10.0.0.0/16" }]));
    world.ask("acme", "create_firewall", json!(["shared", "wall"]));
    let data = world.ask("acme", "create_volume", json!(["shared", "data", { "size": 10, "location": "fsn1" }]));
    let image = world.ask("acme", "create_image", json!(["shared", "before", { "server": "cp-1" }]));
    for (op, args) in [
        ("delete_server", json!(["shared", "cp-1"])),
        ("rebuild", json!(["shared", "cp-1", "debian-13"])),
        ("reset", json!(["shared", made["id"]])),
        ("power_off", json!(["shared", "cp-1"])),
        ("protect_server", json!(["shared", "cp-1", false])),
        ("update_server", json!(["shared", "cp-1", { "labels": {} }])),
        ("get_server", json!(["shared", "cp-1"])),
        ("set_firewall_rules", json!(["shared", "wall", []])),
        ("detach_volume", json!(["shared", "data"])),
        ("delete_network", json!(["shared", "net"])),
        // To be used is as good as to be had: a disk's copy, a private network.
        ("create_image", json!(["shared", "copy", { "server": made["id"] }])),
        (
            "create_server",
            json!(["shared", "spy", { "server_type": "cx23", "image": image["id"], "location": "fsn1" }]),
        ),
        (
            "create_server",
            json!(["shared", "spy", { "server_type": "cx23", "image": image["id"].to_string(), "location": "fsn1" }]),
        ),
        (
            "create_server",
            json!(["shared", "spy", { "server_type": "cx23", "image": "debian-13", "networks": [net["id"]] }]),
        ),
        (
            "create_server",
            json!(["shared", "spy", { "server_type": "cx23", "image": "debian-13", "volumes": [data["id"]] }]),
        ),
        (
            "create_firewall",
            json!(["shared", "trap", { "apply_to": [{ "type": "server", "server": { "id": made["id"] } }] }]),
        ),
    ] {
        world.denied("other", op, args);
    }
    world.ask("other", "create_firewall", json!(["shared", "mine"]));
    world.denied("other", "apply_firewall", json!(["shared", "mine", { "server": made["id"] }]));
    assert_eq!(world.ask("other", "list_servers", json!(["shared"])), json!([]));
    assert_eq!(world.ask("other", "list_servers", json!(["shared", { "labels": "windlass-key" }])), json!([]));
    assert_eq!(world.sim.objects("servers").len(), 1);
    // Its own runs may, and the platform's.
    world.ask("acme", "power_off", json!(["shared", "cp-1"]));
    world.ask("platform", "power_on", json!(["shared", "cp-1"]));
    world.ask("acme", "update_server", json!(["shared", "cp-1", { "labels": { "role": "cp" } }]));
    assert_eq!(world.sim.objects("servers")[0]["labels"]["windlass-org"], "acme", "the mark stays");
    assert_eq!(world.ask("acme", "list_servers", json!(["shared"])).as_array().unwrap().len(), 1);
    world.ask("acme", "delete_server", json!(["shared", "cp-1"]));
}

#[test]
fn a_selector_fits_only_what_is_ones_own() {
    let mut world = World::new();
    world.ask(
        "acme",
        "create_server",
        json!(["shared", "cp-1", { "server_type": "cx23", "image": "debian-13", "labels": { "role": "web" } }]),
    );
    world.ask("other", "create_firewall", json!(["shared", "wall"]));
    let to = json!(["shared", "wall", { "label_selector": "role=web" }]);
    let applied = world.ask("other", "apply_firewall", to.clone());
    assert_eq!(applied["applied_to"][0]["label_selector"]["selector"], "role=web,windlass-org=other");
    // Its undo finds it as it was written.
    world.bench.cx.undoes = Some("other-run/3".into());
    assert_eq!(world.ask("other", "remove_firewall", to.clone())["applied_to"], json!([]));
    world.bench.cx.undoes = None;
    world.ask("other", "apply_firewall", to.clone());
    // Once more is so already, and what is taken away is the same.
    world.ask("other", "apply_firewall", to.clone());
    assert_eq!(world.ask("other", "remove_firewall", to)["applied_to"], json!([]));
}

#[test]
fn a_project_that_is_given_to_nobody_is_the_platforms() {
    let mut world = World::new();
    let make = json!(["house", "cp-1", { "server_type": "cx23", "image": "debian-13" }]);
    world.denied("acme", "create_server", make.clone());
    world.denied("acme", "list_servers", json!(["house"]));
    world.ask("platform", "create_server", make);
}

#[test]
fn what_no_run_has_made_is_not_touched() {
    let mut world = World::new();
    let made = world.ask("platform", "create_server", server("by-hand"));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("{}/v1/servers/{}", world.server.url(), made["id"]);
    let request = reqwest::Client::new().put(url).bearer_auth(TOKEN).body(json!({ "labels": {} }).to_string());
    assert!(world.bench.block_on(request.send()).unwrap().status().is_success());
    for (op, args) in [
        ("rebuild", json!(["shared", "by-hand", "debian-13"])),
        ("power_off", json!(["shared", "by-hand"])),
        ("protect_server", json!(["shared", "by-hand", false])),
        ("update_server", json!(["shared", "by-hand", { "name": "x" }])),
        ("delete_server", json!(["shared", "by-hand"])),
    ] {
        let problem = world.call("platform", op, args).unwrap_err();
        assert!(problem.code == Code::Conflict && problem.data["reason"] == "not_ours", "{op}: {problem}");
    }
}
