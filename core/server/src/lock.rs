//! Locks between processes: files that the kernel unlocks when their process dies.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::signal::kill,
    unistd::Pid,
};
use windlass_model::{Code, Problem};

/// How long the lock of a dead process is waited for.
const AFTERLIFE: Duration = Duration::from_secs(2);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

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

    /// Takes the lock, unless another process has it. What a killed process was just about to start holds its lock for a moment
    /// longer than it lives: that is waited for.
    pub fn take_unless_held(path: &Path) -> Result<Option<Self>, Problem> {
        let until = Instant::now() + AFTERLIFE;
        loop {
            let taken = Self::try_take(path)?;
            if taken.is_some() || holder(path).is_none_or(is_alive) || Instant::now() >= until {
                return Ok(taken);
            }
            std::thread::sleep(LOOK_EVERY);
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

/// Whether there is a process with this id that hasn't ended. One that its parent hasn't asked after has.
fn is_alive(id: u32) -> bool {
    let Some(process) = i32::try_from(id).ok().filter(|id| *id > 0) else { return true };
    if kill(Pid::from_raw(process), None) == Err(Errno::ESRCH) {
        return false;
    }
    // `4711 (windlass) Z …`: the name may have brackets in it.
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z') || rest.starts_with('X'))
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
    fn what_a_dead_process_has_left_locked_is_waited_for_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::try_take(&path).unwrap();
        let began = Instant::now();
        assert!(Lock::take_unless_held(&path).unwrap().is_none(), "this process lives");
        assert!(began.elapsed() < AFTERLIFE, "{:?}", began.elapsed());
        // A process that has ended, and that nobody has asked after yet: a zombie.
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        std::fs::write(&path, format!("{}\n", dead.id())).unwrap();
        while is_alive(dead.id()) {
            std::thread::sleep(LOOK_EVERY);
        }
        let ends = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            drop(held);
        });
        assert!(Lock::take_unless_held(&path).unwrap().is_some());
        ends.join().unwrap();
        assert!(!is_alive(dead.id()));
        dead.wait().unwrap();
        assert!(!is_alive(dead.id()) && is_alive(std::process::id()));
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
