//! The nodes: real `windlass serve` processes, each in its namespace, on one database.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{
    Options,
    stage::{Stage, signal},
    workflows,
};
use crate::{Process, windlass_binary};

/// How long a claim holds.
pub const LEASE: Duration = Duration::from_millis(2_000);

/// The nodes.
pub struct Cluster {
    nodes: Vec<Node>,
    /// Asks them.
    pub caller: Caller,
    broken: Option<String>,
}

/// Somebody who asks nodes.
#[derive(Clone)]
pub struct Caller {
    addresses: Vec<SocketAddr>,
    token: String,
    client: reqwest::blocking::Client,
}

impl Caller {
    /// Where the nodes are.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The token for all of them.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Asks a node; `None` if it didn't answer, or couldn't.
    pub fn ask(&self, node: usize, method: &str, path: &str, body: &Value, key: Option<&str>) -> Option<(u16, Value)> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).ok()?;
        let url = format!("http://{}/api/v1/{path}", self.addresses[node]);
        let mut request = self.client.request(method.clone(), url).bearer_auth(&self.token);
        if method != reqwest::Method::GET {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request.send().ok()?;
        let status = answer.status().as_u16();
        let body = answer.json().unwrap_or(Value::Null);
        (status < 500 && status != 429).then_some((status, body))
    }

    /// Asks one node after the other until one answers.
    pub fn insist(
        &self,
        from: usize,
        method: &str,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Option<(u16, Value)> {
        let until = Instant::now() + Duration::from_secs(90);
        for node in (0..self.addresses.len()).cycle().skip(from) {
            if let Some(answer) = self.ask(node, method, path, body, key) {
                return Some(answer);
            }
            if Instant::now() > until {
                return None;
            }
            std::thread::sleep(super::customers::MOMENT);
        }
        None
    }
}

struct Node {
    folder: PathBuf,
    address: SocketAddr,
    process: Option<Process>,
    /// Stopped by SIGSTOP.
    paused: bool,
    slow: bool,
    /// Everything that it said.
    log: String,
}

