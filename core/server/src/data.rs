//! The data folder: who may read it, and who executes the runs in it.
//!
//! Layout: `windlass.db` (with its `-wal` and `-shm`), `lock`, `setup.lock`, `instance_id`, `secrets.key`, `files/` (what scripts may
//! write), `detached.log` (output of runs that were let go).

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use windlass_model::{Code, Problem};

/// A data folder that is there and can be used.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: PathBuf,
}

/// While this lives, this process executes the folder's runs. The kernel takes it back from a process that dies.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

impl DataFolder {
    /// Opens the folder, and makes it if it isn't there.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let unusable = |what: &str, error: std::io::Error| {
            Problem::new(Code::Storage, format!("the data folder {} can't be {what}: {error}", path.display()))
                .help("name another one with --data, WINDLASS_DATA or `data` in windlass.toml")
        };
        match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
                made.map_err(|error| unusable("made", error))?;
            }
            Err(error) => return Err(unusable("read", error)),
            Ok(metadata) if !metadata.is_dir() => {
                return Err(unusable("used", std::io::Error::from(ErrorKind::NotADirectory)));
            }
            Ok(metadata) => {
                // Closing somebody's `/tmp` to others would be worse than any reader: only a folder of ours is closed.
                if !path.join("lock").exists() && fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
                    let message = format!("{} isn't empty, and isn't a data folder", path.display());
                    return Err(
                        Problem::new(Code::Storage, message).help("name a folder that is empty or doesn't exist")
                    );
                }
                if metadata.permissions().mode() & 0o077 != 0 && metadata.uid() == nix::unistd::geteuid().as_raw() {
                    let closed = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
                    closed.map_err(|error| unusable("closed to others", error))?;
                }
            }
        }
        let folder = Self { path: path.to_owned() };
        folder.lock_file().map_err(|error| unusable("written", error))?;
        let files = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.files());
        files.map_err(|error| unusable("written", error))?;
        Ok(folder)
    }

    /// URL of the folder's own database.
    pub fn database_url(&self) -> String {
        format!("sqlite:{}", self.path.join("windlass.db").display())
    }

    /// Whether the folder has a database already.
    pub fn has_database(&self) -> bool {
        self.path.join("windlass.db").exists()
    }

    /// This folder's instance id, for machines that have none.
    pub fn instance_file(&self) -> PathBuf {
        self.path.join("instance_id")
    }

    /// The key that secrets are encrypted with.
    pub fn key_file(&self) -> PathBuf {
        self.path.join("secrets.key")
    }

    /// What scripts may write.
    pub fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    /// Output of runs that were let go.
    pub fn detached_log(&self) -> PathBuf {
        self.path.join("detached.log")
    }

    /// Becomes the process that executes runs, unless another one is.
    pub fn try_lock(&self) -> Result<Option<Lock>, Problem> {
        let busy = |error: std::io::Error| {
            Problem::new(Code::Storage, format!("the lock of {} can't be used: {error}", self.path.display()))
        };
        let file = self.lock_file().map_err(busy)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                // The content only names the holder; the lock itself is the kernel's.
                lock.set_len(0)
                    .and_then(|()| lock.rewind())
                    .and_then(|()| writeln!(lock, "{}", std::process::id()))
                    .map_err(busy)?;
                Ok(Some(Lock { _file: lock }))
            }
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(busy(error.into())),
        }
    }

    /// Waits until no other process builds the folder's database, and keeps others from it.
    pub fn building(&self) -> Result<Lock, Problem> {
        let failed = |error: std::io::Error| {
            Problem::new(Code::Storage, format!("{} can't be locked: {error}", self.path.display()))
        };
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = file.open(self.path.join("setup.lock")).map_err(failed)?;
        let locked = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| failed(error.into()))?;
        Ok(Lock { _file: locked })
    }

    /// Process id of the process that executes runs, for messages.
    pub fn holder(&self) -> Option<u32> {
        let mut text = String::new();
        File::open(self.path.join("lock")).ok()?.read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }

    fn lock_file(&self) -> std::io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(self.path.join("lock"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_executes() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let folder = DataFolder::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let lock = folder.try_lock().unwrap();
        assert!(lock.is_some());
        assert!(folder.try_lock().unwrap().is_none());
        assert_eq!(folder.holder(), Some(std::process::id()));
        drop(lock);
        assert!(folder.try_lock().unwrap().is_some());
    }

    #[test]
    fn a_folder_that_others_can_read_is_closed() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
        DataFolder::open(parent.path()).unwrap();
        assert_eq!(fs::metadata(parent.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_with_other_things_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(parent.path().join("x"), "").unwrap();
        assert!(DataFolder::open(parent.path()).unwrap_err().message.contains("isn't empty"));
        assert_eq!(fs::metadata(parent.path()).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_file_is_no_folder() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("x"), "").unwrap();
        assert_eq!(DataFolder::open(&parent.path().join("x")).unwrap_err().code, Code::Storage);
    }
}
