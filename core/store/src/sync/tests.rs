//! A disk that the test opens and closes, one that keeps only what was synced, and one that fails.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicUsize,
    time::Duration,
};

use diesel::{QueryableByName, RunQueryDsl as _, sql_types::BigInt};
use parking_lot::Condvar;
use windlass_model::{
    command::{Command, Reply},
    document::{Change, Expected},
    time::Clock,
};

use super::*;
use crate::{
    Store,
    connection::{Purpose, connect},
    options::Durability,
};

/// So long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// So long it looks whether something comes that must not.
const MOMENT: Duration = Duration::from_millis(50);

struct Fixed;

impl Clock for Fixed {
    fn now_ms(&self) -> i64 {
        1_000
    }
}

fn put(id: &str) -> Command {
    Command::Change(vec![Change::Put {
        kind: "thing".into(),
        id: id.into(),
        organisation: "platform".into(),
        body: serde_json::Value::Null,
        keys: Vec::new(),
        expires_at_ms: None,
        expected: Expected::Any,
    }])
}

fn options(told: &Arc<AtomicUsize>) -> StoreOptions {
    let told = told.clone();
    let listener = Arc::new(move |committed: &Committed| {
        told.fetch_add(committed.commands as usize, SeqCst);
    });
    StoreOptions { listener, ..StoreOptions::new(Arc::new(Fixed)) }
}

fn database(folder: &Path) -> (PathBuf, String) {
    let path = folder.join("windlass.db");
    let url = format!("sqlite:{}", path.display());
    Store::migrate(&url).unwrap();
    (path, url)
}

fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Syncs wait until they are let through.
#[derive(Default)]
struct Gate {
    /// Syncs that have begun, and those that may end.
    counts: Mutex<(usize, usize)>,
    changed: Condvar,
    /// The sync that fails; 0: none.
    fails: AtomicUsize,
}

impl Gate {
    fn log(self: &Arc<Self>) -> SyncLog {
        let gate = self.clone();
        Box::new(move || {
            let mut counts = gate.counts.lock();
            counts.0 += 1;
            let number = counts.0;
            while counts.1 < number {
                gate.changed.wait(&mut counts);
            }
            if number == gate.fails.load(SeqCst) { Err(io::Error::other("the cable is out")) } else { Ok(()) }
        })
    }

    fn begun(&self) -> usize {
        self.counts.lock().0
    }

    fn let_through(&self, more: usize) {
        let mut counts = self.counts.lock();
        counts.1 = counts.1.saturating_add(more);
        self.changed.notify_all();
    }
}

fn submit(store: &Store, id: &str, answers: &mpsc::Sender<Result<Reply, StoreError>>) {
    let answers = answers.clone();
    store.submit(put(id), Box::new(move |answer| answers.send(answer).unwrap()));
}

#[test]
fn nobody_is_answered_told_or_shown_anything_before_it_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (_, url) = database(folder.path());
    let (gate, told) = (Arc::<Gate>::default(), Arc::<AtomicUsize>::default());
    let store = Store::open_with(&url, options(&told), Some(gate.log())).unwrap();
    let (answers, heard) = mpsc::channel();
    // One alone is synced by the writer itself, while others gather.
    submit(&store, "first", &answers);
    wait_for("the first sync", || gate.begun() == 1);
    for n in 0..5 {
        submit(&store, &format!("second-{n}"), &answers);
    }
    assert!(heard.recv_timeout(MOMENT).is_err());
    assert_eq!(told.load(SeqCst), 0);
    gate.let_through(1);
    assert!(heard.recv_timeout(PATIENCE).unwrap().is_ok());
    // Those five are synced beside the writer, which applies what comes meanwhile.
    wait_for("the second sync", || gate.begun() == 2);
    assert_eq!(told.load(SeqCst), 1);
    for n in 0..5 {
        submit(&store, &format!("third-{n}"), &answers);
    }
    let reader = std::thread::spawn({
        let store = store.clone();
        move || store.document("thing", "second-0").unwrap().is_some()
    });
    wait_for("the writer has taken the third five", || store.0.queued() == 0);
    assert!(heard.recv_timeout(MOMENT).is_err());
    assert_eq!((gate.begun(), told.load(SeqCst), reader.is_finished()), (2, 1, false));
    gate.let_through(1);
    for _ in 0..5 {
        assert!(heard.recv_timeout(PATIENCE).unwrap().is_ok());
    }
    gate.let_through(usize::MAX);
    assert!(reader.join().unwrap());
    for _ in 0..5 {
        assert!(heard.recv_timeout(PATIENCE).unwrap().is_ok());
    }
    store.close();
    assert_eq!(told.load(SeqCst), 11);
    // The third five shared one sync; the reader may have made one for itself.
    assert!(gate.begun() <= 4, "{}", gate.begun());
}

