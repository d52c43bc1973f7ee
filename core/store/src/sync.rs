//! Waiting for the disk beside the work. SQLite writes a transaction into its log without waiting (`synchronous = NORMAL`), and
//! the log is synced by a thread of its own, while the writer applies what came meanwhile to the next transaction. Nobody is
//! answered, told or shown anything of a transaction before it is on disk.

use std::{
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    thread::{JoinHandle, ThreadId},
    time::Instant,
};

use parking_lot::Mutex;
use windlass_model::{Code, Problem};

use crate::{
    error::StoreError,
    options::{Committed, StoreOptions},
    queue::{Answer, Done, Queue, tell_all, waited_for},
};

/// How far the disk is. Transactions are counted in the order of their commits.
pub(crate) struct Disk {
    /// None where commits wait for the disk themselves, or for nothing.
    log: Option<Mutex<SyncLog>>,
    /// The last one that readers may see.
    written: AtomicU64,
    /// The last one that stands in the log.
    committed: AtomicU64,
    /// The last one that is on disk, or came to nothing.
    kept: AtomicU64,
    /// Why no more is kept.
    failed: Mutex<Option<StoreError>>,
}

impl Disk {
    pub(crate) fn new(log: Option<SyncLog>) -> Self {
        let [written, committed, kept] = [0, 0, 0].map(AtomicU64::new);
        Self { log: log.map(Mutex::new), written, committed, kept, failed: Mutex::new(None) }
    }

    /// Returns when everything is on disk that whoever calls may have read.
    pub(crate) fn wait(&self) -> Result<(), StoreError> {
        self.sync(self.written.load(SeqCst))
    }

    /// Brings what stands in the log to the disk, if this transaction isn't there yet. Whoever needs it does it: nobody depends on how
    /// far another thread gets.
    fn sync(&self, number: u64) -> Result<(), StoreError> {
        let Some(log) = &self.log else { return Ok(()) };
        if self.kept.load(SeqCst) >= number {
            return Ok(());
        }
        let mut sync = log.lock();
        if self.kept.load(SeqCst) >= number {
            return Ok(());
        }
        if let Some(error) = self.failed() {
            return Err(error);
        }
        let committed = self.committed.load(SeqCst);
        let Err(error) = sync() else {
            self.kept.fetch_max(committed, SeqCst);
            return Ok(());
        };
        Err(self.fail(&error))
    }

    /// The log is another file now: whoever closed the last connection took it away, and the next one made it anew.
    fn replace_log(&self, new: SyncLog) {
        let Some(log) = &self.log else { return };
        let mut log = log.lock();
        // What couldn't be written to the old one is told to those who had it open then.
        if let Err(error) = log() {
            self.fail(&error);
        }
        *log = new;
    }

    /// What the kernel couldn't write it may have forgotten: a second sync that succeeds would say nothing.
    fn fail(&self, error: &io::Error) -> StoreError {
        tracing::error!(%error, "the database's log couldn't be synced; nothing more is written");
        let message = format!("the disk didn't keep what was written to the database's log: {error}");
        let problem = Problem::new(Code::Storage, message)
            .help("see to the disk, then start Windlass again: it goes on from what the disk has");
        let error = StoreError::Failed(problem);
        *self.failed.lock() = Some(error.clone());
        error
    }

    fn failed(&self) -> Option<StoreError> {
        self.failed.lock().clone()
    }
}

/// Returns when everything is on disk that was written to the log before.
pub(crate) type SyncLog = Box<dyn FnMut() -> io::Result<()> + Send>;

/// Syncs the log of a database that is open. It is never asked for its times or size: where a kernel was asked, it notes the time of
/// the next write exactly, and that is one more thing to be synced.
pub(crate) fn log_of(database: &Path) -> Result<SyncLog, StoreError> {
    let path = log_path(database);
    let file = File::options().write(true).open(&path).map_err(|error| {
        StoreError::storage(format!("the database's log `{}` can't be opened: {error}", path.display()))
    })?;
    Ok(Box::new(move || file.sync_data()))
}

/// Where SQLite keeps a database's log.
pub(crate) fn log_path(database: &Path) -> PathBuf {
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let mut log = database.into_os_string();
    log.push("-wal");
    log.into()
}

/// Commands of a transaction that is written, and what they came to.
pub(crate) struct Group {
    pub done: Vec<Done>,
    pub answers: Vec<Answer>,
    pub told: Committed,
    pub began: Instant,
}

/// Commands of one transaction, at most, where only few are about: waking another thread would cost more than waiting for the disk.
pub(crate) const FEW: usize = 2;

