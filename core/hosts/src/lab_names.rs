//! Names of a lab's devices in the kernel: short enough for it, the same on every start, and parsed by fixed widths.

use blake2::{
    Blake2b, Digest,
    digest::consts::{U2, U4, U6},
};
use windlass_model::{Code, Problem};

/// Longest name of a lab or node, in characters.
pub const NAME_CHARS: usize = 48;
/// Highest number of a network (bridge) in a lab.
pub const NETWORK_MAX: u32 = 99_999;
/// Highest number of a node in a lab.
pub const NODE_MAX: u32 = 9_999;

/// Names that a lab can have in the kernel, of which it takes the first set that no other lab has. With ten thousand labs on one machine,
/// all of a lab's are taken once in 10¹³.
const CANDIDATES: u32 = 16;

/// The kernel names of one lab on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabNames {
    hash: String,
    group: u32,
    /// The machine and the lab, whichever hash the lab has.
    owner: String,
}

/// What a kernel name says about its device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// `nove{hash}n{network}`.
    Bridge {
        /// Of the lab.
        hash: String,
        /// The network's number.
        network: u32,
    },
    /// `nove{hash}v{number}`.
    Vxlan {
        /// Of the lab.
        hash: String,
        /// The VXLAN's number.
        number: u32,
    },
    /// `nve{hash}d{node}i{interface}`.
    Interface {
        /// Of the lab.
        hash: String,
        /// The node's number.
        node: u32,
        /// The interface's number.
        interface: u32,
    },
    /// `nve{hash}d{node}-{name}`.
    Namespace {
        /// Of the lab.
        hash: String,
        /// The node's number.
        node: u32,
        /// The node's name.
        name: String,
    },
}

impl LabNames {
    /// The names of `lab` on the machine with this instance id.
    pub fn new(instance: &str, lab: &str) -> Self {
        Self::candidate(instance, lab, 0)
    }

    /// Further names that the lab can have where another one has the first already.
    pub fn candidate(instance: &str, lab: &str, number: u32) -> Self {
        let owner = format!("{instance}:{lab}");
        // A lab's name has no `#`.
        let identity = if number == 0 { owner.clone() } else { format!("{owner}#{number}") };
        let number = u32::from_be_bytes(blake2b_4(&identity));
        // Group 0 is every link's default, and the highest bit makes a negative number of it for some tools.
        Self { hash: hex::encode(Blake2b::<U2>::digest(&identity)), group: (number & 0x7fff_ffff).max(1), owner }
    }

    /// All names that the lab can have, in the order in which they are tried.
    pub fn candidates(instance: &str, lab: &str) -> impl Iterator<Item = Self> {
        (0..CANDIDATES).map(move |number| Self::candidate(instance, lab, number))
    }

    /// Four hex digits that stand in every name. Labs may share them: marks tell whose a device is.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The link group of the lab's devices, from 1 to 2³¹−1.
    pub fn group(&self) -> u32 {
        self.group
    }

    /// What the lab's bridges begin with.
    pub fn bridge_prefix(&self) -> String {
        format!("nove{}n", self.hash)
    }

    /// What the lab's VXLANs begin with.
    pub fn vxlan_prefix(&self) -> String {
        format!("nove{}v", self.hash)
    }

    /// The hardware address of what the lab calls so, `r1:eth0`: the same whenever it is made anew. Locally administered, of one device.
    pub fn mac(&self, name: &str) -> [u8; 6] {
        let mut mac: [u8; 6] = Blake2b::<U6>::digest(format!("{}:{name}", self.owner)).into();
        mac[0] = mac[0] & 0xfc | 0x02;
        mac
    }

    /// What the lab's veths, taps and namespaces begin with.
    pub fn node_prefix(&self) -> String {
        format!("nve{}d", self.hash)
    }

    /// A bridge's name, at most 14 characters.
    pub fn bridge(&self, network: u32) -> Result<String, Problem> {
        if network > NETWORK_MAX {
            return Err(too_many("networks", NETWORK_MAX));
        }
        Ok(format!("{}{network}", self.bridge_prefix()))
    }

    /// A VXLAN's name, at most 14 characters.
    pub fn vxlan(&self, number: u32) -> Result<String, Problem> {
        if number > NETWORK_MAX {
            return Err(too_many("VXLANs", NETWORK_MAX));
        }
        Ok(format!("{}{number}", self.vxlan_prefix()))
    }

    /// A veth's or tap's name on the host, at most 15 characters.
    pub fn interface(&self, node: u32, interface: u32) -> Result<String, Problem> {
        let name = format!("{}{node}i{interface}", self.node_prefix());
        // The kernel takes 15: seven digits for both numbers less one letter.
        if name.len() > 15 {
            return Err(too_many("nodes and interfaces (their numbers share six digits)", NODE_MAX));
        }
        Ok(name)
    }

    /// A namespace's name, at most 61 characters.
    pub fn namespace(&self, node: u32, name: &str) -> Result<String, Problem> {
        if node > NODE_MAX {
            return Err(too_many("nodes", NODE_MAX));
        }
        Ok(format!("{}{node}-{name}", self.node_prefix()))
    }
}

