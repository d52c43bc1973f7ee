//! What runs on a simulated machine: it reads what cloud-init would read, fetches its claim, joins its cluster and reports its
//! components, over the real calls. No package is installed; everything that goes over the wire is.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Faults, hetzner::Boot};

/// Where cloud-init puts a machine's claim.
pub const CLAIM_FILE: &str = "/etc/windlass/claim.json";
/// How often a call is tried, and how long it waits in between at most: a server may be started again meanwhile.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);
/// How long a machine waits for the one that it joins, at a pace of 1.
const JOIN_WAIT: Duration = Duration::from_secs(600);
/// Troubles that are remembered.
const TROUBLES: usize = 1_000;
/// Bytes of an answer, at most.
const ANSWER_BYTES: u64 = 1 << 20;

/// The machines of a provider. Clones are the same machines.
#[derive(Clone)]
pub struct Machines {
    pace: f64,
    faults: Faults,
    clusters: Arc<Clusters>,
    troubles: Arc<Mutex<Vec<String>>>,
}

#[derive(Default)]
struct Clusters {
    /// The cluster's token by the private address of each control plane that is up.
    servers: Mutex<HashMap<String, String>>,
    changed: Condvar,
}

/// What a machine is booted with.
#[derive(Deserialize)]
struct Claim {
    url: String,
    word: String,
}

/// What it fetches: the rest of the values is not for it.
#[derive(Deserialize)]
struct Fetched {
    values: BTreeMap<String, String>,
    report_word: String,
}

impl Machines {
    /// Machines that take `pace` of a real one's time. The fault `agent.NAME` makes the component of that name fail.
    pub fn new(pace: f64, faults: Faults) -> Self {
        Self { pace, faults, clusters: Arc::default(), troubles: Arc::default() }
    }

    /// Boots one in the background.
    pub fn boot(&self, boot: Boot) {
        let machines = self.clone();
        let name = boot.server["name"].as_str().unwrap_or("machine").to_owned();
        let run = move || {
            if let Err(error) = machines.live(&boot) {
                machines.note(format!("{name}: {error}"));
            }
        };
        // Without a thread it is a machine that hangs while it boots.
        let _ = std::thread::Builder::new().name("machine".into()).spawn(run);
    }

    /// What went wrong on machines, which nobody else hears of: one that can't fetch its claim can't report, either.
    pub fn troubles(&self) -> Vec<String> {
        self.troubles.lock().clone()
    }

    fn note(&self, trouble: String) {
        let mut troubles = self.troubles.lock();
        if troubles.len() < TROUBLES {
            troubles.push(trouble);
        }
    }

    fn live(&self, boot: &Boot) -> io::Result<()> {
        let Some(claim) = claim(&boot.user_data) else { return Ok(()) };
        let fetched = call(&claim.url, "fetch", &json!({ "word": claim.word, "machine": chosen() }))?;
        let fetched: Fetched = serde_json::from_value(fetched).map_err(io::Error::other)?;
        let value = |name: &str| fetched.values.get(name).cloned().unwrap_or_default();
        let (role, token, join) = (value("role"), value("k3s_token"), value("join"));
        let mut reports = Reports { url: claim.url, word: fetched.report_word, count: 0 };
        self.takes(2_000);
        if !join.is_empty() && !self.clusters.admit(&join, &token, self.scaled(JOIN_WAIT)) {
            let message = format!("no control plane at {join} takes this machine's token");
            return reports.send("k3s", "failed", &message, json!({}));
        }
        let address = boot.server["private_net"][0]["ip"].as_str().unwrap_or_default().to_owned();
        if role != "worker" {
            self.clusters.add(&address, &token);
        }
        if self.fails("k3s") {
            return reports.send("k3s", "failed", "the installer ended with 1", json!({}));
        }
        let returns = match role.as_str() {
            "first" => json!({ "kubeconfig": kubeconfig(&address, &token) }),
            _ => json!({}),
        };
        reports.send("k3s", "installed", &format!("{role} at {address}"), returns)?;
        if role != "first" {
            return Ok(());
        }
        for component in value("components").split_whitespace() {
            reports.send(component, "installing", "", json!({}))?;
            self.takes(1_500);
            if self.fails(component) {
                return reports.send(component, "failed", "the chart's hook ended with 1", json!({}));
            }
            reports.send(component, "installed", "", json!({}))?;
        }
        Ok(())
    }

    fn fails(&self, component: &str) -> bool {
        self.faults.take(&format!("agent.{component}")).fail.is_some()
    }

    fn scaled(&self, time: Duration) -> Duration {
        time.mul_f64(self.pace.max(0.001))
    }

    fn takes(&self, ms: u64) {
        std::thread::sleep(Duration::from_millis(ms).mul_f64(self.pace));
    }
}

impl Clusters {
    fn add(&self, address: &str, token: &str) {
        self.servers.lock().insert(address.to_owned(), token.to_owned());
        self.changed.notify_all();
    }

    /// Waits for a control plane at this address; whether it has this token.
    fn admit(&self, address: &str, token: &str, patience: Duration) -> bool {
        let until = std::time::Instant::now() + patience;
        let mut servers = self.servers.lock();
        loop {
            if let Some(known) = servers.get(address) {
                return known == token;
            }
            if self.changed.wait_until(&mut servers, until).timed_out() {
                return false;
            }
        }
    }
}

