//! What a script asks for: a machine, checked against what the configuration allows, before anything is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_model::{Code, Problem};

use super::{Accelerator, Config};
use crate::{
    lab_names::{self, Parsed, check_name},
    support::invalid,
};

const DEFAULT_MEMORY_MB: u32 = 256;
const LEAST_MEMORY_MB: u32 = 32;
const MAX_TAPS: usize = 16;
const MAX_LABELS: usize = 32;
const LABEL_CHARS: usize = 256;
const APPEND_CHARS: usize = 2_000;
const IMAGE_CHARS: usize = 1_000;
/// Machines of one call, at most.
pub const MAX_AT_ONCE: usize = 64;

/// A machine as a script asks for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MachineSpec {
    /// What the lab calls it.
    pub name: String,
    /// An image that its disk begins as.
    pub disk: Option<String>,
    /// Its disk's size; without an image, an empty disk.
    pub disk_gb: Option<u32>,
    /// A kernel to start without a boot loader.
    pub kernel: Option<String>,
    /// Its initial ramdisk.
    pub initrd: Option<String>,
    /// Its command line.
    pub append: Option<String>,
    /// Processors.
    pub cpus: Option<u32>,
    /// Memory.
    pub memory_mb: Option<u32>,
    /// Its network interfaces, in order.
    pub taps: Option<Vec<TapSpec>>,
    /// What cloud-init reads.
    pub seed: Option<SeedSpec>,
    /// Whether it has a screen.
    pub vnc: Option<bool>,
    /// How it is run.
    pub accelerator: Option<Accelerator>,
    /// For whoever asks.
    pub labels: Option<BTreeMap<String, String>>,
    /// What the caller tells changes by.
    pub digest: Option<String>,
    /// Whether it is started.
    pub start: Option<bool>,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TapSpec {
    /// What the lab calls a TAP of its own: `vm1:eth0`. It stays, whatever the kernel calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The kernel's name of it, where it was last seen.
    pub interface: String,
    /// The guest's hardware address.
    pub mac: Option<String>,
}

/// A NoCloud seed. Each is text or a secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedSpec {
    /// `#cloud-config` and so on.
    pub user_data: Value,
    /// `instance-id`, `local-hostname`.
    pub meta_data: Value,
    /// Version 1 or 2.
    pub network_config: Value,
}

impl MachineSpec {
    /// Refuses what can't be, or is more than is allowed.
    pub fn check(&self, config: &Config) -> Result<(), Problem> {
        check_name("machine", &self.name)?;
        let name = &self.name;
        if self.disk.is_none() && self.disk_gb.is_none() && self.kernel.is_none() {
            return Err(invalid(format!("{name} has nothing to boot")).help("give it a `disk` or a `kernel`"));
        }
        if self.kernel.is_none() && (self.initrd.is_some() || self.append.is_some()) {
            return Err(invalid(format!("{name}: `initrd` and `append` need a `kernel`")));
        }
        for image in [&self.disk, &self.kernel, &self.initrd].into_iter().flatten() {
            check_image(image)?;
        }
        // For a kernel of another kind than Linux, QEMU takes what follows a comma for a further file.
        if let Some(image) = [&self.kernel, &self.initrd].into_iter().flatten().find(|image| image.contains(',')) {
            return Err(invalid(format!(
                "`{image}`: a comma can't stand in the name of a kernel or an initial ramdisk"
            )));
        }
        if let Some(append) = &self.append
            && (append.len() > APPEND_CHARS || append.chars().any(char::is_control))
        {
            return Err(invalid(format!("{name}: `append` has to be one line of at most {APPEND_CHARS} characters")));
        }
        within(name, "cpus", self.cpus(), 1, config.max_cpus, "hosts.qemu.max_cpus")?;
        let memory = self.memory_mb();
        within(name, "memory_mb", memory, LEAST_MEMORY_MB, config.max_memory_mb, "hosts.qemu.max_memory_mb")?;
        if let Some(size) = self.disk_gb {
            within(name, "disk_gb", size, 1, config.max_disk_gb, "hosts.qemu.max_disk_gb")?;
        }
        self.check_taps()?;
        self.check_words()
    }

    fn check_taps(&self) -> Result<(), Problem> {
        let name = &self.name;
        if self.taps().len() > MAX_TAPS {
            return Err(too_many(format!("{name} has more than {MAX_TAPS} interfaces")));
        }
        for (index, tap) in self.taps().iter().enumerate() {
            match &tap.at {
                Some(at) => check_at(name, at)?,
                None if matches!(lab_names::parse(&tap.interface), Some(Parsed::Interface { .. })) => {}
                None => {
                    let message = format!("{name}: `{}` isn't the kernel's name of a lab's TAP", tap.interface);
                    return Err(
                        invalid(message).help("net::create_tap tells it as `interface`; or say `at: \"vm1:eth0\"`")
                    );
                }
            }
            if self.taps()[..index].iter().any(|other| other.is_same(tap)) {
                return Err(invalid(format!("{name}: {} stands there twice", tap.shown())));
            }
            if let Some(mac) = &tap.mac
                && !is_unicast_mac(mac)
            {
                return Err(invalid(format!("{name}: `{mac}` can't be a guest's hardware address"))
                    .help("six pairs of hex digits, the first one even: 52:54:00:12:34:56"));
            }
        }
        Ok(())
    }

