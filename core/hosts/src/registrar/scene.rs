//! Where a plugin is called: in a run, or in the conformance kit.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;
use url::Url;
use windlass_model::Problem;
use windlass_script::{host::OpCx, plugin::Manifest};
use zeroize::Zeroizing;

use super::office::Office;
use crate::web::{Guard, Request};

/// What a call needs around it.
pub(super) trait Scene {
    /// The value of a field, if it may go to this origin.
    fn reveal(&self, field: &str, destination: &str) -> Result<Zeroizing<String>, Problem>;

    /// Sends a request that was checked.
    fn send(&self, request: Request) -> Result<Value, Problem>;

    /// Waits, unless the call is told to stop.
    fn wait(&self, time: Duration) -> Result<(), Problem>;

    /// Whether the call is told to stop.
    fn stopped(&self) -> bool;

    /// A time step for a one-time password, which this seed wasn't used with before.
    fn step(&self, seed: &[u8]) -> Result<u64, Problem>;
}

/// A step of a run.
pub(super) struct InRun<'a> {
    pub cx: &'a OpCx,
    pub office: &'a Office,
    pub manifest: &'a Manifest,
    pub credentials: &'a BTreeMap<String, Value>,
}

/// What a manifest grants for a verb such as `http.get`.
pub(super) fn granted(manifest: &Manifest, verb: &str) -> Vec<String> {
    let method = verb.strip_prefix("http.").unwrap_or_default().to_ascii_uppercase();
    let hosts = manifest.hosts.iter().filter(|host| host.methods.contains(&method));
    hosts.flat_map(|host| host.paths.iter().map(|path| format!("https://{}{path}", host.host))).collect()
}

/// An answer, with the host that gave it.
pub(super) fn told((mut answer, url): (Value, Url)) -> Value {
    answer["host"] = url.host_str().into();
    answer
}

impl Scene for InRun<'_> {
    fn reveal(&self, field: &str, destination: &str) -> Result<Zeroizing<String>, Problem> {
        self.cx.reveal(self.credentials.get(field).unwrap_or(&Value::Null), destination)
    }

    fn send(&self, request: Request) -> Result<Value, Problem> {
        let granted = |verb: &str| granted(self.manifest, verb);
        let guard = Guard { granted: &granted, holds: Arc::new(self.cx.holder()) };
        self.cx.block_on(self.office.client.send_on(&guard, request)).map(told)
    }

    fn wait(&self, time: Duration) -> Result<(), Problem> {
        self.cx.block_on(async {
            tokio::time::sleep(time).await;
            Ok(())
        })
    }

    fn stopped(&self) -> bool {
        self.cx.stopped()
    }

    fn step(&self, seed: &[u8]) -> Result<u64, Problem> {
        self.office.step(seed, &|time| self.wait(time))
    }
}
