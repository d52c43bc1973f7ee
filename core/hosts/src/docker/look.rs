//! What there is of a lab, and waiting for it to be well.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    backend::Container,
    create::AT_A_TIME,
    lab::{CPUS, INSTANCE, LAB, Lab, MEMORY_MB, Machine, NODE, Pair, ROLE, Role},
};
use crate::{
    lab_id::{Holding, LabId},
    lab_mark::{run_of, short_instance},
    support,
};

const PAUSE: Duration = Duration::from_millis(150);
const EVIDENCE_LINES: u32 = 20;
const EVIDENCE_BYTES: usize = 8 << 10;
const CHECKS: usize = 5;

/// What scripts are told of a container's state.
pub fn status(container: &Container) -> &'static str {
    match container.state.as_str() {
        "running" | "restarting" => "running",
        "paused" => "paused",
        "created" => "created",
        _ => "exited",
    }
}

/// Whether a node can't be started any more: its container is gone, or it has ended and what held its namespace is gone.
pub fn is_lost(node: &Container, pause: Option<&Container>) -> bool {
    node.id.is_empty() || (pause.is_none() && !node.runs())
}

/// All nodes of the lab, sorted by name.
pub async fn nodes(lab: &Lab<'_>) -> Result<Value, Problem> {
    let there = lab.nodes().await?;
    let pins = lab.machine.spaces.adopted(lab.cx, &lab.id)?;
    let work = there.iter().map(async |(name, pair)| {
        let inspected = match &pair.node {
            Some(node) => {
                lab.backend().inspect(&node.id).await.map_err(|fault| fault.problem(format!("the node {name}")))?
            }
            None => None,
        };
        let pin = pins.get(name);
        let of = Pair { pause: pair.pause.clone(), node: inspected.clone().or_else(|| pair.node.clone()) };
        let shown = inspected.unwrap_or_default();
        Ok(json!({
            "name": name, "number": pin.map(|pin| pin.number), "namespace": pin.map(|pin| &pin.namespace),
            "container": of.node.as_ref().map(|node| &node.name), "image": shown.image,
            "status": if is_lost(&shown, of.pause.as_ref()) { "missing" } else { status(&shown) },
            "health": if shown.health.is_empty() { "none" } else { &shown.health },
            "exit_code": shown.exit_code, "started_at": shown.started_at, "error": shown.error, "digest": of.digest(),
            "network": of.pause.as_ref().is_some_and(Container::runs),
            "labels": Lab::own_labels(&shown.labels), "run": of.key().map(run_of),
        }))
    });
    let shown: Vec<Result<Value, Problem>> = stream::iter(work).buffered(AT_A_TIME).collect().await;
    shown.into_iter().collect::<Result<Vec<Value>, Problem>>().map(Value::from)
}

/// What the labs of the calling run's organisation have, by lab.
pub async fn labs(machine: &Machine, cx: &OpCx) -> Result<Value, Problem> {
    let organisation = machine.organisations.of(&cx.run)?;
    let mine = [(INSTANCE.to_owned(), short_instance(&cx.instance))];
    let found = machine.backend.containers(&mine).await.map_err(|fault| fault.problem("the nodes of labs"))?;
    let limits = &machine.config.limits;
    let mut labs: BTreeMap<String, Holding> = BTreeMap::new();
    for container in found {
        let lab = container.labels.get(LAB).and_then(|key| LabId::parse(key));
        let Some(lab) = lab.filter(|lab| lab.organisation == organisation) else { continue };
        let held = labs.entry(lab.name).or_default();
        held.nodes.extend(container.labels.get(NODE).cloned());
        let label = |name: &str| container.labels.get(name);
        // What holds a namespace takes nothing.
        if label(ROLE).is_some_and(|role| role == Role::Node.word()) {
            held.cpus += label(CPUS).and_then(|cpus| cpus.parse().ok()).unwrap_or(limits.cpus);
            held.memory_mb += label(MEMORY_MB).and_then(|mb| mb.parse().ok()).unwrap_or(limits.memory_mb);
        }
    }
    Ok(json!(labs))
}

/// Waits until a node is healthy; one without a health check has to run.
pub async fn wait_healthy(lab: &Lab<'_>, name: &str, timeout: Duration) -> Result<Value, Problem> {
    let node = lab.container(name).await?;
    let began = Instant::now();
    loop {
        let found = lab.backend().inspect(&node.id).await.map_err(|fault| fault.problem(format!("the node {name}")))?;
        let found = found.ok_or_else(|| lab.halved(name))?;
        let well = found.health == "healthy" || (found.health == "none" && found.state == "running");
        if well {
            return Ok(json!({ "name": name, "status": status(&found), "health": found.health }));
        }
        let ended = !found.runs() && found.state != "created";
        if ended || began.elapsed() >= timeout {
            return Err(unwell(lab, name, &found, timeout, ended).await);
        }
        tokio::time::sleep(PAUSE.min(timeout)).await;
    }
}

async fn unwell(lab: &Lab<'_>, name: &str, found: &Container, timeout: Duration, ended: bool) -> Problem {
    let lines = lab.backend().logs(&found.id, EVIDENCE_LINES, EVIDENCE_BYTES).await.unwrap_or_default();
    let (lines, _) = support::text(&lines, EVIDENCE_BYTES);
    let skipped = found.health_log.len().saturating_sub(CHECKS);
    let checks: Vec<Value> = found.health_log[skipped..]
        .iter()
        .map(|check| json!({ "code": check.code, "output": support::text(check.output.as_bytes(), EVIDENCE_BYTES / CHECKS).0 }))
        .collect();
    let what = match ended {
        true => format!("the node {name} has ended with code {}", found.exit_code),
        false => format!(
            "the node {name} isn't healthy after {} ms: it is {}, its health {}",
            timeout.as_millis(),
            found.state,
            found.health
        ),
    };
    let last = checks.last().and_then(|check| check["output"].as_str()).map(str::trim).filter(|said| !said.is_empty());
    let said = last.map(|said| format!(": {said}")).unwrap_or_default();
    Problem::new(Code::WaitTimeout, format!("{what}{said}"))
        .help("`data` has what its last health checks said, and the last lines of its log")
        .data(json!({ "status": status(found), "health": found.health, "exit_code": found.exit_code, "checks": checks, "logs": lines }))
}
