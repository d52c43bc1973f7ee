//! Seven simulated registrars, and the registry behind them: what is told to one of them stands in the parent's zone a moment
//! later, on the real name server.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_sim::registrars::{
    self, Running,
    book::{Domain, Ds},
};

use super::{CUSTOMERS, powerdns::Api};
use crate::{config::Config, session::Session};

/// How often the registry looks what registrars were told.
const EVERY: Duration = Duration::from_millis(100);
/// How long the parent's records are remembered.
const TTL: u32 = 60;
/// Names of their credentials begin so: nobody has any of their own there.
const CREDENTIALS: &str = "registrar/simulated";
/// For whom runs are launched here, and who approves.
const ORGANISATION: &str = "platform";
const APPROVER: (&str, &str) = ("dev", "to be tried with the simulated registrars");
/// Values that are shorter can't be secrets.
const SECRET_CHARS: usize = 4;

/// The registrars, each with one domain that is called as it is.
pub struct Registry {
    offices: Arc<Vec<Running>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The domain that a registrar has.
fn domain_at(office: &Running) -> String {
    format!("{}.{CUSTOMERS}", office.kind.name)
}

impl Registry {
    /// Starts them, and enters where they are in the configuration.
    pub fn start(config: &mut Config, parent: Arc<Api>) -> Result<Self, Problem> {
        let failed = |error| Problem::new(Code::System, format!("no simulated registrar: {error}"));
        let offices =
            registrars::KINDS.iter().filter_map(|kind| registrars::start(kind.name, ([127, 0, 0, 1], 0).into()));
        let offices = offices.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        for office in &offices {
            let url = office.server.url();
            config
                .hosts
                .registrar
                .endpoints
                .extend(office.kind.hosts.iter().map(|host| ((*host).to_owned(), url.clone())));
            // The parent's zone outlives the simulator: it goes on with what stands there.
            office.book.put(&domain_at(office), Some(delegated(&parent, &domain_at(office))));
        }
        config.hosts.registrar.simulated = true;
        let offices = Arc::new(offices);
        let (stop, stopped) = channel::<()>();
        let watched = offices.clone();
        let thread = thread::Builder::new().name("registry".into()).spawn(move || {
            let mut known: BTreeMap<String, Domain> = BTreeMap::new();
            for office in watched.iter() {
                known.extend(office.book.get(&domain_at(office)).map(|domain| (domain_at(office), domain)));
            }
            while matches!(stopped.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout)) {
                for office in watched.iter() {
                    let name = domain_at(office);
                    let Some(domain) = office.book.get(&name).filter(|domain| known.get(&name) != Some(domain)) else {
                        continue;
                    };
                    match delegate(&parent, &name, &domain) {
                        Ok(()) => drop(known.insert(name, domain)),
                        Err(why) => tracing::warn!("the registry can't change {name}: {why}"),
                    }
                }
            }
        });
        Ok(Self { offices, stop: Some(stop), thread: Some(thread.map_err(failed)?) })
    }

    /// Keeps what they are asked with among the server's secrets, and approves plugins that nobody has decided about.
    pub fn furnish(&self, session: &Session) -> Result<(), Problem> {
        for office in self.offices.iter() {
            let to: Vec<String> = office.kind.hosts.iter().map(|host| format!("https://{host}")).collect();
            let values = office.kind.credentials.iter().filter(|(_, value)| value.chars().count() >= SECRET_CHARS);
            for (field, value) in values {
                let name = format!("{CREDENTIALS}-{}-{field}", office.kind.name);
                session.vault().set_through(session.engine(), &name, value, &to)?;
            }
            let plugin = format!("registrars/{}", office.kind.name);
            let Ok(standing) = session.approvals().standing(ORGANISATION, &plugin) else { continue };
            if let Some(digest) = standing.digest.filter(|_| json!(standing.state) == "new") {
                let through = |_, _| session.engine().clone();
                session.approvals().approve_for_development(through, (ORGANISATION, &plugin, &digest), APPROVER)?;
            }
        }
        Ok(())
    }

    /// Each with its domain, and where it is.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.offices.iter().map(|office| (office.kind.name, office.server.url()))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A domain as the parent's zone shows it; one that isn't delegated has the registrar's own name servers.
fn delegated(parent: &Api, name: &str) -> Domain {
    let records = |kind: &str| -> Vec<String> {
        let path = format!("/zones/{CUSTOMERS}.?rrset_name={name}.&rrset_type={kind}");
        let answer = parent.ask("GET", &path, &Value::Null).map_or(Value::Null, |(_, answer)| answer);
        let records = answer["rrsets"].as_array().into_iter().flatten();
        let records = records.flat_map(|rrset| rrset["records"].as_array().into_iter().flatten());
        records.filter_map(|record| record["content"].as_str().map(str::to_owned)).collect()
    };
    let mut nameservers: Vec<String> = records("NS").iter().map(|name| name.trim_end_matches('.').to_owned()).collect();
    if nameservers.is_empty() {
        nameservers = ["dns1.registrar.example", "dns2.registrar.example"].map(str::to_owned).into();
    }
    let keys = records("DS");
    let ds = keys.iter().filter_map(|content| {
        let mut parts = content.split_whitespace();
        Some(Ds {
            key_tag: parts.next()?.parse().ok()?,
            algorithm: parts.next()?.parse().ok()?,
            digest_type: parts.next()?.parse().ok()?,
            digest: parts.collect(),
        })
    });
    Domain { nameservers, ds: ds.collect(), ..Domain::default() }
}

/// Puts a domain's delegation into the parent's zone.
fn delegate(parent: &Api, name: &str, domain: &Domain) -> Result<(), String> {
    let rrset = |kind: &str, contents: Vec<String>| {
        let records: Vec<Value> = contents.iter().map(|text| json!({ "content": text, "disabled": false })).collect();
        let change = if records.is_empty() { "DELETE" } else { "REPLACE" };
        json!({ "name": format!("{name}."), "type": kind, "ttl": TTL, "changetype": change, "records": records })
    };
    let servers = domain.nameservers.iter().map(|name| format!("{name}.")).collect();
    let ds = domain
        .ds
        .iter()
        .map(|ds| format!("{} {} {} {}", ds.key_tag, ds.algorithm, ds.digest_type, ds.digest.to_ascii_lowercase()));
    let rrsets = [rrset("NS", servers), rrset("DS", ds.collect())];
    parent.demand("PATCH", &format!("/zones/{CUSTOMERS}."), &json!({ "rrsets": rrsets }))
}
