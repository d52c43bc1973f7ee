//! What is on its way to somebody at a console: bounded, so that who takes nothing holds up nobody.

use std::{borrow::Cow, collections::VecDeque};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// Words to one person that may wait; more are left out.
const WORDS: usize = 16;

/// What is sent next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// What the console shows.
    Shown(Bytes),
    /// The state has changed: it is read when it is sent.
    State,
    /// Words for this one person.
    Words(String),
    /// Whether anybody is there.
    Ping,
}

/// Why it is over for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// What ran in the console has ended, with this exit code if it had one.
    Exited(Option<i32>),
    /// The node is gone, or has no such console any more.
    Gone,
    /// The server stops.
    Stopping,
    /// They may not be here any more.
    NoAccess,
    /// Nothing happened for too long.
    Idle,
    /// They said something that means nothing.
    Nonsense(String),
    /// They said too much at once.
    TooLarge,
    /// They took too little of what was shown.
    TooSlow,
    /// They went.
    Left,
}

impl End {
    /// The close code of the WebSocket and its reason; none if nobody is there to hear it.
    pub(super) fn close(&self) -> Option<(u16, Cow<'static, str>)> {
        let fixed = |code, reason: &'static str| Some((code, reason.into()));
        match self {
            Self::Exited(_) => fixed(1000, "it has ended"),
            Self::Stopping => fixed(1001, "the server stops: come back"),
            Self::TooLarge => fixed(1009, "a message was too large"),
            // A reason has 123 bytes at most.
            Self::Nonsense(what) => Some((4400, what.chars().take(40).collect::<String>().into())),
            Self::NoAccess => fixed(4401, "you may not be here any more"),
            Self::Gone => fixed(4404, "the node is gone"),
            Self::Idle => fixed(4408, "nothing has happened for too long"),
            Self::TooSlow => fixed(4429, "you took too little of what was shown"),
            Self::Left => None,
        }
    }

    /// As the audit log says it.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Exited(_) => "exited",
            Self::Gone => "gone",
            Self::Stopping => "stopping",
            Self::NoAccess => "no_access",
            Self::Idle => "idle",
            Self::Nonsense(_) => "nonsense",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Left => "left",
        }
    }
}

#[derive(Default)]
struct Inside {
    shown: VecDeque<Bytes>,
    bytes: usize,
    words: VecDeque<String>,
    state: bool,
    ping: bool,
}

/// What waits for one person.
pub(super) struct Outbox {
    limit: usize,
    inside: Mutex<Inside>,
    more: Notify,
    end: watch::Sender<Option<End>>,
}

impl Outbox {
    /// With room for so many bytes of what is shown.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, inside: Mutex::default(), more: Notify::new(), end: watch::Sender::new(None) }
    }

    /// Whether so many bytes have room. A piece that is larger than all of it has when nothing else waits.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let inside = self.inside.lock();
        inside.bytes == 0 || inside.bytes + bytes <= self.limit
    }

    /// Something to show; whoever calls has looked whether there is room.
    pub(super) fn show(&self, bytes: Bytes) {
        let mut inside = self.inside.lock();
        inside.bytes += bytes.len();
        inside.shown.push_back(bytes);
        drop(inside);
        self.more.notify_one();
    }

    /// Words for them alone.
    pub(super) fn tell(&self, words: String) {
        let mut inside = self.inside.lock();
        if inside.words.len() < WORDS {
            inside.words.push_back(words);
        }
        drop(inside);
        self.more.notify_one();
    }

    /// The state has changed.
    pub(super) fn stir(&self) {
        self.inside.lock().state = true;
        self.more.notify_one();
    }

    /// Asks whether anybody is there.
    pub(super) fn ping(&self) {
        self.inside.lock().ping = true;
        self.more.notify_one();
    }

    /// What comes next, if something is there.
    pub(super) fn take(&self) -> Option<Item> {
        let mut inside = self.inside.lock();
        if std::mem::take(&mut inside.ping) {
            return Some(Item::Ping);
        }
        if std::mem::take(&mut inside.state) {
            return Some(Item::State);
        }
        if let Some(words) = inside.words.pop_front() {
            return Some(Item::Words(words));
        }
        let shown = inside.shown.pop_front()?;
        inside.bytes -= shown.len();
        Some(Item::Shown(shown))
    }

    /// What comes next. Only one may ask.
    pub(super) async fn next(&self) -> Item {
        loop {
            let more = self.more.notified();
            if let Some(item) = self.take() {
                return item;
            }
            more.await;
        }
    }

    /// It is over for them; the first reason counts.
    pub(super) fn end(&self, end: End) {
        self.end.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(end);
            }
            first
        });
    }

    /// Comes back when it is over for them, and why.
    pub(super) async fn ended(&self) -> End {
        let mut end = self.end.subscribe();
        // The sender is in `self`: it can't be gone.
        end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone()).unwrap_or(End::Left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_bounded_and_states_are_told_once() {
        let outbox = Outbox::new(8);
        assert!(outbox.has_room(100), "one piece always fits");
        outbox.show(Bytes::from_static(b"123456"));
        assert!(outbox.has_room(2) && !outbox.has_room(3));
        (0..50).for_each(|_| outbox.stir());
        (0..50).for_each(|n| outbox.tell(n.to_string()));
        assert_eq!(outbox.take(), Some(Item::State));
        let words = std::iter::from_fn(|| outbox.take()).filter(|item| matches!(item, Item::Words(_))).count();
        assert_eq!(words, WORDS);
        assert!(outbox.has_room(8));
    }

    #[tokio::test]
    async fn the_first_reason_counts() {
        let outbox = Outbox::new(1);
        outbox.end(End::TooSlow);
        outbox.end(End::Left);
        assert_eq!(outbox.ended().await, End::TooSlow);
        let long = End::Nonsense("ä".repeat(500)).close().unwrap().1;
        assert!(long.len() <= 123, "{}", long.len());
    }
}
