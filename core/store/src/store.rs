//! The handle that everybody holds: commands go to the writer, questions to the readers.

use std::sync::Arc;

use parking_lot::Mutex;
use windlass_model::{
    command::{Command, Reply},
    time::Clock,
};

use crate::{
    connection::{AnyConnection, Purpose, Readers, connect},
    error::StoreError,
    hints::Hints,
    migrate,
    options::StoreOptions,
    queue::{Answer, Done, Item, Queue, Slot},
    writer,
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
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Store {
    /// Opens `sqlite:/path/to/db` or `postgres://…`. Refuses a schema that isn't at head (`SchemaMismatch`).
    pub fn open(url: &str, options: StoreOptions) -> Result<Self, StoreError> {
        migrate::require_file(url)?;
        let mut connection = connect(url, Purpose::Write(options.durability))?;
        migrate::require_head(url, &mut connection)?;
        let queue = Arc::new(Queue::new(options.lazy_flush_ms));
        let readers = Readers::new(url, options.readers);
        let clock = options.clock.clone();
        let writer = writer::start(url.to_owned(), connection, queue.clone(), options)?;
        let (watch, writer) = (Mutex::new(None), Mutex::new(Some(writer)));
        let inner = Inner { readers, watch, url: url.to_owned(), clock, queue, writer };
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
        self.0.push(command, Done::Caller(slot.clone()));
        slot.wait()
    }

    /// Applies a command; `done` is called on the writer's thread once it is on disk, and must be quick.
    pub fn submit(&self, command: Command, done: Box<dyn FnOnce(Answer) + Send>) {
        self.0.push(command, Done::Callback(done));
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
    fn push(&self, command: Command, done: Done) {
        self.queue.push(Item { command, done, since_ms: self.clock.now_ms() });
    }

    fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().take();
        if let Some(writer) = writer
            && writer.thread().id() != std::thread::current().id()
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
