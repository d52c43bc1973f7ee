//! `[hosts.docker]`: where the daemon is, which images nodes may run, and how much one may have.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem};
use windlass_script::permission::covers;

use crate::owner::may_use;

/// `[hosts.docker]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The daemon's socket.
    pub socket: PathBuf,
    /// Images that nodes may run, with `*` (`frr:*`, `registry.example.net/lab/*`). A run needs a grant besides.
    pub images: Vec<String>,
    /// The image of the container that holds a node's network namespace. The default is made on this machine when it is missing;
    /// another one has to be there, and its program has to wait; name it by digest. No script may name it.
    pub pause_image: String,
    /// What nodes of trusted organisations may have beyond what Docker gives every container. None of it is harmless: containers
    /// have no user namespace of their own, so that `NET_ADMIN` reaches whatever namespace an interface of the node leads to, the
    /// machine's own among them. `SYS_ADMIN` and others come near to giving them the machine.
    pub capabilities: Vec<String>,
    /// Organisations beside the platform that may have those capabilities, `ports`, `management` and `mounts`; `*` is all of them. Their
    /// programs and shells in namespaces rule the networks there.
    pub trusted: Vec<String>,
    /// Folders of archives that images may be loaded and imported from.
    pub folders: Vec<PathBuf>,
    /// Folders of this machine that nodes may be given (`mounts`), by what scripts call them: a lab gets its own part of each,
    /// `ORGANISATION/LAB` in it.
    pub mounts: BTreeMap<String, Folder>,
    /// The ports of this machine that nodes may publish theirs at, the first and the last.
    pub ports: String,
    /// The address of this machine that nodes' ports are published at.
    pub publish_at: String,
    /// How much a node has that doesn't say, and may have at most.
    pub limits: Limits,
}

/// A folder of this machine that nodes may be given: to read, unless it says that they may write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Folder {
    /// `"/folder"`.
    Read(PathBuf),
    /// `{ path = "/folder", writable = true }`.
    Told(ToldFolder),
}

/// A folder that says whether nodes may write in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldFolder {
    /// Where it is.
    pub path: PathBuf,
    /// Whether nodes may write in it.
    #[serde(default)]
    pub writable: bool,
}

impl Folder {
    /// Where it is.
    pub fn path(&self) -> &PathBuf {
        match self {
            Self::Read(path) => path,
            Self::Told(told) => &told.path,
        }
    }

    /// Whether nodes may write in it.
    pub fn is_writable(&self) -> bool {
        matches!(self, Self::Told(told) if told.writable)
    }
}

/// How much a node has that doesn't say, and may have at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Processors of a node that doesn't say.
    pub cpus: f64,
    /// Most processors of one node.
    pub cpus_max: f64,
    /// Memory of a node that doesn't say, in MiB.
    pub memory_mb: u64,
    /// Most memory of one node, in MiB.
    pub memory_mb_max: u64,
    /// Processes of a node that doesn't say.
    pub pids: u64,
    /// Most processes of one node.
    pub pids_max: u64,
    /// Most nodes of one lab.
    pub nodes: usize,
}

/// Those below are for services of the machine.
const LEAST_PORT: u16 = 1_024;
/// What the image of pause containers is called when nobody says.
pub const PAUSE_IMAGE: &str = "windlass/pause:1";

/// What the names of images of our own begin with: no script may name them.
pub const RESERVED: &str = "windlass/";

impl Default for Config {
    fn default() -> Self {
        Self {
            socket: "/var/run/docker.sock".into(),
            images: vec!["*".into()],
            pause_image: PAUSE_IMAGE.into(),
            trusted: Vec::new(),
            capabilities: ["NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE", "NET_BROADCAST"].map(str::to_owned).into(),
            folders: Vec::new(),
            mounts: BTreeMap::new(),
            ports: "20000-29999".into(),
            publish_at: "127.0.0.1".into(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { cpus: 1.0, cpus_max: 4.0, memory_mb: 512, memory_mb_max: 8_192, pids: 512, pids_max: 8_192, nodes: 500 }
    }
}

impl Config {
    /// Refuses what can't be meant.
    pub fn check(&self) -> Result<(), Problem> {
        let wrong = |what: String| Err(Problem::new(Code::Configuration, format!("hosts.docker.{what}")));
        if !self.socket.is_absolute() {
            return wrong(format!("socket: {} isn't an absolute path", self.socket.display()));
        }
        if self.publish_at.parse::<std::net::IpAddr>().is_err() {
            return wrong(format!("publish_at: `{}` isn't an address", self.publish_at));
        }
        if let Some(folder) =
            self.folders.iter().chain(self.mounts.values().map(Folder::path)).find(|folder| !folder.is_absolute())
        {
            return wrong(format!("folders, mounts: {} isn't an absolute path", folder.display()));
        }
        if self.port_range().is_none() {
            return wrong(format!("ports: `{}` isn't a range from {LEAST_PORT} on, such as `20000-29999`", self.ports));
        }
        let limits = &self.limits;
        let fits = limits.cpus > 0.0
            && limits.cpus <= limits.cpus_max
            && (6..=limits.memory_mb_max).contains(&limits.memory_mb)
            && (1..=limits.pids_max).contains(&limits.pids);
        if fits {
            Ok(())
        } else {
            wrong("limits: what a node has must be more than nothing and no more than its maximum".into())
        }
    }

    /// The first and the last port that may be published.
    pub fn port_range(&self) -> Option<std::ops::RangeInclusive<u16>> {
        let (first, last) = self.ports.split_once('-')?;
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (LEAST_PORT <= first && first <= last).then_some(first..=last)
    }

    /// Whether runs of this organisation may have what reaches beyond a node.
    pub fn trusts(&self, organisation: &str) -> bool {
        may_use(&self.trusted, organisation)
    }

    /// Whether an image is one of our own: what runs in the namespaces of every lab. No script may name it.
    pub fn reserves(&self, image: &str) -> bool {
        let plain = short_name(image);
        plain.starts_with(RESERVED) || plain == short_name(&self.pause_image)
    }

    /// Whether nodes may run this image at all.
    pub fn allows_image(&self, image: &str) -> bool {
        self.images.iter().any(|pattern| covers(&format!("image:{pattern}"), "image", image))
    }
}

/// An image's name as short as it can be said, with its tag: Docker takes several names for the same.
fn short_name(image: &str) -> String {
    let name = image.to_ascii_lowercase();
    let mut short = name.as_str();
    for prefix in ["docker.io/", "index.docker.io/", "registry-1.docker.io/", "library/"] {
        short = short.strip_prefix(prefix).unwrap_or(short);
    }
    let last = short.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { short.to_owned() } else { format!("{short}:latest") }
}
