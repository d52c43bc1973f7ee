//! Host modules: what scripts can do to the world, one folder each.
//!
//! Adding one: make the folder, add its line to `HOSTS` and its section to `HostConfig`. Definitions, permissions,
//! docs and the dispatcher follow from what its ops declare.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use windlass_model::Problem;
use windlass_script::host::HostModule;

use crate::{
    owner::{Always, PLATFORM},
    services::Services,
};

pub mod authority;
pub mod claim;
pub mod dns;
pub mod docker;
pub mod exec;
pub mod facts;
pub mod file;
pub mod guacamole;
pub mod hetzner;
pub mod http;
pub mod lab;
pub mod lab_id;
pub mod lab_mark;
pub mod lab_names;
pub mod lab_space;
pub mod net;
pub mod notify;
pub mod org;
pub mod owner;
pub mod passwords;
pub mod pool;
pub mod privileges;
pub mod qemu;
pub mod registrar;
pub mod services;
mod support;
mod template;
#[cfg(test)]
mod testing;
pub mod voucher;
pub mod web;

/// A module and the two ways to make it.
pub struct Host {
    /// What scripts write before `::`.
    pub name: &'static str,
    /// The module that acts on the world.
    pub real: fn(&HostConfig, &Services) -> Result<HostModule, Problem>,
    /// The module for rehearsals: it may read the world where that is allowed, and changes nothing.
    pub rehearsal: fn(&HostConfig) -> HostModule,
}

/// Every module, in the order of the reference.
pub const HOSTS: &[Host] = &[
    Host {
        name: "claim",
        real: |_, services| Ok(claim::module(services.claims.clone())),
        rehearsal: |_| claim::rehearsal(),
    },
    Host {
        name: "dns",
        real: |config, services| dns::module(&config.dns, &services.name_servers, services.organisations.clone()),
        rehearsal: |config| dns::rehearsal(&config.dns, &config.rehearsed),
    },
    Host {
        name: "docker",
        real: |config, services| {
            docker::module(&config.docker, net::spaces(net::kernel()), services.organisations.clone())
        },
        rehearsal: |config| docker::rehearsal(&config.docker, net::spaces(config.rehearsed_stack.stack())),
    },
    Host {
        name: "exec",
        real: |config, services| {
            exec::module(&config.jails(), net::owners(net::kernel(), services.organisations.clone()))
        },
        rehearsal: |config| {
            exec::rehearsal(&config.exec, net::owners(config.rehearsed_stack.stack(), Arc::new(Always(PLATFORM))))
        },
    },
    Host {
        name: "file",
        real: |config, _| file::module(&config.file),
        rehearsal: |config| file::rehearsal(&config.file),
    },
    Host {
        name: "guacamole",
        real: |config, services| {
            let (organisations, passwords) = (services.organisations.clone(), services.passwords());
            guacamole::module(&config.guacamole, &config.http, organisations, passwords)
        },
        rehearsal: |config| guacamole::rehearsal(&config.guacamole),
    },
    Host {
        name: "hetzner",
        real: |config, services| hetzner::module(&config.hetzner, &config.http, services.organisations.clone()),
        rehearsal: |config| hetzner::rehearsal(&config.hetzner),
    },
    Host {
        name: "http",
        real: |config, _| http::module(&config.http),
        rehearsal: |config| http::rehearsal(&config.http),
    },
    Host {
        name: "lab",
        real: |config, services| Ok(lab::module(&config.lab, services.organisations.clone())),
        rehearsal: |config| lab::rehearsal(&config.lab),
    },
    Host {
        name: "net",
        real: |config, services| Ok(net::configured(net::kernel(), services.organisations.clone(), &config.net)),
        rehearsal: |config| net::configured(config.rehearsed_stack.stack(), Arc::new(Always(PLATFORM)), &config.net),
    },
    Host {
        name: "notify",
        real: |config, services| notify::module(&config.notify, &config.http, services.targets.clone()),
        rehearsal: |config| notify::rehearsal(&config.notify),
    },
    Host { name: "org", real: |_, services| Ok(org::module(services.house.clone())), rehearsal: |_| org::rehearsal() },
    Host {
        name: "pool",
        real: |config, services| {
            let (names, organisations) = (services.names.clone(), services.organisations.clone());
            pool::module(&config.pool, (&config.dns, &services.name_servers), names, organisations)
        },
        rehearsal: |config| pool::rehearsal(&config.pool, &config.dns, &config.rehearsed),
    },
    Host {
        name: "qemu",
        real: |config, services| qemu::module(&config.qemu, services.organisations.clone()),
        rehearsal: |config| qemu::rehearsal(&config.qemu),
    },
    Host {
        name: "registrar",
        real: |config, services| registrar::module(&config.registrar, &config.http, services.plugins.clone()),
        rehearsal: |_| registrar::rehearsal(),
    },
    Host {
        name: "voucher",
        real: |_, services| Ok(voucher::module(services.vouchers.clone())),
        rehearsal: |_| voucher::rehearsal(),
    },
];

/// The part of `windlass.toml` that is about host modules: `[hosts.<module>]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostConfig {
    /// Which name servers scripts may write to, and whom checks ask.
    pub dns: authority::Config,
    /// Where Docker is, and what nodes of labs may have.
    pub docker: docker::Config,
    /// Which programs scripts may run.
    pub exec: exec::Config,
    /// Which folders scripts may use.
    pub file: file::Config,
    /// Where Apache Guacamole is, and who logs in there.
    pub guacamole: guacamole::Config,
    /// Where Hetzner Cloud is, and which secrets hold its projects' tokens.
    pub hetzner: hetzner::Config,
    /// Where requests may go, and whom they trust.
    pub http: http::Config,
    /// Network labs.
    pub net: net::Config,
    /// How much of this machine organisations' labs may take.
    pub lab: lab::Config,
    /// How people are told.
    pub notify: notify::Config,
    /// Where requests of registrars' plugins go.
    pub registrar: registrar::Config,
    /// Domains that names are given out under.
    pub pool: pool::Config,
    /// Virtual machines of labs.
    pub qemu: qemu::Config,
    /// The name servers that the modules of one rehearsal share.
    #[serde(skip)]
    pub rehearsed: authority::Shared,
    /// The network stack that they share.
    #[serde(skip)]
    pub rehearsed_stack: net::Rehearsed,
}

impl HostConfig {
    /// The configuration of jails in namespaces of labs. Whom containers trust with the machine's network is trusted with it here, too.
    pub fn jails(&self) -> exec::Config {
        exec::Config { trusted: self.docker.trusted.clone(), ..self.exec.clone() }
    }
}

/// The modules that act on the world. Fails when the configuration asks for something that this machine can't give.
/// Those that need something of the process say so when a script asks.
pub fn modules(config: &HostConfig) -> Result<Vec<HostModule>, Problem> {
    modules_in(config, &Services::default())
}

/// The same, with what this process gives them.
pub fn modules_in(config: &HostConfig, services: &Services) -> Result<Vec<HostModule>, Problem> {
    HOSTS.iter().map(|host| (host.real)(config, services)).collect()
}

/// The modules for rehearsals.
pub fn rehearsal_modules(config: &HostConfig) -> Vec<HostModule> {
    // Each rehearsal begins with the world as it is.
    let config = HostConfig {
        rehearsed: authority::Shared::default(),
        rehearsed_stack: net::Rehearsed::default(),
        ..config.clone()
    };
    HOSTS.iter().map(|host| (host.rehearsal)(&config)).collect()
}
