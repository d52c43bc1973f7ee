//! Every route of the table, asked by everybody. The coarse answer follows from the route's own rule; what may be seen of
//! another organisation's things is a case in the table below. A route without a case fails.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::json;
use windlass_api::{Access, Permission, Role, Route};
use windlass_tests::ApiServer;

use super::people;

/// What a route is about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum About {
    /// Nothing that belongs to anybody.
    Nothing,
    /// Whoever asks: their session, their password.
    Oneself,
    /// A list that holds only what the asker may see.
    List,
    /// A plan of the organisation `acme`.
    Plan,
    /// A run of the organisation `acme`.
    Run,
    /// A user of `acme`.
    User,
    /// A schedule, webhook or trigger of `acme`.
    Rule,
    /// A token of somebody in `acme`.
    Token,
    /// A voucher of `acme`, or a batch of them.
    Voucher,
    /// The organisation `acme`, which its members see.
    Organisation,
    /// An organisation of the platform's own, which it alone stands above.
    Above,
    /// An invitation into `acme`.
    Invitation,
    /// The whole installation: an admin of an organisation gets nothing.
    Platform,
}

use About::{Above, Invitation, List, Nothing, Oneself, Organisation, Plan, Platform, Rule, Run, Token, User, Voucher};

const CASES: &[(&str, About)] = &[
    ("GET /livez", Nothing),
    ("GET /readyz", Nothing),
    ("GET /metrics", Platform),
    ("GET /api/v1/doctor", Platform),
    ("GET /api/v1/settings", Platform),
    ("GET /api/v1/nodes", Platform),
    ("PUT /api/v1/nodes/{id}/drain", Platform),
    ("GET /api/openapi.json", Nothing),
    ("GET /api/docs", Nothing),
    ("GET /api/docs/page.js", Nothing),
    ("GET /api/docs/page.css", Nothing),
    ("GET /api/v1/version", Nothing),
    ("GET /api/v1/definitions", Nothing),
    ("GET /api/v1/roles", Nothing),
    ("GET /api/v1/redeem/{code}", Nothing),
    ("POST /api/v1/redeem", Nothing),
    ("POST /api/v1/redeem/progress", Nothing),
    ("POST /api/v1/vouchers/claims", Nothing),
    ("GET /api/v1/vouchers/key", Nothing),
    ("GET /api/v1/vouchers/totals", List),
    ("GET /api/v1/vouchers/batches", List),
    ("POST /api/v1/vouchers/batches", List),
    ("GET /api/v1/vouchers/batches/{id}", Voucher),
    ("GET /api/v1/vouchers/batches/{id}/export", Voucher),
    ("POST /api/v1/vouchers/batches/{id}/revoke", Voucher),
    ("GET /api/v1/vouchers", List),
    ("GET /api/v1/vouchers/{id}", Voucher),
    ("GET /api/v1/vouchers/{id}/redemptions", Voucher),
    ("POST /api/v1/vouchers/{id}/revoke", Voucher),
    ("DELETE /api/v1/vouchers/{id}", Voucher),
    ("GET /api/v1/sovereigns", Platform),
    ("PUT /api/v1/sovereigns/{name}", Platform),
    ("DELETE /api/v1/sovereigns/{name}", Platform),
    ("GET /api/v1/sovereigns/{name}/claims", Platform),
    ("POST /api/v1/sovereigns/{name}/payments", Platform),
    ("GET /api/v1/ledger/balances", List),
    ("GET /api/v1/ledger/entries", List),
    ("GET /api/v1/ledger/verify", Platform),
    ("GET /api/v1/approvals", List),
    ("GET /api/v1/audit", List),
    ("GET /api/v1/audit/export", List),
    ("GET /api/v1/audit/verify", Platform),
    ("GET /api/v1/bundles/{digest}", Nothing),
    ("POST /api/v1/claims/{id}/fetch", Nothing),
    ("POST /api/v1/claims/{id}/reports", Nothing),
    ("GET /api/v1/drafts", List),
    ("GET /api/v1/drafts/{name*}", Nothing),
    ("PUT /api/v1/drafts/{name*}", Nothing),
    ("DELETE /api/v1/drafts/{name*}", Nothing),
    ("GET /api/v1/events", List),
    ("GET /api/v1/labs", List),
    ("GET /api/v1/labs/{lab}", List),
    ("GET /api/v1/lab-drawings", List),
    ("GET /api/v1/labs/{lab}/drawing", List),
    ("PUT /api/v1/labs/{lab}/drawing", List),
    ("DELETE /api/v1/labs/{lab}/drawing", List),
    ("GET /api/v1/labs/{lab}/capture", List),
    ("GET /api/v1/labs/{lab}/nodes/{node}/consoles", List),
    ("GET /api/v1/labs/{lab}/nodes/{node}/console", List),
    ("GET /api/v1/lab-documents/schema", Nothing),
    ("POST /api/v1/lab-documents/check", Nothing),
    ("POST /api/v1/lab-documents/import", Nothing),
    ("POST /api/v1/lab-documents/plan", List),
    ("GET /api/v1/labs/{lab}/recordings", List),
    ("GET /api/v1/labs/{lab}/recordings/{id}", List),
    ("GET /api/v1/locks", List),
    ("GET /api/v1/organisations", List),
    ("POST /api/v1/organisations", List),
    ("GET /api/v1/organisations/{name}", Organisation),
    ("PATCH /api/v1/organisations/{name}", Organisation),
    ("DELETE /api/v1/organisations/{name}", Above),
    ("POST /api/v1/organisations/{name}/suspend", Above),
    ("POST /api/v1/organisations/{name}/resume", Above),
    ("GET /api/v1/organisations/{name}/usage", Organisation),
    ("PUT /api/v1/organisations/{name}/quotas", Above),
    ("GET /api/v1/organisations/{name}/members", Organisation),
    ("GET /api/v1/organisations/{name}/environments", Organisation),
    ("GET /api/v1/organisations/{name}/brand", Organisation),
    ("GET /api/v1/organisations/{name}/look", Organisation),
    ("PUT /api/v1/organisations/{name}/brand", Organisation),
    ("DELETE /api/v1/organisations/{name}/brand", Organisation),
    ("GET /api/v1/organisations/{name}/invitations", Organisation),
    ("POST /api/v1/organisations/{name}/invitations", Organisation),
    ("GET /api/v1/invitations/{id}", Invitation),
    ("POST /api/v1/invitations/{id}/send", Invitation),
    ("DELETE /api/v1/invitations/{id}", Invitation),
    ("POST /api/v1/invitation", Nothing),
    ("POST /api/v1/invitation/accept", Nothing),
    ("GET /api/v1/plans", List),
    ("POST /api/v1/plans", List),
    ("GET /api/v1/plans/{id}", Plan),
    ("GET /api/v1/plugins", List),
    ("GET /api/v1/plugins/{name*}", Nothing),
    ("POST /api/v1/plugins/{name*}/activate", Platform),
    ("GET /api/v1/plugins/{name*}/approval", Platform),
    ("PUT /api/v1/plugins/{name*}/approval", Platform),
    ("DELETE /api/v1/plugins/{name*}/approval", Platform),
    ("POST /api/v1/plugins/unpack", Platform),
    ("POST /api/v1/plugins/starter", Platform),
    ("GET /api/v1/plugins/{name*}/files", Platform),
    ("PUT /api/v1/plugins/{name*}/files", Platform),
    ("POST /api/v1/plugins/{name*}/check", Nothing),
    ("POST /api/v1/plugins/{name*}/conformance", Nothing),
    ("GET /api/v1/pool", Nothing),
    ("GET /api/v1/pool/check", Nothing),
    ("GET /api/v1/pool/names", List),
    ("POST /api/v1/pool/names", List),
    ("POST /api/v1/pool/names/{name}/renew", Nothing),
    ("POST /api/v1/pool/names/{name}/commit", Nothing),
    ("POST /api/v1/pool/names/{name}/release", Nothing),
    ("GET /api/v1/resources", List),
    ("GET /api/v1/runs", List),
    ("POST /api/v1/runs", List),
    ("POST /api/v1/runs/bulk", List),
    ("GET /api/v1/runs/{id}", Run),
    ("GET /api/v1/runs/{id}/approvals", Run),
    ("POST /api/v1/runs/{id}/approvals/{step*}/decision", Run),
    ("GET /api/v1/runs/{id}/artifacts", Run),
    ("GET /api/v1/runs/{id}/artifacts/{name*}", Run),
    ("POST /api/v1/runs/{id}/cancel", Run),
    ("GET /api/v1/runs/{id}/diff", Run),
    ("GET /api/v1/runs/{id}/events", Run),
    ("GET /api/v1/runs/{id}/export", Run),
    ("GET /api/v1/runs/{id}/history", Run),
    ("GET /api/v1/runs/{id}/logs", Run),
    ("GET /api/v1/runs/{id}/logs.txt", Run),
    ("POST /api/v1/runs/{id}/resolve", Run),
    ("GET /api/v1/runs/{id}/resources", Run),
    ("POST /api/v1/runs/{id}/restart", Run),
    ("POST /api/v1/runs/{id}/retry", Run),
    ("POST /api/v1/runs/{id}/signal", Run),
    ("GET /api/v1/runs/{id}/sources", Run),
    ("GET /api/v1/runs/{id}/steps", Run),
    ("GET /api/v1/runs/{id}/undo", Run),
    ("POST /api/v1/runs/{id}/unpark", Run),
    ("POST /api/v1/runs/{id}/stick", Run),
    ("POST /api/v1/runs/{id}/unstick", Run),
    ("POST /api/v1/runs/{id}/upgrade", Run),
    ("GET /api/v1/notifications/deliveries", List),
    ("GET /api/v1/notifications/deliveries/{id}", Nothing),
    ("POST /api/v1/notifications/deliveries/{id}/retry", Nothing),
    ("GET /api/v1/notifications/rules", List),
    ("POST /api/v1/notifications/rules", List),
    ("GET /api/v1/notifications/rules/{id}", Rule),
    ("PATCH /api/v1/notifications/rules/{id}", Rule),
    ("DELETE /api/v1/notifications/rules/{id}", Rule),
    ("GET /api/v1/notifications/targets", List),
    ("POST /api/v1/notifications/targets", List),
    ("GET /api/v1/notifications/targets/{id}", Rule),
    ("PATCH /api/v1/notifications/targets/{id}", Rule),
    ("DELETE /api/v1/notifications/targets/{id}", Rule),
    ("POST /api/v1/notifications/targets/{id}/test", Rule),
    ("GET /api/v1/schedules", List),
    ("POST /api/v1/schedules", List),
    ("GET /api/v1/schedules/preview", Nothing),
    ("GET /api/v1/schedules/{id}", Rule),
    ("PATCH /api/v1/schedules/{id}", Rule),
    ("DELETE /api/v1/schedules/{id}", Rule),
    ("POST /api/v1/schedules/{id}/run", Rule),
    ("GET /api/v1/secrets", List),
    ("GET /api/v1/secrets/{name*}", Platform),
    ("PUT /api/v1/secrets/{name*}", Platform),
    ("DELETE /api/v1/secrets/{name*}", Platform),
    ("POST /api/v1/session", Nothing),
    ("POST /api/v1/session/link", Nothing),
    ("GET /api/v1/session", Oneself),
    ("DELETE /api/v1/session", Oneself),
    ("GET /api/v1/session/oidc", Nothing),
    ("GET /api/v1/session/oidc/{provider}", Nothing),
    ("GET /api/v1/session/oidc/{provider}/callback", Nothing),
    ("PUT /api/v1/session/password", Oneself),
    ("POST /api/v1/session/totp", Oneself),
    ("PUT /api/v1/session/totp", Oneself),
    ("DELETE /api/v1/session/totp", Oneself),
    ("GET /api/v1/sessions", Oneself),
    ("DELETE /api/v1/sessions/{id}", Oneself),
    ("GET /api/v1/tokens", Oneself),
    ("POST /api/v1/tokens", Oneself),
    ("GET /api/v1/tokens/{id}", Token),
    ("DELETE /api/v1/tokens/{id}", Token),
    ("GET /api/v1/triggers", List),
    ("POST /api/v1/triggers", List),
    ("GET /api/v1/triggers/{id}", Rule),
    ("PATCH /api/v1/triggers/{id}", Rule),
    ("DELETE /api/v1/triggers/{id}", Rule),
    ("GET /api/v1/users", List),
    ("POST /api/v1/users", List),
    ("GET /api/v1/users/{name}", User),
    ("PATCH /api/v1/users/{name}", User),
    ("DELETE /api/v1/users/{name}", User),
    ("PUT /api/v1/users/{name}/password", User),
    ("DELETE /api/v1/users/{name}/sessions", User),
    ("DELETE /api/v1/users/{name}/totp", User),
    ("GET /api/v1/webhooks", List),
    ("POST /api/v1/webhooks", List),
    ("GET /api/v1/webhooks/{id}", Rule),
    ("PATCH /api/v1/webhooks/{id}", Rule),
    ("DELETE /api/v1/webhooks/{id}", Rule),
    ("PUT /api/v1/webhooks/{id}/key", Rule),
    ("POST /api/v1/hooks/{id}", Nothing),
    ("GET /api/v1/workflows", Nothing),
    ("POST /api/v1/workflows", Platform),
    ("GET /api/v1/workflows/{name*}", Nothing),
    ("GET /api/v1/workflows/{name*}/history", Nothing),
    ("GET /api/v1/workflows/{name*}/source", Nothing),
    ("PUT /api/v1/workflows/{name*}", Platform),
    ("DELETE /api/v1/workflows/{name*}", Platform),
    ("POST /api/v1/workflows/{name*}/activate", Platform),
    ("POST /api/v1/workflows/{name*}/restore", Platform),
    ("POST /api/v1/workflows/{name*}/check", Nothing),
    ("POST /api/v1/workflows/{name*}/input", Nothing),
    ("GET /api/v1/workflows/{name*}/file", Nothing),
    ("POST /api/v1/workflows/{name*}/scenarios", Platform),
    ("PUT /api/v1/workflows/{name*}/scenarios", Platform),
    ("POST /api/v1/workflows/{name*}/editors", Platform),
    ("POST /api/v1/workflows/{name*}/rehearse", Nothing),
];

