//! Runs as answers show them: the fields of the model, with a description of each.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;
use windlass_model::{
    Problem, RunState, StepState, WaitReason,
    query::{ApprovalRecord, RunRecord},
    step::StepRecord,
    undo::{UndoRecord, UndoSpec, UndoState},
    wait::OnExpiry,
    workflow::Rollback,
};

/// The words of an enumeration of the model, as a schema.
macro_rules! words {
    ($name:ident, $of:ty) => {
        pub(super) fn $name(_: &mut SchemaGenerator) -> Schema {
            let words: Vec<&str> = <$of>::ALL.iter().map(|word| word.as_str()).collect();
            json_schema!({ "type": "string", "enum": words })
        }
    };
}
words!(run_state, RunState);
words!(wait_reason, WaitReason);
words!(step_state, StepState);
words!(effect_class, windlass_model::EffectClass);
words!(undo_state, UndoState);

fn wait_reasons(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": wait_reason(generator) })
}

/// A problem: what failed, where, why, and what to do.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "describes the model's type")]
pub(crate) struct ProblemShape {
    /// The stable code.
    code: String,
    /// What failed and why, in one sentence.
    message: String,
    /// What to do about it.
    help: Option<String>,
    /// Where in the script: file, line, column.
    site: Option<Value>,
    /// The step that failed, if one did.
    step: Option<String>,
    /// Facts for programs.
    data: Option<Value>,
    /// Whether trying again may help.
    retryable: Option<bool>,
    /// Whether the effect certainly didn't happen.
    no_effect: Option<bool>,
}

/// A run.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RunView {
    /// Its id: 26 characters that sort by the time of launch.
    id: String,
    /// The workflow: `area/name`.
    workflow: String,
    /// Digest of the sources that it is pinned to.
    bundle: String,
    /// Its state.
    #[schemars(schema_with = "run_state")]
    state: RunState,
    /// What it waits for, while it waits; several branches may wait for several things.
    #[schemars(schema_with = "wait_reasons")]
    waiting_on: Vec<WaitReason>,
    /// When it becomes due, if a time is set; milliseconds since 1970, like every time.
    due_at_ms: Option<i64>,
    /// Its input.
    input: Value,
    /// What it returned.
    output: Option<Value>,
    /// Why it failed.
    #[schemars(with = "Option<ProblemShape>")]
    problem: Option<Problem>,
    /// Who launched it.
    launched_by: String,
    /// Its idempotency key.
    idempotency_key: Option<String>,
    /// Whether a failure undoes: `auto` or `none`.
    #[schemars(with = "String")]
    rollback: Rollback,
    /// The organisation that it belongs to.
    organisation: String,
    /// The run that it is a child of, and the step there.
    parent: Option<(String, String)>,
    /// The run that it continues.
    continues: Option<String>,
    /// Tags.
    tags: Vec<String>,
    /// Times that a worker was lost while it had the run.
    recoveries: u32,
    /// When it was launched.
    launched_at_ms: i64,
    /// When a worker first took it.
    started_at_ms: Option<i64>,
    /// When it ended.
    ended_at_ms: Option<i64>,
    /// When its time is up.
    deadline_at_ms: Option<i64>,
}

impl RunView {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// About how many bytes it takes to write it down.
    pub(crate) fn weight(&self) -> usize {
        weight(&self.input) + self.output.as_ref().map_or(0, weight)
    }
}

/// About how many bytes a value takes.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| weight(item) + 1).sum::<usize>() + 2,
        Value::Object(map) => map.iter().map(|(name, value)| name.len() + weight(value) + 4).sum::<usize>() + 2,
        _ => 5,
    }
}

impl From<RunRecord> for RunView {
    fn from(run: RunRecord) -> Self {
        Self {
            id: run.id.to_string(),
            workflow: run.workflow,
            bundle: run.bundle.to_string(),
            state: run.state,
            waiting_on: run.waiting_on,
            due_at_ms: run.due_at_ms,
            input: run.input,
            output: run.output,
            problem: run.problem,
            launched_by: run.launched_by,
            idempotency_key: run.idempotency_key,
            rollback: run.rollback,
            organisation: run.organisation,
            parent: run.parent.map(|(run, step)| (run.to_string(), step.to_string())),
            continues: run.continues.map(|run| run.to_string()),
            tags: run.tags,
            recoveries: run.recoveries,
            launched_at_ms: run.launched_at_ms,
            started_at_ms: run.started_at_ms,
            ended_at_ms: run.ended_at_ms,
            deadline_at_ms: run.deadline_at_ms,
        }
    }
}

