//! Runs that somebody follows: each is read once, however many follow it, and the frames are shared. Whoever is too far
//! behind for what is kept here reads the database.

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{Semaphore, watch},
};
use windlass_engine::Engine;
use windlass_model::{Code, Event, Problem, RunId, RunState};

use super::{
    EventsConfig, frame,
    seats::{Seat, Seats},
};

/// Frames of a run that are kept, at most.
const KEPT: usize = 1_024;
/// Bytes of them, at most.
const KEPT_BYTES: usize = 512 << 10;
/// Frames that are given at once are about this large.
const PIECE_BYTES: usize = 16 << 10;
/// Events that are read at once.
const PAGE: u32 = 128;
/// Events that are read at once for somebody who is behind: about a piece of them.
const PAGE_BEHIND: u32 = 32;
/// The database is looked at so often even if nobody says that there is news.
const ANYWAY: Duration = Duration::from_secs(10);
/// Watchers for each millisecond by which news of a run are held together: with a crowd, one wake-up brings several events.
const CROWD: usize = 50;
/// So long at most.
const HELD_MOST: Duration = Duration::from_millis(20);

/// What all streams share.
pub struct Hub {
    channels: Mutex<HashMap<RunId, Arc<Channel>>>,
    /// Reads for those who are behind, at once.
    reads: Arc<Semaphore>,
    pub(super) seats: Arc<Seats>,
}

/// A run that somebody follows.
pub(super) struct Channel {
    run: RunId,
    ring: Mutex<Ring>,
    /// Rises with news; its receivers are the followers.
    news: watch::Sender<u64>,
}

/// The last frames of a run.
#[derive(Default)]
struct Ring {
    /// Everything after this number up to `last` is here; `None`: not yet read.
    floor: Option<i64>,
    last: i64,
    frames: VecDeque<(i64, Bytes)>,
    bytes: usize,
    /// The run is over and `last` was its last event; `Some(None)`: it is gone.
    over: Option<Option<RunState>>,
    /// What was last put together, for the next one who stands at the same place.
    joined: Option<(i64, i64, Bytes)>,
}

/// What a follower gets.
pub(super) enum Taken {
    /// Frames, and the number of the last one.
    Frames(Bytes, i64),
    /// Too far behind: read the database.
    Behind,
    /// Nothing new.
    Nothing,
    /// Everything was sent, and the run is over (`None`: gone).
    Over(Option<RunState>),
}

impl Ring {
    fn put(&mut self, seq: i64, bytes: Bytes) {
        self.last = seq;
        self.bytes += bytes.len();
        self.frames.push_back((seq, bytes));
        while self.frames.len() > KEPT || (self.bytes > KEPT_BYTES && self.frames.len() > 1) {
            let Some((seq, bytes)) = self.frames.pop_front() else { break };
            self.bytes -= bytes.len();
            self.floor = Some(seq);
        }
    }

    fn take(&mut self, cursor: i64) -> Taken {
        match self.floor {
            None => return Taken::Nothing,
            Some(floor) if cursor < floor => return Taken::Behind,
            Some(_) if cursor >= self.last => {
                return self.over.map_or(Taken::Nothing, Taken::Over);
            }
            Some(_) => {}
        }
        if let Some((from, to, bytes)) = &self.joined
            && *from == cursor
        {
            return Taken::Frames(bytes.clone(), *to);
        }
        let first = self.frames.partition_point(|(seq, _)| *seq <= cursor);
        let mut size = 0;
        let mut count = 0;
        for (_, bytes) in self.frames.range(first..) {
            if count > 0 && size + bytes.len() > PIECE_BYTES {
                break;
            }
            size += bytes.len();
            count += 1;
        }
        let Some(&(to, ref only)) = self.frames.get(first + count - 1) else { return Taken::Nothing };
        let bytes = match count {
            1 => only.clone(),
            _ => {
                let mut joined = Vec::with_capacity(size);
                self.frames.range(first..first + count).for_each(|(_, bytes)| joined.extend_from_slice(bytes));
                joined.into()
            }
        };
        self.joined = Some((cursor, to, bytes.clone()));
        Taken::Frames(bytes, to)
    }
}

