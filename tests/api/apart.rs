//! What those who manage one organisation can't do to another, and what holds whoever asks: quotas, addresses, a removal that is refused.

use std::collections::HashMap;

use serde_json::{Value, json};
use windlass_api::{
    auth::kept::{By, Organisation, OrganisationBody},
    organisations::rules,
};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, audit::AuditFilter, inmate};
use windlass_tests::{Answer, ApiServer};

use super::{auth, house::House, people};

const WAITS: &str = "const WORKFLOW = #{ name: \"orgs/acme/waits\", title: \"Waits\", permissions: [] };\n\
                     fn run(input) { sleep(\"1h\") }\n";

const FAILS: &str = "const WORKFLOW = #{ name: \"orgs/acme/fails\", title: \"Fails\", permissions: [], rollback: \"none\" };\n\
     fn run(input) { wait_signal(\"go\", #{ timeout: \"5s\" }) }\n";

fn open() -> ApiServer {
    let server = ApiServer::start_with(&[("orgs/acme/waits", WAITS), ("orgs/acme/fails", FAILS)], &[], "");
    for name in ["acme", "beta"] {
        server.post("/api/v1/organisations", &json!({ "name": name })).expect(201);
    }
    server
}

#[test]
fn a_quota_holds_whoever_launches() {
    let server = open();
    server.put("/api/v1/organisations/acme/quotas", &json!({ "runs_open": 1 })).expect(200);
    // An admin of everything, who doesn't say where: the folder does.
    let launch = || server.post("/api/v1/runs", &json!({ "workflow": "orgs/acme/waits" }));
    let run = launch().expect(201).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(server.get(&format!("/api/v1/runs/{run}")).expect(200).json()["organisation"], "acme");
    let refused = launch().expect(422).json();
    assert_eq!((&refused["code"], &refused["data"]["quota"]), (&json!("limit_exceeded"), &json!("runs_open")));
}

/// Runs of acme that have failed and could be restarted; they are open for five seconds then.
fn failed(server: &ApiServer, count: usize) -> Vec<String> {
    let launch = || {
        let made = server.post("/api/v1/runs", &json!({ "workflow": "orgs/acme/fails" })).expect(201).json();
        made["id"].as_str().unwrap().to_owned()
    };
    let runs: Vec<String> = (0..count).map(|_| launch()).collect();
    runs.iter().for_each(|run| assert_eq!(server.ended(run)["state"], "failed"));
    runs
}

#[test]
fn a_restart_is_no_way_past_quotas_and_suspension() {
    let server = open();
    let runs = failed(&server, 4);
    let restart = |body: Value| server.post(&format!("/api/v1/runs/{}/restart", runs[0]), &body);
    let bulk = || {
        let body = json!({ "filter": { "workflow": "orgs/acme/fails", "state": "failed" }, "action": "restart", "preview": false });
        server.post("/api/v1/runs/bulk", &body).expect(200).json()["results"].as_array().unwrap().clone()
    };
    let waits = server.post("/api/v1/runs", &json!({ "workflow": "orgs/acme/waits" })).expect(201).json();
    server.put("/api/v1/organisations/acme/quotas", &json!({ "runs_open": 1 })).expect(200);
    let refused = restart(json!({})).expect(422).json();
    assert_eq!((&refused["code"], &refused["data"]["quota"]), (&json!("limit_exceeded"), &json!("runs_open")));
    assert_eq!(restart(json!({ "dry_run": true })).expect(200).json()["verdict"]["verdict"], "compatible");
    let all = bulk();
    assert!(all.len() == 4 && all.iter().all(|one| one["problem"]["code"] == "limit_exceeded"), "{all:?}");
    let here = |verb: &str| people::windlass(&server, &["runs", verb, &runs[0]]);
    let (refused, done) = here("restart");
    assert!(!done && refused.to_string().contains("limit_exceeded"), "{refused}");
    // Many at once take the places that there are, and none is a launch of the day.
    server.put("/api/v1/organisations/acme/quotas", &json!({ "runs_open": 3, "runs_day": 1 })).expect(200);
    let all = bulk();
    assert_eq!(all.iter().filter(|one| one["done"] == true).count(), 2, "{all:?}");
    server.put("/api/v1/organisations/acme/quotas", &json!({})).expect(200);
    runs.iter().for_each(|run| assert_eq!(server.ended(run)["state"], "failed"));
    server.post("/api/v1/organisations/acme/suspend", &json!({ "reason": "unpaid" })).expect(200);
    let refused = restart(json!({})).expect(403);
    assert!(refused.text.contains("suspended: unpaid"), "{}", refused.text);
    let all = bulk();
    assert!(all.len() == 4 && all.iter().all(|one| one["problem"]["code"] == "permission_denied"), "{all:?}");
    for verb in ["restart", "retry"] {
        let (refused, done) = here(verb);
        assert!(!done && refused.to_string().contains("suspended: unpaid"), "{verb}: {refused}");
    }
    let still = server.get(&format!("/api/v1/runs/{}", waits["id"].as_str().unwrap())).expect(200).json();
    assert_eq!(still["state"], "waiting");
    server.post("/api/v1/organisations/acme/resume", &json!({})).expect(200);
    restart(json!({})).expect(200);
}

