//! Notifications on the real server, with a real mail server and real receivers, on both databases: what rules say arrives, once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use windlass_engine::{Engine, EngineConfig};
use windlass_model::document::{Change, DocumentFilter, Expected};
use windlass_tests::{ApiServer, Receiver, mail::MailServer, receiver::Says, wait_for, wait_until};

use super::{databases::Database, people};

const FAILS: &str = "const WORKFLOW = #{ name: \"lab/fails\", title: \"Fails\", permissions: [] };\n\
                     fn run(input) { throw \"disk <full> & hot\" }\n";
const ASKS: &str = "const WORKFLOW = #{ name: \"lab/asks\", title: \"Asks\", permissions: [] };\n\
                    fn run(input) { approve(#{ title: \"Delete everything?\" }) }\n";
const QUICK: &str = "const WORKFLOW = #{ name: \"lab/quick\", title: \"Quick\", permissions: [] };\n\
                     fn run(input) { notify::slack(#{ target: \"ops\", title: \"x\" }); 7 }\n";
const ALL: &[(&str, &str)] = &[("lab/fails", FAILS), ("lab/asks", ASKS), ("lab/quick", QUICK)];
const NEAR: &str = "[hosts.http]\nallow_addresses = [\"127.0.0.1\"]\n";
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn server(database: &Database, settings: &str) -> ApiServer {
    let settings = format!("{}{NEAR}{settings}", database.settings());
    if let Some(url) = database.settings().split('"').nth(1) {
        windlass_engine::migrate(url).expect("an empty database");
    }
    ApiServer::start_with(ALL, &[], &settings)
}

fn databases() -> Vec<Database> {
    [Some(Database::sqlite()), Database::postgres()].into_iter().flatten().collect()
}

fn target(server: &ApiServer, name: &str, way: &str, url: &str, secret: &str) -> Value {
    let body = json!({ "name": name, "way": way, "url": url, "secret": secret, "per_minute": 1000 });
    server.post("/api/v1/notifications/targets", &body).expect(201).json()
}

fn rule(server: &ApiServer, on: &[&str], targets: &[&str], more: Value) -> Value {
    let mut body = json!({ "name": format!("{on:?}{targets:?}"), "on": on, "targets": targets });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.post("/api/v1/notifications/rules", &body).expect(201).json()
}

fn launch(server: &ApiServer, workflow: &str) -> String {
    let run = server.post("/api/v1/runs", &json!({ "workflow": workflow })).expect(201).json();
    run["id"].as_str().unwrap().to_owned()
}

fn deliveries(server: &ApiServer) -> Vec<Value> {
    let all = server.get("/api/v1/notifications/deliveries?limit=500").expect(200).json();
    all["items"].as_array().unwrap().clone()
}

/// All deliveries, once they are over.
fn settled(server: &ApiServer, count: usize) -> Vec<Value> {
    wait_for("deliveries to be over", Duration::from_secs(60), || {
        let all = deliveries(server);
        let over = all.iter().all(|one| one["state"] != "pending");
        (all.len() == count && over).then_some(all)
    })
}

