//! What has to be true of a document beyond its schema.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
};

use ipnet::IpNet;
use serde_json::Value;

use super::{
    document::{At, Document, End, Link, Network, NetworkKind, Node, NodeKind, OF_KIND, Route},
    fault::Fault,
    normal::natural,
    spec,
};
use crate::lab_names::check_name;

/// Where the expanded entries come from, for what is said about them.
pub(super) struct Origins {
    pub(super) networks: Vec<String>,
    pub(super) nodes: Vec<String>,
    pub(super) links: Vec<String>,
}

/// Turns every link so that its first end is a node's; between two nodes, the one that is counted first.
pub(super) fn turn(document: &mut Document) {
    for link in &mut document.links {
        let order = match (&link.endpoints[0].at, &link.endpoints[1].at) {
            (None, Some(_)) => true,
            (Some(a), Some(b)) => natural(&a.to_string(), &b.to_string()).is_gt(),
            _ => false,
        };
        if order {
            link.endpoints.reverse();
        }
        for end in &mut link.endpoints {
            end.mac = end.mac.take().map(|mac| mac.to_ascii_lowercase());
            end.addresses.sort();
            end.impairment = end.impairment.filter(|own| !own.is_none() || link.impairment.is_some());
        }
        link.impairment = link.impairment.filter(|own| !own.is_none());
    }
    for route in document.nodes.iter_mut().flat_map(|node| &mut node.routes) {
        if let Ok(net) = route.to.parse::<IpNet>() {
            route.to = if net.prefix_len() == 0 { "default".into() } else { net.to_string() };
        }
        route.via = route.via.take().map(|via| via.parse::<IpAddr>().map_or(via, |via| via.to_string()));
    }
}

/// Everything that is wrong with it.
pub(super) fn check(document: &Document, origins: &Origins, faults: &mut Vec<Fault>) {
    let mut looked = Look { document, faults, ends: HashMap::new() };
    looked.names(origins);
    for (network, pointer) in document.networks.iter().zip(&origins.networks) {
        looked.network(network, pointer);
    }
    for (node, pointer) in document.nodes.iter().zip(&origins.nodes) {
        looked.node(node, pointer);
    }
    looked.links(origins);
    looked.addresses(origins);
    for (node, pointer) in document.nodes.iter().zip(&origins.nodes) {
        looked.routes(node, pointer);
    }
    looked.checks();
}

struct Look<'a> {
    document: &'a Document,
    faults: &'a mut Vec<Fault>,
    /// The ends of each node, with their pointers.
    ends: HashMap<&'a str, Vec<(&'a End, String)>>,
}

impl<'a> Look<'a> {
    fn wrong(&mut self, code: &'static str, pointer: impl Into<String>, message: impl Into<String>) {
        self.faults.push(Fault::new(code, pointer, message));
    }

    fn names(&mut self, origins: &Origins) {
        let mut seen: HashMap<&str, &str> = HashMap::new();
        let document = self.document;
        let networks = document.networks.iter().map(|network| network.name.as_str()).zip(&origins.networks);
        let nodes = document.nodes.iter().map(|node| node.name.as_str()).zip(&origins.nodes);
        let all = networks.map(|one| ("network", one)).chain(nodes.map(|one| ("node", one)));
        for (what, (name, pointer)) in all {
            if let Err(problem) = check_name(what, name) {
                let help = problem.help.unwrap_or_default();
                self.wrong("bad_name", format!("{pointer}/name"), format!("{}: {help}", problem.message));
            } else if let Some(other) = seen.insert(name, what) {
                self.wrong(
                    "duplicate_name",
                    format!("{pointer}/name"),
                    format!("`{name}` is the name of another {other}"),
                );
            }
        }
        self.ports(origins);
        let mut groups = HashSet::new();
        for (index, group) in document.groups.iter().enumerate().filter(|(_, group)| !groups.insert(&group.name)) {
            self.wrong(
                "duplicate_name",
                format!("/groups/{index}/name"),
                format!("`{}` is the name of another group", group.name),
            );
        }
    }

    /// What joins networks to other machines: no two share it, and what it is called is nobody else's name.
    fn ports(&mut self, origins: &Origins) {
        let document = self.document;
        let mut seen = HashSet::new();
        for (network, pointer) in document.networks.iter().zip(&origins.networks) {
            let vxlan = network.vxlan.as_ref().map(|vxlan| (vxlan.id, vxlan.port.unwrap_or(spec::VXLAN_PORT)));
            let vxlan = vxlan.map(|(id, port)| ("duplicate_vxlan", format!("the VXLAN {id} at port {port}")));
            let device = network.device.as_ref().map(|name| ("duplicate_device", format!("the device {name}")));
            for (code, what) in vxlan.into_iter().chain(device) {
                if !seen.insert(what.clone()) {
                    self.wrong(code, pointer, format!("{what} is in another network already"));
                }
            }
            let name = spec::vxlan_name(&network.name);
            if network.vxlan.is_some() && (check_name("network", &name).is_err() || document.network(&name).is_some()) {
                let message = format!("its VXLAN is called `{name}`: that is too long, or another network's name");
                self.wrong("bad_name", format!("{pointer}/name"), message);
            }
        }
    }

