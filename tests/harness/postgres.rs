//! A PostgreSQL server for this test process: on loopback, in a temporary folder, with fsync on, as a user without
//! rights. It ends with the process, however that ends: it is stopped when the pipe to its shell closes.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use nix::unistd::{Uid, User, chown};

use crate::process::{free_port, wait_until};

/// A server that is shared by all tests of this process.
pub struct Postgres {
    bin: PathBuf,
    port: u16,
    /// Its standard input keeps the server alive.
    _shell: Child,
}

static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Waits for the end of this process, then stops the server by its pid and removes its folder.
const SHELL: &str = r#""$0" -D "$1/data" -k "$1" -p "$2" -c listen_addresses=127.0.0.1 -c fsync=on \
    -c max_connections=300 -c shared_buffers=64MB >"$1/log" 2>&1 & server=$!; \
    cat >/dev/null; kill -QUIT $server; wait $server; rm -rf "$1""#;

/// The URL of a new, empty database; `None` if no PostgreSQL is installed.
pub fn database() -> Option<String> {
    let server = SERVER.get_or_init(|| binaries().map(start)).as_ref()?;
    let name = format!("t{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    server.sql("postgres", &format!("CREATE DATABASE {name}"));
    Some(format!("postgres://postgres@127.0.0.1:{}/{name}", server.port))
}

/// Runs SQL on the database of `url`, as a program other than ours would.
pub fn sql(url: &str, text: &str) -> String {
    let server = SERVER.get().and_then(Option::as_ref).expect("the database was made by this server");
    server.sql(url.rsplit('/').next().unwrap_or_default(), text)
}

/// The same; whether the database took it.
pub fn takes(url: &str, text: &str) -> bool {
    let server = SERVER.get().and_then(Option::as_ref).expect("the database was made by this server");
    let database = url.rsplit('/').next().unwrap_or_default();
    server.psql(database).args(["-c", text]).output().expect("psql starts").status.success()
}

impl Postgres {
    fn psql(&self, database: &str) -> Command {
        let mut command = Command::new(self.bin.join("psql"));
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        command.args(["-p", &self.port.to_string(), "-d", database]).stdin(Stdio::null());
        command
    }

    fn sql(&self, database: &str, text: &str) -> String {
        let output = self.psql(database).args(["-c", text]).output().expect("psql starts");
        assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// The newest version that Debian has put there.
pub fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut folders: Vec<PathBuf> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
    folders.retain(|folder| folder.join("initdb").is_file());
    folders.sort();
    folders.pop()
}

fn start(bin: PathBuf) -> Postgres {
    let folder = tempfile::Builder::new().prefix("windlass-postgres-").tempdir().expect("a temporary folder").keep();
    // PostgreSQL refuses to run as root.
    let user = Uid::effective().is_root().then(|| {
        let named = |name| User::from_name(name).ok().flatten();
        named("postgres").or_else(|| named("nobody")).expect("there is a user without rights")
    });
    if let Some(user) = &user {
        chown(&folder, Some(user.uid), Some(user.gid)).expect("root may give the folder away");
    }
    let as_user = |program: &Path| {
        let mut command = Command::new(program);
        if let Some(user) = &user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command.current_dir(&folder).env("HOME", &folder);
        command
    };
    let output = as_user(&bin.join("initdb"))
        .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D"])
        .arg(folder.join("data"))
        .stdin(Stdio::null())
        .output()
        .expect("initdb starts");
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    let port = free_port();
    let shell = as_user(Path::new("/bin/sh"))
        .arg("-c")
        .arg(SHELL)
        .arg(bin.join("postgres"))
        .arg(&folder)
        .arg(port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh starts");
    let server = Postgres { bin, port, _shell: shell };
    wait_until("PostgreSQL", Duration::from_secs(60), || {
        server.psql("postgres").args(["-c", "SELECT 1"]).output().is_ok_and(|output| output.status.success())
    });
    server
}
