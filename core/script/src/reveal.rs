//! Gives ops the values behind secrets, if each is for the run, and its own policy allows the destination.

use std::sync::Arc;

use serde_json::Value;
use windlass_model::{Code, Problem, RunId};
use zeroize::Zeroizing;

use crate::{host::RevealSecret, scrub::Scrubber, secret, secret::SecretSource};

pub(crate) struct Revealer {
    pub source: Arc<dyn SecretSource>,
    pub scrubber: Arc<Scrubber>,
}

/// The same for one run: what isn't for it stays closed.
pub(crate) struct RevealerOf {
    pub revealer: Arc<Revealer>,
    pub run: RunId,
}

impl RevealSecret for RevealerOf {
    fn reveal(&self, reference: &Value, destination: &str) -> Result<Zeroizing<String>, Problem> {
        if !secret::is_reference(reference) {
            return Err(Problem::new(Code::SecretMisuse, "a secret or text is needed here").no_effect());
        }
        let mut lookup = |name: &str| {
            self.revealer.source.admits(name, &self.run)?;
            if !self.revealer.source.policy(name)?.allows(destination) {
                return Err(Problem::new(
                    Code::SecretMisuse,
                    format!("the secret `{name}` may not go to `{destination}`"),
                )
                .help("Its policy lists where it may go: `windlass secrets set NAME --to DESTINATION` changes that.")
                .no_effect());
            }
            self.revealer.source.get(name)
        };
        secret::evaluate(reference, &mut lookup, &mut |name, value| self.revealer.scrubber.learn(name, value), 0)
    }
}
