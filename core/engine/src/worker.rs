//! One claimed run: evaluate its script, and write down how that ended.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use windlass_model::{
    Code, Problem, RunState,
    command::{Claimed, Command, Lease},
    journal::{Divergence, Ending, Job, Stop},
    undo::{UndoRecord, UndoState},
    workflow::Rollback,
};
use windlass_store::StoreError;

use crate::{
    control::Control,
    engine::Inner,
    journal::{LiveJournal, Mode, Progress, step_bytes},
    lease_clock::LeaseClock,
    recorded::Recorded,
};

/// How long to leave a run alone whose journal can't be written (a full disk, a database that is away).
const STORAGE_PAUSE_MS: u64 = 2_000;

/// What to do next with a run that is claimed.
enum Next {
    /// Evaluate the script.
    Forward,
    /// Work off the undo list.
    Undo,
    /// It is written down: leave it.
    Done,
}

/// Takes a claimed run as far as it goes.
pub(crate) fn work(inner: &Arc<Inner>, claimed: Claimed, control: Arc<Control>, holds: Arc<LeaseClock>) {
    let worker = Worker { inner, claimed: &claimed, control, holds };
    let mut next = match claimed.state {
        RunState::RollingBack => Next::Undo,
        RunState::Cancelling => Next::Forward,
        _ => Next::Forward,
    };
    if claimed.state == RunState::Cancelling {
        next = worker.attempt(Worker::begin_rollback);
    }
    loop {
        next = match next {
            Next::Forward => worker.attempt(Worker::forward),
            Next::Undo => worker.attempt(Worker::undo),
            Next::Done => return,
        };
    }
}

struct Worker<'a> {
    inner: &'a Arc<Inner>,
    claimed: &'a Claimed,
    control: Arc<Control>,
    /// How long the claim holds.
    holds: Arc<LeaseClock>,
}

