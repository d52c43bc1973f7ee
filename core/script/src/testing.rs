//! A journal in memory: what tests and benchmarks evaluate scripts with, without an engine behind it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::{
    Bundle, BundleDigest, CallSite, Digest, EffectClass, Journal, Outcome, Problem, StepCall, StepPath, StepState,
    WaitSpec,
    journal::{Begin, Divergence, Job, LocalEffect, Output, Replay, Settled, Stop},
    lock::{self, HeldLock},
    step::StepRecord,
    undo::{UndoRecord, UndoSpec, UndoState},
};

/// The run of every job.
const RUN: &str = "01testrun00000000000000000";

/// A journal in memory. Waits suspend until `settle` gives their outcome; the clock stands still until it is set.
#[derive(Default)]
pub struct MemoryJournal {
    /// Steps by path.
    pub steps: Mutex<HashMap<StepPath, (StepCall, Option<Outcome>)>>,
    /// What was emitted, once for each place.
    pub outputs: Mutex<BTreeMap<(String, u32), Output>>,
    /// Everything that was asked, in order: `begin 0 net::x`, `finish 0`, `wait 1`, `retry 0`.
    pub calls: Mutex<Vec<String>>,
    /// The waits that are open, by path.
    pub waits: Mutex<BTreeMap<String, WaitSpec>>,
    /// Reports of divergences.
    pub divergences: Mutex<Vec<Divergence>>,
    /// Results of undo entries.
    pub undone: Mutex<Vec<(String, Result<(), Problem>)>>,
    /// What the run is told to stop with.
    pub stop: Mutex<Option<Stop>>,
    /// Key-value store.
    pub store: Mutex<BTreeMap<String, Value>>,
    /// Undo entries in the order of their registration.
    pub undo: Mutex<Vec<UndoRecord>>,
    now_ms: AtomicI64,
    draws: AtomicI64,
}

impl MemoryJournal {
    /// An empty journal at time 1,000,000.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { now_ms: AtomicI64::new(1_000_000), ..Self::default() })
    }

    /// Sets the clock.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Gives the outcome of the wait at `path`.
    pub fn settle(&self, path: &str, outcome: Outcome) {
        let Ok(path) = path.parse::<StepPath>() else { return };
        self.waits.lock().remove(&path.to_string());
        if let Some((_, slot)) = self.steps.lock().get_mut(&path) {
            *slot = Some(outcome);
        }
    }

    /// Records an outcome without a call, for replays.
    pub fn record(&self, path: StepPath, op: &str, args: &str, outcome: Outcome) {
        let digest = crate::dispatch::digest(op, args);
        let call =
            crate::dispatch::plain_call(path.clone(), &op.into(), EffectClass::Read, args, digest, CallSite::default());
        self.steps.lock().insert(path, (call, Some(outcome)));
    }

    fn note(&self, what: &str, call: &StepCall) {
        self.calls.lock().push(format!("{what} {} {}", call.path, call.op));
    }

    fn settled(&self, call: &StepCall, outcome: Outcome) -> Settled {
        self.steps.lock().insert(call.path.clone(), (call.clone(), Some(outcome.clone())));
        Settled::Done(outcome)
    }

    fn answer(&self, effect: LocalEffect) -> Value {
        match effect {
            LocalEffect::Now => json!(self.now_ms()),
            LocalEffect::Random => json!(0.25),
            LocalEffect::Uuid => {
                json!(format!("00000000-0000-4000-8000-{:012}", self.draws.fetch_add(1, Ordering::Relaxed)))
            }
            LocalEffect::KvGet { key } => self.store.lock().get(&key).cloned().unwrap_or_default(),
            LocalEffect::KvSet { key, value } => {
                self.store.lock().insert(key, value);
                Value::Null
            }
            LocalEffect::KvDelete { key } => json!(self.store.lock().remove(&key).is_some()),
            LocalEffect::KvList { prefix } => {
                self.store.lock().keys().filter(|key| key.starts_with(&prefix)).cloned().collect()
            }
            LocalEffect::Unlock { .. } => json!(true),
            LocalEffect::LaunchChild { workflow, .. } => json!(format!("child-of-{workflow}")),
            LocalEffect::Inventory { .. } => json!([]),
            LocalEffect::Artifact { name, content, .. } => {
                json!({ "name": name, "bytes": content.len(), "digest": blake3::hash(&content).to_hex().to_string() })
            }
        }
    }
}

