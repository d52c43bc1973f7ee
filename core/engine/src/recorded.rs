//! A run's journal as it was when the run was claimed: what replay reads. It never changes during an evaluation.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU32, Ordering},
};

use windlass_model::{
    Digest, EffectClass, Outcome, Problem, StepPath, StepState,
    journal::Replay,
    lock::{self, HeldLock},
    step::StepRecord,
};

/// Steps of earlier polls that are forgotten at once, about.
const FORGOTTEN: usize = 1_000;

/// Whether it has changed nothing, and is over.
fn is_idle(step: &StepRecord) -> bool {
    let reads = match step.class {
        EffectClass::Read | EffectClass::Scope => true,
        EffectClass::Wait => &*step.op == "sleep",
        _ => false,
    };
    reads && matches!(step.state, StepState::Succeeded | StepState::Failed)
}

#[derive(Default)]
struct Lane {
    steps: Vec<Option<StepRecord>>,
    outputs: u32,
    visited: AtomicU32,
}

impl Lane {
    fn has_steps(&self) -> bool {
        self.steps.iter().any(Option::is_some)
    }
}

/// Steps by lane and ordinal, and how many outputs each lane has emitted.
#[derive(Default)]
pub(crate) struct Recorded {
    root: Lane,
    lanes: HashMap<Box<str>, Lane>,
    count: usize,
}

