//! A request as a plugin wrote it, made ready for the wire: declared in the manifest, with the credentials filled in.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;
use windlass_model::{Code, Problem};
use windlass_script::{
    Scrubber,
    plugin::{FIELD_BYTES, HttpAsk, Manifest, Values},
};
use zeroize::Zeroizing;

use super::scene::{Scene, granted};
use crate::{
    support::invalid,
    web::{
        Request, grant,
        request::{BODY_BYTES, HEADERS, LONGEST_ANSWER_BYTES, header},
    },
};

const LONGEST: Duration = Duration::from_secs(60);
/// Cookies that are kept of one host, their longest value, and how many a call may be sent.
const COOKIES: usize = 32;
const COOKIE_BYTES: usize = 4_096;
const COOKIES_SENT: usize = 200;
/// Longest value computed from credentials that is looked for in answers. Of a longer one the credential inside is found, and
/// what was made of that.
const DERIVED_BYTES: usize = 4_096;
/// How many of them a call may come to, and how many bytes: each is looked for in every answer.
const DERIVED: usize = 500;
const DERIVED_SUM_BYTES: usize = 128 << 10;

/// What a call must not show, and what it sends again.
#[derive(Default)]
pub(super) struct Kept {
    pub scrubber: Scrubber,
    pub cookies: Cookies,
    derived: RefCell<Derived>,
}

#[derive(Default)]
struct Derived {
    seen: BTreeSet<[u8; 32]>,
    bytes: usize,
}

impl Kept {
    /// Remembers what was computed from credentials, all at once.
    fn learn(&self, computed: &[Zeroizing<String>]) -> Result<(), Problem> {
        let mut derived = self.derived.borrow_mut();
        for value in computed {
            if derived.seen.insert(*blake3::hash(value.as_bytes()).as_bytes()) {
                derived.bytes += value.len();
            }
            if derived.seen.len() > DERIVED || derived.bytes > DERIVED_SUM_BYTES {
                let message = "the plugin computes more from credentials than can be kept out of answers";
                return Err(Problem::new(Code::LimitExceeded, message)
                    .help(format!("a call has at most {DERIVED} different values, {DERIVED_SUM_BYTES} bytes in all"))
                    .no_effect());
            }
        }
        let computed: Vec<&str> = computed.iter().map(|value| value.as_str()).collect();
        self.scrubber.keep("credential", &computed);
        Ok(())
    }
}

/// Cookies of one call, by host: plugins neither see nor set them.
#[derive(Default)]
pub(super) struct Cookies {
    by_host: BTreeMap<String, BTreeMap<String, String>>,
    sent: usize,
}

