//! How versions are kept: a document for each version, which is never changed, one that says which is in use, and once it was
//! removed, one that says which was.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use windlass_engine::Engine;
use windlass_model::{
    Code, EventKind, Problem,
    document::{Change, DocumentFilter, Expected},
};

/// What there are versions of, by the names of its documents, entries and events.
pub(super) struct Kind {
    /// In entries of the audit log, and as an event's key: `workflow`.
    pub word: &'static str,
    version: &'static str,
    active: &'static str,
    removed: &'static str,
    pub activated: EventKind,
    pub rejected: EventKind,
    pub gone: EventKind,
}

/// Workflows.
pub(super) static WORKFLOW: Kind = Kind {
    word: "workflow",
    version: "workflow_version",
    active: "workflow_active",
    removed: "workflow_removed",
    activated: EventKind::WorkflowActivated,
    rejected: EventKind::WorkflowRejected,
    gone: EventKind::WorkflowRemoved,
};

/// Plugins.
pub(super) static PLUGIN: Kind = Kind {
    word: "plugin",
    version: "plugin_version",
    active: "plugin_active",
    removed: "plugin_removed",
    activated: EventKind::PluginActivated,
    rejected: EventKind::PluginRejected,
    gone: EventKind::PluginRemoved,
};

/// Documents that are read at once.
const PAGE: u32 = 500;

/// A version of a workflow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Version {
    /// The workflow.
    pub workflow: String,
    /// From 1.
    pub version: i64,
    /// Of the sources as a whole.
    pub digest: String,
    /// Text of the workflow's own file.
    pub source: String,
    /// What it asks for.
    pub permissions: Vec<String>,
    /// Who made it.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at_ms: i64,
    /// Whether it was made for an admin to look at: it asked for more than what was in use.
    #[serde(default)]
    pub waits: bool,
}

/// The version in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Active {
    /// The workflow.
    pub workflow: String,
    /// Its number.
    pub version: i64,
    /// Of its sources.
    pub digest: String,
}

fn body(value: &impl Serialize) -> Result<serde_json::Value, Problem> {
    serde_json::to_value(value).map_err(|error| Problem::new(Code::Internal, format!("it can't be kept: {error}")))
}

fn change(kind: &str, id: String, body: serde_json::Value, expected: Expected) -> Change {
    let (kind, organisation) = (kind.to_owned(), "platform".to_owned());
    Change::Put { kind, id, organisation, body, keys: Vec::new(), expires_at_ms: None, expected }
}

impl Version {
    /// Keeps it; a version of that number must not be there.
    pub(super) fn put(&self, kind: &Kind) -> Result<Change, Problem> {
        Ok(change(kind.version, id(&self.workflow, self.version), body(self)?, Expected::Absent))
    }
}

impl Active {
    pub(super) fn put(&self, kind: &Kind) -> Result<Change, Problem> {
        Ok(change(kind.active, self.workflow.clone(), body(self)?, Expected::Any))
    }

    /// Takes it out of use; what it was stays known, for whatever comes under its name next.
    pub(super) fn remove(&self, kind: &Kind) -> Result<Vec<Change>, Problem> {
        let id = self.workflow.clone();
        let delete = Change::Delete { kind: kind.active.into(), id: id.clone(), expected: Expected::Present };
        Ok(vec![delete, change(kind.removed, id, body(self)?, Expected::Any)])
    }
}

/// Sorts by number, for as many as anybody will make.
fn id(workflow: &str, version: i64) -> String {
    format!("{workflow}@{version:010}")
}

fn read<T: DeserializeOwned>(body: serde_json::Value) -> Result<T, Problem> {
    serde_json::from_value(body)
        .map_err(|error| Problem::new(Code::Storage, format!("a version of a workflow can't be read: {error}")))
}

/// What is in use.
pub(super) fn active(kind: &Kind, engine: &Engine) -> Result<Vec<Active>, Problem> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let filter = DocumentFilter { kind: kind.active.into(), after, limit: PAGE, ..DocumentFilter::default() };
        let page = engine.documents(&filter)?;
        after = page.last().map(|document| document.id.clone());
        let full = page.len() == PAGE as usize;
        for document in page {
            all.push(read(document.body)?);
        }
        if !full {
            return Ok(all);
        }
    }
}

/// The newest version, if there is one.
pub(super) fn newest(kind: &Kind, engine: &Engine, workflow: &str) -> Result<Option<Version>, Problem> {
    let filter = DocumentFilter {
        kind: kind.version.into(),
        id_prefix: Some(format!("{workflow}@")),
        newest_first: true,
        limit: 1,
        ..DocumentFilter::default()
    };
    engine.documents(&filter)?.pop().map(|document| read(document.body)).transpose()
}

/// Whether some version of the workflow has these sources.
pub(super) fn knows(kind: &Kind, engine: &Engine, workflow: &str, digest: &str) -> Result<bool, Problem> {
    Ok(history_of(kind, engine, workflow)?.iter().any(|version| version.digest == digest))
}

/// Whether no version of any workflow was ever made.
pub(super) fn is_empty(kind: &Kind, engine: &Engine) -> Result<bool, Problem> {
    let filter = DocumentFilter { kind: kind.version.into(), limit: 1, ..DocumentFilter::default() };
    Ok(engine.documents(&filter)?.is_empty())
}

/// The version that was in use when the workflow was removed.
pub(super) fn removed(kind: &Kind, engine: &Engine, workflow: &str) -> Result<Option<Active>, Problem> {
    engine.document(kind.removed, workflow)?.map(|document| read(document.body)).transpose()
}

/// One version.
pub(super) fn version(kind: &Kind, engine: &Engine, workflow: &str, number: i64) -> Result<Version, Problem> {
    let found = engine.document(kind.version, &id(workflow, number))?;
    let none = || Problem::new(Code::NotFound, format!("there is no version {number} of `{workflow}`"));
    read(found.ok_or_else(none)?.body)
}

/// A version, as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// From 1.
    pub version: i64,
    /// Of the sources as a whole.
    pub digest: String,
    /// What it asks for.
    pub permissions: Vec<String>,
    /// Who made it.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at_ms: i64,
    /// Whether it is in use.
    #[serde(default)]
    pub active: bool,
    /// Whether it waits for an admin.
    #[serde(default)]
    pub waits: bool,
}

/// All versions of a workflow, newest first.
pub fn history(engine: &Engine, workflow: &str) -> Result<Vec<Kept>, Problem> {
    history_of(&WORKFLOW, engine, workflow)
}

fn history_of(kind: &Kind, engine: &Engine, workflow: &str) -> Result<Vec<Kept>, Problem> {
    let document = engine.document(kind.active, workflow)?;
    let active = document.map(|document| read::<Active>(document.body)).transpose()?.map(|active| active.version);
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let filter = DocumentFilter {
            kind: kind.version.into(),
            id_prefix: Some(format!("{workflow}@")),
            after,
            newest_first: true,
            limit: PAGE,
            ..DocumentFilter::default()
        };
        let page = engine.documents(&filter)?;
        after = page.last().map(|document| document.id.clone());
        let full = page.len() == PAGE as usize;
        for document in page {
            let mut kept: Kept = read(document.body)?;
            kept.active = Some(kept.version) == active;
            kept.waits &= active.is_none_or(|active| kept.version > active);
            all.push(kept);
        }
        if !full {
            return Ok(all);
        }
    }
}

/// The source of a version.
pub fn source(engine: &Engine, workflow: &str, number: i64) -> Result<String, Problem> {
    version(&WORKFLOW, engine, workflow, number).map(|version| version.source)
}
