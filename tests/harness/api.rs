//! The real server: `windlass dev` on a port of its own, in a folder of its own, and a small client that blocks.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::{Process, Watched, wait_for, windlass_binary};

/// A server that runs until this value is dropped.
pub struct ApiServer {
    process: Option<Process>,
    _watched: Watched,
    folder: tempfile::TempDir,
    flags: Vec<String>,
    /// `WINDLASS_CRASH_AT` of the next start.
    crash_at: Option<String>,
    /// Where it answers: `http://127.0.0.1:12345`.
    pub url: String,
    /// Token of the platform's admin.
    pub token: String,
    /// The admin's password.
    pub password: String,
    client: reqwest::blocking::Client,
}

/// What a request was answered with.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The same, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl ApiServer {
    /// With these workflows: names and sources.
    pub fn start(workflows: &[(&str, &str)]) -> Self {
        Self::start_with(workflows, &[], "")
    }

    /// With flags and with lines of `windlass.toml`.
    pub fn start_with(workflows: &[(&str, &str)], flags: &[&str], settings: &str) -> Self {
        Self::start_in(&std::env::temp_dir(), workflows, flags, settings)
    }

    /// The same, with everything of its in a folder below this one.
    pub fn start_in(parent: &Path, workflows: &[(&str, &str)], flags: &[&str], settings: &str) -> Self {
        let folder = tempfile::tempdir_in(parent).expect("a temporary folder");
        for (name, source) in workflows {
            write_workflow(&folder.path().join("workflows"), name, source);
        }
        std::fs::create_dir_all(folder.path().join("workflows")).expect("a folder of workflows");
        std::fs::write(folder.path().join("windlass.toml"), settings).expect("windlass.toml");
        // A provider that is installed already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::blocking::Client::builder()
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let mut server = Self {
            process: None,
            _watched: Watched::new(folder.path()),
            folder,
            flags,
            crash_at: None,
            url: String::new(),
            token: String::new(),
            password: String::new(),
            client,
        };
        server.run("127.0.0.1:0");
        server
    }

    fn run(&mut self, listen: &str) {
        let path = self.folder.path().to_owned();
        let mut command = std::process::Command::new(windlass_binary());
        command.current_dir(&path).args(["--json", "--data"]).arg(path.join("data"));
        command.args(["dev", "--bare", "--listen", listen]).args(&self.flags);
        // A variable of whoever runs the tests must not steer the server.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINDLASS_")) {
            command.env_remove(name);
        }
        let crash_at = self.crash_at.take();
        command.envs(crash_at.as_ref().map(|point| ("WINDLASS_CRASH_AT", point)));
        let mut process = Process::start(&mut command).expect("windlass starts");
        let ready: Option<Value> = wait_for("the server to listen", Duration::from_secs(60), || {
            if crash_at.is_some() && !process.is_running() {
                return Some(None);
            }
            let output = process.output();
            let begin = output.find("{\n")?;
            let end = output[begin..].find("\n}")? + begin + 2;
            serde_json::from_str(&output[begin..end]).ok().map(Some)
        });
        let Some(ready) = ready else {
            self.process = Some(process);
            return;
        };
        let text = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
        // Not the address that people are told: that may be a proxy's.
        let settings = std::fs::read_to_string(path.join("windlass.toml")).unwrap_or_default();
        let scheme = if settings.contains("tls_cert") { "https" } else { "http" };
        self.url = format!("{scheme}://{}", text("address"));
        (self.token, self.password) = (text("token"), text("password"));
        self.process = Some(process);
    }

    /// Kills it without warning, and starts it again on the same port and folder.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        self.process.take().expect("the server runs").kill();
    }

    /// Starts it again on the same port and folder.
    pub fn restart(&mut self) {
        let address = self.address().to_string();
        self.run(&address);
    }

    /// The same; it will kill itself at this point (`commit.before:7`), which may be before it listens.
    pub fn restart_to_crash(&mut self, point: &str) {
        self.crash_at = Some(point.to_owned());
        self.restart();
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.url.split_once("://").and_then(|(_, rest)| rest.parse().ok()).expect("the server's address")
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the server runs")
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its folder of workflows.
    pub fn workflows(&self) -> PathBuf {
        self.folder.path().join("workflows")
    }

    /// Writes a workflow's file.
    pub fn write_workflow(&self, name: &str, source: &str) {
        write_workflow(&self.workflows(), name, source);
    }

    /// Any request: method, path, token (empty: none), further headers, body.
    pub fn raw(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Answer {
        self.sent(method, path, token, headers, body).unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    /// The same; none if no answer came, as when the server dies.
    pub fn try_raw(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Option<Answer> {
        self.sent(method, path, token, headers, body).ok()
    }

    fn sent(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> reqwest::Result<Answer> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send()?;
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        Ok(Answer { status: answer.status().as_u16(), headers, text: answer.text()? })
    }

    /// A request with JSON, as whoever the token is for.
    pub fn send_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let headers: &[(&str, &str)] = if body.is_some() { &[("content-type", "application/json")] } else { &[] };
        self.raw(method, path, token, headers, body.map(|body| body.to_string().into_bytes()))
    }

    /// `GET` as the admin.
    pub fn get(&self, path: &str) -> Answer {
        self.send_as(&self.token, "GET", path, None)
    }

    /// `POST` as the admin.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send_as(&self.token, "POST", path, Some(body))
    }

    /// `PUT` as the admin.
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send_as(&self.token, "PUT", path, Some(body))
    }

    /// `PATCH` as the admin.
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send_as(&self.token, "PATCH", path, Some(body))
    }

    /// `DELETE` as the admin.
    pub fn delete(&self, path: &str) -> Answer {
        self.send_as(&self.token, "DELETE", path, None)
    }

    /// Launches a workflow; the run's id.
    pub fn launch(&self, workflow: &str, input: &Value) -> String {
        let body = serde_json::json!({ "workflow": workflow, "input": input });
        self.post("/api/v1/runs", &body).expect(201).json()["id"].as_str().expect("an id").to_owned()
    }

    /// Waits until the run has come to rest; its record.
    pub fn ended(&self, run: &str) -> Value {
        wait_for("the run to end", Duration::from_secs(60), || {
            let record = self.get(&format!("/api/v1/runs/{run}")).expect(200).json();
            let rests = ["succeeded", "failed", "rolled_back", "cancelled", "rollback_stuck"];
            record["state"].as_str().is_some_and(|state| rests.contains(&state)).then_some(record)
        })
    }
}

fn write_workflow(folder: &Path, name: &str, source: &str) {
    let path = folder.join(format!("{name}.rhai"));
    std::fs::create_dir_all(path.parent().expect("workflows stand in folders")).expect("a folder");
    std::fs::write(path, source).expect("a workflow");
}
