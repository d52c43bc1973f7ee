//! A shell in a node's namespace. It has the node's network, and may do there what that network's administrator may; of the machine it
//! sees the files alone, read-only, as a user who owns nothing, and no process but its own. When its first process ends, the
//! kernel ends the others.

use std::{
    ffi::{CStr, CString},
    io,
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use nix::{
    mount::{MsFlags, mount},
    pty::openpty,
    sched::{CloneFlags, unshare},
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{Gid, Pid, Uid, User},
};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use windlass_api::services::{ConsoleAsk, ConsoleSource, Size};
use windlass_model::{Code, Problem};

use super::{
    inside::Inside,
    pty::{self, Pty},
};
use crate::config::LabSettings;

/// How often to look whether the namespace is still a node's.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What somebody may do in the node's network.
const CAPABILITIES: [u32; 3] = [10, 12, 13]; // CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW
/// Folders that anybody may write to get a small one of the shell's own.
const SCRATCH: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// Processes of all shells together, as they have one user.
const PROCESSES: libc::rlim_t = 512;
/// Bytes of memory that one of their processes may map.
const MEMORY: libc::rlim_t = 2 << 30;

/// Kills what runs in a shell, if it still does.
#[derive(Clone)]
pub struct Killer(Arc<Mutex<Option<Pid>>>);

impl Killer {
    pub fn kill(&self) {
        // Until it is reaped, which happens under this lock, its id is nobody else's.
        if let Some(pid) = *self.0.lock() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// A shell that runs.
struct Started {
    near: OwnedFd,
    killer: Killer,
    exit: oneshot::Receiver<Option<i32>>,
}

/// Opens one.
pub async fn open(settings: LabSettings, namespace: String, ask: ConsoleAsk) -> Result<ConsoleSource, Problem> {
    let inside = Arc::new(Inside::open(&namespace)?);
    let (tell, told) = oneshot::channel();
    let (place, node, size) = (inside.clone(), ask.node.node.clone(), *ask.size.borrow());
    // The thread is in the node's namespaces from its first step on: it ends with the shell, and is used for nothing else.
    let thread = std::thread::Builder::new().name("shell".into()).spawn(move || {
        let (exited, exit) = oneshot::channel();
        let (child, near) = match start(&settings, &place, &node, size) {
            Ok(started) => started,
            Err(problem) => return drop(tell.send(Err(problem))),
        };
        let killer = Killer(Arc::new(Mutex::new(Some(Pid::from_raw(child.id().cast_signed())))));
        let started = Started { near, killer: killer.clone(), exit };
        if tell.send(Ok(started)).is_err() {
            // Nobody waits any more.
            killer.kill();
        }
        let code = reap(child, &killer);
        // Whoever watched may be gone.
        let _ = exited.send(code);
    });
    thread.map_err(|error| Problem::new(Code::System, format!("no thread for a shell: {error}")))?;
    let ended = |_| Problem::new(Code::Internal, "the thread of a shell ended early");
    let Started { near, killer, exit } = told.await.map_err(ended)??;
    let failed = |error: io::Error| Problem::new(Code::System, format!("the terminal of a shell: {error}"));
    let terminal = near.try_clone().map_err(failed)?;
    let keeper = tokio::spawn(keep(terminal, ask.size, inside, killer.clone()));
    Ok(ConsoleSource { stream: Box::new(Pty::new(near, keeper, killer).map_err(failed)?), exit })
}

/// Hands sizes on, and ends the shell with its node.
async fn keep(terminal: OwnedFd, mut size: watch::Receiver<Size>, inside: Arc<Inside>, killer: Killer) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            changed = size.changed() => match changed {
                Ok(()) => pty::resize(&terminal, *size.borrow_and_update()),
                Err(_) => return,
            },
            _ = look.tick() => if !inside.is_there() {
                killer.kill();
                return;
            },
        }
    }
}

/// Waits for its end; the exit code, or 128 and the signal.
fn reap(mut child: Child, killer: &Killer) -> Option<i32> {
    let pid = Pid::from_raw(child.id().cast_signed());
    while let Err(nix::errno::Errno::EINTR) = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {}
    let mut known = killer.0.lock();
    *known = None;
    let status = child.wait().ok()?;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal))
}

