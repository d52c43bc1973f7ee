//! Evaluates scripts once every secret is known that may not be shown: also those that an earlier process used.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use windlass_model::{
    Journal,
    journal::{Ending, Job, Runner},
};
use windlass_script::Sandbox;

use super::{Vault, source::Revision};

/// How often to look whether another process has changed a secret.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A runner that never evaluates before it knows the secrets.
pub struct Discreet {
    sandbox: Sandbox,
    vault: Arc<Vault>,
    known: Mutex<Option<(Instant, Revision)>>,
}

impl Discreet {
    /// Over this sandbox, whose secrets come from this vault.
    pub fn new(sandbox: Sandbox, vault: Arc<Vault>) -> Self {
        Self { sandbox, vault, known: Mutex::default() }
    }

    // Runs that start meanwhile wait here: none may be evaluated before.
    fn learn(&self) {
        let mut known = self.known.lock();
        if known.as_ref().is_some_and(|(looked, _)| looked.elapsed() < LOOK_EVERY) {
            return;
        }
        match self.vault.revision() {
            Ok(revision) => {
                if known.as_ref().is_none_or(|(_, before)| *before != revision) {
                    self.sandbox.learn_secrets();
                }
                *known = Some((Instant::now(), revision));
            }
            Err(problem) => tracing::warn!(%problem, "secrets can't be read, and so not be taken out of what is shown"),
        }
    }
}

impl Runner for Discreet {
    fn evaluate(&self, job: &Job, journal: Arc<dyn Journal>) -> Ending {
        self.learn();
        self.sandbox.evaluate(job, journal)
    }

    fn roll_back(&self, job: &Job, journal: Arc<dyn Journal>) -> Ending {
        self.learn();
        self.sandbox.roll_back(job, journal)
    }
}
