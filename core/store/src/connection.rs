//! One connection type over both databases, how it is opened, and the pool of readers.

use std::{path::Path, sync::Arc, time::Duration};

use diesel::{
    Connection as _, ConnectionError, PgConnection, SqliteConnection,
    connection::{CacheSize, SimpleConnection as _},
};
use parking_lot::{Condvar, Mutex};
use windlass_model::{Code, Problem};

use crate::{
    error::{StoreError, advice, explain, is_gone},
    options::Durability,
    sync::Disk,
};

/// A connection to either database.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// SQLite.
    Sqlite(SqliteConnection),
    /// PostgreSQL.
    Postgres(PgConnection),
}

/// What SQL is written for that either database takes.
pub(crate) type Multi = <AnyConnection as diesel::Connection>::Backend;

/// What a URL names.
pub(crate) enum Place<'a> {
    Sqlite(&'a Path),
    Postgres(&'a str),
}

/// What the connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Write(Durability),
    Read,
}

pub(crate) fn place(url: &str) -> Result<Place<'_>, StoreError> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        return Ok(Place::Sqlite(Path::new(path.strip_prefix("//").unwrap_or(path))));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Place::Postgres(url));
    }
    let scheme = url.split(':').next().unwrap_or_default();
    Err(StoreError::Failed(
        Problem::new(Code::Configuration, format!("`{scheme}:` isn't a database that Windlass knows"))
            .help("use `sqlite:/path/to/windlass.db` or `postgres://user@host/database`"),
    ))
}

/// Opens a connection, whatever state the schema is in.
pub(crate) fn connect(url: &str, purpose: Purpose) -> Result<AnyConnection, StoreError> {
    match place(url)? {
        Place::Sqlite(path) => sqlite(path, purpose).map(AnyConnection::Sqlite),
        Place::Postgres(url) => postgres(url, purpose).map(AnyConnection::Postgres),
    }
}

/// A connection is used by one thread at a time, so SQLite needs no locks of its own around each call; and nobody reads
/// its memory statistics, which are kept under one lock for the whole process.
pub(crate) fn configure_sqlite() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        use libsqlite3_sys as ffi;
        // SAFETY: called once, before this process opens its first connection; both options take what they are given here.
        let codes = unsafe {
            [
                ffi::sqlite3_config(ffi::SQLITE_CONFIG_MULTITHREAD),
                ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0 as std::ffi::c_int),
            ]
        };
        if codes != [ffi::SQLITE_OK; 2] {
            tracing::debug!(?codes, "SQLite was in use before: it keeps its own locks, and is a little slower");
        }
    });
}

fn sqlite(path: &Path, purpose: Purpose) -> Result<SqliteConnection, StoreError> {
    configure_sqlite();
    let name = path.display().to_string();
    let mut connection =
        SqliteConnection::establish(&name).map_err(|error| cannot_open(&name, &connection_error(error)))?;
    let synchronous = match purpose {
        Purpose::Write(Durability::Full) => "FULL",
        Purpose::Write(Durability::Off) => "OFF",
        // Whoever closes the last connection folds the log.
        Purpose::Read => "NORMAL",
    };
    // busy_timeout comes first: switching to WAL takes a lock that another process may hold.
    let mut pragmas =
        format!("PRAGMA busy_timeout = 5000; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON;");
    match purpose {
        // Tail pages are written again and again: a long log writes each of them back once.
        Purpose::Write(_) => pragmas.push_str("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 16000;"),
        Purpose::Read => pragmas.push_str("PRAGMA query_only = ON;"),
    }
    pragmas.push_str("PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY; SELECT count(*) FROM sqlite_master;");
    connection.batch_execute(&pragmas).map_err(|error| cannot_open(&name, &explain(&error).message))?;
    Ok(connection)
}

fn postgres(url: &str, purpose: Purpose) -> Result<PgConnection, StoreError> {
    let mut connection = PgConnection::establish(&patient(url))
        .map_err(|error| cannot_open(&without_password(url), &connection_error(error)))?;
    // Behind a pooler that gives a connection for one transaction, a named statement is gone in the next.
    connection.set_prepared_statement_cache_size(CacheSize::Disabled);
    // Set for the session; behind a pooler in transaction mode this is only a hint, the server's default is `on`.
    if purpose == Purpose::Write(Durability::Off) {
        connection
            .batch_execute("SET synchronous_commit = off")
            .map_err(|error| StoreError::Failed(explain(&error)))?;
    }
    Ok(connection)
}

