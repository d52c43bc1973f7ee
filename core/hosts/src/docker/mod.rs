//! Nodes of labs that are containers, on a Docker daemon of this machine. See README.md.

mod archive;
mod backend;
mod config;
pub mod console;
mod create;
mod daemon;
mod fault;
mod hosts;
mod images;
mod inside;
mod lab;
mod look;
mod mounts;
mod network;
mod ops;
mod pause;
mod rehearse;
mod remove;
mod run;
mod spec;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use windlass_model::Problem;
use windlass_script::host::HostModule;

pub use self::config::{Config, Folder, Limits, ToldFolder};
use self::{backend::Backend, lab::Machine};
use crate::{
    lab_space::Spaces,
    owner::{Always, Organisations, PLATFORM},
};

/// The module over the daemon that the configuration names; its nodes' network namespaces are made nodes by `spaces`.
pub fn module(
    config: &Config,
    spaces: Arc<dyn Spaces>,
    organisations: Arc<dyn Organisations>,
) -> Result<HostModule, Problem> {
    config.check()?;
    let backend = Box::new(daemon::Daemon::at(config.socket.clone()));
    Ok(ops::module(Machine { backend, spaces, organisations, config: config.clone() }))
}

/// The module for rehearsals: an engine in memory.
pub fn rehearsal(config: &Config, spaces: Arc<dyn Spaces>) -> HostModule {
    let backend: Box<dyn Backend> = Box::new(rehearse::Twin::default());
    ops::module(Machine { backend, spaces, organisations: Arc::new(Always(PLATFORM)), config: config.clone() })
}

/// What the daemon at the configured socket says of itself, for `windlass doctor`. Blocks for a few seconds at most.
pub fn examine(config: &Config) -> Result<String, Problem> {
    let failed = |error: std::io::Error| crate::support::system("a runtime", &error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let daemon = daemon::Daemon::at(config.socket.clone());
    let asked = async { tokio::time::timeout(std::time::Duration::from_secs(3), daemon.info()).await };
    match runtime.block_on(asked) {
        Ok(Ok(info)) => {
            let text = |name: &str| info[name].as_str().unwrap_or("?").to_owned();
            Ok(format!("Docker {}, storage {}", text("version"), text("storage_driver")))
        }
        Ok(Err(fault)) => Err(fault.problem("Docker")),
        Err(_) => Err(fault::Fault::new(fault::Kind::Away, "no answer within three seconds").problem("Docker")),
    }
}
