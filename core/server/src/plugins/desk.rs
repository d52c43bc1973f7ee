//! Plugins as somebody in a browser installs and writes them: archives, checks, the conformance kit, files.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_api::services::{self, PluginChecked, PluginFiles as Files, PluginUnpacked};
use windlass_model::{Code, Problem};
use windlass_script::plugin::manifest::KINDS;

use super::{Approvals, Manifest, Plugins, SCRIPT, archive, conformance, source, starter, unpack};
use crate::versions::{self, Author, Versions, Widening};

/// Bytes of a plugin's files together.
const ALL_BYTES: usize = 8 << 20;
/// Files of a plugin.
const FILES: usize = 202;
/// How long another conformance run is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The desk on which plugins are written.
pub struct Desk {
    versions: Arc<Versions>,
    approvals: Arc<Approvals>,
    file_bytes: usize,
    testing: Mutex<()>,
    writing: Mutex<()>,
}

/// `registrars/example`: a kind that there is, and a name that is nothing but a folder's.
fn require_name(name: &str) -> Result<(), Problem> {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = name.split_once('/').is_some_and(|(kind, id)| {
        let is_id = !id.is_empty() && id.len() <= 40 && !id.starts_with('-') && id.bytes().all(known);
        is_id && KINDS.iter().any(|(one, _)| *one == kind)
    });
    if fits {
        return Ok(());
    }
    Err(Problem::new(Code::InvalidInput, format!("`{name}` can't be a plugin's name"))
        .help("`registrars/` and up to 40 lower-case letters, digits and hyphens"))
}

/// The digest of a plugin's files, sound or not, as it is expected and told.
fn digest(files: &Files) -> String {
    versions::digest(&serde_json::to_string(files).unwrap_or_default())
}

fn unusable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(Code::System, format!("{} can't be written: {error}", path.display()))
        .help("the server's user has to be allowed to write there; `plugins` in windlass.toml says where plugins are")
}

fn limit(what: String) -> Problem {
    Problem::new(Code::LimitExceeded, what).help("nothing was saved")
}

impl Desk {
    /// For the plugins in this folder; no file is larger than this.
    pub fn new(versions: Arc<Versions>, approvals: Arc<Approvals>, file_bytes: usize) -> Self {
        Self { versions, approvals, file_bytes, testing: Mutex::new(()), writing: Mutex::new(()) }
    }

    fn plugins(&self) -> &Plugins {
        self.approvals.plugins()
    }

    /// Refuses what can't be a plugin's files, whatever is in them.
    fn require_files(&self, name: &str, files: &Files) -> Result<(), Problem> {
        require_name(name)?;
        if let Some(odd) = files.keys().find(|path| !archive::belongs(path)) {
            return Err(Problem::new(Code::InvalidInput, format!("`{}` is no file of a plugin", odd.escape_debug()))
                .help("a plugin is plugin.toml, main.rhai and fixtures/NAME.json"));
        }
        if files.len() > FILES {
            return Err(limit(format!("a plugin has at most {FILES} files")));
        }
        if let Some((path, _)) = files.iter().find(|(_, text)| text.len() > self.file_bytes) {
            return Err(limit(format!("{path} has more than {} bytes", self.file_bytes)));
        }
        if files.values().map(String::len).sum::<usize>() > ALL_BYTES {
            return Err(limit(format!("the files have more than {ALL_BYTES} bytes together")));
        }
        Ok(())
    }

    /// The plugin's folder: inside of the folder of plugins, whatever links there are.
    fn folder(&self, name: &str) -> Result<PathBuf, Problem> {
        let (root, folder) = (self.plugins().folder(""), self.plugins().folder(name));
        let fixtures = folder.join(super::FIXTURES);
        let real = |path: &Path| path.canonicalize().map_err(|error| unusable(path, &error));
        let leads_out = || {
            Problem::new(Code::Conflict, format!("{} is a link that leads out of the plugins", folder.display()))
                .help("put the files themselves there")
        };
        // What is made must not be made elsewhere: what is there is looked at first.
        for path in [folder.parent().unwrap_or(&folder), &folder, &fixtures] {
            if path.symlink_metadata().is_ok() && !real(path)?.starts_with(real(&root)?) {
                return Err(leads_out());
            }
        }
        fs::create_dir_all(&fixtures).map_err(|error| unusable(&fixtures, &error))?;
        Ok(folder)
    }

    /// Makes the folder's files these, one after the other; `before` is what was there.
    fn write(&self, name: &str, before: &Files, after: &Files) -> Result<(), Problem> {
        let folder = self.folder(name)?;
        for (path, text) in after.iter().filter(|(path, text)| before.get(*path) != Some(*text)) {
            versions::write(&folder.join(path), text)?;
        }
        for path in before.keys().filter(|path| !after.contains_key(*path)) {
            let path = folder.join(path);
            fs::remove_file(&path).map_err(|error| unusable(&path, &error))?;
        }
        Ok(())
    }
}

