//! Routes and forwarding of namespaces and containers.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::{Value, json};

use super::{Action, Comparison, nodes::sysctls_of};
use crate::lab::{
    actual::{Forwarding, ShownRoute},
    document::{Document, LinkState, Node, NodeKind, Route},
};

/// The kernel's metric of IPv6 routes that say none.
const V6_METRIC: u32 = 1024;
/// What `forwarding` sets.
const V4_FORWARDING: &str = "net.ipv4.ip_forward";
const V6_FORWARDING: &str = "net.ipv6.conf.all.forwarding";

impl Comparison<'_> {
    pub(super) fn routes(&mut self) {
        let document = self.document;
        for node in document.nodes.iter().filter(|node| node.kind != NodeKind::Machine) {
            let call = |route: &Route| {
                let mut call = json!(route);
                call["namespace"] = node.name.as_str().into();
                call
            };
            let there = self.actual.namespace(&node.name).filter(|_| !self.fresh.contains(node.name.as_str()));
            let Some(there) = there else {
                let now = node.routes.iter().filter(|route| !is_unplugged(document, &node.name, route));
                self.plan.wire.routes.extend(now.map(call));
                if node.forwarding {
                    self.plan.wire.forwarding.push(node.name.clone());
                }
                continue;
            };
            let were = self.were(&node.name).flat_map(|was| &was.routes);
            let gone: BTreeSet<&Route> = were.filter(|route| !node.routes.contains(route)).collect();
            for gone in gone {
                if there.routes.iter().any(|shown| is_shown(gone, shown)) {
                    self.differs(
                        Action::Remove,
                        "route",
                        format!("{} to {}", node.name, gone.to),
                        "the document doesn't have it",
                    );
                    self.plan.loosen.push(json!({ "op": "remove_route", "node": node.name, "route": gone }));
                }
            }
            for route in node.routes.iter().filter(|route| !is_unplugged(document, &node.name, route)) {
                let is_there = there.routes.iter().any(|shown| is_shown(route, shown));
                if !is_there {
                    self.differs(Action::Add, "route", format!("{} to {}", node.name, route.to), "it isn't there");
                }
                // A link that is made anew takes the routes over it with it, and so does its last address.
                if !is_there || self.is_rewired(&node.name) || self.is_loosened(&node.name) {
                    self.settle(json!({ "op": "add_route", "node": node.name, "route": route }));
                }
            }
            self.forwarding(node, there.forwarding);
        }
    }

    /// Forwarding is a kernel setting by another name: where `sysctls` says it, too, that holds.
    fn forwarding(&mut self, node: &Node, there: Forwarding) {
        let is_set = |key: &str| sysctls_of(node).any(|(set, _)| set == key);
        let (sets_v4, sets_v6) = (is_set(V4_FORWARDING), is_set(V6_FORWARDING));
        // A kernel without IPv6 forwards none of it.
        let differs = match node.forwarding {
            true => !there.ipv4 && !sets_v4,
            false => there.ipv4 && !sets_v4 || there.ipv6 && !sets_v6,
        };
        if !differs || !node.forwarding && !self.were(&node.name).any(|was| was.forwarding) {
            return;
        }
        let why = if node.forwarding { "it doesn't forward packets" } else { "it forwards packets" };
        self.differs(Action::Change, "node", &node.name, why);
        self.settle(json!({ "op": "forwarding", "node": node.name, "on": node.forwarding }));
        let is_told = self.plan.sysctls.iter().any(|one| one["node"] == node.name.as_str());
        if node.kind == NodeKind::Namespace && (sets_v4 || sets_v6) && !is_told {
            self.sysctls(node);
        }
    }

    /// Whether a link of the node is made in this plan.
    fn is_rewired(&self, node: &str) -> bool {
        let is_of = |end: &Value| end["at"].as_str().is_some_and(|at| at.split(':').next() == Some(node));
        self.plan.wire.links.iter().any(|link| is_of(&link["a"]) || is_of(&link["b"]))
    }

    /// Whether an address of the node goes in this plan.
    fn is_loosened(&self, node: &str) -> bool {
        let is_of = |at: &Value| at.as_str().is_some_and(|at| at.split_once(':').is_some_and(|(its, _)| its == node));
        self.plan.loosen.iter().any(|call| call["op"] == "remove_address" && is_of(&call["at"]))
    }
}

/// Whether the kernel shows this route.
fn is_shown(route: &Route, shown: &ShownRoute) -> bool {
    let is_v6 = route.via.as_deref().unwrap_or(&route.to).contains(':');
    let metric = |metric: u32| if is_v6 && metric == 0 { V6_METRIC } else { metric };
    let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => match (a.parse::<IpAddr>(), b.parse::<IpAddr>()) {
            (Ok(a), Ok(b)) => a == b,
            _ => a == b,
        },
        (a, b) => a == b,
    };
    let family = shown.to != "default" || shown.via.as_deref().is_none_or(|via| via.contains(':') == is_v6);
    route.to == shown.to
        && family
        && same(&route.via, &shown.via)
        && (route.dev.is_none() || route.dev == shown.dev)
        && metric(route.metric) == metric(shown.metric)
}

/// Whether the route leads over an end that the document has set down: the kernel takes it only once that is up.
fn is_unplugged(document: &Document, node: &str, route: &Route) -> bool {
    let via = route.via.as_deref().and_then(|via| via.parse::<IpAddr>().ok());
    let leads_over = |end: &crate::lab::document::End| {
        let here = end.at.as_ref().is_some_and(|at| at.node == node);
        let named = end.at.as_ref().is_some_and(|at| route.dev.as_ref() == Some(&at.interface));
        here && (named || via.is_some_and(|via| end.addresses.iter().any(|net| net.contains(&via))))
    };
    let down = document.links.iter().filter(|link| link.state == LinkState::Down && link.endpoints[1].at.is_some());
    down.map(|link| &link.endpoints[0]).any(leads_over)
}
