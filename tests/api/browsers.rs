//! What protects a session in a browser: when it ends, what its cookie says, and that no other site's page can use it.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_api::{Access, Route};
use windlass_tests::{Answer, ApiServer, wait_until};

use super::tls::Tls;

const SOON: Duration = Duration::from_secs(60);
const JSON: (&str, &str) = ("content-type", "application/json");

/// Logs in as the admin: the cookie's name and value, the word for changes, and the cookie's other parts.
fn log_in(server: &ApiServer) -> (String, String, Vec<String>) {
    let body = json!({ "name": "admin", "password": server.password });
    let answer = server.send_as("", "POST", "/api/v1/session", Some(&body)).expect(200);
    let csrf = answer.json()["csrf"].as_str().unwrap().to_owned();
    let mut parts = answer.header("set-cookie").unwrap().split("; ").map(str::to_owned);
    (parts.next().unwrap(), csrf, parts.collect())
}

fn look(server: &ApiServer, cookie: &str) -> Answer {
    server.raw("GET", "/api/v1/session", "", &[("cookie", cookie)], None)
}

#[test]
fn a_session_ends_when_nobody_uses_it_and_lives_while_somebody_does() {
    let server = ApiServer::start_with(&[], &[], "[auth]\nsession_idle = \"3s\"\n");
    let idle = Duration::from_secs(3);
    // In use for longer than it may be idle. On a machine that holds this test up the session may end: then once more.
    let used = || {
        let (cookie, ..) = log_in(&server);
        let (began, mut last) = (Instant::now(), Instant::now());
        while began.elapsed() < idle + idle / 2 {
            let status = look(&server, &cookie).status;
            if last.elapsed() > idle / 4 {
                return None;
            }
            assert_eq!(status, 200, "a session that is in use");
            last = Instant::now();
            thread::sleep(Duration::from_millis(100));
        }
        Some(cookie)
    };
    let cookie = (0..20).find_map(|_| used()).expect("a machine that isn't held up all the time");
    // Asking would be using: nobody asks for so long.
    thread::sleep(idle + Duration::from_millis(100));
    look(&server, &cookie).expect(401);
    look(&server, &cookie).expect(401);
}

#[test]
fn a_session_ends_at_its_time_however_much_it_is_used() {
    let server = ApiServer::start_with(&[], &[], "[auth]\nsession_max = \"3s\"\n");
    let (cookie, _, parts) = log_in(&server);
    let age = parts.iter().find_map(|part| part.strip_prefix("Max-Age=")).unwrap();
    assert!(age.parse::<i64>().unwrap() <= 3, "the browser forgets it by then: {parts:?}");
    wait_until("the session to end", SOON, || look(&server, &cookie).status == 401);
}

