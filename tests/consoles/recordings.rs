//! Recordings: valid asciicast v2, bounded, without what is typed, and only for those who may look.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{ApiServer, wait_for};

use super::house::{Labs, shell};

/// The newest recording of `demo`, once it is finished, line by line.
fn recorded(server: &ApiServer) -> Vec<Value> {
    let id = wait_for("the recording to be finished", Duration::from_secs(60), || {
        let all = server.get("/api/v1/labs/demo/recordings").expect(200).json();
        let newest = all[0].clone();
        (newest["open"] == false).then(|| newest["id"].as_str().unwrap().to_owned())
    });
    let answer = server.get(&format!("/api/v1/labs/demo/recordings/{id}")).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/x-asciicast"));
    assert!(answer.header("content-disposition").is_some_and(|value| value.starts_with("attachment")));
    answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// What asciicast v2 asks of every line.
fn check(lines: &[Value]) {
    let head = &lines[0];
    assert_eq!(head["version"], 2);
    assert!(head["width"].is_u64() && head["height"].is_u64() && head["timestamp"].is_i64(), "{head}");
    let mut last = 0.0;
    for line in &lines[1..] {
        let (at, kind, data) = (line[0].as_f64().unwrap(), line[1].as_str().unwrap(), line[2].as_str());
        assert!(at >= last && ["o", "r", "m"].contains(&kind) && data.is_some() && line[3].is_null(), "{line}");
        last = at;
    }
}

#[test]
fn a_recording_shows_what_was_shown() {
    let Some(mut labs) = Labs::start("") else { return };
    labs.lab("platform", "demo");
    let mut console = labs.console(&shell("demo", "r1", "&record=1&cols=90&rows=20"));
    let id = console.hears(|told| told["recording"].is_string())["recording"].as_str().unwrap().to_owned();
    console.asks("echo shown-$((6*7))-ä€", "shown-42-ä€");
    console.says(r#"{"resize":{"cols":100,"rows":25}}"#);
    console.asks("stty size", "25 100");
    // A password that isn't shown isn't recorded.
    console.asks("stty -echo; read -r word; stty echo; echo read-$((1+1))\nhunter2", "read-2");
    console.types("exit\n");
    assert_eq!(console.ends(), 1000);
    let lines = recorded(&labs.server);
    check(&lines);
    assert_eq!((&lines[0]["width"], &lines[0]["height"]), (&json!(90), &json!(20)));
    let text: String = lines[1..].iter().filter(|line| line[1] == "o").filter_map(|line| line[2].as_str()).collect();
    assert!(text.contains("shown-42-ä€") && text.contains("read-2"), "{text}");
    assert!(lines.iter().any(|line| line[1] == "r" && line[2] == "100x25"), "{lines:?}");
    let all = labs.server.get("/api/v1/labs/demo/recordings").expect(200).json();
    assert_eq!((&all[0]["id"], &all[0]["node"], &all[0]["kind"]), (&json!(id), &json!("r1"), &json!("shell")));
    for wrong in ["x", "..%2f..%2fwindlass.db", "00000000000000000000000000"] {
        labs.server.get(&format!("/api/v1/labs/demo/recordings/{wrong}")).expect(404);
    }
    labs.server.get(&format!("/api/v1/labs/other/recordings/{id}")).expect(404);
}

#[test]
fn a_recording_ends_at_its_bound_and_the_console_goes_on() {
    let Some(mut labs) = Labs::start("[labs]\nrecord = true\nrecord_bytes = 20000\nrecordings_bytes = 50000\n") else {
        return;
    };
    labs.lab("platform", "demo");
    for _ in 0..4 {
        let mut console = labs.console(&shell("demo", "r1", ""));
        console.asks("head -c 50000 /dev/zero | tr '\\0' x; echo; echo on-$((1+1))", "on-2");
        console.types("exit\n");
        assert_eq!(console.ends(), 1000);
        let lines = recorded(&labs.server);
        check(&lines);
        assert_eq!(lines.last().unwrap()[2], "the recording ends here: labs.record_bytes");
    }
    let all = labs.server.get("/api/v1/labs/demo/recordings").expect(200).json();
    let sizes: Vec<u64> = all.as_array().unwrap().iter().map(|one| one["bytes"].as_u64().unwrap()).collect();
    assert!(sizes.len() < 4 && sizes.iter().all(|bytes| *bytes <= 20_000), "{sizes:?}");
}
