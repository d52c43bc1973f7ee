//! Hands messages over: one for scripts and for the server's own. Each attempt says whether another one could do better.

use std::{collections::BTreeMap, error::Error as _, sync::Arc, time::Duration};

use windlass_model::{Code, Problem};

use super::{
    Config,
    delivery::{self, Failure, Handed, LONGEST_MS, Refused, plain},
    email::{self, Reveal},
    note::Note,
    shapes::{self, Shaped},
    target::{Entry, Target, Way},
};
use crate::web::{self, Client, Request, SystemLookup};

/// Bytes of an answer that are looked at.
const ANSWER_BYTES: usize = 4 << 10;
/// No service is left alone for longer, whatever it asks.
const LONGEST_PATIENCE_S: f64 = 3_600.0;

/// Whether the message is still to be sent, asked when the connection is there.
pub(super) type Holds = Arc<dyn Fn() -> bool + Send + Sync>;

/// Hands messages over to targets.
pub struct Courier {
    post: Option<Arc<email::Post>>,
    /// Goes where requests of scripts may go.
    outside: Client,
    /// Goes anywhere: for targets that are configured so.
    anywhere: Client,
    targets: BTreeMap<String, Entry>,
    recipients: usize,
}

/// Why a message wasn't delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct Undelivered {
    /// In words.
    pub reason: String,
    /// Whether another attempt may do better.
    pub again: bool,
    /// When the other side wants to hear of us again.
    pub after_ms: Option<u64>,
    /// Whether it may have arrived all the same.
    pub unknown: bool,
    /// Of a mail: whom the server has refused for now. The others have it, or never will.
    pub left: Vec<String>,
    /// What is to be said of those who never will.
    pub remark: String,
}

impl Courier {
    /// With the configured targets. Fails when one of them can't be meant.
    pub fn new(config: &Config, http: &web::Config) -> Result<Self, Problem> {
        config.targets.iter().try_for_each(|(name, entry)| entry.check(name))?;
        let all = web::Config { allow_addresses: vec!["0.0.0.0/0".into(), "::/0".into()], ..http.clone() };
        Ok(Self {
            post: email::post(&config.email)?,
            outside: Client::new(http, Arc::new(SystemLookup))?,
            anywhere: Client::new(&all, Arc::new(SystemLookup))?,
            targets: config.targets.clone(),
            recipients: config.email.recipients,
        })
    }

    /// Refuses a target that can't be meant here, in words.
    pub fn check(&self, target: &Target) -> Result<(), String> {
        target.check()?;
        match target.way == Way::Email && target.to.len() > self.recipients {
            true => {
                Err(format!("a mail goes to {} addresses at most (`hosts.notify.email.recipients`)", self.recipients))
            }
            false => Ok(()),
        }
    }

    pub(super) fn post(&self) -> Option<Arc<email::Post>> {
        self.post.clone()
    }

    /// Targets of the configuration that an organisation may use, by name.
    pub fn configured(&self, organisation: &str) -> impl Iterator<Item = (&str, Way)> {
        let own = self.targets.iter().filter(move |(_, entry)| entry.is_for(organisation));
        own.map(|(name, entry)| (name.as_str(), entry.way))
    }

    /// The configured target of this name, if the organisation may use it; the error says what it lacks.
    pub fn named(&self, organisation: &str, name: &str) -> Option<Result<Target, String>> {
        self.targets.get(name).filter(|entry| entry.is_for(organisation)).map(|entry| entry.read(name))
    }

