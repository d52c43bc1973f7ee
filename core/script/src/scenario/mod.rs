//! Scenarios: `<name>.test.rhai` files that run a workflow in a rehearsal with a virtual clock, and look at what came of it.
//! Whoever has an engine implements `ScenarioDriver`; this is the scripts' side.

mod answers;
mod assertions;
mod kit;

use std::{sync::Arc, time::Duration};

use rhai::{AST, CallFnOptions, Dynamic, Scope, packages::StandardPackage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_model::{Bounds, CallSite, Code, Problem};

pub use answers::PlannedAnswers;

use crate::{STACK_BYTES, meter, sandbox::bare_engine, throw};

/// Runs one scenario to its end: until the run has ended, or waits for something that the plan doesn't bring.
pub trait ScenarioDriver: Send + Sync {
    /// What came of it; a problem if it couldn't be run at all.
    fn run(&self, plan: ScenarioPlan) -> Result<ScenarioReport, Problem>;
}

/// What a scenario does to a run. Times are virtual milliseconds after the launch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScenarioPlan {
    /// The workflow.
    pub workflow: String,
    /// Its input.
    pub input: Value,
    /// Answers in the place of ops; `PlannedAnswers` gives them to a sandbox.
    pub answers: Vec<PlannedAnswer>,
    /// Signals that arrive.
    pub signals: Vec<PlannedSignal>,
    /// Decisions on approvals, each used once, in order.
    pub decisions: Vec<PlannedDecision>,
    /// Secrets by name.
    pub secrets: std::collections::BTreeMap<String, String>,
    /// The process dies right after so many journal commits of the run, and comes back.
    pub crashes: Vec<u32>,
}

/// An answer in the place of an op.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedAnswer {
    /// The op: `exec::run`.
    pub op: String,
    /// Which call of it, from 1; every call if it isn't given.
    pub nth: Option<u32>,
    /// What the script gets.
    pub result: PlannedResult,
}

/// What an op is to come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedResult {
    /// A value.
    Value(Value),
    /// An error.
    Error(Problem),
}

/// A signal that arrives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedSignal {
    /// Its name.
    pub name: String,
    /// Its payload.
    pub payload: Value,
    /// When, after the launch.
    pub at_ms: i64,
}

/// A person's decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedDecision {
    /// A part of the approval's title, or its step; empty stands for any.
    pub matching: String,
    /// Approved, or denied.
    pub approved: bool,
    /// Who decides; `tester` unless given.
    pub by: String,
    /// What was filled in.
    pub form: Value,
    /// Why.
    pub comment: Option<String>,
    /// When, after the launch, at the earliest.
    pub at_ms: i64,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScenarioReport {
    /// The run's state: `succeeded`, `rolled_back`, `waiting`, …
    pub state: String,
    /// What the run waits for, if it does: `signal`, `approval`, …
    pub waiting_on: Option<String>,
    /// What `run` returned, or null.
    pub output: Value,
    /// The error that it ended with.
    pub error: Option<Problem>,
    /// Every step, in the order in which they began.
    pub steps: Vec<ScenarioStep>,
    /// What is left in the inventory, as `provider kind id state`.
    pub resources: Vec<String>,
    /// What was undone, as op names or labels, in order.
    pub undone: Vec<String>,
    /// Events as they are streamed.
    pub events: Vec<Value>,
    /// Lines that the run logged.
    pub logs: Vec<String>,
    /// Virtual time from launch to end.
    pub elapsed_ms: i64,
}

/// One step of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioStep {
    /// Its place.
    pub path: String,
    /// The op.
    pub op: String,
    /// Its arguments, an array.
    pub args: Value,
    /// Its state: `succeeded`, `failed`, …
    pub state: String,
    /// Its result, or its error.
    pub result: Value,
}

/// How one test function ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestResult {
    /// The function's name.
    pub name: String,
    /// Whether every assertion held.
    pub passed: bool,
    /// Why not.
    pub message: Option<String>,
    /// Where.
    pub site: Option<CallSite>,
    /// What it printed.
    pub output: Vec<String>,
    /// Real time that it took.
    pub elapsed: Duration,
}

