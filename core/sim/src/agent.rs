//! What runs on a simulated machine: it reads what cloud-init would read, fetches its claim, joins its cluster and reports its
//! components, over the real calls. No package is installed; everything that goes over the wire is.

mod calls;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use serde::Deserialize;
use serde_json::{Value, json};

use self::calls::{Reports, call};
use crate::{Faults, hetzner::Boot};

/// Where cloud-init puts a machine's claim.
pub const CLAIM_FILE: &str = "/etc/windlass/claim.json";
/// How long a machine waits for the one that it joins, at a pace of 1.
const JOIN_WAIT: Duration = Duration::from_secs(600);
/// Troubles and machines that are remembered.
const REMEMBERED: usize = 1_000;
/// What a machine installs by itself; Flux makes the rest, of what its source says.
const BY_HELM: [&str; 3] = ["cilium", "cert-manager", "flux"];

/// The machines of a provider. Clones are the same machines.
#[derive(Clone)]
pub struct Machines {
    pace: f64,
    faults: Faults,
    clusters: Arc<Clusters>,
    members: Arc<Mutex<Vec<Member>>>,
    troubles: Arc<Mutex<Vec<String>>>,
}

/// A machine that has become a part of a cluster.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its private address.
    pub address: String,
    /// The control plane that it joined; none if it began a cluster of its own.
    pub joined: Option<String>,
    /// The one that began its cluster.
    pub cluster: String,
    /// What it has fetched.
    pub values: BTreeMap<String, String>,
    /// What it has sent back.
    pub returned: BTreeMap<String, String>,
}

/// Where a control plane is: in which of the provider's networks, and with which address there.
type Place = (String, String);

/// A control plane that is up.
#[derive(Clone)]
struct Up {
    token: String,
    /// The address of the one that began the cluster.
    cluster: String,
}

#[derive(Default)]
struct Clusters {
    servers: Mutex<HashMap<Place, Up>>,
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
        Self { pace, faults, clusters: Arc::default(), members: Arc::default(), troubles: Arc::default() }
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

    /// The machines that are parts of clusters, in the order in which they became so.
    pub fn members(&self) -> Vec<Member> {
        self.members.lock().clone()
    }

    /// What went wrong on machines, which nobody else hears of: one that can't fetch its claim can't report, either.
    pub fn troubles(&self) -> Vec<String> {
        self.troubles.lock().clone()
    }

    fn note(&self, trouble: String) {
        let mut troubles = self.troubles.lock();
        if troubles.len() < REMEMBERED {
            troubles.push(trouble);
        }
    }

    fn live(&self, boot: &Boot) -> io::Result<()> {
        let Some(claim) = claim(&boot.user_data) else { return Ok(()) };
        let fetched = call(&claim.url, "fetch", &json!({ "word": claim.word, "machine": chosen() }))?;
        let fetched: Fetched = serde_json::from_value(fetched).map_err(io::Error::other)?;
        let value = |name: &str| fetched.values.get(name).cloned().unwrap_or_default();
        let (role, token) = (value("role"), value("k3s_token"));
        let mut reports = Reports { url: claim.url, word: fetched.report_word, count: 0 };
        self.takes(2_000);
        let fits = |net: &&Value| inside(net["ip"].as_str().unwrap_or_default(), &value("network"));
        let Some(net) = boot.server["private_net"].as_array().into_iter().flatten().find(fits) else {
            let message = format!("no interface has an address of {}", value("network"));
            return reports.send("k3s", "failed", &message, json!({}));
        };
        let (network, address) = (net["network"].to_string(), net["ip"].as_str().unwrap_or_default().to_owned());
        let joined = (role != "first").then(|| value("join"));
        let cluster = match &joined {
            None => Some(address.clone()),
            Some(join) => self.clusters.admit(&(network.clone(), join.clone()), &token, self.scaled(JOIN_WAIT)),
        };
        let Some(cluster) = cluster else {
            let message = format!("no control plane at {} takes this machine's token", value("join"));
            return reports.send("k3s", "failed", &message, json!({}));
        };
        if role != "worker" {
            self.clusters.add((network, address.clone()), Up { token: token.clone(), cluster: cluster.clone() });
        }
        if self.fails("k3s") {
            return reports.send("k3s", "failed", "the installer ended with 1", json!({}));
        }
        let mut returned = BTreeMap::new();
        if role == "first" {
            returned.insert("kubeconfig".to_owned(), kubeconfig(&address, &token));
        }
        let (name, message) = (boot.server["name"].as_str().unwrap_or("machine"), format!("{role} at {address}"));
        let sent = json!(returned);
        // Whoever hears of it finds it there.
        self.remember(Member { name: name.into(), address, joined, cluster, values: fetched.values.clone(), returned });
        reports.send("k3s", "installed", &message, sent)?;
        if role != "first" {
            return Ok(());
        }
        for component in value("components").split_whitespace() {
            reports.send(component, "installing", "", json!({}))?;
            self.takes(1_500);
            if self.fails(component) {
                return reports.send(component, "failed", "the chart's hook ended with 1", json!({}));
            }
            if !BY_HELM.contains(&component) && value("source").trim().is_empty() {
                let message = format!("the source has brought no HelmRelease {component}");
                return reports.send(component, "failed", &message, json!({}));
            }
            reports.send(component, "installed", "", json!({}))?;
        }
        Ok(())
    }

