//! Pool domains over HTTP, at real servers.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_hosts::HostConfig;
use windlass_tests::{ApiServer, PowerDns, wait_until};

use super::{make_parent, pool::settings, zone_exists};

/// A server with names to give out.
fn served(pdns: &PowerDns, reservation_s: u64) -> ApiServer {
    ApiServer::start_with(&[], &[], &settings_of(pdns, reservation_s))
}

/// Its lines of `windlass.toml`.
fn settings_of(pdns: &PowerDns, reservation_s: u64) -> String {
    let config = HostConfig { pool: settings(reservation_s, 1), ..super::config(pdns) };
    let mut hosts = json!(config);
    hosts.as_object_mut().expect("a map").retain(|key, _| key == "dns" || key == "pool");
    toml::to_string(&json!({ "hosts": hosts })).expect("it can be written")
}

fn availability(server: &ApiServer, label: &str) -> Value {
    server.get(&format!("/api/v1/pool/check?domain=pool.test&label={label}")).expect(200).json()
}

#[test]
fn the_http_resource_answers_with_its_codes() {
    let Some(pdns) = PowerDns::start() else { return };
    make_parent(&pdns);
    let mut server = served(&pdns, 60);
    let names = "/api/v1/pool/names";
    assert_eq!(server.get("/api/v1/pool").expect(200).json(), json!(["pool.test"]));
    let check = |label: &str| availability(&server, label);
    assert_eq!(check("acme"), json!({ "available": true }));
    let body = |label: &str| json!({ "domain": "pool.test", "label": label });
    let held = server.post(names, &body("acme")).expect(201).json();
    assert_eq!(check("acme")["reason"], "taken");
    server.post(names, &body("acme")).expect(409);
    for label in ["www", "a.b", "-"] {
        let refused = server.post(names, &body(label)).expect(422).json();
        assert!(refused["data"]["reason"].is_string(), "{refused}");
    }
    server.post(names, &json!({ "domain": "other.test", "label": "a" })).expect(422);
    let commit = |token: &Value| {
        server.post(&format!("{names}/acme.pool.test/commit"), &json!({ "token": token, "addresses": ["192.0.2.7"] }))
    };
    commit(&json!("wrong")).expect(403);
    server
        .post(&format!("{names}/none.pool.test/commit"), &json!({ "token": "x", "addresses": ["192.0.2.7"] }))
        .expect(404);
    server.post(&format!("{names}/acme.pool.test/renew"), &json!({ "token": held["token"] })).expect(200);
    commit(&held["token"]).expect(200);
    commit(&held["token"]).expect(200);
    assert!(pdns.delv("pool.test.", "api.acme.pool.test", "A").contains("; fully validated"));
    let listed = server.get(&format!("{names}?domain=pool.test")).expect(200);
    assert!(!listed.text.contains(held["token"].as_str().expect("a token")));
    assert_eq!(listed.json()["items"][0]["state"], "active");
    // It outlives the server, as documents do.
    let released =
        server.post(&format!("{names}/acme.pool.test/release"), &json!({ "token": held["token"] })).expect(200).json();
    assert!(released["free_at_ms"].is_i64(), "{released}");
    wait_until("the name is free again", Duration::from_secs(60), || check("acme")["available"] == true);
    wait_until("its zone is gone", Duration::from_secs(60), || !zone_exists(&pdns, "acme.pool.test."));
    // A reservation that nobody commits runs out, and is swept with its DNS; until then it answers 410.
    std::fs::write(server.workflows().with_file_name("windlass.toml"), settings_of(&pdns, 2))
        .expect("it can be written");
    server.kill_and_restart();
    let check = |label: &str| availability(&server, label);
    let short = server.post(names, &body("brief")).expect(201).json();
    let late = json!({ "token": short["token"], "addresses": ["192.0.2.7"] });
    wait_until("the reservation is gone", Duration::from_secs(60), || check("brief")["available"] == true);
    let status = server.post(&format!("{names}/brief.pool.test/commit"), &late).status;
    assert!([404, 410].contains(&status), "{status}");
    wait_until("it is swept", Duration::from_secs(60), || !zone_exists(&pdns, "brief.pool.test."));
    // Its row goes last.
    wait_until("nobody has it", Duration::from_secs(60), || {
        server.post(&format!("{names}/brief.pool.test/commit"), &late).status == 404
    });
    // Each change stands in the audit log, without the token.
    let audit = server.get("/api/v1/audit?limit=100").expect(200);
    for action in ["pool.reserve", "pool.commit", "pool.renew", "pool.release"] {
        assert!(audit.text.contains(action), "{action}: {}", audit.text);
    }
    assert!(!audit.text.contains(held["token"].as_str().expect("a token")));
}

#[test]
fn a_reservation_that_has_run_out_answers_410() {
    let Some(pdns) = PowerDns::start() else { return };
    make_parent(&pdns);
    let mut config = json!(HostConfig { pool: settings(1, 1), ..super::config(&pdns) });
    config["pool"]["sweep_s"] = json!(3_600);
    config.as_object_mut().expect("a map").retain(|key, _| key == "dns" || key == "pool");
    let server =
        ApiServer::start_with(&[], &[], &toml::to_string(&json!({ "hosts": config })).expect("it can be written"));
    let held =
        server.post("/api/v1/pool/names", &json!({ "domain": "pool.test", "label": "brief" })).expect(201).json();
    std::thread::sleep(Duration::from_millis(1_200));
    let body = json!({ "token": held["token"], "addresses": ["192.0.2.7"] });
    let gone = server.post("/api/v1/pool/names/brief.pool.test/commit", &body).expect(410).json();
    assert_eq!(gone["code"], "gone");
    server.post("/api/v1/pool/names", &json!({ "domain": "pool.test", "label": "brief" })).expect(201);
}

