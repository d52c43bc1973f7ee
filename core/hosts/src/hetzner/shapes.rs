//! Objects as scripts see them: types, images and locations by name, a server's addresses where people look for them.

use serde_json::{Value, json};

/// Fields that only the provider's console has a use for, or that are written out by name.
const DROPPED: &[&str] = &[
    "backup_window",
    "included_traffic",
    "ingoing_traffic",
    "outgoing_traffic",
    "datacenter",
    "iso",
    "rescue_enabled",
    "prices",
    "deprecated",
    "deprecation",
    "blocked",
    "expose_routes_to_vswitch",
    "bound_to",
    "deleted",
    "rapid_deploy",
];

/// The price there, else the lowest.
pub(super) fn price(one: &Value, location: Option<&str>, of: &str) -> Option<f64> {
    let prices = one["prices"].as_array()?.iter();
    let fitting = prices.filter(|price| location.is_none_or(|location| price["location"] == location));
    fitting.filter_map(|price| price[of]["net"].as_str()?.parse::<f64>().ok()).min_by(f64::total_cmp)
}

/// What a thing costs in a month: the price of its type where it stands.
fn monthly(object: &Value) -> Option<f64> {
    let sold =
        ["server_type", "load_balancer_type"].into_iter().map(|name| &object[name]).find(|one| one.is_object())?;
    price(sold, Some(object["location"]["name"].as_str()?), "price_monthly")
}

/// An object as scripts see it.
pub(super) fn shape(mut object: Value) -> Value {
    if let Some(server) = server(&object) {
        merge(&mut object, server);
    }
    if let Some(balancer) = balancer(&object) {
        merge(&mut object, balancer);
    }
    if let Some(monthly) = monthly(&object) {
        object["price_monthly"] = monthly.into();
    }
    let Value::Object(fields) = &mut object else { return object };
    for name in ["server_type", "load_balancer_type", "location", "image", "placement_group"] {
        let Some(held) = fields.get_mut(name) else { continue };
        // A snapshot has no name.
        let named = if held["name"].is_string() && name != "placement_group" { &held["name"] } else { &held["id"] };
        if held.is_object() {
            *held = named.clone();
        }
    }
    fields.retain(|name, _| !DROPPED.contains(&name.as_str()));
    object
}

fn merge(object: &mut Value, more: Value) {
    if let Value::Object(more) = more {
        more.into_iter().for_each(|(name, value)| object[name.as_str()] = value);
    }
    if let Some(fields) = object.as_object_mut() {
        fields.remove("public_net");
        fields.remove("private_net");
    }
}

fn private(object: &Value) -> Vec<Value> {
    let nets = object["private_net"].as_array().into_iter().flatten();
    nets.map(|net| json!({ "network": net["network"], "ip": net["ip"] })).collect()
}

fn server(object: &Value) -> Option<Value> {
    let net = object["server_type"].is_object().then_some(&object["public_net"])?;
    let firewalls = net["firewalls"].as_array().into_iter().flatten().map(|one| one["id"].clone());
    Some(json!({
        "ipv4": net["ipv4"]["ip"], "ipv6": net["ipv6"]["ip"], "private_ips": private(object),
        "firewalls": firewalls.collect::<Vec<_>>(),
    }))
}

fn balancer(object: &Value) -> Option<Value> {
    let net = object["load_balancer_type"].is_object().then_some(&object["public_net"])?;
    let (ipv4, ipv6) = (&net["ipv4"]["ip"], &net["ipv6"]["ip"]);
    Some(json!({
        "ipv4": ipv4, "ipv6": ipv6, "private_ips": private(object), "public": net["enabled"],
        "algorithm": object["algorithm"]["type"],
    }))
}
