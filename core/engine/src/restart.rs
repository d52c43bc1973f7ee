//! Going on with a run on other terms: from its failed step, or on other scripts. A divergence shows before anything runs.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use windlass_model::{
    Code, EffectClass, LockName, Problem, RunId, RunState, StepPath, StepState,
    command::Command,
    journal::{CallSummary, Divergence, Ending, Job, Pinned},
    lock::{Back, LEAVE, Taken, scopes, taken},
    query::RunRecord,
    step::StepRecord,
};

use crate::{Engine, failed, recorded::Recorded, repeated, replaying::ReplayingJournal};

/// What becomes of a run on other scripts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Every recorded step is called again, as it was.
    Compatible {
        /// Steps that were answered from the record.
        replayed: usize,
        /// What the run would do next.
        next: Option<CallSummary>,
    },
    /// A call differs from its record.
    Diverges {
        /// Which.
        divergence: Box<Divergence>,
    },
    /// The scripts fail before they come to the journal's end.
    Fails {
        /// How.
        problem: Box<Problem>,
    },
}

impl Verdict {
    /// Whether the run can go on.
    pub fn is_compatible(&self) -> bool {
        matches!(self, Self::Compatible { .. })
    }
}

/// On what terms a run is restarted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// From this step instead of the failed one.
    pub from: Option<&'a StepPath>,
    /// On the current scripts instead of its own.
    pub current: bool,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// A run that was restarted, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restarted {
    /// Records that are forgotten, and performed again.
    pub dropped: Vec<StepPath>,
    /// Those of them that had their effect: they have it a second time.
    #[serde(default)]
    pub again: Vec<Again>,
    /// What becomes of the rest.
    pub verdict: Verdict,
}

/// A step that had its effect and is performed again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Again {
    /// Which.
    pub path: StepPath,
    /// The function.
    pub op: Arc<str>,
    /// What doing it twice means.
    pub class: EffectClass,
}

impl Engine {
    /// What would become of an open (or failed) run on the current scripts. Performs nothing.
    pub fn verdict(&self, run: &RunId) -> Result<Verdict, Problem> {
        let record = self.require(run)?;
        let pinned = self.inner.config.workflows.pin(&record.workflow)?;
        self.judge(&record, &pinned, &[])
    }

    /// What would become of an open (or failed) run on these sources. Performs nothing.
    pub fn verdict_on(&self, run: &RunId, pinned: &Pinned) -> Result<Verdict, Problem> {
        let record = self.require(run)?;
        self.judge(&record, pinned, &[])
    }

    /// Lets an open run that nobody evaluates go on with the current scripts, if they fit its journal.
    pub fn upgrade(&self, run: &RunId, by: &str) -> Result<Verdict, Problem> {
        self.upgrade_if(run, by, |_| Ok(()))
    }

    /// The same, if the sources that it would go on with are what the caller expects.
    pub fn upgrade_if(
        &self,
        run: &RunId,
        by: &str,
        fits: impl FnOnce(&Pinned) -> Result<(), Problem>,
    ) -> Result<Verdict, Problem> {
        /// How often the run may go on while it is judged.
        const TRIES: usize = 5;
        let pinned = self.inner.config.workflows.pin(&self.require(run)?.workflow)?;
        fits(&pinned)?;
        let mut tries = 0;
        loop {
            tries += 1;
            let judged = self.inner.store.next_event(run)?;
            let record = self.require(run)?;
            let verdict = self.judge(&record, &pinned, &[])?;
            if !verdict.is_compatible() || pinned.digest == record.bundle {
                return Ok(verdict);
            }
            self.inner.children.keep(&self.inner.store, &pinned)?;
            let (bundle, by) = (pinned.digest.clone(), by.to_owned());
            match self.commit(Command::Upgrade { run: run.clone(), bundle, judged, by }) {
                Err(problem) if tries < TRIES && problem.data["judged"] == judged => {}
                done => return done.map(|_| verdict),
            }
        }
    }

