//! What runs hold together: bytes over all branches of a run and over all runs of the process, and branch threads.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

use windlass_model::{Bounds, Code, Problem};

/// All runs of a process together may hold so many times what one may.
const RUNS_AT_THE_BOUND: i64 = 16;

/// Branch threads at the same time, over all nested scopes: of one run, and of all runs of the process.
const MAX_THREADS: (usize, usize) = (1024, 4096);

/// Smaller changes aren't told: all threads of the process share the sums.
const GRAIN_BYTES: i64 = 16 << 10;

static PROCESS_BYTES: AtomicI64 = AtomicI64::new(0);
static PROCESS_THREADS: AtomicUsize = AtomicUsize::new(0);

/// What one run holds.
#[derive(Default)]
pub(crate) struct Budget {
    bytes: AtomicI64,
    threads: AtomicUsize,
    /// Why the run is over. Its other branches end too: else each of them would grow to the bound in its turn.
    exceeded: OnceLock<Problem>,
}

impl Budget {
    pub fn exceeded(&self) -> Option<&Problem> {
        self.exceeded.get()
    }

    /// Room for so many threads until the value is dropped.
    pub fn threads(self: &Arc<Self>, count: usize) -> Result<Threads, Problem> {
        self.threads_within(&PROCESS_THREADS, count)
    }

    fn threads_within(self: &Arc<Self>, process: &'static AtomicUsize, count: usize) -> Result<Threads, Problem> {
        let taken = Threads { budget: self.clone(), process, count };
        let of_run = self.threads.fetch_add(count, Ordering::Relaxed) + count;
        let of_process = process.fetch_add(count, Ordering::Relaxed) + count;
        if of_run > MAX_THREADS.0 {
            return Err(too_many_threads("the run has", MAX_THREADS.0));
        }
        if of_process > MAX_THREADS.1 {
            return Err(too_many_threads("all runs of this process together have", MAX_THREADS.1));
        }
        Ok(taken)
    }
}

/// Threads that count as alive.
pub(crate) struct Threads {
    budget: Arc<Budget>,
    process: &'static AtomicUsize,
    count: usize,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.budget.threads.fetch_sub(self.count, Ordering::Relaxed);
        self.process.fetch_sub(self.count, Ordering::Relaxed);
    }
}

pub(crate) fn too_many_threads(who: &str, max: usize) -> Problem {
    Problem::new(Code::LimitExceeded, format!("{who} more than {max} branches at work at once"))
        .help("Give `parallel` a `limit`, or nest fewer of them.")
        .data(serde_json::json!({ "bound": "branch_threads", "limit": max }))
}

/// Bytes that somebody holds in a run's name; given back when the value is dropped.
pub(crate) struct Charge {
    budget: Arc<Budget>,
    run_bytes: i64,
    process_bytes: i64,
}

impl Charge {
    pub fn new(budget: Arc<Budget>) -> Self {
        Self { budget, run_bytes: 0, process_bytes: 0 }
    }

    /// Sets what the script itself holds.
    pub fn hold(&mut self, bytes: i64, bounds: &Bounds) -> Result<(), Problem> {
        let bytes = bytes.max(0);
        if (bytes - self.run_bytes).abs() < GRAIN_BYTES && self.process_bytes == self.run_bytes {
            return Ok(());
        }
        let limit = bounds.script_memory_bytes as i64;
        let grown = bytes - self.run_bytes;
        let of_run = self.budget.bytes.fetch_add(grown, Ordering::Relaxed) + grown;
        self.run_bytes = bytes;
        let of_process = self.pass(bytes);
        if grown > 0 && of_run > limit {
            let message = format!(
                "the script holds more than {} MiB of memory, all of its branches together",
                bounds.script_memory_bytes >> 20
            );
            let help = "The bound is `script_memory_bytes`, for the whole run. Look for a value that keeps growing; give `parallel` a `limit`, or keep large things as artifacts.";
            return Err(self.exceed(message, help));
        }
        self.check_process(grown, of_process, limit)
    }

    /// Sets what is held on the way through a host call: texts of arguments and results. It is gone at the call's end, so
    /// it doesn't count as the script's; but the process has to have it.
    pub fn pass_through(&mut self, bytes: i64, bounds: &Bounds) -> Result<(), Problem> {
        let bytes = bytes.max(self.run_bytes);
        if (bytes - self.process_bytes).abs() < GRAIN_BYTES {
            return Ok(());
        }
        let grown = bytes - self.process_bytes;
        let of_process = self.pass(bytes);
        self.check_process(grown, of_process, bounds.script_memory_bytes as i64)
    }

    /// The host call is over.
    pub fn passed(&mut self) {
        if self.process_bytes != self.run_bytes {
            self.pass(self.run_bytes);
        }
    }

    fn pass(&mut self, bytes: i64) -> i64 {
        let grown = bytes - self.process_bytes;
        self.process_bytes = bytes;
        PROCESS_BYTES.fetch_add(grown, Ordering::Relaxed) + grown
    }

    /// Whoever asks for more than there is has to end: it is the one that grows.
    fn check_process(&self, grown: i64, of_process: i64, limit: i64) -> Result<(), Problem> {
        let limit = limit.saturating_mul(RUNS_AT_THE_BOUND);
        if grown <= 0 || of_process <= limit {
            return Ok(());
        }
        let message = format!("all scripts of this process together hold more than {} MiB of memory", limit >> 20);
        let help = "That is 16 times the bound `script_memory_bytes`. Run fewer large workflows at once (`concurrency` in their headers), or raise the bound.";
        Err(self.exceed(message, help))
    }

    fn exceed(&self, message: String, help: &str) -> Problem {
        let problem = Problem::new(Code::LimitExceeded, message)
            .help(help)
            .data(serde_json::json!({ "bound": "script_memory_bytes" }));
        self.budget.exceeded.get_or_init(|| problem).clone()
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.bytes.fetch_sub(self.run_bytes, Ordering::Relaxed);
        PROCESS_BYTES.fetch_sub(self.process_bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_bounded_in_a_run_and_in_the_process() {
        static PROCESS: AtomicUsize = AtomicUsize::new(0);
        let take = |run: &Arc<Budget>, count| run.threads_within(&PROCESS, count);
        let run = Arc::new(Budget::default());
        let all = take(&run, 1024).unwrap();
        assert!(take(&run, 1).err().unwrap().message.starts_with("the run has more than 1024 branches"));
        let others: Vec<_> = (0..3).map(|_| take(&Arc::default(), 1024).unwrap()).collect();
        let refused = take(&Arc::default(), 1).err().unwrap();
        assert_eq!((refused.code, refused.data["limit"].as_u64()), (Code::LimitExceeded, Some(4096)));
        drop(others);
        assert!(take(&Arc::default(), 1).is_ok() && take(&run, 1).is_err());
        drop(all);
        assert!(take(&run, 1024).is_ok());
        assert_eq!(PROCESS.load(Ordering::Relaxed), 0, "everything was given back, refused or not");
    }
}
