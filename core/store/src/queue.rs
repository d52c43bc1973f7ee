//! What waits for the writer: commands in the order of their arrival, and the slots in which callers wait for answers.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::Thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use windlass_model::command::{Command, Reply};

use crate::error::StoreError;

/// Callers that are woken together: the writer wakes the first, who wakes the others.
const WOKEN_TOGETHER: usize = 8;

/// So long the writer stays awake for a command that is being prepared.
const EXPECTED: Duration = Duration::from_micros(500);

pub(crate) type Answer = Result<Reply, StoreError>;

/// Who is told when the command is on disk.
pub(crate) enum Done {
    Nobody,
    Caller(Arc<Slot>),
    Callback(Box<dyn FnOnce(Answer) + Send>),
}

impl Done {
    pub(crate) fn tell(self, answer: Answer) {
        match self {
            Self::Nobody => {
                if let Err(error) = answer {
                    tracing::debug!(%error, "a lazy command was dropped");
                }
            }
            Self::Caller(slot) => slot.fill(answer),
            // The others are to be told whatever becomes of one.
            Self::Callback(call) => {
                if catch_unwind(AssertUnwindSafe(|| call(answer))).is_err() {
                    tracing::error!("whoever was told what became of a command panicked");
                }
            }
        }
    }
}

/// Tells everybody their answers. Waking a thread costs the writer more than answering it, so each caller that it wakes
/// wakes some others.
pub(crate) fn tell_all(answers: impl Iterator<Item = (Done, Answer)>) {
    let mut callers = Vec::with_capacity(answers.size_hint().0);
    for (done, answer) in answers {
        match done {
            Done::Caller(slot) => callers.push((slot, answer)),
            other => other.tell(answer),
        }
    }
    let mut callers = callers.into_iter();
    while let Some((first, answer)) = callers.next() {
        // Who is woken finds its answer, so the first one gets its own last.
        let others = callers.by_ref().take(WOKEN_TOGETHER - 1);
        let woken = others.map(|(slot, answer)| {
            slot.put(answer, Vec::new());
            slot
        });
        let woken = woken.collect();
        first.put(answer, woken);
        first.thread.unpark();
    }
}

/// A command and who waits for it.
pub(crate) struct Item {
    pub command: Command,
    pub done: Done,
    /// Since when it waits, by the store's clock. Of one that nobody waits for it doesn't matter.
    pub since_ms: i64,
}

/// Commands that somebody waits for.
pub(crate) fn waited_for<'a>(done: impl Iterator<Item = &'a Done>) -> usize {
    done.filter(|done| !matches!(done, Done::Nobody)).count()
}

/// Where one thread waits for its answer. A thread has one, and reuses it.
pub(crate) struct Slot {
    thread: Thread,
    ready: AtomicBool,
    /// The answer, and who else is to be woken.
    answer: Mutex<Option<(Answer, Vec<Arc<Slot>>)>>,
}

thread_local! {
    static SLOT: RefCell<Option<Arc<Slot>>> = const { RefCell::new(None) };
}

impl Slot {
    pub(crate) fn of_this_thread() -> Arc<Slot> {
        SLOT.with_borrow_mut(|slot| {
            slot.get_or_insert_with(|| {
                let thread = std::thread::current();
                Arc::new(Slot { thread, ready: AtomicBool::new(false), answer: Mutex::new(None) })
            })
            .clone()
        })
    }

    fn fill(&self, answer: Answer) {
        self.put(answer, Vec::new());
        self.thread.unpark();
    }

    fn put(&self, answer: Answer, others: Vec<Arc<Slot>>) {
        *self.answer.lock() = Some((answer, others));
        self.ready.store(true, Ordering::Release);
    }

    pub(crate) fn wait(&self) -> Answer {
        while !self.ready.swap(false, Ordering::Acquire) {
            std::thread::park();
        }
        let answer = self.answer.lock().take();
        // `ready` is set only after an answer was put in, and only its own thread takes it out.
        let Some((answer, others)) = answer else { return Err(StoreError::storage("the writer gave no answer")) };
        others.iter().for_each(|slot| slot.thread.unpark());
        answer
    }
}

#[derive(Default)]
struct Pending {
    items: VecDeque<Option<Item>>,
    /// Number of the first item; keyed lazy items are found by `number - first`.
    first: u64,
    keyed: HashMap<u64, u64>,
    /// Items that somebody waits for.
    urgent: usize,
    /// When the oldest lazy item has waited long enough.
    flush_at: Option<Instant>,
    /// The writer sleeps without a time limit, and has to be woken even for a lazy item.
    asleep: bool,
    /// Until then a command may come any moment.
    expected_until: Option<Instant>,
    /// The writer waits for whoever keeps it from committing, too.
    held_up: bool,
    closed: bool,
}

/// The queue between callers and the writer.
pub(crate) struct Queue {
    pending: Mutex<Pending>,
    arrived: Condvar,
    lazy_flush: Duration,
}

impl Queue {
    pub(crate) fn new(lazy_flush_ms: u64) -> Self {
        let lazy_flush = Duration::from_millis(lazy_flush_ms);
        Self { pending: Mutex::new(Pending::default()), arrived: Condvar::new(), lazy_flush }
    }

    /// Adds a command that somebody waits for; if the writer is gone, that is the answer.
    pub(crate) fn push(&self, item: Item) {
        let mut pending = self.pending.lock();
        if pending.closed {
            drop(pending);
            return item.done.tell(Err(StoreError::storage("the store is closed")));
        }
        pending.add(item);
        let first = pending.urgent == 1;
        drop(pending);
        if first {
            self.arrived.notify_one();
        }
    }

