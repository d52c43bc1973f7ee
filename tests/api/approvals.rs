//! Approvals over HTTP: the inbox, who may decide, and who may not.

use serde_json::{Value, json};
use windlass_api::{
    Role,
    auth::{
        binding::Binding,
        kept::{By, User, UserBody},
        users,
    },
};
use windlass_model::{RunId, audit::AuditFilter};

use super::house::House;

fn house() -> House {
    let house = House::open();
    house.world.script("lab/ask", "", "fn run(input) { approve(#{ title: \"May I?\" }).by }");
    house.world.script("lab/boss", "", "fn run(input) { approve(#{ title: \"May I?\", role: \"admin\" }).by }");
    house
}

fn launch(house: &House, token: &str, workflow: &str) -> RunId {
    let body = json!({ "workflow": workflow, "organisation": "acme" });
    let run: RunId = house.post_as(token, "/runs", body).json(201)["id"].as_str().unwrap().into();
    house.world.waits(&run);
    run
}

fn inbox(house: &House, token: &str, query: &str) -> Vec<Value> {
    house.get_as(token, &format!("/approvals{query}")).json(200)["items"].as_array().unwrap().clone()
}

fn decision(approval: &Value, approved: bool) -> Value {
    json!({ "approved": approved, "comment": "so be it", "digest": approval["request"]["digest"] })
}

#[test]
fn nobody_decides_on_what_they_launched_not_even_with_another_token() {
    let house = house();
    let ann = house.person("ann", Role::Operator, "acme", "*");
    let bob = house.person("bob", Role::Operator, "acme", "*");
    let vic = house.person("vic", Role::Viewer, "acme", "*");
    let out = house.person("out", Role::Operator, "zeta", "*");
    let run = launch(&house, &ann, "lab/ask");
    let second = house.token("ann", "second");
    for token in [&ann, &second] {
        assert_eq!(inbox(&house, token, ""), [Value::Null; 0]);
        let seen = inbox(&house, token, "?all=true");
        assert_eq!(seen[0]["may_decide"], false);
        let path = format!("/runs/{run}/approvals/{}/decision", seen[0]["path"].as_str().unwrap());
        assert_eq!(house.post_as(token, &path, decision(&seen[0], true)).code(403), "permission_denied");
    }
    assert_eq!(inbox(&house, &out, "?all=true"), [Value::Null; 0]);
    let open = inbox(&house, &bob, "");
    assert_eq!((open.len(), &open[0]["run"], &open[0]["launched_by"]), (1, &json!(run), &json!("ann")));
    let path = format!("/runs/{run}/approvals/{}/decision", open[0]["path"].as_str().unwrap());
    assert_eq!(house.post_as(&vic, &path, decision(&open[0], true)).code(403), "permission_denied");
    assert_eq!(house.post_as(&out, &path, decision(&open[0], true)).code(404), "run_not_found");
    let stale = json!({ "approved": true, "digest": "something else" });
    assert_eq!(house.post_as(&bob, &path, stale).code(409), "approval_stale");
    let unsure = json!({ "approved": true });
    assert_eq!(house.post_as(&bob, &path, unsure).code(400), "invalid_input");
    house.post_as(&bob, &path, decision(&open[0], true)).json(200);
    assert_eq!(house.world.end(&run).output, Some(json!(["bob"])));
    assert_eq!(house.post_as(&bob, &path, decision(&open[0], true)).status, 409);
    assert_eq!(inbox(&house, &bob, ""), [Value::Null; 0]);
    let log = house.world.engine().audit_log(&AuditFilter::default()).unwrap();
    let decided: Vec<&str> =
        log.iter().filter(|entry| entry.action == "approval.decide").map(|entry| entry.actor.as_str()).collect();
    assert_eq!(decided, ["token:bob/main"]);
}

#[test]
fn where_it_is_unknown_who_launched_a_run_an_admin_decides() {
    if !windlass_tests::has_program("sqlite3") {
        return windlass_tests::skip("sqlite3 isn't here: .ci/setup installs it");
    }
    let house = house();
    house.world.script("lab/begun", "", "fn run(input) { launch(\"lab/ask\", #{}); }");
    let ann = house.person("ann", Role::Operator, "acme", "*");
    let body = json!({ "workflow": "lab/begun", "organisation": "acme" });
    let above: RunId = house.post_as(&ann, "/runs", body).json(201)["id"].as_str().unwrap().into();
    house.world.end(&above);
    let asking = || {
        let open = inbox(&house, &ann, "?all=true");
        assert_eq!(open.len(), 1, "{open:?}");
        open
    };
    windlass_tests::wait_until("it to ask", std::time::Duration::from_secs(60), || {
        !inbox(&house, &ann, "?all=true").is_empty()
    });
    let open = asking();
    let path =
        format!("/runs/{}/approvals/{}/decision", open[0]["run"].as_str().unwrap(), open[0]["path"].as_str().unwrap());
    assert_eq!(house.post_as(&ann, &path, decision(&open[0], true)).code(403), "permission_denied");
    let gone = format!("DELETE FROM runs WHERE id = '{above}'");
    let done = std::process::Command::new("sqlite3").arg(house.world.database()).arg(gone).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let refused = house.post_as(&ann, &path, decision(&open[0], true)).json(403);
    assert!(refused["detail"].as_str().unwrap().contains("can't be found out"), "{refused}");
    let admin = house.token("root", "second");
    house.post_as(&admin, &path, decision(&open[0], true)).json(200);
}

