//! Which steps of a failed run a restart performs again: what failed, and what stands around it.

use std::collections::HashMap;

use windlass_model::{
    LockName, Outcome, StepPath, StepState,
    lock::{Taken, taken},
    query::RunRecord,
    step::StepRecord,
};

/// Scopes whose branches are the script's. The rounds of a wait that polls are none.
const BRANCHING: [&str; 3] = ["parallel", "parallel_map", "race"];

/// The step that failed the run, the scopes around it, what ended other branches of them, and what gave back the locks that it had
/// then.
pub(crate) fn steps(record: &RunRecord, steps: &[StepRecord]) -> Vec<StepPath> {
    let failed = record.problem.as_ref().and_then(|problem| problem.step.as_deref());
    let mut dropped = innermost_first(failed.and_then(|text| text.parse().ok()), steps);
    dropped.extend(beside(&dropped, steps));
    dropped.extend(given_back_since(&dropped, steps));
    dropped
}

/// The failed step, and the scopes around it.
fn innermost_first(failed: Option<StepPath>, steps: &[StepRecord]) -> Vec<StepPath> {
    let mut dropped = Vec::new();
    let mut path = failed;
    while let Some(step) = path {
        path = step.parent();
        let has_failed =
            |record: &&StepRecord| record.path == step && !matches!(record.outcome, Some(Outcome::Value(_)));
        if steps.iter().find(has_failed).is_some() {
            dropped.push(step);
        }
    }
    dropped
}

/// What failed at the end of the other branches of these scopes. A failure that was only replayed would end the scope again, and in the
/// middle of what is performed anew.
fn beside(dropped: &[StepPath], steps: &[StepRecord]) -> Vec<StepPath> {
    let mut last: HashMap<&str, &StepRecord> = HashMap::new();
    for step in steps.iter().filter(|step| !is_giving_back(step)) {
        let newest = last.entry(&step.path.lane).or_insert(step);
        if newest.path.ordinal < step.path.ordinal {
            *newest = step;
        }
    }
    let is_branching = |path: &StepPath| steps.iter().any(|step| step.path == *path && BRANCHING.contains(&&*step.op));
    let mut scopes: Vec<StepPath> = dropped.iter().filter(|path| is_branching(path)).cloned().collect();
    let mut found: Vec<StepPath> = Vec::new();
    while let Some(scope) = scopes.pop() {
        let ends = last.values().filter(|step| step.path.parent().as_ref() == Some(&scope));
        for step in ends.filter(|step| matches!(step.outcome, Some(Outcome::Error(_)))) {
            let is_lane_of_the_failed = dropped.iter().any(|path| path.lane == step.path.lane);
            if is_lane_of_the_failed || found.contains(&step.path) {
                continue;
            }
            found.push(step.path.clone());
            if BRANCHING.contains(&&*step.op) {
                scopes.push(step.path.clone());
            }
        }
    }
    found.sort();
    found
}

fn is_giving_back(step: &StepRecord) -> bool {
    &*step.op == "unlock" && step.state == StepState::Succeeded
}

/// Steps that gave back, after one of these had failed, a lock that its lane had then: `with_lock` does, whatever becomes of what is inside.
/// What goes on inside has it again.
fn given_back_since(failed: &[StepPath], steps: &[StepRecord]) -> Vec<StepPath> {
    let all = taken(steps.iter());
    let had_then = |unlock: &StepRecord, failed: &StepPath| {
        let lock = LockName::of_args(&unlock.args);
        let before = |taken: &Taken| taken.step.path.lane == failed.lane && taken.step.path.ordinal < failed.ordinal;
        unlock.path.lane == failed.lane
            && unlock.path.ordinal > failed.ordinal
            && all.iter().any(|taken| Some(&taken.lock) == lock.as_ref() && before(taken))
    };
    let unlocks = steps.iter().filter(|step| is_giving_back(step));
    let since = unlocks.filter(|unlock| failed.iter().any(|failed| had_then(unlock, failed)));
    since.map(|unlock| unlock.path.clone()).collect()
}
