//! One thread that claims what is due, keeps leases alive, watches deadlines and other processes, and prunes what is old.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use windlass_model::{
    RunId, RunState,
    command::{Beat, Command, Lease, Reply},
    journal::Stop,
};
use windlass_store::{Hints, StoreError};

use crate::{
    Time,
    control::Control,
    engine::{Active, Inner},
    lease_clock::{LeaseClock, RENEWALS},
};

/// Runs taken in one claim.
const CLAIM: usize = 64;
/// How often ended runs are looked through for those whose retention is over.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
pub(crate) const PRUNE_LIMIT: u32 = 500;

/// How often to look what other nodes have written, at least, when they give hints.
const WITH_HINTS: Duration = Duration::from_secs(1);
/// How long to leave alone what is due and couldn't be claimed just now.
const CONTESTED: Duration = Duration::from_millis(100);
/// How often a node looks whether it should drain, at most.
const DRAIN_LOOK_MS: i64 = 1_000;

/// What ends the scheduler's sleep: work that is due, or becomes due earlier than it thought.
#[derive(Default)]
pub(crate) struct Wake {
    state: Mutex<WakeState>,
    changed: Condvar,
}

#[derive(Default)]
struct WakeState {
    kicked: bool,
    due_ms: Option<i64>,
    /// A worker has become free since the scheduler last said what it waits for.
    freed: bool,
}

impl Wake {
    /// Something is due, a worker is free, or the process ends.
    pub(crate) fn kick(&self) {
        let mut state = self.state.lock();
        if !state.kicked {
            state.kicked = true;
            self.changed.notify_all();
        }
    }

    /// Something becomes due at this time.
    pub(crate) fn due_at(&self, due_ms: i64) {
        let mut state = self.state.lock();
        if state.due_ms.is_none_or(|present| due_ms < present) {
            state.due_ms = Some(due_ms);
            state.kicked = true;
            self.changed.notify_all();
        }
    }

    /// A worker is free. Where nothing waits for one, nobody has to be woken.
    pub(crate) fn freed(&self, now_ms: i64) {
        let mut state = self.state.lock();
        state.freed = true;
        if !state.kicked && state.due_ms.is_some_and(|due_ms| due_ms <= now_ms) {
            state.kicked = true;
            self.changed.notify_all();
        }
    }

    /// Waits for a kick or an earlier due time, at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        let mut state = self.state.lock();
        if !state.kicked {
            self.changed.wait_for(&mut state, timeout);
        }
        state.kicked = false;
    }

    /// The scheduler is about to ask what is due: what becomes due from now on may not be in the answer.
    fn planning(&self) {
        self.state.lock().due_ms = None;
    }

    /// What the scheduler is about to wait for. Work that was due while a worker became free isn't waited for.
    fn planned(&self, due_ms: Option<i64>, now_ms: i64) {
        let mut state = self.state.lock();
        state.due_ms = due_ms;
        state.kicked |= std::mem::take(&mut state.freed) && due_ms.is_some_and(|due_ms| due_ms <= now_ms);
    }
}

impl Inner {
    /// The scheduler's thread.
    pub(crate) fn schedule(self: Arc<Self>) {
        let mut watched = Watched::default();
        let mut polled = Instant::now();
        while !self.is_stopping() {
            let poll = self.poll();
            let more = self.claim_due();
            if self.signals.hinted.swap(false, Ordering::AcqRel) || polled.elapsed() >= poll {
                polled = Instant::now();
                self.look_around(&mut watched);
            }
            if more || (self.is_virtual() && self.jump()) {
                continue;
            }
            self.signals.wake.planning();
            let due_ms = self.next_due_ms();
            let now_ms = self.clock.now_ms();
            self.signals.wake.planned(due_ms, now_ms);
            let until_due = due_ms.map(|due_ms| u64::try_from(due_ms - now_ms).unwrap_or(0));
            let blocked = self.free_workers() == 0 || self.is_virtual();
            let wait = match until_due {
                // Also where no worker is free: one that becomes free before that says nothing.
                Some(ms) if ms > 0 && !self.is_virtual() => poll.min(Duration::from_millis(ms)),
                // What is due but can't be claimed (no free worker, concurrency key taken) is kicked when that changes.
                // Another node was at it in the same moment, and may have left it.
                Some(_) if !blocked && !self.config.exclusive => poll.min(CONTESTED),
                _ => poll,
            };
            self.signals.wake.wait(wait);
        }
    }

