//! All namespaces of the twin, and what reaches over more than one of them.

use std::collections::{BTreeMap, HashSet};

use super::{
    super::{fault::Fault, types::*},
    space::Space,
};

/// A machine's networks.
pub struct World {
    host: Space,
    spaces: BTreeMap<String, Space>,
}

impl Default for World {
    fn default() -> Self {
        Self { host: Space::new(None, true), spaces: BTreeMap::new() }
    }
}

impl World {
    /// Devices of the machine, as far as they aren't there.
    pub fn assume_devices(&mut self, names: &[String]) {
        for name in names {
            // A name that can't be one is refused when it is used.
            if self.host.may_add(name).is_ok() {
                let _ = self.host.add(name, "", 0, None);
            }
        }
    }

    pub fn namespaces(&self) -> Vec<String> {
        self.spaces.keys().cloned().collect()
    }

    pub fn add_namespace(&mut self, new: &NewNamespace) -> Result<(), Fault> {
        if self.spaces.contains_key(&new.name) {
            return Err(Fault::new(libc::EEXIST, ""));
        }
        self.spaces.insert(new.name.clone(), Space::new(Some(new.alias.clone()), true));
        Ok(())
    }

    pub fn adopt_namespace(&mut self, new: &NewNamespace, identity: (u64, u64)) -> Result<(), Fault> {
        self.add_namespace(new)?;
        self.space_mut(&Place::Namespace(new.name.clone()))?.identity = Some(identity);
        Ok(())
    }

    pub fn remove_namespace(&mut self, name: &str) -> Result<(), Fault> {
        let space = self.spaces.remove(name).ok_or_else(|| Fault::new(libc::ENOENT, ""))?;
        for (place, peer) in space.peers.values() {
            if let Ok(space) = self.space_mut(place) {
                space.forget(peer);
            }
        }
        Ok(())
    }

    pub fn space(&self, place: &Place) -> Result<&Space, Fault> {
        match place {
            Place::Host => Ok(&self.host),
            Place::Namespace(name) => self.spaces.get(name).ok_or_else(|| Fault::new(libc::ENOENT, place.to_string())),
        }
    }

    fn space_mut(&mut self, place: &Place) -> Result<&mut Space, Fault> {
        match place {
            Place::Host => Ok(&mut self.host),
            Place::Namespace(name) => {
                self.spaces.get_mut(name).ok_or_else(|| Fault::new(libc::ENOENT, place.to_string()))
            }
        }
    }

    pub fn links(&self, place: &Place) -> Result<Vec<Link>, Fault> {
        let space = self.space(place)?;
        let mut links: Vec<Link> = space.links.values().cloned().collect();
        for link in links.iter_mut().filter(|link| link.kind != "bridge") {
            link.operstate = self.operstate(link, space).into();
        }
        let carried: HashSet<u32> =
            links.iter().filter(|link| link.operstate == "up").filter_map(|link| link.controller).collect();
        for link in links.iter_mut().filter(|link| link.kind == "bridge") {
            link.operstate = if link.up && carried.contains(&link.index) { "up" } else { "down" }.into();
        }
        links.iter_mut().for_each(|link| link.carrier = matches!(link.operstate.as_str(), "up" | "unknown"));
        links.sort_by_key(|link| link.index);
        Ok(links)
    }

    pub fn survey(&self, place: &Place) -> Result<Survey, Fault> {
        let space = self.space(place)?;
        Ok(Survey {
            links: self.links(place)?,
            checksum_offload: space.offload.clone().into_iter().collect(),
            addresses: space.addresses.clone(),
            routes: space.routes.clone(),
            qdiscs: space.qdiscs.values().cloned().collect(),
            forwarding: (space.forwarding, Some(space.forwarding)),
        })
    }

