//! Who is under whom, what those above may do and what they may not, suspension, quotas, and the end of an organisation.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_tests::{Answer, ApiServer, wait_for, wait_until};

use super::{
    databases::{Database, on_each_database},
    people::{self, done},
};

const SOON: Duration = Duration::from_secs(60);

const WAITS: &str = "const WORKFLOW = #{ name: \"lab/waits\", title: \"Waits\", permissions: [] };\n\
                     fn run(input) { approve(#{ title: \"go on\" }) }\n";
const NOTHING: &str = "const WORKFLOW = #{ name: \"lab/nothing\", title: \"Nothing\", permissions: [] };\n\
                       fn run(input) { 1 }\n";

on_each_database!(
    open: who_is_under_whom,
    what_is_suspended_does_nothing,
    nobody_has_more_than_they_may,
    the_last_place_goes_to_one,
    an_organisation_ends,
    secrets_and_workflows_are_an_organisations_own
);

fn open(database: Database) -> ApiServer {
    let server = ApiServer::start_with(&[("lab/waits", WAITS), ("lab/nothing", NOTHING)], &[], &database.settings());
    for name in ["north", "south"] {
        server.post("/api/v1/organisations", &json!({ "name": name, "kind": "franchisee" })).expect(201);
        people::user(&server, &format!("{name}-boss"), name, &format!("franchisee@{name}"));
    }
    server
}

fn as_(server: &ApiServer, token: &str, method: &str, path: &str, body: Value) -> Answer {
    server.send_as(token, method, &format!("/api/v1/{path}"), Some(&body).filter(|body| !body.is_null()))
}

fn code(answer: &Answer) -> String {
    answer.json()["code"].as_str().unwrap_or_default().to_owned()
}

