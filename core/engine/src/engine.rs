//! The engine's handle, and what its parts share.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::Value;
use windlass_model::{
    Bundle, BundleDigest, Code, EventKind, NodeId, Problem, RunId,
    audit::NewAudit,
    command::{Claimed, Command, Lease, Reply},
    document::Change,
    journal::Stop,
    time::Clock,
};
use windlass_store::{Committed, Hints, Store, StoreOptions};

use crate::{
    EngineConfig, Time,
    control::Control,
    feed::Feed,
    launch::ChildLauncher,
    lease_clock::{LeaseClock, RENEWALS},
    pool::Pool,
    scheduler::Wake,
    stats::Stats,
    worker,
};

/// Bundles that are kept parsed; a run whose bundle isn't here reads it again.
const BUNDLES: usize = 64;
/// How long ops get to stop that were cut off.
const CUT: Duration = Duration::from_secs(1);

/// The durable engine of this process. Clones share it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
    /// The entry in the audit log that goes with every command given through this handle.
    entry: Option<Arc<NewAudit>>,
    /// Changes of documents that go with it.
    changes: Option<Arc<Vec<Change>>>,
    /// The event that goes with it, too.
    announcement: Option<Arc<(EventKind, Value)>>,
}

pub(crate) struct Inner {
    pub(crate) config: EngineConfig,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) children: ChildLauncher,
    pub(crate) pool: Pool,
    pub(crate) stopping: AtomicBool,
    /// This node claims nothing more.
    draining: AtomicBool,
    /// More was due at the last claim than there were workers for.
    pub(crate) backlog: AtomicBool,
    pub(crate) started_at_ms: i64,
    bundles: Mutex<VecDeque<(BundleDigest, Arc<Bundle>)>>,
    scheduler: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// What the store's writer tells the rest of the engine.
#[derive(Default)]
pub(crate) struct Signals {
    /// Another node has committed something.
    pub(crate) hinted: AtomicBool,
    /// Tells other nodes that this one has; none where there can't be any.
    pub(crate) hints: OnceLock<Hints>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) wake: Wake,
    pub(crate) active: Mutex<HashMap<RunId, Active>>,
    pub(crate) stats: Arc<Stats>,
    /// More may be old enough to be removed.
    pub(crate) prunes_on: AtomicBool,
}

/// A run under evaluation in this process.
#[derive(Clone)]
pub(crate) struct Active {
    pub(crate) control: Arc<Control>,
    pub(crate) deadline_at_ms: Option<i64>,
    /// How long the claim holds.
    pub(crate) lease: Arc<LeaseClock>,
    /// Which claim it is.
    epoch: i64,
}

impl Active {
    /// The claim on this run, which it is of.
    pub(crate) fn claim(&self, run: &RunId) -> Lease {
        Lease { run: run.clone(), epoch: self.epoch }
    }
}

impl Signals {
    /// An evaluation is over; one that came after it stays.
    fn forget(&self, run: &RunId, epoch: i64) {
        let mut active = self.active.lock();
        if active.get(run).is_some_and(|active| active.epoch == epoch) {
            active.remove(run);
        }
    }

    fn committed(&self, committed: &Committed) {
        self.stats.commits.observe(committed.took);
        self.stats.commands.fetch_add(committed.commands, Ordering::Relaxed);
        self.feed.ring(&committed.runs, committed.kinds);
        if !committed.runs.is_empty()
            && let Some(hints) = self.hints.get()
        {
            hints.tell();
        }
        for (runs, stop) in [(&committed.cancelled, Stop::Cancelled), (&committed.stopped, Stop::LeaseLost)] {
            if !runs.is_empty() {
                let active = self.active.lock();
                runs.iter().filter_map(|run| active.get(run)).for_each(|active| active.control.stop(stop.clone()));
            }
        }
        if committed.due_now {
            self.wake.kick();
        } else if let Some(due_ms) = committed.earliest_due_ms {
            self.wake.due_at(due_ms);
        }
    }
}

impl Engine {
    /// Opens the store, takes over what a process that died has left, and begins to execute what is due.
    pub fn start(config: EngineConfig) -> Result<Self, Problem> {
        let signals: Arc<Signals> = Arc::default();
        let (clock, listener) = (config.time.clock(), signals.clone());
        let options = StoreOptions {
            durability: config.durability,
            listener: Arc::new(move |committed| listener.committed(committed)),
            ..StoreOptions::new(clock.clone())
        };
        let store = Store::open(&config.url, options)?;
        if !config.exclusive {
            let hinted = Arc::downgrade(&signals);
            let heard = move || {
                if let Some(signals) = hinted.upgrade() {
                    signals.hinted.store(true, Ordering::Release);
                    signals.wake.kick();
                }
            };
            if let Some(hints) = store.hints(Box::new(heard)) {
                // Nobody else sets it.
                let _ = signals.hints.set(hints);
            }
        }
        if config.exclusive && config.workers > 0 {
            store.commit(Command::ExpireLeases { node: None })?;
        }
        let children = ChildLauncher::new(
            config.workflows.clone(),
            clock.clone(),
            config.bounds.input_bytes,
            config.known_secret.clone(),
        );
        let inner = Arc::new(Inner {
            started_at_ms: clock.now_ms(),
            pool: Pool::new(config.stack_bytes),
            config,
            store,
            clock,
            signals,
            children,
            stopping: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            backlog: AtomicBool::new(false),
            bundles: Mutex::default(),
            scheduler: Mutex::default(),
        });
        let scheduled = inner.clone();
        let thread = std::thread::Builder::new().name("scheduler".into()).spawn(move || scheduled.schedule());
        let thread = thread
            .map_err(|error| Problem::new(Code::System, format!("the scheduler's thread can't be started: {error}")))?;
        *inner.scheduler.lock() = Some(thread);
        Ok(Self { inner, entry: None, changes: None, announcement: None })
    }

