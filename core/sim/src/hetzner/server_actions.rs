//! What can be done with a server: power, networks, images, type, rescue, backups, ISOs, placement.

use serde_json::{Value, json};

use super::{
    Reply,
    action::Effect,
    catalog::Catalog,
    labels, networks,
    project::Project,
    refusal::{Refusal, flag, int, invalid, optional_text, text, unprocessable},
    render,
    servers::{SPREAD, image, set_status, start},
};

pub(super) fn act(project: &mut Project, id: i64, verb: &str, body: &Value) -> Result<Option<Reply>, Refusal> {
    let server = project.get("servers", id)?.clone();
    project.demand_unlocked("servers", id)?;
    let off = server["status"] == "off";
    let about = vec![("server", id)];
    let status = |word: &'static str| -> Effect { Box::new(move |project| set_status(project, id, word)) };
    let set = |field: &'static str, value: Value| -> Effect {
        Box::new(move |project| project.with("servers", id, |server| server[field] = value))
    };
    let mut extra = json!({});
    let mut resources = about.clone();
    let (command, effect): (&str, Effect) = match verb {
        "poweron" => ("start_server", Box::new(move |project| start(project, id))),
        "poweroff" => ("stop_server", status("off")),
        "shutdown" => ("shutdown_server", status("off")),
        "reboot" | "reset" if off => {
            return Err(unprocessable("server_not_running", "the server is off"));
        }
        "reboot" => ("reboot_server", status("running")),
        "reset" => ("reset_server", status("running")),
        "rebuild" => {
            project.demand_unprotected("servers", id, "rebuild")?;
            let new = image(project, &body["image"], &server["server_type"])?;
            set_status(project, id, "rebuilding");
            extra["root_password"] = json!(format!("sim-{id}-rebuilt"));
            let data = optional_text(body, "user_data")?.map(str::to_owned);
            let rebuilt: Effect = Box::new(move |project| {
                project.with("servers", id, |server| {
                    server["image"] = new;
                    if let Some(data) = data {
                        server["_user_data"] = json!(data);
                    }
                });
                start(project, id);
            });
            ("rebuild_server", rebuilt)
        }
        "change_type" => ("change_server_type", change_type(project, id, &server, body)?),
        "attach_to_network" => {
            let network = int(body, "network")?;
            let aliases = body["alias_ips"].as_array().cloned().unwrap_or_default();
            networks::attach(project, "servers", id, network, optional_text(body, "ip")?, &aliases)?;
            resources.push(("network", network));
            ("attach_to_network", Box::new(|_| {}))
        }
        "detach_from_network" => {
            let network = int(body, "network")?;
            networks::demand_attached(&server, network)?;
            resources.push(("network", network));
            ("detach_from_network", Box::new(move |project| networks::detach(project, "servers", id, network)))
        }
        "change_alias_ips" => {
            let network = int(body, "network")?;
            networks::demand_attached(&server, network)?;
            let aliases = body["alias_ips"].clone();
            resources.push(("network", network));
            let change = move |server: &mut Value| {
                let nets = server["private_net"].as_array_mut().into_iter().flatten();
                nets.filter(|net| net["network"] == network).for_each(|net| net["alias_ips"] = aliases.clone());
            };
            ("change_alias_ips", Box::new(move |project| project.with("servers", id, change)))
        }
        "change_dns_ptr" => {
            let (ip, pointer) = (text(body, "ip")?.to_owned(), body["dns_ptr"].clone());
            let found = project.ids_where("primary_ips", |one| one["assignee_id"] == id && one["ip"] == *ip);
            let found = *found.first().ok_or_else(|| invalid("ip", "isn't an address of the server"))?;
            let point = move |project: &mut Project| super::primary_ips::point(project, found, &ip, &pointer);
            ("change_dns_ptr", Box::new(point))
        }
        "change_protection" => {
            let (delete, rebuild) = (flag(body, "delete", false)?, flag(body, "rebuild", false)?);
            if delete != rebuild {
                return Err(invalid("rebuild", "has to be the same as delete"));
            }
            ("change_protection", set("protection", json!({ "delete": delete, "rebuild": rebuild })))
        }
        "create_image" => ("create_image", create_image(project, id, &server, body, &mut extra)?),
        "enable_rescue" => {
            extra["root_password"] = json!(format!("sim-{id}-rescue"));
            ("enable_rescue", set("rescue_enabled", json!(true)))
        }
        "disable_rescue" => ("disable_rescue", set("rescue_enabled", json!(false))),
        "reset_password" => {
            extra["root_password"] = json!(format!("sim-{id}-reset"));
            ("reset_password", Box::new(|_| {}))
        }
        "enable_backup" => ("enable_backup", set("backup_window", json!("22-02"))),
        "disable_backup" => ("disable_backup", set("backup_window", Value::Null)),
        "attach_iso" => {
            let iso = Catalog::find(&project.catalog.isos, &body["iso"]);
            let iso = iso.ok_or_else(|| invalid("iso", "there is no such ISO"))?.clone();
            ("attach_iso", set("iso", iso))
        }
        "detach_iso" => ("detach_iso", set("iso", Value::Null)),
        "add_to_placement_group" => {
            let group = int(body, "placement_group")?;
            project.get("placement_groups", group)?;
            demand_off(off)?;
            if project.ids_where("servers", |one| one["_placement_group"] == group).len() >= SPREAD {
                return Err(unprocessable("placement_error", "no place apart from the group's other servers is left"));
            }
            resources.push(("placement_group", group));
            ("add_to_placement_group", set("_placement_group", json!(group)))
        }
        "remove_from_placement_group" => ("remove_from_placement_group", set("_placement_group", Value::Null)),
        "request_console" => {
            extra["wss_url"] = json!(format!("wss://console.example.net/?server_id={id}"));
            extra["password"] = json!(format!("sim-{id}-console"));
            ("request_console", Box::new(|_| {}))
        }
        _ => return Ok(None),
    };
    let action = project.begin(command, &resources, effect);
    extra["action"] = action;
    Ok(Some(Reply::Json(201, extra)))
}

