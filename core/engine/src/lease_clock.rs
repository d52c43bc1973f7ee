//! Whether this process may still believe in its claim on a run. The database decides who owns a run; but an effect in the
//! world asks no database. So a worker looks here right before each effect: a process that was paused, or cut off from the
//! database for longer than a lease, starts nothing more, whatever it believed before.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// What part of a lease has to be left for an effect to begin: the half. What is sent then is acknowledged or given up, and
/// what a network stack still held of it is dropped, before the lease ends.
const LEFT: u32 = 2;
/// How often a lease is renewed in its time: so often that a database which answers slowly leaves more than that.
pub(crate) const RENEWALS: i64 = 5;

/// How long one claim holds, as far as this process knows.
#[derive(Debug)]
pub(crate) struct LeaseClock {
    /// `None`: it has no end, because no other process executes runs.
    lease: Option<Duration>,
    until: Mutex<Instant>,
}

impl LeaseClock {
    /// Of a claim that was asked for at this time.
    pub(crate) fn new(lease: Option<Duration>, asked: Instant) -> Self {
        Self { lease, until: Mutex::new(asked + lease.unwrap_or_default()) }
    }

    /// The database has prolonged it; it was asked to at this time.
    pub(crate) fn renewed(&self, asked: Instant) {
        let Some(lease) = self.lease else { return };
        let mut until = self.until.lock();
        *until = (*until).max(asked + lease);
    }

    /// Whether it holds, and will for a while.
    pub(crate) fn holds(&self) -> bool {
        let Some(lease) = self.lease else { return true };
        windlass_store::failpoint::is_broken("lease") || Instant::now() + lease / LEFT < *self.until.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_holds_until_little_is_left_and_longer_when_it_is_renewed() {
        let lease = Some(Duration::from_secs(600));
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        assert!(LeaseClock::new(lease, Instant::now()).holds());
        let clock = LeaseClock::new(lease, ago(500));
        assert!(!clock.holds());
        // An answer that comes late counts from when it was asked for.
        clock.renewed(ago(450));
        assert!(!clock.holds());
        clock.renewed(Instant::now());
        assert!(clock.holds());
        clock.renewed(ago(450));
        assert!(clock.holds(), "what was asked for before takes nothing away");
        assert!(LeaseClock::new(None, ago(500)).holds());
    }
}
