//! `notify`: tells people, by whichever way they have chosen. A message that can't be delivered never fails a run.

mod delivery;
mod email;

use serde::{Deserialize, Serialize};
use windlass_model::Problem;
use windlass_script::host::{HostModule, Op};

pub use email::{Config as Email, Tls};

/// `[hosts.notify]`: a table for each way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The mail server.
    pub email: Email,
}

/// A way to people: one op.
struct Target {
    /// Its op that delivers. Fails when its configuration can't be meant.
    real: fn(&Config) -> Result<Op, Problem>,
    /// Its op for rehearsals.
    rehearsal: fn(&Config) -> Op,
}

/// Every way, in the order of the reference.
const TARGETS: &[Target] = &[Target { real: |config| email::op(&config.email), rehearsal: |_| email::rehearsal() }];

/// The module. Fails when a way is configured that can't be meant; one that isn't configured says so when a script asks.
pub fn module(config: &Config) -> Result<HostModule, Problem> {
    Ok(described(TARGETS.iter().map(|target| (target.real)(config)).collect::<Result<_, _>>()?))
}

/// The module for rehearsals: nothing is sent.
pub fn rehearsal(config: &Config) -> HostModule {
    described(TARGETS.iter().map(|target| (target.rehearsal)(config)).collect())
}

fn described(ops: Vec<Op>) -> HostModule {
    HostModule {
        name: "notify",
        doc: "Tells people. An op takes ten seconds at most and never fails the run: whatever goes wrong on the way, and \
              whatever can't be meant, stands in `reason`, with `delivered` false. Only two things are errors, because nothing \
              must go out then: a grant that is missing (`permission_denied`) and a secret in a message (`secret_misuse`).\n\n\
              A message is never sent twice: when the process ends while it is being sent, the step says that nobody knows \
              whether it arrived, and the run goes on.",
        ops,
    }
}
