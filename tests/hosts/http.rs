//! `http` from scripts: grants, JSON both ways, retries, and nothing sent in a rehearsal.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::Arc,
};

use parking_lot::Mutex;
use serde_json::json;
use windlass_hosts::HostConfig;
use windlass_model::Code;

use super::Shop;

/// A server on a free port that gives these answers in turn, and notes request lines and bodies.
struct Server {
    base: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn answering(answers: &'static [(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let notes = seen.clone();
        std::thread::spawn(move || {
            for (stream, (status, body)) in listener.incoming().map_while(Result::ok).zip(answers) {
                let mut reader = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|count| count > 0) {}
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
                let mut sent = vec![0; length];
                let _ = reader.read_exact(&mut sent);
                notes.lock().push(format!(
                    "{} {}",
                    head.lines().next().unwrap_or_default(),
                    String::from_utf8_lossy(&sent)
                ));
                let answer = format!(
                    "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\nretry-after: 0\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = reader.get_mut().write_all(answer.as_bytes());
            }
        });
        Self { base, seen }
    }

    /// The script with `@` standing for the server's address.
    fn script(&self, body: &str) -> String {
        body.replace('@', &self.base)
    }
}

#[test]
fn a_script_talks_json_with_a_server_that_is_granted() {
    let server = Server::answering(&[("201 Created", r#"{"id":7}"#), ("200 OK", r#"{"name":"x"}"#)]);
    let shop = Shop::real(&HostConfig::default());
    let body = server.script(
        r#"
        let made = http::post("@/v1/things", #{ name: "x" }, #{ expect: [201] }).json;
        http::get("@/v1/things/" + made.id).json.name
        "#,
    );
    // The grants name the address, so it may be one inside the house.
    let grants = [format!("http.post:{}/v1/things", server.base), format!("http.get:{}/v1/things/*", server.base)];
    assert_eq!(shop.result(&[&grants[0], &grants[1]], &body).expect("it is granted"), "x");
    assert_eq!(*server.seen.lock(), [r#"POST /v1/things HTTP/1.1 {"name":"x"}"#, "GET /v1/things/7 HTTP/1.1 "]);
    let problem = shop.result(&[&grants[1]], &body).unwrap_err();
    assert_eq!(problem.code, Code::PermissionDenied);
    assert!(problem.message.contains(&format!("http.post:{}/v1/things", server.base)), "{}", problem.message);
}

#[test]
fn a_wide_grant_does_not_open_the_house() {
    let server = Server::answering(&[("200 OK", "{}")]);
    let shop = Shop::real(&HostConfig::default());
    for url in ["@/x", "https://127.0.0.1/x", "https://localhost/x", "https://169.254.169.254/latest/meta-data/"] {
        let problem = shop.result(&["http.get:*"], &server.script(&format!("http::get(\"{url}\")"))).unwrap_err();
        assert_eq!(problem.code, Code::PermissionDenied, "{url}");
    }
    assert!(server.seen.lock().is_empty());
}

#[test]
fn reads_are_tried_again_and_posts_are_not() {
    let busy = ("503 Service Unavailable", "{}");
    let server = Server::answering(Box::leak(Box::new([busy, busy, ("200 OK", "[1]"), busy])));
    let shop = Shop::real(&HostConfig::default());
    let grants = [format!("http.get:{}/*", server.base), format!("http.post:{}/*", server.base)];
    let (result, journal, _) = shop.run(&[&grants[0]], &server.script("http::get(\"@/x\").json"));
    assert_eq!(result.expect("the third answer is one"), json!([1]));
    let retries = journal.calls.lock().iter().filter(|call| call.starts_with("retry")).count();
    assert_eq!(retries, 2);
    let (result, journal, _) = shop.run(&[&grants[1]], &server.script("http::post(\"@/x\").status"));
    assert_eq!(result.expect("a status is a result"), 503);
    assert!(!journal.calls.lock().iter().any(|call| call.starts_with("retry")));
    assert_eq!(server.seen.lock().len(), 4);
}

#[test]
fn a_rehearsal_sends_nothing() {
    let server = Server::answering(&[("500 Internal Server Error", "")]);
    let shop = Shop::rehearsal(&HostConfig::default());
    let grant = format!("http.delete:{}/*", server.base);
    assert_eq!(shop.result(&[&grant], &server.script("http::delete(\"@/x\").status")).expect("it is assumed"), 200);
    assert!(server.seen.lock().is_empty());
}
