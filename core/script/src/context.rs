//! What all branches of one evaluation share.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU32},
};

use parking_lot::Mutex;
use windlass_model::{Journal, RunId, StepPath};

use crate::{
    budget::{Budget, Charge},
    host::OpCx,
    locks::HeldLocks,
    program::Program,
    reveal::Revealer,
    sandbox::Shell,
    scrub::RunScrubber,
};

pub(crate) struct RunContext {
    pub shell: Arc<Shell>,
    pub program: Arc<Program>,
    pub run: RunId,
    pub journal: Arc<dyn Journal>,
    pub mode: Mode,
    /// The workflow's name, for call sites.
    pub entry: Arc<str>,
    /// Closures found while collecting, by the step that registered them.
    pub closures: Mutex<HashMap<StepPath, StoredClosure>>,
    /// `on_rollback` calls so far: `continue_as_new` can't carry closures over.
    pub rollback_closures: AtomicU32,
    /// Locks that its branches are inside of.
    pub locks: HeldLocks,
    /// What all branches hold together.
    pub budget: Arc<Budget>,
    /// Takes secrets out of what the run stores and shows.
    pub scrubber: Arc<RunScrubber>,
    pub revealer: Arc<Revealer>,
}

/// What an evaluation is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The run goes on: what isn't recorded is performed.
    Forward,
    /// Only to find the closures of `on_rollback` again: nothing is performed, nothing is printed.
    Collect,
}

/// A closure with the state that it needs to be called later.
pub(crate) struct StoredClosure {
    pub closure: rhai::FnPtr,
    pub global: rhai::GlobalRuntimeState,
    /// The memory of both: they outlive the branch that registered them.
    pub _charge: Charge,
}

impl RunContext {
    pub fn new(shell: Arc<Shell>, program: Arc<Program>, run: RunId, journal: Arc<dyn Journal>, mode: Mode) -> Self {
        let entry = program.entry.clone();
        let locks = HeldLocks::new(journal.held_locks());
        let scrubber = Arc::new(RunScrubber::new(shell.scrubbers.clone(), shell.config.secrets.clone(), run.clone()));
        let revealer =
            Arc::new(Revealer { source: shell.config.secrets.clone(), scrubber: scrubber.clone(), run: run.clone() });
        Self {
            shell,
            program,
            run,
            journal,
            mode,
            entry,
            closures: Mutex::default(),
            rollback_closures: AtomicU32::new(0),
            locks,
            budget: Arc::default(),
            scrubber,
            revealer,
        }
    }

    /// What an op may use at this step.
    pub fn op_context(&self, path: &StepPath, timeout_ms: u64) -> OpCx {
        OpCx {
            key: format!("{}/{path}", self.run),
            undoes: crate::branch::with(|branch| branch.undoes.clone()).unwrap_or_default(),
            run: self.run.clone(),
            instance: self.shell.config.instance.clone(),
            rehearsal: self.shell.config.rehearsal,
            runtime: self.shell.config.runtime.clone(),
            timeout: std::time::Duration::from_millis(timeout_ms),
            journal: self.journal.clone(),
            secrets: self.revealer.clone(),
            grants: self.program.grants.clone(),
            superseded: crate::branch::with(|branch| branch.superseded.clone()).unwrap_or_default(),
        }
    }
}
