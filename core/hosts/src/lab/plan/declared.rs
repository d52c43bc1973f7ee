//! The links that a document declares, as the kernel has them, for whoever compares only those.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cables::{end_of, implied};
use crate::lab::document::{Document, End, Link, LinkState, NodeKind};

/// What a document says of links.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// Those that have to be there, as `net::discover` takes them.
    pub links: Vec<Value>,
    /// Nodes that have no others: what is in a container may be its own programs' or Docker's.
    pub bare: BTreeSet<String>,
}

/// Reads them from a document in its normal form; `None` if it can't be read.
pub fn declared(document: &Value) -> Option<Declared> {
    let document: Document = serde_json::from_value(document.clone()).ok()?;
    let bare = document.nodes.iter().filter(|node| node.kind == NodeKind::Namespace);
    let bare = bare.map(|node| node.name.clone()).collect();
    let links = document.links.iter().flat_map(|link| pieces(&document, link)).collect();
    Some(Declared { links, bare })
}

fn pieces(document: &Document, link: &Link) -> Vec<Value> {
    let kind = |end: &End| Some(document.node(&end.at.as_ref()?.node)?.kind);
    let [a, b] = &link.endpoints;
    let mtu = link.mtu;
    if b.at.is_some() && ![kind(a), kind(b)].contains(&Some(NodeKind::Machine)) {
        return vec![json!({ "a": end(a, link), "b": end(b, link), "mtu": mtu })];
    }
    let bridge = b.network.clone().unwrap_or_else(|| implied(link));
    let ends = [a, b].into_iter().filter(|end| end.at.is_some());
    ends.map(|one| json!({ "a": end(one, link), "b": { "bridge": bridge }, "mtu": mtu })).collect()
}

/// An end that is down may have lost its addresses.
fn end(end: &End, link: &Link) -> Value {
    let mut value = end_of(end);
    if link.state == LinkState::Down {
        value["addresses"] = json!([]);
    }
    value
}
