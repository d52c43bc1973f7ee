//! Reads: everything that can be seen of runs. Reads of others than the engine go through here, too.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use windlass_model::{
    Bundle, BundleDigest, Code, Event, NodeId, Problem, RunId, RunState, StepPath,
    query::{
        ApprovalFilter, ApprovalRecord, ArtifactRecord, LockRecord, NodeRecord, ResourceFilter, RunFilter, RunRecord,
        RunsPage, Scope, SecretRecord, SignalRecord, StepFilter,
    },
    resource::ResourceRecord,
    step::StepRecord,
    undo::UndoRecord,
};

use crate::{Engine, Watcher};

impl Engine {
    /// A run, if there is one with this id.
    pub fn run(&self, run: &RunId) -> Result<Option<RunRecord>, Problem> {
        Ok(self.inner.store.run(run)?)
    }

    /// A run, or the error that there is none.
    pub fn require(&self, run: &RunId) -> Result<RunRecord, Problem> {
        self.run(run)?.ok_or_else(|| {
            Problem::new(Code::RunNotFound, format!("there is no run `{run}`"))
                .help("`windlass runs ls` lists the runs")
        })
    }

    /// The one run whose id begins (or ends) so.
    pub fn find(&self, part: &str) -> Result<RunRecord, Problem> {
        if let Some(run) = self.run(&RunId::from(part))? {
            return Ok(run);
        }
        let filter = RunFilter { id_prefix: Some(part.to_owned()), limit: 2, ..RunFilter::default() };
        let mut found = self.runs(&filter)?;
        match (found.pop(), found.pop()) {
            (Some(run), None) if !part.is_empty() => Ok(run),
            (Some(_), Some(_)) => Err(Problem::new(Code::Usage, format!("several runs begin with `{part}`"))
                .help("give more of the id, or all of it")),
            _ => Err(Problem::new(Code::RunNotFound, format!("there is no run `{part}`"))
                .help("`windlass runs ls` lists the runs")),
        }
    }

