//! Zones are made and removed: only what carries our mark is adopted or goes, and none is made over the head of another one's
//! owner: a name server answers from the zone that fits a name best.

use serde::Serialize;
use windlass_model::{Code, Problem};

use super::{
    Hand, Server, ZoneHead, below, kept,
    server::{MAKER, ORGANISATION},
};
use crate::owner::{self, Fate, Organisations, PLATFORM, run_of};

/// Who knows what has become of runs, for whoever takes a zone that another step has made.
pub type Adopts<'a> = Option<&'a dyn Organisations>;

/// A zone to make.
#[derive(Clone, Debug)]
pub struct NewZone {
    /// Its name.
    pub name: String,
    /// `Native`, or `Master` where others copy it.
    pub kind: String,
    /// Its name servers.
    pub nameservers: Vec<String>,
    /// Whether it is signed.
    pub dnssec: bool,
    /// Our mark; `Server` writes it.
    pub account: String,
}

/// A zone that is there now.
#[derive(Debug, Serialize)]
pub struct Created {
    /// The zone.
    pub zone: ZoneHead,
    /// Whether this step has made it, or an earlier attempt of it, or took what another run has left: then its undo removes it.
    pub created: bool,
    /// Contents of the DS records for its parent; none if it isn't signed.
    pub ds: Vec<String>,
}

impl Server {
    /// The zone that the step of this key has made, if it is there.
    pub async fn made_by(&self, zone: &str, key: &str) -> Result<Option<Created>, Problem> {
        match self.backend.zone(zone).await? {
            Some(head) if head.account == self.mark(key) => Ok(Some(self.found(head, true).await?)),
            _ => Ok(None),
        }
    }

    /// Makes a zone, or adopts the one that is there: the one of the same key always, another one of ours and of the same
    /// organisation with `adopt`, if the run that made it doesn't go on. What that has left becomes this step's.
    pub async fn create(&self, mut zone: NewZone, adopt: Adopts<'_>, hand: &Hand) -> Result<Created, Problem> {
        let _turn = self.turn(&zone.name).await;
        zone.account = hand.key.as_ref().map_or_else(|| self.config.owner.clone(), |key| self.mark(key));
        if zone.nameservers.is_empty() {
            zone.nameservers.clone_from(&self.config.nameservers);
        }
        if let Some(head) = self.backend.zone(&zone.name).await? {
            return self.take(head, &zone, adopt, hand).await;
        }
        self.admit_new(&zone.name, hand).await?;
        hand.check()?;
        match self.backend.create(&zone).await {
            // An earlier attempt whose answer was lost, or another machine a moment ago.
            Err(problem) if problem.code == Code::Conflict => {
                let head = self.head(&zone.name).await?;
                self.take(head, &zone, adopt, hand).await
            }
            other => {
                other?;
                if !hand.is_platform() {
                    self.assign_in_turn(&zone.name, &hand.organisation).await?;
                }
                self.note_maker(&zone.name, hand).await?;
                let head = self.head(&zone.name).await?;
                self.found(head, true).await
            }
        }
    }

    /// Refuses a zone that would take names away from another one on this server.
    async fn admit_new(&self, zone: &str, hand: &Hand) -> Result<(), Problem> {
        if hand.pool {
            return Ok(());
        }
        if !owner::may_use(&self.config.organisations, &hand.organisation) {
            let message = format!("runs of `{}` make no zones on the name server `{}`", hand.organisation, self.name);
            return Err(Problem::new(Code::PermissionDenied, message)
                .help(format!("`organisations` of [hosts.dns.servers.{}] names those that may", self.name))
                .data(serde_json::json!({ "reason": "organisation" }))
                .no_effect());
        }
        if !hand.is_platform() && !zone.contains('.') {
            return Err(owner::refused(
                &format!("{zone}, which everything below would depend on,"),
                &hand.organisation,
            ));
        }
        let enclosing = self.enclosing(zone).await?;
        let pools = self.pools.lock().clone();
        let of_pool = |pool: &&String| {
            let inside = enclosing.as_ref().is_some_and(|head| below(pool, &head.name));
            (below(pool, zone) && !inside) || (*pool == zone && !hand.is_platform())
        };
        if let Some(pool) = pools.iter().find(of_pool) {
            return Err(Problem::new(Code::NameRefused, format!("names under {pool} are given out by its pool only"))
                .help("`pool::reserve` gives one out, with its zone and its delegation")
                .data(serde_json::json!({ "reason": "reserved" }))
                .no_effect());
        }
        let Some(head) = enclosing else { return Ok(()) };
        if self.organisation(&head.name).await? != hand.organisation {
            let what = format!("the zone {}, which {zone} would be cut out of,", head.name);
            return Err(owner::refused(&what, &hand.organisation));
        }
        self.admit_organisation(&head, hand).await?;
        let there = self.backend.rrsets(&head.name, Some(zone)).await?;
        match there.iter().find(|rrset| !["NS", "DS"].contains(&rrset.kind.as_str())) {
            Some(hidden) => Err(Problem::new(
                Code::Conflict,
                format!("{zone} stands in the zone {} ({}): a zone of its own would hide that", head.name, hidden.kind),
            )
            .help("remove those records first, if the zone is to take their place; or choose another name")
            .no_effect()),
            None => Ok(()),
        }
    }

