//! The wiring: the only place that knows configuration, sandbox, host modules, vault and engine alike.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use windlass_engine::{Durability, Engine, EngineConfig, Time};
use windlass_hosts::{HostConfig, guacamole, hetzner, services::Services};
use windlass_model::{
    Code, NodeId, Problem,
    journal::{Runner, Workflows},
    time::parse_duration_ms,
};
use windlass_script::{Interceptor, Library, Policy, STACK_BYTES, Sandbox, SandboxConfig, SecretSource};
use windlass_sim::{Clock, Control, Server};

use crate::{
    config::Config,
    data::DataFolder,
    lock,
    vault::{Discreet, Vault},
};

/// What scripts are evaluated with.
pub struct Scripts {
    /// Evaluates them.
    pub sandbox: Sandbox,
    /// Finds them.
    pub library: Arc<Library>,
}

/// What becomes of the effects of scripts.
pub enum World {
    /// They happen.
    Real,
    /// They are rehearsed.
    Rehearsal(Option<Arc<dyn Interceptor>>),
}

/// The runtime that ops' futures run on, and that signals arrive on.
pub fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("io")
        .enable_all()
        .build()
        .map_err(|error| Problem::new(Code::System, format!("no threads for input and output: {error}")))
}

/// A sandbox with its library.
pub fn scripts(
    config: &Config,
    runtime: &tokio::runtime::Handle,
    world: World,
    secrets: Arc<dyn SecretSource>,
    services: &Services,
    instance: Arc<str>,
) -> Result<Scripts, Problem> {
    let (modules, rehearsal, interceptor) = match world {
        World::Real => (windlass_hosts::modules_in(&hosts(config), services)?, false, None),
        World::Rehearsal(interceptor) => {
            let (hetzner, guacamole) = (simulated(&config.hosts.hetzner), consoles(&config.hosts.guacamole));
            let hosts = HostConfig { hetzner, guacamole, ..config.hosts.clone() };
            (windlass_hosts::rehearsal_modules(&hosts), true, interceptor)
        }
    };
    let sandbox = Sandbox::new(SandboxConfig {
        bounds: config.bounds.clone(),
        modules,
        secrets,
        policy: Policy::new(config.policy.clone().into_iter().collect()),
        runtime: runtime.clone(),
        instance,
        rehearsal,
        interceptor,
    });
    let library = Arc::new(Library::new(vec![config.workflows.clone()], sandbox.clone()));
    Ok(Scripts { sandbox, library })
}

/// Hetzner Cloud for one rehearsal: a simulator of its own, started when it is first asked, in which nothing takes time.
fn simulated(config: &hetzner::Config) -> hetzner::Config {
    let kept: Mutex<Option<Server>> = Mutex::new(None);
    let start = move || {
        let control = Control::new(Clock::system());
        let provider = windlass_sim::hetzner::Config {
            pace: 0.0,
            requests: 1_000_000,
            ..windlass_sim::hetzner::Config::default()
        };
        let project = Arc::new(windlass_sim::hetzner::Hetzner::new(provider, control.clock.clone()));
        let server = windlass_sim::serve(([127, 0, 0, 1], 0).into(), project, &control)
            .map_err(|error| Problem::new(Code::System, format!("no simulator for the rehearsal: {error}")))?;
        let url = format!("{}/v1", server.url());
        *kept.lock() = Some(server);
        Ok((url, windlass_sim::hetzner::TOKEN.to_owned()))
    };
    hetzner::Config { rehearsed: hetzner::Simulated(Some(Arc::new(start))), ..config.clone() }
}

/// Guacamole for one rehearsal: one of its own, started when it is first asked.
fn consoles(config: &guacamole::Config) -> guacamole::Config {
    let kept: Mutex<Option<Server>> = Mutex::new(None);
    let datasource = config.datasource.clone();
    let start = move || {
        let control = Control::new(Clock::system());
        let behaviour = windlass_sim::guacamole::Config { datasource: datasource.clone(), ..Default::default() };
        let web = Arc::new(windlass_sim::guacamole::Guacamole::new(behaviour, control.clock.clone()));
        let server = windlass_sim::serve(([127, 0, 0, 1], 0).into(), web, &control)
            .map_err(|error| Problem::new(Code::System, format!("no simulator for the rehearsal: {error}")))?;
        let url = format!("{}{}", server.url(), windlass_sim::guacamole::BASE);
        *kept.lock() = Some(server);
        let (user, password) = (windlass_sim::guacamole::USER.to_owned(), windlass_sim::guacamole::PASSWORD.to_owned());
        Ok(guacamole::Started { url, user, password })
    };
    guacamole::Config { rehearsed: guacamole::Simulated(Some(Arc::new(start))), ..config.clone() }
}

