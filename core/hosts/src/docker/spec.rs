//! A node as scripts ask for it, read strictly, and held against what the configuration allows.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_model::{Code, Problem};

use super::{
    backend::Health,
    config::Config,
    hosts::{self, Names},
    inside::{File, check_path},
};
use crate::{lab_names::check_name, support::invalid};

const TEXT_BYTES: usize = 64 << 10;
const LIST: usize = 256;
const FILES_BYTES: usize = 8 << 20;
/// What Docker gives every container. `NET_RAW` isn't among it here: nodes of those who aren't trusted go without.
const HARMLESS: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// `#{ name, image, command, … }`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    pub name: String,
    pub image: String,
    pub command: Option<Vec<String>>,
    pub entrypoint: Option<Vec<String>>,
    #[serde(default)]
    pub env: BTreeMap<String, Value>,
    pub hostname: Option<String>,
    pub cpus: Option<f64>,
    pub memory_mb: Option<u64>,
    pub pids: Option<u64>,
    #[serde(default)]
    pub files: Vec<FileSpec>,
    #[serde(default)]
    pub capabilities: Vec<String>,
    #[serde(default)]
    pub sysctls: BTreeMap<String, Value>,
    #[serde(default)]
    pub ports: Vec<PortSpec>,
    #[serde(default)]
    pub mounts: Vec<MountSpec>,
    #[serde(default)]
    pub management: bool,
    pub health: Option<HealthSpec>,
    pub restart: Option<String>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    pub digest: Option<String>,
    pub start: Option<bool>,
}

/// `#{ path, content, mode }`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    pub path: String,
    /// Text or a secret.
    pub content: Value,
    pub mode: Option<Value>,
}

/// `#{ host, node, protocol }`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortSpec {
    pub host: u16,
    pub node: u16,
    #[serde(default = "tcp")]
    pub protocol: String,
}

/// `#{ folder, path, write }`: a folder that the configuration names.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountSpec {
    pub folder: String,
    pub path: String,
    #[serde(default)]
    pub write: bool,
}

/// `#{ command, interval_s, timeout_s, retries, start_period_s }`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthSpec {
    pub command: Vec<String>,
    pub interval_s: Option<f64>,
    pub timeout_s: Option<f64>,
    pub retries: Option<u32>,
    pub start_period_s: Option<f64>,
}

fn tcp() -> String {
    "tcp".into()
}

