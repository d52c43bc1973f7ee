//! What becomes of runs when the server is told to stop, and what `/readyz` says when it can't serve.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use windlass_tests::{ApiServer, World, has_program, skip, wait_until};

use super::house::House;

const PATIENCE: Duration = Duration::from_secs(60);

/// A workflow that runs these lines of sh, one a step; `FILE` in them is this file.
fn steps(file: &Path, lines: &[&str]) -> String {
    let file = file.display().to_string();
    let steps = lines.iter().map(|line| match line.strip_prefix("pause ") {
        Some(pause) => format!("    sleep(\"{pause}\");\n"),
        None => format!("    exec::run([\"sh\", \"-c\", \"{}\"]);\n", line.replace("FILE", &file)),
    });
    let steps: String = steps.collect();
    let head = "const WORKFLOW = #{ name: \"t/steps\", title: \"Steps\", permissions: [\"exec.run:sh\"] };";
    format!("{head}\n\nfn run(input) {{\n{steps}}}\n")
}

fn start(source: &str, settings: &str) -> ApiServer {
    let settings = format!("{settings}[policy]\n\"t/*\" = [\"exec.run:sh\"]\n[hosts.exec]\nprograms = [\"sh\"]\n");
    ApiServer::start_with(&[("t/steps", source)], &[], &settings)
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn a_step_under_way_ends_within_the_grace_and_the_next_is_left_for_later() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("steps");
    let lines = ["echo begun >> FILE; sleep 3; echo ended >> FILE", "echo second >> FILE"];
    let mut server = start(&steps(&file, &lines), "[server]\ngrace_ms = 60000\n");
    let run = server.launch("t/steps", &json!({}));
    wait_until("the step to begin", PATIENCE, || read(&file) == "begun\n");
    assert!(server.process().terminate(PATIENCE).success());
    assert_eq!(read(&file), "begun\nended\n");
    server.restart();
    assert_eq!(server.ended(&run)["state"], "succeeded");
    assert_eq!(read(&file), "begun\nended\nsecond\n");
}

#[test]
fn a_step_that_takes_longer_than_the_grace_does_not_hold_the_end_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("steps");
    let source = steps(&file, &["echo begun >> FILE; exec sleep 120"]);
    let mut server = start(&source, "[server]\ngrace_ms = 500\n");
    let run = server.launch("t/steps", &json!({}));
    wait_until("the step to begin", PATIENCE, || read(&file) == "begun\n");
    assert!(server.process().terminate(PATIENCE).success());
    server.restart();
    // Whether it had an effect isn't known: somebody has to say so, and it isn't done twice.
    wait_until("the run to ask what happened", PATIENCE, || {
        let record: Value = server.get(&format!("/api/v1/runs/{run}")).expect(200).json();
        record["state"] == "waiting"
    });
    assert_eq!(read(&file), "begun\n");
}

#[test]
fn no_run_is_taken_up_once_it_was_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("steps");
    let settings = "[server]\ngrace_ms = 600000\nrequest_timeout_ms = 600000\n";
    let mut server = start(&steps(&file, &["echo first >> FILE", "pause 8s", "echo late >> FILE"]), settings);
    let run = server.launch("t/steps", &json!({}));
    wait_until("the run to wait", PATIENCE, || read(&file) == "first\n");
    // A request that doesn't end keeps the server.
    let mut slow = TcpStream::connect(server.address()).unwrap();
    let head = format!("POST /api/v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n", server.token);
    write!(slow, "{head}content-type: application/json\r\ncontent-length: 9\r\n\r\n{{").unwrap();
    thread::sleep(Duration::from_secs(1));
    server.process().signal(Signal::SIGTERM);
    thread::sleep(Duration::from_secs(10));
    assert!(server.process().is_running(), "the request is under way");
    assert_eq!(read(&file), "first\n");
    drop(slow);
    assert!(server.process().wait(PATIENCE).success());
    server.restart();
    assert_eq!(server.ended(&run)["state"], "succeeded");
}

/// The status of `/readyz`, and the checks that don't hold.
fn ready(address: SocketAddr) -> (String, Vec<Value>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().to_owned();
    let found: Value = serde_json::from_str(body).unwrap();
    assert_eq!(found["ready"], json!(status == "200"));
    let checks = found["checks"].as_array().unwrap().iter();
    (status, checks.filter(|check| check["ok"] == false).map(|check| check["name"].clone()).collect())
}

#[test]
fn readiness_says_what_is_missing() {
    let house = House::of(World::with(|config| config.workers = 0));
    assert_eq!(ready(house.address), ("503".to_owned(), vec![json!("executes")]));
    if !has_program("sqlite3") {
        return skip("sqlite3 isn't here: .ci/setup installs it");
    }
    let server = ApiServer::start(&[]);
    assert_eq!(ready(server.address()), ("200".to_owned(), vec![]));
    let table = "__diesel_schema_migrations";
    let newest = format!("DELETE FROM {table} WHERE version = (SELECT max(version) FROM {table})");
    let done = Command::new("sqlite3").arg(server.data().join("windlass.db")).arg(newest).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert_eq!(ready(server.address()), ("503".to_owned(), vec![json!("schema")]));
}
