//! The witness: a process of its own that writes down, in the order of arrival, what reaches the world. It knows nothing of
//! Windlass, and is asked nothing by it.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// When.
    pub at_ms: i64,
    /// `post`, `keyed`, `thing`.
    pub kind: String,
    /// `PUT`, `POST`, `DELETE`.
    pub method: String,
    /// Whose: the name that the run was launched with.
    pub run: String,
    /// Which of them.
    pub name: String,
    /// The request's idempotency key.
    pub key: Option<String>,
    /// What was put.
    pub value: Value,
    /// Whether it took effect, or was a repetition of a key.
    pub effective: bool,
}

#[derive(Default)]
struct Witness {
    seen: Mutex<(Vec<Seen>, HashMap<String, ()>)>,
    /// Milliseconds that each answer is held back.
    slow_ms: AtomicU64,
}

/// Listens for ever.
pub fn serve(address: SocketAddr) -> std::io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let witness = Arc::new(Witness::default());
    for stream in listener.incoming().flatten() {
        let witness = witness.clone();
        // A connection that breaks is the client's business.
        std::thread::spawn(move || drop(witness.talk(stream)));
    }
    Ok(())
}

impl Witness {
    fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut answers = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let (mut length, mut key) = (0, None);
            loop {
                let mut header = String::new();
                if reader.read_line(&mut header)? == 0 {
                    return Ok(());
                }
                let Some((name, value)) = header.trim().split_once(':') else { break };
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().unwrap_or(0),
                    "idempotency-key" => key = Some(value.trim().to_owned()),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let mut words = line.split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let answer = self.answer(method, path, key, &body);
            // Answers take a little time, as they do: a node that stands still does so in the middle of something.
            let length = answer.len() as u64 + line.len() as u64 * 7;
            std::thread::sleep(Duration::from_millis(length % 30 + self.slow_ms.load(Ordering::Relaxed)));
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            );
            answers.write_all(format!("{head}{answer}").as_bytes())?;
        }
    }

    fn answer(&self, method: &str, path: &str, key: Option<String>, body: &[u8]) -> String {
        let mut words = path.trim_start_matches('/').splitn(3, '/').map(str::to_owned);
        let (kind, run, name) = (words.next(), words.next(), words.next());
        match (method, kind.as_deref()) {
            ("GET", _) => return serde_json::to_string(&self.seen.lock().0).unwrap_or_default(),
            ("POST", Some("slow")) => {
                self.slow_ms.store(run.and_then(|ms| ms.parse().ok()).unwrap_or(0), Ordering::Relaxed);
                return "{}".to_owned();
            }
            _ => {}
        }
        let value = serde_json::from_slice::<Value>(body).map(|body| body["value"].clone()).unwrap_or_default();
        let mut seen = self.seen.lock();
        let effective =
            kind.as_deref() != Some("keyed") || seen.1.insert(key.clone().unwrap_or_default() + path, ()).is_none();
        let text = |word: Option<String>| word.unwrap_or_default();
        let (kind, run, name) = (text(kind), text(run), text(name));
        let at_ms = windlass_model::time::Clock::now_ms(&windlass_engine::SystemClock::default());
        seen.0.push(Seen { at_ms, kind, method: method.to_owned(), run, name, key, value, effective });
        "{}".to_owned()
    }
}

/// Asks the witness what it saw.
pub fn ask(address: SocketAddr) -> Vec<Seen> {
    let body = request(address, "GET", "/seen");
    serde_json::from_str(&body).expect("the witness answers")
}

/// Has each answer held back so long.
pub fn slow(address: SocketAddr, ms: u64) {
    request(address, "POST", &format!("/slow/{ms}"));
}

fn request(address: SocketAddr, method: &str, path: &str) -> String {
    let client = reqwest::blocking::Client::new();
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let answer = client.request(method, format!("http://{address}{path}")).send().expect("the witness is there");
    answer.text().expect("the witness answers")
}
