//! Random passwords of things that modules make: kept as secrets of the run's organisation, and forgotten with the thing.

use windlass_model::{Problem, RunId};

/// Makes and forgets them. The process does.
pub trait Passwords: Send + Sync {
    /// A random secret for the step with this key, unless the run's organisation has one of this name: what it is called. `to`: where
    /// it may go.
    fn make(&self, step: (&RunId, &str), name: &str, bytes: usize, to: &[String]) -> Result<String, Problem>;

    /// Forgets it; with `by`, only if that step has made it.
    fn forget(&self, run: &RunId, name: &str, by: Option<&str>) -> Result<(), Problem>;
}

/// For rehearsals: none is made.
pub(crate) struct Rehearsed;

impl Passwords for Rehearsed {
    fn make(&self, _: (&RunId, &str), name: &str, _: usize, _: &[String]) -> Result<String, Problem> {
        Ok(format!("made/rehearsal/{name}"))
    }

    fn forget(&self, _: &RunId, _: &str, _: Option<&str>) -> Result<(), Problem> {
        Ok(())
    }
}
