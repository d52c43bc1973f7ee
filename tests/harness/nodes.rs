//! Several real `windlass serve` processes on one PostgreSQL, and somebody who asks them.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{Process, free_port, wait_for, windlass_binary};

const SOON: Duration = Duration::from_secs(60);

/// The nodes.
pub struct Nodes {
    folder: tempfile::TempDir,
    nodes: Vec<Node>,
    /// An admin of the platform's.
    pub token: String,
    client: reqwest::blocking::Client,
}

struct Node {
    folder: PathBuf,
    address: SocketAddr,
    process: Option<Process>,
    log: String,
}

impl Nodes {
    /// So many, with these workflows (names and sources), and with this of `engine` in their configuration, by node.
    pub fn start(url: &str, workflows: &[(&str, String)], engine: &[Value]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, source) in workflows {
            let path = folder.path().join("workflows").join(format!("{name}.rhai"));
            std::fs::create_dir_all(path.parent().expect("workflows stand in folders")).expect("a folder");
            std::fs::write(path, source).expect("a workflow");
        }
        let node = |(index, engine): (usize, &Value)| {
            let address: SocketAddr = ([127, 0, 0, 1], free_port()).into();
            let place = folder.path().join(format!("node{index}"));
            std::fs::create_dir_all(&place).expect("a folder");
            let settings = json!({
                "data": place.join("data"),
                "workflows": folder.path().join("workflows"),
                "database": url,
                "server": { "listen": address.to_string(), "grace_ms": 3_000 },
                "engine": engine,
                "log": { "level": "info,windlass_store=debug" },
                "policy": { "nodes/*": ["http.*:*", "run.launch:*"] },
            });
            std::fs::write(place.join("windlass.toml"), toml::to_string(&settings).expect("TOML")).expect("a file");
            Node { folder: place, address, process: None, log: String::new() }
        };
        let nodes: Vec<Node> = engine.iter().enumerate().map(node).collect();
        // A provider that is installed already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::blocking::Client::builder()
            .timeout(Duration::from_secs(40))
            .connect_timeout(Duration::from_secs(2))
            .build()
            .expect("a client");
        let mut all = Self { folder, nodes, token: String::new(), client };
        all.told(0, &["migrate"]);
        all.told(0, &["users", "create", "nodes"]);
        all.told(0, &["users", "grant", "nodes", "admin@*"]);
        let issued = all.told(0, &["--json", "tokens", "issue", "--user", "nodes", "nodes"]);
        let issued: Value = serde_json::from_str(&issued).expect("JSON");
        all.token = issued["token"].as_str().expect("a token").to_owned();
        for node in &all.nodes[1..] {
            std::fs::create_dir_all(node.folder.join("data")).expect("a folder");
            let _ = std::fs::copy(all.nodes[0].folder.join("data/secrets.key"), node.folder.join("data/secrets.key"));
        }
        (0..all.nodes.len()).for_each(|node| all.revive(node));
        all
    }

    /// Starts a node, and waits until it answers.
    pub fn revive(&mut self, node: usize) {
        let mut command = self.command(node);
        command.arg("serve");
        self.nodes[node].process = Some(Process::start(&mut command).expect("windlass starts"));
        wait_for("a node to answer", SOON, || self.ask(node, "GET", "version", None));
    }

    /// Kills a node without warning.
    pub fn kill(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if let Some(mut process) = node.process.take() {
            process.kill();
            node.log.push_str(&process.output());
        }
    }

    /// Asks a node to end, and waits until it has.
    pub fn terminate(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if let Some(mut process) = node.process.take() {
            let status = process.terminate(SOON);
            node.log.push_str(&process.output());
            assert!(status.success(), "{status}: {}", node.log);
        }
    }

    /// Where a node listens.
    pub fn address(&self, node: usize) -> SocketAddr {
        self.nodes[node].address
    }

    /// What a node has said.
    pub fn log(&self, node: usize) -> String {
        let node = &self.nodes[node];
        let now = node.process.as_ref().map(Process::output).unwrap_or_default();
        format!("{}{now}", node.log)
    }

    fn command(&self, node: usize) -> Command {
        let mut command = Command::new(windlass_binary());
        command.current_dir(&self.nodes[node].folder);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINDLASS_")) {
            command.env_remove(name);
        }
        command.env("WINDLASS_INSTANCE_ID", format!("00000000-0000-4000-8000-{node:012}"));
        command.env("WINDLASS_INSTANCE_ID_OVERRIDE_OK", "1");
        command
    }

    /// Runs `windlass` with a node's configuration.
    pub fn cli(&self, node: usize, arguments: &[&str]) -> Output {
        self.command(node).args(arguments).output().expect("windlass starts")
    }

    /// The same; what it printed, if it succeeded.
    pub fn told(&self, node: usize, arguments: &[&str]) -> String {
        let output = self.cli(node, arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// Asks a node as this token's owner; the status and the answer, `None` if none came.
    pub fn ask_as(
        &self,
        token: &str,
        node: usize,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        self.request((token, None), node, method, path, body)
    }

    /// The same as an admin.
    pub fn ask(&self, node: usize, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        self.request((&self.token, None), node, method, path, body)
    }

    fn request(
        &self,
        (token, key): (&str, Option<&str>),
        node: usize,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let url = format!("http://{}/api/v1/{path}", self.nodes[node].address);
        let mut request = self.client.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request.send().ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().unwrap_or(Value::Null)))
    }

    /// Asks a node what it has to answer well.
    #[track_caller]
    pub fn good(&self, node: usize, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.ask(node, method, path, body).expect("the node answers");
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Launches at a node; the run's id.
    #[track_caller]
    pub fn launch(&self, node: usize, workflow: &str, input: &Value) -> String {
        let body = json!({ "workflow": workflow, "input": input });
        self.good(node, "POST", "runs", Some(&body))["id"].as_str().expect("an id").to_owned()
    }

    /// Launches once, by a key, at one node after the other until one answers; the run's id.
    pub fn launch_once(&self, from: usize, workflow: &str, input: &Value, key: &str) -> String {
        let body = json!({ "workflow": workflow, "input": input });
        let until = Instant::now() + 2 * SOON;
        for node in (0..self.nodes.len()).cycle().skip(from) {
            match self.request((&self.token, Some(key)), node, "POST", "runs", Some(&body)) {
                Some((200 | 201, answer)) => return answer["id"].as_str().expect("an id").to_owned(),
                Some((status, answer)) if status < 500 && status != 429 => panic!("{status} {answer}"),
                _ => assert!(Instant::now() < until, "nobody launches {key}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        unreachable!("it goes round for ever")
    }

    /// A run's record.
    #[track_caller]
    pub fn run(&self, node: usize, id: &str) -> Value {
        self.good(node, "GET", &format!("runs/{id}"), None)
    }

    /// Waits until a run is in this state; its record.
    #[track_caller]
    pub fn wait_for_state(&self, node: usize, id: &str, state: &str) -> Value {
        let until = Instant::now() + SOON;
        loop {
            let run = self.run(node, id);
            if run["state"] == state {
                return run;
            }
            let ended = ["succeeded", "failed", "rolled_back", "cancelled"].iter().any(|ended| run["state"] == *ended);
            assert!(!ended && Instant::now() < until, "{id} isn't {state}: {run}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A node's name among the nodes, as it says.
    #[track_caller]
    pub fn name(&self, node: usize) -> String {
        wait_for("a node to be listed", SOON, || {
            let nodes = self.good(node, "GET", "nodes", None);
            let here = nodes.as_array()?.iter().find(|node| node["here"] == true)?;
            here["id"].as_str().map(str::to_owned)
        })
    }

    /// The folder that they share.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}
