//! `parallel` and `parallel_map`: closures on their own threads, each with its own lane and its own copies of values.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use rhai::{Array, Dynamic, FnPtr, NativeCallContext};
use serde_json::json;
use windlass_model::{
    Bounds, EffectClass, LockName, Outcome, Problem, StepCall, StepPath,
    journal::{Replay, Stop},
};

use super::{Builtin, Call, locks};
use crate::{
    branch::{self, Branch},
    budget::{self, Charge},
    canonical,
    canonical::Secrets,
    context::{Mode, RunContext},
    dispatch,
    host::{Kind, Param, Permission},
    memory, meter,
    sandbox::STACK_BYTES,
    throw::{self, Halt, Returned},
};

const OPTIONS: &str = "`limit`: branches at once (default: all); `on_error`: `\"fail_fast\"` (default: the first failure stops the others at their next call) or `\"wait_all\"`";

pub(super) fn all() -> Vec<Builtin> {
    vec![
        Builtin {
            name: "parallel_map",
            doc: "Calls the closure with every item at the same time, and gives the results in the items' order. Each branch has its own copy of what the closure uses: a change in one isn't seen in another. When branches fail, the error of the first of them (in the items' order) is thrown.",
            params: const {
                &[
                    Param::required("items", Kind::Array, "what to work on"),
                    Param::required("closure", Kind::Closure, "`|item| …`"),
                    Param::optional("options", Kind::Map, OPTIONS),
                ]
            },
            returns: "array",
            permission: Permission::Free,
            example: "let doubled = parallel_map([1, 2, 3], |n| n * 2, #{ limit: 2 }); ensure(doubled == [2, 4, 6], \"in order\");",
            run: parallel_map,
        },
        Builtin {
            name: "parallel",
            doc: "Calls several closures at the same time, and gives their results in order. Like `parallel_map`, for different work in each branch.",
            params: const {
                &[
                    Param::required("closures", Kind::Array, "`[|| …, || …]`"),
                    Param::optional("options", Kind::Map, OPTIONS),
                ]
            },
            returns: "array",
            permission: Permission::Free,
            example: "let both = parallel([|| now(), || random()]); ensure(both.len() == 2, \"two results\");",
            run: parallel,
        },
    ]
}

fn parallel(call: &Call) -> Result<Dynamic, Halt> {
    let closures = closures(call, 0)?;
    scope(call, closures.into_iter().map(|closure| (closure, None)).collect(), 1)
}

fn parallel_map(call: &Call) -> Result<Dynamic, Halt> {
    let items = array(call, 0)?;
    let closure = call.closure(1)?;
    scope(call, items.into_iter().map(|item| (closure.clone(), Some(item))).collect(), 2)
}

pub(super) fn array(call: &Call, index: usize) -> Result<Array, Problem> {
    let array = call.arg(index).and_then(|arg| arg.as_array_ref().ok().map(|array| array.clone()));
    array.ok_or_else(|| call.wrong(index, "an array"))
}

pub(super) fn closures(call: &Call, index: usize) -> Result<Vec<FnPtr>, Problem> {
    let each = array(call, index)?.into_iter();
    each.map(|item| item.try_cast::<FnPtr>().ok_or_else(|| call.wrong(index, "an array of closures"))).collect()
}

/// One branch's work: a closure, and the item that it is called with.
pub(super) type Work = (FnPtr, Option<Dynamic>);

fn scope(call: &Call, work: Vec<Work>, options_at: usize) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    let options = call.options(options_at, &["limit", "on_error"])?;
    let limit = match options.get("limit") {
        None => work.len(),
        Some(limit) => limit
            .as_u64()
            .filter(|limit| *limit > 0)
            .ok_or_else(|| call.invalid("needs a whole number from 1 for `limit`"))? as usize,
    };
    let fail_fast = match options.get("on_error").map(|value| value.as_str().unwrap_or_default()) {
        None | Some("fail_fast") => true,
        Some("wait_all") => false,
        Some(_) => return Err(call.invalid("needs \"fail_fast\" or \"wait_all\" for `on_error`").into()),
    };
    let args = json!([{ "branches": work.len(), "options": options }]).to_string();
    let decide = move |_: usize, done: &Done| fail_fast && matches!(done, Done::Failed(_));
    let (step, branches) = match open(call, &run, &args, work, limit, &decide)? {
        Opened::Known(value) => return Ok(value),
        Opened::Ran(step, branches) => (step, branches),
    };
    let failed = branches.iter().find_map(|done| match done {
        Done::Failed(problem) => Some(problem.clone()),
        _ => None,
    });
    let outcome = match (strongest_stop(&branches), failed) {
        // A reason that isn't just waiting concerns the whole run, whatever else happened.
        (Some(stop), _) if stop.rank() > Stop::Suspended.rank() => return Err(stop.into()),
        (_, Some(problem)) if fail_fast => Outcome::Error(problem),
        (Some(stop), _) => return Err(stop.into()),
        (None, Some(problem)) => Outcome::Error(problem),
        (None, None) => results(&run, branches)?,
    };
    finish(call, &run, &step, outcome)
}

