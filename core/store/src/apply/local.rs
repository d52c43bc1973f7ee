//! Local effects: inside the store, in the transaction that records their step, so that they happen exactly once.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_model::{
    Code, Outcome, Problem, StepCall,
    command::{Given, Lease, NewRun, Reply},
    journal::LocalEffect,
    resource::{PLATFORM, ResourceRecord},
};

use super::{Cx, launch::launch};
use crate::{
    artifacts,
    error::{Applied, Fault, refuse},
    kv, leases, locks, resources, runs, steps,
};

/// An artifact's size, at most.
const ARTIFACT_BYTES: usize = 16 << 20;

/// Performs and records a local effect; a step that has an outcome keeps it.
pub(crate) fn local(
    cx: &mut Cx,
    lease: &Lease,
    call: &StepCall,
    effect: &LocalEffect,
    given: &Given,
) -> Applied<Reply> {
    let run = &lease.run;
    let seq = leases::allocate(cx, lease, 1)?;
    if let Some(outcome) = steps::find(cx, run, &call.path)?.as_ref().and_then(steps::StepRow::outcome) {
        leases::give_back(cx, run, 1)?;
        return Ok(Reply::Outcome(outcome));
    }
    let outcome = match perform(cx, lease, effect, given) {
        Ok(text) => Outcome::Value(text),
        // A child that can't be launched is an error for the script, as any step's would be.
        Err(Fault::Refused(problem)) if problem.code != Code::Internal => Outcome::Error(Arc::new(*problem)),
        Err(fault) => {
            leases::give_back(cx, run, 1)?;
            return Err(fault);
        }
    };
    let finished = steps::Finished { outcome: &outcome, attempts: 1, started_at_ms: cx.now_ms };
    if steps::put_finished(cx, run, seq, call, &finished)?.is_none() {
        leases::give_back(cx, run, 1)?;
        return refuse(Code::IllegalTransition, format!("another call stands at step {} of run `{run}`", call.path));
    }
    Ok(Reply::Outcome(outcome))
}

/// The result as JSON text. Refuses only before it writes.
fn perform(cx: &mut Cx, lease: &Lease, effect: &LocalEffect, given: &Given) -> Applied<Arc<str>> {
    let value = match effect {
        LocalEffect::Now | LocalEffect::Random | LocalEffect::Uuid => {
            return match given {
                Given::Value(text) => Ok(text.clone()),
                _ => refuse(Code::Internal, "the engine gave no value for a step that needs one"),
            };
        }
        LocalEffect::KvGet { key } => {
            let whose = runs::organisation(cx, &lease.run)?;
            return Ok(kv::get(cx, &whose, key)?.unwrap_or_else(|| "null".to_owned()).into());
        }
        LocalEffect::KvSet { key, value } => {
            let whose = runs::organisation(cx, &lease.run)?;
            if let Given::Most(most) = given {
                kv::require_room(cx, &whose, key, *most)?;
            }
            kv::set(cx, &whose, key, &value.to_string())?;
            Value::Null
        }
        LocalEffect::KvDelete { key } => {
            let whose = runs::organisation(cx, &lease.run)?;
            kv::delete(cx, &whose, key)?.into()
        }
        LocalEffect::KvList { prefix } => {
            let whose = runs::organisation(cx, &lease.run)?;
            kv::keys(cx, &whose, prefix)?.into()
        }
        LocalEffect::Unlock { lock } => {
            let kept = locks::kept(cx, lock, &lease.run)?;
            locks::release(cx, &kept, &lease.run)?.into()
        }
        LocalEffect::LaunchChild { .. } => {
            let Given::Child(child) = given else {
                return refuse(Code::Internal, "the engine gave no child to launch");
            };
            let organisation = runs::get(cx, &lease.run)?.organisation;
            match launch(cx, &NewRun { organisation, ..(**child).clone() }, None, None)? {
                Reply::Launched { run, .. } => run.to_string().into(),
                _ => return refuse(Code::Internal, "a launch gave another answer than a run"),
            }
        }
        LocalEffect::Inventory { provider, prefix } => {
            let mut found = resources::inventory(cx, provider, prefix)?;
            // What others have made is none of this run's business; the platform looks after all of it, but for labs, whose names
            // each organisation has for itself.
            let whose = runs::organisation(cx, &lease.run)?;
            let is_seen = |record: &ResourceRecord| {
                record.organisation == whose || (whose == PLATFORM && !record.resource.is_named_by_organisation())
            };
            found.retain(is_seen);
            let item = |record: &ResourceRecord| {
                json!({
                    "provider": record.resource.provider,
                    "kind": record.resource.kind,
                    "id": record.resource.id,
                    "run": record.run,
                    "state": record.state,
                })
            };
            found.iter().map(item).collect()
        }
        LocalEffect::Artifact { name, media_type, content } => {
            if content.len() > ARTIFACT_BYTES {
                let message =
                    format!("the artifact `{name}` has {} bytes; at most {ARTIFACT_BYTES} are kept", content.len());
                return Err(Problem::new(Code::LimitExceeded, message).no_effect().into());
            }
            let digest = artifacts::put(cx, &lease.run, name, media_type, content)?;
            json!({ "name": name, "bytes": content.len(), "digest": digest })
        }
    };
    Ok(value.to_string().into())
}
