//! Invitations: by mail through a real mail server, or handed over; accepted once, by the one they are for.

use serde_json::{Value, json};
use windlass_tests::{Answer, ApiServer, mail::MailServer};

use super::{auth, people};

fn open(settings: &str) -> ApiServer {
    let server = ApiServer::start_with(&[], &[], settings);
    server
        .post("/api/v1/organisations", &json!({ "name": "north", "kind": "franchisee", "title": "North <b>" }))
        .expect(201);
    server.post("/api/v1/organisations", &json!({ "name": "acme", "title": "Acme", "parent": "north" })).expect(201);
    server
}

fn invite(server: &ApiServer, token: &str, organisation: &str, email: &str, role: &str) -> Answer {
    let path = format!("/api/v1/organisations/{organisation}/invitations");
    server.send_as(token, "POST", &path, Some(&json!({ "email": email, "role": role })))
}

fn word(link: &str) -> String {
    link.split_once('#').unwrap().1.split_whitespace().next().unwrap().to_owned()
}

fn accept(server: &ApiServer, body: &Value) -> Answer {
    server.send_as("", "POST", "/api/v1/invitation/accept", Some(body))
}

#[test]
fn whoever_reads_the_mail_becomes_a_member_once() {
    let Some(mail) = MailServer::start("starttls") else { return };
    let email: Vec<String> =
        mail.settings().as_object().unwrap().iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let server = open(&format!("[hosts.notify.email]\n{}\n", email.join("\n")));
    let made = invite(&server, &server.token, "north", "Ann@North.test", "franchisee").expect(201);
    let view = made.json();
    assert_eq!((&view["sent"], &view["email"], &view["link"]), (&json!(true), &json!("ann@north.test"), &Value::Null));
    let taken = mail.taken();
    assert_eq!((taken.len(), &taken[0]["to"]), (1, &json!(["ann@north.test"])));
    let parts = taken[0]["parts"].as_array().unwrap();
    let (text, html) = (parts[0][1].as_str().unwrap(), parts[1][1].as_str().unwrap());
    assert!(html.contains("North &lt;b&gt;") && !html.contains("<b>"), "{html}");
    let link = text.lines().find(|line| line.contains("/invitation#")).unwrap();
    let ann = word(link);
    assert!(link.starts_with(&server.url), "{link}");
    // What is kept, and what managers see, opens nothing.
    let listed = server.get("/api/v1/organisations/north/invitations").expect(200).text;
    let random = ann.rsplit('_').next().unwrap();
    assert!(listed.contains("ann@north.test") && !listed.contains(random), "{listed}");
    assert!(!server.get("/api/v1/audit").expect(200).text.contains(random));
    let shown = server.send_as("", "POST", "/api/v1/invitation", Some(&json!({ "word": ann }))).expect(200).json();
    assert_eq!(
        (&shown["organisation"], &shown["known"], &shown["role"]),
        (&json!("north"), &json!(false), &json!("franchisee"))
    );
    accept(&server, &json!({ "word": ann, "name": "ann", "password": "short" })).expect(400);
    let accepted = accept(&server, &json!({ "word": ann, "name": "ann", "password": "a long enough one" })).expect(200);
    assert_eq!(accepted.json()["user"], "ann");
    accept(&server, &json!({ "word": ann, "name": "bob", "password": "a long enough one" })).expect(404);
    let user = server.get("/api/v1/users/ann").expect(200).json();
    assert_eq!((&user["organisation"], &user["email"]), (&json!("north"), &json!("ann@north.test")));
    auth::browser(&server, "ann@north.test", "a long enough one");
    for action in ["invitation.create", "invitation.accept", "user.create"] {
        let entries = server.get(&format!("/api/v1/audit?organisation=north&action={action}")).expect(200).json();
        assert_eq!(entries["items"].as_array().unwrap().len(), 1, "{action}");
    }
    // A letter isn't sent twice in a minute.
    let sent = invite(&server, &server.token, "north", "eve@north.test", "viewer").expect(201).json();
    let again = server.post(&format!("/api/v1/invitations/{}/send", sent["id"].as_str().unwrap()), &json!({}));
    assert_eq!(again.status, 429, "{}", again.text);
    // A server that refuses the address is no error: the link is handed over.
    let refused = invite(&server, &server.token, "north", "refused@north.test", "viewer").expect(201).json();
    assert_eq!(refused["sent"], false, "{refused}");
    assert!(refused["link"].as_str().unwrap().contains('#') && !refused["reason"].as_str().unwrap().is_empty());
}

