//! One command for many runs: previewed, counted, and answered one by one.

use serde_json::{Value, json};
use windlass_api::Role;
use windlass_model::{RunId, RunState, audit::AuditFilter};

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
    let answer = house.post_as(&ann, "/runs/bulk", retry).json(200);
    let launched: RunId = answer["results"][0]["launched"].as_str().unwrap().into();
    assert_eq!(house.world.waits(&launched).organisation, "acme");
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
