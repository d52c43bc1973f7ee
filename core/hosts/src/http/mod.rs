//! `http`: requests to declared hosts, methods and path prefixes, and to nothing inside the house by accident.

mod ops;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use windlass_model::Problem;
use windlass_script::host::HostModule;

use crate::web::{Client, SystemLookup};

pub use crate::web::Config;

/// The module. Fails when an address can't be read, or the certificates can't.
pub fn module(config: &Config) -> Result<HostModule, Problem> {
    let client = Client::new(config, Arc::new(SystemLookup))?;
    Ok(ops::module(Some(Arc::new(client))))
}

/// The module for rehearsals: nothing is sent, every answer is assumed to be an empty 200.
pub fn rehearsal(_: &Config) -> HostModule {
    ops::module(None)
}
