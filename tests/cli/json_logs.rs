//! `log.format = "json"`: whoever collects the log reads each line by itself.

use std::process::Command;

use serde_json::Value;
use windlass_tests::{Process, wait_until, windlass_binary};

use super::support::SOON;

#[test]
fn every_line_is_an_object_with_the_fields_that_the_docs_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("workflows/lab")).unwrap();
    // A mistake is something to log, and so is a setting that isn't one.
    std::fs::write(folder.path().join("workflows/lab/cut.rhai"), "fn run(input) {").unwrap();
    std::fs::write(folder.path().join("windlass.toml"), "[log]\nlevel = \"debug\"\nformat = \"json\"\n").unwrap();
    let log = folder.path().join("log");
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" --json dev --listen 127.0.0.1:0 2>log"]).arg(windlass_binary());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINDLASS_")) {
        command.env_remove(name);
    }
    command.current_dir(folder.path()).env("WINDLASS_ENGINE_WORKRS", "3\n4");
    let mut server = Process::start(&mut command).unwrap();
    wait_until("the server to listen", SOON, || server.output().contains("\n}"));
    let ready: Value = serde_json::from_str(&server.output()).unwrap();
    // A provider that is installed already serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::blocking::Client::new();
    let url = format!("{}/api/v1/workflows", ready["url"].as_str().unwrap());
    let answer = client.get(url).bearer_auth(ready["token"].as_str().unwrap()).send().unwrap();
    let request = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    server.terminate(SOON);

    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    for line in &lines {
        for field in ["timestamp", "level", "target"] {
            assert!(line[field].is_string(), "no {field} in {line}");
        }
        assert!(line["fields"]["message"].is_string(), "no message in {line}");
    }
    assert!(text.contains("WINDLASS_ENGINE_WORKRS") && text.contains("stopping"), "{text}");
    let of_request = |line: &&Value| {
        line["spans"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|span| span["name"] == "request" && span["id"] == request.as_str())
    };
    assert!(lines.iter().any(|line| of_request(&line)), "no line of request {request}:\n{text}");
}
