//! Logging in and out, cookies and what protects them, tokens, second factors, and the limits of those who manage others.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha1::Sha1;
use windlass_tests::{ApiServer, wait_until};

use super::{
    databases::{Database, on_each_database},
    people::{self, done, windlass},
};

const SOON: Duration = Duration::from_secs(60);

on_each_database!(open: a_session_begins_with_the_password_and_ends_for_good, guessing_is_slowed_down, a_new_password_ends_other_sessions, a_token_is_never_more_than_its_user, a_franchisee_manages_their_own_and_gives_no_more_than_they_hold, the_last_admin_stays);

fn open(database: Database) -> ApiServer {
    ApiServer::start_with(&[], &[], &database.settings())
}

/// A browser: its session's cookie, and the word for changes.
pub struct Browser {
    pub cookie: String,
    csrf: String,
}

fn log_in(server: &ApiServer, name: &str, password: &str, code: Option<&str>) -> windlass_tests::Answer {
    let mut body = json!({ "name": name, "password": password });
    if let Some(code) = code {
        body["code"] = code.into();
    }
    server.send_as("", "POST", "/api/v1/session", Some(&body))
}

pub fn browser(server: &ApiServer, name: &str, password: &str) -> Browser {
    let answer = log_in(server, name, password, None).expect(200);
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    Browser { cookie, csrf: answer.json()["csrf"].as_str().unwrap().to_owned() }
}

impl Browser {
    pub fn ask(&self, server: &ApiServer, method: &str, path: &str, body: Option<&Value>) -> windlass_tests::Answer {
        self.ask_with(server, method, path, body, &[("x-csrf-token", &self.csrf)])
    }

