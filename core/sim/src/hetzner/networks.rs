//! Networks, their subnets and routes, and who is in them with which address.

use serde_json::{Value, json};

use super::{
    Reply, labels,
    project::Project,
    ranges::{Range, address},
    refusal::{Refusal, conflict, flag, invalid, list, one_of, optional_text, text, unprocessable},
    render,
};

const ZONES: &[&str] = &["eu-central", "us-east", "us-west", "ap-southeast"];

pub(super) fn create(project: &mut Project, body: &Value) -> Result<Reply, Refusal> {
    let name = text(body, "name")?;
    let whole = range(text(body, "ip_range")?, "ip_range")?;
    if !whole.is_private() || whole.bits > 24 {
        return Err(invalid("ip_range", "has to be a private range of at least 256 addresses"));
    }
    let labels = labels::read(body)?;
    let mut subnets = Vec::new();
    for wanted in list(body, "subnets")? {
        let made = subnet(whole, &subnets, &wanted)?;
        subnets.push(made);
    }
    let mut routes = Vec::new();
    for wanted in list(body, "routes")? {
        let made = route(&wanted)?;
        routes.push(made);
    }
    project.demand_unique("networks", "name", name, 0)?;
    project.demand_quota("networks", 1)?;
    let fields = json!({
        "ip_range": whole.text(), "subnets": subnets, "routes": routes, "protection": { "delete": false },
        "expose_routes_to_vswitch": flag(body, "expose_routes_to_vswitch", false)?,
    });
    let id = project.insert("networks", name, labels, fields);
    Ok(Reply::Json(201, json!({ "network": render::one(project, "networks", id)? })))
}

fn range(text: &str, field: &str) -> Result<Range, Refusal> {
    Range::read(text).ok_or_else(|| invalid(field, "has to be a network such as 10.0.0.0/16"))
}

fn taken(subnets: &[Value]) -> Vec<Range> {
    subnets.iter().filter_map(|one| Range::read(one["ip_range"].as_str()?)).collect()
}

fn subnet(whole: Range, others: &[Value], wanted: &Value) -> Result<Value, Refusal> {
    let kind = one_of(wanted, "type", &["cloud", "server", "vswitch"])?;
    let zone = one_of(wanted, "network_zone", ZONES)?;
    // So say the provider's pages on networks; which code it answers with, they don't.
    if others.iter().any(|other| other["network_zone"] != *zone) {
        return Err(invalid("network_zone", "all subnets of a network have to be in the same network zone"));
    }
    let others = taken(others);
    let own = match optional_text(wanted, "ip_range")? {
        Some(text) => range(text, "ip_range")?,
        None => whole.free_24(&others).ok_or_else(|| invalid("ip_range", "no room for another subnet"))?,
    };
    if !whole.holds(own) || own.bits > 30 {
        return Err(invalid("ip_range", "has to be a part of the network's range"));
    }
    if others.iter().any(|other| other.overlaps(own)) {
        return Err(invalid("ip_range", "overlaps another subnet"));
    }
    let vswitch = (kind == "vswitch").then(|| wanted["vswitch_id"].clone());
    Ok(json!({ "type": kind, "ip_range": own.text(), "network_zone": zone, "gateway": address(whole, 1),
               "vswitch_id": vswitch }))
}

fn route(wanted: &Value) -> Result<Value, Refusal> {
    let destination = text(wanted, "destination")?;
    if !super::ranges::is_block(destination) {
        return Err(invalid("destination", "has to be a range"));
    }
    let gateway = text(wanted, "gateway")?;
    gateway.parse::<std::net::Ipv4Addr>().map_err(|_| invalid("gateway", "has to be an address"))?;
    Ok(json!({ "destination": destination, "gateway": gateway }))
}

pub(super) fn delete(project: &mut Project, id: i64) -> Result<Reply, Refusal> {
    project.demand_unprotected("networks", id, "delete")?;
    let network = json!(id);
    if project.all("load_balancers").any(|one| render::attached(one, &network)) {
        return Err(conflict("a load balancer is still attached to the network"));
    }
    for server in project.ids_where("servers", |one| render::attached(one, &network)) {
        detach(project, "servers", server, id);
    }
    project.remove("networks", id);
    Ok(Reply::Empty)
}

