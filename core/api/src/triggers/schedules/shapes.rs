//! What a schedule looks like in answers and requests.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::triggers::kept::{Failure, Launched, Missed, Overlap};

/// A schedule.
#[derive(Serialize, JsonSchema)]
pub struct ScheduleView {
    /// Its id.
    pub id: String,
    /// How people call it; unique in its organisation.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The organisation that it and its runs belong to.
    pub organisation: String,
    /// What it launches.
    pub workflow: String,
    /// With which input.
    pub input: Value,
    /// With which tags, besides `schedule:<name>`.
    pub tags: Vec<String>,
    /// When.
    pub cron: String,
    /// When, in words.
    pub words: String,
    /// By whose clocks.
    pub time_zone: String,
    /// What happens to instants that passed while no server ran.
    pub missed: Missed,
    /// What happens while the run before is still open.
    pub overlap: Overlap,
    /// Each launch is up to so much later.
    pub jitter_ms: i64,
    /// No instant before this.
    pub starts_at_ms: Option<i64>,
    /// No instant from this on.
    pub ends_at_ms: Option<i64>,
    /// Whether it is at rest.
    pub paused: bool,
    /// The user for whom it launches: whoever changed it last.
    pub owner: String,
    /// Until when it acts: a token set it up, and it doesn't act for longer than that.
    pub acts_until_ms: Option<i64>,
    /// The next instants; none while it is paused.
    pub next: Vec<Instant>,
    /// Instants whose launch is decided, but not done: they wait for the run before.
    pub pending: Vec<i64>,
    /// The last launch.
    pub last: Option<Launched>,
    /// Why the last launch that was refused was.
    pub error: Option<Failure>,
    /// Launches so far.
    pub launched: u64,
    /// Instants left out because the run before was still open.
    pub skipped: u64,
    /// Instants that passed while no server ran, and that nobody made up for.
    pub missed_instants: u64,
    /// Launches that were refused.
    pub failed: u64,
    /// When it was made.
    pub created_at_ms: i64,
    /// Rises with every change; `ETag` and `If-Match`.
    pub version: i64,
}

/// An instant.
#[derive(Serialize, JsonSchema)]
pub struct Instant {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// As a wall clock in the schedule's time zone shows it.
    pub wall: String,
}

fn utc() -> String {
    "UTC".into()
}

fn nothing() -> Value {
    json!({})
}

/// A schedule to be.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSchedule {
    /// How people will call it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The organisation; if none is named, the one that you may edit this workflow in.
    #[serde(default)]
    pub organisation: Option<String>,
    /// What to launch: `area/name`.
    pub workflow: String,
    /// With which input. `${/schedule/at}` and `${/schedule/at_ms}` are filled in with the instant.
    #[serde(default = "nothing")]
    pub input: Value,
    /// With which tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// When: five fields (minute, hour, day of month, month, day of week), or six with seconds in front.
    pub cron: String,
    /// By whose clocks: a name of the IANA database.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// What to do about instants that passed while no server ran.
    #[serde(default)]
    pub missed: Missed,
    /// What to do while the run before is still open.
    #[serde(default)]
    pub overlap: Overlap,
    /// Launch up to so much later: `5m`. At most a day.
    #[serde(default)]
    pub jitter: Option<String>,
    /// No instant before this.
    #[serde(default)]
    pub starts_at_ms: Option<i64>,
    /// No instant from this on.
    #[serde(default)]
    pub ends_at_ms: Option<i64>,
    /// At rest from the beginning.
    #[serde(default)]
    pub paused: bool,
}

/// What is to change. What isn't named stays.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleChange {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it launches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// With which input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// With which tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// By whose clocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What to do about instants that passed while no server ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<Missed>,
    /// What to do while the run before is still open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// Launch up to so much later: `5m`; `0s`: on time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<String>,
    /// No instant before this; null: no beginning.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "Option<i64>")]
    pub starts_at_ms: Option<Option<i64>>,
    /// No instant from this on; null: no end.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "Option<i64>")]
    pub ends_at_ms: Option<Option<i64>>,
    /// At rest, or not any more. Instants that pass while it rests are not made up for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// A null that was written is something else than nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::<i64>::deserialize(deserializer).map(Some)
}
