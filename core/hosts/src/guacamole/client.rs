//! Asks the web application, for all runs of this process: one log-in, whose token stands in a header and nowhere else.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;
use zeroize::Zeroizing;

use super::{Config, Start, Started, marks::encoded, refusal};
use crate::{
    owner::{self, Always, Organisations, PLATFORM},
    passwords::{Passwords, Rehearsed},
    web::provider,
};

/// Bytes of an answer.
const ANSWER: usize = 16 << 20;
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(20);
/// For how long a password that was refused isn't tried again. Guacamole bans addresses from which too many wrong ones come.
const REFUSED: Duration = Duration::from_secs(60);
/// How long it may take to end a log-in when the process does.
const GOODBYE: Duration = Duration::from_secs(1);
/// Where the token stands. In an address it would stand in logs, too.
const TOKEN: &str = "Guacamole-Token";
/// The administrator that the stock schema makes, and his password.
const DEFAULT: &str = "guacadmin";

/// The web application.
pub(super) struct Web {
    place: Place,
    http: reqwest::Client,
    config: Config,
    organisations: Arc<dyn Organisations>,
    passwords: Arc<dyn Passwords>,
    session: tokio::sync::Mutex<Session>,
}

/// Where it is.
enum Place {
    /// Nobody has configured it.
    Nowhere,
    Real {
        base: String,
        destination: String,
    },
    Simulated {
        start: Start,
        started: parking_lot::Mutex<Option<Started>>,
        /// Where the real one is: a plan needs what the run will need.
        destination: String,
    },
}

/// What is known of the log-in.
#[derive(Default)]
struct Session {
    token: Option<Token>,
    /// Whether it was looked at whether everybody may log in.
    checked: bool,
    /// The digest of a password that was refused, and when.
    refused: Option<(blake3::Hash, Instant)>,
    /// The base that the token is for.
    base: String,
}

type Token = Arc<Zeroizing<String>>;

/// The web application, as one call uses it.
pub(super) struct Desk<'a> {
    pub(super) web: &'a Web,
    pub(super) base: String,
    user: String,
    password: Zeroizing<String>,
    holds: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Web {
    pub(super) fn new(
        config: &Config,
        http: &crate::web::Config,
        organisations: Arc<dyn Organisations>,
        passwords: Arc<dyn Passwords>,
    ) -> Result<Self, Problem> {
        let place = match config.url.as_str() {
            "" => Place::Nowhere,
            url => {
                let (base, destination) = provider::base("hosts.guacamole.url", url)?;
                let empty = [("user", &config.user), ("secret", &config.secret), ("datasource", &config.datasource)];
                if let Some((key, _)) = empty.into_iter().find(|(_, value)| value.is_empty()) {
                    let what = format!("hosts.guacamole.{key}: has to be set with `hosts.guacamole.url`");
                    return Err(Problem::new(Code::Configuration, what));
                }
                Place::Real { base, destination }
            }
        };
        if !config.guacd.is_empty()
            && config.guacd.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err())
        {
            let what = format!("hosts.guacamole.guacd: `{}` isn't a host and a port", config.guacd);
            return Err(Problem::new(Code::Configuration, what));
        }
        let http = provider::client(http, REQUEST)?;
        Ok(Self {
            place,
            http,
            config: config.clone(),
            organisations,
            passwords,
            session: tokio::sync::Mutex::default(),
        })
    }

    /// One that asks a simulator, which is started at the first question.
    pub(super) fn simulated(config: &Config, start: Start) -> Self {
        let real = provider::base("hosts.guacamole.url", &config.url).map(|(_, destination)| destination);
        let destination = real.unwrap_or_else(|_| "simulator".to_owned());
        Self {
            place: Place::Simulated { start, started: parking_lot::Mutex::default(), destination },
            http: provider::client(&crate::web::Config::default(), REQUEST).unwrap_or_default(),
            config: config.clone(),
            organisations: Arc::new(Always(PLATFORM)),
            passwords: Arc::new(Rehearsed),
            session: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn organisations(&self) -> &dyn Organisations {
        &*self.organisations
    }

    pub(super) fn passwords(&self) -> &dyn Passwords {
        &*self.passwords
    }

    /// What a secret's policy has to allow.
    pub(super) fn destination(&self) -> &str {
        match &self.place {
            Place::Real { destination, .. } | Place::Simulated { destination, .. } => destination,
            Place::Nowhere => "nowhere",
        }
    }

    /// For one call: refuses those that it isn't given to.
    pub(super) fn desk(&self, cx: &OpCx) -> Result<Desk<'_>, Problem> {
        let (base, user, password) = match &self.place {
            Place::Nowhere => {
                return Err(Problem::new(Code::Configuration, "no Guacamole is configured")
                    .help("set `url`, `user` and `secret` of [hosts.guacamole]")
                    .no_effect());
            }
            Place::Real { base, destination } => {
                self.admit(cx)?;
                let secret = json!({ "$secret": self.config.secret });
                let password = cx.reveal(&secret, destination).map_err(Problem::no_effect)?;
                (base.clone(), self.config.user.clone(), password)
            }
            Place::Simulated { start, started, .. } => {
                let mut started = started.lock();
                let known = match &*started {
                    Some(known) => known.clone(),
                    None => started.insert(start()?).clone(),
                };
                (known.url, known.user, Zeroizing::new(known.password))
            }
        };
        Ok(Desk { web: self, base, user, password, holds: Box::new(cx.holder()) })
    }

    fn admit(&self, cx: &OpCx) -> Result<(), Problem> {
        let organisation = self.organisations.of(&cx.run)?;
        if cx.undoes.is_some() || owner::may_use(&self.config.organisations, &organisation) {
            return Ok(());
        }
        let message = format!("Guacamole isn't given to the organisation `{organisation}`");
        Err(Problem::new(Code::PermissionDenied, message)
            .help("`organisations` of [hosts.guacamole] names those that may use it")
            .data(json!({ "reason": "organisation" }))
            .no_effect())
    }
}

