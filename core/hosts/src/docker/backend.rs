//! What the lab logic asks of a container engine. Two have it: a Docker daemon, and its twin in memory for rehearsals.

use std::{collections::BTreeMap, os::fd::OwnedFd, path::PathBuf};

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::fault::Fault;

/// What a call comes to.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Fault>>;

/// Takes what a long transfer says of its progress.
pub type Tell<'a> = &'a (dyn Fn(&str) + Sync);

/// A container engine. Containers are named by their id or by their name.
pub trait Backend: Send + Sync {
    /// What the engine says of itself; fails if it is too old.
    fn info(&self) -> Answer<'_, Value>;

    /// All containers that carry these labels, running or not.
    fn containers<'a>(&'a self, labels: &'a [(String, String)]) -> Answer<'a, Vec<Container>>;

    /// One container in full; `None` if there is none.
    fn inspect<'a>(&'a self, container: &'a str) -> Answer<'a, Option<Container>>;

    /// Makes a container; its id.
    fn create<'a>(&'a self, new: &'a NewContainer) -> Answer<'a, String>;

    /// Starts it; one that runs is started already.
    fn start<'a>(&'a self, container: &'a str) -> Answer<'a, ()>;

    /// Stops it: asked to, and killed after so many seconds. One that doesn't run is stopped already.
    fn stop<'a>(&'a self, container: &'a str, timeout_s: u32) -> Answer<'a, ()>;

    /// Removes it with its volumes, running or not. One that isn't there is removed already.
    fn remove<'a>(&'a self, container: &'a str) -> Answer<'a, ()>;

    /// A handle on its network namespace, of which is certain that it is this container's.
    fn netns<'a>(&'a self, container: &'a str) -> Answer<'a, OwnedFd>;

    /// Runs a program in it. `None`: its time was up, and it was killed.
    fn exec<'a>(&'a self, container: &'a str, exec: &'a Exec) -> Answer<'a, Option<Finished>>;

    /// Its last lines, at most so many bytes of them.
    fn logs<'a>(&'a self, container: &'a str, tail: u32, bytes: usize) -> Answer<'a, Vec<u8>>;

    /// Unpacks an archive in one of its folders.
    fn put<'a>(&'a self, container: &'a str, folder: &'a str, archive: Vec<u8>) -> Answer<'a, ()>;

    /// An archive of a path, at most so many bytes.
    fn get<'a>(&'a self, container: &'a str, path: &'a str, bytes: usize) -> Answer<'a, Vec<u8>>;

    /// What it uses.
    fn stats<'a>(&'a self, container: &'a str) -> Answer<'a, Value>;

    /// Waits for an event of a container; one since this time (seconds of the epoch, with a fraction) counts, too.
    fn event<'a>(&'a self, container: &'a str, events: &'a [&'a str], since: Option<String>) -> Answer<'a, Value>;

    /// An image; `None` if it isn't there.
    fn image<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Image>>;

    /// All images.
    fn images(&self) -> Answer<'_, Vec<Image>>;

    /// Fetches an image from its registry.
    fn pull<'a>(&'a self, name: &'a str, tell: Tell<'a>) -> Answer<'a, ()>;

    /// Loads an archive of images as `docker save` writes it; their names.
    fn load<'a>(&'a self, archive: Archive) -> Answer<'a, Vec<String>>;

    /// Makes an image of an archive of a root folder, with this label.
    fn import<'a>(&'a self, archive: Archive, name: &'a str, label: (&'a str, &'a str)) -> Answer<'a, ()>;

    /// Removes an image's name, and the image with its last one. One that isn't there is removed already.
    fn remove_image<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;

    /// Makes an image of a container, with this label.
    fn commit<'a>(&'a self, container: &'a str, image: &'a str, label: (&'a str, &'a str)) -> Answer<'a, ()>;

    /// The labels of a network; `None` if there is none of this name.
    fn network<'a>(&'a self, name: &'a str) -> Answer<'a, Option<BTreeMap<String, String>>>;

    /// Makes a network on this machine (a bridge) with these labels.
    fn create_network<'a>(&'a self, name: &'a str, labels: &'a [(String, String)]) -> Answer<'a, ()>;

    /// Removes a network that nothing is in. One that isn't there is removed already.
    fn remove_network<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;
}

