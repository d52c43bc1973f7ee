//! A terminal that several people look at: what it shows goes to all of them, one of them types. Whoever takes too little is
//! sent away, so that nobody waits for them.

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Notify, mpsc, watch},
    time::Instant,
};
use windlass_model::{Code, Problem};

use super::{
    ConsoleConfig,
    outbox::{End, Outbox},
    recordings::Recording,
    words::State,
};
use crate::services::{ConsoleSource, Size};

/// Bytes that are read of a console at once.
const PIECE: usize = 32 << 10;
/// Pieces that were typed and wait to be taken.
const TYPED: usize = 64;
/// How long a console may take nothing of what is typed.
const INPUT_PATIENCE: Duration = Duration::from_secs(5);
/// How long the exit code may take once nothing more is shown.
const EXIT_PATIENCE: Duration = Duration::from_secs(2);

/// Somebody who looks.
struct Viewer {
    id: u64,
    who: String,
    may_type: bool,
    /// Whether the keyboard may be handed to them.
    wants: bool,
    size: Size,
    outbox: Arc<Outbox>,
}

/// The last that was shown.
#[derive(Default)]
struct Kept {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    cut: bool,
}

struct Inside {
    viewers: Vec<Viewer>,
    next: u64,
    typist: Option<u64>,
    kept: Kept,
    recording: Option<Recording>,
    over: Option<End>,
    /// When something was last shown or typed.
    active: Instant,
}

/// A terminal.
pub(super) struct Session {
    config: ConsoleConfig,
    inside: Mutex<Inside>,
    input: mpsc::Sender<Bytes>,
    size: watch::Sender<Size>,
    /// Somebody has taken something, or went.
    room: Notify,
    /// How many are looking.
    people: watch::Sender<usize>,
}

/// What a terminal is typed into by.
pub(super) type Typed = mpsc::Receiver<Bytes>;

impl Kept {
    fn put(&mut self, piece: Bytes, most: usize) {
        self.bytes += piece.len();
        self.pieces.push_back(piece);
        while self.bytes > most {
            let Some(first) = self.pieces.pop_front() else { break };
            self.bytes -= first.len();
            self.cut = true;
        }
    }

    /// All of it; if its beginning is lost, from the first whole line.
    fn all(&self) -> Bytes {
        let mut all = BytesMut::with_capacity(self.bytes);
        self.pieces.iter().for_each(|piece| all.extend_from_slice(piece));
        let all = all.freeze();
        match all.iter().position(|byte| *byte == b'\n') {
            Some(end) if self.cut => all.slice(end + 1..),
            _ => all,
        }
    }
}

