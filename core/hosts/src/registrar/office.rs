//! What all calls of all plugins share: the HTTP client, compiled scripts, and how much each plugin was used lately.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use url::Url;
use windlass_model::{Code, Problem};
use windlass_script::plugin::{Program, Refusal};

use super::{Config, Source};
use crate::web::{self, Client, Lookup};

const MINUTE: Duration = Duration::from_secs(60);
/// Scripts that are kept compiled.
const PROGRAMS: usize = 64;
/// Seeds whose last time step is remembered.
const SEEDS: usize = 1_024;
/// Seconds that a one-time password is shown.
const TOTP_SECONDS: u64 = 30;
const POLL: Duration = Duration::from_millis(20);
/// Accounts whose use is remembered, before those that are quiet are forgotten.
const ACCOUNTS: usize = 1_024;
/// What one host is sent by all accounts together: requests a minute, and at the same time. Registrars count by our address,
/// too.
const HOST_PER_MINUTE: usize = 1_200;
const HOST_AT_ONCE: usize = 32;

/// Shared by all calls of a process.
pub struct Office {
    pub(super) client: Client,
    programs: Mutex<HashMap<String, Arc<Program>>>,
    used: Mutex<HashMap<Account, Used>>,
    hosts: Mutex<HashMap<String, Host>>,
    steps: Mutex<HashMap<blake3::Hash, u64>>,
}

/// Whose use of which plugin: an organisation's sources with one set of credentials. What a registrar asks of one account, or
/// what one uses up, is nothing to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Account(blake3::Hash);

impl Account {
    /// `credentials` are as a script names them: secrets by their names, which mean the same within an organisation.
    pub fn of(organisation: &str, source: &Source, credentials: &BTreeMap<String, Value>) -> Self {
        let all = json!([organisation, source.name, source.digest, credentials]);
        Self(blake3::hash(all.to_string().as_bytes()))
    }
}

/// How much an account was used.
#[derive(Default)]
struct Used {
    running: u64,
    sent: Sent,
    /// Until when the provider has asked to be left alone.
    patience: Option<Instant>,
}

/// How much a host was sent.
#[derive(Default)]
struct Host {
    under_way: usize,
    sent: Sent,
}

/// Requests of the last minute.
#[derive(Default)]
struct Sent(VecDeque<Instant>);

impl Sent {
    /// How long until another one fits, if at most so many are sent a minute.
    fn full_for(&mut self, most: usize) -> Option<Duration> {
        while self.0.front().is_some_and(|first| first.elapsed() >= MINUTE) {
            self.0.pop_front();
        }
        self.0.front().filter(|_| self.0.len() >= most).map(|first| MINUTE.saturating_sub(first.elapsed()))
    }
}

/// A call that is under way; counted until it is dropped.
pub(super) struct Place<'a> {
    office: &'a Office,
    account: Account,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(used) = self.office.used.lock().get_mut(&self.account) {
            used.running = used.running.saturating_sub(1);
        }
    }
}

/// A request that is under way; counted until it is dropped.
pub(super) struct Sending<'a> {
    office: &'a Office,
    host: String,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if let Some(host) = self.office.hosts.lock().get_mut(&self.host) {
            host.under_way = host.under_way.saturating_sub(1);
        }
    }
}

impl Used {
    /// Whether anything of it still counts.
    fn is_alive(&self) -> bool {
        let recent = self.sent.0.back().is_some_and(|last| last.elapsed() < MINUTE);
        self.running > 0 || recent || self.patience.is_some_and(|until| until > Instant::now())
    }
}

fn limited(source: &Source, reason: &str, pause: Duration) -> Problem {
    Refusal::RateLimited.problem(&source.name, reason, &json!({ "retry_after": pause.as_secs() + 1 }))
}

type Wait<'a> = &'a dyn Fn(Duration) -> Result<(), Problem>;

impl Office {
    /// With this configuration; names are looked up by `lookup`.
    pub fn new(config: &Config, http: &web::Config, lookup: Arc<dyn Lookup>) -> Result<Self, Problem> {
        let mut instead = HashMap::new();
        for (host, place) in &config.endpoints {
            let url = Url::parse(place).ok().filter(|url| url.host().is_some() && url.path() == "/");
            let url = url.ok_or_else(|| {
                let message =
                    format!("hosts.registrar.endpoints: `{place}` isn't an origin such as http://127.0.0.1:7301");
                Problem::new(Code::Configuration, message)
            })?;
            instead.insert(host.clone(), url);
        }
        let client = Client::new(http, lookup)?.instead(instead);
        let (programs, used, hosts, steps) = (Mutex::default(), Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Self { client, programs, used, hosts, steps })
    }

