//! What every registrar keeps: domains with name servers, DS records and glue, and keys that may do more or less.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// The key that may do everything.
pub const GOOD: &str = "sim-good-key";
/// One that may read and not change.
pub const READ_ONLY: &str = "sim-read-only-key";
/// One that is good from other addresses only.
pub const ELSEWHERE: &str = "sim-elsewhere-key";
/// One of an account that the interface isn't open to.
pub const INELIGIBLE: &str = "sim-ineligible-key";
/// The second half of credentials that have two.
pub const SECRET: &str = "sim-secret-half";
/// The user that they belong to.
pub const USER: &str = "ann";

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everything.
    Good,
    /// Read.
    ReadOnly,
    /// Nothing from here.
    Elsewhere,
    /// Nothing at all.
    Ineligible,
}

/// What this key may do; nobody knows another one.
pub fn standing(key: &str) -> Option<Standing> {
    match key {
        GOOD => Some(Standing::Good),
        READ_ONLY => Some(Standing::ReadOnly),
        ELSEWHERE => Some(Standing::Elsewhere),
        INELIGIBLE => Some(Standing::Ineligible),
        _ => None,
    }
}

/// A delegation signer record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ds {
    /// Of the key.
    pub key_tag: u16,
    /// Its algorithm.
    pub algorithm: u8,
    /// How the digest is made.
    pub digest_type: u8,
    /// In hexadecimal.
    pub digest: String,
}

/// A domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domain {
    /// Its name servers.
    pub nameservers: Vec<String>,
    /// What the parent knows of its keys.
    pub ds: Vec<Ds>,
    /// Addresses of hosts inside it.
    pub glue: BTreeMap<String, Vec<String>>,
    /// Whether its owner has closed it for the interface.
    pub closed: bool,
}

/// All domains of the account.
pub struct Book(Mutex<BTreeMap<String, Domain>>);

impl Default for Book {
    /// Three that can be changed, one of them with another script, and one that is closed.
    fn default() -> Self {
        let open = |name: &str| {
            let nameservers = vec!["dns1.registrar.example".to_owned(), "dns2.registrar.example".to_owned()];
            (name.to_owned(), Domain { nameservers, ..Domain::default() })
        };
        let mut all =
            BTreeMap::from(["ours.example", "ours.co.uk", "xn--mnchen-3ya.example", "closed.example"].map(open));
        if let Some(domain) = all.get_mut("closed.example") {
            domain.closed = true;
        }
        Self(Mutex::new(all))
    }
}

impl Book {
    /// Names of all domains.
    pub fn names(&self) -> Vec<String> {
        self.0.lock().keys().cloned().collect()
    }

    /// A domain as it is now.
    pub fn get(&self, name: &str) -> Option<Domain> {
        self.0.lock().get(&name.to_ascii_lowercase()).cloned()
    }

    /// Changes a domain that is there.
    pub fn change<T>(&self, name: &str, change: impl FnOnce(&mut Domain) -> T) -> Option<T> {
        self.0.lock().get_mut(&name.to_ascii_lowercase()).map(change)
    }

    /// Adds a domain, or takes one away: customers do.
    pub fn put(&self, name: &str, domain: Option<Domain>) {
        let mut all = self.0.lock();
        match domain {
            Some(domain) => all.insert(name.to_owned(), domain),
            None => all.remove(name),
        };
    }
}

/// Whether a list can be a domain's name servers, as registries see it: sent in the form that they keep.
pub fn are_servers(names: &[String]) -> bool {
    let fine = |name: &String| {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        name.contains('.') && !name.ends_with('.') && name.bytes().all(known)
    };
    (2..=13).contains(&names.len()) && names.iter().all(fine)
}
