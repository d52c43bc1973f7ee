//! What the API asks of scripts and secrets, answered by the sandbox, the library and the vault.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_api::services::{self, Plugin, Scripts as ScriptService, Secrets as SecretService};
use windlass_engine::Engine;
use windlass_model::{
    Bundle, Code, Problem, Workflow,
    journal::{Pinned, Workflows as _},
};
use windlass_script::{Library, Sandbox, check, definitions, permission};

use crate::{
    config::Config,
    plugins, rehearse, scenario,
    vault::Vault,
    versions::{self, Author, Versions, Widening},
};

/// Workflows and plugins: the versions in use, and the folders that new ones come from.
pub struct Scripts {
    versions: Arc<Versions>,
    plugins: Arc<Versions>,
    approvals: Arc<plugins::Approvals>,
    library: Arc<Library>,
    sandbox: Sandbox,
    config: Config,
    testing: Mutex<()>,
    writing: Mutex<()>,
}

/// How long scenarios wait for others.
const PATIENCE: Duration = Duration::from_secs(5);

impl Scripts {
    /// Of these versions.
    pub fn new(
        versions: Arc<Versions>,
        plugins: (Arc<Versions>, Arc<plugins::Approvals>),
        library: Arc<Library>,
        sandbox: Sandbox,
        config: Config,
    ) -> Self {
        let (plugins, approvals) = plugins;
        Self {
            versions,
            plugins,
            approvals,
            library,
            sandbox,
            config,
            testing: Mutex::new(()),
            writing: Mutex::new(()),
        }
    }
}

fn author(author: &services::Author) -> Author {
    Author {
        by: author.by.clone(),
        source: author.source.clone(),
        why: author.why.clone(),
        made_by: author.made_by.clone(),
        widening: Widening::Of(author.may_widen.clone()),
    }
}

impl ScriptService for Scripts {
    fn names(&self) -> Vec<String> {
        self.versions.names()
    }

    fn header(&self, name: &str) -> Result<Workflow, Problem> {
        self.versions.pin(name).map(|pinned| (*pinned.workflow).clone())
    }

    fn bundle(&self, name: &str) -> Result<Bundle, Problem> {
        self.versions.pin(name).map(|pinned| (*pinned.bundle).clone())
    }

    fn digest(&self, name: &str) -> Result<String, Problem> {
        self.versions.pin(name).map(|pinned| pinned.digest.to_string())
    }

    fn check(&self, name: &str, source: Option<&str>) -> Result<services::Checked, Problem> {
        let (found, workflow) = match source {
            None => (self.library.check(name)?, None),
            Some(source) => {
                let find = |module: &str| self.library.source(module).ok().flatten();
                let checked = check::source(&self.sandbox, name, source, &find);
                (checked.diagnostics, checked.workflow)
            }
        };
        let shown = found.iter().map(|diagnostic| {
            let other = || self.library.source(&diagnostic.file).ok().flatten().unwrap_or_default();
            let own = source.filter(|_| diagnostic.file == name);
            let mut shown = json!(diagnostic);
            shown["text"] = check::render(diagnostic, &own.map_or_else(other, str::to_owned)).into();
            shown
        });
        Ok(services::Checked { diagnostics: shown.collect(), workflow })
    }

    fn words(&self, grant: &str) -> String {
        permission::words(grant, |verb| self.sandbox.catalog().verb_words(verb))
    }

    fn refused(&self, name: &str, grants: &[String]) -> Vec<String> {
        self.sandbox.policy().exceeding(name, grants).into_iter().map(str::to_owned).collect()
    }

    fn definitions(&self) -> Value {
        definitions::json(self.sandbox.catalog())
    }

    fn widened(&self, name: &str, source: &str) -> Result<Vec<String>, Problem> {
        let header = self.check(name, Some(source))?.workflow;
        header.map_or(Ok(Vec::new()), |header| self.versions.widens(name, &header))
    }

    fn rehearse(&self, workflow: &str, source: Option<&str>, input: Value, by: &str) -> Result<Value, Problem> {
        let Some(source) = source else {
            return rehearse::plan(&self.config, self.versions.clone(), workflow, input, by);
        };
        let beside = versions::beside(workflow, source)?;
        rehearse::plan(&self.config, Arc::new(self.library.over(beside.path().to_owned())), workflow, input, by)
    }

    fn file(&self, name: &str) -> Result<Option<String>, Problem> {
        self.library.source(name)
    }

    fn scenarios(&self, name: &str) -> Result<Option<String>, Problem> {
        scenario::source(&self.config, name)
    }

    fn modules(&self) -> Vec<String> {
        self.library.modules()
    }

    fn run_scenarios(&self, name: &str, source: Option<&str>, scenarios: Option<&str>) -> Result<Vec<Value>, Problem> {
        // They take a whole machine's time if they may: one file after the other.
        let Some(_turn) = self.testing.try_lock_for(PATIENCE) else {
            return Err(Problem::new(Code::Unavailable, "other scenarios are being run")
                .help("try again when they are done")
                .retryable());
        };
        scenario::results(&self.config, name, source, scenarios)
    }

