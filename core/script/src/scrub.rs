//! Takes every secret value that is stored, or was computed in this process, out of whatever is stored or shown, in its usual encodings.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use parking_lot::RwLock;
use serde_json::Value;
use windlass_model::Problem;

use crate::secret;

/// Shorter values are in everything: taking them out would leave no text whole. Whoever stores secrets refuses them.
const SHORTEST: usize = 4;
/// Values that nobody holds any more, or that were computed, and that are looked for all the same: the latest so many, with
/// so many bytes together.
const PASSED: usize = 256;
const PASSED_BYTES: usize = 64 << 10;

/// What stands for a value whose name isn't known: it was learned from the store, and not used so far.
const UNNAMED: &str = "[secret]";

/// Every value that may not be seen, with its encodings: those that the secrets' source holds, and those that were
/// revealed or computed in this process.
#[derive(Default)]
pub struct Scrubber {
    needles: RwLock<Needles>,
}

#[derive(Default)]
struct Needles {
    values: BTreeMap<String, Known>,
    /// Counts what was learned, so that the oldest is known.
    clock: u64,
    /// All encodings of all values at once: a text is read once, however many secrets there are.
    matcher: Option<AhoCorasick>,
    /// What stands for each of them, in the order that the matcher counts them.
    by_index: Vec<String>,
}

struct Known {
    label: String,
    encodings: BTreeSet<String>,
    /// Whether the source holds it: such a value is never forgotten.
    held: bool,
    at: u64,
}

/// A place in a text that is taken out: where, how long the longest value there is, and what stands for that.
type Place = (Range<usize>, usize, String);

impl Needles {
    /// Whether that changes anything.
    fn add(&mut self, value: &str, label: &str, held: bool) -> bool {
        if value.len() < SHORTEST {
            return false;
        }
        self.clock += 1;
        let at = self.clock;
        if let Some(known) = self.values.get_mut(value) {
            known.held |= held;
            known.at = at;
            let named = known.label == UNNAMED && label != UNNAMED;
            if named {
                label.clone_into(&mut known.label);
            }
            return named;
        }
        let known = Known { label: label.to_owned(), encodings: encodings(value), held, at };
        self.values.insert(value.to_owned(), known);
        true
    }

    /// Forgets the oldest of what nobody holds.
    fn bound(&mut self) {
        let passed = self.values.iter().filter(|(_, known)| !known.held);
        let mut passed: Vec<(u64, String)> = passed.map(|(value, known)| (known.at, value.clone())).collect();
        passed.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let mut bytes = 0;
        for (place, (_, value)) in passed.iter().enumerate() {
            bytes += value.len();
            // The latest one is in use, however long it is.
            if place > 0 && (place >= PASSED || bytes > PASSED_BYTES) {
                self.values.remove(value);
            }
        }
    }

    fn build(&mut self) {
        self.bound();
        let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
        for known in self.values.values() {
            for needle in &known.encodings {
                let label = labels.entry(needle.as_str()).or_insert(known.label.as_str());
                if *label == UNNAMED {
                    *label = known.label.as_str();
                }
            }
        }
        // Another kind would take hundreds of bytes for each letter of a value. Only more needles than fit into memory are an
        // error; those before them are still found.
        let built = AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(labels.keys());
        if let Ok(matcher) = built {
            self.matcher = Some(matcher);
            self.by_index = labels.into_values().map(str::to_owned).collect();
        }
    }

    /// Whether learning the value under this label would change anything.
    fn knows(&self, value: &str, label: &str) -> bool {
        value.len() < SHORTEST || self.values.get(value).is_some_and(|known| known.label != UNNAMED || label == UNNAMED)
    }

