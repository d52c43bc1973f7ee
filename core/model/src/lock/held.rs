//! Which locks the branches of a run are inside of, as its steps tell.

use std::collections::HashSet;

use super::LockName;
use crate::{CallSite, EffectClass, Outcome, StepPath, StepState, step::StepRecord};

/// Outcome of a wait for a lock that is given back after a closure.
pub const SCOPED: &str = "\"with_lock\"";

/// Outcome of a call of `unlock` that gave nothing back.
pub const NOT_GIVEN: &str = "false";

/// The function of the step below a lock's by which a branch or a poll that is over has left it: the run has the lock still, and
/// none of its branches is inside. What was recorded before there were such steps goes without.
pub const LEAVE: &str = "leave_lock";

/// A lock that a branch of a run is inside of.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldLock {
    /// The lock.
    pub lock: LockName,
    /// The step that took it.
    pub path: StepPath,
    /// Where in the script.
    pub site: CallSite,
    /// Whether it is given back after a closure.
    pub scoped: bool,
}

/// A lock that a step took.
pub struct Taken<'a> {
    /// The lock.
    pub lock: LockName,
    /// The step.
    pub step: &'a StepRecord,
    /// What became of it.
    pub back: Back<'a>,
}

/// Whether a lock was given back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Back<'a> {
    /// It wasn't.
    Not,
    /// By a call of the script.
    Called,
    /// By this step, for a branch that was stopped inside.
    Stopped(&'a StepRecord),
}

/// A step that gave a lock back.
struct Given<'a> {
    lock: LockName,
    step: &'a StepRecord,
    /// Its own lane had taken the lock.
    own: bool,
}

/// The locks that steps took, and whether they were given back. Within a lane calls stand in order; between lanes the time tells.
pub fn taken<'a>(steps: impl Iterator<Item = &'a StepRecord> + Clone) -> Vec<Taken<'a>> {
    let succeeded = steps.filter(|step| step.state == StepState::Succeeded);
    let taken: Vec<(LockName, &StepRecord)> = succeeded
        .clone()
        .filter(|step| &*step.op == "lock" && step.class == EffectClass::Wait)
        .filter_map(|step| Some((name(step)?, step)))
        .collect();
    if taken.is_empty() {
        return Vec::new();
    }
    let own = |name: &LockName, unlock: &StepRecord| {
        let before = |lock: &StepRecord| lock.path.lane == unlock.path.lane && lock.path.ordinal < unlock.path.ordinal;
        taken.iter().any(|(taken, lock)| taken == name && before(lock))
    };
    let given: Vec<Given> = succeeded
        .filter(|step| &*step.op == "unlock")
        .filter_map(|step| name(step).map(|lock| Given { own: own(&lock, step), lock, step }))
        .collect();
    let steps_of_locks: HashSet<&StepPath> = taken.iter().map(|(_, lock)| &lock.path).collect();
    let back = |name: &LockName, lock: &StepRecord| {
        let mut stopped = Back::Not;
        for unlock in given.iter().filter(|unlock| unlock.lock == *name) {
            let parent = unlock.step.path.parent().filter(|parent| steps_of_locks.contains(parent));
            match (parent, unlock.step.path.lane == lock.path.lane) {
                // That very lock.
                (Some(parent), _) if parent == lock.path => stopped = Back::Stopped(unlock.step),
                (Some(_), _) => {}
                (None, true) if unlock.step.path.ordinal > lock.path.ordinal => return Back::Called,
                (None, false)
                    if !unlock.own
                        && unlock.step.finished_at_ms >= lock.finished_at_ms
                        && !has_outcome(unlock.step, NOT_GIVEN) =>
                {
                    return Back::Called;
                }
                (None, _) => {}
            }
        }
        stopped
    };
    let all = taken.iter().map(|(lock, step)| Taken { lock: lock.clone(), step, back: back(lock, step) });
    all.collect()
}

/// Locks that are held by lanes that aren't over, and haven't left them.
pub fn held<'a>(steps: impl Iterator<Item = &'a StepRecord> + Clone) -> Vec<HeldLock> {
    let mut held = taken(steps.clone());
    held.retain(|taken| taken.back == Back::Not);
    if held.is_empty() {
        return Vec::new();
    }
    let has_left = |step: &&StepRecord| &*step.op == LEAVE && step.state == StepState::Succeeded;
    let left: HashSet<StepPath> = steps.clone().filter(has_left).filter_map(|step| step.path.parent()).collect();
    let over: HashSet<&StepPath> = steps.filter(|step| is_over(step)).map(|step| &step.path).collect();
    held.retain(|Taken { step, .. }| {
        !left.contains(&step.path) && !scopes(&step.path).any(|scope| over.contains(&scope))
    });
    // Whoever took it last has it, where an earlier one didn't give it back.
    held.sort_by_key(|taken| (taken.step.finished_at_ms, taken.step.path.clone()));
    let record = |Taken { lock, step, .. }: Taken| HeldLock {
        lock,
        path: step.path.clone(),
        site: step.site.clone(),
        scoped: has_outcome(step, SCOPED),
    };
    held.into_iter().map(record).collect()
}

fn has_outcome(step: &StepRecord, expected: &str) -> bool {
    matches!(&step.outcome, Some(Outcome::Value(text)) if **text == *expected)
}

