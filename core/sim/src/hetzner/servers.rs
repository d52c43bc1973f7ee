//! Servers: create and delete. What else can be done with them is in `server_actions.rs`.

use serde_json::{Value, json};

use super::{
    Boot, Reply,
    catalog::Catalog,
    labels, networks, primary_ips,
    project::Project,
    refusal::{Refusal, flag, int, ints, invalid, list, not_found, optional_text, text, unprocessable},
    render,
};

/// Bytes of user data.
const USER_DATA: usize = 32 * 1024;
/// Servers that a group can hold apart.
pub(super) const SPREAD: usize = 10;

/// What a body asks for, looked up whole before anything is made.
struct Wanted {
    server_type: Value,
    image: Value,
    location: Value,
    networks: Vec<i64>,
    volumes: Vec<i64>,
    firewalls: Vec<i64>,
    group: Option<i64>,
    ipv4: Option<Option<i64>>,
    ipv6: Option<Option<i64>>,
    has_keys: bool,
}

pub(super) fn create(project: &mut Project, body: &Value) -> Result<Reply, Refusal> {
    let name = text(body, "name")?;
    demand_hostname(name)?;
    let labels = labels::read(body)?;
    let wanted = read(project, body)?;
    project.demand_unique("servers", "name", name, 0)?;
    project.demand_quota("servers", 1)?;
    let starts = flag(body, "start_after_create", true)?;
    let id = project.insert("servers", name, labels, fields(&wanted, body));
    for (kind, ip) in [("ipv4", wanted.ipv4), ("ipv6", wanted.ipv6)] {
        match ip {
            Some(Some(ip)) => project.with("primary_ips", ip, |one| one["assignee_id"] = json!(id)),
            Some(None) => primary_ips::for_server(project, id, kind, &wanted.location),
            None => {}
        }
    }
    for network in &wanted.networks {
        networks::attach(project, "servers", id, *network, None, &[])?;
    }
    for firewall in &wanted.firewalls {
        project.with("firewalls", *firewall, |one| super::firewalls::add_server(one, id));
    }
    let about = [("server", id)];
    let made = project.begin("create_server", &about, Box::new(move |project| set_status(project, id, "off")));
    let made_id = made["id"].as_i64();
    let mut next = Vec::new();
    for network in wanted.networks {
        let about = [("server", id), ("network", network)];
        next.push(project.begin_after(made_id, "attach_to_network", &about, Box::new(|_| {})));
    }
    for volume in wanted.volumes {
        let about = [("server", id), ("volume", volume)];
        let attach = move |project: &mut Project| project.with("volumes", volume, |one| one["server"] = json!(id));
        next.push(project.begin_after(made_id, "attach_volume", &about, Box::new(attach)));
    }
    if starts {
        next.push(project.begin_after(made_id, "start_server", &about, Box::new(move |project| start(project, id))));
    }
    let password = (!wanted.has_keys).then(|| format!("sim-{id}-password"));
    let server = render::one(project, "servers", id)?;
    let answer = json!({ "server": server, "action": made, "next_actions": next, "root_password": password });
    Ok(Reply::Json(201, answer))
}

fn fields(wanted: &Wanted, body: &Value) -> Value {
    json!({
        "status": "initializing", "server_type": wanted.server_type, "image": wanted.image,
        "location": wanted.location, "private_net": [], "protection": { "delete": false, "rebuild": false },
        "rescue_enabled": false, "backup_window": null, "iso": null, "outgoing_traffic": 0, "ingoing_traffic": 0,
        "included_traffic": 21_990_232_555_520_i64, "primary_disk_size": wanted.server_type["disk"],
        "_placement_group": wanted.group, "_user_data": body["user_data"],
    })
}

fn read(project: &Project, body: &Value) -> Result<Wanted, Refusal> {
    if !body["datacenter"].is_null() {
        return Err(invalid("datacenter", "is gone; use location"));
    }
    let of_type = Catalog::find(&project.catalog.server_types, &body["server_type"]);
    let server_type = of_type.ok_or_else(|| invalid("server_type", "there is no such server type"))?.clone();
    let image = image(project, &body["image"], &server_type)?;
    let offered = server_type["locations"].as_array().cloned().unwrap_or_default();
    let location = match &body["location"] {
        Value::Null => offered.first().map_or(Value::Null, |place| place["name"].clone()),
        wanted => wanted.clone(),
    };
    let location = project.location(&location, "location")?;
    if !offered.iter().any(|place| place["name"] == location["name"]) {
        return Err(unprocessable("unsupported_error", "the server type isn't offered in that location"));
    }
    let sold_out = |(of, at): &(String, String)| server_type["name"] == **of && location["name"] == **at;
    if project.config.sold_out.iter().any(sold_out) {
        return Err(Refusal::new(412, "resource_unavailable", "the server type is out of stock in that location"));
    }
    if optional_text(body, "user_data")?.is_some_and(|data| data.len() > USER_DATA) {
        return Err(invalid("user_data", "is longer than 32 KiB"));
    }
    let group = match &body["placement_group"] {
        Value::Null => None,
        _ => Some(int(body, "placement_group")?),
    };
    if let Some(group) = group {
        project.get("placement_groups", group)?;
        if project.ids_where("servers", |one| one["_placement_group"] == group).len() >= SPREAD {
            return Err(unprocessable("placement_error", "no place apart from the group's other servers is left"));
        }
    }
    let networks = ints(body, "networks")?;
    for network in &networks {
        networks::place(project, *network, &location, None)?;
    }
    let volumes = ints(body, "volumes")?;
    for volume in &volumes {
        let found = project.get("volumes", *volume)?;
        if found["location"]["name"] != location["name"] || !found["server"].is_null() {
            return Err(invalid("volumes", "the volume is elsewhere, or attached to another server"));
        }
        project.demand_unlocked("volumes", *volume)?;
    }
    let firewalls = list(body, "firewalls")?;
    let firewalls = firewalls.iter().map(|one| int(one, "firewall")).collect::<Result<Vec<_>, _>>()?;
    for firewall in &firewalls {
        project.get("firewalls", *firewall)?;
    }
    let keys = list(body, "ssh_keys")?;
    for key in &keys {
        let id = key.as_i64().or_else(|| key.as_str()?.parse().ok());
        let known = |one: &Value| one["name"] == *key || id.is_some_and(|id| one["id"] == id);
        if !project.all("ssh_keys").any(known) {
            return Err(not_found("ssh_key", key));
        }
    }
    let (ipv4, ipv6) = (public(project, body, "ipv4", &location)?, public(project, body, "ipv6", &location)?);
    if ipv4.is_none() && ipv6.is_none() && networks.is_empty() {
        return Err(invalid("public_net", "a server needs a public or a private network"));
    }
    Ok(Wanted {
        server_type,
        image,
        location,
        networks,
        volumes,
        firewalls,
        group,
        ipv4,
        ipv6,
        has_keys: !keys.is_empty(),
    })
}

