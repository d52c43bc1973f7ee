//! Namespaces as `ip netns` knows them: a file in /run/netns with the namespace mounted on it. Threads that enter one
//! are plain threads of their own, and end there.

use std::{
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use nix::{
    fcntl::{Flock, FlockArg},
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    sys::{
        stat::fstat,
        statfs::{NSFS_MAGIC, fstatfs, statfs},
    },
};
use parking_lot::Mutex;

use super::super::{
    fault::Fault,
    types::{NewNamespace, Place},
};

const FOLDER: &str = "/run/netns";
const LOCK_FILE: &str = "/run/windlass-net.lock";
const LOCK_MODE: u32 = 0o600;
/// More gain nothing: the kernel makes and removes namespaces under a lock.
const THREADS: usize = 4;

/// Excludes every other holder on this machine until it is dropped.
pub fn lock() -> Result<Flock<File>, Fault> {
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(LOCK_MODE).open(LOCK_FILE);
    // Whoever may open it may hold everybody up.
    let closed = opened.and_then(|file| {
        if file.metadata()?.mode() & 0o777 != LOCK_MODE {
            file.set_permissions(fs::Permissions::from_mode(LOCK_MODE))?;
        }
        Ok(file)
    });
    let file = closed.map_err(|error| Fault::io(&error, format!("opening {LOCK_FILE}")))?;
    Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| Fault::new(errno as i32, format!("locking {LOCK_FILE}")))
}

/// All names.
pub fn list() -> Result<Vec<String>, Fault> {
    let entries = match fs::read_dir(FOLDER) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Fault::io(&error, format!("reading {FOLDER}"))),
    };
    let names = entries.flatten().filter(|entry| is_namespace(&entry.path()));
    let mut names: Vec<String> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Makes namespaces; `prepare` runs inside each before it gets its name.
pub fn add(
    new: &[NewNamespace],
    prepare: impl Fn(&NewNamespace) -> Result<(), Fault> + Sync,
) -> Vec<Result<(), Fault>> {
    if new.is_empty() {
        return Vec::new();
    }
    if let Err(fault) = share_folder() {
        return new.iter().map(|_| Err(fault.clone())).collect();
    }
    spread(new, |namespace| add_one(namespace, &prepare))
}

fn add_one(new: &NewNamespace, prepare: impl Fn(&NewNamespace) -> Result<(), Fault>) -> Result<(), Fault> {
    let path = path(&new.name);
    if is_namespace(&path) {
        return Err(Fault::new(libc::EEXIST, format!("{FOLDER}/{}", new.name)));
    }
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| Fault::new(errno as i32, "making a network namespace"))?;
    // Marked before it has a name: whatever can be found by name can be told apart.
    prepare(new)?;
    name(&path)
}

/// Gives this thread's namespace its name.
fn name(path: &Path) -> Result<(), Fault> {
    // A file that nothing is mounted on is what a crash left here: it is used.
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    file.map_err(|error| Fault::io(&error, format!("creating {}", path.display())))?;
    let source = Some("/proc/thread-self/ns/net");
    mount(source, path, None::<&str>, MsFlags::MS_BIND, None::<&str>).map_err(|errno| {
        let _ = fs::remove_file(path);
        Fault::new(errno as i32, "giving a network namespace its name")
    })
}

/// Gives a namespace that is there a name; `prepare` runs inside before that.
pub fn adopt(
    new: &NewNamespace,
    netns: BorrowedFd<'_>,
    prepare: impl Fn(&NewNamespace) -> Result<(), Fault> + Sync,
) -> Result<(), Fault> {
    share_folder()?;
    let path = path(&new.name);
    if is_namespace(&path) {
        return Err(Fault::new(libc::EEXIST, format!("{FOLDER}/{}", new.name)));
    }
    let enter = |(): &()| {
        setns(netns, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| Fault::new(errno as i32, "entering a network namespace"))?;
        prepare(new)?;
        name(&path)
    };
    // One job, so that it has a thread of its own.
    spread(&[()], enter).pop().unwrap_or_else(|| Err(Fault::new(libc::ECANCELED, "")))
}

/// Whether this is the namespace of this process.
pub fn is_own(netns: BorrowedFd<'_>) -> Result<bool, Fault> {
    let own = File::open("/proc/self/ns/net").map_err(|error| Fault::io(&error, "/proc/self/ns/net"))?;
    Ok(identity(netns)? == identity(own.as_fd())?)
}

/// Whether a name stands for this namespace.
pub fn is(name: &str, netns: BorrowedFd<'_>) -> Result<bool, Fault> {
    let named = open(&Place::Namespace(name.to_owned()))?;
    Ok(identity(netns)? == identity(named.as_fd())?)
}

