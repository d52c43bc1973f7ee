//! Ownership marks: what stands in a device's alias, and in that of `lo` for a namespace. A name alone proves nothing.

use crate::lab_names::blake2b_4;

/// Whose a device is, what the lab calls it, and which step made it: `windlass:1a2b3c4d:demo:r1:01j…/12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Eight hex digits of the instance id's digest.
    pub instance: String,
    /// The lab.
    pub lab: String,
    /// What the lab calls it: `r1`, `lan1`, `r1:eth0`.
    pub name: String,
    /// `run/step`.
    pub key: String,
    /// What a person wrote about it.
    pub note: Option<String>,
}

impl Mark {
    /// Reads an alias; `None` if it isn't a mark.
    pub fn parse(alias: &str) -> Option<Self> {
        let (mark, note) = match alias.split_once(' ') {
            Some((mark, note)) => (mark, Some(note.to_owned())),
            None => (alias, None),
        };
        let (instance, rest) = mark.strip_prefix("windlass:")?.split_once(':')?;
        let (lab, rest) = rest.split_once(':')?;
        // Names of links have a colon of their own; keys have none.
        let (name, key) = rest.rsplit_once(':')?;
        Some(Self { instance: instance.into(), lab: lab.into(), name: name.into(), key: key.into(), note })
    }

    /// The run that made it.
    pub fn run(&self) -> &str {
        run_of(&self.key)
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "windlass:{}:{}:{}:{}", self.instance, self.lab, self.name, self.key)?;
        self.note.iter().try_for_each(|note| write!(f, " {note}"))
    }
}

/// The run of a key `run/step`.
pub fn run_of(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}

/// The instance id as it stands in marks.
pub fn short_instance(instance: &str) -> String {
    hex::encode(blake2b_4(instance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_survive_a_round_trip() {
        let text = "windlass:8322796b:demo:r1:eth0:01jd7y/7/b1/3";
        let mark = Mark::parse(text).unwrap();
        assert_eq!((mark.lab.as_str(), mark.name.as_str(), mark.run()), ("demo", "r1:eth0", "01jd7y"));
        assert_eq!(mark.to_string(), text);
        let noted = Mark::parse("windlass:8322796b:demo:lan1:r/1 to the roof").unwrap();
        assert_eq!(noted.note.as_deref(), Some("to the roof"));
        assert_eq!(Mark::parse("eth0 of the office"), None);
        assert_eq!(short_instance("3f2a9c1e-7b6d-4f0a-9e51-0c8d2b4a6f77"), "8322796b");
    }
}