fn results(run: &RunContext, branches: Vec<Done>) -> Result<Outcome, Problem> {
    let mut text = String::from("[");
    for (index, done) in branches.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        if let Done::Returned(value) = done {
            text.push_str(&value);
        }
    }
    text.push(']');
    let limit_bytes = run.shell.config.bounds.step_bytes;
    if text.len() > limit_bytes {
        return Ok(Outcome::Error(Arc::new(canonical::too_large(limit_bytes))));
    }
    Ok(Outcome::Value(text.into()))
}

pub(super) fn strongest_stop(branches: &[Done]) -> Option<Stop> {
    let stops = branches.iter().filter_map(|done| match done {
        Done::Stopped(stop) => Some(stop),
        Done::NotStarted => Some(&Stop::Suspended),
        _ => None,
    });
    stops.max_by_key(|stop| stop.rank()).cloned()
}

/// How a branch ended.
pub(super) enum Done {
    /// With a result: JSON text.
    Returned(String),
    Failed(Arc<Problem>),
    Stopped(Stop),
    /// Its turn hasn't come: those before it wait.
    NotStarted,
}

pub(super) enum Opened {
    /// The scope's outcome was recorded.
    Known(Dynamic),
    /// Its branches were evaluated.
    Ran(StepCall, Vec<Done>),
}

/// Opens a scope: a recorded outcome, or its branches evaluated. While collecting, branches are evaluated in any case: they may
/// hold closures of `on_rollback`.
pub(super) fn open(
    call: &Call,
    run: &Arc<RunContext>,
    args: &str,
    work: Vec<Work>,
    limit: usize,
    decide: &(dyn Fn(usize, &Done) -> bool + Sync),
) -> Result<Opened, Halt> {
    let max = run.shell.config.bounds.branches;
    if work.len() > max {
        let problem = call.invalid(format!("was given {} branches; the bound `branches` is {max}", work.len()));
        return Err(problem.help("Work in slices, or give the items to fewer branches.").into());
    }
    if run.mode == Mode::Collect {
        let path = branch::peek()?;
        let digest = dispatch::digest(&call.entry.name, args);
        let recorded = run.journal.replay(&path, &call.entry.name, &digest);
        branch::advance();
        if matches!(recorded, Replay::Diverged(_)) {
            return Err(Stop::ReplayEnd.into());
        }
        evaluate(call, run, &path, work, limit, decide)?;
        return match recorded {
            Replay::Recorded(outcome) => dispatch::seen(&path, outcome).map(Opened::Known),
            _ => Err(Stop::ReplayEnd.into()),
        };
    }
    let step = match call.take(run, EffectClass::Scope, args)? {
        Err(value) => return Ok(Opened::Known(value)),
        Ok(step) => step,
    };
    if let Some(value) = call.begin(run, &step)? {
        return Ok(Opened::Known(value));
    }
    let branches = evaluate(call, run, &step.path, work, limit, decide)?;
    Ok(Opened::Ran(step, branches))
}

/// Records a scope's outcome. Branches that it has stopped give back the locks that they were inside of, with it.
pub(super) fn finish(call: &Call, run: &RunContext, step: &StepCall, outcome: Outcome) -> Result<Dynamic, Halt> {
    let lanes = format!("{}/", step.path);
    let inside = run.locks.scoped_below(&lanes).into_iter();
    let given_back: Vec<(LockName, StepCall)> = inside
        .map(|(lock, path, site)| {
            let unlock = locks::given_back(&lock, &path, site);
            (lock, unlock)
        })
        .collect();
    let result = call.finish_with(run, step, outcome, &given_back);
    if !matches!(result, Err(Halt::Stop(_) | Halt::Stopped)) {
        run.locks.is_over(&lanes);
    }
    result
}

