//! Gives ops the values behind secrets, if each secret's own policy allows the destination.

use std::sync::Arc;

use serde_json::Value;
use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

use crate::{host::RevealSecret, scrub::Scrubber, secret, secret::SecretSource};

pub(crate) struct Revealer {
    pub source: Arc<dyn SecretSource>,
    pub scrubber: Arc<Scrubber>,
}

impl RevealSecret for Revealer {
    fn reveal(&self, reference: &Value, destination: &str) -> Result<Zeroizing<String>, Problem> {
        if !secret::is_reference(reference) {
            return Err(Problem::new(Code::SecretMisuse, "a secret or text is needed here").no_effect());
        }
        let mut lookup = |name: &str| {
            if !self.source.policy(name)?.allows(destination) {
                return Err(Problem::new(
                    Code::SecretMisuse,
                    format!("the secret `{name}` may not go to `{destination}`"),
                )
                .help("Its policy lists where it may go: `windlass secrets set NAME --to DESTINATION` changes that.")
                .no_effect());
            }
            self.source.get(name)
        };
        secret::evaluate(reference, &mut lookup, &mut |name, value| self.scrubber.learn(name, value), 0)
    }
}
