//! What people do to runs: cancel, signal, decide, resolve, unstick, let go on. Each is one command.

use serde_json::Value;
use windlass_model::{
    Code, NodeId, Problem, RunId, StepPath,
    command::{Command, Reply},
    journal::Pinned,
    query::{ApprovalRecord, RetentionCounts},
    undo::StuckAction,
    wait::{Decision, Resolution},
};

use crate::{Engine, Launch, Launched, input::check_form, scheduler::PRUNE_LIMIT};

impl Engine {
    fn command(&self, command: Command) -> Result<(), Problem> {
        self.commit(command)?;
        Ok(())
    }

    /// Asks for a run's end: what it did is undone.
    pub fn cancel(&self, run: &RunId, by: &str, reason: Option<String>) -> Result<(), Problem> {
        self.command(Command::Cancel { run: run.clone(), by: by.to_owned(), reason })
    }

    /// Has a node claim nothing more and hand over what it evaluates, or go on.
    pub fn drain_node(&self, node: &NodeId, draining: bool) -> Result<(), Problem> {
        self.command(Command::Drain { node: node.clone(), draining })
    }

    /// Delivers a signal; it is kept until the run takes it. A second delivery with the same `id` is dropped.
    pub fn signal(&self, run: &RunId, name: &str, payload: Value, by: &str, id: Option<String>) -> Result<(), Problem> {
        let (name, by) = (name.to_owned(), by.to_owned());
        self.command(Command::Signal { run: run.clone(), name, payload, by, id })
    }

    /// A person's decision on an approval. Without a path, the run must have exactly one that is open. Who approves fills
    /// in the form; who denies needn't. Whether the person has the role is for the caller to know.
    pub fn decide(&self, run: &RunId, path: Option<&StepPath>, decision: Decision) -> Result<(), Problem> {
        let approval = self.open_approval(run, path)?;
        if decision.approved {
            check_form(&approval.request, &decision.form, self.inner.children.known_secret())?;
        }
        self.command(Command::Decide { run: run.clone(), path: approval.path, decision })
    }

    /// The run's open approval at `path`, or its only one.
    pub fn open_approval(&self, run: &RunId, path: Option<&StepPath>) -> Result<ApprovalRecord, Problem> {
        self.require(run)?;
        let mut open = self.approvals(Some(run), true)?;
        open.retain(|approval| path.is_none_or(|path| approval.path == *path));
        let help = format!("`windlass runs show {run}` lists what it waits for");
        match (open.pop(), open.is_empty()) {
            (Some(approval), true) => Ok(approval),
            (None, _) => Err(Problem::new(Code::NotFound, format!("run {run} has no such open approval")).help(help)),
            (Some(_), false) => {
                Err(Problem::new(Code::Usage, format!("run {run} waits for several approvals: name the step"))
                    .help(help))
            }
        }
    }

    /// An operator's word on a step that is in doubt.
    pub fn resolve(&self, run: &RunId, path: &StepPath, resolution: Resolution, by: &str) -> Result<(), Problem> {
        self.command(Command::Resolve { run: run.clone(), path: path.clone(), resolution, by: by.to_owned() })
    }

    /// Stops an undo that comes to no end: the run is stuck at what is undone just now. What its op has under way is cut off.
    pub fn stick(&self, run: &RunId, by: &str, reason: Option<String>) -> Result<(), Problem> {
        self.command(Command::Stick { run: run.clone(), by: by.to_owned(), reason })
    }

    /// An operator's word on an undo that is stuck.
    pub fn unstick(&self, run: &RunId, action: StuckAction, by: &str) -> Result<(), Problem> {
        self.command(Command::Unstick { run: run.clone(), action, by: by.to_owned() })
    }

    /// Lets a run go on that was parked because it took its process down too often.
    pub fn unpark(&self, run: &RunId, by: &str) -> Result<(), Problem> {
        self.command(Command::Unpark { run: run.clone(), by: by.to_owned() })
    }

    /// Launches the same workflow, as it stands now, with the same input.
    pub fn retry(&self, run: &RunId, by: &str) -> Result<Launched, Problem> {
        self.retry_if(run, by, |_, _| Ok(()))
    }

    /// The same, if the sources that are pinned and the input as the script will see it are what the caller expects.
    pub fn retry_if(
        &self,
        run: &RunId,
        by: &str,
        fits: impl FnOnce(&Pinned, &Value) -> Result<(), Problem>,
    ) -> Result<Launched, Problem> {
        let record = self.require(run)?;
        let tags = Vec::new();
        let (workflow, input, by, organisation) = (record.workflow, record.input, by.to_owned(), record.organisation);
        self.launch_if(Launch { workflow, input, by, tags, organisation, ..Launch::default() }, fits)
    }

    /// Keeps a secret's ciphertext with its policy (JSON text).
    pub fn put_secret(&self, name: &str, sealed: Vec<u8>, policy: String) -> Result<(), Problem> {
        self.command(Command::PutSecret { name: name.to_owned(), sealed, policy })
    }

    /// Removes a secret.
    pub fn delete_secret(&self, name: &str) -> Result<(), Problem> {
        self.command(Command::DeleteSecret { name: name.to_owned() })
    }

    /// What retention would remove now.
    pub fn retention(
        &self,
        artifacts_before_ms: Option<i64>,
        artifacts_bytes: Option<i64>,
    ) -> Result<RetentionCounts, Problem> {
        let default_retention_ms = self.inner.config.default_retention_ms;
        Ok(self.inner.store.retention(default_retention_ms, artifacts_before_ms, artifacts_bytes)?)
    }

    /// Removes up to so many ended runs whose retention is over, each commit of its own beside others; how many.
    pub fn prune_some(&self, limit: u32) -> Result<u64, Problem> {
        loop {
            if let Some(count) = self.prune_once(limit)? {
                return Ok(count);
            }
        }
    }

    /// Removes up to so many ended runs whose retention is over, in one commit: how many, or nothing where that was a further slice of a
    /// large one, after which there may be more.
    pub fn prune_once(&self, limit: u32) -> Result<Option<u64>, Problem> {
        let default_retention_ms = self.inner.config.default_retention_ms;
        match self.commit(Command::Prune { default_retention_ms, limit })? {
            Reply::Partly => Ok(None),
            Reply::Count(count) => Ok(Some(count)),
            _ => Ok(Some(0)),
        }
    }

    /// Removes up to so many artifacts of ended runs: those whose runs ended before this, then the oldest beyond so many bytes.
    pub fn prune_artifacts(
        &self,
        ended_before_ms: Option<i64>,
        most_bytes: Option<i64>,
        limit: u32,
    ) -> Result<u64, Problem> {
        self.counted(Command::PruneArtifacts { ended_before_ms, most_bytes, limit })
    }

    /// Removes up to so many documents that have expired.
    pub fn prune_documents(&self, limit: u32) -> Result<u64, Problem> {
        self.counted(Command::PruneDocuments { limit })
    }

    fn counted(&self, command: Command) -> Result<u64, Problem> {
        match self.commit(command)? {
            Reply::Count(count) => Ok(count),
            _ => Ok(0),
        }
    }

    /// Removes ended runs whose retention is over; how many.
    pub fn prune(&self) -> Result<u64, Problem> {
        let mut pruned = 0;
        // In small bites: runs that are under way commit between them.
        while let count @ 1.. = self.prune_some(PRUNE_LIMIT)? {
            pruned += count;
        }
        Ok(pruned)
    }
}
