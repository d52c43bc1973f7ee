//! Runs over HTTP: launched once for each key, listed within what one may see, steered, and always written down.

use serde_json::{Value, json};
use windlass_api::Role;
use windlass_model::{RunId, RunState, audit::AuditFilter};
use windlass_tests::wait_until;

use super::{
    databases::{Database, on_each_database},
    house::House,
};

const SCHEMA: &str = r#"inputs: #{ type: "object", required: ["name"], additionalProperties: false, properties: #{
    name: #{ "type": "string" }, count: #{ "type": "integer", "default": 3 } } }"#;

on_each_database!(house: a_launch_is_on_disk_and_in_the_audit_log_and_a_key_launches_once, what_is_wrong_with_a_launch_is_pointed_at, lists_are_filtered_paged_and_within_what_one_may_see, each_filter_finds_what_it_names_and_nothing_else, a_run_shows_all_that_there_is_of_it, whoever_steers_a_run_is_written_down_with_what_it_was_before);

fn house(database: Database) -> House {
    let house = House::of(database.world());
    house.world.script("lab/quick", SCHEMA, "fn run(input) { input.name }");
    house.world.script("lab/wait", "", "fn run(input) { log(\"down\"); wait_signal(\"go\") }");
    house.world.script("web/quick", "", "fn run(input) { probe::touch(\"a\"); probe::touch(\"b\"); 1 }");
    house.world.script("lab/fails", "rollback: \"none\"", "fn run(input) { probe::make(\"x\"); probe::refuse(\"y\") }");
    house
}

fn id(answer: &Value) -> RunId {
    answer["id"].as_str().unwrap().into()
}

fn a_launch_is_on_disk_and_in_the_audit_log_and_a_key_launches_once(house: House) {
    let body = json!({ "workflow": "lab/quick", "input": { "name": "a" }, "tags": ["t1"] });
    let key = [("idempotency-key", "k1")];
    let ask = |body: &Value| house.ask("POST", "/runs", house.admin(), &key, Some(body.clone()));
    let first = ask(&body);
    let run = id(&first.json(201));
    assert_eq!(first.header("location"), format!("/api/v1/runs/{run}"));
    assert_eq!(house.world.end(&run).output, Some(json!("a")));
    assert_eq!(ask(&body).json(200), json!({ "id": run, "existing": true }));
    let other = json!({ "workflow": "lab/quick", "input": { "name": "b" } });
    assert_eq!(ask(&other).code(409), "idempotency_conflict");
    // The same key in another organisation is another key.
    let elsewhere = json!({ "workflow": "lab/quick", "input": { "name": "b" }, "organisation": "acme" });
    assert_ne!(id(&ask(&elsewhere).json(201)), run);

    let log = house.world.engine().audit_log(&AuditFilter::default()).unwrap();
    let entry = log.iter().find(|entry| entry.target == run.as_str()).unwrap();
    assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("run.launch", "token:root/admin"));
    assert_eq!(entry.after["workflow"], "lab/quick");
    let record = house.world.engine().require(&run).unwrap();
    assert_eq!((record.launched_by.as_str(), record.organisation.as_str()), ("root", "platform"));
    assert!(record.tags.contains(&"t1".to_owned()));
}

