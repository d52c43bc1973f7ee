//! What `windlass dev` brings along so that a Sovereign can be tried without an account anywhere: a simulated Hetzner Cloud whose
//! machines make their real calls, simulated registrars, a simulated Guacamole with guacd, and a real PowerDNS on loopback. Each only where the configuration
//! doesn't say otherwise; nothing of it under `windlass serve`.

mod consoles;
mod powerdns;
mod registry;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};
use windlass_hosts::{
    authority, guacamole,
    hetzner::{Config as Provider, ProjectConfig},
    pool::Domain,
};
use windlass_model::{Code, Problem};
use windlass_sim::{Clock, Control, Server, agent::Machines, hetzner};

use self::{consoles::Consoles, powerdns::PowerDns, registry::Registry};
use crate::{
    config::{Config, SecretEntry},
    lock::Lock,
    session::Session,
};

/// The domain that names are given out under. It is the one that rehearsals assume, so that a plan is the same everywhere.
pub const POOL: &str = "example.net";
/// Where customers' own domains are.
const CUSTOMERS: &str = "example.org";
/// The name servers of both.
const NAME_SERVERS: [&str; 2] = ["ns1.example.net", "ns2.example.net"];
/// How much of a provider's time things take.
const PACE: f64 = 0.05;
/// Milliseconds between two questions about what the provider does.
const POLL_MS: u64 = 50;
/// Requests that the provider answers at once: as many as anybody tries.
const REQUESTS: u32 = 1_000_000;
/// The project, and where its token is kept: under a name that nobody has a token of their own under.
const PROJECT: &str = "main";
const TOKEN: &str = "simulated/hetzner";

/// All that runs beside a development server. It ends when this is dropped.
pub struct Playground {
    provider: Option<Server>,
    consoles: Option<Consoles>,
    /// Ends before the name server that it tells.
    registry: Option<Registry>,
    name_server: Option<PowerDns>,
    /// What isn't there, and why.
    missing: Vec<String>,
    _lock: Lock,
}

impl Playground {
    /// Starts what the configuration leaves open, and enters it there. `None` if it leaves nothing open, or another server has
    /// this data folder.
    pub fn start(config: &mut Config) -> Result<Option<Self>, Problem> {
        let hosts = &config.hosts;
        let wants_provider =
            hosts.hetzner.projects.is_empty() && hosts.hetzner.base_url == Provider::default().base_url;
        let wants_names = hosts.dns == authority::Config::default() && hosts.pool.domains.is_empty();
        let wants_consoles = hosts.guacamole == guacamole::Config::default();
        if !wants_provider && !wants_names && !wants_consoles {
            return Ok(None);
        }
        let folder = folder(&config.data)?;
        let Some(lock) = Lock::try_take(&folder.join("lock"))? else { return Ok(None) };
        let mut made = Self {
            provider: None,
            consoles: None,
            registry: None,
            name_server: None,
            missing: Vec::new(),
            _lock: lock,
        };
        if wants_consoles {
            made.consoles = Some(Consoles::start(config, &folder)?);
            config.simulated.push("Guacamole".into());
        }
        if wants_provider {
            made.simulate_provider(config, &folder)?;
        }
        if wants_names {
            match PowerDns::start(&folder) {
                Ok(server) => {
                    if config.hosts.registrar.endpoints.is_empty() {
                        made.registry = Some(Registry::start(config, server.api())?);
                        config.simulated.push("registrars".into());
                    }
                    made.name_server = Some(server.entered(config));
                }
                Err(why) => made.missing.push(why),
            }
        }
        Ok(Some(made))
    }

