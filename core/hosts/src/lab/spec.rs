//! What the modules that make nodes are asked for, and the digests by which a node is known again.

use serde_json::{Map, Value, json};

use super::{
    document::{Document, Network, Node, NodeKind},
    normal::natural,
};

fn name(end: &super::document::End) -> String {
    end.at.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// How much of the machine a lab asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Size {
    /// Nodes.
    pub nodes: u64,
    /// CPUs, those that say none counted as one; namespaces count nothing.
    pub cpus: f64,
    /// MiB of memory; those that say none counted as what they get.
    pub memory_mb: u64,
}

/// The one that IANA has given to VXLAN.
pub(super) const VXLAN_PORT: u16 = 4_789;
/// A machine that doesn't say how much memory it has gets so much; a container that doesn't is counted with it.
pub const MEMORY_MB: u64 = 512;

/// The whole lab's size.
pub fn size(document: &Document) -> Size {
    document.nodes.iter().fold(Size::default(), |sum, node| {
        if node.kind == NodeKind::Namespace {
            return Size { nodes: sum.nodes + 1, ..sum };
        }
        let cpus = node.own.get("cpus").and_then(Value::as_f64).unwrap_or(1.0);
        let memory_mb = node.own.get("memory_mb").and_then(Value::as_u64).unwrap_or(MEMORY_MB);
        Size { nodes: sum.nodes + 1, cpus: sum.cpus + cpus, memory_mb: sum.memory_mb + memory_mb }
    })
}

/// The argument of `docker::create_node` or `qemu::create_machine`, its digest in it; `None` for a namespace.
pub(super) fn node(document: &Document, node: &Node) -> Option<Value> {
    let mut spec = Map::from_iter([("name".to_owned(), Value::from(node.name.as_str()))]);
    spec.extend(node.own.clone());
    match node.kind {
        NodeKind::Namespace => return None,
        NodeKind::Container => {
            // Its links come before its first process: it is started when they are there.
            spec.insert("start".into(), false.into());
            for file in spec.get_mut("files").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(file) = file.as_object_mut() {
                    file.entry("mode").or_insert_with(|| "0644".into());
                }
            }
        }
        NodeKind::Machine => {
            let ends = document.links.iter().flat_map(|link| &link.endpoints);
            let mut own: Vec<_> = ends.filter(|end| end.at.as_ref().is_some_and(|at| at.node == node.name)).collect();
            // A guest counts its interfaces in this order.
            own.sort_by(|a, b| natural(&name(a), &name(b)));
            let tap = |end: &super::document::End| match &end.mac {
                Some(mac) => json!({ "at": end.at, "mac": mac }),
                None => json!({ "at": end.at }),
            };
            spec.insert("taps".into(), own.into_iter().map(tap).collect());
        }
    }
    if !node.labels.is_empty() {
        spec.insert("labels".into(), json!(node.labels));
    }
    let digest = digest(&Value::Object(spec.clone()));
    spec.insert("digest".into(), digest.into());
    Some(spec.into())
}

/// A network's digest: of all but where it is drawn.
pub(super) fn network(network: &Network) -> String {
    digest(&json!(Network { position: None, labels: Default::default(), ..network.clone() }))
}

/// What the VXLAN of a network is called.
pub(super) fn vxlan_name(network: &str) -> String {
    format!("{network}.vxlan")
}

/// The VXLAN of a network, as `net::build` takes it.
pub(super) fn vxlan(network: &Network) -> Option<Value> {
    let vxlan = network.vxlan.as_ref()?;
    let mut spec = json!({ "name": vxlan_name(&network.name), "id": vxlan.id, "remote": vxlan.remote, "local": vxlan.local,
        "device": vxlan.device, "port": vxlan.port.unwrap_or(VXLAN_PORT), "bridge": network.name });
    if let Some(mtu) = network.mtu {
        spec["mtu"] = mtu.into();
    }
    Some(spec)
}

/// Sixteen hex digits of what a value says, whatever the order of its keys.
pub(super) fn digest(value: &Value) -> String {
    // Maps of serde_json are in the order of their keys.
    blake3::hash(value.to_string().as_bytes()).to_hex()[..16].to_owned()
}

/// The digests of everything in a document.
pub fn digests(document: &Document) -> Value {
    let node = |one: &Node| {
        let spec = node(document, one).and_then(|spec| spec["digest"].as_str().map(str::to_owned));
        (one.name.clone(), Value::from(spec.unwrap_or_else(|| digest(&json!({ "kind": one.kind, "own": one.own })))))
    };
    let link = |one: &super::document::Link| (one.name(), Value::from(digest(&json!(one))));
    json!({
        "document": digest(&json!(document)),
        "nodes": document.nodes.iter().map(node).collect::<Map<_, _>>(),
        "networks": document.networks.iter().map(|one| (one.name.clone(), Value::from(network(one)))).collect::<Map<_, _>>(),
        "links": document.links.iter().map(link).collect::<Map<_, _>>(),
    })
}
