//! The handle that everybody holds: commands go to the writer, questions to the readers.

use std::{
    sync::Arc,
    thread::{JoinHandle, ThreadId},
};

use parking_lot::Mutex;
use windlass_model::{
    command::{Command, Reply},
    time::Clock,
};

use crate::{
    connection::{AnyConnection, Place, Purpose, Readers, connect, place},
    dialect,
    error::StoreError,
    hints::Hints,
    migrate,
    options::{Durability, StoreOptions},
    queue::{Answer, Done, Item, Queue, Slot},
    sync::{self, Disk, SyncLog, Syncer},
    writer::{self, Desk},
};

/// The store. Cheap to clone; all clones share one writer. The last clone that goes closes it.
#[derive(Clone)]
pub struct Store(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) readers: Readers,
    pub(crate) watch: Mutex<Option<AnyConnection>>,
    pub(crate) url: String,
    pub(crate) clock: Arc<dyn Clock>,
    queue: Arc<Queue>,
    desk: Desk,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// The thread beside the writer, which it waits for.
    beside: Option<ThreadId>,
}

impl Store {
    /// Opens `sqlite:/path/to/db` or `postgres://…`. Refuses a schema that isn't at head (`SchemaMismatch`).
    pub fn open(url: &str, options: StoreOptions) -> Result<Self, StoreError> {
        Self::open_with(url, options, None)
    }

    /// As `open`; SQLite's log is synced so.
    pub(crate) fn open_with(url: &str, options: StoreOptions, log: Option<SyncLog>) -> Result<Self, StoreError> {
        migrate::require_file(url)?;
        let mut connection = connect(url, Purpose::Write(options.durability))?;
        migrate::require_head(url, &mut connection)?;
        let log = match (place(url)?, options.durability) {
            (Place::Sqlite(path), Durability::Full) => {
                // What an earlier process has left in the log may have failed to get to the disk: it goes into the database's file now, which
                // is synced.
                if let Err(error) = dialect::fold(&mut connection) {
                    tracing::debug!(%error, "the database's log wasn't folded when it was opened");
                }
                Some(log.map_or_else(|| sync::log_of(path), Ok)?)
            }
            _ => None,
        };
        let queue = Arc::new(Queue::new(options.lazy_flush_ms));
        let disk = Arc::new(Disk::new(log));
        let readers = Readers::new(url, options.readers, disk.clone());
        let clock = options.clock.clone();
        let syncer = Syncer::start(disk, queue.clone(), &options)?;
        let beside = syncer.as_ref().and_then(Syncer::thread);
        let (desk, writer) = writer::start(url.to_owned(), connection, queue.clone(), syncer, options)?;
        let (watch, writer) = (Mutex::new(None), Mutex::new(Some(writer)));
        let inner = Inner { readers, watch, url: url.to_owned(), clock, queue, desk, writer, beside };
        Ok(Self(Arc::new(inner)))
    }

    /// Brings the schema to head, and creates an SQLite file that isn't there; the versions that were run.
    pub fn migrate(url: &str) -> Result<Vec<String>, StoreError> {
        migrate::migrate(url)
    }

    /// Takes the schema away, with everything in it; the versions that were reverted.
    pub fn revert_all(url: &str) -> Result<Vec<String>, StoreError> {
        migrate::revert_all(url)
    }

    /// The migrations that aren't run yet, by name.
    pub fn pending_migrations(url: &str) -> Result<Vec<String>, StoreError> {
        migrate::pending(url)
    }

    /// The migrations that were run by a newer program, and that this one doesn't know, by version.
    pub fn unknown_migrations(url: &str) -> Result<Vec<String>, StoreError> {
        migrate::unknown(url)
    }

    /// Applies a command; returns when it is on disk.
    pub fn commit(&self, command: Command) -> Result<Reply, StoreError> {
        let slot = Slot::of_this_thread();
        let item = self.0.item(command, Done::Caller(slot.clone()));
        if let Some(item) = self.0.desk.write_here(item) {
            self.0.queue.push(item);
        }
        slot.wait()
    }

    /// Applies a command; `done` is called on a thread of the store once it is on disk, and must be quick.
    pub fn submit(&self, command: Command, done: Box<dyn FnOnce(Answer) + Send>) {
        self.0.queue.push(self.0.item(command, Done::Callback(done)));
    }

    /// A command will come in a moment: whoever writes it is woken now.
    pub fn anticipate(&self) {
        self.0.queue.anticipate();
    }

    /// Applies a command with the next commit, or after `lazy_flush_ms`. A refusal is only traced.
    pub fn submit_lazy(&self, command: Command) {
        self.0.queue.push_lazy(None, command);
    }

    /// As `submit_lazy`; until the writer takes it, the command can be withdrawn by its key.
    pub fn submit_lazy_keyed(&self, key: u64, command: Command) {
        self.0.queue.push_lazy(Some(key), command);
    }

    /// Takes back what `submit_lazy_keyed` put in; false if it is too late.
    pub fn withdraw_lazy(&self, key: u64) -> bool {
        self.0.queue.withdraw(key)
    }

    /// Takes hints from other processes that work on this database, and sends them; none with SQLite.
    pub fn hints(&self, heard: Box<dyn Fn() + Send>) -> Option<Hints> {
        Hints::start(&self.0.url, heard)
    }

    /// Commits what waits, ends the writer and folds the log into the database. Later commands fail.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Inner {
    #[cfg(test)]
    pub(crate) fn queued(&self) -> usize {
        self.queue.urgent()
    }

    fn item(&self, command: Command, done: Done) -> Item {
        Item { command, done, since_ms: self.clock.now_ms() }
    }

    fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().take();
        if let Some(writer) = writer
            && ![Some(writer.thread().id()), self.beside].contains(&Some(std::thread::current().id()))
            && writer.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
