//! What would have to change in a zone, and whether that is so much that somebody should look first.

use serde::{Deserialize, Serialize};

use super::{Rrset, below};

/// From so many rrsets on, the share that changes is looked at.
const ENOUGH: usize = 10;

/// Most that changes at once without being forced, in percent of the rrsets that are there.
const SHARE: usize = 30;

/// Differences between what a zone holds and what it should hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The zone.
    pub zone: String,
    /// Rrsets that are missing.
    pub create: Vec<Rrset>,
    /// Rrsets that have to become these.
    pub update: Vec<Update>,
    /// Rrsets that shouldn't be there.
    pub delete: Vec<Rrset>,
    /// Rrsets that are as they should be.
    pub unchanged: usize,
    /// Why it isn't applied unless that is forced.
    pub refused: Vec<String>,
}

/// A difference in one rrset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// As it is.
    pub from: Rrset,
    /// As it should be.
    pub to: Rrset,
}

/// Compares. What isn't desired is deleted only with `delete`, and only if `ours` says so of it. The SOA is the server's
/// and never compared; a zone's own name servers only if they are desired.
pub fn plan(zone: &str, present: &[Rrset], desired: &[Rrset], delete: bool, ours: impl Fn(&Rrset) -> bool) -> Plan {
    let mut plan = Plan { zone: zone.to_owned(), ..Plan::default() };
    for want in desired.iter().filter(|want| want.kind != "SOA") {
        match present.iter().find(|have| (&have.name, &have.kind) == (&want.name, &want.kind)) {
            None => plan.create.push(want.clone()),
            Some(have) if have.same(want) => plan.unchanged += 1,
            Some(have) => plan.update.push(Update { from: have.clone(), to: want.clone() }),
        }
    }
    let apex = |rrset: &Rrset| rrset.name == zone && rrset.kind == "NS";
    if delete {
        let wanted = |have: &Rrset| desired.iter().any(|want| (&want.name, &want.kind) == (&have.name, &have.kind));
        let extra = present.iter().filter(|have| have.kind != "SOA" && !apex(have) && !wanted(have) && ours(have));
        plan.delete = extra.cloned().collect();
    }
    plan.refused = refused(zone, present, &plan);
    for foreign in plan.update.iter().filter(|update| !ours(&update.from)) {
        plan.refused.push(format!("{} {} isn't ours", foreign.from.name, foreign.from.kind));
    }
    debug_assert!(desired.iter().all(|want| want.name == zone || below(zone, &want.name)));
    plan
}

/// Why a plan isn't applied unless that is forced.
pub(super) fn refused(zone: &str, present: &[Rrset], plan: &Plan) -> Vec<String> {
    let mut reasons = Vec::new();
    let touched = plan.update.len() + plan.delete.len();
    let all = present.iter().filter(|have| have.kind != "SOA").count();
    if all >= ENOUGH && touched * 100 > all * SHARE {
        reasons.push(format!("{touched} of {all} rrsets would change or go, more than {SHARE} %"));
    }
    let apex = |rrset: &Rrset| rrset.name == zone && rrset.kind == "NS";
    if plan.create.iter().chain(&plan.delete).chain(plan.update.iter().map(|update| &update.to)).any(apex) {
        reasons.push(format!("the name servers of {zone} itself would change"));
    }
    reasons
}
