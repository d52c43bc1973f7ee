//! The vault: what scripts' secrets come from, and what `windlass secrets` changes.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use serde_json::{Value, json};
use windlass_api::organisations::quota::secret_owner;
use windlass_engine::Engine;
use windlass_hosts::owner::{Fate, Organisations, PLATFORM};
use windlass_model::{Code, Problem, RunId, RunState};
use windlass_script::{Held, SecretPolicy, SecretSource, not_found as secret_not_found};
use zeroize::Zeroizing;

use super::{
    keyfile::KeyFile,
    references,
    seal::{self, Key},
};
use crate::config::SecretEntry;

/// The longest value that can be kept.
const VALUE_BYTES: usize = 1 << 20;

/// The longest one of an organisation: all of them are in memory, so that none is shown.
const ORGANISATIONS_BYTES: usize = 64 << 10;

/// Shorter ones can't be told from ordinary text, and so not be taken out of what is shown.
const SHORTEST_CHARS: usize = 4;

/// Runs whose organisation is remembered.
const OWNERS: usize = 10_000;

/// Names of what the database keeps, and when each was set.
pub type Revision = Vec<(String, i64)>;

/// Secrets of one data folder. The database is reached through the engine, which is attached once it has started.
pub struct Vault {
    references: BTreeMap<String, SecretEntry>,
    keys: KeyFile,
    engine: Mutex<Option<Engine>>,
    attached: Condvar,
    /// Organisations of runs that were asked for.
    owners: Mutex<HashMap<RunId, String>>,
    /// Held while the key for documents is made.
    pub(super) making: Mutex<()>,
}

impl Vault {
    /// A vault with this key file and these references.
    pub fn new(key_file: PathBuf, references: BTreeMap<String, SecretEntry>) -> Self {
        Self {
            references,
            keys: KeyFile::at(key_file),
            engine: Mutex::new(None),
            attached: Condvar::new(),
            owners: Mutex::default(),
            making: Mutex::new(()),
        }
    }

    /// From now on the database is reached through this engine; `None` when it is closed.
    pub fn attach(&self, engine: Option<Engine>) {
        *self.engine.lock() = engine;
        self.attached.notify_all();
    }

    // A run that is taken up at the very start may ask before the engine is attached.
    fn engine(&self) -> Result<Engine, Problem> {
        let mut engine = self.engine.lock();
        if engine.is_none() {
            self.attached.wait_for(&mut engine, Duration::from_secs(5));
        }
        engine.clone().ok_or_else(|| Problem::new(Code::Storage, "the database of secrets isn't open").retryable())
    }

    /// The engine that the database is reached through.
    pub fn attached(&self) -> Result<Engine, Problem> {
        self.engine()
    }

    /// Whether there is a secret of this name that scripts may be given.
    pub fn knows(&self, name: &str) -> Result<bool, Problem> {
        if is_own(name) {
            return Ok(false);
        }
        Ok(self.references.contains_key(name) || self.engine()?.sealed_secret(name)?.is_some())
    }

    /// What the database keeps now: differs when a value does.
    pub fn revision(&self) -> Result<Revision, Problem> {
        Ok(self.engine()?.secrets()?.into_iter().map(|secret| (secret.name, secret.updated_at_ms)).collect())
    }

    /// Keeps a value, and where it may go; committed through a handle that may carry an entry of the audit log.
    pub fn set_through(
        &self,
        through: &Engine,
        name: &str,
        value: &str,
        destinations: &[String],
    ) -> Result<(), Problem> {
        check_name(name)?;
        let (most, whose) = match secret_owner(name) {
            PLATFORM => (VALUE_BYTES, "a secret"),
            _ => (ORGANISATIONS_BYTES, "an organisation's secret"),
        };
        if value.is_empty() || value.len() > most {
            return Err(Problem::new(Code::InvalidInput, format!("{whose} has 1 to {most} bytes")));
        }
        if value.chars().count() < SHORTEST_CHARS {
            let message = format!("the secret `{name}` has fewer than {SHORTEST_CHARS} characters");
            return Err(Problem::new(Code::InvalidInput, message).help(
                "so short a text is in everything, and couldn't be taken out of logs and results; choose a longer one",
            ));
        }
        let owner = secret_owner(name);
        if owner != PLATFORM && value.eq_ignore_ascii_case(owner) {
            let message =
                format!("the value of the secret `{name}` is the name of its organisation, which is no secret");
            return Err(Problem::new(Code::InvalidInput, message)
                .help("values are taken out of all that the organisation's runs show; choose another one"));
        }
        if let Some(entry) = self.references.get(name) {
            let message = format!("the secret `{name}` is kept elsewhere ({}), as windlass.toml says", entry.from);
            return Err(Problem::new(Code::Conflict, message).help("change it there, or remove the entry"));
        }
        self.keep(through, name, value, destinations)
    }

    /// Keeps a value of ours: its name isn't looked at.
    pub(super) fn keep_own(&self, name: &str, value: &str) -> Result<(), Problem> {
        self.keep(&self.engine()?, name, value, &[])
    }

