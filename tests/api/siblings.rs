//! Every route of the table, asked about real things of one organisation by those of others: a customer beside it under the same
//! franchisee, another franchisee, and those who manage the franchisee above it. None of them gets a byte of what is its own. A
//! route with a parameter that nothing real is known for fails.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use windlass_api::{Access, Route};
use windlass_tests::{ApiServer, wait_until};

use super::{authorisation::ask, people};

/// Stands in everything of `acme`'s; nobody else may ever read it.
const MARK: &str = "acmes-own-affair";

const WORKS: &str = "const WORKFLOW = #{ name: \"lab/works\", title: \"Works\", permissions: [\"kv.write:*\"] };\n\
                     fn run(input) {\n\
                         log(input.note);\n\
                         progress(50, input.note);\n\
                         annotate(\"note\", input.note);\n\
                         artifact(\"note.txt\", input.note);\n\
                         lock(input.note);\n\
                         approve(#{ title: input.note })\n\
                     }\n";

/// Whoever may not see it.
struct Other {
    name: &'static str,
    token: String,
    /// Whether it manages the organisation above: then it may see that `acme` is there, who is in it and how much it uses.
    above: bool,
}

/// What routes' parameters stand for, by the beginning of the path: the longest that fits.
fn parameters(server: &ApiServer) -> BTreeMap<&'static str, Vec<(&'static str, String)>> {
    let id = |path: &str, body: Value| {
        let made = server.post(&format!("/api/v1/{path}"), &body).expect(201).json();
        made["id"].as_str().unwrap_or_default().to_owned()
    };
    let run = id(
        "runs",
        json!({ "workflow": "lab/works", "input": { "note": MARK }, "organisation": "acme", "tags": [MARK] }),
    );
    wait_until("the run to wait", Duration::from_secs(60), || {
        server.get(&format!("/api/v1/runs/{run}")).json()["state"] == "waiting"
    });
    let steps = server.get(&format!("/api/v1/runs/{run}/approvals")).expect(200).json();
    let step = steps[0]["path"].as_str().or_else(|| steps[0]["step"].as_str()).unwrap_or("0").to_owned();
    let bundle = server.get(&format!("/api/v1/runs/{run}")).expect(200).json()["bundle"].as_str().unwrap().to_owned();
    let launches = json!({ "do": "launch", "workflow": "lab/works" });
    let rule = |rest: Value| {
        let mut body = json!({ "name": MARK, "organisation": "acme", "description": MARK, "paused": true });
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        body
    };
    let owner = people::token(server, "acme-boss");
    let as_owner =
        |method: &str, path: &str, body: Value| server.send_as(&owner, method, &format!("/api/v1/{path}"), Some(&body));
    let token =
        as_owner("POST", "tokens", json!({ "name": MARK })).expect(201).json()["id"].as_str().unwrap().to_owned();
    as_owner("PUT", &format!("secrets/orgs/acme/{MARK}"), json!({ "value": "12345678", "to": ["exec:*"] })).expect(204);
    let own = format!(
        "const WORKFLOW = #{{ name: \"orgs/acme/own\", title: \"{MARK}\", permissions: [] }};\nfn run(input) {{ 1 }}\n"
    );
    as_owner("PUT", "workflows/orgs/acme/own", json!({ "source": own })).expect(200);
    as_owner("PUT", "organisations/acme/brand", json!({ "title": "Acme" })).expect(200);
    // A customer issues none: they are of a franchisee that has nothing to do with any of the others.
    let batch = json!({ "issuer": "guild", "name": MARK, "credit": 1, "currency": "EUR", "description": MARK });
    let batch = id("vouchers/batches", batch);
    let vouchers = server.get(&format!("/api/v1/vouchers?batch={batch}")).expect(200).json();
    let voucher = vouchers["items"][0]["id"].as_str().unwrap().to_owned();
    let target = json!({ "name": MARK, "organisation": "acme", "way": "email", "to": [format!("{MARK}@acme.test")] });
    let target = id("notifications/targets", target);
    let told = json!({ "name": MARK, "organisation": "acme", "on": ["run.failed"], "targets": [MARK] });
    let told = id("notifications/rules", told);
    as_owner("PUT", "drafts/orgs/acme/own", json!({ "input": { "note": MARK } })).expect(200);
    let invited = as_owner(
        "POST",
        "organisations/acme/invitations",
        json!({ "email": format!("{MARK}@acme.test"), "role": "viewer" }),
    );
    let invitation = invited.expect(201).json()["id"].as_str().unwrap().to_owned();
    server
        .post(
            "/api/v1/users",
            &json!({ "name": "member", "organisation": "acme", "title": MARK, "email": format!("{MARK}-2@acme.test"),
        "bindings": [{ "role": "viewer", "organisation": "acme" }] }),
        )
        .expect(201);
    BTreeMap::from([
        ("/api/v1/runs/", vec![("{id}", run), ("{step*}", step), ("{name*}", "note.txt".into())]),
        ("/api/v1/bundles/", vec![("{digest}", bundle)]),
        (
            "/api/v1/plans/",
            vec![(
                "{id}",
                id("plans", json!({ "workflow": "lab/works", "input": { "note": MARK }, "organisation": "acme" })),
            )],
        ),
        (
            "/api/v1/schedules/",
            vec![(
                "{id}",
                id(
                    "schedules",
                    rule(json!({ "workflow": "lab/works", "input": { "note": MARK }, "cron": "0 0 29 2 *" })),
                ),
            )],
        ),
        ("/api/v1/webhooks/", vec![("{id}", id("webhooks", rule(json!({ "action": launches }))))]),
        (
            "/api/v1/hooks/",
            vec![(
                "{id}",
                id("webhooks", {
                    let mut body = rule(json!({ "action": launches }));
                    body["name"] = "another".into();
                    body
                }),
            )],
        ),
        (
            "/api/v1/triggers/",
            vec![(
                "{id}",
                id(
                    "triggers",
                    rule(json!({ "workflow": "lab/works", "on": { "workflow": "lab/works", "states": ["failed"] } })),
                ),
            )],
        ),
        ("/api/v1/users/", vec![("{name}", "member".into())]),
        ("/api/v1/tokens/", vec![("{id}", token)]),
        ("/api/v1/sessions/", vec![("{id}", "0123456789abcdef".into())]),
        ("/api/v1/session/oidc/", vec![("{provider}", "none".into())]),
        ("/api/v1/secrets/", vec![("{name*}", format!("orgs/acme/{MARK}"))]),
        ("/api/v1/organisations/", vec![("{name}", "acme".into())]),
        ("/api/v1/invitations/", vec![("{id}", invitation)]),
        ("/api/v1/workflows/", vec![("{name*}", "orgs/acme/own".into())]),
        // Of machines, name servers and claims there are none here: what is asked is whose they would be.
        ("/api/v1/labs/", vec![("{lab}", "acme".into()), ("{node}", "r1".into()), ("{id}", "none".into())]),
        ("/api/v1/nodes/", vec![("{id}", "none".into())]),
        ("/api/v1/plugins/", vec![("{name*}", "registrars/none".into())]),
        ("/api/v1/pool/names/", vec![("{name}", "acme.pool.test".into())]),
        ("/api/v1/claims/", vec![("{id}", "none".into())]),
        ("/api/v1/vouchers/", vec![("{id}", voucher)]),
        ("/api/v1/vouchers/batches/", vec![("{id}", batch)]),
        ("/api/v1/redeem/", vec![("{code}", "none".into())]),
        ("/api/v1/sovereigns/", vec![("{name}", "none".into())]),
        ("/api/v1/drafts/", vec![("{name*}", "orgs/acme/own".into())]),
        ("/api/v1/notifications/targets/", vec![("{id}", target)]),
        ("/api/v1/notifications/rules/", vec![("{id}", told)]),
        // Nothing was delivered here: what is asked is whose it would be.
        ("/api/v1/notifications/deliveries/", vec![("{id}", "none".into())]),
    ])
}

