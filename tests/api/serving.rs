//! `windlass serve` as an operator begins with it: migrate, the first admin from the command line, serve, kill, serve again.

use std::{net::SocketAddr, process::Command, time::Duration};

use serde_json::{Value, json};
use windlass_tests::{Process, sse::Follower, wait_for, windlass_binary};

use super::{
    databases::{Database, on_each_database},
    events::{LOGS, WAITS, events_of},
};

const SOON: Duration = Duration::from_secs(60);

/// A project whose server isn't started yet.
struct Project {
    folder: tempfile::TempDir,
}

fn open(database: Database) -> Project {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("workflows/t")).unwrap();
    for (name, source) in [("log", LOGS), ("wait", WAITS)] {
        std::fs::write(folder.path().join(format!("workflows/t/{name}.rhai")), source).unwrap();
    }
    let settings = format!("{}[engine]\nlease_ms = 1000\npoll_ms = 50\n", database.settings());
    std::fs::write(folder.path().join("windlass.toml"), settings).unwrap();
    Project { folder }
}

impl Project {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(windlass_binary());
        command.current_dir(self.folder.path()).arg("--json").args(arguments);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINDLASS_")) {
            command.env_remove(name);
        }
        // A machine that serves has an id of its own; tests don't write to /etc.
        command.env("WINDLASS_INSTANCE_ID", "5f0c7c1e-6d0b-4d0e-9a55-3c1d2f8f6a01");
        command.env("WINDLASS_INSTANCE_ID_OVERRIDE_OK", "1");
        command
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn serve(&self, listen: &str) -> (Process, SocketAddr) {
        let mut process = Process::start(&mut self.command(&["serve", "--listen", listen])).unwrap();
        let address = wait_for("the server to listen", SOON, || {
            assert!(process.is_running(), "{}", process.output());
            let output = process.output();
            // Before it a warning may stand.
            let begin = output.find("{\n")?;
            let end = output[begin..].find("\n}")? + begin;
            let ready: Value = serde_json::from_str(&output[begin..end + 2]).ok()?;
            ready["address"].as_str()?.parse().ok()
        });
        (process, address)
    }
}

fn ask(address: SocketAddr, token: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let client = reqwest::blocking::Client::new();
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = client.request(method, format!("http://{address}{path}"));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let answer = request.send().unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().unwrap()).unwrap_or_default())
}

fn from_an_empty_database_to_a_run_that_outlives_its_server(project: Project) {
    project.done(&["migrate"]);
    let made = project.done(&["users", "create", "ann", "--role", "admin@*"]);
    let token = project.done(&["tokens", "issue", "main", "--user", "ann"])["token"].as_str().unwrap().to_owned();
    let (mut process, address) = project.serve("127.0.0.1:0");
    // The password that the command line made opens a session.
    let log_in = json!({ "name": "ann", "password": made["password"] });
    assert_eq!(ask(address, "", "POST", "/api/v1/session", Some(log_in)).0, 200);
    let launch = json!({ "workflow": "t/log", "input": { "n": 60, "pause": 100 } });
    let (status, launched) = ask(address, &token, "POST", "/api/v1/runs", Some(launch));
    assert_eq!(status, 201, "{launched}");
    let path = events_of(launched["id"].as_str().unwrap());
    let mut follower = Follower::open(address, &path, &token, None).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 15 {
        seen.push(follower.next_event().unwrap().unwrap().number().unwrap());
    }
    process.kill();
    // What had arrived before the server died is there, too.
    while let Ok(Some(frame)) = follower.next_event() {
        seen.extend(frame.number());
    }
    let (mut process, address) = project.serve(&address.to_string());
    let last = seen.last().unwrap().to_string();
    let mut follower = Follower::open(address, &path, &token, Some(&last)).unwrap();
    while let Some(frame) = follower.next_event().unwrap().filter(|frame| frame.event != "done") {
        seen.push(frame.number().unwrap());
    }
    assert_eq!(seen, (1..=seen.len() as i64).collect::<Vec<_>>());
    assert_eq!(project.done(&["audit", "verify"])["fault"], Value::Null);
    assert!(process.terminate(SOON).success(), "{}", process.output());
}

on_each_database!(open: from_an_empty_database_to_a_run_that_outlives_its_server);