    /// A handle whose commands are each committed together with this entry in the audit log.
    #[must_use]
    pub fn audited(&self, entry: NewAudit) -> Self {
        Self { entry: Some(Arc::new(entry)), ..self.clone() }
    }

    /// A handle whose commands are each committed together with these changes of documents: both or neither. Where the body
    /// of one says `"run": null`, the run stands that the command launched.
    #[must_use]
    pub fn with(&self, changes: Vec<Change>) -> Self {
        Self { changes: Some(Arc::new(changes)), ..self.clone() }
    }

    /// A handle whose commands are each committed together with this event, which belongs to no run.
    #[must_use]
    pub fn announced(&self, kind: EventKind, data: Value) -> Self {
        Self { announcement: Some(Arc::new((kind, data))), ..self.clone() }
    }

    pub(crate) fn commit(&self, command: Command) -> Result<Reply, Problem> {
        Ok(self.inner.store.commit(self.with_rest(command))?)
    }

    /// The command, with everything that this handle commits together with it.
    pub(crate) fn with_rest(&self, command: Command) -> Command {
        let command = match self.changes.as_deref() {
            Some(changes) => Command::With { command: Box::new(command), changes: changes.clone() },
            None => command,
        };
        let command = match self.announcement.as_deref() {
            Some((kind, data)) => Command::Announced { command: Box::new(command), kind: *kind, data: data.clone() },
            None => command,
        };
        match &self.entry {
            Some(entry) => Command::Audited { command: Box::new(command), entry: Box::new((**entry).clone()) },
            None => command,
        }
    }

    /// Whether the database is a file of this process: a short read takes no longer than handing it to another thread.
    pub fn reads_quickly(&self) -> bool {
        self.inner.config.exclusive
    }

    /// Begins to stop: no run is taken up any more, evaluations stop at their next host call and give their leases back. What
    /// is asked is still answered, until `shutdown`.
    pub fn let_go(&self) {
        let inner = &self.inner;
        inner.stopping.store(true, Ordering::Release);
        inner.signals.wake.kick();
        for active in inner.signals.active.lock().values() {
            active.control.stop(Stop::ShuttingDown);
        }
    }

    /// Stops evaluations at their next host call, gives their leases back, and closes the store. Runs go on at the next
    /// start. Ops that are under way get `grace` to end; then they are cut off.
    pub fn shutdown(&self, grace: Duration) {
        self.let_go();
        let inner = &self.inner;
        if let Some(thread) = inner.scheduler.lock().take() {
            // A scheduler that panicked has nothing left to wait for.
            let _ = thread.join();
        }
        let deadline = Instant::now() + grace;
        let wait = |deadline: Instant| {
            let renew_every = Duration::from_millis(u64::try_from(inner.config.lease_ms / RENEWALS).unwrap_or(0));
            let mut renewed = Instant::now();
            while !inner.signals.active.lock().is_empty() && Instant::now() < deadline {
                if !inner.config.exclusive && renewed.elapsed() >= renew_every {
                    renewed = Instant::now();
                    inner.beat();
                }
                inner.signals.wake.wait(Duration::from_millis(20));
            }
        };
        wait(deadline);
        for active in inner.signals.active.lock().values() {
            active.control.hurry();
        }
        wait(Instant::now() + CUT);
        if inner.config.workers > 0
            && let Err(error) = inner.store.commit(Command::Leave { node: inner.config.node.clone() })
        {
            tracing::warn!(%error, "this node stays in the list of nodes");
        }
        inner.store.close();
    }

    /// Runs under evaluation in this process, and script threads that are alive.
    pub fn load(&self) -> (usize, usize) {
        (self.inner.signals.active.lock().len(), self.inner.pool.threads())
    }

    /// What the engine has counted since the process began.
    pub fn stats(&self) -> &Stats {
        &self.inner.signals.stats
    }

    /// How long the run that has waited longest for a worker has done so, in milliseconds; 0 if none waits.
    pub fn queue_age_ms(&self) -> Result<i64, Problem> {
        let due_ms = self.inner.store.next_due_ms()?;
        Ok(due_ms.map_or(0, |due_ms| (self.now_ms() - due_ms).max(0)))
    }