    /// One attempt, ten seconds at most. `id` is the message's own: receivers know by it what came twice. A mail goes to `only` of the
    /// target's recipients, if there are any: the others have it.
    pub async fn send(
        &self,
        (target, only): (&Target, &[String]),
        note: &Note,
        id: &str,
        reveal: Reveal<'_>,
    ) -> Result<String, Undelivered> {
        let handed = Handed::default();
        let attempt = self.attempt((target, note, id), only, reveal, &handed, Arc::new(|| true));
        let tried = tokio::time::timeout(Duration::from_millis(LONGEST_MS), attempt).await;
        let unknown = handed.is_set();
        let failed = |reason: &str, again, after_ms| {
            let (reason, left, remark) = (plain(reason), Vec::new(), String::new());
            Err(Undelivered { reason, again, after_ms, unknown, left, remark })
        };
        match tried {
            Ok(Ok(refused)) => {
                let told = |refused: &Refused| match refused.is_empty() {
                    true => String::new(),
                    false => plain(&format!("refused, the others have it: {}", delivery::words(refused))),
                };
                let reason = told(&refused);
                let (later, never): (Refused, Refused) = refused.into_iter().partition(|one| one.again);
                let remark = told(&never);
                if later.is_empty() {
                    return Ok(remark);
                }
                let left = later.into_iter().map(|one| one.who).collect();
                Err(Undelivered { reason, again: true, after_ms: None, unknown: false, left, remark })
            }
            Ok(Err(Failure::Again(reason))) => failed(&reason, true, None),
            Ok(Err(Failure::After(asked, reason))) => {
                failed(&reason, true, Some(u64::try_from(asked.as_millis()).unwrap_or(0)))
            }
            // Nobody knows whether it arrived: rather twice than never.
            Ok(Err(Failure::Final(reason))) => failed(&reason, unknown, None),
            Ok(Err(Failure::Stop(problem))) => failed(&problem.message, false, None),
            Err(_) => failed(&format!("no answer within {LONGEST_MS} ms"), true, None),
        }
    }

    pub(super) async fn attempt(
        &self,
        (target, note, id): (&Target, &Note, &str),
        only: &[String],
        reveal: Reveal<'_>,
        handed: &Handed,
        holds: Holds,
    ) -> Result<Refused, Failure> {
        if target.way == Way::Email {
            let post = self.post.as_ref().ok_or_else(|| Failure::Final(email::NO_SERVER.into()))?;
            return post.attempt((&target.to, note, id), only, reveal, handed, &|| holds()).await;
        }
        let now_s = jiff::Timestamp::now().as_second();
        let shaped = shapes::shape(target, note, id, now_s).map_err(Failure::Final)?;
        let host = shaped.url.host_str().unwrap_or_default().to_owned();
        let client = if target.private { &self.anywhere } else { &self.outside };
        let leaving = handed.clone();
        let request = request(shaped);
        let watched: Holds = Arc::new(move || {
            let goes = holds();
            leaving.set(goes);
            goes
        });
        let response = client.deliver(watched, &request).await.map_err(|problem| failed(problem, handed))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Refused::new());
        }
        // An answer that isn't yes: nobody has it.
        handed.set(false);
        let asked = patience(response.headers());
        let text = beginning(response).await;
        let asked = asked.or_else(|| serde_json::from_str::<serde_json::Value>(&text).ok()?["retry_after"].as_f64());
        let reason = format!("{host}: {status} {}", text.trim());
        match status.as_u16() {
            429 | 503 if asked.is_some() => {
                let seconds = asked.unwrap_or(0.0).clamp(0.0, LONGEST_PATIENCE_S);
                Err(Failure::After(Duration::from_secs_f64(seconds), reason))
            }
            408 | 425 | 429 | 500..=599 => Err(Failure::Again(reason)),
            _ => Err(Failure::Final(reason)),
        }
    }
}

fn request(shaped: Shaped) -> Request {
    let mut headers = shaped.headers;
    // A kept connection that the other side has given up couldn't be told from a message that got lost.
    headers.insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    Request {
        verb: "notify".into(),
        method: http::Method::POST,
        url: shaped.url,
        headers,
        body: Some(shaped.body),
        timeout: Duration::from_millis(LONGEST_MS),
        redirects: false,
        answer_bytes: ANSWER_BYTES,
        expect: None,
        repeatable: false,
    }
}

fn failed(problem: Problem, handed: &Handed) -> Failure {
    match problem.code {
        Code::LeaseLost => Failure::Stop(problem),
        _ if handed.is_set() => Failure::Final(format!("{}: whether it arrived isn't known", problem.message)),
        _ if problem.no_effect && !problem.retryable => Failure::Final(problem.message),
        _ => Failure::Again(problem.message),
    }
}

/// Seconds of `Retry-After`, where they are given as such.
fn patience(headers: &http::HeaderMap) -> Option<f64> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
}

async fn beginning(mut response: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES - bytes.len())]),
            Ok(None) => break,
            Err(error) => {
                tracing::debug!(error = error.source().map(ToString::to_string), "an answer broke off");
                break;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
