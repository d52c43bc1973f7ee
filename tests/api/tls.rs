//! The real server with TLS, and curl to ask it: a client that isn't ours.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use windlass_tests::{ApiServer, Process, has_program, skip, wait_until};

/// A server with a certificate for 127.0.0.1.
pub struct Tls {
    pub server: ApiServer,
    cert: PathBuf,
    _folder: tempfile::TempDir,
}

/// What curl got.
pub struct Got {
    /// `http/2 200`.
    pub status: String,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn code(&self) -> u16 {
        self.status.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }
}

impl Tls {
    /// With further settings; `None`, after saying so, where openssl or curl is missing.
    pub fn start(workflows: &[(&str, &str)], settings: &str) -> Option<Self> {
        if !has_program("openssl") || !has_program("curl") {
            skip("openssl or curl isn't installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        certificate(&cert, &key);
        let settings = format!("[server]\ntls_cert = {cert:?}\ntls_key = {key:?}\n{settings}");
        let server = ApiServer::start_with(workflows, &[], &settings);
        Some(Self { server, cert, _folder: folder })
    }

    /// curl for a path, with these arguments.
    pub fn command(&self, path: &str, arguments: &[&str]) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--include", "--no-buffer", "--max-time", "60", "--cacert"]);
        curl.arg(&self.cert).args(arguments).arg(format!("{}{path}", self.server.url));
        curl
    }

    /// curl that goes on by itself; its output is collected.
    pub fn follow(&self, path: &str, arguments: &[&str]) -> Process {
        Process::start(&mut self.command(path, arguments)).unwrap()
    }

    /// Asks once.
    pub fn ask(&self, path: &str, arguments: &[&str]) -> Got {
        let output = self.command(path, arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default().to_lowercase();
        let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Got { status, headers: lines.filter_map(pair).collect(), body: body.to_owned() }
    }
}

/// Makes a certificate for 127.0.0.1, with its key.
fn certificate(cert: &Path, key: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=windlass", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
        .arg(key)
        .arg("-out")
        .arg(cert)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

#[test]
fn another_certificate_is_in_use_without_a_restart() {
    let Some(tls) = Tls::start(&[], "") else { return };
    assert_eq!(tls.ask("/livez", &[]).code(), 200);
    let key = tls.cert.with_file_name("key.pem");
    let kept = (std::fs::read(&tls.cert).unwrap(), std::fs::read(&key).unwrap());
    // A certificate whose key hasn't come yet changes nothing.
    let (other, others_key) = (tls.cert.with_file_name("other.pem"), tls.cert.with_file_name("other-key.pem"));
    certificate(&other, &others_key);
    let old = tls.cert.with_file_name("old.pem");
    std::fs::write(&old, &kept.0).unwrap();
    let trusting = |cert: &Path| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "60", "--cacert"]).arg(cert).arg(format!("{}/livez", tls.server.url));
        curl.output().unwrap().status.success()
    };
    std::fs::copy(&other, &tls.cert).unwrap();
    std::thread::sleep(Duration::from_millis(2_500));
    assert!(trusting(&old) && !trusting(&other));
    std::fs::copy(&others_key, &key).unwrap();
    wait_until("the new certificate to be in use", Duration::from_secs(60), || trusting(&other));
    assert!(!trusting(&old));
}