    fn keep(&self, through: &Engine, name: &str, value: &str, destinations: &[String]) -> Result<(), Problem> {
        let changing = self.keys.change()?;
        let keys = self.keys.read_or_create(&changing)?;
        let policy = json!({ "to": destinations }).to_string();
        let sealed = seal::seal(current(&keys)?, name, &policy, value)?;
        through.put_secret(name, sealed, policy)
    }

    /// Removes a value, committed through a handle that may carry an entry of the audit log.
    pub fn remove_through(&self, through: &Engine, name: &str) -> Result<(), Problem> {
        check_name(name)?;
        let _changing = self.keys.change()?;
        if through.sealed_secret(name)?.is_none() {
            return Err(secret_not_found(name));
        }
        through.delete_secret(name)
    }

    /// Does what removes values in a commit of its own, while nobody else keeps or removes one.
    pub fn removing(&self, work: &mut dyn FnMut() -> Result<(), Problem>) -> Result<(), Problem> {
        let _changing = self.keys.change()?;
        work()
    }

    /// Every secret: name, where it is kept, where it may go.
    pub fn list(&self) -> Result<Vec<Value>, Problem> {
        let kept = self.engine()?.secrets()?.into_iter().filter(|secret| !is_own(&secret.name)).map(|secret| {
            json!({ "name": secret.name, "kept": "database", "to": secret.policy["to"],
                    "created_at_ms": secret.created_at_ms, "updated_at_ms": secret.updated_at_ms })
        });
        let elsewhere =
            self.references.iter().map(|(name, entry)| json!({ "name": name, "kept": entry.from, "to": entry.to }));
        let mut all: Vec<Value> = kept.chain(elsewhere).collect();
        all.sort_by_key(|secret| secret["name"].to_string());
        Ok(all)
    }

    /// Encrypts everything with a new key; how many values. Cut off at any point, it leaves every value readable, and the
    /// next rotation completes it. Each is committed through a handle of its own, with its entry of the audit log.
    pub fn rotate(&self, through: impl Fn(&str) -> Result<Engine, Problem>) -> Result<usize, Problem> {
        let changing = self.keys.change()?;
        let engine = self.engine()?;
        let mut keys = self.keys.read()?;
        keys.insert(0, Key::generate());
        self.keys.write(&keys, &changing)?;
        let all = engine.secrets()?;
        for secret in &all {
            let Some((sealed, policy)) = engine.sealed_secret(&secret.name)? else { continue };
            let value = seal::open(&keys, &secret.name, &policy, &sealed)?;
            let sealed = seal::seal(current(&keys)?, &secret.name, &policy, &value)?;
            through(&secret.name)?.put_secret(&secret.name, sealed, policy)?;
        }
        keys.truncate(1);
        self.keys.write(&keys, &changing)?;
        Ok(all.len())
    }
}

/// Whose a run is, for ever: it is asked before every change of something that may be others'.
impl Organisations for Vault {
    fn of(&self, run: &RunId) -> Result<String, Problem> {
        if let Some(known) = self.owners.lock().get(run) {
            return Ok(known.clone());
        }
        let absent = || Problem::new(Code::RunNotFound, format!("there is no run {run}")).no_effect();
        let organisation = self.engine()?.run(run)?.ok_or_else(absent)?.organisation;
        let mut owners = self.owners.lock();
        if owners.len() >= OWNERS {
            owners.clear();
        }
        owners.insert(run.clone(), organisation.clone());
        Ok(organisation)
    }

    fn is_unknown(&self, run: &RunId) -> bool {
        self.engine().and_then(|engine| engine.run(run)).is_ok_and(|found| found.is_none())
    }

    fn fate(&self, run: &RunId) -> Result<Fate, Problem> {
        let engine = self.engine()?;
        Ok(match engine.run(run)?.map(|run| run.state) {
            None => unknown(run, engine.now_ms(), engine.retention_ms()),
            Some(RunState::Succeeded) => Fate::Completed,
            // Until an operator says what is to be done, nothing executes it.
            Some(state) if state.is_ended() || state == RunState::RollbackStuck => Fate::Left,
            Some(_) => Fate::Open,
        })
    }
}

/// What is taken for the fate of a run that the database doesn't have. Runs are forgotten once they have ended and
/// `engine.retention` is over; one that is younger was never here, and may be under way elsewhere.
fn unknown(run: &RunId, now_ms: i64, retention_ms: i64) -> Fate {
    match run.launched_at_ms() {
        Some(launched) if launched < now_ms.saturating_sub(retention_ms) => Fate::Completed,
        _ => Fate::Open,
    }
}