#[test]
fn what_a_rule_says_arrives_by_mail_and_signed() {
    let Some(mail) = MailServer::start("starttls") else { return };
    for database in databases() {
        let receiver = Receiver::start();
        let (before, email) = (mail.taken().len(), mail.settings());
        let table: Vec<String> =
            email.as_object().unwrap().iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let server = server(&database, &format!("[hosts.notify.email]\n{}\n", table.join("\n")));
        let mailed = json!({ "name": "people", "way": "email", "to": ["Ann <ann@acme.test>"] });
        server.post("/api/v1/notifications/targets", &mailed).expect(201);
        target(&server, "shop", "webhook", &receiver.url("/hooks/hush"), KEY);
        rule(&server, &["run.failed"], &["people", "shop"], json!({ "severity": "error" }));
        rule(
            &server,
            &["approval.*"],
            &["people"],
            json!({ "title": "Please: ${/workflow}", "text": "${/data/wait/title}" }),
        );
        let run = launch(&server, "lab/fails");
        let taken = receiver.wait_for(1);
        let body = taken[0].json();
        assert_eq!((body["type"].as_str(), body["data"]["run"].as_str()), (Some("run.failed"), Some(run.as_str())));
        let (id, at) = (taken[0].header("webhook-id"), taken[0].header("webhook-timestamp"));
        let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &taken[0].body].concat();
        assert_eq!(taken[0].header("webhook-signature"), super::signed(KEY, &signed));
        launch(&server, "lab/asks");
        let all = settled(&server, 3);
        assert!(all.iter().all(|one| one["state"] == "delivered" && one["attempts"] == 1), "{all:?}");
        let mails = mail.taken().split_off(before);
        assert_eq!(mails.len(), 2);
        let subject = |mail: &Value| {
            let all = mail["headers"].as_array().unwrap().iter();
            all.clone().find(|pair| pair[0] == "Subject").map(|pair| pair[1].as_str().unwrap().to_owned()).unwrap()
        };
        assert_eq!(
            (subject(&mails[0]), subject(&mails[1])),
            ("lab/fails failed and is being undone".into(), "Please: lab/asks".into())
        );
        let parts = mails[0]["parts"].as_array().unwrap();
        let (text, html) = (parts[0][1].as_str().unwrap(), parts[1][1].as_str().unwrap());
        assert!(text.contains("disk <full> & hot") && text.contains(&format!("{}/runs/{run}", server.url)), "{text}");
        assert!(html.contains("disk &lt;full&gt; &amp; hot") && !html.contains("<full>"), "{html}");
        assert!(mails[1]["parts"][0][1].as_str().unwrap().contains("Delete everything?"));
    }
}

#[test]
fn a_mail_is_delivered_when_everybody_has_it_and_nobody_gets_it_twice() {
    let Some(mail) = MailServer::start("none") else { return };
    let settings = mail.settings();
    let table = settings.as_object().unwrap().iter().map(|(key, value)| format!("{key} = {value}\n"));
    let server = server(&Database::sqlite(), &format!("[hosts.notify.email]\n{}", table.collect::<String>()));
    let to = ["Ann <ann@acme.test>", "Late <later@acme.test>", "refused@acme.test"];
    server.post("/api/v1/notifications/targets", &json!({ "name": "people", "way": "email", "to": to })).expect(201);
    rule(&server, &["run.failed"], &["people"], json!({}));
    launch(&server, "lab/fails");
    let all = settled(&server, 1);
    assert_eq!((&all[0]["state"], &all[0]["attempts"]), (&json!("delivered"), &json!(3)), "{all:?}");
    let reason = all[0]["reason"].as_str().unwrap();
    assert!(reason.contains("refused@acme.test: 550") && !reason.contains("later@"), "{reason}");
    let taken: Vec<Value> = mail.taken().iter().map(|taken| taken["to"].clone()).collect();
    assert_eq!(taken, [json!(["ann@acme.test"]), json!(["later@acme.test"])]);
}

