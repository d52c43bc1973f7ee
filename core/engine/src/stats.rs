//! What the engine counts of itself: cheap enough for every step, read by whoever shows metrics.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::RwLock;

/// Upper bounds of the buckets, in microseconds: from a tenth of a millisecond to ten minutes.
pub const BUCKETS_MICROS: [u64; 14] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    10_000_000,
    60_000_000,
    600_000_000,
];

/// Kinds of ops that are told apart; those beyond are counted as `other`.
const OPS: usize = 1_000;

/// How often something took how long.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [AtomicU64; BUCKETS_MICROS.len() + 1],
    micros: AtomicU64,
}

/// A histogram at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Observations up to each bucket's bound, and all of them at the end.
    pub cumulative: Vec<u64>,
    /// The sum, in microseconds.
    pub micros: u64,
}

impl Reading {
    /// How many observations.
    pub fn count(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or(0)
    }
}

impl Histogram {
    /// Counts one observation.
    pub fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_MICROS.iter().position(|bound| micros <= *bound).unwrap_or(BUCKETS_MICROS.len());
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted until now.
    pub fn read(&self) -> Reading {
        let mut sum = 0;
        let cumulative = self.counts.iter().map(|count| {
            sum += count.load(Ordering::Relaxed);
            sum
        });
        Reading { cumulative: cumulative.collect(), micros: self.micros.load(Ordering::Relaxed) }
    }
}

/// What the engine has counted since the process began.
#[derive(Debug, Default)]
pub struct Stats {
    /// Commits of the writer: how long each took.
    pub commits: Histogram,
    /// Commands in those commits.
    pub commands: AtomicU64,
    steps: RwLock<BTreeMap<Arc<str>, Arc<Histogram>>>,
}

impl Stats {
    pub(crate) fn step(&self, op: &Arc<str>, took: Duration) {
        if let Some(known) = self.steps.read().get(op) {
            known.observe(took);
            return;
        }
        let mut steps = self.steps.write();
        let op = if steps.len() < OPS { op.clone() } else { "other".into() };
        steps.entry(op).or_default().observe(took);
    }

    /// Steps by op: how long each took.
    pub fn steps(&self) -> Vec<(Arc<str>, Reading)> {
        self.steps.read().iter().map(|(op, histogram)| (op.clone(), histogram.read())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up() {
        let histogram = Histogram::default();
        for micros in [0, 100, 101, 1_000_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let reading = histogram.read();
        assert_eq!((reading.cumulative[0], reading.cumulative[1], reading.count()), (2, 3, 4));
        assert_eq!(reading.micros, 1_000_000_201);
    }
}
