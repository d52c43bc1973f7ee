//! What scripts see of `qemu`, by topic, and how its ops are declared.

mod changes;
mod machines;
mod power;
mod read;
mod serial;
mod snapshots;

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::Value;
use windlass_model::{EffectClass, Problem, ResourceChange, ResourceRef, RetryPolicy};
use windlass_script::host::{Args, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

use super::{Config, backend::Machines};
use crate::{lab_id::LabId, lab_names::check_name, owner::Organisations, support};

/// Overlays, and QEMU until it answers.
const TIMEOUT_MS: u64 = 120_000;
/// How long a guest may take to shut down, where a call doesn't say.
const GRACE: Duration = Duration::from_secs(20);
const MAX_GRACE_S: u64 = 300;

const LAB: Param =
    Param::required("lab", Kind::String, "The lab: a name of your choice, one of the run's organisation.");
const NAME: Param = Param::required("name", Kind::String, "What the lab calls the machine: `r1`.");
const NAMES: Param = Param::required("names", Kind::Array, "What the lab calls the machines: `[\"r1\", \"r2\"]`.");
const STOPPING: Param = Param::optional(
    "options",
    Kind::Map,
    "`timeout_s`: how long the guest may take to shut down (20, at most 300; 0: not asked).",
);

/// What a machine is told as.
const MACHINE: &str = "#{ name: string, status: string, pid: int?, accelerator: string?, serial: string, vnc: string?, disk: string?, disk_gb: int?, taps: array, digest: string?, labels: map, run: string }";

/// What an op does.
type Body = fn(&Here, &OpCx, &Args) -> Result<Value, Problem>;

/// The module over what keeps machines.
pub fn module(machines: Arc<dyn Machines>, organisations: Arc<dyn Organisations>, config: Config) -> HostModule {
    let here = Here { machines, organisations, config: Arc::new(config) };
    let topics = [machines::ops, changes::ops, power::ops, serial::ops, snapshots::ops, read::ops];
    HostModule {
        name: "qemu",
        doc: "Virtual machines of labs on this machine, run by QEMU: with the processor's help (KVM) where that works, emulated \
              where it doesn't. Disks are overlays over images that are never written; network interfaces are TAPs of the same \
              lab (`net::create_tap`). Machines go on when Windlass ends, and are found again by their folder.",
        ops: topics.into_iter().flat_map(|topic| topic(&here)).collect(),
    }
}

/// What ops share.
#[derive(Clone)]
struct Here {
    machines: Arc<dyn Machines>,
    organisations: Arc<dyn Organisations>,
    config: Arc<Config>,
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

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Stopping {
    timeout_s: Option<u64>,
}

impl Here {
    /// The lab that a call is about.
    fn lab(&self, cx: &OpCx, args: &Args) -> Result<LabId, Problem> {
        LabId::of(&*self.organisations, cx, args.str("lab"))
    }

    /// The lab, and the machine in it.
    fn machine<'a>(&self, cx: &OpCx, args: &'a Args) -> Result<(LabId, &'a str), Problem> {
        check_name("machine", args.str("name"))?;
        Ok((self.lab(cx, args)?, args.str("name")))
    }

    /// An op that only looks.
    fn reading(&self, draft: Draft) -> Op {
        let permission =
            Permission::Needs { verb: "qemu.read", scope: lab_scope, words: "look at virtual machines of the lab" };
        Op { permission, class: EffectClass::Read, ..self.op(draft, Undo::None("it changes nothing")) }
    }

    /// An op that changes something, and does it once however often it is called.
    fn making(&self, draft: Draft, undo: Undo, resources: fn(&Args) -> Vec<ResourceChange>) -> Op {
        Op { resources, ..self.op(draft, undo) }
    }

    fn op(&self, draft: Draft, undo: Undo) -> Op {
        let here = self.clone();
        let words = "create, start, stop and remove virtual machines of the lab, and use their consoles";
        Op {
            name: draft.name,
            doc: draft.doc,
            params: draft.params,
            returns: draft.returns,
            permission: Permission::Needs { verb: "qemu.write", scope: lab_scope, words },
            class: EffectClass::Idempotent,
            undo,
            resources: no_resources,
            timeout_ms: TIMEOUT_MS,
            retry: RetryPolicy::NEVER,
            rehearse: Rehearse::Backend,
            example: draft.example,
            run: Box::new(move |cx, args| (draft.body)(&here, cx, args)),
            lookup: None,
        }
    }
}

/// How long a guest may take to shut down.
fn grace(args: &Args) -> Result<Duration, Problem> {
    let options: Stopping = support::options(args, "options")?;
    match options.timeout_s {
        None => Ok(GRACE),
        Some(seconds) if seconds <= MAX_GRACE_S => Ok(Duration::from_secs(seconds)),
        Some(_) => Err(support::invalid(format!("`timeout_s` may be {MAX_GRACE_S} at most"))),
    }
}

fn lab_scope(args: &Args) -> Vec<String> {
    vec![args.str("lab").to_owned()]
}

/// Names a machine of the call's lab in the inventory: `demo/r1`.
fn resource(args: &Args, name: &str) -> ResourceRef {
    ResourceRef { provider: "qemu".into(), kind: "machine".into(), id: format!("{}/{name}", args.str("lab")).into() }
}

/// The names in an array of names or of machines; anything else in it is left to the op to refuse.
fn names_in<'a>(args: &'a Args, parameter: &str) -> impl Iterator<Item = &'a str> {
    let items = args.get(parameter).as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item.as_str().or_else(|| item.get("name")?.as_str()))
}
