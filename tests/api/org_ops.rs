//! Organisations as scripts make them: what a run may do follows from whose run it is; repeated and undone.

use serde_json::{Value, json};
use windlass_tests::{ApiServer, mail::MailServer};

use super::people;

const MAKES: &str = r##"const WORKFLOW = #{ name: "franchise/make", title: "Make", permissions: ["org.write:*", "org.read:*"] };
fn run(input) {
    let made = org::create(input.name, #{ title: "Made", kind: input.kind, owner_email: input.owner });
    org::environment(input.name, "production", #{ domain: "apps." + input.name + ".test", size: 3 });
    org::brand(input.name, #{ title: "Made Cloud", colours: #{ primary: "#0b5fff" } });
    if input.fail { throw "no" }
    #{ made: made, found: org::get(input.name), none: org::get("nobody") }
}
"##;
const DOES: &str = r##"const WORKFLOW = #{ name: "franchise/do", title: "Do", permissions: ["org.write:*", "org.read:*"] };
fn run(input) {
    switch input.what {
        "invite" => org::invite(input.name, input.email, input.role),
        "suspend" => org::suspend(input.name, "unpaid"),
        "resume" => org::resume(input.name),
        "remove" => org::remove(input.name),
        "get" => org::get(input.name),
        "grey" => org::brand(input.name, #{ colours: #{ primary: "#aaaaaa" } }),
        _ => throw "what?",
    }
}
"##;

fn passes_on(name: &str, also: &str) -> String {
    format!(
        r##"const WORKFLOW = #{{ name: "{name}", title: "Pass on", permissions: ["run.launch:*"{also}] }};
fn run(input) {{ child("franchise/do", input) }}
"##
    )
}

fn open(email: &str) -> ApiServer {
    let settings = format!("[policy]\n\"franchise/*\" = [\"org.*:*\", \"run.launch:*\"]\n{email}");
    let (plain, managing) = (passes_on("franchise/plain", ""), passes_on("franchise/managing", r#", "org.write:*""#));
    let workflows = [("make", MAKES), ("do", DOES), ("plain", &plain), ("managing", &managing)];
    let workflows = workflows.map(|(name, text)| (format!("franchise/{name}"), text));
    let workflows: Vec<(&str, &str)> = workflows.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let server = ApiServer::start_with(&workflows, &[], &settings);
    for name in ["north", "south"] {
        server.post("/api/v1/organisations", &json!({ "name": name, "kind": "franchisee" })).expect(201);
    }
    server
}

fn run(server: &ApiServer, organisation: &str, workflow: &str, input: &Value) -> Value {
    let body = json!({ "workflow": workflow, "input": input, "organisation": organisation });
    let run = server.post("/api/v1/runs", &body).expect(201).json()["id"].as_str().unwrap().to_owned();
    server.ended(&run)
}

fn does(server: &ApiServer, organisation: &str, input: Value) -> Value {
    run(server, organisation, "franchise/do", &input)
}

#[test]
fn a_run_makes_organisations_under_its_own() {
    let Some(mail) = MailServer::start("none") else { return };
    let lines: Vec<String> =
        mail.settings().as_object().unwrap().iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let server = open(&format!("[hosts.notify.email]\n{}\n", lines.join("\n")));
    let input = |name: &str, kind: &str| json!({ "name": name, "kind": kind, "owner": "ann@acme.test", "fail": false });
    let made = run(&server, "north", "franchise/make", &input("acme", "customer"));
    assert_eq!(made["state"], "succeeded", "{made:#}");
    let output = &made["output"];
    assert_eq!(
        (&output["found"]["parent"], &output["found"]["kind"], &output["none"]),
        (&json!("north"), &json!("customer"), &Value::Null)
    );
    assert_eq!(output["made"]["invitation"]["sent"], true, "{output:#}");
    // The link is in the letter, and nowhere else.
    let letter = mail.taken()[0].to_string();
    let word = letter.split("#wi_").nth(1).unwrap();
    let random = word.split('_').nth(1).unwrap().get(..64).unwrap();
    let id = made["id"].as_str().unwrap();
    let export = server.get(&format!("/api/v1/runs/{id}/export")).expect(200).text;
    assert!(!export.contains(random), "the run knows the link");
    let environments = server.get("/api/v1/organisations/acme/environments").expect(200).json();
    assert_eq!(
        (&environments[0]["domain"], &environments[0]["facts"]),
        (&json!("apps.acme.test"), &json!({ "size": 3 }))
    );
    assert_eq!(server.get("/api/v1/organisations/acme/brand").expect(200).json()["title"], "Made Cloud");
    // Restarted, nothing is made or sent twice.
    assert_eq!(mail.taken().len(), 1);
    // A franchisee's runs make no franchisees, and nothing under others.
    for (organisation, name, kind) in [("north", "more", "franchisee"), ("acme", "less", "customer")] {
        let refused = run(&server, organisation, "franchise/make", &input(name, kind));
        assert_ne!(refused["state"], "succeeded", "{organisation}: {refused:#}");
        server.get(&format!("/api/v1/organisations/{name}")).expect(404);
    }
    let refused = run(&server, "south", "franchise/make", &input("acme", "customer"));
    assert_eq!(refused["problem"]["code"], "conflict", "{refused:#}");
    // Nor does the undo of one that failed remove what another has made.
    server.get("/api/v1/organisations/acme").expect(200);
}

#[test]
fn who_may_only_launch_manages_nothing_through_a_child() {
    let server = open("");
    server.post("/api/v1/organisations", &json!({ "name": "acme", "parent": "north" })).expect(201);
    let input = json!({ "what": "suspend", "name": "acme" });
    let refused = run(&server, "north", "franchise/plain", &input);
    assert_eq!(refused["problem"]["code"], "permission_denied", "{refused:#}");
    assert_eq!(server.get("/api/v1/organisations/acme").expect(200).json()["suspended"], false);
    // One that says what it does is launched by those who may do it.
    let done = run(&server, "north", "franchise/managing", &input);
    assert_eq!(done["state"], "succeeded", "{done:#}");
    assert_eq!(server.get("/api/v1/organisations/acme").expect(200).json()["suspended"], true);
}

#[test]
fn what_a_run_made_its_undo_removes_unless_somebody_lives_there() {
    let server = open("");
    let input = json!({ "name": "acme", "kind": "customer", "owner": "ann@acme.test", "fail": true });
    let undone = run(&server, "north", "franchise/make", &input);
    assert_eq!(undone["state"], "rolled_back", "{undone:#}");
    server.get("/api/v1/organisations/acme").expect(404);
    assert_eq!(
        server.get("/api/v1/audit?organisation=acme&action=environment.").expect(200).json()["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // One of the same name can be made again.
    let mut input = input;
    input["fail"] = false.into();
    assert_eq!(run(&server, "north", "franchise/make", &input)["state"], "succeeded");
}

#[test]
fn what_a_run_may_do_follows_from_whose_it_is() {
    let server = open("");
    for name in ["acme", "beta"] {
        server.post("/api/v1/organisations", &json!({ "name": name, "parent": "north" })).expect(201);
    }
    let code = |ended: &Value| ended["problem"]["code"].as_str().unwrap_or_default().to_owned();
    for (organisation, input, expected) in [
        ("north", json!({ "what": "get", "name": "acme" }), ""),
        ("acme", json!({ "what": "get", "name": "acme" }), ""),
        ("beta", json!({ "what": "suspend", "name": "acme" }), "not_found"),
        ("south", json!({ "what": "suspend", "name": "acme" }), "not_found"),
        ("acme", json!({ "what": "suspend", "name": "acme" }), "permission_denied"),
        ("acme", json!({ "what": "remove", "name": "acme" }), "permission_denied"),
        ("north", json!({ "what": "suspend", "name": "north" }), "permission_denied"),
        ("beta", json!({ "what": "invite", "name": "acme", "email": "x@beta.test", "role": "viewer" }), "not_found"),
        (
            "acme",
            json!({ "what": "invite", "name": "acme", "email": "x@acme.test", "role": "franchisee" }),
            "permission_denied",
        ),
        ("acme", json!({ "what": "invite", "name": "acme", "email": "x@acme.test", "role": "viewer" }), ""),
        ("acme", json!({ "what": "invite", "name": "acme", "email": "x@acme.test", "role": "viewer" }), "conflict"),
        (
            "north",
            json!({ "what": "invite", "name": "acme", "email": "y@acme.test", "role": "operator" }),
            "permission_denied",
        ),
        ("north", json!({ "what": "invite", "name": "acme", "email": "y@acme.test", "role": "franchisee" }), ""),
        ("acme", json!({ "what": "grey", "name": "acme" }), "invalid_input"),
        ("north", json!({ "what": "suspend", "name": "acme" }), ""),
        ("north", json!({ "what": "suspend", "name": "acme" }), ""),
        ("north", json!({ "what": "resume", "name": "acme" }), ""),
        ("platform", json!({ "what": "suspend", "name": "acme" }), ""),
        ("platform", json!({ "what": "remove", "name": "acme" }), ""),
        ("platform", json!({ "what": "remove", "name": "acme" }), ""),
    ] {
        let ended = does(&server, organisation, input.clone());
        assert_eq!(code(&ended), expected, "{organisation} {input}: {ended:#}");
    }
    assert_eq!(does(&server, "beta", json!({ "what": "get", "name": "north" }))["output"], Value::Null);
    server.get("/api/v1/organisations/acme").expect(404);
    // Members hear of it within a moment, and the events are told to those above.
    people::user(&server, "boss", "north", "franchisee@north");
    let feed = |token: &str| {
        super::authorisation::ask(&server, "GET", "/api/v1/events?after=first&kinds=organisation.*", token, None).1
    };
    let boss = feed(&people::token(&server, "boss"));
    assert!(
        boss.contains("organisation.suspended")
            && boss.contains("organisation.resumed")
            && boss.contains("organisation.removed"),
        "{boss}"
    );
    people::user(&server, "other", "beta", "franchisee@beta");
    assert!(!feed(&people::token(&server, "other")).contains("acme"));
}
