//! Hetzner Cloud: the wire protocol of `/v1`, as its published contract describes it.

mod action;
mod catalog;
mod fingerprint;
mod firewalls;
mod labels;
mod limits;
mod listing;
mod load_balancers;
mod networks;
mod primary_ips;
mod project;
mod ranges;
mod refusal;
mod render;
mod routes;
mod server_actions;
mod servers;
mod small;
#[cfg(test)]
mod tests;
mod volumes;
mod zonefile;
mod zones;

use std::{collections::BTreeMap, sync::Arc};

use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};

use self::{limits::Bucket, project::Project, refusal::Refusal};
use crate::{Clock, Failure, Request, Response, Simulator};

/// How the provider behaves.
#[derive(Clone)]
pub struct Config {
    /// Tokens that may read and write.
    pub tokens: Vec<String>,
    /// Tokens that may only read.
    pub read_only_tokens: Vec<String>,
    /// How long actions take: 1 is about as long as with the provider, 0.01 a hundredth.
    pub pace: f64,
    /// All prices times this.
    pub price_factor: f64,
    /// How many of each kind (`servers`) the project may have.
    pub limits: BTreeMap<String, usize>,
    /// Server types that are out of stock, each with the location.
    pub sold_out: Vec<(String, String)>,
    /// Requests that the project has at most.
    pub requests: u32,
    /// Requests that it gets back each second.
    pub requests_per_second: f64,
    /// Hears of every server that begins to run: whoever plays its software.
    pub booted: Option<Booted>,
}

/// Hears of a server that begins to run. It must not wait: the simulator does nothing else meanwhile.
pub type Booted = Arc<dyn Fn(Boot) + Send + Sync>;

/// A server that begins to run.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The server, as the API shows it.
    pub server: Value,
    /// What cloud-init would read.
    pub user_data: String,
}

impl Default for Config {
    fn default() -> Self {
        let limits = [
            ("servers", 50),
            ("networks", 50),
            ("firewalls", 50),
            ("load_balancers", 20),
            ("volumes", 100),
            ("placement_groups", 50),
            ("ssh_keys", 100),
            ("primary_ips", 200),
            ("images", 50),
            ("zones", 25),
        ];
        Self {
            tokens: vec![TOKEN.into()],
            read_only_tokens: vec![READ_ONLY_TOKEN.into()],
            pace: 1.0,
            price_factor: 1.0,
            limits: limits.into_iter().map(|(kind, limit)| (kind.into(), limit)).collect(),
            sold_out: Vec::new(),
            requests: 3_600,
            requests_per_second: 1.0,
            booted: None,
        }
    }
}

/// The token that a simulator takes by default; as long as a real one, and no secret.
pub const TOKEN: &str = "simulated-project-token-that-may-read-and-write-and-is-no-secret";
/// The token that may only read.
pub const READ_ONLY_TOKEN: &str = "simulated-project-token-that-may-only-read-things-and-no-secret-";

/// What a request is answered with.
enum Reply {
    Json(u16, Value),
    Empty,
}

/// A project at the provider.
pub struct Hetzner {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    project: Project,
    bucket: Bucket,
}

impl Hetzner {
    /// An empty project.
    pub fn new(config: Config, clock: Clock) -> Self {
        let bucket = Bucket::new(config.requests, config.requests_per_second, clock.now_ms());
        Self { clock, state: Mutex::new(State { project: Project::new(config), bucket }) }
    }

    /// The objects of a kind (`servers`), as the API shows them.
    pub fn objects(&self, kind: &'static str) -> Vec<Value> {
        let mut state = self.state.lock();
        state.project.settle(self.clock.now_ms());
        state.project.all(kind).map(|one| render::object(&state.project, kind, one)).collect()
    }

    /// How many objects the project holds, over all kinds.
    pub fn count(&self) -> usize {
        let kinds = self.state.lock().project.config.limits.keys().cloned().collect::<Vec<_>>();
        let mut state = self.state.lock();
        state.project.settle(self.clock.now_ms());
        kinds.iter().map(|kind| state.project.all(kind).count()).sum()
    }

    /// The user data that a server was made with; the provider keeps it, and shows it to nobody but the server.
    pub fn user_data(&self, server: i64) -> Option<String> {
        let state = self.state.lock();
        let server = state.project.get("servers", server).ok()?;
        server["_user_data"].as_str().map(str::to_owned)
    }

    /// From now on these tokens may read and write, and no others.
    pub fn set_tokens(&self, tokens: Vec<String>) {
        self.state.lock().project.config.tokens = tokens;
    }

    fn admit(&self, project: &Project, request: &Request) -> Result<(), Refusal> {
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let known = |tokens: &[String]| tokens.iter().any(|known| known == token);
        if known(&project.config.tokens) {
            return Ok(());
        }
        if !known(&project.config.read_only_tokens) {
            return Err(Refusal::new(401, "unauthorized", "the token you provided is invalid"));
        }
        match request.method == Method::GET {
            true => Ok(()),
            false => Err(Refusal::new(401, "token_readonly", "the token is only allowed to perform GET requests")),
        }
    }
}

impl Simulator for Hetzner {
    fn operation(&self, request: &Request) -> String {
        routes::operation(request)
    }

    fn answer(&self, request: &Request, fails_later: Option<&Failure>) -> Response {
        let mut state = self.state.lock();
        let State { project, bucket } = &mut *state;
        let now_ms = self.clock.now_ms();
        if let Err(refusal) = self.admit(project, request) {
            return refusal.response();
        }
        if !bucket.take(now_ms) {
            let refusal = Refusal::new(429, "rate_limit_exceeded", "limit of requests per hour reached");
            return bucket.tell(refusal.response());
        }
        project.settle(now_ms);
        project.fails_later = fails_later.cloned();
        let response = match routes::answer(project, request) {
            Ok(Reply::Json(status, body)) => Response::json(status, &body),
            Ok(Reply::Empty) => Response::empty(204),
            Err(refusal) => refusal.response(),
        };
        project.fails_later = None;
        bucket.tell(response)
    }

    fn failure(&self, _: &Request, failure: &Failure) -> Response {
        let message = failure.message.clone().unwrap_or_else(|| format!("simulated {}", failure.code));
        Refusal::new(failure.status, &failure.code, message).response()
    }

    fn limited(&self, _: &Request, seconds: u64) -> Response {
        let refusal = Refusal::new(429, "rate_limit_exceeded", "limit of requests per hour reached").details(json!({}));
        let until = self.clock.now_ms() / 1_000 + i64::try_from(seconds).unwrap_or(i64::MAX);
        refusal
            .response()
            .header("RateLimit-Limit", "3600")
            .header("RateLimit-Remaining", "0")
            .header("RateLimit-Reset", until.to_string())
    }
}