impl NodeSpec {
    /// Refuses what can't be, or may not be, before anything happens.
    pub fn check(&self, config: &Config, organisation: &str) -> Result<(), Problem> {
        check_name("node", &self.name)?;
        let node = &self.name;
        check_image(&self.image)?;
        if config.reserves(&self.image) {
            return Err(reserved(&self.image));
        }
        if !config.allows_image(&self.image) {
            return Err(denied(
                format!("the node {node} may not run the image {}", self.image),
                "an administrator allows it with `images` under [hosts.docker]",
            ));
        }
        let lists =
            [&self.command, &self.entrypoint].into_iter().flatten().chain(self.health.iter().map(|one| &one.command));
        for list in lists {
            if list.len() > LIST || list.iter().any(|one| one.contains('\0') || one.len() > TEXT_BYTES) {
                return Err(invalid(format!("{node}: a command has at most {LIST} arguments of 64 KiB, without NUL")));
            }
        }
        if self.health.as_ref().is_some_and(|health| health.command.is_empty()) {
            return Err(invalid(format!("{node}: `health.command` is empty")));
        }
        if self.env.len() > LIST || self.env.keys().any(|name| name.is_empty() || name.contains(['=', '\0'])) {
            return Err(invalid(format!("{node}: `env` has at most {LIST} variables; a name has no `=`")));
        }
        self.check_limits(config)?;
        self.check_trust(config, organisation)?;
        for capability in &self.capabilities {
            if !config.capabilities.iter().any(|allowed| allowed == plain(capability)) {
                return Err(denied(
                    format!("the node {node} may not have the capability {capability}"),
                    &format!(
                        "an administrator allows it with `capabilities` under [hosts.docker]; allowed are {}",
                        config.capabilities.join(", ")
                    ),
                ));
            }
        }
        for name in self.sysctls.keys() {
            let known = name.starts_with("net.")
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
            if !known {
                return Err(invalid(format!("{node}: the sysctl `{name}` isn't one of the node's own network"))
                    .help("what begins with `net.` can be set, such as `net.ipv4.ip_forward`"));
            }
        }
        for port in &self.ports {
            if port.host == 0 || port.node == 0 || !["tcp", "udp", "sctp"].contains(&port.protocol.as_str()) {
                return Err(invalid(format!("{node}: a port is `#{{ host: 8080, node: 80, protocol: \"tcp\" }}`")));
            }
        }
        let range = config.port_range();
        if let Some(port) =
            self.ports.iter().find(|port| !range.as_ref().is_some_and(|range| range.contains(&port.host)))
        {
            return Err(denied(
                format!("{node}: the port {} of this machine may not be published at", port.host),
                &format!("ports {} may be: an administrator sets it with `ports` under [hosts.docker]", config.ports),
            ));
        }
        for mount in &self.mounts {
            check_path(&mount.path)?;
            let Some(folder) = config.mounts.get(&mount.folder) else {
                return Err(denied(
                    format!("the node {node} may not have the folder `{}` of this machine", mount.folder),
                    "an administrator names folders with `mounts = { name = \"/folder\" }` under [hosts.docker]",
                ));
            };
            if mount.write && !folder.is_writable() {
                return Err(denied(
                    format!("the node {node} may not write in the folder `{}` of this machine", mount.folder),
                    "an administrator allows it with `mounts = { name = { path = \"/folder\", writable = true } }` under [hosts.docker]",
                ));
            }
        }
        if let Some(restart) = self.restart.as_deref().filter(|policy| !["no", "always", "on-failure"].contains(policy))
        {
            return Err(invalid(format!("{node}: `restart` is \"no\", \"always\" or \"on-failure\", not `{restart}`")));
        }
        if let Some(label) = self.labels.keys().find(|label| label.is_empty() || label.starts_with("windlass.")) {
            return Err(invalid(format!(
                "{node}: the label `{label}` can't be set: what begins with `windlass.` is ours"
            )));
        }
        let hostname = self.hostname.as_deref().unwrap_or("x");
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if hostname.is_empty() || hostname.len() > 63 || !hostname.bytes().all(fits) {
            return Err(invalid(format!("{node}: `{hostname}` can't be a host name")));
        }
        self.files.iter().try_for_each(|file| check_path(&file.path))
    }

    /// What reaches beyond the node is for organisations that the configuration trusts.
    fn check_trust(&self, config: &Config, organisation: &str) -> Result<(), Problem> {
        if config.trusts(organisation) {
            return Ok(());
        }
        let beyond = |capability: &&String| !HARMLESS.contains(&plain(capability));
        let asked = match self.capabilities.iter().find(beyond) {
            Some(capability) => format!("the capability {capability}"),
            None if !self.ports.is_empty() => "`ports`".into(),
            None if self.management => "`management`".into(),
            None if !self.mounts.is_empty() => "`mounts`".into(),
            None => return Ok(()),
        };
        Err(denied(
            format!(
                "the node {} may not have {asked}: the organisation `{organisation}` isn't trusted with it",
                self.name
            ),
            "it reaches beyond the node; an administrator gives it with `trusted = [\"organisation\"]` under [hosts.docker]",
        ))
    }

    fn check_limits(&self, config: &Config) -> Result<(), Problem> {
        let limits = &config.limits;
        let too_much = |what: &str, most: String| {
            let message = format!("the node {} may have at most {most} {what}", self.name);
            Err(Problem::new(Code::LimitExceeded, message)
                .help("an administrator sets it with `limits` under [hosts.docker]")
                .no_effect())
        };
        if self.cpus.is_some_and(|cpus| !(cpus > 0.0 && cpus <= limits.cpus_max)) {
            return too_much("processors, and more than none", limits.cpus_max.to_string());
        }
        if self.memory_mb.is_some_and(|mb| !(6..=limits.memory_mb_max).contains(&mb)) {
            return too_much("MiB of memory, and at least 6", limits.memory_mb_max.to_string());
        }
        if self.pids.is_some_and(|pids| !(1..=limits.pids_max).contains(&pids)) {
            return too_much("processes, and at least one", limits.pids_max.to_string());
        }
        let bytes: usize = self.files.iter().filter_map(|file| file.content.as_str()).map(str::len).sum();
        if bytes > FILES_BYTES {
            return too_much("bytes in `files`", FILES_BYTES.to_string());
        }
        Ok(())
    }

