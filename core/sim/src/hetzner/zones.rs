//! DNS zones and their record sets.

use serde_json::{Value, json};

use super::{
    Reply, labels,
    project::Project,
    refusal::{Refusal, flag, int, invalid, list, one_of, optional_int, optional_text, taken, text, unprocessable},
    render, zonefile,
};

const TYPES: &[&str] = &[
    "A", "AAAA", "CAA", "CNAME", "DS", "HINFO", "HTTPS", "MX", "NS", "PTR", "RP", "SOA", "SRV", "SVCB", "TLSA", "TXT",
];
const SERVERS: &[&str] = &["hydrogen.ns.hetzner.com.", "oxygen.ns.hetzner.com.", "helium.ns.hetzner.de."];
/// Public suffixes of two labels that people meet; everything else has one.
const LONG_SUFFIXES: &[&str] =
    &["co.uk", "org.uk", "com.au", "co.at", "com.br", "co.jp", "co.nz", "com.tr", "co.om", "com.om", "co.za"];

pub(super) fn create(project: &mut Project, body: &Value) -> Result<Reply, Refusal> {
    let name = text(body, "name")?.trim_end_matches('.').to_lowercase();
    super::servers::demand_hostname(&name)?;
    let labels_of_name = name.split('.').count();
    let below_long = name.split_once('.').is_some_and(|(_, suffix)| LONG_SUFFIXES.contains(&suffix));
    let registrable =
        (labels_of_name == 2 && !LONG_SUFFIXES.contains(&name.as_str())) || (labels_of_name == 3 && below_long);
    if !registrable {
        return Err(invalid("name", "has to be a name directly under a public suffix"));
    }
    let mode = one_of(body, "mode", &["primary", "secondary"])?;
    let labels = labels::read(body)?;
    let ttl = optional_int(body, "ttl")?.unwrap_or(3_600);
    let mut sets = Vec::new();
    if mode == "primary" {
        sets.push(json!({ "name": "@", "type": "SOA", "ttl": null, "labels": {}, "protection": { "change": false },
            "records": [{ "value": format!("{} dns.hetzner.com. 2026010100 86400 10800 3600000 3600", SERVERS[0]), "comment": "" }] }));
        let servers = SERVERS.iter().map(|server| json!({ "value": server, "comment": "" }));
        sets.push(json!({ "name": "@", "type": "NS", "ttl": 3600, "labels": {}, "protection": { "change": false },
                          "records": servers.collect::<Vec<_>>() }));
        let mut wanted = list(body, "rrsets")?;
        if let Some(file) = optional_text(body, "zonefile")? {
            wanted.extend(zonefile::read(file, &name)?);
        }
        for wanted in wanted {
            let made = rrset(&wanted)?;
            sets.retain(|held| !is(held, &made["name"], &made["type"]));
            sets.push(made);
        }
    } else if list(body, "primary_nameservers")?.is_empty() {
        return Err(invalid("primary_nameservers", "a secondary zone needs them"));
    }
    project.demand_unique("zones", "name", &name, 0)?;
    project.demand_quota("zones", 1)?;
    let mut fields = json!({
        "mode": mode, "ttl": ttl, "status": "ok", "protection": { "delete": false }, "registrar": "other",
        "authoritative_nameservers": { "assigned": SERVERS, "delegated": [], "delegation_last_check": null,
                                       "delegation_status": "unknown" },
        "_rrsets": sets,
    });
    if mode == "secondary" {
        fields["primary_nameservers"] = body["primary_nameservers"].clone();
    }
    let id = project.insert("zones", &name, labels, fields);
    let action = project.begin("create_zone", &[("zone", id)], Box::new(|_| {}));
    Ok(Reply::Json(201, json!({ "zone": render::one(project, "zones", id)?, "action": action })))
}

fn is(set: &Value, name: &Value, kind: &Value) -> bool {
    set["name"] == *name && set["type"] == *kind
}

fn rrset(wanted: &Value) -> Result<Value, Refusal> {
    let name = text(wanted, "name")?.to_lowercase();
    if name.ends_with('.') {
        return Err(invalid("name", "has to be relative to the zone; @ is its apex"));
    }
    let kind = one_of(wanted, "type", TYPES)?;
    if kind == "SOA" {
        return Err(invalid("type", "the SOA record is made by the zone"));
    }
    Ok(json!({
        "name": name, "type": kind, "ttl": optional_int(wanted, "ttl")?, "labels": labels::read(wanted)?,
        "protection": { "change": false }, "records": records(wanted, kind)?,
    }))
}

