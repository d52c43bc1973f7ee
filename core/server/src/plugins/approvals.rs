//! Who approved which plugin for which organisation. An approval is for sources, by their digest: a file that changes is
//! something else, which nobody has approved. The approved sources stay in use until somebody approves others.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_hosts::{
    owner::{Fate, Organisations},
    registrar::{self, Source},
};
use windlass_model::{
    Bundle, Code, Problem, RunId,
    document::{Change, Document, Expected},
    journal::Pinned,
};
use windlass_script::{permission, plugin::visible};

use super::{Plugins, conformance, source, unbundled};
use crate::vault::Vault;

const KIND: &str = "plugin_approval";
const KEPT: &str = "registrar_before";
/// The kind of document that says which steps have set something at a registrar.
const SETTERS: &str = "registrar_setters";
/// Steps that are remembered for one thing.
const MOST_SETTERS: usize = 16;
/// How long what a step has replaced is kept for its undo.
const KEPT_MS: i64 = 400 * 24 * 3_600 * 1_000;

/// An approval, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// `registrars/example`.
    pub plugin: String,
    /// For whom.
    pub organisation: String,
    /// Of the sources.
    pub digest: String,
    /// What they may reach.
    pub permissions: Vec<String>,
    /// Whether it was taken back.
    pub disabled: bool,
    /// Who approved it, or took it back.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at_ms: i64,
    /// Whether a development server has approved it by itself, for its simulators: nobody has looked at the files, so it counts
    /// there only.
    #[serde(default)]
    pub development: bool,
}

/// How a plugin stands for an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has approved it.
    New,
    /// Its files are what was approved.
    Approved,
    /// Its files are something else than what was approved: they are refused, and what was approved stays in use.
    Modified,
    /// Its approval was taken back.
    Disabled,
}

/// What differs between what was approved and what the files are.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Difference {
    /// What the files may reach, and the approved sources mayn't.
    pub added: Vec<String>,
    /// What they may reach no more.
    pub removed: Vec<String>,
    /// The texts, as a unified difference of all files but recorded exchanges.
    pub text: String,
}

/// All that is known of a plugin for an organisation.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// `registrars/example`.
    pub plugin: String,
    /// For whom.
    pub organisation: String,
    /// In a word.
    pub state: State,
    /// The approval, if there is one.
    pub approval: Option<Approval>,
    /// Digest of the files, if they are sound.
    pub digest: Option<String>,
    /// What is wrong with the files.
    pub problem: Option<Problem>,
    /// What differs; of a plugin that is new, all of it.
    pub difference: Difference,
}

/// The approvals in a database, and the folder of plugins beside it.
pub struct Approvals {
    plugins: Plugins,
    vault: Arc<Vault>,
    /// Whether registrars are the simulators of a development server.
    simulated: bool,
}

fn id(organisation: &str, plugin: &str) -> String {
    format!("{organisation}:{plugin}")
}

fn unreadable(error: serde_json::Error) -> Problem {
    Problem::new(Code::Storage, format!("an approval can't be read: {error}"))
}

impl Approvals {
    /// Of these plugins, in the database that the vault is attached to; `simulated` where no registrar is a real one.
    pub fn new(plugins: Plugins, vault: Arc<Vault>, simulated: bool) -> Self {
        Self { plugins, vault, simulated }
    }

