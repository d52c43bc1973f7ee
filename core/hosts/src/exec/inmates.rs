//! Whom programs in jails run as. The kernel counts processes by user: each organisation has one of its own, so that what its programs
//! take is nobody else's. Whoever makes organisations refuses a name whose user another one has.

use nix::unistd::{Gid, Uid, User};
use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem, inmate};

/// Who all share where organisations have no users of their own.
const SHARED: &str = "nobody";
/// Below are root, the machine's services and people who log in.
const FIRST: u32 = 65_536;

/// A range of user ids that belong to nobody on this machine. They need no entry in /etc/passwd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first of them.
    pub first: u32,
    /// How many; 0: all organisations share the user `nobody`.
    pub count: u32,
}

impl Default for Range {
    /// Beyond what systemd and containers take for themselves.
    fn default() -> Self {
        Self { first: 1_900_000_000, count: inmate::COUNT }
    }
}

/// A user, and the group of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inhabitant {
    /// The user.
    pub uid: Uid,
    /// The group.
    pub gid: Gid,
}

impl From<&User> for Inhabitant {
    fn from(user: &User) -> Self {
        Self { uid: user.uid, gid: user.gid }
    }
}

impl Range {
    /// Refuses a range that other users are in.
    pub fn check(&self) -> Result<(), Problem> {
        let last = self.first.checked_add(self.count).filter(|last| *last < u32::MAX - 1);
        if self.count > 0 && (self.first < FIRST || last.is_none()) {
            let message = format!("hosts.exec.uid_first and uid_count: ids are from {FIRST} to {}", u32::MAX - 2);
            return Err(Problem::new(Code::Configuration, message)
                .help("leave both out, or name a range that no user of this machine is in"));
        }
        Ok(())
    }

    /// Whom the programs of an organisation run as, always the same. Where this process can't give such an id away (a container that
    /// has few of them), it is `nobody`.
    pub fn of(&self, organisation: &str) -> Result<Inhabitant, Problem> {
        if let Some(id) = self.id(organisation)
            && ["uid_map", "gid_map"].iter().all(|map| is_mapped(map, id))
        {
            return Ok(Inhabitant { uid: Uid::from_raw(id), gid: Gid::from_raw(id) });
        }
        let shared = User::from_name(SHARED).ok().flatten().ok_or_else(|| {
            let message = format!("there is no user `{SHARED}` on this machine, whom programs in a namespace run as");
            Problem::new(Code::Unsupported, message).help("an administrator adds one who owns nothing").no_effect()
        })?;
        Ok(Inhabitant::from(&shared))
    }

    fn id(&self, organisation: &str) -> Option<u32> {
        self.first.checked_add(inmate::place(blake3::hash(organisation.as_bytes()).as_bytes(), self.count)?)
    }
}

/// Whether this process's user namespace has the id.
fn is_mapped(map: &str, id: u32) -> bool {
    let Ok(map) = std::fs::read_to_string(format!("/proc/self/{map}")) else { return false };
    has(&map, id)
}

fn has(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(_)), Some(Ok(count))) = (numbers.next(), numbers.next(), numbers.next()) else {
            return false;
        };
        (first..first.saturating_add(count)).contains(&u64::from(id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organisations_have_users_of_their_own_that_stay_theirs() {
        let range = Range::default();
        let ids: std::collections::BTreeSet<u32> =
            (0..200).filter_map(|number| range.id(&format!("customer-{number}"))).collect();
        assert_eq!(ids.len(), 200);
        assert!(ids.iter().all(|id| (1_900_000_000..1_900_000_000 + (1 << 24)).contains(id)), "{ids:?}");
        assert_eq!(range.id("acme"), range.id("acme"));
        assert_eq!(Range { count: 0, ..range }.id("acme"), None);
        assert_eq!(Range { first: 100_000, count: 1 }.id("acme"), Some(100_000));
    }

    #[test]
    fn ranges_that_others_are_in_are_refused() {
        for (first, count, good) in
            [(1_900_000_000, 1 << 24, true), (0, 0, true), (1000, 10, false), (0, 1, false), (u32::MAX - 10, 20, false)]
        {
            assert_eq!(Range { first, count }.check().is_ok(), good, "{first} {count}");
        }
    }

    #[test]
    fn ids_are_looked_for_in_the_namespace_s_map() {
        assert!(has("         0          0 4294967295\n", 1_900_000_000));
        assert!(!has("0 100000 65536\n", 1_900_000_000) && has("0 1000 1\n1 100000 65536\n", 65_536));
    }
}
