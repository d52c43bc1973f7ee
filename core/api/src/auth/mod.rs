//! Who comes in, and what they may do.

pub mod access;
pub mod binding;
mod jwt;
pub mod kept;
pub mod links;
mod login;
pub mod oidc;
mod password;
mod preconditions;
mod refusals;
mod remembered;
pub(crate) mod secret;
mod sessions;
#[cfg(test)]
mod testing;
mod throttle;
pub mod tokens;
pub mod totp;
pub mod users;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Instant};

use http::{HeaderMap, header};
use windlass_engine::Engine;
use windlass_model::{Code, Problem};

use self::{
    access::{Principal, Proof},
    binding::{Binding, shared},
    kept::{Session, Token, User, now_ms},
    refusals::Refusals,
    remembered::Remembered,
    throttle::Throttle,
};
use crate::{ApiConfig, organisations::tree, services::Secrets};

pub use login::Credentials;
pub(crate) use preconditions::{PRECONDITIONS, expected, if_match, overtaken};
pub(crate) use refusals::How;
pub(crate) use secret::csrf;
pub use secret::spoken as made_password;
pub use sessions::Opened;
pub(crate) use throttle::network;

/// The cookie where only https reaches us; browsers take it from nobody else, and for no other path or domain.
const COOKIE: &str = "__Host-windlass";
/// The cookie on loopback, where there is no TLS.
const LOCAL_COOKIE: &str = "windlass";
/// How often a use is written down.
const USE_EVERY_MS: i64 = 60_000;

/// How people come in.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// Milliseconds after which a session ends that nobody uses.
    pub session_idle_ms: i64,
    /// Milliseconds after which a session ends in any case.
    pub session_max_ms: i64,
    /// OpenID providers, by the name that stands in the address.
    pub oidc: BTreeMap<String, oidc::OidcConfig>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self { session_idle_ms: 12 * 3_600_000, session_max_ms: 7 * 24 * 3_600_000, oidc: BTreeMap::new() }
    }
}

/// Who may come in.
pub struct Auth {
    config: AuthConfig,
    secrets: Arc<dyn Secrets>,
    remembered: Remembered,
    /// Those who only follow: looking at them is no use of their sessions, and must not stand in for one.
    following: Remembered,
    throttle: Throttle,
    refusals: Refusals,
    /// The session's cookie where people reach us. One of another name may be planted by another host of our domain.
    cookie: &'static str,
    /// OpenID providers.
    pub oidc: oidc::Oidc,
}

/// What a request shows to prove who sends it.
enum Shown {
    Nothing,
    Token(String),
    Cookie(String),
}

impl Auth {
    /// With this configuration; seeds are sealed by these secrets.
    pub fn new(config: AuthConfig, secrets: Arc<dyn Secrets>) -> Self {
        let oidc = oidc::Oidc::new(config.oidc.clone());
        let (remembered, following) = (Remembered::default(), Remembered::default());
        let (throttle, refusals) = (Throttle::default(), Refusals::default());
        Self { oidc, config, secrets, remembered, following, throttle, refusals, cookie: COOKIE }
    }

    /// For people who reach the server at this address.
    pub(crate) fn reached_at(self, public_url: &str) -> Self {
        Self { cookie: cookie_form(public_url).0, ..self }
    }

    /// Whoever a request's token or cookie says it is, if that is remembered: without asking the database.
    pub fn remembered(&self, headers: &HeaderMap) -> Option<Principal> {
        match self.shown(headers) {
            Shown::Nothing => Some(Principal::anonymous()),
            Shown::Token(word) | Shown::Cookie(word) => self.remembered.get(&word),
        }
    }

    /// Whoever a request's token or cookie says it is. That is a use of it.
    pub fn principal(&self, engine: &Engine, headers: &HeaderMap, from: IpAddr) -> Result<Principal, Problem> {
        self.looked_up(engine, headers, from, &self.remembered, true)
    }

