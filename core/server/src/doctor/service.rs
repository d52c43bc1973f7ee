//! What the API asks of the machine: the doctor's findings, kept for a while, because some looks write to the disk.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use windlass_api::services::{self, Machine};

use super::{Finding, Standing, examine};
use crate::config::Config;

/// How long findings are kept.
const KEPT: Duration = Duration::from_secs(30);

/// The doctor, as a server asks it.
pub struct Doctor {
    config: Config,
    environment: BTreeMap<String, String>,
    last: Mutex<Option<(Instant, Vec<Finding>)>>,
}

impl Doctor {
    /// Of this configuration.
    pub fn new(config: &Config, environment: &BTreeMap<String, String>) -> Self {
        Self { config: config.clone(), environment: environment.clone(), last: Mutex::default() }
    }
}

impl Machine for Doctor {
    fn examine(&self) -> Vec<services::Finding> {
        // Whoever asks meanwhile waits for the same findings.
        let mut last = self.last.lock();
        let (_, findings) = match last.take() {
            Some(kept) if kept.0.elapsed() < KEPT => last.insert(kept),
            _ => last.insert((Instant::now(), examine(&self.config, &self.environment))),
        };
        findings.iter().map(told).collect()
    }
}

fn told(of: &Finding) -> services::Finding {
    let standing = match of.standing {
        Standing::Fine => services::Standing::Fine,
        Standing::Missing => services::Standing::Missing,
        Standing::Broken => services::Standing::Broken,
    };
    services::Finding { name: of.name.to_owned(), standing, found: of.found.clone(), help: of.help.clone() }
}
