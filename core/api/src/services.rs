//! What the API needs of parts that it must not know: scripts and secrets. Implemented where everything is wired.

use serde_json::Value;
use windlass_model::Problem;

/// Workflows: what is there, what it may do, what is wrong with it, and what it would do.
pub trait Scripts: Send + Sync {
    /// Names of all workflows that are there.
    fn names(&self) -> Vec<String>;

    /// Header (`model::Workflow`) of a workflow's active version.
    fn header(&self, name: &str) -> Result<windlass_model::Workflow, Problem>;

    /// Sources of the active version: the workflow and what it imports.
    fn bundle(&self, name: &str) -> Result<windlass_model::Bundle, Problem>;

    /// Digest of the active version.
    fn digest(&self, name: &str) -> Result<String, Problem>;

    /// Diagnostics (JSON, as `windlass workflows check --json`) of a source under this name; with `None` of what stands on
    /// disk.
    fn check(&self, name: &str, source: Option<&str>) -> Result<Vec<Value>, Problem>;

    /// A grant in plain words.
    fn words(&self, grant: &str) -> String;

    /// Everything that scripts can call (JSON, as `windlass definitions`).
    fn definitions(&self) -> Value;

    /// The plan: what a run with this input would do (JSON, as `windlass run --rehearse --json`).
    fn rehearse(&self, workflow: &str, input: Value, by: &str) -> Result<Value, Problem>;

    /// Writes a workflow's source to its file, atomically. `expected` is the digest of the source that is there
    /// (`None`: the file must not be there yet). Refused with `Conflict` if it isn't so.
    fn save(&self, name: &str, source: &str, expected: Option<&str>) -> Result<(), Problem>;

    /// Removes a workflow's file.
    fn remove(&self, name: &str, expected: Option<&str>) -> Result<(), Problem>;
}

/// Secrets, which can be set but not read.
pub trait Secrets: Send + Sync {
    /// Keeps a value, and where it may go.
    fn put(&self, name: &str, value: &str, destinations: &[String]) -> Result<(), Problem>;

    /// Names with their policies; never a value.
    fn list(&self) -> Result<Vec<Value>, Problem>;

    /// Removes one.
    fn delete(&self, name: &str) -> Result<(), Problem>;

    /// Seals text for keeping it in a document (TOTP seeds, webhook keys); `context` is bound to it.
    fn seal(&self, context: &str, plain: &str) -> Result<String, Problem>;

    /// Opens what `seal` made with the same context.
    fn unseal(&self, context: &str, sealed: &str) -> Result<String, Problem>;

    /// Text with every known secret's value blotted out.
    fn scrub(&self, text: &str) -> String;
}
