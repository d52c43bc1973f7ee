//! All consoles that are open in this process: opened once for all who look at the same terminal, bounded, and closed together
//! when the process stops.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{OnceCell, watch};
use windlass_model::{Code, Problem, audit::NewAudit};

use super::{
    ConsoleConfig,
    outbox::End,
    recordings::{About, Recordings},
    seats::{Seat, Seats},
    session::Session,
};
use crate::{
    Api, Permission,
    events::Guard,
    services::{ConsoleAsk, ConsoleKind, ConsoleLogin, ConsoleSource, Consoles, LabNode, ScreenAsk, Size},
};

/// How long opening a console may take.
const OPENING: Duration = Duration::from_secs(20);

/// Which terminal: several people with the same see the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub node: LabNode,
    pub kind: ConsoleKind,
    /// Who wants one apart from others names it.
    pub name: String,
    /// Who logs in; what somebody is logged in as isn't for those who name somebody else.
    pub login: Option<(String, String)>,
}

/// Somebody at a console.
pub(super) struct Visit {
    pub api: Arc<Api>,
    pub guard: Guard,
    pub who: String,
    pub may_type: bool,
    pub size: Size,
    pub place: LabNode,
    pub message_bytes: usize,
    pub idle_ms: u64,
    /// Bytes that they have sent.
    pub received: u64,
    /// Bytes that they were shown, where they had a connection of their own.
    pub shown: Option<u64>,
    pub entry: NewAudit,
    pub began: std::time::Instant,
    pub _seat: Seat,
}

/// All consoles of this process.
pub(crate) struct ConsoleHub {
    pub(super) config: ConsoleConfig,
    pub(super) service: Option<Arc<dyn Consoles>>,
    pub(super) seats: Arc<Seats>,
    pub(super) recordings: Option<Arc<Recordings>>,
    sessions: Mutex<HashMap<Key, Arc<OnceCell<Arc<Session>>>>>,
}

impl ConsoleHub {
    pub(crate) fn new(config: &ConsoleConfig, service: Option<Arc<dyn Consoles>>) -> Arc<Self> {
        Arc::new(Self {
            config: config.clone(),
            service,
            seats: Seats::new(config),
            recordings: Recordings::new(&config.recordings).map(Arc::new),
            sessions: Mutex::default(),
        })
    }

    /// How many people are at consoles.
    pub(crate) fn open(&self) -> usize {
        self.seats.taken()
    }

    /// Comes back when nobody is at a console.
    pub(crate) async fn emptied(&self) {
        self.seats.emptied().await;
    }

    pub(super) fn service(&self) -> Result<Arc<dyn Consoles>, Problem> {
        self.service.clone().ok_or_else(|| Problem::new(Code::Unsupported, "this server has no labs"))
    }

    /// Opens a console for one person alone.
    pub(super) async fn tunnel(
        &self,
        key: &Key,
        watch: bool,
        (size, screen): (Size, Option<ScreenAsk>),
    ) -> Result<ConsoleSource, Problem> {
        self.source(key, watch, watch::channel(size).1, screen).await
    }

    /// The terminal that others look at already, or a new one.
    pub(super) async fn terminal(
        self: &Arc<Self>,
        api: &Arc<Api>,
        key: &Key,
        watch: bool,
        size: Size,
    ) -> Result<Arc<Session>, Problem> {
        loop {
            let cell = {
                let mut sessions = self.sessions.lock();
                // Whoever opened one and went before it was open has left its place behind.
                sessions.retain(|_, cell| cell.initialized() || Arc::strong_count(cell) > 1);
                if watch && key.kind != ConsoleKind::Serial && !sessions.contains_key(key) {
                    let message = format!("nobody has a {} of {} open", key.kind.as_str(), key.node.node);
                    return Err(Problem::new(Code::NotFound, message).help("who may type can open it: `mode=type`"));
                }
                sessions.entry(key.clone()).or_default().clone()
            };
            let session = cell.get_or_try_init(|| self.begin(api, key, size)).await?.clone();
            if !session.is_over() {
                return Ok(session);
            }
            self.forget(key, &session);
        }
    }

