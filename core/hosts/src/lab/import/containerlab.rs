//! containerlab's topologies (YAML).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Draft, words};

/// Kinds of nodes that are a network of the host there.
const BRIDGES: [&str; 2] = ["bridge", "ovs-bridge"];
/// Kinds that are a plain container there, too.
const PLAIN: [&str; 3] = ["linux", "", "k8s-kind"];
/// Keys of a node that have no place here, and why.
const LEFT: &[(&str, &str)] = &[
    ("license", "what a vendor's node needs of it is not known here: put it into `files`"),
    ("startup-config", "it is in the format of its node's kind: put it into `files` where the image looks for it"),
    ("type", "it chooses a variant of a kind"),
    ("user", "a container runs as its image says"),
    ("network-mode", "a lab's links are its networks"),
    ("mgmt-ipv4", "Docker gives the address of its own network"),
    ("mgmt-ipv6", "Docker gives the address of its own network"),
    ("publish", "nothing is published outside of this machine"),
    ("dns", "a container has the image's own name servers: put /etc/resolv.conf into `files`"),
    ("certificate", "put certificates into `files`"),
    ("stages", "nodes start together; `health` and checks say when they are ready"),
    ("startup-delay", "nodes start together; `health` and checks say when they are ready"),
    ("runtime", "containers are Docker's here"),
    ("env-files", "say the variables in `env`"),
    ("cpu-set", "say how many in `cpus`"),
    ("devices", "no devices of this machine are given to containers"),
    ("shm-size", "the image's own size is used"),
    ("config", "containerlab's configuration templates aren't read"),
    ("extras", "it is about a vendor's kind"),
    ("aliases", "nodes are known by their names alone"),
    ("auto-remove", "a lab's containers go when the lab does"),
    ("image-pull-policy", "an image has to be on this machine: nothing is pulled by itself"),
];
const TAKEN: &[&str] = &[
    "kind",
    "image",
    "group",
    "labels",
    "env",
    "cmd",
    "entrypoint",
    "binds",
    "exec",
    "ports",
    "cpu",
    "memory",
    "cap-add",
    "sysctls",
    "restart-policy",
    "healthcheck",
    "enforce-startup-config",
    "suppress-startup-config",
    "position",
];

pub(super) fn read(value: &Value, files: &BTreeMap<String, String>, draft: &mut Draft) {
    draft.called(value["name"].as_str().unwrap_or("lab"));
    for key in ["prefix", "mgmt", "settings", "debug"] {
        if !value[key].is_null() {
            let why = "names and the management network follow from the lab and from Docker: `management: true` connects a container to it";
            draft.leave(format!("/{key}"), format!("`{key}`"), why);
        }
    }
    let topology = &value["topology"];
    unknown(value, &["name", "prefix", "mgmt", "settings", "debug", "topology"], "", draft);
    unknown(topology, &["defaults", "kinds", "groups", "nodes", "links"], "/topology", draft);
    let mut bridges: BTreeMap<String, String> = BTreeMap::new();
    for (key, own) in topology["nodes"].as_object().into_iter().flatten() {
        let place = format!("/topology/nodes/{key}");
        let node = merged(topology, own);
        let kind = node.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if BRIDGES.contains(&kind.as_str()) {
            let name = draft.name(key, key, &place);
            draft.leave(
                &place,
                format!("the kind `{kind}`"),
                "the lab makes a bridge of its own; make it a network of the kind `device` if it has to reach out",
            );
            draft.networks.push(json!({ "name": name }));
            bridges.insert(key.clone(), name);
        } else if matches!(kind.as_str(), "host" | "ext-container") {
            draft.leave(&place, format!("the whole node, of the kind `{kind}`"), "a lab has its own nodes only");
        } else {
            take_node(key, &kind, &node, &place, files, draft);
        }
    }
    for (index, link) in topology["links"].as_array().into_iter().flatten().enumerate() {
        take_link(link, &format!("/topology/links/{index}"), &bridges, draft);
    }
}