/// A route's paths with real things in them: as it is, and with the organisation named where a query names one.
fn paths(route: &Route, known: &BTreeMap<&'static str, Vec<(&'static str, String)>>) -> Result<Vec<String>, String> {
    let values =
        known.iter().filter(|(prefix, _)| route.path.starts_with(**prefix)).max_by_key(|(prefix, _)| prefix.len());
    let mut path = route.path.to_owned();
    for (parameter, value) in values.into_iter().flat_map(|(_, values)| values) {
        path = path.replace(parameter, value);
    }
    if path.contains('{') {
        return Err(format!("nothing real is known for `{}`: tell it to tests/api/siblings.rs", route.path));
    }
    let mut paths = vec![path.clone()];
    if route.method.as_str() == "GET" {
        if !is_thing(route) {
            paths.push(format!("{path}?organisation=acme"));
        }
        if route.path == "/api/v1/events" {
            paths.push(format!("{path}?after=first"));
        }
        if route.path == "/api/v1/bundles/{digest}" {
            let run = &known["/api/v1/runs/"][0].1;
            paths.push(format!("{path}?run={run}"));
        }
        if matches!(route.path, "/api/v1/resources") {
            paths.push(format!("{path}?run={}", known["/api/v1/runs/"][0].1));
        }
    }
    Ok(paths)
}

