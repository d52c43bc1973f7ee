//! Which locks the branches of this run are inside of. Between runs the store keeps locks apart; within one run, which has
//! them all, only this does: what the journal told when the evaluation began, and what was taken and given back since.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use windlass_model::{CallSite, LockName, StepPath, lock::HeldLock};

use crate::throw::Halt;

/// How often one who waits for a sibling's lock looks whether it has to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) struct HeldLocks {
    state: Mutex<State>,
    changed: Condvar,
    /// Who has it decides together with the store: nobody else of this run takes a lock or gives one back meanwhile.
    gate: Mutex<()>,
}

#[derive(Default)]
struct State {
    by_name: HashMap<LockName, Holder>,
    /// Whom the journal counts as inside as well, though another branch took the lock after them: they were over by then, and
    /// nobody had recorded that yet.
    earlier: Vec<(LockName, Holder)>,
    /// Branches that wait for a sibling's lock, on their thread or as a row: their lane, and the lock.
    waiting: Vec<(Arc<str>, LockName)>,
}

struct Holder {
    path: StepPath,
    site: CallSite,
    scoped: bool,
    /// Its branch goes no further in this evaluation.
    stopped: bool,
}

/// What may be asked of the store, while the gate is held.
pub(crate) enum Entry<'a> {
    /// None of the run's branches is inside.
    Free(MutexGuard<'a, ()>),
    /// Another branch is, and waits for something itself: the lock is waited for beside it.
    Beside(MutexGuard<'a, ()>),
    /// The branch itself is inside, or a branch around it. Where it was taken.
    Inside(CallSite),
    /// The branch that is inside waits for a lock that this one has. Where it was taken.
    Circular(CallSite),
}

impl HeldLocks {
    pub fn new(held: Vec<HeldLock>) -> Self {
        // A branch is at work from when it has begun: who waits for it before would keep its thread from it.
        let holder = |held: HeldLock| {
            let stopped = is_in_a_branch(&held.path.lane);
            Holder { path: held.path, site: held.site, scoped: held.scoped, stopped }
        };
        let mut state = State::default();
        for held in held {
            let lock = held.lock.clone();
            if let Some(earlier) = state.by_name.insert(lock.clone(), holder(held)) {
                state.earlier.push((lock, earlier));
            }
        }
        Self { state: Mutex::new(state), changed: Condvar::new(), gate: Mutex::default() }
    }

    /// Waits while a sibling that is at work is inside; not for longer than `go_on` allows.
    pub fn enter(
        &self,
        lock: &LockName,
        path: &StepPath,
        go_on: &dyn Fn() -> Result<bool, Halt>,
    ) -> Result<Entry<'_>, Halt> {
        loop {
            let patient = go_on()?;
            let gate = self.gate.lock();
            let mut state = self.state.lock();
            let Some(holder) = state.by_name.get(lock) else { return Ok(Entry::Free(gate)) };
            if path.lane.starts_with(&*holder.path.lane) {
                return Ok(Entry::Inside(holder.site.clone()));
            }
            if state.is_circular(&holder.path.lane, &path.lane) {
                return Ok(Entry::Circular(holder.site.clone()));
            }
            let rests = holder.stopped || !patient;
            state.waiting.push((path.lane.clone(), lock.clone()));
            if rests {
                return Ok(Entry::Beside(gate));
            }
            drop(gate);
            self.changed.wait_for(&mut state, LOOK_EVERY);
            state.waits_no_more(lock, path);
        }
    }

    /// The store has given the lock to this step.
    pub fn taken(&self, lock: &LockName, path: &StepPath, site: CallSite, scoped: bool) {
        let holder = Holder { path: path.clone(), site, scoped, stopped: false };
        let mut state = self.state.lock();
        state.waits_no_more(lock, path);
        state.by_name.insert(lock.clone(), holder);
    }

    /// The lock was refused to this step: it waits for it no more.
    pub fn refused(&self, lock: &LockName, path: &StepPath) {
        self.state.lock().waits_no_more(lock, path);
    }

    /// Keeps others from deciding about locks, until it is dropped.
    pub fn gate(&self) -> MutexGuard<'_, ()> {
        self.gate.lock()
    }

    /// Whether a branch beside the one with this lane is inside.
    pub fn is_siblings(&self, lock: &LockName, lane: &str) -> bool {
        self.state.lock().by_name.get(lock).is_some_and(|holder| are_siblings(&holder.path.lane, lane))
    }

    pub fn release(&self, lock: &LockName) {
        self.state.lock().by_name.remove(lock);
        self.changed.notify_all();
    }

    /// A branch is at work: what it is inside of by the journal, and none of its own branches, may be waited for on a thread.
    pub fn has_begun(&self, lane: &str) {
        let mut state = self.state.lock();
        for holder in state.by_name.values_mut() {
            if holder.path.lane.strip_prefix(lane).is_some_and(|rest| !is_in_a_branch(rest)) {
                holder.stopped = false;
            }
        }
    }

    /// A branch goes no further in this evaluation, and is still inside of its locks.
    pub fn has_stopped(&self, lane: &str) {
        let mut state = self.state.lock();
        let inside = state.by_name.values_mut().filter(|holder| holder.path.lane.starts_with(lane));
        inside.for_each(|holder| holder.stopped = true);
        self.changed.notify_all();
    }

    /// A branch or a poll is over, and nobody is inside its locks any more. The run keeps those that it didn't give back,
    /// and may take them again.
    pub fn is_over(&self, lane: &str) {
        let mut state = self.state.lock();
        state.by_name.retain(|_, holder| !holder.path.lane.starts_with(lane));
        state.earlier.retain(|(_, holder)| !holder.path.lane.starts_with(lane));
        // A race's loser waits for nothing any more.
        state.waiting.retain(|(waiter, _)| !waiter.starts_with(lane));
        drop(state);
        self.changed.notify_all();
    }

    /// Locks that the journal counts branches below `lane` as inside of, with the steps that took them.
    pub fn inside_below(&self, lane: &str) -> Vec<(LockName, StepPath, CallSite)> {
        let state = self.state.lock();
        let earlier = state.earlier.iter().map(|(name, holder)| (name, holder));
        below(state.by_name.iter().chain(earlier), lane)
    }

    /// Locks of `with_lock` that branches below `lane` are inside of, with the steps that took them.
    pub fn scoped_below(&self, lane: &str) -> Vec<(LockName, StepPath, CallSite)> {
        let state = self.state.lock();
        below(state.by_name.iter().filter(|(_, holder)| holder.scoped), lane)
    }
}

