//! What scripts ask for: the shapes of the arguments, read strictly (an unknown key is an error).

use std::net::IpAddr;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use windlass_model::{Code, Problem};

use super::types::{BridgeSettings, MacvlanMode, Prefix, Route};
use crate::lab_names::check_name;

/// Things to make, in the order in which they are made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    pub namespaces: Vec<NamespaceSpec>,
    pub bridges: Vec<BridgeSpec>,
    pub taps: Vec<TapSpec>,
    pub links: Vec<LinkSpec>,
    pub vxlans: Vec<VxlanSpec>,
    pub devices: Vec<DeviceSpec>,
    pub macvlans: Vec<MacvlanSpec>,
    pub addresses: Vec<AddressSpec>,
    pub routes: Vec<RouteSpec>,
    pub forwarding: Vec<String>,
}

/// `"r1"` or `#{ name: "r1" }`.
#[derive(Clone, Debug)]
pub struct NamespaceSpec {
    pub name: String,
}

/// `"lan1"`, or `#{ name, stp, ageing_time_s, group_fwd_mask, vlan_filtering, mtu }`.
#[derive(Clone, Debug)]
pub struct BridgeSpec {
    pub name: String,
    pub mtu: Option<u32>,
    pub settings: BridgeSettings,
}

/// `#{ at: "vm1:eth0", bridge, mtu, mac, owner_uid, up }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapSpec {
    pub at: At,
    pub bridge: Option<String>,
    pub mtu: Option<u32>,
    #[serde(default, deserialize_with = "optional_mac")]
    pub mac: Option<[u8; 6]>,
    pub owner_uid: Option<u32>,
    #[serde(default = "yes")]
    pub up: bool,
}

/// `#{ a: end, b: end, mtu }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSpec {
    pub a: EndSpec,
    pub b: EndSpec,
    pub mtu: Option<u32>,
}

/// `"r1:eth0"`, `"lan1"`, or `#{ at: "r1:eth0", addresses: […], mac }`, `#{ bridge: "lan1" }`, `#{}` for a bare end on the host.
#[derive(Clone, Debug, Default)]
pub struct EndSpec {
    pub at: Option<At>,
    pub bridge: Option<String>,
    pub addresses: Vec<Prefix>,
    pub mac: Option<[u8; 6]>,
}

/// `#{ name: "wan", id: 100, remote: "192.0.2.2", local, device, port, bridge, mtu }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VxlanSpec {
    #[serde(deserialize_with = "vxlan_name")]
    pub name: String,
    pub id: u32,
    pub remote: IpAddr,
    pub local: Option<IpAddr>,
    pub device: Option<String>,
    #[serde(default = "vxlan_port")]
    pub port: u16,
    pub bridge: Option<String>,
    pub mtu: Option<u32>,
}

/// `#{ device: "eth1", bridge: "lan1" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceSpec {
    pub device: String,
    pub bridge: String,
}

/// `#{ at: "r1:ext0", device: "eth1", mode, addresses, mac, mtu }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MacvlanSpec {
    pub at: At,
    pub device: String,
    #[serde(default)]
    pub mode: MacvlanMode,
    #[serde(default)]
    pub addresses: Vec<Prefix>,
    #[serde(default, deserialize_with = "optional_mac")]
    pub mac: Option<[u8; 6]>,
    pub mtu: Option<u32>,
}

/// `#{ at: "r1:eth0", address: "10.0.0.1/24" }`, or `at: "lan1"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressSpec {
    pub at: Spot,
    pub address: Prefix,
}

/// `#{ namespace: "r1", to: "default", via, dev, metric }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    #[serde(default)]
    pub namespace: String,
    pub to: String,
    pub via: Option<IpAddr>,
    pub dev: Option<String>,
    #[serde(default)]
    pub metric: u32,
}

/// What has addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// An interface of a node.
    Interface(At),
    /// A bridge or a VXLAN, on the host.
    Link(String),
}

impl Spot {
    /// The node that has it.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Interface(at) => Some(&at.node),
            Self::Link(_) => None,
        }
    }
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interface(at) => at.fmt(f),
            Self::Link(name) => f.write_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Spot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let spot = match text.contains(':') {
            true => At::parse(&text).map(Self::Interface),
            false => check_name("bridge", &text).map(|()| Self::Link(text)),
        };
        spot.map_err(serde::de::Error::custom)
    }
}

/// An interface of a node: `r1:eth0`; with `@host`, the end of its link that is on the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At {
    pub node: String,
    pub interface: String,
    pub host_side: bool,
}