    /// How long to wait until it is looked what other processes have written: rarely where they give hints. Not all nodes
    /// look at the same time.
    fn poll(&self) -> Duration {
        let poll = Duration::from_millis(self.config.poll_ms);
        if self.config.exclusive {
            return poll;
        }
        let hinted = self.signals.hints.get().is_some_and(Hints::arrive);
        let poll = if hinted { poll.max(WITH_HINTS) } else { poll };
        // Leases are renewed in time, however rarely somebody wants to look.
        let poll = poll.min(Duration::from_millis(u64::try_from(self.config.lease_ms / RENEWALS / 2).unwrap_or(0)));
        let part = u64::from(std::process::id()).wrapping_mul(0x9e37_79b9) % 50;
        poll * u32::try_from(75 + part).unwrap_or(100) / 100
    }

    /// Tells that this node is there, and extends its leases.
    pub(crate) fn beat(self: &Arc<Self>) {
        let active: Vec<(Lease, Arc<LeaseClock>, Arc<Control>)> = {
            let active = self.signals.active.lock();
            let one =
                |(run, active): (&RunId, &Active)| (active.claim(run), active.lease.clone(), active.control.clone());
            active.iter().map(one).collect()
        };
        let beat = Beat {
            node: self.config.node.clone(),
            started_at_ms: self.started_at_ms,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            workers: u32::try_from(self.config.workers).unwrap_or(u32::MAX),
            runs: active.iter().map(|(claim, ..)| claim.clone()).collect(),
        };
        let command = Command::Beat { beat, expires_at_ms: self.lease_expires_at_ms() };
        let (inner, asked) = (self.clone(), Instant::now());
        let done = move |reply: Result<Reply, _>| match reply {
            Ok(Reply::Beat { draining, held }) => {
                // Broken on purpose: as if epochs were looked at nowhere.
                let all = windlass_store::failpoint::is_broken("epoch");
                for (claim, clock, control) in &active {
                    match all || held.contains(claim) {
                        true => clock.renewed(asked),
                        // Somebody else has it. What is under way here must begin nothing more.
                        false => control.stop(Stop::LeaseLost),
                    }
                }
                inner.drain(draining);
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "leases can't be renewed"),
        };
        self.store.submit(command, Box::new(done));
    }

    fn look_whether_to_drain(&self) {
        match self.store.nodes() {
            Ok(nodes) => {
                let this = nodes.into_iter().find(|node| node.id == self.config.node);
                this.inspect(|node| self.drain(node.draining && node.started_at_ms == self.started_at_ms));
            }
            Err(error) => tracing::debug!(%error, "can't ask whether this node should drain"),
        }
    }

    /// When the next run is due. A lease that never ends is no time to wait for.
    fn next_due_ms(&self) -> Option<i64> {
        let due_ms = self.store.next_due_ms().unwrap_or_else(|error| {
            tracing::error!(%error, "can't ask what is due");
            None
        });
        due_ms.filter(|due_ms| *due_ms < i64::MAX)
    }