    /// Somebody prepares a command: a writer that sleeps wakes up meanwhile, which takes it about as long.
    pub(crate) fn anticipate(&self) {
        // Where the lock is held, the writer is awake.
        let Some(mut pending) = self.pending.try_lock() else { return };
        let wake = pending.asleep && pending.urgent == 0;
        if wake {
            pending.expected_until = Some(Instant::now() + EXPECTED);
            drop(pending);
            self.arrived.notify_one();
        }
    }

    /// Adds a command that rides on the next commit.
    pub(crate) fn push_lazy(&self, key: Option<u64>, command: Command) {
        let mut pending = self.pending.lock();
        if pending.closed {
            return;
        }
        let number = pending.first + pending.items.len() as u64;
        pending.items.push_back(Some(Item { command, done: Done::Nobody, since_ms: i64::MAX }));
        if let Some(key) = key {
            pending.keyed.insert(key, number);
        }
        let flush_at = Instant::now() + self.lazy_flush;
        pending.flush_at.get_or_insert(flush_at);
        let wake = std::mem::take(&mut pending.asleep);
        drop(pending);
        if wake {
            self.arrived.notify_one();
        }
    }

    /// Takes a lazy command back; false if the writer has it already.
    pub(crate) fn withdraw(&self, key: u64) -> bool {
        let mut pending = self.pending.lock();
        let Some(number) = pending.keyed.remove(&key) else { return false };
        let index = (number - pending.first) as usize;
        pending.items.get_mut(index).is_some_and(|item| item.take().is_some())
    }

    /// Commands that wait for the writer, and that somebody waits for.
    pub(crate) fn urgent(&self) -> usize {
        self.pending.lock().urgent
    }

    /// Up to `limit` commands that came while the writer is kept from committing; none once it isn't any more.
    pub(crate) fn meanwhile(&self, limit: usize, is_busy: impl Fn() -> bool) -> Vec<Item> {
        let mut pending = self.pending.lock();
        while is_busy() {
            if pending.urgent > 0 && limit > 0 {
                return pending.drain(limit);
            }
            pending.held_up = true;
            self.arrived.wait(&mut pending);
            pending.held_up = false;
        }
        Vec::new()
    }

    /// The writer isn't kept from committing any more.
    pub(crate) fn go_on(&self) {
        let held_up = self.pending.lock().held_up;
        if held_up {
            self.arrived.notify_one();
        }
    }

    pub(crate) fn close(&self) {
        self.pending.lock().closed = true;
        self.arrived.notify_all();
    }

    /// What a caller takes along who writes his command himself: fewer than `limit` that nobody waits for; `None` where somebody
    /// waits already.
    pub(crate) fn take_along(&self, limit: usize) -> Option<Vec<Item>> {
        let mut pending = self.pending.lock();
        let free = !pending.closed && pending.urgent == 0 && pending.items.len() < limit;
        free.then(|| pending.drain(limit))
    }

    /// Up to `limit` commands that wait.
    pub(crate) fn take(&self, limit: usize) -> Vec<Item> {
        let mut pending = self.pending.lock();
        pending.expected_until = None;
        pending.drain(limit)
    }

    /// Waits for work; false once the queue is closed and empty.
    pub(crate) fn wait(&self) -> bool {
        let mut pending = self.pending.lock();
        loop {
            let due = pending.flush_at.is_some_and(|at| at <= Instant::now());
            if pending.urgent > 0 || due {
                return true;
            }
            if pending.closed {
                return !pending.items.is_empty();
            }
            if let Some(until) = pending.expected_until {
                if until > Instant::now() {
                    // Whoever prepares it may need this processor.
                    MutexGuard::unlocked(&mut pending, std::thread::yield_now);
                    continue;
                }
                pending.expected_until = None;
            }
            match pending.flush_at {
                Some(at) => {
                    self.arrived.wait_until(&mut pending, at);
                }
                None => {
                    pending.asleep = true;
                    self.arrived.wait(&mut pending);
                    pending.asleep = false;
                }
            }
        }
    }
}

impl Pending {
    fn add(&mut self, item: Item) {
        self.items.push_back(Some(item));
        self.urgent += 1;
    }

    fn drain(&mut self, limit: usize) -> Vec<Item> {
        let mut batch = Vec::with_capacity(self.items.len().min(limit));
        while batch.len() < limit {
            let Some(item) = self.items.pop_front() else { break };
            self.first += 1;
            if let Some(item) = item {
                self.urgent -= usize::from(!matches!(item.done, Done::Nobody));
                batch.push(item);
            }
        }
        let first = self.first;
        self.keyed.retain(|_, number| *number >= first);
        if self.items.is_empty() {
            self.flush_at = None;
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use windlass_model::NodeId;

    use super::*;

    #[test]
    fn a_command_that_is_expected_finds_the_writer_awake_and_one_that_stays_away_lets_it_sleep() {
        let queue = Arc::new(Queue::new(1_000_000));
        let taker = queue.clone();
        let taken = std::thread::spawn(move || taker.wait().then(|| taker.take(8).len()));
        let asleep = || queue.pending.lock().asleep;
        let wait_for = |what: bool| {
            let began = Instant::now();
            while asleep() != what {
                assert!(began.elapsed() < Duration::from_secs(20), "asleep: {}", !what);
            }
        };
        wait_for(true);
        queue.pending.lock().expected_until = Some(Instant::now() + Duration::from_secs(3_600));
        queue.arrived.notify_one();
        wait_for(false);
        // Nothing came: it sleeps again.
        queue.pending.lock().expected_until = Some(Instant::now());
        wait_for(true);
        queue.anticipate();
        let command = Command::Leave { node: NodeId::from("n") };
        queue.push(Item { command, done: Done::Callback(Box::new(|_| {})), since_ms: 0 });
        assert_eq!(taken.join().ok(), Some(Some(1)));
        queue.close();
    }
}
