//! Clocks: the system's, and one that jumps to the next timer as soon as nothing else can happen.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use windlass_model::time::Clock;

/// A clock that is set back by less than this stands still until it has caught up.
const STANDS_STILL_MS: i64 = 1_000;

/// The system's clock. It never goes back while the process lives: when it is set back, time goes on from the latest that was
/// seen, at the pace of a clock that nobody sets.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest_ms: AtomicI64,
    /// From when on time is counted since it was set back.
    counted: Mutex<Option<(i64, Instant)>>,
}

impl SystemClock {
    fn at(&self, system_ms: i64, now: Instant) -> i64 {
        let latest_ms = self.latest_ms.fetch_max(system_ms, Ordering::Relaxed).max(system_ms);
        if latest_ms - system_ms < STANDS_STILL_MS {
            return latest_ms;
        }
        let mut counted = self.counted.lock();
        // Another thread may have come first.
        let latest_ms = self.latest_ms.load(Ordering::Relaxed);
        let since = |(at_ms, start): (i64, Instant)| {
            let elapsed_ms = now.saturating_duration_since(start).as_millis();
            at_ms.saturating_add(i64::try_from(elapsed_ms).unwrap_or(i64::MAX))
        };
        let now_ms = counted.map_or(i64::MIN, since);
        if now_ms >= latest_ms {
            self.latest_ms.fetch_max(now_ms, Ordering::Relaxed);
            return now_ms;
        }
        if counted.is_none_or(|counted| latest_ms - since(counted) >= STANDS_STILL_MS) {
            let behind_ms = latest_ms - system_ms;
            tracing::warn!(
                behind_ms,
                "the system's clock was set back: time goes on from the latest that was seen until a restart"
            );
            *counted = Some((latest_ms, now));
        }
        latest_ms
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.at(i64::try_from(since.as_millis()).unwrap_or(i64::MAX), Instant::now())
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_goes_on_when_the_clock_is_set_back() {
        let (clock, start) = (SystemClock::default(), Instant::now());
        let after = |ms: u64| start + Duration::from_millis(ms);
        let year_ms = 365 * 86_400_000_i64;
        assert_eq!(clock.at(1_000 + year_ms, after(0)), 1_000 + year_ms);
        assert_eq!(clock.at(1_001, after(1)), 1_000 + year_ms, "it never goes back");
        assert_eq!(clock.at(61_001, after(60_001)), 61_000 + year_ms);
        assert_eq!(clock.at(61_002, after(59_000)), 61_000 + year_ms, "a thread that was late");
        // Set far ahead again, and back.
        assert_eq!(clock.at(2 * year_ms, after(60_100)), 2 * year_ms);
        assert_eq!(clock.at(61_200, after(60_200)), 2 * year_ms);
        assert_eq!(clock.at(61_300, after(60_300)), 100 + 2 * year_ms);
    }

    #[test]
    fn a_clock_that_is_set_back_a_little_stands_still() {
        let (clock, start) = (SystemClock::default(), Instant::now());
        assert_eq!(clock.at(5_000, start), 5_000);
        assert_eq!(clock.at(4_900, start + Duration::from_millis(50)), 5_000);
        assert_eq!(clock.at(5_050, start + Duration::from_millis(200)), 5_050);
    }
}
