//! Who is at the editor of which workflow: kept in memory, forgotten when nothing is heard.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;

/// Milliseconds after which whoever wasn't heard of has left.
const GONE_MS: i64 = 30_000;
/// Pages at one workflow, and workflows, at most: more aren't told of.
const SEATS: usize = 20;
const WORKFLOWS: usize = 1_000;

/// Somebody at an editor.
#[derive(Clone, Serialize, JsonSchema)]
pub(crate) struct Editor {
    /// The person.
    by: String,
    /// Since when, milliseconds since 1970.
    since_ms: i64,
    /// Whether they have changes that aren't saved.
    changed: bool,
}

struct Seat {
    seat: String,
    heard_ms: i64,
    editor: Editor,
}

/// Everybody at an editor, by workflow.
#[derive(Default)]
pub(crate) struct Editors(Mutex<BTreeMap<String, Vec<Seat>>>);

impl Editors {
    /// Somebody is there; who else is.
    pub(crate) fn here(&self, workflow: &str, by: &str, seat: &str, changed: bool, now_ms: i64) -> Vec<Editor> {
        let mut all = self.0.lock();
        all.retain(|_, seats| {
            seats.retain(|one| now_ms - one.heard_ms < GONE_MS);
            !seats.is_empty()
        });
        if all.len() >= WORKFLOWS && !all.contains_key(workflow) {
            return Vec::new();
        }
        let seats = all.entry(workflow.to_owned()).or_default();
        let full = seats.len() >= SEATS;
        match seats.iter_mut().find(|one| one.seat == seat && one.editor.by == by) {
            Some(known) => {
                known.heard_ms = now_ms;
                known.editor.changed = changed;
            }
            None if !full => {
                let editor = Editor { by: by.to_owned(), since_ms: now_ms, changed };
                seats.push(Seat { seat: seat.to_owned(), heard_ms: now_ms, editor });
            }
            None => {}
        }
        let others = seats.iter().filter(|one| one.seat != seat || one.editor.by != by);
        others.map(|one| one.editor.clone()).collect()
    }

    /// Somebody has left.
    pub(crate) fn leave(&self, workflow: &str, by: &str, seat: &str) {
        if let Some(seats) = self.0.lock().get_mut(workflow) {
            seats.retain(|one| one.seat != seat || one.editor.by != by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(editors: &[Editor]) -> Vec<(&str, bool)> {
        editors.iter().map(|one| (one.by.as_str(), one.changed)).collect()
    }

    #[test]
    fn others_are_told_until_they_leave_or_fall_silent() {
        let editors = Editors::default();
        assert!(editors.here("a/b", "ada", "1", false, 0).is_empty());
        assert_eq!(names(&editors.here("a/b", "bob", "1", false, 1)), [("ada", false)]);
        assert_eq!(names(&editors.here("a/b", "ada", "1", true, 2)), [("bob", false)]);
        // Another page of the same person is somebody else's as well.
        assert_eq!(names(&editors.here("a/b", "ada", "2", false, 3)), [("ada", true), ("bob", false)]);
        assert!(editors.here("a/c", "eve", "1", false, 3).is_empty());
        editors.leave("a/b", "bob", "1");
        assert_eq!(names(&editors.here("a/b", "ada", "2", false, 4)), [("ada", true)]);
        assert!(editors.here("a/b", "ada", "2", false, 2 + GONE_MS).is_empty());
    }

    #[test]
    fn seats_are_bounded() {
        let editors = Editors::default();
        for seat in 0..SEATS * 2 {
            editors.here("a/b", "ada", &seat.to_string(), false, 0);
        }
        assert_eq!(editors.here("a/b", "bob", "x", false, 1).len(), SEATS);
    }
}
