//! A session on a data folder: the engine, and whether this process executes the runs in it or joins one that does.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use windlass_api::services::Mail;
use windlass_engine::Engine;
use windlass_hosts::{authority::Shared, services::Services};
use windlass_model::{Problem, journal::Workflows};

use crate::{
    claims::Book,
    config::Loaded,
    data::DataFolder,
    house::House,
    instance,
    lock::{self, Lock},
    mail::Post,
    names::{Names, PoolService},
    plugins::{Approvals, Plugins},
    telling::Targets,
    vault::Vault,
    versions::{Seen, Versions},
    wiring::{self, Place, Scripts, World},
};

/// How long ops that are under way get when the process ends.
const GRACE: Duration = Duration::from_secs(5);

/// What a command needs of the data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Executes runs, if no other process does.
    Execute,
    /// Executes runs as a server: only with the machine's own instance id, and on a schema that is at head.
    Serve,
    /// The same with embedded defaults: an instance id and a database are made where there are none.
    Develop,
    /// Looks, or writes commands: whoever executes runs will see them.
    Command,
}

/// An open data folder.
pub struct Session {
    loaded: Loaded,
    folder: DataFolder,
    scripts: Scripts,
    instance: Arc<str>,
    versions: Option<Arc<Versions>>,
    plugins: Option<Arc<Versions>>,
    approvals: Arc<Approvals>,
    vault: Arc<Vault>,
    /// The name servers that scripts and the API share.
    name_servers: Shared,
    /// Where the API is that this process serves.
    served: Arc<OnceLock<String>>,
    engine: Engine,
    /// The way to people's mailboxes.
    mail: Option<Arc<dyn Mail>>,
    runtime: tokio::runtime::Runtime,
    purpose: Purpose,
    executes: bool,
    lock_file: PathBuf,
    lock: Option<Lock>,
}

impl Session {
    /// Opens the folder. A database that isn't there yet is made; one that lags behind is refused.
    pub fn open(loaded: &Loaded, environment: &BTreeMap<String, String>, purpose: Purpose) -> Result<Self, Problem> {
        let config = &loaded.config;
        let folder = DataFolder::open(&config.data)?;
        let places = instance::Places::default();
        let instance = match purpose {
            Purpose::Serve => instance::serving(&places, environment)?,
            _ => instance::embedded(&places, environment, &folder.instance_file())?,
        };
        if let Some(warning) = &instance.warning {
            tracing::warn!("{warning}");
        }
        let url = wiring::database_url(config, &folder);
        if purpose != Purpose::Serve {
            prepare_database(&url, &folder)?;
        }
        let lock_file = wiring::execution_lock(&url, &folder);
        let runtime = wiring::runtime()?;
        let vault = Arc::new(Vault::new(folder.key_file(), config.secrets.clone()));
        let executing = purpose != Purpose::Command;
        let world = if executing { World::Real } else { World::Rehearsal(None) };
        let served = Arc::new(OnceLock::new());
        let approvals = Arc::new(Approvals::new(
            Plugins::new(&config.plugins, config.bounds.source_bytes),
            vault.clone(),
            config.hosts.registrar.simulated,
        ));
        let mail = Post::of(&config.hosts.notify.email, &vault).map(|post| post as Arc<dyn Mail>);
        let services = Services {
            plugins: approvals.clone(),
            claims: Arc::new(Book::new(vault.clone(), served.clone())),
            names: Arc::new(Names::new(vault.clone())),
            targets: Arc::new(Targets(vault.clone())),
            organisations: vault.clone(),
            vouchers: Arc::new(crate::vouchers::Book::new(vault.clone(), config.vouchers.issue_limit)),
            house: Arc::new(House::new(vault.clone(), mail.clone(), config, served.clone())),
            ..Services::default()
        };
        let id: Arc<str> = instance.id;
        let scripts = wiring::scripts(config, runtime.handle(), world, vault.clone(), &services, id.clone())?;
        let serves = matches!(purpose, Purpose::Serve | Purpose::Develop);
        let versions = serves.then(|| {
            let seen = Seen::kept_in(&folder.seen_file());
            Arc::new(Versions::new(scripts.library.clone(), config.workflow_review, seen))
        });
        let plugins = serves.then(|| {
            let (plugins, seen) =
                (Plugins::new(&config.plugins, config.bounds.source_bytes), folder.seen_plugins_file());
            Arc::new(Versions::of_plugins(plugins, config.workflow_review, Seen::kept_in(&seen)))
        });
        let lock = if executing { Lock::take_unless_held(&lock_file)? } else { None };
        let executes = executing && (lock.is_some() || is_shared(loaded));
        let engine = start(loaded, &folder, &scripts, versions.as_ref(), &vault, executes)?;
        vault.attach(Some(engine.clone()));
        for versions in versions.iter().chain(&plugins).filter(|_| executes) {
            versions.attach(engine.clone())?;
        }
        Ok(Self {
            loaded: loaded.clone(),
            instance: id,
            folder,
            scripts,
            versions,
            plugins,
            approvals,
            vault,
            name_servers: services.name_servers,
            served,
            engine,
            mail,
            runtime,
            purpose,
            executes,
            lock_file,
            lock,
        })
    }

