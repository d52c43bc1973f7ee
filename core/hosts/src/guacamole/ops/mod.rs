//! What scripts see of `guacamole`, by topic, and how its ops are declared.

mod connections;
mod labs;
mod people;
mod permissions;
mod sessions;

use std::{pin::Pin, sync::Arc};

use serde_json::Value;
use windlass_model::{EffectClass, Problem, ResourceChange, ResourceRef, RetryPolicy};
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{client::Web, lab::Lab};
pub(super) use people::forget_password;

const TIMEOUT_MS: u64 = 60_000;
const RETRY: RetryPolicy = RetryPolicy::NETWORK;

/// The lab that a call is about: the first parameter of nearly every op, and the scope of its permission.
const LAB: Param = Param::required("lab", Kind::String, "The lab; what is made for it carries its mark.");
const NAME: Param = Param::required("name", Kind::String, "What the lab calls it.");

/// What an op does.
type Body = for<'a> fn(&'a Lab<'a>, &'a Args) -> Answer<'a>;
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value, Problem>> + 'a>>;
/// What an op finds of an earlier attempt.
type Found = for<'a> fn(&'a Lab<'a>, &'a Args) -> Pin<Box<dyn Future<Output = Result<Option<Value>, Problem>> + 'a>>;

/// The part of an op that isn't the same for most.
struct Draft {
    name: &'static str,
    doc: &'static str,
    params: &'static [Param],
    returns: &'static str,
    example: &'static str,
    assume: fn(&Args) -> Value,
    body: Body,
}

/// Every op.
pub(super) fn all(web: &Arc<Web>) -> Vec<Op> {
    let topics = [labs::ops, connections::ops, people::ops, permissions::ops, sessions::ops];
    topics.into_iter().flat_map(|topic| topic(web)).collect()
}

fn scope(args: &Args) -> Vec<String> {
    vec![args.str("lab").to_owned()]
}

/// An op that only looks.
fn reading(web: &Arc<Web>, draft: Draft) -> Op {
    let permission = Permission::Needs { verb: "guacamole.read", scope, words: "look at consoles of the lab" };
    op(web, draft, permission, EffectClass::Read, Undo::None("it changes nothing"), no_resources)
}

/// An op that changes something, and may do so again.
fn changing(web: &Arc<Web>, draft: Draft, undo: Undo, resources: fn(&Args) -> Vec<ResourceChange>) -> Op {
    let words = "create, change and remove consoles, and who may use them, for the lab";
    let permission = Permission::Needs { verb: "guacamole.write", scope, words };
    op(web, draft, permission, EffectClass::Idempotent, undo, resources)
}

/// An op that makes something, which carries the step's mark.
fn making(web: &Arc<Web>, draft: Draft, undo: Undo, resources: fn(&Args) -> Vec<ResourceChange>, found: Found) -> Op {
    let seen = web.clone();
    Op {
        class: EffectClass::Keyed,
        lookup: Some(Box::new(move |cx: &OpCx, args: &Args| {
            let lab = Lab::new(&seen, cx, args.str("lab"))?;
            cx.block_on(found(&lab, args))
        })),
        ..changing(web, draft, undo, resources)
    }
}

fn op(
    web: &Arc<Web>,
    draft: Draft,
    permission: Permission,
    class: EffectClass,
    undo: Undo,
    resources: fn(&Args) -> Vec<ResourceChange>,
) -> Op {
    let (web, body) = (web.clone(), draft.body);
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
        retry: RETRY,
        rehearse: Rehearse::Assume(draft.assume),
        example: draft.example,
        run: Box::new(move |cx, args| {
            let lab = Lab::new(&web, cx, args.str("lab"))?;
            cx.block_on(body(&lab, args))
        }),
        lookup: None,
    }
}

/// `lab/name`, as the inventory knows it.
fn thing(kind: &str, args: &Args, name: &Value) -> ResourceRef {
    let id = format!("{}/{}", args.str("lab"), name.as_str().unwrap_or_default());
    ResourceRef { provider: "guacamole".into(), kind: kind.into(), id: id.into() }
}
