//! The branch that this thread is evaluating: its run, its lane, and whether it was told to stop.
//!
//! A stop is kept per branch and is looked at by every host call, by the engine's progress callback and once more after
//! the script has returned: Rhai lets scripts swallow even uncatchable errors inside `map`, `sort` and the like.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use windlass_model::{Code, Problem, RetryPolicy, StepPath, journal::Stop};

use crate::{budget::Charge, context::RunContext, meter, throw::Halt};

pub(crate) struct Branch {
    pub run: Arc<RunContext>,
    pub cursor: Cursor,
    /// Set by an enclosing `parallel` or `race` whose outcome is decided.
    pub superseded: Vec<Arc<AtomicBool>>,
    /// The policy of an enclosing `with_retry`.
    pub retry: Option<RetryPolicy>,
    /// In an undo lane: ops register no undo, waits are refused.
    pub undoing: bool,
    /// The key of the step that an op takes back here.
    pub undoes: Option<String>,
    /// What its script holds in memory.
    pub charge: Charge,
    stop: Option<Stop>,
}

/// Where the next call and the next output stand.
pub(crate) struct Cursor {
    pub lane: Arc<str>,
    pub next: u32,
    pub next_output: u32,
}

impl Cursor {
    pub fn new(lane: impl Into<Arc<str>>) -> Self {
        Self { lane: lane.into(), next: 0, next_output: 0 }
    }
}

impl Branch {
    pub fn new(run: Arc<RunContext>, lane: impl Into<Arc<str>>) -> Self {
        let (cursor, charge) = (Cursor::new(lane), Charge::new(run.budget.clone()));
        Self { run, cursor, superseded: Vec::new(), retry: None, undoing: false, undoes: None, charge, stop: None }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Branch>> = const { RefCell::new(None) };
    static STOPPED: Cell<bool> = const { Cell::new(false) };
}

/// Makes `branch` this thread's, runs `work`, and gives its result with the branch's reason to stop.
pub(crate) fn enter<T>(branch: Branch, work: impl FnOnce() -> T) -> (T, Option<Stop>) {
    let outer = CURRENT.replace(Some(branch));
    let outer_stopped = STOPPED.replace(false);
    let guard = Restore { outer, outer_stopped, outer_meter: meter::start() };
    let result = work();
    let stop = CURRENT.with_borrow_mut(|current| current.as_mut().and_then(|branch| branch.stop.take()));
    drop(guard);
    (result, stop)
}

struct Restore {
    outer: Option<Branch>,
    outer_stopped: bool,
    outer_meter: meter::Outer,
}

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.outer.take());
        STOPPED.set(self.outer_stopped);
        meter::restore(&self.outer_meter);
    }
}

/// Asks or changes the current branch.
pub(crate) fn with<T>(work: impl FnOnce(&mut Branch) -> T) -> Result<T, Halt> {
    CURRENT.with_borrow_mut(|current| current.as_mut().map(work)).ok_or_else(not_here)
}

fn not_here() -> Halt {
    Problem::new(Code::ScriptError, "host functions can't be used here")
        .help(
            "Only `run(input)` and what it calls may use them; the top level of a file holds constants and functions.",
        )
        .into()
}

/// Whether the branch was told to stop already. One thread-local flag: it is asked at every operation.
pub(crate) fn is_stopped() -> bool {
    STOPPED.get()
}

/// Tells the branch to stop; the first reason stays.
pub(crate) fn set_stop(stop: Stop) {
    CURRENT.with_borrow_mut(|current| {
        if let Some(branch) = current {
            branch.stop.get_or_insert(stop);
            STOPPED.set(true);
        }
    });
}

/// What every host call does first: the branch's own flag, the enclosing scopes', the run's.
pub(crate) fn check_stop() -> Result<(), Halt> {
    if STOPPED.get() {
        return Err(Halt::Stopped);
    }
    if crate::resolver::is_loading() {
        return Err(not_here());
    }
    look_for_stop()?;
    meter::weigh()
}

/// Whether anything outside has told the branch to stop. The meter asks between host calls.
pub(crate) fn look_for_stop() -> Result<(), Halt> {
    let stop = with(|branch| {
        let superseded = branch.superseded.iter().any(|flag| flag.load(Ordering::Relaxed));
        if superseded {
            return Some(Stop::Superseded);
        }
        let exceeded = branch.run.budget.exceeded().map(|problem| Stop::Limit(Box::new(problem.clone())));
        exceeded.or_else(|| branch.run.journal.stop())
    })?;
    match stop {
        Some(stop) => Err(Halt::Stop(stop)),
        None => Ok(()),
    }
}

/// The run that this thread works for.
pub(crate) fn run() -> Result<Arc<RunContext>, Halt> {
    with(|branch| branch.run.clone())
}

/// The place of the next call, without taking it.
pub(crate) fn peek() -> Result<StepPath, Halt> {
    with(|branch| StepPath { lane: branch.cursor.lane.clone(), ordinal: branch.cursor.next })
}

/// Takes the place that `peek` showed.
pub(crate) fn advance() {
    CURRENT.with_borrow_mut(|current| {
        if let Some(branch) = current {
            branch.cursor.next += 1;
        }
    });
    meter::reset();
}

/// Runs `work` with the cursor in another lane of the same branch (a poll, an undo).
pub(crate) fn in_lane<T>(lane: Arc<str>, work: impl FnOnce() -> T) -> Result<T, Halt> {
    let outer = with(|branch| std::mem::replace(&mut branch.cursor, Cursor::new(lane)))?;
    let result = work();
    with(|branch| branch.cursor = outer)?;
    Ok(result)
}