    /// The folder of plugins.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    fn approval(&self, organisation: &str, plugin: &str) -> Result<Option<Approval>, Problem> {
        let found = self.vault.attached()?.document(KIND, &id(organisation, plugin))?;
        let found: Option<Approval> =
            found.map(|document| serde_json::from_value(document.body).map_err(unreadable)).transpose()?;
        Ok(found.filter(|approval| self.simulated || !approval.development))
    }

    fn bundle(&self, digest: &str) -> Result<Option<Arc<Bundle>>, Problem> {
        self.vault.attached()?.bundle(&digest.into())
    }

    /// The files that were approved for an organisation, if they were: texts by their paths in the plugin's folder.
    pub fn approved_files(
        &self,
        organisation: &str,
        plugin: &str,
    ) -> Result<Option<BTreeMap<String, String>>, Problem> {
        let Some(approval) = self.approval(organisation, plugin)? else { return Ok(None) };
        Ok(self.bundle(&approval.digest)?.map(|bundle| unbundled(&bundle)))
    }

    /// How a plugin stands for an organisation; `not_found` for one that is neither in the folder nor approved.
    pub fn standing(&self, organisation: &str, plugin: &str) -> Result<Standing, Problem> {
        let approval = self.approval(organisation, plugin)?;
        let files = self.plugins.pin(plugin);
        if approval.is_none() && !self.plugins.list().iter().any(|name| name == plugin) {
            let names = self.plugins.list().join(", ");
            return Err(Problem::new(Code::NotFound, format!("there is no plugin `{plugin}`"))
                .help(format!("there are: {names}")));
        }
        let digest = files.as_ref().ok().map(|pinned| pinned.digest.to_string());
        let state = match &approval {
            None => State::New,
            Some(approval) if approval.disabled => State::Disabled,
            Some(approval) if digest.as_deref() == Some(approval.digest.as_str()) => State::Approved,
            Some(_) => State::Modified,
        };
        let before = approval.as_ref().map(|approval| self.bundle(&approval.digest)).transpose()?.flatten();
        let difference = files.as_ref().ok().map(|pinned| difference(approval.as_ref(), before.as_deref(), pinned));
        Ok(Standing {
            plugin: plugin.to_owned(),
            organisation: organisation.to_owned(),
            state,
            approval,
            digest,
            problem: files.err(),
            difference: difference.unwrap_or_default(),
        })
    }

    /// Approves the files as they are, if they are what was looked at (`digest`) and pass the conformance kit. `through`
    /// carries the entry of the audit log.
    pub fn approve(
        &self,
        through: impl FnOnce(Value, Value) -> Engine,
        at: (&str, &str, &str),
        by: (&str, &str),
    ) -> Result<Approval, Problem> {
        self.approve_as(through, at, by, false)
    }

    /// The same for as long as registrars are simulated.
    pub fn approve_for_development(
        &self,
        through: impl FnOnce(Value, Value) -> Engine,
        at: (&str, &str, &str),
        by: (&str, &str),
    ) -> Result<Approval, Problem> {
        self.approve_as(through, at, by, true)
    }

    fn approve_as(
        &self,
        through: impl FnOnce(Value, Value) -> Engine,
        (organisation, plugin, digest): (&str, &str, &str),
        (by, why): (&str, &str),
        development: bool,
    ) -> Result<Approval, Problem> {
        let pinned = self.plugins.pin(plugin)?;
        if pinned.digest.as_str() != digest {
            let message = format!("the files of `{plugin}` aren't what was looked at any more");
            return Err(Problem::new(Code::PreconditionFailed, message)
                .help("look at the difference again")
                .data(json!({ "digest": pinned.digest.as_str() })));
        }
        let report = conformance(&source(&pinned.bundle, digest)?, false, false)?;
        if let Some(first) = report.checks.iter().find(|check| !check.passed) {
            let message = format!("`{plugin}` doesn't pass the conformance kit: {}: {}", first.name, first.found);
            return Err(Problem::new(Code::WorkflowInvalid, message)
                .help(format!("`windlass plugin test {plugin}` shows all of it"))
                .data(json!({ "checks": report.checks })));
        }
        let before = self.approval(organisation, plugin)?;
        let engine = self.vault.attached()?;
        engine.keep_bundle(&pinned)?;
        let approval = Approval {
            plugin: plugin.to_owned(),
            organisation: organisation.to_owned(),
            digest: digest.to_owned(),
            permissions: pinned.workflow.permissions.clone(),
            disabled: false,
            by: by.to_owned(),
            why: why.to_owned(),
            at_ms: engine.now_ms(),
            development,
        };
        self.put(through, before, &approval)?;
        Ok(approval)
    }

    /// Takes an approval back: from now on no run of the organisation can use the plugin.
    pub fn disable(
        &self,
        through: impl FnOnce(Value, Value) -> Engine,
        (organisation, plugin): (&str, &str),
        (by, why): (&str, &str),
    ) -> Result<Approval, Problem> {
        let before = self.approval(organisation, plugin)?.ok_or_else(|| {
            Problem::new(Code::NotFound, format!("nobody has approved `{plugin}` for {organisation}"))
        })?;
        let at_ms = self.vault.attached()?.now_ms();
        let (by, why) = (by.to_owned(), why.to_owned());
        let approval = Approval { disabled: true, by, why, at_ms, ..before.clone() };
        self.put(through, Some(before), &approval)?;
        Ok(approval)
    }

    fn put(
        &self,
        through: impl FnOnce(Value, Value) -> Engine,
        before: Option<Approval>,
        approval: &Approval,
    ) -> Result<(), Problem> {
        let put = Change::Put {
            kind: KIND.into(),
            id: id(&approval.organisation, &approval.plugin),
            organisation: approval.organisation.clone(),
            body: json!(approval),
            keys: Vec::new(),
            expires_at_ms: None,
            expected: Expected::Any,
        };
        through(json!(before), json!(approval)).change(vec![put])?;
        Ok(())
    }
}

fn difference(approval: Option<&Approval>, before: Option<&Bundle>, after: &Pinned) -> Difference {
    let held = approval.map(|approval| approval.permissions.clone()).unwrap_or_default();
    let (added, removed) = permission::difference(&held, &after.workflow.permissions);
    let none = BTreeMap::new();
    let old = before.map_or(&none, |bundle| &bundle.files);
    let new = &after.bundle.files;
    let mut names: Vec<&String> = old.keys().chain(new.keys()).filter(|name| !name.contains("/fixtures/")).collect();
    names.sort();
    names.dedup();
    let mut text = String::new();
    for name in names {
        let (left, right) = (old.get(name).map_or("", String::as_str), new.get(name).map_or("", String::as_str));
        if left != right {
            let shown = if name.ends_with(".toml") { name.clone() } else { format!("{name}/main.rhai") };
            let lines = similar::TextDiff::from_lines(left, right);
            text.push_str(&lines.unified_diff().context_radius(3).header("approved", &shown).to_string());
        }
    }
    // Whoever wrote them doesn't choose how they look to whoever decides.
    Difference { added, removed, text: visible(&text, true) }
}

