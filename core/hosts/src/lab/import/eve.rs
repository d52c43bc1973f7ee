//! EVE-NG's labs: `.unl` files (XML). nova-ve has the same nodes and networks in JSON.

use std::collections::BTreeMap;

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value, json};
use windlass_model::{Code, Problem};

use super::Draft;

/// A node as both write it.
#[derive(Default)]
pub(super) struct TheirNode {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) image: String,
    pub(super) console: String,
    pub(super) cpu: Option<u64>,
    pub(super) ram: Option<u64>,
    pub(super) first_mac: String,
    pub(super) position: Option<(f64, f64)>,
    pub(super) interfaces: Vec<TheirInterface>,
    /// Further settings that have something in them.
    pub(super) more: Vec<(String, String)>,
}

#[derive(Default)]
pub(super) struct TheirInterface {
    pub(super) number: u32,
    pub(super) name: String,
    /// Empty: it isn't connected.
    pub(super) network: String,
    pub(super) is_serial: bool,
    pub(super) mac: Option<String>,
    pub(super) impairment: Map<String, Value>,
}

#[derive(Default)]
pub(super) struct TheirNetwork {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) is_shown: bool,
    pub(super) position: Option<(f64, f64)>,
}

pub(super) fn read(what: &str, text: &str, draft: &mut Draft) -> Result<(), Problem> {
    // No DTD: entities that grow have no place in a lab.
    let options = ParsingOptions { nodes_limit: 200_000, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(text.trim_start_matches('\u{feff}').trim_start(), options).map_err(|error| {
            let at = error.pos();
            Problem::new(Code::InvalidInput, format!("{what}:{}:{}: {error}", at.row, at.col))
                .data(json!({ "line": at.row, "column": at.col, "reason": "syntax" }))
                .no_effect()
        })?;
    let root = document.root_element();
    if root.tag_name().name() != "lab" {
        let message = format!("{what} isn't a lab of EVE-NG: its root is <{}>, not <lab>", root.tag_name().name());
        return Err(Problem::new(Code::InvalidInput, message).no_effect());
    }
    draft.called(root.attribute("name").unwrap_or("lab"));
    let all = |tag: &'static str| root.descendants().filter(move |node| node.has_tag_name(tag));
    if let Some(said) = all("description").find_map(|node| node.text()).filter(|text| !text.trim().is_empty()) {
        draft.head.insert("description".into(), said.trim().chars().take(10_000).collect::<String>().into());
    }
    let nodes = root.descendants().filter(|node| node.has_tag_name("node")).map(node).collect();
    let in_topology = |node: &Node<'_, '_>| node.parent().is_some_and(|parent| parent.has_tag_name("networks"));
    let networks = all("network").filter(in_topology).map(|node| network(&node)).collect();
    for config in all("config") {
        let id = config.attribute("id").unwrap_or("?");
        draft.leave(
            format!("/objects/configs/{id}"),
            "a startup configuration",
            "it is in the format of its node's vendor: put it into the container's `files` or the machine's `seed`",
        );
    }
    for (tag, what) in [("textobject", "a drawing or text"), ("picture", "a picture"), ("task", "a task")] {
        let count = all(tag).count();
        if count > 0 {
            draft.leave(format!("/objects/{tag}s"), format!("{what} ({count})"), "documents of labs have no drawings");
        }
    }
    take(nodes, networks, draft);
    Ok(())
}

fn attribute(node: &Node<'_, '_>, name: &str) -> String {
    node.attribute(name).unwrap_or_default().to_owned()
}

fn position(node: &Node<'_, '_>) -> Option<(f64, f64)> {
    let number =
        |name: &str| node.attribute(name)?.trim_end_matches('%').parse().ok().filter(|one: &f64| one.is_finite());
    Some((number("left")?, number("top")?))
}

fn node(node: Node<'_, '_>) -> TheirNode {
    let interfaces = node.children().filter(|child| child.has_tag_name("interface"));
    let interface = |one: Node<'_, '_>| TheirInterface {
        number: one.attribute("id").and_then(|id| id.parse().ok()).unwrap_or_default(),
        name: attribute(&one, "name"),
        network: attribute(&one, "network_id"),
        is_serial: one.attribute("type") == Some("serial"),
        ..TheirInterface::default()
    };
    let more = ["qemu_options", "qemu_arch", "qemu_version", "qemu_nic", "idlepc", "slot1", "nvram"];
    let more = more
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), node.attribute(name).filter(|text| !text.is_empty())?.to_owned())));
    TheirNode {
        id: attribute(&node, "id"),
        name: attribute(&node, "name"),
        kind: attribute(&node, "type"),
        image: attribute(&node, "image"),
        console: attribute(&node, "console"),
        cpu: node.attribute("cpu").and_then(|text| text.parse().ok()),
        ram: node.attribute("ram").and_then(|text| text.parse().ok()),
        first_mac: attribute(&node, "firstmac"),
        position: position(&node),
        interfaces: interfaces.map(interface).collect(),
        more: more.collect(),
    }
}

fn network(node: &Node<'_, '_>) -> TheirNetwork {
    TheirNetwork {
        id: attribute(node, "id"),
        name: attribute(node, "name"),
        kind: attribute(node, "type"),
        is_shown: node.attribute("visibility") != Some("0"),
        position: position(node),
    }
}

