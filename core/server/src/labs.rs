//! Tells of what somebody else does to the labs of this machine: an event for each link that appears, goes or changes.

use std::{
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
    lab_id::LabId,
    net::{self, Finding, Found, Patrol},
};
use windlass_model::{Code, EventKind, Problem};

/// How long the end of a pause may take.
const SLICE: Duration = Duration::from_millis(100);

/// A watch over the labs, until this value is dropped.
pub struct Watch {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches from now on; looks at everything this often.
    pub fn start(engine: Engine, instance: Arc<str>, every_ms: i64) -> Result<Self, Problem> {
        let end = Arc::new(AtomicBool::new(false));
        let every = Duration::from_millis(every_ms.unsigned_abs());
        let told = end.clone();
        let watch = move || watch(&engine, &instance, every, &told);
        let thread = std::thread::Builder::new().name("labs".into()).spawn(watch);
        let thread = thread.map_err(|error| Problem::new(Code::System, format!("no thread to watch labs: {error}")))?;
        Ok(Self { end, thread: Some(thread) })
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

fn watch(engine: &Engine, instance: &str, every: Duration, end: &AtomicBool) {
    let kernel = net::kernel();
    let mut complained = false;
    while !end.load(Ordering::Relaxed) {
        let patrol = Patrol::new(&*kernel, instance, every);
        let watched = patrol.and_then(|mut patrol| patrol.run(end, |lab, found| tell(engine, lab, &found)));
        let Err(problem) = watched else { return };
        // Not everybody may look at network devices, and then there are no labs of ours either.
        if !complained {
            tracing::info!(%problem, "labs aren't watched for what somebody else does to them");
            complained = true;
        }
        let again = Instant::now() + every;
        while Instant::now() < again && !end.load(Ordering::Relaxed) {
            std::thread::sleep(SLICE);
        }
    }
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
