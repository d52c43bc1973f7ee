//! What all simulators share around their protocol: faults, latency, a record of requests, and the control path `/_sim`.
//!
//! - `GET|POST|DELETE /_sim/faults`: those that wait; add a list; forget all
//! - `POST /_sim/clock` `{"advance_ms": 1000}`: move the simulator's clock on
//! - `POST /_sim/latency` `{"ms": 50}`: how much later everything is answered
//! - `GET|DELETE /_sim/requests`: what was asked, oldest first; forget it
//!
//! It is steered by programs, under the address that it listens at or a loopback one. A page in somebody's browser isn't
//! answered, whatever name it has made lead here.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Method;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Clock, Failure, Fault, Faults, Request, Response, Server};

/// Requests that are remembered.
const REMEMBERED: usize = 10_000;

/// A provider's protocol. Everything is decided at once: what takes time with the provider is state that depends on the
/// clock.
pub trait Simulator: Send + Sync + 'static {
    /// The name of what is asked, for faults and the record: `servers.create`.
    fn operation(&self, request: &Request) -> String;

    /// Does it. `fails_later` is a fault for what is only begun by this request.
    fn answer(&self, request: &Request, fails_later: Option<&Failure>) -> Response;

    /// A failure in the provider's words.
    fn failure(&self, request: &Request, failure: &Failure) -> Response;

    /// "Too many requests, come back in so many seconds", in the provider's words.
    fn limited(&self, request: &Request, seconds: u64) -> Response;
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// The simulator's name for it.
    pub operation: String,
    /// `GET`, …
    pub method: String,
    /// The path.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// Whether the answer was lost on purpose.
    pub lost: bool,
}

/// Steers a simulator from tests. Clones steer the same one.
#[derive(Clone)]
pub struct Control {
    /// Its clock.
    pub clock: Clock,
    /// Its faults.
    pub faults: Faults,
    latency_ms: Arc<AtomicU64>,
    seen: Arc<Mutex<VecDeque<Seen>>>,
    /// Where it listens.
    address: Arc<OnceLock<IpAddr>>,
}

impl Control {
    /// For one simulator.
    pub fn new(clock: Clock) -> Self {
        let faults = Faults::new(clock.clone());
        Self { faults, clock, latency_ms: Arc::default(), seen: Arc::default(), address: Arc::default() }
    }

