//! Claims, as scripts make them: the words in the vault, the rest where the API finds it.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::RngCore as _;
use serde_json::{Value, json};
use windlass_api::claims::{self, NewClaim};
use windlass_hosts::{
    claim::{Claims, Offer, Offered, Step},
    owner::{self, Fate, Organisations as _},
};
use windlass_model::{
    Code, Problem, RunId,
    document::{Change, Expected},
};
use windlass_script::{SecretPolicy, SecretSource};
use zeroize::Zeroizing;

use crate::vault::{Vault, check_name};

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

    /// Notes that this step makes the secret, or takes what a run has left that executes no more; whether it is this step's.
    fn note(&self, organisation: &str, secret: &str, key: &str) -> Result<bool, Problem> {
        let engine = self.vault.attached()?;
        let maker = engine.document(MAKER, secret)?;
        if let Some(maker) = maker.as_ref().filter(|maker| maker.body["removing"] == true) {
            // A run that goes on completes what it has begun to remove; for any other one it is completed here.
            let remover = RunId::from(maker.body["by_run"].as_str().unwrap_or_default());
            if self.vault.fate(&remover)? != Fate::Open {
                self.take_away(organisation, secret, maker.version)?;
            }
            return Err(meanwhile(secret));
        }
        if let Some(maker) = &maker {
            let by = maker.body["key"].as_str().unwrap_or_default();
            if by == key {
                return Ok(true);
            }
            // What a run has left is this step's from now on: the old one's undo doesn't take it away from under it.
            if self.vault.fate(&owner::run_of(by))? != Fate::Left {
                return Ok(false);
            }
        } else if self.vault.get(secret).is_ok() {
            return Ok(false);
        }
        let expected = maker.map_or(Expected::Absent, |maker| Expected::Version(maker.version));
        match engine.change(vec![maker_put(organisation, secret, json!({ "key": key }), expected)]) {
            Err(problem) if is_another_version(&problem) => Err(meanwhile(secret)),
            other => other.map(|_| true),
        }
    }

    /// Removes a secret with the note of who has made it, which has this version and says that it is being removed: nobody
    /// takes it over any more.
    fn take_away(&self, organisation: &str, secret: &str, version: i64) -> Result<(), Problem> {
        let engine = self.vault.attached()?;
        self.remove(secret)?;
        if let Some(claim) = secret.strip_prefix(&word_of(organisation, "")) {
            claims::clear(&engine, organisation, claim)?;
        }
        let expected = Expected::Version(version);
        match engine.change(vec![Change::Delete { kind: MAKER.into(), id: secret.to_owned(), expected }]) {
            // Another one has completed the removal.
            Err(problem) if is_another_version(&problem) => Ok(()),
            other => other.map(drop),
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

/// A note of who has made a secret.
fn maker_put(organisation: &str, secret: &str, body: Value, expected: Expected) -> Change {
    Change::Put {
        kind: MAKER.into(),
        id: secret.to_owned(),
        organisation: organisation.to_owned(),
        body,
        keys: Vec::new(),
        expires_at_ms: None,
        expected,
    }
}

fn is_another_version(problem: &Problem) -> bool {
    matches!(problem.code, Code::Conflict | Code::PreconditionFailed)
}

/// Another step makes or removes the secret just now: looked at once more, it is decided anew.
fn meanwhile(secret: &str) -> Problem {
    let message = format!("the secret `{secret}` is made or removed by another run at this moment");
    Problem::new(Code::Unavailable, message).retryable().no_effect()
}

/// It was made once, its maker's run stands by it, and the value is gone: a new one would be another one.
fn gone(secret: &str) -> Problem {
    let message = format!("the secret `{secret}` isn't among the secrets any more, though an earlier run has made it");
    Problem::new(Code::SecretNotFound, message)
        .help("somebody has removed it, and what was set up with it still has the old value: set it again with `windlass secrets set`, or take back what needs it, and begin anew")
        .data(json!({ "secret": secret }))
        .no_effect()
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

/// The secret that is a claim's word. Scripts choose no name that begins with a dot.
fn word_of(organisation: &str, claim: &str) -> String {
    made(organisation, &format!(".word/{claim}"))
}

/// Refuses an address that no machine may be sent to: whoever listens on the way would have the word and all that is fetched.
fn check_address(url: &str) -> Result<(), Problem> {
    let wrong = |what: &str| {
        Problem::new(Code::Configuration, format!("machines can't be sent to {url} for their secrets: {what}"))
            .help(
                "set `server.public_url` to the https address at which machines reach this server, and `server.tls_cert` \
                 or a proxy that ends TLS; only on loopback it may be http",
            )
            .no_effect()
    };
    let parsed = reqwest::Url::parse(url).map_err(|_| wrong("it isn't a URL"))?;
    let host = parsed.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|address| address.to_canonical());
    let loopback = address.map_or(host == "localhost", |address| address.is_loopback());
    let unspecified = address.is_some_and(|address| address.is_unspecified());
    match parsed.scheme() {
        _ if unspecified => Err(wrong("it is every address of this machine, and none that others reach")),
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        _ => Err(wrong("everything would cross the network readable")),
    }
}

/// Refuses a claim whose secrets couldn't be kept under their names once they are there.
fn check_names(organisation: &str, offer: &Offer) -> Result<(), Problem> {
    let returned = offer.returns.iter().map(|name| claims::returned(organisation, &offer.name, name));
    for secret in returned.chain([word_of(organisation, &offer.name)]) {
        check_name(&secret).map_err(|_| {
            let message = format!("`{}` is too long: the secret `{secret}` couldn't be kept", offer.name);
            Problem::new(Code::InvalidArgument, message)
                .help("a secret's name has at most 128 characters; give the claim, or what it returns, a shorter one")
                .no_effect()
        })?;
    }
    Ok(())
}

impl Claims for Book {
    fn generate(&self, step: &Step<'_>, name: &str, bytes: usize, to: &[String]) -> Result<(String, bool), Problem> {
        let organisation = self.organisation(step.run)?;
        if name.starts_with('.') {
            let message = format!("`{name}` can't be generated: names that begin with a dot are kept for claims");
            return Err(Problem::new(Code::InvalidArgument, message).no_effect());
        }
        let secret = made(&organisation, name);
        let ours = self.note(&organisation, &secret, step.key)?;
        match ours {
            true => self.make(&secret, bytes, to).map(drop)?,
            false if !self.vault.knows(&secret)? => return Err(gone(&secret)),
            false => {}
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
        let Some(maker) = maker else {
            self.remove(&secret)?;
            return match name.strip_prefix(".word/") {
                Some(claim) => claims::clear(&engine, &organisation, claim),
                None => Ok(()),
            };
        };
        // First nobody may take it over any more: otherwise it could go under a run that has just done so.
        let body = json!({ "key": maker.body["key"], "removing": true, "by_run": run });
        match engine.change(vec![maker_put(&organisation, &secret, body, Expected::Version(maker.version))]) {
            Err(problem) if is_another_version(&problem) => Err(meanwhile(&secret)),
            Err(problem) => Err(problem),
            Ok(versions) => self.take_away(&organisation, &secret, versions.first().copied().unwrap_or_default()),
        }
    }

    fn returned(&self, run: &RunId, claim: &str, name: &str) -> Result<Option<String>, Problem> {
        let secret = claims::returned(&self.organisation(run)?, claim, name);
        Ok(self.vault.knows(&secret)?.then_some(secret))
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
        check_address(url)?;
        let organisation = self.organisation(&offer.run)?;
        check_names(&organisation, offer)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_sent_to_https_or_to_loopback_and_never_to_every_address() {
        for good in [
            "https://windlass.example.net",
            "https://192.0.2.1:7070",
            "http://127.0.0.1:7070",
            "http://127.9.9.9:1",
            "http://[::1]:7070",
            "http://localhost:7070",
            "https://127.0.0.1:7070",
        ] {
            check_address(good).unwrap();
        }
        for bad in [
            "http://0.0.0.0:7070",
            "https://0.0.0.0:7070",
            "http://[::]:7070",
            "https://[::ffff:0.0.0.0]:7070",
            "http://192.0.2.1:7070",
            "http://windlass.example.net",
            "http://localhost.example.net",
            "http://127.0.0.1.example.net",
            "ftp://127.0.0.1/",
            "nothing",
        ] {
            let problem = check_address(bad).unwrap_err();
            assert_eq!((problem.code, problem.no_effect), (Code::Configuration, true), "{bad}");
            assert!(problem.help.is_some_and(|help| help.contains("server.public_url")), "{bad}");
        }
    }

    fn offer(name: &str, returns: &[&str]) -> Offer {
        Offer {
            name: name.into(),
            run: "r".into(),
            key: "k".into(),
            values: Default::default(),
            returns: returns.iter().map(ToString::to_string).collect(),
            returns_to: Vec::new(),
            signal: "s".into(),
            word_to: Vec::new(),
            open_ms: 1,
        }
    }

    #[test]
    fn words_and_what_comes_back_are_called_differently_whatever_scripts_choose() {
        let (word, other) = (word_of("acme", "a/b"), claims::returned("acme", "a", "b"));
        assert_ne!(word, other);
        let scripts = made("acme", "claims/a/b");
        assert!(scripts != word && scripts != other);
        assert!(claims::is_returned(&other) && !claims::is_returned(&word) && !claims::is_returned(&scripts));
        assert!(!claims::is_returned("made/acme/x/.returned/a/b") && !claims::is_returned("acme/.returned/a"));
    }

    #[test]
    fn what_could_not_be_kept_later_is_not_offered() {
        check_names("acme", &offer("cp-1", &["kubeconfig"])).unwrap();
        let name = "n".repeat(90);
        check_names("acme", &offer(&name, &["kubeconfig"])).unwrap();
        for (organisation, returns) in [("o".repeat(40), &[][..]), ("acme".into(), &["kubeconfig-of-the-first-one"])] {
            let problem = check_names(&organisation, &offer(&name, returns)).unwrap_err();
            assert_eq!(problem.code, Code::InvalidArgument, "{problem:?}");
        }
    }
}