fn below<'a>(
    holders: impl Iterator<Item = (&'a LockName, &'a Holder)>,
    lane: &str,
) -> Vec<(LockName, StepPath, CallSite)> {
    let below = holders.filter(|(_, holder)| holder.path.lane.starts_with(lane));
    let mut found: Vec<_> =
        below.map(|(name, holder)| (name.clone(), holder.path.clone(), holder.site.clone())).collect();
    found.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    found
}

/// Whether a lane, or what is left of one, leads through a branch.
fn is_in_a_branch(lane: &str) -> bool {
    lane.split('/').any(|part| part.starts_with('b'))
}

/// Whether these are lanes of two branches of one scope, or lead through them.
fn are_siblings(one: &str, other: &str) -> bool {
    let parting = one.split('/').zip(other.split('/')).find(|(one, other)| one != other);
    parting.is_some_and(|(one, other)| one.starts_with('b') && other.starts_with('b'))
}

impl State {
    fn waits_no_more(&mut self, lock: &LockName, path: &StepPath) {
        self.waiting.retain(|(lane, waited)| *lane != path.lane || waited != lock);
    }

    /// Whether the branch that is inside waits, perhaps by way of others, for a lock that the one in `own` has.
    fn is_circular(&self, holder: &str, own: &str) -> bool {
        let (mut seen, mut lanes) = (HashSet::new(), vec![holder]);
        while let Some(lane) = lanes.pop() {
            for (_, name) in self.waiting.iter().filter(|(waiter, _)| waiter.starts_with(lane)) {
                let Some(next) = self.by_name.get(name).filter(|_| seen.insert(name)) else { continue };
                if own.starts_with(&*next.path.lane) {
                    return true;
                }
                lanes.push(&next.path.lane);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(name: &str, lane: &str, scoped: bool) -> HeldLock {
        HeldLock { lock: name.into(), path: StepPath::new(lane, 0), site: CallSite::default(), scoped }
    }

    fn entry(locks: &HeldLocks, name: &str, lane: &str) -> &'static str {
        match locks.enter(&name.into(), &StepPath::new(lane, 9), &|| Ok(false)).unwrap() {
            Entry::Free(_) => "free",
            Entry::Beside(_) => "beside",
            Entry::Inside(_) => "inside",
            Entry::Circular(_) => "circular",
        }
    }

    #[test]
    fn a_lane_that_is_over_takes_its_own_locks_along_and_no_other() {
        let four = [("a", "0/b1/"), ("b", "0/b1/3/b0/"), ("c", "0/b11/"), ("d", "")];
        let locks = HeldLocks::new(four.iter().map(|(name, lane)| held(name, lane, false)).collect());
        assert_eq!(entry(&locks, "a", "0/b2/"), "beside");
        assert_eq!(entry(&locks, "a", "0/b1/4/b0/"), "inside");
        assert_eq!(entry(&locks, "d", "0/b2/"), "inside");
        locks.is_over("0/b1/");
        let mut left: Vec<String> = locks.state.lock().by_name.keys().map(|lock| lock.name.clone()).collect();
        left.sort();
        assert_eq!(left, ["c", "d"]);
        assert_eq!(entry(&locks, "a", "0/b2/"), "free");
    }

    #[test]
    fn a_sibling_is_a_branch_of_the_same_scope() {
        for (one, other, expected) in [
            ("0/b0/", "0/b1/", true),
            ("0/b0/3/b1/", "0/b1/", true),
            ("0/b1/", "0/b11/", true),
            ("0/b0/3/p1/", "0/b0/3/p1/2/b0/", false),
            ("0/b0/", "0/b0/", false),
            ("", "0/b0/", false),
            ("0/b0/", "0/b0/3/b1/", false),
            // The first of them is over.
            ("0/b0/", "1/b1/", false),
            ("0/p0/", "0/p1/", false),
        ] {
            assert_eq!([are_siblings(one, other), are_siblings(other, one)], [expected; 2], "{one} {other}");
        }
    }

    #[test]
    fn who_was_refused_a_lock_or_is_over_waits_for_it_no_more() {
        let locks = HeldLocks::new([("x", "0/b0/"), ("y", "0/b1/")].map(|(name, lane)| held(name, lane, false)).into());
        assert_eq!(entry(&locks, "x", "0/b1/"), "beside");
        assert_eq!(entry(&locks, "y", "0/b0/"), "circular");
        locks.refused(&"x".into(), &StepPath::new("0/b1/", 9));
        assert_eq!(entry(&locks, "y", "0/b0/"), "beside");
        assert_eq!(entry(&locks, "x", "0/b1/"), "circular");
        locks.refused(&"y".into(), &StepPath::new("0/b0/", 9));
        // A branch of the first one, which another branch's end ends.
        assert_eq!(entry(&locks, "y", "0/b0/3/b1/"), "beside");
        assert_eq!(entry(&locks, "x", "0/b1/"), "circular");
        locks.is_over("0/b0/3/b");
        assert_eq!(entry(&locks, "x", "0/b1/"), "beside");
    }

    #[test]
    fn only_locks_of_with_lock_are_given_back_for_a_stopped_branch() {
        let three = [("a", "0/b1/", true), ("b", "0/b1/2/b0/", false), ("c", "1/b0/", true)];
        let locks = HeldLocks::new(three.iter().map(|(name, lane, scoped)| held(name, lane, *scoped)).collect());
        let names: Vec<String> = locks.scoped_below("0/").into_iter().map(|(lock, ..)| lock.name).collect();
        assert_eq!(names, ["a"]);
    }

    #[test]
    fn whoever_waits_for_one_who_waits_for_him_is_told() {
        let three = [("a", "0/b0/"), ("b", "0/b1/"), ("c", "0/b2/")];
        let locks = HeldLocks::new(three.iter().map(|(name, lane)| held(name, lane, false)).collect());
        locks.state.lock().waiting = vec![("0/b1/4/b0/".into(), "c".into()), ("0/b2/".into(), "a".into())];
        let circular = |name: &str, own: &str| {
            matches!(locks.enter(&name.into(), &StepPath::new(own, 9), &|| Ok(true)).unwrap(), Entry::Circular(_))
        };
        assert!(circular("b", "0/b0/"));
        assert!(!locks.state.lock().is_circular("0/b1/", "0/b3/"));
    }
}