/// The claim in a machine's cloud-config, which is JSON behind its first line.
fn claim(user_data: &str) -> Option<Claim> {
    let config: Value = serde_json::from_str(user_data.strip_prefix("#cloud-config\n")?).ok()?;
    let files = config["write_files"].as_array()?;
    let file = files.iter().find(|file| file["path"] == CLAIM_FILE)?;
    serde_json::from_str(file["content"].as_str()?).ok()
}

/// A word that nobody else knows.
fn chosen() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    (0..4).map(|n| format!("{:016x}", RandomState::new().hash_one(n))).collect()
}

/// What an administrator of the cluster would use; the key is as long as a real one.
fn kubeconfig(address: &str, token: &str) -> String {
    let user = json!({ "name": "default", "user": { "token": format!("simulated-{token}") } });
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "default", "users": [user],
        "clusters": [{ "name": "default", "cluster": { "server": format!("https://{address}:6443") } }],
        "contexts": [{ "name": "default", "context": { "cluster": "default", "user": "default" } }],
    })
    .to_string()
}

struct Reports {
    url: String,
    word: String,
    count: u32,
}

impl Reports {
    fn send(&mut self, component: &str, state: &str, message: &str, returns: Value) -> io::Result<()> {
        self.count += 1;
        let report = json!({
            "word": self.word, "id": self.count.to_string(), "component": component, "state": state, "message": message,
            "returns": returns,
        });
        call(&self.url, "reports", &report).map(drop)
    }
}

/// A POST of JSON, tried again while nobody answers. A refusal is final.
fn call(url: &str, what: &str, body: &Value) -> io::Result<Value> {
    place(url)?;
    let mut wait = Duration::from_millis(100);
    let mut attempt = 1;
    loop {
        match post(url, what, body) {
            Ok((200..=299, answer)) => return serde_json::from_str(&answer).map_err(io::Error::other),
            Ok((status, answer)) if status < 500 || attempt >= ATTEMPTS => {
                return Err(io::Error::other(format!("{what} was answered with {status}: {answer}")));
            }
            Err(error) if attempt >= ATTEMPTS => return Err(error),
            _ => {}
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(PAUSE);
        attempt += 1;
    }
}

/// Where a claim is: what a machine is booted with may say anything, and it reaches nothing but the API of this machine.
fn place(url: &str) -> io::Result<(SocketAddr, &str, &str)> {
    let wrong = || io::Error::other(format!("{url} isn't http://LOOPBACK:port/api/v1/claims/ID"));
    let (authority, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).ok_or_else(wrong)?;
    let id = path.strip_prefix("api/v1/claims/").ok_or_else(wrong)?;
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(wrong());
    }
    let address = match authority.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(|port| SocketAddr::from(([127, 0, 0, 1], port))),
        None => authority.parse().ok(),
    };
    let address = address.filter(|address: &SocketAddr| address.ip().to_canonical().is_loopback());
    Ok((address.ok_or_else(wrong)?, authority, path))
}

/// One request over a connection of its own.
fn post(url: &str, what: &str, body: &Value) -> io::Result<(u16, String)> {
    let (address, authority, path) = place(url)?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    let body = body.to_string();
    write!(
        stream,
        "POST /{path}/{what} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer)?;
    let status =
        answer.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(|| io::Error::other("no answer"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_found_in_a_cloud_config_and_nowhere_else() {
        let content = json!({ "url": "http://127.0.0.1:1/x", "word": "w" }).to_string();
        let config = json!({ "write_files": [{ "path": CLAIM_FILE, "content": content }] });
        assert_eq!(claim(&format!("#cloud-config\n{config}")).map(|claim| claim.word), Some("w".into()));
        assert!(claim(&config.to_string()).is_none());
        assert!(claim("#cloud-config\n{}").is_none());
        assert!(claim("#!/bin/sh\n").is_none());
    }

    #[test]
    fn a_machine_reaches_claims_on_this_machine_and_nothing_else() {
        for good in [
            "http://127.0.0.1:7070/api/v1/claims/ab12",
            "http://[::1]:7070/api/v1/claims/a",
            "http://localhost:1/api/v1/claims/a-b",
        ] {
            assert!(place(good).is_ok(), "{good}");
        }
        for bad in [
            "http://169.254.169.254:80/api/v1/claims/a",
            "http://10.0.0.1:80/api/v1/claims/a",
            "http://0.0.0.0:80/api/v1/claims/a",
            "http://intern.example:80/api/v1/claims/a",
            "http://127.0.0.1:80/admin",
            "http://127.0.0.1:80/api/v1/claims/../../admin?x=",
            "http://127.0.0.1:80/api/v1/claims/a\r\nX: y",
            "http://127.0.0.1:80/api/v1/claims/",
            "http://127.0.0.1/api/v1/claims/a",
            "https://127.0.0.1:80/api/v1/claims/a",
        ] {
            let error = call(bad, "fetch", &json!({})).unwrap_err();
            assert!(error.to_string().contains("LOOPBACK"), "{bad}: {error}");
        }
    }

    #[test]
    fn who_joins_needs_the_token_of_the_one_that_is_joined() {
        let clusters = Clusters::default();
        let soon = Duration::from_millis(20);
        assert!(!clusters.admit("10.0.0.2", "t", soon));
        clusters.add("10.0.0.2", "t");
        assert!(clusters.admit("10.0.0.2", "t", soon));
        assert!(!clusters.admit("10.0.0.2", "other", soon));
        assert!(!clusters.admit("10.0.0.3", "t", soon));
    }
}
