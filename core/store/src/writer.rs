//! Group commit: one thread drains everything that waits into one transaction and one sync. There is no timer: where nobody else
//! writes, a caller commits at once and on its own thread; a busy writer batches by itself, and takes more while the transaction
//! before is on its way to the disk.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use diesel::{Connection as _, connection::TransactionManager as _, result::Error as DieselError};
use parking_lot::Mutex;
use windlass_model::{
    Code, Problem,
    audit::NewAudit,
    command::{Command, Reply},
    time::Clock,
};

use crate::{
    apply::{self, Cx},
    audit,
    batch::{self, Batch},
    connection::{AnyConnection, Place, Purpose, connect, place},
    dialect,
    error::{Applied, Fault, StoreError, is_gone, is_refusal},
    failpoint,
    options::{Committed, Durability, StoreOptions},
    order,
    queue::{Answer, Item, Queue, tell_all, waited_for},
    recent::Recent,
    room::Room,
    sync::{self, Group, Syncer},
};

/// How long a batch waits for a database server that is away: long enough for a restart or a fail-over.
const AWAY: Duration = Duration::from_secs(20);
/// Between two looks whether it is back.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// So long a command may have waited without its lease being counted anew.
const WAITED_MS: i64 = 20;

/// So many transactions of a few commands in a row say that few callers are about. Among many, the first to come back would keep the
/// others waiting with what is his alone.
const QUIET: u32 = 4;

/// Attempts of one command when the database gave up for a reason that passes.
const ATTEMPTS: u32 = 4;

/// Makes the writer, and the thread that writes what nobody has written himself.
pub(crate) fn start(
    url: String,
    connection: AnyConnection,
    queue: Arc<Queue>,
    syncer: Option<Syncer>,
    options: StoreOptions,
) -> Result<(Desk, JoinHandle<()>), StoreError> {
    let remote = matches!(place(&url)?, Place::Postgres(_));
    let mut writer = Writer {
        url,
        connection: Some(connection),
        options,
        recent: Recent::default(),
        room: None,
        syncer,
        remote,
        quiet: QUIET,
        queue,
    };
    if let (Ok(Place::Sqlite(path)), Durability::Full) = (place(&writer.url), writer.options.durability) {
        writer.room = Some(Room::new(path));
    }
    if let (Some(_), Some(connection)) = (&writer.syncer, &mut writer.connection) {
        dialect::dont_wait_for_the_disk(connection).map_err(|error| StoreError::from(Fault::Sql(error)))?;
    }
    let queue = writer.queue.clone();
    let desk = Desk(Arc::new(Mutex::new(writer)));
    let shared = desk.clone();
    let thread = std::thread::Builder::new().name("windlass-writer".to_owned()).spawn(move || {
        while queue.wait() {
            let mut writer = shared.0.lock();
            let batch = queue.take(writer.most());
            if !batch.is_empty() {
                writer.process(batch);
            }
        }
        shared.0.lock().close();
    });
    let thread =
        thread.map_err(|error| StoreError::storage(format!("the writer's thread can't be started: {error}")))?;
    Ok((desk, thread))
}

/// The one writer, for whoever comes: its thread, or a caller who finds nobody there.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Mutex<Writer>>);

impl Desk {
    /// Writes the command on this thread if nobody else is about: waking another one, and being woken by it, takes as long as
    /// writing. Gives it back otherwise.
    pub(crate) fn write_here(&self, item: Item) -> Option<Item> {
        let Some(mut writer) = self.0.try_lock() else { return Some(item) };
        if writer.remote || writer.quiet < QUIET || writer.syncer.as_ref().is_some_and(Syncer::is_telling) {
            return Some(item);
        }
        let Some(mut batch) = writer.queue.take_along(writer.most()) else { return Some(item) };
        batch.push(item);
        writer.process(batch);
        None
    }
}

struct Writer {
    url: String,
    connection: Option<AnyConnection>,
    options: StoreOptions,
    recent: Recent,
    /// Of SQLite's log, where it is synced.
    room: Option<Room>,
    /// Where commits don't wait for the disk themselves.
    syncer: Option<Syncer>,
    /// Whether a server keeps the database: beside the way there and back, waking a thread is nothing.
    remote: bool,
    /// Transactions of a few commands since the last one of many, up to `QUIET`.
    quiet: u32,
    queue: Arc<Queue>,
}

