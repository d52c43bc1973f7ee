//! Tells of what somebody else does to the labs of this machine: an event for each link that appears, goes or changes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_hosts::{
    lab,
    lab_id::LabId,
    net::{self, Cadence, Expected, Finding, Found, Patrol},
};
use windlass_model::{Code, EventKind, Problem};

/// Where `lab/deploy` keeps the documents of labs, under their keys.
const DOCUMENTS: &str = "lab/";
/// How long the end of a pause may take.
const SLICE: Duration = Duration::from_millis(100);

/// A watch over the labs, until this value is dropped.
pub struct Watch {
    end: Arc<AtomicBool>,
    cadence: Cadence,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches from now on; looks at everything this often. On a database that other machines have, too, documents may be of labs that
    /// are theirs.
    pub fn start(engine: Engine, instance: Arc<str>, every: Duration, shared: bool) -> Result<Self, Problem> {
        let end = Arc::new(AtomicBool::new(false));
        let cadence = Cadence::from(every);
        let (told, every) = (end.clone(), cadence.clone());
        let watch = move || watch(&engine, &instance, (&every, shared), &told);
        let thread = std::thread::Builder::new().name("labs".into()).spawn(watch);
        let thread = thread.map_err(|error| Problem::new(Code::System, format!("no thread to watch labs: {error}")))?;
        Ok(Self { end, cadence, thread: Some(thread) })
    }

    /// How often everything is looked at from now on.
    pub fn every(&self, every: Duration) {
        self.cadence.set(every);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(engine: &Engine, instance: &str, (every, shared): (&Cadence, bool), end: &AtomicBool) {
    let kernel = net::kernel();
    let mut complained = false;
    // What happened while nobody watched is told by what was kept of the labs.
    let mut expected = expected(engine);
    while !end.load(Ordering::Relaxed) {
        let patrol = Patrol::new(&*kernel, instance, every.clone());
        let watched = patrol.and_then(|patrol| {
            let mut patrol = patrol.expecting(std::mem::take(&mut expected)).if_there(shared);
            let ended = patrol.run(end, |lab, found| tell(engine, lab, &found));
            // The next watch tells what this one couldn't look at.
            expected = patrol.unseen();
            ended
        });
        let Err(problem) = watched else { return };
        // Not everybody may look at network devices, and then there are no labs of ours either.
        if !complained {
            tracing::info!(%problem, "labs aren't watched for what somebody else does to them");
            complained = true;
        }
        let again = Instant::now() + every.get();
        while Instant::now() < again && !end.load(Ordering::Relaxed) {
            std::thread::sleep(SLICE);
        }
    }
}

/// What each lab that is known here should be, by its key: `lab/deploy` keeps the documents.
fn expected(engine: &Engine) -> BTreeMap<String, Expected> {
    let kept = engine.kv_everywhere(DOCUMENTS).unwrap_or_else(|problem| {
        tracing::warn!(%problem, "the documents of labs can't be read: what was done to labs meanwhile isn't told");
        Vec::new()
    });
    let expected = kept.iter().filter_map(|(organisation, key, document)| {
        let id = LabId::parse(key.strip_prefix(DOCUMENTS)?).filter(|id| id.organisation == *organisation)?;
        let declared = lab::declared(document)?;
        Some((id.key, Expected::new(&declared.links, declared.bare).ok()?))
    });
    expected.collect()
}

fn tell(engine: &Engine, lab: &LabId, found: &Found) {
    let kind = match found.finding {
        Finding::Discovered => EventKind::LabLinkDiscovered,
        Finding::Missing => EventKind::LabLinkMissing,
        Finding::Changed => EventKind::LabLinkChanged,
    };
    let mut data = json!({ "lab": lab.name, "organisation": lab.organisation, "at": found.at, "link": found.link });
    if found.changes != Value::Null {
        data["changes"] = found.changes.clone();
    }
    if let Err(problem) = engine.announce(kind, data) {
        tracing::warn!(%problem, lab = lab.key, at = found.at, "what somebody did to a lab can't be told");
    }
}
