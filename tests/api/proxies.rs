//! Streams through the proxies that people put before a server, as they come: events arrive when they happen, heartbeats keep
//! the connection, `done` arrives.

use std::{
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;
use windlass_tests::{ApiServer, Process, free_port, has_program, skip, sse::Follower, wait_until};

use super::events::{events_of, server};

/// Follows a waiting run through a proxy.
fn followed_through(server: &ApiServer, proxy: SocketAddr) {
    wait_until("the proxy to listen", Duration::from_secs(60), || std::net::TcpStream::connect(proxy).is_ok());
    let run = server.launch("t/wait", &json!({}));
    wait_until("the run to wait", Duration::from_secs(60), || {
        server.get(&format!("/api/v1/runs/{run}")).json()["state"] == "waiting"
    });
    let mut follower = Follower::open(proxy, &events_of(&run), &server.token, None).unwrap();
    assert_eq!(follower.status, 200);
    assert_eq!(follower.header("content-type"), Some("text/event-stream"));
    // What has happened is more than proxies leave unpacked for being too little.
    assert_eq!(follower.header("content-encoding"), Some("identity"));
    follower.patience(Duration::from_secs(60));
    // All of this arrives while the run waits, so nothing on the way keeps it back.
    let mut seen = Vec::new();
    while seen.last().is_none_or(|event: &String| event != "run.waiting") {
        seen.push(follower.next_event().unwrap().unwrap().event);
    }
    let mut heartbeats = 0;
    let began = Instant::now();
    // Some may stand in a buffer already.
    while heartbeats < 10 {
        let frame = follower.next_frame().unwrap().unwrap();
        assert!(frame.event.is_empty(), "{frame:?}");
        heartbeats += 1;
    }
    assert!(began.elapsed() >= Duration::from_millis(600), "heartbeats come one by one, not all at once");
    let signalled = server.post(&format!("/api/v1/runs/{run}/signal"), &json!({ "name": "go", "payload": {} }));
    assert!(signalled.status < 300, "{}", signalled.text);
    let mut last = 0;
    loop {
        let frame = follower.next_event().unwrap().unwrap();
        if frame.event == "done" {
            break;
        }
        last = frame.number().unwrap();
    }
    // A browser comes back after the end, and is told to stop.
    let again = Follower::open(proxy, &events_of(&run), &server.token, Some(&last.to_string())).unwrap();
    assert_eq!(again.status, 204);
}

fn start(program: &str, arguments: &[&str], folder: &Path) -> Process {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("HOME", folder);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin");
    Process::start(&mut command).unwrap()
}

#[test]
fn through_haproxy() {
    if !has_program("haproxy") {
        return skip("haproxy isn't installed");
    }
    let (server, port) = (server("[server]\nheartbeat_ms = 200\n"), free_port());
    let folder = tempfile::tempdir().unwrap();
    // The `defaults` of Debian's own configuration; no word about streams.
    let config = format!(
        "defaults\n  mode http\n  timeout connect 5000\n  timeout client 50000\n  timeout server 50000\n\
         frontend people\n  bind 127.0.0.1:{port}\n  default_backend windlass\n\
         backend windlass\n  server one {}\n",
        server.address()
    );
    std::fs::write(folder.path().join("haproxy.cfg"), config).unwrap();
    let _proxy = start("haproxy", &["-db", "-f", "haproxy.cfg"], folder.path());
    followed_through(&server, ([127, 0, 0, 1], port).into());
}

#[test]
fn through_caddy() {
    if !has_program("caddy") {
        return skip("caddy isn't installed");
    }
    let (server, port) = (server("[server]\nheartbeat_ms = 200\n"), free_port());
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "{{\n\tadmin off\n\tauto_https off\n}}\n:{port} {{\n\tencode gzip\n\treverse_proxy {}\n}}\n",
        server.address()
    );
    std::fs::write(folder.path().join("Caddyfile"), config).unwrap();
    let _proxy = start("caddy", &["run", "--config", "Caddyfile", "--adapter", "caddyfile"], folder.path());
    followed_through(&server, ([127, 0, 0, 1], port).into());
}
