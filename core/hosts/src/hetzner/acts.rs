//! What can be done with things that are there: power, networks, rules, services and targets, volumes, addresses.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{EffectClass, Problem};
use windlass_script::host::{Args, Kind as Of, Op, Param, Permission, Rehearse, Undo, no_resources};

use super::{
    arguments::{PROJECT, project, reference, scope},
    assume,
    client::{Cloud, Project},
    kinds::{RETRY, TIMEOUT_MS, id_of},
    make::{Kind, actions, object, settle},
    refusal::provider_code,
};
use crate::support::invalid;

const SERVER: Kind = Kind { plural: "servers", singular: "server", acts: true };
const NETWORK: Kind = Kind { plural: "networks", singular: "network", acts: true };
const FIREWALL: Kind = Kind { plural: "firewalls", singular: "firewall", acts: true };
const BALANCER: Kind = Kind { plural: "load_balancers", singular: "load_balancer", acts: true };
const VOLUME: Kind = Kind { plural: "volumes", singular: "volume", acts: true };
const ADDRESS: Kind = Kind { plural: "primary_ips", singular: "primary_ip", acts: true };

const WHAT: Param = Param::required("what", Of::Any, "Its id, its name, or what an op gave.");
const ONE: &[Param] = &[PROJECT, WHAT];
const NET: Param = Param::required("network", Of::Any, "The network: its id, its name, or what an op gave.");
const WITH_NET: &[Param] = &[PROJECT, WHAT, NET];
const SERVICE: &[Param] = &[
    PROJECT,
    WHAT,
    Param::required(
        "service",
        Of::Map,
        "`protocol`, `listen_port`, `destination_port`, `proxyprotocol`, `health_check`, `http`.",
    ),
];
const TARGET: &[Param] = &[
    PROJECT,
    WHAT,
    Param::required(
        "target",
        Of::Map,
        "`#{ server: … }`, `#{ label_selector: \"role=web\" }` or `#{ ip: \"…\" }`; `use_private_ip`.",
    ),
];
const SUBNET: &[Param] = &[PROJECT, WHAT, Param::required("subnet", Of::Map, "`type`, `network_zone`, `ip_range`.")];
const ROUTE: &[Param] =
    &[PROJECT, WHAT, Param::required("route", Of::Map, "`destination` (a range) and `gateway` (an address).")];
const APPLIED: &[Param] =
    &[PROJECT, WHAT, Param::required("to", Of::Map, "`#{ server: … }` or `#{ label_selector: \"role=web\" }`.")];
const ATTACHED: &[Param] =
    &[PROJECT, WHAT, Param::required("server", Of::Any, "The server: its id, its name, or what an op gave.")];

