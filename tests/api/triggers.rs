//! Triggers on the real server: the end of one run launches another, once, and not in a circle.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{ApiServer, wait_for};

use super::people;

const WORK: &str = "const WORKFLOW = #{ name: \"web/deploy\", title: \"Deploys\", permissions: [], inputs: #{ type: \"object\", \
                    additionalProperties: true } };\nfn run(input) { if input.fails == true { throw \"as asked\" } #{ address: \"10.0.0.1\" } }\n";
const AFTER: &str = "const WORKFLOW = #{ name: \"lab/after\", title: \"After\", permissions: [], inputs: #{ type: \"object\", \
                     additionalProperties: true } };\nfn run(input) { input }\n";
const CALLS: &str = "const WORKFLOW = #{ name: \"lab/calls\", title: \"Calls\", permissions: [\"run.launch:lab/after\"] };\n\
                     fn run(input) { launch(\"lab/after\", #{}) }\n";
const ROUNDS: &str = "const WORKFLOW = #{ name: \"web/rounds\", title: \"Rounds\", permissions: [], inputs: #{ type: \"object\", \
                      additionalProperties: true } };\nfn run(input) { let n = input?.n ?? 0; \
                      if n < 3 { continue_as_new(#{ n: n + 1 }) } n }\n";
const ALL: &[(&str, &str)] =
    &[("web/deploy", WORK), ("lab/after", AFTER), ("lab/calls", CALLS), ("web/rounds", ROUNDS)];
const PATIENCE: Duration = Duration::from_secs(60);

fn make(server: &ApiServer, body: Value) -> String {
    server.post("/api/v1/triggers", &body).expect(201).json()["id"].as_str().unwrap().to_owned()
}

fn runs(server: &ApiServer, tag: &str) -> Vec<Value> {
    server.get(&format!("/api/v1/runs?tag={tag}&limit=500")).expect(200).json()["items"].as_array().unwrap().clone()
}

fn one(server: &ApiServer, tag: &str) -> Value {
    wait_for(&format!("a run of {tag}"), PATIENCE, || runs(server, tag).pop())
}

#[test]
fn the_end_of_a_run_launches_what_waits_for_it() {
    let mut server = ApiServer::start(ALL);
    let early = server.launch("web/deploy", &json!({ "n": 0 }));
    server.ended(&early);
    let input = json!({ "run": "${/run/id}", "address": "${/run/output/address?}", "why": "${/run/error/message?}", "n": "${/run/input/n}" });
    let on = |states: Value, workflow: &str| json!({ "workflow": workflow, "states": states });
    make(
        &server,
        json!({ "name": "check", "on": on(json!(["succeeded"]), "web"), "workflow": "lab/after", "input": input }),
    );
    make(
        &server,
        json!({ "name": "alarm", "on": on(json!(["failed", "rolled_back"]), "web/deploy"), "workflow": "lab/after", "input": input }),
    );
    let mut tagged = on(json!(["succeeded"]), "*");
    tagged["tag"] = "big".into();
    make(&server, json!({ "name": "tagged", "on": tagged, "workflow": "lab/after", "input": { "run": "${/run/id}" } }));
    let good = server.launch("web/deploy", &json!({ "n": 1 }));
    let checked = server.ended(one(&server, "trigger:check")["id"].as_str().unwrap());
    assert_eq!(checked["output"], json!({ "run": good, "address": "10.0.0.1", "n": 1 }));
    let bad = server.launch("web/deploy", &json!({ "n": 2, "fails": true }));
    let alarm = server.ended(one(&server, "trigger:alarm")["id"].as_str().unwrap());
    assert_eq!((alarm["output"]["run"].as_str(), alarm["output"]["n"].as_i64()), (Some(bad.as_str()), Some(2)));
    assert!(alarm["output"]["why"].as_str().unwrap().contains("as asked"));
    let body = json!({ "workflow": "web/deploy", "input": { "n": 3 }, "tags": ["big"] });
    let big = server.post("/api/v1/runs", &body).expect(201).json()["id"].clone();
    let tagged = server.ended(one(&server, "trigger:tagged")["id"].as_str().unwrap());
    assert_eq!(tagged["output"]["run"], big);
    // Killed and started again, it goes on where it was: nothing twice, nothing left out.
    server.kill_and_restart();
    let late = server.launch("web/deploy", &json!({ "n": 4 }));
    wait_for("the late one", PATIENCE, || {
        runs(&server, "trigger:check").iter().any(|run| run["input"]["run"] == late.as_str()).then_some(())
    });
    let mut seen: Vec<String> =
        runs(&server, "trigger:check").iter().map(|run| run["input"]["n"].to_string()).collect();
    seen.sort_unstable();
    assert_eq!(seen, ["1", "3", "4"], "each once, and none from before there was a trigger");
    assert_eq!((runs(&server, "trigger:alarm").len(), runs(&server, "trigger:tagged").len()), (1, 1));
}

#[test]
fn a_circle_ends() {
    let server = ApiServer::start(ALL);
    let on = json!({ "workflow": "lab/after", "states": ["succeeded"] });
    let id = make(&server, json!({ "name": "circle", "on": on, "workflow": "lab/after" }));
    server.launch("lab/after", &json!({}));
    let trigger = wait_for("the circle to be cut", PATIENCE, || {
        let trigger = server.get(&format!("/api/v1/triggers/{id}")).expect(200).json();
        (!trigger["error"].is_null()).then_some(trigger)
    });
    assert_eq!(trigger["error"]["code"], "limit_exceeded", "{trigger}");
    assert_eq!(runs(&server, "trigger:circle").len(), 8);
}