    async fn begin(self: &Arc<Self>, api: &Arc<Api>, key: &Key, size: Size) -> Result<Arc<Session>, Problem> {
        let sizes = watch::Sender::new(size);
        let source = self.source(key, false, sizes.subscribe(), None).await?;
        let (session, typed) = Session::new(&self.config, sizes);
        let (hub, key, running, api) = (self.clone(), key.clone(), session.clone(), api.clone());
        tokio::spawn(async move {
            let gone = hub.gone(&api, &key);
            running.run(source, typed, gone, api.stopping()).await;
            hub.forget(&key, &running);
        });
        Ok(session)
    }

    async fn source(
        &self,
        key: &Key,
        watch: bool,
        size: watch::Receiver<Size>,
        screen: Option<ScreenAsk>,
    ) -> Result<ConsoleSource, Problem> {
        let login = key.login.clone().map(|(user, secret)| ConsoleLogin { user, secret });
        let (node, name) = (key.node.clone(), key.name.clone());
        let ask = ConsoleAsk { node, kind: key.kind, name, screen, watch, login, size };
        let slow = || {
            let message = format!("the {} of {} couldn't be opened in time", key.kind.as_str(), key.node.node);
            Problem::new(Code::Unavailable, message).help("is the node up?")
        };
        tokio::time::timeout(OPENING, self.service()?.open(ask)).await.map_err(|_| slow())?
    }

    /// Comes back when a node has such a console no more.
    pub(super) async fn gone(&self, api: &Api, key: &Key) {
        let every = Duration::from_millis(api.config.events.recheck_ms.max(1));
        loop {
            tokio::time::sleep(every).await;
            match self.kinds(&key.node).await {
                Ok(kinds) if !kinds.contains(&key.kind) => return,
                Err(problem) if problem.code == Code::NotFound => return,
                // What can't be asked now changes nothing.
                _ => {}
            }
        }
    }

    /// The consoles of a node.
    pub(super) async fn kinds(&self, node: &LabNode) -> Result<Vec<ConsoleKind>, Problem> {
        let (service, node) = (self.service()?, node.clone());
        aside(move || service.kinds(&node)).await
    }

    fn forget(&self, key: &Key, session: &Arc<Session>) {
        let mut sessions = self.sessions.lock();
        if sessions.get(key).and_then(|cell| cell.get()).is_some_and(|known| Arc::ptr_eq(known, session)) {
            sessions.remove(key);
        }
    }

    /// Has a terminal recorded from now on, if it isn't.
    pub(super) async fn record(&self, session: &Session, key: &Key, by: &str) -> Result<(), Problem> {
        if session.is_recorded() {
            return Ok(());
        }
        let recordings = self.recordings.clone().ok_or_else(|| {
            Problem::new(Code::Unsupported, "this server keeps no recordings").help("it has no folder for them")
        })?;
        let (about, size) = (About::new(&key.node, key.kind, by), session.size());
        let recording = aside(move || recordings.begin(about, size)).await?;
        session.record(recording);
        Ok(())
    }
}

impl Visit {
    /// Whether they still may be here. A database that can't be asked changes nothing.
    pub(super) async fn is_admitted(&mut self) -> bool {
        let needed = if self.may_type { Permission::UseConsoles } else { Permission::WatchConsoles };
        match self.guard.look(&self.api, &self.api.events).await {
            Ok(Some(principal)) => principal.may(needed, &self.place.organisation, &super::folder(&self.place.lab)),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Writes down that they went.
    pub(super) async fn ended(self, end: &End) {
        let mut after = json!({
            "why": end.as_str(),
            "seconds": self.began.elapsed().as_secs(),
            "typed_bytes": self.received,
        });
        if let Some(shown) = self.shown {
            after["shown_bytes"] = shown.into();
        }
        let entry = NewAudit { action: "console.close".into(), before: Value::Null, after, ..self.entry };
        let engine = self.api.engine.clone();
        if let Err(problem) = aside(move || engine.audit(entry)).await {
            tracing::error!(%problem, "the end of a console isn't in the audit log");
        }
    }
}

/// Does what blocks on a thread for such things.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Problem::new(Code::Internal, format!("a task of a console broke: {error}"))))
}