fn evaluate(
    call: &Call,
    run: &Arc<RunContext>,
    path: &StepPath,
    work: Vec<Work>,
    limit: usize,
    decide: &(dyn Fn(usize, &Done) -> bool + Sync),
) -> Result<Vec<Done>, Halt> {
    let work: Vec<Work> = work
        .into_iter()
        .map(|(closure, item)| {
            let item = item.map(|item| canonical::isolate(&item, 0)).transpose()?;
            Ok((canonical::isolate_closure(&closure)?, item))
        })
        .collect::<Result<_, Problem>>()?;
    let (superseded, undoing, retry) =
        branch::with(|branch| (branch.superseded.clone(), branch.undoing, branch.retry))?;
    let decided = Arc::new(AtomicBool::new(false));
    // Each branch's copies are here too now.
    meter::weigh()?;
    let results: Vec<Mutex<Kept>> = work.iter().map(|_| Mutex::new(Kept::nothing(run))).collect();
    let next = AtomicUsize::new(0);
    let worker = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((closure, item)) = work.get(index) else { return };
            let mut branch = Branch::new(run.clone(), path.branch_lane(index));
            branch.superseded.clone_from(&superseded);
            branch.superseded.push(decided.clone());
            branch.undoing = undoing;
            branch.retry = retry;
            let before_bytes = memory::thread_net_bytes();
            let done = one_branch(call.context, run, branch, closure, item.as_ref());
            let kept_bytes = memory::hand_over(before_bytes);
            if decide(index, &done) {
                decided.store(true, Ordering::Relaxed);
            }
            // A branch that waits still counts as one at work: the next one's turn comes when it is through.
            let waits = matches!(done, Done::Stopped(_)) && run.mode == Mode::Forward;
            results[index].lock().keep(done, kept_bytes, &run.shell.config.bounds);
            if waits {
                return;
            }
        }
    };
    let threads = limit.min(work.len());
    let taken = run.budget.threads(threads).map_err(|problem| Stop::Limit(Box::new(problem)))?;
    let spawned: std::io::Result<()> = std::thread::scope(|scope| {
        for _ in 0..threads {
            std::thread::Builder::new().name("branch".into()).stack_size(STACK_BYTES).spawn_scoped(scope, worker)?;
        }
        Ok(())
    });
    drop(taken);
    meter::reset();
    // Threads that did start have worked off everything; only if none could start is there nothing to go on with.
    if spawned.is_err() && next.load(Ordering::Relaxed) == 0 && threads > 0 {
        return Err(Stop::Limit(Box::new(budget::too_many_threads("the system has", threads))).into());
    }
    let branches = results.into_iter().map(|kept| kept.into_inner().take()).collect();
    // What they gave back is this branch's from here on.
    meter::weigh_call()?;
    Ok(branches)
}

/// How a branch ended, held for the scope that waits for the others.
struct Kept {
    done: Done,
    bytes: i64,
    charge: Charge,
}

impl Kept {
    fn nothing(run: &RunContext) -> Self {
        Self { done: Done::NotStarted, bytes: 0, charge: Charge::new(run.budget.clone()) }
    }

    fn keep(&mut self, done: Done, bytes: i64, bounds: &Bounds) {
        (self.done, self.bytes) = (done, bytes);
        if let Err(problem) = self.charge.hold(bytes, bounds) {
            self.done = Done::Stopped(Stop::Limit(Box::new(problem)));
        }
    }

    fn take(self) -> Done {
        memory::take_over(self.bytes);
        self.done
    }
}

fn one_branch(
    context: &NativeCallContext,
    run: &Arc<RunContext>,
    branch: Branch,
    closure: &FnPtr,
    item: Option<&Dynamic>,
) -> Done {
    let body = || -> Returned { closure.call_raw(context, None, item.cloned().into_iter().collect::<Vec<_>>()) };
    let lane = branch.cursor.lane.clone();
    run.locks.has_begun(&lane);
    let (result, stop) = branch::enter(branch, || {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).map(|result| {
            result.map(|value| canonical::text(&value, Secrets::Refused, run.shell.config.bounds.step_bytes))
        })
    });
    let stop = stop.or_else(|| locks::leave(run, &lane).err());
    if stop.is_some() {
        run.locks.has_stopped(&lane);
    }
    match (stop, result) {
        (Some(stop), _) => Done::Stopped(stop),
        (None, Ok(Ok(Ok(text)))) => Done::Returned(text),
        (None, Ok(Ok(Err(problem)))) => Done::Failed(Arc::new(problem)),
        (None, Ok(Err(error))) => Done::Failed(Arc::new(throw::problem_of(&error, &run.entry))),
        (None, Err(panic)) => Done::Failed(Arc::new(throw::of_panic(panic.as_ref()))),
    }
}
