//! Starts, stops and restarts nodes. Their links stay: the pause container holds the namespace meanwhile.

use serde_json::Value;
use windlass_model::Problem;

use super::{
    create::{pin, report, started_badly},
    lab::{Lab, NETWORK, Pair},
    network,
};
use crate::lab_space::Adopted;

/// Starts a node. What holds its namespace is started first, if it has ended: then the namespace is a new one without links, and
/// the report says so.
pub async fn start(lab: &Lab<'_>, name: &str) -> Result<Value, Problem> {
    let pair = lab.node(name).await?;
    let node = pair.node.as_ref().ok_or_else(|| lab.halved(name))?;
    let failed = |fault: super::fault::Fault| started_badly(&fault, &format!("starting the node {name}"));
    if node.runs() {
        // It is in the namespace that it was started in, whatever became of what held it.
        let adopted = match pair.pause.as_ref().filter(|pause| pause.runs()) {
            Some(pause) => Some(pin(lab, name, &lab.cx.key, &pair, &pause.id).await?),
            None => pinned(lab, name)?,
        };
        return report(lab, name, &node.id, adopted.as_ref()).await;
    }
    let adopted = hold(lab, name, &pair).await?;
    lab.backend().start(&node.id).await.map_err(failed)?;
    report(lab, name, &node.id, Some(&adopted)).await
}

/// Stops a node, and keeps its namespace.
pub async fn stop(lab: &Lab<'_>, name: &str, timeout_s: u32) -> Result<Value, Problem> {
    let node = lab.container(name).await?;
    let answer = lab.backend().stop(&node.id, timeout_s).await;
    answer.map_err(|fault| fault.problem(format!("stopping the node {name}")))?;
    Ok(Value::Null)
}

/// Stops and starts it.
pub async fn restart(lab: &Lab<'_>, name: &str, timeout_s: u32) -> Result<Value, Problem> {
    stop(lab, name, timeout_s).await?;
    start(lab, name).await
}

/// Sees that a namespace is there for the node and pinned.
async fn hold(lab: &Lab<'_>, name: &str, pair: &Pair) -> Result<Adopted, Problem> {
    let pause = pair.pause.as_ref().ok_or_else(|| lab.halved(name))?;
    let answer = network::start(lab, &pause.id, pause.labels.contains_key(NETWORK)).await;
    answer.map_err(|fault| started_badly(&fault, &format!("starting the pause container of the node {name}")))?;
    pin(lab, name, &lab.cx.key, pair, &pause.id).await
}

fn pinned(lab: &Lab<'_>, name: &str) -> Result<Option<Adopted>, Problem> {
    Ok(lab.machine.spaces.adopted(lab.cx, &lab.id)?.remove(name))
}
