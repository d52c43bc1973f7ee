//! What is lost when a token leaks, a session is found open, or a password becomes known: it can be ended, and whoever has it
//! doesn't get the account.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use reqwest::header::{COOKIE, HeaderMap};
use serde_json::json;
use windlass_api::auth::{
    Auth, AuthConfig, Credentials, Opened,
    kept::{By, Session, User, UserBody},
    users,
};
use windlass_engine::Engine;
use windlass_model::document::Expected;
use windlass_tests::{ApiServer, World};

use super::{auth::browser, house::InMemory, people};

const PASSWORD: &str = "correct horse battery staple";
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[test]
fn a_token_or_a_session_of_ones_own_takes_no_account_over() {
    let server = ApiServer::start(&[]);
    server.post("/api/v1/organisations", &json!({ "name": "acme" })).expect(201);
    let password = people::user(&server, "bob", "acme", "admin@acme");
    let token = people::token(&server, "bob");
    let bob = browser(&server, "bob", &password);
    for (method, path, body) in [
        ("PUT", "/api/v1/users/bob/password", json!({})),
        ("PUT", "/api/v1/users/BOB/password", json!({ "password": PASSWORD })),
        ("DELETE", "/api/v1/users/bob/totp", json!({})),
        ("PATCH", "/api/v1/users/bob", json!({ "email": "eve@example.net" })),
    ] {
        let by_token = server.send_as(&token, method, path, Some(&body)).expect(403).json();
        assert_eq!(by_token["code"], "permission_denied", "{by_token}");
        bob.ask(&server, method, path, Some(&body)).expect(403);
    }
    server.send_as(&token, "PATCH", "/api/v1/users/bob", Some(&json!({ "title": "Bob" }))).expect(200);
    bob.ask(&server, "GET", "/api/v1/session", None).expect(200);
    // Somebody else who may, may.
    server.patch("/api/v1/users/bob", &json!({ "email": "bob@example.net" })).expect(200);
    server.delete("/api/v1/users/bob/totp").expect(204);
    server.put("/api/v1/users/bob/password", &json!({})).expect(200);
    bob.ask(&server, "GET", "/api/v1/session", None).expect(401);
}

/// An engine with users, and who comes in.
struct Door {
    world: World,
    auth: Auth,
    by: By,
}

impl Door {
    fn open() -> Self {
        let auth = Auth::new(AuthConfig::default(), Arc::new(InMemory::default()));
        Self { world: World::new(), auth, by: By { actor: "test".into(), source: "test".into() } }
    }

    fn engine(&self) -> Engine {
        self.world.engine()
    }

    fn user(&self, name: &str) -> User {
        let body = UserBody { password: Some(users::hashed(PASSWORD, name).unwrap()), ..UserBody::default() };
        users::create(&self.engine(), &self.by, name, "platform", body).unwrap()
    }

    fn log_in(&self, name: &str) -> Result<Opened, windlass_model::Problem> {
        let credentials = Credentials { name, password: PASSWORD, code: None };
        self.auth.log_in(&self.engine(), &credentials, HERE, "a browser")
    }

    fn lets_in(&self, opened: &Opened) -> bool {
        let cookie = format!("__Host-windlass={}", opened.cookie).parse().unwrap();
        let headers = HeaderMap::from_iter([(COOKIE, cookie)]);
        self.auth.principal(&self.engine(), &headers, HERE).unwrap().is_known()
    }
}

#[test]
fn a_session_that_is_written_after_all_were_ended_is_none() {
    let door = Door::open();
    let engine = door.engine();
    let new_password = |user: &User| users::set_password(&engine, &door.by, user, "another horse", None).unwrap();
    let end = |user: &User| users::end_sessions(&engine, &door.by, &user.id).unwrap();
    for (name, ends) in [("ann", &new_password as &dyn Fn(&User)), ("bob", &end)] {
        let user = door.user(name);
        let opened = door.log_in(name).unwrap();
        let late = Session::find(&engine, &opened.session.id).unwrap().unwrap();
        ends(&user);
        assert!(Session::find(&engine, &opened.session.id).unwrap().is_none());
        engine.change(vec![late.put_expecting(Expected::Absent).unwrap()]).unwrap();
        assert!(!door.lets_in(&opened), "{name}");
    }
    assert!(door.lets_in(&door.log_in("bob").unwrap()), "whoever logs in now");
}

#[test]
fn a_log_in_under_way_does_not_outlive_a_new_password() {
    let door = Door::open();
    for (round, delay) in [0, 5, 15, 30].into_iter().enumerate() {
        let user = door.user(&format!("bob-{round}"));
        let opened = thread::scope(|scope| {
            let under_way = scope.spawn(|| {
                thread::sleep(Duration::from_millis(delay));
                door.log_in(&user.id)
            });
            users::set_password(&door.engine(), &door.by, &user, "another horse", None).unwrap();
            under_way.join().unwrap()
        });
        assert!(!opened.is_ok_and(|opened| door.lets_in(&opened)), "round {round}");
        assert_eq!(users::sessions(&door.engine(), &user.id).unwrap().len(), 0, "round {round}");
    }
}

#[test]
fn a_page_that_stands_open_keeps_no_session_alive() {
    let server = ApiServer::start_with(&[], &[], "[auth]\nsession_idle = \"6s\"\n[server]\nrecheck_ms = 200\n");
    let (left, used) = (browser(&server, "admin", &server.password), browser(&server, "admin", &server.password));
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {}\r\n\r\n", left.cookie)
        .unwrap();
    let (began, mut got, mut ended) = (Instant::now(), Vec::new(), false);
    while !ended && began.elapsed() < Duration::from_secs(40) {
        let mut piece = [0; 4_096];
        match stream.read(&mut piece) {
            Ok(0) => ended = true,
            Ok(count) => got.extend_from_slice(&piece[..count]),
            Err(_) => {}
        }
        used.ask(&server, "GET", "/api/v1/session", None).expect(200);
    }
    let text = String::from_utf8_lossy(&got);
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("text/event-stream"), "{text}");
    assert!(ended, "the stream of a session that nobody uses goes on: {text}");
    left.ask(&server, "GET", "/api/v1/session", None).expect(401);
    used.ask(&server, "GET", "/api/v1/session", None).expect(200);
}