    /// Restarts a failed run from its failed step, on its own scripts or the current ones. With `dry_run`, only says
    /// what would happen.
    pub fn restart(&self, run: &RunId, current: bool, dry_run: bool, by: &str) -> Result<Restarted, Problem> {
        self.restart_from(run, None, current, dry_run, by)
    }

    /// The same from an earlier step: it and all that came after it are performed again.
    pub fn restart_from(
        &self,
        run: &RunId,
        from: Option<&StepPath>,
        current: bool,
        dry_run: bool,
        by: &str,
    ) -> Result<Restarted, Problem> {
        self.restart_if(run, Terms { from, current, dry_run }, by, |_| Ok(()))
    }

    /// The same, if the sources that it would go on with are what the caller expects.
    pub fn restart_if(
        &self,
        run: &RunId,
        terms: Terms,
        by: &str,
        fits: impl FnOnce(&Pinned) -> Result<(), Problem>,
    ) -> Result<Restarted, Problem> {
        let Terms { from, current, dry_run } = terms;
        // First: what is read after it is at least as new.
        let judged = self.inner.store.next_event(run)?;
        let record = self.require(run)?;
        if record.state != RunState::Failed {
            let message =
                format!("run {run} is {}: only a failed run whose steps still stand can be restarted", record.state);
            let help = format!("`windlass runs retry {run}` launches the workflow again with the same input");
            return Err(Problem::new(Code::IllegalTransition, message).help(help));
        }
        let pinned = match current {
            true => self.inner.config.workflows.pin(&record.workflow)?,
            false => self.pinned_of(&record)?,
        };
        fits(&pinned)?;
        let steps = self.steps(run)?;
        let mut dropped = failed::steps(&record, &steps);
        let mut again = Vec::new();
        if let Some(from) = from {
            let later = repeated::since(from, &steps)?;
            repeated::require(run, from, &later, &self.undo_list(run)?)?;
            again.extend(later.iter().filter_map(|step| repeated::again(step)));
            dropped.extend(later.iter().map(|step| step.path.clone()));
        }
        let verdict = self.judge(&record, &pinned, &dropped)?;
        // The end of the run gave its locks back: those that it held where it goes on are waited for again before it does.
        let forgotten: HashSet<&StepPath> = dropped.iter().collect();
        let kept: Vec<&StepRecord> = steps.iter().filter(|step| !forgotten.contains(&step.path)).collect();
        let (held, retake) = held_locks(&kept);
        dropped.extend(held);
        let mut seen = HashSet::new();
        dropped.retain(|path| seen.insert(path.clone()));
        if !dry_run && verdict.is_compatible() {
            self.inner.children.keep(&self.inner.store, &pinned)?;
            let (run, bundle, drop, by) = (run.clone(), pinned.digest, dropped.clone(), by.to_owned());
            self.commit(Command::Restart { run, bundle, drop, retake, from: from.cloned(), judged, by })?;
        }
        Ok(Restarted { dropped, again, verdict })
    }

    fn pinned_of(&self, record: &RunRecord) -> Result<Pinned, Problem> {
        let bundle = self.inner.bundle(&record.bundle)?;
        let workflow = self.inner.config.workflows.header(&bundle)?;
        Ok(Pinned { workflow, bundle, digest: record.bundle.clone() })
    }

    fn judge(&self, record: &RunRecord, pinned: &Pinned, dropped: &[StepPath]) -> Result<Verdict, Problem> {
        let mut steps = self.steps(&record.id)?;
        let dropped: HashSet<&StepPath> = dropped.iter().collect();
        steps.retain(|step| !dropped.contains(&step.path) && !step.path.is_undo());
        let journal = Arc::new(ReplayingJournal::new(Recorded::new(steps, HashMap::new())));
        let job = Job {
            run: record.id.clone(),
            digest: pinned.digest.clone(),
            bundle: pinned.bundle.clone(),
            input: record.input.to_string().into(),
            undo: Vec::new(),
        };
        let ending = self.on_script_thread({
            let (runner, journal) = (self.inner.config.runner.clone(), journal.clone());
            move || runner.evaluate(&job, journal)
        })?;
        if let Some(divergence) = journal.divergence() {
            return Ok(Verdict::Diverges { divergence: Box::new(divergence) });
        }
        if let Ending::Failed(problem) = ending {
            return Ok(Verdict::Fails { problem });
        }
        if let (Ending::Returned(_), Some(step)) = (&ending, journal.recorded.first_unvisited()) {
            let divergence = Divergence { path: step.path.clone(), recorded: summary(step), current: None };
            return Ok(Verdict::Diverges { divergence: Box::new(divergence) });
        }
        let next = journal.next().map(|call| CallSummary { op: call.op, args: call.args, site: call.site });
        Ok(Verdict::Compatible { replayed: journal.replayed(), next })
    }

