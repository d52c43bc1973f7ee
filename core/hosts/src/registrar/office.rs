//! What all calls of all plugins share: the HTTP client, compiled scripts, and how much each plugin was used lately.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use serde_json::json;
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

/// Shared by all calls of a process.
pub struct Office {
    pub(super) client: Client,
    programs: Mutex<HashMap<String, Arc<Program>>>,
    used: Mutex<HashMap<String, Used>>,
    steps: Mutex<HashMap<blake3::Hash, u64>>,
}

/// How much a plugin was used.
#[derive(Default)]
struct Used {
    running: u64,
    /// Requests of the last minute.
    sent: VecDeque<Instant>,
    /// Until when the provider has asked to be left alone.
    patience: Option<Instant>,
}

/// A call that is under way; counted until it is dropped.
pub(super) struct Place<'a> {
    office: &'a Office,
    plugin: String,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(used) = self.office.used.lock().get_mut(&self.plugin) {
            used.running = used.running.saturating_sub(1);
        }
    }
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
        Ok(Self { client, programs: Mutex::default(), used: Mutex::default(), steps: Mutex::default() })
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

    /// Takes one of the plugin's places, when its provider wants to hear of us again. Waits at most `longest`.
    pub(super) fn enter(&self, source: &Source, longest: Duration, wait: Wait<'_>) -> Result<Place<'_>, Problem> {
        let until = Instant::now() + longest;
        loop {
            let pause = {
                let mut all = self.used.lock();
                let used = all.entry(source.name.clone()).or_default();
                let patience = used.patience.map_or(Duration::ZERO, |until| until.duration_since(Instant::now()));
                if patience > until.duration_since(Instant::now()) {
                    let seconds = patience.as_secs() + 1;
                    let reason = format!("it asked to be left alone for another {seconds} s");
                    let data = json!({ "retry_after": seconds });
                    return Err(Refusal::RateLimited.problem(&source.name, &reason, &data).no_effect());
                }
                if patience.is_zero() && used.running < source.manifest.limits.concurrency {
                    used.running += 1;
                    return Ok(Place { office: self, plugin: source.name.clone() });
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

    /// Counts a request; waits while too many were sent within a minute.
    pub(super) fn pace(&self, source: &Source, wait: Wait<'_>) -> Result<(), Problem> {
        loop {
            let pause = {
                let mut all = self.used.lock();
                let sent = &mut all.entry(source.name.clone()).or_default().sent;
                while sent.front().is_some_and(|first| first.elapsed() >= MINUTE) {
                    sent.pop_front();
                }
                match sent.front() {
                    Some(first) if sent.len() as u64 >= source.manifest.limits.requests_per_minute => {
                        MINUTE.saturating_sub(first.elapsed())
                    }
                    _ => {
                        sent.push_back(Instant::now());
                        return Ok(());
                    }
                }
            };
            wait(pause + POLL)?;
        }
    }

    /// Takes note of what the provider has asked for.
    pub(super) fn note(&self, source: &Source, problem: &Problem) {
        let Some(seconds) = problem.data["retry_after"].as_u64() else { return };
        if Refusal::of(problem) == Some(Refusal::RateLimited) && !problem.no_effect {
            let mut all = self.used.lock();
            let until = Instant::now() + Duration::from_secs(seconds);
            all.entry(source.name.clone()).or_default().patience = Some(until);
        }
    }

    /// Forgets what providers have asked for: simulators are asked on.
    pub(super) fn forget_patience(&self) {
        self.used.lock().values_mut().for_each(|used| {
            used.patience = None;
            used.sent.clear();
        });
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