/// Why a transaction as a whole came to nothing.
enum Lost {
    /// Nothing of it is in the database: it can be tried again.
    Nothing(StoreError),
    /// Nothing of it is in the database, because there is none to talk to.
    Away(StoreError),
    /// The connection broke while the database committed: nobody knows.
    Unknown(StoreError),
}

/// What a transaction is made with, but for its commands.
struct Workplace<'a> {
    recent: &'a mut Recent,
    room: Option<&'a mut Room>,
    syncer: Option<&'a mut Syncer>,
    clock: &'a dyn Clock,
    /// Where more commands come from while the one before is on its way to the disk.
    queue: &'a Queue,
    /// Commands that it takes with those.
    most: usize,
}

impl Writer {
    /// Nothing more will come.
    fn close(&mut self) {
        // What is on its way to the disk is told first.
        if let Some(syncer) = &mut self.syncer {
            syncer.close();
            if syncer.failed().is_some() {
                return self.let_go();
            }
        }
        if let Some(connection) = &mut self.connection
            && let Err(error) = dialect::checkpoint(connection)
        {
            tracing::warn!(%error, "the database's log couldn't be folded into its file");
        }
        self.connection = None;
    }

    /// Lets go of the connection. Where the disk didn't keep the log it is left open: who closes the last one would fold into the database
    /// what the log seems to hold.
    fn let_go(&mut self) {
        let connection = self.connection.take();
        if self.syncer.as_ref().is_some_and(|syncer| syncer.failed().is_some()) {
            std::mem::forget(connection);
        }
    }

    /// Commands that share a transaction, at most.
    fn most(&self) -> usize {
        self.options.batch.max(1)
    }

    fn process(&mut self, mut items: Vec<Item>) {
        let began = Instant::now();
        let (answers, told) = match self.transact_patiently(&mut items, true) {
            Ok(done) => done,
            Err(Lost::Away(error) | Lost::Unknown(error)) => (vec![Err(error); items.len()], Committed::default()),
            Err(Lost::Nothing(error)) => {
                tracing::debug!(%error, commands = items.len(), "a batch failed; its commands are tried one by one");
                self.one_by_one(&mut items)
            }
        };
        self.quiet =
            if waited_for(items.iter().map(|item| &item.done)) <= sync::FEW { (self.quiet + 1).min(QUIET) } else { 0 };
        let done = items.into_iter().map(|item| item.done);
        if let Some(syncer) = &mut self.syncer {
            return syncer.finish(Group { done: done.collect(), answers, told, began });
        }
        let told = Committed { commands: answers.len() as u64, took: began.elapsed(), ..told };
        // Those who follow have a longer way to go than those who are answered.
        (self.options.listener)(&told);
        tell_all(done.zip(answers));
    }

    /// As `transact`; while there is no database to talk to, it waits for one.
    fn transact_patiently(&mut self, items: &mut Vec<Item>, more: bool) -> Result<(Vec<Answer>, Committed), Lost> {
        let began = Instant::now();
        loop {
            match self.transact(items, more) {
                Err(Lost::Away(error)) if began.elapsed() < AWAY => {
                    tracing::warn!(%error, commands = items.len(), "the database is away; trying again");
                    std::thread::sleep(LOOK_AGAIN);
                }
                done => return done,
            }
        }
    }

    /// A bad command must not hurt its neighbours: each gets a transaction of its own.
    fn one_by_one(&mut self, items: &mut Vec<Item>) -> (Vec<Answer>, Committed) {
        let mut told = Committed::default();
        let mut answers = Vec::with_capacity(items.len());
        for item in std::mem::take(items) {
            let mut alone = vec![item];
            let (answer, changes) = self.alone(&mut alone);
            told.add(changes);
            answers.push(answer);
            items.append(&mut alone);
        }
        (answers, told)
    }

    fn alone(&mut self, item: &mut Vec<Item>) -> (Answer, Committed) {
        let mut attempt = 1;
        loop {
            match self.transact_patiently(item, false) {
                Ok((mut answers, told)) => {
                    let answer = answers.pop().unwrap_or_else(|| Err(StoreError::storage("no answer")));
                    return (answer, told);
                }
                Err(Lost::Nothing(error)) if attempt < ATTEMPTS && error.problem().retryable => {
                    std::thread::sleep(std::time::Duration::from_millis(5 << attempt));
                    attempt += 1;
                }
                Err(Lost::Nothing(error) | Lost::Away(error) | Lost::Unknown(error)) => {
                    return (Err(error), Committed::default());
                }
            }
        }
    }

