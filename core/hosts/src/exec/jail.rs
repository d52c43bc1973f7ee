//! What programs in a node's network namespace are kept in, those of scripts and the shells of consoles alike. They have the node's
//! network, and may do there what that network's administrator may if their organisation is trusted with it; of the machine they see
//! the files alone, read-only, as a user who owns nothing, without its devices, terminals, sockets and other namespaces, and no process
//! but their own. When the first process of a jail ends, the kernel ends the others.
//!
//! A jail has no user namespace: the kernel holds its CAP_NET_ADMIN against the machine's own. It is good in every network namespace
//! that an interface of the node names (`link-netnsid`), where the other end of a link is: with it, links of the machine and of other
//! organisations can be made, changed and deleted. So only those have it who may have it in containers (`trusted`).
//!
//! All jails of an organisation share one user (`inmates.rs`). They can't reach one another by it: each has processes, terminals, IPC and
//! writable folders of its own.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    unistd::{Gid, Uid},
};
use windlass_model::{Code, Problem};

use super::inmates::Inhabitant;
use crate::{owner::may_use, privileges};

const NET_BIND_SERVICE: u32 = 10;
const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;
/// Who may send pings without CAP_NET_RAW, of a network.
const PINGS: &str = "/proc/sys/net/ipv4/ping_group_range";
/// Folders that a jail gets a small one of its own of. /run has the sockets of the machine's services, and the names of all namespaces:
/// who rules one network could plug it into the others.
const SCRATCH: [&str; 4] = ["/run", "/var/run", "/tmp", "/var/tmp"];
/// The devices that there are.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Processes of all jails of an organisation together, as they have one user.
const PROCESSES: libc::rlim_t = 512;
/// Bytes of memory that one of their processes may map.
const MEMORY: libc::rlim_t = 2 << 30;

/// What the programs of a jail may do in the node's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// What its administrator may, and whatever that reaches beyond it.
    Rule,
    /// What any program may: connections, servers, pings.
    Use,
}

impl Power {
    /// That of an organisation's programs, where these are trusted beside the platform.
    pub fn of(trusted: &[String], organisation: &str) -> Self {
        if may_use(trusted, organisation) { Self::Rule } else { Self::Use }
    }

    fn capabilities(self) -> &'static [u32] {
        match self {
            Self::Rule => &[NET_BIND_SERVICE, NET_ADMIN, NET_RAW],
            Self::Use => &[NET_BIND_SERVICE],
        }
    }
}

/// A jail that can be made.
#[derive(Clone, Debug)]
pub struct Jail {
    uid: Uid,
    gid: Gid,
    hidden: Arc<[PathBuf]>,
    power: Power,
}

/// What the child that goes in does before it becomes the program.
#[derive(Debug)]
pub struct Inmate {
    uid: Uid,
    gid: Gid,
    power: Power,
    /// Readable once this process has ended.
    parent: OwnedFd,
}

impl Jail {
    /// For programs of this user, who isn't root; folders in `hidden` are empty there.
    pub fn new(user: Inhabitant, hidden: &[PathBuf], power: Power) -> Result<Self, Problem> {
        if user.uid.is_root() {
            return Err(Problem::new(Code::Configuration, "programs in a namespace don't run as root"));
        }
        Ok(Self { uid: user.uid, gid: user.gid, hidden: hidden.into(), power })
    }

    /// Whom its programs run as.
    pub fn uid(&self) -> Uid {
        self.uid
    }

