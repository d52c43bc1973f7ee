//! The conformance kit: what a plugin has to pass before it can be approved. Recorded exchanges, what every plugin has to
//! refuse or tell apart, and a simulator where there is one.

mod bench;
mod fixture;
mod negatives;
mod scenarios;

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use windlass_model::Problem;

use super::{Config, Office, Source};
use crate::web::{self, SystemLookup};

pub use fixture::{Exchange, Fixture, Outcome};

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// Whether it is as it should be.
    pub passed: bool,
    /// What was found instead; or, if it passed, what there is to say about it.
    pub found: String,
}

impl Check {
    fn of(name: impl Into<String>, result: Result<String, String>) -> Self {
        let (passed, found) = match result {
            Ok(found) => (true, found),
            Err(found) => (false, found),
        };
        Self { name: name.into(), passed, found }
    }
}

/// Arranges something at a simulator.
pub type Steer<'a> = Box<dyn Fn() + 'a>;

/// A simulator that runs, as the kit needs to know it.
pub struct Simulated<'a> {
    /// The hosts that it stands for, and where it listens.
    pub endpoints: BTreeMap<String, String>,
    /// Credentials that may do everything.
    pub credentials: BTreeMap<String, String>,
    /// The field whose value tells what they may do.
    pub key: String,
    /// Values for that field by the refusal that they lead to at `validate`.
    pub refused: BTreeMap<String, String>,
    /// The value with which nothing can be changed, if it knows one.
    pub read_only: String,
    /// What leads to other refusals, for the next request.
    pub provoke: BTreeMap<String, Steer<'a>>,
    /// Takes all of that back.
    pub calm: Steer<'a>,
}

/// What the kit found, and what it has recorded at the simulator.
pub struct Report {
    /// In the order in which it was looked at.
    pub checks: Vec<Check>,
    /// Recorded exchanges, by names for their files.
    pub recorded: BTreeMap<String, Fixture>,
}

impl Report {
    /// Whether the plugin can be approved.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }
}

/// Runs the whole kit. Nothing but the simulator is asked.
pub fn run(
    source: &Arc<Source>,
    runtime: &tokio::runtime::Handle,
    simulated: Option<&Simulated<'_>>,
    recording: bool,
) -> Result<Report, Problem> {
    let endpoints = simulated.map(|simulated| simulated.endpoints.clone()).unwrap_or_default();
    // The simulator listens where plugins may not go; only the endpoint leads there.
    let office =
        Office::new(&Config { endpoints, ..Config::default() }, &web::Config::default(), Arc::new(SystemLookup))?;
    office.program(source)?;
    let bench = bench::Bench { source, office: &office, runtime };
    let (mut checks, mut recorded) = (Vec::new(), BTreeMap::new());
    if let Some(simulated) = simulated {
        scenarios::run(&bench, simulated, &mut checks, &mut recorded);
    }
    if !recording {
        checks.extend(fixture::run(&bench));
        checks.extend(negatives::run(&bench)?);
    }
    Ok(Report { checks, recorded })
}
