//! The engine of this data folder.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use windlass_api::{
    auth::kept::{By, PLATFORM},
    organisations::quota,
};
use windlass_engine::{Engine, Launch, Launched, Restarted, RunDiff, Verdict, Watcher};
use windlass_model::{
    Bundle, Code, Event, Problem, RunId, StepPath, Workflow,
    journal::Workflows as _,
    query::{ApprovalFilter, ApprovalRecord, RunFilter, RunRecord},
    resource::ResourceRecord,
    step::StepRecord,
    undo::{StuckAction, UndoRecord},
    wait::{Decision, Resolution},
};

use super::{Asked, Bulk, Desk, Done, News, Preview, Why};
use crate::session::Session;

impl News for Watcher {
    fn wait(&mut self, timeout: Duration) {
        Watcher::wait(self, timeout);
    }
}

/// Items that are read at once.
const PAGE: u32 = 500;
/// Runs that are counted, at most: as many as a server counts.
const COUNTED: u64 = 10_000;
/// Runs that a preview shows.
const SHOWN: u32 = 20;

impl Session {
    /// An engine whose next command is committed with an entry in the audit log.
    pub fn entry(&self, action: &str, place: (&str, &str), by: &str, before: Value, after: Value) -> Engine {
        let by = By { actor: by.to_owned(), source: "cli".into() };
        by.audited(self.engine(), action, place, before, after)
    }

