//! What an organisation has in this machine's network stack.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_model::{EffectClass, Problem};
use windlass_script::host::{Op, OpCx, Permission, Undo, no_resources};

use super::{Draft, Machine, op};
use crate::{
    lab_id::{Holding, LabId},
    lab_mark::{Mark, short_instance},
    lab_names::{Parsed, parse},
};

pub fn ops(machine: &Machine) -> Vec<Op> {
    let draft = Draft {
        name: "labs",
        doc: "The labs of the run's organisation that have namespaces on this machine, by the marks on those: their nodes' names. \
              The grant is `net.read:machine`.",
        params: &[],
        returns: "map of #{ nodes: array of string, cpus: float, memory_mb: int }",
        example: "net::create_namespace(\"demo\", \"r1\"); net::labs().demo.nodes",
        body: |_, _, _| Ok(Value::Null),
    };
    let permission = Permission::Needs {
        verb: "net.read",
        scope: |_| vec!["machine".into()],
        words: "look at network devices of the lab",
    };
    let mut labs = op(machine, draft, permission, EffectClass::Read, Undo::None("it changes nothing"), no_resources);
    let machine = machine.clone();
    labs.run = Box::new(move |cx, _| held(&machine, cx));
    vec![labs]
}

fn held(machine: &Machine, cx: &OpCx) -> Result<Value, Problem> {
    let organisation = machine.organisations.of(&cx.run)?;
    let mut spaces = machine.backend.namespaces().map_err(|fault| fault.problem("listing namespaces"))?;
    spaces.retain(|name| matches!(parse(name), Some(Parsed::Namespace { .. })));
    let mut labs: BTreeMap<String, Holding> = BTreeMap::new();
    // One that is gone by now has no mark.
    for alias in machine.backend.aliases(&spaces).into_iter().flatten().flatten() {
        let Some(mark) = Mark::parse(&alias).filter(|mark| mark.instance == short_instance(&cx.instance)) else {
            continue;
        };
        let Some(lab) = LabId::parse(&mark.lab).filter(|lab| lab.organisation == organisation) else { continue };
        labs.entry(lab.name).or_default().nodes.insert(mark.name);
    }
    Ok(json!(labs))
}
