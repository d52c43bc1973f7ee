//! The threads of notifications: one follows the feed, some send what is due. A target is spoken with by one of them at a time,
//! and is left alone for a moment when it failed: one that never answers holds up nobody else, and no run ever waits for any.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    thread::JoinHandle,
};

use parking_lot::Mutex;
use windlass_engine::Engine;
use windlass_model::{Code, Problem};

use super::{
    dispatcher::Dispatcher,
    kept::{Notice, Sealed, Target},
    queue::{self, Gate, Next, Standing, Taken},
    targets,
};
use crate::{
    auth::kept::Kept,
    organisations::tree,
    services::{Courier, NotDelivered, NotifyTarget, Secrets, ToTarget, Told},
    triggers::Bell,
};

/// Threads that send.
const SENDERS: usize = 4;
/// How often to look what is due.
const LOOK_EVERY_MS: i64 = 250;
/// How long a target that failed is left alone, at most; what it asks for itself may be longer.
const LONGEST_REST_MS: i64 = 60_000;
/// Messages in a minute to a target that doesn't say.
pub const PER_MINUTE: u32 = 30;

/// What the threads are given.
#[derive(Clone)]
pub struct Settings {
    /// The engine.
    pub engine: Engine,
    /// Opens what is sealed of targets.
    pub secrets: Arc<dyn Secrets>,
    /// Hands messages over.
    pub courier: Arc<dyn Courier>,
    /// The address that people reach the server at.
    pub public_url: String,
    /// For how long it is known what became of a message.
    pub kept_ms: i64,
}

/// The threads, until this is dropped.
pub struct Sending {
    bells: Vec<Arc<Bell>>,
    threads: Vec<JoinHandle<()>>,
}

impl Sending {
    /// Begins to tell people.
    pub fn start(settings: &Settings) -> Result<Self, Problem> {
        let mut sending = Self { bells: Vec::new(), threads: Vec::new() };
        let mut dispatcher = Dispatcher::new(settings.engine.clone(), &settings.public_url);
        dispatcher.begin();
        sending.thread("notifications", move || dispatcher.look())?;
        let busy = Arc::new(Busy::default());
        for _ in 0..SENDERS {
            let sender = Sender { settings: settings.clone(), busy: busy.clone() };
            sending.thread("notify", move || sender.look())?;
        }
        Ok(sending)
    }

    fn thread(&mut self, name: &str, mut look: impl FnMut() -> i64 + Send + 'static) -> Result<(), Problem> {
        let bell = Arc::new(Bell::default());
        let listened = bell.clone();
        let work = move || {
            let mut wait_ms = 0;
            while listened.wait(wait_ms) {
                wait_ms = look();
            }
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(work);
        let thread =
            thread.map_err(|error| Problem::new(Code::System, format!("no thread for notifications: {error}")))?;
        self.bells.push(bell);
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.bells.iter().for_each(|bell| bell.end());
        for thread in self.threads.drain(..) {
            // One that panicked has nothing left to wait for; the others are done within an attempt.
            let _ = thread.join();
        }
    }
}

/// Targets that are spoken with by this process, or are left alone for a while.
#[derive(Default)]
struct Busy {
    state: Mutex<(HashSet<String>, HashMap<String, Rest>)>,
    place: Mutex<Option<String>>,
}

struct Rest {
    until_ms: i64,
    failures: u32,
}

impl Busy {
    /// Whether nobody speaks with it, and it isn't left alone. From now on somebody does.
    fn enter(&self, target: &str, now_ms: i64) -> bool {
        let mut state = self.state.lock();
        state.1.get(target).is_none_or(|rest| rest.until_ms <= now_ms) && state.0.insert(target.to_owned())
    }

    fn leave(&self, target: &str, rest: Option<(i64, i64)>) {
        let mut state = self.state.lock();
        state.0.remove(target);
        match rest {
            None => drop(state.1.remove(target)),
            Some((now_ms, asked_ms)) => {
                let rest = state.1.entry(target.to_owned()).or_insert(Rest { until_ms: 0, failures: 0 });
                rest.failures += 1;
                rest.until_ms = now_ms + queue::pause_ms(rest.failures).min(LONGEST_REST_MS).max(asked_ms);
            }
        }
    }
}

struct Sender {
    settings: Settings,
    busy: Arc<Busy>,
}

impl Sender {
    /// Sends one message; how long there is nothing to do.
    fn look(&self) -> i64 {
        let engine = &self.settings.engine;
        match queue::take(engine, self, self.settings.kept_ms) {
            Ok(Next::Taken(taken)) => {
                self.send(*taken);
                1
            }
            Ok(Next::Nothing(at_ms)) => (at_ms - engine.now_ms()).clamp(1, LOOK_EVERY_MS),
            Err(problem) => {
                tracing::error!(%problem, "what is due to be told can't be looked at");
                LOOK_EVERY_MS
            }
        }
    }