    fn ask_with(
        &self,
        server: &ApiServer,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> windlass_tests::Answer {
        let mut all = vec![("cookie", self.cookie.as_str()), ("content-type", "application/json")];
        all.extend(headers);
        server.raw(method, path, "", &all, body.map(|body| body.to_string().into_bytes()))
    }
}

fn code(answer: &windlass_tests::Answer) -> String {
    answer.json()["code"].as_str().unwrap_or_default().to_owned()
}

fn a_session_begins_with_the_password_and_ends_for_good(server: ApiServer) {
    let password = server.password.clone();
    let answer = log_in(&server, "admin", &password, None).expect(200);
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["windlass=", "; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "loopback has no TLS: {cookie}");
    let ann = browser(&server, "ADMIN", &password);
    let me = ann.ask(&server, "GET", "/api/v1/session", None).expect(200).json();
    assert_eq!((&me["user"], &me["by"], &me["csrf"]), (&json!("admin"), &json!("session"), &json!(ann.csrf)));
    assert!(me["permissions"].as_array().unwrap().contains(&json!("administer")));
    assert_eq!(ann.ask(&server, "GET", "/api/v1/sessions", None).expect(200).json().as_array().unwrap().len(), 2);
    ann.ask(&server, "DELETE", "/api/v1/session", None).expect(204);
    ann.ask(&server, "GET", "/api/v1/session", None).expect(401);
    // Whoever isn't there and whoever has another password are told the same.
    let (wrong, nobody) = (log_in(&server, "admin", "wrong", None), log_in(&server, "nobody", "wrong", None));
    assert_eq!((wrong.status, nobody.status), (401, 401));
    let told = |answer: &windlass_tests::Answer| (code(answer), answer.json()["detail"].clone());
    assert_eq!(told(&wrong), told(&nobody));
    assert_eq!(wrong.header("set-cookie"), None);
}

#[test]
fn other_sites_can_not_use_the_cookie() {
    let server = ApiServer::start(&[]);
    let ann = browser(&server, "admin", &server.password.clone());
    let body = json!({ "name": "acme" });
    let make = |headers: &[(&str, &str)]| ann.ask_with(&server, "POST", "/api/v1/organisations", Some(&body), headers);
    let csrf = ("x-csrf-token", ann.csrf.as_str());
    let other = browser(&server, "admin", &server.password.clone()).csrf;
    make(&[]).expect(403);
    make(&[("x-csrf-token", &other)]).expect(403);
    make(&[csrf, ("sec-fetch-site", "cross-site")]).expect(403);
    make(&[csrf, ("sec-fetch-site", "same-site")]).expect(403);
    make(&[csrf, ("origin", "https://evil.example")]).expect(403);
    make(&[csrf, ("origin", "null")]).expect(403);
    make(&[csrf, ("origin", &server.url), ("sec-fetch-site", "same-origin")]).expect(201);
    // A log-in that another site begins is refused, too.
    let body = json!({ "name": "admin", "password": server.password }).to_string().into_bytes();
    let headers = [("content-type", "application/json"), ("origin", "https://evil.example")];
    assert_eq!(server.raw("POST", "/api/v1/session", "", &headers, Some(body)).expect(403).header("set-cookie"), None);
    // Pages can't send tokens.
    let headers = [("content-type", "application/json"), ("origin", "https://evil.example")];
    let body = json!({ "name": "zeta" }).to_string().into_bytes();
    server.raw("POST", "/api/v1/organisations", &server.token, &headers, Some(body)).expect(201);
}

fn guessing_is_slowed_down(server: ApiServer) {
    let bob = people::user(&server, "bob", "platform", "viewer");
    let statuses: Vec<u16> = (0..8).map(|_| log_in(&server, "admin", "a wrong password", None).status).collect();
    assert_eq!(statuses[..6], [401; 6], "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    let slowed = log_in(&server, "admin", &server.password, None).expect(429);
    assert!(slowed.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(code(&slowed), "too_many_requests");
    // Another account isn't concerned, nor is a token.
    log_in(&server, "bob", &bob, None).expect(200);
    server.get("/api/v1/session").expect(200);
    wait_until("the wait to be over", SOON, || log_in(&server, "admin", &server.password, None).status == 200);
}

#[test]
fn failed_log_ins_are_in_the_audit_log_without_filling_it() {
    let mut server = ApiServer::start(&[]);
    people::user(&server, "bob", "platform", "viewer");
    for _ in 0..4 {
        log_in(&server, "bob", "tried-tried", None).expect(401);
        log_in(&server, "a password in the wrong field", "tried-tried", None).expect(401);
    }
    let stale = format!("wl_{}_{}", "0".repeat(26), "0".repeat(64));
    for _ in 0..4 {
        server.send_as(&stale, "GET", "/api/v1/runs", None).expect(401);
    }
    let ann = browser(&server, "admin", &server.password.clone());
    let wrong = json!({ "current": "tried-tried", "password": "something new 1" });
    ann.ask(&server, "PUT", "/api/v1/session/password", Some(&wrong)).expect(400);
    let refused = |server: &ApiServer| {
        let log = server.get("/api/v1/audit?limit=500").expect(200);
        assert!(!log.text.contains("tried-tried") && !log.text.contains("wrong field"), "{}", log.text);
        let mut found: Vec<String> = Vec::new();
        for entry in log.json()["items"].as_array().unwrap() {
            if entry["action"].as_str().unwrap().ends_with(".refused") {
                assert_eq!(entry["source"], "127.0.0.1");
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let (actor, target, how) =
                    (text(&entry["actor"]), text(&entry["target"]), text(&entry["after"]["how"]));
                found.push(format!("{actor} {target} {how} {}", entry["after"]["count"]));
            }
        }
        found.sort();
        found
    };
    let once = ["admin admin password 1", "anonymous bob password 1", "anonymous unknown password 1"];
    let once = [&once[..], &["anonymous unknown token 1"]].concat();
    wait_until("the failures to be written", SOON, || refused(&server) == once);
    // How many there were is told at the end of the minute, and at the end of the server.
    assert!(server.process().terminate(SOON).success());
    server.restart();
    let all = ["anonymous bob password 3", "anonymous unknown password 3", "anonymous unknown token 3"];
    let mut all = [&once[..], &all].concat();
    all.sort();
    assert_eq!(refused(&server), all);
}

fn a_new_password_ends_other_sessions(server: ApiServer) {
    let old = people::user(&server, "bob", "platform", "viewer");
    let (here, there) = (browser(&server, "bob", &old), browser(&server, "bob", &old));
    let change = |current: &str, new: &str| {
        let body = json!({ "current": current, "password": new });
        here.ask(&server, "PUT", "/api/v1/session/password", Some(&body))
    };
    change("wrong", "correct horse battery").expect(400);
    change(&old, "short").expect(400);
    there.ask(&server, "GET", "/api/v1/session", None).expect(200);
    change(&old, "correct horse battery").expect(204);
    here.ask(&server, "GET", "/api/v1/session", None).expect(200);
    there.ask(&server, "GET", "/api/v1/session", None).expect(401);
    log_in(&server, "bob", &old, None).expect(401);
    log_in(&server, "bob", "correct horse battery", None).expect(200);
    // A token that leaked isn't enough to take the account over.
    let body = json!({ "current": server.password, "password": "correct horse battery" });
    server.put("/api/v1/session/password", &body).expect(403);
    done(&server, &["users", "reset-password", "bob"]);
    wait_until("the session to end", SOON, || here.ask(&server, "GET", "/api/v1/session", None).status == 401);
}

/// The code that an app shows.
pub(super) fn totp(seed: &str, step: u64) -> String {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits = seed.chars().flat_map(|letter| {
        let value = letters.find(letter).unwrap();
        (0..5).rev().map(move |place| value >> place & 1)
    });
    let bits: Vec<usize> = bits.collect();
    let key: Vec<u8> = bits.chunks(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | *bit as u8)).collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] & 15);
    let word = u32::from_be_bytes(digest[at..at + 4].try_into().unwrap());
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

pub(super) fn step() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 30
}

#[test]
fn a_second_factor_is_asked_for_and_taken_once() {
    let server = ApiServer::start(&[]);
    let password = people::user(&server, "bob", "platform", "viewer");
    let bob = browser(&server, "bob", &password);
    let enrol = |current: &str| bob.ask(&server, "POST", "/api/v1/session/totp", Some(&json!({ "current": current })));
    enrol("wrong").expect(400);
    let told = enrol(&password).expect(200).json();
    let seed = told["seed"].as_str().unwrap();
    assert!(told["uri"].as_str().unwrap().starts_with("otpauth://totp/Windlass:bob?secret="));
    // Until the first code has shown that the seed arrived, the password is enough.
    log_in(&server, "bob", &password, None).expect(200);
    let confirm = |code: &str| bob.ask(&server, "PUT", "/api/v1/session/totp", Some(&json!({ "code": code })));
    confirm("000000").expect(400);
    let first = step();
    confirm(&totp(seed, first)).expect(204);
    let missing = log_in(&server, "bob", &password, None).expect(401);
    assert_eq!(missing.json()["data"]["totp"], json!(true));
    log_in(&server, "bob", &password, Some(&totp(seed, first))).expect(401);
    let next = first + 1;
    log_in(&server, "bob", &password, Some(&totp(seed, next))).expect(200);
    log_in(&server, "bob", &password, Some(&totp(seed, next))).expect(401);
    let recovery = told["recovery"][0].as_str().unwrap();
    log_in(&server, "bob", &password, Some(recovery)).expect(200);
    log_in(&server, "bob", &password, Some(recovery)).expect(401);
    // Neither the seed nor a code is anywhere in the audit log.
    let log = server.get("/api/v1/audit/export").expect(200).text;
    assert!(log.contains("user.totp_confirm") && !log.contains(seed) && !log.contains(recovery), "{log}");
    assert!(!log.contains(&password) && !log.contains("argon2"), "{log}");
    done(&server, &["users", "reset-password", "bob", "--remove-totp"]);
}

fn a_token_is_never_more_than_its_user(server: ApiServer) {
    people::user(&server, "bob", "platform", "admin@*");
    let token = people::token(&server, "bob");
    let may = |token: &str| server.send_as(token, "GET", "/api/v1/secrets", None).status;
    assert_eq!(may(&token), 200);
    // Issued by a token: no more, no longer.
    let ask = json!({ "name": "less", "bindings": [{ "role": "viewer", "organisation": "*" }] });
    let less = server.send_as(&token, "POST", "/api/v1/tokens", Some(&ask)).expect(201).json();
    let less_token = less["token"].as_str().unwrap();
    assert_eq!(may(less_token), 403);
    let ask = json!({ "name": "more", "bindings": [{ "role": "admin", "organisation": "*" }] });
    let more = server.send_as(less_token, "POST", "/api/v1/tokens", Some(&ask)).expect(201).json();
    assert_eq!(more["bindings"], json!([{ "role": "viewer", "organisation": "*", "folder": "*" }]));
    // Demoted: at once, where it happened.
    let body = json!({ "bindings": [{ "role": "viewer", "organisation": "*" }] });
    server.patch("/api/v1/users/bob", &body).expect(200);
    assert_eq!(may(&token), 403);
    server.send_as(&token, "GET", "/api/v1/runs", None).expect(200);
    // Revoked: at once. From another process: within two seconds.
    server.send_as(&token, "DELETE", &format!("/api/v1/tokens/{}", less["id"].as_str().unwrap()), None).expect(204);
    assert_eq!(may(less_token), 401);
    let listed = server.send_as(&token, "GET", "/api/v1/tokens", None).expect(200);
    assert!(!listed.text.contains(&token[30..]) && listed.text.contains(&token[3..29]), "{}", listed.text);
    done(&server, &["tokens", "revoke", &token[3..29]]);
    wait_until("the token to be refused", SOON, || may(&token) == 401);
    for wrong in ["wl_", "nonsense", &format!("{}0", &server.token[..server.token.len() - 1])] {
        if wrong != server.token {
            assert_eq!(may(wrong), 401, "{wrong}");
        }
    }
    // One that ends by itself.
    let ends = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64 + 1_500;
    let short = server.post("/api/v1/tokens", &json!({ "name": "short", "expires_at_ms": ends })).expect(201).json();
    wait_until("the token to end", SOON, || may(short["token"].as_str().unwrap()) == 401);
}

fn a_franchisee_manages_their_own_and_gives_no_more_than_they_hold(server: ApiServer) {
    for name in ["acme", "zeta"] {
        server.post("/api/v1/organisations", &json!({ "name": name })).expect(201);
    }
    people::user(&server, "fran", "acme", "franchisee@acme");
    people::user(&server, "boss", "acme", "admin@acme");
    people::user(&server, "zoe", "zeta", "viewer@zeta");
    let token = people::token(&server, "fran");
    let ask = |method: &str, path: &str, body: Value| server.send_as(&token, method, path, Some(&body)).status;
    let user = |name: &str, organisation: &str, role: &str, place: &str| json!({ "name": name, "organisation": organisation, "bindings": [{ "role": role, "organisation": place }] });
    assert_eq!(ask("POST", "/api/v1/users", user("mo", "acme", "operator", "acme")), 201);
    for (organisation, role, place) in
        [("acme", "admin", "acme"), ("acme", "viewer", "zeta"), ("acme", "viewer", "*"), ("zeta", "viewer", "zeta")]
    {
        assert_eq!(
            ask("POST", "/api/v1/users", user("eve", organisation, role, place)),
            403,
            "{organisation} {role} {place}"
        );
    }
    let admin = json!({ "bindings": [{ "role": "admin", "organisation": "*" }] });
    assert_eq!(ask("PATCH", "/api/v1/users/mo", admin.clone()), 403);
    assert_eq!(ask("PATCH", "/api/v1/users/fran", admin), 403);
    assert_eq!(ask("PATCH", "/api/v1/users/zoe", json!({ "disabled": true })), 404);
    // Whoever holds more is out of reach: a new password would be a way to become them.
    assert_eq!(ask("PUT", "/api/v1/users/boss/password", json!({})), 403);
    assert_eq!(ask("PATCH", "/api/v1/users/boss", json!({ "disabled": true })), 403);
    assert_eq!(ask("PATCH", "/api/v1/users/mo", json!({ "disabled": true })), 200);
    let listed = server.send_as(&token, "GET", "/api/v1/users", None).expect(200).json();
    let names: Vec<&str> =
        listed["items"].as_array().unwrap().iter().filter_map(|user| user["name"].as_str()).collect();
    assert_eq!(names, ["boss", "fran", "mo"]);
    let stale = server.raw(
        "PATCH",
        "/api/v1/users/mo",
        &token,
        &[("content-type", "application/json"), ("if-match", "\"1\"")],
        Some(b"{\"title\":\"Mo\"}".to_vec()),
    );
    assert_eq!(code(&stale.expect(412)), "precondition_failed");
    // Members of a suspended organisation can't act in it.
    server.send_as(&token, "GET", "/api/v1/runs", None).expect(200);
    server.patch("/api/v1/organisations/acme", &json!({ "suspended": true })).expect(200);
    server.send_as(&token, "GET", "/api/v1/runs", None).expect(403);
    server.patch("/api/v1/organisations/acme", &json!({ "suspended": false })).expect(200);
    server.send_as(&token, "GET", "/api/v1/runs", None).expect(200);
}

fn the_last_admin_stays(server: ApiServer) {
    server.patch("/api/v1/users/admin", &json!({ "disabled": true })).expect(409);
    server.patch("/api/v1/users/admin", &json!({ "bindings": [] })).expect(409);
    server.delete("/api/v1/users/admin").expect(409);
    assert!(!windlass(&server, &["users", "revoke", "admin", "admin@*"]).1);
    assert!(!windlass(&server, &["users", "disable", "admin"]).1);
    people::user(&server, "second", "platform", "admin@*");
    done(&server, &["users", "disable", "admin"]);
    wait_until("the admin to be kept out", SOON, || server.get("/api/v1/session").status == 401);
    assert!(!windlass(&server, &["users", "disable", "second"]).1);
    done(&server, &["users", "enable", "admin"]);
    wait_until("the admin to be let in", SOON, || server.get("/api/v1/session").status == 200);
    // A user of the same name is somebody else: the old one's tokens are gone with them.
    people::user(&server, "temp", "platform", "viewer");
    let token = people::token(&server, "temp");
    server.delete("/api/v1/users/temp").expect(204);
    people::user(&server, "temp", "platform", "viewer");
    server.send_as(&token, "GET", "/api/v1/session", None).expect(401);
}
