//! Clients that cost as little as they can: a connection that is kept, and streams of events.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::world::{Outcome, words};

/// Microseconds of the clock that the server's events are stamped by.
pub fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as u64)
}

/// A connection that is kept.
pub struct Connection {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
    token: String,
}

impl Connection {
    pub fn to(address: SocketAddr, token: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address).map_err(words)?;
        stream.set_nodelay(true).map_err(words)?;
        Ok(Self { stream: BufReader::new(stream), address, token: token.to_owned() })
    }

    /// A request as it goes over the wire, to be sent any number of times.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let (address, token) = (self.address, &self.token);
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// Sends a request; the answer's body, if its status is this one.
    pub fn send(&mut self, request: &[u8], status: u16) -> Outcome<Vec<u8>> {
        let (got, body) = self.exchange(request).map_err(|error| format!("the connection broke off: {error}"))?;
        match got == status {
            true => Ok(body),
            false => Err(format!("answered with {got}: {}", String::from_utf8_lossy(&body))),
        }
    }

    /// Launches a workflow; the run's id.
    pub fn launch(&mut self, workflow: &str) -> Outcome<String> {
        let request = self.request("POST", "/api/v1/runs", &format!(r#"{{"workflow":"{workflow}","input":{{}}}}"#));
        let answer: Value = serde_json::from_slice(&self.send(&request, 201)?).map_err(words)?;
        answer["id"].as_str().map(str::to_owned).ok_or_else(|| "a launch without an id".to_owned())
    }

    /// Waits until a run has succeeded.
    pub fn succeeded(&mut self, run: &str, within: Duration) -> Outcome<()> {
        let request = self.request("GET", &format!("/api/v1/runs/{run}"), "");
        let began = Instant::now();
        loop {
            let record: Value = serde_json::from_slice(&self.send(&request, 200)?).map_err(words)?;
            match record["state"].as_str() {
                Some("succeeded") => return Ok(()),
                Some("queued" | "running" | "waiting") if began.elapsed() < within => {}
                state => return Err(format!("run {run} is {state:?}: {}", record["problem"])),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A line of the server's metrics.
    pub fn metric(&mut self, name: &str) -> Outcome<f64> {
        let request = self.request("GET", "/metrics", "");
        let text = String::from_utf8(self.send(&request, 200)?).map_err(words)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.ok_or_else(|| format!("there is no metric `{name}`"))
    }

    fn exchange(&mut self, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
        self.stream.get_mut().write_all(request)?;
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            if status == 0 {
                status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(1);
            } else if let Some(value) = text.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }
}

/// A stream of events: takes bytes as they come, and gives whole frames.
#[derive(Default)]
pub struct Frames {
    /// The answer's head is over.
    begun: bool,
    /// As it came, and not yet looked at.
    raw: Vec<u8>,
    /// Out of its chunks, and no whole frame yet.
    text: Vec<u8>,
    /// Bytes that the chunk still has, with the two that end it.
    left: usize,
}

impl Frames {
    /// Takes what came, and calls for each whole frame.
    pub fn take(&mut self, came: &[u8], mut frame: impl FnMut(&str)) -> Outcome<()> {
        self.raw.extend_from_slice(came);
        let mut at = 0;
        loop {
            if self.left > 0 {
                let taken = self.left.min(self.raw.len() - at);
                let of_chunk = taken.min(self.left.saturating_sub(2));
                self.text.extend_from_slice(&self.raw[at..at + of_chunk]);
                (at, self.left) = (at + taken, self.left - taken);
            }
            let (rest, ends_with): (_, &[u8]) = (&self.raw[at..], if self.begun { b"\r\n" } else { b"\r\n\r\n" });
            let Some(end) = rest.windows(ends_with.len()).position(|window| window == ends_with) else { break };
            let line = String::from_utf8_lossy(&rest[..end]).to_ascii_lowercase();
            at += end + ends_with.len();
            if !self.begun {
                if !line.starts_with("http/1.1 200") || !line.contains("transfer-encoding: chunked") {
                    return Err(format!("a stream was answered with {line}"));
                }
                self.begun = true;
                continue;
            }
            self.left = usize::from_str_radix(&line, 16).map_err(words)? + 2;
        }
        self.raw.drain(..at);
        let text = std::str::from_utf8(&self.text).map_err(words)?;
        let mut done = 0;
        while let Some(end) = text[done..].find("\n\n") {
            frame(&text[done..done + end]);
            done += end + 2;
        }
        self.text.drain(..done);
        Ok(())
    }
}

/// The number of a run's event that a frame brings.
pub fn number(frame: &str) -> Option<u64> {
    let rest = frame.strip_prefix("id: ")?;
    rest.split('\n').next()?.parse().ok()
}