    fn network(&mut self, network: &Network, pointer: &str) {
        let fits = match network.kind {
            NetworkKind::Bridge => network.vxlan.is_none() && network.device.is_none(),
            NetworkKind::Vxlan => network.vxlan.is_some() && network.device.is_none(),
            NetworkKind::Device => network.vxlan.is_none() && network.device.is_some(),
        };
        if !fits {
            let message = "`vxlan` stands in a network of the kind `vxlan`, `device` in one of the kind `device`, and nowhere else";
            self.wrong("kind_mismatch", pointer, message);
        }
        if network.vxlan.as_ref().is_some_and(|vxlan| vxlan.remote.is_none()) {
            self.wrong(
                "no_remote",
                format!("{pointer}/vxlan"),
                "a VXLAN needs a `remote`: the other machine's address",
            );
        }
        let ends = network.vxlan.iter().flat_map(|vxlan| [&vxlan.remote, &vxlan.local]).flatten();
        for wrong in ends.filter(|end| end.parse::<IpAddr>().is_err()) {
            self.wrong("bad_address", format!("{pointer}/vxlan"), format!("`{wrong}` isn't an address"));
        }
    }

    fn node(&mut self, node: &Node, pointer: &str) {
        for key in node.own.keys() {
            let kinds = OF_KIND.iter().find(|(known, _)| known == key).map_or(&[][..], |(_, kinds)| kinds);
            if !kinds.contains(&node.kind) {
                let message = format!("a {} has no `{key}`", node.kind);
                self.wrong("kind_mismatch", format!("{pointer}/{key}"), message);
            }
        }
        let has = |key: &str| node.own.contains_key(key);
        match node.kind {
            NodeKind::Container if !has("image") => {
                self.wrong("kind_mismatch", pointer, "a container needs an `image`")
            }
            NodeKind::Machine if !has("disk") && !has("kernel") => {
                self.wrong("kind_mismatch", pointer, "a machine needs a `disk` or a `kernel`");
            }
            NodeKind::Machine => {
                let takes_none = [
                    (node.forwarding, "forwarding"),
                    (!node.routes.is_empty(), "routes"),
                    (!node.startup.is_empty(), "startup"),
                ];
                for (_, key) in takes_none.into_iter().filter(|(given, _)| *given) {
                    let message = format!("a machine sets up itself: say `{key}` in its `seed`");
                    self.wrong("kind_mismatch", format!("{pointer}/{key}"), message);
                }
                if node.own.get("cpus").and_then(Value::as_f64).is_some_and(|cpus| cpus.fract() != 0.0) {
                    self.wrong("kind_mismatch", format!("{pointer}/cpus"), "a machine has a whole number of CPUs");
                }
            }
            _ => {}
        }
        if node.ready.is_some() {
            let waits = match node.kind {
                NodeKind::Namespace => false,
                NodeKind::Container => has("health") && node.ready.as_ref().is_some_and(|ready| ready.serial.is_none()),
                NodeKind::Machine => node.ready.as_ref().is_some_and(|ready| ready.serial.is_some()),
            };
            if !waits {
                let message = "`ready` is for containers with a `health` command, and for machines that say something on `serial`";
                self.wrong("kind_mismatch", format!("{pointer}/ready"), message);
            }
        }
    }