/// Runs every `fn test_…()` of a scenario file, each on its own; `name` is the file's, for places.
pub fn run_scenarios(name: &str, source: &str, driver: Arc<dyn ScenarioDriver>) -> Result<Vec<TestResult>, Problem> {
    let work = || run_file(name, source, &driver);
    let result = std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("scenarios".into()).stack_size(STACK_BYTES);
        builder.spawn_scoped(scope, work).map(|thread| thread.join())
    });
    match result {
        Ok(Ok(results)) => results,
        Ok(Err(_)) => {
            Err(Problem::new(Code::Internal, format!("the scenarios of `{name}` ended in a mistake of Windlass")))
        }
        Err(error) => Err(Problem::new(Code::System, format!("no thread for scenarios: {error}"))),
    }
}

/// Names of a scenario file's `fn test_…()`, in its order; refused if it can't be run at all. Runs nothing.
pub fn check_scenarios(name: &str, source: &str) -> Result<Vec<String>, Problem> {
    let engine = bare_engine(&Bounds::default(), &StandardPackage::new());
    tests_of(name, source, &compile(&engine, name, source)?)
}

fn compile(engine: &rhai::Engine, name: &str, source: &str) -> Result<AST, Problem> {
    engine.compile(source).map_err(|error| {
        let position = error.position();
        let site = CallSite {
            file: name.into(),
            line: position.line().unwrap_or(0) as u32,
            column: position.position().unwrap_or(0) as u32,
        };
        Problem::new(Code::WorkflowInvalid, format!("{name}.rhai: {}", error.err_type())).at(site)
    })
}

fn tests_of(name: &str, source: &str, ast: &AST) -> Result<Vec<String>, Problem> {
    let mut tests: Vec<String> = ast
        .iter_functions()
        .filter(|function| function.name.starts_with("test_") && function.params.is_empty())
        .map(|function| function.name.to_owned())
        .collect();
    // In the order of the file, which is how people read them.
    tests.sort_by_key(|test| source.find(&format!("fn {test}")));
    match tests.is_empty() {
        true => Err(Problem::new(Code::WorkflowInvalid, format!("{name}.rhai has no `fn test_…()`"))),
        false => Ok(tests),
    }
}

fn run_file(name: &str, source: &str, driver: &Arc<dyn ScenarioDriver>) -> Result<Vec<TestResult>, Problem> {
    // An assertion needs little; a loop without an end should be noticed soon.
    let bounds = Bounds { script_operations: 5_000_000, ..Bounds::default() };
    let mut engine = bare_engine(&bounds, &StandardPackage::new());
    let printed = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let sink = printed.clone();
    engine.on_print(move |line| sink.lock().push(line.to_owned()));
    engine.on_progress(move |_| meter::tick(&bounds));
    kit::register(&mut engine, driver);
    assertions::register(&mut engine);
    let mut ast = compile(&engine, name, source)?;
    ast.set_source(name);
    let tests = tests_of(name, source, &ast)?;
    let entry: Arc<str> = name.into();
    let run_one = |test: String| {
        let started = std::time::Instant::now();
        meter::start();
        let result = engine.call_fn_with_options::<Dynamic>(CallFnOptions::new(), &mut Scope::new(), &ast, &test, ());
        let problem = result.err().map(|error| match error.unwrap_inner() {
            rhai::EvalAltResult::ErrorTerminated(..) => {
                Problem::new(Code::LimitExceeded, "the test computed for too long, or used too much memory")
            }
            _ => throw::problem_of(&error, &entry),
        });
        TestResult {
            name: test,
            passed: problem.is_none(),
            message: problem.as_ref().map(|problem| problem.message.clone()),
            site: problem.and_then(|problem| problem.site),
            output: std::mem::take(&mut *printed.lock()),
            elapsed: started.elapsed(),
        }
    };
    Ok(tests.into_iter().map(run_one).collect())
}