/// A disk that keeps what is synced, and nothing else.
struct Platter {
    database: PathBuf,
    copy: PathBuf,
    lock: Mutex<()>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

impl Platter {
    fn log(self: &Arc<Self>) -> SyncLog {
        let platter = self.clone();
        Box::new(move || {
            let _lock = platter.lock.lock();
            std::fs::copy(&platter.database, &platter.copy)?;
            std::fs::copy(log_path(&platter.database), log_path(&platter.copy))?;
            Ok(())
        })
    }

    /// What is there after a power failure.
    fn has(&self, id: &str) -> bool {
        let _lock = self.lock.lock();
        let url = format!("sqlite:{}", self.copy.display());
        let mut connection = connect(&url, Purpose::Write(Durability::Off)).unwrap();
        let query = diesel::sql_query(format!("SELECT count(*) AS count FROM documents WHERE id = '{id}'"));
        let found: Count = match &mut connection {
            crate::connection::AnyConnection::Sqlite(c) => query.get_result(c).unwrap(),
            crate::connection::AnyConnection::Postgres(_) => unreachable!(),
        };
        found.count == 1
    }
}

#[test]
fn what_was_answered_or_read_is_there_after_a_power_failure() {
    const THREADS: usize = 8;
    const EACH: usize = 12;
    let folder = tempfile::tempdir().unwrap();
    let (path, url) = database(folder.path());
    let copy = folder.path().join("copy.db");
    std::fs::File::create(&copy).unwrap();
    let platter = Arc::new(Platter { copy: copy.canonicalize().unwrap(), database: path, lock: Mutex::new(()) });
    let store = Store::open_with(&url, options(&Arc::default()), Some(platter.log())).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, platter) = (&store, &platter);
            scope.spawn(move || {
                for n in 0..EACH {
                    let id = format!("{thread}-{n}");
                    store.commit(put(&id)).unwrap();
                    assert!(platter.has(&id), "answered, and not kept: {id}");
                }
            });
            scope.spawn(move || {
                let mut n = 0;
                let began = Instant::now();
                while n < EACH && began.elapsed() < PATIENCE {
                    let id = format!("{thread}-{n}");
                    if store.document("thing", &id).unwrap().is_some() {
                        assert!(platter.has(&id), "read, and not kept: {id}");
                        n += 1;
                    }
                }
                assert_eq!(n, EACH);
            });
        }
    });
    store.close();
}

#[test]
fn once_the_disk_has_failed_nothing_is_answered_as_done_or_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (_, url) = database(folder.path());
    let (told, calls) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let count = calls.clone();
    let log: SyncLog = Box::new(move || match count.fetch_add(1, SeqCst) {
        1 => Err(io::Error::other("the cable is out")),
        _ => Ok(()),
    });
    let store = Store::open_with(&url, options(&told), Some(log)).unwrap();
    store.commit(put("kept")).unwrap();
    for id in ["lost", "after"] {
        let error = store.commit(put(id)).unwrap_err();
        assert!(error.to_string().contains("the cable is out"), "{error}");
        assert_eq!(error.problem().code, Code::Storage);
    }
    assert!(store.document("thing", "kept").is_err());
    // A second sync would succeed and say nothing: it isn't asked for.
    assert_eq!(calls.load(SeqCst), 2);
    store.close();
    let again = Store::open(&url, options(&told)).unwrap();
    assert!(again.document("thing", "kept").unwrap().is_some());
    assert!(again.document("thing", "after").unwrap().is_none());
    again.commit(put("after")).unwrap();
}

#[test]
fn what_was_applied_while_a_sync_failed_comes_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, url) = database(folder.path());
    let gate = Arc::new(Gate { fails: AtomicUsize::new(2), ..Gate::default() });
    let store = Store::open_with(&url, options(&Arc::default()), Some(gate.log())).unwrap();
    let (answers, heard) = mpsc::channel();
    submit(&store, "first", &answers);
    wait_for("the first sync", || gate.begun() == 1);
    (0..5).for_each(|n| submit(&store, &format!("second-{n}"), &answers));
    gate.let_through(1);
    assert!(heard.recv_timeout(PATIENCE).unwrap().is_ok());
    wait_for("the second sync", || gate.begun() == 2);
    (0..5).for_each(|n| submit(&store, &format!("third-{n}"), &answers));
    wait_for("the writer has taken the third five", || store.0.queued() == 0);
    gate.let_through(usize::MAX);
    for _ in 0..10 {
        let error = heard.recv_timeout(PATIENCE).unwrap().unwrap_err();
        assert!(error.to_string().contains("the cable is out"), "{error}");
    }
    store.close();
    assert_eq!(gate.begun(), 2);
    drop(store);
    // Nobody has folded a log of which nobody knows what it holds.
    assert!(log_path(&path).metadata().unwrap().len() > 0);
    let again = Store::open(&url, options(&Arc::default())).unwrap();
    assert!(again.document("thing", "first").unwrap().is_some());
    assert!(again.document("thing", "third-0").unwrap().is_none());
}

