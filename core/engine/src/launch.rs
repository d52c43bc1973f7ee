//! Launching: validate the input, pin the bundle, write the run and its first event in one transaction.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use jsonschema::Validator;
use parking_lot::Mutex;
use serde_json::Value;
use windlass_model::{
    BundleDigest, Code, Problem, RunId, StepPath, Workflow,
    command::{Command, NewRun, Rate, Reply},
    journal::{Pinned, Workflows},
    time::{Clock, parse_duration_ms},
    workflow::{OnLimit, Priority, RateLimit},
};
use windlass_store::{Store, StoreError};

use crate::{
    Engine, KnownSecret,
    input::{compiled, prepare_with},
};

/// What to launch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Launch {
    /// `area/name`.
    pub workflow: String,
    /// Its input; missing fields get the schema's defaults.
    pub input: Value,
    /// Who launches it.
    pub by: String,
    /// A second launch with the same key and input returns the first one's run.
    pub idempotency_key: Option<String>,
    /// Tags besides the workflow's own.
    pub tags: Vec<String>,
    /// The organisation that it belongs to; empty: `platform`.
    pub organisation: String,
    /// Instead of the workflow's own.
    pub priority: Option<Priority>,
}

/// A launched run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// The run.
    pub run: RunId,
    /// It was there already (idempotency key).
    pub existing: bool,
}

impl Engine {
    /// Launches a workflow. It is on disk when this returns.
    pub fn launch(&self, launch: Launch) -> Result<Launched, Problem> {
        self.launch_if(launch, |_, _| Ok(()))
    }

    /// The same, if the sources that are pinned and the input as the script will see it are what the caller expects.
    pub fn launch_if(
        &self,
        launch: Launch,
        fits: impl FnOnce(&Pinned, &Value) -> Result<(), Problem>,
    ) -> Result<Launched, Problem> {
        let (pinned, run) = self.planned(launch, fits)?;
        self.launch_pinned(&pinned, run)
    }

    /// A launch will come in a moment: what takes a while to wake up is woken now.
    pub fn expect_launch(&self) {
        self.inner.store.anticipate();
    }

    /// As `launch`, for callers that must not block: checks the input, and comes back with the launch on its way to the disk.
    /// `Ok(None)`: the database has to be written first, and `launch` does that.
    pub fn submit_launch(
        &self,
        launch: Launch,
        fits: impl FnOnce(&Pinned, &Value) -> Result<(), Problem>,
    ) -> Result<Option<Launching>, Problem> {
        let (pinned, run) = self.planned(launch, fits)?;
        if !self.inner.children.keeps(&pinned) {
            return Ok(None);
        }
        let (claim, asked) = (self.inner.claim_at_launch(), Instant::now());
        let (done, answer) = tokio::sync::oneshot::channel();
        let command = self.with_rest(Command::Launch { run: Box::new(run), claim });
        // Nobody hears it when whoever launched is gone; `Launching` says what that means.
        self.inner.store.submit(command, Box::new(move |answer| drop(done.send(answer))));
        Ok(Some(Launching { engine: self.clone(), asked, answer }))
    }

    fn planned(
        &self,
        launch: Launch,
        fits: impl FnOnce(&Pinned, &Value) -> Result<(), Problem>,
    ) -> Result<(Pinned, NewRun), Problem> {
        let (workflow, organisation) = (&launch.workflow, &launch.organisation);
        if !windlass_model::workflow::is_of(workflow, if organisation.is_empty() { "platform" } else { organisation }) {
            return Err(not_theirs(workflow));
        }
        let (pinned, input) = self.prepared(&launch.workflow, launch.input)?;
        fits(&pinned, &input)?;
        let mut run = self.inner.children.plan(&pinned, input, launch.by)?;
        run.idempotency_key = launch.idempotency_key;
        run.tags.extend(launch.tags);
        run.priority = launch.priority.unwrap_or(run.priority);
        if !launch.organisation.is_empty() {
            run.organisation = launch.organisation;
        }
        Ok((pinned, run))
    }

    /// Refuses an input that a launch of this workflow would refuse.
    pub fn check_input(&self, workflow: &str, input: Value) -> Result<(), Problem> {
        let pinned = self.inner.config.workflows.pin(workflow)?;
        self.inner.children.checked(&pinned, input).map(drop)
    }

    /// Refuses a workflow that can't be launched.
    pub fn check_workflow(&self, workflow: &str) -> Result<(), Problem> {
        self.inner.config.workflows.pin(workflow).map(drop)
    }

    /// What a launch would pin, and the input as the script would see it.
    pub fn prepared(&self, workflow: &str, input: Value) -> Result<(Pinned, Value), Problem> {
        let pinned = self.inner.config.workflows.pin(workflow)?;
        let input = self.inner.children.checked(&pinned, input)?;
        Ok((pinned, input))
    }

