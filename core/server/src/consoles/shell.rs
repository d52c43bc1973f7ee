//! A shell in a node's namespace, in the jail that all programs there are in (`windlass_hosts::exec::jail`), with a terminal of its own.

use std::{
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
    pty::openpty,
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{Pid, User},
};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use windlass_api::services::{ConsoleAsk, ConsoleSource, Size};
use windlass_hosts::exec::{
    self,
    inmates::Inhabitant,
    jail::{Jail, Power},
};
use windlass_model::{Code, Problem};

use super::{
    inside::Inside,
    pty::{self, Pty},
};
use crate::config::LabSettings;

/// How often to look whether the namespace is still a node's.
const LOOK_EVERY: Duration = Duration::from_millis(500);

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

/// Opens one, from which the folders in `hidden` aren't seen.
pub async fn open(
    settings: LabSettings,
    jails: exec::Config,
    namespace: String,
    ask: ConsoleAsk,
) -> Result<ConsoleSource, Problem> {
    let inside = Arc::new(Inside::open(&namespace)?);
    let (tell, told) = oneshot::channel();
    let (place, node, size) = (inside.clone(), ask.node.node.clone(), *ask.size.borrow());
    let user = user(&settings.shell_user, &jails, &ask.node.organisation)?;
    let power = Power::of(&jails.trusted, &ask.node.organisation);
    let jail = Jail::new(user, &jails.hidden, power)?;
    // The thread is in the node's namespaces from its first step on: it ends with the shell, and is used for nothing else.
    let thread = std::thread::Builder::new().name("shell".into()).spawn(move || {
        let (exited, exit) = oneshot::channel();
        let (child, near) = match start(&settings, &jail, &place, &node, size) {
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

fn start(
    settings: &LabSettings,
    jail: &Jail,
    inside: &Inside,
    node: &str,
    size: Size,
) -> Result<(Child, OwnedFd), Problem> {
    let failed = |what: &'static str| {
        move |errno: nix::errno::Errno| Problem::new(Code::System, format!("no shell can be opened: {what}: {errno}"))
    };
    let (program, arguments) =
        settings.shell.split_first().ok_or_else(|| Problem::new(Code::Unsupported, "`labs.shell` names no program"))?;
    let inmate = jail.enter(inside.network(), node)?;
    // The jail's own terminals are seen from here by now: it is one of them.
    let terminal = openpty(Some(&pty::winsize(size)), None).map_err(failed("a pseudo-terminal"))?;
    nix::unistd::fchown(&terminal.slave, Some(jail.uid()), None).map_err(failed("a pseudo-terminal's owner"))?;
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
        ("USER", if settings.shell_user.is_empty() { "lab" } else { &settings.shell_user }),
    ]);
    command.stdin(far().map_err(system)?).stdout(far().map_err(system)?).stderr(far().map_err(system)?);
    let confine = move || {
        // SAFETY: system calls on the first descriptor, which is the terminal.
        let controls = unsafe { libc::setsid() >= 0 && libc::ioctl(0, libc::TIOCSCTTY, 0) >= 0 };
        if controls { inmate.confine() } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: between fork and exec only system calls are made, on values that are there already.
    unsafe {
        command.pre_exec(confine);
    }
    let child = command.spawn().map_err(system)?;
    drop(terminal.slave);
    Ok((child, terminal.master))
}

fn user(name: &str, jails: &exec::Config, organisation: &str) -> Result<Inhabitant, Problem> {
    if name.is_empty() {
        return jails.inhabitants().of(organisation);
    }
    let wrong = |why: &str| {
        Problem::new(Code::Configuration, format!("`labs.shell_user` is `{name}`: {why}"))
            .help("name a user of this machine who owns nothing, such as `nobody`")
    };
    match User::from_name(name) {
        Ok(Some(user)) if user.uid.is_root() => Err(wrong("a shell doesn't run as root")),
        Ok(Some(user)) => Ok(Inhabitant::from(&user)),
        _ => Err(wrong("there is no such user")),
    }
}
