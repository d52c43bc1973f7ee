//! How much of this machine an organisation's labs may take together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_model::{Code, Problem};

use super::spec::Size;
use crate::{lab_id::Holding, owner::PLATFORM};

/// `[hosts.lab]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// By organisation; `*` is for those that aren't named, but never for the platform.
    pub quotas: BTreeMap<String, Quota>,
}

/// What an organisation's labs may come to. What isn't said isn't limited.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// Labs at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labs: Option<u64>,
    /// Nodes of all labs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u64>,
    /// CPUs of all containers and machines; one that says none counts as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// MiB of memory of all containers and machines; one that says none counts as 512.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u64>,
}

/// What is there of an organisation's labs, as the modules `net`, `docker` and `qemu` tell it, by module and lab.
pub(super) type There = BTreeMap<String, BTreeMap<String, Holding>>;

impl Config {
    /// The quota of an organisation; `None` if it has none.
    pub(super) fn of(&self, organisation: &str) -> Option<&Quota> {
        let named = self.quotas.get(organisation);
        named.or_else(|| self.quotas.get("*").filter(|_| organisation != PLATFORM))
    }
}

/// The sizes of labs as they were counted when they were deployed, or as what is there of them shows: whichever is more. A lab that
/// nobody has counted is there all the same.
pub(super) fn with_what_is_there(mut counted: BTreeMap<String, Size>, there: &There) -> BTreeMap<String, Size> {
    let mut nodes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut sizes: BTreeMap<&str, Size> = BTreeMap::new();
    for (lab, held) in there.values().flatten() {
        // A container's namespace is one to `net`, too.
        let names = nodes.entry(lab).or_default();
        names.extend(held.nodes.iter().map(String::as_str));
        let size = sizes.entry(lab).or_default();
        *size =
            Size { nodes: names.len() as u64, cpus: size.cpus + held.cpus, memory_mb: size.memory_mb + held.memory_mb };
    }
    for (lab, size) in sizes {
        let known = counted.entry(lab.to_owned()).or_default();
        *known = Size {
            nodes: known.nodes.max(size.nodes),
            cpus: known.cpus.max(size.cpus),
            memory_mb: known.memory_mb.max(size.memory_mb),
        };
    }
    counted
}

/// Whether an organisation may have a lab of this size beside its others.
pub(super) fn admit(
    config: &Config,
    organisation: &str,
    lab: &str,
    size: Size,
    others: &BTreeMap<String, Size>,
) -> Result<(), Problem> {
    let Some(quota) = config.of(organisation) else { return Ok(()) };
    let others: Vec<Size> = others.iter().filter(|(name, _)| *name != lab).map(|(_, size)| *size).collect();
    let sum = |of: fn(&Size) -> f64| others.iter().map(of).sum::<f64>();
    #[expect(clippy::cast_precision_loss, reason = "counts of nodes and MiB are far below 2⁵³")]
    let lines = [
        ("labs", quota.labs.map(|limit| limit as f64), others.len() as f64, 1.0),
        ("nodes", quota.nodes.map(|limit| limit as f64), sum(|size| size.nodes as f64), size.nodes as f64),
        ("cpus", quota.cpus, sum(|size| size.cpus), size.cpus),
        (
            "memory_mb",
            quota.memory_mb.map(|limit| limit as f64),
            sum(|size| size.memory_mb as f64),
            size.memory_mb as f64,
        ),
    ];
    for (name, limit, used, asked) in lines {
        let Some(limit) = limit.filter(|limit| used + asked > *limit) else { continue };
        let message = format!(
            "the quota `{name}` of the organisation `{organisation}` is {limit}: its other labs have {used}, and `{lab}` asks for {asked}"
        );
        return Err(Problem::new(Code::LimitExceeded, message)
            .help("destroy a lab that nobody needs, make this one smaller, or let an administrator change [hosts.lab.quotas]")
            .data(json!({ "quota": name, "limit": limit, "used": used, "asked": asked, "organisation": organisation }))
            .no_effect());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_counts_as_more_than_what_was_counted_and_no_node_twice() {
        let held = |nodes: &[&str], cpus, memory_mb| {
            let nodes = nodes.iter().map(|name| (*name).to_owned()).collect();
            Holding { nodes, cpus, memory_mb }
        };
        let by_lab = |labs: Vec<(&str, Holding)>| labs.into_iter().map(|(lab, held)| (lab.to_owned(), held)).collect();
        let there: There = [
            ("net".to_owned(), by_lab(vec![("lost", held(&["a", "c"], 0.0, 0)), ("known", held(&["x"], 0.0, 0))])),
            ("docker".to_owned(), by_lab(vec![("lost", held(&["c"], 0.5, 64))])),
            ("qemu".to_owned(), by_lab(vec![("lost", held(&["m"], 2.0, 256))])),
        ]
        .into();
        let size = |nodes, cpus, memory_mb| Size { nodes, cpus, memory_mb };
        let counted = [("known".to_owned(), size(4, 1.0, 512)), ("gone".to_owned(), size(1, 0.0, 0))].into();
        let all = with_what_is_there(counted, &there);
        assert_eq!(all["lost"], size(3, 2.5, 320));
        assert_eq!(all["known"], size(4, 1.0, 512));
        assert_eq!(all["gone"], size(1, 0.0, 0));
    }
}
