//! Objects as they are answered: without what is ours, with what follows from others.

use serde_json::{Value, json};

use super::{project::Project, refusal::Refusal};

/// An object of a kind by its id.
pub(super) fn one(project: &Project, kind: &'static str, id: i64) -> Result<Value, Refusal> {
    Ok(object(project, kind, project.get(kind, id)?))
}

/// An object as it is answered.
pub(super) fn object(project: &Project, kind: &str, stored: &Value) -> Value {
    let mut shown = stored.clone();
    if let Some(fields) = shown.as_object_mut() {
        fields.retain(|name, _| !name.starts_with('_'));
    }
    match kind {
        "servers" => server(project, stored, &mut shown),
        "networks" => {
            shown["servers"] = json!(project.ids_where("servers", |one| attached(one, &stored["id"])));
            shown["load_balancers"] = json!(project.ids_where("load_balancers", |one| attached(one, &stored["id"])));
        }
        "placement_groups" => {
            shown["servers"] = json!(project.ids_where("servers", |one| one["_placement_group"] == stored["id"]));
        }
        "firewalls" => shown["applied_to"] = json!(applied_to(project, stored)),
        "load_balancers" => load_balancer(project, stored, &mut shown),
        "zones" => {
            let records = stored["_rrsets"].as_array().into_iter().flatten();
            let count = records.map(|set| set["records"].as_array().map_or(0, Vec::len)).sum::<usize>();
            shown["record_count"] = json!(count);
        }
        _ => {}
    }
    shown
}

/// Whether a server or a balancer is in a network.
pub(super) fn attached(of: &Value, network: &Value) -> bool {
    of["private_net"].as_array().into_iter().flatten().any(|net| net["network"] == *network)
}

fn server(project: &Project, stored: &Value, shown: &mut Value) {
    let id = &stored["id"];
    let number = id.as_i64().unwrap_or_default();
    shown["locked"] = json!(project.is_busy("server", number));
    shown["volumes"] = json!(project.ids_where("volumes", |volume| volume["server"] == *id));
    shown["load_balancers"] = json!(project.ids_where("load_balancers", |balancer| targets(balancer, id)));
    let group = stored["_placement_group"].as_i64().and_then(|group| one(project, "placement_groups", group).ok());
    shown["placement_group"] = group.unwrap_or_default();
    let of_kind = |kind: &str| project.all("primary_ips").find(|ip| ip["assignee_id"] == *id && ip["type"] == kind);
    let ipv4 = of_kind("ipv4")
        .map(|ip| json!({ "id": ip["id"], "ip": ip["ip"], "blocked": false, "dns_ptr": ip["dns_ptr"][0]["dns_ptr"] }));
    let ipv6 =
        of_kind("ipv6").map(|ip| json!({ "id": ip["id"], "ip": ip["ip"], "blocked": false, "dns_ptr": ip["dns_ptr"] }));
    let firewalls = project.all("firewalls").filter(|firewall| project.applies(firewall, stored));
    let firewalls: Vec<Value> = firewalls.map(|one| json!({ "id": one["id"], "status": "applied" })).collect();
    shown["public_net"] = json!({ "ipv4": ipv4, "ipv6": ipv6, "floating_ips": [], "firewalls": firewalls });
}

fn targets(balancer: &Value, server: &Value) -> bool {
    balancer["targets"].as_array().into_iter().flatten().any(|target| target["server"]["id"] == *server)
}

fn applied_to(project: &Project, firewall: &Value) -> Vec<Value> {
    let servers = firewall["_servers"].as_array().into_iter().flatten();
    let servers = servers.map(|id| json!({ "type": "server", "server": { "id": id } }));
    let selectors = firewall["_selectors"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|selector| {
        let fitting =
            project.all("servers").filter(|one| super::labels::fit(selector, &one["labels"]).unwrap_or(false));
        let fitting = fitting.map(|one| json!({ "type": "server", "server": { "id": one["id"] } }));
        json!({
            "type": "label_selector", "label_selector": { "selector": selector },
            "applied_to_resources": fitting.collect::<Vec<_>>(),
        })
    });
    servers.chain(selectors).collect()
}

/// A balancer's targets have a health for each service: that of a server that runs.
fn load_balancer(project: &Project, stored: &Value, shown: &mut Value) {
    let ports: Vec<Value> =
        stored["services"].as_array().into_iter().flatten().map(|one| one["listen_port"].clone()).collect();
    let health = |server: &Value| {
        let running = project.all("servers").any(|one| one["id"] == *server && one["status"] == "running");
        let status = if running { "healthy" } else { "unhealthy" };
        ports.iter().map(|port| json!({ "listen_port": port, "status": status })).collect::<Vec<_>>()
    };
    for target in shown["targets"].as_array_mut().into_iter().flatten() {
        match target["type"].as_str() {
            Some("server") => target["health_status"] = json!(health(&target["server"]["id"])),
            Some("label_selector") => {
                let selector = target["label_selector"]["selector"].as_str().unwrap_or_default().to_owned();
                let fitting =
                    project.all("servers").filter(|one| super::labels::fit(&selector, &one["labels"]).unwrap_or(false));
                let private = target["use_private_ip"].clone();
                let fitting = fitting.map(|one| {
                    json!({ "type": "server", "server": { "id": one["id"] }, "use_private_ip": private,
                            "health_status": health(&one["id"]) })
                });
                target["targets"] = json!(fitting.collect::<Vec<_>>());
            }
            _ => {
                let unknown = ports.iter().map(|port| json!({ "listen_port": port, "status": "unknown" }));
                target["health_status"] = json!(unknown.collect::<Vec<_>>());
            }
        }
    }
}
