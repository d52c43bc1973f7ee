//! The program `pdns_server`: what it needs, how it is started and how it ends, even if this process is killed.

use std::{
    fs, io,
    net::{TcpListener, UdpSocket},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::super::{NAME_SERVERS, write};

/// Where Debian puts the schema of PowerDNS' own database.
const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";
/// Where programs are that only root has in its path.
const FOLDERS: [&str; 5] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin"];
/// The port that it answers DNS at, if nobody else has it.
const PORT: u16 = 5300;
/// How long it may take to end.
const END: Duration = Duration::from_secs(5);

/// The path of a program.
fn program(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

/// Debian packages that have to be installed.
pub fn missing() -> Vec<&'static str> {
    let needed = [
        (program("pdns_server").is_some(), "pdns-server"),
        (Path::new(SCHEMA).is_file(), "pdns-backend-sqlite3"),
        (program("sqlite3").is_some(), "sqlite3"),
    ];
    needed.iter().filter_map(|(is_there, package)| (!is_there).then_some(*package)).collect()
}

/// Makes its database and its key, if they aren't there.
pub fn prepared(folder: &Path) -> io::Result<String> {
    let database = folder.join("pdns.sqlite3");
    if !database.exists() {
        // It appears whole or not at all.
        let draft = folder.join("pdns.sqlite3.new");
        let _ = fs::remove_file(&draft);
        let sqlite = program("sqlite3").unwrap_or_else(|| "sqlite3".into());
        let made = Command::new(sqlite).arg(&draft).stdin(fs::File::open(SCHEMA)?).stdout(Stdio::null()).output()?;
        if !made.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).trim().to_owned()));
        }
        fs::rename(&draft, &database)?;
    }
    let key_file = folder.join("api.key");
    match fs::read_to_string(&key_file) {
        Ok(key) if !key.trim().is_empty() => Ok(key.trim().to_owned()),
        _ => {
            let key = hex::encode(rand::random::<[u8; 16]>());
            write(&key_file, &key)?;
            Ok(key)
        }
    }
}

/// Free ports for DNS and for the API.
pub fn ports(attempt: u32) -> io::Result<(u16, u16)> {
    let free = |port: u16| -> io::Result<(TcpListener, UdpSocket)> {
        let tcp = TcpListener::bind(("127.0.0.1", port))?;
        let udp = UdpSocket::bind(tcp.local_addr()?)?;
        Ok((tcp, udp))
    };
    let usual = if attempt == 1 { free(PORT) } else { free(0) };
    let dns = usual.or_else(|_| free(0)).or_else(|_| free(0))?;
    let api = TcpListener::bind(("127.0.0.1", 0))?;
    Ok((dns.0.local_addr()?.port(), api.local_addr()?.port()))
}

/// Starts the program. The kernel ends it when this process is killed; a group of its own keeps a Ctrl-C from it, as runs that
/// are ending still need it.
pub fn spawned(folder: &Path, key: &str, dns: u16, api: u16) -> io::Result<Child> {
    let place = folder.display();
    let config = format!(
        "launch=gsqlite3\ngsqlite3-database={place}/pdns.sqlite3\ngsqlite3-dnssec=yes\nlocal-address=127.0.0.1\n\
         local-port={dns}\nsocket-dir={place}\ndaemon=no\nguardian=no\nwrite-pid=no\napi=yes\napi-key={key}\nwebserver=yes\n\
         webserver-address=127.0.0.1\nwebserver-port={api}\nwebserver-allow-from=127.0.0.1/32\n\
         default-soa-content={} hostmaster.@ 0 10800 3600 604800 300\nsecurity-poll-suffix=\n\
         zone-cache-refresh-interval=0\ncache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\n\
         allow-axfr-ips=127.0.0.1/32\ndnsupdate=yes\nallow-dnsupdate-from=\n",
        NAME_SERVERS[0]
    );
    write(&folder.join("pdns.conf"), &config)?;
    let server = program("pdns_server").unwrap_or_else(|| "pdns_server".into());
    let mut command = match program("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "TERM", "--"]).arg(server);
            command
        }
        None => Command::new(server),
    };
    write(&folder.join("pdns.log"), "")?;
    let log = fs::OpenOptions::new().append(true).open(folder.join("pdns.log"))?;
    command.arg(config_argument(folder)).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    let child = command.spawn()?;
    write(&pid_file(folder), &child.id().to_string())?;
    Ok(child)
}

fn config_argument(folder: &Path) -> String {
    format!("--config-dir={}", folder.display())
}

fn pid_file(folder: &Path) -> PathBuf {
    folder.join("pdns.pid")
}

/// Ends it, and waits until it has ended.
pub fn end(child: &mut Child, folder: &Path) {
    stop(child);
    let _ = fs::remove_file(pid_file(folder));
}

fn stop(child: &mut Child) {
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let started = Instant::now();
    while started.elapsed() < END {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Ends the one that a killed server has left behind. By now its number may be somebody else's: only a PowerDNS with this very
/// folder is ended.
pub fn end_left_over(folder: &Path) {
    let Some(pid) = fs::read_to_string(pid_file(folder)).ok().and_then(|text| text.trim().parse::<i32>().ok()) else {
        return;
    };
    let started = Instant::now();
    while is_ours(pid, folder) && started.elapsed() < 2 * END {
        let signal = if started.elapsed() < END { Signal::SIGTERM } else { Signal::SIGKILL };
        let _ = kill(Pid::from_raw(pid), signal);
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = fs::remove_file(pid_file(folder));
}

fn is_ours(pid: i32, folder: &Path) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    let is_server = words.first().is_some_and(|name| name.ends_with(b"pdns_server"));
    is_server && words.iter().any(|word| *word == config_argument(folder).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_with_this_folder_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let ours = |name: &str, of: &Path| {
            let script = folder.path().join(name);
            fs::copy("/bin/sleep", &script).unwrap();
            // `sleep` takes no such option: a shell that waits carries it as its name's argument instead.
            Command::new("/bin/sh").arg0(&script).args(["-c", "sleep 30; :", &config_argument(of)]).spawn().unwrap()
        };
        let mut other_folder = ours("pdns_server", Path::new("/somewhere/else"));
        let mut other_program = ours("postgres", folder.path());
        let mut left_over = ours("pdns_server", folder.path());
        for (child, ended) in [(&mut other_folder, false), (&mut other_program, false), (&mut left_over, true)] {
            write(&pid_file(folder.path()), &child.id().to_string()).unwrap();
            assert_eq!(is_ours(i32::try_from(child.id()).unwrap(), folder.path()), ended);
            if !ended {
                end_left_over(folder.path());
                assert!(child.try_wait().unwrap().is_none());
            }
            assert_eq!(pid_file(folder.path()).exists(), ended);
            child.kill().unwrap();
            child.wait().unwrap();
        }
        end_left_over(folder.path());
        assert!(!pid_file(folder.path()).exists());
    }

    #[test]
    fn a_port_that_is_taken_isnt_chosen() {
        let taken = TcpListener::bind(("127.0.0.1", PORT));
        let (dns, api) = ports(1).unwrap();
        assert!(taken.is_err() || dns != PORT);
        assert_ne!(dns, api);
    }
}