impl Recorded {
    /// What all attempts of a step came to. What was refused now may have been done half before the process died: then there is
    /// something to be undone.
    pub(crate) fn of_all_attempts(&self, path: &StepPath, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Error(problem)
                if problem.no_effect && self.get(path).is_some_and(|before| before.attempts > 0) =>
            {
                Outcome::Error(Problem { no_effect: false, ..Problem::clone(&problem) }.into())
            }
            outcome => outcome,
        }
    }

    pub(crate) fn new(steps: Vec<StepRecord>, outputs: HashMap<String, u32>) -> Self {
        let mut recorded = Self { count: steps.len(), ..Self::default() };
        for step in steps {
            let ordinal = step.path.ordinal as usize;
            let lane = recorded.lane_mut(&step.path.lane);
            if lane.steps.len() <= ordinal {
                lane.steps.resize_with(ordinal + 1, || None);
            }
            lane.steps[ordinal] = Some(step);
        }
        for (name, count) in outputs {
            recorded.lane_mut(&name).outputs = count;
        }
        recorded
    }

    fn lane_mut(&mut self, name: &str) -> &mut Lane {
        match name {
            "" => &mut self.root,
            _ => self.lanes.entry(name.into()).or_default(),
        }
    }

    fn lane(&self, name: &str) -> Option<&Lane> {
        match name {
            "" => Some(&self.root),
            _ => self.lanes.get(name),
        }
    }

    /// Steps in the journal.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The record at `path`.
    pub(crate) fn get(&self, path: &StepPath) -> Option<&StepRecord> {
        self.lane(&path.lane)?.steps.get(path.ordinal as usize)?.as_ref()
    }

    /// What replay finds at `path` for this call.
    pub(crate) fn replay(&self, path: &StepPath, op: &str, digest: &Digest) -> Replay {
        let Some(lane) = self.lane(&path.lane) else { return Replay::Fresh };
        lane.visited.fetch_max(path.ordinal + 1, Ordering::Relaxed);
        let Some(Some(record)) = lane.steps.get(path.ordinal as usize) else { return Replay::Fresh };
        if record.digest != *digest || &*record.op != op {
            return Replay::Diverged(Box::new(record.clone()));
        }
        match (&record.outcome, record.state) {
            (Some(outcome), StepState::Succeeded | StepState::Failed) => Replay::Recorded(outcome.clone()),
            _ => Replay::Fresh,
        }
    }

    /// Whether anything is recorded of the branches or polls of the scope at `path`.
    pub(crate) fn has_branches(&self, path: &StepPath) -> bool {
        let start = format!("{path}/");
        self.lanes.keys().any(|lane| lane.starts_with(&start))
    }

    /// The round of the poll at `scope` that is recorded next after this one; the following one, if none is.
    pub(crate) fn next_poll(&self, scope: &StepPath, round: usize) -> usize {
        let following = round + 1;
        match self.lane(&scope.poll_lane(following)).is_some_and(Lane::has_steps) {
            true => following,
            false => self.rounds(scope).into_iter().find(|recorded| *recorded > round).unwrap_or(following),
        }
    }

    /// Steps of rounds of the poll at `scope`, before this round, that only looked at something: of the first one is kept when the
    /// poll began, of the last one which it was.
    pub(crate) fn idle_polls(&self, scope: &StepPath, round: usize) -> Vec<StepPath> {
        let mut rounds: BTreeMap<usize, (bool, Vec<StepPath>)> = BTreeMap::new();
        for (number, lane) in self.lanes_of_rounds(scope) {
            if !(1..round.saturating_sub(1)).contains(&number) {
                continue;
            }
            let (idle, paths) = rounds.entry(number).or_insert((true, Vec::new()));
            *idle &= lane.steps.iter().flatten().all(is_idle);
            paths.extend(lane.steps.iter().flatten().map(|step| step.path.clone()));
        }
        let mut steps = Vec::new();
        for (_, paths) in rounds.into_values().filter(|(idle, _)| *idle) {
            if steps.len() >= FORGOTTEN {
                break;
            }
            steps.extend(paths);
        }
        steps
    }

    /// Lanes of the rounds of the poll at `scope`, with the number of the round. What was only told in a round that is forgotten
    /// left a lane without steps: it is none.
    fn lanes_of_rounds(&self, scope: &StepPath) -> impl Iterator<Item = (usize, &Lane)> {
        let start = format!("{scope}/p");
        let lanes = self.lanes.iter().filter(|(_, lane)| lane.has_steps());
        lanes.filter_map(move |(name, lane)| {
            let number = name.strip_prefix(&start)?.split_once('/')?.0.parse().ok()?;
            Some((number, lane))
        })
    }

    /// Rounds of the poll at `scope` of which something is recorded, in order.
    fn rounds(&self, scope: &StepPath) -> Vec<usize> {
        let mut rounds: Vec<usize> = self.lanes_of_rounds(scope).map(|(number, _)| number).collect();
        rounds.sort_unstable();
        rounds.dedup();
        rounds
    }

    /// Locks that branches are inside of.
    pub(crate) fn held_locks(&self) -> Vec<HeldLock> {
        let lanes = std::iter::once(&self.root).chain(self.lanes.values());
        lock::held(lanes.flat_map(|lane| lane.steps.iter().flatten()))
    }

    /// Outputs that this lane has emitted.
    pub(crate) fn outputs(&self, lane: &str) -> u32 {
        self.lane(lane).map_or(0, |lane| lane.outputs)
    }

    /// The first recorded step of the root lane that the script, which has ended, didn't come to.
    pub(crate) fn first_unvisited(&self) -> Option<&StepRecord> {
        let visited = self.root.visited.load(Ordering::Relaxed) as usize;
        self.root.steps.iter().skip(visited).flatten().next()
    }
}

#[cfg(test)]
mod tests {
    use windlass_model::{CallSite, Code};

    use super::*;

    #[test]
    fn a_refusal_says_nothing_of_what_was_begun_before_the_process_died() {
        let path = |ordinal| StepPath::new("", ordinal);
        let begun = |ordinal, attempts| StepRecord {
            state: StepState::Started,
            outcome: None,
            path: path(ordinal),
            op: "docker::create_nodes".into(),
            class: EffectClass::Keyed,
            args: "[]".into(),
            digest: Digest([0; 16]),
            site: CallSite::default(),
            attempts,
            started_at_ms: 0,
            finished_at_ms: None,
        };
        // The second one didn't happen, as an operator has said.
        let recorded = Recorded::new(vec![begun(0, 1), begun(1, 0)], HashMap::new());
        let refused = || Outcome::Error(Problem::new(Code::Unavailable, "Docker isn't there").no_effect().into());
        let stays = |ordinal| recorded.of_all_attempts(&path(ordinal), refused()) == refused();
        assert_eq!([0, 1, 2].map(stays), [false, true, true]);
    }
}
