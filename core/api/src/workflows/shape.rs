//! A workflow's header as it is told, field by field: what a form is made from.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use windlass_model::{Workflow, workflow};

/// What a workflow says of itself.
#[derive(Serialize, JsonSchema)]
pub(super) struct WorkflowHeader {
    /// `area/name`.
    name: String,
    /// One line.
    title: String,
    /// What it does, for whom.
    description: String,
    /// JSON Schema (2020-12) of the input. Fields may have `x-step` (title of the wizard's step that they stand in), `x-widget`
    /// and `x-secret` (the field takes the name of a secret).
    #[schemars(with = "Map<String, Value>")]
    inputs: Value,
    /// The wizard's steps, in order.
    wizard: Vec<WizardStep>,
    /// What the script may do: `module.verb:scope`.
    permissions: Vec<String>,
    /// Whether a failed run undoes what it did.
    rollback: Rollback,
    /// Longest time from launch to end, as a duration: `2h`.
    timeout: Option<String>,
    /// Runs that exclude one another.
    concurrency: Option<Concurrency>,
    /// How long an ended run is kept, as a duration: `30d`.
    retention: Option<String>,
    /// For lists and filters.
    tags: Vec<String>,
}

/// A step of the wizard: its title, and whatever else the header says of it.
#[derive(Serialize, JsonSchema)]
struct WizardStep {
    /// What `x-step` of its fields names.
    title: Option<String>,
    /// The rest.
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// Whether a failed run undoes what it did.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Rollback {
    /// Completed steps are undone in reverse order.
    Auto,
    /// Everything stays; the run can be restarted from the failed step.
    None,
}

/// Runs that exclude one another.
#[derive(Serialize, JsonSchema)]
struct Concurrency {
    /// What they share, with inputs in braces: `lab/{lab}`.
    key: String,
    /// How many may run at once.
    limit: u32,
    /// What a launch beyond the limit does.
    on_conflict: OnConflict,
}

/// What a launch beyond a concurrency limit does.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnConflict {
    /// Waits in the queue.
    Queue,
    /// Is refused.
    Reject,
    /// Cancels the run that is there.
    CancelPrevious,
}

impl From<Workflow> for WorkflowHeader {
    fn from(of: Workflow) -> Self {
        Self {
            name: of.name,
            title: of.title,
            description: of.description,
            inputs: of.inputs,
            wizard: of.wizard.into_iter().map(WizardStep::from).collect(),
            permissions: of.permissions,
            rollback: match of.rollback {
                workflow::Rollback::Auto => Rollback::Auto,
                workflow::Rollback::None => Rollback::None,
            },
            timeout: of.timeout,
            concurrency: of.concurrency.map(Concurrency::from),
            retention: of.retention,
            tags: of.tags,
        }
    }
}

impl From<Value> for WizardStep {
    fn from(step: Value) -> Self {
        match step {
            Value::Object(mut more) => {
                let title = more.remove("title").map(|title| title.as_str().map_or(title.to_string(), str::to_owned));
                Self { title, more }
            }
            Value::String(title) => Self { title: Some(title), more: Map::new() },
            _ => Self { title: None, more: Map::new() },
        }
    }
}

impl From<workflow::Concurrency> for Concurrency {
    fn from(of: workflow::Concurrency) -> Self {
        let on_conflict = match of.on_conflict {
            workflow::OnConflict::Queue => OnConflict::Queue,
            workflow::OnConflict::Reject => OnConflict::Reject,
            workflow::OnConflict::CancelPrevious => OnConflict::CancelPrevious,
        };
        Self { key: of.key, limit: of.limit, on_conflict }
    }
}