fn records(wanted: &Value, kind: &str) -> Result<Vec<Value>, Refusal> {
    let mut found: Vec<Value> = Vec::new();
    for record in list(wanted, "records")? {
        let value = text(&record, "value")?;
        let fits = match kind {
            "A" => value.parse::<std::net::Ipv4Addr>().is_ok(),
            "AAAA" => value.parse::<std::net::Ipv6Addr>().is_ok(),
            "TXT" => value.starts_with('"') && value.ends_with('"') && value.len() >= 2,
            "MX" => value.split_once(' ').is_some_and(|(priority, _)| priority.parse::<u16>().is_ok()),
            _ => true,
        };
        if !fits {
            return Err(invalid("records", format!("'{value}' can't be the value of a record of type {kind}")));
        }
        if found.iter().any(|held| held["value"] == value) {
            return Err(invalid("records", format!("'{value}' stands there twice")));
        }
        found.push(json!({ "value": value, "comment": optional_text(&record, "comment")?.unwrap_or_default() }));
    }
    match found.is_empty() || (kind == "CNAME" && found.len() > 1) {
        true => Err(invalid("records", "needs a record (CNAME: exactly one)")),
        false => Ok(found),
    }
}

/// The zone with this id or name.
pub(super) fn find(project: &Project, wanted: &str) -> Result<i64, Refusal> {
    let id = wanted.parse::<i64>().ok();
    let named = |one: &&Value| {
        one["name"] == wanted.trim_end_matches('.').to_lowercase() || id.is_some_and(|id| one["id"] == id)
    };
    let found = project.all("zones").find(named).and_then(|one| one["id"].as_i64());
    found.ok_or_else(|| super::refusal::not_found("zone", wanted))
}

pub(super) fn delete(project: &mut Project, id: i64) -> Result<Reply, Refusal> {
    project.demand_unprotected("zones", id, "delete")?;
    let action = project.begin("delete_zone", &[("zone", id)], Box::new(move |project| project.remove("zones", id)));
    Ok(Reply::Json(201, json!({ "action": action })))
}

pub(super) fn act(project: &mut Project, id: i64, verb: &str, body: &Value) -> Result<Option<Reply>, Refusal> {
    let primary = project.get("zones", id)?["mode"] == "primary";
    let (wants_primary, field, value) = match verb {
        "import_zonefile" => {
            let held = project.get("zones", id)?;
            let name = held["name"].as_str().unwrap_or_default();
            let old = held["_rrsets"].as_array().cloned().unwrap_or_default();
            if old.iter().any(|set| set["protection"]["change"] == true) {
                return Err(Refusal::new(423, "protected", "a record set is protected against changes"));
            }
            let new = zonefile::read(text(body, "zonefile")?, name)?;
            let new = new.iter().map(rrset).collect::<Result<Vec<_>, _>>()?;
            let soa = old.into_iter().filter(|set| set["type"] == "SOA");
            (true, "_rrsets", json!(soa.chain(new).collect::<Vec<_>>()))
        }
        "change_ttl" => (true, "ttl", json!(int(body, "ttl")?)),
        "change_protection" => (primary, "protection", json!({ "delete": flag(body, "delete", false)? })),
        "change_primary_nameservers" => (false, "primary_nameservers", json!(list(body, "primary_nameservers")?)),
        _ => return Ok(None),
    };
    if wants_primary != primary {
        return Err(unprocessable("incorrect_zone_mode", "not for a zone of this mode"));
    }
    let set = move |project: &mut Project| project.with("zones", id, |one| one[field] = value);
    let action = project.begin(verb, &[("zone", id)], Box::new(set));
    Ok(Some(Reply::Json(201, json!({ "action": action }))))
}

/// The zone's record sets as they are answered.
pub(super) fn rrsets(project: &Project, zone: i64) -> Result<Vec<Value>, Refusal> {
    let held = project.get("zones", zone)?;
    if held["mode"] != "primary" {
        return Err(unprocessable("incorrect_zone_mode", "only a primary zone has record sets"));
    }
    let sets = held["_rrsets"].as_array().into_iter().flatten().map(|set| {
        let mut shown = set.clone();
        let (name, kind) = (set["name"].as_str().unwrap_or_default(), set["type"].as_str().unwrap_or_default());
        shown["id"] = json!(format!("{name}/{kind}"));
        shown["zone"] = json!(zone);
        shown
    });
    Ok(sets.collect())
}

fn one_set(project: &Project, zone: i64, name: &str, kind: &str) -> Result<Value, Refusal> {
    let found = rrsets(project, zone)?.into_iter().find(|set| set["name"] == name && set["type"] == kind);
    found.ok_or_else(|| super::refusal::not_found("rrset", format!("{name}/{kind}")))
}

fn keep(project: &mut Project, zone: i64, name: &str, kind: &str, set: Option<Value>) {
    project.with("zones", zone, |held| {
        if let Some(sets) = held["_rrsets"].as_array_mut() {
            sets.retain(|one| !(one["name"] == name && one["type"] == kind));
            sets.extend(set.map(|mut set| {
                if let Some(fields) = set.as_object_mut() {
                    fields.remove("id");
                    fields.remove("zone");
                }
                set
            }));
        }
    });
}