    fn send(&self, taken: Taken) {
        let target = super::kept::key(&taken.notice.organisation, &taken.notice.body.target);
        let (engine, kept_ms) = (&self.settings.engine, self.settings.kept_ms);
        let sent = deliver(&self.settings, &taken);
        let (written, rest) = match sent {
            Ok(remark) => (taken.delivered(engine, remark, kept_ms), None),
            Err(failed) => {
                let asked_ms = failed.after_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
                let rest = failed.again.then(|| (engine.now_ms(), asked_ms));
                tracing::warn!(target, reason = failed.reason, "a notification wasn't delivered");
                (taken.failed(engine, failed, kept_ms).map(drop), rest)
            }
        };
        if let Err(problem) = written {
            // It comes back by itself, and may be sent twice.
            tracing::warn!(%problem, target, "what became of a notification wasn't written down");
        }
        self.busy.leave(&target, rest);
    }
}

impl Gate for Sender {
    fn enter(&self, target: &str) -> bool {
        self.busy.enter(target, self.settings.engine.now_ms())
    }

    fn let_go(&self, target: &str, until_ms: Option<i64>) {
        let mut state = self.busy.state.lock();
        state.0.remove(target);
        if let Some(until_ms) = until_ms {
            state.1.entry(target.to_owned()).or_insert(Rest { until_ms: 0, failures: 0 }).until_ms = until_ms;
        }
    }

    fn standing(&self, notice: &Notice) -> Result<Standing, Problem> {
        standing(&self.settings.engine, &*self.settings.courier, notice)
    }

    fn place(&self) -> Option<String> {
        self.busy.place.lock().clone()
    }

    fn go_on(&self, place: Option<String>) {
        *self.busy.place.lock() = place;
    }
}

/// What is to become of a message: a target that was removed isn't replaced by another one of the same name.
pub fn standing(engine: &Engine, courier: &dyn Courier, notice: &Notice) -> Result<Standing, Problem> {
    let (organisation, name, id) = (&notice.organisation, &notice.body.target, &notice.body.target_id);
    let found = Target::find_by_key(engine, &super::kept::key(organisation, name))?;
    let gone = || Ok(Standing::Gone(format!("the target `{name}` was removed")));
    match found {
        Some(target) if !id.is_empty() && target.id != *id => gone(),
        Some(_) | None if tree::suspended(engine, organisation)?.is_some() => Ok(Standing::Rests),
        Some(target) if target.body.about.paused => Ok(Standing::Rests),
        Some(target) => Ok(Standing::Open(target.body.per_minute.max(1))),
        None if id.is_empty() && courier.configured(organisation).iter().any(|(known, _)| known == name) => {
            Ok(Standing::Open(PER_MINUTE))
        }
        None => gone(),
    }
}

fn deliver(settings: &Settings, taken: &Taken) -> Result<String, NotDelivered> {
    let (notice, lost) = (&taken.notice, |reason: String, again| NotDelivered::new(reason, again));
    let key = super::kept::key(&notice.organisation, &notice.body.target);
    let found = Target::find_by_key(&settings.engine, &key).map_err(|problem| lost(problem.message, true))?;
    let to = match &found {
        Some(target) if target.body.about.paused => return Err(lost("the target is at rest".into(), true)),
        Some(target) => {
            ToTarget::This(opened(&*settings.secrets, target).map_err(|problem| lost(problem.message, true))?)
        }
        None => ToTarget::Configured(notice.body.target.clone()),
    };
    let told = Told {
        message: &notice.body.message,
        severity: notice.body.severity,
        cause: &notice.body.cause,
        data: &notice.body.data,
        only: &notice.body.left,
    };
    settings.courier.send(&notice.organisation, &to, &told, &format!("wl_{}", notice.id))
}

/// The target with what is sealed of it.
pub fn opened(secrets: &dyn Secrets, target: &Kept<super::kept::TargetBody>) -> Result<NotifyTarget, Problem> {
    let sealed = match target.body.sealed.as_str() {
        "" => Sealed::default(),
        text => {
            let plain = secrets.unseal(&targets::context(&target.id), text)?;
            serde_json::from_str(&plain)
                .map_err(|_| Problem::new(Code::Storage, "what is sealed of a target is damaged"))?
        }
    };
    Ok(NotifyTarget {
        name: target.body.about.name.clone(),
        way: target.body.way,
        url: sealed.url,
        secret: sealed.secret,
        to: target.body.to.clone(),
    })
}