/// A node with what its group, its kind and the defaults say.
fn merged(topology: &Value, own: &Value) -> Map<String, Value> {
    let text = |map: &Value, key: &str| map[key].as_str().map(str::to_owned);
    let group = text(own, "group").or_else(|| text(&topology["defaults"], "group"));
    let of_group = group.as_ref().map_or(&Value::Null, |group| &topology["groups"][group]);
    let kind = text(own, "kind").or_else(|| text(of_group, "kind")).or_else(|| text(&topology["defaults"], "kind"));
    let of_kind = kind.as_ref().map_or(&Value::Null, |kind| &topology["kinds"][kind]);
    let mut node = Map::new();
    for layer in [&topology["defaults"], of_kind, of_group, own] {
        for (key, value) in layer.as_object().into_iter().flatten() {
            match (node.get_mut(key), value) {
                (Some(Value::Object(there)), Value::Object(more)) => there.extend(more.clone()),
                (Some(Value::Array(there)), Value::Array(more)) => there.extend(more.clone()),
                (_, Value::Null) => {}
                _ => _ = node.insert(key.clone(), value.clone()),
            }
        }
    }
    kind.map(|kind| node.insert("kind".into(), kind.into()));
    node
}

fn take_node(
    key: &str,
    kind: &str,
    node: &Map<String, Value>,
    place: &str,
    files: &BTreeMap<String, String>,
    draft: &mut Draft,
) {
    let name = draft.name(key, key, place);
    let mut taken = Map::from_iter([("name".to_owned(), Value::from(name))]);
    let get = |key: &str| node.get(key).unwrap_or(&Value::Null);
    if !PLAIN.contains(&kind) {
        draft.leave(
            format!("{place}/kind"),
            format!("what containerlab does for the kind `{kind}`"),
            "the node is a plain container of its image: its command, files and capabilities have to be said",
        );
    }
    match get("image").as_str() {
        Some(image) => {
            let (filled, any) = filled_in(image);
            if any || filled.contains('$') {
                let why = match filled.contains('$') {
                    true => "variables aren't filled in: name the image",
                    false => "variables aren't filled in: their defaults are taken",
                };
                draft.leave(format!("{place}/image"), format!("`{image}`"), why);
            }
            taken.insert("image".into(), filled.into())
        }
        None => {
            draft.leave(place, "an image", "the node names none: it is a namespace here");
            taken.insert("kind".into(), "namespace".into())
        }
    };
    let is_container = taken.contains_key("image");
    for (key, why) in LEFT.iter().filter(|(key, _)| node.contains_key(*key)) {
        draft.leave(format!("{place}/{key}"), format!("`{key}`"), *why);
    }
    let known = |key: &&String| TAKEN.contains(&key.as_str()) || LEFT.iter().any(|(left, _)| left == key);
    for key in node.keys().filter(|key| !known(key)) {
        draft.leave(format!("{place}/{key}"), format!("`{key}`"), "it isn't known here");
    }
    let startup: Vec<Vec<String>> =
        get("exec").as_array().into_iter().flatten().filter_map(Value::as_str).map(words).collect();
    let startup: Vec<_> = startup.into_iter().filter(|argv| !argv.is_empty()).collect();
    if !startup.is_empty() {
        taken.insert("startup".into(), json!(startup));
    }
    labels(get("labels"), &mut taken);
    if let (Some(x), Some(y)) = (get("position")["x"].as_f64(), get("position")["y"].as_f64()) {
        taken.insert("position".into(), json!({ "x": x, "y": y }));
    }
    if is_container {
        container(node, place, files, &mut taken, draft);
    }
    draft.nodes.push(taken.into());
}

fn labels(labels: &Value, taken: &mut Map<String, Value>) {
    let mut own = Map::new();
    let mut position = (None, None);
    for (key, value) in labels.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match key.as_str() {
            "graph-posX" => position.0 = text.parse::<f64>().ok(),
            "graph-posY" => position.1 = text.parse::<f64>().ok(),
            _ => _ = own.insert(key.clone(), text.into()),
        }
    }
    if let (Some(x), Some(y)) = position {
        taken.insert("position".into(), json!({ "x": x, "y": y }));
    }
    if !own.is_empty() {
        taken.insert("labels".into(), own.into());
    }
}