impl Session {
    /// Of a console that `run` will follow.
    pub(super) fn new(config: &ConsoleConfig, size: watch::Sender<Size>) -> (Arc<Self>, Typed) {
        let (input, typed) = mpsc::channel(TYPED);
        let inside = Inside {
            viewers: Vec::new(),
            next: 1,
            typist: None,
            kept: Kept::default(),
            recording: None,
            over: None,
            active: Instant::now(),
        };
        let session = Self {
            config: config.clone(),
            inside: Mutex::new(inside),
            input,
            size,
            room: Notify::new(),
            people: watch::Sender::new(0),
        };
        (Arc::new(session), typed)
    }

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.inside.lock().over.is_some()
    }

    /// Whether it is being recorded.
    pub(super) fn is_recorded(&self) -> bool {
        self.inside.lock().recording.is_some()
    }

    /// How large it is.
    pub(super) fn size(&self) -> Size {
        *self.size.borrow()
    }

    /// Somebody comes to look; what was shown before is on its way to them.
    pub(super) fn join(&self, who: &str, may_type: bool, size: Size) -> (u64, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::new(self.config.queue_bytes));
        let mut inside = self.inside.lock();
        let id = inside.next;
        inside.next += 1;
        if let Some(end) = &inside.over {
            outbox.end(end.clone());
            return (id, outbox);
        }
        let kept = inside.kept.all();
        if !kept.is_empty() {
            outbox.show(kept);
        }
        let viewer = Viewer { id, who: who.to_owned(), may_type, wants: may_type, size, outbox: outbox.clone() };
        inside.viewers.push(viewer);
        self.settle(&mut inside);
        (id, outbox)
    }

    /// Somebody goes; the keyboard passes on.
    pub(super) fn leave(&self, id: u64) {
        let mut inside = self.inside.lock();
        inside.viewers.retain(|viewer| viewer.id != id);
        self.settle(&mut inside);
        drop(inside);
        self.room.notify_one();
    }

    /// Sees to it that somebody types who may, that the terminal has their size, and that all know.
    fn settle(&self, inside: &mut Inside) {
        let typist = inside.viewers.iter().find(|viewer| Some(viewer.id) == inside.typist && viewer.wants);
        let typist = typist.or_else(|| inside.viewers.iter().find(|viewer| viewer.wants));
        inside.typist = typist.map(|viewer| viewer.id);
        if let Some(size) = typist.map(|viewer| viewer.size) {
            let changed = self.size.send_if_modified(|known| std::mem::replace(known, size) != size);
            if let (true, Some(recording)) = (changed, &mut inside.recording) {
                recording.resized(size);
            }
        }
        inside.viewers.iter().for_each(|viewer| viewer.outbox.stir());
        self.people.send_replace(inside.viewers.len());
    }

    /// How it stands, for one of those who look.
    pub(super) fn state(&self, id: u64) -> State {
        let inside = self.inside.lock();
        let typist = inside.viewers.iter().find(|viewer| Some(viewer.id) == inside.typist);
        State {
            viewers: inside.viewers.len(),
            typist: typist.map(|viewer| viewer.who.clone()),
            typing: inside.typist == Some(id),
            size: self.size(),
            recording: inside.recording.as_ref().map(|recording| recording.id.clone()),
        }
    }

    /// Somebody's terminal has another size; it counts when they type.
    pub(super) fn resize(&self, id: u64, size: Size) {
        let mut inside = self.inside.lock();
        let Some(viewer) = inside.viewers.iter_mut().find(|viewer| viewer.id == id) else { return };
        if std::mem::replace(&mut viewer.size, size) != size && inside.typist == Some(id) {
            self.settle(&mut inside);
        }
    }

    /// Somebody takes the keyboard, or gives it up.
    pub(super) fn keyboard(&self, id: u64, take: bool) -> Result<(), Problem> {
        let mut inside = self.inside.lock();
        let Some(viewer) = inside.viewers.iter_mut().find(|viewer| viewer.id == id) else { return Ok(()) };
        if take && !viewer.may_type {
            return Err(Problem::new(Code::PermissionDenied, "you came to watch").help("open it with `mode=type`"));
        }
        viewer.wants = take;
        if take {
            inside.typist = Some(id);
        }
        self.settle(&mut inside);
        Ok(())
    }

    /// Somebody types.
    pub(super) async fn typed(&self, id: u64, bytes: Bytes) -> Result<(), Problem> {
        {
            let mut inside = self.inside.lock();
            if inside.typist != Some(id) {
                let typist = inside.viewers.iter().find(|viewer| Some(viewer.id) == inside.typist);
                let who = typist.map_or("nobody", |viewer| viewer.who.as_str());
                return Err(Problem::new(Code::Conflict, format!("you don't have the keyboard, {who} has it"))
                    .help("take it: {\"type\":true}"));
            }
            inside.active = Instant::now();
        }
        match tokio::time::timeout(INPUT_PATIENCE, self.input.send(bytes)).await {
            Ok(Ok(())) => Ok(()),
            // It has just ended, and they will hear of that.
            Ok(Err(_)) => Ok(()),
            Err(_) => Err(Problem::new(Code::Unavailable, "the console takes nothing that is typed")),
        }
    }

    /// What this person is recorded by from now on.
    pub(super) fn record(&self, recording: Recording) {
        let mut inside = self.inside.lock();
        if inside.recording.is_none() && inside.over.is_none() {
            inside.recording = Some(recording);
            self.settle(&mut inside);
        }
    }

    /// Somebody has taken something of what waited.
    pub(super) fn taken(&self) {
        self.room.notify_one();
    }

    /// Follows a console to its end. `gone` comes back when its node is gone.
    pub(super) async fn run(
        &self,
        source: ConsoleSource,
        typed: Typed,
        gone: impl Future<Output = ()> + Send,
        mut stopping: watch::Receiver<bool>,
    ) {
        let (mut shown, mut keys) = tokio::io::split(source.stream);
        let mut typed = typed;
        let typing = tokio::spawn(async move {
            while let Some(bytes) = typed.recv().await {
                if keys.write_all(&bytes).await.is_err() || keys.flush().await.is_err() {
                    break;
                }
            }
            // What is shown may go on.
            std::future::pending::<()>().await;
        });
        let mut gone = std::pin::pin!(gone);
        let mut alone = std::pin::pin!(self.left_alone());
        // Nobody is left to tell it to stop: then it does.
        let mut stopped = std::pin::pin!(async move { drop(stopping.wait_for(|stop| *stop).await) });
        let mut buffer = BytesMut::new();
        let end = loop {
            buffer.reserve(PIECE);
            let read = tokio::select! {
                read = shown.read_buf(&mut buffer) => read,
                () = &mut gone => break End::Gone,
                () = &mut stopped => break End::Stopping,
                end = &mut alone => break end,
            };
            // A pseudo-terminal that nobody has open any more is an error to read.
            if !matches!(read, Ok(1..)) {
                let code = tokio::time::timeout(EXIT_PATIENCE, source.exit).await;
                break End::Exited(code.ok().and_then(Result::ok).flatten());
            }
            self.give(buffer.split().freeze()).await;
        };
        typing.abort();
        self.over(end);
    }

    /// Comes back when nobody has looked, or nothing has happened, for too long.
    async fn left_alone(&self) -> End {
        let mut people = self.people.subscribe();
        let idle = Duration::from_millis(self.config.idle_ms.max(1));
        loop {
            let nobody = *people.borrow_and_update() == 0;
            let quiet = idle.saturating_sub(self.inside.lock().active.elapsed());
            if quiet.is_zero() {
                return End::Idle;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(self.config.linger_ms)), if nobody => return End::Left,
                () = tokio::time::sleep(quiet) => {}
                _ = people.changed() => {}
            }
        }
    }

    /// Shows something to all. While none of them has room it waits, but not for long; those who have none then go.
    async fn give(&self, piece: Bytes) {
        let begun = Instant::now();
        let patience = Duration::from_millis(self.config.patience_ms);
        {
            let mut inside = self.inside.lock();
            inside.active = begun;
            inside.kept.put(piece.clone(), self.config.scrollback_bytes);
            if let Some(recording) = &mut inside.recording {
                recording.shown(&piece);
            }
        }
        loop {
            let room = self.room.notified();
            {
                let mut inside = self.inside.lock();
                let has_room = |viewer: &Viewer| viewer.outbox.has_room(piece.len());
                let over = begun.elapsed() >= patience;
                if inside.viewers.is_empty() || inside.viewers.iter().any(has_room) || over {
                    let before = inside.viewers.len();
                    inside.viewers.retain(|viewer| {
                        let room = has_room(viewer);
                        match room {
                            true => viewer.outbox.show(piece.clone()),
                            false => viewer.outbox.end(End::TooSlow),
                        }
                        room
                    });
                    if inside.viewers.len() != before {
                        self.settle(&mut inside);
                    }
                    return;
                }
            }
            // What is taken meanwhile is seen in any case.
            let _ = tokio::time::timeout(patience.saturating_sub(begun.elapsed()), room).await;
        }
    }

    fn over(&self, end: End) {
        let mut inside = self.inside.lock();
        inside.viewers.drain(..).for_each(|viewer| viewer.outbox.end(end.clone()));
        inside.over = Some(end);
        // Its file is whole when nobody writes to it any more.
        inside.recording = None;
        self.people.send_replace(0);
    }
}
