//! A real HTTP/1.1 server on a loopback address: every connection is answered by the test's own function.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
};

use parking_lot::Mutex;

/// A request as it came over the wire.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) headers: Vec<String>,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.headers.iter().find_map(|header| header.strip_prefix(&prefix))
    }
}

/// The server; it ends with the test's process.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Listens on a free port of `ip`; `answer` writes whatever bytes it likes.
    pub(super) fn on(ip: &str, answer: impl Fn(&Seen, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (record, answer) = (seen.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (record, answer) = (record.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &record, &*answer));
            }
        });
        Self { address, seen }
    }

    /// On 127.0.0.1, answering with fixed text.
    pub(super) fn saying(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::on("127.0.0.1", move |_, stream| {
            let _ = stream.write_all(answer.as_bytes());
        })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Grants for all methods on this server.
    pub(super) fn grants(&self) -> Vec<String> {
        ["get", "head", "put", "delete", "post", "patch", "request"]
            .map(|verb| format!("http.{verb}:http://{}/*", self.address))
            .into()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }
}

fn serve(mut stream: TcpStream, record: &Mutex<Vec<Seen>>, answer: &dyn Fn(&Seen, &mut TcpStream)) {
    let Ok(copy) = stream.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    let mut seen = Seen::default();
    if reader.read_line(&mut seen.line).unwrap_or(0) == 0 {
        return;
    }
    seen.line.truncate(seen.line.trim_end().len());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim_end().is_empty() {
            break;
        }
        seen.headers.push(line.trim_end().to_owned());
    }
    let length = seen.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    seen.body = String::from_utf8_lossy(&body).into_owned();
    record.lock().push(seen.clone());
    answer(&seen, &mut stream);
}

/// An answer that closes its connection.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}