pub(super) fn create_rrset(project: &mut Project, zone: i64, body: &Value) -> Result<Reply, Refusal> {
    rrsets(project, zone)?;
    let made = rrset(body)?;
    let (name, kind) =
        (made["name"].as_str().unwrap_or_default().to_owned(), made["type"].as_str().unwrap_or_default().to_owned());
    if one_set(project, zone, &name, &kind).is_ok() {
        return Err(taken("name", "RRSet"));
    }
    keep(project, zone, &name, &kind, Some(made));
    let action = project.begin("create_rrset", &[("zone", zone)], Box::new(|_| {}));
    let rrset = one_set(project, zone, &name, &kind)?;
    Ok(Reply::Json(201, json!({ "rrset": rrset, "action": action })))
}

/// What can be done with one record set: `verb` is `get`, `update`, `delete`, or an action's name.
pub(super) fn with_rrset(
    project: &mut Project,
    zone: i64,
    (name, kind): (&str, &str),
    verb: &str,
    body: &Value,
) -> Result<Option<Reply>, Refusal> {
    let name = &name.to_lowercase();
    let found = one_set(project, zone, name, kind);
    // The only verb that makes a set on its way.
    let mut set = match (found, verb) {
        (Err(_), "add_records") if TYPES.contains(&kind) => rrset(
            &json!({ "name": name, "type": kind, "records": body["records"], "ttl": body["ttl"] }),
        )
        .map(|mut fresh| {
            fresh["records"] = json!([]);
            fresh
        })?,
        (found, _) => found?,
    };
    if verb == "get" {
        return Ok(Some(Reply::Json(200, json!({ "rrset": set }))));
    }
    if verb == "update" {
        set["labels"] = labels::read(body)?;
        keep(project, zone, name, kind, Some(set));
        return Ok(Some(Reply::Json(200, json!({ "rrset": one_set(project, zone, name, kind)? }))));
    }
    if set["protection"]["change"] == true && verb != "change_protection" {
        return Err(Refusal::new(423, "protected", "the record set is protected against changes"));
    }
    let held = set["records"].as_array().cloned().unwrap_or_default();
    let values = |records: &[Value]| -> Vec<Value> { records.iter().map(|one| one["value"].clone()).collect() };
    let mut status = 201;
    match verb {
        "delete" => set = Value::Null,
        "change_protection" => set["protection"] = json!({ "change": flag(body, "change", false)? }),
        "change_ttl" => set["ttl"] = json!(optional_int(body, "ttl")?),
        "set_records" => set["records"] = json!(records(body, kind)?),
        "add_records" => {
            let new = records(body, kind)?;
            if values(&new).iter().any(|value| values(&held).contains(value)) {
                return Err(taken("records", "record"));
            }
            if let Some(ttl) = optional_int(body, "ttl")? {
                set["ttl"] = json!(ttl);
            }
            set["records"] = json!([held, new].concat());
        }
        "remove_records" => {
            let gone = values(&records(body, kind)?);
            let left: Vec<Value> = held.into_iter().filter(|one| !gone.contains(&one["value"])).collect();
            if left.is_empty() { set = Value::Null } else { set["records"] = json!(left) }
        }
        "update_records" => {
            status = 200;
            let new = records(body, kind)?;
            let changed =
                held.into_iter().map(|one| new.iter().find(|to| to["value"] == one["value"]).cloned().unwrap_or(one));
            set["records"] = json!(changed.collect::<Vec<_>>());
        }
        _ => return Ok(None),
    }
    keep(project, zone, name, kind, Some(set).filter(|set| !set.is_null()));
    let command = if verb == "delete" { "delete_rrset" } else { "change_rrset_records" };
    let action = project.begin(command, &[("zone", zone)], Box::new(|_| {}));
    Ok(Some(Reply::Json(status, json!({ "action": action }))))
}

/// `GET /zones/{id}/zonefile`
pub(super) fn export(project: &Project, zone: i64) -> Result<Reply, Refusal> {
    let held = project.get("zones", zone)?;
    let (name, ttl) = (held["name"].as_str().unwrap_or_default(), &held["ttl"]);
    let mut lines = vec![format!("$ORIGIN {name}."), format!("$TTL {ttl}")];
    for set in rrsets(project, zone)? {
        for record in set["records"].as_array().into_iter().flatten() {
            let ttl = set["ttl"].as_i64().map(|ttl| format!("{ttl} ")).unwrap_or_default();
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            lines.push(format!("{} {ttl}IN {} {}", word(&set["name"]), word(&set["type"]), word(&record["value"])));
        }
    }
    Ok(Reply::Json(200, json!({ "zonefile": format!("{}\n", lines.join("\n")) })))
}
