//! Two stories are compared: what the database says was done, and what the witness saw.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;
use windlass_model::{
    Event, EventKind, RunState,
    query::{RunFilter, RunRecord},
    undo::UndoState,
};
use windlass_store::Store;

use super::{Report, cluster::LEASE, customers::Launched, follower::Counts, witness::Seen};

/// All events of all runs, by run.
pub fn events(store: &Store) -> BTreeMap<String, Vec<Event>> {
    let runs = store.runs(&RunFilter { limit: 100_000, ..RunFilter::default() }).expect("runs can be listed");
    let of = |run: RunRecord| {
        let events = store.events(&run.id, 0, 1_000_000).expect("events can be read");
        (run.id.to_string(), events)
    };
    runs.into_iter().map(of).collect()
}

/// Everything that was promised, looked at.
pub fn judge(
    store: &Store,
    launched: &HashMap<String, Launched>,
    seen: &[Seen],
    followed: &Counts,
    shared: bool,
) -> Report {
    let runs = store.runs(&RunFilter { limit: 100_000, ..RunFilter::default() }).expect("runs can be listed");
    let mut court = Court { violations: Vec::new(), seen };
    let mut by_name: HashMap<String, Vec<&RunRecord>> = HashMap::new();
    for run in &runs {
        by_name.entry(run.input["name"].as_str().unwrap_or_default().to_owned()).or_default().push(run);
    }
    let children = launched.iter().filter(|(_, launch)| launch.kind == "child");
    let children = children.map(|(name, launch)| (format!("{name}.c"), ("sequence", &launch.input)));
    let asked = launched.iter().map(|(name, launch)| (name.clone(), (launch.kind.as_str(), &launch.input)));
    for (name, (kind, input)) in asked.chain(children) {
        match by_name.get(&name).map(Vec::as_slice) {
            Some([run]) => court.run(&name, kind, input, run),
            found => court.accuse(format!("{name} is {} runs", found.map_or(0, <[_]>::len))),
        }
    }
    for (name, launch) in launched {
        let known = by_name.get(name).and_then(|runs| runs.first()).map(|run| run.id.as_str());
        if launch.run.as_deref().is_some_and(|run| Some(run) != known) {
            court.accuse(format!("{name} was answered with run {:?}, and is {known:?}", launch.run));
        }
    }
    court.locks();
    let events = events(store);
    court.events(&events, followed);
    if shared {
        court.claims(&events);
    }
    court.leftovers(store, &runs);
    let recoveries = events
        .values()
        .flatten()
        .filter(|event| event.kind == EventKind::RunStarted && event.data["recovery"] == Value::Bool(true));
    Report {
        runs: runs.len(),
        effects: seen.len(),
        events: events.values().map(Vec::len).sum(),
        recoveries: recoveries.count(),
        violations: court.violations,
        ..Report::default()
    }
}

/// What the database says of the runs that violations name.
pub fn stories(store: &Store, violations: &[String]) -> Vec<String> {
    let runs = store.runs(&RunFilter { limit: 100_000, ..RunFilter::default() }).unwrap_or_default();
    let named = runs.into_iter().filter(|run| {
        let name = run.input["name"].as_str().unwrap_or_default();
        violations.iter().any(|text| {
            text.contains(run.id.as_str()) || text.strip_prefix(name).is_some_and(|rest| rest.starts_with([':', ' ']))
        })
    });
    let story = |run: RunRecord| {
        let events = store.events(&run.id, 0, 100_000).unwrap_or_default().into_iter();
        let events = events.map(|event| {
            format!(
                "  {} {} {} {} {}",
                event.at_ms,
                event.seq,
                event.kind.as_str(),
                event.path.unwrap_or_default(),
                event.data
            )
        });
        format!("{run:#?}\n{}", events.collect::<Vec<_>>().join("\n"))
    };
    named.map(story).collect()
}

/// Whether only the node that works on a run writes such an event.
fn from_worker(kind: EventKind) -> bool {
    use EventKind as Kind;
    matches!(kind, Kind::RunStarted | Kind::StepStarted | Kind::StepSucceeded | Kind::StepFailed | Kind::UndoDone)
}

struct Court<'a> {
    violations: Vec<String>,
    seen: &'a [Seen],
}

