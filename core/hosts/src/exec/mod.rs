//! `exec`: runs declared programs with an argument list, never through a shell.

mod backend;
pub mod jail;
mod ops;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};
use windlass_model::Problem;
use windlass_script::host::HostModule;

use crate::lab_space::Owners;

/// `[hosts.exec]`: nothing can be run unless it is named here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Programs that scripts may be granted. A bare name (`ping`) is looked up in /usr/sbin, /usr/bin, /sbin and /bin;
    /// an absolute path (`/opt/tools/bin/deploy`) is known to scripts by its last part.
    pub programs: Vec<String>,
    /// Folders that a program may be started in (`cwd`). Without `cwd` it starts in `/`.
    pub folders: Vec<PathBuf>,
    /// Environment variables that scripts may set.
    pub env: Vec<String>,
    /// Folders that programs in a namespace see empty: that of the server's data.
    #[serde(skip)]
    pub hidden: Vec<PathBuf>,
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