/// What is asked for: the API's verb and its body. None: it is so already.
type Plan = Option<(&'static str, Value)>;

/// An action.
struct Act {
    name: &'static str,
    kind: Kind,
    doc: &'static str,
    params: &'static [Param],
    undo: Undo,
    example: &'static str,
    plan: for<'a> fn(
        &'a Project,
        &'a Value,
        &'a Args,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Plan, Problem>> + Send + 'a>>,
}

/// A plan as the body of an async block.
macro_rules! plan {
    (|$project:ident, $held:ident, $args:ident| $body:expr) => {
        |$project, $held, $args| {
            Box::pin(async move {
                let _ = ($project, $held, $args);
                $body
            })
        }
    };
}

fn back(name: &'static str) -> Undo {
    Undo::Op { name, args: |args| args.values().iter().take(3).cloned().collect() }
}

fn machine() -> Vec<Act> {
    const KEPT: &str = "what it was before isn't kept";
    vec![
        Act {
            name: "power_on",
            kind: SERVER,
            params: ONE,
            undo: Undo::None(KEPT),
            doc: "Switches a server on.",
            example: r#"hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13" }); hetzner::power_on("acme", "web").status"#,
            plan: plan!(|_p, held, _a| Ok((held["status"] != "running").then(|| ("poweron", json!({}))))),
        },
        Act {
            name: "power_off",
            kind: SERVER,
            params: ONE,
            undo: Undo::None(KEPT),
            doc: "Cuts a server's power. `shutdown` asks its system first.",
            example: r#"hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13" }); hetzner::power_off("acme", "web")"#,
            plan: plan!(|_p, held, _a| Ok((held["status"] != "off").then(|| ("poweroff", json!({}))))),
        },
        Act {
            name: "shutdown",
            kind: SERVER,
            params: ONE,
            undo: Undo::None(KEPT),
            doc: "Asks a server's system to end. Whether it does is the system's business: look at `status` after.",
            example: r#"hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13" }); hetzner::shutdown("acme", "web")"#,
            plan: plan!(|_p, held, _a| Ok((held["status"] != "off").then(|| ("shutdown", json!({}))))),
        },
        Act {
            name: "reboot",
            kind: SERVER,
            params: ONE,
            undo: Undo::None("what ran is gone"),
            doc: "Asks a server's system to start again.",
            example: r#"hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13" }); hetzner::reboot("acme", "web")"#,
            plan: plan!(|_p, _h, _a| Ok(Some(("reboot", json!({}))))),
        },
        Act {
            name: "reset",
            kind: SERVER,
            params: ONE,
            undo: Undo::None("what ran is gone"),
            doc: "Cuts a server's power and gives it back.",
            example: r#"hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13" }); hetzner::reset("acme", "web")"#,
            plan: plan!(|_p, _h, _a| Ok(Some(("reset", json!({}))))),
        },
        Act {
            name: "rebuild",
            kind: SERVER,
            undo: Undo::None("the disk is overwritten"),
            params: const { &[PROJECT, WHAT, Param::required("image", Of::Any, "The image: its id or its name.")] },
            doc: "Puts an image onto a server's disk. Everything on it is lost.",
            example: r#"hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13" }); hetzner::rebuild("acme", "web", "ubuntu-24.04").image"#,
            plan: plan!(|_p, _h, args| Ok(Some(("rebuild", json!({ "image": name_or_id(args.get("image")) }))))),
        },
        Act {
            name: "change_type",
            kind: SERVER,
            undo: Undo::None("a disk that has grown can't shrink"),
            params: const {
                &[
                    PROJECT,
                    WHAT,
                    Param::required("server_type", Of::String, "Its new type."),
                    Param::optional(
                        "upgrade_disk",
                        Of::Bool,
                        "Whether the disk grows, too (no by default: then the way back stays open).",
                    ),
                ]
            },
            doc: "Gives a server that is off another type.",
            example: r#"hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13" }); hetzner::power_off("acme", "web"); hetzner::change_type("acme", "web", "cx33").server_type"#,
            plan: plan!(|_p, held, args| Ok((held["server_type"]["name"] != args.str("server_type")).then(|| {
                (
                    "change_type",
                    json!({ "server_type": args.str("server_type"), "upgrade_disk": args.bool("upgrade_disk", false) }),
                )
            }))),
        },
        Act {
            name: "attach_to_network",
            kind: SERVER,
            undo: back("detach_from_network"),
            params: const {
                &[
                    PROJECT,
                    WHAT,
                    NET,
                    Param::optional("ip", Of::String, "Its address there; else the next that is free."),
                ]
            },
            doc: "Puts a server into a network.",
            example: r#"let net = hetzner::create_network("acme", "net", #{ ip_range: "10.0.0.0/16", subnets: [#{ type: "cloud", network_zone: "eu-central" }] }); hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13", location: "fsn1" }); hetzner::attach_to_network("acme", "web", net).private_ips"#,
            plan: plan!(|project, held, args| joins(project, held, args).await),
        },
        Act {
            name: "detach_from_network",
            kind: SERVER,
            params: WITH_NET,
            undo: back("attach_to_network"),
            doc: "Takes a server out of a network.",
            example: r#"let net = hetzner::create_network("acme", "net", #{ ip_range: "10.0.0.0/16", subnets: [#{ type: "cloud", network_zone: "eu-central" }] }); hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13", location: "fsn1", networks: [net] }); hetzner::detach_from_network("acme", "web", "net").private_ips"#,
            plan: plan!(|project, held, args| leaves(project, held, args).await),
        },
        Act {
            name: "set_pointer",
            kind: SERVER,
            undo: Undo::None(KEPT),
            params: const {
                &[
                    PROJECT,
                    WHAT,
                    Param::required("ip", Of::String, "One of its public addresses."),
                    Param::required("name", Of::String, "The name that it points back to."),
                ]
            },
            doc: "Sets the reverse DNS entry of one of a server's addresses.",
            example: r#"let web = hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13" }); hetzner::set_pointer("acme", web, web.ipv4, "web.example.com")"#,
            plan: plan!(|_p, _h, args| Ok(Some((
                "change_dns_ptr",
                json!({ "ip": args.str("ip"), "dns_ptr": args.str("name") })
            )))),
        },
        Act {
            name: "set_backups",
            kind: SERVER,
            undo: Undo::None("backups that were deleted can't be brought back"),
            params: const {
                &[
                    PROJECT,
                    WHAT,
                    Param::required(
                        "on",
                        Of::Bool,
                        "Whether a server is backed up daily. Costs a fifth of its price; switched off, its backups are deleted.",
                    ),
                ]
            },
            doc: "Switches a server's daily backups on or off.",
            example: r#"hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13" }); hetzner::set_backups("acme", "web", true)"#,
            plan: plan!(|_p, held, args| {
                let on = args.bool("on", true);
                Ok((held["backup_window"].is_null() == on)
                    .then(|| (if on { "enable_backup" } else { "disable_backup" }, json!({}))))
            }),
        },
        Act {
            name: "add_to_placement_group",
            kind: SERVER,
            undo: back("remove_from_placement_group"),
            params: const {
                &[PROJECT, WHAT, Param::required("group", Of::Any, "The group: its id, its name, or what an op gave.")]
            },
            doc: "Puts a server that is off into a placement group.",
            example: r#"let group = hetzner::create_placement_group("acme", "apart"); hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13", start_after_create: false }); hetzner::add_to_placement_group("acme", "web", group)"#,
            plan: plan!(|project, held, args| {
                let group = id_of(project, "placement_groups", "placement_group", args.get("group")).await?;
                Ok((held["placement_group"]["id"] != group)
                    .then(|| ("add_to_placement_group", json!({ "placement_group": group }))))
            }),
        },
        Act {
            name: "remove_from_placement_group",
            kind: SERVER,
            undo: Undo::None("the group may be full by then"),
            params: const { &[PROJECT, WHAT, Param::optional("group", Of::Any, "The group, for the record.")] },
            doc: "Takes a server out of its placement group.",
            example: r#"let group = hetzner::create_placement_group("acme", "apart"); hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13", placement_group: group }); hetzner::remove_from_placement_group("acme", "web")"#,
            plan: plan!(|_p, held, _a| Ok(
                (!held["placement_group"].is_null()).then(|| ("remove_from_placement_group", json!({})))
            )),
        },
    ]
}

fn around() -> Vec<Act> {
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

fn balancing() -> Vec<Act> {
    const KEPT: &str = "what it was before isn't kept";
    vec![
        Act {
            name: "add_service",
            kind: BALANCER,
            params: SERVICE,
            undo: back("delete_service"),
            doc: "Has a load balancer listen on another port.",
            example: r#"hetzner::create_load_balancer("acme", "lb", #{ load_balancer_type: "lb11", location: "fsn1" }); hetzner::add_service("acme", "lb", #{ protocol: "tcp", listen_port: 6443, destination_port: 6443 }).services"#,
            plan: plan!(|_p, held, args| {
                let mut service = args.get("service").clone();
                whole_service(&mut service);
                let there = has(&held["services"], |one| {
                    ["listen_port", "destination_port", "protocol"].iter().all(|field| one[*field] == service[*field])
                });
                Ok((!there).then(|| ("add_service", service)))
            }),
        },
        Act {
            name: "update_service",
            kind: BALANCER,
            params: SERVICE,
            undo: Undo::None(KEPT),
            doc: "Changes the service on a port: only what is given.",
            example: r#"hetzner::create_load_balancer("acme", "lb", #{ load_balancer_type: "lb11", location: "fsn1" }); hetzner::add_service("acme", "lb", #{ protocol: "tcp", listen_port: 80, destination_port: 80 }); hetzner::update_service("acme", "lb", #{ listen_port: 80, destination_port: 8080 })"#,
            plan: plan!(|_p, _h, args| Ok(Some(("update_service", args.get("service").clone())))),
        },
        Act {
            name: "delete_service",
            kind: BALANCER,
            params: SERVICE,
            undo: back("add_service"),
            doc: "Has a load balancer no longer listen on a port (`listen_port`).",
            example: r#"hetzner::create_load_balancer("acme", "lb", #{ load_balancer_type: "lb11", location: "fsn1" }); let web = #{ protocol: "tcp", listen_port: 80, destination_port: 80 }; hetzner::add_service("acme", "lb", web); hetzner::delete_service("acme", "lb", web)"#,
            plan: plan!(|_p, held, args| {
                let port = &args.get("service")["listen_port"];
                Ok(has(&held["services"], |one| one["listen_port"] == *port)
                    .then(|| ("delete_service", json!({ "listen_port": port }))))
            }),
        },
        Act {
            name: "add_target",
            kind: BALANCER,
            params: TARGET,
            undo: back("remove_target"),
            doc: "Has a load balancer send to a server, to all that fit a selector, or to an address.",
            example: r#"hetzner::create_load_balancer("acme", "lb", #{ load_balancer_type: "lb11", location: "fsn1" }); hetzner::add_target("acme", "lb", #{ label_selector: "role=web" }).targets"#,
            plan: plan!(|project, held, args| {
                let mut target = target(project, args.get("target")).await?;
                let there = has(&held["targets"], |one| same(one, &target));
                if let Some(private) = args.get("target")["use_private_ip"].as_bool() {
                    target["use_private_ip"] = json!(private);
                }
                Ok((!there).then(|| ("add_target", target)))
            }),
        },
        Act {
            name: "remove_target",
            kind: BALANCER,
            params: TARGET,
            undo: back("add_target"),
            doc: "Has a load balancer no longer send there.",
            example: r#"hetzner::create_load_balancer("acme", "lb", #{ load_balancer_type: "lb11", location: "fsn1" }); hetzner::add_target("acme", "lb", #{ label_selector: "role=web" }); hetzner::remove_target("acme", "lb", #{ label_selector: "role=web" })"#,
            plan: plan!(|project, held, args| {
                let target = target(project, args.get("target")).await?;
                Ok(has(&held["targets"], |one| same(one, &target)).then(|| ("remove_target", target)))
            }),
        },
        Act {
            name: "attach_balancer",
            kind: BALANCER,
            undo: back("detach_balancer"),
            params: const {
                &[
                    PROJECT,
                    WHAT,
                    NET,
                    Param::optional("ip", Of::String, "Its address there; else the next that is free."),
                ]
            },
            doc: "Puts a load balancer into a network.",
            example: r#"let net = hetzner::create_network("acme", "net", #{ ip_range: "10.0.0.0/16", subnets: [#{ type: "cloud", network_zone: "eu-central" }] }); hetzner::create_load_balancer("acme", "lb", #{ load_balancer_type: "lb11", location: "fsn1" }); hetzner::attach_balancer("acme", "lb", net).private_ips"#,
            plan: plan!(|project, held, args| joins(project, held, args).await),
        },
        Act {
            name: "detach_balancer",
            kind: BALANCER,
            params: WITH_NET,
            undo: back("attach_balancer"),
            doc: "Takes a load balancer out of a network; targets that it reaches there go with it.",
            example: r#"let net = hetzner::create_network("acme", "net", #{ ip_range: "10.0.0.0/16", subnets: [#{ type: "cloud", network_zone: "eu-central" }] }); hetzner::create_load_balancer("acme", "lb", #{ load_balancer_type: "lb11", location: "fsn1", network: net }); hetzner::detach_balancer("acme", "lb", net).private_ips"#,
            plan: plan!(|project, held, args| leaves(project, held, args).await),
        },
        Act {
            name: "set_algorithm",
            kind: BALANCER,
            undo: Undo::None(KEPT),
            params: const {
                &[PROJECT, WHAT, Param::required("algorithm", Of::String, "`round_robin` or `least_connections`.")]
            },
            doc: "Changes how a load balancer chooses.",
            example: r#"hetzner::create_load_balancer("acme", "lb", #{ load_balancer_type: "lb11", location: "fsn1" }); hetzner::set_algorithm("acme", "lb", "least_connections")"#,
            plan: plan!(|_p, held, args| Ok((held["algorithm"]["type"] != args.str("algorithm"))
                .then(|| { ("change_algorithm", json!({ "type": args.str("algorithm") })) }))),
        },
        Act {
            name: "change_balancer_type",
            kind: BALANCER,
            undo: Undo::None(KEPT),
            params: const { &[PROJECT, WHAT, Param::required("load_balancer_type", Of::String, "Its new type.")] },
            doc: "Gives a load balancer another type.",
            example: r#"hetzner::create_load_balancer("acme", "lb", #{ load_balancer_type: "lb11", location: "fsn1" }); hetzner::change_balancer_type("acme", "lb", "lb21")"#,
            plan: plan!(|_p, held, args| Ok((held["load_balancer_type"]["name"] != args.str("load_balancer_type"))
                .then(|| { ("change_type", json!({ "load_balancer_type": args.str("load_balancer_type") })) }))),
        },
    ]
}

fn has(list: &Value, test: impl Fn(&Value) -> bool) -> bool {
    list.as_array().is_some_and(|items| items.iter().any(test))
}

/// Whether two targets (of a balancer, of a firewall) mean the same.
fn same(one: &Value, other: &Value) -> bool {
    let kind = other["type"].as_str().unwrap_or_default();
    one["type"] == kind && one[kind] == other[kind]
}

fn name_or_id(value: &Value) -> Value {
    let id = value["id"].as_i64().or_else(|| value.as_i64());
    id.map_or_else(|| value.clone(), |id| json!(id.to_string()))
}

/// The API wants a health check with every service; what a script leaves out is the provider's own default.
pub(super) fn whole_service(service: &mut Value) {
    let Value::Object(fields) = service else { return };
    fields.entry("proxyprotocol").or_insert(json!(false));
    let port = fields.get("destination_port").cloned().unwrap_or(json!(80));
    let protocol = if fields.get("protocol").and_then(Value::as_str) == Some("tcp") { "tcp" } else { "http" };
    let mut check = json!({ "protocol": protocol, "port": port, "interval": 15, "timeout": 10, "retries": 3 });
    if let Some(Value::Object(given)) = fields.get("health_check") {
        given.iter().for_each(|(name, value)| check[name.as_str()] = value.clone());
    }
    fields.insert("health_check".into(), check);
}

async fn target(project: &Project, given: &Value) -> Result<Value, Problem> {
    match given["ip"].as_str() {
        Some(ip) => Ok(json!({ "type": "ip", "ip": { "ip": ip } })),
        None => applied(project, given).await,
    }
}

async fn applied(project: &Project, given: &Value) -> Result<Value, Problem> {
    match (given["label_selector"].as_str(), &given["server"]) {
        (Some(selector), Value::Null) => {
            Ok(json!({ "type": "label_selector", "label_selector": { "selector": selector } }))
        }
        (None, server) if !server.is_null() => {
            let id = id_of(project, "servers", "server", server).await?;
            Ok(json!({ "type": "server", "server": { "id": id } }))
        }
        _ => Err(invalid("either `server` or `label_selector` says what is meant")),
    }
}

async fn joins(project: &Project, held: &Value, args: &Args) -> Result<Plan, Problem> {
    let network = id_of(project, "networks", "network", args.get("network")).await?;
    let mut body = json!({ "network": network });
    if let Some(ip) = args.get("ip").as_str() {
        body["ip"] = json!(ip);
    }
    Ok((!has(&held["private_net"], |net| net["network"] == network)).then_some(("attach_to_network", body)))
}

async fn leaves(project: &Project, held: &Value, args: &Args) -> Result<Plan, Problem> {
    let wanted = reference(args.get("network"), "network")?;
    let Some(network) = project.find("networks", "network", &wanted).await? else { return Ok(None) };
    let there = has(&held["private_net"], |net| net["network"] == network["id"]);
    Ok(there.then(|| ("detach_from_network", json!({ "network": network["id"] }))))
}

pub(super) fn ops(cloud: &Arc<Cloud>) -> Vec<Op> {
    machine().into_iter().chain(around()).chain(balancing()).map(|act| op(cloud.clone(), act)).collect()
}

fn op(cloud: Arc<Cloud>, act: Act) -> Op {
    let Act { name, kind, doc, params, undo, example, plan } = act;
    let permission = |verb, words| Permission::Needs { verb, scope, words };
    let permission = match kind.plural {
        "servers" => permission("hetzner.server.write", "make, change and delete servers in the Hetzner"),
        "networks" => permission("hetzner.network.write", "make, change and delete networks in the Hetzner"),
        "firewalls" => permission("hetzner.firewall.write", "make, change and delete firewalls in the Hetzner"),
        "volumes" => permission("hetzner.volume.write", "make, change and delete volumes in the Hetzner"),
        "primary_ips" => permission("hetzner.primary_ip.write", "make, change and delete primary IPs in the Hetzner"),
        _ => permission("hetzner.load_balancer.write", "make, change and delete load balancers in the Hetzner"),
    };
    Op {
        name,
        doc,
        params,
        returns: "map",
        permission,
        class: EffectClass::Idempotent,
        undo,
        resources: no_resources,
        timeout_ms: TIMEOUT_MS,
        retry: RETRY,
        rehearse: Rehearse::Assume(assume::looked_at),
        example,
        run: Box::new(move |cx, args| {
            let project = project(&cloud, cx, args)?;
            let wanted = reference(args.get("what"), "what")?;
            cx.block_on(async {
                // In an undo, what was changed may be gone, and the change with it.
                let held = match project.find(kind.plural, kind.singular, &wanted).await? {
                    None if cx.undoes.is_some() => return Ok(Value::Null),
                    None => kind.need(&project, &wanted).await?,
                    Some(held) => held,
                };
                if let Some((verb, body)) = plan(&project, &held, args).await? {
                    act_on(&project, kind, &held, verb, &body).await?;
                }
                object(&project, kind, &held).await
            })
        }),
        lookup: None,
    }
}

/// Asks for the action and waits for its end. What is locked by something else is waited for once.
async fn act_on(project: &Project, kind: Kind, held: &Value, verb: &str, body: &Value) -> Result<(), Problem> {
    let path = format!("/{}/{}/actions/{verb}", kind.plural, held["id"]);
    let answer = match project.post(&path, body).await {
        Err(problem) if provider_code(&problem) == "locked" => {
            settle(project, kind, held["id"].as_i64().unwrap_or_default()).await?;
            if let (Some(server), "volumes") = (body["server"].as_i64(), kind.plural) {
                settle(project, SERVER, server).await?;
            }
            project.post(&path, body).await?
        }
        other => other?,
    };
    project.wait(&actions(&answer)).await.map_err(|mut problem| {
        problem.no_effect = false;
        problem
    })
}
