//! Webhooks on the real server: signed deliveries launch and signal, once; others get to know nothing.

use std::{
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use windlass_tests::{Answer, ApiServer, has_program, skip, wait_for};

use super::people;

const NOTE: &str = "const WORKFLOW = #{ name: \"lab/note\", title: \"Notes\", permissions: [], inputs: #{ type: \"object\", \
                    additionalProperties: false, required: [\"what\"], properties: #{ what: #{ \"type\": \"string\" }, \
                    n: #{ \"type\": \"integer\" } } } };\nfn run(input) { input.what }\n";
const WAIT: &str = "const WORKFLOW = #{ name: \"lab/wait\", title: \"Waits\", permissions: [] };\nfn run(input) { wait_signal(\"paid\") }\n";
const ALL: &[(&str, &str)] = &[("lab/note", NOTE), ("lab/wait", WAIT)];

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// A delivery as a sender of Standard Webhooks makes it.
fn deliver(server: &ApiServer, hook: &str, key: &str, id: &str, at: i64, body: &str) -> Answer {
    let bytes = STANDARD.decode(key.strip_prefix("whsec_").unwrap()).unwrap();
    let signature = format!("v1,{}", STANDARD.encode(mac(&bytes, format!("{id}.{at}.{body}").as_bytes())));
    let (at, path) = (at.to_string(), format!("/api/v1/hooks/{hook}"));
    let headers = [
        ("content-type", "application/json"),
        ("webhook-id", id),
        ("webhook-timestamp", at.as_str()),
        ("webhook-signature", signature.as_str()),
    ];
    server.raw("POST", &path, "", &headers, Some(body.as_bytes().to_vec()))
}

fn make(server: &ApiServer, body: Value) -> (String, String) {
    let made = server.post("/api/v1/webhooks", &body).expect(201).json();
    assert!(made["url"].as_str().unwrap().ends_with(&format!("/api/v1/hooks/{}", made["id"].as_str().unwrap())));
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

fn launching() -> Value {
    json!({ "name": "push", "action": { "do": "launch", "workflow": "lab/note", "tags": ["ref-${/body/ref}"],
        "input": { "what": "pushed ${/body/ref}", "n": "${/body/n?}" } } })
}

#[test]
fn a_signed_delivery_launches_once_and_an_unsigned_one_learns_nothing() {
    let server = ApiServer::start(ALL);
    let (hook, key) = make(&server, launching());
    let body = r#"{"ref":"main","n":7}"#;
    let first = deliver(&server, &hook, &key, "msg_1", now(), body).expect(201).json();
    assert_eq!(first["existing"], false);
    let record = server.ended(first["run"].as_str().unwrap());
    assert_eq!((record["output"].as_str(), record["input"]["n"].as_i64()), (Some("pushed main"), Some(7)));
    assert!(record["tags"].as_array().unwrap().contains(&json!("ref-main")));
    assert!(record["tags"].as_array().unwrap().contains(&json!("webhook:push")));
    // Sent again because the answer got lost, or by somebody who listened.
    let again = deliver(&server, &hook, &key, "msg_1", now(), body).expect(200).json();
    assert_eq!((again["run"].clone(), again["existing"].as_bool()), (first["run"].clone(), Some(true)));
    deliver(&server, &hook, &key, "msg_1", now(), r#"{"ref":"other"}"#).expect(409);
    // Several at once: one of them is the first.
    let at_once: Vec<Answer> = std::thread::scope(|scope| {
        let send = || deliver(&server, &hook, &key, "msg_0", now(), r#"{"ref":"once"}"#);
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(send)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let once = server.get("/api/v1/runs?tag=ref-once").expect(200).json();
    assert_eq!(once["items"].as_array().unwrap().len(), 1);
    for answer in at_once {
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text);
        assert_eq!(answer.json()["run"], once["items"][0]["id"]);
    }
    // Too old, too new, another key, another body, no webhook at all: one and the same answer.
    let other = format!("whsec_{}", STANDARD.encode([9; 32]));
    let refused = [
        deliver(&server, &hook, &key, "msg_2", now() - 301, body),
        deliver(&server, &hook, &key, "msg_2", now() + 330, body),
        deliver(&server, &hook, &other, "msg_2", now(), body),
        deliver(&server, "01jc0000000000000000000000", &key, "msg_2", now(), body),
        server.raw(
            "POST",
            &format!("/api/v1/hooks/{hook}"),
            "",
            &[("content-type", "application/json")],
            Some(body.into()),
        ),
        server.raw("POST", &format!("/api/v1/hooks/{hook}"), &server.token, &[], Some(body.into())),
    ];
    for answer in refused {
        let told = answer.expect(401).json();
        assert_eq!((told["code"].as_str(), told["data"].clone()), (Some("unauthenticated"), Value::Null));
        assert!(!told.to_string().contains("push"), "{told}");
    }
    let all = server.get("/api/v1/runs?tag=webhook:push").expect(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let shown = server.get(&format!("/api/v1/webhooks/{hook}")).expect(200).json();
    assert_eq!((shown["last"]["run"].clone(), shown["key"].clone()), (once["items"][0]["id"].clone(), Value::Null));
    assert!(!server.get("/api/v1/audit?limit=500").expect(200).text.contains(&key[6..]), "the key is told once");
}

#[test]
fn a_delivery_that_does_not_fit_is_told_why_and_kept() {
    let server = ApiServer::start(ALL);
    let (hook, key) = make(&server, launching());
    let answer = deliver(&server, &hook, &key, "msg_1", now(), r#"{"n":7}"#).expect(400).json();
    assert_eq!(answer["data"]["pointer"], "/action/input/what", "{answer}");
    deliver(&server, &hook, &key, "msg_2", now(), "not json").expect(400);
    let wrong = deliver(&server, &hook, &key, "msg_3", now(), r#"{"ref":"x","n":"seven"}"#).expect(400).json();
    assert_eq!(wrong["code"], "invalid_input", "{wrong}");
    let forged = deliver(&server, &hook, &key, "msg_4", now(), r#"{"ref":"x","n":1.5}"#).expect(400).json();
    assert_eq!(forged["code"], "invalid_input");
    let shown = server.get(&format!("/api/v1/webhooks/{hook}")).expect(200).json();
    assert_eq!(shown["error"]["code"], "invalid_input");
    // At rest it is as if it weren't there.
    server.patch(&format!("/api/v1/webhooks/{hook}"), &json!({ "paused": true })).expect(200);
    deliver(&server, &hook, &key, "msg_5", now(), r#"{"ref":"x"}"#).expect(401);
}

#[test]
fn a_delivery_signals_the_one_run_that_is_meant() {
    let server = ApiServer::start(ALL);
    let launch = |tag: &str| {
        let body = json!({ "workflow": "lab/wait", "tags": [tag] });
        server.post("/api/v1/runs", &body).expect(201).json()["id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (launch("order-1"), launch("order-2"));
    let (hook, key) = make(
        &server,
        json!({ "name": "paid", "action": { "do": "signal", "workflow": "lab/wait", "tag": "order-${/body/order}", "signal": "paid",
            "payload": { "by": "${/headers/webhook-id}", "sum": "${/body/sum}" } } }),
    );
    deliver(&server, &hook, &key, "evt_0", now(), r#"{"order":3,"sum":1}"#).expect(404);
    deliver(&server, &hook, &key, "evt_1", now(), r#"{"order":2,"sum":99}"#).expect(200);
    let record = server.ended(&second);
    assert_eq!(record["output"], json!({ "by": "evt_1", "sum": 99 }));
    assert_ne!(server.get(&format!("/api/v1/runs/{first}")).expect(200).json()["state"], "succeeded");
    // Sent again, it is known, although no open run is left; two with the same tag are no one run.
    let again = deliver(&server, &hook, &key, "evt_1", now(), r#"{"order":2,"sum":99}"#).expect(200).json();
    assert_eq!(again["run"], second.as_str());
    deliver(&server, &hook, &key, "evt_5", now(), r#"{"order":2,"sum":99}"#).expect(404);
    launch("order-1");
    deliver(&server, &hook, &key, "evt_2", now(), r#"{"order":1,"sum":5}"#).expect(409);
    // By the run's own id; another workflow's run isn't its business.
    let first_key = key;
    let (by_id, key) = make(
        &server,
        json!({ "name": "by id", "action": { "do": "signal", "workflow": "lab/wait", "run": "${/body/run}", "signal": "paid" } }),
    );
    let other = server.launch("lab/note", &json!({ "what": "x" }));
    deliver(&server, &by_id, &key, "evt_3", now(), &json!({ "run": other }).to_string()).expect(404);
    deliver(&server, &by_id, &key, "evt_4", now(), &json!({ "run": first, "x": 1 }).to_string()).expect(200);
    assert_eq!(server.ended(&first)["output"]["x"], 1);
    // A new run waits under the tag of the old one: what was sent for that isn't sent to this.
    let third = launch("order-2");
    wait_for("it to wait", Duration::from_secs(60), || {
        (server.get(&format!("/api/v1/runs/{third}")).expect(200).json()["state"] == "waiting").then_some(())
    });
    let replayed = deliver(&server, &hook, &first_key, "evt_1", now(), r#"{"order":2,"sum":99}"#).expect(200).json();
    assert_eq!(replayed["run"], second.as_str());
    let history = server.get(&format!("/api/v1/runs/{third}/history?limit=500")).expect(200);
    assert!(!history.text.contains("evt_1") && !history.text.contains("signal.received"), "{}", history.text);
    deliver(&server, &hook, &first_key, "evt_6", now(), r#"{"order":2,"sum":7}"#).expect(200);
    assert_eq!(server.ended(&third)["output"]["sum"], 7);
}

#[test]
fn lists_arrive_too_and_what_would_grow_too_large_is_refused() {
    let server = ApiServer::start(ALL);
    let (hook, key) = make(
        &server,
        json!({ "name": "list", "action": { "do": "launch", "workflow": "lab/note",
            "input": { "what": "${/body/1/what}", "n": "${/body/0}" } } }),
    );
    let run = deliver(&server, &hook, &key, "a", now(), r#" [7, { "what": "second" }]"#).expect(201).json();
    assert_eq!(server.ended(run["run"].as_str().unwrap())["output"], "second");
    // 64 KiB, named 40 times, would be more than an input may have: neither an input nor a signal.
    let run = server.launch("lab/wait", &json!({}));
    let many = json!(vec!["${/body/text}"; 40]);
    let (grows, key) = make(
        &server,
        json!({ "name": "grows", "action": { "do": "signal", "workflow": "lab/wait", "run": "${/body/run}", "signal": "paid",
            "payload": many } }),
    );
    let body = json!({ "run": run, "text": "x".repeat(64 << 10) }).to_string();
    let refused = deliver(&server, &grows, &key, "a", now(), &body);
    assert_eq!(
        (refused.json()["code"].as_str(), refused.status / 100),
        (Some("limit_exceeded"), 4),
        "{}",
        refused.text
    );
    deliver(&server, &grows, &key, "a", now(), &json!({ "run": run, "text": "x" }).to_string()).expect(200);
    assert_eq!(server.ended(&run)["output"].as_array().unwrap().len(), 40);
}

#[test]
fn a_new_key_takes_the_place_of_the_old_one_in_peace_or_at_once() {
    let server = ApiServer::start(ALL);
    let (hook, old) = make(&server, launching());
    let path = format!("/api/v1/webhooks/{hook}/key");
    let new = server.put(&path, &json!({})).expect(200).json()["key"].as_str().unwrap().to_owned();
    deliver(&server, &hook, &old, "a", now(), r#"{"ref":"a"}"#).expect(201);
    deliver(&server, &hook, &new, "b", now(), r#"{"ref":"b"}"#).expect(201);
    let newest = server.put(&path, &json!({ "revoke": true })).expect(200).json()["key"].as_str().unwrap().to_owned();
    deliver(&server, &hook, &old, "c", now(), r#"{"ref":"c"}"#).expect(401);
    deliver(&server, &hook, &new, "d", now(), r#"{"ref":"d"}"#).expect(401);
    deliver(&server, &hook, &newest, "e", now(), r#"{"ref":"e"}"#).expect(201);
    server.put(&path, &json!({ "key": "too short" })).expect(400);
}

#[test]
fn githubs_deliveries_are_known_by_their_content() {
    let mut server = ApiServer::start_with(ALL, &[], "[engine]\nretention = \"1s\"\n");
    let key = "a key that the repository has already";
    let mut body = launching();
    body["scheme"] = "github".into();
    body["key"] = key.into();
    let (hook, told) = make(&server, body);
    assert_eq!(told, key);
    let send = |server: &ApiServer, text: &str, key: &str, delivery: &str| {
        let digits: String = mac(key.as_bytes(), text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let signature = format!("sha256={digits}");
        let headers = [
            ("content-type", "application/json"),
            ("x-hub-signature-256", signature.as_str()),
            ("x-github-delivery", delivery),
            ("origin", "https://elsewhere.example"),
        ];
        server.raw("POST", &format!("/api/v1/hooks/{hook}"), "", &headers, Some(text.as_bytes().to_vec()))
    };
    let first = send(&server, r#"{"ref":"main"}"#, key, "1").expect(201).json();
    assert_eq!(
        send(&server, r#"{"ref":"main"}"#, key, "2").expect(200).json()["run"],
        first["run"],
        "the delivery's id isn't signed"
    );
    send(&server, r#"{"ref":"main"}"#, "another key altogether", "1").expect(401);
    assert_ne!(send(&server, r#"{"ref":"dev"}"#, key, "3").expect(201).json()["run"], first["run"]);
    // Not even when the run is long gone.
    let run = first["run"].as_str().unwrap().to_owned();
    server.ended(&run);
    std::thread::sleep(Duration::from_millis(1_500));
    server.kill_and_restart();
    wait_for("the run to be pruned", Duration::from_secs(60), || {
        (server.get(&format!("/api/v1/runs/{run}")).status == 404).then_some(())
    });
    assert_eq!(send(&server, r#"{"ref":"main"}"#, key, "4").expect(200).json()["run"], first["run"]);
    assert!(server.get("/api/v1/runs?tag=ref-main").expect(200).json()["items"].as_array().unwrap().is_empty());
}

#[test]
fn it_does_no_more_than_the_token_might_that_it_was_set_up_with_nor_for_longer() {
    let mut server = ApiServer::start(ALL);
    let issue = |server: &ApiServer, bindings: Value, expires_at_ms: i64| {
        let body = json!({ "name": "t", "bindings": bindings, "expires_at_ms": expires_at_ms });
        server.post("/api/v1/tokens", &body).expect(201).json()["token"].as_str().unwrap().to_owned()
    };
    let make = |server: &ApiServer, token: &str, name: &str| {
        let mut body = launching();
        body["name"] = name.into();
        let made = server.send_as(token, "POST", "/api/v1/webhooks", Some(&body)).expect(201).json();
        (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned(), made)
    };
    if !has_program("sqlite3") {
        return skip("sqlite3 isn't here: .ci/setup installs it");
    }
    let set = |server: &mut ApiServer, hook: &str, what: &str| {
        server.kill();
        let set =
            format!("UPDATE documents SET body = json_set(body, {what}) WHERE kind = 'webhook' AND id = '{hook}'");
        let done = Command::new("sqlite3").arg(server.data().join("windlass.db")).arg(set).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        server.restart();
    };
    // As long as the token.
    let ends = (now() + 3_600) * 1_000;
    let brief = issue(&server, json!([]), ends);
    let (hook, key, made) = make(&server, &brief, "brief");
    assert_eq!(made["acts_until_ms"], ends);
    deliver(&server, &hook, &key, "a", now(), r#"{"ref":"a"}"#).expect(201);
    set(&mut server, &hook, &format!("'$.grant.expires_at_ms', {}", now() * 1_000 - 1));
    let refused = deliver(&server, &hook, &key, "b", now(), r#"{"ref":"b"}"#).expect(403).json();
    assert!(refused["detail"].as_str().unwrap().contains("expired"), "{refused}");
    // Whoever changes it is its owner, with what they change it with.
    let path = format!("/api/v1/webhooks/{hook}");
    server.patch(&path, &json!({ "description": "goes on" })).expect(200);
    deliver(&server, &hook, &key, "b", now(), r#"{"ref":"b"}"#).expect(201);
    // The token might use one folder only: so may what was set up with it, although its user may everything.
    let lab = json!([{ "role": "operator", "organisation": "platform", "folder": "lab" }]);
    let narrow = issue(&server, lab, (now() + 3_600) * 1_000);
    let (hook, key, _) = make(&server, &narrow, "narrow");
    deliver(&server, &hook, &key, "a", now(), r#"{"ref":"a"}"#).expect(201);
    let kept = server.get("/api/v1/audit?action=webhook.create").expect(200).json();
    let grant = &kept["items"][0]["after"]["grant"];
    assert_eq!((&grant["bindings"][0]["folder"], &grant["bindings"][0]["role"]), (&json!("lab"), &json!("operator")));
    set(&mut server, &hook, "'$.grant.bindings[0].folder', 'web'");
    let refused = deliver(&server, &hook, &key, "b", now(), r#"{"ref":"b"}"#).expect(403).json();
    assert_eq!(refused["data"]["permission"], "launch", "{refused}");
}

#[test]
fn what_the_guide_says_works_as_it_is_printed() {
    if let Some(missing) = ["bash", "curl", "jq", "openssl"].iter().find(|program| !has_program(program)) {
        return skip(&format!("{missing} isn't here: .ci/setup installs it"));
    }
    let labs = "const WORKFLOW = #{ name: \"lab/two-routers\", title: \"Labs\", permissions: [], inputs: #{ type: \"object\", \
                additionalProperties: false, properties: #{ lab: #{ \"type\": \"string\" } } } };\nfn run(input) { input.lab }\n";
    let server = ApiServer::start(&[("lab/two-routers", labs)]);
    let guide = include_str!("../../docs/how-to/schedule-and-trigger.md");
    let section = guide.split("\n## ").find(|section| section.starts_with("Webhooks\n")).unwrap();
    let blocks: Vec<String> = section
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().replace("http://127.0.0.1:7070", &server.url))
        .collect();
    let [make, standard, github] = blocks.as_slice() else { panic!("{} blocks", blocks.len()) };
    let folder = tempfile::tempdir().unwrap();
    let bash = |script: &str| -> Value {
        let mut command = Command::new("bash");
        command.args(["-euc", script]).current_dir(folder.path()).env("TOKEN", &server.token);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{script}\n{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    };
    let first = bash(&format!("{make}{standard}"));
    assert_eq!(first["existing"], false);
    let record = server.ended(first["run"].as_str().unwrap());
    assert_eq!(record["output"], "demo");
    assert!(record["tags"].as_array().unwrap().contains(&json!("by-ada")), "{record}");
    let make = make.replace("\"name\": \"push\"", "\"name\": \"other\", \"scheme\": \"github\"");
    let body = standard.lines().next().unwrap();
    let second = bash(&format!("{make}{body}\n{github}"));
    assert_eq!(server.ended(second["run"].as_str().unwrap())["output"], "demo");
}

#[test]
fn it_acts_for_its_owner_within_what_they_may() {
    let server = ApiServer::start(ALL);
    for name in ["acme", "zeta"] {
        server.post("/api/v1/organisations", &json!({ "name": name })).expect(201);
    }
    people::user(&server, "olga", "acme", "operator@acme/lab");
    people::user(&server, "zoe", "zeta", "admin@zeta");
    let (olga, zoe) = (people::token(&server, "olga"), people::token(&server, "zoe"));
    let made = server.send_as(&olga, "POST", "/api/v1/webhooks", Some(&launching())).expect(201).json();
    let (hook, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert_eq!(made["organisation"], "acme");
    server.send_as(&zoe, "GET", &format!("/api/v1/webhooks/{hook}"), None).expect(404);
    server.send_as(&zoe, "PUT", &format!("/api/v1/webhooks/{hook}/key"), Some(&json!({}))).expect(404);
    let run = deliver(&server, hook, key, "a", now(), r#"{"ref":"a"}"#).expect(201).json();
    let record = server.get(&format!("/api/v1/runs/{}", run["run"].as_str().unwrap())).expect(200).json();
    assert_eq!((record["organisation"].as_str(), record["launched_by"].as_str()), (Some("acme"), Some("olga")));
    // Whoever gets a new key for it lets it act for themselves from then on.
    people::user(&server, "otto", "acme", "operator@acme/lab");
    let otto = people::token(&server, "otto");
    let other = server.send_as(
        &olga,
        "POST",
        "/api/v1/webhooks",
        Some(&{
            let mut body = launching();
            body["name"] = "handed over".into();
            body
        }),
    );
    let other = other.expect(201).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/webhooks/{other}/key");
    let keyed = server.send_as(&otto, "PUT", &path, Some(&json!({}))).expect(200).json();
    assert_eq!(keyed["owner"], "otto");
    let run = deliver(&server, &other, keyed["key"].as_str().unwrap(), "a", now(), r#"{"ref":"a"}"#).expect(201).json();
    let record = server.get(&format!("/api/v1/runs/{}", run["run"].as_str().unwrap())).expect(200).json();
    assert_eq!(record["launched_by"], "otto");
    // A run of another organisation isn't reached, not even by its id.
    let theirs = json!({ "workflow": "lab/wait", "organisation": "zeta" });
    let theirs = server.send_as(&zoe, "POST", "/api/v1/runs", Some(&theirs)).expect(201).json()["id"].clone();
    let signal = json!({ "name": "reach", "action": { "do": "signal", "workflow": "lab/wait", "run": "${/body/run}", "signal": "paid" } });
    let made = server.send_as(&olga, "POST", "/api/v1/webhooks", Some(&signal)).expect(201).json();
    let (reach, reach_key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    deliver(&server, reach, reach_key, "a", now(), &json!({ "run": theirs }).to_string()).expect(404);
    server.patch("/api/v1/users/olga", &json!({ "disabled": true })).expect(200);
    let refused = wait_for("the owner's end to be felt", Duration::from_secs(60), || {
        let answer = deliver(&server, hook, key, "b", now(), r#"{"ref":"b"}"#);
        (answer.status == 403).then_some(answer)
    });
    assert_eq!(refused.json()["code"], "permission_denied");
}
