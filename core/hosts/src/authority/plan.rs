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

#[cfg(test)]
mod tests {
    use super::*;

    fn rrset(name: &str, kind: &str, record: &str) -> Rrset {
        Rrset { name: name.into(), kind: kind.into(), ttl: 60, records: vec![record.into()], owner: None }
    }

    /// A zone with so many addresses.
    fn zone(count: usize) -> Vec<Rrset> {
        (0..count).map(|n| rrset(&format!("h{n}.a.example"), "A", "192.0.2.1")).collect()
    }

    #[test]
    fn too_much_at_once_is_refused_from_ten_rrsets_on() {
        for (there, changed, refused) in
            [(9, 9, false), (10, 3, false), (10, 4, true), (100, 30, false), (100, 31, true)]
        {
            let present = zone(there);
            let mut desired = present.clone();
            desired.iter_mut().take(changed).for_each(|one| one.records = vec!["192.0.2.2".into()]);
            let updated = plan("a.example", &present, &desired, true, |_| true);
            assert_eq!((updated.update.len(), !updated.refused.is_empty()), (changed, refused), "{changed} of {there}");
            let deleted = plan("a.example", &present, &present[changed..], true, |_| true);
            assert_eq!((deleted.delete.len(), !deleted.refused.is_empty()), (changed, refused), "{changed} of {there}");
            let created = plan(
                "a.example",
                &present,
                &[present.clone(), vec![rrset("x.a.example", "A", "192.0.2.1")]].concat(),
                true,
                |_| true,
            );
            assert_eq!((created.create.len(), created.refused.len()), (1, 0));
        }
    }

    #[test]
    fn what_is_not_ours_or_the_zones_own_is_left_out_or_refused() {
        let mut present = vec![rrset("a.example", "SOA", "x"), rrset("a.example", "NS", "ns1.example.")];
        present.push(rrset("theirs.a.example", "A", "192.0.2.1"));
        let all = plan("a.example", &present, &[], true, |rrset| rrset.name != "theirs.a.example");
        assert_eq!((all.delete.len(), all.unchanged, all.refused.len()), (0, 0, 0));
        let own = plan("a.example", &present, &[rrset("a.example", "NS", "ns2.example.")], true, |_| true);
        assert!(own.refused.iter().any(|reason| reason.contains("name servers of a.example itself")), "{own:?}");
        let theirs = plan("a.example", &present, &[rrset("theirs.a.example", "A", "192.0.2.9")], false, |_| false);
        assert!(theirs.refused.iter().any(|reason| reason.contains("isn't ours")), "{theirs:?}");
        let same = plan("a.example", &present, &[rrset("a.example", "NS", "NS1.example")], true, |_| true);
        assert_eq!((same.unchanged, same.refused.len()), (1, 0), "written otherwise, and the same");
    }
}
