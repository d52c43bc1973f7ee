//! A Sovereign from nothing: the real server, a simulated Hetzner Cloud whose machines make their real calls, real PowerDNS.

mod adopts;
mod boot;
mod changes;
mod crashes;
mod dev;
mod domains;
mod flip;
mod owners;
mod registrars;
mod sovereign;
mod tokens;
mod told;

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use windlass_sim::{Clock, Control, agent::Machines, hetzner};
use windlass_tests::{ApiServer, PowerDns, wait_for};

/// How much of a provider's time things take here.
const PACE: f64 = 0.02;

/// Everything that a Sovereign needs.
struct World {
    server: ApiServer,
    project: Arc<hetzner::Hetzner>,
    control: Control,
    machines: Machines,
    pdns: PowerDns,
    simulator: windlass_sim::Server,
}

const GRANTS: &[&str] = &[
    "hetzner.*:*",
    "claim.*:*",
    "secret.use:made/*",
    "secret.use:registrar/*",
    "pool.*:*",
    "dns.read:*",
    "dns.write:*",
    "dns.check:*",
    "registrar.*:*",
    "notify.email:*",
];

/// The workflows of the area, and what they import.
fn workflows() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows");
    let mut found = Vec::new();
    for folder in ["provision", "lib"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if let Some(name) = name.strip_suffix(".rhai").filter(|name| !name.ends_with(".test")) {
                found.push((format!("{folder}/{name}"), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

impl World {
    fn new() -> Option<Self> {
        Self::with_machines(true)
    }

    /// With machines that boot what they are given, or do nothing.
    fn with_machines(live: bool) -> Option<Self> {
        Self::with(live, json!({}))
    }

    /// The same, with further settings of host modules.
    fn with(live: bool, more: Value) -> Option<Self> {
        Self::below(None, live, more)
    }

    /// The same, with a name server of the registry's own for the zones above: what the world asks is this one.
    fn below(registry: Option<&PowerDns>, live: bool, more: Value) -> Option<Self> {
        let pdns = PowerDns::start()?;
        pdns.make_zone("pool.test.", &["ns1.pool.test.", "ns2.pool.test."]);
        pdns.put("pool.test.", "ns1.pool.test.", "A", 300, &["127.0.0.1"]);
        pdns.put("pool.test.", "ns2.pool.test.", "A", 300, &["127.0.0.1"]);
        let control = Control::new(Clock::system());
        let machines = Machines::new(PACE, control.faults.clone());
        let booting = machines.clone();
        let config = hetzner::Config {
            pace: PACE,
            // Tests make more in a minute than anybody in an hour.
            limits: hetzner::Config::default().limits.into_keys().map(|kind| (kind, 1_000)).collect(),
            requests: 1_000_000,
            booted: live.then(|| -> hetzner::Booted { Arc::new(move |boot| booting.boot(boot)) }),
            ..hetzner::Config::default()
        };
        let project = Arc::new(hetzner::Hetzner::new(config, control.clock.clone()));
        let simulator = windlass_sim::serve("127.0.0.1:0".parse().unwrap(), project.clone(), &control).unwrap();
        let base_url = format!("{}/v1", simulator.url());
        let nameservers = ["ns1.pool.test", "ns2.pool.test"];
        let mut settings = json!({
            "policy": { "provision/*": GRANTS },
            "hosts": {
                "hetzner": { "base_url": base_url, "poll_ms": 20, "projects": { "main": { "secret": "hetzner/main", "organisations": ["*"] } } },
                "dns": {
                    "servers": { "main": pdns.settings(&nameservers) },
                    "resolvers": [registry.unwrap_or(&pdns).address()],
                    "addresses": { "ns0.corp.test": registry.unwrap_or(&pdns).address(), "ns1.pool.test": pdns.address(), "ns2.pool.test": pdns.address() },
                },
                "pool": { "domains": { "pool.test": {} } },
            },
        });
        // Organisations share it all.
        settings["hosts"]["dns"]["servers"]["main"]["organisations"] = json!(["*"]);
        for (module, of_module) in more.as_object().unwrap() {
            match module.as_str() {
                // Where name servers are that this world doesn't know.
                "addresses" => {
                    let known = settings["hosts"]["dns"]["addresses"].as_object_mut().unwrap();
                    known.extend(of_module.as_object().unwrap().clone());
                }
                _ => settings["hosts"][module] = of_module.clone(),
            }
        }
        let settings = toml::to_string(&settings).unwrap();
        let sources = workflows();
        let sources: Vec<(&str, &str)> = sources.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let server = ApiServer::start_with(&sources, &[], &settings);
        let token = json!({ "value": hetzner::TOKEN, "to": [format!("{}*", simulator.url())] });
        server.put("/api/v1/secrets/hetzner/main", &token).expect(204);
        Some(Self { server, project, control, machines, pdns, simulator })
    }

    /// Where the simulated provider is.
    fn provider_url(&self) -> String {
        self.simulator.url()
    }

    /// Puts a registrar's plugin where the server finds it, and approves it.
    fn approve_plugin(&self, id: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/registrars").join(id);
        let to = self.server.workflows().with_file_name("plugins").join("registrars").join(id);
        let copied = std::process::Command::new("sh")
            .args(["-c", r#"mkdir -p "$2" && cp -r "$1/." "$2""#, "sh"])
            .args([&from, &to])
            .status()
            .unwrap();
        assert!(copied.success());
        let path = format!("/api/v1/plugins/registrars/{id}/approval");
        let digest = self.server.get(&path).expect(200).json()["digest"].clone();
        self.server.put(&path, &json!({ "digest": digest, "message": "looked at" })).expect(200);
    }

    fn launch(&self, workflow: &str, input: &Value) -> String {
        let launched = self.server.post("/api/v1/runs", &json!({ "workflow": workflow, "input": input })).expect(201);
        launched.json()["id"].as_str().unwrap().to_owned()
    }

    /// The run once it has ended.
    fn ended(&self, run: &str) -> Value {
        wait_for("the run to end", Duration::from_secs(180), || {
            let shown = self.server.get(&format!("/api/v1/runs/{run}")).expect(200).json();
            shown["ended_at_ms"].is_i64().then_some(shown)
        })
    }
}
