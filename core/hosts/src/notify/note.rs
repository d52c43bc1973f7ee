//! What is to be told, whichever way it goes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How much it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Somebody should look at it some time.
    Warning,
    /// Something didn't work.
    Error,
    /// Somebody has to act now.
    Critical,
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    /// One line.
    pub title: String,
    /// The rest; may be empty.
    pub text: String,
    /// The same for mail readers that show HTML.
    pub html: Option<String>,
    /// How much it matters.
    pub severity: Severity,
    /// Where there is more.
    pub link: Option<String>,
    /// What happened, for programs: `run.failed`.
    pub kind: String,
    /// The rest for programs.
    pub data: Value,
    /// When it happened.
    pub at_ms: i64,
}
