//! All configured servers, and which of them serves a zone.

use std::sync::Arc;

use parking_lot::Mutex;
use windlass_model::{Code, Problem};

use super::{Authoritative, Config, Server, below, memory::Memory, names, powerdns::PowerDns};
use crate::support::invalid;

/// All configured servers.
pub struct Servers {
    all: Vec<Arc<Server>>,
}

/// The servers that the modules of one process share: made by whoever needs them first.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Option<Arc<Servers>>>>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

/// It is no setting: two configurations don't differ by it.
impl PartialEq for Shared {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Shared {
    /// The servers of this configuration.
    pub fn servers(&self, config: &Config) -> Result<Arc<Servers>, Problem> {
        let mut shared = self.0.lock();
        match &*shared {
            Some(servers) => Ok(servers.clone()),
            None => Ok(shared.insert(Arc::new(Servers::new(config)?)).clone()),
        }
    }

    /// Their rehearsals.
    pub fn rehearsal(&self, config: &Config) -> Arc<Servers> {
        let mut shared = self.0.lock();
        shared.get_or_insert_with(|| Arc::new(Servers::rehearsal(config))).clone()
    }
}

impl Servers {
    /// Fails when one of them can't be meant.
    pub fn new(config: &Config) -> Result<Self, Problem> {
        let made = config.servers.iter().map(|(name, server)| {
            let wrong = |key: &str, why: String| {
                Problem::new(Code::Configuration, format!("hosts.dns.servers.{name}.{key}: {why}"))
            };
            if server.kind != "powerdns" {
                return Err(wrong("kind", format!("there is no `{}`; it is `powerdns`", server.kind)));
            }
            if server.owner.is_empty()
                || server.owner.len() > 20
                || !server.owner.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            {
                return Err(wrong("owner", "is a word of 1 to 20 letters, digits, `-`, `_` and `.`".into()));
            }
            let clean = |key: &str, list: &[String]| -> Result<Vec<String>, Problem> {
                list.iter().map(|text| names::name(text).map_err(|problem| wrong(key, problem.message))).collect()
            };
            let mut server = server.clone();
            server.zones = clean("zones", &server.zones)?;
            server.nameservers = clean("nameservers", &server.nameservers)?;
            let backend = Arc::new(PowerDns::new(name, &server)?);
            Ok(Arc::new(Server::new(name, server, backend)))
        });
        Ok(Self { all: made.collect::<Result<_, _>>()? })
    }

    /// The same in memory, each read from the real one where that answers. Without any, there is one for everything.
    pub fn rehearsal(config: &Config) -> Self {
        let real = Self::new(config).unwrap_or(Self { all: Vec::new() });
        let twin = |name: &str, config, real: Option<Arc<dyn Authoritative>>| {
            Arc::new(Server::new(name, config, Arc::new(Memory::new(name, real))))
        };
        let mut all: Vec<_> = real
            .all
            .iter()
            .map(|server| twin(&server.name, server.config.clone(), Some(server.backend.clone())))
            .collect();
        if all.is_empty() {
            let config = super::ServerConfig {
                nameservers: vec!["ns1.example.net".into(), "ns2.example.net".into()],
                ..super::ServerConfig::default()
            };
            all.push(twin("rehearsal", config, None));
        }
        Self { all }
    }

    /// The server of this name, or else the one that serves the zone: the one that names the most of it.
    pub fn of(&self, zone: &str, named: Option<&str>) -> Result<Arc<Server>, Problem> {
        let known = || self.all.iter().map(|server| format!("`{}`", server.name)).collect::<Vec<_>>().join(", ");
        if self.all.is_empty() {
            return Err(Problem::new(Code::Configuration, "no name server is configured")
                .help("add [hosts.dns.servers.<name>] with `url` and `api_key` to windlass.toml")
                .no_effect());
        }
        if let Some(name) = named {
            let found = self.all.iter().find(|server| server.name == name);
            return found
                .cloned()
                .ok_or_else(|| invalid(format!("there is no name server `{name}`; configured are {}", known())));
        }
        let fits = |server: &&Arc<Server>| {
            let zones = server.config.zones.iter().filter(|of| *of == zone || below(of, zone));
            zones.map(String::len).max().or_else(|| server.config.zones.is_empty().then_some(0))
        };
        let best = self.all.iter().filter_map(|server| fits(&server)).max();
        let mut best = self.all.iter().filter(|server| best.is_some() && fits(server) == best);
        match (best.next(), best.next()) {
            (Some(server), None) => Ok(server.clone()),
            (None, _) => Err(invalid(format!("no name server is configured for {zone}; configured are {}", known()))
                .help("name it in `zones` of a server under [hosts.dns.servers.<name>]")),
            (Some(_), Some(_)) => Err(invalid(format!("several name servers may serve {zone}: {}", known()))
                .help("say which with `server`, or name the zone in `zones` of one of them")),
        }
    }

    /// From now on names below this domain are made by the pool only, on whichever server.
    pub fn keep_for_pool(&self, domain: &str) {
        for server in &self.all {
            server.pools.lock().insert(domain.to_owned());
        }
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<Server>] {
        &self.all
    }
}