impl Channel {
    pub(super) fn take(&self, cursor: i64) -> Taken {
        self.ring.lock().take(cursor)
    }

    fn put(&self, found: Found) {
        let mut ring = self.ring.lock();
        let floor = found.after;
        let changed = ring.floor.is_none() || !found.events.is_empty() || ring.over != found.over;
        if ring.floor.is_none() {
            (ring.floor, ring.last) = (Some(floor), floor);
        }
        if !found.events.is_empty() {
            ring.joined = None;
        }
        for event in &found.events {
            ring.put(event.seq, frame::event(event.seq, event));
        }
        ring.over = found.over;
        drop(ring);
        if changed {
            self.news.send_modify(|news| *news += 1);
        }
    }
}

impl Hub {
    /// With these bounds.
    pub(crate) fn new(config: &EventsConfig) -> Self {
        Self {
            channels: Mutex::default(),
            reads: Arc::new(Semaphore::new(config.reads.max(1))),
            seats: Seats::new(config.streams, config.streams_each),
        }
    }

    /// How many streams are open.
    pub fn open(&self) -> usize {
        self.seats.taken()
    }

    pub(super) fn seat(&self, who: &str) -> Result<Seat, Problem> {
        self.seats.take(who)
    }

    /// Reads the database, when it is this one's turn.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = self.reads.clone().acquire_owned().await;
        blocking(move || {
            let _permit = permit;
            read()
        })
        .await
    }

    /// The same for a read that certainly is short: nobody else has to take over the thread meanwhile.
    pub(super) async fn read_news<T>(&self, read: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
        let _permit = self.reads.acquire().await;
        catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(broken("a panic")))
    }

    /// Follows a run: what is kept of it, and word of news.
    pub(super) fn join(self: &Arc<Self>, engine: &Engine, run: &RunId) -> (Arc<Channel>, watch::Receiver<u64>) {
        let mut channels = self.channels.lock();
        if let Some(channel) = channels.get(run) {
            // Within the lock: nobody takes an empty channel away meanwhile.
            return (channel.clone(), channel.news.subscribe());
        }
        let channel = Arc::new(Channel { run: run.clone(), ring: Mutex::default(), news: watch::Sender::new(0) });
        channels.insert(run.clone(), channel.clone());
        let news = channel.news.subscribe();
        tokio::spawn(pump(self.clone(), engine.clone(), channel.clone()));
        (channel, news)
    }

    /// Forgets a run that nobody follows; false if somebody does.
    fn left(&self, channel: &Channel) -> bool {
        let mut channels = self.channels.lock();
        let empty = channel.news.receiver_count() == 0;
        if empty {
            channels.remove(&channel.run);
        }
        empty
    }
}