impl Journal for MemoryJournal {
    fn replay(&self, path: &StepPath, op: &str, digest: &Digest) -> Replay {
        let steps = self.steps.lock();
        let Some((call, outcome)) = steps.get(path) else { return Replay::Fresh };
        if call.digest != *digest || *call.op != *op {
            return Replay::Diverged(Box::new(record(call, outcome.as_ref())));
        }
        outcome.clone().map_or(Replay::Fresh, Replay::Recorded)
    }

    fn diverged(&self, divergence: Divergence) -> Stop {
        self.divergences.lock().push(divergence.clone());
        Stop::Diverged(Box::new(divergence))
    }

    fn begin(&self, call: &StepCall) -> Begin {
        self.note("begin", call);
        let mut steps = self.steps.lock();
        if steps.contains_key(&call.path) {
            return Begin::Recover;
        }
        steps.insert(call.path.clone(), (call.clone(), None));
        if let Some(spec) = &call.undo {
            let mut undo = self.undo.lock();
            let seq = undo.len() as i64 + 1;
            undo.push(UndoRecord {
                seq,
                origin: RUN.into(),
                path: call.path.clone(),
                spec: UndoSpec::clone(spec),
                site: call.site.clone(),
                state: UndoState::Registered,
                error: None,
            });
        }
        Begin::Perform
    }

    fn finish(&self, call: &StepCall, outcome: Outcome) -> Settled {
        self.note("finish", call);
        self.settled(call, outcome)
    }

    fn held_locks(&self) -> Vec<HeldLock> {
        let steps = self.steps.lock();
        let records: Vec<StepRecord> = steps.values().map(|(call, outcome)| record(call, outcome.as_ref())).collect();
        lock::held(records.iter())
    }

    fn retry(&self, call: &StepCall, _: u32, _: u64, _: &Problem) -> Result<(), Stop> {
        self.note("retry", call);
        self.stop().map_or(Ok(()), Err)
    }

    fn local(&self, call: &StepCall, effect: LocalEffect) -> Settled {
        self.note("local", call);
        let answer = self.answer(effect);
        self.settled(call, Outcome::Value(answer.to_string().into()))
    }

    fn wait(&self, call: &StepCall, wait: &WaitSpec) -> Settled {
        self.note("wait", call);
        self.steps.lock().insert(call.path.clone(), (call.clone(), None));
        self.waits.lock().insert(call.path.to_string(), wait.clone());
        Settled::Stop(Stop::Suspended)
    }

    fn emit(&self, output: Output) {
        self.outputs.lock().entry((output.lane.to_string(), output.ordinal)).or_insert(output);
    }

    fn stop(&self) -> Option<Stop> {
        self.stop.lock().clone()
    }

    fn stopped(&self, timeout_ms: u64) -> bool {
        std::thread::sleep(std::time::Duration::from_millis(timeout_ms.min(5)));
        self.stop().is_some()
    }

    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn undo_begin(&self, _: &UndoRecord) -> Result<(), Stop> {
        Ok(())
    }

    fn undo_finish(&self, entry: &UndoRecord, result: Result<(), Problem>) -> Result<(), Stop> {
        self.undone.lock().push((entry.path.to_string(), result));
        Ok(())
    }
}

fn record(call: &StepCall, outcome: Option<&Outcome>) -> StepRecord {
    let state = match outcome {
        None => StepState::Started,
        Some(Outcome::Value(_)) => StepState::Succeeded,
        Some(Outcome::Error(_)) => StepState::Failed,
    };
    StepRecord {
        path: call.path.clone(),
        op: call.op.clone(),
        class: call.class,
        state,
        args: call.args.clone(),
        digest: call.digest,
        site: call.site.clone(),
        outcome: outcome.cloned(),
        attempts: 1,
        started_at_ms: 0,
        finished_at_ms: Some(0),
    }
}

/// A job of one source: its file is `test/script`, its input `{}`.
pub fn job(source: &str) -> Job {
    let files = BTreeMap::from([("test/script".to_owned(), source.to_owned())]);
    job_of(Bundle { entry: "test/script".into(), files })
}

/// A job of a bundle.
pub fn job_of(bundle: Bundle) -> Job {
    let digest = BundleDigest(blake3::hash(bundle.canonical().as_bytes()).to_hex().to_string().into());
    Job { run: RUN.into(), digest, bundle: Arc::new(bundle), input: "{}".into(), undo: Vec::new() }
}

/// A workflow's source with this body of `run(input)` and these grants.
pub fn source(grants: &[&str], body: &str) -> String {
    format!(
        "const WORKFLOW = #{{ name: \"test/script\", title: \"Test\", permissions: {grants:?} }};\nfn run(input) {{\n{body}\n}}\n"
    )
}
