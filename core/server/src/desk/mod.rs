//! Where commands go: to the engine of this data folder, or to a server (`--server URL`). Commands ask a `Desk` and print
//! what it answers, so both look the same.

pub mod archive;
mod here;
mod http;
mod there;

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_engine::{Launch, Launched, Restarted, RunDiff, Verdict};
use windlass_model::{
    Bundle, Code, Event, Problem, RunId, StepPath, Workflow,
    query::{ApprovalRecord, RunFilter, RunRecord},
    resource::ResourceRecord,
    step::StepRecord,
    undo::{StuckAction, UndoRecord},
    wait::{Decision, Resolution},
};

pub use http::problem;
pub use there::{Remote, encoded, encoded_name, encoded_path, workflow_path};

/// Wakes whoever follows a run.
pub trait News {
    /// Waits until there may be something new, at most so long.
    fn wait(&mut self, timeout: Duration);
}

/// An open approval, with its run in short.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    #[serde(flatten)]
    pub approval: ApprovalRecord,
    pub workflow: String,
    pub organisation: String,
    pub launched_by: String,
    pub may_decide: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

/// What can be done to many runs.
#[derive(Clone, Copy, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Bulk {
    /// Ask for their end: what they did is undone
    Cancel,
    /// Launch each one's workflow again, with its input
    Retry,
    /// Restart failed runs from their failed step
    Restart,
    /// Let parked runs go on
    Unpark,
}

/// Which runs a bulk command would be for.
#[derive(Debug, Serialize)]
pub struct Preview {
    pub count: u64,
    /// Whether there are more than were counted.
    pub more: bool,
    /// The first of them.
    pub items: Vec<RunRecord>,
}

/// Who does something to many runs, and why.
#[derive(Clone, Copy, Debug)]
pub struct Why<'a> {
    pub by: &'a str,
    pub reason: Option<&'a str>,
}

/// What became of one of many runs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    pub run: String,
    pub done: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launched: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// What became of a step that was in doubt, as the API says it.
fn words(resolution: &Resolution) -> (&'static str, Value) {
    match resolution {
        Resolution::Happened { result } => ("happened", result.clone()),
        Resolution::Perform => ("perform", Value::Null),
        Resolution::Fail => ("fail", Value::Null),
    }
}

/// A restart that wasn't possible, as a problem.
fn restarted(restarted: Restarted) -> Result<(), Problem> {
    match restarted.verdict.is_compatible() {
        true => Ok(()),
        false => Err(Problem::new(Code::Divergence, "its scripts and its journal differ")
            .data(serde_json::json!(restarted.verdict))),
    }
}

/// What commands on runs need. The names are the engine's. Who acts (`by`) is for the engine of this data folder only: a
/// server knows it from the token.
pub trait Desk: archive::Archive {
    fn run(&self, run: &RunId) -> Result<Option<RunRecord>, Problem>;
    fn find(&self, part: &str) -> Result<RunRecord, Problem>;
    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, Problem>;
    fn steps(&self, run: &RunId) -> Result<Vec<StepRecord>, Problem>;
    fn events(&self, run: &RunId, after: i64, limit: u32) -> Result<Vec<Event>, Problem>;
    fn undo_list(&self, run: &RunId) -> Result<Vec<UndoRecord>, Problem>;
    fn resources(&self, run: Option<&RunId>, open_only: bool) -> Result<Vec<ResourceRecord>, Problem>;
    fn approvals(&self, run: &RunId) -> Result<Vec<ApprovalRecord>, Problem>;
    fn sources(&self, run: &RunId) -> Result<Arc<Bundle>, Problem>;
    fn export(&self, run: &RunId) -> Result<Value, Problem>;
    fn diff(&self, first: &RunId, second: &RunId) -> Result<RunDiff, Problem>;
    /// Wakes on events of a run with numbers above `after`.
    fn watch(&self, run: &RunId, after: i64) -> Box<dyn News>;
    fn now_ms(&self) -> i64;

