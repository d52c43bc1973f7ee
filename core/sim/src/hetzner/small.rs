//! Placement groups, SSH keys, images: kinds that have little to do.

use serde_json::{Value, json};

use super::{
    Reply,
    fingerprint::fingerprint,
    labels,
    project::Project,
    refusal::{Refusal, flag, invalid, one_of, taken, text, unprocessable},
    render,
};

pub(super) fn create_placement_group(project: &mut Project, body: &Value) -> Result<Reply, Refusal> {
    let name = text(body, "name")?;
    let kind = one_of(body, "type", &["spread"])?;
    let labels = labels::read(body)?;
    project.demand_unique("placement_groups", "name", name, 0)?;
    project.demand_quota("placement_groups", 1)?;
    let id = project.insert("placement_groups", name, labels, json!({ "type": kind }));
    let group = render::one(project, "placement_groups", id)?;
    Ok(Reply::Json(201, json!({ "placement_group": group, "action": null })))
}

pub(super) fn delete_placement_group(project: &mut Project, id: i64) -> Result<Reply, Refusal> {
    project.get("placement_groups", id)?;
    for server in project.ids_where("servers", |one| one["_placement_group"] == id) {
        project.with("servers", server, |one| one["_placement_group"] = Value::Null);
    }
    project.remove("placement_groups", id);
    Ok(Reply::Empty)
}

pub(super) fn create_ssh_key(project: &mut Project, body: &Value) -> Result<Reply, Refusal> {
    let name = text(body, "name")?;
    let key = text(body, "public_key")?.trim();
    let print = fingerprint(key).ok_or_else(|| invalid("public_key", "isn't a public SSH key"))?;
    let labels = labels::read(body)?;
    if project.all("ssh_keys").any(|one| one["fingerprint"] == print) {
        return Err(taken("public_key", "SSH key with the same fingerprint"));
    }
    project.demand_unique("ssh_keys", "name", name, 0)?;
    project.demand_quota("ssh_keys", 1)?;
    let id = project.insert("ssh_keys", name, labels, json!({ "fingerprint": print, "public_key": key }));
    Ok(Reply::Json(201, json!({ "ssh_key": render::one(project, "ssh_keys", id)? })))
}

pub(super) fn delete_image(project: &mut Project, id: i64) -> Result<Reply, Refusal> {
    if project.catalog.images.iter().any(|one| one["id"] == id) {
        return Err(unprocessable("unsupported_error", "a system image can't be deleted"));
    }
    project.demand_unprotected("images", id, "delete")?;
    project.demand_unlocked("images", id)?;
    project.remove("images", id);
    Ok(Reply::Empty)
}

pub(super) fn act_on_image(project: &mut Project, id: i64, verb: &str, body: &Value) -> Result<Option<Reply>, Refusal> {
    project.get("images", id)?;
    if verb != "change_protection" {
        return Ok(None);
    }
    let protection = json!({ "delete": flag(body, "delete", false)? });
    let set = move |project: &mut Project| project.with("images", id, |one| one["protection"] = protection);
    let action = project.begin(verb, &[("image", id)], Box::new(set));
    Ok(Some(Reply::Json(201, json!({ "action": action }))))
}
