//! Crowds that follow: each of them sees each event exactly once, in order, whatever happens on the way, and none of them
//! costs the server more than it should.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use rand::Rng as _;
use serde_json::json;
use windlass_tests::{ApiServer, sse::Follower, wait_until};

use super::events::{events_of, server};

const CROWD: usize = 200;
/// Longest time that a run is followed.
const PATIENCE: Duration = Duration::from_secs(300);

/// Follows to `done` through broken connections; every number in the order of arrival. Disconnects by itself about once in
/// `restless` events, if that isn't 0.
fn follow_through(address: SocketAddr, token: &str, path: &str, restless: u32, begun: &AtomicUsize) -> Vec<i64> {
    let (mut seen, mut first) = (Vec::new(), true);
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < PATIENCE, "still following after {} events", seen.len());
        let last = seen.last().map(ToString::to_string);
        let Ok(mut follower) = Follower::open(address, path, token, last.as_deref()) else {
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        match follower.status {
            200 => {}
            204 => return seen,
            503 | 429 => {
                thread::sleep(Duration::from_millis(200));
                continue;
            }
            status => panic!("{status}"),
        }
        // An error is a connection that broke off, an end without `done` a server that stops: come back either way.
        while let Ok(Some(frame)) = follower.next_event() {
            if std::mem::take(&mut first) {
                begun.fetch_add(1, Ordering::Relaxed);
            }
            if frame.event == "done" {
                return seen;
            }
            seen.push(frame.number().expect("each event has a number"));
            if restless > 0 && rand::rng().random_ratio(1, restless) {
                break;
            }
        }
    }
}

#[track_caller]
fn each_once(seen: &[i64], last: i64) {
    assert_eq!(seen, (1..=last).collect::<Vec<_>>());
}

/// Number of a run's last event.
fn last_event(server: &ApiServer, run: &str) -> i64 {
    server.get(&format!("/api/v1/runs/{run}")).expect(200).json()["last_event"].as_i64().expect("a number")
}

#[test]
fn who_disconnects_at_random_misses_nothing_and_sees_nothing_twice() {
    let server = server("");
    let run = server.launch("t/log", &json!({ "n": 600, "pause": 30 }));
    let (begun, path) = (AtomicUsize::new(0), events_of(&run));
    let all: Vec<Vec<i64>> = thread::scope(|scope| {
        let crowd: Vec<_> = (0..CROWD)
            .map(|_| scope.spawn(|| follow_through(server.address(), &server.token, &path, 40, &begun)))
            .collect();
        crowd.into_iter().map(|one| one.join().unwrap()).collect()
    });
    server.ended(&run);
    let last = last_event(&server, &run);
    assert!(last > 600, "{last}");
    all.iter().for_each(|seen| each_once(seen, last));
}

/// Follows everything to the end of this run, through broken connections: run and number of each event, by order of arrival.
fn follow_all(address: SocketAddr, token: &str, until: &str, after: &str, begun: &AtomicUsize) -> Vec<(String, i64)> {
    let (mut seen, mut cursor, mut first) = (Vec::new(), after.to_owned(), true);
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < PATIENCE, "still following after {} events", seen.len());
        let Ok(mut follower) = Follower::open(address, "/api/v1/events", token, Some(&cursor)) else {
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        if follower.status != 200 {
            thread::sleep(Duration::from_millis(200));
            continue;
        }
        while let Ok(Some(frame)) = follower.next_frame() {
            if let Some(id) = &frame.id {
                cursor.clone_from(id);
            }
            if frame.event.is_empty() {
                continue;
            }
            if std::mem::take(&mut first) {
                begun.fetch_add(1, Ordering::Relaxed);
            }
            let event: serde_json::Value = serde_json::from_str(&frame.data).unwrap();
            let run = event["run"].as_str().unwrap().to_owned();
            let ended = run == until && frame.event == "run.succeeded";
            seen.push((run, event["seq"].as_i64().unwrap()));
            if ended {
                return seen;
            }
        }
    }
}

