//! The event feed: wakes whoever watches a run. It carries nothing; the database tells.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::Arc,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use windlass_model::{RunId, event::EventKinds};

#[derive(Default)]
struct Bell {
    rung: Mutex<u64>,
    /// Counts what happened that it isn't rung for.
    missed: AtomicU64,
    changed: Condvar,
    notify: tokio::sync::Notify,
}

/// What somebody watches.
enum Watched {
    Run(RunId),
    /// Events of these kinds, of all runs.
    Kinds(EventKinds),
}

/// A bell, and how many watch it.
type Counted = (usize, Arc<Bell>);

/// Bells, one for each thing that somebody watches.
#[derive(Default)]
pub(crate) struct Feed {
    watchers: AtomicUsize,
    runs: Mutex<HashMap<RunId, Counted>>,
    kinds: Mutex<HashMap<EventKinds, Counted>>,
}

impl Feed {
    /// Events of these kinds, of these runs, were committed.
    pub(crate) fn ring(&self, runs: &[RunId], kinds: EventKinds) {
        if self.watchers.load(Ordering::Acquire) == 0 {
            return;
        }
        let bells: Vec<_> = {
            let watched = self.runs.lock();
            runs.iter().filter_map(|run| watched.get(run)).map(|(_, bell)| bell.clone()).collect()
        };
        bells.iter().for_each(|bell| bell.ring());
        if kinds.is_empty() {
            return;
        }
        for (wanted, (_, bell)) in self.kinds.lock().iter() {
            match wanted.meets(kinds) {
                true => bell.ring(),
                false => drop(bell.missed.fetch_add(1, Ordering::AcqRel)),
            }
        }
    }

    /// Another process has written: everybody looks.
    pub(crate) fn ring_all(&self) {
        let mut bells: Vec<_> = self.runs.lock().values().map(|(_, bell)| bell.clone()).collect();
        bells.extend(self.kinds.lock().values().map(|(_, bell)| bell.clone()));
        bells.iter().for_each(|bell| bell.ring());
    }

    /// Watches a run until the watcher is dropped.
    pub(crate) fn watch(self: &Arc<Self>, run: &RunId) -> Watcher {
        self.watcher(Watched::Run(run.clone()))
    }

    /// Watches for events of these kinds, of all runs.
    pub(crate) fn watch_kinds(self: &Arc<Self>, kinds: EventKinds) -> Watcher {
        self.watcher(Watched::Kinds(kinds))
    }

    fn watcher(self: &Arc<Self>, watched: Watched) -> Watcher {
        let bell = match &watched {
            Watched::Run(run) => counted(&mut self.runs.lock(), run),
            Watched::Kinds(kinds) => counted(&mut self.kinds.lock(), kinds),
        };
        self.watchers.fetch_add(1, Ordering::AcqRel);
        let seen = *bell.rung.lock();
        let missed = bell.missed.load(Ordering::Acquire);
        Watcher { feed: self.clone(), watched, bell, seen, missed }
    }
}

/// The bell of what is watched by one more from now on.
fn counted<K: Clone + Eq + Hash>(bells: &mut HashMap<K, Counted>, watched: &K) -> Arc<Bell> {
    let (count, bell) = bells.entry(watched.clone()).or_default();
    *count += 1;
    bell.clone()
}

/// It is watched by one less.
fn left<K: Eq + Hash>(bells: &mut HashMap<K, Counted>, watched: &K) {
    if let Some((count, _)) = bells.get_mut(watched) {
        *count -= 1;
        if *count == 0 {
            bells.remove(watched);
        }
    }
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock() += 1;
        self.changed.notify_all();
        self.notify.notify_waiters();
    }
}

/// Waits for news. Read the database first, then wait, then read again: nothing is missed.
pub struct Watcher {
    feed: Arc<Feed>,
    watched: Watched,
    bell: Arc<Bell>,
    seen: u64,
    missed: u64,
}

impl Watcher {
    /// Blocks until there may be news since the last call, at most `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut rung = self.bell.rung.lock();
        while *rung == self.seen {
            if self.bell.changed.wait_until(&mut rung, deadline).timed_out() {
                return false;
            }
        }
        self.seen = *rung;
        true
    }

    /// What was told until now is known: the caller reads next.
    pub fn mark(&mut self) {
        self.missed = self.bell.missed.load(Ordering::Acquire);
        self.seen = *self.bell.rung.lock();
    }

    /// Whether there may be news since the last call of `mark` or `changed`.
    pub fn has_news(&self) -> bool {
        *self.bell.rung.lock() != self.seen
    }

    /// Whether something has happened since the last call of `mark` that it wasn't to be woken for.
    pub fn has_missed(&self) -> bool {
        self.bell.missed.load(Ordering::Acquire) != self.missed
    }

    /// As `wait`, for async callers.
    pub async fn changed(&mut self) {
        loop {
            let notified = self.bell.notify.notified();
            let rung = *self.bell.rung.lock();
            if rung != self.seen {
                self.seen = rung;
                return;
            }
            notified.await;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        match &self.watched {
            Watched::Run(run) => left(&mut self.feed.runs.lock(), run),
            Watched::Kinds(kinds) => left(&mut self.feed.kinds.lock(), kinds),
        }
        self.feed.watchers.fetch_sub(1, Ordering::AcqRel);
    }
}
