//! A role in a part of the house, and what follows from several of them: what covers what, and what two sets share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_model::query::Scope;

use super::access::Role;

fn everything() -> String {
    "*".into()
}

/// A role in a part of the house.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The role.
    pub role: Role,
    /// The organisation it holds in; `*`: in all of them.
    pub organisation: String,
    /// A folder of workflows (`lab`), one workflow (`lab/grid`), or `*`.
    #[serde(default = "everything")]
    pub folder: String,
}

impl Binding {
    /// A role in all of an organisation.
    pub fn new(role: Role, organisation: &str) -> Self {
        Self { role, organisation: organisation.to_owned(), folder: everything() }
    }

    /// Everything, everywhere: a platform admin.
    pub fn platform_admin() -> Self {
        Self::new(Role::Admin, "*")
    }

    /// As a principal holds it.
    pub fn held(&self) -> (Role, Scope) {
        (self.role, Scope { organisation: self.organisation.clone(), folder: self.folder.clone() })
    }

    /// Whether holding this is holding the other one, too. Each role has all that the ones before it have.
    pub fn covers(&self, other: &Self) -> bool {
        rank(self.role) >= rank(other.role)
            && (self.organisation == "*" || self.organisation == other.organisation)
            && folder_covers(&self.folder, &other.folder)
    }

    /// What two bindings share.
    fn meet(&self, other: &Self) -> Option<Self> {
        let role = if rank(self.role) <= rank(other.role) { self.role } else { other.role };
        let organisation = match (self.organisation.as_str(), other.organisation.as_str()) {
            ("*", one) | (one, "*") => one,
            (one, same) if one == same => one,
            _ => return None,
        };
        let folder = match () {
            () if folder_covers(&self.folder, &other.folder) => &other.folder,
            () if folder_covers(&other.folder, &self.folder) => &self.folder,
            () => return None,
        };
        Some(Self { role, organisation: organisation.to_owned(), folder: folder.clone() })
    }
}

/// Whether whoever holds the first may give the second.
pub fn covered(held: &[Binding], wanted: &Binding) -> bool {
    held.iter().any(|binding| binding.covers(wanted))
}

/// What both sets allow.
pub fn shared(left: &[Binding], right: &[Binding]) -> Vec<Binding> {
    let mut all: Vec<Binding> = Vec::new();
    for one in left.iter().flat_map(|one| right.iter().filter_map(|other| one.meet(other))) {
        if !covered(&all, &one) {
            all.retain(|known| !one.covers(known));
            all.push(one);
        }
    }
    all
}

const fn rank(role: Role) -> u8 {
    match role {
        Role::Viewer => 0,
        Role::Operator => 1,
        Role::Franchisee => 2,
        Role::Admin => 3,
    }
}

fn folder_covers(wide: &str, narrow: &str) -> bool {
    wide == "*"
        || (narrow != "*" && narrow.strip_prefix(wide).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(role: Role, organisation: &str, folder: &str) -> Binding {
        Binding { role, organisation: organisation.into(), folder: folder.into() }
    }

    #[test]
    fn each_role_has_all_that_the_ones_before_it_have() {
        for pair in Role::ALL.windows(2) {
            let [less, more] = pair else { panic!("windows of two") };
            assert!(rank(*less) < rank(*more));
            assert!(less.permissions().iter().all(|permission| more.permissions().contains(permission)));
        }
    }

    #[test]
    fn a_set_shared_with_another_is_never_more_than_either() {
        let organisations = ["*", "acme", "other"];
        let folders = ["*", "lab", "lab/grid", "labor"];
        let mut all = Vec::new();
        for role in Role::ALL {
            for organisation in organisations {
                all.extend(folders.map(|folder| binding(role, organisation, folder)));
            }
        }
        for left in &all {
            assert!(left.covers(left));
            for right in &all {
                let both = shared(std::slice::from_ref(left), std::slice::from_ref(right));
                assert!(both.iter().all(|one| left.covers(one) && right.covers(one)), "{left:?} {right:?}: {both:?}");
                assert_eq!(left.covers(right), both == [right.clone()], "{left:?} {right:?}: {both:?}");
            }
        }
    }

    #[test]
    fn folders_end_at_slashes() {
        assert!(folder_covers("lab", "lab/grid") && folder_covers("lab", "lab") && folder_covers("*", "lab"));
        assert!(!folder_covers("lab", "labor") && !folder_covers("lab/grid", "lab") && !folder_covers("lab", "*"));
    }
}
