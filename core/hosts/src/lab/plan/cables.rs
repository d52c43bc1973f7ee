//! Links: which are missing, hang elsewhere, differ in what can be changed live, or go.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::{Map, Value, json};
use windlass_model::{Code, Problem};

use super::{Action, Comparison};
use crate::lab::{
    actual::{HostLink, Interface, given, impairment},
    document::{At, End, Impairment, Link, LinkState, NodeKind},
    spec,
};

/// A link has so long packets unless somebody says otherwise.
pub(super) const MTU: u32 = 1_500;

/// Why a link is laid anew whose ends are right.
const NO_MAC: &str = "the document gives it no hardware address any more";

/// A piece of a link, as the kernel has it: a veth or a tap.
enum Piece<'a> {
    /// Between two nodes that are namespaces.
    Between(&'a End, &'a End),
    /// From such a node to a bridge; the bridge's end may be impaired, too.
    ToBridge(&'a End, String, Impairment),
    /// From a machine to a bridge.
    Tap(&'a End, String, Impairment),
}

impl<'a> Comparison<'a> {
    pub(super) fn cables(&mut self) -> Result<(), Problem> {
        let document = self.document;
        let mut wanted = BTreeSet::new();
        for link in &document.links {
            wanted.extend(link.endpoints.iter().filter_map(|end| end.at.as_ref()).map(ToString::to_string));
            for piece in self.pieces(link) {
                match piece {
                    Piece::Between(a, b) => self.between(link, a, b)?,
                    Piece::ToBridge(end, bridge, far) => self.bridged(link, end, &bridge, far)?,
                    Piece::Tap(end, bridge, far) => self.tap(link, end, &bridge, far),
                }
            }
        }
        self.left_over(&wanted);
        Ok(())
    }

    fn is_machine(&self, end: &End) -> bool {
        end.at.as_ref().is_some_and(|at| self.is_a_machine(&at.node))
    }

    fn is_a_machine(&self, node: &str) -> bool {
        self.document.node(node).is_some_and(|node| node.kind == NodeKind::Machine)
    }

    /// Machines hang on bridges: where a link has no network at its other end, one is implied.
    fn pieces(&mut self, link: &'a Link) -> Vec<Piece<'a>> {
        let [a, b] = &link.endpoints;
        let (machine_a, machine_b) = (self.is_machine(a), self.is_machine(b));
        if b.at.is_some() && !machine_a && !machine_b {
            return vec![Piece::Between(a, b)];
        }
        let bridge = b.network.clone().unwrap_or_else(|| {
            let name = implied(link);
            self.implied.insert(name.clone());
            name
        });
        // What a namespace sends is impaired where it leaves it; what a machine sends can be only where it arrives.
        let is_done = |end: usize| link.endpoints[end].at.is_some() && ![machine_a, machine_b][end];
        let far = |end: usize| if is_done(end) { Impairment::default() } else { link.impairment_of(end) };
        let ends = [(a, machine_a, 1), (b, machine_b, 0)].into_iter().filter(|(end, ..)| end.at.is_some());
        let piece = |(end, machine, other): (&'a End, bool, usize)| match machine {
            true => Piece::Tap(end, bridge.clone(), far(other)),
            false => Piece::ToBridge(end, bridge.clone(), far(other)),
        };
        ends.map(piece).collect()
    }

    /// An interface of a namespace or container, if it is there and stays.
    fn interface(&self, at: &At) -> Result<Option<&'a Interface>, Problem> {
        if self.fresh.contains(at.node.as_str()) {
            return Ok(None);
        }
        let found = self.actual.namespace(&at.node).and_then(|space| space.interface(&at.interface));
        let in_container = self.actual.container(&at.node).is_some();
        let is_ours = |found: &Interface| {
            let known = found.peer.is_some() || self.actual.host_link(&format!("{at}@host")).is_some();
            found.kind == "veth" && (known || !in_container)
        };
        match found.filter(|found| !is_ours(found)) {
            None => Ok(found),
            Some(other) => Err(Problem::new(
                Code::Conflict,
                format!("{at} is there already, and is no cable of the lab's: a link of the kind `{}`", other.kind),
            )
            .help("give the link's end another name, or remove what has it; `eth0` of a container with `management` is Docker's")
            .no_effect()),
        }
    }

    fn between(&mut self, link: &'a Link, a: &'a End, b: &'a End) -> Result<(), Problem> {
        let (Some(at_a), Some(at_b)) = (&a.at, &b.at) else { return Ok(()) };
        let there = (self.interface(at_a)?, self.interface(at_b)?);
        let leads_to = |one: &Interface, other: &At| one.peer.as_ref().is_none_or(|peer| *peer == other.to_string());
        if let (Some(one), Some(other)) = there
            && leads_to(one, at_b)
            && leads_to(other, at_a)
            && !self.lost_mac(a)
            && !self.lost_mac(b)
        {
            self.ends(link, &[(at_a.to_string(), one.mtu), (at_b.to_string(), other.mtu)]);
            self.plugged(link, &at_a.to_string(), one.up, &[(at_b.to_string(), other.up)]);
            for (end, at, shown, index) in [(a, at_a, one, 0), (b, at_b, other, 1)] {
                self.own(end, at, shown, link.state == LinkState::Down && index == 0);
                self.impaired(&at.to_string(), link.impairment_of(index), impairment(shown.impairment.as_ref()));
            }
            return Ok(());
        }
        let why = match there {
            (None, None) => "it isn't there",
            _ if self.lost_mac(a) || self.lost_mac(b) => NO_MAC,
            _ => "it leads elsewhere",
        };
        let remnants = [there.0.map(|_| at_a), there.1.map(|_| at_b)].into_iter().flatten();
        let remnants: Vec<Value> = remnants.map(|at| json!({ "a": at, "b": {} })).collect();
        self.new_link(link, remnants, why);
        self.plan.wire.links.push(json!({ "a": end_of(a), "b": end_of(b), "mtu": link.mtu }));
        for (end, at, index) in [(a, at_a, 0), (b, at_b, 1)] {
            self.impaired(&at.to_string(), link.impairment_of(index), Impairment::default());
            // Down, an end loses its IPv6 addresses.
            if index == 0 && link.state == LinkState::Down {
                self.settle(json!({ "op": "set_link", "at": at, "changes": { "up": false } }));
                for address in end.addresses.iter().filter(|net| net.addr().is_ipv6()) {
                    self.settle(json!({ "op": "add_address", "at": at, "address": address }));
                }
            }
        }
        Ok(())
    }

    fn bridged(&mut self, link: &'a Link, end: &'a End, bridge: &str, far: Impairment) -> Result<(), Problem> {
        let Some(at) = &end.at else { return Ok(()) };
        let outside = format!("{at}@host");
        let near = link.impairment_of(usize::from(link.endpoints[0].at.as_ref() != Some(at)));
        let inner = self.interface(at)?;
        let host = self.actual.host_link(&outside);
        if let (Some(inner), Some(host)) = (inner, host)
            && !self.lost_mac(end)
        {
            self.ends(link, &[(at.to_string(), inner.mtu), (outside.clone(), host.mtu)]);
            self.on_bridge(&outside, host, bridge);
            self.plugged(link, &outside, host.up, &[(at.to_string(), inner.up)]);
            self.own(end, at, inner, false);
            self.impaired(&at.to_string(), near, impairment(inner.impairment.as_ref()));
            self.impaired(&outside, far, impairment(host.impairment.as_ref()));
            return Ok(());
        }
        let why = match inner {
            None => "it isn't there",
            Some(_) if self.lost_mac(end) => NO_MAC,
            Some(_) => "it leads elsewhere",
        };
        let remnant = inner.is_some() || host.is_some();
        self.new_link(link, remnant.then(|| json!({ "a": at, "b": {} })).into_iter().collect(), why);
        self.plan.wire.links.push(json!({ "a": end_of(end), "b": { "bridge": bridge }, "mtu": link.mtu }));
        self.impaired(&at.to_string(), near, Impairment::default());
        self.impaired(&outside, far, Impairment::default());
        if link.state == LinkState::Down {
            self.settle(json!({ "op": "set_link", "at": outside, "changes": { "up": false } }));
        }
        Ok(())
    }

    fn tap(&mut self, link: &'a Link, end: &'a End, bridge: &str, far: Impairment) {
        let Some(at) = &end.at else { return };
        let name = at.to_string();
        if let Some(there) = self.actual.host_link(&name) {
            self.ends(link, &[(name.clone(), there.mtu)]);
            self.on_bridge(&name, there, bridge);
            self.plugged(link, &name, there.up, &[]);
            return self.impaired(&name, far, impairment(there.impairment.as_ref()));
        }
        self.new_link(link, Vec::new(), "it isn't there");
        let runs = self
            .actual
            .machine(&at.node)
            .is_some_and(|machine| matches!(machine.status.as_str(), "running" | "paused"));
        let goes = self.plan.remove_machines.contains(&at.node) || self.restarted.contains(at.node.as_str());
        if runs && !goes && self.plan.restart_machines.insert(at.node.clone()) {
            self.differs(Action::Start, "machine", at.node.clone(), "it has lost its end of a link");
        }
        let mut tap = json!({ "at": at, "bridge": bridge, "up": link.state == LinkState::Up });
        if let Some(mtu) = link.mtu {
            tap["mtu"] = mtu.into();
        }
        self.plan.wire.taps.push(tap);
        self.impaired(&name, far, Impairment::default());
    }

    fn new_link(&mut self, link: &Link, remnants: Vec<Value>, why: &str) {
        let action = if remnants.is_empty() { Action::Add } else { Action::Replace };
        let name = title(link);
        // A link of several pieces is one for people.
        if !self.plan.differences.iter().any(|known| known.kind == "link" && known.name == name) {
            self.differs(action, "link", name, why);
        }
        self.plan.remove.links.extend(remnants);
    }

    /// Both ends' packet length.
    fn ends(&mut self, link: &Link, shown: &[(String, u32)]) {
        let had = || {
            let ends = link.endpoints.iter().filter_map(|end| end.at.as_ref());
            ends.flat_map(|at| self.ends_before(at)).find_map(|(was, _)| was.mtu).map(|_| MTU)
        };
        let Some(wanted) = link.mtu.or_else(had) else { return };
        let wrong: Vec<&String> = shown.iter().filter(|(_, mtu)| *mtu != wanted).map(|(at, _)| at).collect();
        if !wrong.is_empty() {
            self.differs(Action::Change, "link", title(link), format!("its MTU isn't {wanted}"));
            for at in wrong {
                self.settle(json!({ "op": "set_link", "at": at, "changes": { "mtu": wanted } }));
            }
        }
    }

    /// Whether the cable is plugged in: one end is the plug, the others are always up.
    fn plugged(&mut self, link: &Link, plug: &str, up: bool, others: &[(String, bool)]) {
        let wanted = link.state == LinkState::Up;
        let mut changes: Vec<(&str, bool)> =
            others.iter().filter(|(_, up)| !up).map(|(at, _)| (at.as_str(), true)).collect();
        if up != wanted {
            changes.push((plug, wanted));
        }
        if !changes.is_empty() {
            let why = if wanted { "it is down" } else { "it is up" };
            self.differs(Action::Change, "link", title(link), why);
        }
        for (at, up) in changes {
            self.settle(json!({ "op": "set_link", "at": at, "changes": { "up": up } }));
        }
    }

    fn on_bridge(&mut self, at: &str, there: &HostLink, bridge: &str) {
        if there.bridge.as_deref() != Some(bridge) {
            let from = there.bridge.as_deref().unwrap_or("no network");
            self.differs(Action::Change, "link", at, format!("it is in {from}, and not in {bridge}"));
            self.settle(json!({ "op": "set_link", "at": at, "changes": { "bridge": bridge } }));
        }
    }

    /// Addresses and hardware address of a node's end.
    fn own(&mut self, end: &End, at: &At, shown: &Interface, is_down: bool) {
        if let Some(mac) = end.mac.as_ref().filter(|mac| !mac.eq_ignore_ascii_case(&shown.mac)) {
            self.differs(Action::Change, "interface", at.to_string(), format!("its hardware address isn't {mac}"));
            self.settle(json!({ "op": "set_link", "at": at, "changes": { "mac": mac } }));
        }
        let there = given(&shown.addresses);
        for address in end.addresses.iter().filter(|address| !there.contains(address)) {
            if !(is_down && shown.up) {
                self.differs(Action::Add, "address", format!("{at} {address}"), "it isn't there");
            }
            self.settle(json!({ "op": "add_address", "at": at, "address": address }));
        }
        // A container's own programs may have given it others.
        let node = self.document.node(&at.node);
        let is_bare = node.is_some_and(|node| node.kind == NodeKind::Namespace);
        let goes = |address: &IpNet| !end.addresses.contains(address) && (is_bare || self.had(at, address));
        let (gone, stay): (Vec<IpNet>, Vec<IpNet>) = there.into_iter().partition(goes);
        self.loosen(&at.to_string(), &gone, &stay);
    }

    fn had(&self, at: &At, address: &IpNet) -> bool {
        self.ends_before(at).any(|(_, end)| end.addresses.contains(address))
    }

    /// Whether an end had a hardware address of its own, and has the one again that follows from its name.
    fn lost_mac(&self, end: &End) -> bool {
        let at = end.at.as_ref().filter(|_| end.mac.is_none());
        at.is_some_and(|at| self.ends_before(at).any(|(_, was)| was.mac.is_some()))
    }

    /// Takes addresses away. The kernel takes more than that: with an IPv4 address it may take those of the same network, so these
    /// are given again; with the last one go all IPv4 routes over the link, for which `routes` cares.
    pub(super) fn loosen(&mut self, at: &str, gone: &[IpNet], stay: &[IpNet]) {
        for address in gone {
            self.differs(Action::Remove, "address", format!("{at} {address}"), "the document doesn't have it");
            self.plan.loosen.push(json!({ "op": "remove_address", "at": at, "address": address }));
        }
        let goes_too = |one: &&IpNet| one.addr().is_ipv4() && gone.iter().any(|gone| gone.trunc() == one.trunc());
        for address in stay.iter().filter(goes_too) {
            self.settle(json!({ "op": "add_address", "at": at, "address": address }));
        }
    }

    fn impaired(&mut self, at: &str, wanted: Impairment, shown: Impairment) {
        if wanted.is_about(&shown) {
            return;
        }
        let is_new = self.plan.wire.links.iter().any(|link| {
            let ends = [&link["a"]["at"], &link["b"]["at"]];
            ends.iter().any(|end| end.as_str() == Some(at.trim_end_matches("@host")))
        });
        if !is_new && !self.plan.wire.taps.iter().any(|tap| tap["at"] == at) {
            self.differs(
                Action::Change,
                "impairment",
                at,
                if wanted.is_none() { "none is wanted" } else { "it differs" },
            );
        }
        self.settle(match wanted.is_none() {
            true => json!({ "op": "clear_impairment", "at": at }),
            false => json!({ "op": "impair", "at": at, "impairment": wanted }),
        });
    }

    /// Cables that the document doesn't have.
    fn left_over(&mut self, wanted: &BTreeSet<String>) {
        let actual = self.actual;
        let mut gone: BTreeSet<String> = BTreeSet::new();
        for space in &actual.net.namespaces {
            let goes = self.leaving.contains(&space.name) || self.fresh.contains(space.name.as_str());
            let kind = self.document.node(&space.name).map(|node| node.kind);
            for interface in space.interfaces.iter().filter(|one| one.kind == "veth" && !goes) {
                let name = format!("{}:{}", space.name, interface.interface);
                // A container has links of its own to Docker's networks.
                let ours = interface.peer.is_some()
                    || kind == Some(NodeKind::Namespace)
                    || actual.host_link(&format!("{name}@host")).is_some();
                if ours && !wanted.contains(&name) && !interface.peer.as_ref().is_some_and(|peer| gone.contains(peer)) {
                    gone.insert(name);
                }
            }
        }
        for link in actual.net.links.iter().filter(|link| link.device.is_none()) {
            let name = link.at.trim_end_matches("@host");
            let node = name.split(':').next().unwrap_or_default();
            let goes = self.leaving.contains(node) || self.fresh.contains(node);
            match link.kind.as_str() {
                "veth" if !goes && !wanted.contains(name) => _ = gone.insert(name.to_owned()),
                // A node of another kind has a cable of this name, and no tap.
                "tun" if !wanted.contains(name) || !self.is_a_machine(node) => {
                    self.plan.remove.taps.push(json!({ "at": name }))
                }
                _ => {}
            }
        }
        for name in gone {
            self.plan.remove.links.push(json!({ "a": name, "b": {} }));
            self.differs(Action::Remove, "link", name, "the document doesn't have it");
        }
    }
}

/// What the bridge of a link is called that needs one and is in no network.
pub(super) fn implied(link: &Link) -> String {
    format!("x.{}", spec::digest(&json!(link.name())))
}

/// As people read it: `r1:eth0 – lan1`.
fn title(link: &Link) -> String {
    let [a, b] = &link.endpoints;
    let name = |end: &End| match (&end.at, &end.network) {
        (Some(at), _) => at.to_string(),
        (None, network) => network.clone().unwrap_or_default(),
    };
    format!("{} – {}", name(a), name(b))
}

pub(super) fn end_of(end: &End) -> Value {
    let mut value = Map::new();
    value.insert("at".into(), json!(end.at));
    if !end.addresses.is_empty() {
        value.insert("addresses".into(), json!(end.addresses));
    }
    if let Some(mac) = &end.mac {
        value.insert("mac".into(), mac.as_str().into());
    }
    value.into()
}