#[test]
fn an_organisation_keeps_only_so_many_names_for_so_long() {
    let Some(pdns) = PowerDns::start() else { return };
    make_parent(&pdns);
    let mut config = json!(HostConfig { pool: settings(56, 1), ..super::config(&pdns) });
    config["pool"]["reservations"] = json!(2);
    config["pool"]["reserved_s"] = json!(60);
    config["pool"]["sweep_s"] = json!(3_600);
    config.as_object_mut().expect("a map").retain(|key, _| key == "dns" || key == "pool");
    let server =
        ApiServer::start_with(&[], &[], &toml::to_string(&json!({ "hosts": config })).expect("it can be written"));
    server.post("/api/v1/organisations", &json!({ "name": "acme", "title": "Acme" })).expect(201);
    let names = "/api/v1/pool/names";
    let reserve = |label: &str, organisation: &str| {
        server.post(names, &json!({ "domain": "pool.test", "label": label, "organisation": organisation }))
    };
    reserve("one", "acme").expect(201);
    let second = reserve("two", "acme").expect(201).json();
    let refused = reserve("three", "acme").json();
    assert_eq!(refused["code"], "limit_exceeded", "{refused}");
    assert!(!zone_exists(&pdns, "three.pool.test."));
    let audit = server.get("/api/v1/audit?limit=100").expect(200);
    assert_eq!(audit.text.matches("pool.reserve").count(), 2, "what is refused leaves no entry: {}", audit.text);
    // The platform has no such limit, and what is given out doesn't count.
    reserve("house", "platform").expect(201);
    let body = json!({ "token": second["token"], "addresses": ["192.0.2.7"] });
    server.post(&format!("{names}/two.pool.test/commit"), &body).expect(200);
    reserve("three", "acme").expect(201);
    // A token renews it for a while, and no longer: once its minute lies within what it is renewed for.
    let late = reserve("late", "platform").expect(201).json();
    let renew = || server.post(&format!("{names}/late.pool.test/renew"), &json!({ "token": late["token"] }));
    let begun = std::time::Instant::now();
    let mut renewed = 0;
    let last = loop {
        let answer = renew();
        match answer.status {
            200 => renewed += 1,
            _ => break answer,
        }
        assert!(begun.elapsed() < Duration::from_secs(50), "it is renewed for ever");
        std::thread::sleep(Duration::from_millis(300));
    };
    assert!(renewed > 1, "{last:?}");
    assert_eq!((last.status, &last.json()["code"]), (410, &json!("gone")), "{last:?}");
}

#[test]
fn of_many_requests_for_one_name_one_gets_it() {
    let Some(pdns) = PowerDns::start() else { return };
    make_parent(&pdns);
    let server = served(&pdns, 60);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let ask = || server.post("/api/v1/pool/names", &json!({ "domain": "pool.test", "label": "acme" })).status;
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let count = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((count(201), count(409)), (1, 7), "{statuses:?}");
    // One entry of the audit log for the one that was reserved.
    let audit = server.get("/api/v1/audit?limit=100").expect(200);
    assert_eq!(audit.text.matches("pool.reserve").count(), 1, "{}", audit.text);
    assert!(zone_exists(&pdns, "acme.pool.test."));
}

#[test]
fn two_machines_on_one_database_give_a_name_once() {
    let Some(pdns) = PowerDns::start() else { return };
    let Some(url) = windlass_tests::postgres::database() else {
        return windlass_tests::skip("no PostgreSQL is installed under /usr/lib/postgresql");
    };
    make_parent(&pdns);
    windlass_engine::migrate(&url).expect("an empty database");
    let settings = format!("database = \"{url}\"\n{}", settings_of(&pdns, 60));
    let machines = [ApiServer::start_with(&[], &[], &settings), ApiServer::start_with(&[], &[], &settings)];
    let token = machines[0].token.clone();
    let body = json!({ "domain": "pool.test", "label": "acme" });
    let answers: Vec<windlass_tests::Answer> = std::thread::scope(|scope| {
        let ask = |n: usize| machines[n % 2].send_as(&token, "POST", "/api/v1/pool/names", Some(&body));
        let asking: Vec<_> = (0..8).map(|n| scope.spawn(move || ask(n))).collect();
        asking.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let count = |status: u16| answers.iter().filter(|one| one.status == status).count();
    assert_eq!((count(201), count(409)), (1, 7), "{answers:?}");
    // What one has reserved, the other commits.
    let held = answers.iter().find(|answer| answer.status == 201).expect("one").json();
    let commit = json!({ "token": held["token"], "addresses": ["192.0.2.7"] });
    for machine in &machines {
        machine.send_as(&token, "POST", "/api/v1/pool/names/acme.pool.test/commit", Some(&commit)).expect(200);
    }
    assert!(pdns.delv("pool.test.", "gitea.acme.pool.test", "A").contains("; fully validated"));
}
