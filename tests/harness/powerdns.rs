//! A real PowerDNS on loopback, in a temporary folder, for as long as its value lives; and `dig` and `delv` to look at it.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    process::{Process, free_port, wait_until},
    skip::{has_program, skip},
    warden::Watched,
};

/// Where Debian puts the schema of PowerDNS' own database.
const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/// The key of its HTTP API.
pub const KEY: &str = "key-of-a-test";

/// One server with an API. Several may run side by side.
pub struct PowerDns {
    process: Option<Process>,
    _watched: Watched,
    folder: TempDir,
    dns: u16,
    api: u16,
}

impl PowerDns {
    /// A server without zones; `None`, said out loud, where its programs aren't installed.
    pub fn start() -> Option<Self> {
        let missing = ["pdns_server", "sqlite3", "dig", "delv"].into_iter().find(|program| !has_program(program));
        if let Some(program) = missing {
            skip(&format!("no `{program}` (Debian: pdns-server, pdns-backend-sqlite3, sqlite3, bind9-dnsutils)"));
            return None;
        }
        if !fs::exists(SCHEMA).unwrap_or(false) {
            skip(&format!("no {SCHEMA} (Debian: pdns-backend-sqlite3)"));
            return None;
        }
        let folder = tempfile::Builder::new().prefix("windlass-pdns-").tempdir().expect("a temporary folder");
        let database = folder.path().join("pdns.sqlite3");
        let schema = fs::File::open(SCHEMA).expect("the schema can be read");
        let made = Command::new("sqlite3").arg(&database).stdin(schema).status().expect("sqlite3 starts");
        assert!(made.success(), "the schema of PowerDNS can't be loaded");
        fs::write(folder.path().join("api.key"), KEY).expect("the folder can be written");
        let mut server =
            Self { process: None, _watched: Watched::new(folder.path()), folder, dns: free_port(), api: free_port() };
        // Somebody else may take a port in the moment between.
        for is_last in [false, false, true] {
            match server.begin() {
                Err(log) if !is_last && log.contains("Unable to bind") => {
                    (server.dns, server.api) = (free_port(), free_port())
                }
                begun => {
                    begun.unwrap_or_else(|log| panic!("PowerDNS ended: {log}"));
                    break;
                }
            }
        }
        Some(server)
    }

    /// Starts it again where it was stopped, with the zones that it had.
    pub fn resume(&mut self) {
        self.begin().unwrap_or_else(|log| panic!("PowerDNS ended: {log}"));
    }

    /// Starts it; what it has said, if it ends.
    fn begin(&mut self) -> Result<(), String> {
        let folder = self.folder.path().display();
        let (dns, api) = (self.dns, self.api);
        let text = format!(
            "launch=gsqlite3\ngsqlite3-database={folder}/pdns.sqlite3\ngsqlite3-dnssec=yes\nlocal-address=127.0.0.1\n\
             local-port={dns}\nsocket-dir={folder}\ndaemon=no\nguardian=no\napi=yes\napi-key={KEY}\nwebserver=yes\n\
             webserver-address=127.0.0.1\nwebserver-port={api}\nwebserver-allow-from=127.0.0.1/32\n\
             default-soa-content=ns1.pool.test. hostmaster.@ 0 10800 3600 604800 300\nsecurity-poll-suffix=\n\
             zone-cache-refresh-interval=0\ncache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\n\
             allow-axfr-ips=127.0.0.1/32\n"
        );
        fs::write(self.folder.path().join("pdns.conf"), text).expect("the folder can be written");
        let mut command = Command::new("pdns_server");
        command.arg(format!("--config-dir={folder}")).env("PATH", path_of_root());
        self.process = Some(Process::start(&mut command).expect("pdns_server starts"));
        let mut runs = true;
        wait_until("PowerDNS", Duration::from_secs(60), || {
            runs = self.process.as_mut().is_some_and(Process::is_running);
            !runs || self.try_api("GET", "/zones", Value::Null).is_some_and(|(status, _)| status == 200)
        });
        if runs { Ok(()) } else { Err(self.log()) }
    }

    /// Stops it; its zones stay.
    pub fn stop(&mut self) {
        if let Some(process) = &mut self.process {
            process.terminate(Duration::from_secs(60));
        }
        self.process = None;
    }

