//! Which path is what: names for faults, and the way to the code of a kind.

use http::Method;
use serde_json::{Value, json};

use super::{
    Reply, firewalls, labels,
    listing::page,
    load_balancers, networks, primary_ips,
    project::{Project, singular},
    refusal::{Refusal, body, flag, invalid, not_found, optional_text},
    render, server_actions, servers, small, volumes, zones,
};
use crate::Request;

/// Kinds that a project holds.
const KINDS: &[&str] = &[
    "servers",
    "networks",
    "firewalls",
    "load_balancers",
    "volumes",
    "placement_groups",
    "ssh_keys",
    "primary_ips",
    "images",
    "zones",
];
/// Entries of a page at most.
const LARGEST: usize = 50;

/// `servers.create`, `servers.poweron`, `zones.rrsets.create`, `actions.list`, …
pub(super) fn operation(request: &Request) -> String {
    let parts = request.segments();
    let parts: Vec<&str> = parts.iter().skip(1).map(String::as_str).collect();
    let verb = |one: bool| match (&request.method, one) {
        (&Method::GET, true) => "get",
        (&Method::GET, false) => "list",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::DELETE, _) => "delete",
        _ => "other",
    };
    match parts.as_slice() {
        [] => "unknown".into(),
        [kind] => format!("{kind}.{}", verb(false)),
        [kind, "actions"] => format!("{kind}.actions"),
        [kind, "actions", _] => format!("{kind}.action"),
        [kind, _] => format!("{kind}.{}", verb(true)),
        [kind, _, "rrsets"] => format!("{kind}.rrsets.{}", verb(false)),
        [kind, _, "rrsets", _, _] => format!("{kind}.rrsets.{}", verb(true)),
        [kind, .., "actions", what] if request.method == Method::POST => format!("{kind}.{what}"),
        [kind, .., last] => format!("{kind}.{last}"),
    }
}

pub(super) fn answer(project: &mut Project, request: &Request) -> Result<Reply, Refusal> {
    let parts = request.segments();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let unknown = || Refusal::new(404, "not_found", "there is no such path");
    let ["v1", kind, rest @ ..] = parts.as_slice() else { return Err(unknown()) };
    let body = body(request)?;
    let found = match (*kind, KINDS.iter().find(|known| known == &kind)) {
        (_, Some(kind)) => of_kind(project, request, kind, rest, &body)?,
        ("actions", None) => actions(project, request, rest)?,
        (kind, None) if request.method == Method::GET => catalogue(project, request, kind, rest)?,
        _ => None,
    };
    found.ok_or_else(unknown)
}

/// What can be ordered; nobody changes it.
fn catalogue(project: &Project, request: &Request, kind: &str, rest: &[&str]) -> Result<Option<Reply>, Refusal> {
    let list = match kind {
        "pricing" if rest.is_empty() => {
            return Ok(Some(Reply::Json(200, json!({ "pricing": project.catalog.pricing() }))));
        }
        "locations" => &project.catalog.locations,
        "server_types" => &project.catalog.server_types,
        "load_balancer_types" => &project.catalog.load_balancer_types,
        "isos" => &project.catalog.isos,
        _ => return Ok(None),
    };
    match rest {
        [] => Ok(Some(Reply::Json(200, page(request, kind, list.clone(), LARGEST)?))),
        [id] => {
            let found = list.iter().find(|one| id.parse::<i64>().is_ok_and(|id| one["id"] == id));
            let found = found.ok_or_else(|| not_found(singular(kind), id))?;
            Ok(Some(Reply::Json(200, json!({ singular(kind): found }))))
        }
        _ => Ok(None),
    }
}

