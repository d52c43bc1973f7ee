//! One namespace of the twin: its links, addresses and routes, and what the kernel says to changes of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::super::{fault::Fault, types::*};

const MTU_DEFAULT: u32 = 1_500;
const MTU_MIN: u32 = 68;
const MTU_MAX: u32 = 65_535;
const INTERFACE_CHARS: usize = 15;
const ROUTE_METRIC_V6: u32 = 1_024;

/// A namespace, or the host.
#[derive(Default)]
pub struct Space {
    pub links: BTreeMap<String, Link>,
    /// Where the other end of a veth is, by its own name.
    pub peers: BTreeMap<String, (Place, String)>,
    pub addresses: Vec<Address>,
    pub routes: Vec<Route>,
    pub qdiscs: BTreeMap<String, Qdisc>,
    pub forwarding: bool,
    pub offload: BTreeMap<String, bool>,
    /// Of the file that stands for it, if somebody else made it.
    pub identity: Option<(u64, u64)>,
    /// Bridges whose MTU was set; that of the others follows their ports.
    fixed_mtu: BTreeSet<String>,
    last_index: u32,
}

impl Space {
    /// With nothing but `lo`.
    pub fn new(alias: Option<String>, up: bool) -> Self {
        let mut space = Self { last_index: 1, ..Self::default() };
        let mac = "00:00:00:00:00:00".to_owned();
        let lo = Link { index: 1, name: "lo".into(), up, mtu: 65_536, mac, alias, ..Link::default() };
        space.links.insert("lo".into(), lo);
        space
    }

    pub fn link(&mut self, name: &str) -> Result<&mut Link, Fault> {
        self.links.get_mut(name).ok_or_else(|| Fault::new(libc::ENODEV, format!("the link {name}")))
    }

    /// Whether a link of this name could be made.
    pub fn may_add(&self, name: &str) -> Result<(), Fault> {
        if name.len() > INTERFACE_CHARS {
            return Err(Fault::new(libc::ERANGE, ""));
        }
        if self.links.contains_key(name) { Err(Fault::new(libc::EEXIST, "")) } else { Ok(()) }
    }

    pub fn add(&mut self, name: &str, kind: &str, group: u32, mtu: Option<u32>) -> Result<u32, Fault> {
        let mtu = mtu.unwrap_or(MTU_DEFAULT);
        check_mtu(mtu)?;
        self.last_index += 1;
        let mac = format!("02:00:00:00:{:02x}:{:02x}", self.last_index >> 8 & 0xff, self.last_index & 0xff);
        let (name, kind) = (name.to_owned(), kind.to_owned());
        self.links
            .insert(name.clone(), Link { index: self.last_index, name, kind, mtu, mac, group, ..Link::default() });
        Ok(self.last_index)
    }

    /// Forgets a link and everything that hangs on it.
    pub fn forget(&mut self, name: &str) {
        let Some(gone) = self.links.remove(name) else { return };
        self.links
            .values_mut()
            .filter(|link| link.controller == Some(gone.index))
            .for_each(|link| link.controller = None);
        self.peers.remove(name);
        self.addresses.retain(|address| address.link != name);
        self.routes.retain(|route| route.dev.as_deref() != Some(name));
        self.qdiscs.remove(name);
        self.offload.remove(name);
        self.fixed_mtu.remove(name);
        self.follow_ports();
    }

    /// The MTU of a bridge is its ports' smallest, unless it was set.
    fn follow_ports(&mut self) {
        let ports: Vec<(u32, u32)> =
            self.links.values().filter_map(|link| Some((link.controller?, link.mtu))).collect();
        for bridge in self.links.values_mut().filter(|link| link.kind == "bridge") {
            if !self.fixed_mtu.contains(&bridge.name) {
                let smallest = ports.iter().filter(|(index, _)| *index == bridge.index).map(|(_, mtu)| *mtu).min();
                bridge.mtu = smallest.unwrap_or(MTU_DEFAULT);
            }
        }
    }

