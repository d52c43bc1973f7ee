//! Evaluates runs forward and undoes them: the sandbox as the engine knows it.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use rhai::{CallFnOptions, Dynamic, Scope};
use serde_json::Value;
use windlass_model::{
    Code, Journal, Outcome, Problem, StepPath,
    journal::{Ending, Job, Replay, Runner, Stop},
    undo::{UndoRecord, UndoSpec},
};

use crate::{
    arguments,
    branch::{self, Branch},
    canonical,
    canonical::Secrets,
    context::{Mode, RunContext, StoredClosure},
    dispatch, perform,
    sandbox::Sandbox,
    throw::{self, Halt, Returned},
};

impl Runner for Sandbox {
    fn evaluate(&self, job: &Job, journal: Arc<dyn Journal>) -> Ending {
        match self.context(job, journal, Mode::Forward) {
            Ok(run) => call_run(&run, &job.input),
            Err(problem) => Ending::Failed(Box::new(problem)),
        }
    }

    fn roll_back(&self, job: &Job, journal: Arc<dyn Journal>) -> Ending {
        let needs_closures = job.undo.iter().any(|entry| matches!(entry.spec, UndoSpec::Closure { .. }));
        let mut closures = HashMap::new();
        if needs_closures {
            match self.context(job, journal.clone(), Mode::Collect) {
                Ok(run) => {
                    call_run(&run, &job.input);
                    closures = std::mem::take(&mut *run.closures.lock());
                }
                Err(problem) => tracing::warn!(run = %job.run, %problem, "the script can't be replayed for its undo"),
            }
        }
        let run = match self.context(job, journal, Mode::Forward) {
            Ok(run) => run,
            Err(problem) => return Ending::Failed(Box::new(problem)),
        };
        let closures = Mutex::new(closures);
        for entry in &job.undo {
            if let Err(ending) = work_off(&run, entry, &closures) {
                return ending;
            }
        }
        Ending::Returned("null".into())
    }
}

impl Sandbox {
    fn context(&self, job: &Job, journal: Arc<dyn Journal>, mode: Mode) -> Result<Arc<RunContext>, Problem> {
        let program = self.shell.program(&job.digest, &job.bundle)?;
        Ok(Arc::new(RunContext::new(self.shell.clone(), program, job.run.clone(), journal, mode)))
    }
}

fn call_run(run: &Arc<RunContext>, input: &str) -> Ending {
    let engine = run.shell.engine();
    let body = || -> Returned<String> {
        let input = canonical::parse(input).map_err(|problem| throw::raise(problem.into(), rhai::Position::NONE))?;
        let options = CallFnOptions::new();
        let ast = &run.program.ast;
        let value = engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), ast, "run", (input,))?;
        canonical::text(&value, Secrets::Refused, run.shell.config.bounds.step_bytes).map_err(|mut problem| {
            problem.message = format!("what `run` returns can't be kept: {}", problem.message);
            throw::raise(problem.into(), rhai::Position::NONE)
        })
    };
    let caught = || std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    let (result, stop) = branch::enter(Branch::new(run.clone(), ""), caught);
    // The script may have swallowed the stop: it counts all the same.
    if let Some(stop) = stop {
        return Ending::Stopped(stop);
    }
    match result {
        Ok(Ok(text)) => Ending::Returned(text),
        Ok(Err(error)) => Ending::Failed(Box::new(run.scrubber.problem(throw::problem_of(&error, &run.entry)))),
        Err(panic) => Ending::Failed(Box::new(throw::of_panic(panic.as_ref()))),
    }
}

fn work_off(
    run: &Arc<RunContext>,
    entry: &UndoRecord,
    closures: &Mutex<HashMap<StepPath, StoredClosure>>,
) -> Result<(), Ending> {
    run.journal.undo_begin(entry).map_err(Ending::Stopped)?;
    let mut branch = Branch::new(run.clone(), entry.path.undo_lane(entry.seq));
    branch.undoing = true;
    // What a closure does is the script's own doing: only an op takes back exactly what its step did.
    branch.undoes = matches!(entry.spec, UndoSpec::Op { .. }).then(|| format!("{}/{}", entry.origin, entry.path));
    let (result, stop) = branch::enter(branch, || match &entry.spec {
        UndoSpec::Op { op, args } => undo_by_op(run, entry, op, args),
        UndoSpec::Closure { label } => undo_by_closure(run, entry, label, closures),
    });
    if let Some(stop) = stop {
        return Err(Ending::Stopped(stop));
    }
    let result = match result {
        Ok(()) => Ok(()),
        Err(Halt::Problem(problem)) => Err(*problem),
        Err(Halt::Script(error)) => Err(throw::problem_of(&error, &run.entry)),
        Err(Halt::Stop(stop)) => return Err(Ending::Stopped(stop)),
        Err(Halt::Stopped) => return Err(Ending::Stopped(Stop::Suspended)),
    };
    let result = result.map_err(|problem| run.scrubber.problem(problem).at(entry.site.clone()));
    run.journal.undo_finish(entry, result.clone()).map_err(Ending::Stopped)?;
    result.map_err(|problem| Ending::Failed(Box::new(problem)))
}

fn undo_by_op(run: &Arc<RunContext>, entry: &UndoRecord, op: &Arc<str>, text: &Arc<str>) -> Result<(), Halt> {
    let found = run.shell.catalog.op(op).ok_or_else(|| {
        Problem::new(Code::UndoFailed, format!("`{op}`, which would take this step back, isn't there any more"))
            .help("Undo it by hand, then skip the entry.")
    })?;
    let values: Vec<Value> =
        serde_json::from_str(text).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    let args = arguments::check_values(op, found.op.params, values)?;
    let path = branch::peek()?;
    branch::advance();
    let digest = dispatch::digest(op, text);
    if let Replay::Recorded(Outcome::Value(_)) = run.journal.replay(&path, op, &digest) {
        return Ok(());
    }
    let site = entry.site.clone();
    let call = dispatch::op_call(found, path, digest, text.clone(), &args, site, found.op.retry, true);
    perform::op(run, found, &call, &args).map(drop)
}

fn undo_by_closure(
    run: &Arc<RunContext>,
    entry: &UndoRecord,
    label: &str,
    closures: &Mutex<HashMap<StepPath, StoredClosure>>,
) -> Result<(), Halt> {
    let stored = closures.lock().remove(&entry.path).ok_or_else(|| {
        Problem::new(Code::UndoFailed, format!("the closure of on_rollback(\"{label}\") can't be found again"))
            .help("The script took another way when it was replayed. Undo it by hand, then skip the entry.")
    })?;
    let engine = run.shell.engine();
    let position = rhai::Position::NONE;
    let context = rhai::NativeCallContext::new_with_all_fields(&engine, "on_rollback", None, &stored.global, position);
    stored.closure.call_raw(&context, None, Vec::new()).map(drop).map_err(Halt::Script)
}