/// Reads a kernel name; `None` if it isn't one of a lab's.
pub fn parse(name: &str) -> Option<Parsed> {
    if let Some(rest) = name.strip_prefix("nove") {
        let (hash, rest) = hash_and_rest(rest)?;
        return match rest.split_at_checked(1)? {
            ("n", digits) => Some(Parsed::Bridge { hash, network: number(digits)? }),
            ("v", digits) => Some(Parsed::Vxlan { hash, number: number(digits)? }),
            _ => None,
        };
    }
    let (hash, rest) = hash_and_rest(name.strip_prefix("nve")?)?;
    let rest = rest.strip_prefix('d')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (node, rest) = (number(&rest[..digits])?, &rest[digits..]);
    if let Some(name) = rest.strip_prefix('-') {
        return check_name("node", name).is_ok().then(|| Parsed::Namespace { hash, node, name: name.to_owned() });
    }
    Some(Parsed::Interface { hash, node, interface: number(rest.strip_prefix('i')?)? })
}

/// Refuses names that can't stand in marks, paths and namespaces.
pub fn check_name(what: &str, name: &str) -> Result<(), Problem> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && name.len() <= NAME_CHARS && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(Problem::new(Code::InvalidArgument, format!("`{name}` can't be the name of a {what}"))
        .help(format!(
            "use 1 to {NAME_CHARS} letters, digits, dots, underscores and hyphens; begin with a letter or digit"
        ))
        .no_effect())
}

/// Four bytes of BLAKE2b, which aren't the first four of a longer digest.
pub(crate) fn blake2b_4(text: &str) -> [u8; 4] {
    Blake2b::<U4>::digest(text).into()
}

fn hash_and_rest(text: &str) -> Option<(String, &str)> {
    let (hash, rest) = text.split_at_checked(4)?;
    let is_hex = hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    is_hex.then(|| (hash.to_owned(), rest))
}

fn number(digits: &str) -> Option<u32> {
    let canonical = digits.len() == 1 || !digits.starts_with('0');
    (canonical && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn too_many(what: &str, limit: u32) -> Problem {
    Problem::new(Code::LimitExceeded, format!("a lab can't have that many {what}: the highest number is {limit}"))
        .no_effect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANCE: &str = "3f2a9c1e-7b6d-4f0a-9e51-0c8d2b4a6f77";

    #[test]
    fn the_hash_is_that_of_python_hashlib() {
        // hashlib.blake2b(b"<instance>:<lab>", digest_size=2).hexdigest()
        assert_eq!(LabNames::new(INSTANCE, "demo").hash(), "9958");
        assert_eq!(LabNames::new("a", "b").hash(), "26d2");
        assert_eq!(LabNames::new(INSTANCE, "Lab_1.x").hash(), "e154");
        // digest_size=4
        assert_eq!(LabNames::new(INSTANCE, "demo").group(), 0x3ab4_a23d);
    }

    #[test]
    fn names_fit_the_kernel_and_are_read_back() {
        let names = LabNames::new(INSTANCE, "demo");
        for (node, interface) in [(1, 0), (100, 10), (999, 999), (9_999, 99), (9, 99_999)] {
            let name = names.interface(node, interface).unwrap();
            assert!(name.len() <= 15, "{name}");
            assert_eq!(parse(&name), Some(Parsed::Interface { hash: "9958".into(), node, interface }));
        }
        let bridge = names.bridge(NETWORK_MAX).unwrap();
        assert_eq!(bridge.len(), 14);
        assert_eq!(parse(&bridge), Some(Parsed::Bridge { hash: "9958".into(), network: NETWORK_MAX }));
        let vxlan = names.vxlan(7).unwrap();
        assert_eq!(parse(&vxlan), Some(Parsed::Vxlan { hash: "9958".into(), number: 7 }));
        let longest = names.namespace(NODE_MAX, &"n".repeat(NAME_CHARS)).unwrap();
        assert!(longest.len() <= 64);
        assert!(names.interface(9_999, 100).is_err() && names.bridge(100_000).is_err());
    }

    #[test]
    fn a_hardware_address_follows_from_the_name() {
        let names = LabNames::new(INSTANCE, "demo");
        let mac = names.mac("r1:eth0");
        assert_eq!((mac[0] & 0b11, names.mac("r1:eth0")), (0b10, mac));
        assert_eq!(LabNames::candidate(INSTANCE, "demo", 3).mac("r1:eth0"), mac, "a lab that had to move keeps them");
        for other in [
            names.mac("r1:eth1"),
            LabNames::new(INSTANCE, "other").mac("r1:eth0"),
            LabNames::new("b", "demo").mac("r1:eth0"),
        ] {
            assert_ne!(other, mac);
        }
    }

    #[test]
    fn a_hash_with_a_d_in_it_is_read_whole() {
        let parsed = parse("nved1d2d13i4");
        assert_eq!(parsed, Some(Parsed::Interface { hash: "d1d2".into(), node: 13, interface: 4 }));
        let parsed = parse("nveddddd7-d1i2");
        assert_eq!(parsed, Some(Parsed::Namespace { hash: "dddd".into(), node: 7, name: "d1i2".into() }));
    }

    #[test]
    fn other_names_are_not_ours() {
        for name in [
            "eth0",
            "nve",
            "nve9958",
            "nve9958d",
            "nve9958d1",
            "nve9958d1i",
            "nve9958d01i0",
            "nove9958n",
            "nove995gn1",
            "nove9958n1x",
            "nove9958v",
            "nove9958w1",
            "nve9958di1",
            "nve9958d1-",
            "nvé9958d1i0",
            "NVE9958d1i0",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
