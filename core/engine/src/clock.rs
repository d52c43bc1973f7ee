//! Clocks: the system's, and one that jumps to the next timer as soon as nothing else can happen.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use windlass_model::time::Clock;

/// The system's clock. It never goes back while the process lives: a clock that is set back stands still instead.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest_ms: AtomicI64,
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        self.latest_ms.fetch_max(now_ms, Ordering::Relaxed).max(now_ms)
    }
}

/// Asked when nothing runs and nothing is due, with the time of the next timer: may deliver signals and decisions.
/// Whether it did anything; if not, the clock jumps to the next timer.
pub type IdleHook = Arc<dyn Fn(Option<i64>) -> bool + Send + Sync>;

/// A clock that jumps: a week's sleep takes no time.
pub struct VirtualClock {
    now_ms: AtomicI64,
    idle: Mutex<Option<IdleHook>>,
}

impl VirtualClock {
    /// Starts at a fixed point, so that rehearsals print the same times every day: 2030-01-01T00:00:00Z.
    pub fn new() -> Self {
        Self { now_ms: AtomicI64::new(1_893_456_000_000), idle: Mutex::new(None) }
    }

    /// Sets what is asked before the clock jumps.
    pub fn on_idle(&self, hook: IdleHook) {
        *self.idle.lock() = Some(hook);
    }

    pub(crate) fn idle(&self, next_due_ms: Option<i64>) -> bool {
        let hook = self.idle.lock().clone();
        hook.is_some_and(|hook| hook(next_due_ms))
    }

    /// Goes forward to `at_ms`; never back.
    pub fn advance_to(&self, at_ms: i64) {
        self.now_ms.fetch_max(at_ms, Ordering::Relaxed);
    }

    /// Goes forward by `ms`.
    pub fn advance_by(&self, ms: i64) {
        self.now_ms.fetch_add(ms.max(0), Ordering::Relaxed);
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for VirtualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }
}
