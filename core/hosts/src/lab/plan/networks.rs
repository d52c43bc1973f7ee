//! Networks: bridges that are missing, differ or go, and what joins them to other machines.

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::{Action, Comparison, cables::MTU};
use crate::lab::{
    actual::given,
    document::{Document, Link, Network, NetworkKind},
};

/// What an implied bridge forwards: all link-local groups that the kernel lets through, as a cable does.
const LIKE_A_CABLE: u32 = 0xfff8;

fn settings(network: &Network) -> Map<String, Value> {
    let all = [
        ("mtu", json!(network.mtu)),
        ("stp", json!(network.stp)),
        ("ageing_time_s", json!(network.ageing_time_s)),
        ("group_fwd_mask", json!(network.group_fwd_mask)),
        ("vlan_filtering", json!(network.vlan_filtering)),
    ];
    all.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What the kernel has where nobody sets anything.
fn default_of(document: &Document, network: &Network, key: &str) -> Value {
    match key {
        "mtu" => json!(least_mtu(document, network)),
        "ageing_time_s" => json!(300),
        "group_fwd_mask" => json!(0),
        _ => json!(false),
    }
}

/// A bridge has packets as long as its ports have, if nobody says otherwise.
fn least_mtu(document: &Document, network: &Network) -> u32 {
    let into = |link: &&Link| link.endpoints[1].network.as_ref() == Some(&network.name);
    document.links.iter().filter(into).map(|link| link.mtu.unwrap_or(MTU)).min().unwrap_or(MTU)
}

impl Comparison<'_> {
    pub(super) fn networks(&mut self) {
        let (document, actual) = (self.document, self.actual);
        for network in &document.networks {
            self.network(network);
        }
        self.ports();
        for name in self.implied.clone() {
            if actual.host_link(&name).is_none() {
                self.plan.base.bridges.push(json!({ "name": name, "group_fwd_mask": LIKE_A_CABLE }));
            }
        }
        let bridges = actual.net.links.iter().filter(|link| link.kind == "bridge");
        for gone in bridges.filter(|link| document.network(&link.at).is_none()) {
            if !self.implied.contains(&gone.at) {
                self.plan.remove.bridges.push(json!(gone.at));
                self.differs(Action::Remove, "network", &gone.at, "the document doesn't have it");
            }
        }
    }

    /// A bridge's packet length follows its ports' until somebody sets another one than it has; after that it follows nobody. So what a
    /// change to its ports may have moved is set at the end, whatever is seen now.
    pub(super) fn kept_lengths(&mut self) {
        let (document, actual) = (self.document, self.actual);
        if self.plan.differences.is_empty() {
            return;
        }
        for network in &document.networks {
            let Some(there) = actual.host_link(&network.name) else { continue };
            let is_plain = network.kind == NetworkKind::Bridge;
            let mtu = network.mtu.or_else(|| is_plain.then(|| least_mtu(document, network)));
            if let Some(mtu) = mtu.filter(|mtu| network.mtu.is_some() || *mtu != there.mtu) {
                self.settle(json!({ "op": "set_link", "at": network.name, "changes": { "mtu": mtu } }));
            }
        }
    }

    fn network(&mut self, network: &Network) {
        let mut wanted = settings(network);
        let Some(there) = self.actual.host_link(&network.name) else {
            let mut bridge = wanted;
            bridge.insert("name".into(), network.name.as_str().into());
            self.plan.base.bridges.push(bridge.into());
            self.differs(Action::Add, "network", &network.name, "it isn't there");
            for address in &network.addresses {
                self.settle(json!({ "op": "add_address", "at": network.name, "address": address }));
            }
            return;
        };
        let shown = |key: &str| match key {
            "mtu" => json!(there.mtu),
            // A kernel that doesn't show a switch has it off.
            "stp" | "vlan_filtering" => there.settings.get(key).cloned().unwrap_or(json!(false)),
            _ => there.settings.get(key).cloned().unwrap_or_default(),
        };
        // What the document sets no more is as if it had never been set.
        for key in self.networks_before(&network.name).flat_map(|was| settings(was).into_iter().map(|(key, _)| key)) {
            let default = default_of(self.document, network, &key);
            if !shown(&key).is_null() {
                wanted.entry(key).or_insert(default);
            }
        }
        let mut changes: Map<String, Value> = wanted
            .iter()
            .filter(|(key, value)| shown(key) != **value)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !there.up {
            changes.insert("up".into(), true.into());
        }
        if !changes.is_empty() {
            let names: Vec<&str> = changes.keys().map(String::as_str).collect();
            self.differs(Action::Change, "network", &network.name, format!("its {} differ", names.join(", ")));
            self.settle(json!({ "op": "set_link", "at": network.name, "changes": changes }));
        }
        let there_now = given(&there.addresses);
        for address in network.addresses.iter().filter(|address| !there_now.contains(address)) {
            self.differs(Action::Add, "address", format!("{} {address}", network.name), "it isn't there");
            self.settle(json!({ "op": "add_address", "at": network.name, "address": address }));
        }
        let had = |address: &IpNet| self.networks_before(&network.name).any(|was| was.addresses.contains(address));
        let goes = |address: &IpNet| !network.addresses.contains(address) && had(address);
        let (gone, stay): (Vec<IpNet>, Vec<IpNet>) = there_now.into_iter().partition(goes);
        self.loosen(&network.name, &gone, &stay);
    }
}
