//! Somebody who follows all events through everything that breaks: with each new connection, to whichever node, it goes on
//! after the last event that it had.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::Value;

use crate::sse::Follower;

/// How often each event came, by run and number.
pub type Counts = HashMap<(String, i64), u32>;

/// Follows until it is told to end.
pub struct Following {
    counts: Arc<Mutex<Counts>>,
    ends: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Following {
    /// Begins at the first event that is kept.
    pub fn start(addresses: Vec<SocketAddr>, token: String) -> Self {
        let counts: Arc<Mutex<Counts>> = Arc::default();
        let ends: Arc<AtomicBool> = Arc::default();
        let (kept, stop) = (counts.clone(), ends.clone());
        let thread = std::thread::spawn(move || {
            let mut cursor: Option<String> = None;
            for address in addresses.iter().cycle() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let path = if cursor.is_some() { "/api/v1/events" } else { "/api/v1/events?after=first" };
                let patience = Duration::from_millis(1_500);
                if let Ok(mut follower) = Follower::open_within(patience, *address, path, &token, cursor.as_deref())
                    && follower.status == 200
                {
                    follow(&mut follower, &mut cursor, &kept, &stop);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        Self { counts, ends, thread: Some(thread) }
    }

    /// How many have come.
    pub fn count(&self) -> usize {
        self.counts.lock().len()
    }

    /// Ends, and tells what came.
    pub fn end(mut self) -> Counts {
        self.ends.store(true, Ordering::Release);
        self.thread.take().map(std::thread::JoinHandle::join);
        std::mem::take(&mut *self.counts.lock())
    }
}

fn follow(follower: &mut Follower, cursor: &mut Option<String>, counts: &Mutex<Counts>, ends: &AtomicBool) {
    while !ends.load(Ordering::Acquire) {
        let Ok(Some(frame)) = follower.next_frame() else { return };
        let data: Value = serde_json::from_str(&frame.data).unwrap_or_default();
        if let (Some(run), Some(seq)) = (data["run"].as_str(), data["seq"].as_i64()) {
            *counts.lock().entry((run.to_owned(), seq)).or_default() += 1;
        }
        if frame.id.is_some() {
            *cursor = frame.id;
        }
    }
}
