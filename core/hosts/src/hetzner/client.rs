//! Sends requests to the provider, for all runs of this process: within the project's budget, in pages, with a bound.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use http::{Method, StatusCode};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::OnceCell;
use windlass_model::{Code, Problem, RunId};
use windlass_script::host::OpCx;
use zeroize::Zeroizing;

use super::{Config, ProjectConfig, Start, arguments::Reference, budget::Budget, marks, poller::Poller, refusal};
use crate::{
    owner::{self, Always, Fate, Organisations, PLATFORM},
    web::provider,
};

/// Bytes of an answer.
const ANSWER: usize = 16 << 20;
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(30);
/// Pages of a list.
const PAGES: usize = 100;
/// Entries of a page.
const PER_PAGE: usize = 50;

/// The provider.
pub(super) struct Cloud {
    place: Place,
    http: reqwest::Client,
    projects: BTreeMap<String, ProjectConfig>,
    organisations: Arc<dyn Organisations>,
    pub(super) poll: Duration,
    /// What all runs on a project share, by the digest of its token.
    shared: Mutex<HashMap<blake3::Hash, Arc<Shared>>>,
}

/// Where it is.
enum Place {
    Real {
        base: String,
        destination: String,
    },
    /// A simulator, with its address and token once it was started.
    Simulated {
        start: Start,
        started: Mutex<Option<(String, String)>>,
    },
}

pub(super) struct Shared {
    budget: Budget,
    poller: Poller,
    /// What the project pays in, once that was asked.
    currency: OnceCell<String>,
}

/// A project, as one call uses it.
#[derive(Clone)]
pub(super) struct Project {
    pub(super) name: Arc<str>,
    pub(super) cloud: Arc<Cloud>,
    base: Arc<str>,
    token: Arc<Zeroizing<String>>,
    shared: Arc<Shared>,
    holds: Arc<dyn Fn() -> bool + Send + Sync>,
    /// The organisation of the run.
    pub(super) organisation: Arc<str>,
    /// Whether a step is taken back: whatever that did, its marks prove it.
    undoes: bool,
}

impl Cloud {
    pub(super) fn new(
        config: &Config,
        http: &crate::web::Config,
        organisations: Arc<dyn Organisations>,
    ) -> Result<Self, Problem> {
        let (base, destination) = provider::base("hosts.hetzner.base_url", &config.base_url)?;
        Ok(Self {
            place: Place::Real { base, destination },
            http: provider::client(http, REQUEST)?,
            projects: config.projects.clone(),
            organisations,
            poll: Duration::from_millis(config.poll_ms.max(1)),
            shared: Mutex::default(),
        })
    }

    /// One that asks a simulator, which is started at the first question.
    pub(super) fn simulated(start: Start) -> Self {
        Self {
            place: Place::Simulated { start, started: Mutex::default() },
            http: provider::client(&crate::web::Config::default(), REQUEST).unwrap_or_default(),
            projects: BTreeMap::new(),
            organisations: Arc::new(Always(PLATFORM)),
            poll: Duration::from_millis(5),
            shared: Mutex::default(),
        }
    }

    /// The secret that the configuration names for a project.
    pub(super) fn secret_of(&self, project: &str) -> Option<&str> {
        self.projects.get(project).map(|project| project.secret.as_str()).filter(|secret| !secret.is_empty())
    }

    /// Refuses a project of the configuration that isn't given to the run's organisation.
    pub(super) fn admit(&self, project: &str, cx: &OpCx) -> Result<(), Problem> {
        let Some(known) = self.projects.get(project).filter(|_| cx.undoes.is_none()) else { return Ok(()) };
        let organisation = self.organisations.of(&cx.run)?;
        if owner::may_use(&known.organisations, &organisation) {
            return Ok(());
        }
        let message = format!("the Hetzner project `{project}` isn't given to the organisation `{organisation}`");
        Err(Problem::new(Code::PermissionDenied, message)
            .help(format!(
                "`organisations` of [hosts.hetzner.projects.{project}] names those that may use it; or give a `token`"
            ))
            .data(serde_json::json!({ "reason": "organisation" }))
            .no_effect())
    }

    /// Whether a token has to be found: a rehearsal has none.
    pub(super) fn needs_token(&self) -> bool {
        matches!(self.place, Place::Real { .. })
    }