    /// Makes it around this thread, in this network namespace. The thread may do nothing afterwards but start one child and wait for
    /// it: the child is the first process in there, and ends with the thread.
    pub fn enter(&self, network: BorrowedFd<'_>, hostname: &str) -> Result<Inmate, Problem> {
        let failed = |what: &'static str| {
            move |errno: nix::errno::Errno| {
                let general =
                    || "programs in namespaces need a server that runs as root, and Linux 5.12 or newer".to_owned();
                let code = if errno == nix::errno::Errno::EPERM { Code::Unsupported } else { Code::System };
                Problem::new(code, format!("nothing can be started in the namespace: {what}: {errno}"))
                    .help(privileges::help().unwrap_or_else(general))
                    .no_effect()
            }
        };
        let parent = this_process().map_err(failed("this process"))?;
        setns(network, CloneFlags::CLONE_NEWNET).map_err(failed("its network"))?;
        if self.power == Power::Use {
            let_ping(self.gid);
        }
        let apart =
            CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
        unshare(apart).map_err(failed("namespaces of its own"))?;
        let alone = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
        mount(None::<&str>, "/", None::<&str>, alone, None::<&str>).map_err(failed("mounts of its own"))?;
        // A mount that stays keeps the namespace that it names alive.
        let _ = umount2("/run/netns", MntFlags::MNT_DETACH);
        read_only().map_err(failed("a read-only view of the files"))?;
        devices().map_err(failed("devices of its own"))?;
        for folder in SCRATCH.into_iter().filter(|folder| is_folder(Path::new(folder))) {
            tmpfs(folder, MsFlags::empty(), "size=16m,nr_inodes=4k,mode=1777").map_err(failed("a scratch folder"))?;
        }
        for folder in self.hidden.iter().filter(|folder| folder.is_dir()) {
            tmpfs(folder, MsFlags::MS_RDONLY, "size=4k,nr_inodes=2,mode=555").map_err(failed("a folder to hide"))?;
        }
        // What it tells of interfaces is about the network of whoever mounts it. Where that can't be done, `ip` still works.
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
        let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), flags, None::<&str>);
        let _ = nix::unistd::sethostname(hostname);
        Ok(Inmate { uid: self.uid, gid: self.gid, power: self.power, parent })
    }
}

/// Lets everybody in this thread's network ping, as Docker does in its containers, if nobody may so far. Where it can't be done, only
/// `ping` fails.
fn let_ping(gid: Gid) {
    let nobody = std::fs::read_to_string(PINGS).is_ok_and(|range| range.split_whitespace().eq(["1", "0"]));
    if nobody {
        let _ = std::fs::write(PINGS, format!("0 {}", gid.as_raw().max(i32::MAX.cast_unsigned())));
    }
}

/// A link to a folder leads to one that is looked at itself.
fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

fn tmpfs(at: impl AsRef<Path>, more: MsFlags, options: &str) -> nix::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | more;
    mount(Some("tmpfs"), at.as_ref(), Some("tmpfs"), flags, Some(options))
}