impl SecretSource for Vault {
    fn get(&self, name: &str) -> Result<Zeroizing<String>, Problem> {
        if let Some(entry) = self.references.get(name) {
            return references::resolve(name, &entry.from);
        }
        let engine = self.engine()?;
        let read = || -> Result<_, Problem> {
            let (sealed, policy) = engine.sealed_secret(name)?.ok_or_else(|| secret_not_found(name))?;
            seal::open(&self.keys.read()?, name, &policy, &sealed)
        };
        // A rotation in another process may have come between the two reads.
        read().or_else(|problem| if problem.code == Code::SecretNotFound { Err(problem) } else { read() })
    }

    fn policy(&self, name: &str) -> Result<SecretPolicy, Problem> {
        if let Some(entry) = self.references.get(name) {
            return Ok(SecretPolicy { destinations: entry.to.clone() });
        }
        let (_, policy) = self.engine()?.sealed_secret(name)?.ok_or_else(|| secret_not_found(name))?;
        let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
        let destinations = policy["to"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(SecretPolicy { destinations: destinations.map(str::to_owned).collect() })
    }

    fn admits(&self, name: &str, run: &RunId) -> Result<(), Problem> {
        let mut parts = name.split('/');
        let (Some("registrar" | "made" | "orgs"), Some(second)) = (parts.next(), parts.next()) else { return Ok(()) };
        let of = if parts.next().is_some() { second } else { PLATFORM };
        let own = self.of(run)?;
        if of == own {
            return Ok(());
        }
        Err(Problem::new(Code::SecretMisuse, format!("the secret `{name}` isn't for runs of the organisation `{own}`"))
            .help(format!("its own are called `orgs/{own}/…`, `registrar/{own}/…` and `made/{own}/…`; those without an organisation in their names are the platform's"))
            .data(json!({ "reason": "organisation" }))
            .no_effect())
    }

    fn is_foreign(&self, name: &str) -> bool {
        windlass_api::claims::is_returned(name)
    }

    fn owner(&self, name: &str) -> String {
        secret_owner(name).to_owned()
    }

    fn organisation(&self, run: &RunId) -> Result<String, Problem> {
        match self.of(run) {
            // A rehearsal's: it is in no database.
            Err(problem) if problem.code == Code::RunNotFound => Ok(PLATFORM.to_owned()),
            known => known,
        }
    }

    // Asked before the database is there, it tells those that are kept elsewhere: `Discreet` asks again.
    fn all(&self) -> Vec<Held> {
        let elsewhere =
            self.references.iter().map(|(name, entry)| (name.clone(), references::resolve(name, &entry.from)));
        let stored = self.engine.lock().as_ref().and_then(|engine| engine.secrets().ok()).unwrap_or_default();
        let stored = stored.into_iter().filter(|secret| !self.is_foreign(&secret.name));
        let stored = stored.map(|secret| (secret.name.clone(), self.get(&secret.name)));
        elsewhere.chain(stored).filter_map(|(name, value)| readable(self.owner(&name), &name, value)).collect()
    }
}

/// One that can't be read is left out, and said so: it can't be shown either.
fn readable(owner: String, name: &str, value: Result<Zeroizing<String>, Problem>) -> Option<Held> {
    let value = value.inspect_err(|problem| tracing::info!(%problem, "the secret `{name}` can't be read")).ok()?;
    Some(Held { owner, value })
}

fn current(keys: &[Key]) -> Result<&Key, Problem> {
    keys.first().ok_or_else(|| Problem::new(Code::Storage, "there is no key to encrypt secrets with"))
}

/// Refuses what can't be a secret's name.
pub fn check_name(name: &str) -> Result<(), Problem> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    if name.is_empty() || name.len() > 128 || !name.bytes().all(known) {
        return Err(Problem::new(Code::Usage, format!("`{name}` can't be a secret's name"))
            .help("up to 128 letters, digits and `_-./`"));
    }
    if is_own(name) {
        let message = format!("`{name}` is kept for the server itself: names of yours don't begin with `windlass.`");
        return Err(Problem::new(Code::Usage, message).help("choose another name"));
    }
    Ok(())
}

/// Whether a secret is the server's own. What it seals can't be read without it, so nobody else may set or remove it.
fn is_own(name: &str) -> bool {
    name.starts_with("windlass.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_not_known_has_completed_only_if_it_could_be_forgotten_by_now() {
        let run = RunId::from("01arz3ndektsv4rrffq69g5fav");
        let launched = run.launched_at_ms().unwrap();
        assert_eq!(unknown(&run, launched + 1_000, 1_000), Fate::Open);
        assert_eq!(unknown(&run, launched + 1_001, 1_000), Fate::Completed);
        assert_eq!(unknown(&run, 0, 1_000), Fate::Open, "of the future");
        assert_eq!(unknown(&RunId::from("acme-1"), i64::MAX, 1_000), Fate::Open, "no run id of ours");
    }

    #[test]
    fn names_are_checked() {
        for name in ["hetzner-token", "acme/dns.key", "A_1", "windlass", "acme/windlass.x"] {
            check_name(name).unwrap();
        }
        for name in ["", "a b", "ä", "a\n", "windlass.document-key", "windlass.x", &"x".repeat(129)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
