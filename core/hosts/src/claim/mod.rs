//! `claim`: hands secrets to a machine that has just been made, and hears from it.

mod ops;
mod rehearse;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use windlass_model::{Problem, RunId};
use windlass_script::host::HostModule;
use zeroize::Zeroizing;

/// A claim to be.
pub struct Offer {
    /// How scripts call it.
    pub name: String,
    /// The run that waits for the machine.
    pub run: RunId,
    /// The step that makes it.
    pub key: String,
    /// What is fetched.
    pub values: BTreeMap<String, Zeroizing<String>>,
    /// Names of secrets that the machine may send back.
    pub returns: Vec<String>,
    /// Where those may go.
    pub returns_to: Vec<String>,
    /// The signal that each report becomes.
    pub signal: String,
    /// Where the claim's word may go.
    pub word_to: Vec<String>,
    /// How long it stays open, in milliseconds.
    pub open_ms: i64,
}

/// A claim that was made.
pub struct Offered {
    /// Its id.
    pub id: String,
    /// Where the machine asks.
    pub url: String,
    /// The name of the secret that is its word.
    pub word: String,
}

/// A step of a run.
pub struct Step<'a> {
    /// The run.
    pub run: &'a RunId,
    /// The step's key: the same for each of its attempts.
    pub key: &'a str,
}

/// Keeps claims, and the secrets that are made for them. The server does.
pub trait Claims: Send + Sync {
    /// Makes a random secret, unless the run's organisation has it under this name: what it is called, and whether it is this
    /// step's. What a run has left that executes no more is this step's from then on.
    fn generate(&self, step: &Step<'_>, name: &str, bytes: usize, to: &[String]) -> Result<(String, bool), Problem>;

    /// Removes a secret of the run's organisation that was made; with `by`, only if that step has made it.
    fn forget(&self, run: &RunId, name: &str, by: Option<&str>) -> Result<(), Problem>;

    /// The name of the secret that a machine sent back for a claim of this name; `None` if there is none.
    fn returned(&self, run: &RunId, claim: &str, name: &str) -> Result<Option<String>, Problem>;

    /// Makes a claim; the same step finds its own. One that a run has left which executes no more gives way.
    fn offer(&self, offer: &Offer) -> Result<Offered, Problem>;

    /// Removes a claim of this run, with what came back; with `by`, only if that step has made it.
    fn withdraw(&self, name: &str, run: &RunId, by: Option<&str>) -> Result<(), Problem>;
}

/// The module over what keeps claims.
pub fn module(claims: Arc<dyn Claims>) -> HostModule {
    ops::module(claims)
}

/// The module for rehearsals: names are checked, and nothing is kept.
pub fn rehearsal() -> HostModule {
    ops::module(Arc::new(rehearse::Nowhere))
}
