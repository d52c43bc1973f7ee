//! Where requests come from: the connection's other end, or what a trusted proxy says of it, and nobody else's word. The
//! audit log shows what the server took for the truth.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use serde_json::json;
use windlass_tests::{ApiServer, Process, free_port, has_program, skip, wait_until};

/// The proxy's address; whoever comes from another one isn't trusted.
const PROXY: &str = "127.0.0.2";
const PATIENCE: Duration = Duration::from_secs(60);

fn server(proxy_protocol: bool) -> ApiServer {
    let settings = format!("[server]\ntrusted_proxies = [\"{PROXY}/32\"]\nproxy_protocol = {proxy_protocol}\n");
    ApiServer::start_with(&[], &[], &settings)
}

/// A connection that begins at this address of loopback.
fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let from: IpAddr = from.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Makes an organisation over this connection, which begins with these bytes; the answer, empty if there is none.
fn make(server: &ApiServer, mut stream: TcpStream, preface: &[u8], name: &str, headers: &str) -> String {
    let body = json!({ "name": name }).to_string();
    let (token, length) = (&server.token, body.len());
    let head = format!(
        "POST /api/v1/organisations HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    // Who isn't trusted may be cut off before everything is sent.
    let _ = stream.write_all(&[preface, head.as_bytes()].concat());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// From where the audit log says that this organisation was made.
fn made_from(server: &ApiServer, name: &str) -> String {
    let page = server.get(&format!("/api/v1/audit?action=organisation.create&target={name}")).expect(200).json();
    page["items"][0]["source"].as_str().unwrap_or("nowhere").to_owned()
}

/// Version 2: `PROXY` over TCP with IPv4, from this address.
fn version_2(from: [u8; 4]) -> Vec<u8> {
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c", &from[..], &[127, 0, 0, 1], &[0x1f, 0x90, 0x1b, 0x9e]].concat()
}

#[test]
fn what_a_trusted_proxy_says_before_the_connection_is_believed() {
    let server = server(true);
    let long = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".as_slice(), &[0; 200]].concat();
    let cases: [(&str, &[u8], &str); 8] = [
        ("one", b"PROXY TCP4 192.0.2.7 127.0.0.1 8080 7070\r\n", "192.0.2.7"),
        ("six", b"PROXY TCP6 2001:db8::7 ::1 8080 7070\r\n", "2001:db8::7"),
        ("unknown", b"PROXY UNKNOWN\r\n", PROXY),
        ("two", &version_2([198, 51, 100, 9]), "198.51.100.9"),
        // `LOCAL`: the proxy speaks for itself.
        ("local", b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", PROXY),
        // A proxy that was told to speak the protocol and doesn't isn't heard.
        ("without", b"", "nowhere"),
        ("broken", b"PROXY TCP4 nonsense 127.0.0.1 1 2\r\n", "nowhere"),
        ("long", &long, "nowhere"),
    ];
    for (name, preface, from) in cases {
        let answer = make(&server, connect(PROXY, server.address()), preface, name, "");
        assert_eq!(answer.starts_with("HTTP/1.1 201"), from != "nowhere", "{name}: {answer}");
        assert_eq!(made_from(&server, name), from, "{name}: {answer}");
    }
    // What the proxy's client claims in a header isn't the proxy's word.
    let preface = b"PROXY TCP4 192.0.2.7 127.0.0.1 8080 7070\r\n";
    make(&server, connect(PROXY, server.address()), preface, "claims", "x-forwarded-for: 203.0.113.1\r\n");
    assert_eq!(made_from(&server, "claims"), "192.0.2.7");
}

#[test]
fn nobody_else_says_where_they_come_from() {
    let server = server(true);
    let text: &[u8] = b"PROXY TCP4 192.0.2.7 127.0.0.1 8080 7070\r\n";
    for (name, preface) in [("one", text), ("two", &version_2([192, 0, 2, 7]))] {
        let answer = make(&server, connect("127.0.0.3", server.address()), preface, name, "");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{name}: {answer}");
        assert_eq!(made_from(&server, name), "nowhere");
    }
    let answer = make(&server, connect("127.0.0.3", server.address()), b"", "plain", "x-forwarded-for: 192.0.2.7\r\n");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(made_from(&server, "plain"), "127.0.0.3");
}

#[test]
fn forwarded_headers_are_believed_from_trusted_proxies_alone() {
    let server = server(false);
    let claim = "x-forwarded-for: 203.0.113.1, 192.0.2.7\r\nx-forwarded-proto: https\r\n";
    for (name, source, from, secure) in
        [("trusted", PROXY, "192.0.2.7", true), ("stranger", "127.0.0.3", "127.0.0.3", false)]
    {
        let answer = make(&server, connect(source, server.address()), b"", name, claim).to_lowercase();
        assert_eq!(made_from(&server, name), from);
        assert_eq!(answer.contains("strict-transport-security"), secure, "{answer}");
    }
    // Where the protocol isn't spoken, its preface is no request, not even from the proxy.
    let answer = make(&server, connect(PROXY, server.address()), &version_2([192, 0, 2, 7]), "preface", "");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(made_from(&server, "preface"), "nowhere");
}

#[test]
fn whoever_guesses_passwords_can_not_pretend_to_be_many() {
    let server = server(false);
    let guess = |number: usize| {
        let mut stream = connect("127.0.0.3", server.address());
        let body = json!({ "name": "admin", "password": "a wrong password" }).to_string();
        let length = body.len();
        let head = format!(
            "POST /api/v1/session HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: 192.0.2.{number}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
    };
    let statuses: Vec<u16> = (1..=12).map(guess).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    // The same guesses don't keep anybody out who comes from elsewhere.
    let body = json!({ "name": "admin", "password": server.password });
    server.send_as("", "POST", "/api/v1/session", Some(&body)).expect(200);
}

fn haproxy(folder: &Path, server: &ApiServer, protocol: &str) -> (Process, SocketAddr) {
    let port = free_port();
    let config = format!(
        "defaults\n  mode http\n  timeout connect 5000\n  timeout client 50000\n  timeout server 50000\n\
         frontend people\n  bind 127.0.0.1:{port}\n  default_backend windlass\n\
         backend windlass\n  server one {} source {PROXY} {protocol}\n",
        server.address()
    );
    let file = folder.join(format!("{protocol}.cfg"));
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("haproxy");
    command.args(["-db", "-f"]).arg(&file).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let process = Process::start(&mut command).unwrap();
    let address = ([127, 0, 0, 1], port).into();
    wait_until("haproxy to listen", PATIENCE, || TcpStream::connect(address).is_ok());
    (process, address)
}

#[test]
fn a_real_haproxy_says_who_its_client_is() {
    if !has_program("haproxy") {
        return skip("haproxy isn't installed");
    }
    let server = server(true);
    let folder = tempfile::tempdir().unwrap();
    for (name, protocol) in [("v1", "send-proxy"), ("v2", "send-proxy-v2")] {
        let (_process, address) = haproxy(folder.path(), &server, protocol);
        let answer = make(&server, connect("127.0.0.9", address), b"", name, "x-forwarded-for: 203.0.113.1\r\n");
        assert!(answer.starts_with("HTTP/1.1 201"), "{protocol}: {answer}");
        assert_eq!(made_from(&server, name), "127.0.0.9", "{protocol}");
    }
}