/// Stands in everything of `acme`'s; nobody else may ever read it.
const MARK: &str = "acme-s-own-business";

const WAITS: &str = "const WORKFLOW = #{ name: \"lab/waits\", title: \"Waits\", permissions: [] };\n\
                     fn run(input) { log(input.note); approve(#{ title: input.note }) }\n";

struct Person {
    name: &'static str,
    role: Option<Role>,
    organisation: &'static str,
    token: String,
}

impl Person {
    fn may(&self, permission: Permission) -> bool {
        self.role.is_some_and(|role| role.permissions().contains(&permission))
    }
}

struct House {
    server: ApiServer,
    people: Vec<Person>,
}

fn house() -> House {
    let server = ApiServer::start_with(&[("lab/waits", WAITS)], &[], "[server]\nmetrics_from = []\n");
    for name in ["acme", "zeta"] {
        server.post("/api/v1/organisations", &json!({ "name": name, "kind": "franchisee" })).expect(201);
    }
    let mut people = vec![Person { name: "anonymous", role: None, organisation: "", token: String::new() }];
    for (name, role, organisation, text) in [
        ("viewer", Role::Viewer, "acme", "viewer@acme"),
        ("operator", Role::Operator, "acme", "operator@acme"),
        ("stranger", Role::Admin, "zeta", "admin@zeta"),
        ("franchisee", Role::Franchisee, "acme", "franchisee@acme"),
        ("platform", Role::Admin, "*", "admin@*"),
    ] {
        people::user(&server, name, if organisation == "*" { "platform" } else { organisation }, text);
        people.push(Person { name, role: Some(role), organisation, token: people::token(&server, name) });
    }
    House { server, people }
}