/// Bodies that mean something: what they would do is done to `acme`, or for it.
fn body(route: &Route) -> &'static str {
    match (route.method.as_str(), route.path) {
        ("POST", "/api/v1/runs") => r#"{"workflow":"orgs/acme/own","organisation":"acme"}"#,
        ("POST", "/api/v1/plans") => r#"{"workflow":"orgs/acme/own","organisation":"acme"}"#,
        ("POST", "/api/v1/runs/bulk") => r#"{"filter":{"organisation":"acme"},"action":"cancel"}"#,
        ("POST", "/api/v1/organisations") => r#"{"name":"sub","parent":"acme"}"#,
        ("POST", "/api/v1/organisations/{name}/invitations") => r#"{"email":"me@else.test","role":"viewer"}"#,
        ("POST", "/api/v1/users") => r#"{"name":"mole","organisation":"acme"}"#,
        ("POST", "/api/v1/schedules") => {
            r#"{"name":"x","workflow":"lab/works","organisation":"acme","cron":"0 0 1 1 *"}"#
        }
        ("POST", "/api/v1/webhooks") => {
            r#"{"name":"x","organisation":"acme","action":{"do":"launch","workflow":"lab/works"}}"#
        }
        ("POST", "/api/v1/pool/names") => r#"{"domain":"pool.test","label":"x","organisation":"acme"}"#,
        ("POST", "/api/v1/vouchers/batches") => r#"{"issuer":"guild","name":"x","credit":1,"currency":"EUR"}"#,
        ("PATCH", "/api/v1/users/{name}") => r#"{"title":"mine"}"#,
        ("PUT", "/api/v1/secrets/{name*}") => r#"{"value":"12345678","to":["*"]}"#,
        ("PUT", "/api/v1/workflows/{name*}") => r#"{"source":"x"}"#,
        _ => "{}",
    }
}

