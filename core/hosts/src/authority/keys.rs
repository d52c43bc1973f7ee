//! Metadata and keys of zones that are ours, and the application of plans.

use windlass_model::{Code, Problem};

use super::{Change, Changed, Hand, Plan, Rrset, Server, ZoneKey, plan::refused};

impl Server {
    /// Refuses what isn't ours to change as a whole.
    async fn admit_zone(&self, zone: &str, hand: &Hand) -> Result<(), Problem> {
        let head = self.head(zone).await?;
        self.admit_organisation(&head, hand).await?;
        if !hand.force && !self.owns(&head).await? {
            return Err(Problem::new(Code::Conflict, format!("the zone {zone} isn't ours"))
                .help("`dns::claim` takes it over, and needs the grant `dns.force`")
                .no_effect());
        }
        hand.check()
    }

    /// Notes something about a zone.
    pub async fn note(&self, zone: &str, kind: &str, values: &[String], hand: &Hand) -> Result<(), Problem> {
        let _turn = self.turn(zone).await;
        self.admit_zone(zone, hand).await?;
        self.backend.set_metadata(zone, kind, values).await
    }

    /// Signs a zone; contents of its DS records.
    pub async fn sign(&self, zone: &str, hand: &Hand) -> Result<Vec<String>, Problem> {
        let _turn = self.turn(zone).await;
        self.admit_zone(zone, hand).await?;
        if !self.head(zone).await?.dnssec {
            self.backend.sign(zone, true).await?;
        }
        self.ds(zone).await
    }

    /// Stops signing a zone.
    pub async fn unsign(&self, zone: &str, hand: &Hand) -> Result<(), Problem> {
        let _turn = self.turn(zone).await;
        self.admit_zone(zone, hand).await?;
        self.backend.sign(zone, false).await
    }

    /// Makes a key that is published and doesn't sign yet.
    pub async fn add_key(&self, zone: &str, hand: &Hand) -> Result<ZoneKey, Problem> {
        let _turn = self.turn(zone).await;
        self.admit_zone(zone, hand).await?;
        self.backend.add_key(zone, false).await
    }

    /// Lets a key sign, or not.
    pub async fn set_key(&self, zone: &str, id: i64, active: bool, hand: &Hand) -> Result<(), Problem> {
        let _turn = self.turn(zone).await;
        self.admit_zone(zone, hand).await?;
        self.backend.set_key(zone, id, active).await
    }

    /// Forgets a key; whether it was there.
    pub async fn remove_key(&self, zone: &str, id: i64, hand: &Hand) -> Result<bool, Problem> {
        let _turn = self.turn(zone).await;
        self.admit_zone(zone, hand).await?;
        self.backend.remove_key(zone, id).await
    }

    /// Applies a plan, if the zone is still as it was when the plan was made, and the plan isn't refused.
    pub async fn apply(&self, zone: &str, plan: &Plan, hand: &Hand) -> Result<Changed, Problem> {
        let _turn = self.turn(zone).await;
        let present = self.backend.rrsets(zone, None).await?;
        let find = |rrset: &Rrset| present.iter().find(|one| (&one.name, &one.kind) == (&rrset.name, &rrset.kind));
        let is = |rrset: &Rrset| find(rrset).is_some_and(|one| one.same(rrset));
        let done = plan.create.iter().all(is)
            && plan.update.iter().all(|update| is(&update.to))
            && plan.delete.iter().all(|rrset| find(rrset).is_none());
        if !done {
            let as_planned = plan.create.iter().all(|rrset| find(rrset).is_none())
                && plan.update.iter().all(|update| is(&update.from))
                && plan.delete.iter().all(is);
            if !as_planned {
                return Err(Problem::new(
                    Code::PreconditionFailed,
                    format!("{zone} has changed since the plan was made"),
                )
                .help("make the plan again, and look at it again")
                .no_effect());
            }
            // Computed here: what somebody sent along proves nothing.
            let reasons = refused(zone, &present, plan);
            if !hand.force && !reasons.is_empty() {
                return Err(Problem::new(
                    Code::Conflict,
                    format!("the plan for {zone} is refused: {}", reasons.join("; ")),
                )
                .help("look at it; if it is meant, say `force: true`, which needs the grant `dns.force`")
                .data(serde_json::json!({ "refused": reasons }))
                .no_effect());
            }
        }
        let replaced =
            plan.create.iter().chain(plan.update.iter().map(|update| &update.to)).cloned().map(Change::Replace);
        let deleted =
            plan.delete.iter().map(|rrset| Change::Delete { name: rrset.name.clone(), kind: rrset.kind.clone() });
        self.change_in_turn(zone, replaced.chain(deleted).collect(), hand).await
    }
}