/// `GET /actions?id=1&id=2`, `GET /actions/{id}`
fn actions(project: &Project, request: &Request, rest: &[&str]) -> Result<Option<Reply>, Refusal> {
    let shown = |id: i64| project.actions.get(&id).map(|action| action.render(project.now_ms));
    match (rest, &request.method) {
        ([], &Method::GET) => {
            let ids: Vec<&str> = request.query_all("id").collect();
            if ids.is_empty() || ids.len() > LARGEST {
                return Err(invalid("id", "1 to 50 ids are needed"));
            }
            let ids = ids.iter().map(|id| id.parse::<i64>().map_err(|_| invalid("id", "has to be a number")));
            let ids = ids.collect::<Result<Vec<_>, _>>()?;
            let found: Vec<Value> = ids.into_iter().filter_map(shown).collect();
            Ok(Some(Reply::Json(200, json!({ "actions": found }))))
        }
        ([id], &Method::GET) => {
            let action = id.parse().ok().and_then(shown).ok_or_else(|| not_found("action", id))?;
            Ok(Some(Reply::Json(200, json!({ "action": action }))))
        }
        _ => Ok(None),
    }
}

fn of_kind(
    project: &mut Project,
    request: &Request,
    kind: &'static str,
    rest: &[&str],
    body: &Value,
) -> Result<Option<Reply>, Refusal> {
    let method = &request.method;
    let action_list = |project: &Project, of: Option<i64>| {
        let fitting = project.actions.values().filter(|action| {
            action.resources.iter().any(|(what, id)| *what == singular(kind) && of.is_none_or(|of| of == *id))
        });
        let shown = fitting.map(|action| action.render(project.now_ms)).collect();
        Ok(Some(Reply::Json(200, page(request, "actions", shown, LARGEST)?)))
    };
    match rest {
        [] if method == Method::GET => list(project, request, kind).map(Some),
        [] if method == Method::POST => create(project, kind, body),
        ["actions"] if method == Method::GET => action_list(project, None),
        ["actions", id] => actions(project, request, &[id]),
        [id, below @ ..] => {
            let id = find(project, kind, id)?;
            match below {
                [] => one(project, method, kind, id, body),
                ["actions"] if method == Method::GET => action_list(project, Some(id)),
                ["actions", what] if method == Method::POST => act(project, kind, id, what, body),
                ["actions", action] if method == Method::GET => actions(project, request, &[action]),
                ["metrics"] if method == Method::GET => metrics(request).map(Some),
                below if kind == "zones" => in_zone(project, request, id, below, body),
                _ => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

fn find(project: &Project, kind: &'static str, id: &str) -> Result<i64, Refusal> {
    if kind == "zones" {
        return zones::find(project, id);
    }
    let number = id.parse::<i64>().map_err(|_| not_found(singular(kind), id))?;
    let system = kind == "images" && project.catalog.images.iter().any(|one| one["id"] == number);
    if !system {
        project.get(kind, number)?;
    }
    Ok(number)
}

fn list(project: &Project, request: &Request, kind: &'static str) -> Result<Reply, Refusal> {
    let own = project.all(kind).map(|one| render::object(project, kind, one));
    let system = project.catalog.images.iter().filter(|_| kind == "images").cloned();
    Ok(Reply::Json(200, page(request, kind, system.chain(own).collect(), LARGEST)?))
}

fn create(project: &mut Project, kind: &str, body: &Value) -> Result<Option<Reply>, Refusal> {
    let reply = match kind {
        "servers" => servers::create(project, body),
        "networks" => networks::create(project, body),
        "firewalls" => firewalls::create(project, body),
        "load_balancers" => load_balancers::create(project, body),
        "volumes" => volumes::create(project, body),
        "placement_groups" => small::create_placement_group(project, body),
        "ssh_keys" => small::create_ssh_key(project, body),
        "primary_ips" => primary_ips::create(project, body),
        "zones" => zones::create(project, body),
        _ => return Ok(None),
    };
    reply.map(Some)
}

fn one(
    project: &mut Project,
    method: &Method,
    kind: &'static str,
    id: i64,
    body: &Value,
) -> Result<Option<Reply>, Refusal> {
    match *method {
        Method::GET => {
            let system = project.catalog.images.iter().find(|one| kind == "images" && one["id"] == id).cloned();
            let shown = system.map_or_else(|| render::one(project, kind, id), Ok)?;
            Ok(Some(Reply::Json(200, json!({ singular(kind): shown }))))
        }
        Method::PUT => update(project, kind, id, body).map(Some),
        Method::DELETE => delete(project, kind, id),
        _ => Ok(None),
    }
}

/// Names, labels, and the few other fields that are changed without an action.
fn update(project: &mut Project, kind: &'static str, id: i64, body: &Value) -> Result<Reply, Refusal> {
    project.get(kind, id)?;
    if let Some(name) = optional_text(body, "name")?.filter(|_| !["zones", "images"].contains(&kind)) {
        if kind == "servers" {
            servers::demand_hostname(name)?;
        }
        project.demand_unique(kind, "name", name, id)?;
        project.with(kind, id, |one| one["name"] = json!(name));
    }
    if !body["labels"].is_null() {
        let labels = labels::read(body)?;
        project.with(kind, id, |one| one["labels"] = labels);
    }
    let also: &[&str] = match kind {
        "primary_ips" => &["auto_delete"],
        "networks" => &["expose_routes_to_vswitch"],
        _ => &[],
    };
    for field in also.iter().filter(|field| !body[**field].is_null()) {
        let value = flag(body, field, false)?;
        project.with(kind, id, |one| one[*field] = json!(value));
    }
    if kind == "images" {
        for field in ["description", "type"] {
            if let Some(text) = optional_text(body, field)? {
                project.with(kind, id, |one| one[field] = json!(text));
            }
        }
    }
    Ok(Reply::Json(200, json!({ singular(kind): render::one(project, kind, id)? })))
}

fn delete(project: &mut Project, kind: &'static str, id: i64) -> Result<Option<Reply>, Refusal> {
    let reply = match kind {
        "servers" => servers::delete(project, id),
        "networks" => networks::delete(project, id),
        "firewalls" => firewalls::delete(project, id),
        "load_balancers" => load_balancers::delete(project, id),
        "volumes" => volumes::delete(project, id),
        "placement_groups" => small::delete_placement_group(project, id),
        "primary_ips" => primary_ips::delete(project, id),
        "images" => small::delete_image(project, id),
        "zones" => zones::delete(project, id),
        _ => {
            project.remove(kind, id);
            Ok(Reply::Empty)
        }
    };
    reply.map(Some)
}

fn act(project: &mut Project, kind: &str, id: i64, verb: &str, body: &Value) -> Result<Option<Reply>, Refusal> {
    match kind {
        "servers" => server_actions::act(project, id, verb, body),
        "networks" => networks::act(project, id, verb, body),
        "firewalls" => firewalls::act(project, id, verb, body),
        "load_balancers" => load_balancers::act(project, id, verb, body),
        "volumes" => volumes::act(project, id, verb, body),
        "primary_ips" => primary_ips::act(project, id, verb, body),
        "images" => small::act_on_image(project, id, verb, body),
        "zones" => zones::act(project, id, verb, body),
        _ => Ok(None),
    }
}

fn in_zone(
    project: &mut Project,
    request: &Request,
    zone: i64,
    below: &[&str],
    body: &Value,
) -> Result<Option<Reply>, Refusal> {
    match (below, &request.method) {
        (["zonefile"], &Method::GET) => zones::export(project, zone).map(Some),
        (["rrsets"], &Method::GET) => {
            Ok(Some(Reply::Json(200, page(request, "rrsets", zones::rrsets(project, zone)?, 2 * LARGEST)?)))
        }
        (["rrsets"], &Method::POST) => zones::create_rrset(project, zone, body).map(Some),
        (["rrsets", name, of], method) => {
            let verb = match *method {
                Method::GET => "get",
                Method::PUT => "update",
                Method::DELETE => "delete",
                _ => return Ok(None),
            };
            zones::with_rrset(project, zone, (name, of), verb, body)
        }
        (["rrsets", name, of, "actions", verb], &Method::POST) => {
            zones::with_rrset(project, zone, (name, of), verb, body)
        }
        _ => Ok(None),
    }
}

/// Nothing is measured: the series are there, and flat.
fn metrics(request: &Request) -> Result<Reply, Refusal> {
    let (Some(of), Some(start), Some(end)) = (request.query("type"), request.query("start"), request.query("end"))
    else {
        return Err(invalid("type", "type, start and end are needed"));
    };
    let series = of.split(',').map(|name| (name.to_owned(), json!({ "values": [[0.0, "0"]] })));
    let series = Value::Object(series.collect());
    Ok(Reply::Json(200, json!({ "metrics": { "start": start, "end": end, "step": 60, "time_series": series } })))
}
