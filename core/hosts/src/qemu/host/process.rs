//! A machine's process: it outlives ours, is found again, and is never taken for another one of its number.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Error},
    os::{
        fd::{AsRawFd, FromRawFd as _, OwnedFd},
        unix::{
            fs::{MetadataExt as _, OpenOptionsExt as _},
            process::CommandExt as _,
        },
    },
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::user::User;

/// Locked by QEMU for as long as it lives, from before it is QEMU.
const LOCK: &str = "lock";
/// Written by the process itself before it becomes QEMU.
const PID: &str = "pid";
/// What QEMU says, its last words included.
pub const LOG: &str = "qemu.log";
/// Bytes of that, at most.
const LOG_BYTES: u64 = 1 << 20;
/// A lock that somebody only looks at is free a moment later.
const LOOKED_AT: Duration = Duration::from_secs(1);
const SLICE: Duration = Duration::from_millis(50);

/// A machine's process.
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it began.
    pub start_time: u64,
    fd: OwnedFd,
}

/// Starts a program in a machine's folder: a process of its own session, nobody's child, with no descriptor of ours but the
/// lock. It writes its number down before it becomes the program, so a crash of ours can't lose it.
pub fn spawn(machine: &Path, program: &Path, argv: &[String], user: Option<&User>) -> io::Result<()> {
    let run = File::open(machine.join("run"))?;
    let lock = open(&machine.join(LOCK))?;
    lock_alone(&lock)?;
    let pid = open(&machine.join(PID))?;
    pid.set_len(0)?;
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(machine.join(LOG))?;
    let mut command = Command::new(program);
    command.args(argv).env_clear().env("LANG", "C").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let user = user.cloned();
    let prepare = move || {
        // SAFETY: plain system calls on descriptors that this closure owns; allowed between fork and exec.
        unsafe {
            check(libc::fchdir(run.as_raw_fd()))?;
            check(libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int))?;
            check(libc::fcntl(lock.as_raw_fd(), libc::F_SETFD, 0))?;
            libc::umask(0o177);
            // The process in between ends at once: what remains is nobody's child, and outlives us.
            match libc::fork() {
                -1 => return Err(Error::last_os_error()),
                0 => {}
                _ => libc::_exit(0),
            }
            check(libc::setsid())?;
            write_number(pid.as_raw_fd(), libc::getpid())?;
            if let Some(user) = &user {
                check(libc::setgroups(user.groups.len(), user.groups.as_ptr()))?;
                check(libc::setgid(user.gid))?;
                check(libc::setuid(user.uid))?;
            }
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        }
    };
    // SAFETY: `prepare` allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) };
    // Comes back when the program has begun, or couldn't.
    command.spawn()?.wait()?;
    Ok(())
}

/// Whether a machine's process lives.
pub fn lives(machine: &Path) -> bool {
    // Several may look at a time; only QEMU keeps others from looking.
    File::open(machine.join(LOCK)).is_ok_and(|lock| lock.try_lock_shared().is_err())
}

/// A machine's process. Its number alone proves nothing: the machine's lock has to be taken, and the process has to have the
/// machine's mark on its command line, or, where the mark is lost, to stand in its folder.
pub fn find(machine: &Path, uuid: Option<&str>) -> Option<Process> {
    if !lives(machine) {
        return None;
    }
    let pid: i32 = fs::read_to_string(machine.join(PID)).ok()?.trim().parse().ok().filter(|pid| *pid > 1)?;
    // First a hold on the process, then the look at it: what is seen is what will be signalled.
    let process = Process { pid, fd: open_process(pid).ok()?, start_time: stat(pid)?.1 };
    let is_marked = || {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        uuid.is_some_and(|uuid| line.split(|byte| *byte == 0).any(|word| word == uuid.as_bytes()))
    };
    let stands_in = || match (fs::metadata(format!("/proc/{pid}/cwd")), fs::metadata(machine.join("run"))) {
        (Ok(there), Ok(run)) => (there.dev(), there.ino()) == (run.dev(), run.ino()),
        _ => false,
    };
    let is_it = match uuid {
        Some(_) => is_marked(),
        None => stands_in(),
    };
    (is_it && !process.ended(Duration::ZERO)).then_some(process)
}

impl Process {
    /// Waits for its end; whether it came.
    pub fn ended(&self, within: Duration) -> bool {
        let mut poll = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let ms = i32::try_from(within.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one entry, on a descriptor that this owns.
        unsafe { libc::poll(&raw mut poll, 1, ms) > 0 }
    }

    /// Waits for its end in slices, as long as `going` says; whether it came.
    pub fn ended_while(&self, within: Duration, going: impl Fn() -> bool) -> bool {
        let begin = Instant::now();
        loop {
            if self.ended(SLICE.min(within)) {
                return true;
            }
            if begin.elapsed() >= within || !going() {
                return false;
            }
        }
    }

    /// Ends it without asking.
    pub fn kill(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open; no information goes along.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.fd.as_raw_fd(),
                libc::SIGKILL,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        match sent {
            0 => Ok(()),
            _ => match Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
                error => Err(error),
            },
        }
    }
}

/// The last lines that QEMU said.
pub fn last_words(machine: &Path) -> String {
    let said = fs::read(machine.join(LOG)).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

/// Empties what QEMU said when it has outgrown its bound: QEMU appends to it.
pub fn trim_log(machine: &Path) -> io::Result<()> {
    let path = machine.join(LOG);
    if fs::metadata(&path)?.len() > LOG_BYTES {
        OpenOptions::new().write(true).open(path)?.set_len(0)?;
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn lock_alone(lock: &File) -> io::Result<()> {
    let begin = Instant::now();
    while let Err(error) = lock.try_lock() {
        if begin.elapsed() > LOOKED_AT {
            return Err(error.into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// State and start time of a process that isn't dead.
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and brackets; what follows the last one doesn't.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?)).filter(|(state, _)| !matches!(state, 'Z' | 'X'))
}

fn open_process(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the result is a new descriptor that nobody else owns.
    unsafe {
        let fd = i32::try_from(libc::syscall(libc::SYS_pidfd_open, pid, 0)).unwrap_or(-1);
        check(fd)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Writes a number without allocating anything.
fn write_number(fd: libc::c_int, number: libc::pid_t) -> io::Result<()> {
    let (mut digits, mut at, mut rest) = ([0_u8; 11], 11, number);
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    // SAFETY: the bytes from `at` on are inside the array.
    check(unsafe { libc::write(fd, digits[at..].as_ptr().cast(), 11 - at) } as libc::c_int)
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(Error::last_os_error()) } else { Ok(()) }
}
