//! `org`: organisations, who is invited into them, and the places that their apps go into.

mod ops;
mod rehearse;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;
use windlass_model::{Problem, RunId};
use windlass_script::host::HostModule;

/// A step of a run: whoever it acts for.
pub struct Step<'a> {
    /// The run.
    pub run: &'a RunId,
    /// The step's key: the same for each of its attempts.
    pub key: &'a str,
}

/// An organisation to be.
#[derive(Clone, Debug, Default)]
pub struct NewOrganisation {
    /// Its name.
    pub name: String,
    /// How people call it.
    pub title: String,
    /// `franchisee` or `customer`.
    pub kind: String,
    /// The organisation that it is under; none: the run's.
    pub parent: Option<String>,
    /// Who is invited to manage it.
    pub owner_email: Option<String>,
    /// How much it may have, by quota.
    pub quotas: Value,
}

/// Organisations. The server keeps them. Each call is one of a run, which may do this to its own organisation, or to those
/// under it; a run of the platform to all.
pub trait House: Send + Sync {
    /// Makes an organisation, and invites who is to manage it; the same step finds its own.
    fn create(&self, step: &Step<'_>, new: &NewOrganisation) -> Result<Value, Problem>;

    /// Removes an organisation; with `by`, only what that step has made, and only while nothing is in it.
    fn remove(&self, step: &Step<'_>, name: &str, by: Option<&str>) -> Result<bool, Problem>;

    /// Invites somebody; the same step finds its own invitation, and sends nothing twice.
    fn invite(&self, step: &Step<'_>, name: &str, email: &str, role: &str) -> Result<Value, Problem>;

    /// Withdraws an invitation that is open; with `by`, only if that step has made it.
    fn withdraw(&self, step: &Step<'_>, name: &str, email: &str, by: Option<&str>) -> Result<bool, Problem>;

    /// Keeps an organisation's members from acting (`reason`), or lets them act again.
    fn suspend(&self, step: &Step<'_>, name: &str, reason: Option<&str>) -> Result<Value, Problem>;

    /// Keeps an environment; the same step finds its own.
    fn environment(&self, step: &Step<'_>, name: &str, environment: &str, options: &Value) -> Result<Value, Problem>;

    /// Removes an environment; with `by`, only if that step has made it.
    fn forget(&self, step: &Step<'_>, name: &str, environment: &str, by: Option<&str>) -> Result<bool, Problem>;

    /// Says how an organisation looks.
    fn brand(&self, step: &Step<'_>, name: &str, brand: &Value) -> Result<Value, Problem>;

    /// Puts back how it looked before this step.
    fn unbrand(&self, step: &Step<'_>, name: &str, by: &str) -> Result<(), Problem>;

    /// What is known of an organisation; none, if it isn't there or the run has nothing to do with it.
    fn get(&self, step: &Step<'_>, name: &str) -> Result<Option<Value>, Problem>;
}

/// The module over what keeps organisations.
pub fn module(house: Arc<dyn House>) -> HostModule {
    ops::module(house)
}

/// The module for rehearsals: what it makes is remembered until the rehearsal ends.
pub fn rehearsal() -> HostModule {
    ops::module(Arc::new(rehearse::Played::default()))
}