impl House {
    fn token_of(&self, name: &str) -> &str {
        &self.people.iter().find(|person| person.name == name).unwrap().token
    }

    /// The route's path with things of `acme` in it, made for this one request.
    fn path(&self, route: &Route, about: About, number: usize) -> String {
        let launch = || {
            let body = json!({ "workflow": "lab/waits", "input": { "note": MARK }, "organisation": "acme" });
            let launched = self.server.post("/api/v1/runs", &body).expect(201).json();
            launched["id"].as_str().unwrap().to_owned()
        };
        let plan = || {
            let body = json!({ "workflow": "lab/waits", "input": { "note": MARK }, "organisation": "acme" });
            let planned = self.server.post("/api/v1/plans", &body).expect(201).json();
            planned["id"].as_str().unwrap().to_owned()
        };
        let user = || {
            let name = format!("member-{number}");
            let bindings = json!([{ "role": "viewer", "organisation": "acme" }]);
            let body = json!({ "name": name, "organisation": "acme", "title": MARK, "bindings": bindings });
            self.server.post("/api/v1/users", &body).expect(201);
            name
        };
        let token = || {
            let body = json!({ "name": MARK });
            let issued = self.server.send_as(self.token_of("viewer"), "POST", "/api/v1/tokens", Some(&body));
            issued.expect(201).json()["id"].as_str().unwrap().to_owned()
        };
        let target = |number: usize| {
            let name = format!("r{number}");
            let body = json!({ "name": name, "organisation": "acme", "way": "email", "to": ["ann@acme.test"] });
            self.server.post("/api/v1/notifications/targets", &body).expect(201);
            name
        };
        let rule = || {
            let kind = route.path.trim_start_matches("/api/v1/").split("/{").next().unwrap();
            let action = json!({ "do": "launch", "workflow": "lab/waits" });
            let rest = match kind {
                "schedules" => json!({ "workflow": "lab/waits", "cron": "0 0 29 2 *" }),
                "webhooks" => json!({ "action": action }),
                "notifications/targets" => {
                    json!({ "name": format!("t{number}"), "way": "email", "to": ["ann@acme.test"] })
                }
                "notifications/rules" => json!({ "on": ["run.failed"], "targets": [target(number)] }),
                _ => json!({ "workflow": "lab/waits", "on": { "workflow": "lab/waits", "states": ["failed"] } }),
            };
            let mut body = json!({ "name": format!("rule {number}"), "organisation": "acme", "description": MARK });
            body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            let made = self.server.post(&format!("/api/v1/{kind}"), &body).expect(201).json();
            made["id"].as_str().unwrap().to_owned()
        };
        let voucher = || {
            let body = json!({ "issuer": "acme", "name": MARK, "credit": 1, "currency": "EUR", "description": MARK });
            let batch = self.server.post("/api/v1/vouchers/batches", &body).expect(201).json();
            let batch = batch["id"].as_str().unwrap().to_owned();
            if route.path.contains("/batches/") {
                return batch;
            }
            let all = self.server.get(&format!("/api/v1/vouchers?batch={batch}")).expect(200).json();
            all["items"][0]["id"].as_str().unwrap().to_owned()
        };
        let organisation = || {
            let name = format!("other-{number}");
            self.server.post("/api/v1/organisations", &json!({ "name": name, "title": MARK })).expect(201);
            name
        };
        let invitation = || {
            let body = json!({ "email": format!("{MARK}-{number}@acme.test"), "role": "viewer" });
            let made = self.server.post("/api/v1/organisations/acme/invitations", &body).expect(201).json();
            made["id"].as_str().unwrap().to_owned()
        };
        let path = match about {
            Above => route.path.replace("{name}", &organisation()),
            Invitation => route.path.replace("{id}", &invitation()),
            Voucher => route.path.replace("{id}", &voucher()),
            Rule => route.path.replace("{id}", &rule()),
            Plan => route.path.replace("{id}", &plan()),
            Run => route.path.replace("{id}", &launch()),
            User => route.path.replace("{name}", &user()),
            Token => route.path.replace("{id}", &token()),
            Organisation => route.path.replace("{name}", "acme"),
            Platform if route.path.starts_with("/api/v1/organisations") => route.path.replace("{name}", "acme"),
            _ => route.path.to_owned(),
        };
        let rest = [("{step*}", "0"), ("{name*}", "lab/waits"), ("{provider}", "none"), ("{digest}", "0")];
        let path = rest.iter().fold(path, |path, (parameter, value)| path.replace(parameter, value));
        path.replace("{id}", "none").replace("{name}", "none")
    }
}