impl At {
    /// Reads `r1:eth0` or `r1:eth0@host`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let (name, host_side) = match text.strip_suffix("@host") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let Some((node, interface)) = name.split_once(':') else {
            return Err(invalid(format!("`{text}` isn't an interface")).help(
                "write the node and its interface, such as `r1:eth0`; `r1:eth0@host` is the other end, on the host",
            ));
        };
        check_name("node", node)?;
        let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b'@' | b'%');
        if interface.is_empty() || interface.len() > 15 || !interface.bytes().all(allowed) || interface.starts_with('.')
        {
            return Err(invalid(format!("`{interface}` can't be the name of an interface"))
                .help("use 1 to 15 letters, digits and hyphens, such as `eth0`"));
        }
        Ok(Self { node: node.to_owned(), interface: interface.to_owned(), host_side })
    }

    /// As it stands in marks of links between namespaces: this end, and then the other.
    pub fn between(&self, other: &Self) -> String {
        format!("{}:{}", self.link_name(), other.link_name())
    }

    /// The other end, if a mark's name tells one.
    pub fn other_of(name: &str) -> Option<Self> {
        // Neither nodes nor interfaces have a colon in their names.
        let (_, other) = name.split_once(':')?.1.split_once(':')?;
        Self::parse(other).ok()
    }

    /// As it stands in marks: the same for both ends.
    pub fn link_name(&self) -> String {
        format!("{}:{}", self.node, self.interface)
    }
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}{}", self.node, self.interface, if self.host_side { "@host" } else { "" })
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        At::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl RouteSpec {
    /// The route itself.
    pub fn route(&self) -> Result<Route, Problem> {
        let v6 = self.via.is_some_and(|via| via.is_ipv6());
        let to = match self.to.as_str() {
            "default" => Prefix::default_of(v6),
            text => text.parse::<Prefix>().map_err(invalid)?,
        };
        if to.network() != to {
            return Err(invalid(format!("the route to {to} has host bits set")).help(format!("write {}", to.network())));
        }
        if self.via.is_some_and(|via| via.is_ipv4() != to.address.is_ipv4()) {
            return Err(invalid(format!("the route to {to} has a gateway of the other address family")));
        }
        if self.via.is_none() && self.dev.is_none() {
            return Err(invalid(format!("the route to {to} needs `via` or `dev`")));
        }
        Ok(Route { to, via: self.via, dev: self.dev.clone(), metric: self.metric })
    }
}

impl<'de> Deserialize<'de> for NamespaceSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            name: String,
        }
        let name = match Value::deserialize(deserializer)? {
            Value::String(name) => name,
            value => Long::deserialize(value).map_err(serde::de::Error::custom)?.name,
        };
        check_name("namespace", &name).map_err(serde::de::Error::custom)?;
        Ok(Self { name })
    }
}

impl<'de> Deserialize<'de> for BridgeSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            name: String,
            mtu: Option<u32>,
            stp: Option<bool>,
            ageing_time_s: Option<u32>,
            group_fwd_mask: Option<u16>,
            vlan_filtering: Option<bool>,
        }
        let spec = match Value::deserialize(deserializer)? {
            Value::String(name) => Self { name, mtu: None, settings: BridgeSettings::default() },
            value => {
                let long = Long::deserialize(value).map_err(serde::de::Error::custom)?;
                let settings = BridgeSettings {
                    stp: long.stp,
                    ageing_time_s: long.ageing_time_s,
                    group_fwd_mask: long.group_fwd_mask,
                    vlan_filtering: long.vlan_filtering,
                };
                Self { name: long.name, mtu: long.mtu, settings }
            }
        };
        check_name("bridge", &spec.name).map_err(serde::de::Error::custom)?;
        Ok(spec)
    }
}

impl<'de> Deserialize<'de> for EndSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            at: Option<At>,
            bridge: Option<String>,
            #[serde(default)]
            addresses: Vec<Prefix>,
            #[serde(default, deserialize_with = "optional_mac")]
            mac: Option<[u8; 6]>,
        }
        Ok(match Value::deserialize(deserializer)? {
            Value::String(text) if text.contains(':') => {
                Self { at: Some(At::parse(&text).map_err(serde::de::Error::custom)?), ..Self::default() }
            }
            Value::String(bridge) => Self { bridge: Some(bridge), ..Self::default() },
            value => {
                let long = Long::deserialize(value).map_err(serde::de::Error::custom)?;
                if long.at.is_some() && long.bridge.is_some() {
                    return Err(serde::de::Error::custom(
                        "an end is `at` an interface of a node, or on a `bridge`, not both",
                    ));
                }
                Self { at: long.at, bridge: long.bridge, addresses: long.addresses, mac: long.mac }
            }
        })
    }
}

/// Reads `02:00:00:00:00:01`.
pub fn parse_mac(text: &str) -> Result<[u8; 6], String> {
    let bad = || format!("`{text}` isn't a hardware address such as 02:00:00:00:00:01");
    let mut mac = [0; 6];
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() != 6 {
        return Err(bad());
    }
    for (byte, part) in mac.iter_mut().zip(parts) {
        *byte = Some(part)
            .filter(|part| part.len() == 2)
            .and_then(|part| u8::from_str_radix(part, 16).ok())
            .ok_or_else(bad)?;
    }
    Ok(mac)
}

/// An argument that makes no sense; nothing was done.
pub fn invalid(message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidArgument, message).no_effect()
}

fn optional_mac<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 6]>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse_mac(&text).map_err(serde::de::Error::custom)).transpose()
}

fn vxlan_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    check_name("VXLAN", &name).map_err(serde::de::Error::custom)?;
    Ok(name)
}

/// The one that IANA has given to VXLAN.
fn vxlan_port() -> u16 {
    4_789
}

fn yes() -> bool {
    true
}
