//! Ownership marks: what stands in a device's alias, and in that of `lo` for a namespace. A name alone proves nothing.

use crate::lab_names::blake2b_4;

/// Whose a device is, what the lab calls it, and which step made it: `windlass:1a2b3c4d:demo:r1:01j…/12`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

    /// What the marks of everything in its lab begin with.
    pub fn prefix(&self) -> String {
        format!("windlass:{}:{}:", self.instance, self.lab)
    }

    /// The run that made it.
    pub fn run(&self) -> &str {
        run_of(&self.key)
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}:{}", self.prefix(), self.name, self.key)?;
        self.note.iter().try_for_each(|note| write!(f, " {note}"))
    }
}

/// What the kernel's altnames of our links begin with.
const ALTNAME: &str = "windlass-";
/// Longer steps (branches in branches) are told apart by a digest.
const STEP_CHARS: usize = 48;

/// A further name for a link of the host, by which people and tools find what a step has made:
/// `windlass-1a2b-01j…-7.b1.3-n1` for the bridge `nove1a2bn1` of step `7/b1/3`. At most 127 characters, and no other
/// link's as long as the kernel name is no other link's.
pub fn altname(key: &str, hash: &str, kernel: &str) -> String {
    let (run, step) = key.split_once('/').unwrap_or((key, ""));
    let step = if step.len() > STEP_CHARS { hex::encode(blake2b_4(step)) } else { step.replace('/', ".") };
    let number = kernel.split_once(hash).map_or(kernel, |(_, number)| number);
    format!("{ALTNAME}{hash}-{run}-{step}-{number}")
}

/// The altname that we gave a link, among those that it has.
pub fn our_altname(altnames: &[String]) -> Option<&str> {
    altnames.iter().map(String::as_str).find(|name| name.starts_with(ALTNAME))
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
        let key = "01jd7y00000000000000000000/7/b1/3";
        let name = altname(key, "d1d2", "noved1d2n12");
        assert_eq!(name, "windlass-d1d2-01jd7y00000000000000000000-7.b1.3-n12");
        let deep = format!("01jd7y00000000000000000000{}/3", "/7/b1".repeat(40));
        let long = altname(&deep, "dddd", "nveddddd999i999");
        assert!(long.len() < 128 && long.ends_with("-d999i999"), "{long}");
        assert_eq!(our_altname(&["eth7".into(), name.clone()]), Some(name.as_str()));
        assert_eq!(short_instance("3f2a9c1e-7b6d-4f0a-9e51-0c8d2b4a6f77"), "8322796b");
    }
}
