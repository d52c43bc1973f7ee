//! A real mail server on loopback, in a temporary folder, for as long as its value lives; and what it has taken.

use std::{env, fs, path::PathBuf, process::Command, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    process::Process,
    skip::{has_program, skip},
};

/// Who may log in at a server that asks for that.
pub const USER: &str = "windlass";
/// With this password.
pub const PASSWORD: &str = "correct-horse-7";

/// One server. Several may run side by side.
pub struct MailServer {
    folder: TempDir,
    mode: &'static str,
    authenticated: bool,
    port: u16,
    _process: Process,
}

impl MailServer {
    /// A server that is spoken with readably (`none`), or encrypted (`starttls`, `tls`) after a log-in. `None`, said out
    /// loud, where its programs aren't installed.
    pub fn start(mode: &'static str) -> Option<Self> {
        let test = env::current_exe().expect("this test has a file");
        // target/<profile>/deps/<test>: the folder of tools stands beside the profile.
        let tools = test.ancestors().nth(3).expect("cargo puts tests into target/<profile>/deps").join("tools/smtp");
        let python = tools.join("bin/python");
        if !python.is_file() || !tools.join("requirements.txt").is_file() {
            skip(&format!("no mail server at {} (`make setup` makes it)", python.display()));
            return None;
        }
        if !has_program("openssl") {
            skip("openssl isn't installed");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("windlass-mail-").tempdir().expect("a temporary folder");
        let authenticated = mode != "none";
        let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tools/smtp/server.py");
        let mut command = Command::new(python);
        command.arg("-B").arg(program).args(["--mode", mode]).arg("--out").arg(folder.path().join("taken"));
        if authenticated {
            make_certificates(&folder);
            command
                .arg("--cert")
                .arg(folder.path().join("server.pem"))
                .arg("--key")
                .arg(folder.path().join("server.key"));
            command.args(["--user", USER, "--password", PASSWORD]);
            fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).expect("the folder can be written");
        }
        let mut process = Process::start(&mut command).expect("python starts");
        let line = process.wait_for_line("listening ", Duration::from_secs(60));
        let port = line.trim_start_matches("listening ").trim().parse().expect("a port");
        Some(Self { folder, mode, authenticated, port, _process: process })
    }

    /// The authority that its certificate is of.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `[hosts.notify.email]` for it.
    pub fn settings(&self) -> Value {
        let mut settings = json!({
            "host": "localhost", "port": self.port, "tls": self.mode, "from": "Windlass <windlass@platform.test>",
        });
        if self.authenticated {
            settings["ca_file"] = json!(self.ca_file());
            settings["user"] = json!(USER);
            settings["password"] = json!(format!("file:{}", self.folder.path().join("password").display()));
        }
        settings
    }

    /// The messages that it has taken, as Python's own library reads them: `from`, `to`, `headers` and `parts` (pairs),
    /// `encrypted`, `user`, `raw`.
    pub fn taken(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("taken")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }
}

/// An authority, and a certificate of it for loopback.
fn make_certificates(folder: &TempDir) {
    let run = |line: &str| {
        let made = Command::new("openssl").args(line.split(' ')).current_dir(folder.path()).output();
        let made = made.expect("openssl starts");
        assert!(made.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&made.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    run(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority-of-a-test"));
    run(&format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    fs::write(folder.path().join("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
        .expect("the folder can be written");
    run("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem");
}
