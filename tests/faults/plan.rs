//! What a seed decides: when which run is launched and signalled, and what breaks when, and for how long.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};

use super::{Options, cluster::LEASE, workflows};

/// At a time after the beginning.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// When.
    pub at: Duration,
    /// What.
    pub what: T,
}

/// Something that somebody does from outside.
#[derive(Clone, Debug)]
pub enum Act {
    /// Launches a run with this name, which is its idempotency key.
    Launch { name: String, kind: String, input: Value },
    /// Delivers a signal to the run with this name; the id makes it one.
    Signal { name: String, n: u64 },
}

/// Something that breaks, for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// A node is killed, and started again later.
    Kill(usize),
    /// A node stands still, and goes on as if nothing had been.
    Pause(usize),
    /// A node reaches nobody, and nobody reaches it.
    Cut(usize),
    /// A node stutters.
    Slow(usize),
    /// The witness takes long to answer.
    SlowWitness,
    /// The database crashes, and is started again.
    Database,
    /// The disk of the database and the nodes is full.
    FullDisk,
}

impl Fault {
    /// The fault of this name, of this node where it is a node's.
    pub fn named(name: &str, node: usize) -> Option<Self> {
        Some(match name {
            "kill" => Self::Kill(node),
            "pause" => Self::Pause(node),
            "cut" => Self::Cut(node),
            "slow" => Self::Slow(node),
            "slow-witness" => Self::SlowWitness,
            "database" => Self::Database,
            "full-disk" => Self::FullDisk,
            _ => return None,
        })
    }
}

/// All of it.
pub struct Plan {
    /// In order of time.
    pub acts: Vec<At<Act>>,
    /// With how long each lasts; in order of time.
    pub faults: Vec<At<(Fault, Duration)>>,
}

impl Plan {
    /// What the seed decides.
    pub fn new(options: &Options) -> Self {
        let mut random = StdRng::seed_from_u64(options.seed);
        let total = options.time.as_millis() as u64;
        let mut acts = Vec::new();
        let mut at = 0;
        let mut number = 0;
        while at < total {
            let kind = *workflows::KINDS.choose(&mut random).expect("there are kinds");
            let name = format!("{kind}{number}");
            number += 1;
            let input = json!({
                "name": name,
                "steps": random.random_range(2..7),
                "lock": random.random_range(0..workflows::LOCKS).to_string(),
            });
            let launch = Act::Launch { name: name.clone(), kind: kind.to_owned(), input };
            acts.push(At { at: Duration::from_millis(at), what: launch });
            if kind == "waits" {
                let first = at + random.random_range(0..2_000);
                let second = first + random.random_range(0..2_000);
                for (n, when) in [(1, first), (2, second)] {
                    let signal = Act::Signal { name: name.clone(), n };
                    // Twice, now and then: it counts once.
                    for _ in 0..random.random_range(1..3) {
                        acts.push(At { at: Duration::from_millis(when), what: signal.clone() });
                    }
                }
            }
            at += random.random_range(20..220);
        }
        acts.sort_by_key(|act| act.at);
        let mut faults = Vec::new();
        let mut at = 500;
        let lease = LEASE.as_millis() as u64;
        while at < total {
            let node = random.random_range(0..options.nodes);
            let fault = match random.random_range(0..20) {
                _ if !options.faults.is_empty() => options
                    .faults
                    .choose(&mut random)
                    .and_then(|name| Fault::named(name, node))
                    .unwrap_or(Fault::Kill(node)),
                0..6 => Fault::Kill(node),
                6..11 => Fault::Pause(node),
                11..14 => Fault::Cut(node),
                14..16 => Fault::Slow(node),
                16 => Fault::SlowWitness,
                17 => Fault::FullDisk,
                _ if options.nodes > 1 => Fault::Database,
                _ => Fault::Kill(node),
            };
            let lasts = match fault {
                Fault::Kill(_) => random.random_range(100..2_000),
                Fault::Pause(_) | Fault::Cut(_) => random.random_range(lease / 4..lease * 5 / 2),
                Fault::Slow(_) | Fault::SlowWitness => random.random_range(500..2_000),
                Fault::Database | Fault::FullDisk => random.random_range(200..1_500),
            };
            faults.push(At { at: Duration::from_millis(at), what: (fault, Duration::from_millis(lasts)) });
            at += random.random_range(300..1_200);
        }
        Self { acts, faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_plan() {
        let plan = |seed| {
            let time = Duration::from_secs(20);
            let options = Options { seed, nodes: 3, time, faults: Vec::new(), broken: None, verbose: false };
            let plan = Plan::new(&options);
            format!("{:?} {:?}", plan.acts, plan.faults)
        };
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }
}