    /// Bytes of a run's input, at most.
    pub fn input_bytes(&self) -> usize {
        self.inner.config.bounds.input_bytes
    }

    /// Whether this process executes runs.
    pub fn executes(&self) -> bool {
        self.inner.config.workers > 0 && !self.inner.is_stopping()
    }

    /// Migrations that the database lacks.
    pub fn pending_migrations(&self) -> Result<Vec<String>, Problem> {
        Ok(Store::pending_migrations(&self.inner.config.url)?)
    }

    /// The clock's time, milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    /// How long ended runs are kept whose workflow doesn't say.
    pub fn retention_ms(&self) -> i64 {
        self.inner.config.default_retention_ms
    }
}

impl Inner {
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn lease_expires_at_ms(&self) -> i64 {
        match self.config.exclusive {
            true => i64::MAX,
            false => self.clock.now_ms().saturating_add(self.config.lease_ms),
        }
    }

    /// Runs that this process can take on now.
    pub(crate) fn free_workers(&self) -> usize {
        if self.is_draining() {
            return 0;
        }
        self.config.workers.saturating_sub(self.signals.active.lock().len())
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Claims nothing more, and hands over what is under evaluation at its next host call; or goes on.
    pub(crate) fn drain(&self, draining: bool) {
        if self.draining.swap(draining, Ordering::AcqRel) == draining {
            return;
        }
        tracing::info!(node = %self.config.node, draining, "whether this node claims runs has changed");
        if draining {
            self.signals.active.lock().values().for_each(|active| active.control.stop(Stop::ShuttingDown));
        } else {
            self.signals.wake.kick();
        }
    }

    /// A launch takes its run at once when there is a free worker: one commit instead of two.
    pub(crate) fn claim_at_launch(&self) -> Option<(NodeId, i64)> {
        // Where others wait for a worker already, a launch doesn't go before them.
        let may = self.free_workers() > 0 && !self.is_stopping() && !self.backlog.load(Ordering::Acquire);
        may.then(|| (self.config.node.clone(), self.lease_expires_at_ms()))
    }

    /// Evaluates a claimed run on a script thread.
    pub(crate) fn start(self: &Arc<Self>, claimed: Claimed, asked: Instant) {
        let (run, control) = (claimed.lease.run.clone(), Arc::<Control>::default());
        if self.is_stopping() || self.is_draining() {
            control.stop(Stop::ShuttingDown);
        }
        let epoch = claimed.lease.epoch;
        let holds = Duration::from_millis(u64::try_from(self.config.lease_ms).unwrap_or(0));
        let lease = Arc::new(LeaseClock::new((!self.config.exclusive).then_some(holds), asked));
        let active =
            Active { control: control.clone(), deadline_at_ms: claimed.deadline_at_ms, lease: lease.clone(), epoch };
        if let Some(before) = self.signals.active.lock().insert(run.clone(), active) {
            // This process had the run before, lost it, and doesn't know yet.
            before.control.stop(Stop::LeaseLost);
        }
        let (inner, name, claim) = (self.clone(), run.clone(), claimed.lease.clone());
        // A run that a request launches belongs to that request's trace.
        let span = tracing::info_span!("run", run = %run);
        let spawned = self.pool.spawn(Box::new(move || {
            let _entered = span.entered();
            worker::work(&inner, claimed, control, lease);
            inner.signals.forget(&run, epoch);
            // Where time is virtual it goes on when nothing runs; and who shuts down waits for the last one.
            match inner.is_virtual() || inner.is_stopping() {
                true => inner.signals.wake.kick(),
                false => inner.signals.wake.freed(inner.clock.now_ms()),
            }
        }));
        if let Err(error) = spawned {
            tracing::error!(run = %name, %error, "no thread for the run; it is given back");
            self.signals.forget(&name, epoch);
            self.store.submit(Command::Release(claim), Box::new(|_| {}));
        }
    }

    /// The bundle with this digest, from memory or the store.
    pub(crate) fn bundle(&self, digest: &BundleDigest) -> Result<Arc<Bundle>, Problem> {
        if let Some((_, bundle)) = self.bundles.lock().iter().find(|(present, _)| present == digest) {
            return Ok(bundle.clone());
        }
        let missing = || Problem::new(Code::Storage, format!("the database lacks the bundle {digest}"));
        let body = self.store.bundle(digest)?.ok_or_else(missing)?;
        let bundle: Arc<Bundle> = serde_json::from_str(&body)
            .map(Arc::new)
            .map_err(|error| Problem::new(Code::Storage, format!("the bundle {digest} is damaged: {error}")))?;
        let mut bundles = self.bundles.lock();
        if bundles.len() >= BUNDLES {
            bundles.pop_front();
        }
        bundles.push_back((digest.clone(), bundle.clone()));
        Ok(bundle)
    }

    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self.config.time, Time::Virtual(_))
    }
}