#[test]
fn an_invitation_is_for_one_address_and_one_moment() {
    let server = open("");
    let made = invite(&server, &server.token, "acme", "bob@acme.test", "operator").expect(201).json();
    let (id, first) = (made["id"].as_str().unwrap(), word(made["link"].as_str().unwrap()));
    assert!(made["reason"].as_str().unwrap().contains("no mail server"), "{made}");
    invite(&server, &server.token, "acme", "BOB@acme.test", "viewer").expect(409);
    // No letter went out: there is another link at once, and the one before opens nothing.
    let again = server.post(&format!("/api/v1/invitations/{id}/send"), &json!({})).expect(200).json();
    let second = word(again["link"].as_str().unwrap());
    server.send_as("", "POST", "/api/v1/invitation", Some(&json!({ "word": first }))).expect(404);
    server.send_as("", "POST", "/api/v1/invitation", Some(&json!({ "word": second }))).expect(200);
    // Words that are none are all alike, and cost a wait.
    let mut answers = Vec::new();
    for guess in ["", "wi_", "wi_x_y", &format!("wi_{id}_{}", "0".repeat(64)), &first.replace("wi_", "xx_")] {
        let answer = server.send_as("", "POST", "/api/v1/invitation", Some(&json!({ "word": guess })));
        assert_eq!(answer.status, 404, "{guess}: {}", answer.text);
        answers.push(answer.json()["detail"].clone());
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
    let guess = json!({ "word": format!("wi_{id}_{}", "1".repeat(64)) });
    let statuses: Vec<u16> =
        (0..12).map(|_| server.send_as("", "POST", "/api/v1/invitation", Some(&guess)).status).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    // Withdrawn, it opens nothing.
    server.delete(&format!("/api/v1/invitations/{id}")).expect(204);
    server.get(&format!("/api/v1/invitations/{id}")).expect(404);
    assert_ne!(accept(&server, &json!({ "word": first, "name": "bob", "password": "a long enough one" })).status, 200);
    server.get("/api/v1/users/bob").expect(404);
}

#[test]
fn a_user_accepts_as_themself_and_nobody_else_does() {
    let server = open("");
    for (name, email) in [("cleo", "cleo@acme.test"), ("eve", "eve@acme.test")] {
        let body = json!({ "name": name, "email": email, "password": "a long enough one",
                           "bindings": [{ "role": "viewer", "organisation": "north" }] });
        server.post("/api/v1/users", &body).expect(201);
    }
    let made = invite(&server, &server.token, "acme", "cleo@acme.test", "operator").expect(201).json();
    let word = word(made["link"].as_str().unwrap());
    let body = json!({ "word": word, "name": "cleo2", "password": "a long enough one" });
    accept(&server, &body).expect(401);
    let eve = auth::browser(&server, "eve", "a long enough one");
    assert_eq!(eve.ask(&server, "POST", "/api/v1/invitation/accept", Some(&body)).status, 401);
    let token = people::token(&server, "cleo");
    assert_eq!(server.send_as(&token, "POST", "/api/v1/invitation/accept", Some(&body)).status, 401);
    let cleo = auth::browser(&server, "cleo", "a long enough one");
    cleo.ask(&server, "POST", "/api/v1/invitation/accept", Some(&body)).expect(200);
    let user = server.get("/api/v1/users/cleo").expect(200).json();
    assert!(user["bindings"].to_string().contains("acme") && user["bindings"].to_string().contains("north"), "{user}");
}

#[test]
fn those_above_invite_who_manages_it_and_nobody_more() {
    let server = open("");
    people::user(&server, "boss", "north", "franchisee@north");
    let boss = people::token(&server, "boss");
    invite(&server, &boss, "acme", "bob@acme.test", "viewer").expect(403);
    let made = invite(&server, &boss, "acme", "ann@acme.test", "franchisee").expect(201).json();
    let body = json!({ "word": word(made["link"].as_str().unwrap()), "name": "ann", "password": "a long enough one" });
    accept(&server, &body).expect(200);
    // From now on she does.
    invite(&server, &boss, "acme", "boss@north.test", "franchisee").expect(403);
    let ann = people::token(&server, "ann");
    invite(&server, &ann, "acme", "bob@acme.test", "operator").expect(201);
    // Nobody gives more than they hold.
    invite(&server, &ann, "acme", "root@acme.test", "admin").expect(403);
    invite(&server, &ann, "north", "x@acme.test", "viewer").expect(404);
    people::user(&server, "op", "acme", "operator@acme");
    invite(&server, &people::token(&server, "op"), "acme", "x@acme.test", "viewer").expect(403);
}

#[test]
fn two_who_accept_at_once_are_one() {
    let server = open("");
    let made = invite(&server, &server.token, "acme", "bob@acme.test", "viewer").expect(201).json();
    let word = word(made["link"].as_str().unwrap());
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..4)
            .map(|number| {
                let body = json!({ "word": word, "name": format!("bob-{number}"), "password": "a long enough one" });
                let server = &server;
                scope.spawn(move || accept(server, &body).status)
            })
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    let users = server.get("/api/v1/users?organisation=acme").expect(200).json();
    assert_eq!(users["items"].as_array().unwrap().len(), 1);
}
