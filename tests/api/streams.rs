//! Streams and who they are for: how many there may be, whose events they carry, what becomes of them when a right is taken
//! away, and that HTTP/2 carries them, too.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use windlass_tests::{
    ApiServer,
    sse::{Follower, Frame},
    wait_until,
};

use super::{
    events::{LOGS, WAITS, events_of, server},
    people,
    tls::Tls,
};

const SOON: Duration = Duration::from_secs(60);

fn open(server: &ApiServer, token: &str, path: &str) -> Follower {
    Follower::open(server.address(), path, token, None).unwrap()
}

/// Frames to the stream's end, which has to come.
fn to_the_end(mut follower: Follower) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(frame) = follower.next_frame().unwrap() {
        frames.push(frame);
        assert!(frames.len() < 300, "heartbeats without end");
    }
    frames
}

/// Whether the last thing that was said is that the right is gone.
#[track_caller]
fn was_shown_out(frames: &[Frame]) {
    let last = frames.last().and_then(|frame| frame.comment.clone()).unwrap_or_default();
    assert!(last.contains("no longer"), "{frames:?}");
}

fn retry_after(follower: &Follower) -> bool {
    follower.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0))
}

#[test]
fn streams_are_bounded_in_all_and_for_each_user() {
    let server = server("[server]\nstreams = 3\nstreams_each = 2\n");
    let run = server.launch("t/wait", &json!({}));
    for name in ["ann", "bob"] {
        people::user(&server, name, "platform", "viewer");
    }
    let (ann, bob) = (people::token(&server, "ann"), people::token(&server, "bob"));
    // Another token of the same user is the same user.
    let again = people::done(&server, &["tokens", "issue", "more", "--user", "ann"])["token"].clone();
    let again = again.as_str().unwrap();
    let path = events_of(&run);
    let held = [open(&server, &ann, &path), open(&server, again, "/api/v1/events")];
    assert!(held.iter().all(|follower| follower.status == 200));
    for token in [ann.as_str(), again] {
        let refused = open(&server, token, "/api/v1/events");
        assert!(refused.status == 429 && retry_after(&refused), "{} {:?}", refused.status, refused.headers);
    }
    let third = open(&server, &bob, &path);
    assert_eq!(third.status, 200);
    // Bob has one of his own two: this is the bound of all.
    for path in [path.as_str(), "/api/v1/events"] {
        let refused = open(&server, &bob, path);
        assert!(refused.status == 503 && retry_after(&refused), "{} {:?}", refused.status, refused.headers);
    }
    // Whoever isn't let in takes nobody's place, and other requests are answered.
    assert_eq!(open(&server, "", &path).status, 401);
    server.get("/api/v1/runs").expect(200);
    drop(third);
    wait_until("the place to be free", SOON, || open(&server, &bob, &path).status == 200);
}

/// The runs of these events. Those of workflows, which everybody sees, have another name there.
fn runs_in(frames: &[Frame]) -> BTreeSet<String> {
    let data = frames.iter().filter(|frame| !frame.data.is_empty());
    let run = |frame: &Frame| serde_json::from_str::<Value>(&frame.data).unwrap()["run"].clone();
    data.map(run).filter_map(|run| run.as_str().map(str::to_owned)).filter(|run| run != "system").collect()
}

#[test]
fn the_stream_of_everything_is_of_what_one_may_see() {
    let server = server("[server]\nheartbeat_ms = 100\n");
    for name in ["acme", "zeta"] {
        server.post("/api/v1/organisations", &json!({ "name": name })).expect(201);
    }
    people::user(&server, "ann", "acme", "viewer@acme");
    people::user(&server, "zed", "zeta", "admin@zeta");
    people::user(&server, "lab", "acme", "viewer@acme/lab");
    let token = |name: &str| people::token(&server, name);
    let (ann, zed, lab) = (token("ann"), token("zed"), token("lab"));
    let launch = |organisation: &str| {
        let body = json!({ "workflow": "t/log", "input": { "n": 3 }, "organisation": organisation });
        let run = server.post("/api/v1/runs", &body).expect(201).json()["id"].as_str().unwrap().to_owned();
        server.ended(&run);
        run
    };
    let queries =
        ["after=first", "after=first&organisation=acme", "after=first&workflow=t/*", "after=first&kinds=run.*"];
    // Open before anything happens, and opened afterwards: the same.
    let watching: Vec<Follower> = ["", "?organisation=acme", "?workflow=t/log"]
        .iter()
        .map(|query| open(&server, &zed, &format!("/api/v1/events{query}")))
        .collect();
    let (acmes, zetas) = (launch("acme"), launch("zeta"));
    let other = launch("platform");
    // Everything so far is before the heartbeat that follows the last event.
    let told = |mut follower: Follower, sees: bool| {
        assert_eq!(follower.status, 200);
        let mut frames = Vec::new();
        let mut quiet = 0;
        while quiet < 3 || (sees && runs_in(&frames).is_empty()) {
            let frame = follower.next_frame().unwrap().expect("the stream goes on");
            quiet = if frame.event.is_empty() { quiet + 1 } else { 0 };
            frames.push(frame);
        }
        runs_in(&frames)
    };
    let only = |run: &str| BTreeSet::from([run.to_owned()]);
    for (number, follower) in watching.into_iter().enumerate() {
        // The one that names another's organisation gets nothing at all.
        let expected = if number == 1 { BTreeSet::new() } else { only(&zetas) };
        assert_eq!(told(follower, number != 1), expected, "stream {number}");
    }
    for query in queries {
        let path = format!("/api/v1/events?{query}");
        let named = query.contains("organisation");
        assert_eq!(told(open(&server, &ann, &path), true), only(&acmes), "{query}");
        let expected = if named { BTreeSet::new() } else { only(&zetas) };
        assert_eq!(told(open(&server, &zed, &path), !named), expected, "{query}");
        // Of the same organisation, but of another folder.
        assert_eq!(told(open(&server, &lab, &path), false), BTreeSet::new(), "{query}");
    }
    // Naming the run doesn't help, neither here nor at the run's own stream.
    for run in [&acmes, &other] {
        let path = format!("/api/v1/events?after=first&run={run}");
        assert_eq!(told(open(&server, &zed, &path), false), BTreeSet::new());
        assert_eq!(open(&server, &zed, &events_of(run)).status, 404);
        assert_eq!(open(&server, &lab, &events_of(run)).status, 404);
    }
}

