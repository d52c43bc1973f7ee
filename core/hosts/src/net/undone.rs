//! What an undo may touch: what the step that it takes back has made, and nothing that merely has its name now.
//!
//! Between a step and its undo, somebody may have destroyed the lab, and another run may have made it anew. A call by a
//! script removes what carries the lab's mark; an undo removes what carries the mark of its own step. The rest isn't its
//! to take back, and that is success.

use windlass_model::Problem;

use super::{
    lab::{Lab, View, Whose},
    plan::At,
    types::{Link, Place},
};
use crate::lab_mark::{Mark, run_of};

impl Lab<'_> {
    /// Whether this call may remove what carries this alias.
    pub fn may_remove(&self, alias: Option<&str>) -> bool {
        let Some(undone) = &self.undoes else { return self.whose(alias).is_ours() };
        self.whose(alias).is_ours() && alias.and_then(Mark::parse).is_some_and(|mark| mark.key == *undone)
    }

    /// Whether this call may remove a link inside a namespace of the lab, which has no link of its name on the host.
    pub fn may_remove_inside(&self, place: &Place, name: &str) -> Result<bool, Problem> {
        if self.undoes.is_none() {
            return Ok(true);
        }
        let link = self.inner(place, name)?;
        // One that has the lab's group and no mark is a half that a crash has left.
        Ok(link.is_some_and(|link| match &link.alias {
            None => link.group == self.names.group(),
            alias => self.may_remove(alias.as_deref()),
        }))
    }

    /// Whether this call may change what is on an interface or a bridge and has no mark of its own: an address, an
    /// impairment. An undo may where the link is the run's own: on another run's, nothing tells whose they are.
    pub fn may_change(&self, view: &View, at: &str) -> Result<bool, Problem> {
        let Some(undone) = &self.undoes else { return Ok(true) };
        if !at.contains(':') {
            return Ok(self.host_link(view, at).is_some_and(|link| self.is_of_run(link.alias.as_deref(), undone)));
        }
        let at = At::parse(at)?;
        if let Some(link) = self.host_link(view, &at.link_name()) {
            return Ok(self.is_of_run(link.alias.as_deref(), undone));
        }
        let Some(space) = view.spaces.get(&at.node) else { return Ok(false) };
        match self.inner(&Place::Namespace(space.kernel.clone()), &at.interface)? {
            Some(Link { alias: Some(alias), .. }) => Ok(self.is_of_run(Some(&alias), undone)),
            _ => self.may_change_space(view, &at.node),
        }
    }

    /// The same for what a namespace has: a route, forwarding.
    pub fn may_change_space(&self, view: &View, name: &str) -> Result<bool, Problem> {
        let Some(undone) = &self.undoes else { return Ok(true) };
        let Some(space) = view.spaces.get(name) else { return Ok(false) };
        let alias = self.space_aliases(std::slice::from_ref(space))?.pop().flatten();
        Ok(self.is_of_run(alias.as_deref(), undone))
    }

    fn is_of_run(&self, alias: Option<&str>, key: &str) -> bool {
        match self.whose(alias) {
            Whose::ThisRun | Whose::OtherRun(_) => {
                alias.and_then(Mark::parse).is_some_and(|mark| mark.run() == run_of(key))
            }
            _ => false,
        }
    }

    fn inner(&self, place: &Place, name: &str) -> Result<Option<Link>, Problem> {
        match self.backend.link(place, name) {
            Err(fault) if fault.missing() => Ok(None),
            found => found.map_err(|fault| fault.problem(format!("reading the links of {place}"))),
        }
    }
}