    /// What a secret's policy has to allow.
    pub(super) fn destination(&self) -> &str {
        match &self.place {
            Place::Real { destination, .. } => destination,
            Place::Simulated { .. } => "simulator",
        }
    }

    pub(super) fn project(
        self: &Arc<Self>,
        name: &str,
        token: Zeroizing<String>,
        cx: &OpCx,
    ) -> Result<Project, Problem> {
        let (base, token) = match &self.place {
            Place::Real { base, .. } => (base.clone(), token),
            Place::Simulated { start, started } => {
                let mut started = started.lock();
                let (base, token) = match &*started {
                    Some(known) => known.clone(),
                    None => started.insert(start()?).clone(),
                };
                (base, Zeroizing::new(token))
            }
        };
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Problem::new(
                Code::SecretMisuse,
                format!("what is kept as the token of `{name}` can't be one"),
            )
            .no_effect());
        }
        let mut all = self.shared.lock();
        let shared = all.entry(blake3::hash(token.as_bytes())).or_insert_with(|| {
            Arc::new(Shared { budget: Budget::new(), poller: Poller::default(), currency: OnceCell::new() })
        });
        Ok(Project {
            name: name.into(),
            cloud: self.clone(),
            base: base.into(),
            token: Arc::new(token),
            shared: shared.clone(),
            holds: Arc::new(cx.holder()),
            organisation: self.organisations.of(&cx.run)?.into(),
            undoes: cx.undoes.is_some(),
        })
    }
}

impl Project {
    /// What the project pays in. It is asked for once.
    pub(super) async fn currency(&self) -> Result<String, Problem> {
        let asked = async {
            let answer = self.get("/pricing").await?;
            let missing = || Problem::new(Code::Unavailable, "the provider's prices have no currency");
            Ok(answer["pricing"]["currency"].as_str().ok_or_else(missing)?.to_owned())
        };
        self.shared.currency.get_or_try_init(|| asked).await.cloned()
    }

    /// What has become of the run that made something.
    pub(super) fn fate(&self, run: &RunId) -> Result<Fate, Problem> {
        self.cloud.organisations.fate(run)
    }

