//! A process is killed between effects at the provider and their records: what it made is there once, and an undo removes
//! all of it.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use windlass_sim::{
    Clock, Control, Server,
    hetzner::{Config, Hetzner, TOKEN},
    serve,
};
use windlass_tests::{ApiServer, wait_until};

/// Makes a little of everything. The wait lets the launch be answered before anything is killed.
const BODY: &str = r#"
const WORKFLOW = #{ name: "t/platform", title: "A platform", permissions: ["hetzner.*:project=acme"] };
fn run(input) {
    sleep("100ms");
    let net = hetzner::create_network("acme", "net", #{ ip_range: "10.0.0.0/16",
        subnets: [#{ type: "cloud", network_zone: "eu-central", ip_range: "10.0.1.0/24" }] });
    let group = hetzner::create_placement_group("acme", "apart");
    parallel_map(["a", "b"], |name| hetzner::create_server("acme", name, #{ server_type: "cx23", image: "debian-13",
        location: "fsn1", networks: [net], placement_group: group, labels: #{ role: "web" } }));
    hetzner::create_load_balancer("acme", "lb", #{ load_balancer_type: "lb11", location: "fsn1", network: net,
        targets: [#{ type: "label_selector", label_selector: #{ selector: "role=web" }, use_private_ip: true }] });
    hetzner::add_service("acme", "lb", #{ protocol: "tcp", listen_port: 443, destination_port: 443 });
    fail("as asked");
}"#;

struct World {
    server: ApiServer,
    project: Arc<Hetzner>,
    control: Control,
    _provider: Server,
}

impl World {
    fn new() -> Self {
        let control = Control::new(Clock::system());
        let config = Config { pace: 0.01, requests: 1_000_000, ..Config::default() };
        let project = Arc::new(Hetzner::new(config, control.clock.clone()));
        let provider = serve(([127, 0, 0, 1], 0).into(), project.clone(), &control).unwrap();
        let settings = format!(
            "[hosts.hetzner]\nbase_url = \"{}/v1\"\npoll_ms = 10\n[hosts.hetzner.projects.acme]\nsecret = \"acme\"\n\
             [policy]\n\"t/*\" = [\"hetzner.*:project=acme\"]\n",
            provider.url()
        );
        let server = ApiServer::start_with(&[("t/platform", BODY)], &[], &settings);
        let token = json!({ "value": TOKEN, "to": [format!("{}*", provider.url())] });
        server.put("/api/v1/secrets/acme", &token).expect(204);
        Self { server, project, control, _provider: provider }
    }

    /// Launches, lets the process be killed at the point, and goes on with another. Whether it was killed.
    fn killed_at(&mut self, point: &str) -> bool {
        self.server.kill();
        self.server.restart_to_crash(point);
        let before = self.control.seen().len();
        let run = self.server.launch("t/platform", &json!({}));
        let path = format!("/api/v1/runs/{run}");
        wait_until("the process to be killed, or the run to end", Duration::from_secs(60), || {
            let shown = self.server.try_raw("GET", &path, &self.server.token, &[], None);
            let has_ended = shown.is_some_and(|shown| shown.status == 200 && shown.json()["ended_at_ms"].is_i64());
            has_ended || !self.server.process().is_running()
        });
        let killed = !self.server.process().is_running();
        if killed {
            self.server.restart();
        }
        let record = self.server.ended(&run);
        assert_eq!(record["state"], "rolled_back", "{point}: {record:#}");
        assert_eq!(self.project.count(), 0, "{point}: something is left");
        let made = self.control.seen().into_iter().skip(before).filter(|seen| seen.status == 201);
        let made: Vec<String> =
            made.map(|seen| seen.operation).filter(|operation| operation.ends_with(".create")).collect();
        for (operation, times) in [
            ("networks.create", 1),
            ("placement_groups.create", 1),
            ("servers.create", 2),
            ("load_balancers.create", 1),
        ] {
            let count = made.iter().filter(|one| *one == operation).count();
            assert_eq!(count, times, "{point}: {operation} was done {count} times: {made:?}");
        }
        killed
    }
}

fn at_every(point: &str) {
    let mut world = World::new();
    let kills = (1..100).take_while(|nth| world.killed_at(&format!("{point}:{nth}"))).count();
    assert!(kills >= 8, "{point} was passed {kills} times only");
}

#[test]
fn killed_before_every_effect_at_the_provider() {
    at_every("effect.before");
}

#[test]
fn killed_between_every_effect_at_the_provider_and_its_record() {
    at_every("effect.after");
}

/// Longer than the budget's own pause: the run's retries have to outlast it.
#[test]
fn a_run_outlasts_a_limit_of_the_provider() {
    let world = World::new();
    world.control.faults.limit("*", 6);
    let run = world.server.launch("t/platform", &json!({}));
    let record = world.server.ended(&run);
    assert_eq!(
        (&record["state"], &record["problem"]["message"]),
        (&json!("rolled_back"), &json!("as asked")),
        "{record:#}"
    );
    let seen = world.control.seen();
    let refused = seen.iter().filter(|seen| seen.status == 429).count();
    assert!((1..=8).contains(&refused), "refused {refused} times: whoever is told to wait has to");
    assert!(seen.iter().any(|seen| seen.operation == "load_balancers.create" && seen.status == 201));
    assert_eq!(world.project.count(), 0);
}
