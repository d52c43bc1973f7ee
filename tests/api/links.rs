//! A link of `windlass seed` at a server: many who open it at once are one, and who has a second factor gets none.

use std::thread;

use serde_json::{Value, json};
use windlass_tests::ApiServer;

use super::{auth, people};

const PASSWORD: &str = "correct horse battery staple";
const JSON: (&str, &str) = ("content-type", "application/json");

fn seed(server: &ApiServer, words: &[&str]) -> Value {
    people::windlass(server, &[&["seed"], words].concat()).0
}

fn word(told: &Value) -> String {
    told["link"].as_str().unwrap_or_else(|| panic!("{told}")).split("#link=").nth(1).unwrap().to_owned()
}

#[test]
fn one_of_many_comes_in() {
    let server = ApiServer::start(&[]);
    let first = seed(&server, &["--admin", "root-admin"]);
    assert_eq!(first["made"], true, "{first}");
    assert_eq!(seed(&server, &["--admin", "root-admin"])["link"], Value::Null, "nothing is done again");
    let body = json!({ "token": word(&first), "password": PASSWORD }).to_string();
    let opened = thread::scope(|scope| {
        let all: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    server.raw("POST", "/api/v1/session/link", "", &[JSON], Some(body.as_bytes().to_vec())).status
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).filter(|status| *status == 200).count()
    });
    assert_eq!(opened, 1);
    let log_in = json!({ "name": "root-admin", "password": PASSWORD }).to_string();
    // Those who came too late are counted as guesses would be, at the link alone.
    server.raw("POST", "/api/v1/session", "", &[JSON], Some(log_in.into_bytes())).expect(200);
}

#[test]
fn a_link_is_for_admins_of_the_platform_and_ends() {
    let server = ApiServer::start(&[]);
    server.post("/api/v1/organisations", &json!({ "name": "acme" })).expect(201);
    people::user(&server, "bob", "acme", "admin@acme");
    assert_eq!(seed(&server, &["--admin", "bob", "--link"])["error"]["code"], "conflict");
    for holds in ["2d", "0s", "soon", "-1h"] {
        let holds = format!("--holds={holds}");
        assert_eq!(seed(&server, &["--admin", "ann", &holds])["error"]["code"], "usage", "{holds}");
    }
    let link = word(&seed(&server, &["--admin", "ann"]));
    for wrong in ["", ":", "ann", "ann:", "bob:x", &link.replace("ann:", "bob:"), &format!("{link}0"), "\u{0}:\u{0}"] {
        let body = json!({ "token": wrong, "password": PASSWORD }).to_string();
        let answer = server.raw("POST", "/api/v1/session/link", "", &[JSON], Some(body.as_bytes().to_vec()));
        // The sixth wrong one has to wait.
        assert!(matches!(answer.status, 401 | 429), "{wrong:?}: {} {}", answer.status, answer.text);
    }
}

#[test]
fn a_second_factor_that_was_set_up_since_ends_a_link_for_good() {
    let server = ApiServer::start(&[]);
    let spend = |link: &str, status: u16| {
        let body = json!({ "token": link, "password": PASSWORD }).to_string();
        server.raw("POST", "/api/v1/session/link", "", &[JSON], Some(body.into_bytes())).expect(status);
    };
    spend(&word(&seed(&server, &["--admin", "ann"])), 200);
    let link = word(&seed(&server, &["--admin", "ann", "--link"]));
    let (ann, elsewhere) = (auth::browser(&server, "ann", PASSWORD), auth::browser(&server, "ann", PASSWORD));
    let ask = |method: &str, body: Value| ann.ask(&server, method, "/api/v1/session/totp", Some(&body));
    let told = ask("POST", json!({ "current": PASSWORD })).expect(200).json();
    let code = auth::totp(told["seed"].as_str().unwrap(), auth::step());
    ask("PUT", json!({ "code": code })).expect(204);
    spend(&link, 401);
    // What was opened with the password alone ends with it, too.
    elsewhere.ask(&server, "GET", "/api/v1/session", None).expect(401);
    ann.ask(&server, "GET", "/api/v1/session", None).expect(200);
    ask("DELETE", json!({ "current": PASSWORD })).expect(204);
    spend(&link, 401);
    assert_eq!(seed(&server, &["--admin", "ann", "--link"])["made"], false);
}