#[test]
fn no_two_organisations_have_one_user_of_the_machine() {
    let server = open();
    // Among so many names there are two that lead to the same one.
    let mut seen = HashMap::new();
    let twins = (0..).find_map(|number: u32| {
        let name = format!("org-{number}");
        let place = inmate::place(blake3::hash(name.as_bytes()).as_bytes(), inmate::COUNT).unwrap();
        seen.insert(place, name.clone()).map(|other| (other, name))
    });
    let (one, other) = twins.unwrap();
    let make = |name: &str| server.post("/api/v1/organisations", &json!({ "name": name }));
    make(&one).expect(201);
    let refused = make(&other).expect(409).json();
    assert_eq!((&refused["code"], &refused["pointer"]), (&json!("conflict"), &json!("/name")), "{refused}");
    assert!(refused["help"].to_string().contains("choose another name"), "{refused}");
    assert!(!refused.to_string().contains(&one), "whose it is, is nobody's business: {refused}");
    // Nothing of it is left, and others are made.
    server.get(&format!("/api/v1/organisations/{other}")).expect(404);
    make("unlike").expect(201);
    make(&one).expect(409);
    server.delete(&format!("/api/v1/organisations/{one}")).expect(204);
    make(&other).expect(201);
}

#[test]
fn an_address_is_proved_by_nothing_that_is_only_sent_back() {
    let server = open();
    people::user(&server, "acme-boss", "acme", "franchisee@acme");
    let acme = people::token(&server, "acme-boss");
    let bob =
        json!({ "name": "bob", "organisation": "acme", "email": "bob@acme.test", "password": "a long enough one" });
    server.send_as(&acme, "POST", "/api/v1/users", Some(&bob)).expect(201);
    let change = |token: &str, body: Value| server.send_as(token, "PATCH", "/api/v1/users/bob", Some(&body));
    let admin = |body: Value| change(&server.token, body).expect(200).json();
    let unproved = |user: &Value| user["email_unproved"] == true;
    assert!(
        unproved(&admin(json!({ "title": "Bob", "email": "bob@acme.test" }))),
        "who sends a form back proves nothing"
    );
    assert!(unproved(&admin(json!({ "title": "Bob", "email": "bob@acme.test", "email_unproved": true }))));
    log_in(&server, "bob@acme.test").expect(401);
    // Whoever manages them can't say so, whatever the address.
    for body in [json!({ "email_unproved": false }), json!({ "email": "b@acme.test", "email_unproved": false })] {
        let refused = change(&acme, body).expect(403).json();
        assert_eq!(refused["pointer"], "/email_unproved", "{refused}");
    }
    assert!(!unproved(&admin(json!({ "email_unproved": false }))));
    log_in(&server, "bob@acme.test").expect(200);
    // What is theirs stays so, until it is another one.
    assert_eq!(change(&acme, json!({ "email_unproved": true })).expect(400).json()["pointer"], "/email_unproved");
    assert!(!unproved(&change(&acme, json!({ "title": "B", "email": "bob@acme.test" })).expect(200).json()));
    assert!(unproved(&change(&acme, json!({ "email": "b@acme.test" })).expect(200).json()));
    assert!(!unproved(&admin(json!({ "email": "bob@acme.test" }))), "one that an admin changes is theirs");
    assert!(unproved(&admin(json!({ "email": "c@acme.test", "email_unproved": true }))));
}

fn invite(server: &ApiServer, token: &str, organisation: &str, email: &str) -> String {
    let path = format!("/api/v1/organisations/{organisation}/invitations");
    let made = server.send_as(token, "POST", &path, Some(&json!({ "email": email, "role": "viewer" }))).expect(201);
    made.json()["link"].as_str().unwrap().split_once('#').unwrap().1.to_owned()
}

fn log_in(server: &ApiServer, login: &str) -> Answer {
    server.raw(
        "POST",
        "/api/v1/session",
        "",
        &[("content-type", "application/json")],
        Some(json!({ "name": login, "password": "a long enough one" }).to_string().into_bytes()),
    )
}

