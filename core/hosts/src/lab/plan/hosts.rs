//! What containers know of the lab's nodes: each name with the node's first address of either family.

use std::{collections::BTreeMap, net::IpAddr};

use super::{Action, Comparison};
use crate::lab::{
    document::{Document, Node, NodeKind},
    normal::natural,
};

/// Addresses by name.
pub(super) type Hosts = BTreeMap<String, Vec<IpAddr>>;

/// The names of a document's nodes; those without an address aren't among them, and nobody's are where nobody reads them.
pub(super) fn of(document: &Document) -> Hosts {
    let mut hosts = Hosts::new();
    if !document.nodes.iter().any(is_told) {
        return hosts;
    }
    let mut ends: Vec<_> =
        document.links.iter().flat_map(|link| &link.endpoints).filter(|end| end.at.is_some()).collect();
    ends.sort_by(|a, b| {
        let name = |end: &crate::lab::document::End| end.at.as_ref().map(ToString::to_string).unwrap_or_default();
        natural(&name(a), &name(b))
    });
    for end in ends {
        let Some(at) = &end.at else { continue };
        for address in end.addresses.iter().map(ipnet::IpNet::addr) {
            let known = hosts.entry(at.node.clone()).or_default();
            if !known.iter().any(|one| one.is_ipv4() == address.is_ipv4()) {
                known.push(address);
            }
        }
    }
    hosts
}

/// Whether a node's `/etc/hosts` is ours to write: Docker writes those of its networks' nodes, and some bring their own.
fn is_told(node: &Node) -> bool {
    let has = |key: &str| node.own.get(key).is_some_and(|value| value.as_array().is_none_or(|all| !all.is_empty()));
    let files = node.own.get("files").and_then(|files| files.as_array()).into_iter().flatten();
    node.kind == NodeKind::Container
        && !has("ports")
        && node.own.get("management").and_then(serde_json::Value::as_bool) != Some(true)
        && !files.into_iter().any(|file| file["path"] == "/etc/hosts")
}

impl Comparison<'_> {
    /// A container that is there hears of names that have changed.
    pub(super) fn tell(&mut self, node: &Node) {
        if self.renamed && is_told(node) {
            self.plan.tell.push(node.name.clone());
        }
    }

    /// Names may be all that has changed: which of a node's addresses is the first one is nothing that the kernel knows. Where
    /// nobody knows what was told, the addresses that are there say that nothing has.
    pub(super) fn told(&mut self) {
        if !self.plan.differences.is_empty() || self.kept.is_none() {
            return;
        }
        for node in self.plan.tell.clone() {
            self.differs(Action::Change, "container", node, "names in its /etc/hosts differ");
        }
    }
}
