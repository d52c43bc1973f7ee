//! `exec`: runs declared programs with an argument list, never through a shell.

mod backend;
pub mod inmates;
pub mod jail;
mod ops;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};
use windlass_model::Problem;
use windlass_script::host::HostModule;

use self::inmates::Range;
use crate::lab_space::Owners;

/// `[hosts.exec]`: nothing can be run unless it is named here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Programs that scripts may be granted. A bare name (`ping`) is looked up in /usr/sbin, /usr/bin, /sbin and /bin;
    /// an absolute path (`/opt/tools/bin/deploy`) is known to scripts by its last part.
    pub programs: Vec<String>,
    /// Folders that a program may be started in (`cwd`). Without `cwd` it starts in `/`.
    pub folders: Vec<PathBuf>,
    /// Environment variables that scripts may set.
    pub env: Vec<String>,
    /// The first id of the users that programs in namespaces run as: each organisation has one of its own.
    pub uid_first: u32,
    /// How many such ids there are; 0: all organisations share the user `nobody`.
    pub uid_count: u32,
    /// Folders that programs in a namespace see empty: that of the server's data.
    #[serde(skip)]
    pub hidden: Vec<PathBuf>,
    /// Organisations beside the platform whose programs rule the network of the namespace that they are in; `*` is all of them. Those
    /// that `[hosts.docker]` trusts.
    #[serde(skip)]
    pub trusted: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let Range { first: uid_first, count: uid_count } = Range::default();
        Self {
            programs: Vec::new(),
            folders: Vec::new(),
            env: Vec::new(),
            uid_first,
            uid_count,
            hidden: Vec::new(),
            trusted: Vec::new(),
        }
    }
}

impl Config {
    /// Whom programs in namespaces run as.
    pub fn inhabitants(&self) -> Range {
        Range { first: self.uid_first, count: self.uid_count }
    }
}

/// The module; `owners` tells which namespaces a run may enter. Fails when the configuration names a program in a way that can't be
/// meant.
pub fn module(config: &Config, owners: Arc<dyn Owners>) -> Result<HostModule, Problem> {
    Ok(ops::module(backend::Programs::from_config(config)?, owners))
}

/// The module for rehearsals: no program runs, each is assumed to succeed and to say nothing.
pub fn rehearsal(_: &Config, owners: Arc<dyn Owners>) -> HostModule {
    ops::module(backend::Programs::default(), owners)
}
