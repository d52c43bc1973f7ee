//! What operators need: health, metrics, traces, TLS, an orderly end; and time limits that hold.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::Arc,
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;
use parking_lot::Mutex;
use serde_json::json;
use windlass_tests::{ApiServer, has_program, skip, sse::Follower, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

const HELLO: (&str, &str) = (
    "t/hello",
    r#"
const WORKFLOW = #{ name: "t/hello", title: "takes the time", permissions: [] };
fn run(input) { now() }
"#,
);

const SLEEPER: (&str, &str) = (
    "t/sleeper",
    r#"
const WORKFLOW = #{ name: "t/sleeper", title: "sleeps", permissions: [] };
fn run(input) { sleep("1h"); }
"#,
);

#[test]
fn metrics_tell_of_runs_and_requests() {
    let server = ApiServer::start(&[HELLO]);
    server.ended(&server.launch("t/hello", &json!({})));
    let text = server.get("/metrics").expect(200).text;
    let value = |series: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in {text}")).parse::<f64>().unwrap()
    };
    assert_eq!(value(r#"windlass_runs{state="succeeded"}"#), 1.0);
    assert_eq!(value(r#"windlass_runs{state="failed"}"#), 0.0);
    let launches = r#"windlass_http_request_seconds_count{method="POST",route="/api/v1/runs",status="201"}"#;
    assert_eq!(value(launches), 1.0);
    assert!(value("windlass_commit_seconds_count") >= 1.0);
    assert!(value("windlass_committed_commands_total") >= value("windlass_commit_seconds_count"));
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_open_fds") > 3.0);
    // Each family is described, once, before its samples.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert_eq!(text.matches(&format!("# TYPE {family} ")).count(), 1, "{line}");
    }
    // A log-in that fails is counted, and where it was told of.
    let wrong = json!({ "name": "admin", "password": "tried-tried" });
    server.send_as("", "POST", "/api/v1/session", Some(&wrong)).expect(401);
    wait_until("the failure to be counted", PATIENCE, || {
        let text = server.get("/metrics").expect(200).text;
        let audit = server.get("/api/v1/audit?limit=1").expect(200).json()["items"][0]["seq"].clone();
        text.contains("windlass_auth_failures_total{how=\"password\"} 1\n")
            && text.contains(&format!("windlass_audit_entries_total {audit}\n"))
    });
}

#[test]
fn metrics_are_for_networks_that_are_named_and_for_tokens() {
    let ask = |server: &ApiServer, token: &str, headers: &[(&str, &str)]| {
        server.raw("GET", "/metrics", token, headers, None).status
    };
    let server = ApiServer::start(&[]);
    assert_eq!(ask(&server, "", &[]), 200);
    // Through a proxy on the same machine everybody comes from loopback.
    assert_eq!(ask(&server, "", &[("x-forwarded-for", "192.0.2.7")]), 401);
    assert_eq!(ask(&server, &server.token, &[("x-forwarded-for", "192.0.2.7")]), 200);
    let trusting = "[server]\ntrusted_proxies = [\"127.0.0.1/32\"]\nforwarded_header = \"forwarded\"\n";
    let server = ApiServer::start_with(&[], &[], trusting);
    assert_eq!(ask(&server, "", &[("forwarded", "for=192.0.2.7")]), 401);
    assert_eq!(ask(&server, "", &[("forwarded", "for=127.0.0.9")]), 200);
    let server = ApiServer::start_with(&[], &[], "[server]\nmetrics_from = [\"192.0.2.0/24\"]\n");
    assert_eq!(ask(&server, "", &[]), 401);
    assert_eq!(ask(&server, &server.token, &[]), 200);
}

#[test]
fn a_server_that_is_told_to_stop_ends_streams_and_itself() {
    let mut server = ApiServer::start(&[SLEEPER]);
    let ready = server.raw("GET", "/readyz", "", &[], None).expect(200).json();
    assert_eq!(ready["ready"], json!(true), "{ready}");
    assert_eq!(server.raw("GET", "/livez", "", &[], None).expect(200).text, "ok\n");
    let run = server.launch("t/sleeper", &json!({}));
    let path = format!("/api/v1/runs/{run}/events");
    let mut follower = Follower::open(server.address(), &path, &server.token, None).unwrap();
    assert_eq!(follower.next_event().unwrap().unwrap().event, "run.launched");
    server.process().signal(Signal::SIGTERM);
    // The stream ends by itself, and not with `done`: the run goes on.
    while let Some(frame) = follower.next_event().unwrap() {
        assert_ne!(frame.event, "done");
    }
    let status = server.process().wait(PATIENCE);
    assert!(status.success(), "{status}: {}", server.process().output());
    server.restart();
    let record = server.get(&format!("/api/v1/runs/{run}")).expect(200).json();
    assert_eq!(record["state"], json!("waiting"), "{record}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let settings = "[server]\ngrace_ms = 600000\nrequest_timeout_ms = 600000\n";
    let mut server = ApiServer::start_with(&[], &[], settings);
    // A request that doesn't end within anybody's patience keeps the first signal waiting.
    let mut slow = TcpStream::connect(server.address()).unwrap();
    let token = server.token.clone();
    write!(
        slow,
        "POST /api/v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 9\r\n\r\n{{"
    )
    .unwrap();
    // Nothing shows from outside that the head has arrived.
    thread::sleep(Duration::from_secs(2));
    server.process().signal(Signal::SIGTERM);
    thread::sleep(Duration::from_millis(300));
    assert!(server.process().is_running(), "the first signal waits for requests");
    server.process().signal(Signal::SIGTERM);
    let status = server.process().wait(PATIENCE);
    assert_eq!(status.code(), Some(128 + libc::SIGTERM), "{status}: {}", server.process().output());
}

#[test]
fn a_body_that_dribbles_is_given_up() {
    let server = ApiServer::start_with(&[], &[], "[server]\nrequest_timeout_ms = 500\n");
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    let token = &server.token;
    write!(
        slow,
        "POST /api/v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{{"
    )
    .unwrap();
    let mut line = String::new();
    BufReader::new(&slow).read_line(&mut line).unwrap();
    assert_eq!(line.split(' ').nth(1), Some("400"), "{line}");
    server.get("/api/v1/version").expect(200);
}

#[test]
fn tls_with_a_certificate_from_files() {
    if !has_program("openssl") || !has_program("curl") {
        return skip("openssl or curl isn't installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=windlass", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let settings = format!("[server]\ntls_cert = {cert:?}\ntls_key = {key:?}\n");
    let server = ApiServer::start_with(&[], &[], &settings);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let ask = |url: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--include", "--max-time", "60", "--cacert"]).arg(&cert).arg(url);
        curl.output().unwrap()
    };
    let answer = String::from_utf8(ask(&format!("{}/api/v1/version", server.url)).stdout).unwrap().to_lowercase();
    assert!(answer.starts_with("http/2 200") && answer.contains("strict-transport-security"), "{answer}");
    let plain = ask(&server.url.replace("https:", "http:"));
    assert!(!plain.status.success() && plain.stdout.is_empty(), "no plain HTTP on the same port: {plain:?}");
}

/// What a span says of itself.
#[derive(Clone, Debug)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
}

/// A collector that takes OTLP over HTTP, with the spans that it got.
fn collector() -> (String, Arc<Mutex<Vec<Span>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let spans = Arc::<Mutex<Vec<Span>>>::default();
    let kept = spans.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            while let Some(body) = request(&mut stream) {
                kept.lock().extend(spans_of(&body));
                write!(stream.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        }
    });
    (address, spans)
}

/// The body of the next request on a connection.
fn request(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut headers = BTreeMap::new();
    let mut first = String::new();
    stream.read_line(&mut first).ok().filter(|read| *read > 0)?;
    assert!(first.starts_with("POST /v1/traces "), "{first}");
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

/// The fields with this number that have a length, of a protobuf message.
fn fields(mut bytes: &[u8], wanted: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let length = match tag & 7 {
            0 => {
                varint(&mut bytes);
                continue;
            }
            1 => 8,
            2 => varint(&mut bytes) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (value, rest) = bytes.split_at(length);
        bytes = rest;
        if tag == wanted << 3 | 2 {
            found.push(value);
        }
    }
    found
}

/// The spans of an export: resource, scope, span.
fn spans_of(body: &[u8]) -> Vec<Span> {
    let scopes = fields(body, 1).into_iter().flat_map(|resource| fields(resource, 2));
    let text = |span: &[u8], field| -> String {
        let bytes = fields(span, field).into_iter().flatten();
        bytes.map(|byte| format!("{byte:02x}")).collect()
    };
    let span = |span: &[u8]| Span {
        trace: text(span, 1),
        id: text(span, 2),
        parent: text(span, 4),
        name: String::from_utf8(fields(span, 5)[0].to_vec()).unwrap(),
    };
    scopes.flat_map(|scope| fields(scope, 2)).map(span).collect()
}

#[test]
fn one_trace_from_the_callers_request_to_the_step() {
    let (address, spans) = collector();
    let mut server = ApiServer::start_with(&[HELLO], &[], &format!("[telemetry]\notlp = \"{address}\"\n"));
    let (trace, caller) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let parent = format!("00-{trace}-{caller}-01");
    let headers = [("traceparent", parent.as_str()), ("content-type", "application/json")];
    let body = json!({ "workflow": "t/hello", "input": {} }).to_string().into_bytes();
    let launched = server.raw("POST", "/api/v1/runs", &server.token, &headers, Some(body)).expect(201).json();
    server.ended(launched["id"].as_str().unwrap());
    // What can't be read is no parent, and no mistake either.
    let odd = [("traceparent", "00-nonsense")];
    server.raw("GET", "/api/v1/version", "", &odd, None).expect(200);
    // The last batch is sent at the end.
    assert!(server.process().terminate(PATIENCE).success());
    let all = spans.lock().clone();
    let ours: Vec<&Span> = all.iter().filter(|span| span.trace == trace).collect();
    let named = |name: &str| {
        let mut found = ours.iter().filter(|span| span.name == name);
        found.next().unwrap_or_else(|| panic!("no span `{name}` of the caller's trace in {all:#?}"))
    };
    assert_eq!(named("request").parent, caller);
    assert_eq!(named("run").parent, named("request").id);
    assert_eq!(named("step").parent, named("run").id);
    let others = all.iter().filter(|span| span.name == "request" && span.trace != trace).count();
    assert!(others >= 1, "requests without a caller's trace have their own: {all:#?}");
}
