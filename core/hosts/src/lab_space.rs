//! Nodes of labs whose network namespace another program makes, such as the one of a container: the module of that program hands it over,
//! and the one that lays links makes a node of it.

use std::{collections::BTreeMap, os::fd::BorrowedFd};

use windlass_model::Problem;
use windlass_script::host::OpCx;

use crate::lab_id::LabId;

/// Makes nodes of network namespaces that are there.
pub trait Spaces: Send + Sync {
    /// Pins a namespace as the node `node` of the lab: it gets the node's name in the kernel and the lab's mark, and its `lo` is up.
    /// The mark's key is `key`, the `run/step` that made the node, whichever step pins it. The same namespace again is success;
    /// another one under the node's name is a `conflict`, unless the one that was there was adopted, too, and is nobody's any
    /// more (nothing runs in it, and the mark is this lab's): then the new one takes its place. This machine's own namespace is
    /// refused.
    fn adopt(&self, cx: &OpCx, lab: &LabId, node: &str, key: &str, netns: BorrowedFd<'_>) -> Result<Adopted, Problem>;

    /// Lets go of a node that was adopted: its name goes, and the links to it. One that isn't there is gone already; one
    /// without the lab's mark, or that wasn't adopted, is left alone; an undo lets go of what carries its step's key only.
    fn release(&self, cx: &OpCx, lab: &LabId, node: &str) -> Result<(), Problem>;

    /// The lab's nodes that were adopted and are pinned, by name.
    fn adopted(&self, cx: &OpCx, lab: &LabId) -> Result<BTreeMap<String, Adopted>, Problem>;
}

/// Tells whose named network namespaces of this machine are.
pub trait Owners: Send + Sync {
    /// Refuses a namespace that the run may not enter: a lab's is for runs of the lab's organisation, any other for the platform's.
    /// The organisation of the run.
    fn check(&self, cx: &OpCx, namespace: &str) -> Result<String, Problem>;
}

/// A node that was made of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Its name in the kernel, as `ip netns` knows it.
    pub namespace: String,
    /// The node's number in the lab.
    pub number: u32,
    /// Whether it wasn't pinned before: nothing is connected to it yet.
    pub new: bool,
}
