//! Links, addresses, routes and changes to them, in words of our own: no netlink type leaves the kernel folder.

use std::{collections::HashMap, fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

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
    /// The number of a veth's other end, in the other end's place.
    pub peer: Option<u32>,
    /// Its group.
    pub group: u32,
    /// Its alias.
    pub alias: Option<String>,
    /// Its further names.
    pub altnames: Vec<String>,
    /// For a bridge.
    pub bridge: Option<BridgeSettings>,
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

/// Changes in one place, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Where.
    pub place: Place,
    /// What.
    pub changes: Vec<Change>,
}

/// One end of a veth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VethEnd {
    /// Where it is born, and stays.
    pub place: Place,
    /// Its name there.
    pub name: String,
    /// Its hardware address; else the kernel draws one.
    pub mac: Option<[u8; 6]>,
}

/// A change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Makes a bridge.
    AddBridge {
        /// Its name.
        name: String,
        /// Its group.
        group: u32,
        /// Its settings.
        settings: BridgeSettings,
    },
    /// Makes a veth; the first end comes up at birth. In the batch of the host, wherever its ends are born.
    AddVeth {
        /// Its ends.
        ends: Box<[VethEnd; 2]>,
        /// Both ends' group.
        group: u32,
        /// Both ends' MTU.
        mtu: Option<u32>,
    },
    /// Makes a TAP that stays when nobody has it open. It is marked before it stays.
    AddTap {
        /// Its name.
        name: String,
        /// Its group.
        group: u32,
        /// Its alias.
        alias: String,
        /// The user who may open it.
        owner: Option<u32>,
    },
    /// Changes a link.
    SetLink {
        /// Its name.
        name: String,
        /// What.
        set: LinkSettings,
    },
    /// Gives a link a further name, at which the kernel and its tools find it, too.
    AddAltname {
        /// Its name.
        name: String,
        /// The further one, at most 127 characters.
        altname: String,
    },
    /// Changes a bridge.
    SetBridge {
        /// Its name.
        name: String,
        /// What.
        settings: BridgeSettings,
    },
    /// Removes a link.
    DeleteLink {
        /// Its name.
        name: String,
    },
    /// Removes all links of a group in one go.
    DeleteGroup {
        /// The group.
        group: u32,
    },
    /// Gives a link an address.
    AddAddress(Address),
    /// Takes it away.
    RemoveAddress(Address),
    /// Adds a route.
    AddRoute(Route),
    /// Removes it.
    RemoveRoute(Route),
    /// Puts an impairment at a link's root, by the queueing discipline of this name.
    SetQdisc {
        /// The link.
        link: String,
        /// `netem` or `tbf`.
        kind: &'static str,
        /// What.
        impairment: Impairment,
    },
    /// Puts the default back.
    RemoveQdisc {
        /// The link.
        link: String,
    },
    /// Drops a share of what leaves a link, without a queueing discipline. 0 takes the rule away.
    SetLoss {
        /// The link.
        link: String,
        /// In millionths.
        millionths: u32,
    },
    /// Leaves the checksums of what a link sends to the hardware, or computes them. Made after the batch's other changes.
    SetOffload {
        /// The link.
        link: String,
        /// Whether the hardware does it. A veth has none.
        on: bool,
    },
    /// Forwards packets between links, or stops.
    SetForwarding(bool),
}

/// Settings of any link. `None` leaves one as it is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LinkSettings {
    /// Up or down.
    pub up: Option<bool>,
    /// Bytes.
    pub mtu: Option<u32>,
    /// The bridge it is a port of, by name; `Some(None)` takes it out.
    pub controller: Option<Option<String>>,
    /// Its alias.
    pub alias: Option<String>,
    /// Its group.
    pub group: Option<u32>,
    /// Its hardware address.
    pub mac: Option<[u8; 6]>,
}