    /// The zone on this server that a name stands in, if there is one.
    async fn enclosing(&self, name: &str) -> Result<Option<ZoneHead>, Problem> {
        let mut rest = name;
        while let Some((_, above)) = rest.split_once('.') {
            if let Some(head) = self.backend.zone(above).await? {
                return Ok(Some(head));
            }
            rest = above;
        }
        Ok(None)
    }

    async fn take(&self, head: ZoneHead, zone: &NewZone, adopt: Adopts<'_>, hand: &Hand) -> Result<Created, Problem> {
        let mut made = hand.key.is_some() && head.account == zone.account;
        let ours = self.owns(&head).await?;
        let mut metadata = self.backend.metadata(&head.name).await?;
        let marks = metadata.remove(ORGANISATION).unwrap_or_default();
        let maker = metadata.remove(MAKER).unwrap_or_default().into_iter().next();
        let same = marks.first().map_or(PLATFORM, String::as_str) == hand.organisation;
        let taken = made || (adopt.is_some() && ours && same);
        if !taken {
            let (why, help) = match ours {
                true if !same => ("it is another organisation's", "choose another name"),
                true => ("it was made by another step", "say `adopt: true` to go on with it"),
                false => (
                    "it isn't ours",
                    "choose another name, or take it over with `dns::claim`, which needs the grant `dns.force`",
                ),
            };
            let message = format!("the name server `{}` has a zone {} already, and {why}", self.name, head.name);
            return Err(Problem::new(Code::Conflict, message)
                .help(help)
                .data(serde_json::json!({ "ours": ours }))
                .no_effect());
        }
        // An attempt that ended between the zone and its mark.
        if made && !same && marks.is_empty() {
            hand.check()?;
            self.assign_in_turn(&head.name, &hand.organisation).await?;
        }
        let own = hand.key.as_deref().map(|key| run_of(key).to_string());
        if made && maker != own {
            self.note_maker(&head.name, hand).await?;
        }
        if let (false, Some(maker), Some(fates)) = (made || maker == own, maker.as_ref(), adopt) {
            match fates.fate(&maker.as_str().into())? {
                Fate::Open => {
                    let message = format!(
                        "the name server `{}` has a zone {} already; the run {maker} made it{}",
                        self.name,
                        head.name,
                        owner::why_open(fates, &maker.as_str().into())
                    );
                    return Err(Problem::new(Code::Conflict, message)
                        .help("wait until that run has ended, or choose another name")
                        .data(serde_json::json!({ "ours": true, "run": maker }))
                        .no_effect());
                }
                Fate::Completed => {}
                Fate::Left => {
                    hand.check()?;
                    // What that run would put back isn't there any more, once the zone is another one's.
                    kept::forget(self, &head.name, maker).await?;
                    self.backend.set_account(&head.name, &zone.account).await?;
                    self.note_maker(&head.name, hand).await?;
                    made = true;
                }
            }
        }
        if zone.dnssec && !head.dnssec {
            hand.check()?;
            self.backend.sign(&head.name, true).await?;
        }
        let head = self.head(&head.name).await?;
        self.found(head, made).await
    }

    /// Notes which run has made a zone: the zone's mark alone doesn't tell. The pool has a book for that.
    async fn note_maker(&self, zone: &str, hand: &Hand) -> Result<(), Problem> {
        let Some(key) = hand.key.as_deref().filter(|key| !hand.pool && key.contains('/')) else { return Ok(()) };
        hand.check()?;
        self.backend.set_metadata(zone, MAKER, &[run_of(key).to_string()]).await
    }

    async fn found(&self, zone: ZoneHead, created: bool) -> Result<Created, Problem> {
        let ds = if zone.dnssec { self.ds(&zone.name).await? } else { Vec::new() };
        Ok(Created { zone, created, ds })
    }

    /// Contents of the DS records that the parent needs, of the keys that sign.
    pub async fn ds(&self, zone: &str) -> Result<Vec<String>, Problem> {
        let keys = self.backend.keys(zone).await?;
        Ok(keys
            .into_iter()
            .filter(|key| key.active && key.published && key.kind != "zsk")
            .flat_map(|key| key.ds)
            .collect())
    }

    /// Removes a zone that is ours; whether it was there.
    pub async fn remove(&self, zone: &str, hand: &Hand) -> Result<bool, Problem> {
        let _turn = self.turn(zone).await;
        let Some(head) = self.backend.zone(zone).await? else { return Ok(false) };
        self.admit_organisation(&head, hand).await?;
        if !hand.force && !self.owns(&head).await? {
            return Err(Problem::new(Code::Conflict, format!("the zone {zone} isn't ours to delete"))
                .help("`force: true` deletes it all the same, and needs the grant `dns.force`")
                .no_effect());
        }
        hand.check()?;
        self.backend.delete(zone).await
    }

    /// Removes a zone if the step of this key has made it; whether it had.
    pub async fn remove_made(&self, zone: &str, key: &str, hand: &Hand) -> Result<bool, Problem> {
        let _turn = self.turn(zone).await;
        match self.backend.zone(zone).await? {
            Some(head) if head.account == self.mark(key) => {
                hand.check()?;
                self.backend.delete(zone).await
            }
            _ => Ok(false),
        }
    }
}