    /// What it has written.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::output).unwrap_or_default()
    }

    /// The base of its API, as Windlass' configuration names it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api)
    }

    /// Where it answers DNS: `127.0.0.1:5300`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.dns)
    }

    /// A file that holds the key of its API.
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("api.key")
    }

    /// What `[hosts.dns.servers.<name>]` says of it, with writes one after the other.
    pub fn settings(&self, nameservers: &[&str]) -> Value {
        json!({
            "url": self.url(), "api_key": format!("file:{}", self.key_file().display()),
            "nameservers": nameservers, "axfr": self.address(),
        })
    }

    /// Asks its API without Windlass: status and answer. The path begins below the server: `/zones`.
    pub fn api(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.try_api(method, path, body).expect("PowerDNS answers")
    }

    fn try_api(&self, method: &str, path: &str, body: Value) -> Option<(u16, Value)> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client =
            reqwest::blocking::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().expect("a client");
        let url = format!("{}/api/v1/servers/localhost{path}", self.url());
        let mut request = client.request(method.parse().expect("a method"), url);
        request = request.header("X-API-Key", KEY).header("Accept", "application/json");
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let answer = request.send().ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Makes a signed zone the way an administrator would, without any mark of ours. Names end with a dot.
    pub fn make_zone(&self, name: &str, nameservers: &[&str]) {
        let body = json!({
            "name": name, "kind": "Native", "nameservers": nameservers,
            "dnssec": true, "api_rectify": true, "soa_edit_api": "DEFAULT",
        });
        let (status, answer) = self.api("POST", "/zones", body);
        assert_eq!(status, 201, "{answer}");
    }

    /// Puts an rrset there without any mark of ours.
    pub fn put(&self, zone: &str, name: &str, kind: &str, ttl: u32, contents: &[&str]) {
        let records: Vec<Value> =
            contents.iter().map(|content| json!({ "content": content, "disabled": false })).collect();
        let rrset = json!({ "name": name, "type": kind, "changetype": "REPLACE", "ttl": ttl, "records": records });
        let (status, answer) = self.api("PATCH", &format!("/zones/{zone}"), json!({ "rrsets": [rrset] }));
        assert_eq!(status, 204, "{answer}");
    }

    /// What an rrset holds by the API; empty if there is none.
    pub fn records(&self, zone: &str, name: &str, kind: &str) -> Vec<String> {
        let (status, answer) =
            self.api("GET", &format!("/zones/{zone}?rrset_name={name}&rrset_type={kind}"), Value::Null);
        if status != 200 {
            return Vec::new();
        }
        // Asked for one, it shows comments of others too, each beside an empty rrset.
        let found = answer["rrsets"].as_array().into_iter().flatten();
        let records = found.filter(|rrset| rrset["name"] == name && rrset["type"] == kind);
        let records =
            records.flat_map(|rrset| rrset["records"].as_array().cloned().unwrap_or_default()).collect::<Vec<_>>();
        records.iter().filter_map(|record| record["content"].as_str().map(str::to_owned)).collect()
    }

    /// `dig +short` on this server, line by line.
    pub fn dig(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.run("dig", &[&["+short", "+tries=1", "+time=3"], arguments].concat());
        output.lines().map(str::to_owned).collect()
    }

    /// What `delv` says of a name, with the keys of `anchor` as the only ones that are trusted.
    pub fn delv(&self, anchor: &str, name: &str, kind: &str) -> String {
        let (status, keys) = self.api("GET", &format!("/zones/{anchor}/cryptokeys"), Value::Null);
        assert_eq!(status, 200, "{keys}");
        let key = keys[0]["dnskey"].as_str().expect("the zone has a key");
        let mut parts = key.splitn(4, ' ');
        let mut part = || parts.next().expect("a DNSKEY has four parts");
        let text =
            format!("trust-anchors {{ \"{anchor}\" static-key {} {} {} \"{}\"; }};\n", part(), part(), part(), part());
        let file = self.folder.path().join(format!("anchor-{}", anchor.trim_end_matches('.')));
        fs::write(&file, text).expect("the folder can be written");
        let (file, root) = (file.display().to_string(), format!("+root={anchor}"));
        self.run("delv", &["-a", &file, &root, name, kind])
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program)
            .args(["@127.0.0.1", "-p", &self.dns.to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{program} can't be started: {error}"));
        String::from_utf8_lossy(&output.stdout).into_owned() + &*String::from_utf8_lossy(&output.stderr)
    }
}

impl Drop for PowerDns {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Debian puts servers where only root looks.
fn path_of_root() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}