    /// How much later everything is answered.
    pub fn set_latency(&self, latency: Duration) {
        self.latency_ms.store(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What was asked, oldest first: the last ten thousand requests.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().iter().cloned().collect()
    }

    /// How often something was asked.
    pub fn count(&self, operation: &str) -> usize {
        self.seen.lock().iter().filter(|seen| seen.operation == operation).count()
    }

    fn remember(&self, seen: Seen) {
        let mut list = self.seen.lock();
        if list.len() >= REMEMBERED {
            list.pop_front();
        }
        list.push_back(seen);
    }

    /// Whether the name that the request was sent to is ours. A page can have a name of its own lead to any address.
    fn is_for_us(&self, request: &Request) -> bool {
        let host = request.header("host").unwrap_or_default();
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        match name.trim_matches(['[', ']']).parse::<IpAddr>() {
            // One that listens everywhere is asked at any of its addresses; that is a number, and no page's name.
            Ok(address) => {
                address.is_loopback() || self.address.get().is_some_and(|own| *own == address || own.is_unspecified())
            }
            Err(_) => name.eq_ignore_ascii_case("localhost"),
        }
    }

    fn steer(&self, request: &Request) -> Response {
        if !self.is_for_us(request) {
            return Response::text(403, "a simulator is steered under the address that it listens at\n");
        }
        let done = Response::empty(204);
        match (&request.method, request.path.trim_start_matches("/_sim/")) {
            (&Method::GET, "faults") => Response::json(200, &json!(self.faults.waiting())),
            (&Method::POST, "faults") => match serde_json::from_slice::<Vec<Fault>>(&request.body) {
                Ok(faults) => {
                    self.faults.add(faults);
                    done
                }
                Err(error) => refuse(&error),
            },
            (&Method::DELETE, "faults") => {
                self.faults.clear();
                done
            }
            (&Method::POST, "clock") => match serde_json::from_slice::<Advance>(&request.body) {
                Ok(by) => {
                    self.clock.advance(by.advance_ms);
                    done
                }
                Err(error) => refuse(&error),
            },
            (&Method::POST, "latency") => match serde_json::from_slice::<Latency>(&request.body) {
                Ok(latency) => {
                    self.set_latency(Duration::from_millis(latency.ms.into()));
                    done
                }
                Err(error) => refuse(&error),
            },
            (&Method::GET, "requests") => Response::json(200, &json!(self.seen())),
            (&Method::DELETE, "requests") => {
                self.seen.lock().clear();
                done
            }
            _ => Response::text(404, "faults, clock, latency and requests are what can be steered\n"),
        }
    }

    async fn handle<S: Simulator>(self, simulator: Arc<S>, request: Request) -> Response {
        // Browsers send it with what a page asks for, and programs don't.
        if request.headers.contains_key(http::header::ORIGIN) {
            return Response::text(403, "simulators are for programs, and not for pages\n");
        }
        if request.path.starts_with("/_sim/") {
            return self.steer(&request);
        }
        let operation = simulator.operation(&request);
        let verdict = self.faults.take(&operation);
        let delay_ms = self.latency_ms.load(Ordering::Relaxed).saturating_add(verdict.delay_ms);
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        let mut response = match (verdict.limited_s, &verdict.fail) {
            (Some(seconds), _) => simulator.limited(&request, seconds),
            (None, Some(failure)) => simulator.failure(&request, failure),
            (None, None) => {
                let response = simulator.answer(&request, verdict.fail_later.as_ref());
                match &verdict.fail_after {
                    Some(failure) => simulator.failure(&request, failure),
                    None => response,
                }
            }
        };
        response.lost |= verdict.lose;
        self.remember(Seen {
            operation,
            method: request.method.to_string(),
            path: request.path.clone(),
            status: response.status,
            lost: response.lost,
        });
        response
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_ms: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Latency {
    ms: u32,
}

fn refuse(error: &serde_json::Error) -> Response {
    let body: Value = json!({ "error": error.to_string() });
    Response::json(400, &body)
}

/// Gives a simulator a socket. `control` steers it from this process, `/_sim` from others.
pub fn serve<S: Simulator>(address: SocketAddr, simulator: Arc<S>, control: &Control) -> io::Result<Server> {
    let control = control.clone();
    // A control steers one simulator.
    let _ = control.address.set(address.ip());
    Server::start(address, move |request| handle(control.clone(), simulator.clone(), request))
}

fn handle<S: Simulator>(
    control: Control,
    simulator: Arc<S>,
    request: Request,
) -> impl Future<Output = Response> + Send + 'static {
    control.handle(simulator, request)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use super::*;

    /// Counts what it is told to count.
    #[derive(Default)]
    struct Counter(AtomicU64);

    impl Simulator for Counter {
        fn operation(&self, request: &Request) -> String {
            format!("counter.{}", request.method.as_str().to_lowercase())
        }
        fn answer(&self, request: &Request, _: Option<&Failure>) -> Response {
            let by = u64::from(request.method == Method::POST);
            Response::json(200, &json!({ "count": self.0.fetch_add(by, Ordering::SeqCst) + by }))
        }
        fn failure(&self, _: &Request, failure: &Failure) -> Response {
            Response::json(failure.status, &json!({ "code": failure.code }))
        }
        fn limited(&self, _: &Request, seconds: u64) -> Response {
            Response::empty(429).header("retry-after", seconds.to_string())
        }
    }

    fn ask(server: &Server, method: &str, path: &str, body: &str) -> String {
        ask_with(server, method, path, body, "host: localhost:1")
    }

    fn ask_with(server: &Server, method: &str, path: &str, body: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\n{headers}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn faults_come_over_the_wire_and_by_the_handle() {
        let control = Control::new(Clock::fixed(0));
        let server = serve(([127, 0, 0, 1], 0).into(), Arc::new(Counter::default()), &control).unwrap();
        assert!(ask(&server, "POST", "/", "").ends_with("{\"count\":1}"));

        control.faults.lose("counter.post");
        assert_eq!(ask(&server, "POST", "/", ""), "", "no byte of an answer");
        assert!(ask(&server, "GET", "/", "").ends_with("{\"count\":2}"), "it was done all the same");

        let fault = r#"[{"fault":"fail","operation":"counter.post","status":409,"code":"busy"}]"#;
        assert!(ask(&server, "POST", "/_sim/faults", fault).starts_with("HTTP/1.1 204"));
        assert!(ask(&server, "POST", "/", "").starts_with("HTTP/1.1 409"));
        assert!(ask(&server, "GET", "/", "").ends_with("{\"count\":2}"));

        let after = r#"[{"fault":"fail_after","operation":"counter.post","status":502,"code":"gone"}]"#;
        ask(&server, "POST", "/_sim/faults", after);
        assert!(ask(&server, "POST", "/", "").starts_with("HTTP/1.1 502"));
        assert!(ask(&server, "GET", "/", "").ends_with("{\"count\":3}"));

        control.faults.limit("*", 20);
        assert!(ask(&server, "GET", "/", "").contains("retry-after: 20"));
        ask(&server, "POST", "/_sim/clock", r#"{"advance_ms":20000}"#);
        assert!(ask(&server, "GET", "/", "").ends_with("{\"count\":3}"));

        assert!(ask(&server, "POST", "/_sim/faults", "[{}]").starts_with("HTTP/1.1 400"));
        assert_eq!(control.seen().len(), 9);
        assert_eq!((control.count("counter.post"), control.seen()[1].lost), (4, true));
        let address = server.address();
        server.stop();
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    }

    #[test]
    fn no_page_steers_it_whatever_name_leads_here() {
        let control = Control::new(Clock::fixed(0));
        let server = serve(([127, 0, 0, 1], 0).into(), Arc::new(Counter::default()), &control).unwrap();
        let status = |path: &str, headers: &str| ask_with(&server, "GET", path, "", headers)[9..12].to_owned();
        for good in ["127.0.0.1:80", "127.0.0.1", "[::1]:80", "localhost", "LOCALHOST:99"] {
            assert_eq!(status("/_sim/faults", &format!("host: {good}")), "200", "{good}");
        }
        for bad in
            ["rebound.example", "rebound.example:80", "127.0.0.1.example", "192.0.2.1:80", "localhost.example", ""]
        {
            assert_eq!(status("/_sim/faults", &format!("host: {bad}")), "403", "{bad}");
        }
        for origin in ["https://evil.example", "http://127.0.0.1:80", "null"] {
            for path in ["/_sim/faults", "/"] {
                let headers = format!("host: 127.0.0.1\r\norigin: {origin}");
                assert_eq!(status(path, &headers), "403", "{origin} {path}");
            }
        }
        // What stands for a registrar is asked under the registrar's name.
        assert_eq!(status("/", "host: api.registrar.example"), "200");
        assert_eq!(control.count("counter.get"), 1);
    }

    #[test]
    fn a_body_has_a_bound_and_nonsense_is_no_trouble() {
        let control = Control::new(Clock::system());
        let server = serve(([127, 0, 0, 1], 0).into(), Arc::new(Counter::default()), &control).unwrap();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let length = crate::http::BODY_BYTES + 1;
        let _ = stream.write_all(format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n").as_bytes());
        let _ = stream.write_all(&vec![b'x'; length]);
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
        TcpStream::connect(server.address()).unwrap().write_all(b"\x00\xff nonsense\r\n\r\n").unwrap();
        assert!(ask(&server, "GET", "/?a=%zz&b", "").ends_with("{\"count\":0}"));
    }
}
