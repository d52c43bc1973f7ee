//! `registrar`: what registrars can do for domains, through plugins that were approved for the organisation of the run.

mod account;
mod call;
pub mod conform;
mod names;
mod office;
mod ops;
mod previous;
mod scene;
mod wire;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_model::{Problem, RunId};
use windlass_script::{host::HostModule, plugin::Manifest};

use crate::{
    owner::Fate,
    web::{self, SystemLookup},
};

pub use office::Office;

/// `[hosts.registrar]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where requests for a host really go: `"api.example.net" = "http://127.0.0.1:7301"`. For simulators; what is checked
    /// and what is signed stays as it was.
    pub endpoints: BTreeMap<String, String>,
    /// Whether those are the simulators of a development server, which has entered them itself.
    #[serde(skip)]
    pub simulated: bool,
}

/// A plugin's sources, as they were approved.
#[derive(Clone, Debug)]
pub struct Source {
    /// `registrars/example`.
    pub name: String,
    /// Digest of its sources.
    pub digest: String,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its script.
    pub script: String,
    /// Recorded exchanges, by the names of their files.
    pub fixtures: BTreeMap<String, String>,
}

/// What the module needs of the process that it is part of.
pub trait Plugins: Send + Sync {
    /// The organisation of this run.
    fn organisation(&self, run: &RunId) -> Result<String, Problem>;

    /// The version of the plugin that was approved for the organisation of this run; `permission_denied` if none was.
    fn approved(&self, name: &str, run: &RunId) -> Result<Arc<Source>, Problem>;

    /// Keeps a value under a step's key, unless one is kept there already, and notes that step as the last that has set this
    /// thing. What is kept under the key `instead_of` goes. All of it, or nothing.
    fn keep(&self, thing: Option<&str>, key: &str, value: &Value, instead_of: Option<&str>) -> Result<(), Problem>;

    /// Keys of the steps that have set a thing, the last one last.
    fn setters(&self, thing: &str) -> Result<Vec<String>, Problem>;

    /// Takes a step out of those that have set a thing: it was undone.
    fn undone(&self, thing: &str, key: &str) -> Result<(), Problem>;

    /// What has become of a run.
    fn fate(&self, run: &RunId) -> Result<Fate, Problem>;

    /// What is kept under a key.
    fn kept(&self, key: &str) -> Result<Option<Value>, Problem>;
}

/// The module. Fails when an endpoint can't be read, or the HTTP client can't be made.
pub fn module(config: &Config, http: &web::Config, plugins: Arc<dyn Plugins>) -> Result<HostModule, Problem> {
    let office = Office::new(config, http, Arc::new(SystemLookup))?;
    Ok(ops::module(Some((Arc::new(office), plugins))))
}

/// The module of tests that look names up themselves.
pub fn module_with(office: Arc<Office>, plugins: Arc<dyn Plugins>) -> HostModule {
    ops::module(Some((office, plugins)))
}

/// The module for rehearsals: no registrar is asked, and every answer is assumed.
pub fn rehearsal() -> HostModule {
    ops::module(None)
}
