//! What one run may not show: the platform's secrets, its own organisation's, and what came to it from outside.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, OnceLock},
};

use parking_lot::RwLock;
use serde_json::Value;
use windlass_model::{Problem, RunId, resource::PLATFORM};

use super::{Scrubber, clean};
use crate::{
    secret,
    secret::{Held, SecretSource},
};

/// Everything that may not be seen. The platform's values are looked for everywhere; an organisation's in its own runs alone:
/// it has chosen them, so they may be equal to anything, and what others' runs show must neither change by them nor tell that
/// they are somebody's.
#[derive(Default)]
pub(crate) struct Scrubbers {
    shared: Arc<Scrubber>,
    organisations: RwLock<HashMap<String, Arc<Scrubber>>>,
}

impl Scrubbers {
    /// Where values of this organisation are known.
    fn of(&self, organisation: &str) -> Arc<Scrubber> {
        if organisation == PLATFORM {
            return self.shared.clone();
        }
        if let Some(known) = self.organisations.read().get(organisation) {
            return known.clone();
        }
        self.organisations.write().entry(organisation.to_owned()).or_default().clone()
    }

    /// Remembers all values that are stored now.
    pub fn hold(&self, all: &[Held]) {
        let mut by_owner: BTreeMap<&str, Vec<&str>> = BTreeMap::from([(PLATFORM, Vec::new())]);
        for held in all {
            let values = by_owner.entry(&held.owner).or_default();
            if !is_name_of(&held.owner, &held.value) {
                values.push(held.value.as_str());
            }
        }
        let before: Vec<String> = self.organisations.read().keys().cloned().collect();
        for organisation in &before {
            by_owner.entry(organisation).or_default();
        }
        for (owner, values) in by_owner {
            self.of(owner).hold(&values);
        }
    }

    /// A text of an organisation without secrets.
    pub fn text(&self, organisation: &str, text: &str) -> String {
        let theirs = self.organisations.read().get(organisation).cloned();
        let all: Vec<&Scrubber> = std::iter::once(&*self.shared).chain(theirs.as_deref()).collect();
        clean(text, &all)
    }

    /// What the run of such an organisation may not show. Whose it is is asked only where some organisation has secrets; if
    /// that can't be told, it may show nobody's.
    fn beside(&self, organisation: impl FnOnce() -> Result<String, Problem>) -> Vec<Arc<Scrubber>> {
        if self.organisations.read().is_empty() {
            return Vec::new();
        }
        match organisation() {
            Ok(organisation) => self.organisations.read().get(&organisation).cloned().into_iter().collect(),
            Err(_) => self.organisations.read().values().cloned().collect(),
        }
    }
}

/// Whether an organisation has chosen its own name for a value: it stands in what its runs do, and hides nothing.
fn is_name_of(owner: &str, value: &str) -> bool {
    owner != PLATFORM && value.eq_ignore_ascii_case(owner)
}

/// For one run. What a stranger has chosen is looked for in this run alone; that, and what its organisation has chosen, never
/// in keys: what it happens to be equal to elsewhere stays whole.
pub(crate) struct RunScrubber {
    all: Arc<Scrubbers>,
    own: Scrubber,
    source: Arc<dyn SecretSource>,
    run: RunId,
    organisation: OnceLock<String>,
}

impl RunScrubber {
    pub fn new(all: Arc<Scrubbers>, source: Arc<dyn SecretSource>, run: RunId) -> Self {
        Self { all, own: Scrubber::default(), source, run, organisation: OnceLock::new() }
    }

    fn organisation(&self) -> Result<String, Problem> {
        if let Some(known) = self.organisation.get() {
            return Ok(known.clone());
        }
        let organisation = self.source.organisation(&self.run)?;
        Ok(self.organisation.get_or_init(|| organisation).clone())
    }

    /// Remembers a value for all runs of those whose it is, or, if a stranger has chosen it, for this run.
    pub fn learn(&self, name: &str, value: &str, foreign: bool) {
        let owner = match name {
            _ if foreign => None,
            // What a run computes is its organisation's, whatever it is computed from.
            secret::DERIVED => self.organisation().ok(),
            name => Some(self.source.owner(name)),
        };
        match owner {
            Some(owner) if is_name_of(&owner, value) => {}
            Some(owner) => self.all.of(&owner).learn(name, value),
            None => self.own.keep(name, &[value]),
        }
    }

    fn others<T>(&self, work: impl FnOnce(&[&Scrubber]) -> T) -> T {
        let theirs = self.all.beside(|| self.organisation());
        let others: Vec<&Scrubber> = theirs.iter().map(|one| &**one).chain([&self.own]).collect();
        work(&others)
    }

    pub fn text(&self, text: &str) -> String {
        self.others(|others| {
            let all: Vec<&Scrubber> = std::iter::once(&*self.all.shared).chain(others.iter().copied()).collect();
            clean(text, &all)
        })
    }

    pub fn value(&self, value: Value) -> Value {
        self.others(|others| self.all.shared.with(others, value))
    }

    pub fn problem(&self, problem: Problem) -> Problem {
        self.others(|others| self.all.shared.problem_with(others, problem))
    }
}
