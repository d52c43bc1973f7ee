//! Firewalls: rules, and the servers and selectors that they apply to.

use serde_json::{Value, json};

use super::{
    Reply, labels,
    project::Project,
    ranges::is_block,
    refusal::{Refusal, int, invalid, list, one_of, text, unprocessable},
    render,
};

/// Rules of a firewall.
const RULES: usize = 50;
/// Ranges of a rule.
const BLOCKS: usize = 100;

pub(super) fn create(project: &mut Project, body: &Value) -> Result<Reply, Refusal> {
    let name = text(body, "name")?;
    let labels = labels::read(body)?;
    let rules = rules(body)?;
    let applied = targets(project, body, "apply_to", 422)?;
    project.demand_unique("firewalls", "name", name, 0)?;
    project.demand_quota("firewalls", 1)?;
    let fields = json!({ "rules": rules, "_servers": [], "_selectors": [] });
    let id = project.insert("firewalls", name, labels, fields);
    let mut actions = vec![project.begin("set_firewall_rules", &[("firewall", id)], Box::new(|_| {}))];
    actions.extend(apply(project, id, applied));
    let firewall = render::one(project, "firewalls", id)?;
    Ok(Reply::Json(201, json!({ "firewall": firewall, "actions": actions })))
}

pub(super) fn delete(project: &mut Project, id: i64) -> Result<Reply, Refusal> {
    let firewall = project.get("firewalls", id)?;
    let held = |field: &str| firewall[field].as_array().is_some_and(|items| !items.is_empty());
    if held("_servers") || held("_selectors") || project.is_busy("firewall", id) {
        return Err(unprocessable("resource_in_use", "the firewall is still applied to a resource"));
    }
    project.remove("firewalls", id);
    Ok(Reply::Empty)
}

pub(super) fn act(project: &mut Project, id: i64, verb: &str, body: &Value) -> Result<Option<Reply>, Refusal> {
    let firewall = project.get("firewalls", id)?.clone();
    let actions = match verb {
        "set_rules" => {
            let rules = rules(body)?;
            let set = move |project: &mut Project| project.with("firewalls", id, |one| one["rules"] = json!(rules));
            vec![project.begin("set_firewall_rules", &[("firewall", id)], Box::new(set))]
        }
        "apply_to_resources" => {
            let wanted = targets(project, body, "apply_to", 404)?;
            for target in &wanted {
                let again = match target {
                    Target::Server(server) => holds(&firewall["_servers"], &json!(server)),
                    Target::Selector(selector) => holds(&firewall["_selectors"], &json!(selector)),
                };
                if again {
                    return Err(unprocessable("firewall_already_applied", "the firewall is applied to it already"));
                }
            }
            apply(project, id, wanted)
        }
        "remove_from_resources" => {
            let wanted = targets(project, body, "remove_from", 404)?;
            let mut actions = Vec::new();
            for target in wanted {
                let (about, gone) = match target {
                    Target::Server(server) => {
                        if !holds(&firewall["_servers"], &json!(server)) {
                            let held = project.get("servers", server)?;
                            let code = match project.selected(&firewall, held) {
                                true => "firewall_managed_by_label_selector",
                                false => "firewall_resource_not_found",
                            };
                            return Err(unprocessable(code, "the firewall isn't applied to the server by itself"));
                        }
                        (vec![("firewall", id), ("server", server)], json!(server))
                    }
                    Target::Selector(selector) => (vec![("firewall", id)], json!(selector)),
                };
                let remove = move |project: &mut Project| {
                    project.with("firewalls", id, |one| {
                        without(&mut one["_servers"], &gone);
                        without(&mut one["_selectors"], &gone);
                    });
                };
                actions.push(project.begin("remove_firewall", &about, Box::new(remove)));
            }
            actions
        }
        _ => return Ok(None),
    };
    Ok(Some(Reply::Json(201, json!({ "actions": actions }))))
}

enum Target {
    Server(i64),
    Selector(String),
}