fn start(settings: &LabSettings, inside: &Inside, node: &str, size: Size) -> Result<(Child, OwnedFd), Problem> {
    let failed = |what: &'static str| {
        move |errno: nix::errno::Errno| {
            Problem::new(Code::System, format!("no shell can be opened: {what}: {errno}"))
                .help("shells in namespaces need a server that runs as root, and Linux 5.12 or newer")
        }
    };
    let user = user(&settings.shell_user)?;
    let (program, arguments) =
        settings.shell.split_first().ok_or_else(|| Problem::new(Code::Unsupported, "`labs.shell` names no program"))?;
    let terminal = openpty(Some(&pty::winsize(size)), None).map_err(failed("a pseudo-terminal"))?;
    nix::unistd::fchown(&terminal.slave, Some(user.uid), None).map_err(failed("a pseudo-terminal's owner"))?;
    inside.enter()?;
    let apart =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    unshare(apart).map_err(failed("namespaces of its own"))?;
    let alone = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, alone, None::<&str>).map_err(failed("mounts of its own"))?;
    read_only().map_err(failed("a read-only view of the files"))?;
    for folder in SCRATCH.into_iter().filter(|folder| std::path::Path::new(folder).is_dir()) {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let options = Some("size=16m,nr_inodes=4k,mode=1777");
        mount(Some("tmpfs"), folder, Some("tmpfs"), flags, options).map_err(failed("a scratch folder"))?;
    }
    // What it tells of interfaces is about the network of whoever mounts it. Where that can't be done, `ip` still works.
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), flags, None::<&str>);
    let _ = nix::unistd::sethostname(node);
    let far = || terminal.slave.try_clone().map(Stdio::from);
    let system = |error: io::Error| {
        Problem::new(Code::System, format!("{program} can't be started in the namespace: {error}"))
            .help("`labs.shell` names the program")
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").env_clear();
    command.envs([
        ("TERM", "xterm-256color"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("USER", settings.shell_user.as_str()),
    ]);
    command.stdin(far().map_err(system)?).stdout(far().map_err(system)?).stderr(far().map_err(system)?);
    let (uid, gid) = (user.uid, user.gid);
    let words = Words::new();
    // SAFETY: between fork and exec only system calls are made, on values that are there already.
    unsafe {
        command.pre_exec(move || confine(uid, gid, &words));
    }
    let child = command.spawn().map_err(system)?;
    drop(terminal.slave);
    Ok((child, terminal.master))
}

fn user(name: &str) -> Result<User, Problem> {
    let wrong = |why: &str| {
        Problem::new(Code::Configuration, format!("`labs.shell_user` is `{name}`: {why}"))
            .help("name a user of this machine who owns nothing, such as `nobody`")
    };
    match User::from_name(name) {
        Ok(Some(user)) if user.uid.is_root() => Err(wrong("a shell doesn't run as root")),
        Ok(Some(user)) => Ok(user),
        _ => Err(wrong("there is no such user")),
    }
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

/// What the child needs and can't make any more.
struct Words {
    proc: CString,
    folder: CString,
}

impl Words {
    fn new() -> Self {
        let word = |text: &CStr| text.to_owned();
        Self { proc: word(c"proc"), folder: word(c"/proc") }
    }
}

fn checked(done: impl Into<i64>) -> io::Result<()> {
    if done.into() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// In the child, before the program: a terminal of its own, its own processes in /proc, another user, few capabilities.
fn confine(uid: Uid, gid: Gid, words: &Words) -> io::Result<()> {
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
    let kept = CAPABILITIES.iter().fold(0_u32, |set, capability| set | 1 << capability);
    let header = Header { version: 0x2008_0522, pid: 0 };
    let low = Sets { effective: kept, permitted: kept, inheritable: kept };
    let sets = [low, Sets { effective: 0, permitted: 0, inheritable: 0 }];
    let limits = [(libc::RLIMIT_NPROC, PROCESSES), (libc::RLIMIT_AS, MEMORY), (libc::RLIMIT_CORE, 0)];
    // SAFETY: system calls on values of this frame and on words that end with zero.
    unsafe {
        checked(libc::setsid())?;
        checked(libc::ioctl(0, libc::TIOCSCTTY, 0))?;
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        let (proc, folder) = (words.proc.as_ptr(), words.folder.as_ptr());
        checked(libc::mount(proc, folder, proc, flags, std::ptr::null()))?;
        for (limit, value) in limits {
            checked(libc::setrlimit(limit, &libc::rlimit { rlim_cur: value, rlim_max: value }))?;
        }
        // Those beyond the kernel's last one aren't there.
        for capability in (0..64).filter(|capability| !CAPABILITIES.contains(capability)) {
            libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0);
        }
        checked(libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0))?;
        checked(libc::setgroups(0, std::ptr::null()))?;
        checked(libc::setresgid(gid.as_raw(), gid.as_raw(), gid.as_raw()))?;
        checked(libc::setresuid(uid.as_raw(), uid.as_raw(), uid.as_raw()))?;
        checked(libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()))?;
        for capability in CAPABILITIES {
            let raise = libc::PR_CAP_AMBIENT_RAISE;
            checked(libc::prctl(libc::PR_CAP_AMBIENT, raise, libc::c_ulong::from(capability), 0, 0))?;
        }
        checked(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        // With the server, or the thread that waits for it, it goes too. Another user would undo this: so it comes last.
        checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0))
    }
}
