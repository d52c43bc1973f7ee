//! Virtual machines of labs: real QEMU, with disks over images that nobody writes, serial lines and snapshots. See README.md.

mod backend;
mod facts;
mod host;
mod ops;
mod pattern;
mod rehearse;
mod spec;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_model::{Code, Problem};
use windlass_script::host::HostModule;

use crate::{
    lab_id::LabId,
    owner::{Always, Organisations, PLATFORM},
};

pub use facts::facts;
pub use host::{kvm, line::Line};

/// `[hosts.qemu]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The emulator: a name that is looked for in the system's folders, or an absolute path. `qemu-img` is beside it.
    pub program: String,
    /// Where machines are kept.
    pub folder: PathBuf,
    /// Folders of images, kernels and initial ramdisks. They are read only.
    pub images: Vec<PathBuf>,
    /// Whom QEMU runs as; empty: whoever Windlass runs as.
    pub user: String,
    /// How guests are run where a machine doesn't say.
    pub accelerator: Accelerator,
    /// Processors of a machine, at most.
    pub max_cpus: u32,
    /// Memory of a machine in MiB, at most.
    pub max_memory_mb: u32,
    /// Size of a machine's disk in GiB, at most.
    pub max_disk_gb: u32,
    /// Machines of all labs together, at most.
    pub max_machines: u32,
    /// Bytes that are kept of a serial line.
    pub serial_bytes: u64,
}

/// How a guest is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// By the processor where that works, else emulated.
    #[default]
    Auto,
    /// By the processor.
    Kvm,
    /// Emulated.
    Tcg,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            program: "qemu-system-x86_64".into(),
            folder: PathBuf::new(),
            images: Vec::new(),
            user: String::new(),
            accelerator: Accelerator::Auto,
            max_cpus: 4,
            max_memory_mb: 4_096,
            max_disk_gb: 64,
            max_machines: 64,
            serial_bytes: 4 << 20,
        }
    }
}

/// Where people reach a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sockets {
    /// The machine's folder, in which both are: their paths may be longer than a socket's may be.
    pub folder: PathBuf,
    /// Name of its serial line's socket there.
    pub serial: &'static str,
    /// Name of its screen's, if it has one.
    pub vnc: Option<&'static str>,
}

/// Where people reach a machine of a lab; none if there is no such machine, or it isn't this Windlass'. `instance` is this machine's id.
pub fn sockets(config: &Config, instance: &str, lab: &LabId, name: &str) -> Option<Sockets> {
    host::sockets(config, instance, lab, name)
}

/// The machines of a lab as `qemu::machines` tells them, for a caller that is no step of a run; only this Windlass' own.
pub fn machines(config: &Config, instance: &str, lab: &LabId) -> Result<Vec<Value>, Problem> {
    host::machines(config, instance, lab)
}

/// Attaches to a machine's serial line, whose socket is in this folder. While somebody is attached, `send_serial` types through this
/// process' own hold on it, and doesn't wait until they leave.
pub fn attach(folder: &Path, serial: &str) -> std::io::Result<Line> {
    host::line::attach(folder, serial)
}

/// The module. Fails when a folder isn't an absolute path.
pub fn module(config: &Config, organisations: Arc<dyn Organisations>) -> Result<HostModule, Problem> {
    if let Some(folder) = config.images.iter().find(|folder| !folder.is_absolute()) {
        let message = format!("hosts.qemu.images: {} isn't an absolute path", folder.display());
        return Err(Problem::new(Code::Configuration, message));
    }
    if !config.folder.as_os_str().is_empty() && !config.folder.is_absolute() {
        let message = format!("hosts.qemu.folder: {} isn't an absolute path", config.folder.display());
        return Err(Problem::new(Code::Configuration, message));
    }
    let limits = config.clone();
    Ok(ops::module(Arc::new(host::Host::new(config.clone())), organisations, limits))
}

/// The module for rehearsals: machines in memory.
pub fn rehearsal(config: &Config) -> HostModule {
    ops::module(Arc::new(rehearse::Twin::default()), Arc::new(Always(PLATFORM)), config.clone())
}
