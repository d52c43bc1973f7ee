//! The difference between two runs: input, scripts, steps, outcome, durations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_model::{Outcome, Problem, RunId, RunState, step::StepRecord};

use crate::Engine;

/// The difference between two runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunDiff {
    /// Workflow names, if they differ.
    pub workflow: Option<(String, String)>,
    /// Inputs, if they differ.
    pub input: Option<(Value, Value)>,
    /// Sources that differ: module name, text in the first, text in the second.
    pub sources: Vec<(String, Option<String>, Option<String>)>,
    /// Steps that differ, in order of paths.
    pub steps: Vec<StepDifference>,
    /// Their states.
    pub states: (RunState, RunState),
    /// From launch to end, where ended.
    pub elapsed_ms: (Option<i64>, Option<i64>),
    /// Their outputs, if they differ.
    pub output: Option<(Option<Value>, Option<Value>)>,
}

/// A step that is in one run only, or differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepDifference {
    /// Its path.
    pub path: String,
    /// The call and its outcome in the first run.
    pub first: Option<String>,
    /// The call and its outcome in the second run.
    pub second: Option<String>,
    /// How long it took in each.
    pub elapsed_ms: (Option<i64>, Option<i64>),
}

impl Engine {
    /// Compares two runs.
    pub fn diff(&self, first: &RunId, second: &RunId) -> Result<RunDiff, Problem> {
        let (a, b) = (self.require(first)?, self.require(second)?);
        let (sources_a, sources_b) = (self.inner.bundle(&a.bundle)?, self.inner.bundle(&b.bundle)?);
        let mut sources = Vec::new();
        let names: std::collections::BTreeSet<_> = sources_a.files.keys().chain(sources_b.files.keys()).collect();
        for name in names {
            let (one, other) = (sources_a.files.get(name), sources_b.files.get(name));
            if one != other {
                sources.push((name.clone(), one.cloned(), other.cloned()));
            }
        }
        let elapsed = |ended: Option<i64>, launched: i64| ended.map(|ended| ended - launched);
        let workflow = (a.workflow != b.workflow).then(|| (a.workflow.clone(), b.workflow.clone()));
        Ok(RunDiff {
            workflow,
            input: (a.input != b.input).then(|| (a.input.clone(), b.input.clone())),
            sources,
            steps: differences(&self.steps(first)?, &self.steps(second)?),
            states: (a.state, b.state),
            elapsed_ms: (elapsed(a.ended_at_ms, a.launched_at_ms), elapsed(b.ended_at_ms, b.launched_at_ms)),
            output: (a.output != b.output).then_some((a.output, b.output)),
        })
    }
}

fn differences(first: &[StepRecord], second: &[StepRecord]) -> Vec<StepDifference> {
    let mut by_path: BTreeMap<_, (Option<&StepRecord>, Option<&StepRecord>)> = BTreeMap::new();
    first.iter().for_each(|step| by_path.entry(&step.path).or_default().0 = Some(step));
    second.iter().for_each(|step| by_path.entry(&step.path).or_default().1 = Some(step));
    let describe = |step: Option<&StepRecord>| step.map(describe);
    let elapsed = |step: Option<&StepRecord>| step.and_then(|step| Some(step.finished_at_ms? - step.started_at_ms));
    let all = by_path.into_iter().map(|(path, (one, other))| StepDifference {
        path: path.to_string(),
        first: describe(one),
        second: describe(other),
        elapsed_ms: (elapsed(one), elapsed(other)),
    });
    all.filter(|step| step.first != step.second).collect()
}

fn describe(step: &StepRecord) -> String {
    let outcome = match &step.outcome {
        Some(Outcome::Value(value)) => value.to_string(),
        Some(Outcome::Error(problem)) => format!("{}: {}", problem.code, problem.message),
        None => step.state.to_string(),
    };
    format!("{}{} → {outcome}", step.op, step.args)
}
