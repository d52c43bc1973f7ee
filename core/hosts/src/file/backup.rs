//! What a change replaces is kept beside it until the run is surely not undone, or `backup_days` have passed.
//!
//! A backup is a second name of the replaced file or link: `.<name>.windlass-<run>.<step>`. When there was nothing to
//! replace, an empty file with `.new` at the end says so. An empty file with `.w<print>` at the end says which file the
//! step has put there: an undo takes back that one, and leaves what somebody else has put in its place. Making these is
//! atomic and costs no copy.

use std::io;

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat, renameat},
    sys::stat::{FileStat, Mode, fstatat},
    unistd::{LinkatFlags, UnlinkatFlags, linkat, unlinkat},
};
use windlass_script::host::OpCx;

use super::place::{Parent, opened_path};

const MARK: &str = ".windlass-";
const LONGEST_NAME: usize = 180;

/// Whether a name is one of ours, which scripts neither see nor touch.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with('.') && name.contains(MARK)
}

/// What an undo has come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Restored {
    /// What the step did is taken back.
    Done,
    /// The step has left no trace: it did nothing, it is undone already, or its traces were dropped.
    NoTrace,
    /// The step did something, and what it replaced isn't kept any more.
    Lost,
    /// Somebody else has put something there since.
    Replaced,
}

/// The names that one step uses beside a file.
pub(super) struct Names {
    old: String,
    new: String,
    /// Where the content is written before it takes its place.
    pub(super) temporary: String,
}

impl Names {
    /// For the step that is running, or, inside an undo, for the step that is being undone.
    pub(super) fn of(cx: &OpCx, name: &str) -> Self {
        let key = cx.undoes.as_ref().unwrap_or(&cx.key);
        let step = blake3::hash(key.as_bytes()).to_hex();
        let base = format!("{}.{}", prefix(run_of(key), name), &step[..12]);
        Self { new: format!("{base}.new"), temporary: format!("{base}.tmp"), old: base }
    }

    /// Keeps what stands there. A repeated step keeps what its first attempt has kept.
    pub(super) fn keep(&self, parent: &Parent) -> io::Result<()> {
        self.keep_old(parent)?;
        parent.fd.sync_all()
    }

    /// Keeps what stands there, and remembers what is about to take its place: the temporary file.
    pub(super) fn keep_and_remember(&self, parent: &Parent) -> io::Result<()> {
        self.keep_old(parent)?;
        if let Some(stat) = stat(parent, &self.temporary)? {
            make_empty(parent, &self.written(&stat))?;
        }
        parent.fd.sync_all()
    }

    fn keep_old(&self, parent: &Parent) -> io::Result<()> {
        if exists(parent, &self.old)? || exists(parent, &self.new)? {
            return Ok(());
        }
        match linkat(&parent.fd, parent.name.as_str(), &parent.fd, self.old.as_str(), LinkatFlags::empty()) {
            Ok(()) => Ok(()),
            Err(Errno::ENOENT) => make_empty(parent, &self.new),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts back what was kept, unless somebody else's stands there.
    pub(super) fn restore(&self, parent: &Parent) -> io::Result<Restored> {
        let (old, was_new) = (stat(parent, &self.old)?, exists(parent, &self.new)?);
        let written = self.all_written(parent)?;
        match (stat(parent, &parent.name)?, &old) {
            _ if old.is_none() && !was_new => {
                return Ok(if written.is_empty() { Restored::NoTrace } else { Restored::Lost });
            }
            // The step was stopped before its effect, or somebody has put the old one back.
            (Some(there), Some(old)) if same_file(&there, old) => {}
            (Some(there), _) if !written.contains(&self.written(&there)) => return Ok(Restored::Replaced),
            (_, Some(_)) => {
                // The backup itself stays until the end: after a crash, it shows that the file is back.
                remove(parent, &self.temporary)?;
                let (old, temporary) = (self.old.as_str(), self.temporary.as_str());
                linkat(&parent.fd, old, &parent.fd, temporary, LinkatFlags::empty())?;
                renameat(&parent.fd, temporary, &parent.fd, parent.name.as_str())?;
            }
            (_, None) => {
                remove(parent, &parent.name)?;
            }
        }
        parent.fd.sync_all()?;
        for name in &written {
            remove(parent, name)?;
        }
        for name in [&self.temporary, &self.old, &self.new] {
            remove(parent, name)?;
        }
        parent.fd.sync_all()?;
        Ok(Restored::Done)
    }

    /// The name that says that this file was put there by the step. The number of a file may be given to another one
    /// later; with its time and size it tells them apart, and a change in place shows, too.
    fn written(&self, stat: &FileStat) -> String {
        let print = format!("{} {} {}.{}", stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
        format!("{}.w{}", self.old, &blake3::hash(print.as_bytes()).to_hex()[..12])
    }

    /// A step that was repeated after a crash has put there more than one.
    fn all_written(&self, parent: &Parent) -> io::Result<Vec<String>> {
        let start = format!("{}.w", self.old);
        Ok(ours(parent)?.into_iter().filter(|name| name.starts_with(&start)).collect())
    }
}

/// Drops this run's backups of a file. How many.
pub(super) fn discard(cx: &OpCx, parent: &Parent) -> io::Result<usize> {
    let prefix = format!("{}.", prefix(cx.run.as_str(), &parent.name));
    let mut dropped = 0;
    for name in ours(parent)?.into_iter().filter(|name| name.starts_with(&prefix)) {
        let is_backup = name.ends_with(".new") || !name[prefix.len()..].contains('.');
        dropped += usize::from(remove(parent, &name)? && is_backup);
    }
    Ok(dropped)
}

/// Drops everybody's backups that were made before this time.
pub(super) fn prune(parent: &Parent, before_s: i64) -> io::Result<()> {
    for name in ours(parent)? {
        // The time of the last change of names: when it became a backup. The file's own time is its content's.
        let stat = fstatat(&parent.fd, name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
        if stat.is_ok_and(|stat| stat.st_ctime < before_s) {
            remove(parent, &name)?;
        }
    }
    Ok(())
}

/// Removes a name; whether it was there.
pub(super) fn remove(parent: &Parent, name: &str) -> io::Result<bool> {
    match unlinkat(&parent.fd, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn ours(parent: &Parent) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(opened_path(&parent.fd))? {
        names.extend(entry?.file_name().into_string().ok().filter(|name| is_ours(name)));
    }
    Ok(names)
}

fn exists(parent: &Parent, name: &str) -> io::Result<bool> {
    Ok(stat(parent, name)?.is_some())
}

/// What stands there, links not followed.
fn stat(parent: &Parent, name: &str) -> io::Result<Option<FileStat>> {
    match fstatat(&parent.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn same_file(one: &FileStat, other: &FileStat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

fn make_empty(parent: &Parent, name: &str) -> io::Result<()> {
    let flags = OFlag::O_CREAT | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(&parent.fd, name, flags, Mode::empty())?;
    Ok(())
}

fn prefix(run: &str, name: &str) -> String {
    // A name may be so long that ours wouldn't fit.
    let hash = blake3::hash(name.as_bytes()).to_hex();
    let name = if name.len() > LONGEST_NAME { &hash[..32] } else { name };
    format!(".{name}{MARK}{run}")
}

fn run_of(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}