/// Makes a document of their nodes and networks.
pub(super) fn take(nodes: Vec<TheirNode>, networks: Vec<TheirNetwork>, draft: &mut Draft) {
    let mut ends: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for node in nodes {
        take_node(&node, &mut ends, draft);
    }
    for network in networks {
        let connected = ends.remove(&network.id).unwrap_or_default();
        let place = format!("network {}", network.name);
        // A line between two nodes is a network that nobody sees.
        if !network.is_shown && connected.len() == 2 && network.kind.contains("bridge") {
            draft.link(&place, json!({ "endpoints": connected }));
            continue;
        }
        match network.kind.as_str() {
            "bridge" | "ovs" | "" => {}
            other => draft.leave(
                &place,
                format!("the network's kind `{other}`"),
                "it leads out of the machine there; here it is a bridge: make it one of the kind `device` if a device of this machine belongs in it",
            ),
        }
        let name = draft.name(&format!("network {}", network.id), &network.name, &place);
        let mut taken = Map::from_iter([("name".to_owned(), json!(name))]);
        put_position(&mut taken, network.position);
        draft.networks.push(taken.into());
        for mut end in connected {
            if is_machine(draft, &end) && end.as_object_mut().is_some_and(|end| end.remove("impairment").is_some()) {
                let at = end["at"].as_str().unwrap_or_default().to_owned();
                draft.leave(
                    &place,
                    format!("the impairment of `{at}`"),
                    "what a machine sends into a network can't be impaired here",
                );
            }
            draft.link(&place, json!({ "endpoints": [end, { "network": name }] }));
        }
    }
    for (id, left) in ends {
        draft.leave(
            format!("network {id}"),
            format!("{} interfaces", left.len()),
            "there is no network of this number",
        );
    }
}

fn is_machine(draft: &Draft, end: &Value) -> bool {
    let name = end["at"].as_str().and_then(|at| at.split(':').next());
    draft.nodes.iter().any(|node| node["name"].as_str() == name && node.get("disk").is_some())
}

fn take_node(node: &TheirNode, ends: &mut BTreeMap<String, Vec<Value>>, draft: &mut Draft) {
    let place = format!("node {}", if node.name.is_empty() { &node.id } else { &node.name });
    let mut taken = Map::new();
    match node.kind.as_str() {
        "docker" => taken.insert("image".into(), node.image.as_str().into()),
        "qemu" => {
            draft.leave(
                &place,
                format!("the image `{}`", node.image),
                "it is taken for the name of a disk image: put its disk where [hosts.qemu] says, under this name",
            );
            taken.insert("disk".into(), node.image.as_str().into())
        }
        "vpcs" => {
            draft.leave(
                &place,
                "VPCS",
                "the node is a namespace here: it has this machine's programs, ping among them",
            );
            taken.insert("kind".into(), "namespace".into())
        }
        other => {
            draft.leave(&place, format!("the whole node, of the kind `{other}`"), "nothing here runs its images");
            return;
        }
    };
    if node.image.is_empty() && node.kind != "vpcs" {
        draft.leave(&place, "the whole node", "it names no image");
        return;
    }
    let name = draft.name(&format!("node {}", node.id), &node.name, &place);
    taken.insert("name".into(), name.as_str().into());
    if node.kind != "vpcs" {
        node.cpu.filter(|cpu| (1..=256).contains(cpu)).map(|cpu| taken.insert("cpus".into(), cpu.into()));
        node.ram.filter(|ram| (4..=4_194_304).contains(ram)).map(|ram| taken.insert("memory_mb".into(), ram.into()));
    }
    put_position(&mut taken, node.position);
    match node.console.as_str() {
        "vnc" if node.kind == "qemu" => _ = taken.insert("vnc".into(), true.into()),
        "" | "telnet" | "vnc" => {}
        other => {
            draft.leave(&place, format!("the console `{other}`"), "open one on a port of the node with `consoles`")
        }
    }
    for (key, _) in &node.more {
        draft.leave(&place, format!("`{key}`"), "a machine's devices follow from its disk, memory and links here");
    }
    draft.nodes.push(taken.into());
    let mut used: Vec<String> = Vec::new();
    for interface in &node.interfaces {
        if interface.is_serial {
            draft.leave(&place, format!("the serial line `{}`", interface.name), "links carry Ethernet here");
            continue;
        }
        if matches!(interface.network.as_str(), "" | "0") {
            continue;
        }
        // A guest names its interfaces itself, in the order of its links.
        let wanted = if node.kind == "docker" && !interface.name.is_empty() {
            interface.name.clone()
        } else {
            format!("eth{}", interface.number)
        };
        let mut kernel = draft.interface(&wanted, &place);
        while used.contains(&kernel) {
            kernel = format!("if{}", used.len());
        }
        used.push(kernel.clone());
        let mut end = Map::from_iter([("at".to_owned(), json!(format!("{name}:{kernel}")))]);
        let mac = interface.mac.clone().or_else(|| nth_mac(&node.first_mac, interface.number));
        mac.map(|mac| end.insert("mac".into(), mac.into()));
        if !interface.impairment.is_empty() {
            end.insert("impairment".into(), interface.impairment.clone().into());
        }
        ends.entry(interface.network.clone()).or_default().push(end.into());
    }
}

fn put_position(map: &mut Map<String, Value>, position: Option<(f64, f64)>) {
    position.map(|(x, y)| map.insert("position".into(), json!({ "x": x, "y": y })));
}

/// The hardware address of an interface: the node's first one, counted on.
fn nth_mac(first: &str, number: u32) -> Option<String> {
    let bytes: Vec<u8> = first.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect::<Option<_>>()?;
    let whole: [u8; 6] = bytes.try_into().ok()?;
    let last = u32::from_be_bytes([0, whole[3], whole[4], whole[5]]).checked_add(number)? & 0x00ff_ffff;
    let last = last.to_be_bytes();
    let all = [whole[0], whole[1], whole[2], last[1], last[2], last[3]];
    Some(all.map(|byte| format!("{byte:02x}")).join(":"))
}
