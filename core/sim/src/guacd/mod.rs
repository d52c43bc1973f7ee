//! guacd: the proxy that web applications ask for a screen or a terminal. Its protocol is real, its pictures are not: what a key does is
//! drawn as a box. It reaches for the machine that it is told, as guacd does, and passes on what is typed into a telnet.

mod args;
mod session;
mod wire;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, broadcast, mpsc, watch},
};

use crate::Faults;

/// Connections at once.
const CONNECTIONS: usize = 256;

/// How it behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// How often it asks whether its client still follows.
    pub sync: Duration,
    /// How long an answer may take, and how long a client may be silent.
    pub patience: Duration,
    /// Whether it reaches for the machines that it is told.
    pub reaches: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { sync: Duration::from_secs(1), patience: Duration::from_secs(15), reaches: true }
    }
}

/// guacd, until it is stopped or dropped.
pub struct Guacd {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// A session, for tests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// What it is called.
    pub id: String,
    /// `vnc`.
    pub protocol: String,
    /// What it was told, by name; passwords and keys only by whether they were told.
    pub parameters: BTreeMap<String, String>,
    /// What was shown and played: `size`, `audio`, `image`, `timezone`.
    pub told: BTreeMap<String, Vec<String>>,
    /// Keys that were pressed.
    pub keys: Vec<u32>,
    /// Answers to `sync`.
    pub syncs: u64,
    /// `nop`s.
    pub nops: u64,
    /// Who looks.
    pub users: u64,
    /// Whether all have gone.
    pub ended: bool,
}

struct Shared {
    config: Config,
    faults: Faults,
    next: AtomicU64,
    open: Mutex<BTreeMap<String, Arc<Session>>>,
    seen: Mutex<Vec<Arc<Mutex<Seen>>>>,
}

/// A session that somebody is in.
struct Session {
    protocol: String,
    names: &'static [&'static str],
    /// What everybody in it is shown.
    shown: broadcast::Sender<Arc<str>>,
    /// What is typed into it.
    typed: mpsc::Sender<Vec<u8>>,
    seen: Arc<Mutex<Seen>>,
}

impl Guacd {
    /// Listens at `address` (port 0: any that is free). Faults are `guacd.select` and `guacd.connect`; a failure's status is guacd's.
    pub fn start(address: SocketAddr, config: Config, faults: Faults) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            config,
            faults,
            next: AtomicU64::new(1),
            open: Mutex::default(),
            seen: Mutex::default(),
        });
        let work = {
            let shared = shared.clone();
            move || {
                runtime.block_on(accept(listener, shared, stopped));
                runtime.shutdown_background();
            }
        };
        let thread = std::thread::Builder::new().name("guacd".into()).spawn(work)?;
        Ok(Self { address, shared, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every session that there was.
    pub fn sessions(&self) -> Vec<Seen> {
        self.shared.seen.lock().iter().map(|seen| seen.lock().clone()).collect()
    }
}

impl Drop for Guacd {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, most likely: a moment later some are free.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let shared = shared.clone();
        tokio::spawn(async move {
            // Whatever ends it, the connection is closed.
            let _ = session::serve(stream, &shared).await;
            drop(place);
        });
    }
}

impl Shared {
    /// A name for a session that nobody guesses.
    fn id(&self) -> String {
        use std::hash::{BuildHasher as _, RandomState};
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (a, b) = (RandomState::new().hash_one(number), RandomState::new().hash_one(number));
        format!(
            "${:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        )
    }
}

/// The machine, if it answers.
async fn reach(parameters: &BTreeMap<String, String>, port: u16) -> io::Result<TcpStream> {
    let host = parameters.get("hostname").filter(|host| !host.is_empty()).map_or("localhost", String::as_str);
    let port = parameters.get("port").and_then(|port| port.parse().ok()).unwrap_or(port);
    let connected = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect((host, port))).await;
    connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// A failure's status, as guacd tells it.
fn status(failure: &crate::Failure) -> String {
    Value::from(failure.status).to_string()
}
