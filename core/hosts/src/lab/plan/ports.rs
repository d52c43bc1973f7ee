//! What joins networks to other machines: VXLANs and devices that are missing, differ or go.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::{Value, json};

use super::{Action, Comparison};
use crate::lab::{
    actual::HostLink,
    document::{Network, NetworkKind},
    spec,
};

impl Comparison<'_> {
    pub(super) fn ports(&mut self) {
        let (document, actual) = (self.document, self.actual);
        let mut wanted = BTreeSet::new();
        for network in &document.networks {
            match network.kind {
                NetworkKind::Bridge => {}
                NetworkKind::Vxlan => wanted.extend(self.vxlan(network)),
                NetworkKind::Device => wanted.extend(self.device(network)),
            }
        }
        for gone in actual.net.links.iter().filter(|link| !wanted.contains(&link.at)) {
            if let Some(device) = &gone.device {
                self.differs(Action::Remove, "device", device, "the document doesn't have it");
                self.plan.remove.devices.push(device_of(device, gone));
            } else if gone.vxlan.is_some() {
                self.differs(Action::Remove, "vxlan", &gone.at, "the document doesn't have it");
                self.plan.remove.vxlans.push(vxlan_of(gone));
            }
        }
    }

    /// The name of what is wanted.
    fn vxlan(&mut self, network: &Network) -> Option<String> {
        let spec = spec::vxlan(network)?;
        let name = spec["name"].as_str()?.to_owned();
        let Some(there) = self.actual.host_link(&name) else {
            self.differs(Action::Add, "vxlan", &name, "it isn't there");
            self.plan.base.vxlans.push(spec);
            return Some(name);
        };
        let set = |was: &Network| network.mtu.is_none() && was.mtu == Some(there.mtu);
        if is_this(&spec, there) && !self.networks_before(&network.name).any(set) {
            if let Some(mtu) = network.mtu.filter(|mtu| *mtu != there.mtu) {
                self.differs(Action::Change, "vxlan", &name, "its mtu differs");
                self.settle(json!({ "op": "set_link", "at": name, "changes": { "mtu": mtu } }));
            }
        } else {
            self.differs(Action::Replace, "vxlan", &name, "it differs, and can't be changed as it is");
            self.plan.remove.vxlans.push(vxlan_of(there));
            self.plan.base.vxlans.push(spec);
        }
        Some(name)
    }

    fn device(&mut self, network: &Network) -> Option<String> {
        let device = network.device.as_ref()?;
        let there = self.actual.net.links.iter().find(|link| link.device.as_ref() == Some(device));
        match there {
            Some(there) if there.bridge.as_ref() == Some(&network.name) && there.up => {}
            Some(there) => {
                self.differs(Action::Replace, "device", device, format!("it isn't up in {}", network.name));
                self.plan.remove.devices.push(device_of(device, there));
                self.plan.base.devices.push(json!({ "device": device, "bridge": network.name }));
            }
            None => {
                self.differs(Action::Add, "device", device, format!("it isn't in {}", network.name));
                self.plan.base.devices.push(json!({ "device": device, "bridge": network.name }));
            }
        }
        there.map(|link| link.at.clone())
    }
}

/// As `net::unbuild` takes it.
fn vxlan_of(there: &HostLink) -> Value {
    let shown = there.vxlan.as_ref().unwrap_or(&Value::Null);
    json!({ "name": there.at, "id": shown["id"], "remote": shown["remote"] })
}

fn device_of(device: &str, there: &HostLink) -> Value {
    json!({ "device": device, "bridge": there.bridge.as_deref().unwrap_or_default() })
}

/// Whether a VXLAN is the wanted one, in its bridge.
fn is_this(wanted: &Value, there: &HostLink) -> bool {
    let Some(shown) = &there.vxlan else { return false };
    let address = |value: &Value| value.as_str().map(|text| text.parse::<IpAddr>().ok());
    there.up
        && wanted["bridge"].as_str() == there.bridge.as_deref()
        && ["id", "port", "device"].iter().all(|key| wanted[*key] == shown[*key])
        && ["remote", "local"].iter().all(|key| address(&wanted[*key]) == address(&shown[*key]))
}
