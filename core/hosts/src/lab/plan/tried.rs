//! What a deployment tries: if it doesn't end well, some of it may stay, and the next plan looks for that. It is a document of which only
//! that is left which can be on something that stays: addresses, routes, settings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::lab::document::{Document, End, Link, Network, Node};

/// Bytes of what was tried; where many deployments after each other didn't end well, only the last one is looked for then.
const MOST_BYTES: usize = 1 << 20;

/// What this document tries, and what was tried before it.
pub(super) fn with(document: &Document, before: Option<&Document>) -> Document {
    let alone = traces(document);
    let Some(before) = before else { return alone };
    let both = both(alone.clone(), traces(before));
    if json!(both).to_string().len() <= MOST_BYTES { both } else { alone }
}

fn traces(document: &Document) -> Document {
    Document {
        name: document.name.clone(),
        title: None,
        description: None,
        groups: Vec::new(),
        networks: document.networks.iter().map(network).collect(),
        nodes: document.nodes.iter().map(node).collect(),
        links: document.links.iter().map(link).collect(),
        checks: Vec::new(),
        drills: Vec::new(),
    }
}

fn network(network: &Network) -> Network {
    Network { labels: BTreeMap::new(), position: None, ..network.clone() }
}

fn node(node: &Node) -> Node {
    let own = node.own.iter().filter(|(key, _)| *key == "sysctls").map(|(key, value)| (key.clone(), value.clone()));
    Node {
        name: node.name.clone(),
        kind: node.kind,
        group: None,
        labels: BTreeMap::new(),
        position: None,
        forwarding: node.forwarding,
        routes: node.routes.clone(),
        startup: Vec::new(),
        ready: None,
        consoles: None,
        own: own.collect(),
    }
}

fn link(link: &Link) -> Link {
    let end = |end: &End| End { impairment: None, ..end.clone() };
    let [a, b] = &link.endpoints;
    Link { endpoints: [end(a), end(b)], impairment: None, labels: BTreeMap::new(), ..link.clone() }
}

/// The first one's, and what the second has beside it.
fn both(mut first: Document, second: Document) -> Document {
    for theirs in second.networks {
        match first.networks.iter_mut().find(|own| own.name == theirs.name) {
            None => first.networks.push(theirs),
            Some(own) => {
                own.mtu = own.mtu.or(theirs.mtu);
                own.stp = own.stp.or(theirs.stp);
                own.ageing_time_s = own.ageing_time_s.or(theirs.ageing_time_s);
                own.group_fwd_mask = own.group_fwd_mask.or(theirs.group_fwd_mask);
                own.vlan_filtering = own.vlan_filtering.or(theirs.vlan_filtering);
                own.addresses = united(&own.addresses, &theirs.addresses);
            }
        }
    }
    for theirs in second.nodes {
        match first.nodes.iter_mut().find(|own| own.name == theirs.name) {
            None => first.nodes.push(theirs),
            Some(own) => {
                own.forwarding |= theirs.forwarding;
                own.routes = united(&own.routes, &theirs.routes);
                let set = |node: &Node| node.own.get("sysctls").and_then(Value::as_object).cloned();
                let all: Map<String, Value> = [&theirs, own].into_iter().filter_map(set).flatten().collect();
                if !all.is_empty() {
                    own.own.insert("sysctls".into(), all.into());
                }
            }
        }
    }
    for theirs in second.links {
        let ends = |link: &Link| link.endpoints.each_ref().map(|end| end.at.clone());
        match first.links.iter_mut().find(|own| ends(own) == ends(&theirs)) {
            None => first.links.push(theirs),
            Some(own) => {
                own.mtu = own.mtu.or(theirs.mtu);
                for (own, theirs) in own.endpoints.iter_mut().zip(theirs.endpoints) {
                    own.addresses = united(&own.addresses, &theirs.addresses);
                    own.mac = own.mac.take().or(theirs.mac);
                }
            }
        }
    }
    first
}

fn united<T: Clone + Ord>(own: &[T], theirs: &[T]) -> Vec<T> {
    own.iter().chain(theirs).cloned().collect::<BTreeSet<T>>().into_iter().collect()
}