/// Where an archive comes from.
#[derive(Debug)]
pub enum Archive {
    /// A file that was opened already.
    File(std::fs::File),
    /// Its bytes.
    Bytes(Vec<u8>),
}

/// A container as the engine shows it. A list leaves out what only `inspect` tells.
#[derive(Clone, Debug, Default)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image, as it was asked for.
    pub image: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `created`, `running`, `paused`, `restarting`, `exited`, `dead`, …
    pub state: String,
    /// Why it couldn't be started.
    pub error: String,
    /// Of its last end.
    pub exit_code: i64,
    /// When it was started last.
    pub started_at: String,
    /// `healthy`, `unhealthy`, `starting`, `none`.
    pub health: String,
    /// What its last health checks said, the latest last.
    pub health_log: Vec<HealthCheck>,
    /// The container whose network namespace it is in, by id.
    pub network_of: Option<String>,
}

impl Container {
    /// Whether a process of it is there.
    pub fn runs(&self) -> bool {
        matches!(self.state.as_str(), "running" | "paused" | "restarting")
    }
}

/// One health check.
#[derive(Clone, Debug, Default)]
pub struct HealthCheck {
    /// The exit code of the command.
    pub code: i64,
    /// What it wrote.
    pub output: String,
}

/// A container to be.
#[derive(Clone, Debug, Default)]
pub struct NewContainer {
    pub name: String,
    pub image: String,
    pub command: Option<Vec<String>>,
    pub entrypoint: Option<Vec<String>>,
    pub env: Vec<String>,
    pub hostname: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub network: Network,
    /// Host address, host port, port in the container, protocol.
    pub ports: Vec<(String, u16, u16, String)>,
    pub sysctls: BTreeMap<String, String>,
    pub capabilities: Vec<String>,
    /// Goes without `NET_RAW`, which Docker gives every container.
    pub without_raw: bool,
    pub cpus: Option<f64>,
    pub memory_bytes: Option<u64>,
    pub pids: Option<u64>,
    /// Folder of the host, path in the container, whether it may be written.
    pub mounts: Vec<(PathBuf, String, bool)>,
    pub restart: Option<String>,
    pub health: Option<Health>,
    /// Holds a namespace and does nothing: it is ended at once, keeps no log, and needs no filter of system calls.
    pub pause: bool,
}

/// Where a container's network is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// A namespace of its own with `lo` only.
    #[default]
    None,
    /// A namespace of its own, in the network of this name.
    Named(String),
    /// That of the container with this id.
    Of(String),
}

/// How a container's health is checked.
#[derive(Clone, Debug, Default)]
pub struct Health {
    pub command: Vec<String>,
    pub interval_ms: u64,
    pub timeout_ms: u64,
    pub retries: u32,
    pub start_period_ms: u64,
}

/// A program to run in a container.
#[derive(Default)]
pub struct Exec {
    pub argv: Vec<String>,
    pub env: Vec<zeroize::Zeroizing<String>>,
    pub stdin: Option<zeroize::Zeroizing<String>>,
    pub cwd: Option<String>,
    pub user: Option<String>,
    pub timeout: std::time::Duration,
    /// Most that is kept of each stream.
    pub output_bytes: usize,
}

/// What a program came to.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    pub code: i64,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub cut: bool,
}

/// An image as the engine shows it.
#[derive(Clone, Debug, Default)]
pub struct Image {
    pub id: String,
    pub names: Vec<String>,
    pub digests: Vec<String>,
    pub size: i64,
    pub architecture: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its layers, by the digest of each one's archive. A list leaves them out.
    pub layers: Vec<String>,
}
