//! Connections that nobody uses: each is closed in time, whatever it was silent about, and nobody waits for its place.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use windlass_tests::{ApiServer, wait_until};

use super::tls::Tls;

const PATIENCE: Duration = Duration::from_secs(60);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Says this, and nothing more.
fn says(server: &ApiServer, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

#[test]
fn places_of_connections_that_say_nothing_are_given_to_others() {
    let server = ApiServer::start_with(&[], &[], "[server]\nconnections = 50\nhead_timeout_ms = 700\n");
    let silent: Vec<TcpStream> =
        (0..50).map(|number| says(&server, [b"".as_slice(), b"PRI * HT", b"G"][number % 3])).collect();
    server.get("/api/v1/runs").expect(200);
    for mut stream in silent {
        assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap_or(0), 0);
    }
}

#[test]
fn silence_behind_a_handshake_is_silence() {
    let Some(tls) = Tls::start(&[], "head_timeout_ms = 2000\nconnections = 3\n") else { return };
    let address = tls.server.address().to_string();
    let mut silent: Vec<_> = ["http/1.1", "h2", "h2"]
        .iter()
        .map(|protocol| {
            let mut client = Command::new("openssl");
            client.args(["s_client", "-quiet", "-connect", &address, "-alpn", protocol]);
            client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    assert_eq!(tls.ask("/livez", &[]).code(), 200);
    for client in &mut silent {
        // It ends when the server closes; its input stays open.
        wait_until("the connection to be closed", PATIENCE, || client.try_wait().unwrap().is_some());
    }
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream];
    frame.extend(payload);
    frame
}

/// Answers whatever keeps an HTTP/2 connection alive until the server closes it; the kinds of frames that came.
fn polite_until_closed(mut stream: TcpStream) -> Vec<u8> {
    let (settings, ping, ack) = (4, 6, 1);
    let mut kinds = Vec::new();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).is_ok() {
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).unwrap();
        kinds.push(head[3]);
        if [settings, ping].contains(&head[3]) && head[4] & ack == 0 {
            let payload = if head[3] == ping { payload } else { Vec::new() };
            // The server may have closed meanwhile.
            let _ = stream.write_all(&frame(head[3], ack, 0, &payload));
        }
    }
    kinds
}

#[test]
fn an_http2_connection_without_requests_is_closed_however_polite() {
    let server = ApiServer::start_with(&[], &[], "[server]\nhead_timeout_ms = 700\n");
    let stream = says(&server, &[PREFACE, &frame(4, 0, 0, &[])].concat());
    let kinds = polite_until_closed(stream.try_clone().unwrap());
    let go_away = 7;
    assert!(kinds.contains(&go_away), "{kinds:?}");
    assert!(stream.peek(&mut [0]).is_ok_and(|count| count == 0), "closed, and not out of patience");
}

#[test]
fn an_http2_connection_that_takes_no_answer_is_closed() {
    let server = ApiServer::start_with(&[], &[], "[server]\nstall_ms = 700\n");
    // A window of nothing for every stream; then GET /livez.
    let window = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let request = frame(1, 5, 1, b"\x82\x86\x04\x06/livez\x01\x01x");
    let stream = says(&server, &[PREFACE, &window, &request].concat());
    let kinds = polite_until_closed(stream.try_clone().unwrap());
    let (data, headers) = (0, 1);
    assert!(kinds.contains(&headers) && !kinds.contains(&data), "{kinds:?}");
    assert!(!matches!(stream.peek(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock));
    let text = server.get("/metrics").expect(200).text;
    assert!(text.contains("windlass_stalled_connections_total 1\n"), "{text}");
}