    /// Why what that run has made can't be taken.
    pub(super) fn why_open(&self, run: &RunId) -> &'static str {
        owner::why_open(&*self.cloud.organisations, run)
    }

    /// Whether the run is bound to what carries its organisation's mark.
    pub(super) fn is_bound(&self) -> bool {
        !self.undoes && &*self.organisation != PLATFORM
    }

    /// Refuses to change what no run has made, or one of another organisation.
    pub(super) fn admit(&self, what: &str, object: &Value) -> Result<(), Problem> {
        if self.undoes {
            return Ok(());
        }
        let name = object["name"].as_str().unwrap_or_default();
        if !marks::is_ours(object) {
            return Err(Problem::new(Code::Conflict, format!("the {what} `{name}` wasn't made by Windlass"))
                .help("what others made is theirs to change and to delete, in the provider's console")
                .data(serde_json::json!({ "reason": "not_ours", "id": object["id"] }))
                .no_effect());
        }
        match self.is_bound() && !marks::is_of(object, &self.organisation) {
            true => Err(owner::refused(&format!("the {what} `{name}`"), &self.organisation)),
            false => Ok(()),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Problem> {
        self.send(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Problem> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Value, Problem> {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, Problem> {
        self.send(Method::DELETE, path, None).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Problem> {
        self.shared.budget.take().await;
        let (result, told) = self.exchange(method, path, body).await;
        let refused = matches!(&result, Ok((StatusCode::TOO_MANY_REQUESTS, _)));
        self.shared.budget.ended(told.as_ref(), refused);
        let (status, body) = result?;
        if status.is_success() { Ok(body) } else { Err(self.refused(status, &body)) }
    }

    fn refused(&self, status: StatusCode, body: &Value) -> Problem {
        let secret = self.cloud.secret_of(&self.name).unwrap_or("NAME");
        let command = format!("windlass secrets set {secret} --to '{}*'", self.cloud.destination());
        refusal::problem(status, body, &self.name, &command)
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (Result<(StatusCode, Value), Problem>, Option<http::HeaderMap>) {
        // A process that lost the run meanwhile changes nothing any more.
        if method != Method::GET && !(self.holds)() {
            let lost = Problem::new(Code::LeaseLost, "another process may go on with the run by now").no_effect();
            return (Err(lost), None);
        }
        let mut request =
            self.cloud.http.request(method, format!("{}{path}", self.base)).bearer_auth(self.token.as_str());
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return (Err(provider::broken("Hetzner Cloud", error)), None),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= ANSWER => bytes.extend_from_slice(&chunk),
                Ok(Some(_)) => {
                    let problem = Problem::new(Code::LimitExceeded, format!("an answer of more than {ANSWER} bytes"));
                    return (Err(problem), Some(headers));
                }
                Ok(None) => break,
                Err(error) => return (Err(provider::broken("Hetzner Cloud", error)), Some(headers)),
            }
        }
        let body = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
        match body {
            Ok(body) => (Ok((status, body)), Some(headers)),
            // A gateway in between answers in HTML: the status says it all.
            Err(_) if !status.is_success() => (Ok((status, Value::Null)), Some(headers)),
            Err(error) => {
                let problem =
                    Problem::new(Code::Unavailable, format!("Hetzner Cloud answered with what isn't JSON: {error}"));
                (Err(problem), Some(headers))
            }
        }
    }

    /// All objects of a list, over all its pages. `query` may be empty.
    pub(super) async fn all(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Problem> {
        let key = path.rsplit('/').next().unwrap_or_default();
        let mut found = Vec::new();
        let mut page = 1;
        for _ in 0..PAGES {
            let mut address = format!("{path}?page={page}&per_page={PER_PAGE}");
            for (name, value) in query {
                let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
                address.push_str(&format!("&{name}={value}"));
            }
            let mut answer = self.get(&address).await?;
            if let Value::Array(items) = answer[key].take() {
                found.extend(items);
            }
            match answer["meta"]["pagination"]["next_page"].as_u64() {
                Some(next) if next > page => page = next,
                _ => return Ok(found),
            }
        }
        Err(Problem::new(Code::LimitExceeded, format!("the project holds more than {} {key}", PAGES * PER_PAGE)))
    }

    /// The object that is meant; None when there is none.
    pub(super) async fn find(&self, kind: &str, singular: &str, wanted: &Reference) -> Result<Option<Value>, Problem> {
        match wanted {
            Reference::Name(name) => {
                let found = self.all(&format!("/{kind}"), &[("name", name)]).await?;
                let found = found.into_iter().find(|one| one["name"] == name.as_str());
                if kind != "images" || found.is_some() {
                    return Ok(found);
                }
                // A snapshot has no name: it is known by what it is described as.
                let snapshots = self.all("/images", &[("type", "snapshot")]).await?;
                Ok(snapshots.into_iter().find(|one| one["description"] == name.as_str()))
            }
            Reference::Id(id) => match self.get(&format!("/{kind}/{id}")).await {
                Ok(mut answer) => Ok(Some(answer[singular].take())),
                Err(problem) if problem.code == Code::NotFound => Ok(None),
                Err(problem) => Err(problem),
            },
        }
    }

    /// The object that is meant; an error when there is none.
    pub(super) async fn need(&self, kind: &str, singular: &str, wanted: &Reference) -> Result<Value, Problem> {
        self.find(kind, singular, wanted).await?.ok_or_else(|| {
            let called = match wanted {
                Reference::Id(id) => id.to_string(),
                Reference::Name(name) => format!("`{name}`"),
            };
            let words = singular.replace('_', " ");
            Problem::new(Code::NotFound, format!("project `{}` has no {words} {called}", self.name)).no_effect()
        })
    }

    /// Waits until actions have ended; fails with the first that ended in an error. What they were begun for may have
    /// happened whatever comes of the wait.
    pub(super) async fn wait(&self, actions: &[i64]) -> Result<(), Problem> {
        let ends: Vec<_> = actions.iter().map(|id| self.shared.poller.add(self, *id)).collect();
        for end in ends {
            let gone = |_| Problem::new(Code::Unavailable, "nobody asks for actions any more").retryable();
            let action = end.await.map_err(gone)?.map_err(|mut problem| {
                problem.no_effect = false;
                problem
            })?;
            if action["status"] == "error" {
                return Err(refusal::action_failed(&action));
            }
        }
        Ok(())
    }

    pub(super) fn poller(&self) -> &Poller {
        &self.shared.poller
    }
}