#[test]
fn a_receiver_of_another_windlass_takes_what_is_sent() {
    let there = ApiServer::start(ALL);
    let hook = json!({ "name": "in", "key": KEY, "action": { "do": "launch", "workflow": "lab/fails", "tags": ["from-${/body/type}"] } });
    let hook = there.post("/api/v1/webhooks", &hook).expect(201).json();
    let here = server(&Database::sqlite(), "");
    let path = format!("/api/v1/hooks/{}", hook["id"].as_str().unwrap());
    let made = target(&here, "there", "webhook", &format!("{}{path}", there.url), KEY);
    let tested = here.post(&format!("/api/v1/notifications/targets/{}/test", made["id"].as_str().unwrap()), &json!({}));
    assert_eq!(tested.expect(200).json(), json!({ "delivered": true, "reason": "" }));
    let runs = there.get("/api/v1/runs?tag=from-notification.test").expect(200).json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_receiver_that_was_down_three_times_gets_it_once() {
    for database in databases() {
        let receiver = Receiver::start();
        let server = server(&database, "");
        target(&server, "ops", "slack", &receiver.url("/services/hush"), "");
        rule(&server, &["run.failed"], &["ops"], json!({}));
        receiver.says([
            Says::Answer(503, "", ""),
            Says::Answer(429, "Retry-After: 2\r\n", ""),
            Says::Answer(500, "", ""),
        ]);
        launch(&server, "lab/fails");
        let all = settled(&server, 1);
        assert_eq!((all[0]["state"].as_str(), all[0]["attempts"].as_i64()), (Some("delivered"), Some(4)), "{all:?}");
        let taken = receiver.taken();
        assert_eq!(taken.len(), 4);
        assert!(taken[2].at - taken[1].at >= Duration::from_secs(2), "it asked for two seconds");
        // What is refused for good is given up, and told again when somebody says so.
        receiver.says([Says::Answer(404, "", "no_service")]);
        launch(&server, "lab/fails");
        let all = settled(&server, 2);
        assert_eq!((all[0]["state"].as_str(), all[0]["attempts"].as_i64()), (Some("dead"), Some(1)), "{all:?}");
        assert!(all[0]["reason"].as_str().unwrap().contains("no_service") && !all[0].to_string().contains("hush"));
        let id = all[0]["id"].as_str().unwrap();
        server.post(&format!("/api/v1/notifications/deliveries/{id}/retry"), &json!({})).expect(200);
        assert!(settled(&server, 2).iter().all(|one| one["state"] == "delivered"));
        server.post(&format!("/api/v1/notifications/deliveries/{id}/retry"), &json!({})).expect(409);
    }
}

/// An engine on a server's database that executes nothing.
fn beside(server: &ApiServer, database: &Database) -> Engine {
    let file = server.data().join("windlass.db");
    let url = match database.settings().split('"').nth(1) {
        Some(url) => url.to_owned(),
        None => format!("sqlite:{}", file.display()),
    };
    let world = windlass_tests::World::new();
    let config: EngineConfig = world.looking_at(&url);
    Engine::start(config).expect("the database opens")
}

#[test]
fn nothing_is_lost_when_the_server_is_killed_and_a_replay_sends_nothing_twice() {
    // What was taken comes back after half a minute: both databases wait for it at once.
    std::thread::scope(|scope| {
        for database in databases() {
            scope.spawn(move || replayed(&database));
        }
    });
}

fn replayed(database: &Database) {
    let receiver = Receiver::start();
    let mut server = server(database, "");
    target(&server, "ops", "webhook", &receiver.url("/hooks"), KEY);
    rule(&server, &["run.failed"], &["ops"], json!({}));
    // Killed while the message is being sent: nobody knows whether it arrived.
    receiver.says([Says::Nothing]);
    launch(&server, "lab/fails");
    let first = receiver.wait_for(1);
    server.kill();
    let engine = beside(&server, database);
    let due = DocumentFilter { kind: "notification_due".into(), ..DocumentFilter::default() };
    assert_eq!(engine.documents(&due).unwrap().len(), 1, "it is taken, and comes back by itself");
    engine.shutdown(Duration::from_secs(5));
    server.restart();
    let second = receiver.wait_for(2);
    assert_eq!(first[0].header("webhook-id"), second[1].header("webhook-id"), "a receiver knows what came twice");
    settled(&server, 1);
    for _ in 0..5 {
        launch(&server, "lab/fails");
    }
    settled(&server, 6);
    assert_eq!(receiver.taken().len(), 7);
    // As if a backup had put the place in the feed back.
    server.kill();
    let engine = beside(&server, database);
    let place = engine.document("notification_place", "events").unwrap().expect("a place");
    let back = Change::Put {
        kind: place.kind,
        id: place.id,
        organisation: place.organisation,
        body: json!({ "cursor": "0.0" }),
        keys: Vec::new(),
        expires_at_ms: None,
        expected: Expected::Any,
    };
    engine.change(vec![back]).unwrap();
    engine.shutdown(Duration::from_secs(5));
    server.restart();
    launch(&server, "lab/fails");
    settled(&server, 7);
    assert_eq!(receiver.taken().len(), 8, "only what is new");
}

#[test]
fn a_receiver_that_never_answers_holds_up_no_run_and_no_other_receiver() {
    let (mute, well) = (Receiver::start(), Receiver::start());
    let server = server(&Database::sqlite(), "");
    mute.says(std::iter::repeat_n(Says::Nothing, 100));
    target(&server, "mute", "discord", &mute.url("/api/webhooks/1/x"), "");
    target(&server, "well", "discord", &well.url("/api/webhooks/1/x"), "");
    rule(&server, &["run.failed"], &["mute", "well"], json!({}));
    let began = Instant::now();
    let runs: Vec<String> = (0..20).map(|_| launch(&server, "lab/fails")).collect();
    for run in &runs {
        server.ended(run);
    }
    // Each conversation with the mute one takes ten seconds: whoever waited for all of them would take 200.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(60), "runs wait for nobody: {took:?}");
    well.wait_for(20);
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
    let (conversations, most) = (mute.taken().len() as u64, began.elapsed().as_secs() / 10 + 2);
    assert!(conversations <= most, "one conversation at a time: {conversations} in {:?}", began.elapsed());
}

#[test]
fn nobody_sees_others_rules_and_nobody_sees_a_secret() {
    let receiver = Receiver::start();
    let server = server(&Database::sqlite(), "");
    for name in ["acme", "zeta"] {
        server.post("/api/v1/organisations", &json!({ "name": name })).expect(201);
        people::user(&server, &format!("{name}-admin"), name, &format!("admin@{name}"));
    }
    let (ann, zoe) = (people::token(&server, "acme-admin"), people::token(&server, "zeta-admin"));
    let send = |token: &str, method: &str, path: &str, body: Value| {
        server.send_as(token, method, &format!("/api/v1/notifications{path}"), Some(&body))
    };
    let body = json!({ "name": "ops", "way": "webhook", "url": receiver.url("/hooks/very-hush"), "secret": KEY });
    let made = send(&ann, "POST", "/targets", body).expect(201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let shown = server.send_as(&ann, "GET", &format!("/api/v1/notifications/targets/{id}"), None).expect(200);
    for text in [
        &made.text,
        &shown.text,
        &server.get("/api/v1/audit?limit=500").text,
        &server.get("/api/v1/notifications/targets").text,
    ] {
        assert!(!text.contains("very-hush") && !text.contains(&KEY[6..]), "{text}");
    }
    assert!(shown.json()["url"].as_str().unwrap().ends_with("/…"));
    // Another server doesn't get the secret of this one.
    let moved = send(&ann, "PATCH", &format!("/targets/{id}"), json!({ "url": "https://evil.test/" }));
    assert_eq!(moved.expect(400).json()["data"]["pointer"], "/secret");
    send(&zoe, "PATCH", &format!("/targets/{id}"), json!({})).expect(404);
    send(&zoe, "POST", &format!("/targets/{id}/test"), json!({})).expect(404);
    let listed = server.send_as(&zoe, "GET", "/api/v1/notifications/targets", None).expect(200).json();
    assert_eq!(listed["items"], json!([]));
    // A rule names its own organisation's targets, and is about its own organisation.
    send(&zoe, "POST", "/rules", json!({ "name": "r", "on": ["*"], "targets": ["ops"] })).expect(400);
    let wide = json!({ "name": "r", "on": ["*"], "targets": ["ops"], "organisations": ["zeta"] });
    assert!(matches!(send(&ann, "POST", "/rules", wide).status, 400 | 403));
    let mistaken = json!({ "name": "r", "on": ["*"], "targets": ["ops"], "severty": "error" });
    assert!(send(&ann, "POST", "/rules", mistaken).expect(400).text.contains("severty"));
    let body = json!({ "name": "r", "on": ["run.failed"], "targets": ["ops"] });
    send(&ann, "POST", "/rules", body).expect(201);
    for organisation in ["zeta", "platform", "acme"] {
        server.post("/api/v1/runs", &json!({ "workflow": "lab/fails", "organisation": organisation })).expect(201);
    }
    let taken = receiver.wait_for(1);
    assert_eq!(taken[0].json()["data"]["organisation"], "acme");
    settled(&server, 1);
    assert_eq!(receiver.taken().len(), 1);
    let theirs = server.send_as(&zoe, "GET", "/api/v1/notifications/deliveries", None).expect(200).json();
    assert_eq!(theirs["items"], json!([]));
    send(&ann, "DELETE", &format!("/targets/{id}"), json!({})).expect(409);
}

#[test]
fn scripts_find_the_targets_of_their_organisation() {
    let receiver = Receiver::start();
    let source = QUICK.replace("permissions: []", "permissions: [\"notify.slack:ops\"]");
    let server = ApiServer::start_with(
        &[("lab/quick", &source)],
        &[],
        &format!("{NEAR}[policy]\n\"lab/*\" = [\"notify.*:*\"]\n"),
    );
    target(&server, "ops", "slack", &receiver.url("/services/x"), "");
    let run = launch(&server, "lab/quick");
    assert_eq!(server.ended(&run)["output"], 7);
    assert_eq!(receiver.taken().len(), 1);
    wait_until("nothing else", Duration::from_secs(60), || receiver.taken().len() == 1);
}
