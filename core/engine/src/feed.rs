//! The event feed: wakes whoever watches a run. It carries nothing; the database tells.

use std::{
    collections::HashMap,
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use windlass_model::RunId;

/// Stands in the place of a run for those who follow all of them.
pub(crate) const ALL: &str = "*";

#[derive(Default)]
struct Bell {
    rung: Mutex<u64>,
    changed: Condvar,
    notify: tokio::sync::Notify,
}

/// Bells, one for each run that somebody watches.
#[derive(Default)]
pub(crate) struct Feed {
    watchers: AtomicUsize,
    bells: Mutex<HashMap<RunId, (usize, Arc<Bell>)>>,
}

impl Feed {
    /// Something of these runs was committed.
    pub(crate) fn ring(&self, runs: &[RunId]) {
        if self.watchers.load(Ordering::Acquire) == 0 {
            return;
        }
        let bells: Vec<_> = {
            let bells = self.bells.lock();
            let all = (!runs.is_empty()).then(|| bells.get(&RunId::from(ALL))).flatten();
            runs.iter().filter_map(|run| bells.get(run)).chain(all).map(|(_, bell)| bell.clone()).collect()
        };
        bells.iter().for_each(|bell| bell.ring());
    }

    /// Another process has written: everybody looks.
    pub(crate) fn ring_all(&self) {
        let bells: Vec<_> = self.bells.lock().values().map(|(_, bell)| bell.clone()).collect();
        bells.iter().for_each(|bell| bell.ring());
    }

    /// Watches a run until the watcher is dropped.
    pub(crate) fn watch(self: &Arc<Self>, run: &RunId) -> Watcher {
        let mut bells = self.bells.lock();
        let (count, bell) = bells.entry(run.clone()).or_default();
        *count += 1;
        self.watchers.fetch_add(1, Ordering::AcqRel);
        let seen = *bell.rung.lock();
        Watcher { feed: self.clone(), run: run.clone(), bell: bell.clone(), seen }
    }
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock() += 1;
        self.changed.notify_all();
        self.notify.notify_waiters();
    }
}

/// Waits for news of one run. Read the database first, then wait, then read again: nothing is missed.
pub struct Watcher {
    feed: Arc<Feed>,
    run: RunId,
    bell: Arc<Bell>,
    seen: u64,
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
        self.seen = *self.bell.rung.lock();
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
        let mut bells = self.feed.bells.lock();
        if let Some((count, _)) = bells.get_mut(&self.run) {
            *count -= 1;
            if *count == 0 {
                bells.remove(&self.run);
            }
        }
        self.feed.watchers.fetch_sub(1, Ordering::AcqRel);
    }
}
