//! Names of locks: each organisation has its own, and what all organisations share has names that no script can make.

mod held;

use serde::{Deserialize, Serialize};

pub use held::{Back, HeldLock, LEAVE, NOT_GIVEN, SCOPED, Taken, held, scopes, taken};

use crate::resource::PLATFORM;

/// Around an organisation's name. No name in a script has a control character.
const OWN: char = '\u{1f}';
/// Around a grant's verb.
const ACROSS: char = '\u{1e}';

/// A lock, as a script names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LockName {
    /// Its name.
    pub name: String,
    /// The verb of a grant: it is one lock over all organisations, and whoever takes it may do that with what is called so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub across: Option<String>,
}

impl LockName {
    /// A lock of this name, or over all organisations.
    pub fn new(name: impl Into<String>, across: Option<String>) -> Self {
        Self { name: name.into(), across }
    }

    /// What a call of `lock` or `unlock` is about, by its arguments as JSON text.
    pub fn of_args(args: &str) -> Option<Self> {
        let args: serde_json::Value = serde_json::from_str(args).ok()?;
        Some(Self::new(args.get(0)?.as_str()?, args[1]["across"].as_str().map(str::to_owned)))
    }

    /// How it is kept for a run of the organisation. The platform's own are kept as they are.
    pub fn kept(&self, organisation: &str) -> String {
        let name = &self.name;
        match (&self.across, organisation) {
            (Some(verb), _) => format!("{ACROSS}{verb}{ACROSS}{name}"),
            (None, PLATFORM) => name.clone(),
            (None, _) => format!("{OWN}{organisation}{OWN}{name}"),
        }
    }

    /// The name of one that is kept so.
    pub fn shown(kept: &str) -> &str {
        let behind = |mark| kept.strip_prefix(mark).and_then(|rest| rest.split_once(mark)).map(|(_, name)| name);
        behind(OWN).or_else(|| behind(ACROSS)).unwrap_or(kept)
    }
}

impl From<&str> for LockName {
    fn from(name: &str) -> Self {
        Self::new(name, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_organisations_and_of_all_are_apart() {
        let (own, all) = (LockName::from("a.example"), LockName::new("a.example", Some("dns.write".into())));
        let kept = [own.kept(PLATFORM), own.kept("acme"), own.kept("beta"), all.kept("acme")];
        assert_eq!(
            kept,
            ["a.example", "\u{1f}acme\u{1f}a.example", "\u{1f}beta\u{1f}a.example", "\u{1e}dns.write\u{1e}a.example"]
        );
        assert_eq!(all.kept("acme"), all.kept(PLATFORM));
        assert!(kept.iter().all(|name| LockName::shown(name) == "a.example"));
    }
}
