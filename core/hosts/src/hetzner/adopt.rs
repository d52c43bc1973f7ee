//! What another run has left or made is taken, when the script says `adopt: true`. What a run that completed has made stays its
//! own: it is used, and no undo removes it. What any other run has left becomes this step's: its labels say so, this step's
//! undo removes it, and that of the old run doesn't find it any more. What a run has that goes on is nobody else's.
//!
//! Nothing is taken that isn't what is asked for. What it lacks is added first and the mark moves last, so that a crash between
//! the two begins again; what somebody has added to it stays.

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    client::Project,
    make::{self, Kind, actions},
    marks,
};
use crate::owner::Fate;

/// What comes of a thing that has the name already.
pub(super) enum Found {
    /// It is the one that was asked for, as it is now.
    Taken(Value),
    /// It was left over and is gone: it has to be made.
    Removed,
}

/// Takes what has the name, if it may be taken; else says who has it. `again`: the script says so.
pub(super) async fn take(
    cx: &OpCx,
    project: &Project,
    kind: Kind,
    (body, again): (&Value, bool),
    held: &Value,
) -> Result<Found, Problem> {
    let done = |problem: Problem| Problem { no_effect: false, ..problem };
    if marks::made_by(held, &cx.key) || (again && marks::made_in(held, cx.run.as_str())) {
        return make::whole(project, kind, held).await.map(Found::Taken).map_err(done);
    }
    if !again || !marks::is_ours(held) || !is_of_the_same(project, held) {
        return Err(taken(project, kind, held, ""));
    }
    let run = marks::run(held);
    match project.fate(&run)? {
        Fate::Open => Err(taken(project, kind, held, project.why_open(&run))),
        Fate::Completed => {
            demand_same(project, kind, body, held)?;
            complete(project, kind, body, held).await.map_err(done)?;
            relabel(project, kind, held, &marks::joined(held, body, false)).await.map_err(done)?;
            make::whole(project, kind, held).await.map(Found::Taken).map_err(done)
        }
        Fate::Left => {
            let half = match make::whole(project, kind, held).await {
                // It was on its way out.
                Err(problem) if problem.code == Code::NotFound => return Ok(Found::Removed),
                Err(problem) if failed(&problem) => true,
                Err(problem) => return Err(done(problem)),
                Ok(_) => kind.plural == "servers",
            };
            if half {
                tracing::info!(run = %cx.run, name = %held["name"], "what another run has left is made anew: a {}", kind.words());
                make::remove(project, kind, held).await.map_err(done)?;
                return Ok(Found::Removed);
            }
            demand_same(project, kind, body, held)?;
            complete(project, kind, body, held).await.map_err(done)?;
            // From here on it is this step's, for good or to be undone.
            relabel(project, kind, held, &marks::joined(held, body, true)).await.map_err(done)?;
            make::whole(project, kind, held).await.map(Found::Taken).map_err(done)
        }
    }
}

/// Whether it is whole and meant to stay: a run of the same organisation has made it, and has completed.
pub(super) fn stands(project: &Project, held: &Value) -> Result<bool, Problem> {
    let ours = marks::is_ours(held) && is_of_the_same(project, held);
    Ok(ours && project.fate(&marks::run(held))? == Fate::Completed)
}

/// Whether its making has failed: such a thing never becomes whole.
fn failed(problem: &Problem) -> bool {
    problem.data["reason"] == "action_failed"
}

/// The platform's runs may change what others made, but they don't take it for their own.
fn is_of_the_same(project: &Project, held: &Value) -> bool {
    marks::is_of(held, &project.organisation)
        || (!held["labels"][marks::ORGANISATION].is_string() && !project.is_bound())
}

fn taken(project: &Project, kind: Kind, held: &Value, more: &str) -> Problem {
    let name = held["name"].as_str().unwrap_or_default();
    let by = match held["labels"][marks::RUN].as_str() {
        Some(run) => format!("the run {run} made it{more}"),
        None => "it wasn't made by Windlass".to_owned(),
    };
    let message = format!("project `{}` has a {} `{name}` already; {by}", project.name, kind.words());
    Problem::new(Code::Conflict, message)
        .help("take another name, or use that one: ops take its name or id")
        .data(json!({ "reason": "taken", "id": held["id"], "run": held["labels"][marks::RUN] }))
        .no_effect()
}

/// What can't be changed, or not without harm, has to be as it is asked for.
fn demand_same(project: &Project, kind: Kind, body: &Value, held: &Value) -> Result<(), Problem> {
    let differs = differences(kind, body, held);
    if differs.is_empty() {
        return Ok(());
    }
    let name = held["name"].as_str().unwrap_or_default();
    let message = format!(
        "project `{}` has a {} `{name}` already, and it isn't what is asked for: {}",
        project.name,
        kind.words(),
        differs.join("; ")
    );
    Err(Problem::new(Code::Conflict, message)
        .help("ask for what is there, or remove that first; nothing was changed")
        .data(json!({ "reason": "differs", "id": held["id"], "differs": differs, "run": held["labels"][marks::RUN] }))
        .no_effect())
}