    fn links(&mut self, origins: &'a Origins) {
        let mut taken: HashMap<&At, &str> = HashMap::new();
        let document = self.document;
        for (link, pointer) in document.links.iter().zip(&origins.links) {
            let nodes: Vec<&str> =
                link.endpoints.iter().filter_map(|end| Some(end.at.as_ref()?.node.as_str())).collect();
            match nodes[..] {
                [] => self.wrong("no_node", pointer, "a link has a node at one end at least"),
                [a, b] if a == b => self.wrong("same_node", pointer, format!("both ends are of the node `{a}`")),
                _ => {}
            }
            self.impairment(link, pointer);
            for end in &link.endpoints {
                if let Some(at) = &end.at {
                    if let Some(problem) = bad_interface(&at.interface) {
                        self.wrong("bad_name", pointer, problem);
                    }
                    if let Some(other) = taken.insert(at, pointer) {
                        self.wrong(
                            "duplicate_interface",
                            pointer,
                            format!("`{at}` is the end of another link ({other})"),
                        );
                    }
                    match document.node(&at.node) {
                        None => self.wrong("unknown_node", pointer, format!("there is no node `{}`", at.node)),
                        Some(node) if node.kind == NodeKind::Machine && !end.addresses.is_empty() => {
                            let message = format!(
                                "`{at}` is a machine's, which sets its addresses itself: say them in its `seed`"
                            );
                            self.wrong("kind_mismatch", pointer, message);
                        }
                        Some(_) => {}
                    }
                    self.ends.entry(&at.node).or_default().push((end, pointer.clone()));
                }
                match &end.network {
                    Some(name) if document.network(name).is_none() => {
                        let hint =
                            if document.node(name).is_some() { "; it is a node: write `NODE:INTERFACE`" } else { "" };
                        self.wrong("unknown_network", pointer, format!("there is no network `{name}`{hint}"));
                    }
                    Some(_) if !end.addresses.is_empty() || end.mac.is_some() => {
                        let message = "an end in a network has no address of its own: this machine's addresses stand in the network";
                        self.wrong("kind_mismatch", pointer, message);
                    }
                    _ => {}
                }
            }
        }
    }

    /// What a machine sends comes out at once of the tap in its network's bridge: there is no place to impair it.
    fn impairment(&mut self, link: &'a Link, pointer: &str) {
        let (Some(at), Some(network)) = (&link.endpoints[0].at, &link.endpoints[1].network) else { return };
        let is_machine = self.document.node(&at.node).is_some_and(|node| node.kind == NodeKind::Machine);
        if is_machine && !link.impairment_of(0).is_none() {
            let message = format!(
                "what the machine's `{at}` sends into the network `{network}` can't be impaired: impair the network's end, \
                 `{{ network: {network}, impairment: … }}`, for what it receives, or lay a link from it to another node"
            );
            self.wrong("machine_impairment", pointer, message);
        }
    }

    fn addresses(&mut self, origins: &Origins) {
        // What hears one another: a network, or a cable between two nodes.
        let mut heard: BTreeMap<(String, IpAddr), String> = BTreeMap::new();
        let document = self.document;
        for (network, pointer) in document.networks.iter().zip(&origins.networks) {
            for net in &network.addresses {
                self.address(*net, pointer);
                heard.insert((network.name.clone(), net.addr()), network.name.clone());
            }
        }
        for (link, pointer) in document.links.iter().zip(&origins.links) {
            let segment = link.endpoints[1].network.clone().unwrap_or_else(|| link.name());
            for end in &link.endpoints {
                let Some(at) = &end.at else { continue };
                for net in &end.addresses {
                    self.address(*net, pointer);
                    if let Some(other) = heard.insert((segment.clone(), net.addr()), at.to_string()) {
                        let message = format!("`{at}` and `{other}` have the same address, {}", net.addr());
                        self.wrong("duplicate_address", pointer, message);
                    }
                }
            }
        }
        for (node, ends) in &self.ends {
            let nets = ends.iter().flat_map(|(end, pointer)| end.addresses.iter().map(move |net| (end, net, pointer)));
            let mut seen: Vec<(&End, &IpNet)> = Vec::new();
            for (end, net, pointer) in nets.filter(|(_, net, _)| net.prefix_len() < net.max_prefix_len()) {
                let overlaps = |other: &&(&End, &IpNet)| {
                    other.0.at != end.at && (other.1.contains(&net.network()) || net.contains(&other.1.network()))
                };
                if let Some((_, other)) = seen.iter().find(overlaps) {
                    let message = format!("two interfaces of `{node}` are in one network: {net} and {other}");
                    self.faults.push(Fault::new("overlapping_addresses", pointer.clone(), message));
                }
                seen.push((end, net));
            }
        }
    }

    fn address(&mut self, net: IpNet, pointer: &str) {
        let hosts_bits = net.max_prefix_len() - net.prefix_len();
        let last = net.addr().is_ipv4() && net.addr() == net.broadcast();
        if hosts_bits >= 2 && net.addr().is_ipv4() && (net.addr() == net.network() || last)
            || net.addr().is_unspecified()
        {
            self.wrong("bad_address", pointer, format!("`{net}` is the address of a whole network"));
        }
        if net.addr().is_multicast() || net.addr().is_loopback() {
            self.wrong("bad_address", pointer, format!("`{net}` can't be an interface's address"));
        }
    }

