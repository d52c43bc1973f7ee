//! The data folder: who may read it, and what is in it.
//!
//! Layout: `windlass.db` (with its `-wal`, `-shm` and locks), `lock` (says that this is a data folder), `instance_id`, `secrets.key`,
//! `workflows.seen`, `plugins.seen` (what their files held), `files/` (what scripts may write), `recordings/` (of consoles), `node_keys/` (SSH keys of labs' nodes), `detached.log` (output of runs that were let go),
//! `playground/` (what `windlass dev` brings along).

use std::{
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use windlass_model::{Code, Problem};

/// A data folder that is there and can be used.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: PathBuf,
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

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// URL of the folder's own database.
    pub fn database_url(&self) -> String {
        format!("sqlite:{}", self.path.join("windlass.db").display())
    }

    /// This folder's instance id, for machines that have none.
    pub fn instance_file(&self) -> PathBuf {
        self.path.join("instance_id")
    }

    /// The key that secrets are encrypted with.
    pub fn key_file(&self) -> PathBuf {
        self.path.join("secrets.key")
    }

    /// What the files of workflows held when a server looked at them last.
    pub fn seen_file(&self) -> PathBuf {
        self.path.join("workflows.seen")
    }

    /// The same of plugins.
    pub fn seen_plugins_file(&self) -> PathBuf {
        self.path.join("plugins.seen")
    }

    /// What scripts may write.
    pub fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    /// SSH keys of labs' nodes, as they were first seen.
    pub fn node_keys(&self) -> PathBuf {
        self.path.join("node_keys")
    }

    /// Recordings of consoles.
    pub fn recordings(&self) -> PathBuf {
        self.path.join("recordings")
    }

    /// Output of runs that were let go.
    pub fn detached_log(&self) -> PathBuf {
        self.path.join("detached.log")
    }

    /// The lock of whoever executes runs, where the database has none of its own.
    pub fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// Locked while the schema changes of a database that has no file.
    pub fn setup_lock(&self) -> PathBuf {
        self.path.join("setup.lock")
    }

    fn lock_file(&self) -> std::io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(self.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let folder = DataFolder::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(folder.lock().exists());
        DataFolder::open(&path).unwrap();
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
