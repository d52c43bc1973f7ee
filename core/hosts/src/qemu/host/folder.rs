//! Where machines are kept: a folder each, which appears whole, is held by one process at a time, and says whose it is.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::super::spec::MachineSpec;
use crate::{
    lab_id::LabId,
    lab_mark::{run_of, short_instance},
    support::system,
};

const RECORD: &str = "machine.json";
/// What QEMU may write to, and stands in: disk, sockets, logs.
const RUN: &str = "run";
/// Folders that are still being made, and those that are being removed.
const NEW: &str = ".new-";
const GONE: &str = ".gone-";
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What is known of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which Windlass made it.
    pub instance: String,
    /// For which lab: its key.
    pub lab: String,
    /// `run/step` that made it.
    pub key: String,
    /// Its own, on its process' command line, too.
    pub uuid: String,
    /// As it was asked for. Secrets stand in it by name.
    pub spec: MachineSpec,
    /// Its process as it was last started.
    #[serde(default)]
    pub started: Option<Started>,
    /// Snapshots by tag, with the `run/step` that made each.
    #[serde(default)]
    pub snapshots: BTreeMap<String, String>,
    /// What it was before each change of the run that changed it last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Before>,
}

/// What a machine was before a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// `run/step` that changed it.
    pub key: String,
    /// As it had been asked for.
    pub spec: MachineSpec,
    /// Its process, if it ran.
    pub ran: Option<Started>,
}

/// A process of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// `run/step` that started it.
    pub key: String,
    /// Its number.
    pub pid: i32,
    /// When it began, in ticks since the machine's start: another process of that number began at another time.
    pub start_time: u64,
    /// `kvm` or `tcg`.
    pub accelerator: String,
}

impl Record {
    /// The run that made it.
    pub fn run(&self) -> &str {
        run_of(&self.key)
    }
}

/// The folder of all machines.
pub struct Store {
    root: PathBuf,
}

/// A machine's folder that nobody else changes while this lives.
pub struct Held {
    /// Where it is.
    pub path: PathBuf,
    /// What it says; `None` where that was lost.
    pub record: Option<Record>,
    _lock: File,
}

impl Store {
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where a lab's machines are. A `/` can't stand in a folder's name, and `+` can't in a lab's.
    pub fn lab(&self, lab: &LabId) -> PathBuf {
        self.root.join("labs").join(lab.key.replace('/', "+"))
    }

    /// Where what holds for all machines is kept.
    pub fn root(&self) -> Result<&Path, Problem> {
        if self.root.as_os_str().is_empty() {
            return Err(Problem::new(Code::Configuration, "no folder for machines is configured")
                .help("set `hosts.qemu.folder`")
                .no_effect());
        }
        make_folder(&self.root)?;
        Ok(&self.root)
    }

    /// How many machines there are in all labs.
    pub fn count(&self) -> usize {
        let labs = names(&self.root.join("labs")).unwrap_or_default();
        labs.iter().map(|lab| machines(&self.root.join("labs").join(lab)).map_or(0, |names| names.len())).sum()
    }

    /// All machines there are, of whichever lab.
    pub fn everywhere(&self) -> Vec<PathBuf> {
        self.by_lab().into_iter().map(|(_, path)| path).collect()
    }

    /// The same, with each one's lab as its folder is called.
    pub fn by_lab(&self) -> Vec<(String, PathBuf)> {
        let labs = self.root.join("labs");
        let inside = |lab: &String| {
            let (folder, lab) = (labs.join(lab), lab.replace('+', "/"));
            let paths = machines(&folder).unwrap_or_default().into_iter();
            paths.map(move |name| (lab.clone(), folder.join(name))).collect::<Vec<_>>()
        };
        names(&labs).unwrap_or_default().iter().flat_map(inside).collect()
    }

    /// The names of a lab's machines, sorted.
    pub fn machines(&self, lab: &LabId) -> Result<Vec<String>, Problem> {
        machines(&self.lab(lab))
    }

