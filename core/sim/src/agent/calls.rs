//! The calls of a simulated machine to the server that its claim names.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};

/// How often a call is tried, and how long it waits in between at most: a server may be started again meanwhile.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes of an answer, at most.
const ANSWER_BYTES: u64 = 1 << 20;

/// What a machine tells, each report with a number of its own.
pub(super) struct Reports {
    pub(super) url: String,
    pub(super) word: String,
    pub(super) count: u32,
}

impl Reports {
    pub(super) fn send(&mut self, component: &str, state: &str, message: &str, returns: Value) -> io::Result<()> {
        self.count += 1;
        let report = json!({
            "word": self.word, "id": self.count.to_string(), "component": component, "state": state, "message": message,
            "returns": returns,
        });
        call(&self.url, "reports", &report).map(drop)
    }
}

/// A POST of JSON, tried again while nobody answers. A refusal is final.
pub(super) fn call(url: &str, what: &str, body: &Value) -> io::Result<Value> {
    place(url)?;
    let mut wait = Duration::from_millis(100);
    let mut attempt = 1;
    loop {
        match post(url, what, body) {
            Ok((200..=299, answer)) => return serde_json::from_str(&answer).map_err(io::Error::other),
            Ok((status, answer)) if status < 500 || attempt >= ATTEMPTS => {
                return Err(io::Error::other(format!("{what} was answered with {status}: {answer}")));
            }
            Err(error) if attempt >= ATTEMPTS => return Err(error),
            _ => {}
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(PAUSE);
        attempt += 1;
    }
}

/// Where a claim is: what a machine is booted with may say anything, and it reaches nothing but the API of this machine.
pub(super) fn place(url: &str) -> io::Result<(SocketAddr, &str, &str)> {
    let wrong = || io::Error::other(format!("{url} isn't http://LOOPBACK:port/api/v1/claims/ID"));
    let (authority, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).ok_or_else(wrong)?;
    let id = path.strip_prefix("api/v1/claims/").ok_or_else(wrong)?;
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(wrong());
    }
    let address = match authority.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(|port| SocketAddr::from(([127, 0, 0, 1], port))),
        None => authority.parse().ok(),
    };
    let address = address.filter(|address: &SocketAddr| address.ip().to_canonical().is_loopback());
    Ok((address.ok_or_else(wrong)?, authority, path))
}

/// One request over a connection of its own.
fn post(url: &str, what: &str, body: &Value) -> io::Result<(u16, String)> {
    let (address, authority, path) = place(url)?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    let body = body.to_string();
    write!(
        stream,
        "POST /{path}/{what} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer)?;
    let status =
        answer.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(|| io::Error::other("no answer"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}
