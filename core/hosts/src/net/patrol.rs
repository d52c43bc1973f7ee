//! Watches the labs of this machine for what somebody else does to them, and tells it.
//!
//! The kernel says where something changed, and that is read anew; now and then everything is. What a run of this process does is
//! wanted: while it changes a lab, the lab isn't looked at, and afterwards what is there counts as it should be. What was there when the
//! watch began counts so, too, unless somebody says what should be there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use windlass_model::Problem;

use super::{
    Fault,
    backend::{ChangeWatch, Heard, NetBackend},
    describe::Picture,
    difference::{Finding, Found, Links, between, from_declared, links},
    lab::Lab,
    plan::{LinkSpec, invalid},
    types::{Place, Survey},
};
use crate::{
    lab_id::LabId,
    lab_mark::{Mark, short_instance},
    lab_names::{Parsed, parse},
};

/// How long to listen before looking whether the watch ends, and whether a run has ended its changes.
const SLICE: Duration = Duration::from_millis(100);

/// A watch over all labs.
pub struct Patrol<'a> {
    backend: &'a dyn NetBackend,
    instance: &'a str,
    every: Cadence,
    ears: Box<dyn ChangeWatch>,
    labs: BTreeMap<String, Watched<'a>>,
    /// Labs of which nothing was left, and how often this process had changed each by then.
    gone: BTreeMap<String, u64>,
    /// What should be there of labs that weren't looked at yet.
    expected: BTreeMap<String, Expected>,
    /// Whether that is so only where something of the lab is there.
    if_there: bool,
}

/// How often everything is looked at. It can be changed while somebody watches.
#[derive(Clone, Debug)]
pub struct Cadence(Arc<AtomicU64>);

impl Cadence {
    /// Changes it.
    pub fn set(&self, every: Duration) {
        self.0.store(u64::try_from(every.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// As it is now.
    pub fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl From<Duration> for Cadence {
    fn from(every: Duration) -> Self {
        let cadence = Self(Arc::default());
        cadence.set(every);
        cadence
    }
}

/// What should be there of a lab, whatever was there when the watch began.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    links: Vec<LinkSpec>,
    bare: BTreeSet<String>,
}

impl Expected {
    /// Links as `net::discover` takes them, and the nodes that have no others.
    pub fn new(links: &[Value], bare: BTreeSet<String>) -> Result<Self, Problem> {
        let links = serde_json::from_value(links.into()).map_err(|error| invalid(error.to_string()))?;
        Ok(Self { links, bare })
    }

    fn differs(&self, now: &Links) -> Vec<Found> {
        let mut found = from_declared(&self.links, now);
        // What a run has made is nobody else's, and what is in a container may be its own.
        let news = |one: &Found| {
            let node = one.at.split_once(':').map(|(node, _)| node);
            one.link["run"].is_null() && node.is_none_or(|node| self.bare.contains(node))
        };
        found.retain(|one| one.finding != Finding::Discovered || news(one));
        found
    }
}

struct Watched<'a> {
    lab: Lab<'a>,
    picture: Picture,
    settled: Links,
    /// How often this process had changed it by then.
    changed: u64,
}

impl<'a> Patrol<'a> {
    /// A watch over the labs of this machine's instance id, which looks at everything this often.
    pub fn new(backend: &'a dyn NetBackend, instance: &'a str, every: impl Into<Cadence>) -> Result<Self, Problem> {
        let ears = backend.listen().map_err(|fault| fault.problem("listening for changes of links"))?;
        let (labs, gone, expected) = Default::default();
        Ok(Self { backend, instance, every: every.into(), ears, labs, gone, expected, if_there: false })
    }

    /// What should be there, by the labs' keys: what isn't so is told at the first look.
    pub fn expecting(mut self, expected: BTreeMap<String, Expected>) -> Self {
        self.expected = expected;
        self
    }

    /// Other machines have labs, too: nothing is expected of one that has nothing here.
    pub fn if_there(mut self, yes: bool) -> Self {
        self.if_there = yes;
        self
    }

    /// What should be there of labs that weren't looked at before the watch failed: for the next one.
    pub fn unseen(self) -> BTreeMap<String, Expected> {
        self.expected
    }

    /// Watches until it is told to end.
    pub fn run(&mut self, end: &AtomicBool, mut tell: impl FnMut(&LabId, Found)) -> Result<(), Problem> {
        let mut walked = None;
        while !end.load(Ordering::Relaxed) {
            let left =
                walked.map_or(Duration::ZERO, |walked: Instant| self.every.get().saturating_sub(walked.elapsed()));
            if left.is_zero() {
                self.walk(&mut tell)?;
                walked = Some(Instant::now());
                continue;
            }
            self.after_runs()?;
            match self.ears.heard(left.min(SLICE)).map_err(heard_nothing)? {
                Heard::Nothing => {}
                Heard::Places(places) => self.look(&places, &mut tell)?,
                Heard::Lost => walked = None,
            }
        }
        Ok(())
    }

    /// Looks at everything.
    fn walk(&mut self, tell: &mut impl FnMut(&LabId, Found)) -> Result<(), Problem> {
        let activity = self.activity();
        let there = self.there()?;
        if self.if_there {
            self.expected.retain(|key, _| there.contains(key));
        }
        let known = self.labs.keys().chain(self.expected.keys()).cloned();
        let keys: BTreeSet<String> = there.into_iter().chain(known).collect();
        for key in keys {
            let (busy, changed) = activity.get(&key).copied().unwrap_or_default();
            let Some(id) = LabId::parse(&key).filter(|_| !busy) else { continue };
            // It stays as it was known: what was done to it meanwhile is told when it can be read again.
            let Some(now) = self.open(id, changed) else { continue };
            if let Some(expected) = self.expected.remove(&key) {
                expected.differs(&now.settled).into_iter().for_each(|found| tell(&now.lab.id, found));
            }
            let before = self.labs.remove(&key);
            if let Some(before) = before.filter(|before| before.changed == changed) {
                between(&before.settled, &now.settled).into_iter().for_each(|found| tell(&now.lab.id, found));
            }
            if !now.settled.is_empty() || now.picture.places().next().is_some() {
                self.labs.insert(key, now);
            }
        }
        self.follow()
    }

    /// Takes what runs have left for what should be.
    fn after_runs(&mut self) -> Result<(), Problem> {
        let mut any = false;
        for (key, (busy, changed)) in self.activity() {
            let known = self.labs.get(&key).map(|watched| watched.changed).or_else(|| self.gone.get(&key).copied());
            if busy || known == Some(changed) {
                continue;
            }
            self.expected.remove(&key);
            let Some(now) = LabId::parse(&key).and_then(|id| self.open(id, changed)) else { continue };
            let nothing = now.settled.is_empty() && now.picture.places().next().is_none();
            any |= if nothing {
                self.gone.insert(key.clone(), changed);
                self.labs.remove(&key).is_some()
            } else {
                self.gone.remove(&key);
                self.labs.insert(key, now);
                true
            };
        }
        if any { self.follow() } else { Ok(()) }
    }

    /// Looks at what changed.
    fn look(&mut self, places: &BTreeSet<Place>, tell: &mut impl FnMut(&LabId, Found)) -> Result<(), Problem> {
        let activity = self.activity();
        let concerned = |watched: &Watched<'_>| {
            places.contains(&Place::Host) || watched.picture.places().any(|place| places.contains(&place))
        };
        let quiet = |key: &String, watched: &Watched<'_>| {
            activity.get(key).is_none_or(|(busy, changed)| !busy && *changed == watched.changed)
        };
        if !self.labs.iter().any(|(key, watched)| quiet(key, watched) && concerned(watched)) {
            return Ok(());
        }
        let host: Arc<Survey> = match self.backend.glance(&[Place::Host]).pop() {
            Some(Ok(survey)) => Arc::new(survey),
            Some(Err(fault)) => return Err(fault.problem("reading the host")),
            None => return Ok(()),
        };
        let mut news = Vec::new();
        for (key, watched) in &mut self.labs {
            if !quiet(key, watched) || !concerned(watched) {
                continue;
            }
            match watched.picture.again(&watched.lab, host.clone(), places) {
                Ok(()) => news.push((key.clone(), links(&watched.lab, &watched.picture))),
                Err(problem) => unread(key, &problem),
            }
        }
        // What a run has begun since then is its own.
        let activity = self.activity();
        for (key, now) in news {
            let Some(watched) = self.labs.get_mut(&key) else { continue };
            if activity.get(&key).is_some_and(|(busy, changed)| *busy || *changed != watched.changed) {
                continue;
            }
            between(&watched.settled, &now).into_iter().for_each(|found| tell(&watched.lab.id, found));
            watched.settled = now;
        }
        Ok(())
    }

