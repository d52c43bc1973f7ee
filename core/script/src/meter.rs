//! What a script may use between two host calls: operations, processor time, memory. Asked by the engine at every operation.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use windlass_model::{Bounds, Code, Problem, journal::Stop};

use crate::{branch, memory, throw::Halt};

thread_local! {
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
    static SINCE: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
    static BASE_BYTES: Cell<i64> = const { Cell::new(0) };
}

/// The clock, the heap and the stop flags are looked at once in so many operations: every time would cost tenfold.
const LOOK_EVERY: u64 = 64;

/// Begins to measure a script on this thread.
pub(crate) fn start() {
    BASE_BYTES.set(memory::thread_net_bytes());
    reset();
}

/// A host call has returned: its time doesn't count.
pub(crate) fn reset() {
    OPERATIONS.set(0);
    SINCE.set(None);
}

/// Counts one operation; `Some` ends the script.
pub(crate) fn tick(bounds: &Bounds) -> Option<rhai::Dynamic> {
    let count = OPERATIONS.get() + 1;
    OPERATIONS.set(count);
    if count > bounds.script_operations {
        return Some(over("script_operations", format!("{} operations", bounds.script_operations)));
    }
    if !count.is_multiple_of(LOOK_EVERY) {
        return branch::is_stopped().then_some(rhai::Dynamic::UNIT);
    }
    look(bounds)
}

fn look(bounds: &Bounds) -> Option<rhai::Dynamic> {
    if branch::is_stopped() {
        return Some(rhai::Dynamic::UNIT);
    }
    // Outside a branch (a header's constants) there is nobody who could tell.
    if let Err(Halt::Stop(stop)) = branch::look_for_stop() {
        branch::set_stop(stop);
        return Some(rhai::Dynamic::UNIT);
    }
    let held = memory::thread_net_bytes() - BASE_BYTES.get();
    if held > bounds.script_memory_bytes as i64 {
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

fn over(bound: &str, amount: String) -> rhai::Dynamic {
    let problem =
        Problem::new(Code::LimitExceeded, format!("the script used more than {amount} between two host calls"))
            .help(format!("The bound is `{bound}`. Look for a loop that doesn't end or a value that keeps growing."))
            .data(serde_json::json!({ "bound": bound }));
    branch::set_stop(Stop::Limit(Box::new(problem)));
    rhai::Dynamic::UNIT
}

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec on this stack; the call writes nothing else.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
