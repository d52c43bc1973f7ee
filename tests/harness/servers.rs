//! PostgreSQL servers that a test may restart, kill and promote, and PgBouncer before them: on loopback, each in a temporary
//! folder, as a user without rights.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User, chown},
};

use crate::{Process, Watched, free_port, postgres::binaries, wait_until};

const SOON: Duration = Duration::from_secs(60);

/// A server of its own.
pub struct Server {
    bin: PathBuf,
    _watched: Watched,
    folder: tempfile::TempDir,
    /// Where it listens.
    pub port: u16,
    process: Option<Process>,
}

/// Which way a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Connections are ended in good order.
    Fast,
    /// Connections are dropped, and the log is replayed at the next start.
    Immediate,
    /// All of its processes are killed at once, as when the machine dies.
    Kill,
}

impl Server {
    /// A server with an empty database `windlass`; `None` if no PostgreSQL is installed.
    pub fn start() -> Option<Self> {
        let mut server = Self::folder()?;
        let mut command = server.as_user("initdb");
        command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D"]);
        succeed(command.arg(server.data()));
        let rules = "local all all trust\nhost all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n";
        std::fs::write(server.data().join("pg_hba.conf"), rules).expect("its own folder");
        server.run();
        server.sql("postgres", "CREATE DATABASE windlass");
        Some(server)
    }

    /// A standby that follows this server; every commit waits for it from now on.
    pub fn standby(&self) -> Self {
        let mut standby = Self::folder().expect("PostgreSQL is installed");
        let mut command = standby.as_user("pg_basebackup");
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-X", "stream", "-c", "fast", "-R", "-N", "-p"]);
        succeed(command.arg(self.port.to_string()).arg("-D").arg(standby.data()));
        standby.run();
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.sql("postgres", "SELECT pg_reload_conf()");
        wait_until("the standby to be waited for", SOON, || {
            self.sql("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1"
        });
        standby
    }

    /// From now on it is the primary, and waits for nobody.
    pub fn promote(&self) {
        succeed(self.as_user("pg_ctl").args(["promote", "-w", "-D"]).arg(self.data()));
    }

    fn folder() -> Option<Self> {
        let bin = binaries()?;
        let folder = tempfile::Builder::new().prefix("windlass-server-").tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("a folder");
        std::fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("its own");
        if let Some(user) = user() {
            for path in [folder.path(), &data] {
                chown(path, Some(user.uid), Some(user.gid)).expect("root may give the folder away");
            }
        }
        Some(Self { bin, _watched: Watched::new(folder.path()), folder, port: free_port(), process: None })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn as_user(&self, program: &str) -> Command {
        as_user(&self.bin.join(program), self.folder.path())
    }

    /// Starts it, and waits until it answers.
    pub fn run(&mut self) {
        let _ = std::fs::remove_file(self.data().join("postmaster.pid"));
        let mut command = self.as_user("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path()).args(["-p", &self.port.to_string()]);
        let settings = ["listen_addresses=127.0.0.1", "max_connections=300", "shared_buffers=64MB", "hot_standby=on"];
        command.args(settings.iter().flat_map(|setting| ["-c", setting]));
        self.process = Some(Process::start(&mut command).expect("PostgreSQL starts"));
        wait_until("PostgreSQL", SOON, || self.psql("postgres", "SELECT 1").is_some());
    }

    /// Stops it.
    pub fn stop(&mut self, how: Stop) {
        let Some(mut process) = self.process.take() else { return };
        match how {
            Stop::Fast => process.signal(Signal::SIGINT),
            Stop::Immediate => process.signal(Signal::SIGQUIT),
            Stop::Kill => {
                // Its children have no way to end in good order, and nobody sees half of them dead.
                let children = children(process.id());
                process.signal(Signal::SIGSTOP);
                for child in children {
                    // It may be gone already.
                    let _ = kill(child, Signal::SIGKILL);
                }
                process.signal(Signal::SIGKILL);
            }
        }
        process.wait(SOON);
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL as a program other than ours would.
    pub fn sql(&self, database: &str, text: &str) -> String {
        self.psql(database, text).unwrap_or_else(|| panic!("{text}: refused"))
    }

    fn psql(&self, database: &str, text: &str) -> Option<String> {
        let mut command = Command::new(self.bin.join("psql"));
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        command.args(["-p", &self.port.to_string(), "-d", database, "-c", text]).stdin(Stdio::null());
        let output = command.output().expect("psql starts");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// What it has said.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::output).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            process.signal(Signal::SIGQUIT);
            // It has ended, or is killed when it is dropped.
            for _ in 0..500 {
                if !process.is_running() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// PgBouncer in transaction mode: each transaction has another server connection.
pub struct Pooler {
    process: Process,
    _folder: tempfile::TempDir,
    port: u16,
}

impl Pooler {
    /// Before this server.
    pub fn start(server: &Server) -> Self {
        let folder = tempfile::Builder::new().prefix("windlass-pooler-").tempdir().expect("a temporary folder");
        let port = free_port();
        let settings = format!(
            "[databases]\nwindlass = user=postgres host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\nmax_client_conn = 500\ndefault_pool_size = 8\n\
             server_round_robin = 1\nquery_wait_timeout = 10\nserver_login_retry = 1\n",
            server.port
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).expect("its own folder");
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("its own");
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| Path::new(path).is_file());
        let mut command = as_user(Path::new(program.unwrap_or("pgbouncer")), folder.path());
        let mut process = Process::start(command.arg(file)).expect("PgBouncer starts");
        process.wait_for_line("process up", SOON);
        Self { process, _folder: folder, port }
    }

    /// The database's URL through it.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/windlass", self.port)
    }

    /// What it has said.
    pub fn log(&self) -> String {
        self.process.output()
    }
}

fn user() -> Option<User> {
    // PostgreSQL and PgBouncer refuse to run as root.
    let named = |name| User::from_name(name).ok().flatten();
    Uid::effective().is_root().then(|| named("postgres").or_else(|| named("nobody")).expect("a user without rights"))
}

fn as_user(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some(user) = user() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command.current_dir(folder).env("HOME", folder).stdin(Stdio::null());
    command
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The processes whose parent this is.
fn children(parent: u32) -> Vec<Pid> {
    let file = format!("/proc/{parent}/task/{parent}/children");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().filter_map(|id| id.parse().ok()).map(Pid::from_raw).collect()
}
