//! Who is under whom: the platform, franchisees under it, customers under either. An organisation's parent never changes, and a
//! franchisee's is the platform, so that there is no circle and nothing is deeper than three.

use std::collections::BTreeSet;

use serde_json::json;
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    document::{Change, DocumentFilter},
};

use super::quota;
use crate::{
    Permission, Principal,
    auth::kept::{Organisation, OrganisationKind, PLATFORM},
};

/// Organisations above one another, at most. Whoever made them can't make so many: it bounds what a broken database costs.
const DEPTH: usize = 8;

/// What somebody is to an organisation; each has all that the ones before it have, but for what is the members' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is as if it weren't there.
    Nobody,
    /// Holds something in it.
    Member,
    /// Manages it.
    Manager,
    /// Manages the organisation that it is under.
    Parent,
    /// Everything, everywhere.
    Platform,
}

/// The organisation that this one is under; none for the platform.
pub fn parent(organisation: &Organisation) -> Option<&str> {
    (organisation.id != PLATFORM).then(|| organisation.body.parent.as_deref().unwrap_or(PLATFORM))
}

/// What it is.
pub fn kind(organisation: &Organisation) -> OrganisationKind {
    if organisation.id == PLATFORM { OrganisationKind::Platform } else { organisation.body.kind }
}

/// The organisation of this name and those above it, nearest first, without the platform. Empty if it isn't there.
pub fn chain(engine: &Engine, name: &str) -> Result<Vec<Organisation>, Problem> {
    let mut chain: Vec<Organisation> = Vec::new();
    let mut next = Some(name.to_owned()).filter(|name| name != PLATFORM);
    while let Some(name) = next {
        if chain.len() >= DEPTH || chain.iter().any(|known| known.id == name) {
            return Err(Problem::new(Code::Storage, format!("the organisations above `{name}` have no end")));
        }
        let Some(found) = Organisation::find(engine, &name)? else { break };
        next = parent(&found).filter(|above| *above != PLATFORM).map(str::to_owned);
        chain.push(found);
    }
    Ok(chain)
}

/// The organisation that keeps this one from acting: itself, or one above it.
pub fn suspended(engine: &Engine, name: &str) -> Result<Option<Organisation>, Problem> {
    if name == PLATFORM || name == "*" {
        return Ok(None);
    }
    Ok(chain(engine, name)?.into_iter().find(|one| one.body.suspended))
}

/// Refuses if the organisation is suspended, or under one that is: nothing new begins in it, whoever asks.
pub fn require_active(engine: &Engine, name: &str) -> Result<(), Problem> {
    match suspended(engine, name)? {
        None => Ok(()),
        // Its members may know why; why the one above it is, is that one's business.
        Some(found) if found.id == name => Err(is_suspended(name, &found.body.reason)),
        Some(_) => Err(is_suspended(name, "")),
    }
}

/// Why nothing begins in it.
pub fn is_suspended(name: &str, reason: &str) -> Problem {
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    Problem::new(Code::PermissionDenied, format!("the organisation `{name}` is suspended{why}"))
        .help("whoever manages the organisation that it is under can resume it")
        .data(json!({ "reason": "suspended", "organisation": name }))
        .no_effect()
}

/// Organisations under this one, nearest first.
pub fn below(engine: &Engine, name: &str) -> Result<Vec<Organisation>, Problem> {
    let mut rest = Organisation::all(engine, &DocumentFilter::default(), |one| one.id != PLATFORM)?;
    let (mut found, mut above) = (Vec::new(), BTreeSet::from([name.to_owned()]));
    for _ in 0..DEPTH {
        let (under, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|one| parent(one).is_some_and(|parent| above.contains(parent)));
        rest = others;
        above = under.iter().map(|one| one.id.clone()).collect();
        if under.is_empty() {
            break;
        }
        found.extend(under);
    }
    Ok(found)
}

/// What somebody is to an organisation.
pub fn standing(principal: &Principal, organisation: &Organisation) -> Standing {
    let (name, manages) = (organisation.id.as_str(), |name| principal.may(Permission::Manage, name, "*"));
    if principal.may(Permission::Administer, "*", "*") {
        return Standing::Platform;
    }
    let is_above = match parent(organisation) {
        // Who looks after the installation's own members needn't look after those whom it serves.
        Some(PLATFORM) => principal.may(Permission::Administer, PLATFORM, "*"),
        Some(parent) => manages(parent) || principal.may(Permission::Administer, PLATFORM, "*"),
        None => false,
    };
    match () {
        () if is_above => Standing::Parent,
        () if manages(name) => Standing::Manager,
        () if principal.bindings.iter().any(|(_, scope)| scope.organisation == name) => Standing::Member,
        () => Standing::Nobody,
    }
}

/// Whether a run of one organisation stands above another one: its parent's, or the platform's.
pub fn is_above(engine: &Engine, of_run: &str, name: &str) -> Result<bool, Problem> {
    Ok(of_run == PLATFORM && name != PLATFORM || chain(engine, name)?.iter().skip(1).any(|one| one.id == of_run))
}

/// What is changed together with everything that rests on who is under an organisation, or in it: of two such changes at once
/// one is refused.
pub fn guard(engine: &Engine, name: &str, what: &str) -> Result<Change, Problem> {
    quota::guard(engine, &format!("{name}/{what}"))
}
