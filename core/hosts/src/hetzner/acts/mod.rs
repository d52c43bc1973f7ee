//! What can be done with things that are there: power, networks, rules, services and targets, volumes, addresses.

/// A plan as the body of an async block.
macro_rules! plan {
    (|$project:ident, $held:ident, $args:ident| $body:expr) => {
        |$project, $held, $args| {
            Box::pin(async move {
                let _ = ($project, $held, $args);
                $body
            })
        }
    };
}

// They stand below what they are written with.
mod balancers;
mod fittings;
mod servers;

use std::{pin::Pin, sync::Arc};

use serde_json::{Value, json};
use windlass_model::{EffectClass, Problem};
use windlass_script::host::{Args, Kind as Of, Op, Param, Permission, Rehearse, Undo, no_resources};

use super::{
    arguments::{PROJECT, Reference, project, reference, scope},
    assume,
    client::{Cloud, Project},
    kinds::{RETRY, TIMEOUT_MS, id_of},
    make::{Kind, actions, object, settle},
    marks,
    refusal::provider_code,
};
use crate::support::invalid;

const SERVER: Kind = Kind { plural: "servers", singular: "server", acts: true };
const NETWORK: Kind = Kind { plural: "networks", singular: "network", acts: true };
const FIREWALL: Kind = Kind { plural: "firewalls", singular: "firewall", acts: true };
const BALANCER: Kind = Kind { plural: "load_balancers", singular: "load_balancer", acts: true };
const VOLUME: Kind = Kind { plural: "volumes", singular: "volume", acts: true };
const ADDRESS: Kind = Kind { plural: "primary_ips", singular: "primary_ip", acts: true };

const WHAT: Param = Param::required("what", Of::Any, "Its id, its name, or what an op gave.");
const ONE: &[Param] = &[PROJECT, WHAT];
const NET: Param = Param::required("network", Of::Any, "The network: its id, its name, or what an op gave.");
const WITH_NET: &[Param] = &[PROJECT, WHAT, NET];
const SERVICE: &[Param] = &[
    PROJECT,
    WHAT,
    Param::required(
        "service",
        Of::Map,
        "`protocol`, `listen_port`, `destination_port`, `proxyprotocol`, `health_check`, `http`.",
    ),
];
const TARGET: &[Param] = &[
    PROJECT,
    WHAT,
    Param::required(
        "target",
        Of::Map,
        "`#{ server: … }`, `#{ label_selector: \"role=web\" }` or `#{ ip: \"…\" }`; `use_private_ip`.",
    ),
];
const SUBNET: &[Param] = &[PROJECT, WHAT, Param::required("subnet", Of::Map, "`type`, `network_zone`, `ip_range`.")];
const ROUTE: &[Param] =
    &[PROJECT, WHAT, Param::required("route", Of::Map, "`destination` (a range) and `gateway` (an address).")];
const APPLIED: &[Param] =
    &[PROJECT, WHAT, Param::required("to", Of::Map, "`#{ server: … }` or `#{ label_selector: \"role=web\" }`.")];
const ATTACHED: &[Param] =
    &[PROJECT, WHAT, Param::required("server", Of::Any, "The server: its id, its name, or what an op gave.")];

/// What is asked for: the API's verb and its body. None: it is so already.
type Plan = Option<(&'static str, Value)>;

/// Works out what is to be asked for, from the thing as it is and the call's arguments.
type Planning<'a> = Pin<Box<dyn Future<Output = Result<Plan, Problem>> + Send + 'a>>;

/// An action.
struct Act {
    name: &'static str,
    kind: Kind,
    doc: &'static str,
    params: &'static [Param],
    undo: Undo,
    example: &'static str,
    plan: for<'a> fn(&'a Project, &'a Value, &'a Args) -> Planning<'a>,
}

fn back(name: &'static str) -> Undo {
    Undo::Op { name, args: |args| args.values().iter().take(3).cloned().collect() }
}

fn has(list: &Value, test: impl Fn(&Value) -> bool) -> bool {
    list.as_array().is_some_and(|items| items.iter().any(test))
}

/// Whether two targets (of a balancer, of a firewall) mean the same.
fn same(one: &Value, other: &Value) -> bool {
    let kind = other["type"].as_str().unwrap_or_default();
    one["type"] == kind && one[kind] == other[kind]
}

/// An image as the API wants it: its name, or its id as text.
pub(in crate::hetzner) fn name_or_id(value: &Value) -> Value {
    let id = value["id"].as_i64().or_else(|| value.as_i64());
    id.map_or_else(|| value.clone(), |id| json!(id.to_string()))
}

/// The same, if the run may use it: a snapshot holds all that stood on a disk.
pub(in crate::hetzner) async fn image(project: &Project, value: &Value) -> Result<Value, Problem> {
    let image = name_or_id(value);
    let id = image.as_str().and_then(|text| text.parse::<i64>().ok());
    if let Some(id) = id.filter(|_| project.is_bound()) {
        let found = project.need("images", "image", &Reference::Id(id)).await?;
        if !["system", "app"].contains(&found["type"].as_str().unwrap_or_default()) {
            project.admit("image", &found)?;
        }
    }
    Ok(image)
}

