//! Changes to rrsets: all or none, and never to what isn't ours.

use serde::Serialize;
use windlass_model::{Code, Problem};

use super::{Change, Hand, Rrset, Server, kept};
use crate::support::invalid;

/// Changes of one call at most.
const MOST: usize = 10_000;

/// Up to so many names are read one by one; more are read with the whole zone.
const ONE_BY_ONE: usize = 4;

/// What a call has changed.
#[derive(Debug, Default, Serialize)]
pub struct Changed {
    /// Rrsets that weren't there before.
    pub created: usize,
    /// Rrsets that are others now.
    pub updated: usize,
    /// Rrsets that are gone.
    pub deleted: usize,
    /// Rrsets that were so already.
    pub unchanged: usize,
}

impl Server {
    /// Applies these changes, all or none. What is so already isn't written again, so that a repetition gives no new serial.
    pub async fn change(&self, zone: &str, changes: Vec<Change>, hand: &Hand) -> Result<Changed, Problem> {
        if changes.len() > MOST {
            return Err(Problem::new(Code::LimitExceeded, format!("a call changes at most {MOST} rrsets")).no_effect());
        }
        for (index, change) in changes.iter().enumerate() {
            let twice = |other: &Change| (other.name(), other.kind()) == (change.name(), change.kind());
            if changes[..index].iter().any(twice) {
                return Err(invalid(format!(
                    "{} {} stands there twice: put all its records into one rrset",
                    change.name(),
                    change.kind()
                )));
            }
        }
        let _turn = self.turn(zone).await;
        self.change_in_turn(zone, changes, hand).await
    }

    /// The same for those who have the turn.
    pub(super) async fn change_in_turn(
        &self,
        zone: &str,
        changes: Vec<Change>,
        hand: &Hand,
    ) -> Result<Changed, Problem> {
        let head = self.head(zone).await?;
        self.admit_organisation(&head, hand).await?;
        let ours = self.owns(&head).await?;
        let present = self.present(zone, &changes).await?;
        let mut changed = Changed::default();
        let (mut needed, mut same) = (Vec::new(), Vec::new());
        for change in changes {
            let there = present.iter().find(|one| one.name == change.name() && one.kind == change.kind());
            match (&change, there) {
                (Change::Replace(new), Some(old)) if new.same(old) && (ours || self.marked(old)) => {
                    changed.unchanged += 1;
                    same.push(change);
                }
                (Change::Delete { .. }, None) => {
                    changed.unchanged += 1;
                    same.push(change);
                }
                (change, there) => {
                    self.admit(zone, ours, change, there, hand)?;
                    match (change, there) {
                        (Change::Replace(_), None) => changed.created += 1,
                        (Change::Replace(_), Some(_)) => changed.updated += 1,
                        (Change::Delete { .. }, _) => changed.deleted += 1,
                    }
                    needed.push(self.signed(change.clone()));
                }
            }
        }
        kept::take_over(self, zone, &same, hand).await?;
        if needed.is_empty() {
            return Ok(changed);
        }
        hand.check()?;
        if let Some(key) = &hand.key {
            kept::keep(self, zone, key, &present, &needed).await?;
            hand.check()?;
        }
        self.backend.change(zone, &needed).await?;
        Ok(changed)
    }

    /// What we write carries our mark.
    fn signed(&self, change: Change) -> Change {
        match change {
            Change::Replace(rrset) => Change::Replace(Rrset { owner: Some(self.config.owner.clone()), ..rrset }),
            other => other,
        }
    }

    fn admit(
        &self,
        zone: &str,
        ours: bool,
        change: &Change,
        there: Option<&Rrset>,
        hand: &Hand,
    ) -> Result<(), Problem> {
        let (name, kind) = (change.name(), change.kind());
        if kind == "SOA" {
            return Err(invalid(format!("the SOA of {zone} is the name server's: every change gives it a new serial")));
        }
        if hand.force {
            return Ok(());
        }
        if name == zone && kind == "NS" {
            return Err(Problem::new(Code::Conflict, format!("the name servers of {zone} itself would change: whoever gets that wrong takes the zone off the Internet"))
                .help("if it is meant, say `force: true`, which needs the grant `dns.force` for the zone")
                .no_effect());
        }
        match there {
            Some(old) if !ours && !self.marked(old) => {
                let whose = old
                    .owner
                    .as_ref()
                    .map_or_else(|| "carries no mark".to_owned(), |owner| format!("is marked as `{owner}`"));
                Err(Problem::new(Code::Conflict, format!("{name} {kind} in {zone} isn't ours: it {whose}"))
                    .help("`dns::claim` takes a whole zone over; `force: true` takes this rrset. Both need the grant `dns.force`")
                    .data(serde_json::json!({ "name": name, "type": kind, "owner": old.owner }))
                    .no_effect())
            }
            _ => Ok(()),
        }
    }

    async fn present(&self, zone: &str, changes: &[Change]) -> Result<Vec<Rrset>, Problem> {
        let mut names: Vec<&str> = changes.iter().map(Change::name).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > ONE_BY_ONE {
            return self.backend.rrsets(zone, None).await;
        }
        let mut present = Vec::new();
        for name in names {
            present.extend(self.backend.rrsets(zone, Some(name)).await?);
        }
        Ok(present)
    }
}
