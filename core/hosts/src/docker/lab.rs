//! One lab as the engine shows it: which containers carry its labels, whose they are, and which node each is of.

use std::collections::BTreeMap;

use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    backend::{Backend, Container},
    config::Config,
};
use crate::{
    lab_id::LabId,
    lab_mark::{run_of, short_instance},
    lab_names::blake2b_4,
    lab_space::Spaces,
};

pub(super) const INSTANCE: &str = "windlass.instance";
pub(super) const LAB: &str = "windlass.lab";
pub(super) const NODE: &str = "windlass.node";
const KEY: &str = "windlass.key";
pub(super) const ROLE: &str = "windlass.role";
const DIGEST: &str = "windlass.digest";
const SPEC: &str = "windlass.spec";
/// Whose an image is, that was imported or committed here: `instance:organisation`.
pub const OWNER: &str = "windlass.owner";
/// The network that a pause container is in.
pub(super) const NETWORK: &str = "windlass.network";
/// How much a node may have.
pub(super) const CPUS: &str = "windlass.cpus";
pub(super) const MEMORY_MB: &str = "windlass.memory_mb";
/// What our own labels begin with.
const OURS: &str = "windlass.";

/// The labels of the container that is this node of a lab.
pub(super) fn labels_of(instance: &str, lab: &LabId, node: &str) -> Vec<(String, String)> {
    let labels = [(INSTANCE, instance), (LAB, lab.key.as_str()), (NODE, node), (ROLE, Role::Node.word())];
    labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The labels that all containers of a lab carry.
pub(super) fn labels_of_lab(instance: &str, lab: &LabId) -> Vec<(String, String)> {
    [(INSTANCE, instance), (LAB, lab.key.as_str())].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Containers of a lab, by the nodes that they are of.
pub(super) fn by_node(containers: Vec<Container>) -> BTreeMap<String, Pair> {
    let mut nodes: BTreeMap<String, Pair> = BTreeMap::new();
    for container in containers {
        let Some(node) = container.labels.get(NODE).cloned() else { continue };
        let pair = nodes.entry(node).or_default();
        match container.labels.get(ROLE).map(String::as_str) {
            Some("pause") => pair.pause = Some(container),
            Some("node") => pair.node = Some(container),
            _ => {}
        }
    }
    nodes.retain(|_, pair| pair.both().next().is_some());
    nodes
}

/// The value of `OWNER` for what this organisation makes.
pub(super) fn owner_label(cx: &OpCx, organisation: &str) -> String {
    format!("{}:{organisation}", short_instance(&cx.instance))
}

/// What a container is to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Holds the network namespace.
    Pause,
    /// Is the node.
    Node,
}

impl Role {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Node => "node",
        }
    }
}

/// What all ops work with.
pub struct Machine {
    /// The engine.
    pub backend: Box<dyn Backend>,
    /// Makes nodes of the engine's network namespaces.
    pub spaces: std::sync::Arc<dyn Spaces>,
    /// Whose runs are.
    pub organisations: std::sync::Arc<dyn crate::owner::Organisations>,
    /// What is allowed.
    pub config: Config,
}

/// Who calls, and for which lab.
pub struct Lab<'a> {
    /// What it works with.
    pub machine: &'a Machine,
    /// The call.
    pub cx: &'a OpCx,
    /// The lab.
    pub id: LabId,
    instance: String,
    suffix: String,
}

/// The containers of one node; a crash may have kept one of them from being made.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    /// Holds the namespace.
    pub pause: Option<Container>,
    /// Is the node.
    pub node: Option<Container>,
}

impl Pair {
    /// Those that are there, the node first.
    pub fn both(&self) -> impl Iterator<Item = &Container> {
        self.node.iter().chain(&self.pause)
    }

    /// The step that made it, `run/step`.
    pub fn key(&self) -> Option<&str> {
        self.both().find_map(|one| one.labels.get(KEY)).map(String::as_str)
    }

    /// What its description was.
    pub fn fingerprint(&self) -> Option<&str> {
        self.both().find_map(|one| one.labels.get(SPEC)).map(String::as_str)
    }

    /// What the caller gave to tell one description from another.
    pub fn digest(&self) -> Option<&str> {
        self.both().find_map(|one| one.labels.get(DIGEST)).map(String::as_str)
    }
}

