//! Volumes: made, attached, detached, grown.

use serde_json::{Value, json};

use super::{
    Reply,
    action::Effect,
    labels,
    project::Project,
    refusal::{Refusal, flag, int, invalid, optional_int, optional_text, text, unprocessable},
    render,
};

/// Gigabytes of a volume.
const SIZES: std::ops::RangeInclusive<i64> = 10..=10_240;

pub(super) fn create(project: &mut Project, body: &Value) -> Result<Reply, Refusal> {
    let name = text(body, "name")?;
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.len() > 64 || !name.bytes().all(inner) || !edge(name.bytes().next()) || !edge(name.bytes().last()) {
        return Err(invalid("name", "has to be at most 64 letters, digits, dashes, underscores and dots"));
    }
    let size = size(body)?;
    let labels = labels::read(body)?;
    let server = optional_int(body, "server")?;
    let location = match (server, &body["location"]) {
        (Some(server), Value::Null) => project.get("servers", server)?["location"].clone(),
        (None, wanted) => project.location(wanted, "location")?,
        (Some(_), _) => return Err(invalid("location", "can't stand beside server")),
    };
    let format = optional_text(body, "format")?;
    if format.is_some_and(|format| !["ext4", "xfs"].contains(&format)) {
        return Err(invalid("format", "has to be ext4 or xfs"));
    }
    project.demand_unique("volumes", "name", name, 0)?;
    project.demand_quota("volumes", 1)?;
    let fields = json!({
        "size": size, "server": null, "location": location, "format": format, "status": "creating",
        "protection": { "delete": false },
    });
    let id = project.insert("volumes", name, labels, fields);
    project.with("volumes", id, |one| one["linux_device"] = json!(format!("/dev/disk/by-id/scsi-0HC_Volume_{id}")));
    let ready = move |project: &mut Project| project.with("volumes", id, |one| one["status"] = json!("available"));
    let action = project.begin("create_volume", &[("volume", id)], Box::new(ready));
    let next = server.map(|server| {
        let about = [("volume", id), ("server", server)];
        project.begin_after(action["id"].as_i64(), "attach_volume", &about, attached(id, json!(server)))
    });
    let volume = render::one(project, "volumes", id)?;
    let next: Vec<Value> = next.into_iter().collect();
    Ok(Reply::Json(201, json!({ "volume": volume, "action": action, "next_actions": next })))
}

fn size(body: &Value) -> Result<i64, Refusal> {
    let size = int(body, "size")?;
    if SIZES.contains(&size) { Ok(size) } else { Err(invalid("size", "has to be 10 to 10240")) }
}

fn attached(id: i64, server: Value) -> Effect {
    Box::new(move |project| project.with("volumes", id, |one| one["server"] = server))
}

pub(super) fn delete(project: &mut Project, id: i64) -> Result<Reply, Refusal> {
    project.demand_unprotected("volumes", id, "delete")?;
    project.demand_unlocked("volumes", id)?;
    if !project.get("volumes", id)?["server"].is_null() {
        return Err(unprocessable("resource_in_use", "the volume is attached to a server"));
    }
    project.remove("volumes", id);
    Ok(Reply::Empty)
}

pub(super) fn act(project: &mut Project, id: i64, verb: &str, body: &Value) -> Result<Option<Reply>, Refusal> {
    let volume = project.get("volumes", id)?.clone();
    project.demand_unlocked("volumes", id)?;
    let mut about = vec![("volume", id)];
    let (command, effect): (&str, Effect) = match verb {
        "attach" => {
            let server = int(body, "server")?;
            let held = project.get("servers", server)?;
            if !volume["server"].is_null() {
                return Err(unprocessable("volume_already_attached", "the volume is attached to a server already"));
            }
            if held["location"]["name"] != volume["location"]["name"] {
                return Err(unprocessable("volume_location_mismatch", "the server is in another location"));
            }
            project.demand_unlocked("servers", server)?;
            about.push(("server", server));
            ("attach_volume", attached(id, json!(server)))
        }
        "detach" => {
            let server = volume["server"].as_i64();
            let server =
                server.ok_or_else(|| unprocessable("volume_not_attached", "the volume is attached to nothing"))?;
            about.push(("server", server));
            ("detach_volume", attached(id, Value::Null))
        }
        "resize" => {
            let size = size(body)?;
            if size <= volume["size"].as_i64().unwrap_or_default() {
                return Err(invalid("size", "has to be larger than it is"));
            }
            ("resize_volume", Box::new(move |project| project.with("volumes", id, |one| one["size"] = json!(size))))
        }
        "change_protection" => {
            let protection = json!({ "delete": flag(body, "delete", false)? });
            let set = move |project: &mut Project| project.with("volumes", id, |one| one["protection"] = protection);
            ("change_protection", Box::new(set))
        }
        _ => return Ok(None),
    };
    let action = project.begin(command, &about, effect);
    Ok(Some(Reply::Json(201, json!({ "action": action }))))
}