    /// A lab as it is now. One that can't be read doesn't keep the others from being watched.
    fn open(&self, id: LabId, changed: u64) -> Option<Watched<'a>> {
        let key = id.key.clone();
        // Nothing is made under this key.
        let read = Lab::seen_by(self.backend, id, self.instance, String::new(), None).and_then(|lab| {
            let picture = Picture::glance(&lab)?;
            let settled = links(&lab, &picture);
            Ok(Watched { lab, picture, settled, changed })
        });
        read.inspect_err(|problem| unread(&key, problem)).ok()
    }

    fn follow(&mut self) -> Result<(), Problem> {
        let places: Vec<Place> = self.labs.values().flat_map(|watched| watched.picture.places()).collect();
        self.ears.follow(&places).map_err(heard_nothing)
    }

    fn activity(&self) -> BTreeMap<String, (bool, u64)> {
        self.backend.activity().into_iter().map(|(key, busy, changed)| (key, (busy, changed))).collect()
    }

    /// Keys of the labs that something here carries the mark of.
    fn there(&self) -> Result<BTreeSet<String>, Problem> {
        let short = short_instance(self.instance);
        let failed = |fault: Fault| fault.problem("looking for labs");
        let links = self.backend.links(&[Place::Host]).pop().unwrap_or_else(|| Ok(Vec::new())).map_err(failed)?;
        let mut aliases: Vec<String> = links.into_iter().filter_map(|link| link.alias).collect();
        // One namespace speaks for all with its hash.
        let mut spaces = BTreeMap::new();
        for space in self.backend.namespaces().map_err(failed)? {
            if let Some(Parsed::Namespace { hash, .. }) = parse(&space) {
                spaces.insert(hash, space);
            }
        }
        let spaces: Vec<String> = spaces.into_values().collect();
        aliases.extend(self.backend.aliases(&spaces).into_iter().filter_map(|answer| answer.ok().flatten()));
        let marks = aliases.iter().filter_map(|alias| Mark::parse(alias)).filter(|mark| mark.instance == short);
        Ok(marks.map(|mark| mark.lab).collect())
    }
}

fn unread(lab: &str, problem: &Problem) {
    tracing::warn!(lab, %problem, "what is there of a lab can't be read; it is tried again");
}

fn heard_nothing(fault: Fault) -> Problem {
    fault.problem("listening for changes of links")
}
