//! `notify`: tells people, by whichever way they have chosen. A message that can't be delivered never fails a run.

mod courier;
mod delivery;
mod email;
mod note;
mod ops;
mod shapes;
mod sign;
mod target;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use windlass_model::Problem;
use windlass_script::host::{HostModule, Op};

use crate::web;

pub use courier::{Courier, Undelivered};
pub use email::{Config as Email, Reveal, Tls};
pub use note::{Note, Severity};
pub use target::{Entry, Target, Targets, Way, is_name};

/// `[hosts.notify]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The mail server.
    pub email: Email,
    /// Named targets of the configuration.
    pub targets: BTreeMap<String, Entry>,
}

/// The module. Fails when a way is configured that can't be meant; one that isn't configured says so when a script asks.
pub fn module(config: &Config, http: &web::Config, targets: Arc<dyn Targets>) -> Result<HostModule, Problem> {
    let courier = Arc::new(Courier::new(config, http)?);
    let mut all = vec![email::op(courier.post())];
    all.extend(ops::ops(&courier, &targets));
    Ok(described(all))
}

/// The module for rehearsals: nothing is sent.
pub fn rehearsal(_: &Config) -> HostModule {
    let mut all = vec![email::rehearsal()];
    all.extend(ops::rehearsals());
    described(all)
}

fn described(ops: Vec<Op>) -> HostModule {
    HostModule {
        name: "notify",
        doc: "Tells people. An op takes ten seconds at most and never fails the run: whatever goes wrong on the way, and \
              whatever can't be meant, stands in `reason`, with `delivered` false. Only two things are errors, because nothing \
              must go out then: a grant that is missing (`permission_denied`) and a secret in a message (`secret_misuse`).\n\n\
              A message is never sent twice: when the process ends while it is being sent, the step says that nobody knows \
              whether it arrived, and the run goes on.\n\nAll but `email` tell a target by its name, for which the run needs a \
              grant: `notify.slack:ops`. Its address and its secret are kept by the server: in `[hosts.notify.targets]`, or \
              by `windlass notify targets`.",
        ops,
    }
}