    /// Takes hold of a machine; `None` if there is none.
    pub fn hold(&self, cx: &OpCx, lab: &LabId, name: &str) -> Result<Option<Held>, Problem> {
        let path = self.lab(lab).join(name);
        let begin = Instant::now();
        loop {
            if let Some(found) = try_hold(&path)? {
                return Ok(found);
            }
            if cx.stopped() {
                return Err(Problem::new(Code::Cancelled, "the run was told to stop while this step was under way"));
            }
            if begin.elapsed() > cx.timeout() {
                let message = format!("the machine {name} of the lab {} is being changed by somebody else", lab.name);
                return Err(Problem::new(Code::Conflict, message).retryable().no_effect());
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Makes a machine's folder: nobody sees it before it says whose it is. `None` if there is one.
    pub fn make(&self, lab: &LabId, name: &str, record: &Record) -> Result<Option<Held>, Problem> {
        self.root()?;
        let labs = self.lab(lab);
        make_folder(&labs)?;
        let new = labs.join(format!("{NEW}{name}-{}", ulid::Ulid::new()));
        make_folder(&new)?;
        let failed = |error: &std::io::Error| system(format!("making {}", new.display()), error);
        let lock = File::open(&new).map_err(|error| failed(&error))?;
        // Somebody who sweeps may just have taken it for one that a crash has left.
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        let path = labs.join(name);
        let mut held = Held { path: new.clone(), record: Some(record.clone()), _lock: lock };
        let made = held.save().and_then(|()| make_folder(&new.join(RUN)));
        let placed = made.and_then(|()| match fs::rename(&new, &path) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => Ok(false),
            Err(error) => Err(failed(&error)),
        });
        match placed {
            Ok(true) => {
                held.path = path;
                Ok(Some(held))
            }
            other => {
                let _ = fs::remove_dir_all(&new);
                other.map(|_| None)
            }
        }
    }

    /// Removes what crashes have left of folders that were being made or removed.
    pub fn sweep(&self, lab: &LabId) {
        let folder = self.lab(lab);
        for name in names(&folder).unwrap_or_default() {
            let path = folder.join(&name);
            // Whoever makes one now holds it.
            let is_left = || File::open(&path).is_ok_and(|lock| lock.try_lock().is_ok());
            if name.starts_with(GONE) || (name.starts_with(NEW) && is_left()) {
                let _ = fs::remove_dir_all(&path);
            }
        }
        // It goes when it is empty, and stays otherwise.
        let _ = fs::remove_dir(&folder);
    }
}

impl Held {
    /// What QEMU stands in.
    pub fn run(&self) -> PathBuf {
        self.path.join(RUN)
    }

    /// Writes down what is known.
    pub fn save(&self) -> Result<(), Problem> {
        let Some(record) = &self.record else { return Ok(()) };
        let text = serde_json::to_vec_pretty(record)
            .map_err(|error| Problem::new(Code::Internal, format!("a machine's record: {error}")))?;
        put(&self.path.join(RECORD), &text).map_err(|error| system(format!("writing {}", self.path.display()), &error))
    }

    /// Whether it was made by this Windlass for this lab.
    pub fn is_of(&self, cx: &OpCx, lab: &LabId) -> bool {
        let ours = |record: &Record| record.instance == short_instance(&cx.instance) && record.lab == lab.key;
        self.record.as_ref().is_some_and(ours)
    }

    /// Removes the folder. Its process was ended before.
    pub fn remove(self) -> Result<(), Problem> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let gone = self.path.with_file_name(format!("{GONE}{name}-{}", ulid::Ulid::new()));
        let failed = |error: std::io::Error| system(format!("removing {}", self.path.display()), &error);
        // A name that goes in one step: what is half removed is no machine any more.
        fs::rename(&self.path, &gone).map_err(failed)?;
        fs::remove_dir_all(&gone).map_err(failed)
    }
}

/// Puts a file there whole, or not at all.
pub fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&new, path)?;
    // The name, too, is there after a power cut.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Does something to a machine's folder, unless somebody else has it.
pub fn while_held(path: &Path, work: impl FnOnce()) {
    if let Ok(Some(Some(_held))) = try_hold(path) {
        work();
    }
}

/// What a machine's folder says, read without holding it.
pub fn read_record(path: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(path.join(RECORD)).ok()?).ok()
}

/// `Some(None)`: there is no such machine. `None`: somebody else has it.
fn try_hold(path: &Path) -> Result<Option<Option<Held>>, Problem> {
    let failed = |error: &std::io::Error| system(format!("opening {}", path.display()), error);
    let lock = match File::open(path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(None)),
        Err(error) => return Err(failed(&error)),
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(failed(&error)),
    }
    // Meanwhile it may have been removed, and another one made.
    let same = match (lock.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    };
    let held = || Held { path: path.to_owned(), record: read_record(path), _lock: lock };
    Ok(same.then(|| Some(held())))
}

fn machines(folder: &Path) -> Result<Vec<String>, Problem> {
    let mut found = names(folder).map_err(|error| system(format!("reading {}", folder.display()), &error))?;
    found.retain(|name| !name.starts_with('.'));
    found.sort();
    Ok(found)
}

fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn make_folder(path: &Path) -> Result<(), Problem> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| system(format!("making {}", path.display()), &error).no_effect())
}
