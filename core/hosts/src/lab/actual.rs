//! What is there, as `net::describe`, `docker::nodes` and `qemu::machines` tell it. They may tell more than is read here.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

use super::document::{Document, Impairment};

/// Everything that carries the lab's mark.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Actual {
    pub(super) net: Net,
    pub(super) docker: Vec<Container>,
    pub(super) qemu: Vec<Machine>,
    /// The document that the lab was made from, if it is known and can still be read.
    #[serde(deserialize_with = "if_readable")]
    pub(super) kept: Option<Document>,
    /// What deployments have tried since that didn't end well: some of it may still be there.
    #[serde(deserialize_with = "if_readable")]
    pub(super) tried: Option<Document>,
    /// Namespaces that were made for this document a moment ago: nothing of before is in them.
    pub(super) fresh: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Net {
    pub(super) namespaces: Vec<Namespace>,
    pub(super) links: Vec<HostLink>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Namespace {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) interfaces: Vec<Interface>,
    pub(super) routes: Vec<ShownRoute>,
    pub(super) forwarding: Forwarding,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Forwarding {
    pub(super) ipv4: bool,
    pub(super) ipv6: bool,
}

/// An interface in a namespace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interface {
    pub(super) interface: String,
    pub(super) kind: String,
    pub(super) up: bool,
    pub(super) mtu: u32,
    pub(super) mac: String,
    pub(super) addresses: Vec<String>,
    /// The other end: `r2:eth0`, `r1:eth0@host`. Not known, or none of the lab's: `None`.
    pub(super) peer: Option<String>,
    pub(super) impairment: Option<Value>,
}

/// A link of the host: a bridge `lan1`, a cable's end `r1:eth0@host`, a tap `vm1:eth0`, a VXLAN `wan.vxlan`, a device of the machine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HostLink {
    pub(super) at: String,
    pub(super) interface: String,
    pub(super) kind: String,
    pub(super) up: bool,
    pub(super) mtu: u32,
    pub(super) mac: String,
    pub(super) bridge: Option<String>,
    pub(super) settings: BTreeMap<String, Value>,
    pub(super) vxlan: Option<Value>,
    /// The device's name in the kernel.
    pub(super) device: Option<String>,
    pub(super) addresses: Vec<String>,
    pub(super) impairment: Option<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
pub(super) struct ShownRoute {
    pub(super) to: String,
    pub(super) via: Option<String>,
    pub(super) dev: Option<String>,
    pub(super) metric: u32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) digest: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) digest: Option<String>,
    /// The image that its disk began as, and the disk's size.
    pub(super) disk: Option<String>,
    pub(super) disk_gb: Option<u64>,
    pub(super) taps: Vec<Attached>,
}

/// An interface of a machine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Attached {
    /// `None`: an earlier version has made it, and knows it only by what the kernel called it then.
    pub(super) at: Option<String>,
}

impl Actual {
    pub(super) fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.net.namespaces.iter().find(|space| space.name == name)
    }

    pub(super) fn host_link(&self, at: &str) -> Option<&HostLink> {
        self.net.links.iter().find(|link| link.at == at)
    }

    pub(super) fn container(&self, name: &str) -> Option<&Container> {
        self.docker.iter().find(|node| node.name == name)
    }

    pub(super) fn machine(&self, name: &str) -> Option<&Machine> {
        self.qemu.iter().find(|machine| machine.name == name)
    }
}

impl Machine {
    /// Whether it has to be told which of the lab's TAPs are its own.
    pub(super) fn knows_no_taps(&self) -> bool {
        self.taps.iter().any(|tap| tap.at.is_none())
    }
}

impl Namespace {
    pub(super) fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.interface == name)
    }
}

/// Addresses that people gave: not those that the kernel gives every link itself.
pub(super) fn given(addresses: &[String]) -> Vec<IpNet> {
    let read = addresses.iter().filter_map(|text| text.parse::<IpNet>().ok());
    read.filter(|net| !matches!(net, IpNet::V6(v6) if v6.addr().is_unicast_link_local())).collect()
}

/// What is done to packets there.
pub(super) fn impairment(shown: Option<&Value>) -> Impairment {
    let Some(Value::Object(map)) = shown else { return Impairment::default() };
    let number = |key: &str| map.get(key).and_then(Value::as_f64).unwrap_or_default();
    Impairment {
        delay_ms: number("delay_ms"),
        jitter_ms: number("jitter_ms"),
        loss_percent: number("loss_percent"),
        duplicate_percent: number("duplicate_percent"),
        rate_kbit: map.get("rate_kbit").and_then(Value::as_u64).unwrap_or_default(),
    }
}

fn if_readable<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Document>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}
