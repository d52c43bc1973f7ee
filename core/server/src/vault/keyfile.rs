//! The key file: mode 0600, made once. While a rotation is under way it holds the old key as well, so that a crash at
//! any point leaves every secret readable.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

use super::seal::Key;

/// The key file of a data folder.
pub struct KeyFile {
    path: PathBuf,
}

/// Whoever changes secrets or keys holds this.
pub struct Changing(#[allow(dead_code)] Flock<File>);

impl KeyFile {
    /// The file at this path; nothing is read yet.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Waits until no other process changes secrets.
    pub fn change(&self) -> Result<Changing, Problem> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = file.open(self.path.with_extension("lock")).map_err(|error| self.broken(&error.to_string()))?;
        Flock::lock(file, FlockArg::LockExclusive).map(Changing).map_err(|(_, error)| self.broken(&error.to_string()))
    }

    /// The keys, the one in use first; none if there is no file yet.
    pub fn read(&self) -> Result<Vec<Key>, Problem> {
        let metadata = match fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| self.broken(&error.to_string()))?,
        };
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(self.broken(&format!("its mode is {mode:o}, so others can read it")).help(format!(
                "`chmod 600 {}`, and `windlass secrets rotate` if somebody may have",
                self.path.display()
            )));
        }
        let me = nix::unistd::geteuid();
        if metadata.uid() != me.as_raw() && !me.is_root() {
            return Err(self.broken("it belongs to another user"));
        }
        let text = Zeroizing::new(fs::read_to_string(&self.path).map_err(|error| self.broken(&error.to_string()))?);
        let keys: Option<Vec<Key>> = text.lines().filter(|line| !line.is_empty()).map(parse).collect();
        match keys {
            Some(keys) if !keys.is_empty() => Ok(keys),
            _ => Err(self
                .broken("it doesn't hold a key")
                .help("restore it from a backup: secrets can't be read without it")),
        }
    }

    /// The keys; a first one is made if there is none. Only while `Changing` is held.
    pub fn read_or_create(&self, changing: &Changing) -> Result<Vec<Key>, Problem> {
        let keys = self.read()?;
        if !keys.is_empty() {
            return Ok(keys);
        }
        let keys = vec![Key::generate()];
        self.write(&keys, changing)?;
        Ok(keys)
    }

    /// Replaces the file in one step.
    pub fn write(&self, keys: &[Key], _: &Changing) -> Result<(), Problem> {
        let mut text = Zeroizing::new(String::new());
        for key in keys {
            let bytes = Zeroizing::new(hex::encode(*key.bytes));
            text.push_str(&format!("windlass-key-1 {} {}\n", hex::encode(key.id), &*bytes));
        }
        let draft = self.path.with_extension("key.new");
        let mut options = OpenOptions::new();
        let written = options.write(true).create(true).truncate(true).mode(0o600).open(&draft).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, &self.path)?;
            File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
        });
        written.map_err(|error| self.broken(&error.to_string()))
    }

    fn broken(&self, why: &str) -> Problem {
        Problem::new(Code::Storage, format!("the key file {} can't be used: {why}", self.path.display()))
    }
}

fn parse(line: &str) -> Option<Key> {
    let mut words = line.split(' ');
    let (format, id, key) = (words.next()?, words.next()?, words.next()?);
    let mut bytes = Zeroizing::new([0_u8; 32]);
    hex::decode_to_slice(key, &mut *bytes).ok()?;
    let id: [u8; 8] = hex::decode(id).ok()?.try_into().ok()?;
    (format == "windlass-key-1" && words.next().is_none()).then_some(Key { id, bytes })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_file_is_made_once_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::at(folder.path().join("secrets.key"));
        assert!(file.read().unwrap().is_empty());
        let changing = file.change().unwrap();
        let first = file.read_or_create(&changing).unwrap();
        assert_eq!(file.read_or_create(&changing).unwrap()[0].id, first[0].id);
        assert_eq!(file.read().unwrap()[0].bytes, first[0].bytes);
        let mode = fs::metadata(&file.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = file.read().err().unwrap();
        assert!(refused.message.contains("640"), "{}", refused.message);
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file.path, "nonsense\n").unwrap();
        assert!(file.read().is_err());
    }
}
