//! `http` against real servers on loopback addresses.

mod server;

use std::{
    io::Write,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use windlass_model::{Code, RetryPolicy};

use self::server::{Server, answer};
use super::{Config, module, ops};
use crate::{
    testing::Bench,
    web::{Client, Found, Lookup},
};

/// The module with 127.0.0.1 allowed, and all methods granted on these servers.
fn bench(servers: &[&Server]) -> Bench {
    let config = Config { allow_addresses: vec!["127.0.0.1".into()], ca_file: None, unacknowledged_ms: 0 };
    let mut bench = Bench::new(module(&config).unwrap(), &[]);
    bench.cx.grants = servers.iter().flat_map(|server| server.grants()).collect();
    bench
}

/// A name server of the test's own: answers in turn, the last one for ever.
struct Names(Vec<Vec<IpAddr>>, AtomicUsize);

impl Lookup for Names {
    fn lookup(&self, _: String) -> Found {
        let turn = self.1.fetch_add(1, Ordering::SeqCst).min(self.0.len() - 1);
        let answer = self.0[turn].clone();
        Box::pin(async move { Ok(answer) })
    }
}

fn with_names(names: &[&[&str]], allow: &[&str], grants: &[&str]) -> (Bench, Arc<Names>) {
    let read = |turn: &&[&str]| turn.iter().map(|text| text.parse().unwrap()).collect();
    let names = Arc::new(Names(names.iter().map(read).collect(), AtomicUsize::new(0)));
    let config = Config {
        allow_addresses: allow.iter().map(ToString::to_string).collect(),
        ca_file: None,
        unacknowledged_ms: 0,
    };
    let client = Client::new(&config, names.clone()).unwrap();
    (Bench::new(ops::module(Some(Arc::new(client))), grants), names)
}

#[test]
fn an_answer_has_status_headers_body_and_json() {
    let server =
        Server::saying(answer("200 OK", "Content-Type: application/json\r\nX-A: 1\r\nX-A: 2\r\n", r#"{"a":[1]}"#));
    let result = bench(&[&server]).call("get", json!([server.url("/v1/x?y=1"), { "query": { "z": "ä &" } }])).unwrap();
    assert_eq!(result["status"], 200);
    assert_eq!(result["body"], r#"{"a":[1]}"#);
    assert_eq!(result["json"], json!({ "a": [1] }));
    assert_eq!(result["headers"]["x-a"], "1, 2");
    let seen = server.seen();
    assert_eq!(seen[0].line, "GET /v1/x?y=1&z=%C3%A4+%26 HTTP/1.1");
    assert!(seen[0].header("user-agent").unwrap().starts_with("windlass/"));
}

#[test]
fn bodies_and_secrets_arrive() {
    let server = Server::saying(answer("201 Created", "", ""));
    let mut bench = bench(&[&server]);
    bench.cx.secrets.insert("token".into(), "s3cret".into());
    let secret = json!({ "$secret": "token" });
    let opts = json!({ "headers": { "Authorization": secret, "x-retries": 3 } });
    bench.call("post", json!([server.url("/"), { "key": [secret], "n": 1 }, opts])).unwrap();
    bench.call("put", json!([server.url("/"), "plain"])).unwrap();
    bench.call("patch", json!([server.url("/"), secret])).unwrap();
    bench.call("request", json!([{ "method": "report", "url": server.url("/r"), "body": [1] }])).unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].body, r#"{"key":["s3cret"],"n":1}"#);
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!((seen[0].header("authorization"), seen[0].header("x-retries")), (Some("s3cret"), Some("3")));
    assert_eq!((seen[1].body.as_str(), seen[2].body.as_str()), ("plain", "s3cret"));
    assert_eq!((seen[3].line.as_str(), seen[3].body.as_str()), ("REPORT /r HTTP/1.1", "[1]"));
}

#[test]
fn a_keyed_post_has_the_same_key_in_every_attempt() {
    let server = Server::saying(answer("200 OK", "", ""));
    let mut bench = bench(&[&server]);
    bench.call("post_keyed", json!([server.url("/")])).unwrap();
    bench.call("post_keyed", json!([server.url("/")])).unwrap();
    bench.cx.key = "01testrun00000000000000000/2".into();
    bench.call("post_keyed", json!([server.url("/")])).unwrap();
    let keys: Vec<String> =
        server.seen().iter().map(|seen| seen.header("idempotency-key").unwrap().to_owned()).collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
    assert!(bench.op("post_keyed").lookup.is_some());
}

#[test]
fn headers_cannot_be_injected() {
    let server = Server::saying(answer("200 OK", "", ""));
    let bench = bench(&[&server]);
    for (name, value) in [
        ("x-a", "1\r\nx-evil: 1"),
        ("x-a", "1\nx-evil: 1"),
        ("x-a\r\nx-evil", "1"),
        ("x-a", "\0"),
        ("x a", "1"),
        ("Host", "evil.org"),
        ("content-length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("proxy-authorization", "x"),
    ] {
        let problem = bench.call("get", json!([server.url("/"), { "headers": { name: value } }])).unwrap_err();
        assert_eq!(problem.code, Code::InvalidArgument, "{name:?}: {value:?}");
        assert!(problem.no_effect);
    }
    bench.call("get", json!([server.url("/a\r\nx-evil: 1")])).unwrap();
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].line.as_str()), (1, "GET /ax-evil:%201 HTTP/1.1"));
}

#[test]
fn what_is_not_granted_is_never_sent() {
    let server = Server::saying(answer("200 OK", "", ""));
    let mut bench = bench(&[]);
    bench.cx.grants = vec![format!("http.get:http://{}/v1/*", server.address)];
    assert!(bench.call("get", json!([server.url("/v1/x")])).is_ok());
    for (op, path) in [("get", "/v2/x"), ("get", "/v1/../v2"), ("head", "/v1/x"), ("delete", "/v1/x")] {
        let problem = bench.call(op, json!([server.url(path)])).unwrap_err();
        assert_eq!(problem.code, Code::PermissionDenied, "{op} {path}");
        assert!(problem.no_effect);
    }
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn redirects_are_followed_where_they_are_granted() {
    let target = Server::saying(answer("200 OK", "", "there"));
    let elsewhere = Server::saying(answer("200 OK", "", "secret"));
    let (to, away) = (target.url("/x"), elsewhere.url("/x"));
    let source = Server::on("127.0.0.1", move |seen, stream| {
        let location = match seen.line.split(' ').nth(1).unwrap() {
            "/good" => format!("location: {to}\r\n"),
            "/away" => format!("location: {away}\r\n"),
            "/file" => "location: file:///etc/passwd\r\n".into(),
            "/loop" => "location: /loop\r\n".into(),
            _ => "location: http://169.254.169.254/latest/meta-data/\r\n".into(),
        };
        let _ = stream.write_all(answer("302 Found", &location, "").as_bytes());
    });
    let bench = bench(&[&source, &target]);
    assert_eq!(bench.call("get", json!([source.url("/good")])).unwrap()["body"], "there");
    for (path, code) in [
        ("/away", Code::PermissionDenied),
        ("/metadata", Code::PermissionDenied),
        ("/file", Code::InvalidArgument),
        ("/loop", Code::Unavailable),
    ] {
        let problem = bench.call("get", json!([source.url(path)])).unwrap_err();
        assert_eq!(problem.code, code, "{path}");
        assert!(!problem.no_effect, "the first server has been asked");
    }
    assert_eq!(elsewhere.seen().len(), 0);
    let kept = bench.call("get", json!([source.url("/away"), { "redirects": false }])).unwrap();
    assert_eq!(kept["status"], 302);
}

#[test]
fn credentials_and_bodies_stay_with_their_origin() {
    let target = Server::saying(answer("200 OK", "", ""));
    let to = target.url("/x");
    let source = Server::on("127.0.0.1", move |seen, stream| {
        let status = if seen.line.contains("/307") { "307 Temporary Redirect" } else { "303 See Other" };
        let location = if seen.line.contains("/here") { "/done".into() } else { to.clone() };
        let answer = match seen.line.contains("/done") {
            true => answer("200 OK", "", ""),
            false => answer(status, &format!("location: {location}\r\n"), ""),
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let bench = bench(&[&source, &target]);
    let opts = json!({ "headers": { "authorization": "x", "x-api-key": "y", "accept": "text/plain" } });
    bench.call("post", json!([source.url("/303"), { "secret": 1 }, opts])).unwrap();
    let seen = target.seen();
    assert_eq!((seen[0].line.as_str(), seen[0].body.as_str()), ("GET /x HTTP/1.1", ""));
    assert_eq!((seen[0].header("authorization"), seen[0].header("x-api-key")), (None, None));
    assert_eq!(seen[0].header("accept"), Some("text/plain"));
    let problem = bench.call("post", json!([source.url("/307"), "secret", opts])).unwrap_err();
    assert_eq!(problem.code, Code::PermissionDenied);
    assert_eq!(target.seen().len(), 1);
    bench.call("post", json!([source.url("/here/307"), "secret", opts])).unwrap();
    let last = source.seen().pop().unwrap();
    assert_eq!((last.line.as_str(), last.body.as_str()), ("POST /done HTTP/1.1", "secret"));
    assert_eq!(last.header("authorization"), Some("x"));
}

#[test]
fn names_that_lead_inside_the_house_are_refused() {
    let inside: &[&[&str]] = &[
        &["127.0.0.1"],
        &["10.0.0.1", "192.168.0.1"],
        &["169.254.169.254"],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::a00:1"],
    ];
    for turn in inside {
        let (bench, _) = with_names(&[turn], &[], &["http.get:https://intern.example/*"]);
        let problem = bench.call("get", json!(["https://intern.example/"])).unwrap_err();
        assert_eq!(problem.code, Code::PermissionDenied, "{turn:?}");
        assert!(problem.no_effect && !problem.retryable);
    }
    // The name server of the machine, too.
    let bench = Bench::new(module(&Config::default()).unwrap(), &["http.get:http://localhost:9/*"]);
    assert_eq!(bench.call("get", json!(["http://localhost:9/"])).unwrap_err().code, Code::PermissionDenied);
}

#[test]
fn a_name_that_changes_its_mind_does_not_get_inside() {
    let server = Server::saying(answer("200 OK", "", "inside"));
    let url = format!("http://rebind.example:{}/", server.address.port());
    let grant = format!("http.get:{url}*");
    // Public when a checker would ask first, loopback when a connector would ask again: it is asked once a connection.
    let (bench, names) = with_names(&[&["127.0.0.1"]], &[], &[&grant]);
    assert_eq!(bench.call("get", json!([url])).unwrap_err().code, Code::PermissionDenied);
    assert_eq!(names.1.load(Ordering::SeqCst), 1);
    // Of a mixed answer only what may be reached is tried.
    let (bench, names) = with_names(&[&["127.0.0.2", "127.0.0.1"], &["127.0.0.2"]], &["127.0.0.1"], &[&grant]);
    assert_eq!(bench.call("get", json!([url])).unwrap()["body"], "inside");
    assert_eq!(names.1.load(Ordering::SeqCst), 1);
    assert_eq!(bench.call("get", json!([url])).unwrap_err().code, Code::PermissionDenied);
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn an_address_is_reached_when_grant_or_configuration_names_it() {
    let server = Server::on("127.0.0.3", |_, stream| {
        let _ = stream.write_all(answer("200 OK", "", "").as_bytes());
    });
    let by_grant = Bench::new(module(&Config::default()).unwrap(), &[&server.grants()[0]]);
    assert!(by_grant.call("get", json!([server.url("/x")])).is_ok());
    let wide = Bench::new(module(&Config::default()).unwrap(), &["http.get:*", "http.get:https://*"]);
    for url in ["https://127.0.0.3/", "https://[::ffff:127.0.0.3]/", "https://0x7f.3/", "https://[fe80::1]/"] {
        let problem = wide.call("get", json!([url])).unwrap_err();
        assert_eq!(problem.code, Code::PermissionDenied, "{url}");
        assert!(problem.no_effect);
    }
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn bodies_are_bounded() {
    let endless = Server::on("127.0.0.1", |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        while stream.write_all(&[b'x'; 64 << 10]).is_ok() {}
    });
    let problem = bench(&[&endless]).call("get", json!([endless.url("/")])).unwrap_err();
    assert_eq!(problem.code, Code::LimitExceeded);
    let json = format!("[\"{}\"]", "x".repeat(2 << 20));
    let large = Server::saying(answer("200 OK", "content-type: application/json; charset=utf-8\r\n", &json));
    let result = bench(&[&large]).call("get", json!([large.url("/"), { "max_bytes": 4 << 20 }])).unwrap();
    assert_eq!((result["body"].as_str(), result["json"][0].as_str().unwrap().len()), (Some(""), 2 << 20));
}

#[test]
fn a_compressed_bomb_does_not_go_off() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..2_048 {
        encoder.write_all(&[0; 64 << 10]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 200_000, "128 MiB in {} bytes", bomb.len());
    let server = Server::on("127.0.0.1", move |seen, stream| {
        let body = if seen.line.contains("bomb") { bomb.clone() } else { gzip(b"hello") };
        let head = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    });
    let bench = bench(&[&server]);
    assert_eq!(bench.call("get", json!([server.url("/small")])).unwrap()["body"], "hello");
    assert_eq!(bench.call("get", json!([server.url("/bomb")])).unwrap_err().code, Code::LimitExceeded);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn time_is_bounded_even_when_bytes_keep_dripping() {
    let server = Server::on("127.0.0.1", |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let begin = Instant::now();
    let problem = bench(&[&server]).call("get", json!([server.url("/"), { "timeout": "200ms" }])).unwrap_err();
    assert_eq!((problem.code, problem.retryable), (Code::StepTimeout, true));
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn servers_that_ask_for_patience_are_asked_again() {
    let server = Server::saying(answer("503 Service Unavailable", "retry-after: 1\r\n", "busy"));
    let bench = bench(&[&server]);
    let begin = Instant::now();
    for (index, op) in ["get", "delete", "put"].into_iter().enumerate() {
        let problem = bench.call(op, json!([server.url("/")])).unwrap_err();
        assert!(begin.elapsed() >= Duration::from_secs(index as u64), "it was asked again too early");
        assert_eq!((problem.code, problem.retryable), (Code::Unavailable, true), "{op}");
        assert_eq!(problem.data, json!({ "status": 503, "body": "busy", "retry_after_ms": 1_000 }));
        assert_eq!(bench.op(op).retry, RetryPolicy::NETWORK);
    }
    assert_eq!(bench.call("post", json!([server.url("/")])).unwrap()["status"], 503);
    assert_eq!(bench.call("get", json!([server.url("/"), { "expect": [503] }])).unwrap()["status"], 503);
    assert_eq!(bench.op("post").retry, RetryPolicy::NEVER);
}

#[test]
fn a_status_can_be_expected() {
    let server = Server::saying(answer("404 Not Found", "", "no such thing"));
    let bench = bench(&[&server]);
    assert_eq!(bench.call("get", json!([server.url("/")])).unwrap()["status"], 404);
    let problem = bench.call("get", json!([server.url("/?key=hush"), { "expect": [200] }])).unwrap_err();
    assert_eq!((problem.code, problem.retryable), (Code::Unavailable, false));
    assert_eq!(problem.data["status"], 404);
    assert!(!problem.message.contains("hush"));
}

#[test]
fn a_missing_server_is_told_apart_from_a_broken_answer() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut bench = bench(&[]);
    bench.cx.grants = vec![format!("http.post:http://{address}/*")];
    let problem = bench.call("post", json!([format!("http://{address}/?key=hush")])).unwrap_err();
    assert_eq!((problem.code, problem.retryable, problem.no_effect), (Code::Unavailable, true, true));
    assert!(!format!("{problem:?}").contains("hush"));
    let broken = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\nabc");
    bench.cx.grants = broken.grants();
    let problem = bench.call("post", json!([broken.url("/")])).unwrap_err();
    assert_eq!((problem.code, problem.no_effect), (Code::Unavailable, false));
}

#[test]
fn proxies_of_the_environment_are_ignored() {
    // The environment is read when a process begins: this test runs itself once more, with proxies that nobody serves.
    if std::env::var_os("http_proxy").is_none() {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "http::tests::proxies_of_the_environment_are_ignored"]);
        let again =
            again.envs(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:9")));
        let output = again.output().unwrap();
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
        return;
    }
    let server = Server::saying(answer("200 OK", "", ""));
    bench(&[&server]).call("get", json!([server.url("/x")])).unwrap();
    assert_eq!(server.seen()[0].line, "GET /x HTTP/1.1");
}
