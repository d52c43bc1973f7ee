//! Versions of workflows, as commands ask for them: here from the database and the folder, there over HTTP.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{Bundle, Code, Problem, audit::AuditFilter, audit::AuditRecord};

use super::{Remote, encoded, encoded_name, encoded_path as path};
use crate::{
    lock::Lock,
    session::Session,
    versions::{self, Author, Seen, Versions},
};

pub use crate::versions::Kept;

/// Entries of the audit log that are read at once.
const PAGE: u32 = 500;

/// A workflow that was saved.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    /// `area/name`.
    pub name: String,
    /// Number of the version in use; a module of `lib/` has none.
    pub version: Option<i64>,
    /// Digest of the source.
    pub source_digest: String,
    /// Why what was saved isn't in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
}

/// A version that was put in use, or would be.
#[derive(Debug, Serialize, Deserialize)]
pub struct Activated {
    /// Its number.
    pub version: i64,
    /// Whether it is in use now.
    pub activated: bool,
    /// Grants that the version in use before didn't ask for.
    pub added: Vec<String>,
    /// What would become of open runs.
    pub runs: Vec<RunVerdict>,
}

/// What would become of a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunVerdict {
    /// The run.
    pub run: String,
    /// Whether it could go on.
    pub compatible: bool,
    /// What was found.
    pub verdict: Value,
}

/// Several files that were saved together.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedAll {
    /// Those that weren't there like this before.
    pub changed: Vec<Saved>,
    /// Names of those that were.
    pub unchanged: Vec<String>,
}

/// What commands on versions need. `author.by` counts in this data folder only: a server knows it from the token.
pub trait Archive {
    /// Versions of a workflow, newest first.
    fn history(&self, name: &str) -> Result<Vec<Kept>, Problem>;
    /// The source of a version; without a number, of the one in use.
    fn source(&self, name: &str, version: Option<i64>) -> Result<String, Problem>;
    /// Digest of the source in use; `None` if there is no such workflow.
    fn digest(&self, name: &str) -> Result<Option<String>, Problem>;
    /// Saves a source that takes the place of the one with this digest.
    fn save(&self, name: &str, source: &str, expected: Option<&str>, author: &Author) -> Result<Saved, Problem>;
    /// Saves the source of an earlier version as a new one.
    fn restore(&self, name: &str, version: i64, expected: Option<&str>, author: &Author) -> Result<Saved, Problem>;
    /// Removes a workflow's file; its versions are kept.
    fn remove(&self, name: &str, expected: &str, author: &Author) -> Result<(), Problem>;
    /// Puts a version in use, or says what would happen.
    fn activate(&self, name: &str, version: i64, dry_run: bool, author: &Author) -> Result<Activated, Problem>;
    /// Saves all of these files or none.
    fn save_all(&self, files: &BTreeMap<String, String>, author: &Author) -> Result<SavedAll, Problem>;
    /// Makes versions of files that nobody has looked at yet, where no server does that.
    fn settle(&self) -> Result<(), Problem>;
    /// What was put in use or removed after this entry of the audit log, oldest first.
    fn activations(&self, after: i64) -> Result<Vec<AuditRecord>, Problem>;
    /// The sources of a version, with everything that it imports.
    fn bundle(&self, digest: &str) -> Result<Arc<Bundle>, Problem>;
}

/// Why a version is saved again if nobody says so.
fn again(version: i64, author: &Author) -> Author {
    let why = if author.why.is_empty() { format!("version {version} again") } else { author.why.clone() };
    Author { why, ..author.clone() }
}

fn oldest_first(
    page: impl Fn(Option<i64>) -> Result<Vec<AuditRecord>, Problem>,
    after: i64,
) -> Result<Vec<AuditRecord>, Problem> {
    let (mut all, mut before): (Vec<AuditRecord>, _) = (Vec::new(), None);
    loop {
        let entries = page(before)?;
        before = entries.last().map(|entry| entry.seq);
        let end = before.is_none_or(|oldest| oldest <= after);
        all.extend(entries.into_iter().filter(|entry| entry.seq > after));
        if end {
            all.reverse();
            return Ok(all);
        }
    }
}

