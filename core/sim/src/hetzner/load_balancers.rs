//! Load balancers: services, targets, their network and public side.

use serde_json::{Value, json};

use super::{
    Reply,
    action::Effect,
    catalog::Catalog,
    labels, networks,
    project::Project,
    refusal::{Refusal, flag, int, invalid, list, one_of, optional_int, optional_text, text, unprocessable},
    render,
};

const ALGORITHMS: &[&str] = &["round_robin", "least_connections"];

pub(super) fn create(project: &mut Project, body: &Value) -> Result<Reply, Refusal> {
    let name = text(body, "name")?;
    let labels = labels::read(body)?;
    let of_type = kind(project, body)?;
    let location = match (&body["location"], optional_text(body, "network_zone")?) {
        (Value::Null, Some(zone)) => {
            let found = project.catalog.locations.iter().find(|one| one["network_zone"] == zone);
            found.cloned().ok_or_else(|| invalid("network_zone", "there is no such network zone"))?
        }
        (Value::Null, None) => return Err(invalid("location", "location or network_zone is needed")),
        (wanted, None) => project.location(wanted, "location")?,
        (_, Some(_)) => return Err(invalid("network_zone", "can't stand beside location")),
    };
    let algorithm = match &body["algorithm"] {
        Value::Null => "round_robin",
        wanted => one_of(wanted, "type", ALGORITHMS)?,
    };
    let mut made = json!({
        "load_balancer_type": of_type, "location": location, "algorithm": { "type": algorithm }, "services": [],
        "targets": [], "private_net": [], "protection": { "delete": false }, "ingoing_traffic": 0,
        "outgoing_traffic": 0, "included_traffic": 21_990_232_555_520_i64,
    });
    for wanted in list(body, "services")? {
        let service = service(&made, &wanted)?;
        push(&mut made, "services", service);
    }
    let network = optional_int(body, "network")?;
    if let Some(network) = network {
        let ip = networks::place(project, network, &made["location"], None)?;
        push(&mut made, "private_net", json!({ "network": network, "ip": ip }));
    }
    for wanted in list(body, "targets")? {
        let target = target(project, &made, &wanted)?;
        push(&mut made, "targets", target);
    }
    project.demand_unique("load_balancers", "name", name, 0)?;
    project.demand_quota("load_balancers", 1)?;
    let (ipv4, ipv6) = (project.fresh_ipv4(), project.fresh_ipv6().replace("::/64", "::1"));
    made["public_net"] = json!({
        "enabled": flag(body, "public_interface", true)?, "ipv4": { "ip": ipv4, "dns_ptr": pointer(&ipv4) },
        "ipv6": { "ip": ipv6, "dns_ptr": null },
    });
    let id = project.insert("load_balancers", name, labels, made);
    let action = project.begin("create_load_balancer", &[("load_balancer", id)], Box::new(|_| {}));
    let balancer = render::one(project, "load_balancers", id)?;
    Ok(Reply::Json(201, json!({ "load_balancer": balancer, "action": action })))
}

fn pointer(ipv4: &str) -> String {
    format!("static.{}.clients.example.net", ipv4.split('.').rev().collect::<Vec<_>>().join("."))
}

fn kind(project: &Project, body: &Value) -> Result<Value, Refusal> {
    let found = Catalog::find(&project.catalog.load_balancer_types, &body["load_balancer_type"]);
    found.cloned().ok_or_else(|| invalid("load_balancer_type", "there is no such load balancer type"))
}

fn push(balancer: &mut Value, field: &str, item: Value) {
    if let Some(items) = balancer[field].as_array_mut() {
        items.push(item);
    }
}

