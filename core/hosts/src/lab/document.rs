//! A lab's document in its normal form: everything expanded, in a stable order, with what was left out filled in.

use std::{collections::BTreeMap, fmt};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "schema.json says what each field means, for people")]
pub struct Document {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Node>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drills: Vec<Drill>,
}

/// Nodes that belong together. Its defaults have gone into them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct Group {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// What a network is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "schema.json says it")]
pub enum NetworkKind {
    #[default]
    Bridge,
    Vxlan,
    Device,
}

/// What several nodes are connected to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct Network {
    pub name: String,
    #[serde(default)]
    pub kind: NetworkKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stp: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ageing_time_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_fwd_mask: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan_filtering: Option<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpNet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vxlan: Option<Vxlan>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// How a network reaches other machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct Vxlan {
    pub id: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// Where something is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct Position {
    pub x: f64,
    pub y: f64,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "schema.json says it")]
pub enum NodeKind {
    Namespace,
    Container,
    Machine,
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespace => "namespace",
            Self::Container => "container",
            Self::Machine => "machine",
        })
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct Node {
    pub name: String,
    pub kind: NodeKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forwarding: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub startup: Vec<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consoles: Option<Value>,
    /// What its kind takes: image, command, files, … as the modules that make it take them.
    #[serde(flatten)]
    pub own: Map<String, Value>,
}

/// Keys of a node that only some kinds have.
pub const OF_KIND: &[(&str, &[NodeKind])] = &[
    ("image", &[NodeKind::Container]),
    ("command", &[NodeKind::Container]),
    ("entrypoint", &[NodeKind::Container]),
    ("env", &[NodeKind::Container]),
    ("hostname", &[NodeKind::Container]),
    ("cpus", &[NodeKind::Container, NodeKind::Machine]),
    ("memory_mb", &[NodeKind::Container, NodeKind::Machine]),
    ("pids", &[NodeKind::Container]),
    ("files", &[NodeKind::Container]),
    ("capabilities", &[NodeKind::Container]),
    ("sysctls", &[NodeKind::Namespace, NodeKind::Container]),
    ("ports", &[NodeKind::Container]),
    ("management", &[NodeKind::Container]),
    ("mounts", &[NodeKind::Container]),
    ("health", &[NodeKind::Container]),
    ("restart", &[NodeKind::Container]),
    ("disk", &[NodeKind::Machine]),
    ("disk_gb", &[NodeKind::Machine]),
    ("kernel", &[NodeKind::Machine]),
    ("initrd", &[NodeKind::Machine]),
    ("append", &[NodeKind::Machine]),
    ("seed", &[NodeKind::Machine]),
    ("vnc", &[NodeKind::Machine]),
    ("accelerator", &[NodeKind::Machine]),
];

/// A route of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct Route {
    pub to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub metric: u32,
}

/// What is waited for after a node's start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct Ready {
    #[serde(default = "two_minutes")]
    pub within: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}

/// A cable. Its first end is on a node; a network is the second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct Link {
    pub endpoints: [End; 2],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    #[serde(default)]
    pub state: LinkState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impairment: Option<Impairment>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Whether a cable is plugged in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "schema.json says it")]
pub enum LinkState {
    #[default]
    Up,
    Down,
}

/// An end of a cable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct End {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpNet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impairment: Option<Impairment>,
}

/// An interface of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct At {
    pub node: String,
    pub interface: String,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.node, self.interface)
    }
}

impl Serialize for At {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (node, interface) = text
            .split_once(':')
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` isn't an interface such as `r1:eth0`")))?;
        Ok(Self { node: node.to_owned(), interface: interface.to_owned() })
    }
}

/// Milliseconds and percent are set and read as exactly as this: nftables counts a millionth of all packets.
const STEP: f64 = 0.000_1;

/// What is done to packets that leave an end. 0 leaves a property alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct Impairment {
    #[serde(skip_serializing_if = "is_none")]
    pub delay_ms: f64,
    #[serde(skip_serializing_if = "is_none")]
    pub jitter_ms: f64,
    #[serde(skip_serializing_if = "is_none")]
    pub loss_percent: f64,
    #[serde(skip_serializing_if = "is_none")]
    pub duplicate_percent: f64,
    #[serde(skip_serializing_if = "is_zero_64")]
    pub rate_kbit: u64,
}

impl Impairment {
    /// Whether nothing is done.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a kernel shows this for that: it counts time and shares in steps of its own.
    pub fn is_about(&self, shown: &Self) -> bool {
        // A thousandth, or the smallest step that anything here counts in; but something is never about nothing.
        let near = |a: f64, b: f64| ((a > STEP / 2.0) == (b > STEP / 2.0)) && (a - b).abs() <= STEP + a.abs() * 0.001;
        near(self.delay_ms, shown.delay_ms)
            && near(self.jitter_ms, shown.jitter_ms)
            && near(self.loss_percent, shown.loss_percent)
            && near(self.duplicate_percent, shown.duplicate_percent)
            && (self.rate_kbit == 0) == (shown.rate_kbit == 0)
            && self.rate_kbit.abs_diff(shown.rate_kbit) <= 1
    }
}

/// What has to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct Check {
    pub name: String,
    pub from: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<Vec<String>>,
    #[serde(default = "yes")]
    pub answers: bool,
    #[serde(default)]
    pub code: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    pub within: String,
}

/// A link that is pulled while packets flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "schema.json says it")]
pub struct Drill {
    pub name: String,
    pub at: At,
    pub from: String,
    pub ping: String,
    pub seconds: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u32>,
}

impl Document {
    /// A node by its name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// A network by its name.
    pub fn network(&self, name: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == name)
    }

    /// The first address of a node, in the order of its links.
    pub fn address_of(&self, node: &str) -> Option<IpNet> {
        let ends = self.links.iter().flat_map(|link| &link.endpoints);
        let own = ends.filter(|end| end.at.as_ref().is_some_and(|at| at.node == node));
        own.flat_map(|end| end.addresses.iter().copied()).next()
    }
}

impl Link {
    /// Its name: its first end's.
    pub fn name(&self) -> String {
        self.endpoints[0].at.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// What is done to packets that leave this end.
    pub fn impairment_of(&self, end: usize) -> Impairment {
        self.endpoints[end].impairment.or(self.impairment).unwrap_or_default()
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_zero_64(number: &u64) -> bool {
    *number == 0
}

fn is_none(number: &f64) -> bool {
    *number == 0.0
}

fn yes() -> bool {
    true
}

fn two_minutes() -> String {
    "2m".into()
}
