//! Which locks the branches of this evaluation hold. Between runs the store keeps locks apart; within one run, which has
//! them all, only this does.

use std::collections::HashMap;

use parking_lot::Mutex;
use windlass_model::{CallSite, LockName};

#[derive(Default)]
pub(crate) struct HeldLocks {
    by_name: Mutex<HashMap<LockName, Holder>>,
}

struct Holder {
    lane: String,
    site: CallSite,
}

impl HeldLocks {
    /// Notes that this lane holds the lock; the place where it was taken, if the run holds it already.
    pub fn take(&self, name: &LockName, lane: &str, site: CallSite) -> Result<(), CallSite> {
        let mut held = self.by_name.lock();
        if let Some(holder) = held.get(name) {
            return Err(holder.site.clone());
        }
        held.insert(name.clone(), Holder { lane: lane.to_owned(), site });
        Ok(())
    }

    pub fn release(&self, name: &LockName) {
        self.by_name.lock().remove(name);
    }

    /// A branch or a poll is over, and nobody is inside its locks any more. The run keeps those that it didn't give back,
    /// and may take them again: a replay that finds the branch's outcome recorded doesn't know of them either.
    pub fn lane_is_over(&self, lane: &str) {
        self.by_name.lock().retain(|_, holder| !holder.lane.starts_with(lane));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_takes_its_own_locks_along_and_no_other() {
        let held = HeldLocks::default();
        for (name, lane) in [("a", "0/b1/"), ("b", "0/b1/3/b0/"), ("c", "0/b11/"), ("d", "")] {
            held.take(&name.into(), lane, CallSite::default()).unwrap();
        }
        assert!(held.take(&"a".into(), "0/b2/", CallSite::default()).is_err());
        held.lane_is_over("0/b1/");
        let mut left: Vec<String> = held.by_name.lock().keys().map(|lock| lock.name.clone()).collect();
        left.sort();
        assert_eq!(left, ["c", "d"]);
    }
}
