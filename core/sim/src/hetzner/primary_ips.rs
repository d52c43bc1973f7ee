//! Primary IPs: public addresses that servers are given.

use serde_json::{Value, json};

use super::{
    Reply,
    action::Effect,
    labels,
    project::Project,
    refusal::{Refusal, flag, int, invalid, one_of, optional_int, text, unprocessable},
    render,
};

pub(super) fn create(project: &mut Project, body: &Value) -> Result<Reply, Refusal> {
    let name = text(body, "name")?;
    let labels = labels::read(body)?;
    let kind = one_of(body, "type", &["ipv4", "ipv6"])?.to_owned();
    // The contract wants it always; the provider and its clients only with an assignee.
    if !body["assignee_id"].is_null() {
        one_of(body, "assignee_type", &["server"])?;
    }
    if !body["datacenter"].is_null() {
        return Err(invalid("datacenter", "is gone; use location"));
    }
    let assignee = optional_int(body, "assignee_id")?;
    let location = match assignee {
        Some(server) => {
            demand_assignable(project, server, &kind)?;
            project.get("servers", server)?["location"].clone()
        }
        None => project.location(&body["location"], "location")?,
    };
    project.demand_unique("primary_ips", "name", name, 0)?;
    project.demand_quota("primary_ips", 1)?;
    let delete_too = flag(body, "auto_delete", false)?;
    let id = insert(project, name, labels, &kind, &location, delete_too);
    let mut answer = json!({});
    if let Some(server) = assignee {
        let about = [("primary_ip", id), ("server", server)];
        answer["action"] = project.begin("assign_primary_ip", &about, assigned(id, json!(server)));
    }
    answer["primary_ip"] = render::one(project, "primary_ips", id)?;
    Ok(Reply::Json(201, answer))
}

fn insert(project: &mut Project, name: &str, labels: Value, kind: &str, location: &Value, delete_too: bool) -> i64 {
    let ip = if kind == "ipv4" { project.fresh_ipv4() } else { project.fresh_ipv6() };
    let pointers = match kind {
        "ipv4" => {
            let reversed = ip.split('.').rev().collect::<Vec<_>>().join(".");
            json!([{ "ip": ip, "dns_ptr": format!("static.{reversed}.clients.example.net") }])
        }
        _ => json!([]),
    };
    let fields = json!({
        "type": kind, "ip": ip, "location": location, "assignee_id": null, "assignee_type": "server",
        "auto_delete": delete_too, "blocked": false, "dns_ptr": pointers, "protection": { "delete": false },
    });
    project.insert("primary_ips", name, labels, fields)
}

/// The address that a new server gets and takes with it.
pub(super) fn for_server(project: &mut Project, server: i64, kind: &str, location: &Value) {
    let id = insert(project, "", json!({}), kind, location, true);
    project.with("primary_ips", id, |one| {
        one["name"] = json!(format!("primary_ip-{id}"));
        one["assignee_id"] = json!(server);
    });
}

fn assigned(id: i64, server: Value) -> Effect {
    Box::new(move |project| project.with("primary_ips", id, |one| one["assignee_id"] = server))
}

fn demand_assignable(project: &Project, server: i64, kind: &str) -> Result<(), Refusal> {
    demand_stopped(project, server)?;
    if project.all("primary_ips").any(|ip| ip["assignee_id"] == server && ip["type"] == kind) {
        return Err(unprocessable(&format!("server_has_{kind}"), "the server has such an address already"));
    }
    Ok(())
}

fn demand_stopped(project: &Project, server: i64) -> Result<(), Refusal> {
    match project.get("servers", server)?["status"] == "off" {
        true => Ok(()),
        false => Err(unprocessable("server_not_stopped", "the server has to be off for this")),
    }
}

/// Sets the name that an address points back to; none takes it away.
pub(super) fn point(project: &mut Project, id: i64, ip: &str, pointer: &Value) {
    project.with("primary_ips", id, |one| {
        if let Some(pointers) = one["dns_ptr"].as_array_mut() {
            pointers.retain(|held| held["ip"] != ip);
            if pointer.is_string() {
                pointers.push(json!({ "ip": ip, "dns_ptr": pointer }));
            }
        }
    });
}

pub(super) fn delete(project: &mut Project, id: i64) -> Result<Reply, Refusal> {
    project.demand_unprotected("primary_ips", id, "delete")?;
    if !project.get("primary_ips", id)?["assignee_id"].is_null() {
        return Err(unprocessable("must_be_unassigned", "the primary IP is still assigned to a server"));
    }
    project.remove("primary_ips", id);
    Ok(Reply::Empty)
}

pub(super) fn act(project: &mut Project, id: i64, verb: &str, body: &Value) -> Result<Option<Reply>, Refusal> {
    let ip = project.get("primary_ips", id)?.clone();
    let mut about = vec![("primary_ip", id)];
    let (command, effect): (&str, Effect) = match verb {
        "assign" => {
            let server = int(body, "assignee_id")?;
            if !ip["assignee_id"].is_null() {
                return Err(unprocessable("primary_ip_already_assigned", "the primary IP is assigned already"));
            }
            demand_assignable(project, server, ip["type"].as_str().unwrap_or_default())?;
            about.push(("server", server));
            ("assign_primary_ip", assigned(id, json!(server)))
        }
        "unassign" => {
            let server = ip["assignee_id"].as_i64();
            let server = server
                .ok_or_else(|| unprocessable("primary_ip_not_assigned", "the primary IP is assigned to nothing"))?;
            demand_stopped(project, server)?;
            about.push(("server", server));
            ("unassign_primary_ip", assigned(id, Value::Null))
        }
        "change_dns_ptr" => {
            let (of, pointer) = (text(body, "ip")?.to_owned(), body["dns_ptr"].clone());
            ("change_dns_ptr", Box::new(move |project| point(project, id, &of, &pointer)))
        }
        "change_protection" => {
            let protection = json!({ "delete": flag(body, "delete", false)? });
            let set =
                move |project: &mut Project| project.with("primary_ips", id, |one| one["protection"] = protection);
            ("change_protection", Box::new(set))
        }
        _ => return Ok(None),
    };
    let action = project.begin(command, &about, effect);
    Ok(Some(Reply::Json(201, json!({ "action": action }))))
}
