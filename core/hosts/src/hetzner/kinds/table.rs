//! What differs between kinds: their names, permissions, options and examples.

use windlass_model::{ResourceChange, resource::ResourceRef};
use windlass_script::host::{Args, Kind as Of, Param, Permission};

use super::super::{
    arguments::{PROJECT, project_name, scope, shown},
    make::Kind,
};
use super::NAME;

/// What differs between kinds.
pub(super) struct Spec {
    pub(super) kind: Kind,
    pub(super) names: [&'static str; 6],
    pub(super) read: Permission,
    pub(super) write: [Permission; 4],
    pub(super) doc: &'static str,
    pub(super) returns: &'static str,
    pub(super) params: &'static [Param],
    pub(super) known: &'static [&'static str],
    pub(super) example: [&'static str; 5],
    pub(super) creates: fn(&Args) -> Vec<ResourceChange>,
    pub(super) destroys: fn(&Args) -> Vec<ResourceChange>,
}

macro_rules! resource {
    ($singular:literal, $change:ident, $name:literal) => {
        |args: &Args| {
            let id = format!("{}/{}", project_name(args), shown(args.get($name)));
            vec![ResourceChange::$change(ResourceRef {
                provider: "hetzner".into(),
                kind: $singular.into(),
                id: id.into(),
            })]
        }
    };
}

/// `verb` is the kind's part of the permission: `hetzner.<verb>.read`.
macro_rules! spec {
    ($plural:literal, $singular:literal, $verb:literal, $acts:literal, $words:literal, $doc:literal, $opts:literal,
     [$($known:literal),*], $returns:literal, $create:literal) => {
        Spec {
            kind: Kind { plural: $plural, singular: $singular, acts: $acts },
            names: [
                concat!("create_", $singular), concat!("delete_", $singular), concat!("get_", $singular),
                concat!("list_", $plural), concat!("update_", $singular), concat!("protect_", $singular),
            ],
            read: Permission::Needs { verb: concat!("hetzner.", $verb, ".read"), scope, words: concat!("look at ", $words, " of the Hetzner") },
            write: [
                Permission::Needs { verb: concat!("hetzner.", $verb, ".write"), scope, words: concat!("make, change and delete ", $words, " in the Hetzner") },
                Permission::Needs { verb: concat!("hetzner.", $verb, ".write"), scope, words: concat!("make, change and delete ", $words, " in the Hetzner") },
                Permission::Needs { verb: concat!("hetzner.", $verb, ".write"), scope, words: concat!("make, change and delete ", $words, " in the Hetzner") },
                Permission::Needs { verb: concat!("hetzner.", $verb, ".write"), scope, words: concat!("make, change and delete ", $words, " in the Hetzner") },
            ],
            doc: $doc,
            returns: $returns,
            params: const { &[PROJECT, NAME, Param::optional("opts", Of::Map, $opts)] },
            known: &[$($known),*],
            example: [
                $create,
                concat!($create, "; hetzner::delete_", $singular, "(\"acme\", \"web\")"),
                concat!($create, "; hetzner::get_", $singular, "(\"acme\", \"web\").id"),
                concat!("hetzner::list_", $plural, "(\"acme\", #{ labels: \"env=prod\" }).len()"),
                concat!($create, "; hetzner::update_", $singular, "(\"acme\", \"web\", #{ labels: #{ env: \"prod\" } })"),
            ],
            creates: resource!($singular, Creates, "name"),
            destroys: resource!($singular, Destroys, "what"),
        }
    };
}

pub(super) fn specs() -> Vec<Spec> {
    vec![
        spec!(
            "servers",
            "server",
            "server",
            true,
            "servers",
            "Makes a server, and waits until it runs. `server_type`, `image` and `location` come from `hetzner::server_types` and \
             `hetzner::list_images`: sizes come and go.",
            "`server_type` and `image` (needed); `location`, `ssh_keys`, `networks`, `firewalls`, `volumes`, `placement_group` \
             (names, ids or objects), `public_net` (`#{ enable_ipv4, enable_ipv6, ipv4, ipv6 }`), `user_data` (cloud-init; the provider \
             keeps it: of secrets only one whose policy names `user-data`, such as the word of a claim), `start_after_create`, `automount`, `labels`.",
            [
                "server_type",
                "image",
                "location",
                "ssh_keys",
                "networks",
                "firewalls",
                "volumes",
                "placement_group",
                "public_net",
                "user_data",
                "start_after_create",
                "automount",
                "labels"
            ],
            "#{ id: int, name: string, status: string, ipv4: string, ipv6: string, private_ips: array, server_type: string, location: string, labels: map }",
            r#"hetzner::create_server("acme", "web", #{ server_type: "cx23", image: "debian-13", location: "fsn1" })"#
        ),
        spec!(
            "networks",
            "network",
            "network",
            true,
            "networks",
            "Makes a private network with its subnets and routes.",
            "`ip_range` (needed), `subnets` (`[#{ type: \"cloud\", network_zone: \"eu-central\", ip_range: \"10.0.1.0/24\" }]`), \
             `routes` (`[#{ destination, gateway }]`), `labels`.",
            ["ip_range", "subnets", "routes", "expose_routes_to_vswitch", "labels"],
            "#{ id: int, name: string, ip_range: string, subnets: array, routes: array, servers: array, load_balancers: array, labels: map }",
            r#"hetzner::create_network("acme", "web", #{ ip_range: "10.0.0.0/16", subnets: [#{ type: "cloud", network_zone: "eu-central", ip_range: "10.0.1.0/24" }] })"#
        ),
        spec!(
            "firewalls",
            "firewall",
            "firewall",
            true,
            "firewalls",
            "Makes a firewall.",
            "`rules` (`[#{ direction: \"in\", protocol: \"tcp\", port: \"443\", source_ips: [\"0.0.0.0/0\", \"::/0\"] }]`), \
             `apply_to` (`[#{ type: \"label_selector\", label_selector: #{ selector: \"role=web\" } }]`), `labels`.",
            ["rules", "apply_to", "labels"],
            "#{ id: int, name: string, rules: array, applied_to: array, labels: map }",
            r#"hetzner::create_firewall("acme", "web", #{ rules: [#{ direction: "in", protocol: "tcp", port: "443", source_ips: ["0.0.0.0/0", "::/0"] }] })"#
        ),
        spec!(
            "load_balancers",
            "load_balancer",
            "load_balancer",
            true,
            "load balancers",
            "Makes a load balancer with its services and targets.",
            "`load_balancer_type` (needed), `location` or `network_zone`, `network`, `services` (`[#{ protocol: \"tcp\", \
             listen_port: 443, destination_port: 443, proxyprotocol: false }]`), `targets` (`[#{ type: \"label_selector\", \
             label_selector: #{ selector: \"role=web\" }, use_private_ip: true }]`), `algorithm` (`#{ type: \"round_robin\" }`), \
             `public_interface`, `labels`.",
            [
                "load_balancer_type",
                "location",
                "network_zone",
                "network",
                "services",
                "targets",
                "algorithm",
                "public_interface",
                "labels"
            ],
            "#{ id: int, name: string, ipv4: string, ipv6: string, private_ips: array, services: array, targets: array, labels: map }",
            r#"hetzner::create_load_balancer("acme", "web", #{ load_balancer_type: "lb11", location: "fsn1", services: [#{ protocol: "tcp", listen_port: 6443, destination_port: 6443 }] })"#
        ),
        spec!(
            "volumes",
            "volume",
            "volume",
            true,
            "volumes",
            "Makes a volume of 10 to 10240 GB, attached to a server or not. A volume that is deleted is detached first.",
            "`size` in GB (needed), `location` or `server`, `format` (`ext4` or `xfs`), `automount`, `labels`.",
            ["size", "location", "server", "format", "automount", "labels"],
            "#{ id: int, name: string, size: int, server: int, linux_device: string, location: string, labels: map }",
            r#"hetzner::create_volume("acme", "web", #{ size: 10, location: "fsn1", format: "ext4" })"#
        ),
        spec!(
            "placement_groups",
            "placement_group",
            "placement_group",
            false,
            "placement groups",
            "Makes a group whose servers (at most ten) stand on different machines.",
            "`type` (`spread` by default), `labels`.",
            ["type", "labels"],
            "#{ id: int, name: string, type: string, servers: array, labels: map }",
            r#"hetzner::create_placement_group("acme", "web")"#
        ),
        spec!(
            "ssh_keys",
            "ssh_key",
            "ssh_key",
            false,
            "SSH keys",
            "Keeps a public SSH key. A key can be kept once in a project: `conflict` when it is there under whatever name.",
            "`public_key` (needed), `labels`.",
            ["public_key", "labels"],
            "#{ id: int, name: string, fingerprint: string, public_key: string, labels: map }",
            r#"hetzner::create_ssh_key("acme", "web", #{ public_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE4PazCGsCqMoAVGpGzCWDPyuQyCDHy4uuhdFIrZ6p5E" })"#
        ),
        spec!(
            "primary_ips",
            "primary_ip",
            "primary_ip",
            true,
            "primary IPs",
            "Keeps a public address that outlives servers.",
            "`type` (`ipv4` or `ipv6`, needed), `location`, `assignee_id` (a server that is off) and `assignee_type`, `auto_delete`, `labels`.",
            ["type", "location", "assignee_id", "assignee_type", "auto_delete", "labels"],
            "#{ id: int, name: string, type: string, ip: string, assignee_id: int, location: string, labels: map }",
            r#"hetzner::create_primary_ip("acme", "web", #{ type: "ipv4", location: "fsn1" })"#
        ),
        spec!(
            "images",
            "image",
            "image",
            true,
            "images",
            "Makes a snapshot of a server. Its name is what it is described as.",
            "`server` (needed), `labels`.",
            ["server", "labels"],
            "#{ id: int, description: string, status: string, type: string, architecture: string, labels: map }",
            r#"hetzner::create_server("acme", "app", #{ server_type: "cx23", image: "debian-13", location: "fsn1" }); hetzner::create_image("acme", "web", #{ server: "app" })"#
        ),
        spec!(
            "zones",
            "zone",
            "zone",
            true,
            "DNS zones",
            "Makes a DNS zone. The provider takes names directly under a public suffix only.",
            "`mode` (`primary` by default), `ttl`, `rrsets` (`[#{ name: \"www\", type: \"A\", ttl: 300, records: [#{ value: \"192.0.2.1\" }] }]`), \
             `primary_nameservers` (of a secondary), `labels`.",
            ["mode", "ttl", "rrsets", "primary_nameservers", "labels"],
            "#{ id: int, name: string, status: string, authoritative_nameservers: map, labels: map }",
            r#"hetzner::create_zone("acme", "web")"#
        ),
    ]
}

/// A zone's name is a domain.
pub(super) fn named_for(kind: Kind) -> impl Fn(&'static str) -> &'static str {
    move |example| match (kind.plural, example) {
        ("zones", text) if text.contains("delete_zone") => {
            r#"hetzner::create_zone("acme", "example.com"); hetzner::delete_zone("acme", "example.com")"#
        }
        ("zones", text) if text.contains("get_zone") => {
            r#"hetzner::create_zone("acme", "example.com"); hetzner::get_zone("acme", "example.com").id"#
        }
        ("zones", text) if text.contains("update_zone") => {
            r#"hetzner::create_zone("acme", "example.com"); hetzner::update_zone("acme", "example.com", #{ labels: #{ env: "prod" } })"#
        }
        ("zones", text) if text.contains("create_zone") => {
            r#"hetzner::create_zone("acme", "example.com", #{ ttl: 600 })"#
        }
        ("images", text) if text.contains("get_image") => r#"hetzner::get_image("acme", "debian-13").id"#,
        ("images", text) if text.contains("delete_image") || text.contains("update_image") => {
            match text.contains("delete_image") {
                true => {
                    r#"hetzner::create_server("acme", "app", #{ server_type: "cx23", image: "debian-13", location: "fsn1" }); hetzner::delete_image("acme", hetzner::create_image("acme", "before", #{ server: "app" }))"#
                }
                false => {
                    r#"hetzner::create_server("acme", "app", #{ server_type: "cx23", image: "debian-13", location: "fsn1" }); hetzner::update_image("acme", hetzner::create_image("acme", "before", #{ server: "app" }), #{ labels: #{ env: "prod" } })"#
                }
            }
        }
        (_, text) => text,
    }
}

pub(super) fn protection_example(kind: Kind) -> Option<&'static str> {
    Some(match kind.plural {
        "servers" => {
            r#"hetzner::create_server("acme", "db", #{ server_type: "cx23", image: "debian-13" }); hetzner::protect_server("acme", "db", true)"#
        }
        "networks" => {
            r#"hetzner::create_network("acme", "net", #{ ip_range: "10.0.0.0/16" }); hetzner::protect_network("acme", "net", true)"#
        }
        "load_balancers" => {
            r#"hetzner::create_load_balancer("acme", "lb", #{ load_balancer_type: "lb11", location: "fsn1" }); hetzner::protect_load_balancer("acme", "lb", true)"#
        }
        "volumes" => {
            r#"hetzner::create_volume("acme", "data", #{ size: 10, location: "fsn1" }); hetzner::protect_volume("acme", "data", true)"#
        }
        "primary_ips" => {
            r#"hetzner::create_primary_ip("acme", "ip", #{ type: "ipv4", location: "fsn1" }); hetzner::protect_primary_ip("acme", "ip", true)"#
        }
        "images" => {
            r#"hetzner::create_server("acme", "app", #{ server_type: "cx23", image: "debian-13" }); hetzner::protect_image("acme", hetzner::create_image("acme", "keep", #{ server: "app" }), true)"#
        }
        "zones" => r#"hetzner::create_zone("acme", "example.org"); hetzner::protect_zone("acme", "example.org", true)"#,
        _ => return None,
    })
}