/// The status and the whole answer; of a stream that doesn't end, what came at first.
pub(super) fn ask(server: &ApiServer, method: &str, path: &str, token: &str, body: Option<&str>) -> (u16, String) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let bearer = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let body = body.unwrap_or_default();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{bearer}");
    let text = format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 16_384];
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..count]);
        if String::from_utf8_lossy(&answer).contains("text/event-stream") {
            // What is there already comes at once; then it waits for events.
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{method} {path}: {text}")), text)
}

#[test]
fn every_route_is_closed_to_whom_it_should_be() {
    let house = house();
    // Things of `acme` that lists could tell of.
    house.path(windlass_api::routes().all().iter().find(|route| route.path == "/api/v1/runs/{id}").unwrap(), Run, 0);
    let mut complaints = Vec::new();
    for (number, route) in windlass_api::routes().all().iter().enumerate() {
        let key = format!("{} {}", route.method.as_str(), route.path);
        let Some((_, about)) = CASES.iter().find(|(case, _)| *case == key) else {
            complaints.push(format!("{key} has no case: add what it is about to tests/api/authorisation.rs"));
            continue;
        };
        for (index, person) in house.people.iter().enumerate() {
            // Anew for each: what somebody before was right to remove isn't there for anybody.
            let path = house.path(route, *about, (number + 1) * 100 + index);
            let (status, text) =
                ask(&house.server, route.method.as_str(), &path, &person.token, route.body.is_some().then_some("{}"));
            if let Some(fault) = fault(route, *about, person, status, &text) {
                complaints.push(format!("{key}, asked by {}: {fault} (got {status})", person.name));
            }
        }
    }
    let known: Vec<String> =
        windlass_api::routes().all().iter().map(|r| format!("{} {}", r.method.as_str(), r.path)).collect();
    for (case, _) in CASES.iter().filter(|(case, _)| !known.iter().any(|known| known == case)) {
        complaints.push(format!("{case} is no route any more: take its case out"));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn fault(route: &Route, about: About, person: &Person, status: u16, text: &str) -> Option<&'static str> {
    let said = |wrong: bool, what| wrong.then_some(what);
    if status == 500 {
        return Some("the server broke down");
    }
    if matches!(person.organisation, "" | "zeta") && text.contains(MARK) {
        return Some("tells of acme's business");
    }
    match (route.access, person.role) {
        (Access::Nobody, _) => return said(status != 403, "is nobody's, and is answered"),
        // Metrics decide for themselves: who comes from near needs no token, who comes from far has to be the platform's.
        (Access::Public, None) if matches!(about, Platform) => return said(status != 401, "has to be 401"),
        (Access::Public, _) if matches!(about, Platform) => {}
        // A log-in without a password is refused as nobody's, too.
        (Access::Public, _) => return said(status == 403, "is public, and refused"),
        (Access::Signed, _) => return said(status != 401, "isn't signed, has to be 401"),
        (_, None) => return said(status != 401, "has to be 401"),
        (Access::Can(permission), _) if !person.may(permission) => return said(status != 403, "has to be 403"),
        _ => {}
    }
    let stranger = person.organisation == "zeta";
    let permitted = !matches!(status, 401 | 403);
    match about {
        Platform if person.organisation != "*" => said(status != 403, "is the platform's, has to be 403"),
        Above if person.organisation != "*" => said(status != 404, "isn't theirs, has to be 404"),
        Invitation | Plan | Run | Rule | User | Token | Voucher | Organisation if stranger => {
            said(status != 404, "isn't theirs, has to be 404")
        }
        // Somebody else's token, in their own organisation.
        Token if matches!(person.name, "operator") => said(status != 404, "isn't theirs, has to be 404"),
        Oneself => None,
        _ if stranger => None,
        _ => said(!permitted, "is theirs to do, and refused"),
    }
}