/// A /dev with the devices that programs need, and terminals of its own. It is put together in /tmp: the machine's is needed for that.
fn devices() -> nix::Result<()> {
    let at = Path::new("/tmp");
    let system = |error: io::Error| nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    tmpfs(at, MsFlags::empty(), "size=64k,nr_inodes=64,mode=755")?;
    for device in DEVICES {
        // Not opened: another thread's child would have it open for writing for a moment, and nothing could be made read-only then.
        nix::sys::stat::mknod(&at.join(device), nix::sys::stat::SFlag::S_IFREG, nix::sys::stat::Mode::empty(), 0)?;
        let from = Path::new("/dev").join(device);
        mount(Some(&from), &at.join(device), None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    }
    for folder in ["pts", "shm"] {
        std::fs::create_dir(at.join(folder)).map_err(system)?;
    }
    let links =
        [("pts/ptmx", "ptmx"), ("/proc/self/fd", "fd"), ("fd/0", "stdin"), ("fd/1", "stdout"), ("fd/2", "stderr")];
    for (to, link) in links {
        std::os::unix::fs::symlink(to, at.join(link)).map_err(system)?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let terminals = Some("newinstance,ptmxmode=0666,mode=0600,max=64");
    mount(Some("devpts"), &at.join("pts"), Some("devpts"), flags, terminals)?;
    tmpfs(at.join("shm"), MsFlags::empty(), "size=16m,nr_inodes=4k,mode=1777")?;
    mount(Some(at), "/dev", None::<&str>, MsFlags::MS_MOVE, None::<&str>)?;
    let fixed = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(None::<&str>, "/dev", None::<&str>, fixed, None::<&str>)
}

/// Makes every mount that is seen from here read-only.
fn read_only() -> nix::Result<()> {
    #[repr(C)]
    struct Attributes {
        set: u64,
        clear: u64,
        propagation: u64,
        namespace: u64,
    }
    const RDONLY_NOSUID: u64 = 0x1 | 0x2;
    let attributes = Attributes { set: RDONLY_NOSUID, clear: 0, propagation: 0, namespace: 0 };
    // SAFETY: the path ends with zero, and the pointer and the length are those of `attributes`.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            c"/".as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    nix::errno::Errno::result(done).map(drop)
}

fn this_process() -> nix::Result<OwnedFd> {
    // SAFETY: a plain system call; what it gives is a new descriptor that nobody else owns.
    unsafe {
        let fd = nix::errno::Errno::result(libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0))?;
        let fd = i32::try_from(fd).map_err(|_| nix::errno::Errno::EBADF)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

fn checked(done: impl Into<i64>) -> io::Result<()> {
    if done.into() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl Inmate {
    /// In the child, as the last thing before the program: its own processes in /proc, another user, few capabilities, no descriptor
    /// but the first three. Only system calls are made, on values that are there already: it may stand between fork and exec.
    pub fn confine(&self) -> io::Result<()> {
        #[repr(C)]
        struct Header {
            version: u32,
            pid: i32,
        }
        #[repr(C)]
        #[derive(Clone, Copy)]
        struct Sets {
            effective: u32,
            permitted: u32,
            inheritable: u32,
        }
        const PROC: (&CStr, &CStr) = (c"proc", c"/proc");
        let capabilities = self.power.capabilities();
        let kept = capabilities.iter().fold(0_u32, |set, capability| set | 1 << capability);
        let header = Header { version: 0x2008_0522, pid: 0 };
        let low = Sets { effective: kept, permitted: kept, inheritable: kept };
        let sets = [low, Sets { effective: 0, permitted: 0, inheritable: 0 }];
        let limits = [(libc::RLIMIT_NPROC, PROCESSES), (libc::RLIMIT_AS, MEMORY), (libc::RLIMIT_CORE, 0)];
        let (uid, gid) = (self.uid.as_raw(), self.gid.as_raw());
        // SAFETY: system calls on values of this frame and on words that end with zero.
        unsafe {
            let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
            let (kind, folder) = (PROC.0.as_ptr(), PROC.1.as_ptr());
            checked(libc::mount(kind, folder, kind, flags, std::ptr::null()))?;
            for (limit, value) in limits {
                checked(libc::setrlimit(limit, &libc::rlimit { rlim_cur: value, rlim_max: value }))?;
            }
            // Those beyond the kernel's last one aren't there.
            for capability in (0..64).filter(|capability| !capabilities.contains(capability)) {
                libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0);
            }
            checked(libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0))?;
            checked(libc::setgroups(0, std::ptr::null()))?;
            checked(libc::setresgid(gid, gid, gid))?;
            checked(libc::setresuid(uid, uid, uid))?;
            checked(libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()))?;
            for &capability in capabilities {
                let raise = libc::PR_CAP_AMBIENT_RAISE;
                checked(libc::prctl(libc::PR_CAP_AMBIENT, raise, libc::c_ulong::from(capability), 0, 0))?;
            }
            checked(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            // With the server, or the thread that waits for it, it goes too. Another user would undo this: so it comes late.
            checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0))?;
            // A server that ended before sends no signal any more. Its number isn't seen from in here.
            let mut parent = libc::pollfd { fd: self.parent.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            if libc::poll(&raw mut parent, 1, 0) != 0 {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            checked(libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int))
        }
    }
}
