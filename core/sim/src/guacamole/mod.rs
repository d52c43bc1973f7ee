//! Apache Guacamole's web application: the REST API of 1.5 over its own database, as its interface uses it.

mod directory;
mod fields;
mod refusal;
mod rights;
mod routes;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
};

use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};

use self::{directory::Directory, refusal::Refusal};
use crate::{Clock, Failure, Request, Response, Simulator};

/// What stands before `/api`.
pub const BASE: &str = "/guacamole";
/// An administrator that a simulator has, and the password, which is no secret.
pub const USER: &str = "windlass";
/// The administrator's password.
pub const PASSWORD: &str = "simulated-password-that-is-no-secret";

/// How the web application behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Administrators, each with a password.
    pub administrators: Vec<(String, String)>,
    /// How its database is called.
    pub datasource: String,
    /// For how long a log-in is good that nobody uses.
    pub token_ms: i64,
    /// Whether attributes are kept that it doesn't know: its own databases do, others needn't.
    pub keeps_attributes: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            administrators: vec![(USER.into(), PASSWORD.into())],
            datasource: "postgresql".into(),
            token_ms: 60 * 60 * 1_000,
            keeps_attributes: true,
        }
    }
}

/// A web application with its database.
pub struct Guacamole {
    config: Config,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    directory: Directory,
    tokens: BTreeMap<String, Session>,
    /// Every token that was ever given, for tests that look for them elsewhere.
    given: Vec<String>,
}

struct Session {
    user: String,
    used_ms: i64,
}

/// What a request is answered with.
type Reply = Result<Option<Value>, Refusal>;

impl Guacamole {
    /// One that holds nothing but its administrators.
    pub fn new(config: Config, clock: Clock) -> Self {
        let mut directory = Directory::new(config.keeps_attributes);
        for (name, password) in &config.administrators {
            directory.add_administrator(name, password);
        }
        let state = State { directory, tokens: BTreeMap::new(), given: Vec::new() };
        Self { config, clock, state: Mutex::new(state) }
    }

    /// The objects of a collection (`connections`), as the API shows them.
    pub fn objects(&self, collection: &str) -> Vec<Value> {
        self.state.lock().directory.shown(collection)
    }

    /// A connection's parameters, which the API shows to those who may change it.
    pub fn parameters(&self, connection: &str) -> Value {
        self.state.lock().directory.parameters("connections", connection)
    }

    /// How many objects it holds beyond its administrators.
    pub fn count(&self) -> usize {
        let state = self.state.lock();
        state.directory.count() - self.config.administrators.len()
    }

    /// Adds an object as somebody else would: its identifier.
    pub fn put(&self, collection: &str, body: &Value) -> String {
        let mut state = self.state.lock();
        let maker = self.config.administrators.first().map(|(name, _)| name.clone()).unwrap_or_default();
        state
            .directory
            .create(collection, body, &maker)
            .map(|made| fields::id_of(collection, &made))
            .unwrap_or_default()
    }

    /// Somebody opens a connection: what the session is called.
    pub fn open(&self, connection: &str, user: &str) -> String {
        self.state.lock().directory.open(connection, user, self.clock.now_ms())
    }

    /// Ends all log-ins, as a restart does.
    pub fn forget_tokens(&self) {
        self.state.lock().tokens.clear();
    }

    /// How many log-ins are good.
    pub fn tokens(&self) -> usize {
        self.state.lock().tokens.len()
    }

    /// Every token that was ever given.
    pub fn all_tokens(&self) -> Vec<String> {
        self.state.lock().given.clone()
    }

    /// Whether somebody can log in with this password.
    pub fn accepts(&self, user: &str, password: &str) -> bool {
        self.state.lock().directory.is_password(user, password)
    }

