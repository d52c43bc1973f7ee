//! What strangers and broken programs send: each is answered with what is wrong, none takes the server down, and an
//! ordinary request is answered all the while.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_tests::{ApiServer, wait_until};

/// How long something may take that isn't measured.
const PATIENCE: Duration = Duration::from_secs(60);

const X: &str = "const WORKFLOW = #{ name: \"lab/x\", title: \"X\" };\n\nfn run(input) {\n    1\n}\n";

fn server(settings: &str) -> ApiServer {
    ApiServer::start_with(&[("lab/x", X)], &[], settings)
}

/// Sends bytes as they are; what comes back until the server closes or falls silent.
fn raw(server: &ApiServer, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // A server that has heard enough may close before everything is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[track_caller]
fn still_serves(server: &ApiServer) {
    server.get("/api/v1/runs").expect(200);
}

#[test]
fn wrong_bodies_are_told_what_is_wrong_with_them() {
    let server = server("[server]\nbody_bytes = 100000\n");
    let post = |body: &str| server.raw("POST", "/api/v1/runs", &server.token, &JSON, Some(body.as_bytes().to_vec()));
    const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
    for (body, pointer) in [
        (r#"{"workflow":"lab/x","inptu":{}}"#, "/inptu"),
        (r#"{"workflow":7}"#, "/workflow"),
        (r#"{"workflow":"lab/x","tags":["a",1]}"#, "/tags/1"),
    ] {
        let problem = post(body).expect(400).json();
        assert_eq!((&problem["code"], &problem["pointer"]), (&json!("invalid_input"), &json!(pointer)), "{problem}");
    }
    for body in ["", "{", "[]", "null", "{\"workflow\":\"lab/x\"} x", "\u{feff}{}"] {
        assert_eq!(post(body).status, 400, "{body}");
    }
    let broken = server.raw("POST", "/api/v1/runs", &server.token, &JSON, Some(b"{\"workflow\":\"\xff\"}".to_vec()));
    assert!(broken.expect(400).text.contains("UTF-8"));
    let deep = format!("{{\"workflow\":\"lab/x\",\"input\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(post(&deep).status, 400);
    let large = format!("{{\"workflow\":\"lab/x\",\"input\":\"{}\"}}", "x".repeat(200_000));
    assert_eq!(post(&large).expect(413).json()["code"], "too_large");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let form = server.raw("POST", "/api/v1/runs", &server.token, &form, Some(b"workflow=lab/x".to_vec()));
    assert_eq!(form.expect(415).json()["code"], "unsupported_media_type");
    let unknown = server.get("/api/v1/runs?colour=red").expect(400).json();
    assert_eq!(unknown["data"]["parameter"], "colour");
    let method = server.raw("PUT", "/api/v1/runs", &server.token, &[], None);
    assert_eq!((method.status, method.header("allow").is_some()), (405, true));
    still_serves(&server);
}

#[test]
fn paths_lead_nowhere_else() {
    let server = server("");
    for path in [
        "/../etc/passwd",
        "/api/v1/../../etc/passwd",
        "/api/v1/%2e%2e/%2e%2e/etc/passwd",
        "/api/v1/runs/%00",
        "/api/v1/runs/..%2f..%2fetc",
        "//api//v1//runs",
        "/api/v1/runs/",
        "/api/v1/runs/%ff%fe",
        "/api/v1/workflows/..%2f..%2fwindlass",
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            server.token
        );
        let answer = raw(&server, request.as_bytes());
        let status: u16 = answer.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        assert!([400, 404].contains(&status), "{path}: {answer}");
        assert!(!answer.contains("root:"));
    }
    still_serves(&server);
}

#[test]
fn heads_are_bounded_and_garbage_is_let_go() {
    let server = server("");
    let flood: String = (0..500).map(|number| format!("X-{number}: y\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "y".repeat(100_000));
    for head in [flood, long] {
        let answer = raw(&server, format!("GET /livez HTTP/1.1\r\nHost: x\r\n{head}\r\n").as_bytes());
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 400"),
            "{answer}"
        );
    }
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"\r\n\r\n\0\r\nQUIT\n", b"BREW / COFFEE/1.0\r\n\r\n", &[0; 4_096]]
    {
        let answer = raw(&server, garbage);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    still_serves(&server);
}

#[test]
fn a_head_that_dribbles_is_cut_off_and_idlers_hold_nobody_up() {
    let server = server("[server]\nhead_timeout_ms = 700\n");
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\n").unwrap();
    let began = Instant::now();
    let mut cut_off = false;
    while began.elapsed() < Duration::from_secs(60) && !cut_off {
        let _ = slow.write_all(b"X: y\r\n");
        let mut byte = [0; 256];
        // Nothing within the time-out is an error of another kind than the end.
        cut_off = match slow.read(&mut byte) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        };
    }
    assert!(cut_off, "a head that never ends is waited for without end");
    let idle: Vec<TcpStream> = (0..1_000).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    still_serves(&server);
    for mut stream in idle {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "an idle connection is closed");
    }
}

#[test]
fn bodies_that_never_end_take_no_more_memory_than_is_meant_for_them() {
    let server = server("[server]\nbody_bytes = 100000\nbodies_bytes = 400000\n");
    let begin = |path: &str, token: &str, length: usize| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let bearer = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{bearer}Content-Type: application/json\r\n");
        write!(stream, "{head}Content-Length: {length}\r\n\r\n{}", " ".repeat(length - 1)).unwrap();
        stream
    };
    let log_in = || {
        let body = json!({ "name": "admin", "password": server.password });
        server.send_as("", "POST", "/api/v1/session", Some(&body)).status
    };
    // Anybody may log in: with a small body.
    let large = json!({ "name": "admin", "password": "x".repeat(20_000) });
    assert_eq!(server.send_as("", "POST", "/api/v1/session", Some(&large)).expect(413).json()["code"], "too_large");
    // What is asked meanwhile takes room, too, and then one of these is refused: another takes its place.
    let mut strangers = Vec::new();
    wait_until("strangers to have no room left", Duration::from_secs(60), || {
        strangers.push(begin("/api/v1/session", "", 16_000));
        let body = json!({ "name": "admin", "password": "x".repeat(10_000) });
        server.send_as("", "POST", "/api/v1/session", Some(&body)).status == 503
    });
    // Whoever is known has room of their own.
    let launch = |size: usize| {
        server.post("/api/v1/runs", &json!({ "workflow": "lab/x", "input": { "note": "x".repeat(size) } }))
    };
    launch(50_000).expect(201);
    let mut known = Vec::new();
    wait_until("no room to be left", Duration::from_secs(60), || {
        known.push(begin("/api/v1/runs", &server.token, 100_000));
        launch(50_000).status == 503
    });
    assert_eq!(launch(50_000).expect(503).json()["code"], "unavailable");
    still_serves(&server);
    drop((strangers, known));
    wait_until("room to be there again", Duration::from_secs(60), || launch(50_000).status == 201 && log_in() == 200);
}

#[test]
fn nobody_reads_another_organisations_runs() {
    let server = server("");
    let run = server.launch("lab/x", &json!({}));
    server.ended(&run);
    server.post("/api/v1/organisations", &json!({ "name": "acme", "title": "Acme" })).expect(201);
    let made = json!({ "name": "eve", "password": "a-long-enough-passphrase-1", "organisation": "acme",
                       "bindings": [{ "role": "admin", "organisation": "acme" }] });
    let made = server.post("/api/v1/users", &made);
    assert!([200, 201].contains(&made.status), "{made:?}");
    let log_in = json!({ "name": "eve", "password": "a-long-enough-passphrase-1" });
    let session = server.send_as("", "POST", "/api/v1/session", Some(&log_in)).expect(200);
    let cookie = session.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let ask = |path: &str| server.raw("GET", path, "", &[("cookie", &cookie)], None);
    let list: Value = ask("/api/v1/runs").expect(200).json();
    assert_eq!(list["items"], json!([]), "{list}");
    for path in ["", "/steps", "/history", "/logs", "/events", "/export", "/sources", "/artifacts", "/undo"] {
        assert_eq!(ask(&format!("/api/v1/runs/{run}{path}")).status, 404, "{path}");
    }
}

#[test]
fn a_launch_whose_caller_hangs_up_runs_all_the_same() {
    let server = server("");
    let launch = |input: &str| {
        let body = format!("{{\"workflow\":\"lab/x\",\"input\":{{{input}}}}}");
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let (token, length) = (&server.token, body.len());
        let head = format!(
            "POST /api/v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        stream
    };
    // The first one keeps the workflow, so that the others need no thread; one is too large for that.
    let mut answer = [0; 12];
    launch("").read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 201");
    let large = format!("\"text\":\"{}\"", "x".repeat(20_000));
    for round in 0..60 {
        drop(launch(if round % 20 == 7 { &large } else { "" }));
    }
    // What was read was launched, and ends: nothing waits for a lease that nobody holds any more.
    let of = |query: &str| {
        server.get(&format!("/api/v1/runs?limit=100{query}")).expect(200).json()["items"].as_array().map(Vec::len)
    };
    wait_until("a launch", PATIENCE, || of("") > Some(1));
    let mut before = None;
    wait_until("all to have ended", PATIENCE, || {
        let all = of("");
        let settled = before == all && of("&state=succeeded") == all;
        before = all;
        std::thread::sleep(Duration::from_millis(300));
        settled
    });
}