impl Approvals {
    /// The change that makes another list of those who have set a thing, if it is still the one that is read here.
    fn change_setters(&self, thing: &str, list: impl FnOnce(Vec<String>) -> Vec<String>) -> Result<Change, Problem> {
        let engine = self.vault.attached()?;
        let found = engine.document(SETTERS, thing)?;
        let mut all = list(setters(found.as_ref()));
        all.drain(..all.len().saturating_sub(MOST_SETTERS));
        let expected = found.map_or(Expected::Absent, |found| Expected::Version(found.version));
        Ok(put(SETTERS, thing, json!({ "keys": all }), engine.now_ms(), expected))
    }
}

fn put(kind: &str, id: &str, body: Value, now_ms: i64, expected: Expected) -> Change {
    Change::Put {
        kind: kind.into(),
        id: id.to_owned(),
        organisation: "platform".into(),
        body,
        keys: Vec::new(),
        expires_at_ms: Some(now_ms + KEPT_MS),
        expected,
    }
}

fn setters(found: Option<&Document>) -> Vec<String> {
    let keys = found.and_then(|found| found.body["keys"].as_array());
    keys.into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect()
}

/// Another run sets the same thing at this moment: looked at once more, it is decided anew.
fn meanwhile(problem: Problem) -> Problem {
    match problem.code {
        Code::Conflict | Code::PreconditionFailed => {
            Problem::new(Code::Unavailable, "another run changes the same at this moment").no_effect().retryable()
        }
        _ => problem,
    }
}

impl registrar::Plugins for Approvals {
    fn organisation(&self, run: &RunId) -> Result<String, Problem> {
        let record = self.vault.attached()?.run(run)?;
        Ok(record.map_or_else(|| "platform".to_owned(), |record| record.organisation))
    }

    fn approved(&self, name: &str, run: &RunId) -> Result<Arc<Source>, Problem> {
        let organisation = self.organisation(run)?;
        let plugin = name.strip_prefix("registrars/").unwrap_or(name);
        let refused = |message: String| {
            Problem::new(Code::PermissionDenied, message)
                .help(format!(
                    "an admin looks at it and approves it: windlass plugin approve {plugin} --org {organisation}"
                ))
                .data(json!({ "plugin": name, "organisation": organisation }))
                .no_effect()
        };
        match self.approval(&organisation, name)? {
            None => Err(refused(format!("the plugin `{name}` isn't approved for {organisation}"))),
            Some(approval) if approval.disabled => {
                Err(refused(format!("the approval of `{name}` for {organisation} was taken back by {}", approval.by)))
            }
            Some(approval) => {
                let gone = || Problem::new(Code::Storage, format!("the approved sources of `{name}` are gone"));
                let bundle = self.bundle(&approval.digest)?.ok_or_else(gone)?;
                source(&bundle, &approval.digest).map(Arc::new)
            }
        }
    }

    fn keep(&self, thing: Option<&str>, key: &str, value: &Value, instead_of: Option<&str>) -> Result<(), Problem> {
        if self.kept(key)?.is_some() {
            // The first attempt has kept it.
            return Ok(());
        }
        let engine = self.vault.attached()?;
        let mut changes = vec![put(KEPT, key, value.clone(), engine.now_ms(), Expected::Absent)];
        if let Some(other) = instead_of {
            changes.push(Change::Delete { kind: KEPT.into(), id: other.to_owned(), expected: Expected::Present });
        }
        if let Some(thing) = thing {
            let list = |mut setters: Vec<String>| {
                setters.retain(|one| one != key && Some(one.as_str()) != instead_of);
                setters.push(key.to_owned());
                setters
            };
            changes.push(self.change_setters(thing, list)?);
        }
        engine.change(changes).map(drop).map_err(meanwhile)
    }

    fn setters(&self, thing: &str) -> Result<Vec<String>, Problem> {
        Ok(setters(self.vault.attached()?.document(SETTERS, thing)?.as_ref()))
    }

    fn undone(&self, thing: &str, key: &str) -> Result<(), Problem> {
        if !registrar::Plugins::setters(self, thing)?.iter().any(|one| one == key) {
            return Ok(());
        }
        let without = |mut setters: Vec<String>| {
            setters.retain(|one| one != key);
            setters
        };
        let change = self.change_setters(thing, without)?;
        self.vault.attached()?.change(vec![change]).map(drop).map_err(meanwhile)
    }

    fn fate(&self, run: &RunId) -> Result<Fate, Problem> {
        Organisations::fate(&*self.vault, run)
    }

    fn kept(&self, key: &str) -> Result<Option<Value>, Problem> {
        Ok(self.vault.attached()?.document(KEPT, key)?.map(|document| document.body))
    }
}
