//! What a script may use between two host calls: operations, processor time; and what it may hold at any time: memory.
//! Asked by the engine at every operation.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use rhai::Dynamic;
use windlass_model::{Bounds, Code, Problem, journal::Stop};

use crate::{branch, memory, throw::Halt};

thread_local! {
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
    static SINCE: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
    static BASE_BYTES: Cell<i64> = const { Cell::new(0) };
    /// Growth up to here isn't looked at.
    static NEXT_LOOK_BYTES: Cell<i64> = const { Cell::new(0) };
    /// What the outcomes of the current host call take as values of the script.
    static SEEN_BYTES: Cell<i64> = const { Cell::new(0) };
}

/// The clock, the heap and the stop flags are looked at once in so many operations: every time would cost tenfold.
const LOOK_EVERY: u64 = 64;

/// But a script that has grown by so much since the last look is looked at in any case.
const LOOK_BYTES: i64 = 256 << 10;

/// What is measured for the script that this thread evaluated before.
pub(crate) struct Outer {
    base_bytes: i64,
    next_look_bytes: i64,
}

/// Begins to measure a script on this thread; `restore` goes back to the one before.
pub(crate) fn start() -> Outer {
    let outer = Outer { base_bytes: BASE_BYTES.get(), next_look_bytes: NEXT_LOOK_BYTES.get() };
    let now_bytes = memory::thread_net_bytes();
    BASE_BYTES.set(now_bytes);
    NEXT_LOOK_BYTES.set(now_bytes + LOOK_BYTES);
    reset();
    outer
}

pub(crate) fn restore(outer: &Outer) {
    BASE_BYTES.set(outer.base_bytes);
    NEXT_LOOK_BYTES.set(outer.next_look_bytes);
}

/// A host call has returned: its time doesn't count.
pub(crate) fn reset() {
    OPERATIONS.set(0);
    SINCE.set(None);
}

/// Counts one operation; `Some` ends the script.
pub(crate) fn tick(bounds: &Bounds) -> Option<Dynamic> {
    let count = OPERATIONS.get() + 1;
    OPERATIONS.set(count);
    if count > bounds.script_operations {
        return Some(over("script_operations", format!("{} operations", bounds.script_operations)));
    }
    if !count.is_multiple_of(LOOK_EVERY) && memory::thread_net_bytes() < NEXT_LOOK_BYTES.get() {
        return branch::is_stopped().then_some(Dynamic::UNIT);
    }
    look(bounds)
}

fn look(bounds: &Bounds) -> Option<Dynamic> {
    if branch::is_stopped() {
        return Some(Dynamic::UNIT);
    }
    // Outside a branch (a header's constants) there is nobody who could tell.
    if let Err(Halt::Stop(stop)) = branch::look_for_stop().and_then(|()| weigh()) {
        branch::set_stop(stop);
        return Some(Dynamic::UNIT);
    }
    if held_bytes() > bounds.script_memory_bytes as i64 {
        return Some(over("script_memory_bytes", format!("{} MiB of memory", bounds.script_memory_bytes >> 20)));
    }
    let limit = Duration::from_millis(bounds.script_cpu_ms);
    match SINCE.get() {
        None => SINCE.set(Some((Instant::now(), thread_cpu()))),
        // The thread's own clock costs a system call: ask it only when the wall's says that it may be time.
        Some((wall, cpu)) if wall.elapsed() > limit && thread_cpu().saturating_sub(cpu) > limit => {
            return Some(over("script_cpu_ms", format!("{} ms of computing", bounds.script_cpu_ms)));
        }
        Some(_) => {}
    }
    None
}

fn held_bytes() -> i64 {
    memory::thread_net_bytes() - BASE_BYTES.get()
}

/// Tells the run what this thread's script holds; an error if that is too much for all of its branches together.
pub(crate) fn weigh() -> Result<(), Halt> {
    let held = held_bytes();
    NEXT_LOOK_BYTES.set(memory::thread_net_bytes() + LOOK_BYTES);
    branch::with(|branch| branch.charge.hold(held, &branch.run.shell.config.bounds))?.map_err(stop)
}

/// Tells the process what a host call has in its hands just now.
pub(crate) fn weigh_call() -> Result<(), Halt> {
    let held = held_bytes();
    branch::with(|branch| branch.charge.pass_through(held, &branch.run.shell.config.bounds))?.map_err(stop)
}

fn stop(problem: Problem) -> Halt {
    Stop::Limit(Box::new(problem)).into()
}

/// A host call: what it keeps elsewhere (the journal), or what others free that it has made, isn't the script's. Only what
/// the script sees of it is. Not for calls that run closures of the script.
pub(crate) fn host_call(work: impl FnOnce() -> Result<Dynamic, Halt>) -> Result<Dynamic, Halt> {
    let outer = SEEN_BYTES.replace(0);
    let before = memory::thread_net_bytes();
    let result = work();
    let seen = SEEN_BYTES.replace(outer);
    let kept = match &result {
        Ok(_) => seen,
        Err(Halt::Problem(problem)) => problem_bytes(problem),
        Err(_) => 0,
    };
    memory::set_thread_net_bytes(before + kept);
    // Without a branch there is nothing to give back.
    let _ = branch::with(|branch| branch.charge.passed());
    result
}

/// What an error holds, about: it is freed as soon as the script has seen it.
fn problem_bytes(problem: &Problem) -> i64 {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
    let data = if problem.data.is_null() { 0 } else { problem.data.to_string().len() };
    (size_of::<Problem>() + problem.message.capacity() + text(&problem.help) + text(&problem.step) + data) as i64
}

/// Makes a value that the script will hold.
pub(crate) fn seen<T>(make: impl FnOnce() -> T) -> T {
    let before = memory::thread_net_bytes();
    let value = make();
    SEEN_BYTES.set(SEEN_BYTES.get() + memory::thread_net_bytes() - before);
    value
}

fn over(bound: &str, amount: String) -> Dynamic {
    let problem =
        Problem::new(Code::LimitExceeded, format!("the script used more than {amount} between two host calls"))
            .help(format!("The bound is `{bound}`. Look for a loop that doesn't end or a value that keeps growing."))
            .data(serde_json::json!({ "bound": bound }));
    branch::set_stop(Stop::Limit(Box::new(problem)));
    Dynamic::UNIT
}

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec on this stack; the call writes nothing else.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
