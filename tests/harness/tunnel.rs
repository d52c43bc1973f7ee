//! A client of consoles by way of guacd that blocks, as guacamole-common-js is one: whole instructions in text frames, over a WebSocket
//! whose subprotocol is `guacamole`.

use std::{
    collections::VecDeque,
    net::TcpStream,
    time::{Duration, Instant},
};

use tungstenite::{Message, WebSocket, client::IntoClientRequest as _, http::HeaderValue};

use crate::ApiServer;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who looks.
pub struct Tunnel {
    socket: WebSocket<TcpStream>,
    waiting: VecDeque<Vec<String>>,
    /// What was shown, without questions and answers.
    pub shown: Vec<Vec<String>>,
    /// Whether `sync` is answered.
    pub answers: bool,
    /// How it ended: the close code and its reason.
    pub end: Option<(u16, String)>,
}

impl Tunnel {
    /// Opens `/api/v1/labs/{path}`.
    #[track_caller]
    pub fn open(server: &ApiServer, path: &str, token: &str) -> Self {
        let url = format!("{}/api/v1/labs/{path}", server.url.replace("http", "ws"));
        let mut request = url.into_client_request().expect("an address");
        let headers = request.headers_mut();
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).expect("a header's value"));
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("guacamole"));
        let stream = TcpStream::connect(server.address()).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a time limit");
        stream.set_nodelay(true).expect("no delay");
        // What reads again after a time limit has to be told so.
        let mut handshake = tungstenite::client::client(request, stream);
        let began = Instant::now();
        let socket = loop {
            match handshake {
                Ok((socket, answer)) => {
                    assert_eq!(answer.headers()["sec-websocket-protocol"], "guacamole");
                    break socket;
                }
                Err(tungstenite::HandshakeError::Interrupted(middle)) if began.elapsed() < PATIENCE => {
                    handshake = middle.handshake();
                }
                Err(error) => panic!("{path}: {error}"),
            }
        };
        Self { socket, waiting: VecDeque::new(), shown: Vec::new(), answers: true, end: None }
    }

    /// Says something.
    pub fn says(&mut self, instruction: &[&str]) {
        let elements = instruction.iter().map(|element| format!("{}.{element}", element.chars().count()));
        let _ = self.socket.send(Message::text(format!("{};", elements.collect::<Vec<_>>().join(","))));
    }

    /// Says bytes.
    pub fn says_text(&mut self, text: &str) {
        let _ = self.socket.send(Message::text(text.to_owned()));
    }

    /// Presses and releases keys of a Latin keyboard; a newline is the return key.
    pub fn types(&mut self, text: &str) {
        for key in text.chars() {
            let keysym = if key == '\n' { 0xff0d } else { u32::from(key) }.to_string();
            self.says(&["key", &keysym, "1"]);
            self.says(&["key", &keysym, "0"]);
        }
    }

    /// The next instruction, if one comes soon.
    pub fn read(&mut self) -> Option<Vec<String>> {
        if let Some(next) = self.waiting.pop_front() {
            if next[0] == "sync" && self.answers {
                self.says(&["sync", &next[1]]);
            }
            if !["sync", "nop"].contains(&next[0].as_str()) {
                self.shown.push(next.clone());
            }
            return Some(next);
        }
        if self.end.is_some() {
            return None;
        }
        match self.socket.read() {
            Ok(Message::Text(text)) => {
                self.waiting.extend(instructions(&text));
                self.read()
            }
            Ok(Message::Close(frame)) => {
                let end = frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                self.end = Some(end);
                let _ = self.socket.flush();
                None
            }
            Ok(_) => None,
            Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => None,
            Err(error) => {
                self.end = Some((0, error.to_string()));
                None
            }
        }
    }

    /// Reads until something fits; that.
    #[track_caller]
    pub fn until(&mut self, what: &str, fits: impl Fn(&[String]) -> bool) -> Vec<String> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE && (self.end.is_none() || !self.waiting.is_empty()) {
            if let Some(found) = self.read().filter(|next| fits(next)) {
                return found;
            }
        }
        panic!("never {what}; end: {:?}; shown: {:?}", self.end, self.shown);
    }

    /// Reads for a while.
    pub fn follow(&mut self, length: Duration) {
        let began = Instant::now();
        while began.elapsed() < length && self.end.is_none() {
            self.read();
        }
    }

    /// Reads to the end; how it came.
    #[track_caller]
    pub fn ends(&mut self) -> (u16, String) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            self.read();
            if let (Some(end), true) = (&self.end, self.waiting.is_empty()) {
                return end.clone();
            }
        }
        panic!("it doesn't end; shown: {:?}", self.shown);
    }
}

/// Every message has whole instructions.
fn instructions(text: &str) -> Vec<Vec<String>> {
    let (mut all, mut one) = (Vec::new(), Vec::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (length, after) = rest.split_once('.').expect("a length");
        let count: usize = length.parse().expect("a number");
        let end = after.char_indices().nth(count).map(|(at, _)| at).expect("a whole element");
        one.push(after[..end].to_owned());
        match &after[end..=end] {
            ";" => all.push(std::mem::take(&mut one)),
            separator => assert_eq!(separator, ",", "{text}"),
        }
        rest = &after[end + 1..];
    }
    assert!(one.is_empty(), "half an instruction: {text}");
    all
}
