//! Claims, as scripts make them: the words in the vault, the rest where the API finds it.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::RngCore as _;
use serde_json::json;
use windlass_api::claims::{self, NewClaim};
use windlass_hosts::claim::{Claims, Offer, Offered, Step};
use windlass_model::{
    Code, Problem, RunId,
    document::{Change, Expected},
};
use windlass_script::{SecretPolicy, SecretSource};
use zeroize::Zeroizing;

use crate::vault::Vault;

/// How long a process may take until it serves its API.
const LISTENS_WITHIN: Duration = Duration::from_secs(15);
/// The kind of document that says which step has made a secret.
const MAKER: &str = "made-secret";

/// The book of one process.
pub struct Book {
    vault: Arc<Vault>,
    /// Where the API of this process is, once it is served.
    url: Arc<OnceLock<String>>,
}

impl Book {
    /// Of this vault; `url` is known once an API is served.
    pub fn new(vault: Arc<Vault>, url: Arc<OnceLock<String>>) -> Self {
        Self { vault, url }
    }

    fn organisation(&self, run: &RunId) -> Result<String, Problem> {
        let found = self.vault.attached()?.run(run)?;
        let absent = || Problem::new(Code::RunNotFound, format!("there is no run {run}")).no_effect();
        found.map(|run| run.organisation).ok_or_else(absent)
    }

    /// Where the API is. A server that was started again goes on with its runs a moment before it listens.
    fn served_at(&self) -> Option<&String> {
        let until = Instant::now() + LISTENS_WITHIN;
        while self.url.get().is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.url.get()
    }

    /// Notes that this step makes the secret, unless it is there; whether it is this step's.
    fn note(&self, organisation: &str, secret: &str, key: &str) -> Result<bool, Problem> {
        let engine = self.vault.attached()?;
        if let Some(maker) = engine.document(MAKER, secret)? {
            return Ok(maker.body["key"] == key);
        }
        if self.vault.get(secret).is_ok() {
            return Ok(false);
        }
        let noted = engine.change(vec![Change::Put {
            kind: MAKER.into(),
            id: secret.to_owned(),
            organisation: organisation.to_owned(),
            body: json!({ "key": key }),
            keys: Vec::new(),
            expires_at_ms: None,
            expected: Expected::Absent,
        }]);
        match noted {
            Err(problem) if problem.code == Code::Conflict => Ok(false),
            other => other.map(|_| true),
        }
    }

    fn make(&self, name: &str, bytes: usize, to: &[String]) -> Result<bool, Problem> {
        match self.vault.get(name) {
            Ok(_) => return Ok(false),
            Err(problem) if problem.code == Code::SecretNotFound => {}
            Err(problem) => return Err(problem),
        }
        let mut random = Zeroizing::new(vec![0; bytes]);
        rand::rng().fill_bytes(&mut random);
        let value = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(&*random));
        self.vault.set_through(&self.vault.attached()?, name, &value, to)?;
        Ok(true)
    }

    fn remove(&self, name: &str) -> Result<(), Problem> {
        match self.vault.remove_through(&self.vault.attached()?, name) {
            Err(problem) if problem.code == Code::SecretNotFound => Ok(()),
            other => other,
        }
    }
}

/// Secrets of a rehearsal: what a run would have made stands in for itself.
pub struct StandIns<S>(pub S);

impl<S: SecretSource> SecretSource for StandIns<S> {
    fn get(&self, name: &str) -> Result<Zeroizing<String>, Problem> {
        match self.0.get(name) {
            Err(_) if name.starts_with("made/") => Ok(Zeroizing::new(format!("stand-in for {name}"))),
            known => known,
        }
    }

    fn policy(&self, name: &str) -> Result<SecretPolicy, Problem> {
        match self.0.policy(name) {
            Err(_) if name.starts_with("made/") => Ok(SecretPolicy::anywhere()),
            known => known,
        }
    }
}

/// What a secret is called that was made for an organisation: no other one comes by it under the same name, and none that
/// somebody has set is ever replaced.
fn made(organisation: &str, name: &str) -> String {
    format!("made/{organisation}/{name}")
}

/// The secret that is a claim's word.
fn word_of(organisation: &str, claim: &str) -> String {
    made(organisation, &format!("claims/{claim}"))
}

impl Claims for Book {
    fn generate(&self, step: &Step<'_>, name: &str, bytes: usize, to: &[String]) -> Result<(String, bool), Problem> {
        let organisation = self.organisation(step.run)?;
        let secret = made(&organisation, name);
        let ours = self.note(&organisation, &secret, step.key)?;
        if ours {
            self.make(&secret, bytes, to)?;
        }
        Ok((secret, ours))
    }

    fn forget(&self, run: &RunId, name: &str, by: Option<&str>) -> Result<(), Problem> {
        let (engine, organisation) = (self.vault.attached()?, self.organisation(run)?);
        let secret = made(&organisation, name);
        let maker = engine.document(MAKER, &secret)?;
        if by.is_some_and(|by| maker.as_ref().is_none_or(|maker| maker.body["key"] != by)) {
            return Ok(());
        }
        self.remove(&secret)?;
        if let Some(claim) = name.strip_prefix("claims/") {
            claims::clear(&engine, &organisation, claim)?;
        }
        if maker.is_some() {
            engine.change(vec![Change::Delete { kind: MAKER.into(), id: secret, expected: Expected::Any }])?;
        }
        Ok(())
    }

    fn offer(&self, offer: &Offer) -> Result<Offered, Problem> {
        let Some(url) = self.served_at() else {
            return Err(Problem::new(
                Code::Unavailable,
                "this process serves no API, so no machine could ask for a claim",
            )
            .help("launch the run at a server: `windlass serve`, or `windlass run --server`")
            .no_effect());
        };
        let organisation = self.organisation(&offer.run)?;
        let word = word_of(&organisation, &offer.name);
        if !claims::is_ours(&self.vault.attached()?, &organisation, &offer.name, &offer.key)? {
            // One of an earlier claim may be known to whoever saw what its machine was booted with.
            self.remove(&word)?;
        }
        self.make(&word, 32, &offer.word_to)?;
        let id = claims::offer(
            &self.vault.attached()?,
            |context, plain| self.vault.seal_text(context, plain),
            &NewClaim {
                name: offer.name.clone(),
                organisation,
                run: offer.run.clone(),
                key: offer.key.clone(),
                values: offer.values.iter().map(|(key, value)| (key.clone(), value.to_string())).collect(),
                word: self.vault.get(&word)?.to_string(),
                returns: offer.returns.clone(),
                returns_to: offer.returns_to.clone(),
                signal: offer.signal.clone(),
                open_ms: offer.open_ms,
            },
        )?;
        Ok(Offered { url: format!("{url}/api/v1/claims/{id}"), id, word })
    }

    fn withdraw(&self, name: &str, run: &RunId, by: Option<&str>) -> Result<(), Problem> {
        let engine = self.vault.attached()?;
        let organisation = self.organisation(run)?;
        if let Some(step) = by
            && claims::is_anothers(&engine, &organisation, name, step)?
        {
            return Ok(());
        }
        let returns = claims::returns(&engine, &organisation, name, run)?;
        let forget = || {
            let mut secrets = returns.iter().map(|returned| claims::returned(&organisation, name, returned));
            secrets.try_for_each(|secret| self.remove(&secret))
        };
        // Before the claim goes: it alone says what came back. And after it: until then the machine could still report.
        forget()?;
        if claims::withdraw(&engine, &organisation, name, run)? {
            forget()?;
        }
        self.remove(&word_of(&organisation, name))
    }
}
