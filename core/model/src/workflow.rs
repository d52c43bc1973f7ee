//! A workflow's header: the `const WORKFLOW = #{ … }` at the top of its file.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What only those who manage an organisation may have done.
const MANAGING: [&str; 5] = ["org.write", "voucher.issue", "voucher.revoke", "voucher.write_off", "voucher.redeem"];

/// The organisation whose folder a file stands in: `orgs/acme/backup` is `acme`'s. The others are the platform's.
pub fn owner(name: &str) -> Option<&str> {
    let (owner, rest) = name.strip_prefix("orgs/")?.split_once('/')?;
    (!owner.is_empty() && !rest.is_empty()).then_some(owner)
}

/// Whether an organisation may launch it: the platform's are everybody's, as they are granted.
pub fn is_of(name: &str, organisation: &str) -> bool {
    owner(name).is_none_or(|owner| owner == organisation)
}

/// Whether a file may import another one: those of an organisation are imported from its own folder only.
pub fn may_import(importer: &str, module: &str) -> bool {
    owner(module).is_none_or(|owned| owner(importer) == Some(owned))
}

/// What a workflow says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// `area/name`, the same as its file.
    pub name: String,
    /// One line.
    pub title: String,
    /// What it does, for whom.
    #[serde(default)]
    pub description: String,
    /// JSON Schema (2020-12) of the input; `x-step`, `x-widget` guide the form; a field with
    /// `x-secret` takes the name of a secret.
    #[serde(default = "any_object")]
    pub inputs: Value,
    /// The wizard's steps, in order.
    #[serde(default)]
    pub wizard: Vec<Value>,
    /// What the script may do: `module.verb:scope`.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Whether a failed run undoes what it did.
    #[serde(default)]
    pub rollback: Rollback,
    /// Longest time from launch to end, as a duration: `2h`.
    #[serde(default)]
    pub timeout: Option<String>,
    /// Runs that exclude one another.
    #[serde(default)]
    pub concurrency: Option<Concurrency>,
    /// How often runs may begin.
    #[serde(default)]
    pub rate: Option<RateLimit>,
    /// Which runs of an organisation begin first when there are more than workers.
    #[serde(default)]
    pub priority: Priority,
    /// How long an ended run is kept, as a duration: `30d`.
    #[serde(default)]
    pub retention: Option<String>,
    /// For lists and filters.
    #[serde(default)]
    pub tags: Vec<String>,
}

impl Workflow {
    /// Whether it may do what is kept for those who manage an organisation: it acts with its own grants, and not with those of whoever
    /// launches it.
    pub fn is_managing(&self) -> bool {
        self.permissions.iter().any(|grant| {
            // `module.verb:scope`, where both words may end in `*`.
            let verb = grant.split_once(':').map_or(grant.as_str(), |(verb, _)| verb);
            MANAGING.iter().any(|kept| match verb.split_once('*') {
                Some((begin, _)) => kept.starts_with(begin),
                None => verb == *kept,
            })
        })
    }
}

fn any_object() -> Value {
    serde_json::json!({ "type": "object" })
}

/// Whether a failed run undoes what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rollback {
    /// Undo completed steps in reverse order.
    #[default]
    Auto,
    /// Leave everything as it is; the run can be restarted from the failed step.
    None,
}

/// Runs that exclude one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    /// What they share, with inputs in braces: `lab/{lab}`.
    pub key: String,
    /// How many may run at once.
    #[serde(default = "one")]
    pub limit: u32,
    /// What a launch beyond the limit does.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

fn one() -> u32 {
    1
}

/// How often runs may begin, on all nodes together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// What they share, with inputs in braces: `hetzner/{project}`.
    pub key: String,
    /// How many may begin within the time.
    pub limit: u32,
    /// The time, as a duration: `1m`.
    pub per: String,
    /// What a launch beyond it does.
    #[serde(default)]
    pub on_limit: OnLimit,
}

/// What a launch beyond a rate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLimit {
    /// Begins later.
    #[default]
    Queue,
    /// Is refused.
    Reject,
}

/// Which runs of an organisation begin first when there are more than workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// After the others.
    Low,
    /// As most.
    #[default]
    Normal,
    /// Before the others.
    High,
}

impl Priority {
    /// As a number that rises with it.
    pub fn rank(self) -> i64 {
        self as i64
    }

    /// The priority with this number.
    pub fn of_rank(rank: i64) -> Self {
        [Self::Low, Self::High].into_iter().find(|priority| priority.rank() == rank).unwrap_or_default()
    }
}

/// What a launch beyond a concurrency limit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Waits in the queue.
    #[default]
    Queue,
    /// Is refused.
    Reject,
    /// Cancels the run that is there.
    CancelPrevious,
}
