//! nova-ve's labs: EVE-NG's nodes and networks as JSON, with what is done to packets on each line.

use serde_json::{Map, Value};

use super::{
    Draft,
    eve::{TheirInterface, TheirNetwork, TheirNode, take},
};

pub(super) fn read(value: &Value, draft: &mut Draft) {
    let meta = &value["meta"];
    let name = meta["name"].as_str().or(value["name"].as_str()).or(value["id"].as_str());
    draft.called(name.unwrap_or("lab"));
    if let Some(said) = meta["description"].as_str().filter(|said| !said.is_empty()) {
        draft.head.insert("description".into(), said.chars().take(10_000).collect::<String>().into());
    }
    let lines: Vec<&Value> = value["topology"].as_array().into_iter().flatten().collect();
    let nodes = value["nodes"].as_object().into_iter().flatten().map(|(id, one)| node(id, one, value, &lines));
    let networks = value["networks"].as_object().into_iter().flatten().map(|(id, one)| TheirNetwork {
        id: id.clone(),
        name: text(one, "name"),
        kind: match text(one, "type").as_str() {
            "linux_bridge" => "bridge".into(),
            kind => kind.to_owned(),
        },
        // Newer files say it with a word: an implicit network is the line between two nodes.
        is_shown: one["visibility"] != 0 && one["visibility"] != false && one["implicit"] != true,
        position: position(one),
    });
    let (nodes, networks) = (nodes.collect(), networks.collect());
    for key in ["textobjects", "lineobjects", "pictures", "tasks"] {
        let count = value[key].as_array().map_or(0, Vec::len);
        if count > 0 {
            draft.leave(format!("/{key}"), format!("{count} of them"), "documents of labs have no drawings");
        }
    }
    take(nodes, networks, draft);
}

fn text(value: &Value, key: &str) -> String {
    match &value[key] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn position(value: &Value) -> Option<(f64, f64)> {
    Some((value["left"].as_f64()?, value["top"].as_f64()?))
}

fn node(id: &str, one: &Value, lab: &Value, lines: &[&Value]) -> TheirNode {
    let interfaces = one["interfaces"].as_array().into_iter().flatten().enumerate();
    let interface = |(number, interface): (usize, &Value)| {
        let number =
            interface["index"].as_u64().and_then(|index| u32::try_from(index).ok()).or(u32::try_from(number).ok());
        let number = number.unwrap_or_default();
        let network = match text(interface, "network_id") {
            empty if empty.is_empty() => linked(lab, id, number),
            network => network,
        };
        TheirInterface {
            number,
            name: text(interface, "name"),
            network,
            is_serial: interface["type"] == "serial",
            mac: interface["planned_mac"].as_str().or(interface["mac"].as_str()).map(str::to_owned),
            impairment: impairment(id, number, lines),
        }
    };
    let more = ["qemu_options", "qemu_nic"].into_iter().map(|key| (key.to_owned(), text(one, key)));
    TheirNode {
        id: id.to_owned(),
        name: text(one, "name"),
        kind: text(one, "type"),
        image: text(one, "image"),
        console: text(one, "console"),
        cpu: one["cpu"].as_u64(),
        ram: one["ram"].as_u64(),
        first_mac: text(one, "firstmac"),
        position: position(one),
        interfaces: interfaces.map(interface).collect(),
        more: more.filter(|(_, text)| !text.is_empty()).collect(),
    }
}

/// The network that a link of the file joins the interface to, in files that list their links.
fn linked(lab: &Value, node: &str, interface: u32) -> String {
    let is_this =
        |end: &Value| text(end, "node_id") == node && end["interface_index"].as_u64() == Some(interface.into());
    for link in lab["links"].as_array().into_iter().flatten() {
        let (from, to) = (&link["from"], &link["to"]);
        for (own, other) in [(from, to), (to, from)] {
            if is_this(own) && !other["network_id"].is_null() {
                return text(other, "network_id");
            }
        }
    }
    String::new()
}

/// What is done to packets that leave this interface: at the end of its line.
fn impairment(node: &str, interface: u32, lines: &[&Value]) -> Map<String, Value> {
    let mut found = Map::new();
    let own = format!("node{node}");
    for (line, end) in lines.iter().flat_map(|line| [(line, "source"), (line, "destination")]) {
        let number = line[format!("{end}_interfaceId")].as_u64();
        if line[end] != own.as_str() || number != Some(interface.into()) {
            continue;
        }
        for (theirs, ours) in
            [("delay", "delay_ms"), ("jitter", "jitter_ms"), ("loss", "loss_percent"), ("bandwidth", "rate_kbit")]
        {
            let value = &line[format!("{end}_{theirs}")];
            if value.as_f64().is_some_and(|value| value > 0.0) {
                found.insert(ours.into(), value.clone());
            }
        }
    }
    found
}
