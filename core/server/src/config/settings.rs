//! The settings themselves, as the rest of the program reads them. `keys.rs` documents each.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use windlass_hosts::HostConfig;
use windlass_model::Bounds;

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// The folder of workflows.
    pub workflows: PathBuf,
    /// The database's URL; empty: an SQLite file in the data folder.
    pub database: String,
    /// Logging.
    pub log: Log,
    /// The engine.
    pub engine: EngineSettings,
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

/// A secret that is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretEntry {
    /// `env:NAME` or `file:/path`.
    pub from: String,
    /// Destinations that its value may go to.
    pub to: Vec<String>,
}