#[test]
fn nobody_beside_or_above_reads_what_is_an_organisations_own() {
    let settings = "[server]\nmetrics_from = []\n[policy]\n\"lab/*\" = [\"kv.*:*\"]\n";
    let server = ApiServer::start_with(&[("lab/works", WORKS)], &[], settings);
    for (name, kind, parent) in [
        ("north", "franchisee", "platform"),
        ("south", "franchisee", "platform"),
        ("guild", "franchisee", "platform"),
        ("acme", "customer", "north"),
        ("beta", "customer", "north"),
    ] {
        server.post("/api/v1/organisations", &json!({ "name": name, "kind": kind, "parent": parent })).expect(201);
    }
    people::user(&server, "acme-boss", "acme", "franchisee@acme");
    let mut others = Vec::new();
    for (name, organisation, role, above) in [
        ("beta-viewer", "beta", "viewer@beta", false),
        ("beta-operator", "beta", "operator@beta", false),
        ("beta-boss", "beta", "franchisee@beta", false),
        ("beta-admin", "beta", "admin@beta", false),
        ("south-boss", "south", "franchisee@south", false),
        ("north-boss", "north", "franchisee@north", true),
        ("north-admin", "north", "admin@north", true),
    ] {
        people::user(&server, name, organisation, role);
        others.push(Other { name, token: people::token(&server, name), above });
    }
    let known = parameters(&server);
    // The thing is there for those whose it is: else nothing is shown by its absence.
    let owner = people::token(&server, "acme-boss");
    for path in [
        format!("runs/{}/logs", known["/api/v1/runs/"][0].1),
        "organisations/acme/invitations".into(),
        "workflows/orgs/acme/own".into(),
        "runs".into(),
        "secrets".into(),
        "locks".into(),
    ] {
        let seen = server.send_as(&owner, "GET", &format!("/api/v1/{path}"), None).expect(200);
        assert!(seen.text.contains(MARK) || path == "runs", "{path}: {}", seen.text);
    }
    let mut complaints = Vec::new();
    for route in windlass_api::routes().all() {
        let paths = match paths(route, &known) {
            Ok(paths) => paths,
            Err(complaint) => {
                complaints.push(complaint);
                continue;
            }
        };
        for other in &others {
            for path in &paths {
                // Suspending or removing it is what those above may do: their turn comes in the test of that.
                if other.above
                    && route.path.starts_with("/api/v1/organisations/{name}")
                    && route.method.as_str() != "GET"
                {
                    continue;
                }
                let (status, text) =
                    ask(&server, route.method.as_str(), path, &other.token, route.body.is_some().then(|| body(route)));
                if let Some(fault) = fault(route, other, status, &text) {
                    complaints.push(format!(
                        "{} {path}, asked by {}: {fault} ({status})",
                        route.method.as_str(),
                        other.name
                    ));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    // Nothing was changed.
    let run = server.get(&format!("/api/v1/runs/{}", known["/api/v1/runs/"][0].1)).expect(200).json();
    assert_eq!(run["state"], "waiting");
    for path in ["users/member", "secrets/orgs/acme/acmes-own-affair", "organisations/acme", "workflows/orgs/acme/own"]
    {
        server.get(&format!("/api/v1/{path}")).expect(200);
    }
    server.get("/api/v1/users/mole").expect(404);
}

/// Whether its path names a thing of `acme`: the others name what is a machine's, or whoever's who asks.
fn is_thing(route: &Route) -> bool {
    let others = ["plugins/", "labs/", "nodes/", "session/", "sessions/", "pool/", "claims/"];
    let is_others = others.iter().any(|kind| route.path.starts_with(&format!("/api/v1/{kind}")));
    route.path.contains('{') && !is_others && !matches!(route.access, Access::Public | Access::Signed)
}

fn fault(route: &Route, other: &Other, status: u16, text: &str) -> Option<String> {
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    // A refusal repeats what was asked for, and nothing else.
    let asked_for = route.path.contains("{name*}") && !(200..300).contains(&status);
    if status == 500 {
        return Some("the server broke down".into());
    }
    // Those above see who is in it, and who is invited.
    let people = ["/api/v1/organisations/{name}/invitations", "/api/v1/organisations/{name}/members"];
    let may = other.above && (people.contains(&route.path) || route.path == "/api/v1/invitations/{id}");
    if body.contains(MARK) && !asked_for && !may {
        return Some(format!("tells of acme's business: {body}"));
    }
    // Of a thing, unlike of a list, there is nothing to be told.
    let is_thing = is_thing(route);
    let above = other.above
        && (route.path.starts_with("/api/v1/organisations/") || route.path.starts_with("/api/v1/invitations/"));
    if is_thing && !above && !matches!(status, 403 | 404) {
        return Some(format!("isn't theirs, has to be 404 or 403: {body}"));
    }
    None
}
