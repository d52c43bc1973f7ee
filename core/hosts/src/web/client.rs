//! Sends a request: checks where it goes, follows redirects by hand, and says what went wrong.

use std::{
    collections::HashMap,
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, StatusCode, header};
use parking_lot::Mutex;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::Value;
use url::Url;
use windlass_model::{Code, Problem};

use super::{
    Config,
    address::{Allowed, Refused},
    answer, grant,
    held::Held,
    request::Request,
    resolver::{CheckedResolver, Lookup},
};

const REDIRECTS: usize = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers that may follow a redirect to another origin. Anything else may be a credential.
const HARMLESS: [header::HeaderName; 3] = [header::ACCEPT, header::ACCEPT_LANGUAGE, header::USER_AGENT];

/// Who sends: what they were granted, and whether the run is still theirs.
pub(crate) struct Guard<'a> {
    /// The scopes that they were granted for a verb.
    pub(crate) granted: &'a (dyn Fn(&str) -> Vec<String> + Sync),
    /// Asked once more when the connection is there.
    pub(crate) holds: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// One for all runs: connections are kept, and each was checked when it was made.
pub(crate) struct Client {
    inner: reqwest::Client,
    allowed: Arc<Allowed>,
    /// Where requests for a host really go: simulators, which an administrator has named.
    instead: HashMap<String, Url>,
    /// Until when an origin has asked to be left alone.
    patience: Mutex<HashMap<url::Origin, Instant>>,
}