/// Whether a process runs in a named namespace.
pub fn is_inhabited(name: &str) -> Result<bool, Fault> {
    let (device, inode) = identity(open(&Place::Namespace(name.to_owned()))?.as_fd())?;
    let processes = fs::read_dir("/proc").map_err(|error| Fault::io(&error, "reading /proc"))?;
    let is_in = |entry: fs::DirEntry| {
        let number = entry.file_name().into_encoded_bytes();
        number.iter().all(u8::is_ascii_digit)
            && fs::metadata(entry.path().join("ns/net")).is_ok_and(|at| (at.dev(), at.ino()) == (device, inode))
    };
    Ok(processes.flatten().any(is_in))
}

/// What tells one namespace from another.
fn identity(netns: BorrowedFd<'_>) -> Result<(u64, u64), Fault> {
    let failed = |errno: nix::errno::Errno| Fault::new(errno as i32, "looking at a network namespace");
    if fstatfs(netns).map_err(failed)?.filesystem_type() != NSFS_MAGIC {
        return Err(Fault::new(libc::EINVAL, "this isn't a namespace"));
    }
    let stat = fstat(netns).map_err(failed)?;
    Ok((stat.st_dev, stat.st_ino))
}

/// Removes namespaces.
pub fn remove(names: &[String]) -> Vec<Result<(), Fault>> {
    spread(names, |name| {
        let path = path(name);
        match umount2(&path, MntFlags::MNT_DETACH) {
            // EINVAL: nothing is mounted there.
            Ok(()) | Err(nix::errno::Errno::EINVAL) => {}
            Err(errno) => return Err(Fault::new(errno as i32, format!("unmounting {}", path.display()))),
        }
        fs::remove_file(&path).map_err(|error| Fault::io(&error, format!("removing {}", path.display())))
    })
}

/// A handle on a place, by which others can be born in it.
pub fn open(place: &Place) -> Result<OwnedFd, Fault> {
    let path = match place {
        Place::Host => PathBuf::from("/proc/thread-self/ns/net"),
        Place::Namespace(name) => path(name),
    };
    let file = File::open(&path).map_err(|error| Fault::io(&error, place.to_string()))?;
    if !is_namespace(&path) {
        return Err(Fault::new(libc::ENOENT, place.to_string()));
    }
    Ok(file.into())
}

/// Does the work in each place, several at a time, each on a plain thread that has entered the place. One answer each.
pub fn inside<T: Send>(places: &[Place], work: impl Fn(usize) -> Result<T, Fault> + Sync) -> Vec<Result<T, Fault>> {
    // This thread is in the host's namespace already.
    if let [Place::Host] = places {
        return vec![work(0)];
    }
    let handles: Vec<Result<OwnedFd, Fault>> = places.iter().map(open).collect();
    let jobs: Vec<usize> = (0..places.len()).collect();
    spread(&jobs, |&index| {
        let handle = handles[index].as_ref().map_err(Clone::clone)?;
        setns(handle, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| Fault::new(errno as i32, format!("entering {}", places[index])))?;
        work(index)
    })
}

/// Does the work on each item, on plain threads that end afterwards. One answer each, in order.
pub fn spread<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> Result<T, Fault> + Sync) -> Vec<Result<T, Fault>> {
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<Option<Result<T, Fault>>>> = Mutex::new(items.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..THREADS.min(items.len()) {
            scope.spawn(|| {
                while let Some((index, item)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|index| Some((index, items.get(index)?)))
                {
                    let answer = work(item);
                    answers.lock()[index] = Some(answer);
                }
            });
        }
    });
    let lost = || Err(Fault::new(libc::ECANCELED, "the thread that did this ended early"));
    answers.into_inner().into_iter().map(|answer| answer.unwrap_or_else(lost)).collect()
}

fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

fn is_namespace(path: &Path) -> bool {
    statfs(path).is_ok_and(|stat| stat.filesystem_type() == NSFS_MAGIC)
}

/// Makes the folder a mount whose mounts show in every mount namespace, as `ip netns` does. Doing it twice at the same
/// time does no harm.
fn share_folder() -> Result<(), Fault> {
    let failed = |errno: nix::errno::Errno| Fault::new(errno as i32, format!("preparing {FOLDER}"));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(FOLDER)
        .map_err(|error| Fault::io(&error, format!("creating {FOLDER}")))?;
    let share = || mount(None::<&str>, FOLDER, None::<&str>, MsFlags::MS_SHARED | MsFlags::MS_REC, None::<&str>);
    match share() {
        // It isn't a mount yet.
        Err(nix::errno::Errno::EINVAL) => {
            mount(Some(FOLDER), FOLDER, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)
                .map_err(failed)?;
            share().map_err(failed)
        }
        other => other.map_err(failed),
    }
}