    /// Scripts need deep stacks: evaluate on a thread of the pool and wait.
    fn on_script_thread<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let (answer, taken) = crossbeam_channel::bounded(1);
        let spawned = self.inner.pool.spawn(Box::new(move || drop(answer.send(task()))));
        spawned.map_err(|error| Problem::new(Code::System, format!("no thread for the evaluation: {error}")))?;
        taken.recv().map_err(|_| Problem::new(Code::Internal, "the evaluation came to no end"))
    }
}

/// Waits for locks that the run held when it failed: those of which no later step gave the lock back. And the names of those that
/// it had taken in a branch that is over: no step waits for them again.
fn held_locks(steps: &[&StepRecord]) -> (Vec<StepPath>, Vec<LockName>) {
    let over: HashSet<&StepPath> = steps.iter().filter(|step| step.outcome.is_some()).map(|step| &step.path).collect();
    let is_over = |step: &StepRecord| scopes(&step.path).any(|scope| over.contains(&scope));
    let leaves: Vec<(&StepPath, StepPath)> = steps
        .iter()
        .filter(|step| &*step.op == LEAVE && step.state == StepState::Succeeded)
        .filter_map(|step| Some((&step.path, step.path.parent()?)))
        .collect();
    let left: HashSet<&StepPath> = leaves.iter().map(|(_, lock)| lock).collect();
    let all = taken(steps.iter().copied());
    // What became of a lock that nobody was inside of any more is told by who took it last.
    let order = |step: &StepRecord| {
        let is_inside = !is_over(step) && !left.contains(&step.path);
        (step.finished_at_ms, is_inside, step.path.clone())
    };
    let mut last = HashMap::new();
    for Taken { lock, step, .. } in &all {
        let order = order(step);
        let newest = last.entry(lock.clone()).or_insert_with(|| order.clone());
        *newest = order.max(newest.clone());
    }
    let (mut again, mut names, mut dropped) = (HashSet::new(), Vec::new(), Vec::new());
    for Taken { lock, step, back } in all {
        let is_over = is_over(step);
        let is_last = || last.get(&lock).is_none_or(|(.., path)| *path == step.path);
        match back {
            Back::Called => continue,
            Back::Stopped(_) if is_over => continue,
            // The scope gave it back whose branch was inside. What is evaluated once more goes back in.
            Back::Stopped(unlock) => dropped.push(unlock.path.clone()),
            Back::Not if (is_over || left.contains(&step.path)) && !is_last() => continue,
            Back::Not if is_over => {
                names.push(lock);
                continue;
            }
            Back::Not => {}
        }
        again.insert(&step.path);
    }
    dropped.extend(leaves.iter().filter(|(_, lock)| again.contains(lock)).map(|(step, _)| (*step).clone()));
    dropped.extend(again.into_iter().cloned());
    (dropped, names)
}

/// A recorded call, as a person wants to see it.
pub(crate) fn summary(step: &StepRecord) -> CallSummary {
    CallSummary { op: step.op.clone(), args: step.args.clone(), site: step.site.clone() }
}

