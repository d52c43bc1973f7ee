//! What the writer remembers of the runs that it wrote to last, so that a step costs no look-ups. Each memory holds the
//! run's next event number: nobody writes to a run's journal without moving it, so a number that isn't as remembered
//! says that another process was there, and the memory is dropped. SQLite says at the beginning of each transaction whether
//! anybody else has written, and if so everything is dropped: what is remembered there is what the rows say.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
};

use diesel::prelude::*;
use windlass_model::{BundleDigest, RunId};

use crate::{connection::AnyConnection, journal_log, schema};

/// Runs that are remembered, at most.
const RUNS: usize = 4_096;
/// Steps of all those runs, at most.
const STEPS: usize = 1 << 20;
/// Bundles that are remembered, at most; then all are forgotten.
const BUNDLES: usize = 1_024;

/// What is known of one run.
struct Memory {
    next_seq: i64,
    /// Hashes of the paths of all its steps, and perhaps of some that are gone. None until somebody asked.
    paths: Option<HashSet<u64>>,
    /// The block of the log that certainly names the run.
    block: Option<i64>,
    /// It certainly never waited, and so has no lock.
    quiet: bool,
    /// The epoch of the claim on it, if it certainly has one. SQLite only.
    held: Option<i64>,
    used: u64,
}

/// The writer's memory.
#[derive(Default)]
pub(crate) struct Recent {
    runs: HashMap<RunId, Memory>,
    hasher: RandomState,
    steps: usize,
    /// Counts commands.
    now: u64,
    next_id: Option<i64>,
    /// SQLite's word for what others have written.
    version: Option<i64>,
    /// Bundles that are kept.
    bundles: HashSet<BundleDigest>,
    /// The group of runs that the last claim looked at last.
    turn: String,
}

impl Recent {
    /// A transaction begins.
    pub(crate) fn begin(&mut self) {
        if self.runs.len() > RUNS || self.steps > STEPS {
            self.make_room();
        }
    }

    /// What SQLite says at the beginning of a transaction, which keeps others from writing until its end.
    pub(crate) fn at_version(&mut self, version: i64) {
        if self.version != Some(version) {
            self.clear();
            self.version = Some(version);
        }
    }

    /// The group behind which the next claim looks; empty: at the first.
    pub(crate) fn turn(&self) -> &str {
        &self.turn
    }

    /// Sets that.
    pub(crate) fn set_turn(&mut self, group: &str) {
        group.clone_into(&mut self.turn);
    }

    /// A command begins.
    pub(crate) fn next_command(&mut self) {
        self.now += 1;
    }

    /// Forgets the runs that the last command touched: it came to nothing.
    pub(crate) fn undo_command(&mut self) {
        let now = self.now;
        self.runs.retain(|_, memory| memory.used != now);
    }

    /// Forgets everything: a transaction came to nothing, or somebody else has written.
    pub(crate) fn clear(&mut self) {
        self.runs.clear();
        self.steps = 0;
        (self.next_id, self.version) = (None, None);
        // They may have been kept by what came to nothing.
        self.bundles.clear();
    }

    /// Whether the bundle is certainly kept.
    pub(crate) fn has_bundle(&self, digest: &BundleDigest) -> bool {
        self.bundles.contains(digest)
    }

    /// The bundle is kept.
    pub(crate) fn saw_bundle(&mut self, digest: &BundleDigest) {
        if self.bundles.len() >= BUNDLES {
            self.bundles.clear();
        }
        self.bundles.insert(digest.clone());
    }

    /// Forgets one run.
    pub(crate) fn forget(&mut self, run: &RunId) {
        if let Some(memory) = self.runs.remove(run) {
            self.steps = self.steps.saturating_sub(memory.paths.map_or(0, |paths| paths.len()));
        }
    }

    /// The number that the run's next event gets, if it is remembered.
    pub(crate) fn next_seq(&self, run: &RunId) -> Option<i64> {
        self.runs.get(run).map(|memory| memory.next_seq)
    }

    /// The database says that the run's next number is this one.
    pub(crate) fn see(&mut self, run: &RunId, next_seq: i64) {
        if self.next_seq(run) != Some(next_seq) {
            self.forget(run);
            let memory = Memory { next_seq, paths: None, block: None, quiet: false, held: None, used: self.now };
            self.runs.insert(run.clone(), memory);
        }
    }

    /// The number that the next event gets of a run on which there is a claim with this epoch, if it is remembered.
    pub(crate) fn next_seq_under(&self, run: &RunId, epoch: i64) -> Option<i64> {
        self.runs.get(run).filter(|memory| memory.held == Some(epoch)).map(|memory| memory.next_seq)
    }

