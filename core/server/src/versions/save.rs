//! Changes from inside: saving a source to its file, activating another version, removing a workflow.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use serde_json::json;
use windlass_model::{
    Code, Problem,
    journal::{Pinned, Workflows as _},
};
use windlass_script::{Library, check, check::Severity, is_valid_name};

use super::{Author, Versions, Widening, kept};

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
        self.reload()?;
        self.require_source(name, expected)?;
        let find = |module: &str| self.origin.source(module).ok().flatten();
        let found = check::source(self.origin.library()?.sandbox(), name, source, &find).diagnostics;
        let errors: Vec<_> = found.iter().filter(|one| one.severity == Severity::Error).collect();
        if let Some(first) = errors.first() {
            let message = format!("{}.rhai:{}:{}: {}", first.file, first.line, first.column, first.message);
            return Err(Problem::new(Code::WorkflowInvalid, message)
                .help("nothing was saved: the version before stays in use")
                .data(json!({ "diagnostics": found })));
        }
        self.wait_first(folder, [(name, source)], author)?;
        write(&path, source)?;
        self.look_again(&[name], author)
    }

    /// Of files that are about to be written: those that have to wait for an admin are versions that wait before anybody,
    /// another server that watches the same folder too, can see them as files.
    pub(super) fn wait_first<'a>(
        &self,
        folder: &Path,
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
        author: &Author,
    ) -> Result<(), Problem> {
        let beside = tempfile::tempdir().map_err(|error| unusable(&std::env::temp_dir(), &error))?;
        let mut names = Vec::new();
        for (name, source) in files {
            let path = place(beside.path(), name)?;
            fs::write(&path, source).map_err(|error| unusable(&path, &error))?;
            names.push(name);
        }
        let roots = vec![beside.path().to_owned(), folder.to_owned()];
        let library = Library::new(roots, self.origin.library()?.sandbox().clone());
        for name in names.into_iter().filter(|name| !name.starts_with("lib/")) {
            self.wait_if_wider(name, &library.pin(name)?, author)?;
        }
        Ok(())
    }

    /// Removes a workflow's file. Its versions are kept.
    pub fn remove(&self, folder: &Path, name: &str, expected: Option<&str>, author: &Author) -> Result<(), Problem> {
        let path = place(folder, name)?;
        let _changing = self.changing.lock();
        self.reload()?;
        self.require_source(name, expected)?;
        match fs::remove_file(&path) {
            // In use from another machine's folder.
            Err(error) if error.kind() == ErrorKind::NotFound && self.in_use(name).is_some() => {}
            other => other.map_err(|error| unusable(&path, &error))?,
        }
        self.rejected.write().remove(name);
        self.forget(name, author)?;
        self.seen.remove(name);
        self.seen.keep();
        Ok(())
    }

    /// Puts a version in use that was made before; the file stays as it is, and is a new version once it changes.
    pub fn activate(&self, name: &str, number: i64, author: &Author) -> Result<(), Problem> {
        let _changing = self.changing.lock();
        self.reload()?;
        let (version, pinned) = self.version_pinned(name, number)?;
        let added = self.widens(name, &pinned.workflow)?;
        let may = match &author.widening {
            Widening::AsConfigured => false,
            Widening::Of(names) => names.iter().any(|one| one == name),
        };
        if !added.is_empty() && !may {
            let message = format!("version {number} asks for more than the one in use: {}", added.join(", "));
            return Err(Problem::new(Code::PermissionDenied, message)
                .help("an admin can activate it")
                .data(json!({ "version": number, "added": added })));
        }
        self.put_in_use(None, &version, pinned, author)?;
        // What the file holds now was looked at: only a further change proposes something.
        if let Ok(files) = self.origin.pin(name) {
            self.seen.put(name, files.digest.as_str());
            self.seen.keep();
        }
        Ok(())
    }

    /// A version that was made before, as a launch would pin it; with the grants that it asks for beyond those in use.
    pub fn judged(&self, name: &str, number: i64) -> Result<(Pinned, Vec<String>), Problem> {
        let (_, pinned) = self.version_pinned(name, number)?;
        let added = self.widens(name, &pinned.workflow)?;
        Ok((pinned, added))
    }

    /// The source of a version.
    pub fn source_of(&self, name: &str, number: i64) -> Result<String, Problem> {
        Ok(kept::version(self.kind, self.engine()?, name, number)?.source)
    }

    fn version_pinned(&self, name: &str, number: i64) -> Result<(kept::Version, Pinned), Problem> {
        let engine = self.engine()?;
        let version = kept::version(self.kind, engine, name, number)?;
        let digest = version.digest.as_str().into();
        let gone = || Problem::new(Code::NotFound, format!("the sources of version {number} of `{name}` are gone"));
        let bundle = engine.bundle(&digest)?.ok_or_else(gone)?;
        let workflow = self.origin.header(&bundle)?;
        Ok((version, Pinned { workflow, bundle, digest }))
    }

    /// Refuses unless the source is as expected: that of the file, or if the file was looked at and something else is in use
    /// since, that of what is in use.
    pub(super) fn require_source(&self, name: &str, expected: Option<&str>) -> Result<(), Problem> {
        let file = self.origin.source(name)?.map(|text| digest(&text));
        let seen = self.seen.get(name);
        let looked_at = match self.origin.pin(name) {
            Ok(pinned) => seen.as_deref() == Some(pinned.digest.as_str()),
            Err(_) => file.is_none() && seen.is_none(),
        };
        let in_use = self.active.read().get(name).and_then(|(_, pinned)| pinned.bundle.files.get(name).cloned());
        let in_use = in_use.filter(|_| looked_at).map(|text| digest(&text));
        let present = file.or_else(|| in_use.clone());
        if present.as_deref() == expected || (expected.is_some() && in_use.as_deref() == expected) {
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

    /// After a change by somebody whose name is known: these files in theirs, what imports them as a consequence.
    pub(super) fn look_again(&self, names: &[&str], author: &Author) -> Result<(), Problem> {
        let mut result = Ok(());
        for name in names.iter().filter(|name| !name.starts_with("lib/")) {
            result = result.and(self.look(name, author));
        }
        for other in self.origin.list().iter().filter(|other| !names.contains(&other.as_str())) {
            // Whoever fails here is looked at again with the next rescan.
            if let Err(problem) = self.look(other, &self.consequence(other, author)) {
                tracing::error!(workflow = other, %problem, "it isn't looked at");
            }
        }
        self.seen.keep();
        result
    }

    /// Whose change it is if this file differs: theirs, if only what it imports does; else somebody's with an editor.
    fn consequence(&self, name: &str, author: &Author) -> Author {
        let source = self.origin.source(name).ok().flatten();
        let in_use = self.active.read().get(name).and_then(|(_, pinned)| pinned.bundle.files.get(name).cloned());
        if source == in_use { author.clone() } else { Author::file() }
    }
}

/// A folder of its own with one file in it, to be put in front of the workflows.
pub fn beside(name: &str, source: &str) -> Result<tempfile::TempDir, Problem> {
    let folder = tempfile::tempdir().map_err(|error| unusable(&std::env::temp_dir(), &error))?;
    let path = place(folder.path(), name)?;
    fs::write(&path, source).map_err(|error| unusable(&path, &error))?;
    Ok(folder)
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
pub fn place(folder: &Path, name: &str) -> Result<PathBuf, Problem> {
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
pub fn write(path: &Path, source: &str) -> Result<(), Problem> {
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
