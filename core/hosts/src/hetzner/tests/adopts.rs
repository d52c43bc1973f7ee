//! What another run has made or left is taken, as far as that run is done with it.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::{Code, Problem, RunId};
use windlass_sim::{
    Clock, Control, Server,
    hetzner::{Config as Provider, Hetzner, TOKEN},
    serve,
};

use crate::{
    hetzner::{Config, ProjectConfig, module},
    owner::{Fate, Organisations},
    testing::Bench,
};

/// A run is called after its organisation; what has become of it is told. The others are open.
#[derive(Default)]
struct Runs(Mutex<BTreeMap<String, Fate>>);

impl Organisations for Runs {
    fn of(&self, run: &RunId) -> Result<String, Problem> {
        Ok(run.as_str().split('-').next().unwrap_or_default().to_owned())
    }

    fn fate(&self, run: &RunId) -> Result<Fate, Problem> {
        Ok(self.0.lock().get(run.as_str()).copied().unwrap_or(Fate::Open))
    }
}

struct World {
    bench: Bench,
    runs: Arc<Runs>,
    sim: Arc<Hetzner>,
    control: Control,
    _server: Server,
}

impl World {
    fn new() -> Self {
        let control = Control::new(Clock::system());
        let provider = Provider { pace: 0.01, requests: 100_000, ..Provider::default() };
        let sim = Arc::new(Hetzner::new(provider, control.clock.clone()));
        let server = serve(([127, 0, 0, 1], 0).into(), sim.clone(), &control).unwrap();
        let project = ProjectConfig { secret: "good".into(), organisations: vec!["*".into()] };
        let config = Config {
            base_url: format!("{}/v1", server.url()),
            poll_ms: 5,
            projects: [("shared".into(), project)].into(),
            ..Config::default()
        };
        let runs = Arc::new(Runs::default());
        let module = module(&config, &crate::web::Config::default(), runs.clone()).unwrap();
        let mut bench = Bench::new(module, &["hetzner.*:*"]);
        bench.cx.secrets.insert("good".into(), TOKEN.into());
        Self { bench, runs, sim, control, _server: server }
    }

    fn call(&mut self, run: &str, step: u32, op: &str, args: Value) -> Result<Value, Problem> {
        self.bench.cx.run = run.into();
        self.bench.cx.key = format!("{run}/{step}");
        self.bench.call(op, args)
    }

    fn ask(&mut self, run: &str, step: u32, op: &str, args: Value) -> Value {
        self.call(run, step, op, args).unwrap_or_else(|problem| panic!("{op}: {problem} {:?}", problem.data))
    }

    /// As the engine takes a step of a run back; whether something went.
    fn undo(&mut self, run: &str, step: u32, op: &str, name: &str) -> bool {
        self.bench.cx.undoes = Some(format!("{run}/{step}"));
        let result = self.ask(run, 1_000 + step, op, json!(["shared", name]));
        self.bench.cx.undoes = None;
        result["deleted"] == true
    }

    fn becomes(&self, run: &str, fate: Fate) {
        self.runs.0.lock().insert(run.to_owned(), fate);
    }

