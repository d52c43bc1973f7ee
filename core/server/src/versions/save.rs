//! Changes from inside: saving a source to its file, activating another version, removing a workflow.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::json;
use windlass_model::{
    Code, Problem,
    journal::{Pinned, Workflows as _},
};
use windlass_script::{check, check::Severity, is_valid_name};

use super::{Author, Versions, kept};

/// The digest of a source, as it is expected and told.
pub fn digest(source: &str) -> String {
    blake3::hash(source.as_bytes()).to_hex().to_string()
}

fn unusable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(Code::System, format!("{} can't be written: {error}", path.display()))
}

impl Versions {
    /// Writes a workflow's file and puts it in use. `expected` is the digest of the source that is there; `None`: there
    /// must be none. A source that has mistakes is refused, and the file stays as it is.
    pub fn save(
        &self,
        folder: &Path,
        name: &str,
        source: &str,
        expected: Option<&str>,
        author: &Author,
    ) -> Result<(), Problem> {
        let path = place(folder, name)?;
        let _changing = self.changing.lock();
        self.require_source(name, expected)?;
        let find = |module: &str| self.library.source(module).ok().flatten();
        let found = check::source(self.library.sandbox(), name, source, &find).diagnostics;
        let errors: Vec<_> = found.iter().filter(|one| one.severity == Severity::Error).collect();
        if let Some(first) = errors.first() {
            let message = format!("{}.rhai:{}:{}: {}", first.file, first.line, first.column, first.message);
            return Err(Problem::new(Code::WorkflowInvalid, message)
                .help("nothing was saved: the version before stays in use")
                .data(json!({ "diagnostics": found })));
        }
        write(&path, source)?;
        self.look_again(name, author)
    }

    /// Removes a workflow's file. Its versions are kept.
    pub fn remove(&self, folder: &Path, name: &str, expected: Option<&str>, author: &Author) -> Result<(), Problem> {
        let path = place(folder, name)?;
        let _changing = self.changing.lock();
        self.require_source(name, expected)?;
        fs::remove_file(&path).map_err(|error| unusable(&path, &error))?;
        self.rejected.write().remove(name);
        self.forget(name, author)
    }

    /// Puts a version in use that was made before; the file stays as it is, and is a new version once it changes.
    pub fn activate(&self, name: &str, number: i64, author: &Author) -> Result<(), Problem> {
        let _changing = self.changing.lock();
        let (version, pinned) = self.version_pinned(name, number)?;
        // What the files hold now was looked at: only a further change proposes something.
        let seen = self.library.pin(name).map_or_else(|_| version.digest.clone(), |files| files.digest.to_string());
        let active = kept::Active {
            workflow: name.to_owned(),
            version: number,
            digest: version.digest.clone(),
            seen: seen.clone(),
        };
        self.put_in_use(active.put()?, &version, pinned, seen, author)
    }

    /// A version that was made before, as a launch would pin it; with the grants that it asks for beyond those in use.
    pub fn judged(&self, name: &str, number: i64) -> Result<(Pinned, Vec<String>), Problem> {
        let (_, pinned) = self.version_pinned(name, number)?;
        let added = self.widens(name, &pinned.workflow);
        Ok((pinned, added))
    }

    /// The source of a version.
    pub fn source_of(&self, name: &str, number: i64) -> Result<String, Problem> {
        Ok(kept::version(self.engine()?, name, number)?.source)
    }

    fn version_pinned(&self, name: &str, number: i64) -> Result<(kept::Version, Pinned), Problem> {
        let engine = self.engine()?;
        let version = kept::version(engine, name, number)?;
        let digest = version.digest.as_str().into();
        let gone = || Problem::new(Code::NotFound, format!("the sources of version {number} of `{name}` are gone"));
        let bundle = engine.bundle(&digest)?.ok_or_else(gone)?;
        let workflow = self.library.header(&bundle)?;
        Ok((version, Pinned { workflow, bundle, digest }))
    }

    fn require_source(&self, name: &str, expected: Option<&str>) -> Result<(), Problem> {
        let present = self.library.source(name)?.map(|text| digest(&text));
        if present.as_deref() == expected {
            return Ok(());
        }
        let message = match &present {
            Some(_) if expected.is_none() => format!("there is a workflow `{name}` already"),
            Some(_) => format!("`{name}` was changed by somebody else"),
            None => format!("there is no file of `{name}` any more"),
        };
        Err(Problem::new(Code::PreconditionFailed, message)
            .help("read it again, and make your change to what is there now")
            .data(json!({ "digest": present })))
    }

    /// After a change by somebody whose name is known: this file in theirs, what imports it as a consequence.
    fn look_again(&self, name: &str, author: &Author) -> Result<(), Problem> {
        if !name.starts_with("lib/") {
            self.look(name, author)?;
        }
        for other in self.library.list().iter().filter(|other| *other != name) {
            self.look(other, author)?;
        }
        Ok(())
    }
}

/// Refuses what can't be a workflow's name, or a module's.
pub(super) fn require_name(name: &str) -> Result<(), Problem> {
    if is_valid_name(name) && name.contains('/') { Ok(()) } else { Err(odd_name(name)) }
}

fn odd_name(name: &str) -> Problem {
    Problem::new(Code::InvalidInput, format!("`{name}` can't be a workflow's name"))
        .help("Names look like `lab/two-routers`: letters, digits, `-` and `_`, parts separated by `/`.")
}

/// The file of a workflow: inside the folder, whatever its name looks like.
pub(super) fn place(folder: &Path, name: &str) -> Result<PathBuf, Problem> {
    require_name(name)?;
    let odd = || odd_name(name);
    let path = folder.join(format!("{name}.rhai"));
    let parent = path.parent().ok_or_else(odd)?;
    fs::create_dir_all(parent).map_err(|error| unusable(parent, &error))?;
    let root = folder.canonicalize().map_err(|error| unusable(folder, &error))?;
    let real = parent.canonicalize().map_err(|error| unusable(parent, &error))?;
    // A link that leads elsewhere isn't followed out of the folder.
    let outside = !real.starts_with(root) || path.symlink_metadata().is_ok_and(|file| file.file_type().is_symlink());
    if outside { Err(odd()) } else { Ok(path) }
}

/// Beside it first, then in its place: nobody ever reads half of it.
pub(super) fn write(path: &Path, source: &str) -> Result<(), Problem> {
    let folder = path.parent().unwrap_or(path);
    let beside = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".saving-").tempfile_in(folder)?;
        file.write_all(source.as_bytes())?;
        file.as_file().sync_all()?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode)?;
        file.persist(path).map_err(|error| error.error)?;
        fs::File::open(folder)?.sync_all()
    };
    beside().map_err(|error| unusable(path, &error))
}