impl Session {
    /// The versions in this data folder, to be changed: nobody else executes there meanwhile, who would know others.
    fn changing<T>(&self, change: impl FnOnce(&Versions) -> Result<T, Problem>) -> Result<T, Problem> {
        let lock = Lock::try_take(self.lock_file())?;
        if lock.is_none() {
            let holder = self.holder().map_or("another process".to_owned(), |id| format!("process {id}"));
            return Err(Problem::new(Code::DataFolderBusy, format!("{holder} executes the runs of this data folder"))
                .help("if it is a server, ask it: give --server and a token; else wait until it has ended"));
        }
        let config = self.config();
        let seen = Seen::kept_in(&self.folder().seen_file());
        let versions = Versions::new(self.scripts().library.clone(), config.workflow_review, seen);
        versions.attach(self.engine().clone())?;
        let result = change(&versions);
        drop(lock);
        result
    }
}

fn saved(versions: &Versions, name: &str, source: &str) -> Saved {
    Saved {
        version: versions.version(name),
        source_digest: versions::digest(source),
        waits: versions.problem(name).map(|problem| problem.message),
        name: name.to_owned(),
    }
}

impl Archive for Session {
    fn history(&self, name: &str) -> Result<Vec<Kept>, Problem> {
        versions::history(self.engine(), name)
    }

    fn source(&self, name: &str, version: Option<i64>) -> Result<String, Problem> {
        if let Some(version) = version {
            return versions::source(self.engine(), name, version);
        }
        let none = || Problem::new(Code::WorkflowNotFound, format!("there is no workflow `{name}`"));
        self.scripts().library.source(name)?.ok_or_else(none)
    }

    fn digest(&self, name: &str) -> Result<Option<String>, Problem> {
        Ok(self.scripts().library.source(name)?.map(|source| versions::digest(&source)))
    }

    fn save(&self, name: &str, source: &str, expected: Option<&str>, author: &Author) -> Result<Saved, Problem> {
        self.changing(|versions| {
            // Whoever has the data folder may do everything in it.
            let author = author.widening([name.to_owned()]);
            versions.save(&self.config().workflows, name, source, expected, &author)?;
            Ok(saved(versions, name, source))
        })
    }

    fn restore(&self, name: &str, version: i64, expected: Option<&str>, author: &Author) -> Result<Saved, Problem> {
        let source = versions::source(self.engine(), name, version)?;
        self.save(name, &source, expected, &again(version, author))
    }

    fn remove(&self, name: &str, expected: &str, author: &Author) -> Result<(), Problem> {
        let author = author.widening([name.to_owned()]);
        self.changing(|versions| versions.remove(&self.config().workflows, name, Some(expected), &author))
    }

    fn activate(&self, name: &str, version: i64, dry_run: bool, author: &Author) -> Result<Activated, Problem> {
        self.changing(|versions| {
            let (pinned, added) = versions.judged(name, version)?;
            let mut runs = Vec::new();
            for (run, verdict) in versions.verdicts(name, &pinned)? {
                let compatible = verdict.is_compatible();
                runs.push(RunVerdict { run: run.to_string(), compatible, verdict: json!(verdict) });
            }
            if !dry_run {
                versions.activate(name, version, &author.widening([name.to_owned()]))?;
            }
            Ok(Activated { version, activated: !dry_run, added, runs })
        })
    }

    fn save_all(&self, files: &BTreeMap<String, String>, author: &Author) -> Result<SavedAll, Problem> {
        self.changing(|versions| {
            let author = author.widening(files.keys().cloned());
            let changed = versions.save_all(&self.config().workflows, files, &author)?;
            Ok(SavedAll {
                unchanged: files.keys().filter(|name| !changed.contains(name)).cloned().collect(),
                changed: changed.iter().map(|name| saved(versions, name, &files[name])).collect(),
            })
        })
    }