    /// The engine. It changes when this process takes over.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The scripts.
    pub fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    /// The secrets.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The data folder.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// Where futures run.
    pub fn runtime(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }

    /// Whether this process executes runs.
    pub fn executes(&self) -> bool {
        self.executes
    }

    /// This machine's instance id.
    pub fn instance(&self) -> &Arc<str> {
        &self.instance
    }

    /// The active versions of workflows; only a server has them.
    pub fn versions(&self) -> Option<&Arc<Versions>> {
        self.versions.as_ref()
    }

    /// The active versions of plugins; only a server has them.
    pub fn plugins(&self) -> Option<&Arc<Versions>> {
        self.plugins.as_ref()
    }

    /// Who approved which plugin.
    pub fn approvals(&self) -> &Arc<Approvals> {
        &self.approvals
    }

    /// What the API asks of pools.
    pub fn pool(&self) -> PoolService {
        let (config, servers) = (self.loaded.config.hosts.clone(), self.name_servers.clone());
        PoolService::new(config, servers, self.vault.clone(), self.runtime.handle().clone())
    }

    /// The way to people's mailboxes, if there is one.
    pub fn mail(&self) -> Option<Arc<dyn Mail>> {
        self.mail.clone()
    }

    /// An API is served here.
    pub fn serves_at(&self, url: &str) {
        // A process serves one.
        let _ = self.served.set(url.to_owned());
    }

    /// The vault, to be shared.
    pub fn shared_vault(&self) -> Arc<Vault> {
        self.vault.clone()
    }

    /// The configuration in effect.
    pub fn config(&self) -> &crate::config::Config {
        &self.loaded.config
    }

    /// The file that whoever executes runs has locked.
    pub fn lock_file(&self) -> &std::path::Path {
        &self.lock_file
    }

    /// Id of the process that executes runs, for messages.
    pub fn holder(&self) -> Option<u32> {
        lock::holder(&self.lock_file)
    }

    /// Whether any process executes this folder's runs.
    pub fn is_executed(&self) -> Result<bool, Problem> {
        Ok(self.executes || is_shared(&self.loaded) || Lock::try_take(&self.lock_file)?.is_none())
    }

    /// Executes the runs from now on, if the process that did is gone. Whether that happened.
    pub fn try_take_over(&mut self) -> Result<bool, Problem> {
        if self.executes || self.purpose != Purpose::Execute {
            return Ok(false);
        }
        let Some(lock) = Lock::try_take(&self.lock_file)? else { return Ok(false) };
        self.vault.attach(None);
        self.engine.shutdown(GRACE);
        self.lock = Some(lock);
        self.executes = true;
        self.engine = start(&self.loaded, &self.folder, &self.scripts, None, &self.vault, true)?;
        self.vault.attach(Some(self.engine.clone()));
        Ok(true)
    }

    /// Gives leases back, and closes the database. Open runs go on when somebody executes them again.
    pub fn close(self) {
        self.close_within(GRACE);
    }

    /// The same; ops that are under way get so long to end.
    pub fn close_within(self, grace: Duration) {
        self.engine.shutdown(grace);
        self.vault.attach(None);
        self.runtime.shutdown_timeout(Duration::from_millis(200));
        drop(self.lock);
    }
}

fn start(
    loaded: &Loaded,
    folder: &DataFolder,
    scripts: &Scripts,
    versions: Option<&Arc<Versions>>,
    vault: &Arc<Vault>,
    executes: bool,
) -> Result<Engine, Problem> {
    let url = wiring::database_url(&loaded.config, folder);
    let workflows: Arc<dyn Workflows> = match versions {
        Some(versions) => versions.clone(),
        None => scripts.library.clone(),
    };
    wiring::engine(
        &loaded.config,
        scripts,
        workflows,
        &Place { url: &url, executes, exclusive: !is_shared(loaded), vault },
    )
}

/// Whether other machines may execute runs of this database: then leases decide, and not the folder's lock.
pub fn is_shared(loaded: &Loaded) -> bool {
    !loaded.config.database.is_empty() && !loaded.config.database.starts_with("sqlite:")
}

fn prepare_database(url: &str, folder: &DataFolder) -> Result<(), Problem> {
    let Some(file) = wiring::database_file(url) else { return Ok(()) };
    // Two processes that start at once on a fresh database must not both build it.
    let _building = Lock::take(&wiring::setup_lock(url, folder))?;
    if !file.exists() {
        windlass_engine::migrate(url)?;
    }
    Ok(())
}
