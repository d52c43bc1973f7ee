//! Removes what carries a lab's labels (as an undo: the label of the step that is undone), and nothing else. What isn't there is
//! removed already.

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use windlass_model::Problem;

use super::{
    create::AT_A_TIME,
    lab::{Lab, NETWORK, Pair},
    network,
};
use crate::lab_names::check_name;

/// Removes nodes of the lab.
pub async fn nodes(lab: &Lab<'_>, names: &[String]) -> Result<(), Problem> {
    names.iter().try_for_each(|name| check_name("node", name))?;
    let mut there = lab.nodes().await?;
    let doomed = names.iter().map(|name| (name.clone(), there.remove(name).unwrap_or_default())).collect();
    all(lab, doomed).await
}

/// Removes all nodes of the lab, and namespaces of nodes whose containers are gone.
pub async fn everything(lab: &Lab<'_>) -> Result<Value, Problem> {
    let mut there = lab.nodes().await?;
    let count = there.len();
    for name in lab.machine.spaces.adopted(lab.cx, &lab.id)?.into_keys() {
        there.entry(name).or_default();
    }
    all(lab, there.into_iter().collect()).await?;
    Ok(json!({ "nodes": count }))
}

/// Removes what the calling step has made of these nodes, because it failed.
pub async fn made_by_this_step(lab: &Lab<'_>, names: &[&str]) -> Result<(), Problem> {
    let mut there = lab.nodes().await?;
    there.retain(|name, pair| names.contains(&name.as_str()) && pair.key() == Some(lab.cx.key.as_str()));
    all(lab, there.into_iter().collect()).await
}

async fn all(lab: &Lab<'_>, doomed: Vec<(String, Pair)>) -> Result<(), Problem> {
    let was_in_network = doomed.iter().any(|(_, pair)| pair.both().any(|one| one.labels.contains_key(NETWORK)));
    let work = doomed.iter().map(|(name, pair)| one(lab, name, pair));
    let answers: Vec<Result<(), Problem>> = stream::iter(work).buffer_unordered(AT_A_TIME).collect().await;
    let mut problems: Vec<Problem> = answers.into_iter().filter_map(Result::err).collect();
    if problems.is_empty() {
        return if was_in_network { network::tidy(lab).await } else { Ok(()) };
    }
    let others = problems.len() - 1;
    let mut first = problems.swap_remove(0);
    if others > 0 {
        first.message = format!("{}; {others} more nodes couldn't be removed, perhaps for that reason", first.message);
    }
    // A part may be removed by now.
    first.no_effect = false;
    Err(first)
}

/// The container first, then what leads to the node, then what holds its namespace: whatever is left can be found again.
async fn one(lab: &Lab<'_>, name: &str, pair: &Pair) -> Result<(), Problem> {
    let drop_it = async |container: &super::backend::Container| {
        let answer = lab.backend().remove(&container.id).await;
        answer.map_err(|fault| fault.problem(format!("removing the node {name}")))
    };
    if let Some(node) = pair.node.as_ref().filter(|node| lab.may_remove(node)) {
        drop_it(node).await?;
    }
    lab.machine.spaces.release(lab.cx, &lab.id, name)?;
    if let Some(pause) = pair.pause.as_ref().filter(|pause| lab.may_remove(pause)) {
        drop_it(pause).await?;
    }
    Ok(())
}
