//! The network of an organisation: what its nodes with `ports` or `management` share, and nobody else's nodes are in. It is made with
//! the first such node, and goes with the last.

use windlass_model::{Code, Problem};

use super::{
    fault::{Fault, Kind},
    lab::{INSTANCE, Lab, NETWORK, OWNER, owner_label},
};
use crate::lab_mark::short_instance;

/// One at a time within this process: an old Docker makes two networks of one name.
static MAKING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What the network of the lab's organisation is called.
pub fn name(lab: &Lab<'_>) -> String {
    let (organisation, instance) = (&lab.id.organisation, &lab.cx.instance);
    format!("windlass-{organisation}-{}", short_instance(&format!("{instance}:{organisation}")))
}

/// Sees that it is there.
pub async fn ensure(lab: &Lab<'_>) -> Result<(), Problem> {
    let name = name(lab);
    let labels = [(INSTANCE, short_instance(&lab.cx.instance)), (OWNER, owner_label(lab.cx, &lab.id.organisation))];
    let labels = labels.map(|(label, value)| (label.to_owned(), value));
    let failed = |fault: Fault| fault.problem(format!("the network {name}"));
    let _making = MAKING.lock().await;
    // Another process may make it meanwhile.
    for is_last in [false, true] {
        if let Some(found) = lab.backend().network(&name).await.map_err(failed)? {
            if labels.iter().all(|(label, value)| found.get(label) == Some(value)) {
                return Ok(());
            }
            let message = format!("there is a network {name} in Docker already, and Windlass didn't make it");
            return Err(Problem::new(Code::Conflict, message)
                .help("remove it by hand if nobody needs it: `docker network rm`")
                .no_effect());
        }
        match lab.backend().create_network(&name, &labels).await {
            Err(fault) if fault.kind == Kind::Conflict && !is_last => {}
            Err(fault) if fault.message.contains("address pool") => {
                return Err(failed(fault).help(
                    "Docker has no addresses left for another network: remove networks that nobody needs (`docker network prune`), or \
                     give it more with `default-address-pools` in its daemon.json",
                ));
            }
            answer => return answer.map_err(failed),
        }
    }
    Ok(())
}

/// Starts what holds a namespace. Its network may have gone with the last node that ran there.
pub async fn start(lab: &Lab<'_>, pause: &str, is_in_network: bool) -> Result<(), Fault> {
    match lab.backend().start(pause).await {
        Err(fault) if is_in_network && fault.message.contains("network") && fault.message.contains("not found") => {
            let made = ensure(lab).await;
            made.map_err(|problem| Fault::new(Kind::Failed, problem.message))?;
            lab.backend().start(pause).await
        }
        answer => answer,
    }
}

/// Removes it when no node is left that is in it, running or not.
pub async fn tidy(lab: &Lab<'_>) -> Result<(), Problem> {
    let name = name(lab);
    let failed = |fault: Fault| fault.problem(format!("the network {name}"));
    let _making = MAKING.lock().await;
    let used = lab.backend().containers(&[(NETWORK.to_owned(), name.clone())]).await.map_err(failed)?;
    if !used.is_empty() {
        return Ok(());
    }
    let labels = lab.backend().network(&name).await.map_err(failed)?;
    if labels.is_none_or(|labels| labels.get(OWNER) != Some(&owner_label(lab.cx, &lab.id.organisation))) {
        return Ok(());
    }
    match lab.backend().remove_network(&name).await {
        // Somebody has just begun to use it.
        Err(fault) if fault.message.contains("active endpoints") => Ok(()),
        answer => answer.map_err(failed),
    }
}
