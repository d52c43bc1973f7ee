//! Runs one scenario: an engine on a database that is thrown away, virtual time, scripted answers, planned crashes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use windlass_engine::{Engine, Launch, Time};
use windlass_hosts::services::Services;
use windlass_model::{Code, Problem, RunId, RunState, query::RunRecord};
use windlass_script::{
    SecretPolicy, SecretSource, not_found,
    scenario::{PlannedAnswers, ScenarioDriver, ScenarioPlan, ScenarioReport},
};
use zeroize::Zeroizing;

use super::{actors::Actors, crash::CrashingRunner, report};
use crate::{
    claims::StandIns,
    config::Config,
    wiring::{self, Scripts, World},
};

/// Real time after which a scenario is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who launches; not who decides, so that four eyes are two people.
const LAUNCHER: &str = "scenario";

/// Runs scenarios for one configuration.
pub struct Driver {
    config: Config,
    runtime: tokio::runtime::Handle,
    /// A folder whose files take the places of those of the workflows.
    beside: Option<PathBuf>,
    /// When no further scenario begins.
    until: Option<Instant>,
}

impl Driver {
    /// A driver.
    pub fn new(config: Config, runtime: tokio::runtime::Handle) -> Self {
        Self { config, runtime, beside: None, until: None }
    }

    /// The same with the files of this folder in front.
    pub fn over(self, beside: Option<PathBuf>) -> Self {
        Self { beside, ..self }
    }

    /// The same, for all scenarios of a file together at most so long.
    pub fn within(self, time: Duration) -> Self {
        Self { until: Some(Instant::now() + time), ..self }
    }
}

impl ScenarioDriver for Driver {
    fn run(&self, plan: ScenarioPlan) -> Result<ScenarioReport, Problem> {
        if self.until.is_some_and(|until| until <= Instant::now()) {
            return Err(Problem::new(Code::StepTimeout, "the scenarios of this file take too long together")
                .help("`windlass workflows test` runs them without that bound"));
        }
        let folder = tempfile::tempdir()
            .map_err(|error| Problem::new(Code::System, format!("no folder for the scenario: {error}")))?;
        let world = World::Rehearsal(Some(Arc::new(PlannedAnswers::new(&plan))));
        let secrets = Arc::new(StandIns(Planned(plan.secrets.clone())));
        let mut scripts =
            wiring::scripts(&self.config, &self.runtime, world, secrets, &Services::default(), "scenario".into())?;
        if let Some(beside) = &self.beside {
            scripts.library = Arc::new(scripts.library.over(beside.clone()));
        }
        let runner = Arc::new(CrashingRunner::new(scripts.sandbox.clone(), plan.crashes.clone()));
        let mut scene = Scene {
            time: Time::virtual_time(),
            actors: Arc::new(Actors::new(&plan, runner.clone())),
            config: &self.config,
            folder: folder.path(),
            scripts,
            runner,
        };
        scene.play(&plan)
    }
}

/// A scenario under way.
struct Scene<'a> {
    config: &'a Config,
    folder: &'a Path,
    scripts: Scripts,
    runner: Arc<CrashingRunner>,
    time: Time,
    actors: Arc<Actors>,
}

impl Scene<'_> {
    fn start(&self) -> Result<Engine, Problem> {
        let (runner, library) = (self.runner.clone(), self.scripts.library.clone());
        let engine = wiring::rehearsal_engine(self.config, runner, library, self.time.clone(), self.folder)?;
        self.actors.enter(&self.time, Some(engine.clone()));
        Ok(engine)
    }

    fn play(&mut self, plan: &ScenarioPlan) -> Result<ScenarioReport, Problem> {
        let mut engine = self.start()?;
        let launched = engine.launch(Launch {
            priority: None,
            workflow: plan.workflow.clone(),
            input: plan.input.clone(),
            by: LAUNCHER.into(),
            idempotency_key: None,
            tags: Vec::new(),
            organisation: String::new(),
        });
        let result = launched.and_then(|launched| {
            self.actors.launched(&engine, &launched.run)?;
            let record = self.attend(&mut engine, &launched.run)?;
            report::of(&engine, &record)
        });
        self.actors.enter(&self.time, None);
        engine.shutdown(Duration::from_secs(1));
        result
    }

    /// Waits until the run has ended or nothing more will happen; after a planned crash, comes back.
    fn attend(&self, engine: &mut Engine, run: &RunId) -> Result<RunRecord, Problem> {
        let started = Instant::now();
        loop {
            if self.runner.is_dead() {
                self.actors.enter(&self.time, None);
                engine.shutdown(Duration::from_secs(1));
                self.runner.revive();
                *engine = self.start()?;
            }
            // Asked before the run is looked at: what had nothing to do then has come to rest in what is seen after it. A dead
            // process does nothing, and isn't done.
            let acts = self.actors.acts();
            let nothing_comes = self.actors.have_nothing_to_do() && !self.runner.is_dead();
            let record = engine.wait_ended(run, Duration::from_millis(10))?;
            let at_rest = record.state.is_ended() || record.state == RunState::RollbackStuck;
            if at_rest {
                return Ok(record);
            }
            // One that is being taken up isn't at rest, whatever the clock has seen; nor is one that somebody is about to answer, or has
            // answered since it was looked at.
            let waits = nothing_comes && record.state == RunState::Waiting;
            if waits && !self.actors.are_wanted()? && self.actors.acts() == acts {
                return Ok(record);
            }
            if started.elapsed() > PATIENCE {
                let message = format!("the run is still {} after {} s", record.state, PATIENCE.as_secs());
                return Err(Problem::new(Code::StepTimeout, message));
            }
        }
    }
}

/// The plan's secrets; they may go anywhere.
struct Planned(BTreeMap<String, String>);

impl SecretSource for Planned {
    fn get(&self, name: &str) -> Result<Zeroizing<String>, Problem> {
        self.0.get(name).map(|value| Zeroizing::new(value.clone())).ok_or_else(|| not_found(name))
    }

    fn policy(&self, name: &str) -> Result<SecretPolicy, Problem> {
        self.0.get(name).map(|_| SecretPolicy::anywhere()).ok_or_else(|| not_found(name))
    }
}
