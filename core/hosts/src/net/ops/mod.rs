//! What scripts see of `net`, by topic, and how its ops are declared.

mod addresses;
mod bridges;
mod build;
mod capture;
mod discover;
mod impair;
mod labs;
mod links;
mod namespaces;
mod outside;
mod read;

use std::{path::Path, sync::Arc};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use windlass_model::{EffectClass, Problem, ResourceChange, ResourceRef, RetryPolicy};
use windlass_script::host::{
    Args, Effect, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources,
};

use super::{
    Config,
    backend::NetBackend,
    device::{Allowed, name_of},
    lab::Lab,
    plan::{Plan, invalid},
};
use crate::{lab_id::LabId, owner::Organisations};

const TIMEOUT_MS: u64 = 30_000;

/// The lab that a call is about: the first parameter of every op, and the scope of its permission.
const LAB: Param =
    Param::required("lab", Kind::String, "The lab: a name of your choice; everything made for it carries its mark.");
const AT: Param = Param::required(
    "at",
    Kind::String,
    "An interface of a namespace, `r1:eth0`; `r1:eth0@host` for the end of its link on the host; or a bridge, `lan1`.",
);

/// What ops work on, and who says whose a run is.
#[derive(Clone)]
struct Machine {
    backend: Arc<dyn NetBackend>,
    organisations: Arc<dyn Organisations>,
    /// Where captures are kept.
    captures: Option<Arc<Path>>,
    allowed: Allowed,
}

/// What an op does with the lab that its call names.
type Body = fn(&Lab<'_>, &OpCx, &Args) -> Result<Value, Problem>;

/// The module over a network stack, for runs of these organisations.
pub fn module(backend: Arc<dyn NetBackend>, organisations: Arc<dyn Organisations>, config: &Config) -> HostModule {
    let captures = Some(Path::new(&config.captures)).filter(|folder| folder.is_absolute()).map(Into::into);
    backend.assume_devices(&config.devices);
    let machine = Machine { backend, organisations, captures, allowed: Allowed::new(config) };
    let topics = [
        namespaces::ops,
        bridges::ops,
        links::ops,
        outside::ops,
        addresses::ops,
        impair::ops,
        read::ops,
        labs::ops,
        discover::ops,
        capture::ops,
        build::ops,
    ];
    HostModule {
        name: "net",
        doc: "Network labs on this machine: namespaces, bridges, links, taps, addresses, routes and impairments. Everything \
              carries its lab's mark; what doesn't is never touched. Interfaces are written `node:interface`, such as `r1:eth0`.",
        ops: topics.into_iter().flat_map(|topic| topic(&machine)).collect(),
    }
}

/// The part of an op that isn't the same for most.
struct Draft {
    name: &'static str,
    doc: &'static str,
    params: &'static [Param],
    returns: &'static str,
    example: &'static str,
    body: Body,
}

/// An op that only looks.
fn reading(machine: &Machine, draft: Draft) -> Op {
    let permission =
        Permission::Needs { verb: "net.read", scope: lab_scope, words: "look at network devices of the lab" };
    op(machine, draft, permission, EffectClass::Read, Undo::None("it changes nothing"), no_resources)
}

/// An op that makes or changes something.
fn making(machine: &Machine, draft: Draft, undo: Undo, resources: fn(&Args) -> Vec<ResourceChange>) -> Op {
    let words = "create, change and remove network devices of the lab";
    let permission = Permission::Needs { verb: "net.write", scope: lab_scope, words };
    op(machine, draft, permission, EffectClass::Idempotent, undo, resources)
}

/// An op that removes something.
fn removing(machine: &Machine, draft: Draft, resources: fn(&Args) -> Vec<ResourceChange>) -> Op {
    making(machine, draft, Undo::None("what is removed isn't kept"), resources)
}

fn op(
    machine: &Machine,
    draft: Draft,
    permission: Permission,
    class: EffectClass,
    undo: Undo,
    resources: fn(&Args) -> Vec<ResourceChange>,
) -> Op {
    Op {
        name: draft.name,
        doc: draft.doc,
        params: draft.params,
        returns: draft.returns,
        permission,
        class,
        undo,
        resources,
        timeout_ms: TIMEOUT_MS,
        retry: RetryPolicy::NEVER,
        rehearse: Rehearse::Backend,
        example: draft.example,
        run: effect(machine, class, draft.body),
        lookup: None,
    }
}

fn effect(machine: &Machine, class: EffectClass, body: Body) -> Effect {
    let machine = machine.clone();
    Box::new(move |cx, args| {
        let id = LabId::of(&*machine.organisations, cx, args.str("lab"))?;
        // Which numbers are free and which names the lab has is looked at and used without anybody in between, and so is whose
        // a thing is that is removed.
        let _guard = match class {
            EffectClass::Read => None,
            _ => Some(machine.backend.lock().map_err(|fault| fault.problem("waiting for another change of networks"))?),
        };
        // Whoever watches the lab takes what happens until then for wanted.
        let _busy = (class != EffectClass::Read).then(|| machine.backend.busy(&id.key));
        let mut lab = Lab::open(&*machine.backend, cx, id)?;
        lab.allowed = machine.allowed.clone();
        body(&lab, cx, args)
    })
}

fn lab_scope(args: &Args) -> Vec<String> {
    vec![args.str("lab").to_owned()]
}

/// Names one thing of the call's lab in the inventory: `demo/r1`.
fn resource(args: &Args, kind: &str, name: &str) -> ResourceRef {
    ResourceRef { provider: "net".into(), kind: kind.into(), id: format!("{}/{name}", args.str("lab")).into() }
}

/// What a plan makes.
fn plan_resources(args: &Args, plan: &Plan) -> Vec<ResourceRef> {
    let namespaces = plan.namespaces.iter().map(|spec| ("namespace", spec.name.clone()));
    let bridges = plan.bridges.iter().map(|spec| ("bridge", spec.name.clone()));
    let taps = plan.taps.iter().map(|spec| ("tap", spec.at.to_string()));
    let ends = plan.links.iter().filter_map(|spec| spec.a.at.as_ref().or(spec.b.at.as_ref()));
    let links = ends.map(|at| ("link", at.to_string()));
    let vxlans = plan.vxlans.iter().map(|spec| ("vxlan", spec.name.clone()));
    let devices = plan.devices.iter().map(|spec| ("device", name_of(&spec.device)));
    let macvlans = plan.macvlans.iter().map(|spec| ("macvlan", spec.at.to_string()));
    let outside = vxlans.chain(devices).chain(macvlans);
    namespaces
        .chain(bridges)
        .chain(taps)
        .chain(links)
        .chain(outside)
        .map(|(kind, name)| resource(args, kind, &name))
        .collect()
}

/// The names in an array argument; anything else in it is left to the op to refuse.
fn names_in<'a>(args: &'a Args, parameter: &str) -> impl Iterator<Item = &'a str> {
    let items = args.get(parameter).as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item.as_str().or_else(|| item.get("name")?.as_str()))
}

fn first(args: &Args, count: usize) -> Vec<Value> {
    args.values().iter().take(count).cloned().collect()
}

/// The options with these parameters among them.
fn with_options<T: DeserializeOwned>(args: &Args, parameters: &[&str]) -> Result<T, Problem> {
    let mut map = match args.get("options") {
        Value::Object(map) => Value::Object(map.clone()),
        _ => json!({}),
    };
    for parameter in parameters {
        map[*parameter] = args.get(parameter).clone();
    }
    serde_json::from_value(map).map_err(|error| invalid(format!("argument `options`: {error}")))
}