    fn save_scenarios(&self, name: &str, text: &str, expected: Option<&str>) -> Result<Option<String>, Problem> {
        let _writing = self.writing.lock();
        scenario::save(&self.config, name, text, expected)
    }

    fn version(&self, name: &str) -> Option<i64> {
        self.versions.version(name)
    }

    fn problem(&self, name: &str) -> Option<Problem> {
        self.versions.problem(name)
    }

    fn source_digest(&self, source: &str) -> String {
        versions::digest(source)
    }

    fn source_of(&self, name: &str, version: i64) -> Result<String, Problem> {
        self.versions.source_of(name, version)
    }

    fn save(&self, name: &str, source: &str, expected: Option<&str>, by: &services::Author) -> Result<(), Problem> {
        self.versions.save(&self.config.workflows, name, source, expected, &author(by))
    }

    fn save_all(&self, files: &BTreeMap<String, String>, by: &services::Author) -> Result<Vec<String>, Problem> {
        self.versions.save_all(&self.config.workflows, files, &author(by))
    }

    fn remove(&self, name: &str, expected: Option<&str>, by: &services::Author) -> Result<(), Problem> {
        self.versions.remove(&self.config.workflows, name, expected, &author(by))
    }

    fn judged(&self, name: &str, version: i64) -> Result<(Pinned, Vec<String>), Problem> {
        self.versions.judged(name, version)
    }

    fn activate(&self, name: &str, version: i64, by: &services::Author) -> Result<(), Problem> {
        self.versions.activate(name, version, &author(by))
    }

    fn plugins(&self) -> Vec<Plugin> {
        self.plugins.names().iter().filter_map(|name| self.plugin(name)).collect()
    }

    fn plugin(&self, name: &str) -> Option<Plugin> {
        let (pinned, problem) = (self.plugins.pin(name).ok(), self.plugins.problem(name));
        if pinned.is_none() && problem.is_none() {
            return None;
        }
        let manifest = pinned.as_ref().and_then(|pinned| plugins::manifest(&pinned.bundle).ok());
        Some(Plugin {
            name: name.to_owned(),
            version: self.plugins.version(name),
            digest: pinned.as_ref().map(|pinned| pinned.digest.to_string()),
            permissions: manifest.as_ref().map(plugins::Manifest::grants).unwrap_or_default(),
            manifest: manifest.map(|manifest| json!(manifest)),
            problem,
        })
    }

    fn activate_plugin(&self, name: &str, version: i64, by: &services::Author) -> Result<Vec<String>, Problem> {
        let (_, added) = self.plugins.judged(name, version)?;
        self.plugins.activate(name, version, &author(by))?;
        Ok(added)
    }

    fn plugin_standing(&self, organisation: &str, name: &str) -> Result<Value, Problem> {
        self.approvals.standing(organisation, name).map(|standing| json!(standing))
    }

    fn approve_plugin(
        &self,
        through: &dyn Fn(Value, Value) -> Engine,
        at: (&str, &str, &str),
        by: &services::Author,
    ) -> Result<Value, Problem> {
        self.approvals.approve(through, at, (&by.by, &by.why)).map(|approval| json!(approval))
    }

    fn disable_plugin(
        &self,
        through: &dyn Fn(Value, Value) -> Engine,
        at: (&str, &str),
        by: &services::Author,
    ) -> Result<Value, Problem> {
        self.approvals.disable(through, at, (&by.by, &by.why)).map(|approval| json!(approval))
    }
}

/// The vault, as the API may use it.
pub struct Secrets {
    vault: Arc<Vault>,
    sandbox: Sandbox,
}

impl Secrets {
    /// Of this vault.
    pub fn new(vault: Arc<Vault>, sandbox: Sandbox) -> Self {
        Self { vault, sandbox }
    }
}

impl SecretService for Secrets {
    fn put(&self, through: &Engine, name: &str, value: &str, destinations: &[String]) -> Result<(), Problem> {
        self.vault.set_through(through, name, value, destinations)?;
        // From now on it has to be taken out of everything that is shown; but not what a machine has chosen, which may be
        // equal to anything: the runs that use it see to that.
        if !windlass_api::claims::is_returned(name) {
            self.sandbox.learn_secrets();
        }
        Ok(())
    }

    fn list(&self) -> Result<Vec<Value>, Problem> {
        self.vault.list()
    }

    fn delete(&self, through: &Engine, name: &str) -> Result<(), Problem> {
        self.vault.remove_through(through, name)
    }

    fn removing(&self, work: &mut dyn FnMut() -> Result<(), Problem>) -> Result<(), Problem> {
        self.vault.removing(work)
    }

    fn seal(&self, context: &str, plain: &str) -> Result<String, Problem> {
        self.vault.seal_text(context, plain)
    }

    fn unseal(&self, context: &str, sealed: &str) -> Result<String, Problem> {
        self.vault.open_text(context, sealed).map(|text| text.to_string())
    }

    fn scrub(&self, organisation: &str, text: &str) -> String {
        self.sandbox.clean(organisation, text)
    }
}