pub(super) fn act(project: &mut Project, id: i64, verb: &str, body: &Value) -> Result<Option<Reply>, Refusal> {
    let network = project.get("networks", id)?.clone();
    if project.is_busy("network", id) {
        return Err(conflict("another change of the network is under way"));
    }
    let whole = range(network["ip_range"].as_str().unwrap_or_default(), "ip_range")?;
    let mut subnets = network["subnets"].as_array().cloned().unwrap_or_default();
    let mut routes = network["routes"].as_array().cloned().unwrap_or_default();
    let (field, value) = match verb {
        "add_subnet" => {
            let made = subnet(whole, &subnets, body)?;
            subnets.push(made);
            ("subnets", json!(subnets))
        }
        "delete_subnet" => {
            let gone = range(text(body, "ip_range")?, "ip_range")?;
            if !subnets.iter().any(|one| one["ip_range"] == gone.text()) {
                return Err(unprocessable("not_found", "the network has no such subnet"));
            }
            if addresses(project, id).iter().any(|one| gone.holds(Range { base: *one, bits: 32 })) {
                return Err(unprocessable("resource_in_use", "the subnet still has attached resources"));
            }
            subnets.retain(|one| one["ip_range"] != gone.text());
            ("subnets", json!(subnets))
        }
        "add_route" => {
            let made = route(body)?;
            routes.push(made);
            ("routes", json!(routes))
        }
        "delete_route" => {
            let gone = route(body)?;
            if !routes.contains(&gone) {
                return Err(unprocessable("not_found", "the network has no such route"));
            }
            routes.retain(|one| *one != gone);
            ("routes", json!(routes))
        }
        "change_ip_range" => {
            let new = range(text(body, "ip_range")?, "ip_range")?;
            if !new.holds(whole) || new.base != whole.base {
                return Err(invalid("ip_range", "can only be extended at its end"));
            }
            ("ip_range", json!(new.text()))
        }
        "change_protection" => ("protection", json!({ "delete": flag(body, "delete", false)? })),
        _ => return Ok(None),
    };
    let change = move |project: &mut Project| project.with("networks", id, |network| network[field] = value);
    let action = project.begin(verb, &[("network", id)], Box::new(change));
    Ok(Some(Reply::Json(201, json!({ "action": action }))))
}

/// Every address that is used in a network.
fn addresses(project: &Project, network: i64) -> Vec<u32> {
    let holders = project.all("servers").chain(project.all("load_balancers"));
    let nets = holders.flat_map(|one| one["private_net"].as_array().into_iter().flatten());
    let nets = nets.filter(|net| net["network"] == network);
    let texts =
        nets.flat_map(|net| std::iter::once(&net["ip"]).chain(net["alias_ips"].as_array().into_iter().flatten()));
    texts.filter_map(|ip| ip.as_str()?.parse::<std::net::Ipv4Addr>().ok()).map(std::net::Ipv4Addr::to_bits).collect()
}

/// The address that something at a location would get in a network.
pub(super) fn place(
    project: &Project,
    network: i64,
    location: &Value,
    wanted: Option<&str>,
) -> Result<String, Refusal> {
    let found = project.get("networks", network)?;
    let zone = &location["network_zone"];
    let fitting = found["subnets"].as_array().into_iter().flatten();
    let fitting = fitting.filter(|one| one["network_zone"] == *zone && one["type"] != "vswitch");
    let fitting: Vec<Range> = fitting.filter_map(|one| Range::read(one["ip_range"].as_str()?)).collect();
    let used = addresses(project, network);
    let gateway = Range::read(found["ip_range"].as_str().unwrap_or_default()).map(|whole| whole.base + 1);
    let free = |ip: u32| !used.contains(&ip) && Some(ip) != gateway;
    if let Some(wanted) = wanted {
        let ip = wanted.parse::<std::net::Ipv4Addr>().map_err(|_| invalid("ip", "has to be an address"))?.to_bits();
        let inside = fitting.iter().any(|one| one.holds(Range { base: ip, bits: 32 }) && ip != one.base);
        return match inside && free(ip) {
            true => Ok(wanted.to_owned()),
            false => Err(unprocessable("ip_not_available", "the address isn't available in the network")),
        };
    }
    for range in fitting {
        if let Some(offset) = (1..range.size()).find(|offset| free(range.base + offset)) {
            return Ok(address(range, offset));
        }
    }
    Err(unprocessable("no_subnet_available", "no subnet or address is left in the network for this network zone"))
}

/// Puts a server or a balancer into a network.
pub(super) fn attach(
    project: &mut Project,
    kind: &'static str,
    id: i64,
    network: i64,
    wanted: Option<&str>,
    aliases: &[Value],
) -> Result<(), Refusal> {
    let held = project.get(kind, id)?.clone();
    if render::attached(&held, &json!(network)) {
        let code = if kind == "servers" { "server_already_attached" } else { "load_balancer_already_attached" };
        return Err(unprocessable(code, "it is attached to the network already"));
    }
    let ip = place(project, network, &held["location"], wanted)?;
    let last = ip.rsplit('.').next().and_then(|last| last.parse::<u8>().ok()).unwrap_or_default();
    let net = match kind {
        "servers" => json!({ "network": network, "ip": ip, "alias_ips": aliases,
                             "mac_address": format!("86:00:ff:{:02x}:{:02x}:{last:02x}", id >> 8 & 0xff, id & 0xff) }),
        _ => json!({ "network": network, "ip": ip }),
    };
    project.with(kind, id, |one| {
        if let Some(nets) = one["private_net"].as_array_mut() {
            nets.push(net);
        }
    });
    Ok(())
}

pub(super) fn demand_attached(of: &Value, network: i64) -> Result<(), Refusal> {
    match render::attached(of, &json!(network)) {
        true => Ok(()),
        false => Err(unprocessable("not_attached", "it isn't attached to the network")),
    }
}

pub(super) fn detach(project: &mut Project, kind: &'static str, id: i64, network: i64) {
    project.with(kind, id, |one| {
        if let Some(nets) = one["private_net"].as_array_mut() {
            nets.retain(|net| net["network"] != network);
        }
    });
}