    fn check_words(&self) -> Result<(), Problem> {
        let labels = self.labels.iter().flatten();
        let long = |text: &str| text.len() > LABEL_CHARS || text.chars().any(char::is_control);
        let words = labels.clone().flat_map(|(key, value)| [key, value]).chain(&self.digest);
        if words.clone().any(|word| long(word)) {
            return Err(invalid(format!(
                "{}: labels and `digest` are single lines of at most {LABEL_CHARS} bytes",
                self.name
            )));
        }
        match labels.count() > MAX_LABELS {
            true => Err(too_many(format!("{} has more than {MAX_LABELS} labels", self.name))),
            false => Ok(()),
        }
    }

    /// Processors.
    pub fn cpus(&self) -> u32 {
        self.cpus.unwrap_or(1)
    }

    /// Memory in MiB.
    pub fn memory_mb(&self) -> u32 {
        self.memory_mb.unwrap_or(DEFAULT_MEMORY_MB)
    }

    /// Its interfaces.
    pub fn taps(&self) -> &[TapSpec] {
        self.taps.as_deref().unwrap_or_default()
    }

    /// Whether it has a disk of its own.
    pub fn has_disk(&self) -> bool {
        self.disk.is_some() || self.disk_gb.is_some()
    }

    /// Whether another one has the same disk, as far as what it was made from says.
    pub fn has_disk_of(&self, other: &Self) -> bool {
        (&self.disk, self.disk_gb) == (&other.disk, other.disk_gb)
    }

    /// Whether another one is the same, whatever the kernel called its TAPs when each was looked at.
    pub fn is_same(&self, other: &Self) -> bool {
        self.lasting() == other.lasting()
    }

    /// Whether a guest that was started as one of them may go on as the other.
    pub fn runs_as(&self, other: &Self) -> bool {
        let guest = |spec: &Self| Self { labels: None, digest: None, start: None, ..spec.lasting() };
        guest(self) == guest(other)
    }

    fn lasting(&self) -> Self {
        let mut spec = self.clone();
        for tap in spec.taps.iter_mut().flatten().filter(|tap| tap.at.is_some()) {
            tap.interface.clear();
        }
        spec
    }

    /// The images that it is made of.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        [&self.disk, &self.kernel, &self.initrd].into_iter().flatten().map(String::as_str)
    }
}

impl TapSpec {
    /// As people read it.
    pub fn shown(&self) -> &str {
        self.at.as_deref().unwrap_or(&self.interface)
    }

    /// Whether both are one TAP.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.at, &other.at) {
            (Some(at), Some(other)) => at == other,
            _ => self.interface == other.interface && !self.interface.is_empty(),
        }
    }
}

/// Refuses machines of one call that would be in each other's way.
pub fn check_together(specs: &[MachineSpec]) -> Result<(), Problem> {
    if specs.len() > MAX_AT_ONCE {
        return Err(invalid(format!("one call is about {MAX_AT_ONCE} machines at most")));
    }
    for (index, spec) in specs.iter().enumerate() {
        if specs[..index].iter().any(|other| other.name == spec.name) {
            return Err(invalid(format!("the machine {} stands there twice", spec.name)));
        }
        let taken = |tap: &TapSpec| specs[..index].iter().flat_map(MachineSpec::taps).any(|other| other.is_same(tap));
        if let Some(tap) = spec.taps().iter().find(|tap| taken(tap)) {
            return Err(invalid(format!("{}: {} is another machine's already", spec.name, tap.shown())));
        }
    }
    Ok(())
}

/// Refuses what can't be a TAP's name in a lab.
fn check_at(name: &str, at: &str) -> Result<(), Problem> {
    let parts = at.split_once(':').ok_or_else(|| {
        invalid(format!("{name}: `{at}` can't be the name of a TAP")).help("a node and an interface: `vm1:eth0`")
    })?;
    check_name("node", parts.0)?;
    check_name("interface", parts.1)
}

/// Refuses names of images that lead elsewhere by themselves.
pub fn check_image(name: &str) -> Result<(), Problem> {
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    let relative = name.strip_prefix('/').unwrap_or(name);
    if name.len() <= IMAGE_CHARS && relative.split('/').all(plain) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(invalid(format!("`{}` can't be the name of an image", name.escape_debug()))
        .help("a file below a folder of `hosts.qemu.images`, without `.` and `..`: \"debian-12.qcow2\""))
}

/// Refuses tags that a snapshot can't have.
pub fn check_tag(tag: &str) -> Result<(), Problem> {
    check_name("snapshot", tag)
}

fn within(name: &str, what: &str, value: u32, least: u32, most: u32, bound: &str) -> Result<(), Problem> {
    if value < least {
        return Err(invalid(format!("{name}: `{what}` has to be at least {least}")));
    }
    if value > most {
        return Err(too_many(format!("{name}: `{what}` is {value}, and {most} is the most that is allowed"))
            .help(format!("the bound is `{bound}`")));
    }
    Ok(())
}

fn too_many(message: String) -> Problem {
    Problem::new(Code::LimitExceeded, message).no_effect()
}

fn is_unicast_mac(mac: &str) -> bool {
    let pairs: Vec<Option<u8>> = mac
        .split(':')
        .map(|pair| u8::from_str_radix(pair, 16).ok().filter(|_| pair.len() == 2 && !pair.starts_with('+')))
        .collect();
    pairs.len() == 6 && pairs.iter().all(Option::is_some) && pairs[0].is_some_and(|first| first & 1 == 0)
}