    /// Keeps a bundle, unless it is kept already.
    pub fn keep_bundle(&self, pinned: &Pinned) -> Result<(), Problem> {
        self.inner.children.keep(&self.inner.store, pinned)
    }

    pub(crate) fn launch_pinned(&self, pinned: &Pinned, run: NewRun) -> Result<Launched, Problem> {
        self.inner.children.keep(&self.inner.store, pinned)?;
        let (claim, asked) = (self.inner.claim_at_launch(), Instant::now());
        let reply = self.commit(Command::Launch { run: Box::new(run), claim })?;
        self.launched(reply, asked)
    }

    /// It is on disk: what was claimed with it begins.
    fn launched(&self, reply: Reply, asked: Instant) -> Result<Launched, Problem> {
        match reply {
            Reply::Launched { run, existing, claimed } => {
                if let Some(claimed) = claimed {
                    self.inner.start(*claimed, asked);
                }
                Ok(Launched { run, existing })
            }
            other => Err(Problem::new(Code::Internal, format!("the store answered a launch with {other:?}"))),
        }
    }
}

/// A workflow of another organisation is as if it weren't there.
fn not_theirs(workflow: &str) -> Problem {
    Problem::new(Code::WorkflowNotFound, format!("there is no workflow `{workflow}`")).no_effect()
}

/// A launch on its way to the disk. `done` has to be awaited to its end, by a task that nobody drops: it is what begins the
/// run. A run that nobody begins waits until its lease is over.
#[must_use]
pub struct Launching {
    engine: Engine,
    asked: Instant,
    answer: tokio::sync::oneshot::Receiver<Result<Reply, StoreError>>,
}

impl Launching {
    /// Comes back when it is on disk.
    pub async fn done(self) -> Result<Launched, Problem> {
        let gone = |_| Problem::new(Code::Storage, "the store gave no answer to a launch");
        let reply = self.answer.await.map_err(gone)??;
        self.engine.launched(reply, self.asked)
    }
}

/// Makes runs from workflows, for launches from outside and for children.
#[derive(Clone)]
pub(crate) struct ChildLauncher {
    workflows: Arc<dyn Workflows>,
    clock: Arc<dyn Clock>,
    input_bytes: usize,
    known_secret: Option<KnownSecret>,
    kept: Arc<Mutex<HashSet<BundleDigest>>>,
    schemas: Arc<Mutex<HashMap<BundleDigest, Arc<Validator>>>>,
}

/// Input schemas that are kept compiled; beyond that all are forgotten.
const SCHEMAS: usize = 256;
/// Longest duration of a header: 100 years. What is added to a point in time has to stay one.
const LONGEST_MS: i64 = 100 * 365 * 86_400_000;

impl ChildLauncher {
    pub(crate) fn new(
        workflows: Arc<dyn Workflows>,
        clock: Arc<dyn Clock>,
        input_bytes: usize,
        known_secret: Option<KnownSecret>,
    ) -> Self {
        Self { workflows, clock, input_bytes, known_secret, kept: Arc::default(), schemas: Arc::default() }
    }

    /// Which secrets are kept.
    pub(crate) fn known_secret(&self) -> Option<&KnownSecret> {
        self.known_secret.as_ref()
    }

    /// The input as the script will see it.
    pub(crate) fn checked(&self, pinned: &Pinned, input: Value) -> Result<Value, Problem> {
        let known = self.schemas.lock().get(&pinned.digest).cloned();
        let schema = match known {
            Some(schema) => schema,
            None => {
                let schema = compiled(&pinned.workflow)?;
                let mut schemas = self.schemas.lock();
                if schemas.len() >= SCHEMAS {
                    schemas.clear();
                }
                schemas.insert(pinned.digest.clone(), schema.clone());
                schema
            }
        };
        prepare_with(&pinned.workflow, &schema, input, self.input_bytes, self.known_secret.as_ref())
    }

    /// A child of `parent`, ready to be launched by the step at `path`.
    pub(crate) fn prepare(
        &self,
        store: &Store,
        workflow: &str,
        input: &Value,
        parent: &RunId,
        path: &StepPath,
    ) -> Result<NewRun, Problem> {
        if windlass_model::workflow::owner(workflow).is_some() {
            let above = store.run(parent)?;
            if !above.is_some_and(|above| windlass_model::workflow::is_of(workflow, &above.organisation)) {
                return Err(not_theirs(workflow));
            }
        }
        let pinned = self.workflows.pin(workflow)?;
        // Whoever launched the parent was asked whether they manage the organisation only if the parent says so itself.
        if pinned.workflow.is_managing() && !self.is_managing(store, parent)? {
            return Err(Problem::new(
                Code::PermissionDenied,
                format!("`{workflow}` changes organisations or vouchers, and whoever launched this run may not be allowed to"),
            )
            .help("give this workflow's header the same permission: then only those who manage the organisation launch it"));
        }
        let input = self.checked(&pinned, input.clone())?;
        let mut run = self.plan(&pinned, input, format!("run:{parent}"))?;
        run.parent = Some((parent.clone(), path.clone()));
        self.keep(store, &pinned)?;
        Ok(run)
    }

