//! The settings themselves, as the rest of the program reads them. `keys.rs` documents each.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use windlass_hosts::HostConfig;
use windlass_model::Bounds;

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What `windlass dev` has put in place of something real; nobody configures it.
    #[serde(skip)]
    pub simulated: Vec<String>,
    /// The data folder.
    pub data: PathBuf,
    /// The folder of workflows.
    pub workflows: PathBuf,
    /// The folder of plugins.
    pub plugins: PathBuf,
    /// Whether a version that widens permissions waits for an admin.
    pub workflow_review: bool,
    /// The database's URL; empty: an SQLite file in the data folder.
    pub database: String,
    /// Logging.
    pub log: Log,
    /// Traces.
    pub telemetry: Telemetry,
    /// The engine.
    pub engine: EngineSettings,
    /// The server.
    pub server: ServerSettings,
    /// Who may come in.
    pub auth: AuthSettings,
    /// Labs, and the consoles of their nodes.
    pub labs: LabSettings,
    /// How long what has ended is kept.
    pub retention: RetentionSettings,
    /// Vouchers.
    pub vouchers: VoucherSettings,
    /// Limits.
    pub bounds: Bounds,
    /// What workflows of a folder may declare at most.
    pub policy: BTreeMap<String, Vec<String>>,
    /// Secrets that are kept elsewhere.
    pub secrets: BTreeMap<String, SecretEntry>,
    /// Host modules.
    pub hosts: HostConfig,
}

/// Logging.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A level, or directives such as `windlass_engine=debug,warn`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// The collector's address; empty: no traces are sent.
    pub otlp: String,
}

/// The engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSettings {
    /// Runs that are evaluated at once.
    pub workers: usize,
    /// How long a lease holds without renewal.
    pub lease_ms: i64,
    /// How often to look for other processes' writes.
    pub poll_ms: u64,
    /// How long ended runs are kept.
    pub retention: String,
    /// Stack of a script thread.
    pub stack_bytes: usize,
}

/// The server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// Where it listens.
    pub listen: String,
    /// The address that people reach it at.
    pub public_url: String,
    /// PEM file with the certificates' chain.
    pub tls_cert: String,
    /// PEM file with the key.
    pub tls_key: String,
    /// Networks of proxies that are believed.
    pub trusted_proxies: Vec<String>,
    /// The headers that they write.
    pub forwarded_header: ForwardedHeader,
    /// Whether they speak the PROXY protocol.
    pub proxy_protocol: bool,
    /// Networks that may read metrics without a token.
    pub metrics_from: Vec<String>,
    /// Connections at once.
    pub connections: usize,
    /// Requests that are worked on at once.
    pub concurrency: usize,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of all requests' bodies at once.
    pub bodies_bytes: usize,
    /// Milliseconds that a request's head may take.
    pub head_timeout_ms: u64,
    /// Milliseconds that a request may take.
    pub request_timeout_ms: u64,
    /// Milliseconds that requests get to end.
    pub grace_ms: u64,
    /// Streams of events at once.
    pub streams: usize,
    /// Streams of events at once of one user.
    pub streams_each: usize,
    /// Milliseconds of silence after which a stream shows that it lives.
    pub heartbeat_ms: u64,
    /// Milliseconds after which it is looked at again whether whoever follows still may.
    pub recheck_ms: u64,
    /// Milliseconds after which a connection is dropped that takes nothing.
    pub stall_ms: u64,
}

/// Labs of this machine, and the consoles of their nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabSettings {
    /// How often all of them are looked at.
    pub discovery_every: String,
    /// The shell in a namespace, with its arguments; none: there are no such shells.
    pub shell: Vec<String>,
    /// Who it runs as; empty: the user of the lab's organisation.
    pub shell_user: String,
    /// Whether every console is recorded.
    pub record: bool,
    /// Bytes of one recording.
    pub record_bytes: u64,
    /// How long one recording may be.
    pub record_length: String,
    /// Bytes of all recordings.
    pub recordings_bytes: u64,
    /// People at consoles at once.
    pub consoles: usize,
    /// Consoles that one of them may have open.
    pub consoles_each: usize,
    /// People at the consoles of one node.
    pub consoles_node: usize,
    /// When a console is closed in which nothing happens.
    pub console_idle: String,
}

/// How long what has ended is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSettings {
    /// Artifacts of runs that have ended; empty: as long as their runs.
    pub artifacts: String,
    /// Bytes of all artifacts of runs that have ended; 0: as many as there are.
    pub artifacts_bytes: u64,
    /// Recordings of consoles; empty: until there is no room.
    pub recordings: String,
    /// What has become of notifications.
    pub notifications: String,
    /// How often to look.
    pub every: String,
    /// Runs, artifacts or documents that go in one commit.
    pub batch: u32,
    /// Milliseconds between two commits: the others' turn.
    pub pause_ms: u64,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            artifacts: String::new(),
            artifacts_bytes: 0,
            recordings: String::new(),
            notifications: "30d".into(),
            every: "1h".into(),
            batch: 100,
            pause_ms: 20,
        }
    }
}

/// Vouchers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VoucherSettings {
    /// Requests about codes in a minute from one address.
    pub each_per_minute: u32,
    /// Requests about codes in a minute from all.
    pub all_per_minute: u32,
    /// What may be issued without an approval.
    pub issue_limit: i64,
    /// What whoever redeems gets besides: inputs of `franchise/redeem`.
    pub offer: BTreeMap<String, serde_json::Value>,
}

/// The headers with which trusted proxies tell who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    XForwardedFor,
    /// `Forwarded`.
    Forwarded,
}

/// Who may come in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSettings {
    /// When a session ends that nobody uses.
    pub session_idle: String,
    /// When a session ends in any case.
    pub session_max: String,
    /// OpenID providers.
    pub oidc: BTreeMap<String, OidcEntry>,
}

/// An OpenID provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcEntry {
    /// Where it is.
    pub issuer: String,
    /// What it knows us by.
    pub client_id: String,
    /// `env:NAME` or `file:/path`; empty: PKCE alone.
    #[serde(default)]
    pub client_secret: String,
    /// Domains of verified e-mail addresses that are let in; none: all.
    #[serde(default)]
    pub email_domains: Vec<String>,
    /// The organisation of those who come in this way.
    #[serde(default = "platform")]
    pub organisation: String,
    /// The claim that says what they may do.
    #[serde(default)]
    pub roles_claim: String,
    /// What each of its values gives: `ROLE@ORGANISATION/FOLDER`.
    #[serde(default)]
    pub roles: BTreeMap<String, Vec<String>>,
}

fn platform() -> String {
    "platform".into()
}

/// A secret that is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretEntry {
    /// `env:NAME` or `file:/path`.
    pub from: String,
    /// Destinations that its value may go to.
    pub to: Vec<String>,
}
