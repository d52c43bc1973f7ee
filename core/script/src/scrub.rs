//! Takes every secret value that is stored, or was computed in this process, out of whatever is stored or shown, in its usual encodings.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use parking_lot::RwLock;
use serde_json::Value;
use windlass_model::Problem;

use crate::secret;

/// Shorter values are in everything: taking them out would leave no text whole. Whoever stores secrets refuses them.
const SHORTEST: usize = 4;

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
    /// What stands for each encoding of each value.
    labels: BTreeMap<String, String>,
    /// All of `labels` at once: a text is read once, however many secrets there are.
    matcher: Option<AhoCorasick>,
    /// In the order that the matcher counts them.
    by_index: Vec<String>,
}

impl Needles {
    fn add(&mut self, value: &str, label: &str) {
        for needle in encodings(value) {
            let known = self.labels.entry(needle).or_insert_with(|| label.to_owned());
            if known == UNNAMED {
                label.clone_into(known);
            }
        }
    }

    fn build(&mut self) {
        self.by_index = self.labels.values().cloned().collect();
        // Only more needles than fit into memory are an error; those before them are still found.
        if let Ok(matcher) = AhoCorasick::new(self.labels.keys()) {
            self.matcher = Some(matcher);
        }
    }

    /// Whether learning the value under this label would change anything.
    fn knows(&self, value: &str, label: &str) -> bool {
        self.labels.get(value).is_some_and(|known| known != UNNAMED || label == UNNAMED)
    }
}

impl Scrubber {
    /// Remembers a value; from now on it is replaced by `[secret NAME]`.
    pub fn learn(&self, name: &str, value: &str) {
        self.learn_under(&[value], &format!("[secret {name}]"));
    }

    /// Remembers values whose names aren't known: they are replaced by `[secret]`, until one is learned by its name.
    pub fn learn_all(&self, values: &[impl AsRef<str>]) {
        self.learn_under(values, UNNAMED);
    }

    fn learn_under(&self, values: &[impl AsRef<str>], label: &str) {
        let is_new = |needles: &Needles, value: &str| value.len() >= SHORTEST && !needles.knows(value, label);
        {
            let needles = self.needles.read();
            if !values.iter().any(|value| is_new(&needles, value.as_ref())) {
                return;
            }
        }
        let mut needles = self.needles.write();
        for value in values {
            if is_new(&needles, value.as_ref()) {
                needles.add(value.as_ref(), label);
            }
        }
        needles.build();
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        let needles = self.needles.read();
        let Some(matcher) = &needles.matcher else { return text.to_owned() };
        // Values may overlap, and one may stand inside another: what any of them covers goes, and the longest gives the
        // whole place its name.
        let mut places: Vec<(Range<usize>, usize, usize)> = Vec::new();
        let mut found: Vec<_> = matcher.find_overlapping_iter(text).collect();
        found.sort_by_key(|found| (found.start(), found.end()));
        for found in found {
            match places.last_mut().filter(|(place, ..)| found.start() < place.end) {
                Some((place, longest, label)) => {
                    place.end = place.end.max(found.end());
                    if found.len() > *longest {
                        (*longest, *label) = (found.len(), found.pattern().as_usize());
                    }
                }
                None => places.push((found.range(), found.len(), found.pattern().as_usize())),
            }
        }
        let mut clean = String::with_capacity(text.len());
        let mut from = 0;
        for (place, _, label) in places {
            clean.push_str(&text[from..place.start]);
            clean.push_str(needles.by_index.get(label).map_or(UNNAMED, String::as_str));
            from = place.end;
        }
        clean.push_str(&text[from..]);
        clean
    }

    fn is_empty(&self) -> bool {
        self.needles.read().labels.is_empty()
    }

    /// The value without secrets, in strings, keys and numbers.
    pub fn value(&self, value: Value) -> Value {
        if self.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => self.text(&text).into(),
            Value::Number(number) => {
                let text = number.to_string();
                let clean = self.text(&text);
                if clean == text { Value::Number(number) } else { clean.into() }
            }
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => map.into_iter().map(|(key, item)| (self.text(&key), self.value(item))).collect(),
            other => other,
        }
    }

    /// The error without secrets.
    pub fn problem(&self, mut problem: Problem) -> Problem {
        if self.is_empty() {
            return problem;
        }
        problem.message = self.text(&problem.message);
        problem.help = problem.help.map(|help| self.text(&help));
        problem.data = self.value(problem.data);
        problem
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
        scrubber.learn_all(&["abcdef", "defghijk", "cdefg"]);
        assert_eq!(scrubber.text("<abcdefghijk> abcd"), "<[secret]> abcd");
        scrubber.learn("long", "defghijk");
        scrubber.learn_all(&["defghijk"]);
        assert_eq!(scrubber.text("<abcdefghijk> defghijk"), "<[secret long]> [secret long]");
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