    /// The same for somebody who has asked long ago and only follows: a page that stands open keeps no session alive.
    pub(crate) fn follower(&self, engine: &Engine, headers: &HeaderMap, from: IpAddr) -> Result<Principal, Problem> {
        match self.shown(headers) {
            Shown::Token(word) | Shown::Cookie(word) => match self.following.get(&word) {
                Some(principal) => Ok(principal),
                None => self.looked_up(engine, headers, from, &self.following, false),
            },
            Shown::Nothing => Ok(Principal::anonymous()),
        }
    }

    fn looked_up(
        &self,
        engine: &Engine,
        headers: &HeaderMap,
        from: IpAddr,
        remembered: &Remembered,
        used: bool,
    ) -> Result<Principal, Problem> {
        let shown = self.shown(headers);
        let (Shown::Token(word) | Shown::Cookie(word)) = &shown else { return Ok(Principal::anonymous()) };
        let era = remembered.era();
        let found = match &shown {
            Shown::Token(token) => self.by_token(engine, token, used)?,
            _ => self.by_cookie(engine, word, used)?,
        };
        let principal = match (found, &shown) {
            (Some(principal), _) => principal,
            // Whoever logs in anew still sends the old cookie.
            (None, Shown::Cookie(_)) => return Ok(Principal::anonymous()),
            (None, _) => {
                self.refusals.note(How::Token, tokens::owner(engine, word)?.as_ref(), from);
                return Err(Problem::new(Code::Unauthenticated, "the token isn't known, has expired, or was revoked")
                    .help("issue another one: `windlass tokens issue`, or POST /api/v1/tokens"));
            }
        };
        remembered.put(word, &principal, era);
        Ok(principal)
    }

    /// Notes that a log-in failed which wasn't tried here.
    pub(crate) fn refused(&self, how: How, user: Option<&User>, address: IpAddr) {
        self.refusals.note(how, user, address);
    }

