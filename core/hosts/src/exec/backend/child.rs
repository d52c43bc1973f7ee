//! One child process from fork to reaping. It leads its own process group, and the group ends with the step. One in a namespace is in
//! a jail, which a thread of its own has made and keeps.

use std::{
    collections::VecDeque,
    os::{
        fd::{AsFd as _, AsRawFd, FromRawFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use nix::{sys::signal::Signal, unistd::Pid};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, unix::AsyncFd};
use windlass_model::{Code, Problem};

use super::{Finished, Start};
use crate::{exec::jail::Inmate, support};

const TAIL_BYTES: usize = 4 << 10;

/// What is kept of a stream: its beginning for the script, its end for the error.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) head: Vec<u8>,
    pub(super) tail: VecDeque<u8>,
    pub(super) cut: bool,
}

/// A child whose whole process group is killed and which is reaped when this is dropped, whatever happened before.
struct Group {
    child: Child,
    /// The thread that has made its jail waits for the end of this: the child ends with that thread.
    _kept: Option<mpsc::Sender<()>>,
}

impl Drop for Group {
    fn drop(&mut self) {
        // The child isn't reaped yet, so its number can't belong to anybody else's group.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = nix::sys::signal::killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

impl Start {
    /// Runs the program to its end; `None` when its time was up. Dropping the future kills it.
    ///
    /// Polled on the thread that waits for the step: the kernel kills the child when that thread is gone.
    pub(in super::super) async fn run(mut self, output_bytes: usize) -> Result<Option<Finished>, Problem> {
        let timeout = self.timeout;
        let stdin_text = self.stdin.take();
        let name = self.name.clone();
        let mut group = self.group(stdin_text.is_some())?;
        let exit =
            exit_of(&group.child).map_err(|error| support::system(format!("`{name}` can't be watched"), &error))?;
        let lost = |error: std::io::Error| support::system(format!("`{name}`"), &error);
        let stdin = group.child.stdin.take().map(tokio::process::ChildStdin::from_std).transpose().map_err(lost)?;
        let stdout = group.child.stdout.take().map(tokio::process::ChildStdout::from_std).transpose().map_err(lost)?;
        let stderr = group.child.stderr.take().map(tokio::process::ChildStderr::from_std).transpose().map_err(lost)?;

        let feed = async {
            if let (Some(mut stdin), Some(text)) = (stdin, stdin_text) {
                // A program needn't read what it is given.
                let _ = stdin.write_all(text.as_bytes()).await;
            }
        };
        let ended = async {
            let _ = exit.readable().await;
            // What the program left running in the background would keep the pipes open.
            if let Ok(pid) = i32::try_from(group.child.id()) {
                let _ = nix::sys::signal::killpg(Pid::from_raw(pid), Signal::SIGKILL);
            }
        };
        let (mut kept_out, mut kept_err) = (Kept::default(), Kept::default());
        let everything = async {
            tokio::join!(
                ended,
                read(stdout, &mut kept_out, output_bytes),
                read(stderr, &mut kept_err, output_bytes),
                async {
                    // The program may end without having read its input.
                    tokio::select! { () = feed => {}, _ = exit.readable() => {} }
                }
            )
        };
        if tokio::time::timeout(timeout, everything).await.is_err() {
            return Ok(None);
        }
        let status = group.child.wait().map_err(lost)?;
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
        Ok(Some(Finished { code, stdout: kept_out, stderr: kept_err }))
    }

    fn group(mut self, with_stdin: bool) -> Result<Group, Problem> {
        let name = self.name.clone();
        let wrong =
            move |error: std::io::Error| support::system(format!("`{name}` can't be started"), &error).no_effect();
        let Some(inside) = self.inside.take() else {
            return Ok(Group { child: self.spawn(with_stdin, None).map_err(wrong)?, _kept: None });
        };
        let no_thread = |error: std::io::Error| support::system("a thread for a program", &error).no_effect();
        let (tell, told) = mpsc::channel();
        let (kept, keep) = mpsc::channel();
        let thread = std::thread::Builder::new().name("jail".into()).spawn(move || {
            let entered = inside.jail.enter(inside.network.as_fd(), &inside.name);
            let child = entered.and_then(|inmate| self.spawn(with_stdin, Some(inmate)).map_err(wrong));
            // Whoever asked waits for it.
            let _ = tell.send(child);
            let _: Result<(), _> = keep.recv();
        });
        thread.map_err(no_thread)?;
        let ended = |_| Problem::new(Code::Internal, "the thread of a program ended early");
        Ok(Group { child: told.recv().map_err(ended)??, _kept: Some(kept) })
    }

    fn spawn(self, with_stdin: bool, inmate: Option<Inmate>) -> std::io::Result<Child> {
        let mut command = Command::new(&self.path);
        command.arg0(&self.name).args(&self.arguments).env_clear();
        for (name, value) in &self.env {
            command.env(name, value.as_str());
        }
        command.stdin(if with_stdin { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir("/").process_group(0);
        let parent = std::process::id();
        let mut folder = self.folder;
        if inmate.is_some()
            && let Some(folder) = folder.take()
        {
            // As it is seen in the jail: from a folder that is open already, everything outside could be reached.
            command.current_dir(folder.path);
        }
        let prepare = move || {
            if let Some(inmate) = &inmate {
                return inmate.confine();
            }
            // SAFETY: plain system calls on descriptors that this closure owns; allowed between fork and exec.
            unsafe {
                check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
                if u32::try_from(libc::getppid()) != Ok(parent) {
                    return Err(std::io::Error::from_raw_os_error(libc::ESRCH));
                }
                if let Some(folder) = &folder {
                    check(libc::fchdir(folder.opened.as_raw_fd()))?;
                }
                check(libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int))
            }
        };
        // SAFETY: `prepare` allocates nothing and takes no lock.
        unsafe { command.pre_exec(prepare) };
        command.spawn()
    }
}

fn check(result: libc::c_int) -> std::io::Result<()> {
    if result == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

/// A descriptor that becomes readable when the child has ended, without reaping it.
fn exit_of(child: &Child) -> std::io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the child isn't reaped, so the number is its own; the result is a new descriptor that nobody else owns.
    let fd = unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, child.id() as libc::pid_t, libc::PIDFD_NONBLOCK);
        let fd = i32::try_from(fd).unwrap_or(-1);
        check(if fd < 0 { -1 } else { 0 })?;
        OwnedFd::from_raw_fd(fd)
    };
    // SAFETY: an `OwnedFd` keeps its descriptor open, and the same, for as long as it lives.
    unsafe { AsyncFd::register(fd) }.map_err(Into::into)
}

/// Reads to the end, so that the program never blocks on a full pipe, and keeps the beginning and the end.
async fn read(stream: Option<impl AsyncRead + Unpin>, kept: &mut Kept, limit: usize) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 32 << 10];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let bytes = &buffer[..count];
        let room = limit - kept.head.len();
        kept.head.extend_from_slice(&bytes[..count.min(room)]);
        kept.cut |= count > room;
        kept.tail.extend(&bytes[count.saturating_sub(TAIL_BYTES)..]);
        let surplus = kept.tail.len().saturating_sub(TAIL_BYTES);
        kept.tail.drain(..surplus);
    }
}
