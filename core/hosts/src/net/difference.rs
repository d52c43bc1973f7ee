//! What somebody has added to a lab, taken from it or changed in it: the links that are there beside those that were, or should be.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    describe::Picture,
    lab::Lab,
    plan::{EndSpec, LinkSpec},
};

/// What is looked at of a link. Whether there is a carrier is the business of whoever is at its other end.
const FIELDS: [&str; 10] = ["kind", "up", "mtu", "mac", "addresses", "bridge", "peer", "run", "vxlan", "device"];
/// Few links have one of these.
const RARE: [&str; 2] = ["vxlan", "device"];
/// Who made a link doesn't change what it is.
const RUN: &str = "run";

/// Links by what the lab calls them: `r1:eth0`, `lan1`, `vm1:eth0`; a stranger's by its name in the kernel. A veth that has its other
/// end on the host is one link, the node's.
pub type Links = BTreeMap<String, Value>;

/// What happened to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Somebody made it.
    Discovered,
    /// It is gone.
    Missing,
    /// It isn't what it was.
    Changed,
}

/// A link that isn't as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What happened.
    pub finding: Finding,
    /// What the lab calls the link, or the kernel does.
    pub at: String,
    /// The link: as it is, or if it is gone, as it was.
    pub link: Value,
    /// By field: what was (or should be), and what is.
    pub changes: Value,
}

impl Found {
    /// For scripts and events.
    pub fn json(&self) -> Value {
        match self.finding {
            Finding::Changed => json!({ "at": self.at, "link": self.link, "changes": self.changes }),
            _ => json!({ "at": self.at, "link": self.link }),
        }
    }
}

/// The lab's links as they are.
pub fn links(lab: &Lab<'_>, picture: &Picture) -> Links {
    let all = picture.links(lab).into_iter().chain(picture.strangers(lab));
    let short = all.filter_map(|link| {
        let at = link["at"].as_str()?.to_owned();
        let told = |field: &&&str| !RARE.contains(*field) || !link[**field].is_null();
        let fields = FIELDS.iter().filter(told).map(|field| ((*field).to_owned(), link[*field].clone()));
        (!at.ends_with("@host")).then(|| (at, fields.collect()))
    });
    short.collect()
}

/// What differs. What carries the mark of a run was made by one, and isn't news.
pub fn between(before: &Links, now: &Links) -> Vec<Found> {
    let mut found = Vec::new();
    for (at, link) in now.iter().filter(|(at, link)| !before.contains_key(*at) && link[RUN].is_null()) {
        found.push(Found { finding: Finding::Discovered, at: at.clone(), link: link.clone(), changes: Value::Null });
    }
    for (at, link) in before {
        match now.get(at) {
            None => {
                // The other end of one that is told already.
                let peer = link["peer"].as_str().filter(|peer| !peer.ends_with("@host"));
                let told = peer
                    .is_some_and(|peer| !before.contains_key(peer) || (!now.contains_key(peer) && peer < at.as_str()));
                if !told {
                    let (at, link) = (at.clone(), link.clone());
                    found.push(Found { finding: Finding::Missing, at, link, changes: Value::Null });
                }
            }
            Some(after) => {
                let differs = |field: &&&str| **field != RUN && link[**field] != after[**field];
                let changes: serde_json::Map<String, Value> = FIELDS
                    .iter()
                    .filter(differs)
                    .map(|field| ((*field).to_owned(), json!({ "before": link[*field], "after": after[*field] })))
                    .collect();
                if !changes.is_empty() {
                    let (at, link) = (at.clone(), after.clone());
                    found.push(Found { finding: Finding::Changed, at, link, changes: changes.into() });
                }
            }
        }
    }
    found
}

/// What differs from declared links, as `connect` takes them.
pub fn from_declared(declared: &[LinkSpec], now: &Links) -> Vec<Found> {
    let mut found = Vec::new();
    let mut wanted = std::collections::BTreeSet::new();
    let end = |end: &EndSpec| end.at.as_ref().map(ToString::to_string).or_else(|| end.bridge.clone());
    for spec in declared {
        for (one, other) in [(&spec.a, &spec.b), (&spec.b, &spec.a)] {
            let Some(at) = one.at.as_ref().map(ToString::to_string) else { continue };
            wanted.insert(at.clone());
            let should = json!({ "peer": other.at.as_ref().map(ToString::to_string), "bridge": other.bridge,
                "mtu": spec.mtu, "addresses": one.addresses.iter().map(ToString::to_string).collect::<Vec<_>>() });
            let Some(link) = now.get(&at) else {
                // Told once for both ends.
                if other.at.is_none() || end(other).is_some_and(|other| at < other || now.contains_key(&other)) {
                    found.push(Found { finding: Finding::Missing, at, link: should, changes: Value::Null });
                }
                continue;
            };
            let mut changes = serde_json::Map::new();
            let mut differs = |field: &str, wanted: &Value, is: &Value| {
                changes.insert(field.to_owned(), json!({ "before": wanted, "after": is }));
            };
            if other.at.is_some() && should["peer"] != link["peer"] {
                differs("peer", &should["peer"], &link["peer"]);
            }
            if should["bridge"] != link["bridge"] {
                differs("bridge", &should["bridge"], &link["bridge"]);
            }
            if spec.mtu.is_some() && should["mtu"] != link["mtu"] {
                differs("mtu", &should["mtu"], &link["mtu"]);
            }
            let is = link["addresses"].as_array().cloned().unwrap_or_default();
            if should["addresses"].as_array().is_some_and(|all| all.iter().any(|address| !is.contains(address))) {
                differs("addresses", &should["addresses"], &link["addresses"]);
            }
            if !changes.is_empty() {
                found.push(Found { finding: Finding::Changed, at, link: link.clone(), changes: changes.into() });
            }
        }
    }
    // What leads out of the lab isn't declared as a link.
    let is_link = |link: &Value| link["kind"] != "bridge" && RARE.iter().all(|field| link[*field].is_null());
    for (at, link) in now.iter().filter(|(at, link)| !wanted.contains(*at) && is_link(link)) {
        found.push(Found { finding: Finding::Discovered, at: at.clone(), link: link.clone(), changes: Value::Null });
    }
    found
}