/// Reads a run's news once for all who follow it.
async fn pump(hub: Arc<Hub>, engine: Engine, channel: Arc<Channel>) {
    let mut watcher = engine.watch(&channel.run);
    let mut after = None;
    let mut read_at;
    loop {
        read_at = Instant::now();
        let (reader, run) = (engine.clone(), channel.run.clone());
        match blocking(move || look(&reader, &run, after)).await {
            Ok(found) => {
                let more = found.more;
                after = Some(found.events.last().map_or(found.after, |event| event.seq));
                channel.put(found);
                if more {
                    continue;
                }
            }
            Err(problem) => {
                tracing::warn!(%problem, run = %channel.run, "a run's events can't be read; trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        tokio::select! {
            () = watcher.changed() => {}
            () = tokio::time::sleep(ANYWAY) => {}
            () = channel.news.closed() => {
                if hub.left(&channel) {
                    return;
                }
            }
        }
        let held = Duration::from_millis((channel.news.receiver_count() / CROWD) as u64).min(HELD_MOST);
        super::rest(held.saturating_sub(read_at.elapsed())).await;
    }
}

/// What a look into the database found.
struct Found {
    after: i64,
    events: Vec<Event>,
    more: bool,
    over: Option<Option<RunState>>,
}

fn look(engine: &Engine, run: &RunId, after: Option<i64>) -> Result<Found, Problem> {
    let begins = after.is_none();
    let after = match after {
        Some(after) => after,
        None => (crate::logs::last_event(engine, run)? - KEPT as i64 / 2).max(0),
    };
    let mut events = engine.events(run, after, PAGE)?;
    let mut more = events.len() == PAGE as usize;
    // The state is read before the last events: what is over then has no events but those.
    let may_be_over = begins || events.is_empty() || events.iter().any(|event| event.kind.as_str().starts_with("run."));
    let mut over = None;
    if !more && may_be_over {
        let state = engine.run(run)?.map(|record| record.state);
        if state.is_none_or(RunState::is_ended) {
            let last = events.last().map_or(after, |event| event.seq);
            let rest = engine.events(run, last, PAGE)?;
            more = rest.len() == PAGE as usize;
            events.extend(rest);
            over = (!more).then_some(state);
        }
    }
    Ok(Found { after, events, more, over })
}

/// A page for somebody who is behind: frames, and the number of the last one.
pub(super) fn page(engine: &Engine, run: &RunId, after: i64) -> Result<Option<(Bytes, i64)>, Problem> {
    let events = engine.events(run, after, PAGE_BEHIND)?;
    let mut text = String::new();
    let mut last = None;
    for event in &events {
        frame::write(&mut text, event.seq, event);
        last = Some(event.seq);
        if text.len() >= PIECE_BYTES / 2 {
            break;
        }
    }
    // A connection keeps a few of these for somebody who doesn't read: no room that isn't used.
    text.shrink_to_fit();
    Ok(last.map(|last| (text.into(), last)))
}

/// Reads where it stands: what else the thread has to do is taken over by others meanwhile. To hand the read to another
/// thread and to be woken by it would take longer than most reads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(|| catch_unwind(AssertUnwindSafe(work)))
            .unwrap_or_else(|_| Err(broken("a panic"))),
        _ => tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(broken(&error.to_string()))),
    }
}

fn broken(why: &str) -> Problem {
    Problem::new(Code::Internal, format!("a read of events broke: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(events: std::ops::RangeInclusive<i64>, size: usize) -> Ring {
        let mut ring = Ring { floor: Some(events.start() - 1), ..Ring::default() };
        events.for_each(|seq| ring.put(seq, Bytes::from(vec![b'x'; size])));
        ring
    }

    #[test]
    fn what_is_kept_is_bounded_and_whoever_is_behind_is_told() {
        let mut many = ring(1..=KEPT as i64 + 10, 1);
        assert_eq!(many.frames.len(), KEPT);
        assert!(matches!(many.take(9), Taken::Behind));
        assert!(matches!(many.take(10), Taken::Frames(bytes, to) if bytes.len() == KEPT && to == KEPT as i64 + 10));
        let large = ring(1..=100, KEPT_BYTES / 10);
        assert!(large.bytes <= KEPT_BYTES && large.floor == Some(90), "{:?}", large.floor);
    }

    #[test]
    fn each_follower_gets_each_frame_once() {
        let mut ring = ring(1..=100, PIECE_BYTES / 3);
        let (mut cursor, mut bytes) = (0, 0);
        ring.floor = Some(0);
        ring.over = Some(Some(RunState::Succeeded));
        cursor = cursor.max(ring.frames[0].0 - 1);
        let from = cursor;
        while let Taken::Frames(piece, to) = ring.take(cursor) {
            assert!(to > cursor && piece.len() <= PIECE_BYTES);
            (cursor, bytes) = (to, bytes + piece.len());
        }
        assert_eq!((cursor, bytes as i64), (100, (100 - from) * (PIECE_BYTES as i64 / 3)));
        assert!(matches!(ring.take(100), Taken::Over(Some(RunState::Succeeded))));
    }
}
