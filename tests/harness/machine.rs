//! A Debian machine of a test's own: a real systemd as the first process of namespaces that end with the test, with PostgreSQL and Caddy,
//! a network of nothing but loopback, and all that it writes in memory.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    process::{Process, wait_for, wait_until, windlass_binary},
    skip::{can_make_namespaces, has_program, is_root, skip},
};

/// How long a start may take.
const START: Duration = Duration::from_secs(90);

/// A machine that has started.
pub struct Machine {
    /// What it sees at /opt/windlass: the program, workflows, plugins.
    sources: TempDir,
    _work: TempDir,
    outer: Process,
}

/// What a program there has said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Its output.
    pub out: String,
    /// Its errors.
    pub err: String,
}

impl Said {
    /// It, if it ended well.
    ///
    /// # Panics
    /// If it didn't.
    #[track_caller]
    pub fn good(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self.out
    }
}

impl Machine {
    /// Starts one; `None`, said out loud, where there can't be one.
    ///
    /// # Panics
    /// If it doesn't start.
    pub fn start() -> Option<Self> {
        let tree = match tree() {
            Ok(tree) => tree,
            Err(reason) => {
                skip(&reason);
                return None;
            }
        };
        let temporary = |prefix| tempfile::Builder::new().prefix(prefix).tempdir().expect("a temporary folder");
        let (sources, work) = (temporary("windlass-sources-"), temporary("windlass-machine-"));
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests stand in the repository");
        for folder in ["workflows", "plugins"] {
            let copied = Command::new("cp").arg("-R").arg(repository.join(folder)).arg(sources.path()).status();
            assert!(copied.is_ok_and(|status| status.success()), "{folder} can be copied");
        }
        fs::set_permissions(sources.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
        let program = sources.path().join("windlass");
        // Names of functions are of no use there, and are most of it.
        let stripped = Command::new("strip").arg("-o").arg(&program).arg(windlass_binary()).status();
        if !stripped.is_ok_and(|status| status.success()) {
            fs::copy(windlass_binary(), &program).expect("the program can be copied");
        }
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child"]).arg(repository.join("tests/tools/debian/boot"));
        command.arg(tree).arg(work.path()).arg(sources.path()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let outer = Process::start(&mut command).expect("unshare starts");
        let machine = Self { sources, _work: work, outer };
        machine.wait_until_started();
        Some(machine)
    }

    /// The folder that the machine sees at /opt/windlass.
    pub fn sources(&self) -> &Path {
        self.sources.path()
    }

    fn wait_until_started(&self) {
        wait_until("the machine to start", START, || {
            let said = self.try_run(&["systemctl", "is-system-running"]);
            said.is_some_and(|said| matches!(said.out.trim(), "running" | "degraded"))
        });
    }

    /// Its first process, as this machine sees it.
    fn first(&self) -> Option<u32> {
        let mut process = self.outer.id();
        for _ in 0..8 {
            let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
            process = children.split_whitespace().next()?.parse().ok()?;
            if fs::read_to_string(format!("/proc/{process}/comm")).ok()?.trim() == "systemd" {
                return Some(process);
            }
        }
        None
    }

    fn try_run(&self, words: &[&str]) -> Option<Said> {
        let output = self.command(words)?.output().ok()?;
        Some(said(&output))
    }

    fn command(&self, words: &[&str]) -> Option<Command> {
        let mut command = Command::new("nsenter");
        command.args([
            "--target",
            &self.first()?.to_string(),
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--cgroup",
        ]);
        command
            .args(["--", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"])
            .args(words);
        command.stdin(Stdio::null());
        Some(command)
    }

    /// Runs a program there as root.
    ///
    /// # Panics
    /// If the machine is gone.
    pub fn run(&self, words: &[&str]) -> Said {
        self.try_run(words).unwrap_or_else(|| panic!("the machine is gone:\n{}", self.outer.output()))
    }

    /// Runs a line of the shell there as root.
    pub fn shell(&self, line: &str) -> Said {
        self.run(&["sh", "-c", line])
    }

    /// Starts a program there that goes on.
    ///
    /// # Panics
    /// If the machine is gone.
    pub fn spawn(&self, words: &[&str]) -> Process {
        Process::start(&mut self.command(words).expect("the machine is there")).expect("nsenter starts")
    }

    /// Starts the machine anew.
    ///
    /// # Panics
    /// If it doesn't come back.
    pub fn reboot(&self) {
        let before = self.first();
        let _ = self.try_run(&["systemctl", "reboot"]);
        wait_for("another first process", START, || self.first().filter(|first| Some(*first) != before));
        self.wait_until_started();
    }
}

fn said(output: &Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

/// The tree of a Debian server, which `.ci/setup` makes; or why there can't be a machine here.
fn tree() -> Result<PathBuf, String> {
    if !is_root() {
        return Err("a machine of its own takes root".into());
    }
    can_make_namespaces()?;
    if let Some(missing) = ["unshare", "nsenter", "ip"].into_iter().find(|name| !has_program(name)) {
        return Err(format!("{missing} isn't installed"));
    }
    let test = env::current_exe().expect("this test has a file");
    // target/<profile>/deps/<test>: the target folder is three up.
    let target = test.ancestors().nth(3).expect("cargo puts tests into target/<profile>/deps");
    let folder = target.join("tools/debian");
    if !folder.join("made").is_file() {
        return Err(format!("there is no Debian tree at {} (.ci/setup test)", folder.display()));
    }
    Ok(folder.join("root"))
}