    /// Failed log-ins since the process began, by what was wrong.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.refusals.counts()
    }

    /// Counts a try at an invitation from an address: whoever guesses has to wait.
    pub(crate) fn count_invitation(&self, id: &str, address: IpAddr) -> Result<(), Problem> {
        self.throttle.attempt(&format!("invitation:{id}"), address, Instant::now())
    }

    /// The try was none of somebody who guesses.
    pub(crate) fn forgive_invitation(&self, id: &str, address: IpAddr) {
        self.throttle.forgive(&format!("invitation:{id}"), address, Instant::now());
    }

    /// Writes down failed log-ins that were only counted so far; at the end all of them.
    pub(crate) fn flush(&self, engine: &Engine, all: bool) {
        self.refusals.flush(engine, all);
    }

    /// Forgets everybody who is remembered: somebody's rights, or what proves who they are, has changed.
    pub fn forget(&self) {
        self.remembered.forget();
        self.following.forget();
    }

    /// Opens a session for somebody whom another house vouches for.
    pub(crate) fn open_session(
        &self,
        engine: &Engine,
        user: &User,
        address: IpAddr,
        agent: &str,
        method: &str,
    ) -> Result<Opened, Problem> {
        let by = kept::By { actor: user.id.clone(), source: address.to_string() };
        sessions::open(engine, &by, user, agent, self.config.session_max_ms, method)
    }

    fn by_token(&self, engine: &Engine, text: &str, used: bool) -> Result<Option<Principal>, Problem> {
        let Some((token, user)) = tokens::verify(engine, text)? else { return Ok(None) };
        if used && token.body.used_at_ms.is_none_or(|used| used + USE_EVERY_MS <= now_ms()) {
            let mut used: Token = token.clone();
            used.body.used_at_ms = Some(now_ms());
            note(engine.change(vec![used.put()?]).map(drop));
        }
        // Both as they are now: a user who was demoted has demoted their tokens.
        let held = shared(&token.body.bindings, &user.body.bindings);
        let bindings = active(engine, &held)?;
        refuse_suspended(&held, &bindings)?;
        let name = format!("{}/{}", user.id, token.body.name);
        Ok(Some(principal(name, user.id, Proof::Token(token.id), &bindings)))
    }

    fn by_cookie(&self, engine: &Engine, cookie: &str, used: bool) -> Result<Option<Principal>, Problem> {
        let Some((session, user)) = sessions::verify(engine, cookie, self.config.session_idle_ms)? else {
            return Ok(None);
        };
        if used && session.body.seen_at_ms + USE_EVERY_MS.min(self.config.session_idle_ms / 4) <= now_ms() {
            note(sessions::touch(engine, &session));
        }
        self.of_session(engine, &session, &user).map(Some)
    }

    /// Whoever has this session.
    pub(crate) fn of_session(&self, engine: &Engine, session: &Session, user: &User) -> Result<Principal, Problem> {
        let bindings = active(engine, &user.body.bindings)?;
        Ok(principal(user.id.clone(), user.id.clone(), Proof::Session(session.id.clone()), &bindings))
    }

    /// Refuses a change that another site's page may have sent with our cookie, or a log-in that it may have sent.
    pub fn refuse_cross_site(
        &self,
        principal: &Principal,
        headers: &HeaderMap,
        config: &ApiConfig,
    ) -> Result<(), Problem> {
        // A page can't make a browser send a token.
        if matches!(principal.proof, Proof::Token(_)) {
            return Ok(());
        }
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let refused = |why: &str| {
            Err(Problem::new(Code::PermissionDenied, format!("the request seems to come from another site: {why}"))
                .help("programs send `Authorization: Bearer <token>`; pages send X-CSRF-Token"))
        };
        let origin_fits = match text("origin") {
            Some(origin) => is_ours(origin, headers, config),
            None => true,
        };
        match text("sec-fetch-site") {
            None | Some("same-origin" | "none") if origin_fits => {}
            Some("same-site" | "cross-site") if text("origin").is_some() && origin_fits => {}
            _ => return refused("its origin isn't this server's"),
        }
        if let (Proof::Session(_), Shown::Cookie(cookie)) = (&principal.proof, self.shown(headers)) {
            let sent = text("x-csrf-token").unwrap_or_default();
            if !secret::same(sent, &secret::csrf(&cookie)) {
                return refused("X-CSRF-Token is missing or isn't this session's; GET /api/v1/session tells it");
            }
        }
        Ok(())
    }

    /// Refuses a WebSocket that another site's page has opened with our cookie: nothing else stands between such a page and it.
    pub(crate) fn refuse_foreign_page(
        &self,
        principal: &Principal,
        headers: &HeaderMap,
        config: &ApiConfig,
    ) -> Result<(), Problem> {
        let origin = headers.get(header::ORIGIN).map(|value| value.to_str().unwrap_or("?"));
        match (&principal.proof, origin) {
            // A page can't make a browser send a token.
            (Proof::Token(_), _) => Ok(()),
            // Every browser says where a WebSocket's page is from.
            (_, Some(origin)) if is_ours(origin, headers, config) => Ok(()),
            _ => {
                Err(Problem::new(Code::PermissionDenied, "the WebSocket seems to be asked for by another site's page")
                    .help("programs send `Authorization: Bearer <token>`; pages have to be this server's own"))
            }
        }
    }

    /// The word that this request's changes have to bring along, if it is sent with a session's cookie.
    pub(crate) fn csrf_of(&self, headers: &HeaderMap) -> Option<String> {
        match self.shown(headers) {
            Shown::Cookie(cookie) => Some(secret::csrf(&cookie)),
            _ => None,
        }
    }

    fn shown(&self, headers: &HeaderMap) -> Shown {
        if let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) {
            let (scheme, word) = value.split_once(' ').unwrap_or((value, ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                return Shown::Token(word.trim().to_owned());
            }
        }
        cookie(headers, self.cookie).map_or(Shown::Nothing, Shown::Cookie)
    }
}

/// Whether an origin is the address that people reach us at, or the one that this request was sent to.
fn is_ours(origin: &str, headers: &HeaderMap, config: &ApiConfig) -> bool {
    let Ok(origin) = url::Url::parse(origin) else { return false };
    if url::Url::parse(&config.public_url).is_ok_and(|ours| ours.origin() == origin.origin()) {
        return true;
    }
    // On loopback the same server has several names.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let same = url::Url::parse(&format!("{}://{host}", origin.scheme()));
    is_loopback(&config.public_url) && same.is_ok_and(|same| same.origin() == origin.origin() && local_host(&same))
}

