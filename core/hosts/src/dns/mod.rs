//! `dns`: authoritative zones and records, DNSSEC and delegation, and how the world sees them.

mod ask;
mod delegation;
mod demand;
mod keys;
mod ops;
mod read;
mod records;
mod resolve;
mod survey;
mod zonefile;
mod zones;

use std::sync::Arc;

use windlass_model::Problem;
use windlass_script::host::HostModule;

use crate::{
    authority::{self, Shared},
    owner::{Always, Organisations, PLATFORM},
};

/// The module. Fails when a server that is configured can't be meant.
pub fn module(
    config: &authority::Config,
    shared: &Shared,
    organisations: Arc<dyn Organisations>,
) -> Result<HostModule, Problem> {
    let servers = shared.servers(config)?;
    let resolver = resolve::Resolver::new(config)?;
    Ok(ops::module(ops::Here::new(servers, resolver, organisations)))
}

/// The module for rehearsals: zones are read where that is possible, and changed in memory.
pub fn rehearsal(config: &authority::Config, shared: &Shared) -> HostModule {
    let resolver = resolve::Resolver::new(config).unwrap_or_default();
    ops::module(ops::Here::new(shared.rehearsal(config), resolver, Arc::new(Always(PLATFORM))))
}