    /// Applies the commands in one transaction, and with `more` those that come while the one before is on its way to the disk:
    /// they are added to `items`, whatever becomes of it.
    fn transact(&mut self, items: &mut Vec<Item>, more: bool) -> Result<(Vec<Answer>, Committed), Lost> {
        if let Some(error) = self.syncer.as_ref().and_then(Syncer::failed) {
            return Err(Lost::Unknown(error));
        }
        let most = self.most();
        let connection = match &mut self.connection {
            Some(connection) => connection,
            empty => {
                let purpose = Purpose::Write(self.options.durability);
                // A server was there before: whatever is in the way now may pass.
                let away = |error: StoreError| match self.remote || error.problem().retryable {
                    true => Lost::Away(error),
                    false => Lost::Nothing(error),
                };
                let mut connection = connect(&self.url, purpose).map_err(away)?;
                if let (Some(syncer), Ok(Place::Sqlite(path))) = (&self.syncer, place(&self.url)) {
                    syncer.replace_log(sync::log_of(path).map_err(away)?);
                    let lost = |error| away(Fault::Sql(error).into());
                    dialect::dont_wait_for_the_disk(&mut connection).map_err(lost)?;
                }
                empty.insert(connection)
            }
        };
        self.recent.begin();
        let workplace = Workplace {
            recent: &mut self.recent,
            room: self.room.as_mut(),
            syncer: self.syncer.as_mut(),
            clock: &*self.options.clock,
            queue: &self.queue,
            most: if more { most } else { 0 },
        };
        let result = catch_unwind(AssertUnwindSafe(|| transaction(connection, workplace, items)));
        let result = result.unwrap_or_else(|_| {
            self.let_go();
            let problem = Problem::new(Code::Internal, "the store panicked while it applied a command");
            Err(Lost::Nothing(StoreError::Failed(problem)))
        });
        match &result {
            Ok((_, told)) => told.ended.iter().for_each(|run| self.recent.forget(run)),
            Err(_) => self.recent.clear(),
        }
        // Another connection may find the server that took over.
        if matches!(result, Err(Lost::Away(_) | Lost::Unknown(_))) {
            self.let_go();
        }
        if result.is_err()
            && self.connection.as_mut().is_some_and(|connection| {
                <AnyConnection as diesel::Connection>::TransactionManager::is_broken_transaction_manager(connection)
            })
        {
            self.let_go();
        }
        result
    }
}

/// A command that has waited, for a database that was away or for others: the lease that it asks for counts from now. Whoever
/// holds it goes by when it asked, and so believes less.
fn timely(item: &Item, now_ms: i64) -> Cow<'_, Command> {
    let waited_ms = now_ms.saturating_sub(item.since_ms);
    let later = if waited_ms < WAITED_MS { None } else { item.command.with_lease_extended(waited_ms) };
    later.map_or(Cow::Borrowed(&item.command), Cow::Owned)
}

fn transaction(
    connection: &mut AnyConnection,
    mut workplace: Workplace,
    items: &mut Vec<Item>,
) -> Result<(Vec<Answer>, Committed), Lost> {
    let remote = matches!(connection, AnyConnection::Postgres(_));
    let lost = |error: DieselError| match remote && is_gone(&error) {
        true => Lost::Away(Fault::Sql(error).into()),
        false => Lost::Nothing(Fault::Sql(error).into()),
    };
    dialect::begin_write(connection).map_err(lost)?;
    match dialect::version(connection) {
        Ok(None) => {}
        Ok(Some(version)) => workplace.recent.at_version(version),
        Err(error) => {
            let _ = dialect::roll_back(connection);
            return Err(lost(error));
        }
    }
    if let Some(room) = &mut workplace.room {
        room.look();
    }
    let written = match write_all(connection, &mut workplace, items) {
        Ok(written) => written,
        Err(error) => {
            // If this fails too, the transaction manager is broken, and the connection is dropped.
            let _ = dialect::roll_back(connection);
            return Err(lost(error));
        }
    };
    if let Some(syncer) = &mut workplace.syncer {
        // It stands on the one before, which the disk didn't keep.
        if let Some(error) = syncer.failed() {
            let _ = dialect::roll_back(connection);
            return Err(Lost::Unknown(error));
        }
        syncer.begin_commit();
    }
    failpoint::hit("commit.before");
    let committed = dialect::commit(connection);
    if let Some(syncer) = &workplace.syncer {
        syncer.end_commit();
    }
    if let Err(error) = committed {
        // SQLite says for certain that nothing was committed. PostgreSQL does if it refuses; but what stands in place of an
        // answer when the server, or a pooler before it, goes away, says nothing.
        let certain = !remote || is_refusal(&error);
        let error = StoreError::from(Fault::Sql(error));
        if certain {
            let _ = dialect::roll_back(connection);
            return Err(Lost::Nothing(error));
        }
        return Err(Lost::Unknown(error));
    }
    failpoint::hit("commit.after");
    Ok(written)
}