impl Cookies {
    /// Takes the cookies out of an answer's headers.
    pub fn take(&mut self, host: &str, lines: &str, scrubber: &Scrubber) {
        for line in lines.lines() {
            let Some((name, value)) = line.split(';').next().and_then(|pair| pair.split_once('=')) else { continue };
            let (name, value) = (name.trim(), value.trim());
            if value.len() > COOKIE_BYTES || self.sent >= COOKIES_SENT {
                continue;
            }
            self.sent += 1;
            scrubber.keep("session", &[value]);
            let cookies = self.by_host.entry(host.to_owned()).or_default();
            if cookies.contains_key(name) || cookies.len() < COOKIES {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn header(&self, host: &str) -> Option<String> {
        let cookies = self.by_host.get(host)?;
        Some(cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; "))
    }
}

/// Works credentials out for one origin.
struct Filled<'a> {
    scene: &'a dyn Scene,
    destination: &'a str,
    scrubber: &'a Scrubber,
    computed: RefCell<Vec<Zeroizing<String>>>,
    /// Kept apart: whatever goes wrong with a credential ends the call, so that nothing can be learned by trying.
    why: RefCell<Option<Problem>>,
}

impl Filled<'_> {
    fn or_end<T>(&self, result: Result<T, Problem>) -> Result<T, Problem> {
        result.inspect_err(|problem| {
            self.why.borrow_mut().get_or_insert(problem.clone());
        })
    }
}

impl Values for Filled<'_> {
    fn field(&self, name: &str) -> Result<Zeroizing<String>, Problem> {
        let value = self.or_end(self.scene.reveal(name, self.destination))?;
        if value.len() > FIELD_BYTES {
            let message = format!("the credential `{name}` has more than {FIELD_BYTES} bytes");
            return self.or_end(Err(Problem::new(Code::SecretMisuse, message).no_effect()));
        }
        self.scrubber.keep(name, &[value.as_str()]);
        Ok(value)
    }

    fn step(&self, seed: &[u8]) -> Result<u64, Problem> {
        self.or_end(self.scene.step(seed))
    }

    fn seen(&self, value: &str) {
        if value.len() <= DERIVED_BYTES {
            self.computed.borrow_mut().push(Zeroizing::new(value.to_owned()));
        }
    }
}

/// Why a request isn't sent.
pub(super) enum Unsent {
    /// The plugin wrote something that can't be sent; it may try something else.
    Wrong(Problem),
    /// It may not be sent: the call is over.
    Ended(Problem),
}

/// The URL, if the manifest declares it for this method. Nothing of a credential is looked at before that.
fn declared(plugin: &str, manifest: &Manifest, ask: &HttpAsk) -> Result<Url, Unsent> {
    let url = grant::read(&ask.url).map_err(|problem| match problem.code {
        Code::InvalidArgument => Unsent::Wrong(problem),
        _ => Unsent::Ended(problem),
    })?;
    let verb = format!("http.{}", ask.method.to_ascii_lowercase());
    if granted(manifest, &verb).iter().any(|pattern| grant::covers(pattern, &url)) {
        return Ok(url);
    }
    Err(Unsent::Ended(undeclared(plugin, ask.method, &grant::scope(&url))))
}

/// The error for what the manifest doesn't declare.
pub(super) fn undeclared(plugin: &str, method: &str, url: &str) -> Problem {
    Problem::new(
        Code::PermissionDenied,
        format!("{plugin} may not send {method} to {url}: its manifest doesn't declare it"),
    )
    .help("What it may reach stands in its plugin.toml under [[hosts]], and was approved as it is.")
    .data(serde_json::json!({ "refused": "undeclared", "method": method, "url": url }))
    .no_effect()
}

/// The request, with everything in its place.
pub(super) fn request(
    plugin: &str,
    manifest: &Manifest,
    ask: &HttpAsk,
    scene: &dyn Scene,
    kept: &Kept,
    (until, bytes_left): (Instant, u64),
) -> Result<Request, Unsent> {
    let mut url = declared(plugin, manifest, ask)?;
    // Nothing is worked out before it is known how much that is.
    if !ask.load().fits() {
        return Err(Unsent::Wrong(invalid("what a request is computed from grew too large")));
    }
    let destination = url.origin().ascii_serialization();
    let (scrubber, computed) = (&kept.scrubber, RefCell::default());
    let values = Filled { scene, destination: &destination, scrubber, computed, why: RefCell::new(None) };
    let filled = fill(ask, &mut url, &values);
    kept.learn(&values.computed.take()).map_err(Unsent::Ended)?;
    if let Some(why) = values.why.into_inner() {
        return Err(Unsent::Ended(why));
    }
    let secrets = ask.headers.values().chain(ask.query.values()).chain(ask.body.iter()).any(|expr| expr.is_secret());
    let (mut headers, body) = filled.map_err(|problem| match secrets || ask.json.is_some() || ask.form.is_some() {
        // Whether a value fits tells something of it.
        true => Unsent::Ended(Problem::new(Code::SecretMisuse, "a credential can't be sent in this place").no_effect()),
        false => Unsent::Wrong(problem),
    })?;
    if let Some(cookie) = kept.cookies.header(url.host_str().unwrap_or_default()) {
        let value = HeaderValue::from_str(&cookie)
            .map_err(|_| Unsent::Ended(Problem::new(Code::Unavailable, "the provider's cookie can't be sent back")))?;
        headers.insert(header::COOKIE, value);
    }
    let method = Method::from_bytes(ask.method.as_bytes()).unwrap_or(Method::GET);
    Ok(Request {
        verb: format!("http.{}", ask.method.to_ascii_lowercase()),
        method,
        url,
        headers,
        body,
        timeout: until.saturating_duration_since(Instant::now()).min(LONGEST).max(Duration::from_millis(1)),
        redirects: true,
        answer_bytes: usize::try_from(bytes_left).unwrap_or(usize::MAX).min(LONGEST_ANSWER_BYTES),
        expect: None,
        repeatable: false,
    })
}

fn fill(ask: &HttpAsk, url: &mut Url, values: &dyn Values) -> Result<(HeaderMap, Option<Vec<u8>>), Problem> {
    for (name, expr) in &ask.query {
        let value = expr.value(values)?;
        url.query_pairs_mut().append_pair(name, &value);
    }
    let mut headers = HeaderMap::new();
    let kind = |headers: &mut HeaderMap, kind: &'static str| {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    };
    let body = match (&ask.form, &ask.json, &ask.body) {
        (None, None, None) => None,
        (Some(form), None, None) => {
            kind(&mut headers, "application/x-www-form-urlencoded");
            let mut text = url::form_urlencoded::Serializer::new(String::new());
            for (name, expr) in form {
                text.append_pair(name, &expr.value(values)?);
            }
            Some(text.finish().into_bytes())
        }
        (None, Some(json), None) => {
            kind(&mut headers, "application/json");
            Some(json.value(values)?.to_string().into_bytes())
        }
        (None, None, Some(body)) => Some(body.value(values)?.as_bytes().to_vec()),
        _ => return Err(invalid("a request has one of `form`, `json` and `body`")),
    };
    if body.as_ref().is_some_and(|body| body.len() > BODY_BYTES) || ask.headers.len() > HEADERS {
        return Err(invalid("a request has at most 4 MiB and 100 headers"));
    }
    for (name, expr) in &ask.headers {
        if name.eq_ignore_ascii_case("cookie") {
            return Err(invalid("cookies are kept for the plugin; it can't set any"));
        }
        let (name, value) = header(name, &expr.value(values)?)?;
        headers.insert(name, value);
    }
    Ok((headers, body))
}