fn names(answer: &Answer) -> Vec<String> {
    let items = answer.json()["items"].clone();
    items.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

fn who_is_under_whom(server: ApiServer) {
    let (north, south) = (people::token(&server, "north-boss"), people::token(&server, "south-boss"));
    let made =
        as_(&server, &north, "POST", "organisations", json!({ "name": "acme", "title": "Acme" })).expect(201).json();
    assert_eq!((&made["parent"], &made["kind"]), (&json!("north"), &json!("customer")));
    // Under nobody else, no franchisees, and no circle.
    for (body, status) in [
        (json!({ "name": "other", "parent": "south" }), 403),
        (json!({ "name": "other", "parent": "platform" }), 403),
        (json!({ "name": "other", "kind": "franchisee" }), 400),
        (json!({ "name": "other", "kind": "platform" }), 400),
        (json!({ "name": "other", "parent": "acme" }), 403),
        (json!({ "name": "acme" }), 409),
    ] {
        let answer = as_(&server, &north, "POST", "organisations", body.clone());
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
    let under_customer = json!({ "name": "other", "parent": "acme" });
    assert_eq!(server.post("/api/v1/organisations", &under_customer).expect(400).json()["data"]["pointer"], "/parent");
    server
        .post("/api/v1/organisations", &json!({ "name": "other", "kind": "franchisee", "parent": "north" }))
        .expect(400);
    server.post("/api/v1/organisations", &json!({ "name": "other", "parent": "nobody" })).expect(400);
    // Whoever stands above sees it, the sibling doesn't, and it sees nobody beside itself.
    people::user(&server, "ann", "acme", "franchisee@acme");
    let ann = people::token(&server, "ann");
    let list = |token: &str| names(&as_(&server, token, "GET", "organisations", Value::Null).expect(200));
    assert_eq!(list(&north), ["acme", "north"]);
    assert_eq!(list(&south), ["south"]);
    assert_eq!(list(&ann), ["acme"]);
    for (method, path, body) in [
        ("GET", "organisations/acme", Value::Null),
        ("PATCH", "organisations/acme", json!({ "title": "x" })),
        ("DELETE", "organisations/acme", Value::Null),
        ("POST", "organisations/acme/suspend", json!({})),
        ("POST", "organisations/acme/resume", json!({})),
        ("GET", "organisations/acme/usage", Value::Null),
        ("PUT", "organisations/acme/quotas", json!({})),
        ("GET", "organisations/acme/members", Value::Null),
        ("GET", "organisations/acme/invitations", Value::Null),
        ("POST", "organisations/acme/invitations", json!({ "email": "x@south.test", "role": "viewer" })),
        ("GET", "organisations/acme/brand", Value::Null),
        ("GET", "organisations/acme/environments", Value::Null),
    ] {
        let foreign = as_(&server, &south, method, path, body.clone());
        let unknown = as_(&server, &south, method, &path.replace("acme", "nothere"), body);
        assert_eq!((foreign.status, unknown.status), (404, 404), "{method} {path}: {}", foreign.text);
        let without = |answer: &Answer| {
            let mut json = answer.json();
            for key in ["instance", "request"] {
                json.as_object_mut().unwrap().remove(key);
            }
            json
        };
        assert_eq!(without(&foreign), without(&unknown), "{method} {path}");
    }
    // Its own managers change how it is called, and neither suspend, limit nor remove it.
    as_(&server, &ann, "PATCH", "organisations/acme", json!({ "title": "Acme Inc" })).expect(200);
    as_(&server, &ann, "PATCH", "organisations/acme", json!({ "suspended": true })).expect(403);
    as_(&server, &ann, "POST", "organisations/acme/suspend", json!({})).expect(403);
    as_(&server, &ann, "PUT", "organisations/acme/quotas", json!({})).expect(403);
    as_(&server, &ann, "DELETE", "organisations/acme", Value::Null).expect(403);
    as_(&server, &ann, "GET", "organisations/north", Value::Null).expect(404);
    // Those above see who is in it, but not what is theirs.
    let members = as_(&server, &north, "GET", "organisations/acme/members", Value::Null).expect(200).json();
    assert_eq!((&members[0]["name"], &members[0]["email"]), (&json!("ann"), &Value::Null));
    let run =
        server.post("/api/v1/runs", &json!({ "workflow": "lab/waits", "organisation": "acme" })).expect(201).json();
    let run = run["id"].as_str().unwrap();
    as_(&server, &ann, "GET", &format!("runs/{run}"), Value::Null).expect(200);
    as_(&server, &north, "GET", &format!("runs/{run}"), Value::Null).expect(404);
    as_(&server, &north, "GET", "users/ann", Value::Null).expect(404);
    as_(&server, &north, "PUT", "secrets/orgs/acme/key", json!({ "value": "12345", "to": ["*"] })).expect(403);
    let audit = as_(&server, &north, "GET", "audit?organisation=acme", Value::Null).expect(200);
    assert_eq!(audit.json()["items"], json!([]));
}

fn what_is_suspended_does_nothing(server: ApiServer) {
    let north = people::token(&server, "north-boss");
    as_(&server, &north, "POST", "organisations", json!({ "name": "acme" })).expect(201);
    people::user(&server, "ann", "acme", "franchisee@acme");
    let ann = people::token(&server, "ann");
    let launch = |token: &str, workflow: &str| {
        as_(&server, token, "POST", "runs", json!({ "workflow": workflow, "organisation": "acme" }))
    };
    let run = launch(&ann, "lab/waits").expect(201).json()["id"].as_str().unwrap().to_owned();
    // Owned by the platform's admin, whom no suspension keeps from acting.
    let every = json!({ "name": "often", "workflow": "lab/nothing", "organisation": "acme", "cron": "* * * * * *" });
    let schedule = server.post("/api/v1/schedules", &every).expect(201).json()["id"].as_str().unwrap().to_owned();
    let fired =
        || server.get(&format!("/api/v1/schedules/{schedule}")).expect(200).json()["launched"].as_u64().unwrap();
    wait_until("the schedule to fire", SOON, || fired() > 0);
    let cursor = server.get("/api/v1/audit").expect(200).json()["items"][0]["seq"].clone();
    assert!(cursor.is_i64());
    let suspended =
        as_(&server, &north, "POST", "organisations/acme/suspend", json!({ "reason": "unpaid" })).expect(200).json();
    assert_eq!((&suspended["suspended"], &suspended["reason"]), (&json!(true), &json!("unpaid")));
    // Its tokens are refused, and say why; nobody launches in it.
    let refused = as_(&server, &ann, "GET", "runs", Value::Null).expect(403);
    assert!(refused.text.contains("suspended"), "{}", refused.text);
    let refused = launch(&server.token, "lab/nothing").expect(403);
    assert!(refused.text.contains("suspended: unpaid"), "{}", refused.text);
    server.post(&format!("/api/v1/runs/{run}/retry"), &json!({})).expect(403);
    server.post(&format!("/api/v1/schedules/{schedule}/run"), &json!({})).expect(403);
    server
        .post(
            "/api/v1/schedules",
            &json!({ "name": "x", "workflow": "lab/nothing", "organisation": "acme", "cron": "0 0 1 1 *" }),
        )
        .expect(403);
    as_(
        &server,
        &north,
        "POST",
        "organisations/acme/invitations",
        json!({ "email": "x@acme.test", "role": "franchisee" }),
    )
    .expect(403);
    let before = fired();
    std::thread::sleep(Duration::from_secs(4));
    // One that was on its way at that moment may have come through.
    assert!(fired() <= before + 1, "{} launches in a suspended organisation", fired() - before);
    // Open runs go on to their ends.
    server.post(&format!("/api/v1/runs/{run}/approvals/0/decision"), &json!({ "approved": true }));
    // Resumed, all of it goes on.
    as_(&server, &north, "POST", "organisations/acme/resume", Value::Null).expect(200);
    launch(&ann, "lab/nothing").expect(201);
    let (resumed, soon) = (fired(), SOON);
    wait_until("the schedule to fire again", soon, || fired() > resumed);
    // A franchisee that is suspended takes its customers with it.
    server.post("/api/v1/organisations/north/suspend", &json!({ "reason": "ours" })).expect(200);
    let refused = as_(&server, &ann, "GET", "runs", Value::Null).expect(403);
    assert!(!refused.text.contains("ours"), "{}", refused.text);
    launch(&server.token, "lab/nothing").expect(403);
    as_(&server, &north, "GET", "organisations", Value::Null).expect(403);
    server.post("/api/v1/organisations/north/resume", &json!({})).expect(200);
    launch(&ann, "lab/nothing").expect(201);
    // It was told.
    let events = server.raw("GET", "/api/v1/audit?action=organisation.", &server.token, &[], None).expect(200).text;
    assert!(events.contains("organisation.suspend") && events.contains("organisation.resume"));
}

fn limit(server: &ApiServer, token: &str, name: &str, quotas: Value) -> Answer {
    as_(server, token, "PUT", &format!("organisations/{name}/quotas"), quotas)
}

fn nobody_has_more_than_they_may(server: ApiServer) {
    let north = people::token(&server, "north-boss");
    let admin = server.token.clone();
    limit(&server, &admin, "north", json!({ "runs_open": 3, "customers": 2, "members": 6, "tokens": 5 })).expect(200);
    for name in ["acme", "beta"] {
        as_(&server, &north, "POST", "organisations", json!({ "name": name })).expect(201);
    }
    let third = as_(&server, &north, "POST", "organisations", json!({ "name": "gamma" }));
    assert_eq!((third.status, code(&third)), (422, "limit_exceeded".into()), "{}", third.text);
    // Not beyond the parent's, and not by oneself.
    let beyond = limit(&server, &north, "acme", json!({ "runs_open": 4 }));
    assert_eq!(code(&beyond), "limit_exceeded", "{}", beyond.text);
    limit(&server, &north, "north", json!({})).expect(403);
    limit(&server, &north, "acme", json!({ "runs_open": 2, "schedules": 1, "secrets": 1, "members": 1 })).expect(200);
    people::user(&server, "ann", "acme", "franchisee@acme");
    let ann = people::token(&server, "ann");
    let launch = |organisation: &str| {
        server.post("/api/v1/runs", &json!({ "workflow": "lab/waits", "organisation": organisation }))
    };
    launch("acme").expect(201);
    launch("acme").expect(201);
    let refused = launch("acme");
    assert_eq!(code(&refused), "limit_exceeded", "{}", refused.text);
    assert_eq!(
        (&refused.json()["data"]["limit"], &refused.json()["data"]["used"]),
        (&json!(2), &json!(2)),
        "{}",
        refused.text
    );
    // What the siblings have counts, and isn't told.
    launch("beta").expect(201);
    let refused = launch("beta");
    assert_eq!(code(&refused), "limit_exceeded");
    assert!(!refused.text.contains("north") && refused.json()["data"]["used"].is_null(), "{}", refused.text);
    // The others where they are made.
    let schedule = |name: &str| json!({ "name": name, "workflow": "lab/nothing", "cron": "0 0 29 2 *" });
    as_(&server, &ann, "POST", "schedules", schedule("one")).expect(201);
    assert_eq!(code(&as_(&server, &ann, "POST", "schedules", schedule("two"))), "limit_exceeded");
    let secret = |name: &str| {
        as_(&server, &ann, "PUT", &format!("secrets/orgs/acme/{name}"), json!({ "value": "12345", "to": ["exec:*"] }))
    };
    secret("one").expect(204);
    secret("one").expect(204);
    assert_eq!(code(&secret("two")), "limit_exceeded");
    let invite = |email: &str| {
        as_(&server, &ann, "POST", "organisations/acme/invitations", json!({ "email": email, "role": "viewer" }))
    };
    assert_eq!(code(&invite("bob@acme.test")), "limit_exceeded");
    let user = json!({ "name": "bob", "organisation": "acme", "bindings": [] });
    assert_eq!(code(&as_(&server, &ann, "POST", "users", user)), "limit_exceeded");
    // It is all in the usage, for members, too.
    let usage = as_(&server, &ann, "GET", "organisations/acme/usage", Value::Null).expect(200).json();
    let of = |usage: &Value, quota: &str| {
        let items = usage["items"].as_array().unwrap().iter();
        items
            .filter(|item| item["quota"] == quota)
            .map(|item| (item["used"].clone(), item["together"].clone(), item["limit"].clone()))
            .next()
            .unwrap()
    };
    assert_eq!(of(&usage, "runs_open"), (json!(2), json!(2), json!(2)));
    assert_eq!(of(&usage, "secrets"), (json!(1), json!(1), json!(1)));
    let usage = as_(&server, &north, "GET", "organisations/north/usage", Value::Null).expect(200).json();
    assert_eq!(of(&usage, "runs_open"), (json!(0), json!(3), json!(3)));
    assert_eq!(of(&usage, "customers"), (json!(2), json!(2), json!(2)));
    let shown = done(&server, &["organisations", "usage", "north"]);
    assert_eq!(of(&shown, "runs_open"), (json!(0), json!(3), json!(3)));
}

fn the_last_place_goes_to_one(server: ApiServer) {
    server.post("/api/v1/organisations", &json!({ "name": "acme", "parent": "north" })).expect(201);
    limit(&server, &server.token.clone(), "acme", json!({ "runs_day": 5, "members": 3 })).expect(200);
    let (server, server_ref) = (&server, &server);
    let count = |made: &(dyn Fn(usize) -> u16 + Sync)| {
        let answers: Vec<u16> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..24).map(|number| scope.spawn(move || made(number))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(answers.iter().all(|status| matches!(status, 201 | 422 | 409)), "{answers:?}");
        answers.iter().filter(|status| **status == 201).count()
    };
    let launch =
        |_| server_ref.post("/api/v1/runs", &json!({ "workflow": "lab/nothing", "organisation": "acme" })).status;
    assert_eq!(count(&launch), 5);
    let member = |number: usize| {
        let body = json!({ "name": format!("member-{number}"), "organisation": "acme" });
        server_ref.post("/api/v1/users", &body).status
    };
    assert_eq!(count(&member), 3);
    let runs = server.get("/api/v1/runs?organisation=acme").expect(200).json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 5);
}

fn an_organisation_ends(server: ApiServer) {
    let north = people::token(&server, "north-boss");
    as_(&server, &north, "POST", "organisations", json!({ "name": "acme" })).expect(201);
    // Those above it have to go after those under it.
    let refused = server.delete("/api/v1/organisations/north").expect(409);
    assert!(refused.text.contains("1 organisations under it"), "{}", refused.text);
    people::user(&server, "ann", "acme", "franchisee@acme");
    let ann = people::token(&server, "ann");
    as_(&server, &ann, "PUT", "secrets/orgs/acme/key", json!({ "value": "12345", "to": ["exec:*"] })).expect(204);
    let schedule = json!({ "name": "one", "workflow": "lab/nothing", "cron": "0 0 29 2 *" });
    as_(&server, &ann, "POST", "schedules", schedule).expect(201);
    let drawn = |token: &str, organisation: &str| {
        let path = format!("labs/sketch/drawing?organisation={organisation}");
        as_(&server, token, "PUT", &path, json!({ "text": "name: sketch\n", "base": "" })).expect(200);
        path
    };
    let (theirs, norths) = (drawn(&ann, "acme"), drawn(&north, "north"));
    let run = as_(&server, &ann, "POST", "runs", json!({ "workflow": "lab/waits" })).expect(201).json();
    let run = run["id"].as_str().unwrap().to_owned();
    server
        .post(
            "/api/v1/users",
            &json!({ "name": "guest", "organisation": "south", "bindings": [
        { "role": "viewer", "organisation": "acme" }, { "role": "viewer", "organisation": "south" }] }),
        )
        .expect(201);
    as_(&server, &north, "DELETE", "organisations/acme", Value::Null).expect(409);
    as_(&server, &north, "DELETE", "organisations/acme?offboard=true", Value::Null).expect(409);
    as_(&server, &north, "POST", "organisations/acme/suspend", json!({})).expect(200);
    let open = as_(&server, &north, "DELETE", "organisations/acme?offboard=true", Value::Null).expect(409);
    assert!(open.text.contains("1 open runs") && !open.text.contains("secrets"), "{}", open.text);
    server.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).expect(200);
    server.ended(&run);
    as_(&server, &north, "DELETE", "organisations/acme?offboard=true", Value::Null).expect(204);
    as_(&server, &north, "GET", "organisations/acme", Value::Null).expect(404);
    server.get("/api/v1/users/ann").expect(404);
    as_(&server, &ann, "GET", "session", Value::Null).expect(401);
    server.get("/api/v1/secrets/orgs/acme/key").expect(404);
    server.get(&format!("/api/v1/{theirs}")).expect(404);
    server.get(&format!("/api/v1/{norths}")).expect(200);
    assert_eq!(server.get("/api/v1/schedules?organisation=acme").expect(200).json()["items"], json!([]));
    let guest = server.get("/api/v1/users/guest").expect(200).json();
    assert_eq!(guest["bindings"], json!([{ "role": "viewer", "organisation": "south", "folder": "*" }]));
    // What it did stays.
    server.get(&format!("/api/v1/runs/{run}")).expect(200);
    assert!(server.get("/api/v1/audit?organisation=acme").expect(200).text.contains("organisation.delete"));
    // One that is empty needs no more.
    as_(&server, &north, "POST", "organisations", json!({ "name": "empty" })).expect(201);
    as_(&server, &north, "DELETE", "organisations/empty", Value::Null).expect(204);
    as_(&server, &north, "POST", "organisations", json!({ "name": "empty" })).expect(201);
    // Nobody is called as one was that has lived: they would read its runs.
    as_(&server, &north, "POST", "organisations", json!({ "name": "acme" })).expect(409);
    server.delete("/api/v1/organisations/platform").expect(400);
}