impl Client {
    pub(crate) fn new(config: &Config, lookup: Arc<dyn Lookup>) -> Result<Self, Problem> {
        let allowed = Arc::new(Allowed::read(&config.allow_addresses)?);
        let wrong =
            |error: &dyn Error| Problem::new(Code::Configuration, format!("the HTTP client can't be made: {error}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_root_certificates(roots(config)?)
            .with_no_client_auth();
        let mut inner = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(match config.unacknowledged_ms {
                0 => CONNECT_TIMEOUT,
                ms => CONNECT_TIMEOUT.min(Duration::from_millis(ms)),
            })
            .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(CheckedResolver { lookup, allowed: allowed.clone() }));
        if config.unacknowledged_ms > 0 {
            inner = inner.tcp_user_timeout(Duration::from_millis(config.unacknowledged_ms));
        }
        let inner = inner.build().map_err(|error| wrong(&error))?;
        Ok(Self { inner, allowed, instead: HashMap::new(), patience: Mutex::default() })
    }

    /// Sends what is for these hosts to other places. What they are granted and what is signed stays as it was.
    pub(crate) fn instead(mut self, places: HashMap<String, Url>) -> Self {
        self.instead = places;
        self
    }

    /// Sends it, and follows redirects that are granted. A request that may be repeated waits first, if its server has
    /// asked for that: so the next attempt comes when it is welcome.
    pub(crate) async fn send(&self, guard: &Guard<'_>, request: Request) -> Result<Value, Problem> {
        self.send_on(guard, request).await.map(|(answer, _)| answer)
    }

    /// The same, with the URL that has answered: where redirects have led.
    pub(crate) async fn send_on(&self, guard: &Guard<'_>, request: Request) -> Result<(Value, Url), Problem> {
        let (limit, origin) = (request.timeout, request.url.origin());
        let until = self.patience.lock().get(&origin).copied();
        if let Some(until) = until.filter(|_| request.repeatable) {
            tokio::time::sleep_until(until.into()).await;
        }
        let result = tokio::time::timeout(limit, self.follow(guard, request)).await.unwrap_or_else(|_| {
            let ms = limit.as_millis();
            Err(Problem::new(Code::StepTimeout, format!("the request took longer than {ms} ms")).retryable())
        });
        let asked_ms = result.as_ref().err().and_then(|problem| problem.data["retry_after_ms"].as_u64());
        let mut patience = self.patience.lock();
        patience.retain(|_, until| *until > Instant::now());
        if let Some(ms) = asked_ms {
            patience.insert(origin, Instant::now() + Duration::from_millis(ms));
        }
        result
    }

    /// Sends to an address that whoever looks after the installation has named, and not a script: no grant is asked for, but
    /// where it leads is looked at all the same. Redirects aren't followed.
    pub(crate) async fn deliver(
        &self,
        holds: Arc<dyn Fn() -> bool + Send + Sync>,
        request: &Request,
    ) -> Result<reqwest::Response, Problem> {
        let address = match request.url.host() {
            Some(url::Host::Ipv4(address)) => Some(address.into()),
            Some(url::Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        };
        if let Some(Err(refused)) = address.map(|address| self.allowed.check(address)) {
            return Err(refused.problem("that address").no_effect());
        }
        self.send_once(&Guard { granted: &|_| Vec::new(), holds }, request).await
    }

    async fn follow(&self, guard: &Guard<'_>, mut request: Request) -> Result<(Value, Url), Problem> {
        self.check(guard, &request).map_err(Problem::no_effect)?;
        for _ in 0..=REDIRECTS {
            let response = self.send_once(guard, &request).await?;
            let Some(next) = redirect(&request, response.status(), response.headers())? else {
                let answer = answer::read(&request, response).await?;
                return Ok((answer, request.url));
            };
            turn(&mut request, response.status(), next)?;
            self.check(guard, &request)?;
        }
        Err(Problem::new(Code::Unavailable, format!("the server redirected more than {REDIRECTS} times")))
    }

    fn check(&self, guard: &Guard<'_>, request: &Request) -> Result<(), Problem> {
        let granted = (guard.granted)(&request.verb);
        grant::check(&request.verb, &request.url, granted.iter().map(String::as_str), &self.allowed)
    }

    async fn send_once(&self, guard: &Guard<'_>, request: &Request) -> Result<reqwest::Response, Problem> {
        let holds = guard.holds.clone();
        if !holds() {
            return Err(Problem::new(Code::LeaseLost, "another process may go on with the run by now").no_effect());
        }
        let (url, host) = self.place(&request.url);
        let mut builder = self.inner.request(request.method.clone(), url).headers(request.headers.clone());
        if let Some(host) = host {
            builder = builder.header(header::HOST, host);
        }
        if let Some(body) = &request.body {
            builder = builder.body(reqwest::Body::wrap(Held::new(body.clone(), move || holds())));
        }
        builder.send().await.map_err(|error| failure(error, &request.url))
    }

    /// Where a URL really leads, with the name to ask for if that is elsewhere.
    fn place(&self, url: &Url) -> (Url, Option<String>) {
        let host = url.host_str().unwrap_or_default();
        let Some(place) = self.instead.get(host) else { return (url.clone(), None) };
        let mut there = place.clone();
        there.set_path(url.path());
        there.set_query(url.query());
        (there, Some(host.to_owned()))
    }
}

fn roots(config: &Config) -> Result<rustls::RootCertStore, Problem> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &config.ca_file {
        let wrong = |error: &dyn Error| {
            Problem::new(Code::Configuration, format!("hosts.http.ca_file: {}: {error}", path.display()))
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
        let mut count = 0;
        for certificate in certificates {
            roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
            count += 1;
        }
        if count == 0 {
            return Err(Problem::new(
                Code::Configuration,
                format!("hosts.http.ca_file: no certificate in {}", path.display()),
            ));
        }
    }
    Ok(roots)
}

/// Where an answer sends the request on, if it does and the script wants it.
fn redirect(request: &Request, status: StatusCode, headers: &HeaderMap) -> Result<Option<Url>, Problem> {
    let redirects = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let Some(location) = headers.get(header::LOCATION).filter(|_| redirects && request.redirects) else {
        return Ok(None);
    };
    let next = location.to_str().ok().and_then(|location| request.url.join(location).ok());
    let next =
        next.ok_or_else(|| Problem::new(Code::Unavailable, "the server redirected to something that isn't a URL"))?;
    let next = grant::read(next.as_str()).map_err(|mut problem| {
        problem.no_effect = false;
        problem.message = format!("the server redirected to a URL that can't be followed: {}", problem.message);
        problem
    })?;
    Ok(Some(next))
}

/// Turns the request towards its next URL. Credentials and bodies stay with the origin that they were meant for.
fn turn(request: &mut Request, status: StatusCode, next: Url) -> Result<(), Problem> {
    let becomes_get = match status.as_u16() {
        303 => request.method != Method::HEAD,
        301 | 302 => request.method == Method::POST,
        _ => false,
    };
    if becomes_get {
        request.method = Method::GET;
        request.body = None;
        request.headers.remove(header::CONTENT_TYPE);
        if request.verb != "http.request" {
            request.verb = "http.get".into();
        }
    }
    if next.origin() != request.url.origin() {
        if request.body.is_some() {
            let message =
                format!("the server redirected the request's body to {}", next.origin().ascii_serialization());
            return Err(Problem::new(Code::PermissionDenied, message).help("send it there yourself, if that is meant"));
        }
        let kept = request.headers.iter().filter(|(name, _)| HARMLESS.contains(name));
        request.headers = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    }
    request.url = next;
    Ok(())
}

/// What a failed exchange means. The URL's query may hold secrets and is never shown.
pub(crate) fn failure(error: reqwest::Error, url: &Url) -> Problem {
    let error = error.without_url();
    let host = url.host_str().unwrap_or_default();
    let chain: Vec<&dyn Error> = std::iter::successors(Some(&error as &dyn Error), |&error| error.source()).collect();
    if let Some(refused) = chain.iter().find_map(|error| error.downcast_ref::<Refused>()) {
        return refused.problem(host).no_effect();
    }
    let root = chain.last().map(ToString::to_string).unwrap_or_default();
    let problem = Problem::new(Code::Unavailable, format!("{host}: {root}"));
    let tls = chain.iter().any(|error| {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>())
    });
    match error.is_connect() {
        // Asking a server with a wrong certificate again doesn't make it right.
        true if tls => {
            problem.no_effect().help("a private certificate authority is trusted with `ca_file` under [hosts.http]")
        }
        true => problem.no_effect().retryable(),
        false => problem.retryable(),
    }
}
