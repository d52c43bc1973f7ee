//! What can be done with servers: power, disks, networks, names, backups, places.

use serde_json::json;
use windlass_script::host::{Kind as Of, Param, Undo};

use super::super::{arguments::PROJECT, kinds::id_of};
use super::{Act, NET, ONE, SERVER, WHAT, WITH_NET, back, image, joins, leaves};

pub(super) fn acts() -> Vec<Act> {
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
            plan: plan!(|project, _h, args| {
                let image = image(project, args.get("image")).await?;
                Ok(Some(("rebuild", json!({ "image": image }))))
            }),
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
