//! Hints between nodes, by PostgreSQL's NOTIFY: something of interest was committed, look. A hint carries nothing that
//! isn't in the database, and may be lost: whoever gets none looks now and then. A pooler in transaction mode takes a LISTEN
//! and forgets whose it was, so nothing is asked of a connection that a pooler gave, and each is tried out before anybody
//! relies on it.

use std::{
    ffi::{CStr, CString},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::{PgConnection, connection::SimpleConnection as _};
use parking_lot::{Condvar, Mutex};

use crate::connection::{AnyConnection, Place, Purpose, connect, patient, place};

const CHANNEL: &str = "windlass";
/// Hints are sent no more often: what happens in between shares one.
const EVERY: Duration = Duration::from_millis(10);
/// So long a hint may take when a connection is tried out.
const TRIAL: Duration = Duration::from_secs(2);
/// Between two attempts to get a connection that hints come through.
const AGAIN: Duration = Duration::from_secs(10);
/// How often it is looked whether the store is closed.
const BREATH: Duration = Duration::from_millis(200);

/// Sends hints to other nodes and takes theirs.
pub struct Hints {
    shared: Arc<Shared>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

struct Shared {
    url: String,
    /// What this process's hints begin with.
    name: String,
    state: Mutex<State>,
    changed: Condvar,
    arrive: AtomicBool,
}

#[derive(Default)]
struct State {
    /// There is news that the others weren't told of.
    news: bool,
    /// What a trial waits for.
    trial: Option<String>,
    closed: bool,
}

impl Hints {
    /// Begins to listen; `heard` is called for each hint of another process. None where there is nothing to listen to.
    pub(crate) fn start(url: &str, heard: Box<dyn Fn() + Send>) -> Option<Self> {
        if !matches!(place(url), Ok(Place::Postgres(_))) {
            return None;
        }
        let name = format!("{}-{:x}", std::process::id(), rand_word());
        let shared = Arc::new(Shared {
            url: url.to_owned(),
            name,
            state: Mutex::default(),
            changed: Condvar::new(),
            arrive: AtomicBool::new(false),
        });
        let (listens, tells) = (shared.clone(), shared.clone());
        let listener = std::thread::Builder::new().name("hints-in".into()).spawn(move || listens.listen(&*heard));
        let teller = std::thread::Builder::new().name("hints-out".into()).spawn(move || tells.tell());
        let threads = [listener, teller].into_iter().filter_map(Result::ok).collect();
        Some(Self { shared, threads })
    }

    /// Something was committed that other nodes may wait for.
    pub fn tell(&self) {
        let mut state = self.shared.state.lock();
        if !state.news {
            state.news = true;
            self.shared.changed.notify_all();
        }
    }

    /// Whether hints of others arrive: tried out when the connection was opened.
    pub fn arrive(&self) -> bool {
        self.shared.arrive.load(Ordering::Acquire)
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_all();
        let this = std::thread::current().id();
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != this) {
            // One that panicked has nothing left to wait for.
            let _ = thread.join();
        }
    }
}

fn rand_word() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}

impl Shared {
    fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Waits, unless the store is closed meanwhile.
    fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.state.lock();
        while !state.closed && Instant::now() < until {
            self.changed.wait_until(&mut state, until);
        }
    }

    /// The thread that sends.
    fn tell(&self) {
        let mut connection: Option<PgConnection> = None;
        loop {
            let payload = {
                let mut state = self.state.lock();
                while !state.news && state.trial.is_none() && !state.closed {
                    self.changed.wait(&mut state);
                }
                if state.closed {
                    return;
                }
                state.news = false;
                match state.trial.take() {
                    Some(trial) => format!("{} {trial}", self.name),
                    None => self.name.clone(),
                }
            };
            // A hint is worth no sync: whoever misses it looks by itself.
            let text = format!("BEGIN; SET LOCAL synchronous_commit = off; NOTIFY {CHANNEL}, '{payload}'; COMMIT");
            if connection.is_none() {
                connection = match connect(&self.url, Purpose::Read) {
                    Ok(AnyConnection::Postgres(connection)) => Some(connection),
                    Ok(AnyConnection::Sqlite(_)) => return,
                    Err(error) => {
                        tracing::debug!(%error, "a hint to other nodes can't be sent");
                        None
                    }
                };
            }
            if let Some(open) = &mut connection
                && let Err(error) = open.batch_execute(&text)
            {
                tracing::debug!(%error, "a hint to other nodes wasn't sent");
                connection = None;
            }
            self.pause(EVERY);
        }
    }

    /// The thread that listens.
    fn listen(&self, heard: &dyn Fn()) {
        let mut told = String::new();
        while !self.is_closed() {
            match Listening::open(&self.url).and_then(|mut open| self.try_out(&mut open).map(|()| open)) {
                Ok(mut open) => {
                    told.clear();
                    self.arrive.store(true, Ordering::Release);
                    tracing::debug!("hints of other nodes arrive");
                    // What was committed while nobody listened.
                    heard();
                    let ended = self.follow(&mut open, heard);
                    self.arrive.store(false, Ordering::Release);
                    if let Err(reason) = ended {
                        tracing::debug!(reason, "hints of other nodes come no more; looking now and then instead");
                        continue;
                    }
                }
                Err(reason) => {
                    // It is tried for ever, and told once.
                    if told != reason {
                        tracing::info!(reason, "hints of other nodes don't arrive; looking now and then instead");
                        told = reason;
                    }
                    self.pause(AGAIN);
                }
            }
        }
    }

    /// Sends a hint through the other connection, and waits for it on this one.
    fn try_out(&self, open: &mut Listening) -> Result<(), String> {
        let word = format!("{:x}", rand_word());
        self.state.lock().trial = Some(word.clone());
        self.changed.notify_all();
        let began = Instant::now();
        while began.elapsed() < TRIAL && !self.is_closed() {
            if open.wait(BREATH)?.iter().any(|payload| *payload == format!("{} {word}", self.name)) {
                return Ok(());
            }
        }
        // Whoever has the connection next hasn't asked for hints.
        let _ = open.execute("UNLISTEN *");
        Err("a pooler may stand between, which forgets who listens".to_owned())
    }

    fn follow(&self, open: &mut Listening, heard: &dyn Fn()) -> Result<(), String> {
        while !self.is_closed() {
            let others = |payload: &String| payload.split(' ').next() != Some(&self.name);
            if open.wait(BREATH)?.iter().any(others) {
                heard();
            }
        }
        Ok(())
    }
}