/// Applies the commands, and others as long as there is to be waited for the disk anyway; and writes to the audit log what they say.
fn write_all(
    connection: &mut AnyConnection,
    workplace: &mut Workplace,
    items: &mut Vec<Item>,
) -> Result<(Vec<Answer>, Committed), DieselError> {
    let mut answers = Vec::with_capacity(items.len());
    let mut told = Committed::default();
    let mut audited = Vec::new();
    loop {
        let now_ms = workplace.clock.now_ms();
        let commands: Vec<Cow<Command>> = items[answers.len()..].iter().map(|item| timely(item, now_ms)).collect();
        let commands: Vec<&Command> = commands.iter().map(|command| &**command).collect();
        apply_all(connection, workplace.recent, &commands, now_ms, |applied| {
            answers.push(applied.map(|(reply, changes, entries)| {
                told.add(changes);
                audited.extend(entries.into_iter().map(|entry| (now_ms, entry)));
                reply
            }));
        })?;
        let Some(syncer) = &workplace.syncer else { break };
        let more = workplace.queue.meanwhile(workplace.most.saturating_sub(items.len()), || syncer.is_busy());
        if more.is_empty() {
            break;
        }
        items.extend(more);
    }
    audit::append(connection, audited)?;
    Ok((answers, told))
}

/// What a command came to: its answer, what it changed, and what the audit log gets.
type Done = (Reply, Committed, Vec<NewAudit>);

/// Applies the commands in turn, each answered with what it came to. Those that go along with one another, and stand next to
/// one another, share their statements.
fn apply_all(
    connection: &mut AnyConnection,
    recent: &mut Recent,
    commands: &[&Command],
    now_ms: i64,
    mut answer: impl FnMut(Result<Done, StoreError>),
) -> Result<(), DieselError> {
    let mut batch = Batch::default();
    order::lock_ahead(connection, recent, commands)?;
    for commands in commands.chunk_by(|one, other| batch::goes_along(one) && batch::goes_along(other)) {
        if commands.iter().all(|command| batch::goes_along(command)) {
            batch.open(connection, commands)?;
        }
        for command in commands {
            match apply_one(connection, recent, &mut batch, command, now_ms) {
                Ok(applied) => answer(Ok(applied)),
                Err(Fault::Refused(problem)) => answer(Err(StoreError::Refused(*problem))),
                Err(Fault::Sql(error)) => return Err(error),
            }
        }
        batch.close(connection, now_ms)?;
    }
    Ok(())
}

fn apply_one(
    connection: &mut AnyConnection,
    recent: &mut Recent,
    batch: &mut Batch,
    command: &Command,
    now_ms: i64,
) -> Applied<Done> {
    recent.next_command();
    let alone = !apply::refuses_before_it_writes(command);
    if alone {
        // What others left must not be undone with it.
        batch.settle(connection, now_ms)?;
    }
    let mut apply = |connection: &mut AnyConnection| {
        let (recent, batch) = (&mut *recent, &mut *batch);
        let mut cx = Cx { conn: connection, now_ms, recent, batch, told: Committed::default(), entries: Vec::new() };
        apply::apply(&mut cx, command).map(|reply| (reply, cx.told, cx.entries))
    };
    if !alone {
        return apply(connection);
    }
    let result = connection.transaction(apply);
    if result.is_err() {
        recent.undo_command();
        batch.forget();
    }
    result
}