/// Fields of each kind that have to be the same, each with what the API names it by when it is shown.
fn fixed(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind.plural {
        "servers" => &[("server_type", "/server_type/name"), ("location", "/location/name")],
        "networks" => &[("ip_range", "/ip_range")],
        "load_balancers" => &[("load_balancer_type", "/load_balancer_type/name"), ("location", "/location/name")],
        "volumes" => &[("size", "/size"), ("location", "/location/name")],
        "placement_groups" => &[("type", "/type")],
        "ssh_keys" => &[("public_key", "/public_key")],
        "primary_ips" => &[("type", "/type"), ("location", "/location/name")],
        "zones" => &[("mode", "/mode")],
        _ => &[],
    }
}

fn differences(kind: Kind, body: &Value, held: &Value) -> Vec<String> {
    let differs = |(field, shown): &(&str, &str)| {
        let (wanted, there) = (&body[*field], held.pointer(shown).unwrap_or(&Value::Null));
        // What is named by a number can't be told from its name here, and what isn't said may be anything.
        let known = wanted.is_null() || (shown.ends_with("/name") && is_number(wanted));
        // A key's comment is nobody's business.
        let plain = |value: &Value| match (*field, value.as_str()) {
            ("public_key", Some(key)) => json!(key.split_whitespace().take(2).collect::<Vec<_>>()),
            _ => value.clone(),
        };
        (!known && plain(wanted) != plain(there)).then(|| format!("`{field}` is {there}, and {wanted} is asked for"))
    };
    fixed(kind).iter().filter_map(differs).collect()
}

fn is_number(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| text.parse::<i64>().is_ok())
}

fn has(list: &Value, test: impl Fn(&Value) -> bool) -> bool {
    list.as_array().is_some_and(|items| items.iter().any(test))
}

fn all<'a>(body: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    body[field].as_array().into_iter().flatten()
}

/// Adds what it lacks, and takes nothing away.
async fn complete(project: &Project, kind: Kind, body: &Value, held: &Value) -> Result<(), Problem> {
    for (verb, body) in missing(kind, body, held) {
        let path = format!("/{}/{}/actions/{verb}", kind.plural, held["id"]);
        project.wait(&actions(&project.post(&path, &body).await?)).await?;
    }
    Ok(())
}

/// The actions that make what is there what is asked for.
fn missing(kind: Kind, body: &Value, held: &Value) -> Vec<(&'static str, Value)> {
    let mut needed = Vec::new();
    match kind.plural {
        "networks" => {
            let subnets = all(body, "subnets").filter(|subnet| subnet["ip_range"].is_string());
            let absent = subnets.filter(|subnet| !has(&held["subnets"], |one| one["ip_range"] == subnet["ip_range"]));
            needed.extend(absent.map(|subnet| ("add_subnet", subnet.clone())));
            let routes = all(body, "routes").filter(|route| !has(&held["routes"], |one| one == *route));
            needed.extend(routes.map(|route| ("add_route", route.clone())));
        }
        "firewalls" => {
            let same = |one: &Value, rule: &Value| {
                ["direction", "protocol", "port"].iter().all(|field| one[*field] == rule[*field])
                    && ["source_ips", "destination_ips"].iter().all(|field| set(&one[*field]) == set(&rule[*field]))
            };
            let absent: Vec<&Value> =
                all(body, "rules").filter(|rule| !has(&held["rules"], |one| same(one, rule))).collect();
            if !absent.is_empty() {
                let rules: Vec<&Value> = all(held, "rules").chain(absent).collect();
                needed.push(("set_rules", json!({ "rules": rules })));
            }
            let places = all(body, "apply_to").filter(|to| !has(&held["applied_to"], |one| means(one, to)));
            let places: Vec<&Value> = places.collect();
            if !places.is_empty() {
                needed.push(("apply_to_resources", json!({ "apply_to": places })));
            }
        }
        "load_balancers" => {
            if body["network"].is_i64() && !has(&held["private_net"], |net| net["network"] == body["network"]) {
                needed.push(("attach_to_network", json!({ "network": body["network"] })));
            }
            for service in all(body, "services") {
                let there = all(held, "services").find(|one| one["listen_port"] == service["listen_port"]);
                match there {
                    None => needed.push(("add_service", service.clone())),
                    Some(one)
                        if ["protocol", "destination_port", "proxyprotocol"]
                            .iter()
                            .any(|it| one[*it] != service[*it]) =>
                    {
                        needed.push(("update_service", service.clone()));
                    }
                    Some(_) => {}
                }
            }
            let targets = all(body, "targets").filter(|target| !has(&held["targets"], |one| means(one, target)));
            needed.extend(targets.map(|target| ("add_target", target.clone())));
        }
        _ => {}
    }
    needed
}

/// A list whose order says nothing; one that isn't there is empty.
fn set(list: &Value) -> std::collections::BTreeSet<String> {
    list.as_array().into_iter().flatten().map(Value::to_string).collect()
}

/// Whether a target (of a balancer, of a firewall) means the same.
fn means(one: &Value, other: &Value) -> bool {
    let of = other["type"].as_str().unwrap_or_default();
    let name = match of {
        "server" => "id",
        "label_selector" => "selector",
        _ => "ip",
    };
    one["type"] == of && one[of][name] == other[of][name]
}

/// All labels in one request.
async fn relabel(project: &Project, kind: Kind, held: &Value, labels: &Value) -> Result<(), Problem> {
    if *labels == held["labels"] {
        return Ok(());
    }
    project.put(&format!("/{}/{}", kind.plural, held["id"]), &json!({ "labels": labels })).await.map(drop)
}
