//! What modules need of the process that they are part of. Each is a trait of the module that needs it; the server implements
//! them. A process that has none of it says so when a script asks.

use std::sync::Arc;

use windlass_model::{Code, Problem, RunId};

use crate::{
    authority::Shared,
    claim::{Claims, Offer, Offered},
};

/// What the process gives to modules.
#[derive(Clone)]
pub struct Services {
    /// Keeps claims.
    pub claims: Arc<dyn Claims>,
    /// The name servers that several modules write to.
    pub name_servers: Shared,
}

impl Default for Services {
    /// Nothing: for looking at what there is, and for tests of modules that need none of it.
    fn default() -> Self {
        Self { claims: Arc::new(Absent), name_servers: Shared::default() }
    }
}

struct Absent;

impl Absent {
    fn problem<T>(what: &str) -> Result<T, Problem> {
        let message = format!("this process keeps no {what}");
        Err(Problem::new(Code::Unavailable, message).help("run it at a server: `windlass serve`").no_effect())
    }
}

impl Claims for Absent {
    fn generate(&self, _: &str, _: usize, _: &[String]) -> Result<bool, Problem> {
        Self::problem("secrets")
    }

    fn forget(&self, _: &str) -> Result<(), Problem> {
        Self::problem("secrets")
    }

    fn offer(&self, _: &Offer) -> Result<Offered, Problem> {
        Self::problem("claims")
    }

    fn withdraw(&self, _: &str, _: &RunId) -> Result<(), Problem> {
        Self::problem("claims")
    }
}