#[test]
fn whoever_manages_an_organisation_takes_no_address_from_others() {
    let server = open();
    for name in ["acme", "beta"] {
        people::user(&server, &format!("{name}-boss"), name, &format!("franchisee@{name}"));
    }
    let (acme, beta) = (people::token(&server, "acme-boss"), people::token(&server, "beta-boss"));
    let squats =
        json!({ "name": "mallory", "organisation": "acme", "email": "bob@beta.test", "password": "a long enough one" });
    let made = server.send_as(&acme, "POST", "/api/v1/users", Some(&squats)).expect(201).json();
    assert_eq!((&made["email"], &made["email_unproved"]), (&json!("bob@beta.test"), &json!(true)));
    // Her managers see in the list of members that it isn't hers.
    let members = server.send_as(&acme, "GET", "/api/v1/organisations/acme/members", None).expect(200).json();
    let listed = |name: &str| members.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
    assert_eq!(listed("mallory")["email_unproved"], true, "{members}");
    assert_eq!(listed("acme-boss").get("email_unproved"), None, "{members}");
    log_in(&server, "bob@beta.test").expect(401);
    log_in(&server, "mallory").expect(200);
    // An invitation whose link its maker is told shows nothing either.
    let word = invite(&server, &acme, "acme", "bob@beta.test");
    let body = json!({ "word": word, "name": "eve", "password": "a long enough one" });
    server.send_as("", "POST", "/api/v1/invitation/accept", Some(&body)).expect(200);
    assert_eq!(server.get("/api/v1/users/eve").expect(200).json()["email_unproved"], true);
    // Bob is nobody yet, whatever they have said.
    let word = invite(&server, &beta, "beta", "bob@beta.test");
    let shown = server.send_as("", "POST", "/api/v1/invitation", Some(&json!({ "word": word }))).expect(200).json();
    assert_eq!(shown["known"], false, "{shown}");
    // The one who was said to have it, and has the word, accepts as themselves.
    let mallory = auth::browser(&server, "mallory", "a long enough one");
    mallory.ask(&server, "POST", "/api/v1/invitation/accept", Some(&json!({ "word": word }))).expect(200);
    assert_eq!(server.get("/api/v1/users/mallory").expect(200).json()["email_unproved"], true, "she was told the word");
    // An admin of the platform answers for it.
    let word = invite(&server, &server.token, "beta", "bob@beta.test");
    let body = json!({ "word": word, "name": "bob", "password": "a long enough one" });
    server.send_as("", "POST", "/api/v1/invitation/accept", Some(&body)).expect(200);
    let user = log_in(&server, "bob@beta.test").expect(200).json();
    assert_eq!(user["user"], "bob", "{user}");
    let answered = json!({ "email": "bob@beta.test", "email_unproved": false });
    server.patch("/api/v1/users/mallory", &answered).expect(409);
}

fn keeping(work: &mut dyn FnMut() -> Result<(), Problem>) -> Result<(), Problem> {
    work()
}

fn secrets(engine: &Engine) -> Vec<String> {
    engine.secrets().unwrap().into_iter().map(|secret| secret.name).collect()
}

fn deleted(engine: &Engine) -> usize {
    let filter = AuditFilter { limit: 100, ..AuditFilter::default() };
    engine.audit_log(&filter).unwrap().iter().filter(|entry| entry.action == "secret.delete").count()
}

#[test]
fn a_removal_that_is_refused_leaves_the_secrets() {
    let house = House::open();
    let engine = house.world.engine();
    let by = By { actor: "root".into(), source: "test".into() };
    for name in ["orgs/acme/key", "made/acme/other", "orgs/zeta/key"] {
        engine.put_secret(name, vec![1], json!({ "to": ["*"] }).to_string()).unwrap();
    }
    let stale = rules::suspend(&engine, &by, "acme", "unpaid").unwrap();
    // Somebody changes it while it is looked at.
    let body = OrganisationBody { title: "Acme & Sons".into(), ..stale.body.clone() };
    rules::update(&engine, &by, &stale, body).unwrap();
    let refused = rules::remove(&engine, &by, &stale, true, &keeping).unwrap_err();
    assert_eq!(refused.code, Code::Conflict, "{refused}");
    assert_eq!((secrets(&engine).len(), deleted(&engine)), (3, 0));
    let fresh = Organisation::require(&engine, "acme").unwrap();
    rules::remove(&engine, &by, &fresh, true, &keeping).unwrap();
    assert_eq!((secrets(&engine), deleted(&engine)), (vec!["orgs/zeta/key".to_owned()], 2));
    assert!(Organisation::find(&engine, "acme").unwrap().is_none());
}

#[test]
fn an_organisations_name_is_no_value_of_its_secrets() {
    let server = open();
    let set = |name: &str, value: &str| {
        server.put(&format!("/api/v1/secrets/{name}"), &json!({ "value": value, "to": ["exec:*"] }))
    };
    let refused: Value = set("orgs/acme/key", "Acme").expect(400).json();
    assert!(refused["detail"].to_string().contains("name of its organisation"), "{refused}");
    set("orgs/acme/key", "acme-key").expect(204);
    set("orgs/beta/key", "acme").expect(204);
}
