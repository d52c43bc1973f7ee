//! Takes every secret value that is stored, or was computed in this process, out of whatever is stored or shown, in its usual encodings.

mod needles;
mod run;

use parking_lot::RwLock;
use serde_json::Value;
use windlass_model::Problem;

use needles::{Needles, Place};
pub(crate) use run::{RunScrubber, Scrubbers};

/// Values that may not be seen, with their encodings: those that the secrets' source holds, and those that were revealed or
/// computed in this process.
#[derive(Default)]
pub struct Scrubber {
    needles: RwLock<Needles>,
}

impl Scrubber {
    /// Remembers a value; from now on it is replaced by `[secret NAME]`.
    pub fn learn(&self, name: &str, value: &str) {
        self.learn_each(name, &[value]);
    }

    /// The same, and they are never forgotten: whoever asks for this has a bound for them.
    pub fn keep(&self, name: &str, values: &[impl AsRef<str>]) {
        let label = format!("[secret {name}]");
        let mut needles = self.needles.write();
        let mut changed = false;
        for value in values {
            changed |= needles.add(value.as_ref(), &label, true);
        }
        if changed {
            needles.build();
        }
    }

    /// The same as `learn` for several values of one name.
    pub fn learn_each(&self, name: &str, values: &[impl AsRef<str>]) {
        let label = format!("[secret {name}]");
        {
            let needles = self.needles.read();
            if values.iter().all(|value| needles.knows(value.as_ref(), &label)) {
                return;
            }
        }
        let mut needles = self.needles.write();
        for value in values {
            needles.add(value.as_ref(), &label, false);
        }
        needles.build();
    }

    /// Remembers all values that are stored now; their names aren't known: they are replaced by `[secret]`, until one is
    /// learned by its name. Of those that were stored before, the latest are remembered for a while: they are still good
    /// elsewhere, perhaps.
    pub fn hold(&self, values: &[impl AsRef<str>]) {
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        let mut needles = self.needles.write();
        if needles.hold(&values) {
            needles.build();
        }
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        clean(text, &[self])
    }

    fn is_empty(&self) -> bool {
        self.needles.read().len() == 0
    }

    /// The value without secrets, in strings, keys and numbers.
    pub fn value(&self, value: Value) -> Value {
        self.with(&[], value)
    }

    /// The error without secrets.
    pub fn problem(&self, problem: Problem) -> Problem {
        self.problem_with(&[], problem)
    }

    /// The value without secrets, and without those of the others, which are left alone in keys.
    fn with(&self, others: &[&Self], value: Value) -> Value {
        let all: Vec<&Self> = std::iter::once(self).chain(others.iter().copied()).collect();
        if all.iter().all(|one| one.is_empty()) {
            return value;
        }
        self.leaves(&all, value)
    }

    fn leaves(&self, all: &[&Self], value: Value) -> Value {
        match value {
            Value::String(text) => clean(&text, all).into(),
            Value::Number(number) => {
                let text = number.to_string();
                let clean = clean(&text, all);
                if clean == text { Value::Number(number) } else { clean.into() }
            }
            Value::Array(items) => items.into_iter().map(|item| self.leaves(all, item)).collect(),
            Value::Object(map) => {
                map.into_iter().map(|(key, item)| (self.text(&key), self.leaves(all, item))).collect()
            }
            other => other,
        }
    }

    fn problem_with(&self, others: &[&Self], mut problem: Problem) -> Problem {
        let all: Vec<&Self> = std::iter::once(self).chain(others.iter().copied()).collect();
        problem.message = clean(&problem.message, &all);
        problem.help = problem.help.map(|help| clean(&help, &all));
        problem.data = self.with(others, problem.data);
        problem
    }
}

/// The text without what any of these knows. Values may overlap, and one may stand inside another: what any of them covers
/// goes, and the longest gives the whole place its name.
fn clean(text: &str, all: &[&Scrubber]) -> String {
    let mut found: Vec<Place> = all.iter().flat_map(|one| one.needles.read().places(text)).collect();
    if found.is_empty() {
        return text.to_owned();
    }
    found.sort_by_key(|place| (place.range.start, place.range.end));
    let mut places: Vec<Place> = Vec::new();
    for next in found {
        match places.last_mut().filter(|place| next.range.start < place.range.end) {
            Some(place) => {
                place.range.end = place.range.end.max(next.range.end);
                if next.longest > place.longest {
                    (place.longest, place.label) = (next.longest, next.label);
                }
            }
            None => places.push(next),
        }
    }
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    for place in places {
        clean.push_str(&text[from..place.range.start]);
        clean.push_str(&place.label);
        from = place.range.end;
    }
    clean.push_str(&text[from..]);
    clean
}

#[cfg(test)]
mod tests;