impl<'a> Lab<'a> {
    /// The lab `name` of the run's organisation.
    pub fn open(machine: &'a Machine, cx: &'a OpCx, name: &str) -> Result<Self, Problem> {
        let id = LabId::of(&*machine.organisations, cx, name)?;
        let suffix = hex::encode(blake2b_4(&format!("{}:{}", cx.instance, id.key)));
        Ok(Self { machine, cx, instance: short_instance(&cx.instance), suffix, id })
    }

    /// The engine.
    pub fn backend(&self) -> &'a dyn Backend {
        &*self.machine.backend
    }

    /// What a container of a node is called.
    pub fn container_name(&self, node: &str, role: Role) -> String {
        let name = format!("windlass-{}-{node}-{}", self.id.name, self.suffix);
        match role {
            Role::Node => name,
            Role::Pause => format!("{name}-pause"),
        }
    }

    /// The labels of a container of a node that this step makes.
    pub fn labels(&self, node: &str, role: Role, fingerprint: &str, digest: Option<&str>) -> BTreeMap<String, String> {
        let all = [
            (INSTANCE, self.instance.as_str()),
            (LAB, &self.id.key),
            (NODE, node),
            (KEY, &self.cx.key),
            (ROLE, role.word()),
            (SPEC, fingerprint),
        ];
        let labels = all.into_iter().chain(digest.map(|digest| (DIGEST, digest)));
        labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The lab's nodes, by name.
    pub async fn nodes(&self) -> Result<BTreeMap<String, Pair>, Problem> {
        let found = self.backend().containers(&labels_of_lab(&self.instance, &self.id)).await;
        Ok(by_node(found.map_err(|fault| fault.problem(format!("the nodes of the lab {}", self.id.name)))?))
    }

    /// One node of the lab, or what to do about there being none.
    pub async fn node(&self, name: &str) -> Result<Pair, Problem> {
        crate::lab_names::check_name("node", name)?;
        self.nodes().await?.remove(name).ok_or_else(|| {
            Problem::new(Code::NotFound, format!("the lab {} has no node {name}", self.id.name))
                .help("docker::nodes(lab) lists what there is; docker::create_node makes one")
                .no_effect()
        })
    }

    /// The container of a node, which has to be there.
    pub async fn container(&self, name: &str) -> Result<Container, Problem> {
        self.node(name).await?.node.ok_or_else(|| self.halved(name))
    }

    /// A node whose container is missing.
    pub fn halved(&self, name: &str) -> Problem {
        Problem::new(Code::NotFound, format!("the container of the node {name} of the lab {} is gone", self.id.name))
            .help("remove what is left of it with docker::remove_node, and make it anew")
            .no_effect()
    }

    /// Whether the node is what this run has made.
    pub fn is_of_this_run(&self, pair: &Pair) -> bool {
        pair.key().is_some_and(|key| run_of(key) == run_of(&self.cx.key))
    }

    /// Whether this call may remove a container: an undo removes what its own step has made.
    pub fn may_remove(&self, container: &Container) -> bool {
        self.cx.undoes.as_ref().is_none_or(|undone| container.labels.get(KEY) == Some(undone))
    }

    /// The conflict with a node that another run has made, or this one otherwise.
    pub fn taken(&self, name: &str, pair: &Pair) -> Problem {
        let lab = &self.id.name;
        let run = pair.key().map(run_of).unwrap_or_default();
        if self.is_of_this_run(pair) {
            let message = format!("the node {name} of the lab {lab} is there already, and isn't what is asked for");
            return Problem::new(Code::Conflict, message)
                .help("remove it with docker::remove_node first")
                .data(serde_json::json!({ "lab": lab, "node": name, "run": run }))
                .no_effect();
        }
        Problem::new(Code::Conflict, format!("the node {name} of the lab {lab} is there already: run {run} made it"))
            .help(format!("remove it, or all nodes with docker::destroy(\"{lab}\"), or use another lab name"))
            .data(serde_json::json!({ "lab": lab, "node": name, "run": run }))
            .no_effect()
    }

    /// A container that has a node's name and isn't the lab's.
    pub fn foreign(&self, container: &str) -> Problem {
        Problem::new(
            Code::Conflict,
            format!("there is a container {container} already, and Windlass didn't make it for this lab"),
        )
        .help("use another name, or remove it by hand if nobody needs it")
        .data(serde_json::json!({ "container": container }))
        .no_effect()
    }

    /// What a script gets to see of a container's labels: those that a person gave.
    pub fn own_labels(labels: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
        let theirs = labels.iter().filter(|(name, _)| !name.starts_with(OURS));
        theirs.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}
