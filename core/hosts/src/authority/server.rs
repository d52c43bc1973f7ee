//! One configured server: its marks of ownership, and one write at a time.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;
use windlass_model::{Code, Problem};

use super::{Authoritative, Rrset, Serialise, ServerConfig, ZoneHead};
use crate::owner::{self, Organisations, PLATFORM};

/// Metadata of a zone that says whose it is; for zones that we didn't make.
pub(super) const OWNER: &str = "X-OWNER";
/// Metadata of a zone that says which organisation's it is. Without it, it is the platform's.
pub(super) const ORGANISATION: &str = "X-ORGANISATION";

/// Metadata of a zone that says which run has made it, so that another one knows whether it may go on with it.
pub(super) const MAKER: &str = "X-MAKER";

/// A server that is written to.
pub struct Server {
    /// Its name in the configuration.
    pub name: String,
    /// What it can do.
    pub backend: Arc<dyn Authoritative>,
    /// How it was described.
    pub config: ServerConfig,
    /// Domains below which names are given out by the pool, and by nobody else.
    pub(super) pools: Mutex<BTreeSet<String>>,
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// Who writes, and how far they may go.
pub struct Hand {
    /// `run/step`: what a zone that is made carries, and what is kept for an undo is found by. `None`: nothing is kept.
    pub key: Option<String>,
    /// Whether what isn't ours, and a zone's own name servers, may be changed too.
    pub force: bool,
    /// The organisation of the run: other ones' zones are left alone.
    pub organisation: String,
    /// Whether the pool writes, which alone makes zones below its domains.
    pub pool: bool,
    /// Tells what has become of other runs: what they have left, a step takes over. `None`: nothing is taken over.
    pub runs: Option<Arc<dyn Organisations>>,
    /// Whether the run is still this process's; asked right before a write.
    pub holds: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Hand {
    /// Of the platform itself: no undo, nothing forced.
    pub fn of_platform() -> Self {
        Self {
            key: None,
            force: false,
            organisation: PLATFORM.into(),
            pool: false,
            runs: None,
            holds: Box::new(|| true),
        }
    }

    /// Whether it is one of the platform, which may change what others have made.
    pub fn is_platform(&self) -> bool {
        self.organisation == PLATFORM
    }

    /// Refuses when another process may go on with the run by now.
    pub fn check(&self) -> Result<(), Problem> {
        match (self.holds)() {
            true => Ok(()),
            false => Err(Problem::new(Code::LeaseLost, "another process may go on with the run by now").no_effect()),
        }
    }
}

impl Server {
    /// Of this backend.
    pub fn new(name: &str, config: ServerConfig, backend: Arc<dyn Authoritative>) -> Self {
        Self { name: name.to_owned(), backend, config, pools: Mutex::default(), turns: Mutex::default() }
    }

