//! Requests to the world, for whichever module sends them: where they may go, what an answer may be, and who is asked for
//! addresses. One guard for all.

mod address;
pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod grant;
mod held;
pub(crate) mod provider;
pub(crate) mod request;
mod resolver;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use address::special;
pub(crate) use client::{Client, Guard};
pub(crate) use request::Request;
pub use resolver::{Found, Lookup, SystemLookup};

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
