//! A stream to somebody who follows: it gives what its source has, and while that has nothing, it shows now and then that it
//! is alive. It is pulled by the connection: whoever doesn't read holds one piece and no more.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch;

use super::{
    frame,
    guard::{Guard, Refused},
    seats::Seat,
};
use crate::{Api, Principal, answer::Pieces};

/// What a source has.
pub(super) enum Piece {
    /// Frames to send.
    Frames(Bytes),
    /// The last frames.
    Last(Bytes),
    /// Nothing now: wait for `changed`.
    Nothing,
}

/// Where frames come from.
pub(super) trait Source: Send + Sync + 'static {
    /// What comes next. Bounded; asked for again only when the connection has taken what it gave.
    fn take(&mut self) -> impl Future<Output = Piece> + Send + Sync;

    /// Comes back when `take` may have something. May be dropped and called again.
    fn changed(&mut self) -> impl Future<Output = ()> + Send + Sync;

    /// What shows in silence that the stream lives.
    fn heartbeat(&self) -> Bytes {
        frame::HEARTBEAT
    }

    /// Whether somebody with these rights may go on.
    fn admits(&mut self, principal: Principal) -> bool;
}

struct Following<S> {
    api: Arc<Api>,
    source: S,
    guard: Guard,
    stopping: watch::Receiver<bool>,
    heartbeat: Duration,
    sent: Instant,
    opened: bool,
    over: bool,
    _seat: Seat,
}

/// The stream of a source.
pub(super) fn follow(api: Arc<Api>, source: impl Source, guard: Guard, seat: Seat) -> Pieces {
    let heartbeat = Duration::from_millis(api.config.events.heartbeat_ms.max(1));
    let stopping = api.stopping();
    let following = Following {
        api,
        source,
        guard,
        stopping,
        heartbeat,
        sent: Instant::now(),
        opened: false,
        over: false,
        _seat: seat,
    };
    Box::pin(stream::unfold(following, |mut following| async move {
        let piece = following.next().await?;
        Some((Ok(piece), following))
    }))
}

impl<S: Source> Following<S> {
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        if !self.opened {
            self.opened = true;
            return Some(frame::opening(Duration::from_millis(self.api.config.events.retry_ms)));
        }
        loop {
            if *self.stopping.borrow() {
                return self.end(frame::farewell());
            }
            if self.guard.left().is_zero() {
                let admitted = match self.guard.look(&self.api, &self.api.events).await {
                    Ok(Some(principal)) => self.source.admits(principal),
                    Ok(None) => true,
                    Err(Refused) => false,
                };
                if !admitted {
                    return self.end(frame::NO_ACCESS);
                }
            }
            match self.source.take().await {
                Piece::Frames(frames) => return self.say(frames),
                Piece::Last(frames) => return self.end(frames),
                Piece::Nothing => {}
            }
            let quiet = tokio::time::sleep(self.heartbeat.saturating_sub(self.sent.elapsed()));
            tokio::select! {
                () = self.source.changed() => {}
                _ = self.stopping.changed() => {}
                () = tokio::time::sleep(self.guard.left()) => {}
                () = quiet => {
                    let heartbeat = self.source.heartbeat();
                    return self.say(heartbeat);
                },
            }
        }
    }

    fn say(&mut self, frames: Bytes) -> Option<Bytes> {
        self.sent = Instant::now();
        Some(frames)
    }

    fn end(&mut self, frames: Bytes) -> Option<Bytes> {
        self.over = true;
        Some(frames)
    }
}