/// Settings of host modules. Where other nodes may take runs over, a connection that isn't made, or a request that nobody
/// acknowledges, is given up before the part of a lease is over that was left when it began (see `lease_clock`): what stands
/// in a socket's buffer must not reach the world after another node went on.
fn hosts(config: &Config) -> HostConfig {
    let mut hosts = config.hosts.clone();
    let is_shared = config.database.starts_with("postgres");
    if is_shared && hosts.http.unacknowledged_ms == 0 {
        hosts.http.unacknowledged_ms = u64::try_from(config.engine.lease_ms).unwrap_or(0) / 6;
    }
    hosts
}

/// What an engine is started for.
pub struct Place<'a> {
    /// The database.
    pub url: &'a str,
    /// Whether this process executes runs, or only looks and commands.
    pub executes: bool,
    /// Whether no other process executes runs there.
    pub exclusive: bool,
    /// Where scripts' secrets come from.
    pub vault: &'a Arc<Vault>,
}

/// An engine for real runs.
pub fn engine(
    config: &Config,
    scripts: &Scripts,
    workflows: Arc<dyn Workflows>,
    place: &Place,
) -> Result<Engine, Problem> {
    let runner = Discreet::new(scripts.sandbox.clone(), place.vault.clone());
    let mut settings = EngineConfig::new(place.url, Arc::new(runner), workflows);
    let vault = place.vault.clone();
    settings.known_secret = Some(Arc::new(move |name| vault.knows(name)));
    settings.node = node();
    settings.bounds = config.bounds.clone();
    settings.workers = if place.executes { config.engine.workers } else { 0 };
    settings.stack_bytes = config.engine.stack_bytes.max(STACK_BYTES);
    settings.exclusive = place.exclusive;
    settings.lease_ms = config.engine.lease_ms;
    settings.poll_ms = config.engine.poll_ms;
    settings.default_retention_ms = parse_duration_ms(&config.engine.retention)
        .map_err(|error| Problem::new(Code::Configuration, format!("`engine.retention`: {error}")))?;
    Engine::start(settings)
}

/// An engine in virtual time on a database that is thrown away.
pub fn rehearsal_engine(
    config: &Config,
    runner: Arc<dyn Runner>,
    workflows: Arc<dyn Workflows>,
    time: Time,
    folder: &std::path::Path,
) -> Result<Engine, Problem> {
    let file = folder.join("rehearsal.db");
    let url = format!("sqlite:{}", file.display());
    if !file.exists() {
        windlass_engine::migrate(&url)?;
    }
    let mut settings = EngineConfig::new(url, runner, workflows);
    settings.durability = Durability::Off;
    settings.bounds = config.bounds.clone();
    settings.time = time;
    settings.poll_ms = 20;
    settings.stack_bytes = config.engine.stack_bytes.max(STACK_BYTES);
    Engine::start(settings)
}

/// URL of the database in effect.
pub fn database_url(config: &Config, folder: &DataFolder) -> String {
    if config.database.is_empty() { folder.database_url() } else { config.database.clone() }
}

/// The file of an SQLite database; `None` for PostgreSQL.
pub fn database_file(url: &str) -> Option<&Path> {
    url.strip_prefix("sqlite:").map(Path::new)
}

/// What whoever executes runs has locked. It belongs to the database, not to the folder: two folders may name one
/// SQLite file. With PostgreSQL leases decide, and nothing is locked.
pub fn execution_lock(url: &str, folder: &DataFolder) -> PathBuf {
    database_file(url).map_or_else(|| folder.lock(), |file| lock::beside(file, ".lock"))
}

/// What is locked while the database's schema changes.
pub fn setup_lock(url: &str, folder: &DataFolder) -> PathBuf {
    database_file(url).map_or_else(|| folder.setup_lock(), |file| lock::beside(file, ".setup.lock"))
}

/// A name for this process among those that share a database.
fn node() -> NodeId {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "host" } else { host };
    NodeId::from(format!("{host}-{}-{:04x}", std::process::id(), rand::random::<u16>()))
}
