//! What can be done with what stands around servers: networks, firewalls, volumes, addresses.

use serde_json::json;
use windlass_script::host::{Kind as Of, Param, Undo};

use super::super::{
    arguments::{PROJECT, reference},
    kinds::id_of,
};
use super::{
    ADDRESS, APPLIED, ATTACHED, Act, FIREWALL, NETWORK, ROUTE, SUBNET, VOLUME, WHAT, applied, back, has, same,
};
use crate::support::invalid;

pub(super) fn acts() -> Vec<Act> {
    const KEPT: &str = "what it was before isn't kept";
    vec![
        Act {
            name: "add_subnet",
            kind: NETWORK,
            params: SUBNET,
            undo: back("delete_subnet"),
            doc: "Adds a subnet to a network.",
            example: r#"hetzner::create_network("acme", "net", #{ ip_range: "10.0.0.0/16" }); hetzner::add_subnet("acme", "net", #{ type: "cloud", network_zone: "eu-central", ip_range: "10.0.1.0/24" }).subnets"#,
            plan: plan!(|_p, held, args| {
                let subnet = args.get("subnet");
                if !subnet["ip_range"].is_string() {
                    return Err(invalid("`ip_range` of the subnet is needed, so that it can be told from others"));
                }
                let there = has(&held["subnets"], |one| one["ip_range"] == subnet["ip_range"]);
                Ok((!there).then(|| ("add_subnet", subnet.clone())))
            }),
        },
        Act {
            name: "delete_subnet",
            kind: NETWORK,
            params: SUBNET,
            undo: back("add_subnet"),
            doc: "Takes a subnet out of a network.",
            example: r#"hetzner::create_network("acme", "net", #{ ip_range: "10.0.0.0/16" }); let subnet = #{ type: "cloud", network_zone: "eu-central", ip_range: "10.0.1.0/24" }; hetzner::add_subnet("acme", "net", subnet); hetzner::delete_subnet("acme", "net", subnet)"#,
            plan: plan!(|_p, held, args| {
                let range = &args.get("subnet")["ip_range"];
                Ok(has(&held["subnets"], |one| one["ip_range"] == *range)
                    .then(|| ("delete_subnet", json!({ "ip_range": range }))))
            }),
        },
        Act {
            name: "add_route",
            kind: NETWORK,
            params: ROUTE,
            undo: back("delete_route"),
            doc: "Adds a route to a network.",
            example: r#"hetzner::create_network("acme", "net", #{ ip_range: "10.0.0.0/16" }); hetzner::add_route("acme", "net", #{ destination: "10.100.0.0/16", gateway: "10.0.1.5" }).routes"#,
            plan: plan!(|_p, held, args| {
                let route = args.get("route");
                Ok((!has(&held["routes"], |one| one == route)).then(|| ("add_route", route.clone())))
            }),
        },
        Act {
            name: "delete_route",
            kind: NETWORK,
            params: ROUTE,
            undo: back("add_route"),
            doc: "Takes a route out of a network.",
            example: r#"hetzner::create_network("acme", "net", #{ ip_range: "10.0.0.0/16" }); let route = #{ destination: "10.100.0.0/16", gateway: "10.0.1.5" }; hetzner::add_route("acme", "net", route); hetzner::delete_route("acme", "net", route)"#,
            plan: plan!(|_p, held, args| {
                let route = args.get("route");
                Ok(has(&held["routes"], |one| one == route).then(|| ("delete_route", route.clone())))
            }),
        },
        Act {
            name: "set_firewall_rules",
            kind: FIREWALL,
            undo: Undo::None(KEPT),
            params: const {
                &[
                    PROJECT,
                    WHAT,
                    Param::required("rules", Of::Array, "All rules; none allows nothing in, and everything out."),
                ]
            },
            doc: "Replaces the rules of a firewall.",
            example: r#"hetzner::create_firewall("acme", "wall"); hetzner::set_firewall_rules("acme", "wall", [#{ direction: "in", protocol: "icmp", source_ips: ["::/0"] }])"#,
            plan: plan!(|_p, _h, args| Ok(Some(("set_rules", json!({ "rules": args.get("rules") }))))),
        },
        Act {
            name: "apply_firewall",
            kind: FIREWALL,
            params: APPLIED,
            undo: back("remove_firewall"),
            doc: "Puts a firewall before a server, or before all that fit a selector.",
            example: r#"hetzner::create_firewall("acme", "wall"); hetzner::apply_firewall("acme", "wall", #{ label_selector: "role=web" }).applied_to"#,
            plan: plan!(|project, held, args| {
                let to = applied(project, args.get("to")).await?;
                Ok((!has(&held["applied_to"], |one| same(one, &to)))
                    .then(|| ("apply_to_resources", json!({ "apply_to": [to] }))))
            }),
        },
        Act {
            name: "remove_firewall",
            kind: FIREWALL,
            params: APPLIED,
            undo: back("apply_firewall"),
            doc: "Takes a firewall away from a server or a selector.",
            example: r#"hetzner::create_firewall("acme", "wall"); hetzner::apply_firewall("acme", "wall", #{ label_selector: "role=web" }); hetzner::remove_firewall("acme", "wall", #{ label_selector: "role=web" })"#,
            plan: plan!(|project, held, args| {
                let to = applied(project, args.get("to")).await?;
                Ok(has(&held["applied_to"], |one| same(one, &to))
                    .then(|| ("remove_from_resources", json!({ "remove_from": [to] }))))
            }),
        },
        Act {
            name: "attach_volume",
            kind: VOLUME,
            params: ATTACHED,
            undo: back("detach_volume"),
            doc: "Attaches a volume to a server in the same location.",
            example: r#"hetzner::create_volume("acme", "data", #{ size: 10, location: "fsn1" }); hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13", location: "fsn1" }); hetzner::attach_volume("acme", "data", "web").server"#,
            plan: plan!(|project, held, args| {
                let server = id_of(project, "servers", "server", args.get("server")).await?;
                Ok((held["server"] != server).then(|| ("attach", json!({ "server": server, "automount": false }))))
            }),
        },
        Act {
            name: "detach_volume",
            kind: VOLUME,
            undo: Undo::None("the server may be gone by then"),
            params: const {
                &[
                    PROJECT,
                    WHAT,
                    Param::optional("server", Of::Any, "The server that it is expected at: elsewhere it is left."),
                ]
            },
            doc: "Detaches a volume from its server.",
            example: r#"hetzner::create_volume("acme", "data", #{ size: 10, location: "fsn1" }); hetzner::detach_volume("acme", "data")"#,
            plan: plan!(|project, held, args| {
                if !args.get("server").is_null() {
                    let wanted = reference(args.get("server"), "server")?;
                    let server = project.find("servers", "server", &wanted).await?;
                    if server.is_none_or(|server| server["id"] != held["server"]) {
                        return Ok(None);
                    }
                }
                Ok((!held["server"].is_null()).then(|| ("detach", json!({}))))
            }),
        },
        Act {
            name: "resize_volume",
            kind: VOLUME,
            undo: Undo::None("a volume can't shrink"),
            params: const { &[PROJECT, WHAT, Param::required("size", Of::Int, "GB, more than before.")] },
            doc: "Makes a volume larger. Its file system has to be told on the server.",
            example: r#"hetzner::create_volume("acme", "data", #{ size: 10, location: "fsn1" }); hetzner::resize_volume("acme", "data", 20).size"#,
            plan: plan!(|_p, held, args| Ok(
                (held["size"] != *args.get("size")).then(|| ("resize", json!({ "size": args.get("size") })))
            )),
        },
        Act {
            name: "assign_primary_ip",
            kind: ADDRESS,
            params: ATTACHED,
            undo: back("unassign_primary_ip"),
            doc: "Gives a primary IP to a server that is off.",
            example: r#"hetzner::create_primary_ip("acme", "ip", #{ type: "ipv4", location: "fsn1" }); hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13", location: "fsn1", start_after_create: false, public_net: #{ enable_ipv4: false } }); hetzner::assign_primary_ip("acme", "ip", "web")"#,
            plan: plan!(|project, held, args| {
                let server = id_of(project, "servers", "server", args.get("server")).await?;
                Ok((held["assignee_id"] != server)
                    .then(|| ("assign", json!({ "assignee_id": server, "assignee_type": "server" }))))
            }),
        },
        Act {
            name: "unassign_primary_ip",
            kind: ADDRESS,
            undo: Undo::None("the server may be gone by then"),
            params: const { &[PROJECT, WHAT, Param::optional("server", Of::Any, "The server, for the record.")] },
            doc: "Takes a primary IP from its server, which has to be off.",
            example: r#"hetzner::create_primary_ip("acme", "ip", #{ type: "ipv4", location: "fsn1" }); hetzner::unassign_primary_ip("acme", "ip")"#,
            plan: plan!(|_p, held, _a| Ok((!held["assignee_id"].is_null()).then(|| ("unassign", json!({}))))),
        },
    ]
}
