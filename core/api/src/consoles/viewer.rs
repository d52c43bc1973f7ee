//! One person at a console: a WebSocket, what they say, what they are sent, and whether they still may be here.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::time::{Instant, MissedTickBehavior};
use warp::ws::{Message, WebSocket};
use windlass_model::{Code, Problem};

use super::{
    guacamole,
    hub::Visit,
    outbox::{End, Item, Outbox},
    session::Session,
    words::{self, Heard},
};
use crate::services::ConsoleKind;

/// How long what is left may take at the end, the close frame included.
const PARTING: Duration = Duration::from_secs(5);
/// How long the other end may take to close, too.
const CLOSING: Duration = Duration::from_secs(2);
/// A console couldn't be opened.
const REFUSED: u16 = 4403;
/// Whoever isn't heard of for so many heartbeats is gone.
const SILENT_BEATS: u32 = 4;

/// Serves somebody at a terminal to their end; why it came.
pub(super) async fn serve(socket: WebSocket, session: &Arc<Session>, visit: &mut Visit) -> End {
    let (mut sink, mut stream) = socket.split();
    let (id, outbox) = session.join(&visit.who, visit.may_type, visit.size);
    let hear = async {
        let end = hear(&mut stream, session, id, &outbox, visit).await;
        outbox.end(end);
    };
    tokio::join!(hear, speak(&mut sink, session, id, &outbox));
    session.leave(id);
    let end = outbox.ended().await;
    wait_for_close(&mut stream).await;
    end
}

/// Tells why there is no console, and closes.
pub(super) async fn refuse(socket: WebSocket, kind: ConsoleKind, problem: Problem) {
    let (mut sink, mut stream) = socket.split();
    let (told, reason) = match kind {
        ConsoleKind::Guac => (guacamole::error(&problem), guacamole::UNREACHABLE),
        _ => (words::error(&problem), "it can't be opened"),
    };
    let _ = tokio::time::timeout(PARTING, sink.send(Message::text(told))).await;
    part(&mut sink, Some((REFUSED, reason.into()))).await;
    wait_for_close(&mut stream).await;
}

/// Reads until the other end has closed, so that what was sent last arrives.
pub(super) async fn wait_for_close(stream: &mut SplitStream<WebSocket>) {
    let _ = tokio::time::timeout(CLOSING, async { while let Some(Ok(_)) = stream.next().await {} }).await;
}

/// Says goodbye.
pub(super) async fn close(sink: &mut SplitSink<WebSocket, Message>, end: &End) {
    part(sink, end.close()).await;
}

/// The same in other words.
pub(super) async fn part(sink: &mut SplitSink<WebSocket, Message>, words: Option<(u16, Cow<'static, str>)>) {
    let Some((code, reason)) = words else { return };
    let _ = tokio::time::timeout(PARTING, sink.send(Message::close_with(code, reason))).await;
}

/// What a message that couldn't be read means.
pub(super) fn broken(error: &warp::Error) -> End {
    // The size is checked once more below: this is what is larger than the connection takes.
    if error.to_string().contains("too long") { End::TooLarge } else { End::Left }
}

/// When somebody has to be asked whether they are there, and looked up again.
pub(super) struct Watch {
    beat: tokio::time::Interval,
    every: Duration,
    heard: Instant,
}

impl Watch {
    pub(super) fn new(visit: &Visit) -> Self {
        let every = Duration::from_millis(visit.api.config.events.heartbeat_ms.max(1));
        let mut beat = tokio::time::interval_at(Instant::now() + every, every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { beat, every, heard: Instant::now() }
    }

    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Comes back when it is time for a ping, or with the end of somebody who is gone or may not be here any more.
    pub(super) async fn due(&mut self, visit: &mut Visit) -> Option<End> {
        tokio::select! {
            _ = self.beat.tick() => (self.heard.elapsed() > self.every * SILENT_BEATS).then_some(End::Left),
            () = tokio::time::sleep(visit.guard.left()) => {
                if visit.is_admitted().await { None } else { Some(End::NoAccess) }
            }
        }
    }
}

async fn hear(
    stream: &mut SplitStream<WebSocket>,
    session: &Session,
    id: u64,
    outbox: &Outbox,
    visit: &mut Visit,
) -> End {
    let mut watch = Watch::new(visit);
    // Somebody who types without the keyboard is told so once.
    let mut told = false;
    loop {
        let message = tokio::select! {
            message = stream.next() => message,
            end = outbox.ended() => return end,
            due = watch.due(visit) => match due {
                Some(end) => return end,
                None => {
                    outbox.ping();
                    continue;
                }
            },
        };
        let message = match message {
            Some(Ok(message)) => message,
            Some(Err(error)) => return broken(&error),
            None => return End::Left,
        };
        watch.heard();
        if message.as_bytes().len() > visit.message_bytes {
            return End::TooLarge;
        }
        if message.is_close() {
            return End::Left;
        }
        if let Ok(text) = message.to_str() {
            let heard = match Heard::parse(text) {
                Ok(heard) => heard,
                Err(why) => return End::Nonsense(why),
            };
            let done = match heard {
                Heard::Resize(size) => words::checked(size).map(|size| session.resize(id, size)),
                Heard::Type(take) => {
                    told = false;
                    session.keyboard(id, take)
                }
            };
            if let Err(problem) = done {
                outbox.tell(words::error(&problem));
            }
        } else if message.is_binary() {
            let bytes = message.into_bytes();
            visit.received += bytes.len() as u64;
            let typed = tokio::select! {
                typed = session.typed(id, bytes) => typed,
                end = outbox.ended() => return end,
            };
            match typed {
                Ok(()) => told = false,
                Err(problem) if problem.code == Code::Conflict && told => {}
                Err(problem) => {
                    told = problem.code == Code::Conflict;
                    outbox.tell(words::error(&problem));
                }
            }
        }
    }
}

async fn speak(sink: &mut SplitSink<WebSocket, Message>, session: &Session, id: u64, outbox: &Outbox) {
    let end = loop {
        let item = tokio::select! {
            // What came before the end is sent before it.
            biased;
            item = outbox.next() => item,
            end = outbox.ended() => break end,
        };
        let message = message(item, session, id);
        session.taken();
        tokio::select! {
            // Polled first: a message that was never handed over would be lost, and it may be the last one before the end.
            biased;
            sent = sink.send(message) => if sent.is_err() {
                outbox.end(End::Left);
                return;
            },
            // The message is the socket's already: it goes on being sent before the next one.
            end = outbox.ended() => break end,
        }
    };
    if let End::Exited(_) | End::Gone = end {
        let code = if let End::Exited(code) = end { code } else { None };
        let _ = tokio::time::timeout(PARTING, rest(sink, session, id, outbox, words::exit(code))).await;
    }
    close(sink, &end).await;
}

/// What was shown before the end, and the end.
async fn rest(
    sink: &mut SplitSink<WebSocket, Message>,
    session: &Session,
    id: u64,
    outbox: &Outbox,
    last: String,
) -> Result<(), warp::Error> {
    while let Some(item) = outbox.take() {
        sink.send(message(item, session, id)).await?;
    }
    sink.send(Message::text(last)).await
}

fn message(item: Item, session: &Session, id: u64) -> Message {
    match item {
        Item::Shown(bytes) => Message::binary(bytes),
        Item::State => Message::text(serde_json::json!(session.state(id)).to_string()),
        Item::Words(words) => Message::text(words),
        Item::Ping => Message::ping(Bytes::new()),
    }
}