fn secrets_and_workflows_are_an_organisations_own(server: ApiServer) {
    for name in ["acme", "beta"] {
        server.post("/api/v1/organisations", &json!({ "name": name, "parent": "north" })).expect(201);
        people::user(&server, name, name, &format!("franchisee@{name}"));
    }
    let (acme, beta) = (people::token(&server, "acme"), people::token(&server, "beta"));
    as_(&server, &acme, "PUT", "secrets/orgs/acme/key", json!({ "value": "12345", "to": ["exec:*"] })).expect(204);
    let listed = as_(&server, &acme, "GET", "secrets", Value::Null).expect(200).json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["name"]), (1, &json!("orgs/acme/key")));
    assert_eq!(as_(&server, &beta, "GET", "secrets", Value::Null).expect(200).json(), json!([]));
    for (method, body) in
        [("GET", Value::Null), ("PUT", json!({ "value": "12345", "to": ["*"] })), ("DELETE", Value::Null)]
    {
        for name in ["orgs/acme/key", "orgs/acme/none", "plain", "made/acme/x"] {
            as_(&server, &beta, method, &format!("secrets/{name}"), body.clone()).expect(403);
        }
    }
    // A folder of its own: it edits there, and nowhere else; nobody beside it sees what stands there.
    let source = |name: &str, mark: &str| {
        let header = format!("const WORKFLOW = #{{ name: \"{name}\", title: \"{mark}\", permissions: [] }};");
        json!({ "source": format!("{header}\nfn run(input) {{ 1 }}\n") })
    };
    as_(&server, &acme, "PUT", "workflows/orgs/acme/own", source("orgs/acme/own", "acme-s own")).expect(200);
    as_(&server, &acme, "PUT", "workflows/lab/nothing", source("lab/nothing", "x")).expect(403);
    as_(&server, &acme, "PUT", "workflows/orgs/beta/own", source("orgs/beta/own", "x")).expect(404);
    for (method, path, body) in [
        ("GET", "workflows/orgs/acme/own", Value::Null),
        ("GET", "workflows/orgs/acme/own/file", Value::Null),
        ("GET", "workflows/orgs/acme/own/history", Value::Null),
        ("GET", "workflows/orgs/acme/own/source", Value::Null),
        ("PUT", "workflows/orgs/acme/own", source("orgs/acme/own", "x")),
        ("DELETE", "workflows/orgs/acme/own?expected=x", Value::Null),
        ("POST", "workflows/orgs/acme/own/check", json!({})),
        ("POST", "workflows/orgs/acme/own/rehearse", json!({})),
        ("POST", "runs", json!({ "workflow": "orgs/acme/own" })),
        ("POST", "runs", json!({ "workflow": "orgs/acme/own", "organisation": "beta" })),
        ("POST", "schedules", json!({ "name": "x", "workflow": "orgs/acme/own", "cron": "0 0 1 1 *" })),
        ("POST", "webhooks", json!({ "name": "x", "action": { "do": "launch", "workflow": "orgs/acme/own" } })),
        (
            "POST",
            "triggers",
            json!({ "name": "x", "workflow": "orgs/acme/own", "on": { "workflow": "lab/nothing", "states": ["failed"] } }),
        ),
    ] {
        let answer = as_(&server, &beta, method, path, body);
        assert!(matches!(answer.status, 403 | 404), "{method} {path}: {} {}", answer.status, answer.text);
        assert!(!answer.text.contains("acme-s own"), "{method} {path}: {}", answer.text);
    }
    assert!(!as_(&server, &beta, "GET", "workflows", Value::Null).expect(200).text.contains("orgs/acme"));
    let steals = "import \"orgs/acme/own\" as own;\n\
                  const WORKFLOW = #{ name: \"orgs/beta/x\", title: \"x\", permissions: [] };\n\
                  fn run(input) { own::run(1) }\n";
    let refused = as_(&server, &beta, "PUT", "workflows/orgs/beta/x", json!({ "source": steals }));
    assert_ne!(refused.status, 200, "{}", refused.text);
    assert!(!refused.text.contains("acme-s own"), "{}", refused.text);
    let run = as_(&server, &acme, "POST", "runs", json!({ "workflow": "orgs/acme/own" })).expect(201).json();
    let ended = wait_for("the run to end", SOON, || {
        let record = server.get(&format!("/api/v1/runs/{}", run["id"].as_str().unwrap())).expect(200).json();
        (record["state"] == "succeeded").then_some(record)
    });
    assert_eq!(ended["organisation"], "acme");
    // The platform's admin launches it for nobody else either.
    server.post("/api/v1/runs", &json!({ "workflow": "orgs/acme/own", "organisation": "beta" })).expect(404);
}