    pub fn set(&mut self, name: &str, set: &LinkSettings) -> Result<(), Fault> {
        let controller = match &set.controller {
            None => None,
            Some(None) => Some(None),
            Some(Some(bridge)) => {
                let bridge = self.link(bridge)?;
                Some(Some((bridge.index, bridge.kind == "bridge")))
            }
        };
        let link = self.link(name)?;
        if let Some(mtu) = set.mtu {
            if name != "lo" {
                check_mtu(mtu)?;
            }
            link.mtu = mtu;
            if link.kind == "bridge" {
                self.fixed_mtu.insert(name.to_owned());
            }
        }
        let link = self.link(name)?;
        match controller {
            None => {}
            Some(None) => link.controller = None,
            Some(Some((index, true))) => link.controller = Some(index),
            Some(Some((_, false))) => return Err(Fault::new(libc::EOPNOTSUPP, "")),
        }
        if let Some(mac) = set.mac {
            link.mac = mac_text(mac);
        }
        if let Some(alias) = &set.alias {
            link.alias = Some(alias.clone()).filter(|alias| !alias.is_empty());
        }
        link.group = set.group.unwrap_or(link.group);
        link.up = set.up.unwrap_or(link.up);
        if !link.up {
            // The kernel drops routes over a link that goes down, and its IPv6 addresses.
            self.routes.retain(|route| route.dev.as_deref() != Some(name));
            self.addresses.retain(|address| address.link != name || address.prefix.address.is_ipv4());
        }
        self.follow_ports();
        Ok(())
    }

    pub fn add_address(&mut self, address: &Address) -> Result<(), Fault> {
        self.link(&address.link)?;
        if self.addresses.contains(address) {
            return Err(Fault::new(libc::EEXIST, ""));
        }
        self.addresses.push(address.clone());
        Ok(())
    }

    pub fn remove_address(&mut self, address: &Address) -> Result<(), Fault> {
        self.link(&address.link)?;
        let Some(index) = self.addresses.iter().position(|other| other == address) else {
            return Err(Fault::new(libc::EADDRNOTAVAIL, ""));
        };
        self.addresses.remove(index);
        // Gateways that were reached by this address only are gone with it.
        let lost: Vec<Route> = self.routes.iter().filter(|route| self.leaves_by(route).is_err()).cloned().collect();
        self.routes.retain(|route| !lost.contains(route));
        Ok(())
    }

    pub fn add_route(&mut self, route: &Route) -> Result<(), Fault> {
        let dev = self.leaves_by(route)?;
        let v6 = route.to.address.is_ipv6();
        let metric = if v6 && route.metric == 0 { ROUTE_METRIC_V6 } else { route.metric };
        if self.routes.iter().any(|other| other.to == route.to && other.metric == metric) {
            return Err(Fault::new(libc::EEXIST, ""));
        }
        self.routes.push(Route { dev: Some(dev), metric, ..route.clone() });
        Ok(())
    }

    pub fn remove_route(&mut self, route: &Route) -> Result<(), Fault> {
        if let Some(dev) = &route.dev {
            self.link(dev)?;
        }
        let same = |other: &Route| {
            other.to == route.to
                && (route.via.is_none() || other.via == route.via)
                && (route.dev.is_none() || other.dev == route.dev)
                && (route.metric == 0 || other.metric == route.metric)
        };
        let index = self.routes.iter().position(same).ok_or_else(|| Fault::new(libc::ESRCH, ""))?;
        self.routes.remove(index);
        Ok(())
    }

    /// The link that a route's packets leave by.
    fn leaves_by(&self, route: &Route) -> Result<String, Fault> {
        let wanted = match &route.dev {
            Some(dev) => Some(self.links.get(dev).ok_or_else(|| Fault::new(libc::ENODEV, format!("the link {dev}")))?),
            None => None,
        };
        if wanted.is_some_and(|link| !link.up) {
            return Err(Fault::new(libc::ENETDOWN, ""));
        }
        let unreachable = |gateway: IpAddr| if gateway.is_ipv4() { libc::ENETUNREACH } else { libc::EHOSTUNREACH };
        match (route.via, wanted) {
            (None, Some(link)) => Ok(link.name.clone()),
            (None, None) => Err(Fault::new(libc::ENODEV, "")),
            (Some(gateway), wanted) => {
                let is_up = |name: &str| self.links.get(name).is_some_and(|link| link.up);
                let reaches = |address: &&Address| {
                    address.prefix.contains(gateway)
                        && is_up(&address.link)
                        && wanted.is_none_or(|link| link.name == address.link)
                };
                let found = self.addresses.iter().find(reaches).map(|address| address.link.clone());
                found.ok_or_else(|| Fault::new(unreachable(gateway), ""))
            }
        }
    }
}

fn check_mtu(mtu: u32) -> Result<(), Fault> {
    if (MTU_MIN..=MTU_MAX).contains(&mtu) { Ok(()) } else { Err(Fault::new(libc::EINVAL, "")) }
}