/// A step of a run's journal.
#[derive(Serialize, JsonSchema)]
pub(crate) struct StepView {
    /// Where it stands in the run: `12`, `7/b1/3`.
    path: String,
    /// The function: `net::create_namespace`.
    op: String,
    /// What a crash between its effect and its record means.
    #[schemars(schema_with = "effect_class")]
    class: windlass_model::EffectClass,
    /// Its state.
    #[schemars(schema_with = "step_state")]
    state: StepState,
    /// Its arguments: canonical JSON, as text. A secret stands as `{"$secret":"name"}`.
    args: String,
    /// Digest of the function and its arguments.
    digest: String,
    /// Where in the script: file, line, column.
    #[schemars(with = "Value")]
    site: windlass_model::CallSite,
    /// `{"value": JSON as text}` or `{"error": problem}`, once there is one.
    #[schemars(with = "Option<Value>")]
    outcome: Option<windlass_model::Outcome>,
    /// Attempts so far.
    attempts: u32,
    /// When the first attempt began.
    started_at_ms: i64,
    /// When its outcome was recorded.
    finished_at_ms: Option<i64>,
}

impl From<StepRecord> for StepView {
    fn from(step: StepRecord) -> Self {
        Self {
            path: step.path.to_string(),
            op: step.op.to_string(),
            class: step.class,
            state: step.state,
            args: step.args.to_string(),
            digest: step.digest.to_string(),
            site: step.site,
            outcome: step.outcome,
            attempts: step.attempts,
            started_at_ms: step.started_at_ms,
            finished_at_ms: step.finished_at_ms,
        }
    }
}

/// An entry of a run's undo list.
#[derive(Serialize, JsonSchema)]
pub(crate) struct UndoView {
    /// Order of registration, from 1. Undone from the highest down.
    seq: i64,
    /// The run whose step it takes back: this one, or one that it continues.
    origin: String,
    /// The step that it takes back.
    path: String,
    /// How: an op with its arguments, or the script's own closure.
    #[schemars(with = "Value")]
    spec: UndoSpec,
    /// Where the forward call stands.
    #[schemars(with = "Value")]
    site: windlass_model::CallSite,
    /// Its state.
    #[schemars(schema_with = "undo_state")]
    state: UndoState,
    /// Why the last attempt failed.
    #[schemars(with = "Option<ProblemShape>")]
    error: Option<Problem>,
}

impl From<UndoRecord> for UndoView {
    fn from(entry: UndoRecord) -> Self {
        Self {
            seq: entry.seq,
            origin: entry.origin.to_string(),
            path: entry.path.to_string(),
            spec: entry.spec,
            site: entry.site,
            state: entry.state,
            error: entry.error,
        }
    }
}

/// What a person is asked.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RequestView {
    /// The question, in one line.
    title: String,
    /// What is shown to decide on.
    details: Value,
    /// JSON Schema of a form that is filled in with the decision.
    form: Option<Value>,
    /// Who may decide: a role's name.
    role: Option<String>,
    /// Different people who have to approve.
    quorum: u32,
    /// When it expires.
    expires_at_ms: Option<i64>,
    /// What expiry means: `fail`, `deny` or `approve`.
    #[schemars(with = "String")]
    on_expiry: OnExpiry,
    /// Whether whoever launched the run may decide.
    allow_self: bool,
    /// Digest of what is shown. A decision names it, and is void for another.
    digest: String,
}

/// A decision that was made.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DecisionView {
    /// Who decided.
    by: String,
    /// Approved, or denied.
    approved: bool,
    /// Why.
    comment: Option<String>,
    /// What was filled in.
    form: Value,
    /// Digest of what was shown.
    digest: String,
}

/// An approval, asked for and perhaps decided.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ApprovalView {
    /// The run.
    run: String,
    /// The step.
    path: String,
    /// What is asked.
    request: RequestView,
    /// Decisions so far.
    decisions: Vec<DecisionView>,
    /// Whether it is settled.
    settled: bool,
    /// When it was asked.
    asked_at_ms: i64,
}

impl ApprovalView {
    /// As it stands for whoever launched the run: `lonely` tells whether nobody else may decide, where that matters.
    pub(crate) fn of(
        approval: ApprovalRecord,
        lonely: impl FnOnce() -> Result<bool, Problem>,
    ) -> Result<Self, Problem> {
        let allow_self = match approval.request.only_alone && !approval.settled {
            true => lonely()?,
            false => approval.request.allow_self,
        };
        let mut shown = Self::from(approval);
        shown.request.allow_self = allow_self;
        Ok(shown)
    }
}

impl From<ApprovalRecord> for ApprovalView {
    fn from(approval: ApprovalRecord) -> Self {
        let request = approval.request;
        let decisions = approval.decisions.into_iter().map(|decision| DecisionView {
            by: decision.by,
            approved: decision.approved,
            comment: decision.comment,
            form: decision.form,
            digest: decision.digest,
        });
        Self {
            run: approval.run.to_string(),
            path: approval.path.to_string(),
            request: RequestView {
                title: request.title,
                details: request.details,
                form: request.form,
                role: request.role,
                quorum: request.quorum,
                expires_at_ms: request.expires_at_ms,
                on_expiry: request.on_expiry,
                allow_self: request.allow_self,
                digest: request.digest,
            },
            decisions: decisions.collect(),
            settled: approval.settled,
            asked_at_ms: approval.asked_at_ms,
        }
    }
}