#[test]
fn over_tls_the_cookie_is_for_this_host_alone() {
    let Some(tls) = Tls::start(&[], "") else { return };
    let body = json!({ "name": "admin", "password": tls.server.password }).to_string();
    let json = "Content-Type: application/json";
    let opened = tls.ask("/api/v1/session", &["-H", json, "-d", &body]);
    assert_eq!(opened.code(), 200, "{}", opened.body);
    let mut parts: Vec<&str> = opened.header("set-cookie").split("; ").collect();
    let cookie = parts.remove(0);
    assert!(cookie.starts_with("__Host-windlass="), "{cookie}");
    parts.sort_unstable();
    assert!(parts[1].starts_with("Max-Age="), "{parts:?}");
    parts.remove(1);
    // No `Domain`: browsers refuse `__Host-` with one.
    assert_eq!(parts, ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"]);
    let sent = format!("Cookie: {cookie}");
    let me = tls.ask("/api/v1/session", &["-H", &sent]);
    assert_eq!(me.code(), 200);
    // Another host of the same domain can set a cookie without the prefix: such a one opens nothing.
    let planted = format!("Cookie: {}", cookie.trim_start_matches("__Host-"));
    assert_eq!(tls.ask("/api/v1/session", &["-H", &planted]).code(), 401);
    let csrf = serde_json::from_str::<Value>(&me.body).unwrap()["csrf"].as_str().unwrap().to_owned();
    let (csrf, made) = (format!("X-CSRF-Token: {csrf}"), json!({ "name": "acme" }).to_string());
    let make = |more: &[&str]| {
        let arguments = [&["-H", json, "-H", &sent, "-d", &made], more].concat();
        tls.ask("/api/v1/organisations", &arguments).code()
    };
    assert_eq!(make(&[]), 403);
    let origin = |origin: &str| format!("Origin: {origin}");
    let (plain, ours) = (origin(&tls.server.url.replace("https", "http")), origin(&tls.server.url));
    assert_eq!(make(&["-H", &csrf, "-H", &plain]), 403, "the same name without TLS is another site");
    assert_eq!(make(&["-H", &csrf, "-H", &ours]), 201);
    let gone = tls.ask("/api/v1/session", &["-X", "DELETE", "-H", &sent, "-H", &csrf]);
    assert_eq!(gone.code(), 204);
    let taken = gone.header("set-cookie");
    assert!(taken.starts_with("__Host-windlass=;") && taken.contains("; Max-Age=0"), "{taken}");
    assert_eq!(tls.ask("/api/v1/session", &["-H", &sent]).code(), 401);
}

#[test]
fn behind_a_proxy_with_tls_the_cookie_is_the_same() {
    let server = ApiServer::start_with(&[], &[], "[server]\npublic_url = \"https://windlass.example.net\"\n");
    let (cookie, _, parts) = log_in(&server);
    assert!(cookie.starts_with("__Host-windlass=") && parts.contains(&"Secure".to_owned()), "{cookie} {parts:?}");
    look(&server, &cookie).expect(200);
}

#[test]
fn a_voucher_is_redeemed_at_any_of_the_servers_names_by_whoever_isnt_logged_in() {
    let server = ApiServer::start_with(&[], &[], "[server]\npublic_url = \"https://console.example.net\"\n");
    let from = [JSON, ("origin", "https://example.net"), ("sec-fetch-site", "same-origin")];
    let ask = |path: &str, body: Value, more: &[(&str, &str)]| {
        server.raw("POST", path, "", &[&from, more].concat(), Some(body.to_string().into_bytes())).status
    };
    let redeem = || json!({ "code": "0000-0000-0000-0000-0000", "organisation": "bob", "email": "bob@bob.test" });
    assert_eq!(ask("/api/v1/redeem", redeem(), &[]), 404, "there is no such code, and that is all");
    assert_eq!(ask("/api/v1/redeem/progress", json!({ "run": "none", "word": "none" }), &[]), 404);
    // Nobody logs in there, and a session does nothing.
    assert_eq!(ask("/api/v1/session", json!({ "name": "admin", "password": server.password }), &[]), 403);
    let (cookie, _, _) = log_in(&server);
    assert_eq!(ask("/api/v1/redeem", redeem(), &[("cookie", &cookie)]), 403);
}

#[test]
fn every_change_asks_for_the_word_of_its_session() {
    let server = ApiServer::start(&[]);
    let (cookie, csrf, _) = log_in(&server);
    let ask = |method: &str, path: &str, more: &[(&str, &str)]| {
        let headers = [&[JSON, ("cookie", &cookie)], more].concat();
        let answer = server.raw(method, path, "", &headers, Some(b"{}".to_vec()));
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        (answer.status, detail.contains("another site"))
    };
    let mut changing = 0;
    // A signature isn't sent by a browser that another site's page drives.
    let changes = |route: &&Route| !route.method.is_safe() && route.access != Access::Signed;
    for route in windlass_api::routes().all().iter().filter(changes) {
        let (method, mut path) = (route.method.as_str(), route.path.to_owned());
        while let (Some(begin), Some(end)) = (path.find('{'), path.find('}')) {
            path.replace_range(begin..=end, "none");
        }
        changing += 1;
        assert_eq!(ask(method, &path, &[]), (403, true), "{method} {path} without the word");
        assert_eq!(ask(method, &path, &[("x-csrf-token", "wrong")]), (403, true), "{method} {path} with another");
        let elsewhere = [("x-csrf-token", csrf.as_str()), ("origin", "https://evil.example")];
        assert_eq!(ask(method, &path, &elsewhere), (403, true), "{method} {path} from another origin");
    }
    assert!(changing > 30, "{changing}");
    look(&server, &cookie).expect(200);
    // With the word it isn't this that is refused.
    let cancel = ask("POST", "/api/v1/runs/none/cancel", &[("x-csrf-token", &csrf)]);
    assert_eq!(cancel, (404, false));
}