fn demand_off(off: bool) -> Result<(), Refusal> {
    if off { Ok(()) } else { Err(unprocessable("server_not_stopped", "the server has to be off for this")) }
}

fn change_type(project: &Project, id: i64, server: &Value, body: &Value) -> Result<Effect, Refusal> {
    demand_off(server["status"] == "off")?;
    let found = Catalog::find(&project.catalog.server_types, &body["server_type"]);
    let new = found.ok_or_else(|| invalid("server_type", "there is no such server type"))?.clone();
    let upgrade = flag(body, "upgrade_disk", true)?;
    let old_disk = server["primary_disk_size"].as_i64().unwrap_or_default();
    let fits = new["disk"].as_i64().unwrap_or_default() >= old_disk
        && new["architecture"] == server["server_type"]["architecture"]
        && new["name"] != server["server_type"]["name"];
    if !fits {
        return Err(unprocessable("invalid_server_type", "the server type doesn't fit this server"));
    }
    Ok(Box::new(move |project| {
        project.with("servers", id, |server| {
            if upgrade {
                server["primary_disk_size"] = new["disk"].clone();
            }
            server["server_type"] = new;
        });
    }))
}

fn create_image(
    project: &mut Project,
    id: i64,
    server: &Value,
    body: &Value,
    extra: &mut Value,
) -> Result<Effect, Refusal> {
    project.demand_quota("images", 1)?;
    let kind = optional_text(body, "type")?.unwrap_or("snapshot").to_owned();
    let of = &server["image"];
    let fields = json!({
        "type": kind, "status": "creating", "image_size": null, "disk_size": server["primary_disk_size"],
        "description": optional_text(body, "description")?.unwrap_or_default(),
        "created_from": { "id": id, "name": server["name"] }, "os_flavor": of["os_flavor"],
        "bound_to": (kind == "backup").then_some(id), "os_version": of["os_version"], "rapid_deploy": false,
        "protection": { "delete": false }, "deprecated": null, "deleted": null, "architecture": of["architecture"],
    });
    let made = project.insert("images", "", labels::read(body)?, fields);
    project.with("images", made, |image| image["name"] = Value::Null);
    extra["image"] = render::one(project, "images", made)?;
    Ok(Box::new(move |project| {
        project.with("images", made, |image| {
            image["status"] = json!("available");
            image["image_size"] = json!(2.3);
        });
    }))
}
