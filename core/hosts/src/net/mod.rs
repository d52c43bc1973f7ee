//! Network labs: namespaces, bridges, veths born in place, taps, addresses, routes, impairments. See README.md.

mod activity;
mod adopt;
mod backend;
mod capture;
mod change;
mod construct;
mod describe;
mod device;
mod difference;
mod facts;
mod fault;
mod kernel;
mod lab;
mod near;
mod ops;
mod owners;
mod patrol;
mod plan;
mod rehearse;
mod remove;
mod settle;
mod steps;
mod summary;
#[cfg(test)]
mod tests;
pub mod types;
mod undone;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use windlass_script::host::HostModule;

use crate::owner::Organisations;

pub use self::{
    adopt::spaces,
    backend::{ChangeWatch, Heard, LinkWatch, NetBackend},
    capture::{Limits, PacketSource, Recording, Totals},
    describe::describe,
    difference::{Finding, Found},
    facts::facts,
    fault::Fault,
    near::{Near, bridges},
    owners::owners,
    patrol::{Cadence, Expected, Patrol},
};

/// `[hosts.net]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// An absolute path: where `net::capture` keeps what it has seen. Empty: it can't.
    pub captures: String,
    /// Devices of this machine that labs may use, by their names in the kernel. None by default.
    pub devices: Vec<String>,
    /// Networks that VXLANs of labs may reach. None by default.
    pub vxlan_remotes: Vec<ipnet::IpNet>,
    /// UDP ports that VXLANs of labs may use: this machine listens to them.
    pub vxlan_ports: Vec<u16>,
    /// Networks whose addresses, and parts, labs may give to this machine itself: to bridges and to ends of links on it.
    pub addresses: Vec<ipnet::IpNet>,
}

/// Addresses that are nobody's in the Internet.
const PRIVATE: [(IpAddr, u8); 5] = [
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)), 10),
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0)), 8),
];

impl Default for Config {
    fn default() -> Self {
        let private = PRIVATE.iter().filter_map(|(address, length)| ipnet::IpNet::new(*address, *length).ok());
        Self {
            captures: String::new(),
            devices: Vec::new(),
            vxlan_remotes: Vec::new(),
            vxlan_ports: vec![4_789],
            addresses: private.collect(),
        }
    }
}

/// The module over a network stack; a lab is of the organisation whose run calls.
pub fn module(backend: Arc<dyn NetBackend>, organisations: Arc<dyn Organisations>) -> HostModule {
    configured(backend, organisations, &Config::default())
}

/// The same, as it is configured.
pub fn configured(backend: Arc<dyn NetBackend>, organisations: Arc<dyn Organisations>, config: &Config) -> HostModule {
    ops::module(backend, organisations, config)
}

/// This machine's own network stack. It keeps nothing and asks for nothing until an op is called.
pub fn kernel() -> Arc<dyn NetBackend> {
    Arc::new(kernel::Kernel)
}

/// The one network stack that the modules of a rehearsal share.
#[derive(Clone)]
pub struct Rehearsed(Arc<dyn NetBackend>);

impl Rehearsed {
    /// The stack.
    pub fn stack(&self) -> Arc<dyn NetBackend> {
        self.0.clone()
    }
}

impl Default for Rehearsed {
    fn default() -> Self {
        Self(rehearsal())
    }
}

impl std::fmt::Debug for Rehearsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rehearsed")
    }
}

/// It is no setting: two configurations don't differ by it.
impl PartialEq for Rehearsed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A twin in memory that answers as the kernel does: an empty host of its own, for a rehearsal.
pub fn rehearsal() -> Arc<dyn NetBackend> {
    Arc::new(rehearse::Twin::default())
}
