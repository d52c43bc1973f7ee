//! What those can't do who have a code, or may launch and not manage.

use serde_json::{Value, json};
use windlass_tests::ApiServer;

use super::{exported, issue, redeem, server};
use crate::api::people;

fn ask(server: &ApiServer, code: &str, organisation: &str, more: &Value) -> (u16, Value) {
    let mut body =
        json!({ "code": code, "organisation": organisation, "email": format!("{organisation}@example.test") });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = server.send_as("", "POST", "/api/v1/redeem", Some(&body));
    (answer.status, answer.json())
}

fn franchisee(server: &ApiServer, name: &str) {
    server.post("/api/v1/organisations", &json!({ "name": name, "kind": "franchisee" })).expect(201);
}

#[test]
fn whoever_has_a_code_chooses_neither_place_nor_program() {
    let server = server("[vouchers.offer]\nenvironment = \"blue\"\nimage = \"ours:1\"\n");
    let (_, codes) = issue(&server, &json!({ "count": 2 }));
    for more in [json!({ "input": { "zone": "ours.test", "address": "192.0.2.1" } }), json!({ "zone": "ours.test" })] {
        assert_eq!(ask(&server, &codes[0].code, "mallory", &more).0, 400, "{more}");
    }
    let (status, begun) = ask(&server, &codes[0].code, "bob", &json!({}));
    assert_eq!(status, 202, "{begun}");
    let run = server.ended(begun["run"].as_str().unwrap());
    assert_eq!((&run["state"], &run["output"]["environment"]), (&json!("succeeded"), &json!("blue")), "{run:#}");
    assert_eq!((&run["input"]["image"], &run["input"]["app"]), (&json!("ours:1"), &json!("none")), "{run:#}");
    let (status, begun) = ask(&server, &codes[1].code, "carol", &json!({ "environment": "green" }));
    assert_eq!(status, 202, "{begun}");
    assert_eq!(server.ended(begun["run"].as_str().unwrap())["output"]["environment"], "green");
}

#[test]
fn an_issuer_that_may_not_act_redeems_nothing() {
    let server = server("");
    franchisee(&server, "acme");
    let (_, codes) = issue(&server, &json!({ "issuer": "acme", "count": 4 }));
    let look = |code: &str| {
        let answer = server.send_as("", "GET", &format!("/api/v1/redeem/{code}"), None);
        (answer.status, answer.json()["data"]["reason"].as_str().unwrap_or_default().to_owned())
    };
    server.post("/api/v1/organisations/acme/suspend", &json!({ "reason": "unpaid" })).expect(200);
    assert_eq!(look(&codes[0].code), (410, "issuer".into()));
    assert_eq!(ask(&server, &codes[0].code, "bob", &json!({})).0, 410);
    let body = json!({ "issuer": "acme", "name": "x", "credit": 1, "currency": "EUR" });
    assert_eq!(server.post("/api/v1/vouchers/batches", &body).status, 403, "nor does it issue any");
    server.post("/api/v1/organisations/acme/resume", &json!({})).expect(200);
    // What it may have at most holds for what is begun without anybody's permission, too.
    server.put("/api/v1/organisations/acme/quotas", &json!({ "runs_day": 1 })).expect(200);
    assert_eq!(redeem(&server, &codes[0].code, "bob")["state"], "succeeded");
    let (status, refused) = ask(&server, &codes[1].code, "carol", &json!({}));
    assert_eq!((status, &refused["data"]["quota"]), (422, &Value::Null), "{refused}");
    // A name that somebody has is refused before anything begins.
    server.put("/api/v1/organisations/acme/quotas", &json!({})).expect(200);
    for taken in ["bob", "acme", "platform"] {
        assert_eq!(ask(&server, &codes[1].code, taken, &json!({})).0, 409, "{taken}");
    }
}

#[test]
fn a_removed_issuers_vouchers_are_nobodys() {
    let server = server("");
    franchisee(&server, "acme");
    let (_, codes) = issue(&server, &json!({ "issuer": "acme" }));
    server.delete("/api/v1/organisations/acme").expect(204);
    assert_eq!(ask(&server, &codes[0].code, "bob", &json!({})).0, 410);
    let voucher = server.get(&format!("/api/v1/vouchers/{}", codes[0].id)).expect(200).json();
    assert_eq!(voucher["active"], false, "{voucher:#}");
}

#[test]
fn an_operator_does_by_no_workflow_what_managers_do() {
    let server = server("");
    franchisee(&server, "acme");
    people::user(&server, "olaf", "acme", "operator@acme");
    people::user(&server, "ann", "acme", "franchisee@acme");
    people::user(&server, "otto", "platform", "operator@platform");
    people::user(&server, "max", "platform", "franchisee@platform");
    let tokens: Vec<String> = ["olaf", "ann", "otto", "max"].iter().map(|name| people::token(&server, name)).collect();
    let [olaf, ann, otto, max] = &tokens[..] else { panic!() };
    let batch = |organisation: &str| {
        json!({ "workflow": "franchise/issue-vouchers", "organisation": organisation,
                "input": { "issuer": "acme", "name": "x", "credit": 5, "currency": "EUR" } })
    };
    let launch = |token: &str, body: &Value| server.send_as(token, "POST", "/api/v1/runs", Some(body));
    assert_eq!(launch(olaf, &batch("acme")).status, 403);
    let onboard = json!({ "workflow": "franchise/onboard", "organisation": "platform",
                          "input": { "name": "evil", "owner_email": "e@evil.test" } });
    // With an organisation in the body, and without one: the two ways in.
    let short = json!({ "workflow": "franchise/onboard", "input": onboard["input"] });
    for (token, body) in [(otto, &onboard), (otto, &short), (max, &onboard), (max, &short), (max, &batch("platform"))] {
        assert_eq!(launch(token, body).status, 403, "{body}");
    }
    let run = launch(ann, &batch("acme")).expect(201).json();
    let run = server.ended(run["id"].as_str().unwrap());
    assert_eq!(run["state"], "succeeded", "{run:#}");
    let again = format!("/api/v1/runs/{}/retry", run["id"].as_str().unwrap());
    assert_eq!(server.send_as(olaf, "POST", &again, Some(&json!({}))).status, 403);
    assert_eq!(exported(&server, run["output"]["batch"].as_str().unwrap()).len(), 1);
}

#[test]
fn a_run_issues_no_more_in_a_day_than_an_admin_has_agreed_to() {
    let server = server("[vouchers]\nissue_limit = 1000\n");
    franchisee(&server, "acme");
    let issue = |credit: i64| {
        let run = server.launch(
            "franchise/issue-vouchers",
            &json!({ "issuer": "acme", "name": "x", "credit": credit, "currency": "EUR" }),
        );
        let waits = || server.get(&format!("/api/v1/runs/{run}")).json()["state"].as_str().unwrap().to_owned();
        windlass_tests::wait_for("it to end or to ask", std::time::Duration::from_secs(60), || {
            Some(waits()).filter(|state| state == "succeeded" || state == "waiting")
        })
    };
    assert_eq!([issue(600), issue(400), issue(1)], ["succeeded", "succeeded", "waiting"]);
}