/// The lock of a step: its arguments.
fn name(step: &StepRecord) -> Option<LockName> {
    LockName::of_args(&step.args)
}

fn is_over(step: &StepRecord) -> bool {
    step.class == EffectClass::Scope && matches!(step.state, StepState::Succeeded | StepState::Failed)
}

/// The steps in whose branches a step is, innermost first.
pub fn scopes(path: &StepPath) -> impl Iterator<Item = StepPath> {
    std::iter::successors(path.parent(), StepPath::parent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    fn step(path: &str, op: &str, class: EffectClass, at_ms: i64) -> StepRecord {
        StepRecord {
            path: path.parse().unwrap(),
            op: op.into(),
            class,
            state: StepState::Succeeded,
            args: "[\"x\"]".into(),
            digest: Digest([0; 16]),
            site: CallSite::default(),
            outcome: Some(Outcome::Value("null".into())),
            attempts: 1,
            started_at_ms: at_ms,
            finished_at_ms: Some(at_ms),
        }
    }

    fn lock(path: &str, at_ms: i64) -> StepRecord {
        step(path, "lock", EffectClass::Wait, at_ms)
    }

    fn unlock(path: &str, at_ms: i64) -> StepRecord {
        step(path, "unlock", EffectClass::Idempotent, at_ms)
    }

    fn leave(path: &str, at_ms: i64) -> StepRecord {
        step(path, LEAVE, EffectClass::Read, at_ms)
    }

    fn scope(path: &str) -> StepRecord {
        step(path, "parallel", EffectClass::Scope, 99)
    }

    fn paths(steps: &[StepRecord]) -> Vec<String> {
        held(steps.iter()).iter().map(|held| held.path.to_string()).collect()
    }

    #[test]
    fn the_lane_that_has_not_given_it_back_holds_it() {
        assert_eq!(paths(&[lock("0/b0/1", 5)]), ["0/b0/1"]);
        assert!(paths(&[lock("0/b0/1", 5), unlock("0/b0/3", 5)]).is_empty());
        // In one millisecond: one gave it back, the next one took it.
        assert_eq!(paths(&[lock("0/b0/1", 5), unlock("0/b0/9", 5), lock("0/b1/0", 5)]), ["0/b1/0"]);
        assert_eq!(paths(&[lock("2", 5), unlock("3", 6), lock("4", 7)]), ["4"]);
        assert!(paths(&[lock("0/b0/1", 5), unlock("1", 6)]).is_empty(), "by another lane");
        assert_eq!(paths(&[unlock("1", 4), lock("0/b0/1", 5)]), ["0/b0/1"]);
        let in_vain = |path: &str| StepRecord { outcome: Some(Outcome::Value(NOT_GIVEN.into())), ..unlock(path, 6) };
        assert_eq!(paths(&[lock("0/b0/1", 5), in_vain("0/b1/0")]), ["0/b0/1"]);
        assert!(paths(&[lock("0/b0/1", 5), in_vain("0/b0/3")]).is_empty(), "the run had lost it");
    }

    #[test]
    fn what_was_given_back_for_a_stopped_branch_is_that_lock_alone() {
        // All in one millisecond: a loser's lock was given back, and a later call took it again.
        let again = [lock("0/b0/2", 5), unlock("0/b0/2/b0/0", 5), lock("1/b0/0", 5)];
        assert_eq!(paths(&again), ["1/b0/0"]);
    }

    #[test]
    fn what_a_branch_left_is_nobodys_until_it_is_taken_again() {
        let left = [lock("0/b0/1", 5), leave("0/b0/1/b0/0", 5)];
        assert!(paths(&left).is_empty());
        // All in one millisecond: another branch is inside, and gives back its own.
        let next = [lock("0/b0/1", 5), leave("0/b0/1/b0/0", 5), lock("0/b1/0", 5)];
        assert_eq!(paths(&next), ["0/b1/0"]);
        assert!(paths(&[&next[..], &[unlock("0/b1/1", 5)]].concat()).is_empty());
        // It is that lock's alone, and gives nothing back: what another branch has stays there.
        assert_eq!(paths(&[lock("0/b0/1", 5), lock("0/b1/0", 5), leave("0/b1/0/b0/0", 6)]), ["0/b0/1"]);
    }

    #[test]
    fn what_a_branch_of_a_scope_that_is_over_took_is_nobodys() {
        assert!(paths(&[lock("0/b0/1/b2/4", 5), scope("0")]).is_empty());
        assert_eq!(paths(&[lock("0/b0/1/b2/4", 5), scope("1")]), ["0/b0/1/b2/4"]);
    }

    #[test]
    fn only_what_was_got_counts_and_its_outcome_tells_what_for() {
        let late = StepRecord { state: StepState::Failed, ..lock("0", 1) };
        let refused = StepRecord { class: EffectClass::Idempotent, ..lock("1", 1) };
        let scoped = StepRecord { outcome: Some(Outcome::Value(SCOPED.into())), ..lock("2", 1) };
        let found = held([late, refused, scoped].iter());
        assert_eq!(found.iter().map(|held| (held.path.ordinal, held.scoped)).collect::<Vec<_>>(), [(2, true)]);
    }
}