fn local_host(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Whether people reach the server on its own machine only, without TLS.
pub(crate) fn is_loopback(public_url: &str) -> bool {
    url::Url::parse(public_url).is_ok_and(|url| url.scheme() == "http" && local_host(&url))
}

/// The session's cookie: its name, and what follows its value.
fn cookie_form(public_url: &str) -> (&'static str, &'static str) {
    match is_loopback(public_url) {
        true => (LOCAL_COOKIE, "; Path=/; HttpOnly; SameSite=Strict"),
        false => (COOKIE, "; Path=/; HttpOnly; SameSite=Strict; Secure"),
    }
}

/// The header that gives a browser its session; with an empty value and no time left it takes it away.
pub(crate) fn set_cookie(public_url: &str, value: &str, seconds: i64) -> String {
    let (name, rest) = cookie_form(public_url);
    format!("{name}={value}{rest}; Max-Age={seconds}")
}

/// The cookie for the way to an OpenID provider and back; it has to come along from the provider's page.
pub(crate) fn way_cookie(public_url: &str, value: &str, seconds: i64) -> String {
    let (name, rest) = cookie_form(public_url);
    format!("{name}-oidc={value}{}; Max-Age={seconds}", rest.replace("Strict", "Lax"))
}

/// What stands in that cookie.
pub(crate) fn way_of(public_url: &str, headers: &HeaderMap) -> Option<String> {
    cookie(headers, &format!("{}-oidc", cookie_form(public_url).0))
}

/// A cookie's value.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

fn principal(name: String, user: String, proof: Proof, bindings: &[Binding]) -> Principal {
    Principal { name, user, proof, bindings: bindings.iter().map(Binding::held).collect() }
}

/// A user as they are now, in whose name something acts; `None` if they are gone or kept out.
pub(crate) fn stands_in(engine: &Engine, name: &str, uid: &str) -> Result<Option<Principal>, Problem> {
    let user = User::find(engine, name)?.filter(|user| user.body.uid == uid && !user.body.disabled);
    let Some(user) = user else { return Ok(None) };
    stands_for(engine, &user).map(Some)
}

/// What a user may do now, whether they ask or not.
pub(crate) fn stands_for(engine: &Engine, user: &User) -> Result<Principal, Problem> {
    let bindings = active(engine, &user.body.bindings)?;
    Ok(principal(user.id.clone(), user.id.clone(), Proof::None, &bindings))
}

/// Without those in organisations that are suspended, or under one that is.
fn active(engine: &Engine, bindings: &[Binding]) -> Result<Vec<Binding>, Problem> {
    let mut known: BTreeMap<&str, bool> = BTreeMap::new();
    let mut active = Vec::new();
    for binding in bindings {
        let name = binding.organisation.as_str();
        let suspended = match known.get(name) {
            Some(suspended) => *suspended,
            None => *known.entry(name).or_insert(tree::suspended(engine, name)?.is_some()),
        };
        if !suspended {
            active.push(binding.clone());
        }
    }
    Ok(active)
}

/// Refuses a token all of whose organisations are suspended: whoever sends it is told why.
fn refuse_suspended(held: &[Binding], active: &[Binding]) -> Result<(), Problem> {
    match held.first() {
        Some(first) if active.is_empty() => Err(tree::is_suspended(&first.organisation, "")),
        _ => Ok(()),
    }
}

/// A use that couldn't be written down is no reason to refuse it.
fn note(outcome: Result<(), Problem>) {
    if let Err(problem) = outcome {
        tracing::debug!(%problem, "a use of a session or token wasn't written down");
    }
}

/// Whoever asks, for the audit log.
pub(crate) fn by(request: &crate::Request) -> kept::By {
    kept::By { actor: request.principal.actor(), source: request.address.to_string() }
}

/// What whoever asks holds now.
pub(crate) fn held(principal: &Principal) -> Vec<Binding> {
    let binding = |(role, scope): &(access::Role, windlass_model::query::Scope)| Binding {
        role: *role,
        organisation: scope.organisation.clone(),
        folder: scope.folder.clone(),
    };
    principal.bindings.iter().map(binding).collect()
}
