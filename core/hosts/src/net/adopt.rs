//! Makes nodes of network namespaces that other programs made (`crate::lab_space`): each is pinned under the node's name, with the
//! lab's mark on its `lo`. A group isn't given to `lo`: the kernel would refuse to remove a group with it.

use std::{collections::BTreeMap, os::fd::BorrowedFd, sync::Arc};

use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    backend::NetBackend,
    lab::{Lab, Numbers, Whose},
    remove,
    types::NewNamespace,
};
use crate::{
    lab_id::LabId,
    lab_mark::Mark,
    lab_names::check_name,
    lab_space::{Adopted, Spaces},
};

/// Stands in the mark of a namespace that was adopted: one of ours has nothing running in it and must not be taken for a dead one.
pub(super) const NOTE: &str = "adopted";

/// Makes nodes of namespaces, over this network stack.
pub fn spaces(backend: Arc<dyn NetBackend>) -> Arc<dyn Spaces> {
    Arc::new(Adopting { backend })
}

struct Adopting {
    backend: Arc<dyn NetBackend>,
}

impl Adopting {
    fn lock(&self) -> Result<Box<dyn Send>, Problem> {
        self.backend.lock().map_err(|fault| fault.problem("waiting for another change of networks"))
    }
}

impl Spaces for Adopting {
    fn adopt(&self, cx: &OpCx, lab: &LabId, node: &str, key: &str, netns: BorrowedFd<'_>) -> Result<Adopted, Problem> {
        check_name("node", node)?;
        let failed = |fault: super::Fault| fault.problem(format!("the network namespace of {node}"));
        if self.backend.is_own_namespace(netns).map_err(failed)? {
            let message = format!("the network namespace of {node} is this machine's own");
            return Err(Problem::new(Code::Conflict, message)
                .help("a lab's node must have a network namespace of its own")
                .no_effect());
        }
        let _guard = self.lock()?;
        let _busy = self.backend.busy(&lab.key);
        let lab = Lab::open(&*self.backend, cx, lab.clone())?;
        let view = lab.view()?;
        // The number that it had stays its own: names in the kernel stay the same.
        let number = Numbers::of(&lab, &view).node(node);
        if let Some(space) = view.spaces.get(node) {
            let alias = lab.space_aliases(std::slice::from_ref(space))?.pop().flatten();
            let what = format!("the namespace {}", space.kernel);
            let whose = lab.whose(alias.as_deref());
            if !whose.is_ours() {
                return Err(lab.not_ours(&what, whose));
            }
            if self.backend.is_namespace(&space.kernel, netns).map_err(failed)? {
                return Ok(Adopted { namespace: space.kernel.clone(), number: space.node, new: false });
            }
            if !was_adopted(alias.as_deref()) || self.backend.is_inhabited(&space.kernel).map_err(failed)? {
                return Err(lab.not_ours(&what, whose).help("remove it first: another namespace has the node's name"));
            }
            // Nobody is in it any more: what leads to it goes with it.
            remove::spaces(&lab, &view, &[node.to_owned()])?;
        }
        let namespace = lab.names.namespace(number, node)?;
        let mark = Mark { key: key.to_owned(), note: Some(NOTE.into()), ..lab.mark(node) };
        let new = NewNamespace { name: namespace.clone(), alias: mark.to_string() };
        self.backend.adopt_namespace(&new, netns).map_err(failed)?;
        Ok(Adopted { namespace, number, new: true })
    }

    fn release(&self, cx: &OpCx, lab: &LabId, node: &str) -> Result<(), Problem> {
        let _guard = self.lock()?;
        let _busy = self.backend.busy(&lab.key);
        let lab = Lab::open(&*self.backend, cx, lab.clone())?;
        let view = lab.view()?;
        let Some(space) = view.spaces.get(node) else { return Ok(()) };
        let alias = lab.space_aliases(std::slice::from_ref(space))?.pop().flatten();
        if !was_adopted(alias.as_deref()) || !lab.may_remove(alias.as_deref()) {
            return Ok(());
        }
        remove::spaces(&lab, &view, &[node.to_owned()])
    }

    fn adopted(&self, cx: &OpCx, lab: &LabId) -> Result<BTreeMap<String, Adopted>, Problem> {
        let lab = Lab::open(&*self.backend, cx, lab.clone())?;
        let spaces: Vec<_> = lab.view()?.spaces.into_values().collect();
        let aliases = lab.space_aliases(&spaces)?;
        let ours = spaces.into_iter().zip(aliases).filter(|(_, alias)| {
            was_adopted(alias.as_deref()) && !matches!(lab.whose(alias.as_deref()), Whose::Nobody | Whose::OtherLab(_))
        });
        Ok(ours
            .map(|(space, _)| (space.name, Adopted { namespace: space.kernel, number: space.node, new: false }))
            .collect())
    }
}

fn was_adopted(alias: Option<&str>) -> bool {
    alias.and_then(Mark::parse).is_some_and(|mark| mark.note.as_deref() == Some(NOTE))
}
