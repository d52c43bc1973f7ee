//! Links, addresses, routes and changes to them, in words of our own: no netlink type leaves the kernel folder.

use std::{collections::HashMap, fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

pub use super::change::{Batch, Change, LinkSettings, VethEnd};

/// Where a link lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// The namespace that this process runs in.
    Host,
    /// A named namespace, by its name in the kernel.
    Namespace(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("the host"),
            Self::Namespace(name) => write!(f, "namespace {name}"),
        }
    }
}

/// A namespace to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNamespace {
    /// Its name in the kernel.
    pub name: String,
    /// The alias of its `lo`.
    pub alias: String,
}

/// A link as the stack shows it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Link {
    /// Its number in its place.
    pub index: u32,
    /// Its name in its place.
    pub name: String,
    /// `veth`, `bridge`, `tun`, … or empty for what isn't made by software.
    pub kind: String,
    /// Whether it is set up.
    pub up: bool,
    /// `up`, `down`, `lower_layer_down`, `unknown`, …
    pub operstate: String,
    /// Whether the other side of the wire is there.
    pub carrier: bool,
    /// Bytes.
    pub mtu: u32,
    /// `02:00:00:00:00:01`, or empty.
    pub mac: String,
    /// The number of the bridge it is a port of.
    pub controller: Option<u32>,
    /// The number of a veth's other end, in the other end's place; of the device that a VXLAN or a macvlan is on.
    pub peer: Option<u32>,
    /// Its group.
    pub group: u32,
    /// Its alias.
    pub alias: Option<String>,
    /// Its further names.
    pub altnames: Vec<String>,
    /// For a bridge.
    pub bridge: Option<BridgeSettings>,
    /// For a VXLAN.
    pub vxlan: Option<Vxlan>,
    /// Traffic so far.
    pub counters: Counters,
}

/// All that one place shows, read in one visit.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Its links.
    pub links: Vec<Link>,
    /// Whether a link leaves checksums to the hardware, for those that can.
    pub checksum_offload: HashMap<String, bool>,
    /// As `NetBackend::addresses`.
    pub addresses: Vec<Address>,
    /// As `NetBackend::routes`.
    pub routes: Vec<Route>,
    /// As `NetBackend::qdiscs`.
    pub qdiscs: Vec<Qdisc>,
    /// As `NetBackend::forwarding`.
    pub forwarding: (bool, Option<bool>),
}

/// Settings of a bridge. `None` leaves one as it is.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BridgeSettings {
    /// Spanning tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stp: Option<bool>,
    /// Seconds after which an unused entry of the forwarding table is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ageing_time_s: Option<u32>,
    /// Which link-local frames are forwarded, a bit each (`0xfff8`: LLDP, LACP, …).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_fwd_mask: Option<u16>,
    /// Whether VLAN tags are looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan_filtering: Option<bool>,
}

impl BridgeSettings {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is set.
    pub fn names(&self) -> Vec<&'static str> {
        let all = [
            (self.stp.is_some(), "stp"),
            (self.ageing_time_s.is_some(), "ageing_time_s"),
            (self.group_fwd_mask.is_some(), "group_fwd_mask"),
            (self.vlan_filtering.is_some(), "vlan_filtering"),
        ];
        all.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).collect()
    }
}

/// What a VXLAN is: Ethernet frames of this network in UDP packets to another machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vxlan {
    /// The network identifier (VNI).
    pub id: u32,
    /// The other end.
    pub remote: Option<IpAddr>,
    /// This machine's own address; else the route to the other end decides.
    pub local: Option<IpAddr>,
    /// The device that the packets leave by; else the route decides.
    pub device: Option<String>,
    /// The UDP port of both ends.
    pub port: u16,
}

/// Whom the interfaces that share a device hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MacvlanMode {
    /// Each other, and what is behind the device.
    #[default]
    Bridge,
    /// What is behind the device only.
    Private,
    /// Each other by way of the switch behind the device.
    Vepa,
}

/// A hardware address as people write it.
pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Traffic of a link since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of ip -s link")]
pub struct Counters {
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
}

/// An address with the length of its network: `10.0.0.1/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// Bits of the network part.
    pub length: u8,
}

impl Prefix {
    /// Every address of this family.
    pub fn default_of(v6: bool) -> Self {
        let address = if v6 { IpAddr::from([0u16; 8]) } else { IpAddr::from([0u8; 4]) };
        Self { address, length: 0 }
    }

    /// The same with the host part cleared.
    pub fn network(self) -> Self {
        let address = match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.length)).unwrap_or(0);
                IpAddr::from((u32::from(v4) & mask).to_be_bytes())
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0);
                IpAddr::from((u128::from(v6) & mask).to_be_bytes())
            }
        };
        Self { address, length: self.length }
    }

    /// Whether the address is in this network.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && Self { address, length: self.length }.network() == self.network()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` isn't an address with a prefix length, such as 10.0.0.1/24 or fd00::1/64");
        let (address, length) = text.split_once('/').ok_or_else(bad)?;
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let length: u8 = length.parse().map_err(|_| bad())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if length > longest { Err(bad()) } else { Ok(Self { address, length }) }
    }
}

impl Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An address of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The link's name.
    pub link: String,
    /// The address.
    pub prefix: Prefix,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to; length 0 is the default route.
    pub to: Prefix,
    /// The gateway.
    pub via: Option<IpAddr>,
    /// The link's name.
    pub dev: Option<String>,
    /// The lower, the better; 0 is the kernel's default (1024 for IPv6).
    pub metric: u32,
}

/// A queueing discipline as the stack shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Qdisc {
    /// The link's name.
    pub link: String,
    /// `netem`, `tbf`, `noqueue`, …
    pub kind: String,
    /// Whether it is at the root.
    pub root: bool,
    /// What it does to traffic, as far as we know its kind.
    #[serde(flatten)]
    pub impairment: Impairment,
}

/// What is done to the traffic that leaves a link. 0 leaves a property alone.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Impairment {
    /// Each packet is held back for so long.
    pub delay_ms: f64,
    /// The delay varies by up to so much.
    pub jitter_ms: f64,
    /// Share of packets that are dropped, 0 to 100.
    pub loss_percent: f64,
    /// Share of packets that are sent twice, 0 to 100.
    pub duplicate_percent: f64,
    /// Share of packets in which a bit is flipped, 0 to 100.
    pub corrupt_percent: f64,
    /// Share of packets that aren't held back, and so overtake others, 0 to 100.
    pub reorder_percent: f64,
    /// Highest rate in kilobits (1,000 bits) a second.
    pub rate_kbit: u64,
}

// Its numbers come from JSON or from integers: never NaN.
impl Eq for Impairment {}

/// What can be tried, and whether it works here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// `netem`, `tbf`, `vxlan`, …
    pub name: &'static str,
    /// Whether it works.
    pub works: bool,
}

impl Impairment {
    /// Whether it does nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