fn targets(project: &Project, body: &Value, field: &str, missing: u16) -> Result<Vec<Target>, Refusal> {
    let mut found = Vec::new();
    for wanted in list(body, field)? {
        found.push(match one_of(&wanted, "type", &["server", "label_selector"])? {
            "server" => {
                let id = int(&wanted["server"], "id")?;
                let gone = |_| Refusal::new(missing, "firewall_resource_not_found", "there is no such server");
                project.get("servers", id).map_err(gone)?;
                Target::Server(id)
            }
            _ => {
                let selector = text(&wanted["label_selector"], "selector")?;
                labels::fit(selector, &json!({}))?;
                Target::Selector(selector.to_owned())
            }
        });
    }
    Ok(found)
}

/// What a firewall is applied to counts from the beginning: it can't be removed meanwhile.
fn apply(project: &mut Project, id: i64, targets: Vec<Target>) -> Vec<Value> {
    let mut actions = Vec::new();
    for target in targets {
        let about = match target {
            Target::Server(server) => {
                project.with("firewalls", id, |one| add_server(one, server));
                vec![("firewall", id), ("server", server)]
            }
            Target::Selector(selector) => {
                project.with("firewalls", id, |one| with(&mut one["_selectors"], json!(selector)));
                vec![("firewall", id)]
            }
        };
        actions.push(project.begin("apply_firewall", &about, Box::new(|_| {})));
    }
    actions
}

fn holds(items: &Value, item: &Value) -> bool {
    items.as_array().is_some_and(|items| items.contains(item))
}

fn with(items: &mut Value, item: Value) {
    if !holds(items, &item)
        && let Some(items) = items.as_array_mut()
    {
        items.push(item);
    }
}

fn without(items: &mut Value, item: &Value) {
    if let Some(items) = items.as_array_mut() {
        items.retain(|one| one != item);
    }
}

pub(super) fn add_server(firewall: &mut Value, server: i64) {
    with(&mut firewall["_servers"], json!(server));
}

pub(super) fn remove_server(firewall: &mut Value, server: i64) {
    without(&mut firewall["_servers"], &json!(server));
}

fn rules(body: &Value) -> Result<Vec<Value>, Refusal> {
    let wanted = list(body, "rules")?;
    if wanted.len() > RULES {
        return Err(invalid("rules", format!("at most {RULES} rules")));
    }
    wanted.iter().map(rule).collect()
}

fn rule(wanted: &Value) -> Result<Value, Refusal> {
    let direction = one_of(wanted, "direction", &["in", "out"])?;
    let protocol = one_of(wanted, "protocol", &["esp", "gre", "icmp", "tcp", "udp"])?;
    let (own, other) =
        if direction == "in" { ("source_ips", "destination_ips") } else { ("destination_ips", "source_ips") };
    let blocks = list(wanted, own)?;
    if blocks.is_empty() || blocks.len() > BLOCKS || !blocks.iter().all(|one| one.as_str().is_some_and(is_block)) {
        return Err(invalid(own, "has to hold 1 to 100 ranges such as 10.0.0.0/8 or ::/0"));
    }
    if !list(wanted, other)?.is_empty() {
        return Err(invalid(other, format!("can't stand in a rule for '{direction}'")));
    }
    let ported = ["tcp", "udp"].contains(&protocol);
    let port = wanted["port"].as_str();
    if ported != port.is_some() || port.is_some_and(|port| !is_port(port)) {
        return Err(invalid("port", "has to be a port or a range of ports, for tcp and udp only"));
    }
    Ok(json!({
        "direction": direction, "protocol": protocol, "port": port, "description": wanted["description"],
        "source_ips": if own == "source_ips" { json!(blocks) } else { json!([]) },
        "destination_ips": if own == "source_ips" { json!([]) } else { json!(blocks) },
    }))
}

fn is_port(text: &str) -> bool {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    text == "any" || matches!((number(from), number(to)), (Some(from), Some(to)) if from <= to)
}
