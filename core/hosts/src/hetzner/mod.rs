//! `hetzner`: servers, networks, firewalls, load balancers, volumes, addresses, keys, images and zones of Hetzner Cloud.

mod acts;
mod adopt;
mod arguments;
mod assume;
mod budget;
mod catalogue;
mod client;
mod facts;
mod kinds;
mod make;
mod marks;
mod poller;
mod refusal;
mod rrsets;
mod shapes;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem};
use windlass_script::host::{HostModule, Op, Rehearse};

use crate::owner::Organisations;
use client::Cloud;
pub use facts::facts;

/// `[hosts.hetzner]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the API is. A simulator's address is all that has to be changed to talk to a simulator.
    pub base_url: String,
    /// Milliseconds between two questions about actions that run.
    pub poll_ms: u64,
    /// Projects by the name that scripts and grants use.
    pub projects: BTreeMap<String, ProjectConfig>,
    /// What stands in for the provider in a rehearsal.
    #[serde(skip)]
    pub rehearsed: Simulated,
}

/// A project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectConfig {
    /// Name of the secret that holds its token; its policy has to allow the API's address.
    pub secret: String,
    /// Organisations whose runs may use it; `*`: all of them. The platform's always may.
    pub organisations: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "https://api.hetzner.cloud/v1".into(),
            poll_ms: 500,
            projects: BTreeMap::new(),
            rehearsed: Simulated::default(),
        }
    }
}

/// Starts a simulator, and gives its base URL and a token.
pub type Start = Arc<dyn Fn() -> Result<(String, String), Problem> + Send + Sync>;

/// A simulator of the provider, started when a rehearsal first asks it. Without one, answers are assumed.
#[derive(Clone, Default)]
pub struct Simulated(pub Option<Start>);

impl fmt::Debug for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "simulated" } else { "assumed" })
    }
}

impl PartialEq for Simulated {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_some() == other.0.is_some()
    }
}

/// The module. Fails when the base URL can't be meant.
pub fn module(
    config: &Config,
    http: &crate::web::Config,
    organisations: Arc<dyn Organisations>,
) -> Result<HostModule, Problem> {
    Ok(described(ops(&Arc::new(Cloud::new(config, http, organisations)?))))
}

/// The module for rehearsals: it talks to a simulator if the process has one; else what it would do is assumed.
pub fn rehearsal(config: &Config) -> HostModule {
    let (cloud, simulated) = match &config.rehearsed.0 {
        Some(start) => (Cloud::simulated(start.clone()), true),
        None => (Cloud::simulated(Arc::new(nobody)), false),
    };
    let mut ops = ops(&Arc::new(cloud));
    if simulated {
        ops = ops.into_iter().map(against_simulator).collect();
    }
    described(ops)
}

/// An op that asks the simulator. A rehearsal begins with an empty project: what the real one is taken to hold, because the
/// script names it and the rehearsal hasn't made it, is assumed to be there.
fn against_simulator(op: Op) -> Op {
    let Rehearse::Assume(assumed) = op.rehearse else { return op };
    let ask = op.run;
    Op {
        rehearse: Rehearse::Backend,
        run: Box::new(move |cx, args| match ask(cx, args) {
            Err(problem) if problem.code == Code::NotFound => Ok(assumed(args)),
            other => other,
        }),
        ..op
    }
}

fn nobody() -> Result<(String, String), Problem> {
    Err(Problem::new(Code::Unsupported, "no simulator stands in for Hetzner Cloud here"))
}

fn ops(cloud: &Arc<Cloud>) -> Vec<Op> {
    let mut ops = catalogue::ops(cloud);
    ops.extend(kinds::ops(cloud));
    ops.extend(acts::ops(cloud));
    ops.extend(rrsets::ops(cloud));
    ops
}

fn described(ops: Vec<Op>) -> HostModule {
    HostModule {
        name: "hetzner",
        doc: "Hetzner Cloud. What a run makes carries three labels, `windlass-key` (made of the step), `windlass-run` and \
              `windlass-org`: a step that is tried again finds what it made before, an undo removes that and nothing else, and \
              nothing is ever changed or deleted that doesn't carry the first. A run of an organisation changes, uses and sees \
              what carries that one's mark; the platform's runs may change what others made, and what was made before there was \
              that mark.\n\n`project` is a name of `[hosts.hetzner.projects]`, or \
              `#{ name: \"acme\", token: secret(\"…\") }`. Things are named by their id or their name. Grants say the project: \
              `hetzner.server.write:project=acme`. Ops wait until the provider has finished what they began. Answers are the \
              provider's own, without what is only of use to its console; types, images and locations are names. A project \
              has 3,600 requests an hour, shared by all runs here.\n\nWhat makes a thing takes the option `adopt: true`, too: then \
              what has that name already is taken, if a run of the same organisation has made it. What an earlier step of this run has \
              made is it. What a run that completed has made is used and stays that one's: no undo of this run removes it. What any \
              other run has left that executes no more (it failed, was cancelled, or its undo is stuck) becomes this step's, whose undo \
              removes it; the old run's doesn't any more. A server that was left so, and a thing whose making has failed, is deleted and \
              made anew: its first boot can't be repeated. What a run has that hasn't ended is `conflict`. So is what differs in what \
              can't be changed (`data.differs`): type and location of a server, load balancer, volume or address, the range of a \
              network, a volume's size, a key. What lacks is added: labels, subnets, routes, rules of a firewall and where it applies, \
              services, targets and the network of a load balancer; what others have added stays.\n\nErrors of all ops: `permission_denied` (no grant, another organisation's; or a \
              token that is wrong, may only read, or isn't allowed this: `data.reason` tells which), `not_found`, `conflict` \
              (the name is taken, the thing is locked, protected or not ours), `limit_exceeded` (the project's quota), \
              `unavailable` (out of stock, too many requests, maintenance, no answer), `invalid_argument`, `secret_misuse`.",
        ops,
    }
}
