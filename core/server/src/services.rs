//! What the API asks of scripts and secrets, answered by the sandbox, the library and the vault.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_api::services::{Scripts as ScriptService, Secrets as SecretService};
use windlass_model::{Bundle, Code, Problem, Workflow, journal::Workflows as _};
use windlass_script::{Library, Sandbox, check, definitions, permission};

use crate::{config::Config, rehearse, vault::Vault};

/// Workflows as they stand in the folder.
pub struct Scripts {
    library: Arc<Library>,
    sandbox: Sandbox,
    config: Config,
}

impl Scripts {
    /// Of this library.
    pub fn new(library: Arc<Library>, sandbox: Sandbox, config: Config) -> Self {
        Self { library, sandbox, config }
    }
}

impl ScriptService for Scripts {
    fn names(&self) -> Vec<String> {
        self.library.list()
    }

    fn header(&self, name: &str) -> Result<Workflow, Problem> {
        self.library.pin(name).map(|pinned| (*pinned.workflow).clone())
    }

    fn bundle(&self, name: &str) -> Result<Bundle, Problem> {
        self.library.pin(name).map(|pinned| (*pinned.bundle).clone())
    }

    fn digest(&self, name: &str) -> Result<String, Problem> {
        self.library.pin(name).map(|pinned| pinned.digest.to_string())
    }

    fn check(&self, name: &str, source: Option<&str>) -> Result<Vec<Value>, Problem> {
        let found = match source {
            None => self.library.check(name)?,
            Some(source) => {
                let find = |module: &str| self.library.source(module).ok().flatten();
                check::source(&self.sandbox, name, source, &find).diagnostics
            }
        };
        Ok(found.iter().map(|diagnostic| json!(diagnostic)).collect())
    }

    fn words(&self, grant: &str) -> String {
        permission::words(grant, |verb| self.sandbox.catalog().verb_words(verb))
    }

    fn definitions(&self) -> Value {
        definitions::json(self.sandbox.catalog())
    }

    fn rehearse(&self, workflow: &str, input: Value, by: &str) -> Result<Value, Problem> {
        rehearse::plan(&self.config, workflow, input, by)
    }

    fn save(&self, name: &str, _source: &str, _expected: Option<&str>) -> Result<(), Problem> {
        Err(Problem::new(Code::Unsupported, format!("`{name}` can't be saved here")))
    }

    fn remove(&self, name: &str, _expected: Option<&str>) -> Result<(), Problem> {
        Err(Problem::new(Code::Unsupported, format!("`{name}` can't be removed here")))
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
    fn put(&self, name: &str, value: &str, destinations: &[String]) -> Result<(), Problem> {
        self.vault.set(name, value, destinations)?;
        // From now on it has to be taken out of everything that is shown.
        self.sandbox.learn_secrets();
        Ok(())
    }

    fn list(&self) -> Result<Vec<Value>, Problem> {
        self.vault.list()
    }

    fn delete(&self, name: &str) -> Result<(), Problem> {
        self.vault.remove(name)
    }

    fn seal(&self, context: &str, plain: &str) -> Result<String, Problem> {
        self.vault.seal_text(context, plain)
    }

    fn unseal(&self, context: &str, sealed: &str) -> Result<String, Problem> {
        self.vault.open_text(context, sealed).map(|text| text.to_string())
    }

    fn scrub(&self, text: &str) -> String {
        self.sandbox.scrubber().text(text)
    }
}
