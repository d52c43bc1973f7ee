//! Gives ops the values behind secrets, if each is for the run, and its own policy allows the destination.

use std::sync::Arc;

use serde_json::Value;
use windlass_model::{Code, Problem, RunId};
use zeroize::Zeroizing;

use crate::{host::RevealSecret, scrub::RunScrubber, secret, secret::SecretSource};

/// For one run.
pub(crate) struct Revealer {
    pub source: Arc<dyn SecretSource>,
    pub scrubber: Arc<RunScrubber>,
    pub run: RunId,
}

impl Revealer {
    /// Remembers what a step that is recorded was given from outside: an earlier process may have written it into a file.
    pub fn remember(&self, args: &str) {
        if !args.contains("\"$secret\"") {
            return;
        }
        let args: Value = serde_json::from_str(args).unwrap_or_default();
        let mut names = Vec::new();
        secret::names_in(&args, &mut names);
        for name in names.into_iter().filter(|name| self.source.is_foreign(name)) {
            // One that is gone can't be read back from the source, either.
            if let Ok(value) = self.source.get(name) {
                self.scrubber.learn(name, &value, true);
            }
        }
    }
}

impl RevealSecret for Revealer {
    fn reveal(&self, reference: &Value, destination: &str) -> Result<Zeroizing<String>, Problem> {
        if !secret::is_reference(reference) {
            return Err(Problem::new(Code::SecretMisuse, "a secret or text is needed here").no_effect());
        }
        let mut names = Vec::new();
        secret::names_in(reference, &mut names);
        // What is computed from a stranger's value and one of ours is the stranger's choice, too.
        let foreign = names.iter().any(|name| self.source.is_foreign(name));
        let mut lookup = |name: &str| {
            self.source.admits(name, &self.run)?;
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
        let mut seen = |name: &str, value: &str| {
            let ours = name != secret::DERIVED && !self.source.is_foreign(name);
            self.scrubber.learn(name, value, foreign && !ours);
        };
        secret::evaluate(reference, &mut lookup, &mut seen, 0)
    }
}