/// Whether the server gets a public address of this kind, and which of those that are there.
fn public(project: &Project, body: &Value, kind: &str, location: &Value) -> Result<Option<Option<i64>>, Refusal> {
    let net = &body["public_net"];
    if !flag(net, &format!("enable_{kind}"), true)? {
        return Ok(None);
    }
    if net[kind].is_null() {
        return Ok(Some(None));
    }
    let id = int(net, kind)?;
    let ip = project.get("primary_ips", id)?;
    if ip["type"] != kind {
        return Err(unprocessable("primary_ip_version_mismatch", "the primary IP is of the other version"));
    }
    if !ip["assignee_id"].is_null() {
        return Err(unprocessable("primary_ip_assigned", "the primary IP is assigned to a server already"));
    }
    if ip["location"]["name"] != location["name"] {
        return Err(unprocessable("primary_ip_datacenter_mismatch", "the primary IP is in another location"));
    }
    Ok(Some(Some(id)))
}

/// The image for a server of this type: system images stand twice in the catalogue, once for each architecture.
pub(super) fn image(project: &Project, wanted: &Value, server_type: &Value) -> Result<Value, Refusal> {
    let id = wanted.as_i64().or_else(|| wanted.as_str()?.parse().ok());
    let own = project.all("images").map(|one| render::object(project, "images", one));
    let all: Vec<Value> = own.chain(project.catalog.images.iter().cloned()).collect();
    let named = |one: &&Value| one["name"] == *wanted || id.is_some_and(|id| one["id"] == id);
    let found: Vec<&Value> = all.iter().filter(named).collect();
    if found.is_empty() {
        return Err(invalid("image", "there is no such image"));
    }
    let fitting = found.into_iter().find(|one| one["architecture"] == server_type["architecture"]);
    let fitting = fitting.ok_or_else(|| invalid("image", "the image is for another architecture"))?;
    if fitting["status"] != "available" {
        return Err(unprocessable("unsupported_error", "the image isn't available yet"));
    }
    Ok(fitting.clone())
}

/// A name that a machine can have on a network.
pub(super) fn demand_hostname(name: &str) -> Result<(), Refusal> {
    let label = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !part.is_empty()
            && part.len() <= 63
            && part.bytes().all(inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        return Ok(());
    }
    Err(invalid("name", "has to be a valid hostname"))
}

pub(super) fn set_status(project: &mut Project, id: i64, status: &str) {
    project.with("servers", id, |server| server["status"] = json!(status));
}

/// The server runs; whoever plays its software hears of it.
pub(super) fn start(project: &mut Project, id: i64) {
    set_status(project, id, "running");
    let Some(booted) = project.config.booted.clone() else { return };
    if let Ok(server) = render::one(project, "servers", id) {
        let user_data = project.get("servers", id).map(|one| one["_user_data"].clone()).unwrap_or_default();
        booted(Boot { server, user_data: user_data.as_str().unwrap_or_default().to_owned() });
    }
}

pub(super) fn delete(project: &mut Project, id: i64) -> Result<Reply, Refusal> {
    project.demand_unprotected("servers", id, "delete")?;
    project.demand_unlocked("servers", id)?;
    set_status(project, id, "deleting");
    let gone = move |project: &mut Project| {
        project.remove("servers", id);
        for volume in project.ids_where("volumes", |one| one["server"] == id) {
            project.with("volumes", volume, |one| one["server"] = Value::Null);
        }
        for ip in project.ids_where("primary_ips", |one| one["assignee_id"] == id) {
            let with_it = project.get("primary_ips", ip).is_ok_and(|one| one["auto_delete"] == true);
            match with_it {
                true => project.remove("primary_ips", ip),
                false => project.with("primary_ips", ip, |one| one["assignee_id"] = Value::Null),
            }
        }
        for firewall in project.ids_where("firewalls", |_| true) {
            project.with("firewalls", firewall, |one| super::firewalls::remove_server(one, id));
        }
        for balancer in project.ids_where("load_balancers", |_| true) {
            project.with("load_balancers", balancer, |one| {
                if let Some(targets) = one["targets"].as_array_mut() {
                    targets.retain(|target| target["server"]["id"] != id);
                }
            });
        }
    };
    let action = project.begin("delete_server", &[("server", id)], Box::new(gone));
    Ok(Reply::Json(200, json!({ "action": action })))
}
