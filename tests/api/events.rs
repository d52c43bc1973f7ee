//! Following a run: from its first event to `done`, resumed, refused, ended.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{
    ApiServer,
    sse::{Follower, Frame},
};

use super::databases::{Database, on_each_database};

/// Logs lines, with a durable pause after each tenth.
pub const LOGS: &str = r#"
const WORKFLOW = #{ name: "t/log", title: "logs lines", permissions: [],
    inputs: #{ "type": "object", properties: #{ n: #{ "type": "integer" }, pause: #{ "type": "integer", "default": 0 } } } };
fn run(input) {
    for i in 0..input.n {
        log(`line ${i}`);
        if input.pause > 0 && i % 10 == 9 { sleep(`${input.pause}ms`); }
    }
    input.n
}
"#;

/// Waits for a signal.
pub const WAITS: &str = r#"
const WORKFLOW = #{ name: "t/wait", title: "waits for a signal", permissions: [] };
fn run(input) { log("before"); wait_signal("go"); log("after"); 1 }
"#;

pub fn server(settings: &str) -> ApiServer {
    ApiServer::start_with(&[("t/log", LOGS), ("t/wait", WAITS)], &[], settings)
}

on_each_database!(open: a_run_is_followed_from_its_first_event_to_done, a_stream_is_resumed_after_what_was_received, everything_is_followed_filtered_and_resumed, a_server_that_stops_sends_followers_elsewhere);

fn open(database: Database) -> ApiServer {
    server(&database.settings())
}

pub fn events_of(run: &str) -> String {
    format!("/api/v1/runs/{run}/events")
}

fn follow(server: &ApiServer, run: &str, last: Option<&str>) -> Follower {
    Follower::open(server.address(), &events_of(run), &server.token, last).unwrap()
}

/// Frames until the stream ends.
fn rest(mut follower: Follower) -> Vec<Frame> {
    std::iter::from_fn(|| follower.next_frame().unwrap()).collect()
}

fn numbers(frames: &[Frame]) -> Vec<i64> {
    frames.iter().filter_map(Frame::number).collect()
}

fn a_run_is_followed_from_its_first_event_to_done(server: ApiServer) {
    let run = server.launch("t/log", &json!({ "n": 45, "pause": 20 }));
    let follower = follow(&server, &run, None);
    assert_eq!(follower.status, 200);
    assert_eq!(follower.header("content-type"), Some("text/event-stream"));
    assert_eq!(follower.header("cache-control"), Some("no-cache, no-transform"));
    assert_eq!(follower.header("x-accel-buffering"), Some("no"));
    assert_eq!(follower.header("content-encoding"), Some("identity"));
    let frames = rest(follower);
    assert!(frames[0].retry.is_some(), "{:?}", frames[0]);
    let done = frames.last().unwrap();
    assert_eq!((done.event.as_str(), &done.id), ("done", &None));
    assert_eq!(serde_json::from_str::<Value>(&done.data).unwrap(), json!({ "run": run, "state": "succeeded" }));
    let seen = numbers(&frames);
    assert_eq!(seen, (1..=seen.len() as i64).collect::<Vec<_>>());
    // The same as the pages of its history.
    let history = server.get(&format!("/api/v1/runs/{run}/history?limit=500")).expect(200).json();
    let kept = history["items"].as_array().unwrap();
    assert_eq!(kept.len(), seen.len());
    let events = frames.iter().filter(|frame| frame.id.is_some());
    for (frame, kept) in events.zip(kept) {
        let data: Value = serde_json::from_str(&frame.data).unwrap();
        assert_eq!((&data["seq"], &data["kind"], &data["data"]), (&kept["seq"], &kept["kind"], &kept["data"]));
        assert_eq!(frame.event, data["kind"]);
    }
}

fn a_stream_is_resumed_after_what_was_received(server: ApiServer) {
    let run = server.launch("t/log", &json!({ "n": 20 }));
    server.ended(&run);
    let all = numbers(&rest(follow(&server, &run, None)));
    let last = *all.last().unwrap();
    assert_eq!(numbers(&rest(follow(&server, &run, Some("7")))), (8..=last).collect::<Vec<_>>());
    let path = format!("{}?after=9", events_of(&run));
    let after = Follower::open(server.address(), &path, &server.token, None).unwrap();
    assert_eq!(numbers(&rest(after)), (10..=last).collect::<Vec<_>>());
    // The header goes before the query: a browser resends the address that it was given.
    let both = Follower::open(server.address(), &path, &server.token, Some("12")).unwrap();
    assert_eq!(numbers(&rest(both)), (13..=last).collect::<Vec<_>>());
    // After `done` there is nothing left: a browser stops when it gets 204.
    assert_eq!(follow(&server, &run, Some(&last.to_string())).status, 204);
    for wrong in ["x", "-1", "1.5"] {
        assert_eq!(follow(&server, &run, Some(wrong)).status, 400, "{wrong}");
    }
}

