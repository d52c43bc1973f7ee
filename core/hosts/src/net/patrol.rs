//! Watches the labs of this machine for what somebody else does to them, and tells it.
//!
//! The kernel says where something changed, and that is read anew; now and then everything is. What a run of this process does is
//! wanted: while it changes a lab, the lab isn't looked at, and afterwards what is there counts as it should be. What was there when the
//! watch began counts so, too.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use windlass_model::Problem;

use super::{
    Fault,
    backend::{ChangeWatch, Heard, NetBackend},
    describe::Picture,
    difference::{Found, Links, between, links},
    lab::Lab,
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
    every: Duration,
    ears: Box<dyn ChangeWatch>,
    labs: BTreeMap<String, Watched<'a>>,
    /// Labs of which nothing was left, and how often this process had changed each by then.
    gone: BTreeMap<String, u64>,
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
    pub fn new(backend: &'a dyn NetBackend, instance: &'a str, every: Duration) -> Result<Self, Problem> {
        let ears = backend.listen().map_err(|fault| fault.problem("listening for changes of links"))?;
        Ok(Self { backend, instance, every, ears, labs: BTreeMap::new(), gone: BTreeMap::new() })
    }

    /// Watches until it is told to end.
    pub fn run(&mut self, end: &AtomicBool, mut tell: impl FnMut(&LabId, Found)) -> Result<(), Problem> {
        let mut next = Instant::now();
        while !end.load(Ordering::Relaxed) {
            if next <= Instant::now() {
                self.walk(&mut tell)?;
                next = Instant::now() + self.every;
            }
            self.after_runs()?;
            let left = next.saturating_duration_since(Instant::now());
            match self.ears.heard(left.min(SLICE)).map_err(heard_nothing)? {
                Heard::Nothing => {}
                Heard::Places(places) => self.look(&places, &mut tell)?,
                Heard::Lost => next = Instant::now(),
            }
        }
        Ok(())
    }

    /// Looks at everything.
    fn walk(&mut self, tell: &mut impl FnMut(&LabId, Found)) -> Result<(), Problem> {
        let activity = self.activity();
        let there = self.there()?;
        let keys: BTreeSet<String> = there.into_iter().chain(self.labs.keys().cloned()).collect();
        for key in keys {
            let (busy, changed) = activity.get(&key).copied().unwrap_or_default();
            let Some(id) = LabId::parse(&key).filter(|_| !busy) else { continue };
            // It stays as it was known: what was done to it meanwhile is told when it can be read again.
            let Some(now) = self.open(id, changed) else { continue };
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
        let host: Arc<Survey> = match self.backend.survey(&[Place::Host]).pop() {
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
            let picture = Picture::of(&lab)?;
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