#[test]
fn a_circle_through_a_child_or_a_continuation_ends_too() {
    let server = ApiServer::start(ALL);
    for (name, ends, launches) in [("child", "lab/after", "lab/calls"), ("rounds", "web/rounds", "web/rounds")] {
        let on = json!({ "workflow": ends, "states": ["succeeded"] });
        let id = make(&server, json!({ "name": name, "on": on, "workflow": launches }));
        server.launch(ends, &json!({}));
        let trigger = wait_for("the circle to be cut", PATIENCE, || {
            let trigger = server.get(&format!("/api/v1/triggers/{id}")).expect(200).json();
            (!trigger["error"].is_null()).then_some(trigger)
        });
        assert_eq!(trigger["error"]["code"], "limit_exceeded", "{trigger}");
        // What a run goes on as has its tags, and isn't launched by a trigger.
        let launched = runs(&server, &format!("trigger:{name}"));
        assert_eq!(launched.iter().filter(|run| run["continues"].is_null()).count(), 8, "{name}");
    }
}

#[test]
fn a_run_that_goes_on_as_another_has_not_ended() {
    let server = ApiServer::start(ALL);
    let on = json!({ "workflow": "web", "states": ["succeeded"] });
    let input = json!({ "n": "${/run/input/n?}", "output": "${/run/output}" });
    make(&server, json!({ "name": "done", "on": on, "workflow": "lab/after", "input": input }));
    server.launch("web/rounds", &json!({}));
    one(&server, "trigger:done");
    // Ends are looked at in their order: when this one's was, so were all before.
    let last = server.launch("web/deploy", &json!({ "n": "last" }));
    server.ended(&last);
    wait_for("the last one's", PATIENCE, || {
        runs(&server, "trigger:done").iter().any(|run| run["input"]["n"] == "last").then_some(())
    });
    let mut seen: Vec<String> = runs(&server, "trigger:done").iter().map(|run| run["input"].to_string()).collect();
    seen.sort_unstable();
    assert_eq!(seen, [r#"{"n":"last","output":{"address":"10.0.0.1"}}"#, r#"{"n":3,"output":3}"#]);
}

#[test]
fn runs_of_others_are_nobodys_trigger() {
    let server = ApiServer::start(ALL);
    for name in ["acme", "zeta"] {
        server.post("/api/v1/organisations", &json!({ "name": name })).expect(201);
    }
    people::user(&server, "olga", "acme", "operator@acme");
    people::user(&server, "narrow", "acme", "operator@acme/lab");
    let (olga, narrow) = (people::token(&server, "olga"), people::token(&server, "narrow"));
    let on = json!({ "workflow": "*", "states": ["succeeded"] });
    let body = json!({ "name": "spy", "on": on, "workflow": "lab/after", "input": { "run": "${/run/id}" } });
    // Whoever may see only one folder can't wait for the others.
    server.send_as(&narrow, "POST", "/api/v1/triggers", Some(&body)).expect(403);
    server.send_as(&olga, "POST", "/api/v1/triggers", Some(&body)).expect(201);
    for organisation in ["zeta", "platform", "acme"] {
        let body = json!({ "workflow": "web/deploy", "organisation": organisation, "input": {} });
        let run = server.post("/api/v1/runs", &body).expect(201).json()["id"].as_str().unwrap().to_owned();
        server.ended(&run);
    }
    let all = wait_for("what acme's own run launches", PATIENCE, || {
        let all = runs(&server, "trigger:spy");
        // Its own ends launch, too, up to the end of the circle.
        (all.len() >= 2).then_some(all)
    });
    assert!(all.iter().all(|run| run["organisation"] == "acme"));
    let first = all.last().unwrap()["input"]["run"].as_str().unwrap();
    assert_eq!(server.get(&format!("/api/v1/runs/{first}")).expect(200).json()["organisation"], "acme");
}

#[test]
fn what_cannot_be_is_refused_by_its_place() {
    let server = ApiServer::start(ALL);
    let good = json!({ "name": "n", "on": { "workflow": "web", "states": ["failed"] }, "workflow": "lab/after" });
    for (path, value, pointer) in [
        ("/on/states", json!([]), "/on/states"),
        ("/on/states", json!(["finished"]), "/on/states"),
        ("/on/workflow", json!(""), "/on/workflow"),
        ("/name", json!("a\nb"), "/name"),
        ("/on/colour", json!("red"), "/on/colour"),
    ] {
        let mut body = good.clone();
        match body.pointer_mut(path) {
            Some(place) => *place = value.clone(),
            None => body["on"]["colour"] = value.clone(),
        }
        let answer = server.post("/api/v1/triggers", &body).expect(400).json();
        assert_eq!(answer["data"]["pointer"], pointer, "{answer}");
    }
    let id = make(&server, good);
    let path = format!("/api/v1/triggers/{id}");
    assert_eq!(
        server.patch(&path, &json!({ "input": { "a": "${/run/id" } })).expect(400).json()["data"]["pointer"],
        "/input/a"
    );
    let changed =
        server.patch(&path, &json!({ "on": { "workflow": "*", "states": ["cancelled"] }, "paused": true })).expect(200);
    assert_eq!(
        (changed.json()["on"]["workflow"].as_str(), changed.json()["paused"].as_bool()),
        (Some("*"), Some(true))
    );
    server.delete(&path).expect(204);
    server.get(&path).expect(404);
}