impl Cluster {
    /// Makes the database's schema and a token, and starts all nodes.
    pub fn new(stage: &Stage, options: &Options) -> Self {
        let scripts = stage.folder().join("workflows");
        workflows::write(&scripts, &stage.witness().to_string());
        let count = options.nodes;
        let nodes: Vec<Node> = (0..count)
            .map(|node| {
                let folder = stage.disk.join(format!("node{node}"));
                configure(&folder, stage, node);
                let address = stage.address(node);
                Node { folder, address, process: None, paused: false, slow: false, log: String::new() }
            })
            .collect();
        let first = &nodes[0].folder;
        let run = |arguments: &[&str]| {
            let mut command = Command::new(windlass_binary());
            command.current_dir(first).args(arguments);
            clean(&mut command);
            let output = command.output().expect("windlass starts");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
            said
        };
        run(&["migrate"]);
        run(&["users", "create", "soak"]);
        run(&["users", "grant", "soak", "admin@*"]);
        let issued: Value =
            serde_json::from_str(&run(&["--json", "tokens", "issue", "--user", "soak", "soak"])).expect("JSON");
        // All nodes read the same secrets.
        for node in &nodes[1..] {
            std::fs::create_dir_all(node.folder.join("data")).expect("a folder");
            let _ = std::fs::copy(first.join("data/secrets.key"), node.folder.join("data/secrets.key"));
        }
        let client = reqwest::blocking::Client::builder()
            .timeout(Duration::from_secs(4))
            .connect_timeout(Duration::from_millis(500))
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client");
        let token = issued["token"].as_str().expect("a token").to_owned();
        let addresses = nodes.iter().map(|node| node.address).collect();
        let caller = Caller { addresses, token, client };
        let mut cluster = Self { nodes, caller, broken: options.broken.clone() };
        (0..count).for_each(|node| cluster.start(stage, node));
        cluster
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Starts a node, unless it runs.
    pub fn start(&mut self, stage: &Stage, node: usize) {
        let place = &mut self.nodes[node];
        if place.process.as_mut().is_some_and(Process::is_running) {
            return;
        }
        if let Some(process) = place.process.take() {
            place.log.push_str(&process.output());
        }
        let mut command = stage.command(node, &windlass_binary());
        command.current_dir(&place.folder).args(["serve"]);
        clean(&mut command);
        command.env("WINDLASS_INSTANCE_ID", format!("00000000-0000-4000-8000-{node:012}"));
        command.env("WINDLASS_INSTANCE_ID_OVERRIDE_OK", "1");
        command.envs(self.broken.as_ref().map(|broken| ("WINDLASS_BREAK", broken)));
        place.process = Some(Process::start(&mut command).expect("windlass starts"));
        place.paused = false;
    }

    /// Starts nodes that have ended by themselves, as a machine's service manager would; not those that were killed.
    pub fn revive(&mut self, stage: &Stage) {
        for node in 0..self.count() {
            let place = &mut self.nodes[node];
            if place.process.as_mut().is_some_and(|process| !process.is_running()) {
                self.start(stage, node);
            }
        }
    }

    /// Kills a node without warning.
    pub fn kill(&mut self, node: usize) {
        let place = &mut self.nodes[node];
        if let Some(mut process) = place.process.take() {
            process.kill();
            place.log.push_str(&process.output());
        }
        place.paused = false;
    }

    /// Stops a node where it stands, or lets it go on as if nothing had been.
    pub fn pause(&mut self, node: usize, paused: bool) {
        let place = &mut self.nodes[node];
        if let Some(process) = &place.process {
            signal(process.id(), if paused { Signal::SIGSTOP } else { Signal::SIGCONT });
            place.paused = paused;
        }
    }

    /// A node stutters from now on, or no more.
    pub fn slow(&mut self, node: usize, slow: bool) {
        self.nodes[node].slow = slow;
        if !slow {
            self.pause(node, false);
        }
    }

    /// Called often: nodes that stutter stand still for a moment, and go on.
    pub fn stutter(&mut self, elapsed: Duration) {
        let still = (elapsed.as_millis() / 60).is_multiple_of(2);
        for node in (0..self.count()).filter(|node| self.nodes[*node].slow).collect::<Vec<_>>() {
            if self.nodes[node].paused != still {
                self.pause(node, still);
            }
        }
    }

    /// Whether any node stands still and may yet go on where it stood.
    pub fn any_paused(&self) -> bool {
        self.nodes.iter().any(|node| node.paused)
    }

    /// What a node has said, for those who look for the reason of a violation.
    pub fn logs(&self) -> String {
        let log = |(index, node): (usize, &Node)| {
            let now = node.process.as_ref().map(Process::output).unwrap_or_default();
            format!("──── node {index}\n{}{now}", node.log)
        };
        self.nodes.iter().enumerate().map(log).collect::<Vec<_>>().join("\n")
    }

    /// Ends all of them in good order.
    pub fn stop(&mut self) {
        for node in &mut self.nodes {
            if let Some(process) = &mut node.process {
                process.terminate(Duration::from_secs(60));
                node.log.push_str(&process.output());
            }
            node.process = None;
        }
    }

    /// Where the store is: the shared one, or the only node's.
    pub fn url(&self, stage: &Stage) -> String {
        match stage.url() {
            url if url.is_empty() => format!("sqlite:{}", self.nodes[0].folder.join("data/windlass.db").display()),
            url => url,
        }
    }
}

fn configure(folder: &Path, stage: &Stage, node: usize) {
    std::fs::create_dir_all(folder).expect("a folder");
    let settings = json!({
        "data": folder.join("data"),
        "workflows": stage.folder().join("workflows"),
        "database": stage.url(),
        "server": { "listen": stage.address(node).to_string(), "grace_ms": 3_000 },
        "engine": { "lease_ms": LEASE.as_millis() as u64, "workers": 12 },
        "bounds": { "recoveries": 50 },
        "log": { "level": "info" },
        "policy": { "soak/*": ["http.*:*", "run.launch:soak/*"] },
    });
    let text = toml::to_string(&settings).expect("TOML");
    std::fs::write(folder.join("windlass.toml"), text).expect("windlass.toml");
}

/// A variable of whoever runs the harness must not steer the nodes.
fn clean(command: &mut Command) {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINDLASS_")) {
        command.env_remove(name);
    }
}