    /// Whether a run is of a workflow that only those who manage its organisation launch.
    fn is_managing(&self, store: &Store, run: &RunId) -> Result<bool, Problem> {
        let Some(run) = store.run(run)? else { return Ok(false) };
        let Some(body) = store.bundle(&run.bundle)? else { return Ok(false) };
        let bundle = serde_json::from_str(&body)
            .map_err(|error| Problem::new(Code::Storage, format!("the bundle {} is damaged: {error}", run.bundle)))?;
        Ok(self.workflows.header(&bundle)?.is_managing())
    }

    /// Whether this process has kept the bundle.
    fn keeps(&self, pinned: &Pinned) -> bool {
        self.kept.lock().contains(&pinned.digest)
    }

    /// Keeps the bundle, unless this process did so before.
    pub(crate) fn keep(&self, store: &Store, pinned: &Pinned) -> Result<(), Problem> {
        if self.keeps(pinned) {
            return Ok(());
        }
        let body = pinned.bundle.canonical().into();
        store.commit(Command::PutBundle { digest: pinned.digest.clone(), body })?;
        self.kept.lock().insert(pinned.digest.clone());
        Ok(())
    }

    /// The run that a launch of `pinned` with this (already checked) input makes.
    pub(crate) fn plan(&self, pinned: &Pinned, input: Value, by: String) -> Result<NewRun, Problem> {
        let workflow: &Workflow = &pinned.workflow;
        let duration = |text: &Option<String>, key: &str| -> Result<Option<i64>, Problem> {
            let parsed = text.as_deref().map(parse_duration_ms).transpose();
            let parsed = parsed.map(|ms| ms.map(|ms| ms.min(LONGEST_MS)));
            parsed.map_err(|error| {
                Problem::new(Code::WorkflowInvalid, format!("`{key}` of workflow `{}`: {error}", workflow.name))
            })
        };
        let timeout_ms = duration(&workflow.timeout, "timeout")?;
        let concurrency = workflow.concurrency.as_ref();
        Ok(NewRun {
            id: RunId::from(ulid::Ulid::new().to_string().to_lowercase()),
            workflow: workflow.name.clone(),
            bundle: pinned.digest.clone(),
            launched_by: by,
            idempotency_key: None,
            rollback: workflow.rollback,
            deadline_at_ms: timeout_ms.map(|timeout_ms| self.clock.now_ms().saturating_add(timeout_ms)),
            retention_ms: duration(&workflow.retention, "retention")?,
            parent: None,
            organisation: "platform".into(),
            concurrency: concurrency.map(|rule| (fill_key(&rule.key, &input), rule.limit, rule.on_conflict)),
            rate: workflow.rate.as_ref().map(|rate| rate_of(rate, &input, &duration)).transpose()?,
            priority: workflow.priority,
            tags: workflow.tags.clone(),
            unindexed: crate::secret_fields::names(&workflow.inputs),
            input: input.to_string(),
        })
    }
}

type Duration<'a> = dyn Fn(&Option<String>, &str) -> Result<Option<i64>, Problem> + 'a;

fn rate_of(rate: &RateLimit, input: &Value, duration: &Duration<'_>) -> Result<Rate, Problem> {
    let per_ms = duration(&Some(rate.per.clone()), "rate.per")?.unwrap_or(1);
    let reject = rate.on_limit == OnLimit::Reject;
    Ok(Rate { key: fill_key(&rate.key, input), limit: rate.limit, per_ms, reject })
}

/// `lab/{lab}` with the input's values in the braces.
fn fill_key(key: &str, input: &Value) -> String {
    let mut filled = String::new();
    let mut rest = key;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        filled.push_str(before);
        match &input[name] {
            Value::String(text) => filled.push_str(text),
            other => filled.push_str(&other.to_string()),
        }
        rest = tail;
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrency_keys_take_values_from_the_input() {
        let input = serde_json::json!({ "lab": "a", "n": 3 });
        assert_eq!(fill_key("lab/{lab}/{n}", &input), "lab/a/3");
        assert_eq!(fill_key("plain", &input), "plain");
        assert_eq!(fill_key("odd{", &input), "odd{");
    }
}
