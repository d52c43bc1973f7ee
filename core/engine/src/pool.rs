//! Script threads: kept for a while when idle, made when needed, never more than allowed. Suspended runs hold none.

use std::{
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    thread::JoinHandle,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;

type Task = Box<dyn FnOnce() + Send>;

/// Has this thread wait its turn when it is woken, instead of taking the processor from another one. A commit answers many scripts at
/// once, and each that drove out another would make for nothing but changes of threads. It gets as much of the processor as
/// before; what it starts doesn't inherit this.
fn take_turns() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: it is about this thread, and the pointer is to a value that lives until it returns.
    let refused = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH | libc::SCHED_RESET_ON_FORK, &parameters) };
    if refused != 0 {
        tracing::debug!(error = %std::io::Error::last_os_error(), "a script's thread isn't scheduled as one of many");
    }
}

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(5);

pub(crate) struct Pool {
    stack_bytes: usize,
    hand_over: Sender<Task>,
    take: Receiver<Task>,
    threads: Arc<AtomicUsize>,
    joins: Mutex<Vec<JoinHandle<()>>>,
}

impl Pool {
    pub(crate) fn new(stack_bytes: usize) -> Self {
        // No buffer: a task is handed to a thread that waits for one, or else a thread is made for it.
        let (hand_over, take) = bounded(0);
        Self { stack_bytes, hand_over, take, threads: Arc::default(), joins: Mutex::default() }
    }

    /// Runs the task on an idle thread or a new one.
    pub(crate) fn spawn(&self, task: Task) -> std::io::Result<()> {
        let task = match self.hand_over.try_send(task) {
            Ok(()) => return Ok(()),
            Err(error) => error.into_inner(),
        };
        let (take, threads) = (self.take.clone(), self.threads.clone());
        threads.fetch_add(1, Ordering::Relaxed);
        let count = threads.clone();
        let spawned = std::thread::Builder::new().name("script".into()).stack_size(self.stack_bytes).spawn(move || {
            take_turns();
            task();
            while let Ok(next) = take.recv_timeout(IDLE) {
                next();
            }
            threads.fetch_sub(1, Ordering::Relaxed);
        });
        match spawned {
            Ok(join) => {
                let mut joins = self.joins.lock();
                joins.retain(|join| !join.is_finished());
                joins.push(join);
                Ok(())
            }
            Err(error) => {
                count.fetch_sub(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Threads that are alive.
    pub(crate) fn threads(&self) -> usize {
        self.threads.load(Ordering::Relaxed)
    }
}
