//! `pool`: names under domains of the house, for customers who bring none: reserved, committed, released.

mod adopt;
mod book;
mod clear;
mod commit;
mod labels;
mod list;
mod ops;
mod service;
mod sweep;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use windlass_model::Problem;
use windlass_script::host::HostModule;

use crate::{
    authority::{self, Shared},
    owner::{Always, Organisations, PLATFORM},
};

pub use book::{Book, Entry, MemoryBook, Row, State};
pub use commit::Committed;
pub use labels::{LABELS, RESERVED, Reason, Refused};
pub use service::{Holder, Pool, Proof, Released, Reserved};
pub use sweep::Swept;

/// `[hosts.pool]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Domains that names are given out under. Each is a zone on a name server of `[hosts.dns]`.
    pub domains: BTreeMap<String, Domain>,
    /// Seconds that a reservation holds without its run; while that is open, it holds on.
    pub reservation_s: u64,
    /// Seconds that a released name rests before it is free: as long as others may remember its keys.
    pub rest_s: u64,
    /// Seconds between two looks for reservations that have run out.
    pub sweep_s: u64,
    /// Names that an organisation may have reserved at a time, without having them given out. The platform has no such limit.
    pub reservations: u32,
    /// Seconds after which a name that nobody commits isn't renewed any more by its token.
    pub reserved_s: u64,
    /// Labels that nobody gets, beside the usual ones (`www`, `mail`, `ns1`, …).
    pub reserved: Vec<String>,
}

/// A domain that names are given out under.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Domain {
    /// The name server that has it, by its name under `[hosts.dns.servers]`. Empty: the one that serves it.
    pub server: String,
    /// Name servers of the zones below it. Empty: those of the server.
    pub nameservers: Vec<String>,
    /// Organisations that names are given out to, beside the platform. Empty, or `*`: all of them.
    pub organisations: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            domains: BTreeMap::new(),
            reservation_s: 600,
            rest_s: 300,
            sweep_s: 30,
            reservations: 10,
            reserved_s: 24 * 3_600,
            reserved: Vec::new(),
        }
    }
}

/// The module. Fails when a domain can't be meant.
pub fn module(
    config: &Config,
    (dns, shared): (&authority::Config, &Shared),
    book: Arc<dyn Book>,
    organisations: Arc<dyn Organisations>,
) -> Result<HostModule, Problem> {
    let servers = shared.servers(dns)?;
    let pool = Pool::new(config, servers.clone(), book)?;
    pool.domains().for_each(|domain| servers.keep_for_pool(domain));
    Ok(ops::module(Arc::new(pool), organisations))
}

/// The module for rehearsals: a book of its own, and name servers in memory.
pub fn rehearsal(config: &Config, dns: &authority::Config, shared: &Shared) -> HostModule {
    ops::module(Arc::new(Pool::rehearsal(config, shared.rehearsal(dns))), Arc::new(Always(PLATFORM)))
}