    pub(super) fn program(&self, source: &Source) -> Result<Arc<Program>, Problem> {
        if let Some(program) = self.programs.lock().get(&source.digest) {
            return Ok(program.clone());
        }
        let program = Arc::new(Program::new(&source.name, &source.script, &source.manifest.capabilities)?);
        let mut programs = self.programs.lock();
        if programs.len() >= PROGRAMS {
            programs.clear();
        }
        programs.insert(source.digest.clone(), program.clone());
        Ok(program)
    }

    /// Takes one of the account's places, when its provider wants to hear of it again. Waits at most `longest`.
    pub(super) fn enter(
        &self,
        source: &Source,
        account: Account,
        longest: Duration,
        wait: Wait<'_>,
    ) -> Result<Place<'_>, Problem> {
        let until = Instant::now() + longest;
        loop {
            let pause = {
                let mut all = self.used.lock();
                if all.len() >= ACCOUNTS {
                    all.retain(|_, used| used.is_alive());
                }
                let used = all.entry(account).or_default();
                let patience = used.patience.map_or(Duration::ZERO, |until| until.duration_since(Instant::now()));
                if patience > until.duration_since(Instant::now()) {
                    let reason = format!("it asked to be left alone for another {} s", patience.as_secs() + 1);
                    return Err(limited(source, &reason, patience).no_effect());
                }
                if patience.is_zero() && used.running < source.manifest.limits.concurrency {
                    used.running += 1;
                    return Ok(Place { office: self, account });
                }
                patience.max(POLL)
            };
            if Instant::now() > until {
                let limit = source.manifest.limits.concurrency;
                let message = format!("{limit} calls of {} are under way, and none ends", source.name);
                return Err(Problem::new(Code::Unavailable, message)
                    .help("The limit is `concurrency`; the plugin's manifest sets it under [limits].")
                    .retryable()
                    .no_effect());
            }
            wait(pause)?;
        }
    }

    /// Counts a request to a host; waits while too many were sent within a minute, but not beyond the end of its call.
    pub(super) fn pace(
        &self,
        source: &Source,
        account: Account,
        host: &str,
        until: Instant,
        wait: Wait<'_>,
    ) -> Result<Sending<'_>, Problem> {
        loop {
            let (pause, most) = {
                let (mut all, mut hosts) = (self.used.lock(), self.hosts.lock());
                let own = usize::try_from(source.manifest.limits.requests_per_minute).unwrap_or(usize::MAX);
                let (used, there) = (all.entry(account).or_default(), hosts.entry(host.to_owned()).or_default());
                match (used.sent.full_for(own), there.sent.full_for(HOST_PER_MINUTE)) {
                    (Some(pause), _) => (pause, format!("{own} requests a minute are sent with these credentials")),
                    (_, Some(pause)) => (pause, format!("{HOST_PER_MINUTE} requests a minute are sent to {host}")),
                    _ if there.under_way >= HOST_AT_ONCE => {
                        (POLL, format!("{HOST_AT_ONCE} requests to {host} are under way"))
                    }
                    _ => {
                        there.under_way += 1;
                        for sent in [&mut used.sent, &mut there.sent] {
                            sent.0.push_back(Instant::now());
                        }
                        return Ok(Sending { office: self, host: host.to_owned() });
                    }
                }
            };
            if Instant::now() + pause > until {
                return Err(limited(source, &format!("{most}, and no more"), pause));
            }
            wait(pause + POLL)?;
        }
    }

    /// Takes note of what the provider has asked of the account.
    pub(super) fn note(&self, account: Account, problem: &Problem) {
        let Some(seconds) = problem.data["retry_after"].as_u64() else { return };
        if Refusal::of(problem) == Some(Refusal::RateLimited) && !problem.no_effect {
            let mut all = self.used.lock();
            let until = Instant::now() + Duration::from_secs(seconds);
            all.entry(account).or_default().patience = Some(until);
        }
    }

    /// Forgets what providers have asked for: simulators are asked on.
    pub(super) fn forget_patience(&self) {
        self.used.lock().values_mut().for_each(|used| {
            used.patience = None;
            used.sent = Sent::default();
        });
        self.hosts.lock().values_mut().for_each(|host| host.sent = Sent::default());
    }

    /// The time step for a one-time password: providers take each once, so the next one is waited for.
    pub(super) fn step(&self, seed: &[u8], wait: Wait<'_>) -> Result<u64, Problem> {
        let key = blake3::hash(seed);
        loop {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let step = now.as_secs() / TOTP_SECONDS;
            {
                let mut steps = self.steps.lock();
                if steps.get(&key).is_none_or(|last| *last < step) {
                    if steps.len() >= SEEDS {
                        steps.clear();
                    }
                    steps.insert(key, step);
                    return Ok(step);
                }
            }
            wait(Duration::from_secs((step + 1) * TOTP_SECONDS).saturating_sub(now))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use windlass_script::plugin::Manifest;

    use super::*;
    use crate::web::SystemLookup;

    const MANIFEST: &str = "id = \"x\"\nversion = \"1\"\napi = 1\nauthor = \"Ann\"\ncapabilities = [\"validate\"]\n\
        [[hosts]]\nhost = \"api.example.net\"\nmethods = [\"GET\"]\npaths = [\"/*\"]\n\
        [limits]\nrequests_per_minute = 2\nconcurrency = 1\n";
    const SOON: Duration = Duration::from_millis(30);

    fn source() -> Source {
        Source {
            name: "registrars/x".into(),
            digest: "d".into(),
            manifest: Manifest::read("registrars/x", MANIFEST).unwrap(),
            script: String::new(),
            fixtures: BTreeMap::new(),
        }
    }

    fn office() -> Office {
        Office::new(&Config::default(), &web::Config::default(), Arc::new(SystemLookup)).unwrap()
    }

    fn account(organisation: &str, key: &str) -> Account {
        Account::of(organisation, &source(), &BTreeMap::from([("key".to_owned(), json!({ "$secret": key }))]))
    }

    fn sleep(time: Duration) -> Result<(), Problem> {
        std::thread::sleep(time);
        Ok(())
    }

    #[test]
    fn what_one_account_is_asked_or_uses_up_is_nothing_to_another() {
        let (office, source) = (office(), source());
        let (a, b, c) = (account("acme", "k"), account("acme", "other"), account("bolt", "k"));
        let busy = Refusal::RateLimited.problem("registrars/x", "", &json!({ "retry_after": 3_600 }));
        office.note(a, &busy);
        let problem = office.enter(&source, a, SOON, &sleep).err().unwrap();
        assert!(Refusal::of(&problem) == Some(Refusal::RateLimited) && problem.no_effect, "{problem:?}");
        let places = [b, c].map(|account| office.enter(&source, account, SOON, &sleep).unwrap());
        assert_eq!(office.enter(&source, b, SOON, &sleep).err().unwrap().code, Code::Unavailable, "one at a time");
        drop(places);
        office.enter(&source, b, SOON, &sleep).unwrap();
        let until = Instant::now() + SOON;
        for account in [b, c] {
            for _ in 0..2 {
                office.pace(&source, account, "api.example.net", until, &sleep).unwrap();
            }
            let begun = Instant::now();
            let problem = office.pace(&source, account, "api.example.net", until, &sleep).err().unwrap();
            assert!(begun.elapsed() < MINUTE / 4, "it doesn't wait beyond the call's end");
            assert!(problem.data["retry_after"].as_u64().is_some_and(|seconds| seconds > 30), "{problem:?}");
        }
    }

    #[test]
    fn a_host_is_not_asked_without_end_by_all_accounts_together() {
        let (office, source) = (office(), source());
        let until = Instant::now() + Duration::from_secs(5);
        let send = |n: usize, host: &str| {
            let own = account("acme", &format!("k{}", n / 2));
            office.pace(&source, own, host, until, &sleep)
        };
        for n in 0..HOST_PER_MINUTE {
            send(n, "api.example.net").unwrap();
        }
        let problem = send(HOST_PER_MINUTE, "api.example.net").err().unwrap();
        assert!(problem.message.contains("are sent to api.example.net"), "{problem:?}");
        send(HOST_PER_MINUTE, "other.example.net").unwrap();
    }
}
