//! A real PowerDNS on loopback for as long as its value lives. Its zones stay in the data folder.

mod program;

use std::{
    io,
    path::{Path, PathBuf},
    process::Child,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{CUSTOMERS, NAME_SERVERS, POOL};

/// How long it may take to start.
const START: Duration = Duration::from_secs(10);
/// How often ports are looked for: somebody else may take one in between.
const ATTEMPTS: u32 = 3;

/// The server, its folder and its ports.
pub struct PowerDns {
    folder: PathBuf,
    dns: u16,
    child: Child,
    api: Arc<Api>,
}

/// Its API.
pub struct Api {
    port: u16,
    key: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

fn said(what: &str) -> impl Fn(io::Error) -> String {
    move |error| format!("no PowerDNS: {what}: {error}")
}

impl PowerDns {
    /// Starts it with its zones; in words why that can't be.
    pub fn start(folder: &Path) -> Result<Self, String> {
        let missing = program::missing();
        if !missing.is_empty() {
            return Err(format!("for a Sovereign there is no PowerDNS: sudo apt-get install -y {}", missing.join(" ")));
        }
        program::end_left_over(folder);
        let key = program::prepared(folder).map_err(said("its folder can't be prepared"))?;
        let mut attempt = 1;
        loop {
            let (dns, port) = program::ports(attempt).map_err(said("no free port"))?;
            let api = Api::new(port, &key).map_err(|why| format!("no PowerDNS: no HTTP client: {why}"))?;
            let child = program::spawned(folder, &key, dns, port).map_err(said("it can't be started"))?;
            let mut server = Self { folder: folder.to_owned(), dns, child, api: Arc::new(api) };
            match server.answers() {
                Ok(()) => {
                    let made = server.make_zones();
                    return made.map_err(|why| format!("no PowerDNS: its zones can't be made: {why}")).map(|()| server);
                }
                Err(why) if attempt == ATTEMPTS => {
                    return Err(format!("no PowerDNS: {why}; see {}", folder.join("pdns.log").display()));
                }
                Err(_) => attempt += 1,
            }
        }
    }

    /// Waits until its API answers to our key: what answers is then what we have started.
    fn answers(&mut self) -> Result<(), String> {
        let started = Instant::now();
        loop {
            if let Ok((200, _)) = self.api.ask("GET", "/zones", &Value::Null) {
                return Ok(());
            }
            match self.child.try_wait() {
                Ok(None) if started.elapsed() < START => std::thread::sleep(Duration::from_millis(20)),
                Ok(None) => return Err(format!("it doesn't answer after {} s", START.as_secs())),
                Ok(Some(status)) => return Err(format!("it ended at its start ({status})")),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// The port that it answers DNS at.
    pub fn dns_port(&self) -> u16 {
        self.dns
    }

    /// Where its API is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api.port)
    }

    /// Its API.
    pub fn api(&self) -> Arc<Api> {
        self.api.clone()
    }

    /// A file with the API's key.
    pub fn key_file(&self) -> PathBuf {
        self.folder.join("api.key")
    }

    /// The pool's domain and the one that customers' domains are of, both signed: as parents are.
    fn make_zones(&self) -> Result<(), String> {
        let servers = NAME_SERVERS.map(|name| format!("{name}."));
        for zone in [POOL, CUSTOMERS] {
            let path = format!("/zones/{zone}.");
            if self.api.ask("GET", &format!("{path}?rrsets=false"), &Value::Null)?.0 == 200 {
                continue;
            }
            let body = json!({
                "name": format!("{zone}."), "kind": "Native", "nameservers": servers, "dnssec": true, "api_rectify": true,
                "soa_edit_api": "DEFAULT",
            });
            self.api.demand("POST", "/zones", &body)?;
        }
        let addresses = servers.map(|name| {
            let record = json!({ "content": "127.0.0.1", "disabled": false });
            json!({ "name": name, "type": "A", "ttl": 300, "changetype": "REPLACE", "records": [record] })
        });
        self.api.demand("PATCH", &format!("/zones/{POOL}."), &json!({ "rrsets": addresses }))?;
        // Whoever plays a customer changes name servers there as a registrar would: by a dynamic update.
        let updates = json!({ "kind": "ALLOW-DNSUPDATE-FROM", "metadata": ["127.0.0.0/8"] });
        self.api.demand("PUT", &format!("/zones/{CUSTOMERS}./metadata/ALLOW-DNSUPDATE-FROM"), &updates)
    }
}

impl Api {
    fn new(port: u16, key: &str) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build();
        Ok(Self {
            port,
            key: key.to_owned(),
            client: client.map_err(|error| error.to_string())?,
            runtime: runtime.map_err(|error| error.to_string())?,
        })
    }

    /// Asks, and fails unless it is well.
    pub fn demand(&self, method: &str, path: &str, body: &Value) -> Result<(), String> {
        match self.ask(method, path, body)? {
            (200..=299, _) => Ok(()),
            (status, answer) => Err(format!("{method} {path}: {status} {answer}")),
        }
    }

    /// Asks: status and answer. The path begins below the server: `/zones`.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value), String> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let url = format!("http://127.0.0.1:{}/api/v1/servers/localhost{path}", self.port);
        let mut request = self.client.request(method, url).header("X-API-Key", &self.key);
        if !body.is_null() {
            request = request.json(body);
        }
        let asked = async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            let text = answer.text().await?;
            Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
        };
        self.runtime.block_on(asked).map_err(|error: reqwest::Error| error.to_string())
    }
}

impl Drop for PowerDns {
    fn drop(&mut self) {
        program::end(&mut self.child, &self.folder);
    }
}