/// The API wants a health check with every service; what a script leaves out is the provider's own default.
pub(in crate::hetzner) fn whole_service(service: &mut Value) {
    let Value::Object(fields) = service else { return };
    fields.entry("proxyprotocol").or_insert(json!(false));
    let port = fields.get("destination_port").cloned().unwrap_or(json!(80));
    let protocol = if fields.get("protocol").and_then(Value::as_str) == Some("tcp") { "tcp" } else { "http" };
    let mut check = json!({ "protocol": protocol, "port": port, "interval": 15, "timeout": 10, "retries": 3 });
    if let Some(Value::Object(given)) = fields.get("health_check") {
        given.iter().for_each(|(name, value)| check[name.as_str()] = value.clone());
    }
    fields.insert("health_check".into(), check);
}

async fn target(project: &Project, given: &Value) -> Result<Value, Problem> {
    match given["ip"].as_str() {
        Some(ip) => Ok(json!({ "type": "ip", "ip": { "ip": ip } })),
        None => applied(project, given).await,
    }
}

async fn applied(project: &Project, given: &Value) -> Result<Value, Problem> {
    match (given["label_selector"].as_str(), &given["server"]) {
        (Some(selector), Value::Null) => {
            let selector = marks::narrowed(project, selector);
            Ok(json!({ "type": "label_selector", "label_selector": { "selector": selector } }))
        }
        (None, server) if !server.is_null() => {
            let id = id_of(project, "servers", "server", server).await?;
            Ok(json!({ "type": "server", "server": { "id": id } }))
        }
        _ => Err(invalid("either `server` or `label_selector` says what is meant")),
    }
}

async fn joins(project: &Project, held: &Value, args: &Args) -> Result<Plan, Problem> {
    let network = id_of(project, "networks", "network", args.get("network")).await?;
    let mut body = json!({ "network": network });
    if let Some(ip) = args.get("ip").as_str() {
        body["ip"] = json!(ip);
    }
    Ok((!has(&held["private_net"], |net| net["network"] == network)).then_some(("attach_to_network", body)))
}

async fn leaves(project: &Project, held: &Value, args: &Args) -> Result<Plan, Problem> {
    let wanted = reference(args.get("network"), "network")?;
    let Some(network) = project.find("networks", "network", &wanted).await? else { return Ok(None) };
    let there = has(&held["private_net"], |net| net["network"] == network["id"]);
    Ok(there.then(|| ("detach_from_network", json!({ "network": network["id"] }))))
}

pub(in crate::hetzner) fn ops(cloud: &Arc<Cloud>) -> Vec<Op> {
    servers::acts()
        .into_iter()
        .chain(fittings::acts())
        .chain(balancers::acts())
        .map(|act| op(cloud.clone(), act))
        .collect()
}

fn op(cloud: Arc<Cloud>, act: Act) -> Op {
    let Act { name, kind, doc, params, undo, example, plan } = act;
    let permission = |verb, words| Permission::Needs { verb, scope, words };
    let permission = match kind.plural {
        "servers" => permission("hetzner.server.write", "make, change and delete servers in the Hetzner"),
        "networks" => permission("hetzner.network.write", "make, change and delete networks in the Hetzner"),
        "firewalls" => permission("hetzner.firewall.write", "make, change and delete firewalls in the Hetzner"),
        "volumes" => permission("hetzner.volume.write", "make, change and delete volumes in the Hetzner"),
        "primary_ips" => permission("hetzner.primary_ip.write", "make, change and delete primary IPs in the Hetzner"),
        _ => permission("hetzner.load_balancer.write", "make, change and delete load balancers in the Hetzner"),
    };
    Op {
        name,
        doc,
        params,
        returns: "map",
        permission,
        class: EffectClass::Idempotent,
        undo,
        resources: no_resources,
        timeout_ms: TIMEOUT_MS,
        retry: RETRY,
        rehearse: Rehearse::Assume(assume::looked_at),
        example,
        run: Box::new(move |cx, args| {
            let project = project(&cloud, cx, args)?;
            let wanted = reference(args.get("what"), "what")?;
            cx.block_on(async {
                // In an undo, what was changed may be gone, and the change with it.
                let held = match project.find(kind.plural, kind.singular, &wanted).await? {
                    None if cx.undoes.is_some() => return Ok(Value::Null),
                    None => kind.need(&project, &wanted).await?,
                    Some(held) => held,
                };
                project.admit(&kind.words(), &held)?;
                if let Some((verb, body)) = plan(&project, &held, args).await? {
                    act_on(&project, kind, &held, verb, &body).await?;
                }
                object(&project, kind, &held).await
            })
        }),
        lookup: None,
    }
}

/// Asks for the action and waits for its end. What is locked by something else is waited for once.
async fn act_on(project: &Project, kind: Kind, held: &Value, verb: &str, body: &Value) -> Result<(), Problem> {
    let path = format!("/{}/{}/actions/{verb}", kind.plural, held["id"]);
    let answer = match project.post(&path, body).await {
        Err(problem) if provider_code(&problem) == "locked" => {
            settle(project, kind, held["id"].as_i64().unwrap_or_default()).await?;
            if let (Some(server), "volumes") = (body["server"].as_i64(), kind.plural) {
                settle(project, SERVER, server).await?;
            }
            project.post(&path, body).await?
        }
        other => other?,
    };
    project.wait(&actions(&answer)).await.map_err(|mut problem| {
        problem.no_effect = false;
        problem
    })
}
