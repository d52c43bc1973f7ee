//! What can be done with load balancers: services, targets, networks.

use serde_json::json;
use windlass_script::host::{Kind as Of, Param, Undo};

use super::super::arguments::PROJECT;
use super::{
    Act, BALANCER, NET, SERVICE, TARGET, WHAT, WITH_NET, back, has, joins, leaves, same, target, whole_service,
};

pub(super) fn acts() -> Vec<Act> {
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
                Ok((!there).then_some(("add_service", service)))
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
                Ok((!there).then_some(("add_target", target)))
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
                Ok(has(&held["targets"], |one| same(one, &target)).then_some(("remove_target", target)))
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
