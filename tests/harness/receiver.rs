//! A receiver of messages: a real HTTP server on loopback that keeps what it is sent, and answers as it is told.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::Value;

/// What was sent.
#[derive(Clone, Debug)]
pub struct Taken {
    /// `POST`.
    pub method: String,
    /// With what stands behind the question mark.
    pub path: String,
    /// With names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
    /// When it was whole.
    pub at: Instant,
}

impl Taken {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body is JSON")
    }
}

/// What it is answered with.
#[derive(Clone, Debug)]
pub enum Says {
    /// A status, further header lines, and a body.
    Answer(u16, &'static str, &'static str),
    /// Nothing, for as long as the other side waits.
    Nothing,
}

/// The server, until this is dropped.
pub struct Receiver {
    port: u16,
    taken: Arc<Mutex<Vec<Taken>>>,
    next: Arc<Mutex<VecDeque<Says>>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// It answers 200 when it isn't told otherwise.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (taken, next, end) = (Arc::<Mutex<Vec<Taken>>>::default(), Arc::default(), Arc::<AtomicBool>::default());
        let (kept, queue, ended) = (taken.clone(), Arc::<Mutex<VecDeque<Says>>>::clone(&next), end.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (kept, queue, ended) = (kept.clone(), queue.clone(), ended.clone());
                std::thread::spawn(move || serve(stream, &kept, &queue, &ended));
            }
        });
        Self { port, taken, next, end, thread: Some(thread) }
    }

    /// Its address, with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The next requests are answered so, each with one; then with 200 again.
    pub fn says(&self, answers: impl IntoIterator<Item = Says>) {
        self.next.lock().extend(answers);
    }

    /// What was sent so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().clone()
    }

    /// What was sent, once it is so much.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Taken> {
        crate::wait_until(&format!("{count} messages"), Duration::from_secs(60), || self.taken.lock().len() >= count);
        self.taken()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        // Wakes it, so that it sees that.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Taken>>, queue: &Mutex<VecDeque<Says>>, ended: &AtomicBool) {
    let Some(taken) = read(&stream) else { return };
    kept.lock().push(taken);
    let says = queue.lock().pop_front().unwrap_or(Says::Answer(200, "", "ok"));
    match says {
        Says::Answer(status, headers, body) => {
            let length = body.len();
            let text =
                format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            let _ = stream.write_all(text.as_bytes());
        }
        Says::Nothing => {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            let mut byte = [0];
            while !ended.load(Ordering::Relaxed) {
                if matches!(stream.read(&mut byte), Ok(0)) {
                    return;
                }
            }
        }
    }
}

fn read(stream: &TcpStream) -> Option<Taken> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Taken { method, path, headers, body, at: Instant::now() })
}