    fn remember(&self, member: Member) {
        let mut members = self.members.lock();
        if members.len() < REMEMBERED {
            members.push(member);
        }
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
    fn add(&self, place: Place, up: Up) {
        self.servers.lock().insert(place, up);
        self.changed.notify_all();
    }

    /// Waits for a control plane there. If it has this token, who began its cluster.
    fn admit(&self, place: &Place, token: &str, patience: Duration) -> Option<String> {
        let until = std::time::Instant::now() + patience;
        let mut servers = self.servers.lock();
        loop {
            if let Some(up) = servers.get(place) {
                return (up.token == token).then(|| up.cluster.clone());
            }
            if self.changed.wait_until(&mut servers, until).timed_out() {
                return None;
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

/// Whether an address is one of a range's (`10.20.0.0/16`).
fn inside(address: &str, range: &str) -> bool {
    let read = || -> Option<bool> {
        let (base, bits) = range.split_once('/')?;
        let shift = 32_u32.checked_sub(bits.parse().ok()?)?;
        let prefix = |text: &str| Some(text.parse::<Ipv4Addr>().ok()?.to_bits().checked_shr(shift).unwrap_or(0));
        Some(prefix(base)? == prefix(address)?)
    };
    read().unwrap_or(false)
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

#[cfg(test)]
mod tests {
    use super::{calls::place, *};

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
        let asks = |network: &str, address: &str, token: &str| {
            clusters.admit(&(network.to_owned(), address.to_owned()), token, Duration::from_millis(20))
        };
        assert_eq!(asks("1", "10.0.0.2", "t"), None);
        let up = Up { token: "t".into(), cluster: "10.0.0.2".into() };
        clusters.add(("1".into(), "10.0.0.2".into()), up.clone());
        clusters.add(("1".into(), "10.0.0.3".into()), up);
        for there in ["10.0.0.2", "10.0.0.3"] {
            assert_eq!(asks("1", there, "t").as_deref(), Some("10.0.0.2"));
            assert_eq!(asks("1", there, "other"), None);
            assert_eq!(asks("2", there, "t"), None, "another network has the same addresses");
        }
        assert_eq!(asks("1", "10.0.0.4", "t"), None);
    }

    #[test]
    fn an_address_is_in_its_network_only() {
        assert!(inside("10.20.0.2", "10.20.0.0/16") && inside("10.20.255.9", "10.20.0.0/16"));
        for (address, range) in
            [("10.21.0.2", "10.20.0.0/16"), ("", "10.20.0.0/16"), ("10.20.0.2", ""), ("10.20.0.2", "10.20.0.0/33")]
        {
            assert!(!inside(address, range), "{address} {range}");
        }
    }
}