impl Drop for Web {
    /// A log-in that nobody uses any more is ended; else it would be good for an hour.
    fn drop(&mut self) {
        let session = self.session.get_mut();
        let (Some(token), base, http) = (session.token.take(), session.base.clone(), self.http.clone()) else { return };
        // Not on this thread: it may be one of a runtime, which mustn't wait.
        let goodbye = std::thread::Builder::new().name("guacamole-goodbye".into()).spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                let _ = tokio::time::timeout(GOODBYE, leave(&http, &base, &token)).await;
            });
        });
        if let Ok(thread) = goodbye {
            let _ = thread.join();
        }
    }
}

/// Ends a log-in, best effort: by the way that has no token in its address.
async fn leave(http: &reqwest::Client, base: &str, token: &str) {
    if let Some(value) = header(token) {
        let _ = http.delete(format!("{base}/api/session")).header(TOKEN, value).send().await;
    }
}

fn header(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(token).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What a request carries.
enum Body<'a> {
    Nothing,
    Json(&'a Value),
    Form(&'a [(&'a str, &'a str)]),
}

impl Desk<'_> {
    pub(super) async fn get(&self, path: &str) -> Result<Value, Problem> {
        self.ask(Method::GET, path, Body::Nothing).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Problem> {
        self.ask(Method::POST, path, Body::Json(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Value, Problem> {
        self.ask(Method::PUT, path, Body::Json(body)).await
    }

    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Value, Problem> {
        self.ask(Method::PATCH, path, Body::Json(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, Problem> {
        self.ask(Method::DELETE, path, Body::Nothing).await
    }

    /// What a path of the datasource is in full.
    fn address(&self, path: &str) -> String {
        format!("{}/api/session/data/{}{path}", self.base, encoded(&self.web.config.datasource))
    }

    async fn ask(&self, method: Method, path: &str, body: Body<'_>) -> Result<Value, Problem> {
        let token = self.token(None).await.map_err(Problem::no_effect)?;
        let address = self.address(path);
        let (mut status, mut answer) = self.exchange(method.clone(), &address, &body, Some(&token)).await?;
        // A token that has ended, and a right that is missing, look the same.
        if is_refusal(status) && !self.is_good(&token).await.map_err(Problem::no_effect)? {
            let fresh = self.token(Some(&token)).await.map_err(Problem::no_effect)?;
            (status, answer) = self.exchange(method, &address, &body, Some(&fresh)).await?;
        }
        match status.is_success() {
            true => Ok(answer),
            false => Err(refusal::problem(status, &answer)),
        }
    }

    /// Whether somebody is logged in with it.
    async fn is_good(&self, token: &Token) -> Result<bool, Problem> {
        let (status, _) = self.exchange(Method::GET, &self.address("/self"), &Body::Nothing, Some(token)).await?;
        Ok(status.is_success())
    }

    /// The token that all runs share; another one than `ended`.
    async fn token(&self, ended: Option<&Token>) -> Result<Token, Problem> {
        let mut session = self.web.session.lock().await;
        if let Some(token) = &session.token
            && ended.is_none_or(|ended| ended != token)
        {
            return Ok(token.clone());
        }
        session.token = None;
        let digest = blake3::hash(self.password.as_bytes());
        if session.refused.is_some_and(|(refused, at)| refused == digest && at.elapsed() < REFUSED) {
            return Err(refusal::credentials(&self.user));
        }
        if !session.checked {
            self.check_default().await?;
            session.checked = true;
        }
        let (status, body) = self.log_in(&self.user, &self.password).await?;
        if !status.is_success() {
            let problem = refusal::of_login(status, &body, &self.user);
            if problem.data["reason"] == "credentials" {
                session.refused = Some((digest, Instant::now()));
            }
            return Err(problem);
        }
        let token = token_of(&body)?;
        let datasource = &self.web.config.datasource;
        let known =
            body["availableDataSources"].as_array().is_some_and(|all| all.iter().any(|one| one == datasource.as_str()));
        if !known {
            leave(&self.web.http, &self.base, &token).await;
            let what = format!("Guacamole has no datasource `{datasource}` for the user `{}`", self.user);
            return Err(Problem::new(Code::Configuration, what)
                .help("`hosts.guacamole.datasource` is `postgresql`, `mysql` or `sqlserver`: the database that it keeps connections in")
                .data(json!({ "available": body["availableDataSources"] })));
        }
        session.base.clone_from(&self.base);
        session.refused = None;
        Ok(session.token.insert(token).clone())
    }

    /// Refuses a server that the whole world may administer. It is asked once in the life of this process.
    async fn check_default(&self) -> Result<(), Problem> {
        let (status, body) = self.log_in(DEFAULT, DEFAULT).await?;
        if status.is_success() {
            leave(&self.web.http, &self.base, &token_of(&body)?).await;
            return Err(refusal::default_password());
        }
        // A second factor is asked for once the password was right.
        let asks = |field: &Value| {
            field["name"].as_str().is_some_and(|name| name.starts_with("guac-totp") || name.starts_with("guac-duo"))
        };
        match body["expected"].as_array().is_some_and(|fields| fields.iter().any(asks)) {
            true => Err(refusal::default_password()),
            false if is_refusal(status) => Ok(()),
            false => Err(refusal::problem(status, &body)),
        }
    }

    async fn log_in(&self, user: &str, password: &str) -> Result<(StatusCode, Value), Problem> {
        let form = [("username", user), ("password", password)];
        self.exchange(Method::POST, &format!("{}/api/tokens", self.base), &Body::Form(&form), None).await
    }

    async fn exchange(
        &self,
        method: Method,
        address: &str,
        body: &Body<'_>,
        token: Option<&Token>,
    ) -> Result<(StatusCode, Value), Problem> {
        // A process that lost the run meanwhile changes nothing any more.
        if method != Method::GET && !(self.holds)() {
            return Err(Problem::new(Code::LeaseLost, "another process may go on with the run by now").no_effect());
        }
        let mut request = self.web.http.request(method, address);
        if let Some(value) = token.and_then(|token| header(token)) {
            request = request.header(TOKEN, value);
        }
        request = match body {
            Body::Nothing => request,
            Body::Json(body) => request.header("content-type", "application/json").body(body.to_string()),
            Body::Form(pairs) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                let text = form.extend_pairs(pairs.iter()).finish();
                request.header("content-type", "application/x-www-form-urlencoded").body(text)
            }
        };
        let lost = |error| provider::broken("Guacamole", error);
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let mut bytes = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if bytes.len() + chunk.len() > ANSWER {
                return Err(Problem::new(
                    Code::LimitExceeded,
                    format!("an answer of Guacamole's of more than {ANSWER} bytes"),
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        match serde_json::from_slice(&bytes) {
            Ok(body) => Ok((status, body)),
            Err(_) if bytes.is_empty() || !status.is_success() => Ok((status, Value::Null)),
            Err(_) => Err(Problem::new(Code::Unavailable, "what answers for Guacamole doesn't speak its API")
                .help("`hosts.guacamole.url` is the address that people open, without `/api` and `/#/`")),
        }
    }
}

fn is_refusal(status: StatusCode) -> bool {
    status == StatusCode::FORBIDDEN || status == StatusCode::UNAUTHORIZED
}

fn token_of(body: &Value) -> Result<Token, Problem> {
    let token = body["authToken"].as_str().filter(|token| header(token).is_some() && !token.is_empty());
    let token =
        token.ok_or_else(|| Problem::new(Code::Unavailable, "Guacamole accepted the log-in and gave no token"))?;
    Ok(Arc::new(Zeroizing::new(token.to_owned())))
}
