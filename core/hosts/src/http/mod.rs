//! `http`: requests to declared hosts, methods and path prefixes, and to nothing inside the house by accident.

mod address;
mod answer;
mod client;
mod grant;
mod held;
mod ops;
mod request;
mod resolver;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};
use windlass_model::Problem;
use windlass_script::host::HostModule;

/// `[hosts.http]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Addresses or ranges (`10.0.0.5`, `10.20.0.0/16`, `fd12::/48`) inside the house that requests may go to. All
    /// loopback, private, link-local and otherwise special addresses are refused unless they are in here, or the grant
    /// names the address itself.
    pub allow_addresses: Vec<String>,
    /// A PEM file with certificate authorities to trust beside those of the machine.
    pub ca_file: Option<PathBuf>,
    /// Milliseconds after which what the other end hasn't acknowledged is given up, so that a request of a machine that was
    /// cut off doesn't arrive after another machine has taken its run over; the same for making a connection. 0: a sixth of a
    /// lease where several machines share a database, else the client's own: 30 s, and 10 s.
    pub unacknowledged_ms: u64,
}

/// The module. Fails when an address can't be read, or the certificates can't.
pub fn module(config: &Config) -> Result<HostModule, Problem> {
    let client = client::Client::new(config, Arc::new(resolver::SystemLookup))?;
    Ok(ops::module(Some(Arc::new(client))))
}

/// The module for rehearsals: nothing is sent, every answer is assumed to be an empty 200.
pub fn rehearsal(_: &Config) -> HostModule {
    ops::module(None)
}