    fn routes(&mut self, node: &Node, pointer: &str) {
        let mut seen = HashSet::new();
        for route in &node.routes {
            let place = format!("{pointer}/routes");
            if let Some(problem) = self.bad_route(node, route) {
                self.wrong(problem.0, place, problem.1);
            } else if !seen.insert((&route.to, route.metric, route.via.as_deref().is_some_and(|via| via.contains(':'))))
            {
                let message = format!("two routes to {} have the same metric", route.to);
                self.wrong("duplicate_route", place, message);
            }
        }
    }

    fn bad_route(&self, node: &Node, route: &Route) -> Option<(&'static str, String)> {
        let to = match route.to.as_str() {
            "default" => None,
            text => match text.parse::<IpNet>() {
                Err(_) => {
                    return Some((
                        "bad_address",
                        format!("`{text}` isn't a network such as 10.1.0.0/16, or `default`"),
                    ));
                }
                Ok(net) if net.trunc() != net => {
                    return Some((
                        "bad_address",
                        format!("the route to {net} has host bits set: write {}", net.trunc()),
                    ));
                }
                Ok(net) => Some(net),
            },
        };
        let ends = self.ends.get(node.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let is_there = |name: &str| ends.iter().any(|(end, _)| end.at.as_ref().is_some_and(|at| at.interface == name));
        if let Some(dev) = route.dev.as_deref().filter(|dev| *dev != "lo" && !is_there(dev)) {
            return Some(("unknown_interface", format!("`{}` has no interface `{dev}`", node.name)));
        }
        let Some(via) = &route.via else {
            return route
                .dev
                .is_none()
                .then(|| ("bad_route", format!("the route to {} needs `via` or `dev`", route.to)));
        };
        let Ok(via) = via.parse::<IpAddr>() else {
            return Some(("bad_address", format!("`{via}` isn't the address of a gateway")));
        };
        if to.is_some_and(|to| to.addr().is_ipv4() != via.is_ipv4()) {
            return Some(("bad_route", format!("the route to {} has a gateway of the other address family", route.to)));
        }
        let near = ends.iter().flat_map(|(end, _)| &end.addresses).any(|net| net.contains(&via) && net.addr() != via);
        (!near && route.dev.is_none())
            .then(|| ("unreachable_gateway", format!("`{}` is in no network that has the gateway {via}", node.name)))
    }

    /// Somebody who looks has to be there, and what they ping as well.
    fn looks(&mut self, from: &str, ping: Option<&str>, pointer: &str) {
        let document = self.document;
        match document.node(from) {
            None => self.wrong("unknown_node", format!("{pointer}/from"), format!("there is no node `{from}`")),
            Some(node) if node.kind == NodeKind::Machine => {
                let message = "nothing can be run in a machine: let another node look at it";
                self.wrong("kind_mismatch", format!("{pointer}/from"), message);
            }
            Some(_) => {}
        }
        let Some(to) = ping else { return };
        if to.parse::<IpAddr>().is_err() && document.address_of(to).is_none() {
            let message = format!("`{to}` is no address, and no node that has one");
            self.wrong("unknown_node", format!("{pointer}/ping"), message);
        }
    }

    fn checks(&mut self) {
        let document = self.document;
        for (index, check) in document.checks.iter().enumerate() {
            let pointer = format!("/checks/{index}");
            self.looks(&check.from, check.ping.as_deref(), &pointer);
        }
        for (index, drill) in document.drills.iter().enumerate() {
            let pointer = format!("/drills/{index}");
            self.looks(&drill.from, Some(&drill.ping), &pointer);
            let ends = document.links.iter().flat_map(|link| &link.endpoints);
            if !ends.into_iter().any(|end| end.at.as_ref() == Some(&drill.at)) {
                let message = format!("no link has the end `{}`", drill.at);
                self.wrong("unknown_interface", format!("{pointer}/at"), message);
            }
        }
        let mut ports = HashSet::new();
        for node in &document.nodes {
            for port in node.own.get("ports").and_then(Value::as_array).into_iter().flatten() {
                let protocol = port["protocol"].as_str().unwrap_or("tcp");
                if !ports.insert((port["host"].to_string(), protocol)) {
                    let message = format!("the port {} of this machine is given twice", port["host"]);
                    self.wrong("duplicate_port", "/nodes", format!("{message}: by `{}` the second time", node.name));
                }
            }
        }
    }
}

fn bad_interface(name: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b'@' | b'%');
    if name == "lo" {
        return Some("`lo` is every node's own".into());
    }
    let fits = !name.is_empty() && name.len() <= 15 && name.bytes().all(allowed) && !name.starts_with('.');
    (!fits).then(|| {
        format!("`{name}` can't be the name of an interface: 1 to 15 letters, digits and hyphens, such as `eth0`")
    })
}
