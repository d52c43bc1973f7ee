//! The pool's book: who has which name. The server keeps it where all machines see it; a rehearsal has one of its own.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use windlass_model::{Problem, RunId};

/// How a name stands. One that is in no row is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Held for somebody, for a while.
    Reserved,
    /// Given out.
    Active,
    /// Given back; its DNS goes, and it rests until nobody remembers its keys.
    Releasing,
}

/// A name that isn't free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The full name.
    pub name: String,
    /// The domain that it is under.
    pub domain: String,
    /// The rest.
    pub label: String,
    /// How it stands.
    pub state: State,
    /// Hash of the token.
    pub token: String,
    /// What reserved it, or has taken it over since: a step, or a request.
    pub key: String,
    /// What its zone was made by, if that is another one than has it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_by: Option<String>,
    /// The step that committed it.
    pub committed_by: Option<String>,
    /// The run that holds it; while that is open, the reservation doesn't run out.
    pub run: Option<RunId>,
    /// The organisation that it is for.
    pub organisation: String,
    /// Whether its delegation may stand in the domain's zone.
    pub delegated: bool,
    /// Whether it was ever given out.
    pub served: bool,
    /// Where it points, once it was committed.
    pub addresses: Vec<String>,
    /// When it was reserved.
    pub since_ms: i64,
    /// Reserved: when that runs out. Releasing: when it is free.
    pub until_ms: Option<i64>,
}

impl Row {
    /// What its zone was made by.
    pub fn zone_key(&self) -> &str {
        self.zone_by.as_deref().unwrap_or(&self.key)
    }
}

/// A row, and which version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The row.
    pub row: Row,
    /// Rises with every change.
    pub version: i64,
}

/// Keeps rows, each under its full name. A change says which version it saw: of two that saw the same, one is made.
pub trait Book: Send + Sync {
    /// The row of a name.
    fn find(&self, name: &str) -> Result<Option<Entry>, Problem>;

    /// Rows by name, after this one; at most `limit`.
    fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<Entry>, Problem>;

    /// Puts a row where this version was seen (0: none); its version now, or `None` if another one stands there.
    fn put(&self, row: &Row, seen: i64) -> Result<Option<i64>, Problem>;

    /// Removes the row of which this version was seen; `false` if another one stands there.
    fn remove(&self, name: &str, seen: i64) -> Result<bool, Problem>;

    /// How many names an organisation has reserved that aren't given out.
    fn reserved(&self, organisation: &str) -> Result<usize, Problem> {
        let (mut count, mut after) = (0, None::<String>);
        loop {
            let page = self.list(after.as_deref(), 500)?;
            let of = |entry: &&Entry| entry.row.state == State::Reserved && entry.row.organisation == organisation;
            count += page.iter().filter(of).count();
            match page.last() {
                Some(last) if page.len() == 500 => after = Some(last.row.name.clone()),
                _ => return Ok(count),
            }
        }
    }

    /// Whether a run hasn't ended.
    fn is_open(&self, run: &RunId) -> Result<bool, Problem>;
}

/// A book for a rehearsal, in which every run is open.
#[derive(Default)]
pub struct MemoryBook(Mutex<BTreeMap<String, Entry>>);

impl Book for MemoryBook {
    fn find(&self, name: &str) -> Result<Option<Entry>, Problem> {
        Ok(self.0.lock().get(name).cloned())
    }

    fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<Entry>, Problem> {
        let rows = self.0.lock();
        let wanted = rows.values().filter(|entry| after.is_none_or(|after| entry.row.name.as_str() > after));
        Ok(wanted.take(limit as usize).cloned().collect())
    }

    fn put(&self, row: &Row, seen: i64) -> Result<Option<i64>, Problem> {
        let mut rows = self.0.lock();
        if rows.get(&row.name).map_or(0, |entry| entry.version) != seen {
            return Ok(None);
        }
        rows.insert(row.name.clone(), Entry { row: row.clone(), version: seen + 1 });
        Ok(Some(seen + 1))
    }

    fn remove(&self, name: &str, seen: i64) -> Result<bool, Problem> {
        let mut rows = self.0.lock();
        let same = rows.get(name).is_some_and(|entry| entry.version == seen);
        if same {
            rows.remove(name);
        }
        Ok(same)
    }

    fn is_open(&self, _: &RunId) -> Result<bool, Problem> {
        Ok(true)
    }
}