    /// Launches; with a plan's id, only what was planned.
    fn launch(&self, launch: Launch, plan: Option<&str>) -> Result<Launched, Problem>;
    fn cancel(&self, run: &RunId, by: &str, reason: Option<String>) -> Result<(), Problem>;
    fn signal(&self, run: &RunId, name: &str, payload: Value, by: &str, id: Option<String>) -> Result<(), Problem>;
    fn decide(&self, run: &RunId, path: &StepPath, decision: Decision) -> Result<(), Problem>;
    fn resolve(&self, run: &RunId, path: &StepPath, resolution: Resolution, by: &str) -> Result<(), Problem>;
    fn stick(&self, run: &RunId, by: &str, reason: Option<String>) -> Result<(), Problem>;
    fn unstick(&self, run: &RunId, action: StuckAction, by: &str) -> Result<(), Problem>;
    fn unpark(&self, run: &RunId, by: &str) -> Result<(), Problem>;
    fn retry(&self, run: &RunId, by: &str) -> Result<Launched, Problem>;
    fn restart(
        &self,
        run: &RunId,
        from: Option<&StepPath>,
        current: bool,
        dry_run: bool,
        by: &str,
    ) -> Result<Restarted, Problem>;
    fn upgrade(&self, run: &RunId, dry_run: bool, by: &str) -> Result<Verdict, Problem>;
    fn prune(&self, by: &str) -> Result<u64, Problem>;
    /// What runs ask of people, oldest first: what whoever asks may decide on, or all that they may see.
    fn inbox(&self, all: bool, organisation: Option<&str>) -> Result<Vec<Asked>, Problem>;
    /// Which runs a bulk command would be for.
    fn preview(&self, which: &RunFilter, action: Bulk) -> Result<Preview, Problem>;
    /// Does the same to each of these runs; to none if they aren't as many as expected.
    fn bulk(&self, which: &RunFilter, expected: Option<u64>, action: Bulk, why: Why<'_>) -> Result<Vec<Done>, Problem>;

    /// Names of the workflows that can be launched.
    fn workflow_names(&self) -> Result<Vec<String>, Problem>;
    /// A workflow's header.
    fn workflow(&self, name: &str) -> Result<Workflow, Problem>;

    /// Where futures run.
    fn runtime(&self) -> tokio::runtime::Handle;
    /// Whether this process executes runs.
    fn executes(&self) -> bool;
    /// Whether any process does.
    fn is_executed(&self) -> Result<bool, Problem>;
    /// Goes on with the runs of a process that is gone; whether that happened.
    fn try_take_over(&mut self) -> Result<bool, Problem>;
    /// Whether roles are looked after: a server knows them, a data folder trusts whoever can write to it.
    fn knows_roles(&self) -> bool;
    /// Ends it. Open runs go on when somebody executes them again.
    fn close(self: Box<Self>);

    /// A run, or the error that there is none.
    fn require(&self, run: &RunId) -> Result<RunRecord, Problem> {
        self.run(run)?.ok_or_else(|| {
            Problem::new(Code::RunNotFound, format!("there is no run `{run}`"))
                .help("`windlass runs ls` lists the runs")
        })
    }

    /// The run's open approval at a step, or its only one.
    fn open_approval(&self, run: &RunId, path: Option<&StepPath>) -> Result<ApprovalRecord, Problem> {
        let mut open = self.approvals(run)?;
        open.retain(|approval| path.is_none_or(|path| approval.path == *path));
        let help = format!("`windlass runs show {run}` lists what it waits for");
        match (open.pop(), open.is_empty()) {
            (Some(approval), true) => Ok(approval),
            (None, _) => Err(Problem::new(Code::NotFound, format!("run {run} has no such open approval")).help(help)),
            (Some(_), false) => {
                let message = format!("run {run} waits for several approvals: name the step");
                Err(Problem::new(Code::Usage, message).help(help))
            }
        }
    }
}
