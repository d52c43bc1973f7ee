//! Files in a rehearsal: what is really there, under what this run has written. The disk stays as it is.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::{Code, Problem, RunId};
use windlass_script::host::OpCx;

use super::{Backend, Entry, New, disk::Disk, place::Place};
use crate::support;

const RUNS: usize = 64;

/// By run; the oldest is forgotten when there are too many.
#[derive(Default)]
pub(super) struct Overlay(Mutex<VecDeque<(RunId, Changes)>>);

/// `None`: removed.
type Changes = BTreeMap<String, Option<Entry>>;

const DISK: Disk = Disk { backup_days: 0 };

impl Overlay {
    fn with<T>(&self, cx: &OpCx, work: impl FnOnce(&mut Changes) -> T) -> T {
        let mut runs = self.0.lock();
        let index = runs.iter().position(|(run, _)| *run == cx.run).unwrap_or_else(|| {
            if runs.len() == RUNS {
                runs.pop_front();
            }
            runs.push_back((cx.run.clone(), Changes::new()));
            runs.len() - 1
        });
        work(&mut runs[index].1)
    }

    fn changed(&self, cx: &OpCx, place: &Place) -> Option<Option<Entry>> {
        self.with(cx, |changes| changes.get(&place.shown().to_string()).cloned())
    }
}

/// A folder that isn't there yet is empty: on this machine the plan is made, elsewhere it may be carried out.
fn or_absent<T>(result: Result<T, Problem>, absent: T) -> Result<T, Problem> {
    match result {
        Err(problem) if problem.code == Code::NotFound => Ok(absent),
        result => result,
    }
}

impl Backend for Overlay {
    fn read(&self, cx: &OpCx, place: &Place) -> Result<Vec<u8>, Problem> {
        match self.changed(cx, place) {
            None => DISK.read(cx, place),
            Some(Some(Entry::File { bytes, .. })) => Ok(bytes),
            Some(Some(Entry::Link { .. })) => {
                Err(support::invalid(format!("{} is a link of this rehearsal", place.shown())))
            }
            Some(None) => Err(Problem::new(Code::NotFound, format!("{} was removed", place.shown())).no_effect()),
        }
    }

    fn stat(&self, cx: &OpCx, place: &Place) -> Result<Value, Problem> {
        Ok(match self.changed(cx, place) {
            None => return DISK.stat(cx, place),
            Some(None) => json!({ "exists": false, "kind": null, "bytes": null, "mode": null, "target": null }),
            Some(Some(Entry::File { bytes, mode })) => {
                json!({ "exists": true, "kind": "file", "bytes": bytes.len(), "mode": mode, "target": null })
            }
            Some(Some(Entry::Link { target })) => {
                json!({ "exists": true, "kind": "link", "bytes": target.len(), "mode": 0o777, "target": target })
            }
        })
    }

    fn list(&self, cx: &OpCx, place: &Place) -> Result<Vec<(String, &'static str)>, Problem> {
        let mut entries: BTreeMap<String, &'static str> =
            or_absent(DISK.list(cx, place), Vec::new())?.into_iter().collect();
        self.with(cx, |changes| {
            for (path, entry) in changes.iter() {
                let path = std::path::Path::new(path);
                let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
                else {
                    continue;
                };
                match entry {
                    _ if parent != place.path => continue,
                    Some(Entry::File { .. }) => entries.insert(name.to_owned(), "file"),
                    Some(Entry::Link { .. }) => entries.insert(name.to_owned(), "link"),
                    None => entries.remove(name),
                };
            }
        });
        Ok(entries.into_iter().collect())
    }

    fn put(&self, cx: &OpCx, place: &Place, new: New) -> Result<(), Problem> {
        self.with(cx, |changes| changes.insert(place.shown().to_string(), Some(new.entry)));
        Ok(())
    }

    fn remove(&self, cx: &OpCx, place: &Place) -> Result<bool, Problem> {
        let was = self.stat(cx, place)?["exists"] == true;
        self.with(cx, |changes| changes.insert(place.shown().to_string(), None));
        Ok(was)
    }

    fn restore(&self, cx: &OpCx, place: &Place) -> Result<bool, Problem> {
        Ok(self.with(cx, |changes| changes.remove(&place.shown().to_string()).is_some()))
    }

    fn discard(&self, _: &OpCx, _: &Place) -> Result<usize, Problem> {
        Ok(0)
    }
}