#[test]
fn a_right_that_is_taken_away_ends_open_streams() {
    let server = server("[server]\nrecheck_ms = 100\nheartbeat_ms = 100\n");
    server.post("/api/v1/organisations", &json!({ "name": "acme" })).expect(201);
    let body = json!({ "workflow": "t/wait", "organisation": "acme" });
    let run = server.post("/api/v1/runs", &body).expect(201).json()["id"].as_str().unwrap().to_owned();
    people::user(&server, "ann", "acme", "viewer@acme");
    let ann = people::token(&server, "ann");
    let (mut one, all) = (open(&server, &ann, &events_of(&run)), open(&server, &ann, "/api/v1/events"));
    assert_eq!(one.next_event().unwrap().unwrap().event, "run.launched");
    // Demoted to where the run isn't: its stream ends, the other one goes on with what is left.
    let bindings = json!({ "bindings": [{ "role": "viewer", "organisation": "acme", "folder": "lab" }] });
    server.patch("/api/v1/users/ann", &bindings).expect(200);
    was_shown_out(&to_the_end(one));
    // Each stream looks in times of its own: the other one has by then, too.
    std::thread::sleep(Duration::from_secs(1));
    // This one's frames come from before the change, or aren't of the run.
    server.post(&format!("/api/v1/runs/{run}/signal"), &json!({ "name": "go" })).expect(200);
    server.ended(&run);
    assert_eq!(open(&server, &ann, &events_of(&run)).status, 404);
    server.patch("/api/v1/users/ann", &json!({ "bindings": [] })).expect(200);
    let frames = to_the_end(all);
    was_shown_out(&frames);
    assert!(frames.iter().all(|frame| frame.event != "run.succeeded"), "{frames:?}");
    // A user who is disabled, and an organisation that is suspended, end streams as well.
    for (path, change) in [
        ("/api/v1/users/ben", json!({ "disabled": true })),
        ("/api/v1/organisations/acme", json!({ "suspended": true })),
    ] {
        if path.ends_with("ben") {
            people::user(&server, "ben", "acme", "viewer@acme");
        } else {
            people::user(&server, "cleo", "acme", "viewer@acme");
        }
        let name = if path.ends_with("ben") { "ben" } else { "cleo" };
        let mut follower = open(&server, &people::token(&server, name), "/api/v1/events");
        assert_eq!(follower.status, 200, "{name}");
        assert!(follower.next_frame().unwrap().is_some());
        server.patch(path, &change).expect(200);
        was_shown_out(&to_the_end(follower));
    }
}

#[test]
fn http_2_carries_streams() {
    let Some(tls) = Tls::start(&[("t/log", LOGS), ("t/wait", WAITS)], "heartbeat_ms = 100\n") else { return };
    let bearer = format!("Authorization: Bearer {}", tls.server.token);
    let ask = |path: &str, more: &[&str]| tls.ask(path, &[&["--http2", "-H", &bearer], more].concat());
    let json = "Content-Type: application/json";
    let launch = |body: Value| {
        let launched = ask("/api/v1/runs", &["-H", json, "-d", &body.to_string()]);
        assert_eq!(launched.status, "http/2 201 ", "{}", launched.body);
        serde_json::from_str::<Value>(&launched.body).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let run = launch(json!({ "workflow": "t/wait" }));
    let mut stream = tls.follow(&events_of(&run), &["--http2", "-H", &bearer]);
    // It arrives while the run waits, and heartbeats after it.
    stream.wait_for_line("event: run.waiting", SOON);
    wait_until("heartbeats", SOON, || stream.output().lines().filter(|line| line.starts_with(':')).count() >= 3);
    assert_eq!(ask(&format!("/api/v1/runs/{run}/signal"), &["-H", json, "-d", "{\"name\":\"go\"}"]).code(), 200);
    assert!(stream.wait(SOON).success(), "{}", stream.output());
    let output = stream.output();
    assert!(output.to_lowercase().starts_with("http/2 200") && output.contains("event: done"), "{output}");
    let number = |line: &str| line.strip_prefix("id: ").map(|id| id.trim().parse::<i64>().unwrap());
    let seen: Vec<i64> = output.lines().filter_map(number).collect();
    assert_eq!(seen, (1..=seen.len() as i64).collect::<Vec<_>>());
    // Resumed, and many streams of one connection: each has all of its own.
    let resumed = ask(&events_of(&run), &["-H", "Last-Event-ID: 3"]);
    assert_eq!(resumed.body.lines().find_map(number), Some(4));
    let long = launch(json!({ "workflow": "t/log", "input": { "n": 200, "pause": 10 } }));
    let url = format!("{}{}", tls.server.url, events_of(&long));
    let mut many = vec!["--http2", "-H", &bearer, "--parallel", "--parallel-immediate"];
    (0..9).for_each(|_| many.push(&url));
    let output = tls.command(&events_of(&long), &many).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.matches("event: done").count(), 10, "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.matches("\"line 199\"").count(), 10);
}
