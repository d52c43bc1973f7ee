//! Places where a crash test kills the process: `WINDLASS_CRASH_AT="commit.before:3"` sends SIGKILL to this process the
//! third time that it comes to `commit.before`. Without the variable a place costs one relaxed atomic load.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

struct Plan {
    name: String,
    left: AtomicU64,
}

static UNSET: AtomicBool = AtomicBool::new(false);
static PLAN: OnceLock<Option<Plan>> = OnceLock::new();

/// Comes to the place `name`; doesn't return if the process is to die here.
pub fn hit(name: &str) {
    if UNSET.load(Ordering::Relaxed) {
        return;
    }
    let Some(plan) = PLAN.get_or_init(read) else {
        UNSET.store(true, Ordering::Relaxed);
        return;
    };
    // fetch_sub on 0 wraps to u64::MAX, which no run of this program counts down again.
    if plan.name == name && plan.left.fetch_sub(1, Ordering::Relaxed) == 1 {
        die();
    }
}

fn read() -> Option<Plan> {
    let text = std::env::var("WINDLASS_CRASH_AT").ok()?;
    let (name, count) = text.rsplit_once(':')?;
    Some(Plan { name: name.to_owned(), left: AtomicU64::new(count.parse().ok()?) })
}

/// Whether the fault harness has taken this promise away, to see that it notices: `WINDLASS_BREAK=epoch,lease`. Only in
/// debug builds.
pub fn is_broken(promise: &str) -> bool {
    static BROKEN: OnceLock<Vec<String>> = OnceLock::new();
    if !cfg!(debug_assertions) {
        return false;
    }
    let broken = BROKEN.get_or_init(|| {
        let text = std::env::var("WINDLASS_BREAK").unwrap_or_default();
        text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
    });
    broken.iter().any(|word| word == promise)
}

/// SIGKILL runs no destructor and flushes nothing: what a power failure leaves of a process.
fn die() -> ! {
    // SAFETY: kill and getpid take no pointers.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    std::process::abort()
}
