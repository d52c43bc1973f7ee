//! Takes every secret value that was revealed in this process out of whatever is stored or shown, in its usual encodings.

use std::collections::BTreeSet;

use base64::Engine as _;
use parking_lot::RwLock;
use serde_json::Value;
use windlass_model::Problem;

use crate::secret;

/// Shorter values are in everything: taking them out would leave no text whole.
const SHORTEST: usize = 4;

/// Every value that was revealed, with its encodings.
#[derive(Default)]
pub struct Scrubber {
    needles: RwLock<Vec<(String, String)>>,
}

impl Scrubber {
    /// Remembers a value; from now on it is replaced by `[secret NAME]`.
    pub fn learn(&self, name: &str, value: &str) {
        if value.len() < SHORTEST || self.needles.read().iter().any(|(known, _)| known == value) {
            return;
        }
        let label = format!("[secret {name}]");
        let mut needles = self.needles.write();
        needles.extend(encodings(value).into_iter().map(|needle| (needle, label.clone())));
        // A derived value may contain the one it came from: the longest goes first.
        needles.sort_by(|left, right| right.0.len().cmp(&left.0.len()).then_with(|| left.0.cmp(&right.0)));
        needles.dedup_by(|left, right| left.0 == right.0);
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        let needles = self.needles.read();
        let mut clean = text.to_owned();
        for (needle, label) in needles.iter() {
            if clean.contains(needle.as_str()) {
                clean = clean.replace(needle.as_str(), label);
            }
        }
        clean
    }

    /// The value without secrets, in strings, keys and numbers.
    pub fn value(&self, value: Value) -> Value {
        if self.needles.read().is_empty() {
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
        if self.needles.read().is_empty() {
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