#[test]
fn a_killed_server_loses_and_repeats_nothing_for_who_comes_back() {
    let mut server = server("");
    let place = Follower::open(server.address(), "/api/v1/events", &server.token, None).unwrap().next_id();
    let run = server.launch("t/log", &json!({ "n": 600, "pause": 50 }));
    let (begun, stop, launched) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicUsize::new(0));
    // Followers need only the address, the token and the run: the server is killed beside them.
    let (address, token, path) = (server.address(), server.token.clone(), events_of(&run));
    let (own, all) = thread::scope(|scope| {
        let (begun, stop, launched) = (&begun, &stop, &launched);
        let (token, path, run, place) = (token.as_str(), path.as_str(), run.as_str(), place.as_str());
        let own: Vec<_> =
            (0..CROWD).map(|_| scope.spawn(move || follow_through(address, token, path, 0, begun))).collect();
        let all: Vec<_> =
            (0..CROWD / 10).map(|_| scope.spawn(move || follow_all(address, token, run, place, begun))).collect();
        // Launches that don't stop for the kills are the load.
        let load: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        match launch(address, token) {
                            Some(_) => drop(launched.fetch_add(1, Ordering::Relaxed)),
                            None => thread::sleep(Duration::from_millis(20)),
                        }
                    }
                })
            })
            .collect();
        let everybody = own.len() + all.len();
        wait_until("all of them to follow", PATIENCE, || begun.load(Ordering::Relaxed) == everybody);
        for _ in 0..2 {
            let before = launched.load(Ordering::Relaxed);
            wait_until("launches between the kills", PATIENCE, || launched.load(Ordering::Relaxed) >= before + 20);
            server.kill_and_restart();
        }
        stop.store(true, Ordering::Relaxed);
        load.into_iter().for_each(|one| one.join().unwrap());
        let own: Vec<_> = own.into_iter().map(|one| one.join().unwrap()).collect();
        let all: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
        (own, all)
    });
    server.ended(&run);
    let last = last_event(&server, &run);
    own.iter().for_each(|seen| each_once(seen, last));
    for seen in all {
        let mut runs = BTreeMap::<String, Vec<i64>>::new();
        seen.into_iter().for_each(|(run, number)| runs.entry(run).or_default().push(number));
        assert!(runs.len() > 40, "{} runs at once", runs.len());
        // Each run from its first event on, without a gap, to where the watched one ended.
        runs.remove("system");
        assert_eq!(runs[&run].len() as i64, last);
        runs.values().for_each(|numbers| each_once(numbers, numbers.len() as i64));
    }
}

/// Launches a short run, if the server is there.
fn launch(address: SocketAddr, token: &str) -> Option<()> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let body = json!({ "workflow": "t/log", "input": { "n": 20, "pause": 5 } }).to_string();
    let length = body.len();
    let head = format!(
        "POST /api/v1/runs HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 201").then_some(())
}

/// Logs lines of 4 KB: more than sockets hold.
const WIDE: &str = r#"
const WORKFLOW = #{ name: "t/wide", title: "logs wide lines", permissions: [] };
fn run(input) {
    let line = "";
    line.pad(4000, 'x');
    for i in 0..2500 { log(line); }
    1
}
"#;

#[test]
fn a_client_that_never_reads_costs_little_and_is_dropped() {
    let mut server = ApiServer::start_with(&[("t/wide", WIDE)], &[], "[server]\nstall_ms = 2000\n");
    let run = server.launch("t/wide", &json!({}));
    assert_eq!(server.ended(&run)["state"], "succeeded");
    let path = events_of(&run);
    let idle = sockets(server.process().id());
    // What reading costs by itself, threads and caches, is there before the silent ones come.
    thread::scope(|scope| {
        (0..16).map(|_| Follower::open(server.address(), &path, &server.token, None).unwrap()).for_each(
            |mut reader| {
                scope.spawn(move || while reader.next_event().unwrap().is_some() {});
            },
        );
    });
    let id = server.process().id();
    let before = rss(id);
    let silent: Vec<Follower> =
        (0..40).map(|_| Follower::open(server.address(), &path, &server.token, None).unwrap()).collect();
    // Or some kernels would take all of it in their place.
    silent.iter().for_each(Follower::keep_little);
    let mut most = 0;
    // All of them: one that is read before it is dropped goes on.
    wait_until("the silent ones to be dropped", PATIENCE, || {
        most = most.max(rss(id));
        sockets(id) <= idle
    });
    // Their streams have 10 MB each. This bounds the crowd; how much one of them costs can't be told from so few.
    let grown = most.saturating_sub(before);
    assert!(grown <= 32 << 20, "{grown} bytes for {} clients that don't read", silent.len());
    // They were dropped: what their sockets hold is all that they get.
    for mut follower in silent {
        loop {
            match follower.next_event() {
                Ok(Some(frame)) => assert_ne!(frame.event, "done"),
                Ok(None) => panic!("the stream ended in order"),
                Err(_) => break,
            }
        }
    }
}

#[test]
fn a_thousand_idle_followers_leave_room_for_others() {
    let mut server = server("");
    let run = server.launch("t/wait", &json!({}));
    let path = events_of(&run);
    let before = rss(server.process().id());
    let mut crowd: Vec<Follower> =
        (0..1_000).map(|_| Follower::open(server.address(), &path, &server.token, None).unwrap()).collect();
    for follower in &mut crowd {
        assert_eq!(follower.next_event().unwrap().unwrap().event, "run.launched");
    }
    let each = rss(server.process().id()).saturating_sub(before) / crowd.len() as u64;
    assert!(each <= 50 << 10, "{each} bytes a follower");
    // Others are served meanwhile, and all hear of the end.
    server.get("/api/v1/runs").expect(200);
    let signalled = server.post(&format!("/api/v1/runs/{run}/signal"), &json!({ "name": "go", "payload": {} }));
    assert!(signalled.status < 300, "{}", signalled.text);
    for follower in &mut crowd {
        while follower.next_event().unwrap().unwrap().event != "done" {}
    }
}

/// The most memory that a process ever had, in bytes.
fn rss(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

/// Sockets of a process.
fn sockets(id: u32) -> usize {
    let files = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().flatten();
    let targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}