/// How long a server may be silent: what a URL says of it goes before this. Within seconds it is known that a server is
/// gone, whether it answers no more, or can't be reached.
const PATIENCE: [(&str, &str); 7] = [
    ("connect_timeout", "5"),
    ("keepalives", "1"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
    ("application_name", "windlass"),
];

/// The URL with the time-outs that it doesn't name.
pub(crate) fn patient(url: &str) -> String {
    let mut patient = url.to_owned();
    for (name, value) in PATIENCE {
        let named = url.split_once('?').is_some_and(|(_, query)| {
            query.split('&').any(|pair| pair.split_once('=').is_some_and(|(known, _)| known == name))
        });
        if !named {
            let separator = if patient.contains('?') { '&' } else { '?' };
            patient.push_str(&format!("{separator}{name}={value}"));
        }
    }
    patient
}

fn connection_error(error: ConnectionError) -> String {
    match error {
        ConnectionError::BadConnection(text) => text,
        other => other.to_string(),
    }
}

fn cannot_open(name: &str, reason: &str) -> StoreError {
    let problem = Problem::new(Code::Storage, format!("the database `{name}` can't be opened: {}", reason.trim()));
    StoreError::Failed(match advice(reason) {
        Some((help, true)) => problem.help(help).retryable(),
        Some((help, false)) => problem.help(help),
        None => problem,
    })
}

/// The URL as it may stand in an error.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}")
        }
        None => url.to_owned(),
    }
}

/// Connections for reads; a reader waits while all are in use.
pub(crate) struct Readers {
    url: String,
    disk: Arc<Disk>,
    free: Mutex<Vec<Option<AnyConnection>>>,
    returned: Condvar,
}

impl Readers {
    pub(crate) fn new(url: &str, count: usize, disk: Arc<Disk>) -> Self {
        let free = std::iter::repeat_with(|| None).take(count.max(1)).collect();
        Self { url: url.to_owned(), disk, free: Mutex::new(free), returned: Condvar::new() }
    }

    /// Runs `read` on a connection, in one transaction, so that it sees one state of the database; and gives what it has read once
    /// that is on disk.
    pub(crate) fn with<T>(
        &self,
        read: impl Fn(&mut AnyConnection) -> Result<T, diesel::result::Error>,
    ) -> Result<T, StoreError> {
        let slot = {
            let mut free = self.free.lock();
            loop {
                if let Some(slot) = free.pop() {
                    break slot;
                }
                self.returned.wait_for(&mut free, Duration::from_secs(1));
            }
        };
        let mut held = Held { readers: self, slot };
        // What was opened a while ago may have lost its server since; what was opened now says how things are.
        let mut opened_before = held.slot.is_some();
        loop {
            let connection = match &mut held.slot {
                Some(connection) => connection,
                empty => empty.insert(connect(&self.url, Purpose::Read)?),
            };
            let result = connection.transaction(&read);
            if let Err(error) = &result
                && !matches!(error, diesel::result::Error::NotFound)
            {
                // It may be broken: the next reader opens a new one.
                held.slot = None;
                if std::mem::take(&mut opened_before) && is_gone(error) {
                    continue;
                }
            }
            drop(held);
            self.disk.wait()?;
            return result.map_err(|error| StoreError::Failed(explain(&error)));
        }
    }
}

/// Gives the connection back, even when the reader panics; but then without the connection, which still stands in the
/// reader's transaction: whoever got it would see the database as it was then, for ever.
struct Held<'a> {
    readers: &'a Readers,
    slot: Option<AnyConnection>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let slot = self.slot.take().filter(|_| !std::thread::panicking());
        self.readers.free.lock().push(slot);
        self.readers.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use diesel::{RunQueryDsl as _, dsl::sql, sql_types::BigInt};

    use super::*;

    #[test]
    fn what_a_url_says_of_time_outs_goes_before_ours() {
        let url = patient("postgres://u@h/db?connect_timeout=1&sslmode=require");
        assert!(url.starts_with("postgres://u@h/db?connect_timeout=1&sslmode=require&keepalives=1&"), "{url}");
        assert_eq!(url.matches("connect_timeout").count(), 1);
        assert!(patient("postgres:///db").starts_with("postgres:///db?connect_timeout=5&"));
    }

    #[test]
    fn after_a_reader_that_panicked_the_next_one_sees_what_is_there_now() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("a.db").display());
        let mut writer = connect(&url, Purpose::Write(Durability::Off)).unwrap();
        writer.batch_execute("CREATE TABLE t (n BIGINT NOT NULL)").unwrap();
        let readers = Readers::new(&url, 1, Arc::new(Disk::new(None)));
        let count = |conn: &mut AnyConnection| {
            diesel::select(sql::<BigInt>("(SELECT count(*) FROM t)")).get_result::<i64>(conn)
        };
        assert_eq!(readers.with(count).unwrap(), 0_i64);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            readers.with(|conn| -> Result<i64, diesel::result::Error> { panic!("after {:?} rows", count(conn)) })
        }));
        assert!(panicked.is_err());
        writer.batch_execute("INSERT INTO t VALUES (1)").unwrap();
        assert_eq!(readers.with(count).unwrap(), 1_i64);
    }
}