impl Worker<'_> {
    /// Runs one part; a store that fails leaves the run for later.
    fn attempt(&self, part: impl Fn(&Self) -> Result<Next, StoreError>) -> Next {
        match part(self) {
            Ok(next) => next,
            Err(StoreError::Refused(problem)) if problem.code == Code::LeaseLost => {
                // Another worker has the run: what it writes stands.
                tracing::warn!(run = %self.claimed.lease.run, %problem, "the run was taken over");
                Next::Done
            }
            Err(StoreError::Refused(problem)) => self.refused(&problem),
            Err(StoreError::Failed(problem)) => {
                self.leave_for_later(&problem);
                Next::Done
            }
        }
    }

    /// The store makes no sense of what the run came to. It must not be left without a worker: it fails, is stuck, or
    /// is given back, whichever its state allows.
    fn refused(&self, problem: &Problem) -> Next {
        tracing::error!(run = %self.claimed.lease.run, %problem, "the run's end was refused");
        let undo = self.claimed.rollback == Rollback::Auto;
        let fail = Command::Fail { lease: self.lease(), problem: problem.clone(), undo };
        let stick = Command::StickRollback { lease: self.lease(), problem: problem.clone() };
        if self.claimed.state == RunState::Running && self.commit(fail).is_ok() {
            return if undo { Next::Undo } else { Next::Done };
        }
        if self.commit(stick).is_err()
            && let Err(error) = self.commit(Command::Release(self.lease()))
        {
            tracing::error!(run = %self.claimed.lease.run, %error, "the run can't be given back");
        }
        Next::Done
    }

    fn lease(&self) -> Lease {
        self.claimed.lease.clone()
    }

    fn commit(&self, command: Command) -> Result<(), StoreError> {
        self.inner.store.commit(command).map(drop)
    }

    fn journal(&self, mode: Mode) -> Result<LiveJournal, StoreError> {
        let (recorded, output_bytes, journal_bytes) = match self.claimed.fresh && mode == Mode::Forward {
            true => (Recorded::default(), 0, 0),
            false => {
                let journal = self.inner.store.journal(&self.claimed.lease.run)?;
                let steps = journal.steps.iter();
                let bytes = steps.map(|step| step_bytes(&step.args, step.outcome.as_ref())).sum();
                (Recorded::new(journal.steps, journal.outputs), journal.output_bytes, bytes)
            }
        };
        Ok(LiveJournal {
            store: self.inner.store.clone(),
            lease: self.lease(),
            holds: self.holds.clone(),
            mode,
            recorded,
            control: self.control.clone(),
            time: self.inner.config.time.clone(),
            clock: self.inner.clock.clone(),
            deadline_at_ms: self.claimed.deadline_at_ms,
            restored: self.claimed.restored,
            bounds: self.inner.config.bounds.clone(),
            children: self.inner.children.clone(),
            progress: Progress::new(output_bytes, journal_bytes),
            stats: self.inner.signals.stats.clone(),
            span: tracing::Span::current(),
        })
    }

    fn job(&self, undo: Vec<UndoRecord>) -> Result<Job, StoreError> {
        Ok(Job {
            run: self.claimed.lease.run.clone(),
            digest: self.claimed.bundle.clone(),
            // A bundle that can't be read at all may be there later; one that is missing or damaged never will.
            bundle: self.inner.bundle(&self.claimed.bundle).map_err(|problem| match problem.retryable {
                true => StoreError::Failed(problem),
                false => StoreError::Refused(problem),
            })?,
            input: self.claimed.input.clone(),
            undo,
        })
    }

    fn forward(&self) -> Result<Next, StoreError> {
        let journal = Arc::new(self.journal(Mode::Forward)?);
        let job = self.job(Vec::new())?;
        let runner = &self.inner.config.runner;
        let ending = guarded(|| runner.evaluate(&job, journal.clone()));
        match ending {
            Ending::Returned(output) => match journal.recorded.first_unvisited() {
                None => self.conclude(Command::Succeed { lease: self.lease(), output }, Next::Done),
                Some(step) => {
                    let recorded = crate::restart::summary(step);
                    let divergence = Divergence { path: step.path.clone(), recorded, current: None };
                    self.stopped(Stop::Diverged(Box::new(divergence)))
                }
            },
            Ending::Failed(problem) => self.fail(*problem),
            Ending::Stopped(stop) => self.stopped(stop),
        }
    }

    fn stopped(&self, stop: Stop) -> Result<Next, StoreError> {
        match stop {
            Stop::Suspended | Stop::InDoubt => self.suspend(),
            Stop::ContinueAsNew(input) => self.continue_as_new(&input),
            Stop::Cancelled => self.begin_rollback(),
            Stop::Deadline => {
                let message = "the run took longer than its workflow's `timeout`";
                self.fail(Problem::new(Code::RunTimeout, message).help("raise `timeout` in the workflow's header"))
            }
            Stop::Diverged(divergence) => {
                // Nothing more is executed, and nothing is undone: what the run did stands until an operator decides.
                let problem = crate::restart::divergence_problem(&divergence);
                self.conclude(Command::Fail { lease: self.lease(), problem, undo: false }, Next::Done)
            }
            Stop::Limit(problem) => self.fail(*problem),
            Stop::ShuttingDown => self.commit(Command::Release(self.lease())).map(|()| Next::Done),
            Stop::LeaseLost => Ok(Next::Done),
            Stop::Storage(problem) => Err(StoreError::Failed(*problem)),
            Stop::Superseded | Stop::ReplayEnd => {
                let message = format!("the evaluation ended with {stop:?}");
                self.fail(Problem::new(Code::Internal, message))
            }
        }
    }

    /// Lets the run become rows; if nothing is left to wait for, it is taken up again.
    fn suspend(&self) -> Result<Next, StoreError> {
        match self.conclude(Command::Suspend { lease: self.lease() }, Next::Done) {
            Err(StoreError::Refused(problem)) if problem.code == Code::Conflict => {
                self.commit(Command::Release(self.lease())).map(|()| Next::Done)
            }
            other => other,
        }
    }

    fn fail(&self, problem: Problem) -> Result<Next, StoreError> {
        let undo = self.claimed.rollback == Rollback::Auto;
        let next = if undo { Next::Undo } else { Next::Done };
        self.conclude(Command::Fail { lease: self.lease(), problem, undo }, next)
    }

    /// Writes down how the evaluation ended. If the run's end was asked for in the meantime, it is undone instead.
    fn conclude(&self, command: Command, next: Next) -> Result<Next, StoreError> {
        match self.commit(command) {
            Ok(()) => Ok(next),
            Err(StoreError::Refused(problem)) if problem.code == Code::IllegalTransition => self.begin_rollback(),
            Err(error) => Err(error),
        }
    }

    fn continue_as_new(&self, input: &str) -> Result<Next, StoreError> {
        let prepared = || {
            let header = self.inner.config.workflows.header(&*self.inner.bundle(&self.claimed.bundle)?)?;
            let pinned = self.inner.config.workflows.pin(&header.name)?;
            let input = serde_json::from_str(input).unwrap_or_default();
            let input = self.inner.children.checked(&pinned, input)?;
            let by = format!("run:{}", self.claimed.lease.run);
            self.inner.children.keep(&self.inner.store, &pinned)?;
            self.inner.children.plan(&pinned, input, by)
        };
        match prepared() {
            Ok(run) => {
                let command = Command::ContinueAsNew { lease: self.lease(), run: Box::new(run) };
                match self.conclude(command, Next::Done) {
                    Err(StoreError::Refused(problem)) if problem.code != Code::LeaseLost => self.fail(problem),
                    other => other,
                }
            }
            Err(problem) => self.fail(problem),
        }
    }

    fn begin_rollback(&self) -> Result<Next, StoreError> {
        self.commit(Command::BeginRollback { lease: self.lease() })?;
        Ok(Next::Undo)
    }

    fn undo(&self) -> Result<Next, StoreError> {
        self.control.turn_back();
        let mut entries = self.inner.store.undo(&self.claimed.lease.run)?;
        if let Some(failed) = entries.iter().find(|entry| entry.state == UndoState::Failed) {
            // The process died after an undo had failed: what was registered before it waits for an operator.
            let unknown = || Problem::new(Code::UndoFailed, "an undo failed");
            return self.stick(failed.error.clone().unwrap_or_else(unknown));
        }
        entries.retain(|entry| entry.state == UndoState::Registered);
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
        if entries.is_empty() {
            return self.commit(Command::FinishRollback { lease: self.lease() }).map(|()| Next::Done);
        }
        let journal = Arc::new(self.journal(Mode::Rollback)?);
        let job = self.job(entries)?;
        let runner = &self.inner.config.runner;
        match guarded(|| runner.roll_back(&job, journal.clone())) {
            Ending::Returned(_) => {
                self.commit(Command::FinishRollback { lease: self.lease() })?;
                Ok(Next::Done)
            }
            Ending::Failed(problem) => self.stick(*problem),
            Ending::Stopped(Stop::ShuttingDown) => self.commit(Command::Release(self.lease())).map(|()| Next::Done),
            Ending::Stopped(Stop::LeaseLost) => Ok(Next::Done),
            Ending::Stopped(Stop::Storage(problem)) => Err(StoreError::Failed(*problem)),
            Ending::Stopped(Stop::Limit(problem)) => self.stick(*problem),
            Ending::Stopped(Stop::InDoubt) => {
                let help = format!(
                    "say what happened with `windlass runs resolve {}`, then let the undo go on with `windlass runs unstick`",
                    self.claimed.lease.run
                );
                self.stick(Problem::new(Code::UndoFailed, "a step of the undo may or may not have happened").help(help))
            }
            Ending::Stopped(Stop::Diverged(divergence)) => self.stick(crate::restart::divergence_problem(&divergence)),
            Ending::Stopped(stop) => {
                self.stick(Problem::new(Code::Internal, format!("the undo was stopped with {stop:?}")))
            }
        }
    }

    fn stick(&self, problem: Problem) -> Result<Next, StoreError> {
        self.commit(Command::StickRollback { lease: self.lease(), problem })?;
        Ok(Next::Done)
    }

    /// The journal can't be written now. Nothing is lost: what is recorded stands, and the run is tried again.
    fn leave_for_later(&self, problem: &Problem) {
        tracing::error!(run = %self.claimed.lease.run, %problem, "the run pauses until its journal can be written");
        while !self.inner.is_stopping() {
            if self.control.wait(STORAGE_PAUSE_MS) && self.inner.is_stopping() {
                break;
            }
            std::thread::sleep(Duration::from_millis(STORAGE_PAUSE_MS / 4));
            match self.commit(Command::Release(self.lease())) {
                Err(StoreError::Failed(_)) => {}
                // Given back, or another worker has it.
                Ok(()) | Err(StoreError::Refused(_)) => return,
            }
        }
    }
}

/// A panic in the runner is a mistake of ours; it ends the run, not the process.
fn guarded(evaluate: impl FnOnce() -> Ending) -> Ending {
    catch_unwind(AssertUnwindSafe(evaluate)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        let message = format!("Windlass itself failed while it evaluated the script: {text}");
        Ending::Failed(Box::new(Problem::new(Code::Internal, message).help("please report this with the run's export")))
    })
}
