//! What the lab logic asks of a network stack. Two have it: the kernel, and its twin in memory for rehearsals.

use std::{collections::BTreeSet, os::fd::BorrowedFd, time::Duration};

use super::{capture::PacketSource, fault::Fault, types::*};

/// A network stack. Calls block; none may be made on a tokio worker.
pub trait NetBackend: Send + Sync {
    /// Serialises the choice of free numbers, over all processes of this machine, until the guard is dropped.
    fn lock(&self) -> Result<Box<dyn Send>, Fault>;

    /// The names of all named namespaces.
    fn namespaces(&self) -> Result<Vec<String>, Fault>;

    /// Makes namespaces, each with this alias on its `lo`, which is up. One answer each.
    fn add_namespaces(&self, new: &[NewNamespace]) -> Vec<Result<(), Fault>>;

    /// Removes namespaces with everything in them. One answer each.
    fn remove_namespaces(&self, names: &[String]) -> Vec<Result<(), Fault>>;

    /// Gives a namespace that is there a name, with this alias on its `lo`, which is up.
    fn adopt_namespace(&self, new: &NewNamespace, netns: BorrowedFd<'_>) -> Result<(), Fault>;

    /// Whether this is the namespace that this process runs in.
    fn is_own_namespace(&self, netns: BorrowedFd<'_>) -> Result<bool, Fault>;

    /// Whether the name stands for this namespace.
    fn is_namespace(&self, name: &str, netns: BorrowedFd<'_>) -> Result<bool, Fault>;

    /// Whether a process runs in a named namespace.
    fn is_inhabited(&self, name: &str) -> Result<bool, Fault>;

    /// The links of several places, without their counters. One answer each.
    fn links(&self, places: &[Place]) -> Vec<Result<Vec<Link>, Fault>>;

    /// A link with its counters; `None` if there is none.
    fn link(&self, place: &Place, name: &str) -> Result<Option<Link>, Fault>;

    /// What namespaces are marked with: the alias of each one's `lo`. One answer each.
    fn aliases(&self, namespaces: &[String]) -> Vec<Result<Option<String>, Fault>>;

    /// Addresses of a place, but for those that the kernel makes itself (link-local, loopback).
    fn addresses(&self, place: &Place) -> Result<Vec<Address>, Fault>;

    /// Routes of a place's main table, but for those that the kernel makes itself.
    fn routes(&self, place: &Place) -> Result<Vec<Route>, Fault>;

    /// Queueing disciplines of a place, and what drops packets without one (kind `nft`).
    fn qdiscs(&self, place: &Place) -> Result<Vec<Qdisc>, Fault>;

    /// Whether packets are forwarded: IPv4, IPv6 (`None`: the kernel has none).
    fn forwarding(&self, place: &Place) -> Result<(bool, Option<bool>), Fault>;

    /// All of that, of several places. One answer each.
    fn survey(&self, places: &[Place]) -> Vec<Result<Survey, Fault>>;

    /// The same, but links and addresses only: what is looked at when something has changed.
    fn glance(&self, places: &[Place]) -> Vec<Result<Survey, Fault>> {
        self.survey(places)
    }

    /// Makes changes: in order within a batch, batches at the same time. A failed change doesn't stop those after it.
    /// One answer for each change.
    fn apply(&self, batches: &[Batch]) -> Vec<Vec<Result<(), Fault>>>;

    /// Listens to what passes a link; `None` from a stack on which nothing passes.
    fn packets(&self, _place: &Place, _link: &str, _snaplen: u32) -> Result<Option<Box<dyn PacketSource>>, Fault> {
        Ok(None)
    }

    /// Says which devices a machine has, to a stack that doesn't know one.
    fn assume_devices(&self, _names: &[String]) {}

    /// What this stack can do, found out by trying it in a scratch namespace.
    fn capabilities(&self) -> Result<Vec<Capability>, Fault>;

    /// Says that a lab is changed by us, until the guard is dropped.
    fn busy(&self, _lab: &str) -> Box<dyn Send> {
        Box::new(())
    }

    /// The labs that were changed by us since this process began, by their keys: whether one is now, and how often one was.
    fn activity(&self) -> Vec<(String, bool, u64)> {
        Vec::new()
    }

    /// Begins to listen: whatever changes on the host after this call is heard.
    fn listen(&self) -> Result<Box<dyn ChangeWatch>, Fault>;

    /// Begins to watch a place's links: whatever changes after this call is seen.
    fn watch(&self, place: &Place) -> Result<Box<dyn LinkWatch>, Fault>;
}

/// A subscription to changes of links.
pub trait LinkWatch {
    /// Waits until some link changes, or for this long; says whether one did (or may have: a lost event counts).
    fn changed(&mut self, longest: Duration) -> Result<bool, Fault>;
}

/// Hears in which places links and addresses change.
pub trait ChangeWatch {
    /// Listens to these places from now on, besides the host.
    fn follow(&mut self, places: &[Place]) -> Result<(), Fault>;

    /// Waits for a change, or for this long.
    fn heard(&mut self, longest: Duration) -> Result<Heard, Fault>;
}

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing.
    Nothing,
    /// Something changed in these places.
    Places(BTreeSet<Place>),
    /// More happened than could be told: everything has to be looked at.
    Lost,
}
