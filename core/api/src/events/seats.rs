//! How many streams may be open: in all, and for each who follows.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use windlass_model::{Code, Problem};

/// Seconds after which it is worth trying again.
const RETRY_AFTER: u64 = 5;

#[derive(Default)]
struct Taken {
    all: usize,
    each: HashMap<String, usize>,
}

/// Places for those who follow.
pub(super) struct Seats {
    all: usize,
    each: usize,
    taken: Mutex<Taken>,
}

/// A place; free again when it is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    who: String,
}

impl Seats {
    pub(super) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { all, each, taken: Mutex::default() })
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.lock().all
    }

    pub(super) fn take(self: &Arc<Self>, who: &str) -> Result<Seat, Problem> {
        let full = |code, message: String, key: &str| {
            Err(Problem::new(code, message)
                .help(format!("close streams that nobody reads, or try again later; the bound is `server.{key}`"))
                .data(serde_json::json!({ "retry_after_seconds": RETRY_AFTER })))
        };
        let mut taken = self.taken.lock();
        if taken.all >= self.all {
            return full(Code::Unavailable, format!("{} streams are open", self.all), "streams");
        }
        let own = taken.each.get(who).copied().unwrap_or(0);
        if own >= self.each {
            return full(Code::TooManyRequests, format!("{who} has {own} streams open"), "streams_each");
        }
        taken.all += 1;
        taken.each.insert(who.to_owned(), own + 1);
        Ok(Seat { seats: self.clone(), who: who.to_owned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock();
        taken.all -= 1;
        let left = taken.each.get(&self.who).map_or(0, |own| own - 1);
        match left {
            0 => drop(taken.each.remove(&self.who)),
            _ => drop(taken.each.insert(self.who.clone(), left)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let seats = Seats::new(3, 2);
        let first = seats.take("ann").unwrap();
        let _second = seats.take("ann").unwrap();
        assert_eq!(seats.take("ann").err().unwrap().code, Code::TooManyRequests);
        let _third = seats.take("ben").unwrap();
        assert_eq!(seats.take("cleo").err().unwrap().code, Code::Unavailable);
        drop(first);
        assert_eq!(seats.taken(), 2);
        let _again = seats.take("ann").unwrap();
        assert_eq!(seats.taken(), 3);
    }
}