fn what_is_wrong_with_a_launch_is_pointed_at(house: House) {
    let pointer = |body: Value| {
        let problem = house.post("/runs", body).json(400);
        problem["pointer"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(pointer(json!({ "workflow": "lab/quick", "input": {} })), "/input/name");
    assert_eq!(pointer(json!({ "workflow": "lab/quick", "input": { "name": "a", "count": "x" } })), "/input/count");
    assert_eq!(pointer(json!({ "workflow": "lab/quick", "input": { "name": "a", "x/y": 1 } })), "/input/x~1y");
    assert_eq!(pointer(json!({ "workflow": "lab/quick", "input": { "name": "a" }, "tags": ["ok", ""] })), "/tags/1");
    assert_eq!(
        pointer(json!({ "workflow": "lab/quick", "input": { "name": "a" }, "organisation": "nobody" })),
        "/organisation"
    );
    // Whoever may launch a folder's workflows everywhere may do so where there is somebody.
    let folder = house.person("finn", Role::Operator, "*", "lab");
    for nowhere in ["nobody", "*", ""] {
        let body = json!({ "workflow": "lab/quick", "input": { "name": "a" }, "organisation": nowhere });
        for token in [folder.as_str(), house.admin()] {
            assert_eq!(house.post_as(token, "/runs", body.clone()).json(400)["pointer"], "/organisation", "{nowhere}");
            assert_eq!(house.post_as(token, "/plans", body.clone()).json(400)["pointer"], "/organisation", "{nowhere}");
        }
    }
    let somewhere = json!({ "workflow": "lab/quick", "input": { "name": "a" }, "organisation": "zeta" });
    assert_eq!(house.post("/runs", json!({ "workflow": "lab/none" })).code(404), "workflow_not_found");
    let unknown = house.post("/runs", json!({ "workflow": "lab/quick", "colour": 1 })).json(400);
    assert!(unknown["detail"].as_str().unwrap().contains("colour"), "{unknown}");
    let log = house.world.engine().audit_log(&AuditFilter::default()).unwrap();
    assert!(log.iter().all(|entry| entry.action != "run.launch"), "a refused launch left an entry");
    house.post_as(&folder, "/runs", somewhere).json(201);
}

fn lists_are_filtered_paged_and_within_what_one_may_see(house: House) {
    let acme = house.person("ann", Role::Operator, "acme", "lab");
    let zeta = house.person("zoe", Role::Viewer, "zeta", "*");
    let launch = |token: &str, workflow: &str, name: &str, more: Value| {
        let mut body = json!({ "workflow": workflow, "input": { "name": name } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        id(&house.post_as(token, "/runs", body).json(201))
    };
    // Nobody says which organisation: it is theirs.
    let own: Vec<RunId> = (0..5).map(|n| launch(&acme, "lab/quick", &format!("n{n}"), json!({}))).collect();
    let tagged = launch(house.admin(), "lab/quick", "n1", json!({ "organisation": "zeta", "tags": ["blue"] }));
    let web = launch(house.admin(), "web/quick", "n1", json!({ "organisation": "acme" }));
    own.iter().chain([&tagged, &web]).for_each(|run| drop(house.world.end(run)));

    let ids = |token: &str, query: &str| -> Vec<String> {
        let page = house.get_as(token, &format!("/runs?{query}")).json(200);
        page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
    };
    let newest_first: Vec<String> = own.iter().rev().map(ToString::to_string).collect();
    assert_eq!(ids(&acme, ""), newest_first, "ann sees the lab of acme only");
    assert_eq!(ids(&zeta, ""), [tagged.to_string()]);
    assert_eq!(ids(&zeta, "organisation=acme"), [""; 0]);
    assert_eq!(ids(&acme, "workflow=web/*"), [""; 0]);
    assert_eq!(ids(house.admin(), "workflow=web/*"), [web.to_string()]);
    assert_eq!(ids(house.admin(), "tag=blue"), [tagged.to_string()]);
    assert_eq!(ids(&acme, "input.name=n3"), [own[3].to_string()]);
    assert_eq!(ids(house.admin(), "state=succeeded&limit=500").len(), 7);
    assert_eq!(ids(house.admin(), &format!("id={}", own[2])), [own[2].to_string()]);

    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = house.get_as(&acme, &format!("/runs?limit=2{cursor}")).json(200);
        // Others' runs, the newest of all, take nobody's place on a page.
        assert!(seen.len() >= 4 || page["items"].as_array().unwrap().len() == 2, "{page}");
        seen.extend(page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, newest_first);

    let problem = house.get("/runs?colour=red").json(400);
    assert_eq!(problem["data"]["parameter"], "colour");
    // What one may not see is as if it weren't there, and what one may see may still not be one's to steer.
    assert_eq!(house.get_as(&acme, &format!("/runs/{tagged}")).code(404), "run_not_found");
    for part in ["steps", "history", "logs", "undo", "resources", "sources", "artifacts", "export", "approvals"] {
        assert_eq!(house.get_as(&acme, &format!("/runs/{web}/{part}")).code(404), "run_not_found", "{part}");
        house.get_as(&zeta, &format!("/runs/{tagged}/{part}")).json(200);
    }
    assert_eq!(house.post_as(&zeta, &format!("/runs/{tagged}/cancel"), json!({})).code(403), "permission_denied");
    assert_eq!(house.post_as(&acme, &format!("/runs/{web}/cancel"), json!({})).code(404), "run_not_found");
    assert_eq!(house.post_as(&zeta, "/runs", json!({ "workflow": "lab/quick" })).code(403), "permission_denied");
    assert_eq!(house.post_as(&acme, "/runs", json!({ "workflow": "web/quick" })).code(403), "permission_denied");
    assert_eq!(house.ask("GET", "/runs", "wl_x_y", &[], None).code(401), "unauthenticated");
}

fn each_filter_finds_what_it_names_and_nothing_else(house: House) {
    house.world.script("lab/parent", "", "fn run(input) { child(\"web/quick\", #{}) }");
    // Each is launched some time after an instant of its own.
    let launch = |workflow: &str, more: Value, state: RunState| {
        let mut body = json!({ "workflow": workflow });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let pause = || std::thread::sleep(std::time::Duration::from_millis(3));
        pause();
        let before_ms = house.world.engine().now_ms();
        pause();
        let run = id(&house.post("/runs", body).json(201));
        match state {
            RunState::Waiting => drop(house.world.waits(&run)),
            _ => drop(house.world.ended_as(&run, state)),
        }
        (run.to_string(), before_ms)
    };
    let quick = |name: &str, count: i64, tag: &str, organisation: &str| {
        let more = json!({ "input": { "name": name, "count": count }, "tags": [tag], "organisation": organisation });
        launch("lab/quick", more, RunState::Succeeded)
    };
    let (a, _) = quick("alpha", 1, "red", "platform");
    let (b, b_ms) = quick("beta", 2, "blue", "acme");
    let (c, c_ms) = launch("lab/fails", json!({ "tags": ["beta"] }), RunState::Failed);
    let (d, _) = launch("lab/wait", json!({ "input": { "name": "red" } }), RunState::Waiting);
    let (p, p_ms) = launch("lab/parent", json!({}), RunState::Succeeded);
    let child = house.get(&format!("/runs?parent={p}")).json(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let k = &child;
    let (a, b, c, d, p) = (&a, &b, &c, &d, &p);
    let cases: Vec<(String, Vec<&String>)> = vec![
        (String::new(), vec![k, p, d, c, b, a]),
        ("state=failed".into(), vec![c]),
        ("state=failed,waiting".into(), vec![d, c]),
        ("state=succeeded".into(), vec![k, p, b, a]),
        ("state=failed,running".into(), vec![c]),
        ("state=cancelled".into(), vec![]),
        ("workflow=lab/quick".into(), vec![b, a]),
        ("workflow=lab/*".into(), vec![p, d, c, b, a]),
        ("workflow=web/*".into(), vec![k]),
        ("workflow=acme".into(), vec![]),
        ("tag=red".into(), vec![a]),
        ("tag=beta".into(), vec![c]),
        ("tag=alpha".into(), vec![]),
        ("text=alpha".into(), vec![a]),
        ("text=red".into(), vec![d, a]),
        ("text=beta".into(), vec![c, b]),
        ("text=blue%20beta".into(), vec![b]),
        ("text=nowhere".into(), vec![]),
        ("organisation=acme".into(), vec![b]),
        ("organisation=zeta".into(), vec![]),
        (format!("parent={p}"), vec![k]),
        (format!("parent={k}"), vec![]),
        (format!("id={k}"), vec![k]),
        (format!("id={p}"), vec![p]),
        (format!("since={c_ms}"), vec![k, p, d, c]),
        (format!("until={c_ms}"), vec![b, a]),
        (format!("since={b_ms}&until={p_ms}"), vec![d, c, b]),
        ("since=2100-01-01T00:00:00Z".into(), vec![]),
        ("until=2100-01-01T00:00:00Z".into(), vec![k, p, d, c, b, a]),
        ("input.name=beta".into(), vec![b]),
        ("input.name=red".into(), vec![d]),
        ("input.count=1".into(), vec![a]),
        ("input.name=alpha&input.count=2".into(), vec![]),
        ("tag=beta&state=failed".into(), vec![c]),
        ("tag=beta&state=succeeded".into(), vec![]),
        (format!("workflow=lab/quick&organisation=acme&text=beta&since={b_ms}&until={c_ms}"), vec![b]),
        ("limit=2".into(), vec![k, p]),
        (format!("cursor={c}"), vec![b, a]),
        (format!("cursor={d}&limit=1"), vec![c]),
    ];
    for (query, wanted) in cases {
        let page = house.get(&format!("/runs?{query}")).json(200);
        let found: Vec<&str> =
            page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap()).collect();
        assert_eq!(found, wanted, "{query}");
    }
}

fn a_run_shows_all_that_there_is_of_it(house: House) {
    let run = id(&house.post("/runs", json!({ "workflow": "web/quick", "input": { "a": 1 } })).json(201));
    house.world.end(&run);
    let shown = house.get(&format!("/runs/{run}")).json(200);
    assert_eq!((&shown["state"], &shown["output"]), (&json!("succeeded"), &json!(1)));
    let record = serde_json::to_value(house.world.engine().require(&run).unwrap()).unwrap();
    for (field, value) in record.as_object().unwrap() {
        assert_eq!(&shown[field], value, "{field}");
    }
    let events = house.world.engine().events(&run, 0, 1_000).unwrap();
    assert_eq!(shown["last_event"], events.len());
    let history = house.get(&format!("/runs/{run}/history?after=1&limit=2")).json(200);
    assert_eq!(history["items"], json!(events[1..3]));
    assert_eq!(history["next"], 3);

    let steps = house.get(&format!("/runs/{run}/steps?limit=1")).json(200);
    assert_eq!(steps["items"], json!([house.world.engine().steps(&run).unwrap()[0]]));
    let rest = house.get(&format!("/runs/{run}/steps?cursor={}", steps["next"].as_str().unwrap())).json(200);
    assert_eq!(rest["items"][0]["path"], "1");
    assert_eq!(rest["next"], Value::Null);
    let of_op = house.get(&format!("/runs/{run}/steps?op=probe::*&state=failed")).json(200);
    assert_eq!(of_op["items"], json!([]));

    let sources = house.get(&format!("/runs/{run}/sources")).json(200);
    assert_eq!(sources["entry"], "web/quick");
    let digest = record["bundle"].as_str().unwrap();
    assert_eq!(house.get(&format!("/bundles/{digest}")).json(200), sources);
    let ann = house.person("ann", Role::Viewer, "acme", "*");
    assert_eq!(house.get_as(&ann, &format!("/bundles/{digest}")).code(404), "not_found");
    assert_eq!(house.get_as(&ann, &format!("/bundles/{digest}?run={run}")).code(404), "run_not_found");
    let again = id(&house.post(&format!("/runs/{run}/retry"), json!({})).json(201));
    let ended = house.world.end(&again);
    assert_eq!((ended.input, ended.state), (json!({ "a": 1 }), RunState::Succeeded));
    let diff = house.get(&format!("/runs/{run}/diff?with={again}")).json(200);
    assert_eq!((&diff["input"], &diff["steps"]), (&Value::Null, &json!([])));
    assert_eq!(house.get(&format!("/runs/{run}/export")).json(200)["format"], "windlass.run/1");
}

fn whoever_steers_a_run_is_written_down_with_what_it_was_before(house: House) {
    let ann = house.person("ann", Role::Operator, "acme", "*");
    let launch = |workflow: &str| {
        let body = json!({ "workflow": workflow, "organisation": "acme" });
        id(&house.post("/runs", body).json(201))
    };
    let signalled = launch("lab/wait");
    house.world.waits(&signalled);
    let signal = json!({ "name": "go", "payload": { "n": 7 }, "id": "once" });
    house.post_as(&ann, &format!("/runs/{signalled}/signal"), signal).json(200);
    assert_eq!(house.world.end(&signalled).output, Some(json!({ "n": 7 })));

    let cancelled = launch("lab/wait");
    house.world.waits(&cancelled);
    house.post_as(&ann, &format!("/runs/{cancelled}/cancel"), json!({ "reason": "not now" })).json(200);
    let ended = house.world.end(&cancelled);
    assert_eq!(ended.state, RunState::Cancelled);
    assert!(ended.problem.unwrap().message.contains("cancelled by ann: not now"));
    let again = house.post_as(&ann, &format!("/runs/{cancelled}/cancel"), json!({}));
    assert_eq!(again.code(409), "illegal_transition");

    let failed = launch("lab/fails");
    house.world.ended_as(&failed, RunState::Failed);
    let dry = house.post_as(&ann, &format!("/runs/{failed}/restart"), json!({ "dry_run": true })).json(200);
    assert_eq!(dry["verdict"]["verdict"], "compatible");
    let resources = house.get_as(&ann, &format!("/resources?run={failed}")).json(200);
    assert_eq!(resources["items"][0]["provider"], "probe");
    house.post_as(&ann, &format!("/runs/{failed}/restart"), json!({})).json(200);
    wait_until("a second failure", std::time::Duration::from_secs(60), || {
        let events = house.world.engine().events(&failed, 0, 1_000).unwrap();
        events.iter().filter(|event| event.kind == windlass_model::EventKind::RunFailed).count() == 2
    });
    assert_eq!(house.post_as(&ann, &format!("/runs/{failed}/unpark"), json!({})).status, 409);
    assert_eq!(house.post_as(&ann, &format!("/runs/{failed}/unstick"), json!({ "action": "skip" })).status, 409);
    let wrong = house.post_as(&ann, &format!("/runs/{failed}/resolve"), json!({ "step": "x", "resolution": "fail" }));
    assert_eq!(wrong.json(400)["pointer"], "/step");

    let log =
        house.world.engine().audit_log(&AuditFilter { actor: Some("token:ann/main".into()), ..Default::default() });
    let entries: Vec<(String, String, Value)> = log
        .unwrap()
        .into_iter()
        .filter(|entry| entry.action.starts_with("run."))
        .map(|entry| (entry.action, entry.target, entry.before["state"].clone()))
        .collect();
    assert_eq!(
        entries,
        [
            ("run.restart".to_owned(), failed.to_string(), json!("failed")),
            ("run.cancel".to_owned(), cancelled.to_string(), json!("waiting")),
            ("run.signal".to_owned(), signalled.to_string(), json!("waiting")),
        ]
    );
}