    /// Claims what is due; whether there may be more.
    fn claim_due(self: &Arc<Self>) -> bool {
        let limit = self.free_workers().min(CLAIM);
        if limit == 0 {
            return false;
        }
        let now_ms = self.clock.now_ms();
        if self.next_due_ms().is_none_or(|due_ms| due_ms > now_ms) {
            return false;
        }
        let command = Command::Claim {
            node: self.config.node.clone(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            expires_at_ms: self.lease_expires_at_ms(),
            max_recoveries: self.config.bounds.recoveries,
        };
        let asked = Instant::now();
        match self.store.commit(command) {
            Ok(Reply::Claimed(claimed)) => {
                let full = claimed.len() == limit;
                self.backlog.store(full, Ordering::Release);
                claimed.into_iter().for_each(|claimed| self.start(claimed, asked));
                full
            }
            Ok(_) => false,
            Err(error) => {
                tracing::error!(%error, "can't claim what is due");
                false
            }
        }
    }

    /// Virtual time only: if nothing runs, let the hook act, else jump to the next timer. Whether anything changed.
    fn jump(&self) -> bool {
        let Time::Virtual(clock) = &self.config.time else { return false };
        if !self.signals.active.lock().is_empty() {
            return false;
        }
        let due_ms = self.next_due_ms();
        if due_ms.is_some_and(|due_ms| due_ms <= self.clock.now_ms()) {
            return false;
        }
        if clock.idle(due_ms) {
            return true;
        }
        due_ms.inspect(|&due_ms| clock.advance_to(due_ms)).is_some()
    }

    /// What has to be looked at now and then: leases, deadlines, other processes' writes, retention.
    fn look_around(self: &Arc<Self>, watched: &mut Watched) {
        let active: Vec<_> =
            self.signals.active.lock().iter().map(|(run, active)| (run.clone(), active.clone())).collect();
        let now_ms = self.clock.now_ms();
        for (_, active) in active.iter().filter(|(_, active)| active.deadline_at_ms.is_some_and(|at| at <= now_ms)) {
            active.control.stop(Stop::Deadline);
        }
        let executes = self.config.workers > 0 && !self.is_virtual();
        if executes && watched.is_time(|watched| &mut watched.renewed, self.config.lease_ms / RENEWALS) {
            self.beat();
        }
        let version = self.store.data_version().unwrap_or(watched.version);
        if version != watched.version {
            watched.version = version;
            self.signals.feed.ring_all();
            if executes && watched.is_time(|watched| &mut watched.drained, DRAIN_LOOK_MS) {
                self.look_whether_to_drain();
            }
            let runs: Vec<RunId> = active.iter().map(|(run, _)| run.clone()).collect();
            let told = [(RunState::Cancelling, Stop::Cancelled), (RunState::RollbackStuck, Stop::LeaseLost)];
            for (state, stop) in told {
                let those = self.store.in_state(&runs, state).unwrap_or_default();
                let those = active.iter().filter(|(run, _)| those.contains(run));
                those.for_each(|(_, active)| active.control.stop(stop.clone()));
            }
        }
        // Others commit between two removals. Where time is virtual nothing happens but what is asked for.
        let mut is_time = || watched.is_time(|watched| &mut watched.pruned, PRUNE_EVERY.as_millis() as i64);
        if executes && (self.signals.prunes_on.swap(false, Ordering::AcqRel) || is_time()) {
            let default_retention_ms = self.config.default_retention_ms;
            let command = Command::Prune { default_retention_ms, limit: PRUNE_LIMIT };
            let signals = self.signals.clone();
            let done = move |reply: Result<Reply, StoreError>| match reply {
                // A large run goes alone, in slices; of many small ones no more than these, or they would crowd out who launches.
                Ok(Reply::Partly | Reply::Count(1)) => signals.prunes_on.store(true, Ordering::Release),
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "pruning"),
            };
            self.store.submit(command, Box::new(done));
        }
    }
}

#[derive(Default)]
struct Watched {
    version: i64,
    renewed: Option<Instant>,
    pruned: Option<Instant>,
    drained: Option<Instant>,
}

impl Watched {
    fn is_time(&mut self, last: impl Fn(&mut Self) -> &mut Option<Instant>, every_ms: i64) -> bool {
        let last = last(self);
        let every = Duration::from_millis(u64::try_from(every_ms).unwrap_or(0));
        let is_time = last.is_none_or(|last| last.elapsed() >= every);
        if is_time {
            *last = Some(Instant::now());
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_woken(wake: &Wake) -> bool {
        let began = Instant::now();
        wake.wait(Duration::from_millis(200));
        began.elapsed() < Duration::from_millis(200)
    }

    #[test]
    fn a_worker_that_becomes_free_wakes_the_scheduler_only_where_something_waits_for_one() {
        let wake = Wake::default();
        wake.planned(None, 10);
        wake.freed(10);
        assert!(!is_woken(&wake), "nothing is due");
        wake.planned(Some(20), 10);
        wake.freed(19);
        assert!(!is_woken(&wake), "it isn't due yet");
        wake.freed(20);
        assert!(is_woken(&wake), "it has become due");
        wake.planned(Some(20), 30);
        assert!(is_woken(&wake), "a worker became free before it was known what is due");
        wake.planned(Some(20), 30);
        assert!(!is_woken(&wake), "nobody has become free since");
    }

    #[test]
    fn what_becomes_due_while_the_scheduler_asks_is_not_forgotten() {
        let wake = Wake::default();
        wake.planned(Some(5), 10);
        wake.planning();
        // Later than what was due before, and not in the answer.
        wake.due_at(40);
        wake.planned(None, 10);
        assert!(is_woken(&wake));
        wake.planning();
        wake.planned(Some(60), 10);
        wake.due_at(70);
        assert!(!is_woken(&wake), "it is known when to look");
        wake.due_at(50);
        assert!(is_woken(&wake));
    }
}