    /// The same for a command to a run; the entry says how it was before.
    fn noted(&self, action: &str, run: &RunId, by: &str, after: Value) -> Result<Engine, Problem> {
        let record = self.require(run)?;
        let before = json!({ "state": record.state, "waiting_on": record.waiting_on });
        Ok(self.entry(action, (&record.organisation, run.as_str()), by, before, after))
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

    fn launch(&self, launch: Launch, plan: Option<&str>) -> Result<Launched, Problem> {
        if plan.is_some() {
            return Err(Problem::new(Code::Usage, "plans are kept at a server").help(
                "give --server, or leave --plan out; `windlass run WORKFLOW --rehearse` shows what it would do",
            ));
        }
        let organisation = if launch.organisation.is_empty() { PLATFORM } else { &launch.organisation };
        let after = json!({ "workflow": launch.workflow, "tags": launch.tags, "by": launch.by });
        // The store puts the new run's id in as the target.
        self.entry("run.launch", (organisation, ""), &launch.by, Value::Null, after).launch(launch)
    }

    fn cancel(&self, run: &RunId, by: &str, reason: Option<String>) -> Result<(), Problem> {
        self.noted("run.cancel", run, by, json!({ "reason": reason }))?.cancel(run, by, reason)
    }

    fn signal(&self, run: &RunId, name: &str, payload: Value, by: &str, id: Option<String>) -> Result<(), Problem> {
        self.noted("run.signal", run, by, json!({ "name": name, "id": id }))?.signal(run, name, payload, by, id)
    }

    fn decide(&self, run: &RunId, path: &StepPath, decision: Decision) -> Result<(), Problem> {
        let after = json!({ "step": path, "approved": decision.approved, "comment": decision.comment,
                            "digest": decision.digest });
        self.noted("approval.decide", run, &decision.by, after)?.decide(run, Some(path), decision)
    }

    fn resolve(&self, run: &RunId, path: &StepPath, resolution: Resolution, by: &str) -> Result<(), Problem> {
        let (word, _) = super::words(&resolution);
        let after = json!({ "step": path, "resolution": word });
        self.noted("run.resolve", run, by, after)?.resolve(run, path, resolution, by)
    }

    fn stick(&self, run: &RunId, by: &str, reason: Option<String>) -> Result<(), Problem> {
        self.noted("run.stick", run, by, json!({ "reason": reason }))?.stick(run, by, reason)
    }

    fn unstick(&self, run: &RunId, action: StuckAction, by: &str) -> Result<(), Problem> {
        self.noted("run.unstick", run, by, json!({ "action": action }))?.unstick(run, action, by)
    }

    fn unpark(&self, run: &RunId, by: &str) -> Result<(), Problem> {
        self.noted("run.unpark", run, by, Value::Null)?.unpark(run, by)
    }

    fn retry(&self, run: &RunId, by: &str) -> Result<Launched, Problem> {
        let record = self.require(run)?;
        let after = json!({ "workflow": record.workflow, "again": run, "by": by });
        let through = self.entry("run.retry", (&record.organisation, ""), by, Value::Null, after);
        quota::launching(self.engine(), &record.organisation, |guards| through.with(guards).retry(run, by))
    }

    fn restart(
        &self,
        run: &RunId,
        from: Option<&StepPath>,
        current: bool,
        dry_run: bool,
        by: &str,
    ) -> Result<Restarted, Problem> {
        let from_text = from.map(ToString::to_string);
        let record = self.require(run)?;
        let after = json!({ "current": current, "bundle_before": record.bundle, "from": from_text });
        let through = self.noted("run.restart", run, by, after)?;
        if dry_run {
            return through.restart_from(run, from, current, dry_run, by);
        }
        quota::restarting(self.engine(), &record.organisation, |guards| {
            through.with(guards).restart_from(run, from, current, dry_run, by)
        })
    }

    fn upgrade(&self, run: &RunId, dry_run: bool, by: &str) -> Result<Verdict, Problem> {
        if dry_run {
            return self.engine().verdict(run);
        }
        let after = json!({ "bundle_before": self.require(run)?.bundle });
        self.noted("run.upgrade", run, by, after)?.upgrade(run, by)
    }

    fn prune(&self, by: &str) -> Result<u64, Problem> {
        self.entry("run.prune", (PLATFORM, ""), by, Value::Null, Value::Null).prune()
    }

    fn inbox(&self, _all: bool, organisation: Option<&str>) -> Result<Vec<Asked>, Problem> {
        let organisation = organisation.map(str::to_owned);
        let mut filter = ApprovalFilter { open_only: true, organisation, limit: PAGE, ..ApprovalFilter::default() };
        let mut all = Vec::new();
        loop {
            let page = self.engine().approvals_where(&filter)?;
            let last = page.last().map(|asked| (asked.asked_at_ms, asked.run.clone(), asked.path.clone()));
            let ended = page.len() < PAGE as usize;
            for approval in page {
                let Some(run) = self.run(&approval.run)? else { continue };
                let (workflow, organisation, launched_by) = (run.workflow, run.organisation, run.launched_by);
                // Whoever can write to the data folder may decide on everything in it.
                all.push(Asked { approval, workflow, organisation, launched_by, may_decide: true, why_not: None });
            }
            if ended {
                return Ok(all);
            }
            filter.after = last;
        }
    }

    fn preview(&self, which: &RunFilter, _action: Bulk) -> Result<Preview, Problem> {
        let count = self.engine().count_runs(which, COUNTED + 1)?;
        let items = self.engine().runs(&RunFilter { limit: SHOWN, ..which.clone() })?;
        Ok(Preview { count: count.min(COUNTED), more: count > COUNTED, items })
    }

    fn bulk(&self, which: &RunFilter, expected: Option<u64>, action: Bulk, why: Why<'_>) -> Result<Vec<Done>, Problem> {
        let Preview { count: found, more, .. } = self.preview(which, action)?;
        // So many that they weren't all counted are never as many as expected.
        if let Some(expected) = expected.filter(|expected| *expected != found || more) {
            let found = if more { format!("more than {found}") } else { found.to_string() };
            let message = format!("the filter finds {found} runs now, and not {expected}");
            return Err(Problem::new(Code::PreconditionFailed, message).help("look at the preview again"));
        }
        let (by, reason) = (why.by, why.reason.map(str::to_owned));
        let mut filter = RunFilter { limit: PAGE, ..which.clone() };
        let mut all = Vec::new();
        loop {
            // Older and older ones: what is launched meanwhile isn't among them.
            let page = self.engine().runs(&filter)?;
            let Some(last) = page.last() else { return Ok(all) };
            filter.before = Some(last.id.clone());
            for run in &page {
                let done = match action {
                    Bulk::Cancel => self.cancel(&run.id, by, reason.clone()).map(|()| None),
                    Bulk::Retry => self.retry(&run.id, by).map(|launched| Some(launched.run.to_string())),
                    Bulk::Restart => {
                        self.restart(&run.id, None, false, false, by).and_then(super::restarted).map(|()| None)
                    }
                    Bulk::Unpark => self.unpark(&run.id, by).map(|()| None),
                };
                let (launched, problem) = match done {
                    Ok(launched) => (launched, None),
                    Err(problem) => (None, Some(problem)),
                };
                all.push(Done { run: run.id.to_string(), done: problem.is_none(), launched, problem });
            }
        }
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
