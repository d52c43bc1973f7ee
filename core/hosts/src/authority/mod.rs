//! Authoritative name servers, for the modules that write to them: what such a server can do (a trait), PowerDNS as the
//! first one, one in memory for rehearsals, and the rules that hold for all: names, marks of ownership, one write at a time,
//! what is kept for an undo, and how much may change at once.

mod change;
mod config;
mod contents;
mod create;
mod delegate;
mod kept;
mod keys;
mod memory;
mod names;
mod plan;
mod powerdns;
mod rrset;
mod server;
mod servers;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, future::Future, pin::Pin};

use windlass_model::Problem;

pub use change::Changed;
pub use config::{Config, Serialise, ServerConfig};
pub use create::{Created, NewZone};
pub use delegate::Delegation;
pub use names::{below, name, within};
pub use plan::{Plan, Update, plan};
pub use rrset::{Change, Rrset, ZoneHead, ZoneKey};
pub use server::{Hand, Server};
pub use servers::{Servers, Shared};

/// What a server answers in its own time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

/// An authoritative name server that can be told what to serve. Names are in ASCII, lower-case, without the last dot.
/// Nothing here looks at marks of ownership: that is `Server`'s.
pub trait Authoritative: Send + Sync {
    /// All zones.
    fn zones(&self) -> Answer<'_, Vec<ZoneHead>>;

    /// A zone without its rrsets, if it is there.
    fn zone<'a>(&'a self, zone: &'a str) -> Answer<'a, Option<ZoneHead>>;

    /// Rrsets of a zone, or of one name in it. `NotFound` without the zone.
    fn rrsets<'a>(&'a self, zone: &'a str, name: Option<&'a str>) -> Answer<'a, Vec<Rrset>>;

    /// Makes a zone. `Conflict` if one of that name is there.
    fn create<'a>(&'a self, zone: &'a NewZone) -> Answer<'a, ()>;

    /// Removes a zone with everything in it. Whether it was there.
    fn delete<'a>(&'a self, zone: &'a str) -> Answer<'a, bool>;

    /// Applies all of these changes, or none.
    fn change<'a>(&'a self, zone: &'a str, changes: &'a [Change]) -> Answer<'a, ()>;

    /// Sets the mark that a zone was made with.
    fn set_account<'a>(&'a self, zone: &'a str, account: &'a str) -> Answer<'a, ()>;

    /// What is noted about a zone beside its records.
    fn metadata<'a>(&'a self, zone: &'a str) -> Answer<'a, BTreeMap<String, Vec<String>>>;

    /// Notes something about a zone; no values remove the note.
    fn set_metadata<'a>(&'a self, zone: &'a str, kind: &'a str, values: &'a [String]) -> Answer<'a, ()>;

    /// Signs a zone, or stops signing it and forgets its keys.
    fn sign<'a>(&'a self, zone: &'a str, signed: bool) -> Answer<'a, ()>;

    /// The keys that sign a zone.
    fn keys<'a>(&'a self, zone: &'a str) -> Answer<'a, Vec<ZoneKey>>;

    /// Makes a key beside those that are there; it is published, and signs only if `active`.
    fn add_key<'a>(&'a self, zone: &'a str, active: bool) -> Answer<'a, ZoneKey>;

    /// Lets a key sign, or not.
    fn set_key<'a>(&'a self, zone: &'a str, id: i64, active: bool) -> Answer<'a, ()>;

    /// Forgets a key. Whether it was there.
    fn remove_key<'a>(&'a self, zone: &'a str, id: i64) -> Answer<'a, bool>;

    /// The zone as the text of a zone file.
    fn export<'a>(&'a self, zone: &'a str) -> Answer<'a, String>;
}