#[test]
fn a_role_that_is_asked_for_has_to_be_held_where_the_run_is() {
    let house = house();
    let ann = house.person("ann", Role::Operator, "acme", "*");
    let bob = house.person("bob", Role::Operator, "acme", "*");
    let far = house.person("far", Role::Admin, "zeta", "*");
    let eve = house.person("eve", Role::Admin, "acme", "lab");
    let run = launch(&house, &ann, "lab/boss");
    assert_eq!(inbox(&house, &bob, ""), [Value::Null; 0]);
    let open = inbox(&house, &eve, "");
    let path = format!("/runs/{run}/approvals/{}/decision", open[0]["path"].as_str().unwrap());
    assert_eq!(house.post_as(&bob, &path, decision(&open[0], true)).code(403), "permission_denied");
    assert_eq!(house.post_as(&far, &path, decision(&open[0], true)).code(404), "run_not_found");
    house.post_as(&eve, &path, decision(&open[0], true)).json(200);
    assert_eq!(house.world.end(&run).output, Some(json!(["eve"])));
}

#[test]
fn pages_of_the_inbox_go_on_where_the_last_one_ended() {
    let house = house();
    let ann = house.person("ann", Role::Operator, "acme", "*");
    let runs: Vec<RunId> = (0..3).map(|_| launch(&house, &ann, "lab/ask")).collect();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = house.get(&format!("/approvals?limit=1{cursor}")).json(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["run"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, runs.iter().map(ToString::to_string).collect::<Vec<_>>());
}

/// A token of somebody who can log in.
fn member(house: &House, name: &str, role: Role, organisation: &str) -> String {
    let home = if organisation == "*" { "platform" } else { organisation };
    let body = UserBody {
        title: name.into(),
        password: Some("set".into()),
        bindings: vec![Binding::new(role, organisation)],
        ..UserBody::default()
    };
    users::create(&house.world.engine(), &By { actor: "test".into(), source: "test".into() }, name, home, body)
        .unwrap();
    house.token(name, "main")
}

#[test]
fn whoever_is_alone_decides_on_their_own_request_and_nobody_else_does() {
    let house = house();
    let ask =
        |role: &str| format!("fn run(input) {{ approve(#{{ title: \"Gone?\", allow_self: \"alone\"{role} }}).by }}");
    house.world.script("lab/alone", "", &ask(""));
    house.world.script("lab/led", "", &ask(", role: \"admin\""));
    let ann = member(&house, "ann", Role::Admin, "acme");
    // None of these may approve there, or nobody is there who would log in; the platform's admin isn't one of them.
    member(&house, "vic", Role::Viewer, "acme");
    member(&house, "out", Role::Admin, "zeta");
    member(&house, "far", Role::Admin, "*");
    house.person("robot", Role::Operator, "acme", "*");
    let decided = |run: &RunId, token: &str| {
        let asked = house.get_as(token, &format!("/runs/{run}/approvals")).json(200)[0].clone();
        let path = format!("/runs/{run}/approvals/{}/decision", asked["path"].as_str().unwrap());
        (asked["request"]["allow_self"].clone(), house.post_as(token, &path, decision(&asked, true)))
    };
    let run = launch(&house, &ann, "lab/alone");
    assert_eq!(inbox(&house, &ann, "")[0]["may_decide"], true);
    let (allowed, answer) = decided(&run, &ann);
    assert_eq!((allowed, answer.status), (json!(true), 200));
    assert_eq!(house.world.end(&run).output, Some(json!(["ann"])));

    // With somebody who may, it takes them; while they are kept out, or in another role than is asked for, it doesn't.
    let bob = member(&house, "bob", Role::Operator, "acme");
    let run = launch(&house, &ann, "lab/alone");
    assert_eq!(inbox(&house, &ann, ""), [Value::Null; 0]);
    let (allowed, answer) = decided(&run, &ann);
    assert_eq!(allowed, false);
    assert_eq!(answer.code(403), "permission_denied");
    assert_eq!(decided(&launch(&house, &ann, "lab/led"), &ann).1.status, 200);
    assert_eq!(decided(&run, &bob).1.status, 200);
    let run = launch(&house, &ann, "lab/alone");
    let engine = house.world.engine();
    let mut kept = User::find(&engine, "bob").unwrap().unwrap();
    kept.body.disabled = true;
    engine.change(vec![kept.put().unwrap()]).unwrap();
    assert_eq!(decided(&run, &ann).1.status, 200);
}