    /// Of any link but a bridge, whose state follows from its ports'.
    fn operstate(&self, link: &Link, space: &Space) -> &'static str {
        match link.kind.as_str() {
            "veth" => {
                let peer = space.peers.get(&link.name);
                let peer = peer.and_then(|(place, name)| self.space(place).ok()?.links.get(name));
                match (link.up, peer.is_some_and(|peer| peer.up)) {
                    (true, true) => "up",
                    (true, false) => "lower_layer_down",
                    (false, _) => "down",
                }
            }
            "tun" => "down",
            _ if link.up => "unknown",
            _ => "down",
        }
    }

    pub fn apply(&mut self, place: &Place, change: &Change) -> Result<(), Fault> {
        match change {
            Change::AddVeth { ends, group, mtu } => return self.add_veth(ends, *group, *mtu),
            Change::AddMacvlan { end, device, group, mtu, .. } => {
                let index = self.space_mut(place)?.link(device)?.index;
                let space = self.space_mut(&end.place)?;
                space.may_add(&end.name)?;
                space.add(&end.name, "macvlan", *group, *mtu)?;
                let link = space.link(&end.name)?;
                link.peer = Some(index);
                link.mac = end.mac.map_or_else(|| link.mac.clone(), mac_text);
                return Ok(());
            }
            Change::DeleteLink { name } => return self.delete(place, name),
            Change::DeleteGroup { group } => return self.delete_group(place, *group),
            _ => {}
        }
        let space = self.space_mut(place)?;
        match change {
            Change::AddBridge { name, group, settings, mac } => {
                space.may_add(name)?;
                space.add(name, "bridge", *group, None)?;
                if let Some(mac) = mac {
                    space.link(name)?.mac = mac_text(*mac);
                }
                let settings = with_defaults(
                    settings.clone(),
                    BridgeSettings {
                        stp: Some(false),
                        ageing_time_s: Some(300),
                        group_fwd_mask: Some(0),
                        vlan_filtering: Some(false),
                    },
                );
                space.link(name)?.bridge = Some(settings);
            }
            Change::AddVxlan { name, group, vxlan, mac } => {
                let device = vxlan.device.as_ref().map(|device| Ok(space.link(device)?.index)).transpose()?;
                space.may_add(name)?;
                let same = |other: &Vxlan| (other.id, other.port) == (vxlan.id, vxlan.port);
                if space.links.values().any(|link| link.vxlan.as_ref().is_some_and(same)) {
                    return Err(Fault::new(libc::EEXIST, ""));
                }
                space.add(name, "vxlan", *group, None)?;
                let link = space.link(name)?;
                (link.mac, link.peer, link.vxlan) = (mac_text(*mac), device, Some(vxlan.clone()));
            }
            Change::AddTap { name, group, alias, .. } => {
                if name.len() > 15 {
                    return Err(Fault::new(libc::EINVAL, ""));
                }
                space.may_add(name)?;
                space.add(name, "tun", *group, None)?;
                space.link(name)?.alias = Some(alias.clone());
            }
            Change::SetLink { name, set } => space.set(name, set)?,
            Change::KeepFromIpv6 { name, .. } => drop(space.link(name)?),
            Change::AddAltname { name, altname } => {
                let taken = |link: &Link| link.name == *altname || link.altnames.contains(altname);
                if space.links.values().any(taken) {
                    return Err(Fault::new(libc::EEXIST, ""));
                }
                space.link(name)?.altnames.push(altname.clone());
            }
            Change::SetBridge { name, settings } => {
                let link = space.link(name)?;
                let shown = link.bridge.take().ok_or_else(|| Fault::new(libc::EOPNOTSUPP, ""))?;
                link.bridge = Some(with_defaults(settings.clone(), shown));
            }
            Change::AddAddress(address) => space.add_address(address)?,
            Change::RemoveAddress(address) => space.remove_address(address)?,
            Change::AddRoute(route) => space.add_route(route)?,
            Change::RemoveRoute(route) => space.remove_route(route)?,
            Change::SetQdisc { link, kind, impairment } => {
                space.link(link)?;
                let qdisc = Qdisc { link: link.clone(), kind: (*kind).into(), root: true, impairment: *impairment };
                space.qdiscs.insert(link.clone(), qdisc);
            }
            Change::RemoveQdisc { link } => {
                space.link(link)?;
                space.qdiscs.remove(link).ok_or_else(|| Fault::new(libc::ENOENT, ""))?;
            }
            Change::SetLoss { link, .. } => drop(space.link(link)?),
            Change::SetOffload { link, on } => {
                space.link(link)?;
                space.offload.insert(link.clone(), *on);
            }
            Change::SetForwarding(on) => space.forwarding = *on,
            Change::AddMacvlan { .. }
            | Change::AddVeth { .. }
            | Change::DeleteLink { .. }
            | Change::DeleteGroup { .. } => {}
        }
        Ok(())
    }

    fn add_veth(&mut self, ends: &[VethEnd; 2], group: u32, mtu: Option<u32>) -> Result<(), Fault> {
        for end in ends {
            self.space(&end.place)?;
        }
        for end in ends {
            self.space(&end.place)?.may_add(&end.name)?;
        }
        if ends[0].place == ends[1].place && ends[0].name == ends[1].name {
            return Err(Fault::new(libc::EEXIST, ""));
        }
        let mut indexes = [0; 2];
        for (end, index) in ends.iter().zip(&mut indexes) {
            *index = self.space_mut(&end.place)?.add(&end.name, "veth", group, mtu)?;
        }
        for (mine, other) in [(0, 1), (1, 0)] {
            let space = self.space_mut(&ends[mine].place)?;
            space.peers.insert(ends[mine].name.clone(), (ends[other].place.clone(), ends[other].name.clone()));
            let link = space.link(&ends[mine].name)?;
            link.peer = Some(indexes[other]);
            space.offload.insert(ends[mine].name.clone(), true);
            let link = space.link(&ends[mine].name)?;
            link.up = mine == 0;
            if let Some(mac) = ends[mine].mac {
                link.mac = mac_text(mac);
            }
        }
        Ok(())
    }

    fn delete(&mut self, place: &Place, name: &str) -> Result<(), Fault> {
        let space = self.space_mut(place)?;
        if space.link(name)?.kind.is_empty() {
            return Err(Fault::new(libc::EOPNOTSUPP, ""));
        }
        let peer = space.peers.get(name).cloned();
        space.forget(name);
        if let Some((place, name)) = peer {
            self.space_mut(&place)?.forget(&name);
        }
        Ok(())
    }

    fn delete_group(&mut self, place: &Place, group: u32) -> Result<(), Fault> {
        let links = self.space(place)?.links.values();
        let names: Vec<String> = links.filter(|link| link.group == group).map(|link| link.name.clone()).collect();
        if names.is_empty() {
            return Err(Fault::new(libc::ENODEV, ""));
        }
        for name in names {
            // The other end of a veth may have been of the same group.
            match self.delete(place, &name) {
                Err(fault) if fault.errno != libc::ENODEV => return Err(fault),
                _ => {}
            }
        }
        Ok(())
    }
}

fn with_defaults(settings: BridgeSettings, shown: BridgeSettings) -> BridgeSettings {
    BridgeSettings {
        stp: settings.stp.or(shown.stp),
        ageing_time_s: settings.ageing_time_s.or(shown.ageing_time_s),
        group_fwd_mask: settings.group_fwd_mask.or(shown.group_fwd_mask),
        vlan_filtering: settings.vlan_filtering.or(shown.vlan_filtering),
    }
}