#[test]
fn only_who_may_see_a_run_follows_it() {
    let server = server("");
    let run = server.launch("t/wait", &json!({}));
    assert_eq!(Follower::open(server.address(), &events_of(&run), "", None).unwrap().status, 401);
    assert_eq!(Follower::open(server.address(), &events_of("nothing"), &server.token, None).unwrap().status, 404);
}

#[test]
fn a_silent_stream_shows_that_it_lives_and_streams_are_bounded() {
    let server = server("[server]\nheartbeat_ms = 150\nstreams_each = 2\n");
    let run = server.launch("t/wait", &json!({}));
    let mut first = follow(&server, &run, None);
    let mut comments = 0;
    while comments < 5 {
        let frame = first.next_frame().unwrap().expect("the stream goes on");
        comments += usize::from(frame.event.is_empty() && frame.retry.is_none());
    }
    let second = follow(&server, &run, None);
    let refused = follow(&server, &run, None);
    assert_eq!((second.status, refused.status), (200, 429));
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    // Who leaves makes room.
    drop(second);
    windlass_tests::wait_until("room for another", Duration::from_secs(60), || {
        follow(&server, &run, None).status == 200
    });
    let signal = json!({ "name": "go", "payload": {} });
    server.post(&format!("/api/v1/runs/{run}/signal"), &signal);
}

#[test]
fn a_stream_ends_when_its_token_is_revoked() {
    let server = server("[server]\nrecheck_ms = 200\nheartbeat_ms = 100\n");
    let run = server.launch("t/wait", &json!({}));
    let issued = server.post("/api/v1/tokens", &json!({ "name": "short" })).expect(201).json();
    let token = issued["token"].as_str().unwrap();
    let mut follower = Follower::open(server.address(), &events_of(&run), token, None).unwrap();
    assert_eq!(follower.next_event().unwrap().unwrap().event, "run.launched");
    let id = issued["id"].as_str().unwrap();
    assert!(server.delete(&format!("/api/v1/tokens/{id}")).status < 300);
    let frames = rest(follower);
    let last = frames.last().unwrap().comment.clone().unwrap_or_default();
    assert!(last.contains("no longer"), "{frames:?}");
    assert_eq!(Follower::open(server.address(), &events_of(&run), token, None).unwrap().status, 401);
}

fn everything_is_followed_filtered_and_resumed(server: ApiServer) {
    let open = |query: &str, last: Option<&str>| {
        Follower::open(server.address(), &format!("/api/v1/events{query}"), &server.token, last).unwrap()
    };
    let run_of = |frame: &Frame| serde_json::from_str::<Value>(&frame.data).unwrap()["run"].clone();
    let (mut all_events, mut ends) = (open("", None), open("?kinds=run.succeeded&workflow=t/*", None));
    // A cursor comes before any event: who loses the connection now misses nothing either.
    let place = std::iter::from_fn(|| all_events.next_frame().unwrap()).find_map(|frame| frame.id).unwrap();
    let (first, second) = (server.launch("t/log", &json!({ "n": 3 })), server.launch("t/log", &json!({ "n": 3 })));
    let mut seen = Vec::new();
    while seen.iter().filter(|frame: &&Frame| frame.event == "run.succeeded").count() < 2 {
        seen.push(all_events.next_event().unwrap().unwrap());
    }
    for run in [&first, &second] {
        let own: Vec<i64> = seen
            .iter()
            .filter(|frame| run_of(frame) == json!(run))
            .map(|frame| serde_json::from_str::<Value>(&frame.data).unwrap()["seq"].as_i64().unwrap())
            .collect();
        assert_eq!(own, (1..=own.len() as i64).collect::<Vec<_>>());
    }
    let two: Vec<Frame> = (0..2).map(|_| ends.next_event().unwrap().unwrap()).collect();
    assert!(two.iter().all(|frame| frame.event == "run.succeeded"));
    // The same again from the first place, and from one in the middle.
    for (last, rest) in [(place.as_str(), &seen[..]), (seen[3].id.as_deref().unwrap(), &seen[4..])] {
        let mut again = open("", Some(last));
        for frame in rest {
            assert_eq!(&again.next_event().unwrap().unwrap(), frame);
        }
    }
    assert_eq!(open("?kinds=run.nonsense", None).status, 400);
    assert_eq!(open("?after=nonsense", None).status, 400);
    assert_eq!(Follower::open(server.address(), "/api/v1/events", "", None).unwrap().status, 401);
}

fn a_server_that_stops_sends_followers_elsewhere(mut server: ApiServer) {
    let run = server.launch("t/wait", &json!({}));
    let mut follower = follow(&server, &run, None);
    assert_eq!(follower.next_event().unwrap().unwrap().event, "run.launched");
    server.process().terminate(Duration::from_secs(60));
    let frames = rest(follower);
    let last = frames.last().unwrap();
    assert!(last.retry.is_some() && last.comment.is_some(), "{frames:?}");
    assert!(frames.iter().all(|frame| frame.event != "done"));
}
