//! How many people may be at consoles: in all, each, and at one node.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::watch;
use windlass_model::{Code, Problem};

use super::ConsoleConfig;
use crate::services::LabNode;

#[derive(Default)]
struct Taken {
    each: HashMap<String, usize>,
    node: HashMap<LabNode, usize>,
}

/// Places at consoles.
pub(super) struct Seats {
    bounds: (usize, usize, usize),
    taken: Mutex<Taken>,
    all: watch::Sender<usize>,
}

/// A place; free again when it is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    who: String,
    node: LabNode,
}

impl Seats {
    pub(super) fn new(config: &ConsoleConfig) -> Arc<Self> {
        let bounds = (config.all, config.each, config.node);
        Arc::new(Self { bounds, taken: Mutex::default(), all: watch::Sender::new(0) })
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        *self.all.borrow()
    }

    /// Comes back when none is taken.
    pub(super) async fn emptied(&self) {
        // The sender is in `self`: it can't be gone.
        let _ = self.all.subscribe().wait_for(|all| *all == 0).await;
    }

    pub(super) fn take(self: &Arc<Self>, who: &str, node: &LabNode) -> Result<Seat, Problem> {
        let full = |code, message: String, key: &str| {
            Err(Problem::new(code, message)
                .help(format!("close consoles that nobody needs, or try again later; the bound is `labs.{key}`"))
                .data(serde_json::json!({ "retry_after_seconds": 5 })))
        };
        let (most, most_each, most_node) = self.bounds;
        let mut taken = self.taken.lock();
        let own = taken.each.get(who).copied().unwrap_or(0);
        let there = taken.node.get(node).copied().unwrap_or(0);
        if self.taken() >= most {
            return full(Code::Unavailable, format!("{most} people are at consoles"), "consoles");
        }
        if own >= most_each {
            return full(Code::TooManyRequests, format!("{who} has {own} consoles open"), "consoles_each");
        }
        if there >= most_node {
            let message = format!("{there} people are at the consoles of {}", node.node);
            return full(Code::TooManyRequests, message, "consoles_node");
        }
        taken.each.insert(who.to_owned(), own + 1);
        taken.node.insert(node.clone(), there + 1);
        self.all.send_modify(|all| *all += 1);
        Ok(Seat { seats: self.clone(), who: who.to_owned(), node: node.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        fn less<K: std::hash::Hash + Eq + Clone>(map: &mut HashMap<K, usize>, key: &K) {
            match map.get(key).map_or(0, |count| count - 1) {
                0 => drop(map.remove(key)),
                left => drop(map.insert(key.clone(), left)),
            }
        }
        let mut taken = self.seats.taken.lock();
        less(&mut taken.each, &self.who);
        less(&mut taken.node, &self.node);
        self.seats.all.send_modify(|all| *all -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_person_and_node_and_given_back() {
        let seats = Seats::new(&ConsoleConfig { all: 4, each: 2, node: 3, ..ConsoleConfig::default() });
        let node = |name: &str| LabNode { organisation: "acme".into(), lab: "demo".into(), node: name.into() };
        let code = |who: &str, at: &str| seats.take(who, &node(at)).err().map(|problem| problem.code);
        let first = seats.take("ann", &node("r1")).unwrap();
        let _second = seats.take("ann", &node("r1")).unwrap();
        assert_eq!(code("ann", "r2"), Some(Code::TooManyRequests));
        let _third = seats.take("ben", &node("r1")).unwrap();
        assert_eq!(code("cleo", "r1"), Some(Code::TooManyRequests));
        let _fourth = seats.take("cleo", &node("r2")).unwrap();
        assert_eq!(code("dora", "r2"), Some(Code::Unavailable));
        drop(first);
        assert_eq!((seats.taken(), code("ann", "r1")), (3, None));
    }
}