    fn settle(&self) -> Result<(), Problem> {
        match self.changing(|_| Ok(())) {
            Err(problem) if problem.code == Code::DataFolderBusy => Ok(()),
            other => other,
        }
    }

    fn activations(&self, after: i64) -> Result<Vec<AuditRecord>, Problem> {
        let page = |before| {
            let action = Some("workflow.".into());
            self.engine().audit_log(&AuditFilter { action, before, limit: PAGE, ..AuditFilter::default() })
        };
        oldest_first(page, after)
    }

    fn bundle(&self, digest: &str) -> Result<Arc<Bundle>, Problem> {
        let none = || Problem::new(Code::NotFound, format!("the sources {digest} are gone"));
        self.engine().bundle(&digest.into())?.ok_or_else(none)
    }
}

impl Archive for Remote {
    fn history(&self, name: &str) -> Result<Vec<Kept>, Problem> {
        self.list(&format!("/workflows/{}/history", path(name)), &[], usize::MAX)
    }

    fn source(&self, name: &str, version: Option<i64>) -> Result<String, Problem> {
        let query = version.map_or(String::new(), |version| format!("?version={version}"));
        self.text(&format!("/workflows/{}/source{query}", path(name)))
    }

    fn digest(&self, name: &str) -> Result<Option<String>, Problem> {
        match self.get::<Value>(&format!("/workflows/{}", encoded_name(name))) {
            Err(problem) if problem.code == Code::WorkflowNotFound => Ok(None),
            shown => Ok(shown?["source_digest"].as_str().map(str::to_owned)),
        }
    }

    fn save(&self, name: &str, source: &str, expected: Option<&str>, author: &Author) -> Result<Saved, Problem> {
        let body = json!({ "source": source, "expected": expected, "message": author.why });
        self.put(&format!("/workflows/{}", encoded_name(name)), &body)
    }

    fn restore(&self, name: &str, version: i64, expected: Option<&str>, author: &Author) -> Result<Saved, Problem> {
        let body = json!({ "version": version, "expected": expected, "message": author.why });
        self.post(&format!("/workflows/{}/restore", path(name)), &body)
    }

    fn remove(&self, name: &str, expected: &str, _author: &Author) -> Result<(), Problem> {
        self.delete(&format!("/workflows/{}?expected={}", encoded_name(name), encoded(expected)))
    }

    fn activate(&self, name: &str, version: i64, dry_run: bool, author: &Author) -> Result<Activated, Problem> {
        let body = json!({ "version": version, "dry_run": dry_run, "message": author.why });
        self.post(&format!("/workflows/{}/activate", path(name)), &body)
    }

    fn save_all(&self, files: &BTreeMap<String, String>, author: &Author) -> Result<SavedAll, Problem> {
        let body = json!({ "files": files, "message": author.why, "made_by": author.made_by });
        self.post("/workflows", &body)
    }

    fn settle(&self) -> Result<(), Problem> {
        Ok(())
    }

    fn activations(&self, after: i64) -> Result<Vec<AuditRecord>, Problem> {
        let page = |before: Option<i64>| {
            let cursor = before.map_or(String::new(), |before| format!("&cursor={before}"));
            let page: Value = self.get(&format!("/audit?action=workflow.&limit={PAGE}{cursor}"))?;
            serde_json::from_value(page["items"].clone())
                .map_err(|error| Problem::new(Code::Unavailable, format!("the audit log can't be read: {error}")))
        };
        oldest_first(page, after)
    }

    fn bundle(&self, digest: &str) -> Result<Arc<Bundle>, Problem> {
        self.get(&format!("/bundles/{}", encoded(digest))).map(Arc::new)
    }
}
