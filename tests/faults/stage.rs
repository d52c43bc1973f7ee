//! Where it happens: a hub namespace with a bridge, PostgreSQL and the witness, and a namespace for each node behind a
//! link that can be cut. Disks are small file systems in memory that can be filled.

use std::{
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    unistd::{User, chown},
};

use crate::{Process, postgres, wait_until};

/// Addresses of this network; it is in a namespace of its own.
const HUB: &str = "10.231.0.1";
const WITNESS_PORT: u16 = 7999;
const POSTGRES_PORT: u16 = 5432;
/// Large enough for all that a run writes.
const DISK_MB: u64 = 400;

/// The hub.
pub struct Stage {
    /// A small disk: the database and the nodes' data folders.
    pub disk: PathBuf,
    folder: tempfile::TempDir,
    names: Vec<String>,
    witness: Process,
    database: Option<Database>,
}

/// PostgreSQL, which can be stopped and started.
struct Database {
    bin: PathBuf,
    process: Option<Process>,
}

impl Stage {
    /// Makes it, for so many nodes. With one there is no PostgreSQL.
    pub fn new(nodes: usize) -> Self {
        let folder = tempfile::Builder::new().prefix("windlass-soak-").tempdir().expect("a temporary folder");
        let disk = folder.path().join("disk");
        std::fs::create_dir(&disk).expect("a folder");
        let size = format!("size={DISK_MB}m,mode=0755");
        mount(Some("windlass"), &disk, Some("tmpfs"), MsFlags::empty(), Some(size.as_str())).expect("a disk in memory");
        ip("link set lo up");
        ip("link add hub0 type bridge");
        ip(&format!("addr add {HUB}/24 dev hub0"));
        ip("link set hub0 up");
        let names: Vec<String> = (0..nodes).map(|node| format!("soak-{}-{node}", std::process::id())).collect();
        for (node, name) in names.iter().enumerate() {
            ip(&format!("netns add {name}"));
            ip(&format!("link add v{node} type veth peer name eth0 netns {name}"));
            ip(&format!("link set v{node} master hub0 up"));
            ip(&format!("-n {name} link set lo up"));
            ip(&format!("-n {name} addr add 10.231.0.{}/24 dev eth0", node + 10));
            ip(&format!("-n {name} link set eth0 up"));
            // A lease here is a twentieth of what it is by default: so is the time for which a stack keeps packets for a
            // neighbour that doesn't answer (3 s by default), and sends them late.
            for (setting, value) in [("retrans_time_ms", 50), ("mcast_solicit", 2), ("ucast_solicit", 2)] {
                ip_exec(name, &format!("echo {value} > /proc/sys/net/ipv4/neigh/eth0/{setting}"));
            }
        }
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["witness", &format!("{HUB}:{WITNESS_PORT}")]).env("WINDLASS_SOAK_WITNESS", "1");
        let witness = Process::start(&mut command).expect("the witness starts");
        let mut stage = Self { disk, folder, names, witness, database: None };
        wait_until("the witness", Duration::from_secs(60), || std::net::TcpStream::connect(stage.witness()).is_ok());
        if nodes > 1 {
            stage.database = Some(stage.make_database());
            stage.start_database();
        }
        stage
    }

    /// Where the witness is.
    pub fn witness(&self) -> SocketAddr {
        format!("{HUB}:{WITNESS_PORT}").parse().expect("an address")
    }

    /// A node's address.
    pub fn address(&self, node: usize) -> SocketAddr {
        format!("10.231.0.{}:7070", node + 10).parse().expect("an address")
    }

    /// A folder that isn't on the small disk.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database's URL; empty: each node has its own file.
    pub fn url(&self) -> String {
        match &self.database {
            Some(_) => format!("postgres://postgres@{HUB}:{POSTGRES_PORT}/windlass"),
            None => String::new(),
        }
    }

    /// A command in a node's namespace.
    pub fn command(&self, node: usize, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[node]]).arg(program);
        command
    }

    /// Cuts a node off, or joins it again.
    pub fn link(&self, node: usize, up: bool) {
        ip(&format!("link set v{node} {}", if up { "up" } else { "down" }));
    }

    fn ballast(&self) -> PathBuf {
        self.disk.join("ballast")
    }

    /// Whether all room on the small disk is taken.
    pub fn is_full(&self) -> bool {
        self.ballast().exists()
    }

    /// Takes all room on the small disk, or gives it back.
    pub fn fill(&self, full: bool) {
        let ballast = self.ballast();
        if !full {
            let _ = std::fs::remove_file(ballast);
            return;
        }
        if let Ok(mut file) = std::fs::File::create(ballast) {
            // Until it refuses.
            let block = vec![0_u8; 1 << 20];
            while std::io::Write::write_all(&mut file, &block).is_ok() {}
        }
    }

    fn make_database(&self) -> Database {
        let bin = postgres::binaries().expect("PostgreSQL is installed");
        let data = self.disk.join("pg");
        std::fs::create_dir(&data).expect("a folder");
        let user = postgres_user();
        chown(&data, Some(user.uid), Some(user.gid)).expect("root may give it away");
        // The way there, too.
        std::fs::set_permissions(self.folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("its own");
        let output = as_postgres(&bin.join("initdb"), &self.disk)
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "--wal-segsize=1", "-D"])
            .arg(&data)
            .output()
            .expect("initdb starts");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let rules = "local all all trust\nhost all all 10.231.0.0/24 trust\n";
        std::fs::write(data.join("pg_hba.conf"), rules).expect("its own folder");
        Database { bin, process: None }
    }

    /// Starts PostgreSQL, if there is one and it doesn't run.
    pub fn start_database(&mut self) {
        let (data, disk) = (self.disk.join("pg"), self.disk.clone());
        let Some(database) = &mut self.database else { return };
        if database.process.as_mut().is_some_and(Process::is_running) {
            return;
        }
        let _ = std::fs::remove_file(data.join("postmaster.pid"));
        let settings = [
            format!("listen_addresses={HUB}"),
            format!("port={POSTGRES_PORT}"),
            format!("unix_socket_directories={}", data.display()),
            "max_connections=200".to_owned(),
            "shared_buffers=32MB".to_owned(),
            "max_wal_size=32MB".to_owned(),
            "min_wal_size=8MB".to_owned(),
        ];
        let mut command = as_postgres(&database.bin.join("postgres"), &disk);
        command.arg("-D").arg(&data);
        command.args(settings.iter().flat_map(|setting| ["-c", setting]));
        database.process = Some(Process::start(&mut command).expect("PostgreSQL starts"));
        let ready = || {
            let mut psql = Command::new(database.bin.join("psql"));
            psql.args(["-h", HUB, "-U", "postgres", "-X", "-q", "-c", "SELECT 1", "-d", "postgres"]);
            psql.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            psql.status().is_ok_and(|status| status.success())
        };
        wait_until("PostgreSQL", Duration::from_secs(60), ready);
        let _ = Command::new(database.bin.join("psql"))
            .args(["-h", HUB, "-U", "postgres", "-X", "-q", "-d", "postgres", "-c", "CREATE DATABASE windlass"])
            .stderr(Stdio::null())
            .status();
    }

    /// Stops PostgreSQL at once, as a power failure would.
    pub fn crash_database(&mut self) {
        let Some(mut process) = self.database.as_mut().and_then(|database| database.process.take()) else { return };
        // Immediate shutdown: no checkpoint, connections are dropped.
        signal(process.id(), nix::sys::signal::Signal::SIGQUIT);
        process.wait(Duration::from_secs(60));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.crash_database();
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
        signal(self.witness.id(), nix::sys::signal::Signal::SIGKILL);
        let _ = umount2(&self.disk, MntFlags::MNT_DETACH);
    }
}

/// Sends a signal to a process of ours.
pub fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // It may be gone already.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
    }
}

fn postgres_user() -> User {
    let named = |name| User::from_name(name).ok().flatten();
    named("postgres").or_else(|| named("nobody")).expect("there is a user without rights")
}

fn as_postgres(program: &Path, folder: &Path) -> Command {
    let user = postgres_user();
    let mut command = Command::new(program);
    command.uid(user.uid.as_raw()).gid(user.gid.as_raw()).current_dir(folder).env("HOME", folder).stdin(Stdio::null());
    command
}

fn ip_exec(namespace: &str, shell: &str) {
    let status = Command::new("ip").args(["netns", "exec", namespace, "sh", "-c", shell]).status();
    assert!(status.is_ok_and(|status| status.success()), "`{shell}` in {namespace} failed");
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("ip starts");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