    /// Waits until no other write of this process is under way where this one goes.
    pub(super) async fn turn(&self, zone: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let place = match self.config.serialise {
            Serialise::Server => "",
            Serialise::Zone => zone,
        };
        let lock = {
            let mut turns = self.turns.lock();
            // Nobody waits for a lock that only this table holds.
            if turns.len() > 1_000 {
                turns.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            turns.entry(place.to_owned()).or_default().clone()
        };
        lock.lock_owned().await
    }

    /// What a zone that is made under this key carries.
    pub(super) fn mark(&self, key: &str) -> String {
        format!("{}:{}", self.config.owner, &blake3::hash(key.as_bytes()).to_hex()[..16])
    }

    /// Whether the whole zone is ours.
    pub async fn owns(&self, head: &ZoneHead) -> Result<bool, Problem> {
        let owner = self.config.owner.as_str();
        if head.account == owner || head.account.strip_prefix(owner).is_some_and(|rest| rest.starts_with(':')) {
            return Ok(true);
        }
        let metadata = self.backend.metadata(&head.name).await?;
        Ok(metadata.get(OWNER).is_some_and(|owners| owners.iter().any(|one| one == owner)))
    }

    /// The organisation that a zone is marked with.
    pub async fn organisation(&self, zone: &str) -> Result<String, Problem> {
        let marks = self.backend.metadata(zone).await?.remove(ORGANISATION).unwrap_or_default();
        Ok(marks.into_iter().next().unwrap_or_else(|| PLATFORM.to_owned()))
    }

    /// Refuses a zone of another organisation, to all but the platform. To force helps nobody: a grant is a workflow's, and
    /// several organisations launch that.
    pub(super) async fn admit_organisation(&self, head: &ZoneHead, hand: &Hand) -> Result<(), Problem> {
        if hand.is_platform() || (self.owns(head).await? && self.organisation(&head.name).await? == hand.organisation) {
            return Ok(());
        }
        Err(owner::refused(&format!("the zone {}", head.name), &hand.organisation))
    }

    /// Says which organisation's a zone is.
    pub(super) async fn assign_in_turn(&self, zone: &str, organisation: &str) -> Result<(), Problem> {
        let marks: Vec<String> =
            Some(organisation).filter(|one| *one != PLATFORM).map(str::to_owned).into_iter().collect();
        self.backend.set_metadata(zone, ORGANISATION, &marks).await
    }

    /// Gives a zone of ours to an organisation; only the platform may.
    pub async fn assign(&self, zone: &str, organisation: &str, hand: &Hand) -> Result<(), Problem> {
        let _turn = self.turn(zone).await;
        let head = self.head(zone).await?;
        if !hand.is_platform() {
            return Err(owner::refused(&format!("the zone {zone}, which would be given away,"), &hand.organisation));
        }
        if !self.owns(&head).await? {
            return Err(Problem::new(Code::Conflict, format!("the zone {zone} isn't ours to give away"))
                .help("`dns::claim` takes it over")
                .no_effect());
        }
        hand.check()?;
        self.assign_in_turn(zone, organisation).await
    }

    /// Whether the rrset carries our mark.
    pub fn marked(&self, rrset: &Rrset) -> bool {
        rrset.owner.as_deref() == Some(&self.config.owner)
    }

    /// Marks a zone that is there as ours, unless it is; the mark tells by which step, too.
    pub async fn claim(&self, zone: &str, hand: &Hand) -> Result<(), Problem> {
        let _turn = self.turn(zone).await;
        let head = self.head(zone).await?;
        self.admit_organisation(&head, hand).await?;
        if self.owns(&head).await? {
            return Ok(());
        }
        hand.check()?;
        let step = hand.key.as_ref().map(|key| self.mark(key));
        let owners: Vec<String> = [self.config.owner.clone()].into_iter().chain(step).collect();
        self.backend.set_metadata(zone, OWNER, &owners).await
    }

    /// Takes that mark away again; the one of this step only, if it is an undo. Whether it was there.
    pub async fn disclaim(&self, zone: &str, of: Option<&str>, hand: &Hand) -> Result<bool, Problem> {
        let _turn = self.turn(zone).await;
        let Some(head) = self.backend.zone(zone).await? else { return Ok(false) };
        if of.is_none() {
            self.admit_organisation(&head, hand).await?;
        }
        let owners = self.backend.metadata(zone).await?.remove(OWNER).unwrap_or_default();
        let wanted = of.map_or_else(|| self.config.owner.clone(), |key| self.mark(key));
        if !owners.contains(&wanted) {
            return Ok(false);
        }
        hand.check()?;
        self.backend.set_metadata(zone, OWNER, &[]).await?;
        Ok(true)
    }

    /// A zone that has to be there.
    pub async fn head(&self, zone: &str) -> Result<ZoneHead, Problem> {
        self.backend.zone(zone).await?.ok_or_else(|| super::powerdns::no_zone(&self.name, zone))
    }
}