    /// Whether there is a claim on the run: then its row doesn't say how far its numbers are.
    pub(crate) fn is_held(&self, run: &RunId) -> bool {
        self.runs.get(run).is_some_and(|memory| memory.held.is_some())
    }

    /// Whether there is a claim on the run, and with which epoch.
    pub(crate) fn set_held(&mut self, run: &RunId, epoch: Option<i64>) {
        if let Some(memory) = self.runs.get_mut(run) {
            memory.held = epoch;
            memory.used = self.now;
        }
    }

    /// This transaction has moved the run's next number.
    pub(crate) fn moved(&mut self, run: &RunId, next_seq: i64) {
        if let Some(memory) = self.runs.get_mut(run) {
            memory.next_seq = next_seq;
            memory.used = self.now;
        }
    }

    /// Whether the run certainly has no wait and no lock.
    pub(crate) fn is_quiet(&self, run: &RunId) -> bool {
        self.runs.get(run).is_some_and(|memory| memory.quiet)
    }

    /// The run waits, or has come by a lock.
    pub(crate) fn waits(&mut self, run: &RunId) {
        if let Some(memory) = self.runs.get_mut(run) {
            memory.quiet = false;
        }
    }

    /// A run that has just been created has no steps.
    pub(crate) fn created(&mut self, run: &RunId, next_seq: i64) {
        self.forget(run);
        let paths = Some(HashSet::new());
        let memory = Memory { next_seq, paths, block: None, quiet: true, held: None, used: self.now };
        self.runs.insert(run.clone(), memory);
    }

    /// Whether there may be a step at `path`; false is certain.
    pub(crate) fn may_have(&mut self, conn: &mut AnyConnection, run: &RunId, path: &str) -> QueryResult<bool> {
        let hash = self.hasher.hash_one(path);
        let Some(memory) = self.runs.get_mut(run) else { return Ok(true) };
        let paths = match &mut memory.paths {
            Some(paths) => paths,
            empty => {
                let paths = all_paths(conn, run)?;
                self.steps += paths.len();
                empty.insert(paths.iter().map(|path| self.hasher.hash_one(path.as_str())).collect())
            }
        };
        Ok(paths.contains(&hash))
    }

    /// Whether the paths of the run's steps are known.
    pub(crate) fn has_paths(&self, run: &RunId) -> bool {
        self.runs.get(run).is_some_and(|memory| memory.paths.is_some())
    }

    /// There is a step at `path` now.
    pub(crate) fn learn(&mut self, run: &RunId, path: &str) {
        let hash = self.hasher.hash_one(path);
        if let Some(paths) = self.runs.get_mut(run).and_then(|memory| memory.paths.as_mut()) {
            self.steps += usize::from(paths.insert(hash));
        }
    }

    /// Whether the run has yet to be noted in this block; afterwards it is.
    pub(crate) fn enters(&mut self, run: &RunId, block: i64) -> bool {
        match self.runs.get_mut(run) {
            Some(memory) => memory.block.replace(block) != Some(block),
            None => true,
        }
    }

    /// The id of the next row of SQLite's log: this transaction is the only one that writes.
    pub(crate) fn next_id(&mut self, conn: &mut SqliteConnection) -> QueryResult<i64> {
        let id = match self.next_id {
            Some(id) => id,
            // Where rows have gone that were newer than what stands there, whoever removed them has noted it.
            None => journal_log::newest(conn)?.max(journal_log::newest_removed(conn)?) + 1,
        };
        self.next_id = Some(id + 1);
        Ok(id)
    }

    /// Forgets the half that wasn't used for longest, where there are too many by now.
    fn make_room(&mut self) {
        let known = |memory: &Memory| memory.paths.as_ref().map_or(0, HashSet::len);
        self.steps = self.runs.values().map(known).sum();
        if self.runs.len() <= RUNS && self.steps <= STEPS {
            return;
        }
        let mut used: Vec<u64> = self.runs.values().map(|memory| memory.used).collect();
        let middle = used.len() / 2;
        let (_, &mut limit, _) = used.select_nth_unstable(middle);
        self.runs.retain(|_, memory| memory.used > limit);
        self.steps = self.runs.values().map(known).sum();
    }
}

fn all_paths(conn: &mut AnyConnection, run: &RunId) -> QueryResult<Vec<String>> {
    let mut paths: Vec<String> =
        schema::steps::table.filter(schema::steps::run_id.eq(run.as_str())).select(schema::steps::path).load(conn)?;
    paths.extend(journal_log::finished_paths(conn, run)?.into_iter().map(|(_, path)| path));
    Ok(paths)
}