/// A connection that listens. Diesel's gives no way to wait for a notification without asking again and again.
struct Listening(*mut pq_sys::PGconn);

// SAFETY: libpq's connections may be used from any thread, one at a time; this one has one owner.
unsafe impl Send for Listening {}

impl Listening {
    fn open(url: &str) -> Result<Self, String> {
        let url = CString::new(patient(url)).map_err(|_| "the URL holds a NUL".to_owned())?;
        // SAFETY: the URL is a C string; the connection is freed in `drop`.
        let open = Self(unsafe { pq_sys::PQconnectdb(url.as_ptr()) });
        // SAFETY: PQstatus takes a null pointer, too.
        if unsafe { pq_sys::PQstatus(open.0) } != pq_sys::ConnStatusType::CONNECTION_OK {
            return Err(open.error());
        }
        // A pooler hands out process ids of its own. It would give the connection that listens to somebody else.
        // SAFETY: the connection is open.
        let greeted = unsafe { pq_sys::PQbackendPID(open.0) };
        if open.execute("SELECT pg_backend_pid()")? != Some(greeted.to_string()) {
            return Err("a pooler stands between".to_owned());
        }
        open.execute(&format!("LISTEN {CHANNEL}"))?;
        Ok(open)
    }

    /// Executes a statement; the first value that it gives, if it gives any.
    fn execute(&self, text: &str) -> Result<Option<String>, String> {
        let text = CString::new(text).map_err(|error| error.to_string())?;
        // SAFETY: the connection is open, the text is a C string; the value is copied before the result is freed.
        unsafe {
            let result = pq_sys::PQexec(self.0, text.as_ptr());
            let given = match pq_sys::PQresultStatus(result) {
                pq_sys::ExecStatusType::PGRES_COMMAND_OK => Ok(None),
                pq_sys::ExecStatusType::PGRES_TUPLES_OK if pq_sys::PQntuples(result) > 0 => {
                    let value = CStr::from_ptr(pq_sys::PQgetvalue(result, 0, 0));
                    Ok(Some(value.to_string_lossy().into_owned()))
                }
                _ => Err(self.error()),
            };
            pq_sys::PQclear(result);
            given
        }
    }

    fn error(&self) -> String {
        // SAFETY: libpq gives a C string of its own, also for a null pointer; it is copied at once.
        let text = unsafe { CStr::from_ptr(pq_sys::PQerrorMessage(self.0)) };
        text.to_string_lossy().trim().to_owned()
    }

    /// Waits for notifications, at most so long; their payloads.
    fn wait(&mut self, time: Duration) -> Result<Vec<String>, String> {
        // SAFETY: the connection is open.
        let fd = unsafe { pq_sys::PQsocket(self.0) };
        if fd < 0 {
            return Err("the connection is closed".to_owned());
        }
        let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let time_ms = libc::c_int::try_from(time.as_millis()).unwrap_or(libc::c_int::MAX);
        // SAFETY: one pollfd that lives through the call.
        if unsafe { libc::poll(&raw mut poll, 1, time_ms) } <= 0 {
            return Ok(Vec::new());
        }
        // SAFETY: the connection is open.
        if unsafe { pq_sys::PQconsumeInput(self.0) } != 1 {
            return Err(self.error());
        }
        let mut payloads = Vec::new();
        loop {
            // SAFETY: a notification is ours until it is freed; its payload is a C string within it.
            unsafe {
                let notification = pq_sys::PQnotifies(self.0);
                if notification.is_null() {
                    return Ok(payloads);
                }
                payloads.push(CStr::from_ptr((*notification).extra).to_string_lossy().into_owned());
                pq_sys::PQfreemem(notification.cast());
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // SAFETY: opened by `PQconnectdb`, and used no more.
        unsafe { pq_sys::PQfinish(self.0) };
    }
}
