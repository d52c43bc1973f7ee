//! The engine of this data folder.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use windlass_engine::{Launch, Launched, Restarted, RunDiff, Verdict, Watcher};
use windlass_model::{
    Bundle, Event, Problem, RunId, StepPath, Workflow,
    journal::Workflows as _,
    query::{ApprovalRecord, RunFilter, RunRecord},
    resource::ResourceRecord,
    step::StepRecord,
    undo::{StuckAction, UndoRecord},
    wait::{Decision, Resolution},
};

use super::{Desk, News};
use crate::session::Session;

impl News for Watcher {
    fn wait(&mut self, timeout: Duration) {
        Watcher::wait(self, timeout);
    }
}

impl Desk for Session {
    fn run(&self, run: &RunId) -> Result<Option<RunRecord>, Problem> {
        self.engine().run(run)
    }

    fn find(&self, part: &str) -> Result<RunRecord, Problem> {
        self.engine().find(part)
    }

    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, Problem> {
        self.engine().runs(filter)
    }

    fn steps(&self, run: &RunId) -> Result<Vec<StepRecord>, Problem> {
        self.engine().steps(run)
    }

    fn events(&self, run: &RunId, after: i64, limit: u32) -> Result<Vec<Event>, Problem> {
        self.engine().events(run, after, limit)
    }

    fn undo_list(&self, run: &RunId) -> Result<Vec<UndoRecord>, Problem> {
        self.engine().undo_list(run)
    }

    fn resources(&self, run: Option<&RunId>, open_only: bool) -> Result<Vec<ResourceRecord>, Problem> {
        self.engine().resources(run, open_only)
    }

    fn approvals(&self, run: &RunId) -> Result<Vec<ApprovalRecord>, Problem> {
        self.engine().approvals(Some(run), true)
    }

    fn sources(&self, run: &RunId) -> Result<Arc<Bundle>, Problem> {
        self.engine().sources(run)
    }

    fn export(&self, run: &RunId) -> Result<Value, Problem> {
        self.engine().export(run)
    }

    fn diff(&self, first: &RunId, second: &RunId) -> Result<RunDiff, Problem> {
        self.engine().diff(first, second)
    }

    fn watch(&self, run: &RunId, _after: i64) -> Box<dyn News> {
        Box::new(self.engine().watch(run))
    }

    fn now_ms(&self) -> i64 {
        self.engine().now_ms()
    }

    fn launch(&self, launch: Launch) -> Result<Launched, Problem> {
        self.engine().launch(launch)
    }

    fn cancel(&self, run: &RunId, by: &str, reason: Option<String>) -> Result<(), Problem> {
        self.engine().cancel(run, by, reason)
    }

    fn signal(&self, run: &RunId, name: &str, payload: Value, by: &str, id: Option<String>) -> Result<(), Problem> {
        self.engine().signal(run, name, payload, by, id)
    }

    fn decide(&self, run: &RunId, path: &StepPath, decision: Decision) -> Result<(), Problem> {
        self.engine().decide(run, Some(path), decision)
    }

    fn resolve(&self, run: &RunId, path: &StepPath, resolution: Resolution, by: &str) -> Result<(), Problem> {
        self.engine().resolve(run, path, resolution, by)
    }

    fn unstick(&self, run: &RunId, action: StuckAction, by: &str) -> Result<(), Problem> {
        self.engine().unstick(run, action, by)
    }

    fn unpark(&self, run: &RunId, by: &str) -> Result<(), Problem> {
        self.engine().unpark(run, by)
    }

    fn retry(&self, run: &RunId, by: &str) -> Result<Launched, Problem> {
        self.engine().retry(run, by)
    }

    fn restart(&self, run: &RunId, current: bool, dry_run: bool, by: &str) -> Result<Restarted, Problem> {
        self.engine().restart(run, current, dry_run, by)
    }

    fn upgrade(&self, run: &RunId, dry_run: bool, by: &str) -> Result<Verdict, Problem> {
        if dry_run { self.engine().verdict(run) } else { self.engine().upgrade(run, by) }
    }

    fn prune(&self) -> Result<u64, Problem> {
        self.engine().prune()
    }

    fn workflow_names(&self) -> Result<Vec<String>, Problem> {
        Ok(self.scripts().library.list())
    }

    fn workflow(&self, name: &str) -> Result<Workflow, Problem> {
        self.scripts().library.pin(name).map(|pinned| (*pinned.workflow).clone())
    }

    fn runtime(&self) -> tokio::runtime::Handle {
        Session::runtime(self).clone()
    }

    fn executes(&self) -> bool {
        Session::executes(self)
    }

    fn is_executed(&self) -> Result<bool, Problem> {
        Session::is_executed(self)
    }

    fn try_take_over(&mut self) -> Result<bool, Problem> {
        Session::try_take_over(self)
    }

    fn knows_roles(&self) -> bool {
        false
    }

    fn close(self: Box<Self>) {
        Session::close(*self);
    }
}
