//! What scripts see of `docker`, by topic, and how its ops are declared.

mod images;
mod inside;
mod nodes;

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem, ResourceChange, ResourceRef, RetryPolicy};
use windlass_script::host::{Args, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::lab::{Lab, Machine};

const READ: &str = "docker.read";
const WRITE: &str = "docker.write";
const RUN: &str = "docker.run";
const IMAGE: &str = "docker.image";

const SHORT_MS: u64 = 120_000;
const LONG_MS: u64 = 1_800_000;

const LAB: Param = Param::required(
    "lab",
    Kind::String,
    "The lab: a name of your choice; every container made for it carries its labels.",
);
const NAME: Param = Param::required("name", Kind::String, "What the lab calls the node: `r1`.");
const IMAGE_NAME: Param =
    Param::required("name", Kind::String, "As Docker writes it: `frr:9.1`, `registry.example.net/lab/frr:9.1`.");

/// What an op does in the lab that its call names.
type Body = for<'a> fn(&'a Lab<'a>, &'a Args) -> LocalBoxFuture<'a, Result<Value, Problem>>;
/// What an op does that isn't about a lab.
type Plain = for<'a> fn(&'a Machine, &'a OpCx, &'a Args) -> LocalBoxFuture<'a, Result<Value, Problem>>;

/// The module over a container engine.
pub fn module(machine: Machine) -> HostModule {
    let machine = Arc::new(machine);
    let topics = [nodes::ops, inside::ops, images::ops];
    HostModule {
        name: "docker",
        doc: "Nodes of labs that are containers, on this machine's Docker. Each node's network namespace is held by a container of \
              its own, so that links stay when the node is restarted. Everything carries its lab's labels; what doesn't is never \
              touched.",
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
}

/// An op that only looks at a lab.
fn reading(machine: &Arc<Machine>, draft: Draft, body: Body) -> Op {
    let permission = Permission::Needs { verb: READ, scope: lab_scope, words: "look at nodes (containers) of the lab" };
    let undo = Undo::None("it changes nothing");
    op(machine, draft, permission, EffectClass::Read, undo, body)
}

/// An op that changes or removes nodes of a lab.
fn changing(machine: &Arc<Machine>, draft: Draft, class: EffectClass, undo: Undo, body: Body) -> Op {
    let words = "make, change, run programs in and remove nodes (containers) of the lab";
    op(machine, draft, Permission::Needs { verb: WRITE, scope: lab_scope, words }, class, undo, body)
}

fn op(machine: &Arc<Machine>, draft: Draft, permission: Permission, class: EffectClass, undo: Undo, body: Body) -> Op {
    let machine = machine.clone();
    let run = move |cx: &OpCx, args: &Args| {
        let lab = Lab::open(&machine, cx, args.str("lab"))?;
        cx.block_on(body(&lab, args))
    };
    declared(draft, permission, class, undo, Box::new(run))
}

/// An op that isn't about a lab.
fn plain(machine: &Arc<Machine>, draft: Draft, permission: Permission, class: EffectClass, body: Plain) -> Op {
    let machine = machine.clone();
    let undo = match class {
        EffectClass::Read => Undo::None("it changes nothing"),
        _ => Undo::None("images are shared: whoever needs it no more removes it with docker::remove_image"),
    };
    let run = move |cx: &OpCx, args: &Args| cx.block_on(body(&machine, cx, args));
    declared(draft, permission, class, undo, Box::new(run))
}

fn declared(
    draft: Draft,
    permission: Permission,
    class: EffectClass,
    undo: Undo,
    run: windlass_script::host::Effect,
) -> Op {
    // A daemon that is restarted is back in seconds. What must not happen twice isn't tried twice.
    let retry = if class == EffectClass::AtMostOnce { RetryPolicy::NEVER } else { RetryPolicy::NETWORK };
    Op {
        name: draft.name,
        doc: draft.doc,
        params: draft.params,
        returns: draft.returns,
        permission,
        class,
        undo,
        resources: no_resources,
        timeout_ms: SHORT_MS,
        retry,
        rehearse: Rehearse::Backend,
        example: draft.example,
        run,
        lookup: None,
    }
}

fn lab_scope(args: &Args) -> Vec<String> {
    vec![args.str("lab").to_owned()]
}

/// For ops that need a second grant: the first thing they do.
fn also_needs(cx: &OpCx, op: &str, verb: &str, scope: &str) -> Result<(), Problem> {
    if cx.is_granted(verb, scope) {
        return Ok(());
    }
    let grant = format!("{verb}:{scope}");
    Err(Problem::new(Code::PermissionDenied, format!("`docker::{op}` needs the grant `{grant}`, too"))
        .help(format!(
            "Add \"{grant}\" to `permissions` in the workflow's header, and have the server's policy allow it."
        ))
        .data(json!({ "grant": grant }))
        .no_effect())
}

/// Names one node of the call's lab in the inventory: `demo/r1`.
fn node(args: &Args, name: &str) -> ResourceRef {
    ResourceRef {
        provider: "docker".into(),
        kind: "container".into(),
        id: format!("{}/{name}", args.str("lab")).into(),
    }
}

fn image_scope(args: &Args) -> Vec<String> {
    vec![format!("image={}", args.str("name"))]
}

fn creates(resource: ResourceRef) -> Vec<ResourceChange> {
    vec![ResourceChange::Creates(resource)]
}
