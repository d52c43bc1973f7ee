//! What this machine's files held when they were last looked at. Only a change from it proposes a version: on several machines
//! with a folder each, a file that is older than what is in use is no news, however often its machine is started.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;

/// Digests by name, in a file of this machine.
pub struct Seen {
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    digests: BTreeMap<String, String>,
    /// Whether this machine has looked at its files before.
    before: bool,
    changed: bool,
}

impl Seen {
    /// As this file says; none, or one that can't be read: this machine looks for the first time.
    pub fn kept_in(file: &Path) -> Self {
        let read = fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let before = read.is_some();
        let state = State { digests: read.unwrap_or_default(), before, changed: !before };
        Self { file: file.to_owned(), state: Mutex::new(state) }
    }

    /// Whether this machine looks at its files for the first time.
    pub(super) fn is_first(&self) -> bool {
        !self.state.lock().before
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.state.lock().digests.get(name).cloned()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.state.lock().digests.keys().cloned().collect()
    }

    pub(super) fn put(&self, name: &str, digest: &str) {
        let mut state = self.state.lock();
        if state.digests.get(name).is_none_or(|known| known != digest) {
            state.digests.insert(name.to_owned(), digest.to_owned());
            state.changed = true;
        }
    }

    pub(super) fn remove(&self, name: &str) {
        let mut state = self.state.lock();
        state.changed |= state.digests.remove(name).is_some();
    }

    /// Writes it down, if anything has changed.
    pub(super) fn keep(&self) {
        let mut state = self.state.lock();
        state.before = true;
        if !state.changed {
            return;
        }
        let written = serde_json::to_string(&state.digests)
            .map_err(|error| error.to_string())
            .and_then(|text| super::save::write(&self.file, &text).map_err(|problem| problem.to_string()));
        match written {
            Ok(()) => state.changed = false,
            // The next start looks as if for the first time: known sources propose nothing then.
            Err(error) => tracing::warn!("what was seen of the files can't be kept: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn what_was_seen_is_known_after_a_restart_and_nothing_of_a_broken_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seen");
        let seen = Seen::kept_in(&file);
        assert!(seen.is_first());
        seen.put("lab/x", "1");
        seen.put("lab/y", "2");
        seen.remove("lab/y");
        seen.keep();
        assert!(!seen.is_first());
        let again = Seen::kept_in(&file);
        assert_eq!((again.is_first(), again.get("lab/x").as_deref(), again.get("lab/y")), (false, Some("1"), None));
        std::fs::write(&file, "{\"lab/x\":").unwrap();
        assert!(Seen::kept_in(&file).is_first());
        assert!(Seen::kept_in(&folder.path().join("none")).names().is_empty());
    }
}
