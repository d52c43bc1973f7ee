//! What the rest of the process says to a run that is being evaluated: stop, and why.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use windlass_model::journal::Stop;

/// One per run under evaluation.
#[derive(Default)]
pub(crate) struct Control {
    stopping: AtomicBool,
    /// Whether the time is over that an op gets to end by itself when the process ends.
    urgent: AtomicBool,
    reason: Mutex<Option<Stop>>,
    changed: Condvar,
}

impl Control {
    /// Tells the run to stop. A weightier reason replaces a lighter one.
    pub(crate) fn stop(&self, stop: Stop) {
        let mut reason = self.reason.lock();
        if reason.as_ref().is_none_or(|present| present.rank() < stop.rank()) {
            *reason = Some(stop);
        }
        self.stopping.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    /// Tells also the op that is under way to stop.
    pub(crate) fn hurry(&self) {
        self.urgent.store(true, Ordering::Release);
    }

    /// Whether an op that is under way has to stop: the end of the process alone gives it time.
    pub(crate) fn is_urgent(&self, stop: &Stop) -> bool {
        !matches!(stop, Stop::ShuttingDown) || self.urgent.load(Ordering::Acquire)
    }

    /// Forgets what ended the way forward: the run goes on to be undone. The end of the process, or of the lease, stays.
    pub(crate) fn turn_back(&self) {
        let mut reason = self.reason.lock();
        if !matches!(*reason, None | Some(Stop::ShuttingDown | Stop::LeaseLost)) {
            *reason = None;
            self.stopping.store(false, Ordering::Release);
        }
    }

    /// Why to stop, if there is a reason. One atomic load when there is none.
    pub(crate) fn reason(&self) -> Option<Stop> {
        if !self.stopping.load(Ordering::Acquire) {
            return None;
        }
        self.reason.lock().clone()
    }

    /// Waits until there is a reason to stop, at most `timeout_ms`; whether there is one.
    pub(crate) fn wait(&self, timeout_ms: u64) -> bool {
        let deadline = Instant::now() + Duration::from_millis(timeout_ms);
        let mut reason = self.reason.lock();
        while reason.is_none() {
            if self.changed.wait_until(&mut reason, deadline).timed_out() {
                break;
            }
        }
        reason.is_some()
    }
}