    fn places(&self, text: &str) -> Vec<Place> {
        let Some(matcher) = &self.matcher else { return Vec::new() };
        let label = |index: usize| self.by_index.get(index).map_or(UNNAMED, String::as_str).to_owned();
        let found = matcher.find_overlapping_iter(text);
        found.map(|found| (found.range(), found.len(), label(found.pattern().as_usize()))).collect()
    }
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
        let now: BTreeSet<&str> = values.iter().map(AsRef::as_ref).collect();
        let mut needles = self.needles.write();
        let mut changed = false;
        for (value, known) in &mut needles.values {
            if known.held && !now.contains(value.as_str()) {
                known.held = false;
                changed = true;
            }
        }
        for value in now {
            changed |= needles.add(value, UNNAMED, true);
        }
        if changed {
            needles.build();
        }
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        clean(text, &[self])
    }

    fn is_empty(&self) -> bool {
        self.needles.read().values.is_empty()
    }

    /// The value without secrets, in strings, keys and numbers.
    pub fn value(&self, value: Value) -> Value {
        self.with(None, value)
    }

    /// The error without secrets.
    pub fn problem(&self, problem: Problem) -> Problem {
        self.problem_with(None, problem)
    }

    /// The value without secrets, and without those of `other`, which are left alone in keys.
    fn with(&self, other: Option<&Self>, value: Value) -> Value {
        if self.is_empty() && other.is_none_or(Self::is_empty) {
            return value;
        }
        let all: Vec<&Self> = std::iter::once(self).chain(other).collect();
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

    fn problem_with(&self, other: Option<&Self>, mut problem: Problem) -> Problem {
        let all: Vec<&Self> = std::iter::once(self).chain(other).collect();
        problem.message = clean(&problem.message, &all);
        problem.help = problem.help.map(|help| clean(&help, &all));
        problem.data = self.with(other, problem.data);
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
    found.sort_by_key(|(place, ..)| (place.start, place.end));
    let mut places: Vec<Place> = Vec::new();
    for (range, length, label) in found {
        match places.last_mut().filter(|(place, ..)| range.start < place.end) {
            Some((place, longest, name)) => {
                place.end = place.end.max(range.end);
                if length > *longest {
                    (*longest, *name) = (length, label);
                }
            }
            None => places.push((range, length, label)),
        }
    }
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    for (place, _, label) in places {
        clean.push_str(&text[from..place.start]);
        clean.push_str(&label);
        from = place.end;
    }
    clean.push_str(&text[from..]);
    clean
}

/// What one run may not show: all that nobody may, and what came to it from outside. A stranger has chosen such a value, so
/// it is looked for in this run alone, and never in keys: what it happens to be equal to elsewhere stays whole.
pub(crate) struct RunScrubber {
    shared: Arc<Scrubber>,
    own: Scrubber,
}

impl RunScrubber {
    pub fn new(shared: Arc<Scrubber>) -> Self {
        Self { shared, own: Scrubber::default() }
    }

    /// Remembers a value for the whole process, or, if a stranger has chosen it, for this run.
    pub fn learn(&self, name: &str, value: &str, foreign: bool) {
        if foreign { self.own.keep(name, &[value]) } else { self.shared.learn(name, value) }
    }

    pub fn text(&self, text: &str) -> String {
        clean(text, &[&self.shared, &self.own])
    }

    pub fn value(&self, value: Value) -> Value {
        self.shared.with(Some(&self.own), value)
    }

    pub fn problem(&self, problem: Problem) -> Problem {
        self.shared.problem_with(Some(&self.own), problem)
    }
}

fn encodings(value: &str) -> BTreeSet<String> {
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let json = Value::from(value).to_string();
    let mut all = BTreeSet::from([
        value.to_owned(),
        json[1..json.len() - 1].to_owned(),
        secret::url_encode(value),
        secret::url_encode(value).replace("%20", "+"),
        hex::encode(value),
        hex::encode_upper(value),
    ]);
    // Inside a longer text, base64 of the value looks different at each of three offsets; the letters at either end mix
    // with its neighbours.
    for offset in 0..3 {
        let mut padded = vec![0_u8; offset];
        padded.extend_from_slice(value.as_bytes());
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&padded);
            let skip = if offset == 0 { 0 } else { offset + 1 };
            let tail = usize::from(!padded.len().is_multiple_of(3));
            if let Some(middle) = encoded.get(skip..encoded.len() - tail).filter(|middle| middle.len() >= SHORTEST) {
                all.insert(middle.to_owned());
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_usual_encoding_is_found() {
        let scrubber = Scrubber::default();
        scrubber.learn("token", "hunter2 \"&/ü");
        let value = "hunter2 \"&/ü";
        let forms = [
            value.to_owned(),
            hex::encode(value),
            secret::url_encode(value),
            base64::engine::general_purpose::STANDARD.encode(value),
            base64::engine::general_purpose::STANDARD.encode(format!("user:{value}")),
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("ab{value}cd")),
            json!({ "a": value }).to_string(),
        ];
        for form in forms {
            let clean = scrubber.value(json!({ &form: ["x", format!("a {form} b")] })).to_string();
            assert!(clean.contains("[secret token]") && !clean.contains("hunter2"), "{form} -> {clean}");
            assert!(!clean.contains(&form), "{form} -> {clean}");
        }
    }

    #[test]
    fn overlapping_values_leave_nothing_of_either() {
        let scrubber = Scrubber::default();
        scrubber.hold(&["abcdef", "defghijk", "cdefg"]);
        assert_eq!(scrubber.text("<abcdefghijk> abcd"), "<[secret]> abcd");
        scrubber.learn("long", "defghijk");
        scrubber.hold(&["defghijk"]);
        assert_eq!(scrubber.text("<abcdefghijk> defghijk"), "<[secret long]> [secret long]");
    }

    #[test]
    fn what_was_replaced_is_forgotten_after_a_while_and_what_is_held_is_not() {
        let scrubber = Scrubber::default();
        let value = |n: usize| format!("{n:06}-").repeat(100);
        scrubber.hold(&["held-for-good".to_owned(), value(0)]);
        scrubber.hold(&["held-for-good".to_owned(), value(1)]);
        assert_eq!(scrubber.text(&value(0)), "[secret]", "it may be good for a while elsewhere");
        for n in 1..=4 {
            scrubber.learn_each("computed", &(0..50).map(|m| value(50 * n + m)).collect::<Vec<_>>());
        }
        let kept = scrubber.needles.read().values.len();
        assert!((50..PASSED_BYTES / 700 + 3).contains(&kept), "{kept}");
        assert_eq!(scrubber.text(&value(0)), value(0), "forgotten");
        assert_eq!(scrubber.text(&format!("{} held-for-good", value(249))), "[secret computed] [secret]");
    }

    #[test]
    fn a_strangers_value_is_taken_out_of_one_run_and_of_no_key() {
        let shared = Arc::new(Scrubber::default());
        shared.hold(&["token-inside"]);
        let (run, other) = (RunScrubber::new(shared.clone()), RunScrubber::new(shared.clone()));
        let foreign = "server_type and the token-inside, too";
        run.learn("returned", foreign, true);
        let told = json!({ foreign: [foreign, "token-inside"], "token-inside": 1 });
        let clean = run.value(told.clone());
        assert_eq!(
            clean,
            json!({ "server_type and the [secret], too": ["[secret returned]", "[secret]"], "[secret]": 1 })
        );
        assert_eq!(run.text(foreign), "[secret returned]", "whole, although another one stands inside");
        assert_eq!(other.value(told)["server_type and the [secret], too"][0], "server_type and the [secret], too");
        assert_eq!(shared.text("server_type"), "server_type");
    }

    #[test]
    fn numbers_and_errors_are_cleaned() {
        let scrubber = Scrubber::default();
        scrubber.learn("pin", "987654");
        assert_eq!(scrubber.value(json!(987_654)), json!("[secret pin]"));
        assert_eq!(scrubber.value(json!(12)), json!(12));
        let problem = Problem::new(windlass_model::Code::System, "bad 987654").help("try 987654");
        let clean = scrubber.problem(problem);
        assert_eq!((clean.message.as_str(), clean.help.as_deref()), ("bad [secret pin]", Some("try [secret pin]")));
    }
}
