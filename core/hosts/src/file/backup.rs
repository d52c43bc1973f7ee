//! What a change replaces is kept beside it until the run is surely not undone, or `backup_days` have passed.
//!
//! A backup is a second name of the replaced file or link: `.<name>.windlass-<run>.<step>`. When there was nothing to
//! replace, an empty file with `.new` at the end says so. Making one is atomic and costs no copy.

use std::io;

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat, renameat},
    sys::stat::{Mode, fstatat},
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
        let step = blake3::hash(forward_key(&cx.key).as_bytes()).to_hex();
        let base = format!("{}.{}", prefix(cx, name), &step[..12]);
        Self { new: format!("{base}.new"), temporary: format!("{base}.tmp"), old: base }
    }

    /// Keeps what stands there. A repeated step keeps what its first attempt has kept.
    pub(super) fn keep(&self, parent: &Parent) -> io::Result<()> {
        if exists(parent, &self.old)? || exists(parent, &self.new)? {
            return Ok(());
        }
        match linkat(&parent.fd, parent.name.as_str(), &parent.fd, self.old.as_str(), LinkatFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ENOENT) => {
                let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                openat(&parent.fd, self.new.as_str(), flags, Mode::empty())?;
            }
            Err(error) => return Err(error.into()),
        }
        parent.fd.sync_all()
    }

    /// Puts back what was kept. Whether there was anything; a second time there isn't.
    pub(super) fn restore(&self, parent: &Parent) -> io::Result<bool> {
        let restored = if exists(parent, &self.old)? {
            renameat(&parent.fd, self.old.as_str(), &parent.fd, parent.name.as_str())?;
            // When both are names of one file, renaming does nothing, and the second name is still there.
            remove(parent, &self.old)?;
            true
        } else if exists(parent, &self.new)? {
            remove(parent, &parent.name)?;
            remove(parent, &self.new)?
        } else {
            false
        };
        remove(parent, &self.temporary)?;
        parent.fd.sync_all()?;
        Ok(restored)
    }
}

/// Drops this run's backups of a file. How many.
pub(super) fn discard(cx: &OpCx, parent: &Parent) -> io::Result<usize> {
    let prefix = format!("{}.", prefix(cx, &parent.name));
    let mut dropped = 0;
    for name in ours(parent)?.into_iter().filter(|name| name.starts_with(&prefix)) {
        dropped += usize::from(remove(parent, &name)?);
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
    match fstatat(&parent.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn prefix(cx: &OpCx, name: &str) -> String {
    // A name may be so long that ours wouldn't fit.
    let hash = blake3::hash(name.as_bytes()).to_hex();
    let name = if name.len() > LONGEST_NAME { &hash[..32] } else { name };
    format!(".{name}{MARK}{}", cx.run)
}

/// `run/4/u7/0` undoes `run/4`.
fn forward_key(key: &str) -> &str {
    let undone = key.rsplit_once('/').and_then(|(lane, _)| lane.rsplit_once('/'));
    match undone {
        Some((step, lane)) if lane.starts_with('u') && lane[1..].bytes().all(|byte| byte.is_ascii_digit()) => step,
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undo_knows_the_step_that_it_undoes() {
        assert_eq!(forward_key("01run/4/u7/0"), "01run/4");
        assert_eq!(forward_key("01run/7/b1/3/u12/0"), "01run/7/b1/3");
        assert_eq!(forward_key("01run/4"), "01run/4");
        assert_eq!(forward_key("01run/7/b1/3"), "01run/7/b1/3");
    }
}
