//! Schedules on the real server: launched once for each instant, whatever happens to the server or its people.

use std::{
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use windlass_tests::{ApiServer, has_program, skip, wait_for};

use super::people;

const NOTE: &str = "const WORKFLOW = #{ name: \"lab/note\", title: \"Notes\", permissions: [], inputs: #{ type: \"object\", \
                    additionalProperties: false, properties: #{ at: #{ \"type\": \"string\" } } } };\nfn run(input) { input.at }\n";
const WAIT: &str = "const WORKFLOW = #{ name: \"lab/wait\", title: \"Waits\", permissions: [] };\nfn run(input) { wait_signal(\"go\") }\n";
const ROUNDS: &str = "const WORKFLOW = #{ name: \"lab/rounds\", title: \"Rounds\", permissions: [], inputs: #{ type: \"object\", \
                      additionalProperties: true } };\nfn run(input) { let n = input?.n ?? 0; \
                      if n < 2 { continue_as_new(#{ n: n + 1 }) } wait_signal(\"go\") }\n";
const ALL: &[(&str, &str)] = &[("lab/note", NOTE), ("lab/wait", WAIT), ("lab/rounds", ROUNDS)];
const PATIENCE: Duration = Duration::from_secs(60);
const HOUR: i64 = 3_600_000;

fn make(server: &ApiServer, body: Value) -> String {
    server.post("/api/v1/schedules", &body).expect(201).json()["id"].as_str().unwrap().to_owned()
}

fn show(server: &ApiServer, id: &str) -> Value {
    server.get(&format!("/api/v1/schedules/{id}")).expect(200).json()
}

fn runs(server: &ApiServer, tag: &str) -> Vec<Value> {
    let page = server.get(&format!("/api/v1/runs?tag={tag}&limit=500")).expect(200).json();
    page["items"].as_array().unwrap().clone()
}

/// Waits until the schedule's `field` is at least this.
fn until(server: &ApiServer, id: &str, field: &str, least: u64) -> Value {
    wait_for(&format!("{field} to be {least}"), PATIENCE, || {
        let schedule = show(server, id);
        (schedule[field].as_u64().unwrap() >= least).then_some(schedule)
    })
}

/// What stands in the database while nobody uses it.
fn sqlite(server: &ApiServer, statement: &str) -> String {
    let done = Command::new("sqlite3").arg(server.data().join("windlass.db")).arg(statement).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[test]
fn every_instant_is_launched_once_with_its_time_and_pausing_ends_it() {
    let server = ApiServer::start(ALL);
    let id = make(
        &server,
        json!({ "name": "each second", "workflow": "lab/note", "cron": "* * * * * *", "time_zone": "Asia/Kathmandu",
            "overlap": "allow", "input": { "at": "${/schedule/at}" }, "tags": ["mine"] }),
    );
    let schedule = until(&server, &id, "launched", 3);
    assert_eq!((schedule["owner"].as_str(), schedule["failed"].as_u64()), (Some("admin"), Some(0)));
    assert_eq!(schedule["next"].as_array().unwrap().len(), 5);
    assert!(schedule["next"][0]["wall"].as_str().unwrap().ends_with("+05:45"), "{schedule}");
    let version = schedule["version"].as_i64().unwrap();
    let etag = format!("\"{version}\"");
    let patch = |headers: &[(&str, &str)], body: Value| {
        let headers: Vec<_> =
            [("content-type", "application/json")].into_iter().chain(headers.iter().copied()).collect();
        let path = format!("/api/v1/schedules/{id}");
        server.raw("PATCH", &path, &server.token, &headers, Some(body.to_string().into_bytes()))
    };
    patch(&[("if-match", "\"0\"")], json!({ "paused": true })).expect(412);
    let paused = patch(&[("if-match", &etag)], json!({ "paused": true })).expect(200).json();
    assert_eq!((paused["next"].as_array().unwrap().len(), paused["paused"].as_bool()), (0, Some(true)));
    // What was begun when it was paused may still be launched.
    let rests = wait_for("it to rest", PATIENCE, || {
        let before = show(&server, &id)["launched"].clone();
        std::thread::sleep(Duration::from_millis(2_200));
        let after = show(&server, &id)["launched"].clone();
        (before == after).then_some(after)
    });
    let all = runs(&server, "schedule:each%20second");
    assert_eq!(json!(all.len()), rests);
    let mut instants: Vec<&str> = all.iter().map(|run| run["input"]["at"].as_str().unwrap()).collect();
    instants.sort_unstable();
    instants.dedup();
    assert_eq!(instants.len(), all.len(), "each instant has one run");
    assert!(
        all.iter().all(|run| run["launched_by"] == "admin" && run["tags"].as_array().unwrap().contains(&json!("mine")))
    );
    let audit = server.get("/api/v1/audit?action=run.launch").expect(200).json();
    assert_eq!(audit["items"][0]["actor"], "schedule:each second");
    server.delete(&format!("/api/v1/schedules/{id}")).expect(204);
    server.get(&format!("/api/v1/schedules/{id}")).expect(404);
}

#[test]
fn what_was_missed_is_made_up_for_as_asked_and_what_was_launched_is_not_launched_again() {
    if !has_program("sqlite3") {
        return skip("sqlite3 isn't here: .ci/setup installs it");
    }
    let mut server = ApiServer::start(ALL);
    // The full hour of this schedule is far away.
    let minute = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60 % 60;
    let cron = format!("{} * * * *", (minute + 30) % 60);
    let new = |name: &str, missed: &str| {
        json!({ "name": name, "workflow": "lab/note", "cron": cron, "missed": missed, "overlap": "allow",
            "input": { "at": "${/schedule/at}" } })
    };
    let ids = ["skip", "once", "all"].map(|missed| make(&server, new(missed, missed)));
    let again = make(&server, new("again", "all"));
    server.kill();
    // As if nobody had been there for five hours.
    let to = "CAST(json_extract(body, '$.to_ms') AS INTEGER)";
    sqlite(
        &server,
        &format!(
            "UPDATE documents SET body = json_set(body, '$.to_ms', {to} - 5 * {HOUR}) WHERE kind = 'schedule_state'"
        ),
    );
    server.restart();
    let [skip, once, all] = &ids;
    until(&server, all, "launched", 5);
    until(&server, &again, "launched", 5);
    assert_eq!(until(&server, once, "launched", 1)["missed_instants"], 4);
    assert_eq!(until(&server, skip, "missed_instants", 5)["launched"], 0);
    // As if it had been killed between the launch and the note that it was launched.
    let before = ids_by_instant(&runs(&server, "schedule:again"));
    server.kill();
    sqlite(
        &server,
        &format!(
            "UPDATE documents SET body = json_set(body, '$.pending', json_array(json_extract(body, '$.last.at_ms')), '$.fired', 7) \
             WHERE kind = 'schedule_state' AND id = '{again}'"
        ),
    );
    server.restart();
    until(&server, &again, "launched", 8);
    // Meanwhile another hour may have begun: that is a later instant, with a run of its own.
    let mut after = ids_by_instant(&runs(&server, "schedule:again"));
    after.retain(|(instant, _)| *instant <= before[before.len() - 1].0);
    assert_eq!(after, before, "each instant has the one run that it had");
}

/// Instants and the ids of the runs that were launched for them.
fn ids_by_instant(runs: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all: Vec<_> = runs.iter().map(|run| (text(&run["input"]["at"]), text(&run["id"]))).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_run_that_goes_on_as_another_is_still_open() {
    let mut server = ApiServer::start(ALL);
    let new =
        |overlap: &str| json!({ "name": overlap, "workflow": "lab/rounds", "cron": "* * * * * *", "overlap": overlap });
    let [skips, queues, cancels] = ["skip", "queue", "cancel_previous"].map(|overlap| make(&server, new(overlap)));
    assert_eq!(until(&server, &skips, "skipped", 3)["launched"], 1, "its work goes on in the third run of a chain");
    server.kill_and_restart();
    let skipped = show(&server, &skips)["skipped"].as_u64().unwrap();
    assert_eq!(until(&server, &skips, "skipped", skipped + 2)["launched"], 1);
    let queued = show(&server, &queues);
    assert_eq!((queued["launched"].as_u64(), queued["pending"].as_array().unwrap().len() >= 2), (Some(1), true));
    let waiting = |first: &str| {
        let next =
            |id: &str| server.get(&format!("/api/v1/runs/{id}")).expect(200).json()["output"]["continued_as"].clone();
        let mut id = first.to_owned();
        while let Some(later) = next(&id).as_str() {
            id = later.to_owned();
        }
        id
    };
    let tip = waiting(queued["last"]["run"].as_str().unwrap());
    server.post(&format!("/api/v1/runs/{tip}/signal"), &json!({ "name": "go" })).expect(200);
    until(&server, &queues, "launched", 2);
    // The end of the chain is what is cancelled.
    until(&server, &cancels, "launched", 2);
    wait_for("the one before to be cancelled", PATIENCE, || {
        let all = server.get("/api/v1/runs?workflow=lab/rounds&state=cancelled").expect(200).json();
        all["items"].as_array().unwrap().iter().any(|run| !run["continues"].is_null()).then_some(())
    });
}

#[test]
fn while_the_run_before_is_open_the_policy_decides() {
    let server = ApiServer::start(ALL);
    let new =
        |overlap: &str| json!({ "name": overlap, "workflow": "lab/wait", "cron": "* * * * * *", "overlap": overlap });
    let [skips, queues, cancels] = ["skip", "queue", "cancel_previous"].map(|overlap| make(&server, new(overlap)));
    let skipped = until(&server, &skips, "skipped", 2);
    assert_eq!(skipped["launched"], 1, "only the first: it waits for a signal");
    // The queue grows, and each end lets one go.
    let queued = wait_for("two to wait", PATIENCE, || {
        let schedule = show(&server, &queues);
        (schedule["pending"].as_array().unwrap().len() >= 2).then_some(schedule)
    });
    assert_eq!(queued["launched"], 1);
    let waiting = queued["pending"][0].as_i64().unwrap();
    let first = queued["last"]["run"].as_str().unwrap();
    server.post(&format!("/api/v1/runs/{first}/signal"), &json!({ "name": "go" })).expect(200);
    assert_eq!(until(&server, &queues, "launched", 2)["last"]["at_ms"], waiting, "in their order");
    // The one before is asked to end.
    until(&server, &cancels, "launched", 3);
    wait_for("two to be cancelled", PATIENCE, || {
        let all = runs(&server, "schedule:cancel_previous");
        (all.iter().filter(|run| run["state"] == "cancelled").count() >= 2).then_some(())
    });
}

#[test]
fn it_launches_for_its_owner_and_only_while_they_may() {
    let server = ApiServer::start(ALL);
    server.post("/api/v1/organisations", &json!({ "name": "acme" })).expect(201);
    people::user(&server, "olga", "acme", "operator@acme");
    people::user(&server, "vera", "acme", "viewer@acme");
    let (olga, vera) = (people::token(&server, "olga"), people::token(&server, "vera"));
    let body = json!({ "name": "hers", "workflow": "lab/note", "cron": "* * * * * *", "input": { "at": "x" }, "overlap": "allow" });
    server.send_as(&vera, "POST", "/api/v1/schedules", Some(&body)).expect(403);
    let made = server.send_as(&olga, "POST", "/api/v1/schedules", Some(&body)).expect(201).json();
    assert_eq!((made["organisation"].as_str(), made["owner"].as_str()), (Some("acme"), Some("olga")));
    let id = made["id"].as_str().unwrap();
    let run = until(&server, id, "launched", 1)["last"]["run"].as_str().unwrap().to_owned();
    let record = server.get(&format!("/api/v1/runs/{run}")).expect(200).json();
    assert_eq!((record["organisation"].as_str(), record["launched_by"].as_str()), (Some("acme"), Some("olga")));
    server.send_as(&vera, "GET", &format!("/api/v1/schedules/{id}"), None).expect(200);
    server.send_as(&vera, "PATCH", &format!("/api/v1/schedules/{id}"), Some(&json!({ "paused": true }))).expect(403);
    server.send_as(&vera, "POST", &format!("/api/v1/schedules/{id}/run"), Some(&json!({}))).expect(403);
    // She is kept out: nothing is launched in her name any more, and the schedule says why.
    server.patch("/api/v1/users/olga", &json!({ "disabled": true })).expect(200);
    let refused = until(&server, id, "failed", 1);
    assert_eq!(refused["error"]["code"], "permission_denied", "{refused}");
    // Whoever changes it is its owner.
    let taken =
        server.patch(&format!("/api/v1/schedules/{id}"), &json!({ "description": "taken over" })).expect(200).json();
    assert_eq!(taken["owner"], "admin");
    let launched = taken["launched"].as_u64().unwrap();
    until(&server, id, "launched", launched + 1);
}

#[test]
fn what_cannot_be_is_refused_by_its_place() {
    let server = ApiServer::start(ALL);
    let good = json!({ "name": "n", "workflow": "lab/note", "cron": "0 4 * * *", "input": { "at": "x" } });
    for (field, value, pointer) in [
        ("cron", json!("0 4 * *"), "/cron"),
        ("cron", json!("0 0 31 2 *"), "/cron"),
        ("time_zone", json!("Nowhere/Land"), "/time_zone"),
        ("input", json!({ "at": 5 }), "/input/at"),
        ("input", json!({ "at": "${/body}" }), "/input/at"),
        ("input", json!({ "at": "${schedule}" }), "/input/at"),
        ("name", json!(""), "/name"),
        ("name", json!("a|b"), "/name"),
        ("jitter", json!("3 days or so"), "/jitter"),
        ("jitter", json!("2d"), "/jitter"),
        ("tags", json!(["a", "schedule:x"]), "/tags/1"),
        ("organisation", json!("nobody"), "/organisation"),
        ("overlap", json!("perhaps"), "/overlap"),
        ("surprise", json!(1), "/surprise"),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        let answer = server.post("/api/v1/schedules", &body);
        assert!((400..=404).contains(&answer.status), "{field} {value}: {}", answer.text);
        assert_eq!(answer.json()["data"]["pointer"], pointer, "{field} {value}: {}", answer.text);
    }
    let mut nowhere = good.clone();
    nowhere["workflow"] = "lab/none".into();
    assert_eq!(server.post("/api/v1/schedules", &nowhere).expect(404).json()["code"], "workflow_not_found");
    let first = make(&server, good.clone());
    server.post("/api/v1/schedules", &good).expect(409);
    let page = server.get("/api/v1/schedules?name=n").expect(200).json();
    assert_eq!((page["items"].as_array().unwrap().len(), page["items"][0]["id"].as_str()), (1, Some(first.as_str())));
    // What is ours can't be pretended.
    let forged = json!({ "workflow": "lab/note", "input": { "at": "x" }, "tags": ["schedule:n"] });
    server.post("/api/v1/runs", &forged).expect(400);
    let body = json!({ "workflow": "lab/note", "input": { "at": "x" } }).to_string().into_bytes();
    let headers = [("content-type", "application/json"), ("idempotency-key", "schedule:a:1")];
    server.raw("POST", "/api/v1/runs", &server.token, &headers, Some(body)).expect(400);
}

#[test]
fn a_pattern_can_be_looked_at_and_a_schedule_be_launched_out_of_turn() {
    let server = ApiServer::start(ALL);
    let preview =
        server.get("/api/v1/schedules/preview?cron=0%204%20*%20*%20*&time_zone=Europe/Berlin&count=3").expect(200);
    let preview = preview.json();
    assert_eq!(preview["next"].as_array().unwrap().len(), 3);
    assert!(preview["next"][0]["wall"].as_str().unwrap().contains("T04:00:00+0"), "{preview}");
    assert_eq!(preview["clock_changes"], json!([]), "four o'clock is far from them");
    let night =
        server.get("/api/v1/schedules/preview?cron=30%202%20*%20*%20*&time_zone=Europe/Berlin").expect(200).json();
    let mut moved: Vec<&Value> =
        night["clock_changes"].as_array().unwrap().iter().map(|one| &one["by_minutes"]).collect();
    moved.sort_by_key(|minutes| minutes.as_i64());
    assert_eq!(moved, [&json!(-60), &json!(60)], "{night}");
    assert!(night.to_string().contains("T03:00:00+02:00"), "skipped, so right after the gap: {night}");
    server.get("/api/v1/schedules/preview?cron=nonsense").expect(400);
    let id = make(
        &server,
        json!({ "name": "yearly", "workflow": "lab/note", "cron": "0 0 29 2 *", "input": { "at": "${/schedule/at}" } }),
    );
    let run = server.post(&format!("/api/v1/schedules/{id}/run"), &json!({})).expect(201).json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(server.ended(&run)["state"], "succeeded");
    assert_eq!(show(&server, &id)["launched"], 0, "its own turns go on as before");
}