/// What a container of theirs says.
fn container(
    node: &Map<String, Value>,
    place: &str,
    files: &BTreeMap<String, String>,
    taken: &mut Map<String, Value>,
    draft: &mut Draft,
) {
    let get = |key: &str| node.get(key).unwrap_or(&Value::Null);
    for (theirs, ours) in [("cmd", "command"), ("entrypoint", "entrypoint")] {
        if let Some(argv) = get(theirs).as_str().map(words).filter(|argv| !argv.is_empty()) {
            taken.insert(ours.into(), json!(argv));
        }
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for key in ["env", "sysctls"] {
        let entries: Map<_, _> =
            get(key).as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value).into())).collect();
        let (fits, others): (Map<_, _>, Map<_, _>) =
            entries.into_iter().partition(|(name, _)| key == "env" || name.starts_with("net."));
        for (name, _) in others {
            draft.leave(format!("{place}/sysctls/{name}"), format!("`{name}`"), "only `net.…` is a container's own");
        }
        if !fits.is_empty() {
            taken.insert(key.into(), fits.into());
        }
    }
    get("cpu").as_f64().filter(|cpus| *cpus > 0.0).map(|cpus| taken.insert("cpus".into(), cpus.into()));
    match get("memory") {
        Value::Null => {}
        memory => match megabytes(&text(memory)) {
            Some(memory) => _ = taken.insert("memory_mb".into(), memory.into()),
            None => draft.leave(format!("{place}/memory"), format!("`{memory}`"), "it isn't a size such as 512MB"),
        },
    }
    // What several layers say is said once.
    let mut capabilities: Vec<String> = get("cap-add").as_array().into_iter().flatten().map(text).collect();
    capabilities.sort();
    capabilities.dedup();
    if !capabilities.is_empty() {
        taken.insert("capabilities".into(), json!(capabilities));
    }
    match get("restart-policy").as_str() {
        None => {}
        Some("unless-stopped") => _ = taken.insert("restart".into(), "always".into()),
        Some(policy) => _ = taken.insert("restart".into(), policy.into()),
    }
    health(get("healthcheck"), taken);
    let mut ports = Vec::new();
    for port in get("ports").as_array().into_iter().flatten().map(text) {
        match port_of(&port) {
            Some(port) if draft.takes_port(&port) => ports.push(port),
            Some(_) => draft.leave(
                format!("{place}/ports"),
                format!("the port `{port}`"),
                "another node, or this one, has this port of the machine already",
            ),
            None => draft.leave(
                format!("{place}/ports"),
                format!("the port `{port}`"),
                "it is no HOST:CONTAINER of numbers; addresses of this machine can't be chosen",
            ),
        }
    }
    if !ports.is_empty() {
        taken.insert("ports".into(), ports.into());
    }
    let mut own = Vec::new();
    for bind in get("binds").as_array().into_iter().flatten().map(text) {
        let parts: Vec<&str> = bind.split(':').collect();
        let content =
            parts.first().and_then(|path| files.get(*path).or_else(|| files.get(path.trim_start_matches("./"))));
        match (content, parts.get(1)) {
            (Some(content), Some(path)) if path.starts_with('/') => {
                // The layer that is nearest to the node says what is there.
                own.retain(|file: &Value| file["path"].as_str() != Some(*path));
                own.push(json!({ "path": path, "content": content }))
            }
            _ => draft.leave(
                format!("{place}/binds"),
                format!("`{bind}`"),
                "nothing of this machine is mounted: put the file's content into `files`",
            ),
        }
    }
    if !own.is_empty() {
        taken.insert("files".into(), own.into());
    }
}

fn health(check: &Value, taken: &mut Map<String, Value>) {
    let test: Vec<String> =
        check["test"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let command = match test.split_first() {
        Some((first, rest)) if first == "CMD-SHELL" => vec!["sh".to_owned(), "-c".into(), rest.join(" ")],
        Some((first, rest)) if first == "CMD" => rest.to_vec(),
        _ => return,
    };
    let mut own = Map::from_iter([("command".to_owned(), json!(command))]);
    for (theirs, ours) in [
        ("interval", "interval_s"),
        ("timeout", "timeout_s"),
        ("retries", "retries"),
        ("start-period", "start_period_s"),
    ] {
        check[theirs].as_u64().filter(|number| *number > 0).map(|number| own.insert(ours.into(), number.into()));
    }
    taken.insert("health".into(), own.into());
}

/// `512MB`, `1gb`, `1Gib`; a plain number is bytes.
fn megabytes(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
        "" => 1.0 / 1_048_576.0,
        "k" => 1.0 / 1024.0,
        "m" => 1.0,
        "g" => 1024.0,
        "t" => 1_048_576.0,
        _ => return None,
    };
    let megabytes = number.parse::<f64>().ok()? * factor;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a size that fits")]
    (4.0..4_194_304.0).contains(&megabytes).then(|| megabytes.round() as u64)
}

