//! What all handlers share.

use std::sync::Arc;

use ipnet::IpNet;
use tokio::sync::watch;
use windlass_engine::Engine;

use crate::{
    auth::Auth,
    consoles::{ConsoleConfig, ConsoleHub},
    events::{EventsConfig, Hub},
    labs::Labs,
    metrics::Metrics,
    services::{Captures, Consoles, Courier, Machine, Mail, PluginDesk, Pool, Scripts, Secrets, Settings, Things},
    site::Site,
    triggers::Bell,
    vouchers::{RedeemBounds, RedeemThrottle},
    workflows::presence::Editors,
};

/// How the API behaves.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Bytes of a request's body at most.
    pub body_bytes: usize,
    /// Bytes of all requests' bodies at once; a quarter is for those who haven't said who they are.
    pub bodies_bytes: usize,
    /// Milliseconds that a request may take, streams excepted.
    pub request_ms: u64,
    /// Requests that are worked on at once; more have to wait.
    pub concurrency: usize,
    /// The address that people reach the server at: `https://windlass.example.net`. For cookies, links and cross-site checks.
    pub public_url: String,
    /// Networks that may read metrics without a token.
    pub metrics_from: Vec<IpNet>,
    /// How streams of events behave.
    pub events: EventsConfig,
    /// How consoles of labs' nodes behave.
    pub consoles: ConsoleConfig,
    /// Requests about vouchers' codes in a minute.
    pub redeeming: RedeemBounds,
    /// What vouchers may be worth together that are issued without an approval, in the currency's smallest unit.
    pub issue_limit: i64,
    /// What whoever redeems a voucher gets besides: inputs of `franchise/redeem` by their names.
    pub redeem_offer: serde_json::Map<String, serde_json::Value>,
    /// Users of a machine that there are for organisations' programs; 0: they share one.
    pub uids: u32,
    /// What stands in for something real, as people call it.
    pub simulated: Vec<String>,
    /// Version of the program.
    pub version: String,
    /// The interface's files.
    pub site: Site,
    /// Makes a request's span part of the trace that its `traceparent` names, where traces are kept.
    pub join_trace: Option<fn(&tracing::Span, &str)>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            body_bytes: 8 << 20,
            bodies_bytes: 128 << 20,
            request_ms: 30_000,
            concurrency: 256,
            public_url: "http://127.0.0.1:7070".into(),
            metrics_from: Vec::new(),
            events: EventsConfig::default(),
            consoles: ConsoleConfig::default(),
            redeeming: RedeemBounds::default(),
            issue_limit: 1_000_000,
            redeem_offer: serde_json::Map::new(),
            uids: windlass_model::inmate::COUNT,
            simulated: Vec::new(),
            version: env!("CARGO_PKG_VERSION").into(),
            site: Site::default(),
            join_trace: None,
        }
    }
}

/// What all handlers share.
pub struct Api {
    /// The engine.
    pub engine: Engine,
    /// How the API behaves.
    pub config: ApiConfig,
    /// Workflows: their sources, checks, versions and rehearsals.
    pub scripts: Arc<dyn Scripts>,
    /// Secrets, which can be set but not read.
    pub secrets: Arc<dyn Secrets>,
    /// The machine below, if it can be looked at.
    pub machine: Option<Arc<dyn Machine>>,
    /// Where plugins are written, if they can be.
    pub plugin_desk: Option<Arc<dyn PluginDesk>>,
    /// What the server runs with, if somebody knows.
    pub settings: Option<Arc<dyn Settings>>,
    /// What is known of things that runs have made, if somebody knows.
    pub things: Option<Arc<dyn Things>>,
    /// Names that are given out, if any are.
    pub pool: Option<Arc<dyn Pool>>,
    /// The way to people's mailboxes, if there is one.
    pub mail: Option<Arc<dyn Mail>>,
    /// Hands messages to people, if somebody can.
    pub courier: Option<Arc<dyn Courier>>,
    /// Who may come in.
    pub auth: Auth,
    /// Streams of events.
    pub events: Arc<Hub>,
    /// Wakes whoever launches what is due.
    pub triggers: Arc<Bell>,
    pub(crate) metrics: Metrics,
    pub(crate) editors: Editors,
    pub(crate) consoles: Arc<ConsoleHub>,
    pub(crate) captures: Option<Arc<dyn Captures>>,
    pub(crate) labs: Option<Arc<dyn Labs>>,
    pub(crate) redeeming: RedeemThrottle,
    pub(crate) claiming: RedeemThrottle,
    stop: watch::Sender<bool>,
}

impl Api {
    /// With these parts.
    pub fn new(
        engine: Engine,
        config: ApiConfig,
        scripts: Arc<dyn Scripts>,
        secrets: Arc<dyn Secrets>,
        auth: Auth,
    ) -> Self {
        let events = Arc::new(Hub::new(&config.events));
        let auth = auth.reached_at(&config.public_url);
        let redeeming = RedeemThrottle::new(config.redeeming);
        let claiming = RedeemThrottle::new(config.redeeming);
        Self {
            engine,
            config,
            scripts,
            secrets,
            machine: None,
            plugin_desk: None,
            settings: None,
            things: None,
            pool: None,
            redeeming,
            claiming,
            mail: None,
            courier: None,
            auth,
            events,
            triggers: Arc::default(),
            metrics: Metrics::default(),
            editors: Editors::default(),
            consoles: ConsoleHub::none(),
            captures: None,
            labs: None,
            stop: watch::Sender::new(false),
        }
    }

    /// The same with a machine to look at.
    pub fn on(mut self, machine: Arc<dyn Machine>) -> Self {
        self.machine = Some(machine);
        self
    }

    /// The same with a desk to write plugins on.
    pub fn writing(mut self, desk: Arc<dyn PluginDesk>) -> Self {
        self.plugin_desk = Some(desk);
        self
    }

    /// The same with a configuration to show.
    pub fn configured(mut self, settings: Arc<dyn Settings>) -> Self {
        self.settings = Some(settings);
        self
    }

    /// The same with somebody who knows more of what runs have made.
    pub fn knowing(mut self, things: Arc<dyn Things>) -> Self {
        self.things = Some(things);
        self
    }

    /// The same with names to give out.
    pub fn giving(mut self, pool: Arc<dyn Pool>) -> Self {
        self.pool = Some(pool);
        self
    }

    /// The same with a way to people's mailboxes.
    pub fn mailing(mut self, mail: Option<Arc<dyn Mail>>) -> Self {
        self.mail = mail;
        self
    }

    /// The same with somebody who hands messages to people.
    pub fn telling(mut self, courier: Arc<dyn Courier>) -> Self {
        self.courier = Some(courier);
        self
    }

    /// The same with labs, whose nodes have consoles.
    pub fn with_consoles(mut self, consoles: Arc<dyn Consoles>) -> Self {
        self.consoles = ConsoleHub::new(&self.config.consoles, Some(consoles));
        self
    }

    /// The same with labs, whose links can be listened at.
    pub fn with_captures(mut self, captures: Arc<dyn Captures>) -> Self {
        self.captures = Some(captures);
        self
    }

    /// The same with labs to look at.
    pub fn with_labs(mut self, labs: Arc<dyn Labs>) -> Self {
        self.labs = Some(labs);
        self
    }

    /// Tells streams to end, so that those who follow come back to another process.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Becomes true when the server stops.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Notes that a request was answered.
    pub(crate) fn observe(&self, method: &str, route: &'static str, status: u16, took: std::time::Duration) {
        self.metrics.observe(method, route, status, took);
    }
}
