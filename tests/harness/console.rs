//! A client of consoles that blocks: a WebSocket with what it was shown and told.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::Value;
use tungstenite::{
    Error, HandshakeError, Message, WebSocket,
    client::IntoClientRequest as _,
    http::{HeaderName, HeaderValue},
};

use crate::ApiServer;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody at a console.
pub struct Console {
    socket: WebSocket<TcpStream>,
    /// All that was shown.
    pub shown: Vec<u8>,
    /// All that was told, in order.
    pub told: Vec<Value>,
    /// How it ended: the close code and its reason; 0 if the connection broke.
    pub end: Option<(u16, String)>,
    /// How long nothing may come.
    pub patience: Duration,
    heard: Instant,
}

/// What a request for a console was answered with instead.
#[derive(Debug)]
pub struct Refused {
    /// The status.
    pub status: u16,
    /// The body.
    pub text: String,
}

impl Console {
    /// Opens `/api/v1/labs/{path}` with these headers.
    pub fn open(server: &ApiServer, path: &str, headers: &[(&str, &str)]) -> Result<Self, Refused> {
        let url = format!("{}/api/v1/labs/{path}", server.url.replace("http", "ws"));
        let mut request = url.into_client_request().expect("an address");
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            request.headers_mut().append(name, HeaderValue::from_str(value).expect("a header's value"));
        }
        let stream = TcpStream::connect(server.address()).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.set_nodelay(true).expect("no delay");
        match tungstenite::client::client(request, stream) {
            Ok((socket, _)) => Ok(Self {
                socket,
                shown: Vec::new(),
                told: Vec::new(),
                end: None,
                patience: PATIENCE,
                heard: Instant::now(),
            }),
            Err(HandshakeError::Failure(Error::Http(answer))) => {
                let body = answer.body().clone().unwrap_or_default();
                Err(Refused { status: answer.status().as_u16(), text: String::from_utf8_lossy(&body).into_owned() })
            }
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// The same with a token.
    #[track_caller]
    pub fn with_token(server: &ApiServer, path: &str, token: &str) -> Self {
        let bearer = format!("Bearer {token}");
        Self::open(server, path, &[("authorization", &bearer)]).unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    /// The status and the text of a refusal.
    #[track_caller]
    pub fn refused(server: &ApiServer, path: &str, headers: &[(&str, &str)]) -> Refused {
        match Self::open(server, path, headers) {
            Err(refused) => refused,
            Ok(_) => panic!("{path} was opened"),
        }
    }

    /// Types.
    pub fn types(&mut self, text: &str) {
        // It may be closed already, which is seen by whoever reads on.
        let _ = self.socket.send(Message::binary(text.as_bytes().to_vec()));
    }

    /// Sends bytes that aren't text.
    pub fn sends(&mut self, bytes: &[u8]) {
        let _ = self.socket.send(Message::binary(bytes.to_vec()));
    }

    /// Reads until so many bytes are shown.
    #[track_caller]
    pub fn at_least(&mut self, count: usize) {
        while self.shown.len() < count {
            assert!(self.read(), "it ended at {} of {count} bytes: {:?}", self.shown.len(), self.end);
        }
    }

    /// Says something in JSON, or what isn't.
    pub fn says(&mut self, text: &str) {
        let _ = self.socket.send(Message::text(text.to_owned()));
    }

    /// Reads one message; whether there was one.
    pub fn read(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        let message = self.socket.read();
        match &message {
            // Heartbeats alone are no news.
            Ok(Message::Ping(_)) => self.fail_when_quiet(),
            Err(_) => {}
            _ => self.heard = Instant::now(),
        }
        match message {
            Ok(Message::Binary(bytes)) => self.shown.extend_from_slice(&bytes),
            Ok(Message::Text(text)) => self.told.push(serde_json::from_str(&text).expect("JSON")),
            Ok(Message::Close(frame)) => {
                let end = frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                self.end = Some(end);
                // Answers the close.
                let _ = self.socket.flush();
            }
            Ok(_) => {}
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                self.fail_when_quiet();
            }
            Err(error) => self.end = Some((0, error.to_string())),
        }
        self.end.is_none()
    }

    fn fail_when_quiet(&self) {
        let quiet = self.heard.elapsed() >= self.patience;
        assert!(!quiet, "nothing came for {:?}; shown: {}; told: {:?}", self.patience, self.text(), self.told);
    }

    /// What was shown, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Reads until this is shown.
    #[track_caller]
    pub fn until(&mut self, text: &str) {
        while !self.text().contains(text) {
            assert!(self.read(), "it ended before `{text}`: {:?}; shown: {}", self.end, self.text());
        }
    }

    /// Types a line and reads what it answers, which has to be marked so that it isn't what was typed: `$((6*7))`.
    #[track_caller]
    pub fn asks(&mut self, line: &str, answer: &str) {
        self.types(&format!("{line}\n"));
        self.until(answer);
    }

    /// Reads until something is told that fits; that.
    #[track_caller]
    pub fn hears(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let mut seen = 0;
        loop {
            if let Some(found) = self.told[seen..].iter().find(|told| fits(told)) {
                return found.clone();
            }
            seen = self.told.len();
            assert!(self.read(), "it ended: {:?}; told: {:?}", self.end, self.told);
        }
    }

    /// Reads to the end; the close code.
    pub fn ends(&mut self) -> u16 {
        while self.read() {}
        self.end.as_ref().map_or(0, |(code, _)| *code)
    }
}