/// What a problem of a plugin's files says, as diagnostics.
fn diagnostics(name: &str, problem: &Problem) -> Vec<Value> {
    let site = problem.site.as_ref();
    let file = site.map_or_else(|| format!("{name}/{SCRIPT}"), |site| site.file.to_string());
    let one = |line: u64, column: u64, message: &str, help: Option<&str>| {
        json!({ "severity": "error", "code": problem.code, "file": file, "line": line.max(1), "column": column.max(1),
                "message": message, "help": help })
    };
    let several = problem.data["diagnostics"].as_array().cloned().unwrap_or_default();
    if several.is_empty() {
        let (line, column) = site.map_or((1, 1), |site| (u64::from(site.line), u64::from(site.column)));
        let place = format!("{file}:{line}:{column}: ");
        let short = problem.message.strip_prefix(&place).unwrap_or(&problem.message);
        return vec![one(line, column, short, problem.help.as_deref())];
    }
    let told = several.iter().map(|found| {
        let at = |key: &str| found[key].as_u64().unwrap_or(1);
        one(at("line"), at("column"), found["message"].as_str().unwrap_or_default(), found["help"].as_str())
    });
    told.collect()
}

impl services::PluginDesk for Desk {
    fn unpack(&self, bytes: &[u8]) -> Result<PluginUnpacked, Problem> {
        let unpacked = unpack(bytes, self.file_bytes)?;
        // Read by hand: what is wrong with the manifest is said when it is checked.
        let manifest = unpacked.files.get(super::MANIFEST).map(String::as_str).unwrap_or_default();
        let id =
            toml::from_str::<toml::Table>(manifest).ok().and_then(|table| Some(table.get("id")?.as_str()?.to_owned()));
        let id = id.ok_or_else(|| {
            Problem::new(Code::WorkflowInvalid, "plugin.toml can't be read, or has no `id`")
                .help("`id` is the name of the plugin's folder")
        })?;
        let name = format!("registrars/{id}");
        require_name(&name)?;
        Ok(PluginUnpacked { name, files: unpacked.files, left_out: unpacked.left_out })
    }

    fn starter(&self, name: &str, author: &str) -> Result<Files, Problem> {
        require_name(name)?;
        let id = name.split_once('/').map_or(name, |(_, id)| id);
        Ok(starter(id, author).into_iter().collect())
    }

    fn files(&self, name: &str) -> Result<Option<(Files, String)>, Problem> {
        require_name(name)?;
        let files = self.plugins().files(name)?;
        Ok((!files.is_empty()).then(|| {
            let digest = digest(&files);
            (files, digest)
        }))
    }

    fn approved(&self, organisation: &str, name: &str) -> Result<Option<Files>, Problem> {
        self.approvals.approved_files(organisation, name)
    }

    fn check(&self, name: &str, files: &Files) -> Result<PluginChecked, Problem> {
        self.require_files(name, files)?;
        let manifest = files.get(super::MANIFEST).and_then(|text| Manifest::read(name, text).ok());
        let (digest, found) = match self.plugins().pin_files(name, files.clone()) {
            Ok(pinned) => (Some(pinned.digest.to_string()), Vec::new()),
            Err(problem) if problem.code == Code::WorkflowInvalid => (None, diagnostics(name, &problem)),
            Err(problem) => return Err(problem),
        };
        Ok(PluginChecked {
            diagnostics: found,
            permissions: manifest.as_ref().map(Manifest::grants).unwrap_or_default(),
            manifest: manifest.map(|manifest| json!(manifest)),
            digest,
        })
    }

    fn conform(&self, name: &str, files: &Files) -> Result<Vec<Value>, Problem> {
        self.require_files(name, files)?;
        let pinned = self.plugins().pin_files(name, files.clone())?;
        // It takes a whole machine's time if it may: one after the other.
        let Some(_turn) = self.testing.try_lock_for(PATIENCE) else {
            return Err(Problem::new(Code::Unavailable, "another plugin is being tested")
                .help("try again when that is done")
                .retryable());
        };
        let report = conformance(&source(&pinned.bundle, pinned.digest.as_str())?, false, false)?;
        Ok(report.checks.iter().map(|check| json!(check)).collect())
    }

    fn save(
        &self,
        name: &str,
        files: &Files,
        expected: Option<&str>,
        by: &services::Author,
    ) -> Result<String, Problem> {
        self.require_files(name, files)?;
        let _writing = self.writing.lock();
        let before = self.plugins().files(name)?;
        let present = (!before.is_empty()).then(|| digest(&before));
        if present.as_deref() != expected {
            let message = match &present {
                Some(_) if expected.is_none() => format!("there is a plugin `{name}` already"),
                Some(_) => format!("`{name}` was changed by somebody else"),
                None => format!("there is no `{name}` any more"),
            };
            return Err(Problem::new(Code::PreconditionFailed, message)
                .help("look at what is there now, then decide again")
                .data(json!({ "digest": present })));
        }
        if let Err(problem) = self.plugins().pin_files(name, files.clone()) {
            let found = diagnostics(name, &problem);
            return Err(problem.help("nothing was saved").data(json!({ "diagnostics": found })));
        }
        if let Err(problem) = self.write(name, &before, files) {
            // What was there comes back, as far as the disk lets it.
            let now = self.plugins().files(name).unwrap_or_default();
            if let Err(again) = self.write(name, &now, &before) {
                tracing::error!(name, problem = %again, "what was there before couldn't be put back");
            }
            return Err(problem);
        }
        let author = Author {
            by: by.by.clone(),
            source: by.source.clone(),
            why: by.why.clone(),
            made_by: None,
            widening: Widening::Of(vec![name.to_owned()]),
        };
        self.versions.look_at(name, &author)?;
        Ok(digest(files))
    }
}