    /// How many requests so far have changed anything.
    fn changes(&self) -> usize {
        self.control.seen().iter().filter(|seen| seen.method != "GET").count()
    }
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE4PazCGsCqMoAVGpGzCWDPyuQyCDHy4uuhdFIrZ6p5E";

/// One of each kind that a run may find, with the ops that make and delete it, and how it is asked for.
fn each() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let subnet = json!({ "type": "cloud", "network_zone": "eu-central", "ip_range": "10.0.1.0/24" });
    let rule = json!({ "direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["0.0.0.0/0"] });
    let service = json!({ "protocol": "tcp", "listen_port": 80, "destination_port": 80 });
    vec![
        ("networks", "create_network", "delete_network", json!({ "ip_range": "10.0.0.0/16", "subnets": [subnet] })),
        ("firewalls", "create_firewall", "delete_firewall", json!({ "rules": [rule] })),
        ("ssh_keys", "create_ssh_key", "delete_ssh_key", json!({ "public_key": KEY })),
        ("placement_groups", "create_placement_group", "delete_placement_group", json!({})),
        ("volumes", "create_volume", "delete_volume", json!({ "size": 10, "location": "fsn1" })),
        ("primary_ips", "create_primary_ip", "delete_primary_ip", json!({ "type": "ipv4", "location": "fsn1" })),
        (
            "load_balancers",
            "create_load_balancer",
            "delete_load_balancer",
            json!({ "load_balancer_type": "lb11", "location": "fsn1", "network": "x", "services": [service],
                    "targets": [{ "type": "label_selector", "label_selector": { "selector": "role=web" } }] }),
        ),
        (
            "servers",
            "create_server",
            "delete_server",
            json!({ "server_type": "cx23", "image": "debian-13", "location": "fsn1" }),
        ),
    ]
}

fn named(mut opts: Value) -> Value {
    opts["adopt"] = true.into();
    opts["labels"] = json!({ "env": "test" });
    json!(["shared", "x", opts])
}

#[test]
fn what_a_run_that_completed_has_made_is_used_and_stays_that_ones() {
    let mut world = World::new();
    let mut made = BTreeMap::new();
    for (kind, create, _, opts) in each() {
        made.insert(kind, world.ask("acme-1", 1, create, named(opts))["id"].clone());
    }
    world.becomes("acme-1", Fate::Completed);
    let (before, changes) = (each().iter().map(|one| world.sim.objects(one.0)).collect::<Vec<_>>(), world.changes());
    for (kind, create, delete, opts) in each() {
        let taken = world.ask("acme-2", 1, create, named(opts.clone()));
        assert_eq!(taken["id"], made[kind], "{kind}");
        assert!(!world.undo("acme-2", 1, delete, "x"), "{kind}: it isn't that run's to take back");
        // Without the word, it is taken.
        let problem = world.call("acme-2", 2, create, json!(["shared", "x", opts])).unwrap_err();
        assert_eq!((problem.code, &problem.data["reason"]), (Code::Conflict, &json!("taken")), "{kind}: {problem}");
    }
    let after: Vec<_> = each().iter().map(|one| world.sim.objects(one.0)).collect();
    assert_eq!(after, before);
    assert_eq!(world.changes() - changes, each().len(), "only those that didn't ask first were refused");
}

#[test]
fn what_any_other_run_has_left_changes_hands() {
    let mut world = World::new();
    for (kind, create, delete, opts) in each() {
        let made = world.ask("acme-1", 1, create, named(opts.clone()));
        world.becomes("acme-1", Fate::Left);
        let taken = world.ask("acme-2", 1, create, named(opts.clone()));
        assert_eq!(taken["id"] == made["id"], kind != "servers", "{kind}");
        assert_eq!((&taken["labels"]["windlass-run"], &taken["labels"]["env"]), (&json!("acme-2"), &json!("test")));
        // The step again, after a crash: by its look-up, and by its call.
        world.bench.cx.key = "acme-2/1".into();
        let found = world.bench.look_up(create, named(opts.clone())).unwrap().unwrap();
        assert_eq!(found["id"], taken["id"], "{kind}");
        assert_eq!(world.ask("acme-2", 1, create, named(opts))["id"], taken["id"], "{kind}");
        assert!(!world.undo("acme-1", 1, delete, "x"), "{kind}: the old run's undo finds nothing");
        assert_eq!(world.sim.objects(kind).len(), 1);
        // What others need goes last.
        if kind != "networks" {
            assert!(world.undo("acme-2", 1, delete, "x"), "{kind}");
        }
    }
}

#[test]
fn what_is_somebodys_is_refused() {
    let mut world = World::new();
    for (kind, create, _, opts) in each() {
        world.ask("acme-1", 1, create, named(opts.clone()));
        let before = world.sim.objects(kind);
        let problem = world.call("acme-2", 1, create, named(opts.clone())).unwrap_err();
        assert!(problem.message.contains("the run acme-1 made it, and hasn't ended"), "{kind}: {problem}");
        for fate in [Fate::Completed, Fate::Left] {
            world.becomes("acme-1", fate);
            // A balancer's network is looked at first, and refused with its own words.
            for other in ["other-1", "platform-1"] {
                let problem = world.call(other, 1, create, named(opts.clone())).unwrap_err();
                assert!([Code::Conflict, Code::PermissionDenied].contains(&problem.code), "{kind} {other}: {problem}");
            }
        }
        world.becomes("acme-1", Fate::Open);
        assert_eq!(world.sim.objects(kind), before, "{kind}");
    }
}

#[test]
fn what_isnt_what_is_asked_for_is_refused_with_what_differs() {
    let mut world = World::new();
    let other = [
        ("networks", "ip_range", json!("10.0.0.0/12")),
        ("ssh_keys", "public_key", json!(KEY.replace("6p5E", "6p7E"))),
        ("volumes", "size", json!(20)),
        ("primary_ips", "type", json!("ipv6")),
        ("load_balancers", "load_balancer_type", json!("lb21")),
        ("servers", "server_type", json!("cx33")),
        ("servers", "location", json!("nbg1")),
    ];
    for (_, create, _, opts) in each() {
        world.ask("acme-1", 1, create, named(opts));
    }
    world.becomes("acme-1", Fate::Completed);
    let changes = world.changes();
    for (kind, field, value) in other {
        let (_, create, _, mut opts) = each().into_iter().find(|one| one.0 == kind).unwrap();
        opts[field] = value;
        let problem = world.call("acme-2", 1, create, named(opts)).unwrap_err();
        assert_eq!((problem.code, &problem.data["reason"]), (Code::Conflict, &json!("differs")), "{problem}");
        assert!(problem.message.contains(&format!("`{field}` is ")), "{problem}");
    }
    assert_eq!(world.changes(), changes, "nothing was changed");
}

#[test]
fn what_lacks_is_added_and_what_others_have_added_stays() {
    let mut world = World::new();
    let net = json!(["shared", "net", { "ip_range": "10.0.0.0/16" }]);
    world.ask("acme-1", 1, "create_network", net);
    let rule = |port: &str| json!({ "direction": "in", "protocol": "tcp", "port": port, "source_ips": ["0.0.0.0/0"] });
    world.ask(
        "acme-1",
        2,
        "create_firewall",
        json!(["shared", "wall", { "rules": [rule("8080")], "labels": { "by": "hand" } }]),
    );
    let port = |listen: u32, to: u32| json!({ "protocol": "tcp", "listen_port": listen, "destination_port": to });
    let balancer =
        json!({ "load_balancer_type": "lb11", "location": "fsn1", "services": [port(80, 81), port(8080, 80)] });
    world.ask("acme-1", 3, "create_load_balancer", json!(["shared", "lb", balancer]));
    world.becomes("acme-1", Fate::Completed);

    let subnet = json!({ "type": "cloud", "network_zone": "eu-central", "ip_range": "10.0.1.0/24" });
    let net = json!(["shared", "net", { "ip_range": "10.0.0.0/16", "subnets": [subnet], "adopt": true }]);
    let net = world.ask("acme-2", 1, "create_network", net);
    assert_eq!(net["subnets"].as_array().unwrap().len(), 1);
    let wall = json!(["shared", "wall", { "rules": [rule("443")], "labels": { "env": "prod" }, "adopt": true }]);
    let wall = world.ask("acme-2", 2, "create_firewall", wall);
    let ports: Vec<_> = wall["rules"].as_array().unwrap().iter().map(|rule| rule["port"].clone()).collect();
    assert_eq!(ports, ["8080", "443"]);
    let labels = (&wall["labels"]["by"], &wall["labels"]["env"], &wall["labels"]["windlass-run"]);
    assert_eq!(labels, (&json!("hand"), &json!("prod"), &json!("acme-1")));
    let targets =
        json!([{ "type": "label_selector", "label_selector": { "selector": "role=web" }, "use_private_ip": true }]);
    let balancer = json!({ "load_balancer_type": "lb11", "location": "fsn1", "network": "net", "targets": targets,
        "services": [port(80, 80), port(443, 443)], "adopt": true });
    let balancer = world.ask("acme-2", 3, "create_load_balancer", json!(["shared", "lb", balancer]));
    let mut ports: Vec<_> = balancer["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["listen_port"].as_i64().unwrap(), one["destination_port"].as_i64().unwrap()))
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [(80, 80), (443, 443), (8080, 80)]);
    assert_eq!(
        (balancer["targets"].as_array().unwrap().len(), balancer["private_ips"].as_array().unwrap().len()),
        (1, 1)
    );
}

#[test]
fn a_thing_whose_making_has_failed_is_made_anew() {
    let mut world = World::new();
    let args = named(json!({ "size": 10, "location": "fsn1" }));
    let failure = windlass_sim::Failure { status: 0, code: "resource_unavailable".into(), message: None };
    let fault = windlass_sim::Fault::FailLater { operation: "volumes.create".into(), times: 1, failure };
    world.control.faults.add([fault]);
    world.call("acme-1", 1, "create_volume", args.clone()).unwrap_err();
    world.becomes("acme-1", Fate::Left);
    let taken = world.ask("acme-2", 1, "create_volume", args);
    assert_eq!((&taken["labels"]["windlass-run"], world.sim.objects("volumes").len()), (&json!("acme-2"), 1));
}

#[test]
fn only_what_stands_is_listed_as_standing() {
    let mut world = World::new();
    for (n, run) in ["acme-1", "acme-2", "acme-3", "other-1"].into_iter().enumerate() {
        let args =
            json!(["shared", format!("n{n}"), { "server_type": "cx23", "image": "debian-13", "location": "fsn1" }]);
        world.ask(run, 1, "create_server", args);
    }
    for (run, fate) in [("acme-1", Fate::Completed), ("acme-2", Fate::Left), ("other-1", Fate::Completed)] {
        world.becomes(run, fate);
    }
    let stands = world.ask("acme-4", 1, "list_servers", json!(["shared", { "standing": true }]));
    let names: Vec<_> = stands.as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["n0"]);
}
