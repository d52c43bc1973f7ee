//! Windlass over its API: a run is launched with a request, and one stream of events tells all clients which have ended.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{Client, System, http::Connection};

/// The states that a run ends in.
const ENDS: &str = "run.succeeded,run.failed,run.cancelled,run.rolled_back,run.rollback_stuck,run.parked";

/// A server, and the ends of its runs.
pub struct Windlass {
    address: SocketAddr,
    token: String,
    ends: Arc<Mutex<Ends>>,
}

/// How a run ended, and when this was heard.
type End = (String, Instant);

/// Whoever comes second finds what the first one has left: the end, or who waits for it.
#[derive(Default)]
struct Ends {
    ended: HashMap<String, End>,
    awaited: HashMap<String, Sender<End>>,
}

impl Windlass {
    /// Follows the server's events from now on.
    pub fn new(address: SocketAddr, token: &str) -> io::Result<Self> {
        let ends = Arc::<Mutex<Ends>>::default();
        let mut stream = Connection::to(address, Some(token))?;
        stream.open(&format!("/api/v1/events?kinds={ENDS}"))?;
        // The first frame tells where the stream begins: what is launched from here on is seen.
        stream.chunk()?;
        let told = ends.clone();
        std::thread::spawn(move || {
            if let Err(error) = follow(&mut stream, &told) {
                eprintln!("windlass-load: the stream of events broke off: {error}");
            }
        });
        Ok(Self { address, token: token.to_owned(), ends })
    }

    /// Hears of the end of a run.
    fn end(&self, run: &str) -> Receiver<End> {
        let (sender, receiver) = channel();
        let mut ends = self.ends.lock();
        match ends.ended.remove(run) {
            // It can't fail: the receiver is right here.
            Some(end) => drop(sender.send(end)),
            None => drop(ends.awaited.insert(run.to_owned(), sender)),
        }
        receiver
    }
}

fn follow(stream: &mut Connection, ends: &Mutex<Ends>) -> io::Result<()> {
    let mut text = String::new();
    while let Some(chunk) = stream.chunk()? {
        text.push_str(&String::from_utf8_lossy(&chunk));
        let whole = text.rfind("\n\n").map_or(0, |at| at + 2);
        for frame in text[..whole].split("\n\n") {
            let Some(data) = frame.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
            let event: Value = serde_json::from_str(data)?;
            let (Some(run), Some(kind)) = (event["run"].as_str(), event["kind"].as_str()) else { continue };
            let end = (kind.to_owned(), Instant::now());
            let mut ends = ends.lock();
            match ends.awaited.remove(run) {
                // Nobody waits any more if the client has given up.
                Some(sender) => drop(sender.send(end)),
                None => drop(ends.ended.insert(run.to_owned(), end)),
            }
        }
        text.drain(..whole);
    }
    Ok(())
}

impl System for Windlass {
    fn client(&self) -> io::Result<Box<dyn Client + '_>> {
        Ok(Box::new(Launcher { server: self, connection: Connection::to(self.address, Some(&self.token))? }))
    }
}

struct Launcher<'a> {
    server: &'a Windlass,
    connection: Connection,
}

impl Client for Launcher<'_> {
    fn call(&mut self, workflow: &str, input: &Value) -> io::Result<()> {
        let run = self.start(workflow, input)?;
        self.finish(&run).map(drop)
    }

    fn start(&mut self, workflow: &str, input: &Value) -> io::Result<String> {
        let body = json!({ "workflow": workflow, "input": input }).to_string();
        let answer: Value = serde_json::from_slice(&self.connection.exchange("POST", "/api/v1/runs", &body)?)?;
        answer["id"].as_str().map(str::to_owned).ok_or_else(|| io::Error::other("a launch without an id"))
    }

    fn finish(&mut self, run: &str) -> io::Result<Instant> {
        match self.server.end(run).recv_timeout(Duration::from_secs(120)) {
            Ok((kind, at)) if kind == "run.succeeded" => Ok(at),
            Ok((kind, _)) => Err(io::Error::other(format!("run {run}: {kind}"))),
            Err(_) => Err(io::Error::other(format!("nothing was heard of run {run}"))),
        }
    }
}
