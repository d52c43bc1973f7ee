//! Which lab a script means: one of its run's organisation. Two organisations may each have a lab `demo`, and neither sees the other's.

use windlass_model::Problem;
use windlass_script::host::OpCx;

use crate::{
    lab_names::{LabNames, check_name},
    owner::{Organisations, PLATFORM},
};

/// A lab of an organisation, on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabId {
    /// Whose it is.
    pub organisation: String,
    /// What its organisation calls it.
    pub name: String,
    /// What it is called where organisations are told apart: in marks, labels, folders and names of the kernel's. The platform's labs
    /// are called by their names alone.
    pub key: String,
}

impl LabId {
    /// The lab `name` of the organisation of the run that calls.
    pub fn of(organisations: &dyn Organisations, cx: &OpCx, name: &str) -> Result<Self, Problem> {
        check_name("lab", name)?;
        Ok(Self::new(&organisations.of(&cx.run)?, name))
    }

    /// The lab `name` of this organisation. Both are checked names.
    pub fn new(organisation: &str, name: &str) -> Self {
        let key = match organisation {
            PLATFORM => name.to_owned(),
            _ => format!("{organisation}/{name}"),
        };
        Self { organisation: organisation.to_owned(), name: name.to_owned(), key }
    }

    /// Reads a key; `None` if it isn't one.
    pub fn parse(key: &str) -> Option<Self> {
        let (organisation, name) = key.split_once('/').unwrap_or((PLATFORM, key));
        let is_name = |name: &str| check_name("lab", name).is_ok();
        (is_name(organisation) && is_name(name)).then(|| Self::new(organisation, name))
    }

    /// Its names in the kernel of the machine with this instance id.
    pub fn names(&self, instance: &str) -> LabNames {
        LabNames::new(instance, &self.key)
    }
}

/// What a lab has on this machine by the account of one module.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Holding {
    /// Its nodes.
    pub nodes: std::collections::BTreeSet<String>,
    /// Processors that they may take.
    pub cpus: f64,
    /// MiB of memory that they may take.
    pub memory_mb: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labs_of_two_organisations_differ_in_everything_but_their_name() {
        let (own, acme) = (LabId::new(PLATFORM, "demo"), LabId::new("acme", "demo"));
        assert_eq!((own.key.as_str(), acme.key.as_str()), ("demo", "acme/demo"));
        assert_ne!(own.names("i").group(), acme.names("i").group());
        for id in [own, acme] {
            assert_eq!(LabId::parse(&id.key), Some(id));
        }
        for key in ["", "/", "a/", "/a", "a/b/c", "a b"] {
            assert_eq!(LabId::parse(key), None, "{key}");
        }
        // Who writes the platform's name in front means the same lab.
        assert_eq!(LabId::parse("platform/demo"), Some(LabId::new(PLATFORM, "demo")));
    }
}
