//! The server is killed at commits of audited commands: afterwards each command is there with its entry in the audit log, or
//! neither is, and the log's chain holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};
use windlass_tests::ApiServer;

use super::{
    databases::{Database, on_each_database},
    events::server,
    people::done,
};

/// Commits that the server survives in each round, after those that its start took.
const ROUNDS: usize = 10;

/// Sends a request; the status, or none if the server died over it.
fn send(server: &ApiServer, method: &str, path: &str, body: &Value) -> Option<u16> {
    let body = body.to_string();
    let mut stream = TcpStream::connect(server.address()).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let (token, length) = (&server.token, body.len());
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    // A connection that breaks after the head has told the status all the same.
    let _ = stream.read_to_string(&mut answer);
    answer.split(' ').nth(1)?.parse().ok()
}

/// Commits since the process began.
fn commits(server: &ApiServer) -> usize {
    let metrics = server.get("/metrics").expect(200).text;
    let line = metrics.lines().find_map(|line| line.strip_prefix("windlass_commit_seconds_count ")).unwrap();
    line.parse().unwrap()
}

/// What was answered, by what was asked for.
#[derive(Default)]
struct Asked {
    /// Organisations: whether the answer came.
    organisations: BTreeMap<String, bool>,
    /// Keys of launches.
    launches: BTreeMap<String, bool>,
    /// Runs that were cancelled.
    cancelled: BTreeMap<String, bool>,
}

/// Asks for one thing after the other until the server dies. Whether it died.
fn ask_until_it_dies(server: &ApiServer, round: usize, waiting: &str, asked: &mut Asked) -> bool {
    for number in 0..8 {
        let name = format!("o{round}-{number}");
        let made = send(server, "POST", "/api/v1/organisations", &json!({ "name": name }));
        asked.organisations.insert(name.clone(), made == Some(201));
        if made.is_none() {
            return true;
        }
        let launched = send(server, "POST", "/api/v1/runs", &json!({ "workflow": "t/wait", "tags": [name] }));
        asked.launches.insert(name, launched == Some(201));
        if launched.is_none() {
            return true;
        }
        if number == 1 {
            let cancelled = send(server, "POST", &format!("/api/v1/runs/{waiting}/cancel"), &json!({}));
            asked.cancelled.insert(waiting.to_owned(), cancelled == Some(200));
            if cancelled.is_none() {
                return true;
            }
        }
    }
    false
}

/// All entries of the audit log with this action.
fn entries(log: &[Value], action: &str) -> Vec<Value> {
    log.iter().filter(|entry| entry["action"] == action).cloned().collect()
}

/// How often each of these occurs; none may twice.
fn once(names: impl Iterator<Item = String>) -> BTreeSet<String> {
    let all: Vec<String> = names.collect();
    let set: BTreeSet<String> = all.iter().cloned().collect();
    assert_eq!(set.len(), all.len(), "written down twice: {all:?}");
    set
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What is there, and what is written down.
fn agree(server: &ApiServer, asked: &Asked) {
    let export = server.get("/api/v1/audit/export").expect(200).text;
    let log: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let noted = once(entries(&log, "organisation.create").iter().map(|entry| text(&entry["target"])));
    let launched = once(entries(&log, "run.launch").iter().map(|entry| text(&entry["target"])));
    let cancelled = once(entries(&log, "run.cancel").iter().map(|entry| text(&entry["target"])));
    for (name, answered) in &asked.organisations {
        let there = server.get(&format!("/api/v1/organisations/{name}")).status == 200;
        assert_eq!(there, noted.contains(name), "the organisation {name} and its entry");
        assert!(there || !answered, "{name} was answered and is lost");
    }
    for (tag, answered) in &asked.launches {
        let found = server.get(&format!("/api/v1/runs?tag={tag}")).expect(200).json();
        let runs: Vec<String> = found["items"].as_array().unwrap().iter().map(|run| text(&run["id"])).collect();
        assert!(runs.len() == 1 || !answered, "the launch of {tag} was answered and is lost, or there twice");
        runs.iter().for_each(|run| assert!(launched.contains(run), "{run} isn't written down"));
    }
    for (run, answered) in &asked.cancelled {
        let history = server.get(&format!("/api/v1/runs/{run}/history?limit=500")).expect(200).text;
        let there = history.contains("run.cancelling") || history.contains("run.cancelled");
        assert_eq!(there, cancelled.contains(run), "the cancelling of {run} and its entry");
        assert!(there || !answered, "the cancelling of {run} was answered and is lost");
    }
    // What is written down is there, too.
    for run in &launched {
        server.get(&format!("/api/v1/runs/{run}")).expect(200);
    }
}

fn open(database: Database) -> ApiServer {
    server(&database.settings())
}

fn killed_at(mut server: ApiServer, point: &str) {
    let mut asked = Asked::default();
    let mut died = 0;
    for round in 0..ROUNDS {
        let waiting = server.launch("t/wait", &json!({}));
        // How many commits a start takes is learnt from a start.
        server.kill_and_restart();
        let begin = commits(&server);
        server.kill();
        server.restart_to_crash(&format!("{point}:{}", begin + round + 1));
        died += usize::from(ask_until_it_dies(&server, round, &waiting, &mut asked));
        server.kill_and_restart();
        agree(&server, &asked);
        let verified = server.get("/api/v1/audit/verify").expect(200).json();
        assert_eq!(verified["fault"], Value::Null, "{point} in round {round}");
    }
    assert!(died >= ROUNDS / 2, "{point}: the server died {died} times only, so this doesn't kill where it should");
    let verified = done(&server, &["audit", "verify"]);
    assert!(verified["entries"].as_u64().unwrap() > 10 && verified["fault"] == Value::Null, "{verified}");
}

fn killed_before_commits(server: ApiServer) {
    killed_at(server, "commit.before");
}

fn killed_after_commits(server: ApiServer) {
    killed_at(server, "commit.after");
}

on_each_database!(open: killed_before_commits, killed_after_commits);