    /// Runs, newest first.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, Problem> {
        Ok(self.inner.store.runs(filter)?)
    }

    /// The nodes that are there, by name.
    pub fn nodes(&self) -> Result<Vec<NodeRecord>, Problem> {
        Ok(self.inner.store.nodes()?)
    }

    /// The node that this process is.
    pub fn node(&self) -> &NodeId {
        &self.inner.config.node
    }

    /// After so long without a word of it a node's runs are taken over, in milliseconds.
    pub fn lease_ms(&self) -> i64 {
        self.inner.config.lease_ms
    }

    /// A page of runs, newest first.
    pub fn runs_page(&self, filter: &RunFilter) -> Result<RunsPage, Problem> {
        Ok(self.inner.store.runs_page(filter)?)
    }

    /// How many runs there are, at most `cap`; the filter's limit doesn't count.
    pub fn count_runs(&self, filter: &RunFilter, cap: u64) -> Result<u64, Problem> {
        Ok(self.inner.store.count_runs(filter, cap)?)
    }

    /// How many runs within some scopes are in each state. Where a scope is a folder, up to 10,000 of each.
    pub fn counts_within(&self, scopes: Option<&[Scope]>) -> Result<Vec<(RunState, u64)>, Problem> {
        Ok(self.inner.store.counts_within(scopes)?)
    }

    /// How many runs are in each state.
    pub fn counts(&self) -> Result<Vec<(RunState, u64)>, Problem> {
        Ok(self.inner.store.counts()?)
    }

    /// A run's journal, in order of paths.
    pub fn steps(&self, run: &RunId) -> Result<Vec<StepRecord>, Problem> {
        Ok(self.inner.store.steps(run)?)
    }

    /// A run's journal, page by page.
    pub fn steps_where(&self, run: &RunId, filter: &StepFilter) -> Result<Vec<StepRecord>, Problem> {
        Ok(self.inner.store.steps_where(run, filter)?)
    }

    /// Those of these steps of a run that there are, in no order.
    pub fn steps_at(&self, run: &RunId, paths: &[StepPath]) -> Result<Vec<StepRecord>, Problem> {
        Ok(self.inner.store.steps_at(run, paths)?)
    }

    /// A run's events after a number.
    pub fn events(&self, run: &RunId, after_seq: i64, limit: u32) -> Result<Vec<Event>, Problem> {
        Ok(self.inner.store.events(run, after_seq, limit)?)
    }

    /// Watches a run. Read events first, then wait, then read again: nothing is missed.
    pub fn watch(&self, run: &RunId) -> Watcher {
        self.inner.signals.feed.watch(run)
    }

    /// Blocks until the run is over or needs a person, at most `timeout`; its record then.
    pub fn wait_ended(&self, run: &RunId, timeout: Duration) -> Result<RunRecord, Problem> {
        let deadline = std::time::Instant::now() + timeout;
        let mut watcher = self.watch(run);
        loop {
            let record = self.require(run)?;
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if record.state.is_ended() || record.state == RunState::RollbackStuck || left.is_zero() {
                return Ok(record);
            }
            watcher.wait(left.min(Duration::from_millis(self.inner.config.poll_ms.max(1) * 5)));
        }
    }

    /// A run's undo list.
    pub fn undo_list(&self, run: &RunId) -> Result<Vec<UndoRecord>, Problem> {
        Ok(self.inner.store.undo(run)?)
    }

    /// The inventory, of one run or of all.
    pub fn resources(&self, run: Option<&RunId>, open_only: bool) -> Result<Vec<ResourceRecord>, Problem> {
        Ok(self.inner.store.resources(run, open_only)?)
    }

    /// The inventory, page by page.
    pub fn resources_where(&self, filter: &ResourceFilter) -> Result<Vec<ResourceRecord>, Problem> {
        Ok(self.inner.store.resources_where(filter)?)
    }

    /// Approvals, page by page.
    pub fn approvals_where(&self, filter: &ApprovalFilter) -> Result<Vec<ApprovalRecord>, Problem> {
        Ok(self.inner.store.approvals_where(filter)?)
    }

    /// Approvals, of one run or of all.
    pub fn approvals(&self, run: Option<&RunId>, open_only: bool) -> Result<Vec<ApprovalRecord>, Problem> {
        Ok(self.inner.store.approvals(run, open_only)?)
    }

    /// Signals that the run hasn't taken yet.
    pub fn signals(&self, run: &RunId) -> Result<Vec<SignalRecord>, Problem> {
        Ok(self.inner.store.signals(run)?)
    }

    /// What an organisation's runs have stored under keys with a prefix, by key.
    pub fn stored(&self, organisation: &str, prefix: &str) -> Result<Vec<(String, Value)>, Problem> {
        Ok(self.inner.store.kv(organisation, prefix)?)
    }

    /// Locks that are held.
    pub fn locks(&self) -> Result<Vec<LockRecord>, Problem> {
        Ok(self.inner.store.locks()?)
    }

    /// What an organisation's runs have stored under a key.
    pub fn stored_at(&self, organisation: &str, key: &str) -> Result<Option<serde_json::Value>, Problem> {
        let all = self.inner.store.kv(organisation, key)?;
        Ok(all.into_iter().find(|(known, _)| known == key).map(|(_, value)| value))
    }

    /// Keys and values with a prefix of all organisations' key-value stores: whose, key, value.
    pub fn kv_everywhere(&self, prefix: &str) -> Result<Vec<(String, String, Value)>, Problem> {
        Ok(self.inner.store.kv_everywhere(prefix)?)
    }

    /// Secrets, without their values.
    pub fn secrets(&self) -> Result<Vec<SecretRecord>, Problem> {
        Ok(self.inner.store.secrets()?)
    }

    /// A secret's ciphertext and policy.
    pub fn sealed_secret(&self, name: &str) -> Result<Option<(Vec<u8>, String)>, Problem> {
        Ok(self.inner.store.sealed_secret(name)?)
    }

    /// A run's artifacts, without their contents.
    pub fn artifacts(&self, run: &RunId) -> Result<Vec<ArtifactRecord>, Problem> {
        Ok(self.inner.store.artifacts(run)?)
    }

    /// An artifact's content.
    pub fn artifact(&self, run: &RunId, name: &str) -> Result<Option<Vec<u8>>, Problem> {
        Ok(self.inner.store.artifact(run, name)?)
    }

    /// The sources that a run is pinned to.
    pub fn sources(&self, run: &RunId) -> Result<std::sync::Arc<Bundle>, Problem> {
        self.inner.bundle(&self.require(run)?.bundle)
    }

    /// Sources by their digest, if they are kept here.
    pub fn bundle(&self, digest: &BundleDigest) -> Result<Option<std::sync::Arc<Bundle>>, Problem> {
        match self.inner.store.bundle(digest)? {
            Some(_) => self.inner.bundle(digest).map(Some),
            None => Ok(None),
        }
    }

    /// Everything about a run, as one JSON document.
    pub fn export(&self, run: &RunId) -> Result<Value, Problem> {
        let record = self.require(run)?;
        let mut events = Vec::new();
        loop {
            let after = events.last().map_or(0, |event: &Event| event.seq);
            let page = self.events(run, after, 1_000)?;
            if page.is_empty() {
                break;
            }
            events.extend(page);
        }
        let steps: BTreeMap<String, StepRecord> =
            self.steps(run)?.into_iter().map(|step| (step.path.to_string(), step)).collect();
        Ok(json!({
            "format": "windlass.run/1",
            "run": record,
            "sources": *self.sources(run)?,
            "steps": steps,
            "events": events,
            "undo": self.undo_list(run)?,
            "resources": self.resources(Some(run), false)?,
            "approvals": self.approvals(Some(run), false)?,
            "artifacts": self.artifacts(run)?,
        }))
    }
}