#[test]
fn who_follows_or_is_told_may_panic_and_the_others_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (_, url) = database(folder.path());
    let gate = Arc::<Gate>::default();
    let listener = Arc::new(|_: &Committed| panic!("whoever follows"));
    let options = StoreOptions { listener, ..StoreOptions::new(Arc::new(Fixed)) };
    let store = Store::open_with(&url, options, Some(gate.log())).unwrap();
    let (answers, heard) = mpsc::channel();
    submit(&store, "first", &answers);
    wait_for("the first sync", || gate.begun() == 1);
    let callers: Vec<_> = (0..5).map(|n| (store.clone(), n)).collect();
    let callers = callers.into_iter().map(|(store, n)| std::thread::spawn(move || store.commit(put(&format!("{n}")))));
    let callers: Vec<_> = callers.collect();
    store.submit(put("panics"), Box::new(|_| panic!("whoever is told")));
    wait_for("all are queued", || store.0.queued() == 6);
    gate.let_through(usize::MAX);
    wait_for("all are told", || callers.iter().all(std::thread::JoinHandle::is_finished));
    assert!(heard.recv_timeout(PATIENCE).unwrap().is_ok());
}

#[test]
fn what_an_earlier_process_left_in_the_log_is_in_the_database_before_anybody_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let (path, url) = database(folder.path());
    let told = Arc::<AtomicUsize>::default();
    let store = Store::open(&url, options(&told)).unwrap();
    store.commit(put("left")).unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(log_path(&path), log_path(&copy)).unwrap();
    let again = Store::open(&format!("sqlite:{}", copy.display()), options(&told)).unwrap();
    let alone = folder.path().join("alone.db");
    std::fs::copy(&copy, &alone).unwrap();
    let alone = Store::open(&format!("sqlite:{}", alone.display()), options(&told)).unwrap();
    assert!(alone.document("thing", "left").unwrap().is_some());
    drop(again);
}

#[test]
fn the_last_hand_on_a_store_may_go_on_the_thread_that_tells() {
    let folder = tempfile::tempdir().unwrap();
    let (_, url) = database(folder.path());
    let gate = Arc::<Gate>::default();
    let store = Store::open_with(&url, options(&Arc::default()), Some(gate.log())).unwrap();
    let (gone, heard) = mpsc::channel();
    let (answers, _first) = mpsc::channel();
    submit(&store, "first", &answers);
    wait_for("the first sync", || gate.begun() == 1);
    for n in 0..5 {
        let (mine, gone) = (store.clone(), gone.clone());
        let done = move |_| {
            drop(mine);
            gone.send(()).unwrap();
        };
        store.submit(put(&format!("second-{n}")), Box::new(done));
    }
    drop(store);
    gate.let_through(usize::MAX);
    for _ in 0..5 {
        heard.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn who_finds_nobody_writes_on_his_own_thread_and_whoever_comes_meanwhile_is_written_by_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let (_, url) = database(folder.path());
    let (gate, threads) = (Arc::<Gate>::default(), Arc::new(Mutex::new(Vec::new())));
    let told = threads.clone();
    let listener = Arc::new(move |_: &Committed| {
        told.lock().push(std::thread::current().name().unwrap_or_default().to_owned());
    });
    let options = StoreOptions { listener, lazy_flush_ms: 600_000, ..StoreOptions::new(Arc::new(Fixed)) };
    let store = Store::open_with(&url, options, Some(gate.log())).unwrap();
    let named = |name: &str, id: String| {
        let store = store.clone();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || store.commit(put(&id))).unwrap()
    };
    let caller = |name: &str| named(name, name.to_owned());
    let first = caller("first");
    wait_for("the first sync", || gate.begun() == 1);
    let second = caller("second");
    wait_for("the second one waits", || store.0.queued() == 1);
    assert!(threads.lock().is_empty());
    gate.let_through(usize::MAX);
    assert!(first.join().unwrap().is_ok() && second.join().unwrap().is_ok());
    let names = threads.lock().clone();
    assert_eq!(names[0], "first");
    assert!(["windlass-writer", "windlass-sync"].contains(&names[1].as_str()), "{names:?}");
    // What nobody waits for goes along with it.
    store.submit_lazy(put("lazy"));
    // Those who told the second one may still be about.
    let mut tries = 0..;
    wait_for("a caller who finds nobody", || {
        let id = tries.next().map(|number: u32| format!("third-{number}")).unwrap();
        assert!(named("third", id).join().unwrap().is_ok());
        threads.lock().last().is_some_and(|last| last == "third")
    });
    assert!(store.document("thing", "lazy").unwrap().is_some());
    store.close();
    assert!(store.commit(put("late")).is_err());
}