fn items<'a>(balancer: &'a Value, field: &str) -> &'a [Value] {
    balancer[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn port(body: &Value, field: &str) -> Result<i64, Refusal> {
    let port = int(body, field)?;
    if (1..=65_535).contains(&port) { Ok(port) } else { Err(invalid(field, "has to be a port")) }
}

/// A service, whole: what the body leaves out is as the provider fills it in.
fn service(balancer: &Value, wanted: &Value) -> Result<Value, Refusal> {
    let protocol = one_of(wanted, "protocol", &["tcp", "http", "https"])?;
    let default = match protocol {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let listen = match (&wanted["listen_port"], default) {
        (Value::Null, Some(port)) => port,
        _ => port(wanted, "listen_port")?,
    };
    if items(balancer, "services").iter().any(|one| one["listen_port"] == listen) {
        return Err(unprocessable("source_port_already_used", "a service listens on that port already"));
    }
    let most = balancer["load_balancer_type"]["max_services"].as_u64().unwrap_or_default();
    if items(balancer, "services").len() as u64 >= most {
        return Err(Refusal::new(403, "resource_limit_exceeded", "the load balancer type allows no more services"));
    }
    let destination = match &wanted["destination_port"] {
        Value::Null if protocol != "tcp" => 80,
        _ => port(wanted, "destination_port")?,
    };
    let own = if protocol == "tcp" { "tcp" } else { "http" };
    let mut check = json!({ "protocol": own, "port": destination, "interval": 15, "timeout": 10, "retries": 3 });
    if own == "http" {
        check["http"] =
            json!({ "domain": "", "path": "/", "status_codes": ["2??", "3??"], "tls": false, "response": "" });
    }
    merge(&mut check, &wanted["health_check"]);
    let mut service = json!({
        "protocol": protocol, "listen_port": listen, "destination_port": destination,
        "proxyprotocol": flag(wanted, "proxyprotocol", false)?, "health_check": check,
    });
    if protocol != "tcp" {
        service["http"] = json!({ "cookie_name": "HCLBSTICKY", "cookie_lifetime": 300, "certificates": [],
                                  "redirect_http": false, "sticky_sessions": false });
        merge(&mut service["http"], &wanted["http"]);
        if protocol == "https" && service["http"]["certificates"].as_array().is_none_or(Vec::is_empty) {
            return Err(invalid("certificates", "https needs a certificate"));
        }
    }
    Ok(service)
}

fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().into_iter().flatten() {
        match (into.get_mut(name), value) {
            (Some(held @ Value::Object(_)), Value::Object(_)) => merge(held, value),
            (_, Value::Null) => {}
            _ => into[name.as_str()] = value.clone(),
        }
    }
}

fn target(project: &Project, balancer: &Value, wanted: &Value) -> Result<Value, Refusal> {
    let most = balancer["load_balancer_type"]["max_targets"].as_u64().unwrap_or_default();
    if items(balancer, "targets").len() as u64 >= most {
        return Err(Refusal::new(403, "resource_limit_exceeded", "the load balancer type allows no more targets"));
    }
    let private = flag(wanted, "use_private_ip", false)?;
    if private && items(balancer, "private_net").is_empty() {
        return Err(unprocessable("load_balancer_not_attached_to_network", "the load balancer is in no network"));
    }
    let new = bare(wanted)?;
    if items(balancer, "targets").iter().any(|one| bare(one).is_ok_and(|held| held == new)) {
        return Err(unprocessable("target_already_defined", "the target is defined already"));
    }
    let mut made = new;
    match made["type"].as_str().unwrap_or_default() {
        "server" => {
            let server = project.get("servers", int(&made["server"], "id")?)?;
            let shares = |net: &Value| render::attached(server, &net["network"]);
            if private && !items(balancer, "private_net").iter().any(shares) {
                return Err(unprocessable(
                    "server_not_attached_to_network",
                    "the server isn't in the balancer's network",
                ));
            }
            let public =
                || project.all("primary_ips").any(|ip| ip["assignee_id"] == server["id"] && ip["type"] == "ipv4");
            if !private && !public() {
                return Err(unprocessable("missing_ipv4", "the server has no public IPv4 address"));
            }
            made["use_private_ip"] = json!(private);
        }
        "label_selector" => {
            labels::fit(text(&made["label_selector"], "selector")?, &json!({}))?;
            made["use_private_ip"] = json!(private);
        }
        _ => {
            let ip = text(&made["ip"], "ip")?;
            ip.parse::<std::net::IpAddr>().map_err(|_| invalid("ip", "has to be an address"))?;
            if project.all("primary_ips").any(|one| one["ip"] == ip) {
                return Err(unprocessable(
                    "cloud_resource_ip_not_allowed",
                    "the address belongs to a server of the cloud",
                ));
            }
        }
    }
    Ok(made)
}

/// What identifies a target.
fn bare(target: &Value) -> Result<Value, Refusal> {
    let kind = one_of(target, "type", &["server", "label_selector", "ip"])?;
    Ok(json!({ "type": kind, kind: target[kind] }))
}

pub(super) fn delete(project: &mut Project, id: i64) -> Result<Reply, Refusal> {
    project.demand_unprotected("load_balancers", id, "delete")?;
    let gone = move |project: &mut Project| project.remove("load_balancers", id);
    let action = project.begin("delete_load_balancer", &[("load_balancer", id)], Box::new(gone));
    Ok(Reply::Json(200, json!({ "action": action })))
}

pub(super) fn act(project: &mut Project, id: i64, verb: &str, body: &Value) -> Result<Option<Reply>, Refusal> {
    let balancer = project.get("load_balancers", id)?.clone();
    let mut about = vec![("load_balancer", id)];
    // What is defined counts at once: the next definition is checked against it.
    let mut now = balancer.clone();
    let mut effect: Effect = Box::new(|_| {});
    match verb {
        "add_service" => {
            let service = service(&balancer, body)?;
            push(&mut now, "services", service);
        }
        "update_service" => {
            let listen = int(body, "listen_port")?;
            let services = now["services"].as_array_mut();
            let held = services.and_then(|all| all.iter_mut().find(|one| one["listen_port"] == listen));
            merge(held.ok_or_else(|| invalid("listen_port", "no service listens on that port"))?, body);
        }
        "delete_service" => {
            let listen = int(body, "listen_port")?;
            remove(&mut now, "services", |one| one["listen_port"] == listen)
                .ok_or_else(|| invalid("listen_port", "no service listens on that port"))?;
        }
        "add_target" => {
            let target = target(project, &balancer, body)?;
            push(&mut now, "targets", target);
        }
        "remove_target" => {
            let gone = bare(body)?;
            remove(&mut now, "targets", |one| bare(one).is_ok_and(|held| held == gone))
                .ok_or_else(|| unprocessable("target_not_found", "the load balancer has no such target"))?;
        }
        "attach_to_network" => {
            let network = int(body, "network")?;
            networks::attach(project, "load_balancers", id, network, optional_text(body, "ip")?, &[])?;
            now = project.get("load_balancers", id)?.clone();
            about.push(("network", network));
        }
        "detach_from_network" => {
            let network = int(body, "network")?;
            networks::demand_attached(&balancer, network)?;
            about.push(("network", network));
            effect = Box::new(move |project| {
                networks::detach(project, "load_balancers", id, network);
                project.with("load_balancers", id, |one| {
                    remove(one, "targets", |target| target["use_private_ip"] == true);
                });
            });
        }
        "change_algorithm" => now["algorithm"] = json!({ "type": one_of(body, "type", ALGORITHMS)? }),
        "change_type" => now["load_balancer_type"] = kind(project, body)?,
        "change_protection" => now["protection"] = json!({ "delete": flag(body, "delete", false)? }),
        "change_dns_ptr" => {
            let ip = text(body, "ip")?;
            let kind = ["ipv4", "ipv6"].into_iter().find(|kind| balancer["public_net"][kind]["ip"] == ip);
            let kind = kind.ok_or_else(|| invalid("ip", "isn't an address of the load balancer"))?;
            now["public_net"][kind]["dns_ptr"] = body["dns_ptr"].clone();
        }
        "enable_public_interface" => now["public_net"]["enabled"] = json!(true),
        "disable_public_interface" => {
            if items(&balancer, "private_net").is_empty() {
                return Err(unprocessable(
                    "load_balancer_not_attached_to_network",
                    "the load balancer is in no network",
                ));
            }
            if items(&balancer, "targets").iter().any(|one| one["use_private_ip"] != true) {
                return Err(unprocessable("targets_without_use_private_ip", "a target uses its public address"));
            }
            now["public_net"]["enabled"] = json!(false);
        }
        _ => return Ok(None),
    }
    let name = match verb {
        "change_type" => "change_load_balancer_type",
        verb => verb,
    };
    project.with("load_balancers", id, |one| *one = now);
    let action = project.begin(name, &about, effect);
    Ok(Some(Reply::Json(201, json!({ "action": action }))))
}

/// Takes items out; none when there was nothing to take.
fn remove(balancer: &mut Value, field: &str, gone: impl Fn(&Value) -> bool) -> Option<()> {
    let items = balancer[field].as_array_mut()?;
    let before = items.len();
    items.retain(|one| !gone(one));
    (items.len() < before).then_some(())
}
