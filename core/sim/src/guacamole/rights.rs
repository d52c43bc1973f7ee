//! Who may do what: permissions of users and user groups, and memberships.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::refusal::Refusal;

/// Sets that permissions stand in, each by the objects that they are on.
const SETS: [&str; 6] = [
    "connectionPermissions",
    "connectionGroupPermissions",
    "sharingProfilePermissions",
    "activeConnectionPermissions",
    "userPermissions",
    "userGroupPermissions",
];
const WORDS: [&str; 4] = ["READ", "UPDATE", "DELETE", "ADMINISTER"];
const SYSTEM: [&str; 7] = [
    "CREATE_USER",
    "CREATE_USER_GROUP",
    "CREATE_CONNECTION",
    "CREATE_CONNECTION_GROUP",
    "CREATE_SHARING_PROFILE",
    "AUDIT",
    "ADMINISTER",
];

/// A set, an object (none for the system), and a word.
type Right = (String, String, String);

/// `users/ann`, `userGroups/students`.
type Holder = (String, String);

/// All permissions and memberships.
#[derive(Default)]
pub(super) struct Rights {
    held: BTreeMap<Holder, BTreeSet<Right>>,
    /// Users by the user group that they are in.
    members: BTreeMap<String, BTreeSet<String>>,
}

impl Rights {
    pub(super) fn give(&mut self, holder: (&str, &str), set: &str, id: &str, word: &str) {
        let held = self.held.entry((holder.0.into(), holder.1.into())).or_default();
        held.insert((set.into(), id.into(), word.into()));
    }

    /// Whether a user may, by himself or as a member.
    pub(super) fn may(&self, user: &str, set: &str, id: &str, word: &str) -> bool {
        let right = (set.to_owned(), id.to_owned(), word.to_owned());
        let all = ("systemPermissions".to_owned(), String::new(), "ADMINISTER".to_owned());
        self.holders(user).any(|held| held.contains(&right) || held.contains(&all))
    }

    fn holders<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a BTreeSet<Right>> {
        let own = self.held.get(&("users".to_owned(), user.to_owned()));
        let groups = self.members.iter().filter(move |(_, users)| users.contains(user));
        own.into_iter().chain(groups.filter_map(|(group, _)| self.held.get(&("userGroups".to_owned(), group.clone()))))
    }

    /// What a holder has, as the API shows it; `effective` with what it has as a member.
    pub(super) fn shown(&self, collection: &str, id: &str, effective: bool) -> Value {
        let mut shown = json!({ "systemPermissions": [] });
        SETS.iter().for_each(|set| shown[*set] = json!({}));
        let own = self.held.get(&(collection.to_owned(), id.to_owned()));
        let all: BTreeSet<&Right> = match effective {
            true => self.holders(id).flatten().collect(),
            false => own.into_iter().flatten().collect(),
        };
        for (set, id, word) in all {
            let place = if set == "systemPermissions" { &mut shown[set] } else { &mut shown[set][id] };
            match place {
                Value::Array(words) => words.push(word.clone().into()),
                other => *other = json!([word]),
            }
        }
        shown
    }

    /// A JSON patch on permissions: all of it, or nothing.
    pub(super) fn patch(&mut self, holder: (&str, &str), patch: &Value) -> Result<(), Refusal> {
        let mut held = self.held.get(&(holder.0.to_owned(), holder.1.to_owned())).cloned().unwrap_or_default();
        for step in patch.as_array().ok_or_else(|| Refusal::bad("Patches must be an array."))? {
            let path = step["path"].as_str().unwrap_or_default();
            let word = step["value"].as_str().unwrap_or_default();
            let right = match path.strip_prefix('/').and_then(|path| path.split_once('/')) {
                Some((set, id)) if SETS.contains(&set) && !id.is_empty() && WORDS.contains(&word) => (set, id),
                None if path == "/systemPermissions" && SYSTEM.contains(&word) => ("systemPermissions", ""),
                _ => return Err(Refusal::bad(format!("Unsupported patch path: \"{path}\""))),
            };
            let right = (right.0.to_owned(), right.1.to_owned(), word.to_owned());
            match step["op"].as_str() {
                Some("add") => held.insert(right),
                Some("remove") => held.remove(&right),
                _ => return Err(Refusal::bad("Unsupported patch operation.")),
            };
        }
        self.held.insert((holder.0.into(), holder.1.into()), held);
        Ok(())
    }

    /// The users of a user group.
    pub(super) fn members(&self, group: &str) -> Value {
        json!(self.members.get(group).cloned().unwrap_or_default())
    }

    /// The user groups of a user.
    pub(super) fn groups(&self, user: &str) -> Value {
        self.members.iter().filter(|(_, users)| users.contains(user)).map(|(group, _)| json!(group)).collect()
    }

    /// A JSON patch on memberships; `turn` makes a group and a user of what is patched and of the value.
    pub(super) fn patch_members(
        &mut self,
        patch: &Value,
        turn: impl Fn(&str) -> (String, String),
        is_there: impl Fn(&str) -> bool,
    ) -> Result<(), Refusal> {
        for step in patch.as_array().ok_or_else(|| Refusal::bad("Patches must be an array."))? {
            let value = step["value"].as_str().unwrap_or_default();
            if step["path"] != "/" {
                return Err(Refusal::bad(format!(
                    "Unsupported patch path: \"{}\"",
                    step["path"].as_str().unwrap_or_default()
                )));
            }
            let (group, user) = turn(value);
            let users = self.members.entry(group).or_default();
            match step["op"].as_str() {
                // The database ignores what isn't there.
                Some("add") if is_there(value) => users.insert(user),
                Some("add") => false,
                Some("remove") => users.remove(&user),
                _ => return Err(Refusal::bad("Unsupported patch operation.")),
            };
        }
        Ok(())
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&mut self, collection: &str, set: &str, id: &str) {
        self.held.remove(&(collection.to_owned(), id.to_owned()));
        self.held.values_mut().for_each(|held| held.retain(|(on, of, _)| !(on == set && of == id)));
        if collection == "userGroups" {
            self.members.remove(id);
        }
        if collection == "users" {
            self.members.values_mut().for_each(|users| users.retain(|user| user != id));
        }
    }
}