    fn simulate_provider(&mut self, config: &mut Config, folder: &Path) -> Result<(), Problem> {
        if !config.server.tls_cert.is_empty() || !config.server.public_url.is_empty() {
            let why =
                "no simulated Hetzner Cloud: its machines reach this server by plain HTTP on its own address only";
            self.missing.push(why.to_owned());
            return Ok(());
        }
        let control = Control::new(Clock::system());
        let machines = Machines::new(PACE, control.faults.clone());
        let booted: hetzner::Booted = Arc::new(move |boot| machines.boot(boot));
        let provider =
            hetzner::Config { pace: PACE, requests: REQUESTS, booted: Some(booted), ..hetzner::Config::default() };
        let project = Arc::new(hetzner::Hetzner::new(provider, control.clock.clone()));
        let server = windlass_sim::serve(([127, 0, 0, 1], 0).into(), project, &control)
            .map_err(|error| Problem::new(Code::System, format!("no simulated Hetzner Cloud: {error}")))?;
        // Named in the configuration and not put into the vault: runs that are open go on before anybody could do that.
        let token = folder.join("hetzner.token");
        write(&token, hetzner::TOKEN).map_err(|error| unusable(&token, &error))?;
        let entry = SecretEntry { from: format!("file:{}", token.display()), to: vec![server.url()] };
        config.secrets.insert(TOKEN.to_owned(), entry);
        config.hosts.hetzner = Provider {
            base_url: format!("{}/v1", server.url()),
            poll_ms: POLL_MS,
            projects: [(
                PROJECT.to_owned(),
                ProjectConfig { secret: TOKEN.to_owned(), organisations: vec!["*".into()] },
            )]
            .into(),
            ..config.hosts.hetzner.clone()
        };
        self.provider = Some(server);
        config.simulated.push("Hetzner Cloud".into());
        Ok(())
    }

    /// Puts what is asked of registrars among the server's secrets, and approves their plugins.
    pub fn furnish(&self, session: &Session) -> Result<(), Problem> {
        self.registry.as_ref().map_or(Ok(()), |registry| registry.furnish(session))
    }

    /// Whether a Sovereign can be had here.
    pub fn is_whole(&self) -> bool {
        self.provider.is_some() && self.name_server.is_some()
    }

    /// What people are told of it.
    pub fn lines(&self) -> Vec<String> {
        let provider = self.provider.as_ref().map(|server| format!("simulated  Hetzner Cloud at {}/v1", server.url()));
        let names = self.name_server.as_ref().map(|server| {
            format!(
                "real       PowerDNS on 127.0.0.1 port {0} for {POOL} and {CUSTOMERS}: dig @127.0.0.1 -p {0} {POOL} SOA",
                server.dns_port()
            )
        });
        let registrars = self.registry.as_ref().map(|registry| {
            let names: Vec<&str> = registry.all().map(|(name, _)| name).collect();
            format!("simulated  registrars, each with a domain of its name below {CUSTOMERS}: {}", names.join(", "))
        });
        let consoles = self.consoles.as_ref().map(Consoles::line);
        let missing = self.missing.iter().map(|why| format!("           ({why})"));
        provider.into_iter().chain(registrars).chain(names).chain(consoles).chain(missing).collect()
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        json!({
            "hetzner": self.provider.as_ref().map(|server| format!("{}/v1", server.url())),
            "dns": self.name_server.as_ref().map(|server| format!("127.0.0.1:{}", server.dns_port())),
            "powerdns": self.name_server.as_ref().map(PowerDns::url),
            "guacamole": self.consoles.as_ref().map(Consoles::json),
            "registrars": self.registry.as_ref().map(|registry| registry.all().collect::<BTreeMap<_, _>>()),
            "missing": self.missing,
        })
    }
}

impl PowerDns {
    /// Enters it in the configuration.
    fn entered(self, config: &mut Config) -> Self {
        let address = format!("127.0.0.1:{}", self.dns_port());
        let server = authority::ServerConfig {
            url: self.url(),
            api_key: format!("file:{}", self.key_file().display()),
            nameservers: NAME_SERVERS.map(str::to_owned).into(),
            axfr: address.clone(),
            organisations: vec!["*".to_owned()],
            ..authority::ServerConfig::default()
        };
        config.hosts.dns = authority::Config {
            servers: [("main".to_owned(), server)].into(),
            resolvers: vec![address.clone()],
            addresses: NAME_SERVERS.map(|name| (name.to_owned(), address.clone())).into(),
            ..authority::Config::default()
        };
        config.hosts.pool.domains = [(POOL.to_owned(), Domain::default())].into();
        self
    }
}

/// The folder for all of it.
fn folder(data: &Path) -> Result<PathBuf, Problem> {
    let folder = data.join("playground");
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.and_then(|()| folder.canonicalize()).map_err(|error| unusable(&folder, &error))
}

fn unusable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(Code::Storage, format!("{} can't be used: {error}", path.display()))
}

/// Writes a file that nobody else can read.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