impl Court<'_> {
    fn accuse(&mut self, what: String) {
        self.violations.push(what);
    }

    fn of<'s>(&'s self, run: &'s str, kind: &'s str) -> impl Iterator<Item = &'s Seen> + 's {
        self.seen.iter().filter(move |seen| seen.run == run && seen.kind == kind)
    }

    /// Nothing of what a run did comes to the world after what it did later: not even from a node that stood still.
    fn late(&mut self, name: &str, kind: &str) {
        let mut last: HashMap<&str, &Seen> = HashMap::new();
        let mut found = Vec::new();
        for seen in self.seen.iter().filter(|seen| seen.run == name && seen.kind == "thing") {
            if let Some(before) = last.insert(&seen.name, seen) {
                let back = match kind {
                    "undo" => before.method == "DELETE" && seen.method == "PUT",
                    "sequence" | "branches" | "child" => seen.value.as_u64() < before.value.as_u64(),
                    _ => false,
                };
                if back {
                    found.push(format!(
                        "{name}: {} {} {} came after {} {}",
                        seen.method, seen.name, seen.value, before.method, before.value
                    ));
                }
            }
        }
        self.violations.extend(found);
    }

    /// What is there in the end: the last that was put, and not deleted.
    fn thing(&self, run: &str, name: &str) -> Option<Value> {
        let last = self.of(run, "thing").filter(|seen| seen.name == name).last()?;
        (last.method == "PUT").then(|| last.value.clone())
    }

    fn run(&mut self, name: &str, kind: &str, input: &Value, run: &RunRecord) {
        let wanted = if kind == "undo" { RunState::RolledBack } else { RunState::Succeeded };
        if run.state != wanted {
            self.accuse(format!("{name} ({}) is {}: {:?}", run.id, run.state, run.problem));
            return;
        }
        self.late(name, kind);
        let output = run.output.clone().unwrap_or_default();
        let steps = input["steps"].as_u64().unwrap_or(0);
        let mut posts: Vec<(String, &Value)> = Vec::new();
        let mut things: Vec<(String, Option<Value>)> = Vec::new();
        let mut keys: Vec<String> = Vec::new();
        match kind {
            "sequence" => {
                posts.extend((0..steps).map(|n| (format!("p{n}"), &output["posts"][n as usize])));
                keys.extend((0..steps).map(|n| format!("k{n}")));
                things.push(("value".into(), Some((steps - 1).into())));
                things.push(("id".into(), Some(output["id"].clone())));
            }
            "branches" => {
                for n in 0..4 {
                    posts.push((format!("p{n}a"), &output["posts"][n][0]));
                    posts.push((format!("p{n}b"), &output["posts"][n][1]));
                    keys.push(format!("k{n}"));
                    things.push((format!("b{n}"), Some(2.into())));
                }
            }
            "waits" => {
                posts.extend((0..2).map(|n| (format!("p{n}"), &output["posts"][n])));
                keys.push("k0".into());
                things.push(("value".into(), Some(output["value"].clone())));
                let order: HashSet<u64> =
                    output["order"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
                if order != HashSet::from([1, 2]) {
                    self.accuse(format!("{name} took the signals {}", output["order"]));
                }
            }
            "undo" => {
                keys.extend((0..steps).map(|n| format!("k{n}")));
                things.extend((0..steps).map(|n| (format!("u{n}"), None)));
            }
            "child" => {
                keys.push("k0".into());
                things.push(("value".into(), Some(2.into())));
            }
            _ => keys.extend(["k0".to_owned(), "k1".to_owned()]),
        }
        for (post, said) in posts {
            let count = self.of(name, "post").filter(|seen| seen.name == post).count();
            match (said.as_str(), count) {
                (Some("done"), 1) | (Some("failed"), 0 | 1) => {}
                _ => {
                    self.accuse(format!("{name} ({}): {post} is said to be {said}, and was seen {count} times", run.id))
                }
            }
        }
        for key in keys {
            let used: HashSet<_> =
                self.of(name, "keyed").filter(|seen| seen.name == key).map(|seen| &seen.key).collect();
            let effective = self.of(name, "keyed").filter(|seen| seen.name == key && seen.effective).count();
            if (used.len(), effective) != (1, 1) {
                self.accuse(format!(
                    "{name} ({}): {key} came with {} keys, and took effect {effective} times",
                    run.id,
                    used.len()
                ));
            }
        }
        for (thing, wanted) in things {
            let found = self.thing(name, &thing);
            if found != wanted {
                self.accuse(format!("{name} ({}): {thing} is {found:?} in the end, and should be {wanted:?}", run.id));
            }
        }
    }

    /// Between a run's entering and leaving nobody else enters.
    fn locks(&mut self) {
        let mut inside: HashMap<String, (String, String)> = HashMap::new();
        let mut left: HashSet<(String, String)> = HashSet::new();
        let mut found = Vec::new();
        for seen in self.seen.iter().filter(|seen| seen.kind == "thing") {
            let mut words = seen.name.splitn(3, '.');
            let (Some(what), Some(lock), Some(turn)) = (words.next(), words.next(), words.next()) else { continue };
            let who = (seen.run.clone(), turn.to_owned());
            match what {
                "enter" => {
                    if let Some(holder) = inside.get(lock).filter(|holder| **holder != who) {
                        found.push(format!("{lock} is entered by {who:?} while {holder:?} is inside"));
                    }
                    if left.contains(&who) {
                        found.push(format!("{who:?} enters {lock} again after it has left"));
                    }
                    inside.insert(lock.to_owned(), who);
                }
                _ => {
                    if inside.get(lock) == Some(&who) {
                        inside.remove(lock);
                    }
                    left.insert(who);
                }
            }
        }
        self.violations.extend(found);
    }

    /// Numbered without a gap, and each told once to whoever followed.
    fn events(&mut self, events: &BTreeMap<String, Vec<Event>>, followed: &Counts) {
        for (run, events) in events {
            if !events.iter().map(|event| event.seq).eq(1..=events.len() as i64) {
                let numbers: Vec<i64> = events.iter().map(|event| event.seq).collect();
                self.accuse(format!("events of {run} have the numbers {numbers:?}"));
            }
            let mut finished = HashSet::new();
            for event in events {
                let is_end = match event.kind {
                    EventKind::StepSucceeded | EventKind::StepFailed => true,
                    // A step that is to be performed after all finishes later.
                    EventKind::StepResolved => event.data["resolution"]["resolution"] != "perform",
                    _ => false,
                };
                if is_end && !finished.insert(&event.path) {
                    self.accuse(format!("step {:?} of {run} finished twice", event.path));
                }
                match followed.get(&(run.clone(), event.seq)) {
                    Some(1) => {}
                    count => {
                        self.accuse(format!("event {} of {run} was told {} times", event.seq, count.unwrap_or(&0)))
                    }
                }
            }
        }
        let known =
            |(run, seq): &(String, i64)| events.get(run).is_some_and(|events| (1..=events.len() as i64).contains(seq));
        // What belongs to no run is numbered, too.
        let unknown: Vec<_> = followed.keys().filter(|key| key.0 != "system" && !known(key)).collect();
        if !unknown.is_empty() {
            self.accuse(format!("events were told that aren't there: {unknown:?}"));
        }
    }

    /// Nobody takes a run from a node that has written to it all the time: its claim holds. (One that was silent for long
    /// may lose it, even if it has begun to write again.)
    fn claims(&mut self, events: &BTreeMap<String, Vec<Event>>) {
        let lease_ms = LEASE.as_millis() as i64;
        for (run, events) in events {
            for (index, taken) in events.iter().enumerate() {
                if taken.kind != EventKind::RunStarted || taken.data["recovery"] != Value::Bool(true) {
                    continue;
                }
                let (mut after_ms, mut steps) = (taken.at_ms, 0);
                for before in events[..index].iter().rev().filter(|event| from_worker(event.kind)) {
                    let silent = after_ms - before.at_ms >= lease_ms / 4;
                    after_ms = before.at_ms;
                    if silent {
                        break;
                    }
                    // A claim that waited for the database may be over when it is written; whoever has it does no step then.
                    steps += usize::from(before.kind != EventKind::RunStarted);
                    let worked = steps > 1;
                    if before.kind == EventKind::RunStarted && !worked {
                        break;
                    }
                    if before.kind == EventKind::RunStarted || taken.at_ms - after_ms >= lease_ms {
                        self.accuse(format!(
                            "{run} was taken at its event {} from a node that worked on it",
                            taken.seq
                        ));
                        break;
                    }
                }
            }
        }
    }

    /// Nothing that a run held or had to undo is left.
    fn leftovers(&mut self, store: &Store, runs: &[RunRecord]) {
        let locks = store.locks().expect("locks can be listed");
        if !locks.is_empty() {
            self.accuse(format!("locks are held in the end: {locks:?}"));
        }
        for run in runs.iter().filter(|run| run.state == RunState::RolledBack) {
            let undo = store.undo(&run.id).expect("undo can be read");
            if let Some(entry) = undo.iter().find(|entry| entry.state == UndoState::Registered) {
                self.accuse(format!("{} is rolled back, and {:?} isn't undone", run.id, entry.spec));
            }
        }
    }
}
