//! What tests of host modules call ops with: a context without an engine behind it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::Value;
use windlass_model::{
    Code, Journal, Outcome, Problem, RunId, StepCall, StepPath,
    journal::{Begin, Divergence, LocalEffect, Output, Replay, Settled, Stop},
    undo::UndoRecord,
};

use super::{OpCx, RevealSecret};

/// Makes contexts; every field may be changed first.
pub struct TestCx {
    /// `run/step`.
    pub key: String,
    /// For the undo of a step: its key.
    pub undoes: Option<String>,
    /// The run.
    pub run: RunId,
    /// Grants, `verb:scope` each. The dispatcher isn't there: only ops that look at grants themselves notice.
    pub grants: Vec<String>,
    /// Secrets by name, revealed to any destination.
    pub secrets: BTreeMap<String, String>,
    /// Longest time for the attempt.
    pub timeout: Duration,
    /// Whether it is a rehearsal.
    pub rehearsal: bool,
    /// What the run is told to stop with, once it is.
    pub stop: Arc<Mutex<Option<Stop>>>,
}

impl TestCx {
    /// A run with these grants and a time limit of ten seconds.
    pub fn new(grants: &[&str]) -> Self {
        Self {
            key: "01testrun00000000000000000/1".into(),
            undoes: None,
            run: "01testrun00000000000000000".into(),
            grants: grants.iter().map(ToString::to_string).collect(),
            secrets: BTreeMap::new(),
            timeout: Duration::from_secs(10),
            rehearsal: false,
            stop: Arc::default(),
        }
    }

    /// The context; its futures run on `runtime`.
    pub fn on(&self, runtime: &tokio::runtime::Runtime) -> OpCx {
        OpCx {
            key: self.key.clone(),
            undoes: self.undoes.clone(),
            run: self.run.clone(),
            instance: "test-instance".into(),
            rehearsal: self.rehearsal,
            runtime: runtime.handle().clone(),
            timeout: self.timeout,
            journal: Arc::new(NoEngine(self.stop.clone())),
            secrets: Arc::new(Known(self.secrets.clone())),
            grants: self.grants.clone().into(),
            superseded: Vec::new(),
        }
    }
}

/// Knows nothing of steps; ops only ask it whether to stop.
struct NoEngine(Arc<Mutex<Option<Stop>>>);

impl Journal for NoEngine {
    fn replay(&self, _: &StepPath, _: &str, _: &windlass_model::Digest) -> Replay {
        Replay::Fresh
    }
    fn diverged(&self, divergence: Divergence) -> Stop {
        Stop::Diverged(Box::new(divergence))
    }
    fn begin(&self, _: &StepCall) -> Begin {
        Begin::Perform
    }
    fn finish(&self, _: &StepCall, outcome: Outcome) -> Settled {
        Settled::Done(outcome)
    }
    fn retry(&self, _: &StepCall, _: u32, _: u64, _: &Problem) -> Result<(), Stop> {
        Ok(())
    }
    fn local(&self, _: &StepCall, _: LocalEffect) -> Settled {
        Settled::Stop(Stop::ReplayEnd)
    }
    fn wait(&self, _: &StepCall, _: &windlass_model::WaitSpec) -> Settled {
        Settled::Stop(Stop::Suspended)
    }
    fn emit(&self, _: Output) {}
    fn stop(&self) -> Option<Stop> {
        self.0.lock().clone()
    }
    fn stopped(&self, _: u64) -> bool {
        self.stop().is_some()
    }
    fn now_ms(&self) -> i64 {
        0
    }
    fn undo_begin(&self, _: &UndoRecord) -> Result<(), Stop> {
        Ok(())
    }
    fn undo_finish(&self, _: &UndoRecord, _: Result<(), Problem>) -> Result<(), Stop> {
        Ok(())
    }
}

struct Known(BTreeMap<String, String>);

impl RevealSecret for Known {
    fn reveal(&self, secret: &Value, _: &str) -> Result<zeroize::Zeroizing<String>, Problem> {
        let name = secret["$secret"].as_str().unwrap_or_default();
        let value =
            self.0.get(name).ok_or_else(|| Problem::new(Code::SecretNotFound, format!("no secret `{name}`")))?;
        Ok(zeroize::Zeroizing::new(value.clone()))
    }
}
