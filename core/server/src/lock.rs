//! Locks between processes: files that the kernel unlocks when their process dies.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};
use windlass_model::{Code, Problem};

/// While this lives, no other process has the lock.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Takes the lock, unless another process has it.
    pub fn try_take(path: &Path) -> Result<Option<Self>, Problem> {
        match Flock::lock(open(path)?, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                // The content only names the holder; the lock itself is the kernel's.
                file.set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| writeln!(file, "{}", std::process::id()))
                    .map_err(|error| unusable(path, &error))?;
                Ok(Some(Self { _file: file }))
            }
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(unusable(path, &error.into())),
        }
    }

    /// Takes the lock as soon as no other process has it.
    pub fn take(path: &Path) -> Result<Self, Problem> {
        let locked = Flock::lock(open(path)?, FlockArg::LockExclusive);
        locked.map(|file| Self { _file: file }).map_err(|(_, error)| unusable(path, &error.into()))
    }
}

/// Id of the process that took the lock last, for messages.
pub fn holder(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// The file that belongs to a database file: the same one by whatever path and from whatever data folder it is named.
pub fn beside(database: &Path, suffix: &str) -> PathBuf {
    let real = database.canonicalize().or_else(|_| {
        let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        folder.canonicalize().map(|folder| folder.join(database.file_name().unwrap_or_default()))
    });
    let mut name = real.unwrap_or_else(|_| database.to_owned()).into_os_string();
    name.push(suffix);
    name.into()
}

fn open(path: &Path) -> Result<File, Problem> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(Code::Storage, format!("the lock {} can't be used: {error}", path.display()))
        .help("a data folder and an SQLite database need a file system with locks, where this user may write")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = Lock::try_take(&path).unwrap();
        assert!(lock.is_some());
        assert!(Lock::try_take(&path).unwrap().is_none());
        assert_eq!(holder(&path), Some(std::process::id()));
        drop(lock);
        assert!(Lock::try_take(&path).unwrap().is_some());
    }

    #[test]
    fn a_database_has_one_lock_by_all_its_paths() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("x.db"), folder.path().join("link.db"));
        let before = beside(&path, ".lock");
        std::fs::write(&path, "").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(before, beside(&path, ".lock"));
        assert_eq!(before, beside(&link, ".lock"));
        assert_eq!(before, beside(&folder.path().join("../").join(folder.path()).join("./x.db"), ".lock"));
        assert!(before.ends_with("x.db.lock"), "{}", before.display());
    }

    #[test]
    fn what_cannot_be_a_lock_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let problem = Lock::try_take(folder.path()).unwrap_err();
        assert!(problem.message.contains("can't be used"), "{}", problem.message);
    }
}
