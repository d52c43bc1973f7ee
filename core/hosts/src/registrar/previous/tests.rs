//! Two runs that set the same: whose undo puts what back.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use windlass_model::RunId;
use windlass_script::host::testing::TestCx;

use super::*;
use crate::registrar::Source;

/// A registrar that holds one value, and a book of what steps have kept.
struct World {
    held: Mutex<Value>,
    kept: Mutex<BTreeMap<String, Value>>,
    setters: Mutex<Vec<String>>,
    fate: Mutex<Fate>,
    runtime: tokio::runtime::Runtime,
}

impl Plugins for World {
    fn organisation(&self, _: &RunId) -> Result<String, Problem> {
        Ok("acme".into())
    }

    fn approved(&self, _: &str, _: &RunId) -> Result<std::sync::Arc<Source>, Problem> {
        Err(Problem::new(Code::NotFound, "there is none"))
    }

    fn keep(&self, thing: Option<&str>, key: &str, value: &Value, instead_of: Option<&str>) -> Result<(), Problem> {
        let (mut kept, mut setters) = (self.kept.lock(), self.setters.lock());
        kept.insert(key.into(), value.clone());
        if let Some(other) = instead_of {
            kept.remove(other);
            setters.retain(|one| one != other);
        }
        if thing.is_some() {
            setters.push(key.into());
        }
        Ok(())
    }

    fn kept(&self, key: &str) -> Result<Option<Value>, Problem> {
        Ok(self.kept.lock().get(key).cloned())
    }

    fn setters(&self, _: &str) -> Result<Vec<String>, Problem> {
        Ok(self.setters.lock().clone())
    }

    fn undone(&self, _: &str, key: &str) -> Result<(), Problem> {
        self.setters.lock().retain(|one| one != key);
        Ok(())
    }

    fn fate(&self, _: &RunId) -> Result<Fate, Problem> {
        Ok(*self.fate.lock())
    }
}

impl World {
    fn new(fate: Fate) -> Self {
        Self {
            held: Mutex::new(json!("old")),
            kept: Mutex::default(),
            setters: Mutex::default(),
            fate: Mutex::new(fate),
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
        }
    }

    fn with<T>(&self, key: &str, undoes: bool, work: impl FnOnce(&OpCx, &Thing<'_>) -> T) -> T {
        let mut cx = TestCx::new(&[]);
        (cx.run, cx.key) = (run_of(key), key.to_owned());
        cx.undoes = undoes.then(|| key.to_owned());
        let read = || Ok(self.held.lock().clone());
        let write = |value: &Value| {
            *self.held.lock() = value.clone();
            Ok(())
        };
        let thing = Thing { what: "name servers", domain: "a.example", host: "", read: &read, write: &write };
        work(&cx.on(&self.runtime), &thing)
    }

    fn set(&self, key: &str, value: &str) -> Done {
        self.with(key, false, |cx, thing| change(cx, self, thing, &json!(value))).unwrap()
    }

    fn undo(&self, key: &str) -> Result<Value, Problem> {
        self.with(key, true, |cx, thing| restore(cx, self, thing))
    }

    fn held(&self) -> Value {
        self.held.lock().clone()
    }
}

#[test]
fn what_a_run_has_left_is_the_next_ones_to_put_back() {
    for undone in [false, true] {
        let world = World::new(Fate::Left);
        world.set("stuck/1", "ours");
        for _ in 0..2 {
            // Once more after a crash is the same.
            let done = world.set("again/1", "ours");
            assert!(done.taken && !done.changed && done.before == "old", "{:?}", done.before);
        }
        assert_eq!(world.undo("stuck/1").unwrap()["restored"], false);
        assert_eq!(world.held(), "ours", "nothing is taken away from under the new run");
        if undone {
            assert_eq!(world.undo("again/1").unwrap()["restored"], true);
            assert_eq!(world.held(), "old");
        }
    }
}

#[test]
fn what_a_run_that_is_open_or_complete_has_set_stays_its_own() {
    for fate in [Fate::Open, Fate::Completed] {
        let world = World::new(fate);
        world.set("first/1", "ours");
        assert!(!world.set("again/1", "ours").taken);
        assert_eq!(world.undo("again/1").unwrap()["restored"], false);
        assert_eq!(world.held(), "ours");
        assert_eq!(world.undo("first/1").unwrap()["restored"], true, "{fate:?}");
        assert_eq!(world.held(), "old");
    }
}

#[test]
fn what_another_run_has_set_since_is_not_put_back_and_what_nobody_of_us_has_is_a_conflict() {
    let world = World::new(Fate::Left);
    world.set("stuck/1", "ours");
    world.set("other/1", "theirs");
    assert_eq!(world.undo("stuck/1").unwrap(), json!({ "restored": false, "passed_on": "other" }));
    // And back to the same by a third one: it is that one's.
    world.set("third/1", "ours");
    assert_eq!(world.undo("stuck/1").unwrap()["passed_on"], "third");
    assert_eq!(world.undo("third/1").unwrap()["restored"], true);
    assert_eq!(world.undo("other/1").unwrap()["restored"], true);
    assert_eq!(world.held(), "ours", "what they have undone is the first one's again");
    *world.held.lock() = json!("by hand");
    assert_eq!(world.undo("stuck/1").unwrap_err().code, Code::Conflict);
    *world.held.lock() = json!("ours");
    assert_eq!(world.undo("stuck/1").unwrap()["restored"], true);
    assert_eq!(world.held(), "old");
}