    fn log_in(&self, state: &mut State, request: &Request) -> Reply {
        let form = request.form();
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
        let (user, password) = (field("username"), field("password"));
        if let Some(token) = [field("token")].into_iter().find(|token| state.tokens.contains_key(*token)) {
            // An existing log-in is looked at anew.
            let user = state.tokens[token].user.clone();
            return Ok(Some(self.welcome(token, &user)));
        }
        if !state.directory.is_password(user, password) {
            return Err(Refusal::credentials());
        }
        let token = random_token();
        state.given.push(token.clone());
        state.tokens.insert(token.clone(), Session { user: user.to_owned(), used_ms: self.clock.now_ms() });
        Ok(Some(self.welcome(&token, user)))
    }

    fn welcome(&self, token: &str, user: &str) -> Value {
        let datasource = &self.config.datasource;
        json!({ "authToken": token, "username": user, "dataSource": datasource,
                "availableDataSources": [datasource, format!("{datasource}-shared")] })
    }

    /// Who asks: by the header, or by the query, as older clients do.
    fn who(&self, state: &mut State, request: &Request) -> Result<String, Refusal> {
        let token = sent(request);
        let now_ms = self.clock.now_ms();
        match state.tokens.get_mut(token) {
            Some(session) if session.used_ms + self.config.token_ms > now_ms => {
                session.used_ms = now_ms;
                Ok(session.user.clone())
            }
            Some(_) => {
                state.tokens.remove(token);
                Err(Refusal::denied())
            }
            None => Err(Refusal::denied()),
        }
    }

    fn route(&self, request: &Request) -> Reply {
        let segments = request.segments();
        let all: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["guacamole", "api", path @ ..] = all.as_slice() else { return Err(Refusal::not_found("resource")) };
        let mut state = self.state.lock();
        let state = &mut *state;
        match (&request.method, path) {
            (&Method::POST, ["tokens"]) => self.log_in(state, request),
            (&Method::DELETE, ["tokens", token]) => {
                state.tokens.remove(*token).map(|_| None).ok_or_else(|| Refusal::not_found("No such token."))
            }
            (&Method::DELETE, ["session"]) => {
                self.who(state, request)?;
                let token = sent(request);
                state.tokens.remove(token);
                Ok(None)
            }
            (_, ["session", "data", datasource, rest @ ..]) => {
                let user = self.who(state, request)?;
                if *datasource != self.config.datasource {
                    let what = format!("Session not associated with authentication provider \"{datasource}\".");
                    return Err(Refusal::not_found(&what));
                }
                if !state.directory.is_there("users", &user) {
                    return Err(Refusal::denied());
                }
                routes::route(&mut state.directory, &user, request, rest)
            }
            _ => Err(Refusal::not_found("resource")),
        }
    }
}

/// The token of a request.
fn sent(request: &Request) -> &str {
    let header = request.header("guacamole-token").filter(|token| !token.is_empty());
    header.or(request.query("token")).unwrap_or_default()
}

fn random_token() -> String {
    // Each of these has a key of its own.
    (0..4_u64).map(|part| format!("{:016X}", RandomState::new().hash_one(part))).collect()
}

impl Simulator for Guacamole {
    fn operation(&self, request: &Request) -> String {
        routes::operation(request)
    }

    fn answer(&self, request: &Request, _: Option<&Failure>) -> Response {
        match self.route(request) {
            Ok(Some(body)) => Response::json(200, &body),
            Ok(None) => Response::empty(204),
            Err(refusal) => refusal.response(),
        }
    }

    fn failure(&self, _: &Request, failure: &Failure) -> Response {
        let message = failure.message.clone().unwrap_or_else(|| format!("simulated {}", failure.code));
        Refusal { status: failure.status, kind: failure.code.clone(), message, expected: Value::Null }.response()
    }

    fn limited(&self, _: &Request, seconds: u64) -> Response {
        Refusal { status: 429, kind: "BAD_REQUEST".into(), message: "Too many requests.".into(), expected: Value::Null }
            .response()
            .header("retry-after", seconds.to_string())
    }
}