fn port_of(text: &str) -> Option<Value> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (host, node) = ports.split_once(':')?;
    let (host, node) = (host.parse::<u16>().ok()?, node.parse::<u16>().ok()?);
    (matches!(protocol, "tcp" | "udp") && host > 0 && node > 0)
        .then(|| json!({ "host": host, "node": node, "protocol": protocol }))
}

fn take_link(link: &Value, place: &str, bridges: &BTreeMap<String, String>, draft: &mut Draft) {
    let kind = link["type"].as_str().unwrap_or("veth");
    if kind != "veth" {
        let why = match kind {
            "mgmt-net" => "`management: true` connects a container to its organisation's network in Docker",
            "vxlan" | "vxlan-stitch" => "make a network of the kind `vxlan`, and link the node to it",
            "host" | "macvlan" => "make a network of the kind `device`, and link the node to it",
            _ => "it isn't known here",
        };
        draft.leave(place, format!("a link of the type `{kind}`"), why);
        return;
    }
    let mut ends = Vec::new();
    for end in link["endpoints"].as_array().into_iter().flatten() {
        let (node, interface) = match end {
            Value::String(text) => text.split_once(':').unwrap_or((text.as_str(), "")),
            _ => (end["node"].as_str().unwrap_or_default(), end["interface"].as_str().unwrap_or_default()),
        };
        if let Some(bridge) = bridges.get(node) {
            ends.push(json!({ "network": bridge }));
            continue;
        }
        let Some(name) = draft.names.get(node).cloned() else {
            let why = "a link leads from a node of the lab to another, or to a bridge: make a network of the kind `device` for what is outside";
            draft.leave(place, format!("the link to `{node}:{interface}`"), why);
            return;
        };
        let interface = draft.interface(interface, place);
        let mut taken = Map::from_iter([("at".to_owned(), Value::from(format!("{name}:{interface}")))]);
        end["mac"].as_str().map(|mac| taken.insert("mac".into(), mac.into()));
        let addresses = ["ipv4", "ipv6"].into_iter().filter_map(|key| end[key].as_str()).collect::<Vec<_>>();
        if !addresses.is_empty() {
            taken.insert("addresses".into(), json!(addresses));
        }
        ends.push(taken.into());
    }
    if ends.len() != 2 || ends.iter().all(|end| end["at"].is_null()) {
        draft.leave(place, "the link", "a link has two ends, one of them at a node");
        return;
    }
    let mut taken = json!({ "endpoints": ends });
    if let Some(mtu) = link["mtu"].as_u64() {
        taken["mtu"] = mtu.into();
    }
    if !link["vars"].is_null() {
        draft.leave(format!("{place}/vars"), "`vars`", "containerlab's configuration templates aren't read");
    }
    let mut labels = Map::new();
    for (key, value) in link["labels"].as_object().into_iter().flatten() {
        labels.insert(key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned).into());
    }
    if !labels.is_empty() {
        taken["labels"] = labels.into();
    }
    unknown(link, &["type", "endpoints", "mtu", "vars", "labels"], place, draft);
    for end in link["endpoints"].as_array().into_iter().flatten() {
        unknown(end, &["node", "interface", "mac", "ipv4", "ipv6"], &format!("{place}/endpoints"), draft);
    }
    draft.link(place, taken);
}

/// Tells of keys that nobody has looked at.
fn unknown(map: &Value, known: &[&str], place: &str, draft: &mut Draft) {
    for key in map.as_object().into_iter().flatten().map(|(key, _)| key).filter(|key| !known.contains(&key.as_str())) {
        draft.leave(format!("{place}/{key}"), format!("`{key}`"), "it isn't known here");
    }
}

/// A text in which `${NAME:=default}` stands for its default, as where the variable isn't set. Whether anything was filled in.
fn filled_in(text: &str) -> (String, bool) {
    let (mut filled, mut rest, mut any) = (String::new(), text, false);
    while let Some((before, from)) = rest.split_once("${") {
        let Some((inside, after)) = from.split_once('}') else { break };
        filled.push_str(before);
        match inside.split_once(":=").or_else(|| inside.split_once(":-")) {
            Some((_, default)) => {
                filled.push_str(default);
                any = true;
            }
            None => filled.push_str(&format!("${{{inside}}}")),
        }
        rest = after;
    }
    (filled + rest, any)
}
