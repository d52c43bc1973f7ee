//! One command for many runs: previewed, counted, and answered one by one.

use serde_json::{Value, json};
use windlass_api::Role;
use windlass_engine::Launch;
use windlass_model::{EventKind, RunId, RunState, audit::AuditFilter};
use windlass_tests::{World, wait_until};

use super::house::House;

#[test]
fn what_was_previewed_is_what_is_done() {
    let house = House::open();
    house.world.script("lab/wait", "", "fn run(input) { wait_signal(\"go\") }");
    let ann = house.person("ann", Role::Operator, "acme", "*");
    let launch = |organisation: &str| -> RunId {
        let body = json!({ "workflow": "lab/wait", "organisation": organisation });
        house.post("/runs", body).json(201)["id"].as_str().unwrap().into()
    };
    let own: Vec<RunId> = (0..30).map(|_| launch("acme")).collect();
    let foreign = launch("zeta");
    own.iter().chain([&foreign]).for_each(|run| drop(house.world.waits(run)));
    let bulk = |more: Value| {
        let mut body = json!({ "filter": { "workflow": "lab/*", "state": "waiting" }, "action": "cancel" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        house.post_as(&ann, "/runs/bulk", body)
    };
    let preview = bulk(json!({})).json(200);
    assert_eq!((&preview["count"], preview["items"].as_array().unwrap().len()), (&json!(30), 20));
    assert_eq!(preview["results"], json!([]));
    assert_eq!(house.world.engine().require(&own[0]).unwrap().state, RunState::Waiting, "a preview did something");
    let refused = bulk(json!({ "preview": false, "expected_count": 29 }));
    assert_eq!(refused.json(412)["data"]["count"], 30);
    let done = bulk(json!({ "preview": false, "expected_count": 30, "reason": "clean up" })).json(200);
    let results = done["results"].as_array().unwrap();
    assert_eq!(results.len(), 30);
    assert!(results.iter().all(|result| result["done"] == true), "{done}");
    for run in &own {
        assert_eq!(house.world.end(run).state, RunState::Cancelled);
    }
    assert_eq!(house.world.engine().require(&foreign).unwrap().state, RunState::Waiting, "zeta's run isn't ann's");
    let log = house.world.engine().audit_log(&AuditFilter { action: Some("run.cancel".into()), ..Default::default() });
    assert_eq!(log.unwrap().len(), 30);

    // Runs that can't take it answer for themselves.
    let again = json!({ "filter": { "state": "cancelled" }, "action": "cancel", "preview": false });
    let answer = house.post_as(&ann, "/runs/bulk", again).json(200);
    assert_eq!(answer["results"][0]["problem"]["code"], "illegal_transition");
    let retry = json!({ "filter": { "id": own[0] }, "action": "retry", "preview": false });
    let answer = house.ask("POST", "/runs/bulk", &ann, &[("idempotency-key", "k")], Some(retry)).json(200);
    let launched: RunId = answer["results"][0]["launched"].as_str().unwrap().into();
    assert_eq!(house.world.waits(&launched).organisation, "acme");
}

#[test]
fn a_retry_whose_answer_was_lost_launches_nothing_twice() {
    let house = House::open();
    house.world.script("lab/quick", "", "fn run(input) { input.n }");
    let launch = |n: usize| -> RunId {
        house.post("/runs", json!({ "workflow": "lab/quick", "input": { "n": n } })).json(201)["id"]
            .as_str()
            .unwrap()
            .into()
    };
    let first: Vec<RunId> = (0..20).map(launch).collect();
    first.iter().for_each(|run| drop(house.world.end(run)));
    // From here on: what the filter finds is what there was.
    let until = house.world.engine().require(&first[19]).unwrap().launched_at_ms + 1;
    let filter = json!({ "state": "succeeded", "until": until.to_string() });
    let body = json!({ "filter": filter, "action": "retry", "preview": false });
    let refused = house.post("/runs/bulk", body.clone()).json(400);
    assert_eq!(refused["data"]["parameter"], "Idempotency-Key");
    house.post("/runs/bulk", json!({ "filter": filter, "action": "retry" })).json(200);
    let retry = |key: &str| -> Vec<(String, String)> {
        let answer = house.ask("POST", "/runs/bulk", house.admin(), &[("idempotency-key", key)], Some(body.clone()));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let results = answer.json(200)["results"].clone();
        results.as_array().unwrap().iter().map(|result| (text(&result["run"]), text(&result["launched"]))).collect()
    };
    let launched = retry("monday");
    assert_eq!((launched.len(), &launched[0].0), (20, &first[19].to_string()), "newest first");
    assert_eq!(retry("monday"), launched, "the same key: the same runs");
    let mut all: Vec<String> = launched.iter().chain(&retry("tuesday")).map(|(_, run)| run.clone()).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 40, "another key: others");
    assert_eq!(house.get("/runs?limit=500").json(200)["items"].as_array().unwrap().len(), 60);
}

#[test]
fn a_command_goes_on_where_the_one_before_ended() {
    let house = House::open();
    house.world.script("lab/wait", "", "fn run(input) { wait_signal(\"go\") }");
    let engine = house.world.engine();
    let launch = |n: usize| {
        let launch =
            Launch { workflow: "lab/wait".into(), input: json!({ "n": n }), by: "root".into(), ..Launch::default() };
        engine.launch(launch).unwrap().run
    };
    let runs: Vec<RunId> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|n| scope.spawn(move || (0..129).map(|m| launch(n * 129 + m)).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(runs.len(), 1_032);
    let mut body =
        json!({ "filter": { "workflow": "lab/*" }, "action": "cancel", "preview": false, "expected_count": 1_032 });
    let mut seen = Vec::new();
    loop {
        let page = house.post("/runs/bulk", body.clone()).json(200);
        assert_eq!(page["count"].as_u64(), body["cursor"].is_null().then_some(1_032), "counted at the first call");
        for result in page["results"].as_array().unwrap() {
            assert_eq!(result["done"], true, "{result}");
            seen.push(result["run"].as_str().unwrap().to_owned());
        }
        assert!(page["results"].as_array().unwrap().len() <= 1_000);
        let Some(next) = page["next"].as_str() else { break };
        body["cursor"] = next.into();
    }
    let mut wanted: Vec<String> = runs.iter().map(ToString::to_string).collect();
    wanted.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(seen, wanted, "each once, newest first");
    assert!(runs.iter().step_by(100).all(|run| house.world.end(run).state == RunState::Cancelled));
}

#[test]
fn failed_ones_are_restarted_and_parked_ones_let_go_on() {
    let mut world = World::with(|config| config.bounds.recoveries = 3);
    world.script("t/killer", "", r#"fn run(input) { probe::touch("a"); probe::touch("b") }"#);
    let parked = world.crash("t/killer", "effect.after:1");
    for _ in 0..3 {
        world.crash_again("effect.after:1");
    }
    world.script("lab/fails", "rollback: \"none\"", "fn run(input) { probe::make(\"x\"); probe::refuse(\"y\") }");
    let house = House::of(world);
    house.world.waits(&parked);
    let failed: Vec<RunId> = (0..3)
        .map(|_| house.post("/runs", json!({ "workflow": "lab/fails" })).json(201)["id"].as_str().unwrap().into())
        .collect();
    failed.iter().for_each(|run| drop(house.world.ended_as(run, RunState::Failed)));
    let bulk = |filter: Value, action: &str| {
        let body = json!({ "filter": filter, "action": action, "preview": false });
        house.post("/runs/bulk", body).json(200)["results"].as_array().unwrap().clone()
    };
    // One action's runs aren't the other's.
    let refused = bulk(json!({ "workflow": "lab/*" }), "unpark");
    assert!(refused.len() == 3 && refused.iter().all(|result| result["problem"]["code"] == "illegal_transition"));
    assert_eq!(bulk(json!({ "id": parked }), "restart")[0]["problem"]["code"], "illegal_transition");
    assert!(bulk(json!({ "state": "failed" }), "restart").iter().filter(|result| result["done"] == true).count() == 3);
    for run in &failed {
        wait_until("a second failure", std::time::Duration::from_secs(60), || {
            let events = house.world.engine().events(run, 0, 1_000).unwrap();
            events.iter().filter(|event| event.kind == EventKind::RunFailed).count() == 2
        });
    }
    assert_eq!(bulk(json!({ "state": "waiting" }), "unpark")[0]["done"], true);
    assert_eq!(house.world.end(&parked).state, RunState::Succeeded);
    for (action, count) in [("run.restart", 3), ("run.unpark", 1)] {
        let filter = AuditFilter { action: Some(action.into()), ..Default::default() };
        assert_eq!(house.world.engine().audit_log(&filter).unwrap().len(), count, "{action}");
    }
}

#[test]
fn everything_at_once_has_to_be_meant() {
    let house = House::open();
    for filter in [json!({}), json!({ "state": " " })] {
        let body = json!({ "filter": filter, "action": "cancel", "preview": false });
        assert_eq!(house.post("/runs/bulk", body).json(400)["pointer"], "/filter");
    }
    let unknown = json!({ "filter": { "colour": "red" }, "action": "cancel" });
    assert_eq!(house.post("/runs/bulk", unknown).code(400), "invalid_input");
    let viewer = house.person("vic", Role::Viewer, "acme", "*");
    let body = json!({ "filter": { "state": "waiting" }, "action": "cancel" });
    assert_eq!(house.post_as(&viewer, "/runs/bulk", body).code(403), "permission_denied");
}
