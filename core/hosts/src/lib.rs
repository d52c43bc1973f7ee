//! Host modules: what scripts can do to the world, one folder each.
//!
//! Adding one: make the folder, add its line to `HOSTS` and its section to `HostConfig`. Definitions, permissions,
//! docs and the dispatcher follow from what its ops declare.

use serde::{Deserialize, Serialize};
use windlass_model::Problem;
use windlass_script::host::HostModule;

pub mod exec;
pub mod file;
pub mod http;
pub mod lab_names;
pub mod net;
mod support;
#[cfg(test)]
mod testing;
pub mod web;

/// A module and the two ways to make it.
pub struct Host {
    /// What scripts write before `::`.
    pub name: &'static str,
    /// The module that acts on the world.
    pub real: fn(&HostConfig) -> Result<HostModule, Problem>,
    /// The module for rehearsals: it may read the world where that is allowed, and changes nothing.
    pub rehearsal: fn(&HostConfig) -> HostModule,
}

/// Every module, in the order of the reference.
pub const HOSTS: &[Host] = &[
    Host { name: "exec", real: |config| exec::module(&config.exec), rehearsal: |config| exec::rehearsal(&config.exec) },
    Host { name: "file", real: |config| file::module(&config.file), rehearsal: |config| file::rehearsal(&config.file) },
    Host { name: "http", real: |config| http::module(&config.http), rehearsal: |config| http::rehearsal(&config.http) },
    Host { name: "net", real: |_| Ok(net::module(net::kernel())), rehearsal: |_| net::module(net::rehearsal()) },
];

/// The part of `windlass.toml` that is about host modules: `[hosts.<module>]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostConfig {
    /// Which programs scripts may run.
    pub exec: exec::Config,
    /// Which folders scripts may use.
    pub file: file::Config,
    /// Where requests may go, and whom they trust.
    pub http: http::Config,
}

/// The modules that act on the world. Fails when the configuration asks for something that this machine can't give.
pub fn modules(config: &HostConfig) -> Result<Vec<HostModule>, Problem> {
    HOSTS.iter().map(|host| (host.real)(config)).collect()
}

/// The modules for rehearsals.
pub fn rehearsal_modules(config: &HostConfig) -> Vec<HostModule> {
    HOSTS.iter().map(|host| (host.rehearsal)(config)).collect()
}
