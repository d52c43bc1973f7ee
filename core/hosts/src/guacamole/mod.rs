//! `guacamole`: consoles in the browser. Connections, groups and users of an Apache Guacamole by its REST API, and guacd.

mod allowed;
mod arguments;
mod client;
pub mod guacd;
mod lab;
mod marks;
mod ops;
mod refusal;
mod rights;
mod sync;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem};
use windlass_script::host::{HostModule, Op, Rehearse};

use crate::{owner::Organisations, passwords::Passwords};
use client::Web;

/// `[hosts.guacamole]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the web application is: `https://consoles.example.net/guacamole`. Empty: there is none.
    pub url: String,
    /// Who logs in there. Not `guacadmin` with the password that everybody knows.
    pub user: String,
    /// Name of the secret that is the password; its policy has to allow the web application's address.
    pub secret: String,
    /// Where it keeps what it is told.
    pub datasource: String,
    /// `host:port` of guacd, for consoles that don't go through the web application. Empty: there is none.
    pub guacd: String,
    /// Address of this machine at which guacd finds the consoles that it shows.
    pub console_address: String,
    /// Organisations whose runs may use it; `*`: all of them. The platform's always may.
    pub organisations: Vec<String>,
    /// What stands in for it in a rehearsal.
    #[serde(skip)]
    pub rehearsed: Simulated,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: String::new(),
            user: String::new(),
            secret: String::new(),
            datasource: "postgresql".into(),
            guacd: String::new(),
            console_address: "127.0.0.1".into(),
            organisations: Vec::new(),
            rehearsed: Simulated::default(),
        }
    }
}

/// A simulator that was started: its base URL, a user, and the password.
#[derive(Clone)]
pub struct Started {
    /// Without `/api`.
    pub url: String,
    /// An administrator.
    pub user: String,
    /// No secret.
    pub password: String,
}

/// Starts a simulator.
pub type Start = Arc<dyn Fn() -> Result<Started, Problem> + Send + Sync>;

/// A simulator of the web application, started when a rehearsal first asks it. Without one, answers are assumed.
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

/// The module. Fails when the configuration can't be meant.
pub fn module(
    config: &Config,
    http: &crate::web::Config,
    organisations: Arc<dyn Organisations>,
    passwords: Arc<dyn Passwords>,
) -> Result<HostModule, Problem> {
    if config.console_address.parse::<std::net::IpAddr>().is_err() {
        let message = format!("hosts.guacamole.console_address: `{}` isn't an IP address", config.console_address);
        return Err(Problem::new(Code::Configuration, message).help("an address of this machine that guacd can reach"));
    }
    Ok(described(ops::all(&Arc::new(Web::new(config, http, organisations, passwords)?))))
}

/// The module for rehearsals: it talks to a simulator if the process has one; else what it would do is assumed.
pub fn rehearsal(config: &Config) -> HostModule {
    let start = config.rehearsed.0.clone();
    let simulated = start.is_some();
    let nobody: Start = Arc::new(|| Err(Problem::new(Code::Unsupported, "no simulator stands in for Guacamole here")));
    let ops = ops::all(&Arc::new(Web::simulated(config, start.unwrap_or(nobody))));
    described(if simulated { ops.into_iter().map(against_simulator).collect() } else { ops })
}

/// An op that asks the simulator. A rehearsal begins with an empty one: what the script names and the rehearsal hasn't made is assumed
/// to be there.
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

fn described(ops: Vec<Op>) -> HostModule {
    HostModule {
        name: "guacamole",
        doc: "Consoles in the browser: connections, groups, users, their permissions and sessions of an Apache Guacamole (1.4 or newer), \
              by its REST API.\n\nWhat is made for a lab stands in a connection group of its own, \
              `windlass:<instance>:<lab>`, and carries the attribute `windlass-mark`: which Windlass, which lab, which step. Guacamole \
              keeps attributes that it doesn't know for whoever wrote them; that it does is looked at with each thing that is made. \
              What doesn't carry the mark of the lab is never changed or removed, and two organisations may each have a \
              lab of the same name. Secrets may stand among a connection's `parameters` and as a user's `password`; \
              their policies have to allow the web application's address.\n\nErrors of all ops: `permission_denied` (no grant, \
              another organisation's, or Guacamole refuses: `data.reason` tells which), `not_found`, `conflict` (the name is \
              taken, or the thing isn't the lab's), `invalid_argument`, `unavailable`, `configuration`, `secret_misuse`.",
        ops,
    }
}