/// What the writer and the thread beside it share.
struct Shared {
    disk: Arc<Disk>,
    listener: Arc<dyn Fn(&Committed) + Send + Sync>,
    queue: Arc<Queue>,
    /// Groups that are on disk, or couldn't be brought there, of those that were handed over.
    synced: AtomicU64,
    /// Groups that were told, of those.
    told: AtomicU64,
}

/// The writer's hand on the thread that syncs.
pub(crate) struct Syncer {
    shared: Arc<Shared>,
    groups: Option<mpsc::Sender<(u64, Group)>>,
    thread: Option<JoinHandle<()>>,
    /// Groups that were handed over.
    given: u64,
    /// The last transaction.
    last: u64,
}

impl Syncer {
    /// None where there is no log to sync.
    pub(crate) fn start(
        disk: Arc<Disk>,
        queue: Arc<Queue>,
        options: &StoreOptions,
    ) -> Result<Option<Self>, StoreError> {
        if disk.log.is_none() {
            return Ok(None);
        }
        let listener = options.listener.clone();
        let shared = Arc::new(Shared { disk, listener, queue, synced: AtomicU64::new(0), told: AtomicU64::new(0) });
        let (groups, take) = mpsc::channel::<(u64, Group)>();
        let beside = shared.clone();
        let thread = std::thread::Builder::new().name("windlass-sync".to_owned()).spawn(move || {
            for (number, mut group) in take {
                beside.sync(number, &mut group);
                beside.synced.fetch_add(1, SeqCst);
                beside.queue.go_on();
                beside.tell(group);
                beside.told.fetch_add(1, SeqCst);
            }
        });
        let thread = thread
            .map_err(|error| StoreError::storage(format!("the thread that syncs the log can't be started: {error}")))?;
        Ok(Some(Self { shared, groups: Some(groups), thread: Some(thread), given: 0, last: 0 }))
    }

    /// Waits until everybody is told.
    pub(crate) fn close(&mut self) {
        self.groups = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that syncs the database's log panicked");
        }
    }

    /// Why nothing can be kept any more.
    pub(crate) fn failed(&self) -> Option<StoreError> {
        self.shared.disk.failed()
    }

    /// The thread that syncs.
    pub(crate) fn thread(&self) -> Option<ThreadId> {
        self.thread.as_ref().map(|thread| thread.thread().id())
    }

    /// The writer has opened the database again.
    pub(crate) fn replace_log(&self, new: SyncLog) {
        self.shared.disk.replace_log(new);
    }

    /// Whether a transaction is on its way to the disk: the next one isn't committed before it is there.
    pub(crate) fn is_busy(&self) -> bool {
        self.shared.synced.load(SeqCst) < self.given
    }

    /// Whether somebody is yet to be told of a transaction before.
    pub(crate) fn is_telling(&self) -> bool {
        self.shared.told.load(SeqCst) < self.given
    }

    /// A transaction is about to be committed, and none is on its way.
    pub(crate) fn begin_commit(&mut self) {
        self.last = self.shared.disk.written.fetch_add(1, SeqCst) + 1;
    }

    /// It stands in the log, or came to nothing.
    pub(crate) fn end_commit(&self) {
        self.shared.disk.committed.store(self.last, SeqCst);
    }

    /// Sees to it that what was committed gets to the disk, and that everybody is told: here, if nobody else is about.
    pub(crate) fn finish(&mut self, mut group: Group) {
        if !(waited_for(group.done.iter()) <= FEW && !self.is_telling() && self.shared.queue.urgent() == 0)
            && let Some(groups) = &self.groups
        {
            match groups.send((self.last, group)) {
                Ok(()) => return self.given += 1,
                Err(mpsc::SendError((_, back))) => group = back,
            }
        }
        self.shared.sync(self.last, &mut group);
        self.shared.tell(group);
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Brings a transaction to the disk; if that fails, everybody's answer says so.
    fn sync(&self, number: u64, group: &mut Group) {
        let Err(error) = self.disk.sync(number) else { return };
        group.told = Committed::default();
        for answer in &mut group.answers {
            if answer.is_ok() {
                *answer = Err(error.clone());
            }
        }
    }

    fn tell(&self, group: Group) {
        let Group { done, answers, mut told, began } = group;
        told.commands = answers.len() as u64;
        told.took = began.elapsed();
        // Those who follow have a longer way to go than those who are answered.
        if catch_unwind(AssertUnwindSafe(|| (self.listener)(&told))).is_err() {
            tracing::error!("whoever follows commits panicked");
        }
        tell_all(done.into_iter().zip(answers));
    }
}

#[cfg(test)]
mod tests;