/// The error of a run whose script calls something else than what is recorded.
pub(crate) fn divergence_problem(divergence: &Divergence) -> Problem {
    let recorded = &divergence.recorded;
    let now = match &divergence.current {
        Some(call) => format!("the script now calls {}{} at {}", call.op, shortened(&call.args), call.site),
        None => "the script now ends before it".to_owned(),
    };
    let message = format!(
        "step {}: the journal holds {}{} from {}, but {now}",
        divergence.path,
        recorded.op,
        shortened(&recorded.args),
        recorded.site,
    );
    let mut problem = Problem::new(Code::Divergence, message)
        .help(
            "make the script call the same functions with the same arguments up to this step, then restart the run; or restart it \
             from an earlier step (`--from`): that one and all after it are performed again",
        )
        .data(serde_json::json!(divergence));
    problem.step = Some(divergence.path.to_string());
    problem.site = divergence.current.as_ref().map(|call| call.site.clone());
    problem
}

/// Arguments as a call's tail, shortened: `("a", 1)`.
fn shortened(args: &str) -> String {
    let inner = args.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(args);
    match inner.char_indices().nth(120) {
        Some((cut, _)) => format!("({}…)", &inner[..cut]),
        None => format!("({inner})"),
    }
}

#[cfg(test)]
mod tests {
    use windlass_model::{CallSite, Digest, Outcome};

    use super::*;

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

    fn again(steps: &[StepRecord]) -> Vec<String> {
        let (dropped, names) = held_locks(&steps.iter().collect::<Vec<_>>());
        assert!(names.is_empty());
        let mut paths: Vec<String> = dropped.iter().map(StepPath::to_string).collect();
        paths.sort();
        paths
    }

    #[test]
    fn what_a_branch_left_and_another_one_gave_back_is_not_the_runs() {
        let lock = |path, at_ms| step(path, "lock", EffectClass::Wait, at_ms);
        let unlock = |path, at_ms| step(path, "unlock", EffectClass::Idempotent, at_ms);
        let leave = |path, at_ms| step(path, LEAVE, EffectClass::Read, at_ms);
        let scope = step("0", "parallel", EffectClass::Scope, 9);
        let names = |steps: &[StepRecord]| {
            let (dropped, names) = held_locks(&steps.iter().collect::<Vec<_>>());
            assert!(dropped.is_empty(), "{dropped:?}");
            names.len()
        };
        // All of that may be in one millisecond.
        for at_ms in [5, 6] {
            let left = [lock("0/b0/0", 5), leave("0/b0/0/b0/0", 5), lock("0/b1/0", at_ms)];
            let given = [&left[..], &[unlock("0/b1/1", at_ms)]].concat();
            assert!(again(&given).is_empty(), "by who is inside yet");
            assert_eq!(names(&[&given[..], std::slice::from_ref(&scope)].concat()), 0, "and by who was");
            let later = [&left[..2], &[scope.clone(), lock("1", at_ms), unlock("2", at_ms)]].concat();
            assert_eq!(names(&later), 0, "after all branches");
            // Once, however many have left it.
            let both = [&left[..], &[leave("0/b1/0/b0/0", at_ms)]].concat();
            assert_eq!(names(&[&both[..], std::slice::from_ref(&scope)].concat()), 1);
            assert_eq!(again(&both), ["0/b1/0", "0/b1/0/b0/0"]);
        }
    }

    #[test]
    fn a_lock_that_was_taken_in_the_millisecond_in_which_a_sibling_gave_it_back_is_waited_for_again() {
        let lock = |path, at_ms| step(path, "lock", EffectClass::Wait, at_ms);
        let unlock = |path, at_ms| step(path, "unlock", EffectClass::Idempotent, at_ms);
        assert_eq!(again(&[lock("0/b0/0", 1), unlock("0/b0/2", 5), lock("0/b1/0", 5)]), ["0/b1/0"]);
        assert!(again(&[lock("0/b0/0", 1), unlock("0/b0/2", 5)]).is_empty());
        assert!(again(&[lock("0/b0/0", 1), unlock("1", 5)]).is_empty(), "by another lane");
        // What a stopped branch's scope gave back is taken again, and what it gave it back by is forgotten.
        let stopped = [lock("0/b0/0", 1), unlock("0/b0/0/b0/0", 5)];
        assert_eq!(again(&stopped), ["0/b0/0", "0/b0/0/b0/0"]);
    }
}
