//! Several files at once: all of them are checked before the first is written, and so is everything that imports them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use windlass_engine::Verdict;
use windlass_model::{Code, Problem, RunId, RunState, journal::Pinned, query::RunFilter};
use windlass_script::{
    check,
    check::{Diagnostic, Severity},
};

use super::{
    Author, Versions,
    save::{place, require_name, write},
};

/// Open runs whose verdict is given, at most.
const RUNS: u32 = 100;

impl Versions {
    /// Writes all of these files and puts them in use, or changes nothing. The names of those that weren't there like this
    /// before.
    pub fn save_all(
        &self,
        folder: &Path,
        files: &BTreeMap<String, String>,
        author: &Author,
    ) -> Result<Vec<String>, Problem> {
        let _changing = self.changing.lock();
        files.keys().try_for_each(|name| require_name(name))?;
        self.reload()?;
        self.require_sound(files)?;
        let mut changed = BTreeMap::new();
        for (name, source) in files {
            let path = place(folder, name)?;
            let before = self.origin.source(name)?;
            if before.as_ref() != Some(source) {
                changed.insert(name, (path, before));
            }
        }
        let sources = changed.keys().map(|name| (name.as_str(), files[*name].as_str()));
        self.wait_first(folder, sources, author)?;
        let mut written: Vec<(&PathBuf, &Option<String>)> = Vec::new();
        for (name, (path, before)) in &changed {
            if let Err(problem) = write(path, &files[*name]) {
                // What is back in its place hasn't been looked at: the folder is as it was.
                for (path, before) in written {
                    let _ = before.as_ref().map_or_else(|| fs::remove_file(path).ok(), |text| write(path, text).ok());
                }
                return Err(problem);
            }
            written.push((path, before));
        }
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        self.look_again(&names, author)?;
        Ok(changed.into_keys().cloned().collect())
    }

    /// Refuses files with mistakes, and files that would break a workflow which is sound now.
    fn require_sound(&self, files: &BTreeMap<String, String>) -> Result<(), Problem> {
        let find = |module: &str| files.get(module).cloned().or_else(|| self.origin.source(module).ok().flatten());
        let mut names: Vec<String> = files.keys().cloned().collect();
        names.extend(self.origin.list().into_iter().filter(|name| {
            // What is broken already doesn't stand in the way.
            !files.contains_key(name) && self.origin.pin(name).is_ok()
        }));
        let mut found: Vec<Diagnostic> = Vec::new();
        for name in &names {
            let Some(source) = find(name) else { continue };
            let checked = check::source(self.origin.library()?.sandbox(), name, &source, &find).diagnostics;
            found.extend(checked.into_iter().filter(|one| one.severity == Severity::Error));
        }
        if found.is_empty() {
            return Ok(());
        }
        let told = |one: &Diagnostic| format!("{}.rhai:{}:{}: {}", one.file, one.line, one.column, one.message);
        let lines: Vec<String> = found.iter().take(20).map(told).collect();
        let more = match found.len() - lines.len() {
            0 => String::new(),
            more => format!("\nand {more} more"),
        };
        Err(Problem::new(Code::WorkflowInvalid, format!("{}{more}", lines.join("\n")))
            .help("nothing was saved: the versions before stay in use")
            .data(json!({ "diagnostics": found })))
    }

    /// What would become of a workflow's open runs if they went on with these sources.
    pub fn verdicts(&self, name: &str, pinned: &Pinned) -> Result<Vec<(RunId, Verdict)>, Problem> {
        let engine = self.engine()?;
        let filter = RunFilter {
            states: vec![RunState::Queued, RunState::Running, RunState::Waiting],
            workflow: Some(name.to_owned()),
            limit: RUNS,
            ..RunFilter::default()
        };
        let judged = engine.runs(&filter)?.into_iter().map(|run| {
            let verdict = engine.verdict_on(&run.id, pinned)?;
            Ok((run.id, verdict))
        });
        judged.collect()
    }
}
