//! Whether this process may still believe in its leases. The database decides who owns a run; but an effect in the world
//! asks no database. So a worker looks here right before each effect: a process that was paused, or cut off from the
//! database for longer than a lease, starts nothing more, whatever it believed before.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Until when the leases hold that this process knows of.
pub(crate) struct LeaseClock {
    /// `None`: they have no end, because no other process executes runs.
    lease: Option<Duration>,
    until: Mutex<Instant>,
}

impl LeaseClock {
    /// From now on.
    pub(crate) fn new(lease: Option<Duration>) -> Self {
        Self { lease, until: Mutex::new(Instant::now() + lease.unwrap_or_default()) }
    }

    /// The database has prolonged all leases; it was asked to at this time.
    pub(crate) fn renewed(&self, asked: Instant) {
        let Some(lease) = self.lease else { return };
        let mut until = self.until.lock();
        *until = (*until).max(asked + lease);
    }

    /// Whether they hold. Runs that were claimed since the last renewal are held longer: that they aren't believed in
    /// either costs a little time, and is never wrong.
    pub(crate) fn holds(&self) -> bool {
        self.lease.is_none() || windlass_store::failpoint::is_broken("lease") || Instant::now() < *self.until.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_hold_until_they_end_and_longer_when_they_are_renewed() {
        let clock = LeaseClock::new(Some(Duration::from_millis(40)));
        assert!(clock.holds());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!clock.holds());
        clock.renewed(Instant::now());
        assert!(clock.holds());
        // An answer that comes late counts from when it was asked for.
        std::thread::sleep(Duration::from_millis(50));
        clock.renewed(Instant::now().checked_sub(Duration::from_millis(45)).unwrap());
        assert!(!clock.holds());
        assert!(LeaseClock::new(None).holds());
    }
}