    /// Whether it is in its organisation's network.
    pub fn is_in_network(&self) -> bool {
        self.management || !self.ports.is_empty()
    }

    /// Its host name: what it says, or its own name as far as that can be one.
    pub fn hostname(&self) -> String {
        let name = self.hostname.as_deref().unwrap_or(&self.name);
        name.replace('_', "-").trim_end_matches(['-', '.']).to_owned()
    }

    /// The files, with their secrets revealed by `reveal`. A node outside Docker's networks gets the `names` from here, unless it brings
    /// its own.
    pub fn files(
        &self,
        names: &Names,
        mut reveal: impl FnMut(&Value) -> Result<zeroize::Zeroizing<String>, Problem>,
    ) -> Result<Vec<File>, Problem> {
        let hosts = (!self.is_in_network()).then(|| File::new(hosts::PATH, hosts::new(names).into(), None));
        let given = self.files.iter().map(|file| File::new(&file.path, reveal(&file.content)?, file.mode.as_ref()));
        hosts.into_iter().chain(given).collect()
    }

    /// Its health check.
    pub fn health(&self) -> Option<Health> {
        let ms = |seconds: Option<f64>, default: u64| {
            seconds.map_or(default, |seconds| (seconds.clamp(0.001, 86_400.0) * 1e3) as u64)
        };
        self.health.as_ref().map(|health| Health {
            command: health.command.clone(),
            interval_ms: ms(health.interval_s, 5_000),
            timeout_ms: ms(health.timeout_s, 5_000),
            retries: health.retries.unwrap_or(3).max(1),
            start_period_ms: health.start_period_s.map_or(0, |seconds| (seconds.clamp(0.0, 86_400.0) * 1e3) as u64),
        })
    }

    /// The capabilities as Docker names them.
    pub fn capabilities(&self) -> Vec<String> {
        self.capabilities.iter().map(|capability| plain(capability).to_owned()).collect()
    }

    /// Tells one description from another. Secrets stand in it by name.
    pub fn fingerprint(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
    }

    /// Where ports are published: this machine's address of the configuration, for all ports.
    pub fn ports(&self, config: &Config) -> Vec<(String, u16, u16, String)> {
        let at = config.publish_at.parse::<IpAddr>().map_or_else(|_| "127.0.0.1".into(), |at| at.to_string());
        self.ports.iter().map(|port| (at.clone(), port.host, port.node, port.protocol.clone())).collect()
    }
}

/// A sysctl's or a variable's value.
pub fn scalar(what: &str, value: &Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(on) => Ok(on.to_string()),
        _ => Err(invalid(format!("`{what}` has to be text or a number"))),
    }
}

/// Refuses what can't be the name of an image.
pub fn check_image(name: &str) -> Result<(), Problem> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
    let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && name.len() <= 255 && name.bytes().all(fits) && !name.contains("//") && !name.contains("..") {
        return Ok(());
    }
    Err(invalid(format!("`{name}` can't be the name of an image"))
        .help("write it as Docker does: `frr:9.1`, `registry.example.net/lab/frr:9.1`"))
}

/// The refusal of an image of our own.
pub fn reserved(image: &str) -> Problem {
    denied(
        format!("the image {image} is Windlass' own: it holds the network namespaces of all labs"),
        "use another name: `windlass/…` and `pause_image` under [hosts.docker] aren't for scripts",
    )
}

fn plain(capability: &str) -> &str {
    capability.strip_prefix("CAP_").unwrap_or(capability)
}

fn denied(message: String, help: &str) -> Problem {
    Problem::new(Code::PermissionDenied, message).help(help).no_effect()
}
