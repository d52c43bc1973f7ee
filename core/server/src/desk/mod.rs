//! Where commands go: to the engine of this data folder, or to a server (`--server URL`). Commands ask a `Desk` and print
//! what it answers, so both look the same.

pub mod archive;
mod here;
mod http;
mod there;

use std::{sync::Arc, time::Duration};

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

pub use there::Remote;

/// Wakes whoever follows a run.
pub trait News {
    /// Waits until there may be something new, at most so long.
    fn wait(&mut self, timeout: Duration);
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

    fn launch(&self, launch: Launch) -> Result<Launched, Problem>;
    fn cancel(&self, run: &RunId, by: &str, reason: Option<String>) -> Result<(), Problem>;
    fn signal(&self, run: &RunId, name: &str, payload: Value, by: &str, id: Option<String>) -> Result<(), Problem>;
    fn decide(&self, run: &RunId, path: &StepPath, decision: Decision) -> Result<(), Problem>;
    fn resolve(&self, run: &RunId, path: &StepPath, resolution: Resolution, by: &str) -> Result<(), Problem>;
    fn unstick(&self, run: &RunId, action: StuckAction, by: &str) -> Result<(), Problem>;
    fn unpark(&self, run: &RunId, by: &str) -> Result<(), Problem>;
    fn retry(&self, run: &RunId, by: &str) -> Result<Launched, Problem>;
    fn restart(&self, run: &RunId, current: bool, dry_run: bool, by: &str) -> Result<Restarted, Problem>;
    fn upgrade(&self, run: &RunId, dry_run: bool, by: &str) -> Result<Verdict, Problem>;
    fn prune(&self) -> Result<u64, Problem>;

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
